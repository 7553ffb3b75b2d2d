//! Grains of the network: interfaces, their addresses, and the way out.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::{Map, Value};

use super::Grains;
use super::tree::Tree;

/// Kinds of tunnels whose hardware address is an IPv4 address (`ARPHRD_*` in `linux/if_arp.h`).
const TUNNELS: [&str; 3] = ["768", "776", "778"];

/// A network interface.
#[derive(Debug, Default)]
pub(super) struct Interface {
    pub(super) name: String,
    /// Its hardware address, if its kind has one.
    pub(super) hardware: Option<String>,
    pub(super) v4: Vec<Ipv4Addr>,
    pub(super) v6: Vec<Ipv6Addr>,
    /// IPv4 addresses that lie in the network of one before them, which the kernel calls secondary.
    more_v4: Vec<Ipv4Addr>,
}

impl Interface {
    /// All IPv4 addresses.
    pub(super) fn all_v4(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.v4.iter().chain(&self.more_v4).copied()
    }
}

/// The host's interfaces in the kernel's order. Names and hardware addresses are read below the root,
/// addresses are always those of this machine.
pub(super) fn interfaces(tree: &Tree) -> Vec<Interface> {
    let mut found: Vec<(u64, Interface)> = Vec::new();
    for name in tree.names("/sys/class/net") {
        let field = |file: &str| tree.trimmed(&format!("/sys/class/net/{name}/{file}"));
        let Some(index) = field("ifindex").and_then(|text| text.parse().ok()) else { continue };
        let mut hardware = field("address").filter(|address| !address.is_empty());
        if field("type").is_some_and(|kind| TUNNELS.contains(&kind.as_str())) {
            hardware = hardware.map(|address| dotted(&address).unwrap_or(address));
        }
        found.push((index, Interface { name, hardware, ..Interface::default() }));
    }
    found.sort_unstable_by_key(|(index, _)| *index);
    let mut found: Vec<Interface> = found.into_iter().map(|(_, interface)| interface).collect();
    let mut networks: Vec<(usize, u32, u32)> = Vec::new();
    for entry in getifaddrs::getifaddrs().into_iter().flatten() {
        let Some(address) = entry.address.ip_addr() else { continue };
        // A second address may have a label of its own, `eth0:1`.
        let name = entry.name.split(':').next().unwrap_or_default();
        let at = found.iter().position(|interface| interface.name == name).unwrap_or_else(|| {
            found.push(Interface { name: name.into(), ..Interface::default() });
            found.len() - 1
        });
        let interface = &mut found[at];
        match (address, entry.address.netmask()) {
            (IpAddr::V4(address), Some(IpAddr::V4(mask))) => {
                let network = (at, u32::from(mask), u32::from(address) & u32::from(mask));
                let is_first = !networks.contains(&network);
                networks.push(network);
                if is_first { &mut interface.v4 } else { &mut interface.more_v4 }.push(address);
            }
            (IpAddr::V4(address), _) => interface.v4.push(address),
            (IpAddr::V6(address), _) => interface.v6.push(address),
        }
    }
    found
}

fn dotted(address: &str) -> Option<String> {
    let bytes: Vec<u8> = address.split(':').map(|byte| u8::from_str_radix(byte, 16).ok()).collect::<Option<_>>()?;
    Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).to_string())
}

pub(super) fn add(grains: &mut Grains, tree: &Tree, interfaces: &[Interface]) {
    let (mut hardware, mut all, mut v4, mut v6) = (Map::new(), Map::new(), Map::new(), Map::new());
    for interface in interfaces {
        let first = texts(&interface.v4);
        let of_v6 = texts(&interface.v6);
        let more = texts(&interface.more_v4);
        if let Some(address) = &interface.hardware {
            hardware.insert(interface.name.clone(), address.clone().into());
        }
        all.insert(interface.name.clone(), [first.clone(), of_v6.clone(), more.clone()].concat().into());
        v4.insert(interface.name.clone(), [first, more].concat().into());
        v6.insert(interface.name.clone(), of_v6.into());
    }
    grains.set("hwaddr_interfaces", hardware);
    grains.set("ip_interfaces", all);
    grains.set("ip4_interfaces", v4);
    grains.set("ip6_interfaces", v6);
    let v4: BTreeSet<Ipv4Addr> = interfaces.iter().flat_map(Interface::all_v4).collect();
    let v6: BTreeSet<Ipv6Addr> = interfaces.iter().flat_map(|interface| interface.v6.iter().copied()).collect();
    grains.set("ipv4", texts(&v4));
    grains.set("ipv6", texts(&v6));
    if tree.program("ip").is_some() {
        add_gateways(grains, tree);
    }
}

fn texts<'a, A: ToString + 'a>(addresses: impl IntoIterator<Item = &'a A>) -> Vec<Value> {
    addresses.into_iter().map(|address| address.to_string().into()).collect()
}

/// The default routes: the gateway's address, or `true` when the route is without one.
fn add_gateways(grains: &mut Grains, tree: &Tree) {
    let v4 = tree.text("/proc/net/route").and_then(|text| gateway_v4(&text));
    let v6 = tree.text("/proc/net/ipv6_route").and_then(|text| gateway_v6(&text));
    let value = |gateway: Option<IpAddr>| match gateway {
        None => false.into(),
        Some(address) if address.is_unspecified() => true.into(),
        Some(address) => Value::from(address.to_string()),
    };
    grains.set("ip_gw", v4.is_some() || v6.is_some());
    grains.set("ip4_gw", value(v4));
    grains.set("ip6_gw", value(v6));
}

/// A route that refuses (`RTF_REJECT` in `linux/route.h`).
const REJECTS: u32 = 0x200;

fn gateway_v4(routes: &str) -> Option<IpAddr> {
    routes.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| u32::from_str_radix(fields.get(at)?, 16).ok();
        let is_default = number(1)? == 0 && number(7)? == 0 && number(3)? & REJECTS == 0;
        // The kernel prints the bytes of an address as one number of the machine.
        is_default.then_some(number(2)?).map(|gateway| Ipv4Addr::from(gateway.to_ne_bytes()).into())
    })
}

fn gateway_v6(routes: &str) -> Option<IpAddr> {
    let defaults = routes.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| u32::from_str_radix(fields.get(at)?, 16).ok();
        let is_default = number(1)? == 0
            && fields.first()?.bytes().all(|digit| digit == b'0')
            && *fields.get(9)? != "lo"
            && number(8)? & REJECTS == 0;
        let gateway = Ipv6Addr::from(u128::from_str_radix(fields.get(4)?, 16).ok()?);
        is_default.then_some((number(5)?, IpAddr::from(gateway)))
    });
    defaults.min_by_key(|(metric, _)| *metric).map(|(_, gateway)| gateway)
}
