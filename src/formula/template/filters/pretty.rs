//! Python's `pprint`: values over several lines where one of 80 columns is not enough.

use minijinja::value::ValueKind;
use minijinja::{Error, Value};

use super::arguments::{Args, Run};
use super::json::has_undefined;
use super::sequences::sorted;
use crate::formula::template::value::{DEEPEST, PyDict, as_dict, entries, items, list, repr, type_name};

/// The filters, with their parameters.
pub(super) const FILTERS: &[(&str, &str, Run)] = &[
    ("pprint", "value", |args| Ok(Value::from(formatted(&args.defined()?)))),
    ("python", "value", python),
];

const WIDTH: usize = 80;

fn python(args: &Args) -> Result<Value, Error> {
    let value = args.value();
    if has_undefined(&value) {
        return Ok(Value::UNDEFINED);
    }
    Ok(Value::from_safe_string(formatted(&value).trim().to_owned()))
}

fn formatted(value: &Value) -> String {
    let mut out = String::new();
    write(value, 0, 0, 0, &mut out);
    out
}

fn is_ordered(value: &Value) -> bool {
    as_dict(value).is_some_and(PyDict::is_ordered)
}

/// The entries of a plain mapping in the order of their keys; keys that have none go by their types.
fn ordered_entries(value: &Value) -> Vec<(Value, Value)> {
    let entries = entries(value);
    let keys = entries.iter().map(|(key, _)| key.clone()).collect();
    let order = sorted(keys, false, |key| Ok(vec![key.clone()]));
    let order = order.or_else(|_| {
        let keys = entries.iter().map(|(key, _)| key.clone()).collect();
        sorted(keys, false, |key| Ok(vec![Value::from(type_name(key))]))
    });
    let Ok(order) = order else { return entries };
    let find = |key: &Value| entries.iter().find(|(other, _)| other == key).map(|(_, value)| value.clone());
    order.into_iter().map(|(_, key)| (key.clone(), find(&key).unwrap_or_default())).collect()
}

/// A value on one line.
fn line(value: &Value, depth: usize) -> String {
    if depth > DEEPEST {
        return "...".to_owned();
    }
    match value.kind() {
        ValueKind::Map if !is_ordered(value) => {
            let entry = |(key, value): (Value, Value)| format!("{}: {}", line(&key, depth + 1), line(&value, depth + 1));
            format!("{{{}}}", ordered_entries(value).into_iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        ValueKind::Seq => {
            let items = items(value).unwrap_or_default();
            let inner = items.iter().map(|item| line(item, depth + 1)).collect::<Vec<_>>().join(", ");
            match (value.is_tuple(), items.len()) {
                (true, 1) => format!("({inner},)"),
                (true, _) => format!("({inner})"),
                (false, _) => format!("[{inner}]"),
            }
        }
        _ => repr(value),
    }
}

fn spaces(count: usize) -> String {
    " ".repeat(count)
}

/// Writes a value that begins at a column, with room left for what closes around it.
fn write(value: &Value, indent: usize, allowance: usize, level: usize, out: &mut String) {
    let on_one_line = line(value, level);
    if on_one_line.chars().count() <= WIDTH.saturating_sub(indent + allowance) || level > DEEPEST {
        out.push_str(&on_one_line);
        return;
    }
    match value.kind() {
        ValueKind::String => write_text(value.as_str().unwrap_or_default(), indent, allowance, level + 1, out),
        ValueKind::Map if is_ordered(value) => {
            out.push_str("OrderedDict(");
            let pairs = list(entries(value).into_iter().map(Value::from).collect());
            write(&pairs, indent + "OrderedDict(".len(), allowance + 1, level + 1, out);
            out.push(')');
        }
        ValueKind::Map => {
            out.push('{');
            let entries = ordered_entries(value);
            for (index, (key, value)) in entries.iter().enumerate() {
                if index > 0 {
                    out.push_str(&format!(",\n{}", spaces(indent + 1)));
                }
                let key = line(key, level + 1);
                out.push_str(&key);
                out.push_str(": ");
                let room = if index + 1 == entries.len() { allowance + 1 } else { 1 };
                write(value, indent + 1 + key.chars().count() + 2, room, level + 1, out);
            }
            out.push('}');
        }
        ValueKind::Seq => {
            let items = items(value).unwrap_or_default();
            let (open, close) = match (value.is_tuple(), items.len()) {
                (true, 1) => ("(", ",)"),
                (true, _) => ("(", ")"),
                (false, _) => ("[", "]"),
            };
            out.push_str(open);
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(&format!(",\n{}", spaces(indent + 1)));
                }
                let room = if index + 1 == items.len() { allowance + close.len() } else { 1 };
                write(item, indent + 1, room, level + 1, out);
            }
            out.push_str(close);
        }
        _ => out.push_str(&on_one_line),
    }
}

/// Text in pieces that each fit on a line, broken at line ends and white space; within brackets if it stands alone.
fn write_text(text: &str, indent: usize, allowance: usize, level: usize, out: &mut String) {
    let (indent, allowance) = if level == 1 { (indent + 1, allowance + 1) } else { (indent, allowance) };
    let width = WIDTH.saturating_sub(indent);
    let quoted = |text: &str| repr(&Value::from(text));
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut chunks = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let is_last = index + 1 == lines.len();
        let room = if is_last { width.saturating_sub(allowance) } else { width };
        let whole = quoted(line);
        if whole.chars().count() <= room {
            chunks.push(whole);
            continue;
        }
        let parts = words_with_space(line);
        let mut current = String::new();
        for (part_index, part) in parts.iter().enumerate() {
            let candidate = format!("{current}{part}");
            let room = if is_last && part_index + 1 == parts.len() { width.saturating_sub(allowance) } else { width };
            if quoted(&candidate).chars().count() > room {
                if !current.is_empty() {
                    chunks.push(quoted(&current));
                }
                current = (*part).to_owned();
            } else {
                current = candidate;
            }
        }
        if !current.is_empty() {
            chunks.push(quoted(&current));
        }
    }
    let in_brackets = level == 1 && chunks.len() > 1;
    let body = chunks.join(&format!("\n{}", spaces(indent)));
    if in_brackets { out.extend(["(", &body, ")"]) } else { out.push_str(&body) }
}

/// Words, each with the white space behind it.
fn words_with_space(line: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        let word = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let space = rest.get(word..).unwrap_or_default();
        let end = word + (space.len() - space.trim_start().len());
        let (part, after) = rest.split_at(end);
        parts.push(part);
        rest = after;
    }
    parts
}
