//! Which hosts a stage or step means: `cmp,!cmp[017,031]`, `ctl[1]`, `all,&rack-a`.
//!
//! The terms count from left to right: a plain one adds hosts, `!` takes hosts away, `&` keeps only
//! those that are also in it. What is selected is never empty and never has a host twice.

use std::collections::BTreeSet;

use crate::model::inventory::{CONTROLLER, Host, Inventory};
use crate::model::{nearest, pattern};

/// Why a selector selects nothing, as the end of a sentence that begins with who selects.
///
/// ``stage `compute` `` and ``selects the group `cmpt`, which the inventory does not have`` make
/// one message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What is wrong, beginning with a verb.
    pub message: String,
    /// One thing to do next.
    pub hint: Option<String>,
}

impl Error {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Places of hosts in the inventory.
type Hosts = BTreeSet<usize>;

/// The hosts that a selector means, in the order of the inventory.
///
/// # Errors
///
/// Names the term that the inventory cannot answer, or that nothing is left.
pub fn select<'i>(inventory: &'i Inventory, selector: &str) -> Result<Vec<&'i Host>, Error> {
    if selector.trim().is_empty() {
        return Err(Error::new("has an empty selector").hint("`all` selects every host"));
    }
    let mut hosts = Hosts::new();
    for (place, term) in pattern::split(selector).enumerate() {
        let first = place == 0;
        if let Some(term) = term.strip_prefix('!') {
            if first {
                hosts = (0..inventory.hosts.len()).collect();
            }
            for host in resolve(inventory, term.trim(), selector)? {
                hosts.remove(&host);
            }
        } else if let Some(term) = term.strip_prefix('&') {
            if first {
                let error = Error::new(format!("has the selector `{selector}`, which begins with `&`"));
                return Err(error.hint(format!("`&` keeps some of what is selected before it: `all,{selector}`")));
            }
            let kept = resolve(inventory, term.trim(), selector)?;
            hosts.retain(|host| kept.contains(host));
        } else {
            hosts.extend(resolve(inventory, term, selector)?);
        }
    }
    if hosts.is_empty() {
        return Err(Error::new(format!("selects no host: nothing is left of `{selector}`")));
    }
    Ok(hosts.into_iter().map(|host| &inventory.hosts[host]).collect())
}

/// The hosts that one term means.
fn resolve(inventory: &Inventory, term: &str, selector: &str) -> Result<Hosts, Error> {
    if term.is_empty() {
        return Err(Error::new(format!("has the selector `{selector}`, of which a part is empty")));
    }
    if term == "all" {
        return Ok((0..inventory.hosts.len()).collect());
    }
    if term.contains('*') {
        return glob(inventory, term);
    }
    if term.contains(['[', ']']) {
        return bracketed(inventory, term);
    }
    if let Some(group) = inventory.groups.get(term) {
        return Ok(places(inventory, group));
    }
    match inventory.hosts.get_index_of(term) {
        Some(host) => Ok([host].into()),
        None => Err(unknown(inventory, term)),
    }
}

fn places<'n>(inventory: &Inventory, names: impl IntoIterator<Item = &'n String>) -> Hosts {
    names.into_iter().filter_map(|name| inventory.hosts.get_index_of(name)).collect()
}

fn unknown(inventory: &Inventory, name: &str) -> Error {
    if name == CONTROLLER {
        return Error::new(format!("selects `{CONTROLLER}`, which is not in the inventory"))
            .hint("a stage without `hosts` runs on the machine upshift runs on");
    }
    if let Err(why) = pattern::check_name(name) {
        return Error::new(format!("has the term `{name}` in its selector: {why}"));
    }
    let groups = inventory.groups.keys().map(String::as_str);
    let near_group = nearest::nearest(name, groups.clone());
    let near_host = nearest::nearest(name, inventory.hosts.keys().map(String::as_str));
    let has = if inventory.groups.is_empty() {
        "The inventory has no groups".into()
    } else {
        format!("The inventory has: {}", nearest::list(groups))
    };
    let (kind, hint) = match (near_group, near_host) {
        // With a number it is a host that is misspelt, as long as there is one like it.
        (_, Some(host)) if near_group.is_none() || name.ends_with(|c: char| c.is_ascii_digit()) => {
            ("host", format!("did you mean `{host}`? {has}"))
        }
        (Some(group), _) => ("group", format!("did you mean `{group}`? {has}")),
        (None, _) => ("group", nearest::lower_first(&has)),
    };
    Error::new(format!("selects the {kind} `{name}`, which the inventory does not have")).hint(hint)
}

fn glob(inventory: &Inventory, term: &str) -> Result<Hosts, Error> {
    if let Some(c) = term.chars().find(|c| *c != '*' && !c.is_ascii_alphanumeric() && !"._-".contains(*c)) {
        return Err(Error::new(format!("has the term `{term}` in its selector, where `{c}` cannot stand beside `*`")));
    }
    let matching = inventory.hosts.keys().enumerate().filter(|(_, name)| matches(term, name));
    let hosts: Hosts = matching.map(|(place, _)| place).collect();
    if hosts.is_empty() {
        let error = Error::new(format!("selects `{term}`, which no host of the inventory matches"));
        return Err(error.hint("`*` stands for any part of a host's name, not of a group's"));
    }
    Ok(hosts)
}

/// Whether a name is what a glob describes; `*` is any part of it, also an empty one.
fn matches(glob: &str, name: &str) -> bool {
    let mut parts = glob.split('*');
    let Some(rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let mut parts: Vec<_> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    let Some(mut rest) = rest.strip_suffix(last) else { return false };
    parts.into_iter().all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

/// A term with brackets: host names, or places in a group.
fn bracketed(inventory: &Inventory, term: &str) -> Result<Hosts, Error> {
    let by_place = by_place(inventory, term);
    let by_name = by_name(inventory, term);
    match (by_place, by_name) {
        (Some(Ok(places)), Ok(names)) if places != names => {
            let list = |hosts: &Hosts| {
                pattern::fold(
                    hosts.iter().filter_map(|host| inventory.hosts.get_index(*host)).map(|(name, _)| name.as_str()),
                )
            };
            let (group, _) = term.split_once('[').unwrap_or((term, ""));
            Err(Error::new(format!(
                "selects `{term}`, which is `{}` by name and `{}` by place in the group `{group}`",
                list(&names),
                list(&places)
            ))
            .hint(format!(
                "write the names without brackets, such as `{}`",
                list(&names.iter().take(1).copied().collect())
            )))
        }
        (Some(Ok(hosts)), _) | (_, Ok(hosts)) => Ok(hosts),
        (Some(Err(error)), Err(_)) | (None, Err(error)) => Err(error),
    }
}

/// The term as names of hosts, all of which have to exist.
fn by_name(inventory: &Inventory, term: &str) -> Result<Hosts, Error> {
    let names = pattern::unfold(term).map_err(|why| {
        // `ctk[-1]` is no pattern, and what is wrong with it is the group.
        match term.split_once('[') {
            Some((group, _)) if pattern::check_name(group).is_ok() && places_of(term).is_some() => {
                unknown(inventory, group)
            }
            _ => Error::new(format!("has the {why}")),
        }
    })?;
    let missing: Vec<_> =
        names.iter().map(String::as_str).filter(|name| !inventory.hosts.contains_key(*name)).collect();
    match missing.len() {
        0 => Ok(places(inventory, &names)),
        1 => Err(unknown(inventory, missing[0])),
        several => Err(Error::new(format!(
            "selects {several} hosts that the inventory does not have: `{}`",
            pattern::fold(missing.iter().copied())
        ))
        .hint(match nearest::nearest(missing[0], inventory.hosts.keys().map(String::as_str)) {
            Some(near) => format!("did you mean hosts such as `{near}`?"),
            None => format!("the inventory has: {}", nearest::list(inventory.groups.keys().map(String::as_str))),
        })),
    }
}

/// The term as places in a group; nothing when it is not of that form or there is no such group.
fn by_place(inventory: &Inventory, term: &str) -> Option<Result<Hosts, Error>> {
    let (name, _) = term.split_once('[')?;
    let group = inventory.groups.get(name)?;
    let mut hosts = Hosts::new();
    for (first, last) in places_of(term)? {
        let count = i64::try_from(group.len()).unwrap_or(i64::MAX);
        let from_one = |place: i64| if place < 0 { count + 1 + place } else { place };
        let (first_place, last_place) = (from_one(first), from_one(last));
        if let Some(place) = [first, last].into_iter().find(|place| !(1..=count).contains(&from_one(*place))) {
            let has = match count {
                1 => "1 host".into(),
                _ => format!("{count} hosts"),
            };
            let message = if place == 0 {
                format!("selects place 0 of the group `{name}`, and places count from 1")
            } else {
                format!("selects place {place} of the group `{name}`, which has {has}")
            };
            return Some(Err(Error::new(message)));
        }
        if last_place < first_place {
            return Some(Err(Error::new(format!("selects `{term}`, where `{first}-{last}` runs backwards"))));
        }
        for place in first_place..=last_place {
            let name = usize::try_from(place - 1).ok().and_then(|place| group.get(place));
            hosts.extend(places(inventory, name));
        }
    }
    Some(Ok(hosts))
}

/// The places in the one bracket at the end of a term, as first and last; numbers have no leading zeros.
fn places_of(term: &str) -> Option<Vec<(i64, i64)>> {
    let number = |text: &str| -> Option<i64> {
        let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
        if plain { text.parse().ok() } else { None }
    };
    let (_, inside) = term.strip_suffix(']')?.split_once('[')?;
    let part = |part: &str| match part.trim().strip_prefix('-') {
        Some(from_the_end) => number(from_the_end).filter(|place| *place > 0).map(|place| (-place, -place)),
        None => match part.trim().split_once('-') {
            Some((first, last)) => Some((number(first)?, number(last)?)),
            None => number(part.trim()).map(|place| (place, place)),
        },
    };
    inside.split(',').map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inventory(groups: &[(&str, &str)]) -> Inventory {
        let mut inventory = Inventory::default();
        for (group, hosts) in groups {
            let names = pattern::unfold(hosts).unwrap();
            for name in &names {
                inventory.hosts.insert(name.clone(), Host { name: name.clone(), ..Host::controller() });
            }
            inventory.groups.insert((*group).into(), names);
        }
        inventory
    }

    fn cloud() -> Inventory {
        inventory(&[("ctl", "ctl[01-03]"), ("cmp", "cmp[001-020]"), ("even", "cmp[002,004],ctl02"), ("last", "z9")])
    }

    fn selected(selector: &str) -> String {
        let inventory = cloud();
        match select(&inventory, selector) {
            Ok(hosts) => pattern::fold_in_order(hosts.iter().map(|host| host.name.as_str())),
            Err(error) => match error.hint {
                Some(hint) => format!("{} ({hint})", error.message),
                None => error.message,
            },
        }
    }

    #[test]
    fn terms_count_from_left_to_right() {
        assert_eq!(selected("ctl"), "ctl[01-03]");
        assert_eq!(selected("ctl,!ctl02"), "ctl[01,03]");
        assert_eq!(selected("ctl,!ctl02,ctl02"), "ctl[01-03]");
        assert_eq!(selected("all,&even"), "ctl02,cmp[002,004]");
        assert_eq!(selected("ctl,&even,cmp001"), "ctl02,cmp001");
        assert_eq!(selected("!cmp,!last"), "ctl[01-03]");
        assert_eq!(selected("all, ! ctl, & even"), "cmp[002,004]");
    }

    #[test]
    fn hosts_come_in_the_order_of_the_inventory_and_once() {
        assert_eq!(selected("cmp[003,001],ctl,ctl01"), "ctl[01-03],cmp[001,003]");
    }

    #[test]
    fn a_bracket_after_a_group_names_places_from_one() {
        assert_eq!(selected("ctl[1]"), "ctl01");
        assert_eq!(selected("ctl[-1]"), "ctl03");
        assert_eq!(selected("cmp[1-3]"), "cmp[001-003]");
        assert_eq!(selected("cmp[2,-1]"), "cmp[002,020]");
        assert_eq!(selected("even[3]"), "ctl02");
        assert_eq!(selected("cmp[017,019-020]"), "cmp[017,019-020]");
    }

    #[test]
    fn a_glob_matches_names_of_hosts() {
        assert_eq!(selected("ctl*"), "ctl[01-03]");
        assert_eq!(selected("*01"), "ctl01,cmp001");
        assert_eq!(selected("c*0*2"), "ctl02,cmp[002,012]");
        assert_eq!(selected("*"), selected("all"));
        assert!(!matches("a*a", "a") && matches("a*a", "aa") && !matches("*ab*b", "ab"));
    }

    #[test]
    fn a_bracket_with_two_readings_is_refused_unless_they_agree() {
        let twisted = inventory(&[("vm", "vm2,vm1,vm3")]);
        let error = select(&twisted, "vm[1]").unwrap_err();
        assert_eq!(error.message, "selects `vm[1]`, which is `vm1` by name and `vm2` by place in the group `vm`");
        assert_eq!(select(&twisted, "vm[3]").unwrap()[0].name, "vm3");
    }

    #[test]
    fn what_cannot_be_selected_says_why() {
        let cases = [
            "cmpt",
            "cmp021",
            "cmp[019-025]",
            "storage",
            "cmp[21]",
            "ctl[0]",
            "ctl[-4]",
            "cmp[3-1]",
            "ctk[-1]",
            "cmp[",
            "cmp[x]",
            "foo*",
            "c*[1]",
            "",
            "ctl,,cmp",
            "&ctl",
            "ctl,!ctl",
            "controller",
            "cmp[1-2]x[1]",
            "a b",
            "ctl[01-09]",
        ];
        let said: Vec<_> = cases.iter().map(|case| format!("{case:14} {}", selected(case))).collect();
        insta::assert_snapshot!(said.join("\n"));
    }

    proptest::proptest! {
        #[test]
        fn no_selector_panics_or_selects_a_host_twice(selector in "[!&]?(ctl|cmp|all|even|[a-z]{1,2})?(\\[[-0-9,]{0,5}\\])?\\*?(,[!&]?(ctl|cmp\\*|even)\\[?-?[0-9]?\\]?)?") {
            let inventory = cloud();
            if let Ok(hosts) = select(&inventory, &selector) {
                let names: BTreeSet<_> = hosts.iter().map(|host| &host.name).collect();
                proptest::prop_assert_eq!(names.len(), hosts.len());
                proptest::prop_assert!(!hosts.is_empty());
            }
        }
    }
}
