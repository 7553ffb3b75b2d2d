//! Jinja's filters of sequences that look at the items as they are: counting, cutting, ordering, joining.

use minijinja::value::{Tuple, ValueKind};
use minijinja::{Error, Value};

use super::arguments::{Args, Run, defined, is_true, wrong};
use super::attribute::{Path, folded};
use super::generator::{generator, is_generator};
use super::group;
use super::set::is_set;
use crate::formula::template::number_text::Number;
use crate::formula::template::value::{
    compare, entries, is_equal, is_list, is_mapping, items, list, sort_by, spend_text, text, type_name,
};

/// The filters, with their parameters.
pub(super) const FILTERS: &[(&str, &str, Run)] = &[
    ("batch", "value linecount fill_with?", batch),
    ("count", "value", length),
    ("d", "value default_value? boolean?", default),
    ("default", "value default_value? boolean?", default),
    ("dictsort", "value case_sensitive? by? reverse?", dictsort),
    ("first", "seq", first),
    ("groupby", "value attribute default? case_sensitive?", group::groupby),
    ("items", "value", pairs),
    ("join", "value d? attribute?", join),
    ("last", "seq", last),
    ("length", "value", length),
    ("list", "value", to_list),
    ("reverse", "value", reverse),
    ("slice", "value slices fill_with?", slice),
    ("sort", "value reverse? case_sensitive? attribute?", sort),
    ("sum", "iterable attribute? start?", sum),
];

/// An attribute, never an item: what Jinja's own objects have, and no mapping or text.
fn length(args: &Args) -> Result<Value, Error> {
    let value = args.defined()?;
    let length = match value.kind() {
        ValueKind::Bytes => value.as_bytes().map(<[u8]>::len),
        _ => value.len(),
    };
    length.map(Value::from).ok_or_else(|| wrong(format!("object of type '{}' has no len()", type_name(&value))))
}

fn default(args: &Args) -> Result<Value, Error> {
    let value = args.value();
    let is_missing = value.is_undefined() || (args.bool("boolean", false)? && !is_true(&value));
    Ok(if is_missing { args.get("default_value").cloned().unwrap_or(Value::from("")) } else { value })
}

fn to_list(args: &Args) -> Result<Value, Error> {
    items(&args.value()).map(list)
}

fn first(args: &Args) -> Result<Value, Error> {
    let value = args.defined()?;
    if is_generator(&value) {
        return Ok(value.try_iter()?.next().unwrap_or_default());
    }
    Ok(items(&value)?.into_iter().next().unwrap_or_default())
}

fn last(args: &Args) -> Result<Value, Error> {
    let value = args.defined()?;
    if is_generator(&value) || is_set(&value) {
        return Err(wrong(format!("'{}' object is not reversible", type_name(&value))));
    }
    Ok(items(&value)?.pop().unwrap_or_default())
}

fn reverse(args: &Args) -> Result<Value, Error> {
    let value = args.defined()?;
    if let Some(text) = value.as_str() {
        return Ok(Value::from(text.chars().rev().collect::<String>()));
    }
    let mut reversed = items(&value)?;
    reversed.reverse();
    if is_generator(&value) || is_set(&value) {
        return Ok(list(reversed));
    }
    let kind = match value.kind() {
        ValueKind::Map => "dict_reversekeyiterator object",
        ValueKind::Seq if is_list(&value) => "list_reverseiterator object",
        _ => "reversed object",
    };
    Ok(generator(kind, reversed))
}

fn pairs(args: &Args) -> Result<Value, Error> {
    let value = args.value();
    if !value.is_undefined() && !is_mapping(&value) {
        return Err(wrong("Can only get item pairs from a mapping."));
    }
    Ok(generator("generator object do_items", entries(&value).into_iter().map(Value::from).collect()))
}

fn join(args: &Args) -> Result<Value, Error> {
    let separator = args.get("d").map_or_else(|| Ok(String::new()), |d| Ok::<_, Error>(text(&defined(d.clone())?)))?;
    let path = Path::of(args.get("attribute"))?;
    let mut joined = String::new();
    for (index, item) in items(&args.value())?.iter().enumerate() {
        if index > 0 {
            joined.push_str(&separator);
        }
        let item = text(&defined(path.find(item, None)?)?);
        spend_text(separator.len() + item.len())?;
        joined.push_str(&item);
    }
    Ok(Value::from(joined))
}

fn batch(args: &Args) -> Result<Value, Error> {
    let count = args.size("linecount", 0)?;
    let mut rows = Vec::new();
    let mut row = Vec::new();
    for item in items(&args.value())? {
        if row.len() == count {
            rows.push(list(std::mem::take(&mut row)));
        }
        row.push(item);
    }
    if !row.is_empty() {
        if let Some(filling) = args.some("fill_with")
            && row.len() < count
        {
            row.resize(count, filling.clone());
        }
        rows.push(list(row));
    }
    Ok(generator("generator object do_batch", rows))
}

fn slice(args: &Args) -> Result<Value, Error> {
    let items = items(&args.value())?;
    let slices = args.size("slices", 0)?;
    if slices == 0 {
        return Err(wrong("integer division or modulo by zero"));
    }
    let (each, longer) = (items.len() / slices, items.len() % slices);
    let mut rest = items.as_slice();
    let mut columns = Vec::new();
    for number in 0..slices {
        let (column, after) = rest.split_at((each + usize::from(number < longer)).min(rest.len()));
        rest = after;
        let mut column = column.to_vec();
        if let Some(filling) = args.some("fill_with")
            && number >= longer
        {
            column.push(filling.clone());
        }
        columns.push(list(column));
    }
    Ok(generator("generator object sync_do_slice", columns))
}

/// Items in the order of what `key` makes of them.
pub(super) fn sorted(
    items: Vec<Value>,
    reverse: bool,
    key: impl Fn(&Value) -> Result<Vec<Value>, Error>,
) -> Result<Vec<(Vec<Value>, Value)>, Error> {
    let mut keyed = items.into_iter().map(|item| Ok((key(&item)?, item))).collect::<Result<Vec<_>, Error>>()?;
    sort_by(&mut keyed, |(one, _), (two, _)| {
        let order = compare_rows(one, two)?;
        Ok(if reverse { order.reverse() } else { order })
    })?;
    Ok(keyed)
}

fn compare_rows(one: &[Value], two: &[Value]) -> Result<std::cmp::Ordering, Error> {
    for (one, two) in one.iter().zip(two) {
        if one.is_undefined() || !is_equal(one, two) {
            return compare(one, two);
        }
    }
    Ok(one.len().cmp(&two.len()))
}

fn sort(args: &Args) -> Result<Value, Error> {
    let case_sensitive = args.bool("case_sensitive", false)?;
    let paths = Path::several(args.get("attribute"))?;
    let key = |item: &Value| {
        paths.iter().map(|path| Ok(folded(path.find(item, None)?, case_sensitive))).collect::<Result<Vec<_>, Error>>()
    };
    let sorted = sorted(items(&args.value())?, args.bool("reverse", false)?, key)?;
    Ok(list(sorted.into_iter().map(|(_, item)| item).collect()))
}

fn dictsort(args: &Args) -> Result<Value, Error> {
    let value = args.defined()?;
    let by_value = match args.get("by").map(text).as_deref() {
        None | Some("key") => false,
        Some("value") => true,
        Some(_) => return Err(wrong("You can only sort by either \"key\" or \"value\"")),
    };
    if !is_mapping(&value) {
        return Err(wrong(format!("'{}' object has no attribute 'items'", type_name(&value))));
    }
    let case_sensitive = args.bool("case_sensitive", false)?;
    let reverse = args.bool("reverse", false)?;
    let mut keyed: Vec<(Value, (Value, Value))> = entries(&value)
        .into_iter()
        .map(|(key, value)| {
            let by = if by_value { value.clone() } else { key.clone() };
            (folded(by, case_sensitive), (key, value))
        })
        .collect();
    sort_by(&mut keyed, |(one, _), (two, _)| {
        let order = compare(one, two)?;
        Ok(if reverse { order.reverse() } else { order })
    })?;
    Ok(list(keyed.into_iter().map(|(_, (key, value))| Value::from((key, value))).collect()))
}

fn sum(args: &Args) -> Result<Value, Error> {
    let path = Path::of(args.get("attribute"))?;
    let mut total = args.get("start").cloned().unwrap_or(Value::from(0));
    if total.as_str().is_some() {
        return Err(wrong("sum() can't sum strings [use ''.join(seq) instead]"));
    }
    for item in items(&args.value())? {
        total = add(&total, &defined(path.find(&item, None)?)?)?;
    }
    Ok(total)
}

/// Python's `+` between numbers, lists and tuples.
pub(super) fn add(one: &Value, two: &Value) -> Result<Value, Error> {
    match (Number::of(one), Number::of(two)) {
        (Some(Number::Int(one)), Some(Number::Int(two))) => {
            let sum = one.checked_add(two).ok_or_else(|| wrong("a number beyond 128 bits"))?;
            return Ok(Number::Int(sum).into());
        }
        (Some(one), Some(two)) => return Ok(Value::from(one.float() + two.float())),
        _ => {}
    }
    if (is_list(one) && is_list(two)) || (one.is_tuple() && two.is_tuple()) {
        let mut all = items(one)?;
        all.extend(items(two)?);
        return Ok(if one.is_tuple() { Value::from(Tuple::new(all)) } else { list(all) });
    }
    if let (Some(one), Some(two)) = (one.as_str(), two.as_str()) {
        return Ok(Value::from(format!("{one}{two}")));
    }
    let (one, two) = (type_name(one), type_name(two));
    Err(wrong(format!("unsupported operand type(s) for +: '{one}' and '{two}'")))
}

#[cfg(test)]
mod tests {
    use crate::formula::template::filters::assert_shown;

    #[test]
    fn sequences_are_gone_through_as_in_python() {
        assert_shown(&[
            ("{{ ['b', 'A', 'c', 'a']|sort }}", Some("['A', 'a', 'b', 'c']")),
            ("{{ ['b', 'A', 'c', 'a']|sort(true, true) }}", Some("['c', 'b', 'a', 'A']")),
            ("{{ [1, 'x']|sort }}", None),
            (
                "{{ [{'n': 'b', 'a': 1}, {'n': 'a', 'a': 1}]|sort(attribute='a,n')|map(attribute='n')|join(',') }}",
                Some("a,b"),
            ),
            ("{{ {'b': 1, 'A': 2}|dictsort }}", Some("[('A', 2), ('b', 1)]")),
            ("{{ {'b': 1, 'A': 2}|dictsort(by='value', reverse=true) }}", Some("[('A', 2), ('b', 1)]")),
            ("{{ range(7)|batch(3, 'x')|list }}", Some("[[0, 1, 2], [3, 4, 5], [6, 'x', 'x']]")),
            ("{{ range(7)|slice(3)|list }}", Some("[[0, 1, 2], [3, 4], [5, 6]]")),
            ("{{ range(7)|slice(0)|list }}", None),
            ("{{ [[1], [2]]|sum(start=[]) }}", Some("[1, 2]")),
            ("{{ ['a']|sum }}", None),
            ("{{ []|first }}", None),
            ("{{ 'abc'|last }}", Some("c")),
            ("{{ [1, 2]|reverse|list }}", Some("[2, 1]")),
        ]);
    }
}
