//! JSON as Python's `json` reads and writes it.

use std::fmt;
use std::fmt::Write as _;

use minijinja::value::ValueKind;
use minijinja::{Error, Value};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::arguments::{Args, Run, is_true, wrong};
use crate::formula::template::number_text::WIDEST;
use crate::formula::template::value::{
    DEEPEST, compare, entries, float_text, from_data, is_list, items, sort_by, spend_text, text, type_name,
};
use crate::formula::{Data, Dict};

/// The filters, with their parameters.
pub(super) const FILTERS: &[(&str, &str, Run)] = &[
    ("json", "value sort_keys? indent?", json),
    ("load_json", "value", load_json),
    ("load_text", "value", |args| Ok(if has_undefined(&args.value()) { Value::UNDEFINED } else { args.value() })),
    ("tojson", "val indent? **", tojson),
];

/// How Python's `json.dumps` lays its text out.
struct Layout {
    sort_keys: bool,
    ensure_ascii: bool,
    indent: Option<String>,
    between: String,
    after_key: String,
}

impl Layout {
    fn new(indent: Option<&Value>) -> Result<Self, Error> {
        let spaces = |indent: &Value| match indent.as_str() {
            Some(text) => Ok(text.to_owned()),
            None => super::arguments::index(indent)
                .map(|width| " ".repeat(usize::try_from(width.max(0)).unwrap_or(usize::MAX).min(WIDEST))),
        };
        let indent = indent.filter(|indent| !indent.is_none()).map(spaces).transpose()?;
        let between = if indent.is_some() { "," } else { ", " }.to_owned();
        Ok(Self { sort_keys: false, ensure_ascii: false, indent, between, after_key: ": ".to_owned() })
    }
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
    let layout = Layout { sort_keys: args.bool("sort_keys", true)?, ..Layout::new(args.get("indent"))? };
    Ok(Value::from_safe_string(dumps(&value, &layout)?.trim().to_owned()))
}

fn tojson(args: &Args) -> Result<Value, Error> {
    let value = args.value();
    if has_undefined(&value) {
        return Ok(Value::UNDEFINED);
    }
    let mut layout = Layout { ensure_ascii: true, ..Layout::new(args.get("indent"))? };
    for (name, option) in &args.named {
        match name.as_str() {
            "sort_keys" => layout.sort_keys = is_true(option),
            "ensure_ascii" => layout.ensure_ascii = is_true(option),
            "separators" => match items(option)?.as_slice() {
                [between, after_key] => (layout.between, layout.after_key) = (text(between), text(after_key)),
                _ => return Err(wrong("separators are two texts")),
            },
            "skipkeys" | "check_circular" | "allow_nan" => {}
            _ => return Err(wrong(format!("__init__() got an unexpected keyword argument '{name}'"))),
        }
    }
    let mut text = dumps(&value, &layout)?;
    for (character, escape) in [('<', "\\u003c"), ('>', "\\u003e"), ('&', "\\u0026"), ('\'', "\\u0027")] {
        text = text.replace(character, escape);
    }
    Ok(Value::from(text))
}

fn dumps(value: &Value, layout: &Layout) -> Result<String, Error> {
    let mut out = String::new();
    write(value, layout, 0, &mut out)?;
    Ok(out)
}

fn write(value: &Value, layout: &Layout, depth: usize, out: &mut String) -> Result<(), Error> {
    if depth > DEEPEST {
        return Err(wrong("Circular reference detected"));
    }
    spend_text(value.as_str().map_or(0, str::len))?;
    match value.kind() {
        ValueKind::None | ValueKind::Bool | ValueKind::Number => out.push_str(&scalar(value)),
        ValueKind::String => quote(value.as_str().unwrap_or_default(), layout.ensure_ascii, out),
        ValueKind::Map => {
            let mut entries = entries(value);
            if layout.sort_keys {
                sort_by(&mut entries, |(one, _), (two, _)| compare(one, two))?;
            }
            let write_entry = |(key, value): &(Value, Value), out: &mut String| {
                match key.kind() {
                    ValueKind::String => quote(key.as_str().unwrap_or_default(), layout.ensure_ascii, out),
                    ValueKind::None | ValueKind::Bool | ValueKind::Number => {
                        quote(&scalar(key), layout.ensure_ascii, out);
                    }
                    _ => {
                        let kind = type_name(key);
                        return Err(wrong(format!("keys must be str, int, float, bool or None, not {kind}")));
                    }
                }
                out.push_str(&layout.after_key);
                write(value, layout, depth + 1, out)
            };
            enclose(&entries, ('{', '}'), layout, depth, out, write_entry)?;
        }
        ValueKind::Seq if value.is_tuple() || is_list(value) => {
            let write_item = |item: &Value, out: &mut String| write(item, layout, depth + 1, out);
            enclose(&items(value)?, ('[', ']'), layout, depth, out, write_item)?;
        }
        _ => return Err(wrong(format!("Object of type {} is not JSON serializable", type_name(value)))),
    }
    Ok(())
}

/// Brackets around items, each on its own line if there is an indentation.
fn enclose<T>(
    items: &[T],
    brackets: (char, char),
    layout: &Layout,
    depth: usize,
    out: &mut String,
    write: impl Fn(&T, &mut String) -> Result<(), Error>,
) -> Result<(), Error> {
    let line = |depth: usize, out: &mut String| {
        if let Some(indent) = layout.indent.as_ref().filter(|_| !items.is_empty()) {
            out.push('\n');
            out.push_str(&indent.repeat(depth));
        }
    };
    out.push(brackets.0);
    let between = layout.between.len() + layout.indent.as_ref().map_or(0, |indent| indent.len() * (depth + 1));
    for (index, item) in items.iter().enumerate() {
        spend_text(between)?;
        if index > 0 {
            out.push_str(&layout.between);
        }
        line(depth + 1, out);
        write(item, out)?;
    }
    line(depth, out);
    out.push(brackets.1);
    Ok(())
}

fn scalar(value: &Value) -> String {
    match value.kind() {
        ValueKind::None => "null".to_owned(),
        ValueKind::Bool => if value.is_true() { "true" } else { "false" }.to_owned(),
        _ if value.is_integer() => value.to_string(),
        _ => match f64::try_from(value.clone()).unwrap_or(f64::NAN) {
            number if number.is_nan() => "NaN".to_owned(),
            number if number.is_infinite() => if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned(),
            number => float_text(number),
        },
    }
}

fn quote(text: &str, ensure_ascii: bool, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            other if other < ' ' || (ensure_ascii && !(' '..='~').contains(&other)) => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            other => out.push(other),
        }
    }
    out.push('"');
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
