//! Top files: which SLS a host gets.

use indexmap::IndexMap;

use super::error::{Error, Kind, Result};
use super::matcher::{Host, Matcher};
use super::{Data, Dict};

/// The file that is a tree's top, in its root folder.
pub const FILE: &str = "top.sls";

/// A top file and those it includes, in the order in which Salt reads them. `find` gives the data of every SLS that
/// a name or pattern of an `include` means.
///
/// # Errors
/// When a top file is no mapping, or one that is included fails.
pub fn gather(top: Data, mut find: impl FnMut(&str) -> Result<Vec<(String, Data)>>) -> Result<Vec<Dict>> {
    let mut tops = Vec::new();
    let mut done: Vec<String> = Vec::new();
    let mut next = vec![top];
    while !next.is_empty() {
        let mut included = Vec::new();
        for top in next {
            let Data::Dict(dict) = top else {
                return Err(Error::new(Kind::Structure, "the top file is not a mapping").at(FILE, 0, None));
            };
            let mut dict = Dict::clone(&dict);
            let includes = dict.remove("include");
            for name in includes.as_ref().and_then(Data::as_list).unwrap_or_default() {
                included.extend(find(name.as_str().unwrap_or_default())?);
            }
            tops.push(dict);
        }
        next = Vec::new();
        for (name, data) in included {
            if !done.contains(&name) {
                done.push(name);
                next.push(data);
            }
        }
    }
    Ok(tops)
}

/// The SLS that the state tops give a host, in order; an SLS can come twice.
///
/// # Errors
/// When a top file has a shape that Salt refuses.
pub fn states(tops: &[Dict], host: &Host<'_>) -> Result<Vec<String>> {
    let mut chosen = Vec::new();
    for (target, lines) in base(tops)? {
        choose(target, lines, host, &mut chosen, 0)?;
    }
    Ok(chosen)
}

/// The targets of the `base` environment; a target that comes again is replaced where it stood.
fn base(tops: &[Dict]) -> Result<IndexMap<&Data, &Data>> {
    let mut targets = IndexMap::new();
    for (environment, body) in tops.iter().flat_map(|top| &top.entries) {
        if environment.as_str() != Some("base") {
            let message = format!("the top file has the environment {environment:?}; upshift has `base` alone");
            return Err(wrong(message));
        }
        let Data::Dict(body) = body else { return Err(wrong("the targets under `base` are not a mapping")) };
        targets.extend(&body.entries);
    }
    Ok(targets)
}

fn choose(target: &Data, lines: &Data, host: &Host<'_>, chosen: &mut Vec<String>, depth: usize) -> Result<()> {
    if depth > 20 {
        return Err(Error::new(Kind::Limit, "subfilters are nested deeper than 20").at(FILE, 0, None));
    }
    let Data::List(lines) = lines else {
        let found = lines.type_name();
        return Err(wrong(format!("what the target {target:?} gets is not a list, but a {found}")));
    };
    if !matcher(lines)?.is_match(target, host) {
        return Ok(());
    }
    for line in lines.iter() {
        match line {
            Data::Str(name) if name.is_empty() => {
                return Err(wrong(format!("the target {target:?} has an empty line")));
            }
            Data::Str(name) => chosen.push(name.to_string()),
            Data::Dict(line) => {
                if let Some(empty) = line.entries.iter().find(|(_, value)| !value.is_true()) {
                    return Err(wrong(format!("the target {target:?} has {:?} without a value", empty.0)));
                }
                if let Some(Data::Dict(inner)) = line.get("subfilter") {
                    for (target, lines) in &inner.entries {
                        choose(target, lines, host, chosen, depth + 1)?;
                    }
                }
                if let Some((environment, name)) = line.entries.last()
                    && environment.as_str() == Some("base")
                {
                    chosen.extend(name.as_str().map(str::to_owned));
                }
            }
            other => return Err(wrong(format!("the target {target:?} has {other:?}, which names no SLS"))),
        }
    }
    Ok(())
}

/// The SLS that the pillar tops give a host, in order, and those that may be missing.
pub(super) fn pillar(tops: &[Dict], host: &Host<'_>) -> Result<(Vec<String>, Vec<String>)> {
    let mut targets: Vec<(i128, &Data, &[Data])> = Vec::new();
    let mut may_be_missing = Vec::new();
    for (target, lines) in base(tops)? {
        let Data::List(lines) = lines else {
            return Err(wrong(format!("what the target {target:?} gets is not a list")));
        };
        let mut order = 0;
        for line in lines.iter().filter_map(Data::as_dict) {
            order = line.get("order").map_or(order, number);
            if line.get("ignore_missing").is_some_and(Data::is_true) {
                may_be_missing.extend(lines.iter().filter_map(Data::as_str).map(str::to_owned));
            }
        }
        targets.push((order, target, lines.as_slice()));
    }
    targets.sort_by_key(|(order, ..)| *order);
    let mut chosen: Vec<String> = Vec::new();
    for (_, target, lines) in targets {
        if matcher(lines)?.is_match(target, host) {
            for name in lines.iter().filter_map(Data::as_str) {
                if !chosen.iter().any(|chosen| chosen == name) {
                    chosen.push(name.to_owned());
                }
            }
        }
    }
    Ok((chosen, may_be_missing))
}

/// What Python's `int` makes of an order; 0 of what is no number.
fn number(order: &Data) -> i128 {
    match order {
        Data::Int(number) => *number,
        Data::Bool(value) => i128::from(*value),
        Data::Str(text) => text.trim().parse().unwrap_or(0),
        _ => 0,
    }
}

/// How the target of these lines is matched: the last `match:` among them, else as a compound target.
fn matcher(lines: &[Data]) -> Result<Matcher> {
    let name = lines.iter().rev().find_map(|line| line.get("match"));
    let Some(name) = name else { return Ok(Matcher::Compound) };
    let Some(name) = name.as_str() else { return Err(wrong(format!("{name:?} is not the name of a matcher"))) };
    Matcher::named(name).map_err(|error| error.at(FILE, 0, None))
}

fn wrong(message: impl Into<String>) -> Error {
    Error::new(Kind::Structure, message).at(FILE, 0, None)
}
