//! Values as Python's `json` writes them.

use std::fmt::Write as _;

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value};

use super::super::value::{DEEPEST, compare, entries, float_text, items, sort_by, spend_text, type_name};
use super::arguments::wrong;

/// How JSON is laid out: the keyword arguments of `json.dumps`.
#[derive(Debug, Clone)]
pub(in super::super) struct Json {
    /// What a level is indented by; `None` is one line.
    pub(in super::super) indent: Option<String>,
    /// `sort_keys`.
    pub(in super::super) sort_keys: bool,
    /// `ensure_ascii`: everything beyond ASCII is escaped. Salt leaves it off.
    pub(in super::super) ensure_ascii: bool,
    /// What is between items, if not Python's own.
    pub(in super::super) item_separator: Option<String>,
    /// What is between a key and its value.
    pub(in super::super) key_separator: String,
}

impl Default for Json {
    fn default() -> Self {
        Self {
            indent: None,
            sort_keys: false,
            ensure_ascii: false,
            item_separator: None,
            key_separator: ": ".to_owned(),
        }
    }
}

/// A value as JSON. What JSON cannot say is an error.
pub(in super::super) fn json_text(value: &Value, layout: &Json) -> Result<String, Error> {
    let mut out = String::new();
    layout.write(value, 0, &mut out)?;
    Ok(out)
}

impl Json {
    fn write(&self, value: &Value, depth: usize, out: &mut String) -> Result<(), Error> {
        if depth > DEEPEST {
            return Err(wrong("Circular reference detected"));
        }
        spend_text(value.as_str().map_or(0, str::len))?;
        match value.kind() {
            ValueKind::Undefined => return Err(Error::from(ErrorKind::UndefinedError)),
            ValueKind::String => self.quote(value.as_str().unwrap_or_default(), out),
            ValueKind::Map => {
                let mut entries = entries(value);
                if self.sort_keys {
                    sort_by(&mut entries, |(one, _), (two, _)| compare(one, two))?;
                }
                self.write_all('{', '}', &entries, depth, out, |(key, value), out| {
                    self.quote(&key_text(key)?, out);
                    out.push_str(&self.key_separator);
                    self.write(value, depth + 1, out)
                })?;
            }
            ValueKind::Seq => {
                let write = |item: &Value, out: &mut String| self.write(item, depth + 1, out);
                self.write_all('[', ']', &items(value)?, depth, out, write)?;
            }
            _ => {
                let kind = type_name(value);
                let text =
                    scalar(value).ok_or_else(|| wrong(format!("Object of type {kind} is not JSON serializable")))?;
                out.push_str(&text);
            }
        }
        Ok(())
    }

    fn write_all<T>(
        &self,
        open: char,
        close: char,
        items: &[T],
        depth: usize,
        out: &mut String,
        write: impl Fn(&T, &mut String) -> Result<(), Error>,
    ) -> Result<(), Error> {
        out.push(open);
        let separator = self.item_separator.as_deref();
        let separator = separator.unwrap_or(if self.indent.is_some() { "," } else { ", " });
        let between = separator.len() + self.indent.as_ref().map_or(0, |indent| indent.len() * (depth + 1));
        for (index, item) in items.iter().enumerate() {
            spend_text(between)?;
            if index > 0 {
                out.push_str(separator);
            }
            self.new_line(depth + 1, out);
            write(item, out)?;
        }
        if !items.is_empty() {
            self.new_line(depth, out);
        }
        out.push(close);
        Ok(())
    }

    fn new_line(&self, depth: usize, out: &mut String) {
        if let Some(indent) = &self.indent {
            out.push('\n');
            out.push_str(&indent.repeat(depth));
        }
    }

    fn quote(&self, text: &str, out: &mut String) {
        out.push('"');
        for character in text.chars() {
            match character {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                other if (other as u32) < 0x20 || (self.ensure_ascii && !(' '..='~').contains(&other)) => {
                    let mut units = [0; 2];
                    for unit in other.encode_utf16(&mut units) {
                        // Writing to a text never fails.
                        let _ = write!(out, "\\u{unit:04x}");
                    }
                }
                other => out.push(other),
            }
        }
        out.push('"');
    }
}

/// `null`, a boolean or a number.
fn scalar(value: &Value) -> Option<String> {
    Some(match value.kind() {
        ValueKind::None => "null".to_owned(),
        ValueKind::Bool => if value.is_true() { "true" } else { "false" }.to_owned(),
        ValueKind::Number if value.is_integer() => value.to_string(),
        ValueKind::Number => match f64::try_from(value.clone()).unwrap_or(f64::NAN) {
            number if number.is_nan() => "NaN".to_owned(),
            number if number.is_infinite() => if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned(),
            number => float_text(number),
        },
        _ => return None,
    })
}

fn key_text(key: &Value) -> Result<String, Error> {
    match key.as_str() {
        Some(text) => Ok(text.to_owned()),
        None => scalar(key)
            .ok_or_else(|| wrong(format!("keys must be str, int, float, bool or None, not {}", type_name(key)))),
    }
}
