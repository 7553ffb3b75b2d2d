//! The grain `dns`: what `resolv.conf(5)` says, each address and option once.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::json;

use super::Grains;
use super::tree::Tree;

pub(super) fn add(grains: &mut Grains, tree: &Tree) {
    // Behind systemd's own server are the real ones.
    let real = "/run/systemd/resolve/resolv.conf";
    let path = if tree.exists(real) { real } else { "/etc/resolv.conf" };
    let Some(text) = tree.text(path) else { return };
    let mut servers: Vec<(IpAddr, String)> = Vec::new();
    let (mut domain, mut search, mut options, mut sortlist) = ("", Vec::new(), Vec::new(), Vec::new());
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let Some(directive) = words.next() else { continue };
        let arguments: Vec<&str> = words.take_while(|word| !word.starts_with(['#', ';'])).collect();
        match (directive.to_lowercase().as_str(), arguments.as_slice()) {
            ("nameserver", [address, ..]) => servers.extend(server(address)),
            ("domain", [name, ..]) => domain = name,
            ("search", names) => search = names.to_vec(),
            ("options", [option, ..]) => options.push(*option),
            ("sortlist", networks) => sortlist.extend(networks.iter().filter_map(|network| with_mask(network))),
            _ => {}
        }
    }
    let of = |wanted: fn(&IpAddr) -> bool| {
        once(servers.iter().filter(|(address, _)| wanted(address)).map(|(_, text)| text.clone()))
    };
    grains.set(
        "dns",
        json!({
            "nameservers": of(|_| true),
            "ip4_nameservers": of(IpAddr::is_ipv4),
            "ip6_nameservers": of(IpAddr::is_ipv6),
            "sortlist": once(sortlist.into_iter()),
            "domain": domain,
            "search": search,
            "options": once(options.into_iter().map(Into::into)),
        }),
    );
}

/// An address and its usual text. A local one may name its interface, `fe80::1%eth0`.
fn server(text: &str) -> Option<(IpAddr, String)> {
    let (address, scope) = text.split_at(text.find('%').unwrap_or(text.len()));
    let address: IpAddr = address.parse().ok()?;
    Some((address, format!("{address}{scope}")))
}

fn once(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut found = Vec::new();
    for text in texts {
        if !found.contains(&text) {
            found.push(text);
        }
    }
    found
}

/// A network with its mask written out; one without is as long as its class.
fn with_mask(network: &str) -> Option<String> {
    let (address, mask) = network.split_once('/').map_or((network, None), |(address, mask)| (address, Some(mask)));
    let address: Ipv4Addr = address.parse().ok()?;
    let mask = match mask {
        Some(mask) if mask.contains('.') => mask.parse().ok()?,
        Some(length) => of_length(length.parse().ok()?)?,
        None => of_length(match address.octets()[0] {
            0..128 => 8,
            128..192 => 16,
            _ => 24,
        })?,
    };
    Some(format!("{}/{mask}", Ipv4Addr::from(u32::from(address) & u32::from(mask))))
}

fn of_length(length: u32) -> Option<Ipv4Addr> {
    (length <= 32).then(|| Ipv4Addr::from(u32::MAX.checked_shl(32 - length).unwrap_or(0)))
}
