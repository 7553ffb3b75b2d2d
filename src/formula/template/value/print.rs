//! Values as Python prints them: `repr`, `str`, and what Salt puts in their place when a template prints one.

use std::cell::Cell;
use std::fmt::Write as _;
use std::sync::OnceLock;

use minijinja::Value;
use minijinja::value::ValueKind;

use super::{DEEPEST, Namespace, as_dict, entries, items, spend, spend_text};

thread_local! {
    /// How deep the value is that is printed just now: other objects print what they hold by beginning anew.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Python's `repr`.
#[must_use]
pub fn repr(value: &Value) -> String {
    let mut out = String::new();
    Printer { yaml_friendly: false }.repr(value, DEPTH.get(), &mut out);
    out
}

/// Python's `str`, which a filter or `~` sees.
#[must_use]
pub fn text(value: &Value) -> String {
    let mut out = String::new();
    Printer { yaml_friendly: false }.text(value, DEPTH.get(), &mut out);
    out
}

/// What `{{ value }}` prints. Salt makes every mapping in it one that YAML can read: no `OrderedDict(…)`, and
/// text with line ends in double quotes.
#[must_use]
pub fn printed(value: &Value) -> String {
    let mut out = String::new();
    Printer { yaml_friendly: true }.text(value, DEPTH.get(), &mut out);
    out
}

/// The undefined values that printing a mapping comes to, each with its key: values of the mapping and of mappings in
/// it. In a list they are printed as `Undefined`.
#[must_use]
pub fn undefined_entries(value: &Value) -> Vec<(Value, Value)> {
    let mut found = Vec::new();
    collect_undefined(value, 0, &mut found);
    found
}

fn collect_undefined(value: &Value, depth: usize, found: &mut Vec<(Value, Value)>) {
    let dict = as_dict(value).filter(|_| depth <= DEEPEST);
    for (key, value) in dict.into_iter().flat_map(super::PyDict::entries) {
        if value.is_undefined() {
            found.push((key, value));
        } else {
            collect_undefined(&value, depth + 1, found);
        }
    }
}

/// A float as Python writes it: the fewest digits that read back the same, an exponent from 1e16 on.
pub fn float_text(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..16).contains(&exponent) {
        return format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs());
    }
    // Of two texts that are as short and as near, Python takes the one with the even digit: 0.2 of 0.25.
    let digits = digits.bytes().filter(u8::is_ascii_digit).count();
    let places = i32::try_from(digits).unwrap_or(i32::MAX).saturating_sub(1 + exponent);
    let even = format!("{number:.*}", usize::try_from(places).unwrap_or(0).max(1));
    if even.parse() == Ok(number) { even } else { format!("{number:?}") }
}

struct Printer {
    yaml_friendly: bool,
}

impl Printer {
    fn text(&self, value: &Value, depth: usize, out: &mut String) {
        match value.kind() {
            ValueKind::Undefined if self.yaml_friendly => {}
            ValueKind::String => {
                let text = value.as_str().unwrap_or_default();
                if spend_text(text.len()).is_ok() {
                    out.push_str(text);
                }
            }
            _ => self.print(value, depth, Self::text, out),
        }
    }

    fn repr(&self, value: &Value, depth: usize, out: &mut String) {
        match value.kind() {
            ValueKind::String => quote(value.as_str().unwrap_or_default(), out),
            _ => self.print(value, depth, Self::repr, out),
        }
    }

    /// `inner` is how a mapping that YAML shall read prints what it holds: as text within text, else as `repr`.
    fn print(&self, value: &Value, depth: usize, inner: fn(&Self, &Value, usize, &mut String), out: &mut String) {
        if depth > DEEPEST {
            out.push_str("...");
            return;
        }
        if spend(1).is_err() {
            return;
        }
        match value.kind() {
            ValueKind::Undefined => out.push_str("Undefined"),
            ValueKind::None => out.push_str("None"),
            ValueKind::Bool => out.push_str(if value.is_true() { "True" } else { "False" }),
            ValueKind::Number if value.is_integer() => out.push_str(&value.to_string()),
            ValueKind::Number => out.push_str(&float_text(f64::try_from(value.clone()).unwrap_or(f64::NAN))),
            ValueKind::Bytes => bytes(value.as_bytes().unwrap_or_default(), out),
            ValueKind::Map => self.mapping(value, depth, inner, out),
            ValueKind::Seq => {
                let (open, close) = if value.is_tuple() { ('(', ')') } else { ('[', ']') };
                let items = items(value).unwrap_or_default();
                out.push(open);
                self.row(&items, depth, out);
                if value.is_tuple() && items.len() == 1 {
                    out.push(',');
                }
                out.push(close);
            }
            _ => {
                if let Some(namespace) = value.downcast_object_ref::<Namespace>() {
                    out.push_str("<Namespace ");
                    self.entries(&namespace.entries(), depth, Self::repr, out);
                    out.push('>');
                } else {
                    let before = DEPTH.replace(depth + 1);
                    let _ = write!(out, "{value}");
                    DEPTH.set(before);
                }
            }
        }
    }

    fn row(&self, items: &[Value], depth: usize, out: &mut String) {
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                out.push_str(", ");
            }
            self.repr(item, depth + 1, out);
        }
    }

    fn mapping(&self, value: &Value, depth: usize, inner: fn(&Self, &Value, usize, &mut String), out: &mut String) {
        let entries = entries(value);
        let is_ordered = as_dict(value).is_some_and(super::PyDict::is_ordered);
        if is_ordered && !self.yaml_friendly {
            let pairs: Vec<Value> = entries.into_iter().map(Value::from).collect();
            out.push_str("OrderedDict(");
            if !pairs.is_empty() {
                out.push('[');
                self.row(&pairs, depth + 1, out);
                out.push(']');
            }
            out.push(')');
            return;
        }
        self.entries(&entries, depth, inner, out);
    }

    fn entries(
        &self,
        entries: &[(Value, Value)],
        depth: usize,
        inner: fn(&Self, &Value, usize, &mut String),
        out: &mut String,
    ) {
        out.push('{');
        for (index, (key, value)) in entries.iter().enumerate() {
            if index > 0 {
                out.push_str(", ");
            }
            Self { yaml_friendly: false }.repr(key, depth + 1, out);
            out.push_str(": ");
            match value.as_str().filter(|_| value.kind() == ValueKind::String) {
                Some(text) if self.yaml_friendly && text.contains(['\n', '\r', '\t']) => double_quote(text, out),
                Some(text) => quote(text, out),
                None if self.yaml_friendly => inner(self, value, depth + 1, out),
                None => self.repr(value, depth + 1, out),
            }
        }
        out.push('}');
    }
}

/// Whether Python's `repr` writes a character as it is: no control or format character, and no space but the one.
pub(crate) fn is_printable(character: char) -> bool {
    static HIDDEN: OnceLock<Option<regex::Regex>> = OnceLock::new();
    if character.is_ascii() || character.is_alphanumeric() {
        return character.is_alphanumeric() || (' '..='~').contains(&character);
    }
    let hidden = HIDDEN.get_or_init(|| regex::Regex::new(r"^[\p{C}\p{Z}]$").ok());
    !hidden.as_ref().is_some_and(|hidden| hidden.is_match(character.encode_utf8(&mut [0; 4])))
}

/// Text between quotes, as Python's `repr` writes it.
fn quote(text: &str, out: &mut String) {
    if spend_text(text.len()).is_err() {
        return;
    }
    let mark = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(mark);
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            other if other == mark => out.extend(['\\', other]),
            other if is_printable(other) => out.push(other),
            other => {
                let _ = match u32::from(other) {
                    code @ 0..=0xff => write!(out, "\\x{code:02x}"),
                    code @ 0x100..=0xffff => write!(out, "\\u{code:04x}"),
                    code => write!(out, "\\U{code:08x}"),
                };
            }
        }
    }
    out.push(mark);
}

/// Bytes as Python's `repr` writes them.
fn bytes(bytes: &[u8], out: &mut String) {
    let mark = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { '"' } else { '\'' };
    out.extend(['b', mark]);
    for byte in bytes {
        match *byte {
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            byte if char::from(byte) == mark => out.extend(['\\', mark]),
            byte @ b' '..=b'~' => out.push(char::from(byte)),
            byte => {
                let _ = write!(out, "\\x{byte:02x}");
            }
        }
    }
    out.push(mark);
}

/// Text as a YAML scalar between double quotes, on one line.
fn double_quote(text: &str, out: &mut String) {
    out.push_str(&crate::formula::yaml::double_quoted(text));
}

#[cfg(test)]
mod tests {
    use super::super::{dict, list, ordered_dict};
    use super::*;

    #[test]
    fn a_mapping_is_printed_for_yaml_and_passed_on_as_python_has_it() {
        let inner = ordered_dict([(Value::from("b"), Value::from(true))]);
        let outer = dict([(Value::from("a"), list(vec![Value::from("it's"), inner]))]);
        assert_eq!(printed(&outer), r#"{'a': ["it's", {'b': True}]}"#);
        assert_eq!(text(&outer), r#"{'a': ["it's", OrderedDict([('b', True)])]}"#);
    }

    #[test]
    fn floats_have_pythons_exponents() {
        for (number, text) in [
            (1.0, "1.0"),
            (1e16, "1e+16"),
            (1.5e-7, "1.5e-07"),
            (123_456.789, "123456.789"),
            (0.1 + 0.2, "0.30000000000000004"),
            (795_046_706_852_405.2, "795046706852405.2"),
        ] {
            assert_eq!(float_text(number), text);
        }
    }
}
