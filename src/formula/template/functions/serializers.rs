//! `slsutil.serialize` and `slsutil.deserialize`.

use minijinja::{Error, Value};

use super::super::value::{dict, entries, from_data, is_mapping, items, pairs, text, to_data, type_name};
use super::arguments::Default::Required;
use super::arguments::{defined, takes, wrong};
use super::json::{Json, json_text};
use super::{Function, plain};
use crate::formula::yaml::{self, Layout, Mappings};
use crate::formula::{Data, Dict};

pub(super) const FUNCTIONS: &[Function] = &[
    plain(
        "slsutil.serialize",
        takes(&[("serializer", Required), ("obj", Required)]).and_more_named(),
        |_, arguments| {
            let value = defined(arguments.get("obj"))?;
            written(&arguments.text("serializer")?, value, &Options(&arguments.more_named)).map(Value::from)
        },
    ),
    plain(
        "slsutil.deserialize",
        takes(&[("serializer", Required), ("stream_or_string", Required)]).and_more_named(),
        |_, arguments| {
            let source = arguments.text("stream_or_string")?;
            read(&arguments.text("serializer")?, &source, &Options(&arguments.more_named))
        },
    ),
];

/// The serializers that upshift has.
pub(in crate::formula) const SERIALIZERS: [&str; 4] = ["configparser", "json", "keyvalue", "yaml"];

/// A value as a serializer writes it.
pub(in crate::formula) fn serialize(name: &str, data: &Data, options: &Dict) -> Result<String, Error> {
    written(name, &from_data(data), &Options(&named(options)))
}

/// The value that a serializer reads in a text.
pub(in crate::formula) fn deserialize(name: &str, source: &str, options: &Dict) -> Result<Data, Error> {
    to_data(&read(name, source, &Options(&named(options)))?)
}

fn named(options: &Dict) -> Vec<(String, Value)> {
    options.entries.iter().map(|(name, value)| (text(&from_data(name)), from_data(value))).collect()
}

/// Keyword arguments of a serializer.
struct Options<'a>(&'a [(String, Value)]);

impl Options<'_> {
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

fn written(name: &str, value: &Value, options: &Options<'_>) -> Result<String, Error> {
    match name {
        "json" => json_text(value, &layout_of_json(options)?),
        "yaml" => yaml_text(value, options),
        "configparser" => ini_text(value),
        "keyvalue" => key_value_text(value, options),
        other => Err(missing(other)),
    }
}

fn read(name: &str, source: &str, options: &Options<'_>) -> Result<Value, Error> {
    match name {
        "json" => {
            let json: Data = serde_json::from_str(source).map_err(|error| wrong(error.to_string()))?;
            Ok(from_data(&json))
        }
        "yaml" => {
            let data = yaml::load(source, Mappings::PyYaml);
            Ok(from_data(&data.map_err(|error| wrong(error.message))?))
        }
        "keyvalue" => read_key_values(source, options),
        other => Err(missing(other)),
    }
}

fn missing(name: &str) -> Error {
    wrong(format!(
        "upshift does not have the serializer `{name}`; it has {}",
        SERIALIZERS.map(|name| format!("`{name}`")).join(", ")
    ))
}

/// `indent` and its kind, from the options of a call.
fn layout_of_json(options: &Options<'_>) -> Result<Json, Error> {
    let mut layout = Json::default();
    for (name, value) in options.0 {
        match name.as_str() {
            "indent" => layout.indent = indent(value),
            "sort_keys" => layout.sort_keys = value.is_true(),
            "ensure_ascii" => layout.ensure_ascii = value.is_true(),
            "separators" if value.is_none() => {}
            "separators" => {
                if let [items, keys] = items(value)?.as_slice() {
                    (layout.item_separator, layout.key_separator) = (Some(text(items)), text(keys));
                }
            }
            _ => {}
        }
    }
    Ok(layout)
}

/// What JSON's levels are indented by: a number of spaces or a text.
fn indent(value: &Value) -> Option<String> {
    match (value.as_str(), value.as_i64()) {
        (Some(text), _) => Some(text.to_owned()),
        (_, Some(width)) => Some(" ".repeat(usize::try_from(width.min(200)).unwrap_or(0))),
        _ => None,
    }
}

/// As `PyYAML`'s safe dumper writes it, where an ordered mapping is sorted too, without the last newline.
fn yaml_text(value: &Value, options: &Options<'_>) -> Result<String, Error> {
    let mut layout = Layout { allow_unicode: false, ..Layout::default() };
    for (name, value) in options.0 {
        let number = value.as_i64().and_then(|number| usize::try_from(number).ok());
        match name.as_str() {
            "default_flow_style" => layout.flow = Some(value.is_true()).filter(|_| !value.is_none()),
            "default_style" => layout.style = value.as_str().and_then(|style| style.chars().next()),
            "allow_unicode" => layout.allow_unicode = value.is_true(),
            "explicit_start" => layout.explicit_start = value.is_true(),
            "explicit_end" => layout.explicit_end = value.is_true(),
            "sort_keys" => layout.sort_keys = value.is_true(),
            "indent" => layout.indent = number.unwrap_or(layout.indent),
            "width" => layout.width = number.unwrap_or(layout.width),
            _ => {}
        }
    }
    let text = yaml::dump(&to_data(value)?.unordered(), &layout);
    let trimmed = text.strip_suffix("\n...\n").or_else(|| text.strip_suffix('\n')).unwrap_or(&text);
    Ok(trimmed.to_owned())
}

/// Sections of `key = value`, as Python's `configparser` writes them.
fn ini_text(value: &Value) -> Result<String, Error> {
    if !is_mapping(value) {
        return Err(wrong(format!("configparser can only serialize dictionaries, not <class '{}'>", type_name(value))));
    }
    let (mut out, mut others) = (String::new(), String::new());
    for (section, keys) in entries(value) {
        if !is_mapping(&keys) {
            return Err(wrong(format!("'{}' object has no attribute 'items'", type_name(&keys))));
        }
        let section = text(&section);
        // The section of defaults comes first, and only if it holds something.
        let target = if section == "DEFAULT" { &mut out } else { &mut others };
        if section != "DEFAULT" || keys.is_true() {
            target.extend(["[", &section, "]\n"]);
            for (key, value) in entries(&keys) {
                if value.is_none() {
                    return Err(wrong("option values must be strings"));
                }
                let value = text(&value);
                check_references(&value)?;
                target.extend([&text(&key).to_lowercase(), " = ", &value.replace('\n', "\n\t"), "\n"]);
            }
            target.push('\n');
        }
    }
    Ok(out + &others)
}

/// Refuses a percent sign that neither is doubled nor begins a reference (`%(name)s`), as `configparser` does.
fn check_references(value: &str) -> Result<(), Error> {
    let plain = value.replace("%%", "");
    let mut rest = plain.as_str();
    let mut kept = 0;
    while let Some(at) = rest.find('%') {
        let after = rest.get(at + 1..).unwrap_or_default();
        let name =
            after.strip_prefix('(').and_then(|after| after.split_once(")s")).filter(|(name, _)| !name.is_empty());
        let Some((_, next)) = name.filter(|(name, _)| !name.contains(')')) else {
            let position = kept + rest.get(..at).unwrap_or_default().chars().count();
            let value = super::super::value::repr(&Value::from(value));
            return Err(wrong(format!("invalid interpolation syntax in {value} at position {position}")));
        };
        kept += rest.get(..at).unwrap_or_default().chars().count();
        rest = next;
    }
    Ok(())
}

fn key_value_text(value: &Value, options: &Options<'_>) -> Result<String, Error> {
    let separator = options.get("separator").map_or_else(|| "=".to_owned(), text);
    let end = options.get("line_ending").filter(|end| end.is_true()).map_or_else(|| "\n".to_owned(), text);
    let is_quoted = options.get("quoting").is_some_and(Value::is_true);
    let pairs = pairs(value)?;
    let line = |(key, value): &(Value, Value)| {
        let value = text(value);
        let value = if is_quoted { quoted(&value) } else { value };
        format!("{}{separator}{value}", text(key))
    };
    Ok(pairs.iter().map(line).collect::<Vec<_>>().join(&end))
}

/// A text as one word of a shell, as Python's `shlex.quote` writes it.
fn quoted(text: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "@%+=:,./-_".contains(character);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\"'\"'"))
}

fn read_key_values(source: &str, options: &Options<'_>) -> Result<Value, Error> {
    let separator = options.get("separator").map_or_else(|| "=".to_owned(), text);
    let unquotes = options.get("quoting").is_some_and(|quoting| !quoting.is_true() && !quoting.is_none());
    let mut found = Vec::new();
    for line in source.lines() {
        let Some((key, value)) = line.split_once(separator.as_str()) else {
            return Err(wrong("not enough values to unpack (expected 2, got 1)"));
        };
        let is_quoted = |mark| value.len() > 1 && value.starts_with(mark) && value.ends_with(mark);
        let value = if unquotes && (is_quoted('\'') || is_quoted('"')) {
            value.get(1..value.len() - 1).unwrap_or(value)
        } else {
            value
        };
        found.push((Value::from(key), Value::from(value)));
    }
    Ok(dict(found))
}
