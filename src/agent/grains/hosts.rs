//! The host's names, and what names and addresses stand for, by `/etc/hosts`.
//!
//! Salt asks the resolver, which asks name servers: a dead one makes it wait half a minute. Here nothing
//! is asked: a host whose full name only a name server knows has its short name as `fqdn`, no `domain`,
//! and no `fqdn_ip4` unless its resolver answers for its own name.

use std::net::IpAddr;

use super::Grains;
use super::network::Interface;
use super::tree::Tree;

pub(super) fn add(grains: &mut Grains, tree: &Tree, interfaces: &[Interface]) {
    let own = grains.text("nodename").to_owned();
    let text = tree.text("/etc/hosts").unwrap_or_default();
    let hosts = Hosts::parse(&text);
    let fqdn = hosts.canonical(&own).unwrap_or(&own).to_owned();
    let fqdn = if fqdn.is_empty() { "localhost.localdomain".to_owned() } else { fqdn };
    let v4 = interfaces.iter().flat_map(|interface| interface.all_v4().map(IpAddr::from));
    let v6 = interfaces.iter().flat_map(|interface| interface.v6.iter().copied().map(IpAddr::from));
    let addresses: Vec<IpAddr> = v4.chain(v6).collect();

    let mut known = hosts.addresses(&fqdn);
    // That module of the resolver answers for the host's own name, where nothing ahead of it does.
    let answers_itself = tree.text("/etc/nsswitch.conf").is_some_and(|text| {
        text.lines().any(|line| line.trim_start().starts_with("hosts:") && line.contains("myhostname"))
    });
    if known.is_empty() && answers_itself && fqdn == own {
        known = addresses.iter().copied().filter(|address| !is_local(*address)).collect();
    }
    // Salt gives them in no order; formulas take the first, and want one that others can reach.
    known.sort_by_key(IpAddr::is_loopback);
    for (grain, wanted) in [("fqdn_ip4", IpAddr::is_ipv4 as fn(&IpAddr) -> bool), ("fqdn_ip6", IpAddr::is_ipv6)] {
        // As in Salt: nothing is looked up in a family that the host has no address of.
        let has_family = addresses.iter().any(wanted);
        let texts: Vec<String> =
            known.iter().filter(|known| has_family && wanted(known)).map(ToString::to_string).collect();
        grains.set(grain, texts);
    }
    // Salt does not look for more names unless its configuration asks for them.
    grains.set("fqdns", Vec::<String>::new());
    // Where a minion once was, its name stays.
    let minion = tree.trimmed("/etc/salt/minion_id").filter(|id| !id.is_empty());
    grains.set("id", minion.unwrap_or_else(|| own_id(&hosts, &own)));
    grains.set("localhost", own);
    let (host, domain) = fqdn.split_once('.').unwrap_or((&fqdn, ""));
    grains.set("host", host);
    grains.set("domain", domain);
    grains.set("fqdn", fqdn);
}

/// The name that Salt gives a host which nobody gave one.
fn own_id(hosts: &Hosts, own: &str) -> String {
    let named = |name: &&str| !name.is_empty() && !name.starts_with("localhost");
    hosts.full(own).into_iter().chain([own]).find(named).unwrap_or("localhost").to_owned()
}

/// Whether an address is of no use to other hosts.
fn is_local(address: IpAddr) -> bool {
    address.is_loopback() || matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

/// The lines of `hosts(5)`: an address, its name, other names.
struct Hosts<'a>(Vec<(IpAddr, Vec<&'a str>)>);

impl<'a> Hosts<'a> {
    fn parse(text: &'a str) -> Self {
        let line = |line: &'a str| {
            let mut words = line.split('#').next()?.split_whitespace();
            let address = words.next()?.parse().ok()?;
            Some((address, words.collect::<Vec<_>>())).filter(|(_, names)| !names.is_empty())
        };
        Self(text.lines().filter_map(line).collect())
    }

    fn lines_with(&self, name: &str) -> impl Iterator<Item = &(IpAddr, Vec<&'a str>)> {
        self.0.iter().filter(move |(_, names)| names.iter().any(|known| known.eq_ignore_ascii_case(name)))
    }

    /// The first name of the first line that has the name.
    fn canonical(&self, name: &str) -> Option<&'a str> {
        self.lines_with(name).find_map(|(_, names)| names.first().copied())
    }

    fn addresses(&self, name: &str) -> Vec<IpAddr> {
        let mut found = Vec::new();
        for (address, _) in self.lines_with(name) {
            if !found.contains(address) {
                found.push(*address);
            }
        }
        found
    }

    /// The full name: of the names in the line of a name, the first with a dot, else the first
    /// (`socket.getfqdn` in Python's documentation).
    fn full(&self, name: &str) -> Option<&'a str> {
        let (_, names) = self.lines_with(name).next()?;
        names.iter().find(|name| name.contains('.')).or(names.first()).copied()
    }
}
