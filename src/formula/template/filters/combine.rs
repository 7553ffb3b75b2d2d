//! Python's `itertools`, as Salt has them for filters.

use minijinja::value::Tuple;
use minijinja::{Error, Value};

use super::arguments::{Args, Run, is_true, wrong};
use super::generator::generator;
use super::json::has_undefined;
use crate::formula::template::value::items;

/// The filters, with their parameters.
pub(super) const FILTERS: &[(&str, &str, Run)] = &[
    ("combinations", "iterable r", |args| chosen(args, |picked, next| picked.last().is_none_or(|last| *last < next))),
    ("combinations_with_replacement", "iterable r", |args| {
        chosen(args, |picked, next| picked.last().is_none_or(|last| *last <= next))
    }),
    ("compress", "data selectors", compress),
    ("permutations", "iterable r?", |args| chosen(args, |picked, next| !picked.contains(&next))),
    ("product", "iterable * **", product),
    ("zip", "iterable * **", |args| zip(args, false)),
    ("zip_longest", "iterable * **", |args| zip(args, true)),
];

/// The most rows that are made.
const MOST: usize = 200_000;

fn row(items: Vec<Value>) -> Value {
    Value::from(Tuple::new(items))
}

/// Every way to pick `r` items, in the order of their places, in which `may_follow` lets a place follow those before.
fn chosen(args: &Args, may_follow: fn(&[usize], usize) -> bool) -> Result<Value, Error> {
    let value = args.value();
    if has_undefined(&value) {
        return Ok(Value::UNDEFINED);
    }
    let items = items(&value)?;
    let r = args.int("r")?.map_or(Ok(items.len()), usize::try_from).map_err(|_| wrong("r must be non-negative"))?;
    let mut rows = Vec::new();
    let mut picked: Vec<usize> = Vec::new();
    let mut next = 0;
    let mut steps = 0_usize;
    loop {
        steps += 1;
        if rows.len() > MOST || steps > MOST * 20 {
            return Err(wrong(format!("{}: more than {MOST} rows", args.name())));
        }
        if picked.len() == r {
            rows.push(row(picked.iter().filter_map(|place| items.get(*place).cloned()).collect()));
        } else if let Some(place) = (next..items.len()).find(|place| may_follow(&picked, *place)) {
            picked.push(place);
            next = 0;
            continue;
        }
        let Some(last) = picked.pop() else { break };
        next = last + 1;
    }
    Ok(generator(kind(args), rows))
}

fn kind(args: &Args) -> &'static str {
    match args.name() {
        "combinations" => "itertools.combinations object",
        "combinations_with_replacement" => "itertools.combinations_with_replacement object",
        "compress" => "itertools.compress object",
        "permutations" => "itertools.permutations object",
        "product" => "itertools.product object",
        "zip_longest" => "itertools.zip_longest object",
        _ => "zip object",
    }
}

fn compress(args: &Args) -> Result<Value, Error> {
    let value = args.value();
    if has_undefined(&value) {
        return Ok(Value::UNDEFINED);
    }
    let selectors = items(&args.get("selectors").cloned().unwrap_or_default())?;
    let kept = items(&value)?.into_iter().zip(selectors).filter(|(_, selector)| is_true(selector));
    Ok(generator(kind(args), kept.map(|(item, _)| item).collect()))
}

/// Every row that is gone through together; `None` if the first holds something undefined.
fn rows(args: &Args) -> Result<Option<Vec<Vec<Value>>>, Error> {
    let value = args.value();
    if has_undefined(&value) {
        return Ok(None);
    }
    std::iter::once(&value).chain(&args.rest).map(items).collect::<Result<_, _>>().map(Some)
}

fn only(args: &Args, known: &str) -> Result<Option<Value>, Error> {
    match args.named.iter().find(|(name, _)| name != known) {
        Some((name, _)) => Err(wrong(format!("{}() got an unexpected keyword argument '{name}'", args.name()))),
        None => Ok(args.named.first().map(|(_, value)| value.clone())),
    }
}

fn product(args: &Args) -> Result<Value, Error> {
    let repeat = only(args, "repeat")?.map_or(Ok(1), |repeat| super::arguments::index(&repeat))?;
    let repeat = usize::try_from(repeat).map_err(|_| wrong("repeat argument cannot be negative"))?;
    let Some(columns) = rows(args)? else { return Ok(Value::UNDEFINED) };
    let mut products: Vec<Vec<Value>> = vec![Vec::new()];
    if repeat > 64 {
        return Err(wrong(format!("product: more than {MOST} rows")));
    }
    for _ in 0..repeat {
        for column in &columns {
            if products.len().saturating_mul(column.len()) > MOST {
                return Err(wrong(format!("product: more than {MOST} rows")));
            }
            let longer = |row: &Vec<Value>| {
                let row = row.clone();
                column.iter().map(move |item| row.iter().cloned().chain([item.clone()]).collect())
            };
            products = products.iter().flat_map(longer).collect();
        }
    }
    Ok(generator(kind(args), products.into_iter().map(row).collect()))
}

fn zip(args: &Args, longest: bool) -> Result<Value, Error> {
    let option = only(args, if longest { "fillvalue" } else { "strict" })?;
    let Some(columns) = rows(args)? else { return Ok(Value::UNDEFINED) };
    let lengths = || columns.iter().map(Vec::len);
    let length = if longest { lengths().max() } else { lengths().min() }.unwrap_or(0);
    if !longest && option.as_ref().is_some_and(is_true) && lengths().any(|other| other != length) {
        return Err(wrong("zip() arguments have different lengths"));
    }
    let filling = option.unwrap_or(Value::from(()));
    let at = |index: usize| columns.iter().map(|column| column.get(index).unwrap_or(&filling).clone()).collect();
    Ok(generator(kind(args), (0..length).map(|index| row(at(index))).collect()))
}
