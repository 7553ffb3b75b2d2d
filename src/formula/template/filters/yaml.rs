//! YAML as Salt's filters read and write it.

use std::fmt::Write as _;

use minijinja::value::ValueKind;
use minijinja::{Error, Value};

use super::arguments::{Args, Run, is_true, wrong};
use super::json::has_undefined;
use crate::formula::template::value::{
    dict, entries, float_text, from_data, is_mapping, list, text, to_data_with, type_name,
};
use crate::formula::yaml::{self, Layout, Mappings, dump, load};

/// The filters, with their parameters.
pub(super) const FILTERS: &[(&str, &str, Run)] = &[
    ("dict_to_sls_yaml_params", "value flow_style?", dict_to_sls_yaml_params),
    ("load_yaml", "value", load_yaml),
    ("yaml", "value flow_style?", |args| yaml(&args.value(), flow(args, true))),
    ("yaml_dquote", "text", |args| Ok(Value::from(double_quoted(&args.text()?)))),
    ("yaml_encode", "data", yaml_encode),
    ("yaml_squote", "text", |args| Ok(Value::from(single_quoted(&args.text()?)))),
];

/// The `flow_style`, where `None` leaves the choice to the writer.
fn flow(args: &Args, default: bool) -> Option<bool> {
    match args.get("flow_style") {
        Some(flow) if flow.is_none() => None,
        Some(flow) => Some(is_true(flow)),
        None => Some(default),
    }
}

fn yaml(value: &Value, flow: Option<bool>) -> Result<Value, Error> {
    if has_undefined(value) {
        return Ok(Value::UNDEFINED);
    }
    let data = to_data_with(value, &|value| is_unknown(value).then(yaml::unknown))?;
    let text = dump(&data, &Layout { flow, ..Layout::default() });
    let text = text.trim();
    Ok(Value::from_safe_string(text.strip_suffix("\n...").unwrap_or(text).to_owned()))
}

/// Whether Salt's dumper does not know the type of a value: escaped text, generators, functions.
fn is_unknown(value: &Value) -> bool {
    match value.kind() {
        ValueKind::String => value.is_safe(),
        ValueKind::Iterable => !super::set::is_set(value),
        ValueKind::Plain => true,
        _ => false,
    }
}

fn dict_to_sls_yaml_params(args: &Args) -> Result<Value, Error> {
    let value = args.value();
    if has_undefined(&value) {
        return Ok(Value::UNDEFINED);
    }
    if !is_mapping(&value) {
        return Err(wrong(format!("'{}' object has no attribute 'items'", type_name(&value))));
    }
    yaml(&list(entries(&value).into_iter().map(|entry| dict([entry])).collect()), flow(args, false))
}

fn load_yaml(args: &Args) -> Result<Value, Error> {
    let value = args.value();
    if has_undefined(&value) {
        return Ok(Value::UNDEFINED);
    }
    // Python's reader takes no text of another class for text.
    let source = value.as_str().filter(|_| value.kind() == ValueKind::String && !value.is_safe());
    let source = source.ok_or_else(|| wrong(format!("Unable to load yaml from {}", text(&value))))?;
    let data = load(source, Mappings::Plain)
        .map_err(|error| wrong(format!("Encountered error loading yaml: {} (line {})", error.message, error.line)))?;
    Ok(from_data(&data))
}

fn yaml_encode(args: &Args) -> Result<Value, Error> {
    let value = args.defined()?;
    let text = match value.kind() {
        ValueKind::None => "null".to_owned(),
        ValueKind::Bool => if value.is_true() { "true" } else { "false" }.to_owned(),
        ValueKind::Number if value.is_integer() => value.to_string(),
        ValueKind::Number => yaml_float(f64::try_from(value.clone()).unwrap_or(f64::NAN)),
        ValueKind::String => double_quoted(value.as_str().unwrap_or_default()),
        _ => {
            let kind = type_name(&value);
            return Err(wrong(format!("yaml_encode() only works with YAML scalar data; failed for {kind}")));
        }
    };
    Ok(Value::from(text))
}

fn yaml_float(number: f64) -> String {
    if number.is_nan() {
        return ".nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let text = float_text(number);
    if text.contains('.') { text } else { text.replace('e', ".0e") }
}

/// A scalar between double quotes in ASCII.
fn double_quoted(text: &str) -> String {
    let mut out = String::from('"');
    for character in text.chars() {
        let short = match character {
            '\0' => '0',
            '\x07' => 'a',
            '\x08' => 'b',
            '\t' => 't',
            '\n' => 'n',
            '\x0b' => 'v',
            '\x0c' => 'f',
            '\r' => 'r',
            '\x1b' => 'e',
            '"' => '"',
            '\\' => '\\',
            '\u{85}' => 'N',
            '\u{a0}' => '_',
            '\u{2028}' => 'L',
            '\u{2029}' => 'P',
            ' '..='~' => {
                out.push(character);
                continue;
            }
            other => {
                let _ = match u32::from(other) {
                    code @ 0..=0xff => write!(out, "\\x{code:02X}"),
                    code @ 0x100..=0xffff => write!(out, "\\u{code:04X}"),
                    code => write!(out, "\\U{code:08X}"),
                };
                continue;
            }
        };
        out.extend(['\\', short]);
    }
    out.push('"');
    out
}

/// A scalar between single quotes, where a line end needs another, lest YAML read it as a space.
fn single_quoted(text: &str) -> String {
    let mut out = String::from('\'');
    let mut is_broken = false;
    for character in text.chars() {
        let is_break = matches!(character, '\n' | '\u{85}' | '\u{2028}' | '\u{2029}');
        if character == '\n' && !is_broken {
            out.push('\n');
        }
        if character == '\'' {
            out.push('\'');
        }
        out.push(character);
        is_broken = is_break;
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use crate::formula::template::filters::assert_shown;

    #[test]
    fn yaml_scalars_are_quoted_as_pyyaml_quotes_them() {
        assert_shown(&[
            ("{{ 'é\"\\\\\t\n'|yaml_dquote }}", Some(r#""\xE9\"\\\t\n""#)),
            ("{{ 'it\\'s\na\n\nb'|yaml_squote }}", Some("'it''s\n\na\n\n\nb'")),
            (
                "{{ [true, none, 42, 1e16, 1.5, 'x']|map('yaml_encode')|list }}",
                Some(r#"['true', 'null', '42', '1.0e+16', '1.5', '"x"']"#),
            ),
            ("{{ [1]|yaml_encode }}", None),
            ("{{ {'b': 1, 'a': ['x']}|yaml(false) }}", Some("a:\n- x\nb: 1")),
            ("{{ 'yes'|yaml }}", Some("'yes'")),
            ("{{ {'a': 1}|dict_to_sls_yaml_params }}", Some("- a: 1")),
            ("{{ 'a: [1, yes]'|load_yaml }}", Some("{'a': [1, True]}")),
            ("{{ 'a: b: c'|load_yaml }}", None),
        ]);
    }
}
