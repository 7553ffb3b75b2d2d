//! Salt's `xml`: nested mappings and lists as elements.

use minijinja::value::ValueKind;
use minijinja::{Error, Value};

use super::arguments::{Args, Run, wrong};
use super::json::has_undefined;
use crate::formula::template::value::{DEEPEST, entries, is_list, is_mapping, items, text};

/// The filters, with their parameters.
pub(super) const FILTERS: &[(&str, &str, Run)] = &[("xml", "value", xml)];

/// One element: what is said about it, and what it holds.
#[derive(Default)]
struct Element {
    tag: String,
    attributes: Vec<(String, String)>,
    text: Option<String>,
    children: Vec<Element>,
}

fn xml(args: &Args) -> Result<Value, Error> {
    let value = args.value();
    if has_undefined(&value) {
        return Ok(Value::UNDEFINED);
    }
    let mut root = Element::default();
    for (tag, content) in pairs(&value)? {
        // Salt keeps the last of several roots, and none of a list.
        add(&mut root, &tag, &content, true, 0)?;
    }
    let root = root.children.pop().ok_or_else(|| wrong("'NoneType' object has no attribute 'iter'"))?;
    let mut out = String::from("<?xml version=\"1.0\" ?>\n");
    write(&root, 0, &mut out);
    Ok(Value::from_safe_string(out))
}

/// What a mapping or a list can say as elements: pairs of a tag and its content.
fn pairs(value: &Value) -> Result<Vec<(Value, Value)>, Error> {
    if is_mapping(value) {
        return Ok(entries(value));
    }
    if !is_list(value) && !value.is_tuple() {
        return Err(wrong("Value is not a dict or list. Cannot render as XML"));
    }
    let row = items(value)?;
    match row.as_slice() {
        [] => Err(wrong("list index out of range")),
        [tag, content] if tag.as_str().is_some() => {
            // Python takes each text apart into two characters, or fails.
            let _ = content;
            Err(wrong("too many values to unpack (expected 2)"))
        }
        [first, ..] if first.as_str().is_some() => Err(wrong("not enough values to unpack (expected 2)")),
        _ => Ok(Vec::new()),
    }
}

fn add(parent: &mut Element, tag: &Value, content: &Value, is_root: bool, depth: usize) -> Result<(), Error> {
    if depth > DEEPEST {
        return Err(wrong(format!("nested deeper than {DEEPEST}")));
    }
    if is_list(content) {
        for item in items(content)? {
            if !is_root {
                add(parent, tag, &item, false, depth + 1)?;
            }
        }
        return Ok(());
    }
    let mut element = Element { tag: text(tag), ..Element::default() };
    match content.kind() {
        ValueKind::String | ValueKind::Bool | ValueKind::Number => element.text = Some(text(content)),
        _ => {
            for (key, value) in pairs(content)? {
                if is_mapping(&value) || is_list(&value) {
                    add(&mut element, &key, &value, false, depth + 1)?;
                } else {
                    element.attributes.push((text(&key), text(&value)));
                }
            }
        }
    }
    parent.children.push(element);
    Ok(())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;").replace('>', "&gt;")
}

fn write(element: &Element, depth: usize, out: &mut String) {
    let indent = " ".repeat(depth);
    out.push_str(&format!("{indent}<{}", element.tag));
    for (name, value) in &element.attributes {
        out.push_str(&format!(" {name}=\"{}\"", escaped(value)));
    }
    match element.text.as_deref().filter(|text| !text.is_empty()) {
        Some(text) => out.push_str(&format!(">{}</{}>\n", escaped(text), element.tag)),
        None if element.children.is_empty() => out.push_str("/>\n"),
        None => {
            out.push_str(">\n");
            for child in &element.children {
                write(child, depth + 1, out);
            }
            out.push_str(&format!("{indent}</{}>\n", element.tag));
        }
    }
}
