//! `json_query`: asks with `JMESPath`.
//!
//! The crate reads the query. Its own interpreter sorts the keys of every mapping, so what follows is Python's.

mod functions;

use jmespath::ast::{Ast, Comparator};
use minijinja::value::ValueKind;
use minijinja::{Error, Value};

use super::arguments::{Args, Run, wrong};
use crate::formula::Data;
use crate::formula::template::operators::slice;
use crate::formula::template::value::{compare, dict, entries, from_data, is_equal, is_list, is_mapping, items, list};

/// The filter, with its parameters.
pub(super) const FILTERS: &[(&str, &str, Run)] = &[("json_query", "data expr", json_query)];

/// The longest query: reading what nests in it takes stack.
const LONGEST: usize = 1000;

/// The deepest expressions that are evaluated, which takes more.
const DEEPEST: usize = 100;

fn json_query(args: &Args) -> Result<Value, Error> {
    let data = args.defined()?;
    let query = args.str("expr")?.unwrap_or_default();
    if query.len() > LONGEST {
        return Err(wrong(format!("a query of more than {LONGEST} characters")));
    }
    let ast = jmespath::parse(query).map_err(|error| {
        let reason = error.reason.to_string();
        wrong(format!("`{query}` is not JMESPath: {}", reason.lines().next().unwrap_or_default()))
    })?;
    search(&ast, &data, 0)
}

/// What is not there.
fn null() -> Value {
    Value::from(())
}

/// What an expression finds in a value.
fn search(ast: &Ast, value: &Value, depth: usize) -> Result<Value, Error> {
    if depth > DEEPEST {
        return Err(wrong(format!("a query that nests deeper than {DEEPEST}")));
    }
    let search = |ast: &Ast, value: &Value| search(ast, value, depth + 1);
    Ok(match ast {
        Ast::Identity { .. } => value.clone(),
        Ast::Field { name, .. } if is_mapping(value) => {
            value.as_object().and_then(|object| object.get_value(&Value::from(name.as_str()))).unwrap_or_else(null)
        }
        Ast::Field { .. } => null(),
        Ast::Subexpr { lhs, rhs, .. } => search(rhs, &search(lhs, value)?)?,
        Ast::Literal { value, .. } => {
            let json = serde_json::to_value(value).map_err(|error| wrong(error.to_string()))?;
            from_data(&Data::from(json))
        }
        Ast::Index { idx, .. } => index(value, *idx)?,
        Ast::Slice { .. } if !is_list(value) => null(),
        Ast::Slice { start, stop, step, .. } => {
            let bound = |bound: &Option<i32>| bound.map_or_else(null, Value::from);
            slice(value, &bound(start), &bound(stop), &Value::from(*step))?
        }
        Ast::Or { lhs, rhs, .. } => match search(lhs, value)? {
            found if is_true(&found) => found,
            _ => search(rhs, value)?,
        },
        Ast::And { lhs, rhs, .. } => match search(lhs, value)? {
            found if is_true(&found) => search(rhs, value)?,
            found => found,
        },
        Ast::Not { node, .. } => Value::from(!is_true(&search(node, value)?)),
        Ast::Condition { predicate, then, .. } => {
            if is_true(&search(predicate, value)?) {
                search(then, value)?
            } else {
                null()
            }
        }
        Ast::Comparison { comparator, lhs, rhs, .. } => {
            compared(comparator, &search(lhs, value)?, &search(rhs, value)?)?
        }
        Ast::ObjectValues { node, .. } => match search(node, value)? {
            found if is_mapping(&found) => list(entries(&found).into_iter().map(|(_, value)| value).collect()),
            _ => null(),
        },
        Ast::Projection { lhs, rhs, .. } => projected(&search(lhs, value)?, |item| search(rhs, item))?,
        Ast::Flatten { node, .. } => flattened(&search(node, value)?)?,
        Ast::MultiList { .. } | Ast::MultiHash { .. } if value.is_none() => null(),
        Ast::MultiList { elements, .. } => {
            list(elements.iter().map(|element| search(element, value)).collect::<Result<_, _>>()?)
        }
        Ast::MultiHash { elements, .. } => {
            let entry =
                |pair: &jmespath::ast::KeyValuePair| Ok((Value::from(pair.key.as_str()), search(&pair.value, value)?));
            dict(elements.iter().map(entry).collect::<Result<Vec<_>, Error>>()?)
        }
        Ast::Function { name, args, .. } => functions::call(name, args, value, depth + 1)?,
        Ast::Expref { .. } => return Err(wrong("an expression can only be given to a function")),
    })
}

fn index(value: &Value, index: i32) -> Result<Value, Error> {
    if !is_list(value) {
        return Ok(null());
    }
    let all = items(value)?;
    let distance = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
    let index = if index < 0 { all.len().checked_sub(distance) } else { Some(distance) };
    Ok(index.and_then(|index| all.get(index).cloned()).unwrap_or_else(null))
}

fn projected(base: &Value, search: impl Fn(&Value) -> Result<Value, Error>) -> Result<Value, Error> {
    if !is_list(base) {
        return Ok(null());
    }
    let mut found = Vec::new();
    for item in items(base)? {
        found.push(search(&item)?);
    }
    found.retain(|value| !value.is_none());
    Ok(list(found))
}

fn flattened(base: &Value) -> Result<Value, Error> {
    if !is_list(base) {
        return Ok(null());
    }
    let mut flat = Vec::new();
    for item in items(base)? {
        if is_list(&item) { flat.extend(items(&item)?) } else { flat.push(item) }
    }
    Ok(list(flat))
}

/// What counts as true: all but `null`, `false` and what is empty. Zero is true.
fn is_true(value: &Value) -> bool {
    value.kind() == ValueKind::Number || value.is_true()
}

fn compared(comparator: &Comparator, one: &Value, two: &Value) -> Result<Value, Error> {
    let is_comparable = |value: &Value| matches!(value.kind(), ValueKind::Number | ValueKind::String);
    // `1` is `true` in Python alone.
    let is_same = || is_equal(one, two) && (one.kind() == ValueKind::Bool) == (two.kind() == ValueKind::Bool);
    let answer = match comparator {
        Comparator::Equal => is_same(),
        Comparator::NotEqual => !is_same(),
        _ if !is_comparable(one) || !is_comparable(two) => return Ok(null()),
        Comparator::LessThan => compare(one, two)?.is_lt(),
        Comparator::LessThanEqual => compare(one, two)?.is_le(),
        Comparator::GreaterThan => compare(one, two)?.is_gt(),
        Comparator::GreaterThanEqual => compare(one, two)?.is_ge(),
    };
    Ok(Value::from(answer))
}

#[cfg(test)]
mod tests {
    use crate::formula::template::filters::{assert_shown, shown};

    #[test]
    fn queries_find_what_jmespath_finds_in_the_order_it_is_in() {
        assert_shown(&[
            ("{{ {'s': [{'p': 80}, {'p': 25}, {}]}|json_query('s[].p') }}", Some("[80, 25]")),
            ("{{ {'z': {'n': 1}, 'a': {'n': 2}}|json_query('*.n') }}", Some("[1, 2]")),
            ("{{ [{'n': 1, 'm': 0}, {'n': 5}]|json_query('[?n > `2`].{z: n, a: m}') }}", Some("[{'z': 5, 'a': None}]")),
            ("{{ [3, 1, 2]|json_query('sort(@)[::-1]') }}", Some("[3, 2, 1]")),
            ("{{ [{'a': 2}, {'a': 1}]|json_query('sort_by(@, &a)[*].a') }}", Some("[1, 2]")),
            ("{{ {'a': ['x', 'y']}|json_query(\"join('-', a)\") }}", Some("x-y")),
            ("{{ {'a': 1}|json_query('a == `true` || b') }}", Some("None")),
            ("{{ {'a': 1}|json_query('length(a)') }}", None),
            ("{{ {'a': 1}|json_query('a[') }}", None),
        ]);
    }

    #[test]
    fn what_nests_does_not_take_all_of_the_stack() {
        for (open, times) in [("(", 999), ("!", 999), ("[*]", 333), ("[", 999), ("a.", 499), ("a|", 499), ("&", 999)] {
            let source = format!("{{{{ [1]|json_query('{}@') }}}}", open.repeat(times));
            let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(move || _ = shown(&source));
            thread.unwrap().join().unwrap();
        }
    }
}
