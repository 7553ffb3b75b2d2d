//! The network interfaces, as `ip` lists them and Salt reads it.

use std::net::IpAddr;

use indexmap::IndexMap;

use super::process;
use crate::formula::{Data, Dict};

/// The interfaces by name, in their order, each as Salt has it.
pub(super) fn all() -> IndexMap<String, Dict> {
    let links = process::said("ip", &["link", "show"]).unwrap_or_default();
    let addresses = process::said("ip", &["addr", "show"]).unwrap_or_default();
    read(&format!("{links}\n{addresses}"))
}

fn read(said: &str) -> IndexMap<String, Dict> {
    let mut all: IndexMap<String, Dict> = IndexMap::new();
    let mut current: Option<String> = None;
    for line in said.lines() {
        if line.starts_with(|first: char| first.is_ascii_digit()) {
            current = header(line).map(|(name, interface)| {
                all.insert(name.clone(), interface);
                name
            });
        } else if let Some(interface) = current.as_ref().and_then(|name| all.get_mut(name)) {
            detail(line, interface);
        }
    }
    all
}

/// `2: eth0@if3: <BROADCAST,UP> …`
fn header(line: &str) -> Option<(String, Dict)> {
    let mut parts = line.splitn(3, ": ");
    let (_, name, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let (name, parent) = name.split_once('@').map_or((name, None), |(name, parent)| (name, Some(parent)));
    let flags = rest.trim_start().strip_prefix('<')?.split('>').next()?;
    let mut interface = Dict::default();
    interface.insert("up", flags.split(',').any(|flag| flag == "UP"));
    if let Some(parent) = parent {
        interface.insert("parent", parent);
    }
    Some((name.to_owned(), interface))
}

fn detail(line: &str, interface: &mut Dict) {
    let columns: Vec<&str> = line.split_whitespace().collect();
    let [kind, value, ..] = columns.as_slice() else { return };
    let after = |word: &str| {
        let at = columns.iter().position(|column| *column == word)?;
        columns.get(at + 1).copied()
    };
    let (address, length) = value.split_once('/').unwrap_or((value, "32"));
    let is_secondary = columns.contains(&"secondary");
    let mut found = Dict::default();
    if is_secondary {
        found.insert("type", *kind);
    }
    found.insert("address", address);
    match *kind {
        "inet" => {
            let mask = length.parse().ok().and_then(netmask).unwrap_or_default();
            found.insert("netmask", mask);
            found.insert("broadcast", after("brd").map_or(Data::None, Data::from));
            found.insert("label", columns.last().copied().unwrap_or_default());
        }
        "inet6" => {
            found.insert("prefixlen", length);
            found.insert("scope", after("scope").map_or(Data::None, Data::from));
        }
        kind if kind.starts_with("link") => {
            interface.insert("hwaddr", *value);
            return;
        }
        _ => return,
    }
    let key = if is_secondary { "secondary" } else { kind };
    let mut list = interface.get(key).and_then(Data::as_list).unwrap_or_default().to_vec();
    list.push(found.into());
    interface.insert(key, list);
}

fn netmask(length: u32) -> Option<String> {
    let bits = u32::MAX.checked_shl(32_u32.checked_sub(length)?)?;
    Some(std::net::Ipv4Addr::from_bits(bits).to_string())
}

/// The interfaces as one mapping.
pub(super) fn as_data(all: IndexMap<String, Dict>) -> Data {
    let entries = all.into_iter().map(|(name, interface)| (name.into(), interface.into())).collect();
    Dict { entries, is_ordered: false }.into()
}

/// The addresses of one family, with their networks' lengths.
pub(super) fn addresses(interface: &Dict, family: &str) -> Vec<(IpAddr, Data)> {
    let of = |key: &str| interface.get(key).and_then(Data::as_list).unwrap_or_default();
    let secondary = of("secondary").iter().filter(|found| found.get("type").and_then(Data::as_str) == Some(family));
    let found = of(family).iter().chain(secondary);
    found.filter_map(|found| Some((found.get("address")?.as_str()?.parse().ok()?, found.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_ip_is_read() {
        let all = read(
            "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000\n    \
             link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00\n    inet 127.0.0.1/8 scope host lo\n       \
             valid_lft forever preferred_lft forever\n    inet6 ::1/128 scope host \n\
             7: eth0@if8: <BROADCAST> mtu 1500\n    inet 10.0.0.5/24 brd 10.0.0.255 scope global secondary eth0:1\n",
        );
        let lo = serde_json::to_string(&Data::from(all["lo"].clone())).unwrap();
        assert_eq!(
            lo,
            r#"{"up":true,"hwaddr":"00:00:00:00:00:00","inet":[{"address":"127.0.0.1","netmask":"255.0.0.0","broadcast":null,"label":"lo"}],"inet6":[{"address":"::1","prefixlen":"128","scope":"host"}]}"#
        );
        let eth0 = serde_json::to_string(&Data::from(all["eth0"].clone())).unwrap();
        assert_eq!(
            eth0,
            r#"{"up":false,"parent":"if8","secondary":[{"type":"inet","address":"10.0.0.5","netmask":"255.255.255.0","broadcast":"10.0.0.255","label":"eth0:1"}]}"#
        );
    }
}
