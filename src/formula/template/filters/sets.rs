//! Salt's filters of lists as sets, and those that compare.

use minijinja::{Error, Value};

use super::arguments::{Args, Run, defined, is_hashable, is_true, string, wrong};
use super::sequences::add;
use super::set::{combine, hashable, set};
use crate::formula::template::value::{
    self, as_dict, as_list, dict, entries, is_list, is_mapping, items, list, sort_by, type_name,
};

/// The filters, with their parameters.
pub(super) const FILTERS: &[(&str, &str, Run)] = &[
    ("compare_dicts", "old? new?", compare_dicts),
    ("compare_lists", "old? new?", compare_lists),
    ("difference", "lst1 lst2", |args| as_sets(args, "difference")),
    ("exactly_n_true", "iterable amount?", |args| {
        exactly(args, args.get("amount").map_or(Ok(1), super::arguments::index)?)
    }),
    ("exactly_one_true", "iterable", |args| exactly(args, 1)),
    ("intersect", "lst1 lst2", |args| as_sets(args, "intersection")),
    ("is_iter", "thing ignore?", |args| Ok(Value::from(is_iter(&args.value(), args.get("ignore").is_none())))),
    ("is_list", "value", |args| Ok(Value::from(as_list(&args.value()).is_some()))),
    ("sequence", "data", |args| Ok(sequence(args.value()))),
    ("skip", "data", |_| Ok(Value::from(""))),
    ("sorted_ignorecase", "to_sort", sorted_ignorecase),
    ("substring_in_list", "string_to_search_for list_to_search", substring_in_list),
    ("symmetric_difference", "lst1 lst2", |args| as_sets(args, "symmetric_difference")),
    ("union", "lst1 lst2", |args| as_sets(args, "union")),
    ("unique", "values", |args| unique(&args.defined()?)),
];

/// A set of what cannot be changed; of the rest a list without what comes again.
fn unique(values: &Value) -> Result<Value, Error> {
    if is_hashable(values) {
        return set(items(values)?);
    }
    let mut kept: Vec<Value> = Vec::new();
    let mut seen = indexmap::IndexSet::new();
    for value in items(values)? {
        let value = defined(value)?;
        // Values that Python can hash are equal only if their hashes are; the others have to be compared.
        let is_new =
            if value::hashable(&value).is_ok() { seen.insert(value.clone()) } else { !value::contains(&kept, &value) };
        if is_new {
            kept.push(value);
        }
    }
    Ok(list(kept))
}

fn as_sets(args: &Args, how: &str) -> Result<Value, Error> {
    let one = args.defined()?;
    let two = defined(args.get("lst2").cloned().unwrap_or_default())?;
    if is_hashable(&one) && is_hashable(&two) {
        let (one, two) = (set(items(&one)?)?, set(items(&two)?)?);
        return set(combine(how, &items(&one)?, &items(&two)?));
    }
    if how == "union" || how == "symmetric_difference" {
        let together = unique(&add(&one, &two)?)?;
        if how == "union" {
            return Ok(together);
        }
        let (one, two) = (items(&one)?, items(&two)?);
        let is_apart = |item: &Value| !(value::contains(&one, item) && value::contains(&two, item));
        return Ok(list(items(&together)?.into_iter().filter(is_apart).collect()));
    }
    unique(&list(combine(how, &items(&one)?, &items(&two)?)))
}

/// Lists, tuples, sets and mappings as they are; anything else as the only item of a list.
fn sequence(value: Value) -> Value {
    let is_one = is_list(&value) || value.is_tuple() || is_mapping(&value) || super::set::is_set(&value);
    if is_one { value } else { list(vec![value]) }
}

fn is_iter(value: &Value, ignores_text: bool) -> bool {
    value.is_undefined() || (items_can_be_had(value) && !(ignores_text && value.as_str().is_some()))
}

/// Whether Python could go through a value.
pub(in crate::formula::template) fn items_can_be_had(value: &Value) -> bool {
    use minijinja::value::ValueKind::{Bytes, Iterable, Map, Seq, String};
    matches!(value.kind(), Bytes | Iterable | Map | Seq | String)
}

fn sorted_ignorecase(args: &Args) -> Result<Value, Error> {
    let lower = |item: Value| Ok((string(&item)?.to_lowercase(), item));
    let mut keyed = items(&args.value())?.into_iter().map(lower).collect::<Result<Vec<_>, Error>>()?;
    sort_by(&mut keyed, |(one, _), (two, _)| Ok(one.cmp(two)))?;
    Ok(list(keyed.into_iter().map(|(_, item)| item).collect()))
}

fn substring_in_list(args: &Args) -> Result<Value, Error> {
    let wanted = args.defined()?;
    for item in items(&args.get("list_to_search").cloned().unwrap_or_default())? {
        if contains(&item, &wanted)? {
            return Ok(Value::from(true));
        }
    }
    Ok(Value::from(false))
}

/// Python's `item in container`.
pub(in crate::formula::template) fn contains(container: &Value, item: &Value) -> Result<bool, Error> {
    let container = defined(container.clone())?;
    if let Some(text) = container.as_str() {
        return string(item).map(|item| text.contains(item));
    }
    match as_dict(&container) {
        Some(dict) => Ok(dict.get(&hashable(item.clone())?).is_some()),
        None if items_can_be_had(&container) => Ok(value::contains(&items(&container)?, item)),
        None => Err(wrong(format!("argument of type '{}' is not iterable", type_name(&container)))),
    }
}

fn exactly(args: &Args, amount: i128) -> Result<Value, Error> {
    let mut count = 0_i128;
    for item in items(&args.value())? {
        count += i128::from(is_true(&defined(item)?));
    }
    Ok(Value::from(count == amount.max(0)))
}

fn compare_dicts(args: &Args) -> Result<Value, Error> {
    let old = args.get("old").cloned().unwrap_or(Value::from(()));
    let new = args.get("new").cloned().unwrap_or(Value::from(()));
    for side in [&old, &new] {
        if !is_mapping(side) && (is_true(&old) || is_true(&new)) {
            return Err(wrong(format!("argument of type '{}' is not iterable", type_name(side))));
        }
    }
    let (old, new) = (entries(&old), entries(&new));
    let find =
        |side: &[(Value, Value)], key: &Value| side.iter().find(|(other, _)| other == key).map(|(_, v)| v.clone());
    let mut changes = Vec::new();
    let keys =
        new.iter().map(|(key, _)| key).chain(old.iter().map(|(key, _)| key).filter(|key| find(&new, key).is_none()));
    for key in keys {
        let empty = || Value::from("");
        let change = match (find(&old, key), find(&new, key)) {
            (None, Some(new)) => [("old", empty()), ("new", new)],
            (Some(old), None) => [("new", empty()), ("old", old)],
            (Some(old), Some(new)) if !value::is_equal(&old, &new) => [("old", old), ("new", new)],
            _ => continue,
        };
        changes.push((key.clone(), dict(change.map(|(name, value)| (Value::from(name), value)))));
    }
    Ok(dict(changes))
}

fn compare_lists(args: &Args) -> Result<Value, Error> {
    let side = |name: &str| items(&args.get(name).cloned().unwrap_or(Value::from(())));
    let (new, old) = (side("new")?, side("old")?);
    let mut changes = Vec::new();
    for (name, here, there) in [("new", &new, &old), ("old", &old, &new)] {
        let only = combine("difference", here, there);
        if !only.is_empty() {
            changes.push((Value::from(name), list(only)));
        }
    }
    Ok(dict(changes))
}

#[cfg(test)]
mod tests {
    use crate::formula::template::filters::assert_shown;

    #[test]
    fn lists_are_compared_as_salt_compares_them() {
        assert_shown(&[
            ("{{ ['b', 'a', 'b', 1, 1.0, true]|unique }}", Some("['b', 'a', 1]")),
            ("{{ [1, 2]|union([2, 3]) }}", Some("[1, 2, 3]")),
            ("{{ [1, 2]|symmetric_difference([2, 3]) }}", Some("[1, 3]")),
            ("{{ (2, 1, 2)|unique }}", Some("{1, 2}")),
            ("{{ [1, 2]|union(none) }}", None),
            ("{{ ['a']|compare_lists(['b']) }}", Some("{'new': ['b'], 'old': ['a']}")),
            ("{{ 'x'|sequence }}", Some("['x']")),
            ("{{ missing|skip }}", Some("")),
            ("{{ [1, 0, 2]|exactly_n_true(2) }}", Some("True")),
        ]);
    }
}
