//! Salt's filters that walk into nested mappings and lists.

use minijinja::{Error, Value};

use super::arguments::{Args, Run, defined, is_true, string, wrong};
use super::numbers::{parse_float, parse_int};
use super::sets::items_can_be_had;
use crate::formula::template::functions::traverse::traverse as walk;
use crate::formula::template::number_text::int;
use crate::formula::template::value::{
    DEEPEST, PyDict, as_dict, as_list, dict, entries, is_list, is_mapping, items, list, ordered_dict, pairs, repr,
    type_name,
};

/// The filters, with their parameters.
pub(super) const FILTERS: &[(&str, &str, Run)] = &[
    ("append_dict_key_value", "in_dict keys value delimiter? ordered_dict?", |args| change(args, append)),
    ("extend_dict_key_value", "in_dict keys value delimiter? ordered_dict?", |args| change(args, extend)),
    ("flatten", "data levels? preserve_nulls? _ids?", flatten),
    ("from_entries", "entries", from_entries),
    ("json_decode_dict", "data encoding? errors? keep? preserve_dict_class? preserve_tuples?", encoded_dict),
    ("json_decode_list", "data encoding? errors? keep? preserve_dict_class? preserve_tuples?", encoded_list),
    ("json_encode_dict", "data encoding? errors? keep? preserve_dict_class? preserve_tuples?", encoded_dict),
    ("json_encode_list", "data encoding? errors? keep? preserve_dict_class? preserve_tuples?", encoded_list),
    ("mysql_to_dict", "data key", mysql_to_dict),
    ("path_join", "* **", path_join),
    ("set_dict_key_value", "in_dict keys value delimiter? ordered_dict?", |args| {
        change(args, |mapping, key, value, _| {
            mapping.insert(Value::from(key), value.clone());
            Ok(())
        })
    }),
    ("to_entries", "data", to_entries),
    ("traverse", "data key default? delimiter?", traverse),
    ("update_dict_key_value", "in_dict keys value delimiter? ordered_dict?", |args| change(args, update)),
];

/// What a path of keys leads to, or the default.
fn traverse(args: &Args) -> Result<Value, Error> {
    let default = args.get("default").cloned().unwrap_or(Value::from(()));
    let key = defined(args.get("key").cloned().unwrap_or_default())?;
    let delimiter = args.str("delimiter")?.unwrap_or(":");
    Ok(walk(&args.defined()?, &key, delimiter)?.unwrap_or(default))
}

/// Makes sure of every key but the last, then does something to the last.
fn change(args: &Args, change: fn(&PyDict, &str, &Value, bool) -> Result<(), Error>) -> Result<Value, Error> {
    let top = args.defined()?;
    let keys = args.get("keys").cloned().unwrap_or_default();
    let keys = string(&keys)?;
    let delimiter = args.str("delimiter")?.unwrap_or(":");
    let ordered = args.bool("ordered_dict", false)?;
    let value = args.get("value").cloned().unwrap_or_default();
    let (path, last) = match keys.rsplit_once(delimiter) {
        Some((path, last)) => (path.split(delimiter).collect(), last),
        None => (Vec::new(), keys),
    };
    let mut here = top.clone();
    for key in path {
        let (outer, key) = (here.clone(), Value::from(key));
        let outer = mapping(&outer)?;
        let next = outer.get(&key).filter(|next| as_dict(next).is_some());
        here = next.unwrap_or_else(|| if ordered { ordered_dict([]) } else { dict([]) });
        outer.insert(key, here.clone());
    }
    change(mapping(&here)?, last, &value, ordered)?;
    Ok(top)
}

fn mapping(value: &Value) -> Result<&PyDict, Error> {
    as_dict(value).ok_or_else(|| wrong(format!("'{}' object does not support item assignment", type_name(value))))
}

/// What is under a key, or something new if that is missing or `None`.
fn present(mapping: &PyDict, key: &str, new: impl FnOnce() -> Value) -> Value {
    let key = Value::from(key);
    mapping.get(&key).filter(|value| !value.is_none()).unwrap_or_else(|| {
        let value = new();
        mapping.insert(key, value.clone());
        value
    })
}

fn update(mapping: &PyDict, key: &str, value: &Value, ordered: bool) -> Result<(), Error> {
    let last = present(mapping, key, || if ordered { ordered_dict([]) } else { dict([]) });
    let Some(last) = as_dict(&last) else {
        return Err(wrong(format!("The last key contains a {}, which cannot update.", type_name(&last))));
    };
    let new = pairs(value).map_err(|_| wrong(format!("Cannot update dict with a {}.", type_name(value))))?;
    for (key, value) in new {
        last.insert(super::set::hashable(key)?, value);
    }
    Ok(())
}

fn append(mapping: &PyDict, key: &str, value: &Value, _: bool) -> Result<(), Error> {
    let last = present(mapping, key, || list(Vec::new()));
    let Some(last) = as_list(&last) else {
        return Err(wrong(format!("The last key contains a {}, which cannot append.", type_name(&last))));
    };
    last.push(value.clone());
    Ok(())
}

fn extend(mapping: &PyDict, key: &str, value: &Value, _: bool) -> Result<(), Error> {
    let last = present(mapping, key, || list(Vec::new()));
    let Some(last) = as_list(&last) else {
        return Err(wrong(format!("The last key contains a {}, which cannot extend.", type_name(&last))));
    };
    let more = items(value).map_err(|_| wrong(format!("Cannot extend list with a {}.", type_name(value))))?;
    for item in more {
        last.push(item);
    }
    Ok(())
}

fn flatten(args: &Args) -> Result<Value, Error> {
    let mut flat = Vec::new();
    let data = args.defined()?;
    flatten_into(&data, args.int("levels")?, args.bool("preserve_nulls", false)?, 0, &mut Vec::new(), &mut flat)?;
    Ok(list(flat))
}

fn flatten_into(
    data: &Value,
    levels: Option<i128>,
    preserve_nulls: bool,
    depth: usize,
    seen: &mut Vec<usize>,
    flat: &mut Vec<Value>,
) -> Result<(), Error> {
    if depth > DEEPEST {
        return Err(wrong("maximum recursion depth exceeded"));
    }
    // Salt calls any list that it meets twice a cycle.
    if let Some(list) = as_list(data) {
        let object = std::ptr::from_ref(list).addr();
        if seen.contains(&object) {
            return Err(wrong("Reference cycle detected. Check input list."));
        }
        seen.push(object);
    }
    if seen.len() > DEEPEST * DEEPEST {
        return Err(wrong("flatten: too many lists"));
    }
    for element in items(data)? {
        let element = defined(element)?;
        let is_null = element.is_none() || matches!(element.as_str(), Some("None" | "null"));
        if is_null && !preserve_nulls {
            continue;
        }
        let is_row = items_can_be_had(&element) && element.as_str().is_none();
        if is_row && levels.is_none_or(|levels| levels >= 1) {
            flatten_into(&element, levels.map(|levels| levels - 1), preserve_nulls, depth + 1, seen, flat)?;
        } else {
            flat.push(element);
        }
    }
    Ok(())
}

fn to_entries(args: &Args) -> Result<Value, Error> {
    let data = args.defined()?;
    let pairs: Vec<(Value, Value)> = if is_mapping(&data) {
        entries(&data)
    } else if is_list(&data) {
        items(&data)?.into_iter().enumerate().map(|(index, value)| (Value::from(index), value)).collect()
    } else {
        return Err(wrong("Input data must be a dict or list"));
    };
    let entry = |(key, value)| dict([(Value::from("key"), key), (Value::from("value"), value)]);
    Ok(list(pairs.into_iter().map(entry).collect()))
}

/// A mapping of entries, each of which has a `key` (or `name`) and a `value`, in whatever case these words are.
fn from_entries(args: &Args) -> Result<Value, Error> {
    let mut mapping = Vec::new();
    for entry in items(&args.value())? {
        let parts = pairs(&entry)?;
        let find = |wanted: &str| {
            let is_it = |(name, _): &&(Value, Value)| name.as_str().is_some_and(|name| name.to_lowercase() == wanted);
            parts.iter().rfind(is_it).map(|(_, value)| value.clone())
        };
        let key = ["key", "name"].into_iter().filter_map(find).find(is_true);
        if let Some(key) = key {
            mapping.push((super::set::hashable(key)?, find("value").unwrap_or(Value::from(()))));
        }
    }
    Ok(dict(mapping))
}

fn encoded_dict(args: &Args) -> Result<Value, Error> {
    let data = args.defined()?;
    if is_mapping(&data) {
        Ok(encoded(&data, 0))
    } else {
        Err(wrong(format!("'{}' object has no attribute 'items'", type_name(&data))))
    }
}

fn encoded_list(args: &Args) -> Result<Value, Error> {
    let data = args.defined()?;
    Ok(list(items(&data)?.iter().map(|item| encoded(item, 0)).collect()))
}

/// Text as bytes, at any depth; tuples become lists.
fn encoded(value: &Value, depth: usize) -> Value {
    if let Some(text) = value.as_str() {
        Value::from_bytes(text.as_bytes().to_vec())
    } else if depth > DEEPEST {
        Value::from(())
    } else if is_mapping(value) {
        dict(entries(value).into_iter().map(|(key, value)| (encoded(&key, depth + 1), encoded(&value, depth + 1))))
    } else if is_list(value) || value.is_tuple() {
        list(items(value).unwrap_or_default().iter().map(|item| encoded(item, depth + 1)).collect())
    } else {
        value.clone()
    }
}

/// The table that the client of `mysql` draws, as a mapping of its rows by what they have in one column.
fn mysql_to_dict(args: &Args) -> Result<Value, Error> {
    let key = args.get("key").cloned().unwrap_or_default();
    let mut headers: Vec<String> = Vec::new();
    let mut table = Vec::new();
    for line in items(&args.defined()?)? {
        let line = string(&line)?.to_owned();
        if line.is_empty() || line.starts_with('+') {
            continue;
        }
        let cells: Vec<String> = line.split('|').map(|cell| cell.trim().to_owned()).collect();
        if headers.len() < 2 {
            headers = cells;
            continue;
        }
        let mut row = Vec::new();
        for (field, header) in headers.iter().enumerate().take(headers.len() - 1).skip(1) {
            let cell = cells.get(field).ok_or_else(|| wrong("list index out of range"))?;
            let number = parse_int(cell, 10).map(int).or_else(|| parse_float(cell).map(Value::from));
            row.push((Value::from(header.as_str()), number.unwrap_or_else(|| Value::from(cell.as_str()))));
        }
        let row = dict(row);
        let name = as_dict(&row).and_then(|row| row.get(&key));
        table.push((name.ok_or_else(|| wrong(format!("KeyError: {}", repr(&key))))?, row));
    }
    Ok(dict(table))
}

/// Parts of a path as one: a part's leading slash does not begin the path anew.
fn path_join(args: &Args) -> Result<Value, Error> {
    if let Some((name, _)) = args.named.iter().find(|(name, _)| name != "use_posixpath" && !name.starts_with("__")) {
        return Err(wrong(format!("The following keyword arguments are not valid: {name}")));
    }
    let mut joined = String::new();
    for (index, part) in args.rest.iter().enumerate() {
        let part = normalized(&match part.as_bytes().filter(|_| part.as_str().is_none()) {
            Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            None => string(part)?.to_owned(),
        });
        if index == 0 {
            joined = part;
        } else {
            let separator = if joined.is_empty() || joined.ends_with('/') { "" } else { "/" };
            joined = format!("{joined}{separator}{}", part.trim_start_matches('/'));
        }
    }
    Ok(Value::from(if args.rest.is_empty() { String::new() } else { normalized(&joined) }))
}

/// A path without `.`, `..` and doubled slashes, as Python's `normpath` has it: two leading slashes stay.
pub(super) fn normalized(path: &str) -> String {
    if path.is_empty() {
        return ".".to_owned();
    }
    let root = match path.len() - path.trim_start_matches('/').len() {
        0 => "",
        2 => "//",
        _ => "/",
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if !root.is_empty() => {}
            part => parts.push(part),
        }
    }
    let path = format!("{root}{}", parts.join("/"));
    if path.is_empty() { ".".to_owned() } else { path }
}

#[cfg(test)]
mod tests {
    use crate::formula::template::filters::assert_shown;

    #[test]
    fn paths_lead_into_nested_data() {
        assert_shown(&[
            ("{{ {'a': [{'b': 5}]}|traverse('a:0:b') }}", Some("5")),
            ("{{ {'a': [{'b': 5}]}|traverse('a:b') }}", Some("5")),
            ("{{ {1: 'x'}|traverse('1') }}", Some("x")),
            ("{{ {'a': 'text'}|traverse('a:1', 'none') }}", Some("none")),
            ("{{ [3, [4, [none, 'null', [2]]]]|flatten }}", Some("[3, 4, 2]")),
            ("{{ [3, [4, [2]]]|flatten(levels=1) }}", Some("[3, 4, [2]]")),
            ("{{ {'a': 1}|to_entries }}", Some("[{'key': 'a', 'value': 1}]")),
            ("{{ [{'Name': 'b', 'Value': 2}]|from_entries }}", Some("{'b': 2}")),
            ("{{ '/a//'|path_join('/b', '../c') }}", Some("/a/c")),
            ("{{ 'a'|path_join(5) }}", None),
        ]);
    }
}
