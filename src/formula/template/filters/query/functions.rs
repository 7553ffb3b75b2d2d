//! The functions of `JMESPath`.

use std::cmp::Ordering;

use jmespath::ast::Ast;
use minijinja::value::ValueKind;
use minijinja::{Error, Value};

use super::{null, search};
use crate::formula::template::filters::arguments::wrong;
use crate::formula::template::filters::numbers::{parse_float, parse_int};
use crate::formula::template::filters::sequences::add;
use crate::formula::template::functions::json::{Json, json_text};
use crate::formula::template::number_text::{Number, int, whole};
use crate::formula::template::value::{compare, contains, dict, entries, is_list, is_mapping, items, list, sort_by};

/// An argument.
enum Argument<'a> {
    Value(Value),
    Expression(&'a Ast),
}

/// The arguments of one call.
struct Call<'a> {
    name: &'a str,
    arguments: Vec<Argument<'a>>,
    depth: usize,
}

/// A function: its name, the types each argument can have, and what it does. Types stand between `|`, nothing is any
/// type, and `*` at the end takes more arguments of the last kind.
type Function = (&'static str, &'static [&'static str], fn(&Call<'_>) -> Result<Value, Error>);

const FUNCTIONS: &[Function] = &[
    ("abs", &["number"], |call| match Number::of(&call.value(0)) {
        Some(Number::Int(number)) => Ok(int(number.saturating_abs())),
        number => Ok(Value::from(number.map_or(0.0, Number::float).abs())),
    }),
    ("avg", &["array-number"], |call| {
        let (count, sum) = (call.items(0)?.len(), sum(call)?);
        let sum = Number::of(&sum).map_or(0.0, Number::float);
        #[expect(clippy::cast_precision_loss, reason = "as Python divides")]
        Ok(if count == 0 { null() } else { Value::from(sum / count as f64) })
    }),
    ("ceil", &["number"], |call| rounded(&call.value(0), f64::ceil)),
    ("contains", &["array|string", ""], |call| {
        let (subject, wanted) = (call.value(0), call.value(1));
        match (subject.as_str(), wanted.as_str()) {
            (Some(text), Some(wanted)) => Ok(Value::from(text.contains(wanted))),
            (Some(_), None) => Err(wrong("'in <string>' requires string as left operand")),
            _ => Ok(Value::from(contains(&items(&subject)?, &wanted))),
        }
    }),
    ("ends_with", &["string", "string"], |call| Ok(Value::from(call.text(0).ends_with(&call.text(1))))),
    ("floor", &["number"], |call| rounded(&call.value(0), f64::floor)),
    ("join", &["string", "array-string"], |call| {
        let parts: Vec<Value> = call.items(1)?;
        let parts: Vec<&str> = parts.iter().filter_map(Value::as_str).collect();
        Ok(Value::from(parts.join(&call.text(0))))
    }),
    ("keys", &["object"], |call| Ok(list(entries(&call.value(0)).into_iter().map(|(key, _)| key).collect()))),
    ("length", &["string|array|object"], |call| Ok(Value::from(call.value(0).len().unwrap_or(0)))),
    ("map", &["expref", "array"], |call| {
        let found = call.items(1)?.iter().map(|item| call.search(0, item)).collect::<Result<_, _>>()?;
        Ok(list(found))
    }),
    ("max", &["array-number|array-string"], |call| extreme(call.items(0)?, Ordering::Greater, |item| Ok(item.clone()))),
    ("max_by", &["array", "expref"], |call| extreme(call.items(0)?, Ordering::Greater, |item| call.key(item, None))),
    ("merge", &["object", "*"], |call| {
        let merged = call.arguments.iter().enumerate().flat_map(|(index, _)| entries(&call.value(index)));
        Ok(dict(merged))
    }),
    ("min", &["array-number|array-string"], |call| extreme(call.items(0)?, Ordering::Less, |item| Ok(item.clone()))),
    ("min_by", &["array", "expref"], |call| extreme(call.items(0)?, Ordering::Less, |item| call.key(item, None))),
    ("not_null", &["", "*"], |call| {
        let mut values = (0..call.arguments.len()).map(|index| call.value(index));
        Ok(values.find(|value| !value.is_none()).unwrap_or_else(null))
    }),
    ("reverse", &["array|string"], |call| match call.value(0).as_str() {
        Some(text) => Ok(Value::from(text.chars().rev().collect::<String>())),
        None => Ok(list(call.items(0)?.into_iter().rev().collect())),
    }),
    ("sort", &["array-string|array-number"], |call| sorted(call.items(0)?, |item| Ok(item.clone()))),
    ("sort_by", &["array", "expref"], |call| {
        let all = call.items(0)?;
        let Some(first) = all.first() else { return Ok(call.value(0)) };
        let kind = call.search(1, first)?.kind();
        sorted(all, |item| call.key(item, Some(kind)))
    }),
    ("starts_with", &["string", "string"], |call| Ok(Value::from(call.text(0).starts_with(&call.text(1))))),
    ("sum", &["array-number"], sum),
    ("to_array", &[""], |call| match call.value(0) {
        array if is_list(&array) => Ok(array),
        value => Ok(list(vec![value])),
    }),
    ("to_number", &[""], |call| {
        let value = call.value(0);
        Ok(match value.as_str() {
            Some(text) => parse_int(text, 10).map(int).or_else(|| parse_float(text).map(Value::from)),
            None => Some(value).filter(|value| value.kind() == ValueKind::Number),
        }
        .unwrap_or_else(null))
    }),
    ("to_string", &[""], |call| {
        let value = call.value(0);
        if value.as_str().is_some() {
            return Ok(value);
        }
        let layout = Json { item_separator: Some(",".to_owned()), key_separator: ":".to_owned(), ..Json::default() };
        json_text(&value, &layout).map(Value::from)
    }),
    ("type", &[""], |call| Ok(Value::from(type_of(&call.value(0))))),
    ("values", &["object"], |call| Ok(list(entries(&call.value(0)).into_iter().map(|(_, value)| value).collect()))),
];

/// Calls a function by its name; `value` is what `@` stands for in its arguments.
pub(super) fn call(name: &str, arguments: &[Ast], value: &Value, depth: usize) -> Result<Value, Error> {
    let function = FUNCTIONS.iter().find(|(known, ..)| *known == name);
    let (_, types, run) = function.ok_or_else(|| wrong(format!("Unknown function: {name}()")))?;
    let mut values = Vec::new();
    for argument in arguments {
        values.push(match argument {
            Ast::Expref { ast, .. } => Argument::Expression(ast),
            other => Argument::Value(search(other, value, depth)?),
        });
    }
    let call = Call { name, arguments: values, depth };
    let named: Vec<&str> = types.iter().copied().filter(|types| *types != "*").collect();
    let count = call.arguments.len();
    if count < named.len() || (count > named.len() && named.len() == types.len()) {
        return Err(wrong(format!("Expected {} arguments for function {name}(), received {count}", named.len())));
    }
    for (argument, types) in call.arguments.iter().zip(named) {
        if !types.is_empty() && !types.split('|').any(|wanted| argument.is(wanted)) {
            return Err(wrong(format!("In function {name}(), an argument is not of the type {types}")));
        }
    }
    run(&call)
}

impl Argument<'_> {
    /// Whether the argument is of a type: `array-number` is an array of numbers.
    fn is(&self, wanted: &str) -> bool {
        match (self, wanted.split_once('-')) {
            (Self::Expression(_), _) => wanted == "expref",
            (Self::Value(value), None) => type_of(value) == wanted,
            (Self::Value(value), Some((outer, inner))) => {
                let items = items(value).unwrap_or_default();
                type_of(value) == outer && items.iter().all(|item| type_of(item) == inner)
            }
        }
    }
}

impl Call<'_> {
    fn value(&self, index: usize) -> Value {
        match self.arguments.get(index) {
            Some(Argument::Value(value)) => value.clone(),
            _ => null(),
        }
    }

    fn items(&self, index: usize) -> Result<Vec<Value>, Error> {
        items(&self.value(index))
    }

    fn text(&self, index: usize) -> String {
        self.value(index).as_str().unwrap_or_default().to_owned()
    }

    fn search(&self, index: usize, value: &Value) -> Result<Value, Error> {
        match self.arguments.get(index) {
            Some(Argument::Expression(ast)) => search(ast, value, self.depth),
            _ => Ok(null()),
        }
    }

    /// What an item is compared by: a number or a text, and of one kind if it is known.
    fn key(&self, item: &Value, kind: Option<ValueKind>) -> Result<Value, Error> {
        let key = self.search(1, item)?;
        let is_known = matches!(key.kind(), ValueKind::Number | ValueKind::String);
        if is_known && kind.is_none_or(|kind| key.kind() == kind) {
            return Ok(key);
        }
        Err(wrong(format!("In function {}(), an item cannot be compared by a {}", self.name, type_of(&key))))
    }
}

fn type_of(value: &Value) -> &'static str {
    match value.kind() {
        ValueKind::String => "string",
        ValueKind::Bool => "boolean",
        ValueKind::Number => "number",
        ValueKind::None => "null",
        _ if is_list(value) => "array",
        _ if is_mapping(value) => "object",
        _ => "unknown",
    }
}

fn sum(call: &Call<'_>) -> Result<Value, Error> {
    call.items(0)?.iter().try_fold(Value::from(0), |sum, item| add(&sum, item))
}

fn rounded(value: &Value, round: fn(f64) -> f64) -> Result<Value, Error> {
    match Number::of(value) {
        Some(Number::Float(number)) => whole(round(number)).map(int),
        _ => Ok(value.clone()),
    }
}

/// The first of the items whose keys are greatest, or least.
fn extreme(all: Vec<Value>, wanted: Ordering, key: impl Fn(&Value) -> Result<Value, Error>) -> Result<Value, Error> {
    let mut best: Option<(Value, Value)> = None;
    for item in all {
        let key = key(&item)?;
        if best.as_ref().map_or(Ok(true), |(best, _)| compare(&key, best).map(|order| order == wanted))? {
            best = Some((key, item));
        }
    }
    Ok(best.map_or_else(null, |(_, item)| item))
}

fn sorted(all: Vec<Value>, key: impl Fn(&Value) -> Result<Value, Error>) -> Result<Value, Error> {
    let mut keyed = all.into_iter().map(|item| Ok((key(&item)?, item))).collect::<Result<Vec<_>, Error>>()?;
    sort_by(&mut keyed, |one, two| compare(&one.0, &two.0))?;
    Ok(list(keyed.into_iter().map(|(_, item)| item).collect()))
}
