//! Python's `pprint`: values over several lines where one of 80 columns is not enough.

use std::fmt::Write as _;

use minijinja::Value;
use minijinja::value::ValueKind;

use super::arguments::Run;
use super::json::has_undefined;
use crate::formula::template::value::{
    DEEPEST, PyDict, as_dict, compare, entries, items, list, repr, sort_by, spend, type_name,
};

/// The filters, with their parameters.
pub(super) const FILTERS: &[(&str, &str, Run)] = &[
    ("pprint", "value", |args| Ok(Value::from(formatted(&args.defined()?)))),
    ("python", "value", |args| Ok(python(&args.value()))),
];

const WIDTH: usize = 80;

fn python(value: &Value) -> Value {
    if has_undefined(value) { Value::UNDEFINED } else { Value::from_safe_string(formatted(value).trim().to_owned()) }
}

fn formatted(value: &Value) -> String {
    let mut out = String::new();
    write(value, 0, 0, 0, &mut out);
    out
}

fn is_ordered(value: &Value) -> bool {
    as_dict(value).is_some_and(PyDict::is_ordered)
}

/// The entries of a plain mapping in the order of their keys; two keys without one go by their types.
fn ordered_entries(value: &Value) -> Vec<(Value, Value)> {
    let mut entries = entries(value);
    let by_type = |one: &Value, two: &Value| type_name(one).cmp(type_name(two));
    // The only error is that the rendering may do no more, and then the order does not matter.
    let _ = sort_by(&mut entries, |(one, _), (two, _)| Ok(compare(one, two).unwrap_or_else(|_| by_type(one, two))));
    entries
}

/// A value on one line.
fn line(value: &Value, depth: usize) -> String {
    // Every part is a text of its own, once for each level around it.
    if depth > DEEPEST || spend(8).is_err() {
        return "...".to_owned();
    }
    match value.kind() {
        ValueKind::Map if !is_ordered(value) => {
            let entry =
                |(key, value): (Value, Value)| format!("{}: {}", line(&key, depth + 1), line(&value, depth + 1));
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
                    let _ = write!(out, ",\n{}", spaces(indent + 1));
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
                    let _ = write!(out, ",\n{}", spaces(indent + 1));
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
                (*part).clone_into(&mut current);
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

#[cfg(test)]
mod tests {
    use crate::formula::template::filters::assert_shown;

    #[test]
    fn long_values_take_several_lines() {
        assert_shown(&[
            (
                "{{ {'b': 'some fairly long text item number one', 'a': ['some fairly long text item number two', 1]}|python }}",
                Some(
                    "{'a': ['some fairly long text item number two', 1],\n 'b': 'some fairly long text item number one'}",
                ),
            ),
            (
                "{{ 'the quick brown fox jumps over the lazy dog and runs away from well known wolves quickly'|pprint }}",
                Some(
                    "('the quick brown fox jumps over the lazy dog and runs away from well known '\n 'wolves quickly')",
                ),
            ),
            ("{{ {'b': 1, 2: 'x', 'a': none}|pprint }}", Some("{2: 'x', 'a': None, 'b': 1}")),
            ("{{ (1,)|python }}", Some("(1,)")),
        ]);
    }
}
