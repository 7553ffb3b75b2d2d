//! JSON as Python's `json` reads and writes it.

use std::fmt;

use minijinja::value::ValueKind;
use minijinja::{Error, Value};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::arguments::{Args, Run, is_true, wrong};
use crate::formula::template::functions::json::{Json, json_text};
use crate::formula::template::number_text::WIDEST;
use crate::formula::template::value::{DEEPEST, entries, from_data, items, text};
use crate::formula::{Data, Dict};

/// The filters, with their parameters.
pub(super) const FILTERS: &[(&str, &str, Run)] = &[
    ("json", "value sort_keys? indent?", json),
    ("load_json", "value", load_json),
    ("load_text", "value", |args| Ok(if has_undefined(&args.value()) { Value::UNDEFINED } else { args.value() })),
    ("tojson", "val indent? **", tojson),
];

/// How Python's `json.dumps` lays its text out, with what a level is to be indented by.
fn layout(indent: Option<&Value>) -> Result<Json, Error> {
    let spaces = |indent: &Value| match indent.as_str() {
        Some(text) => Ok(text.to_owned()),
        None => super::arguments::index(indent)
            .map(|width| " ".repeat(usize::try_from(width.max(0)).unwrap_or(usize::MAX).min(WIDEST))),
    };
    let indent = indent.filter(|indent| !indent.is_none()).map(spaces).transpose()?;
    Ok(Json { indent, ..Json::default() })
}

/// Whether a value is undefined, or a list or mapping in which something is.
///
/// What is made of such a value is undefined itself: Salt lets it pass until it is printed.
pub(super) fn has_undefined(value: &Value) -> bool {
    fn look(value: &Value, depth: usize) -> bool {
        match value.kind() {
            ValueKind::Undefined => true,
            _ if depth > DEEPEST => false,
            ValueKind::Map => entries(value).iter().any(|(key, value)| look(key, depth + 1) || look(value, depth + 1)),
            ValueKind::Seq => items(value).unwrap_or_default().iter().any(|item| look(item, depth + 1)),
            _ => false,
        }
    }
    look(value, 0)
}

fn json(args: &Args) -> Result<Value, Error> {
    let value = args.value();
    if has_undefined(&value) {
        return Ok(Value::UNDEFINED);
    }
    let layout = Json { sort_keys: args.bool("sort_keys", true)?, ..layout(args.get("indent"))? };
    Ok(Value::from_safe_string(json_text(&value, &layout)?.trim().to_owned()))
}

fn tojson(args: &Args) -> Result<Value, Error> {
    let value = args.value();
    if has_undefined(&value) {
        return Ok(Value::UNDEFINED);
    }
    let mut layout = Json { ensure_ascii: true, ..layout(args.get("indent"))? };
    for (name, option) in &args.named {
        match name.as_str() {
            "sort_keys" => layout.sort_keys = is_true(option),
            "ensure_ascii" => layout.ensure_ascii = is_true(option),
            "separators" => match items(option)?.as_slice() {
                [items, keys] => (layout.item_separator, layout.key_separator) = (Some(text(items)), text(keys)),
                _ => return Err(wrong("separators are two texts")),
            },
            "skipkeys" | "check_circular" | "allow_nan" => {}
            _ => return Err(wrong(format!("__init__() got an unexpected keyword argument '{name}'"))),
        }
    }
    let mut text = json_text(&value, &layout)?;
    for (character, escape) in [('<', "\\u003c"), ('>', "\\u003e"), ('&', "\\u0026"), ('\'', "\\u0027")] {
        text = text.replace(character, escape);
    }
    Ok(Value::from(text))
}

fn load_json(args: &Args) -> Result<Value, Error> {
    let value = args.value();
    if has_undefined(&value) {
        return Ok(Value::UNDEFINED);
    }
    let unable = || wrong(format!("Unable to load json from {}", text(&value)));
    let source = value.as_str().ok_or_else(unable)?;
    serde_json::from_str::<Document>(source).map(|Document(data)| from_data(&data)).map_err(|_| unable())
}

/// JSON with its keys in their own order; of a key that comes twice the last value stays, as in Python.
struct Document(Data);

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Document)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Data;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Data, E> {
        Ok(Data::None)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Data, E> {
        Ok(Data::Bool(value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Data, E> {
        Ok(Data::Int(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Data, E> {
        Ok(Data::Int(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Data, E> {
        Ok(Data::Float(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Data, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Data, A::Error> {
        let mut list = Vec::new();
        while let Some(Document(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Data, A::Error> {
        let mut dict = Dict::default();
        while let Some((key, Document(value))) = entries.next_entry::<String, Document>()? {
            dict.insert(key, value);
        }
        Ok(dict.into())
    }
}

#[cfg(test)]
mod tests {
    use crate::formula::template::filters::assert_shown;

    #[test]
    fn json_is_written_as_python_writes_it() {
        assert_shown(&[
            ("{{ {'b': [1, 1.0, none, true], 'a': {}}|json }}", Some(r#"{"a": {}, "b": [1, 1.0, null, true]}"#)),
            (
                "{{ {'b': [], 'a': {'c': 1}}|json(indent=2) }}",
                Some("{\n  \"a\": {\n    \"c\": 1\n  },\n  \"b\": []\n}"),
            ),
            ("{{ {'b': 1, 'a': 2}|json(sort_keys=false) }}", Some(r#"{"b": 1, "a": 2}"#)),
            ("{{ {1: 'x', 'a': 2}|json }}", None),
            ("{{ 'é<\\'\"\n'|json }}", Some(r#""é<'\"\n""#)),
            ("{{ 'é<\\'\"\n'|tojson }}", Some(r#""\u00e9\u003c\u0027\"\n""#)),
            ("{{ [1, missing]|json is undefined }}", Some("True")),
            ("{{ [1, 2]|map('int')|json }}", None),
            (r#"{{ '{"b": 1, "a": [1.5, null], "b": 2}'|load_json }}"#, Some("{'b': 2, 'a': [1.5, None]}")),
            ("{{ '[1'|load_json }}", None),
        ]);
    }
}
