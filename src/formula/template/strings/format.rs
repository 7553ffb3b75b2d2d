//! Python's `str.format`.

use minijinja::{Error, ErrorKind, Value};

use super::super::filters::arguments::{defined, split, wrong};
use super::super::number_text::WIDEST;
use super::super::value::{repr, text};
use super::spec::formatted;

/// What the fields of a format take their values from.
struct Source<'a> {
    row: &'a [Value],
    named: Vec<(String, Value)>,
    mapping: Option<&'a Value>,
    next: Option<usize>,
    used_numbers: bool,
}

/// `text.format(…)`.
pub(super) fn method(format: &str, args: &[Value]) -> Result<Value, Error> {
    let (row, named) = split(args)?;
    let mut source = Source { row, named, mapping: None, next: Some(0), used_numbers: false };
    fill(format, &mut source, 0).map(Value::from)
}

/// `text.format_map(mapping)`.
pub(super) fn from_mapping(format: &str, mapping: &Value) -> Result<Value, Error> {
    let mut source = Source { row: &[], named: Vec::new(), mapping: Some(mapping), next: Some(0), used_numbers: false };
    fill(format, &mut source, 0).map(Value::from)
}

fn fill(format: &str, source: &mut Source<'_>, depth: usize) -> Result<String, Error> {
    if depth > 1 {
        return Err(wrong("Max string recursion exceeded"));
    }
    let mut out = String::new();
    let mut rest = format;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        if let Some(after) = after.strip_prefix("{{") {
            out.push('{');
            rest = after;
        } else if let Some(after) = after.strip_prefix("}}") {
            out.push('}');
            rest = after;
        } else if let Some(after) = after.strip_prefix('{') {
            let end = closing(after).ok_or_else(|| wrong("expected '}' before end of string"))?;
            let (field, after) = after.split_at(end);
            out.push_str(&replaced(field, source, depth)?);
            rest = after.strip_prefix('}').unwrap_or_default();
        } else {
            return Err(wrong("Single '}' encountered in format string"));
        }
        if out.len() > WIDEST * WIDEST {
            return Err(wrong("format: the text would be too long"));
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// Where the brace is that closes a field.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, character) in text.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn replaced(field: &str, source: &mut Source<'_>, depth: usize) -> Result<String, Error> {
    // An index between brackets may hold `:` and `!`.
    let bracket = field.find('[').filter(|at| field.get(..*at).is_some_and(|name| !name.contains([':', '!'])));
    let from = bracket.and_then(|_| field.rfind(']')).unwrap_or(0);
    let end = field.get(from..).and_then(|rest| rest.find([':', '!'])).map_or(field.len(), |at| at + from);
    let (name, rest) = field.split_at(end);
    let (conversion, spec) = match rest.strip_prefix('!') {
        Some(rest) => {
            let mut chars = rest.chars();
            let conversion = chars.next().ok_or_else(|| wrong("end of string while looking for conversion specifier"))?;
            match chars.as_str() {
                "" => (Some(conversion), ""),
                rest => {
                    let spec = rest.strip_prefix(':');
                    (Some(conversion), spec.ok_or_else(|| wrong("expected ':' after conversion specifier"))?)
                }
            }
        }
        None => (None, rest.strip_prefix(':').unwrap_or_default()),
    };
    let value = defined(value_of(name, source)?)?;
    let value = match conversion {
        None => value,
        Some('s') => Value::from(text(&value)),
        Some('r' | 'a') => Value::from(repr(&value)),
        Some(other) => return Err(wrong(format!("Unknown conversion specifier '{other}'"))),
    };
    let spec = fill(spec, source, depth + 1)?;
    formatted(&value, &spec)
}

/// The value that a field names: an argument, then attributes and indexes of it.
fn value_of(name: &str, source: &mut Source<'_>) -> Result<Value, Error> {
    let end = name.find(['.', '[']).unwrap_or(name.len());
    let (first, mut path) = name.split_at(end);
    let mut value = source.argument(first)?;
    while !path.is_empty() {
        let key;
        if let Some(rest) = path.strip_prefix('.') {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let (attribute, after) = rest.split_at(end);
            (key, path) = (Value::from(attribute), after);
        } else {
            let inside = path.strip_prefix('[').and_then(|rest| rest.split_once(']'));
            let (index, after) = inside.ok_or_else(|| wrong("Missing ']' in format string"))?;
            (key, path) = (index.parse::<u32>().map_or_else(|_| Value::from(index), Value::from), after);
        }
        value = defined(value)?.get_item(&key).unwrap_or_default();
    }
    Ok(value)
}

impl Source<'_> {
    fn argument(&mut self, name: &str) -> Result<Value, Error> {
        let at = if name.is_empty() {
            let next = self.next.filter(|_| !self.used_numbers);
            let next = next.ok_or_else(|| {
                wrong("cannot switch from manual field specification to automatic field numbering")
            })?;
            self.next = Some(next + 1);
            Some(next)
        } else if name.bytes().all(|digit| digit.is_ascii_digit()) {
            if self.next.is_some_and(|next| next > 0) {
                return Err(wrong("cannot switch from automatic field numbering to manual field specification"));
            }
            self.used_numbers = true;
            Some(name.parse().unwrap_or(usize::MAX))
        } else {
            None
        };
        if let Some(at) = at {
            let message = format!("Replacement index {at} out of range for positional args tuple");
            return self.row.get(at).cloned().ok_or_else(|| wrong(message));
        }
        let named = self.named.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone());
        let found = named.or_else(|| self.mapping?.get_item(&Value::from(name)).ok().filter(|v| !v.is_undefined()));
        found.ok_or_else(|| Error::new(ErrorKind::InvalidOperation, format!("KeyError: '{name}'")))
    }
}
