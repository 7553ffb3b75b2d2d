//! Which hosts a stage has, in which order, and which of them may not be under way together.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::error::{Error, Exit, Result};
use crate::model::inventory::{Host, Inventory};
use crate::model::pipeline::{Order, Stage};
use crate::model::plan::Domains;
use crate::model::{Place, selector};

/// The hosts of a stage, in the order in which they start.
pub(super) fn of_stage<'a>(stage: &Stage, inventory: &'a Inventory) -> Result<Vec<&'a Host>> {
    let Some(text) = &stage.hosts else { return Ok(vec![&inventory.controller]) };
    let mut hosts = selector::select(inventory, &text.source)
        .map_err(|error| refused(&text.place, &format!("stage `{}`", stage.name), error))?;
    match stage.cascade.order {
        Order::Inventory => {}
        Order::Reverse => hosts.reverse(),
        Order::Name => hosts.sort_by_cached_key(|host| natural(&host.name)),
        Order::Shuffled => {
            hosts.sort_by_cached_key(|host| Sha256::digest(format!("{} {}", stage.name, host.name)).to_vec());
        }
    }
    Ok(hosts)
}

/// A selector that selects nothing, as an error with the place of who selects.
pub(super) fn refused(place: &Place, who: &str, error: selector::Error) -> Error {
    Error { exit: Exit::Usage, message: format!("{place}: {who} {}", error.message), hint: error.hint }
}

/// A name as text and numbers in turn, so that `cmp9` comes before `cmp10`.
fn natural(name: &str) -> Vec<(String, u64, String)> {
    let mut key = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (text, tail) = rest.split_at(digits);
        let (number, tail) = tail.split_at(tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len()));
        key.push((text.to_owned(), number.parse().unwrap_or(u64::MAX), number.to_owned()));
        rest = tail;
    }
    key
}

/// For each host a number that it shares with the hosts it may not be under way with.
pub(super) fn domains(attribute: &str, place: &Place, hosts: &[&Host]) -> Result<Domains> {
    let mut known: HashMap<String, u32> = HashMap::new();
    hosts
        .iter()
        .map(|host| {
            let value = match attribute {
                "rack" if host.rack.is_some() => host.rack.clone(),
                _ => host.vars.get(attribute).map(ToString::to_string),
            };
            let value = value.ok_or_else(|| {
                Error::usage(format!("{place}: host `{}` has no `{attribute}` to spread by", host.name)).hint(format!(
                    "give its group a `{attribute}` in the inventory{}",
                    if attribute == "rack" { "" } else { ", in `vars`" }
                ))
            })?;
            let next = u32::try_from(known.len()).unwrap_or(u32::MAX);
            Ok(*known.entry(value).or_insert(next))
        })
        .collect()
}
