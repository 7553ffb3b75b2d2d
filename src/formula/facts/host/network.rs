//! `network.*`: names, addresses and routes of the host.

use std::net::IpAddr;

use ipnet::IpNet;

use super::interfaces::{addresses, all, as_data};
use super::{Answer, Function, command, failed, function, mapping, process, texts};
use crate::formula::template::functions::arguments::Default::{Bool, None, Required};
use crate::formula::template::functions::arguments::{Arguments, Signature, takes};
use crate::formula::template::functions::network::is_private;
use crate::formula::template::value::{is_list, items, text};
use crate::formula::{Data, fnmatch};

const ADDRESSES: Signature =
    takes(&[("interface", None), ("include_loopback", Bool(false)), ("cidr", None), ("type", None)]);
const ADDRESSES_6: Signature = takes(&[("interface", None), ("include_loopback", Bool(false)), ("cidr", None)]);
const INTERFACE: Signature = takes(&[("iface", Required)]);
const FAMILY: Signature = takes(&[("family", None)]);
const SUBNETS: Signature = takes(&[("interfaces", None)]);

pub(super) const FUNCTIONS: &[Function] = &[
    function("network.get_hostname", takes(&[]), |_| Ok(hostname().into())),
    function("network.get_fqdn", takes(&[]), |_| Ok(full_name().into())),
    function("network.interfaces", takes(&[]), |_| Ok(as_data(all()))),
    function("network.interface", INTERFACE, |arguments| of_interface(arguments, "inet")),
    function("network.hw_addr", INTERFACE, |arguments| of_interface(arguments, "hwaddr")),
    function("network.hwaddr", INTERFACE, |arguments| of_interface(arguments, "hwaddr")),
    function("network.interface_ip", INTERFACE, |arguments| {
        let found = of_interface(arguments, "inet")?;
        match found.as_list() {
            Some(addresses) => {
                let first = addresses.first().and_then(|first| first.get("address"));
                Ok(first.cloned().unwrap_or_else(|| "".into()))
            }
            Option::None => Ok(found),
        }
    }),
    function("network.ip_addrs", ADDRESSES, |arguments| ip_addresses(arguments, "inet")),
    function("network.ipaddrs", ADDRESSES, |arguments| ip_addresses(arguments, "inet")),
    function("network.ip_addrs6", ADDRESSES_6, |arguments| ip_addresses(arguments, "inet6")),
    function("network.ipaddrs6", ADDRESSES_6, |arguments| ip_addresses(arguments, "inet6")),
    function("network.subnets", SUBNETS, |arguments| subnets(arguments, "inet", "netmask")),
    function("network.subnets6", SUBNETS, |arguments| subnets(arguments, "inet6", "prefixlen")),
    function("network.in_subnet", takes(&[("cidr", Required)]), |arguments| {
        let Ok(network) = arguments.text("cidr")?.parse::<IpNet>() else { return Ok(false.into()) };
        let found = all();
        let mut own = found.values().flat_map(|one| [addresses(one, "inet"), addresses(one, "inet6")].concat());
        Ok(own.any(|(address, _)| !address.is_loopback() && network.contains(&address)).into())
    }),
    function("network.default_route", FAMILY, default_route),
];

fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The first name with a dot that this host's address has, else the host's own first name.
fn full_name() -> String {
    let name = hostname();
    let addresses = process::said("getent", &["ahosts", &name]).unwrap_or_default();
    let address = addresses.split_whitespace().next().map(str::to_owned);
    let known = address.and_then(|address| process::said("getent", &["hosts", &address])).unwrap_or_default();
    let mut names = known.split_whitespace().skip(1).peekable();
    let first = names.peek().map_or_else(|| name.clone(), |first| (*first).to_owned());
    names.find(|name| name.contains('.')).map_or(first, str::to_owned)
}

fn of_interface(arguments: &Arguments, key: &str) -> Answer {
    let name = arguments.text("iface")?;
    let interfaces = all();
    let Some(interface) = interfaces.get(&name) else {
        let known: Vec<String> = interfaces.keys().map(|name| format!("\"{name}\"")).collect();
        return Ok(format!("Interface \"{name}\" not in available interfaces: {}", known.join(", ")).into());
    };
    Ok(interface.get(key).cloned().unwrap_or_else(|| "".into()))
}

fn ip_addresses(arguments: &Arguments, family: &str) -> Answer {
    let pattern = arguments.some("interface").map(text);
    let with_loopback = arguments.is_true("include_loopback")?;
    let cidr = arguments.some("cidr").filter(|cidr| cidr.is_true()).map(text);
    let kind = arguments.some("type").filter(|kind| !kind.is_undefined()).map(text);
    let interfaces = all();
    let wanted =
        interfaces.iter().filter(|(name, _)| pattern.as_ref().is_none_or(|wanted| fnmatch::is_match(wanted, name)));
    let mut found: Vec<IpAddr> =
        wanted.flat_map(|(_, interface)| addresses(interface, family)).map(|(address, _)| address).collect();
    found.retain(|address| with_loopback || !address.is_loopback());
    match (cidr, kind.as_deref()) {
        (Some(cidr), _) => {
            let network: Option<IpNet> = cidr.parse().ok();
            found.retain(|address| network.is_some_and(|network| network.contains(address)));
        }
        (_, Some("public")) => found.retain(|address| !is_private(*address)),
        (_, Some("private")) => found.retain(|address| is_private(*address)),
        _ => {}
    }
    found.sort();
    found.dedup();
    Ok(texts(found.iter().map(ToString::to_string)))
}

fn subnets(arguments: &Arguments, family: &str, length: &str) -> Answer {
    let wanted: Option<Vec<String>> = match arguments.some("interfaces") {
        Option::None => Option::None,
        Some(names) if is_list(names) => Some(items(names)?.iter().map(text).collect()),
        Some(name) => Some(vec![text(name)]),
    };
    let mut networks: Vec<IpNet> = Vec::new();
    for (name, interface) in all() {
        if wanted.as_ref().is_some_and(|wanted| !wanted.contains(&name)) {
            continue;
        }
        for (address, found) in addresses(&interface, family) {
            let length = found.get(length).and_then(Data::as_str).unwrap_or_default();
            let network = match (length.parse::<u8>(), length.parse::<IpAddr>()) {
                (Ok(length), _) => IpNet::new(address, length).ok(),
                (_, Ok(mask)) => IpNet::with_netmask(address, mask).ok(),
                _ => Some(IpNet::from(address)),
            };
            networks.extend(network.filter(|_| !address.is_loopback()).map(|network| network.trunc()));
        }
    }
    networks.sort();
    networks.dedup();
    Ok(texts(networks.iter().map(ToString::to_string)))
}

fn default_route(arguments: &Arguments) -> Answer {
    let family = arguments.some("family").map(text);
    if family.as_deref().is_some_and(|family| family != "inet" && family != "inet6") {
        return failed(format!("Invalid address family {}", family.unwrap_or_default()));
    }
    let routes = if command::which("netstat").is_some() { of_netstat() } else { of_ip() };
    let is_wanted = |route: &Route| {
        let is_default = matches!(route.destination.as_str(), "0.0.0.0" | "::/0" | "default");
        is_default && family.as_deref().is_none_or(|family| family == route.family)
    };
    Ok(routes.iter().filter(|route| is_wanted(route)).map(Route::as_data).collect())
}

/// A line of the routing table.
struct Route {
    family: &'static str,
    destination: String,
    gateway: String,
    netmask: String,
    flags: String,
    interface: String,
}

impl Route {
    /// A route of `columns`: destination, gateway, netmask, flags and interface.
    fn new(family: &'static str, columns: [&str; 5]) -> Self {
        let [destination, gateway, netmask, flags, interface] = columns.map(str::to_owned);
        Self { family, destination, gateway, netmask, flags, interface }
    }

    fn as_data(&self) -> Data {
        mapping([
            ("addr_family", self.family.into()),
            ("destination", self.destination.as_str().into()),
            ("gateway", self.gateway.as_str().into()),
            ("netmask", self.netmask.as_str().into()),
            ("flags", self.flags.as_str().into()),
            ("interface", self.interface.as_str().into()),
        ])
    }
}

/// The table as `netstat` prints it, which Salt asks first.
fn of_netstat() -> Vec<Route> {
    let mut routes = Vec::new();
    for family in ["inet", "inet6"] {
        let said = process::said("netstat", &["-A", family, "-rn"]).unwrap_or_default();
        for line in said.lines().skip(2) {
            let columns: Vec<&str> = line.split_whitespace().collect();
            routes.extend(match (family, columns.as_slice()) {
                ("inet", [to, gateway, mask, flags, _, _, _, interface, ..]) => {
                    Some(Route::new("inet", [to, gateway, mask, flags, interface]))
                }
                ("inet6", [to, gateway, flags, _, _, interface] | [to, gateway, flags, _, _, _, interface]) => {
                    Some(Route::new("inet6", [to, gateway, "", flags, interface]))
                }
                _ => Option::None,
            });
        }
    }
    routes
}

/// The default routes as `ip` prints them.
fn of_ip() -> Vec<Route> {
    let mut routes = Vec::new();
    for (family, option, table, destination, netmask) in
        [("inet", "-4", "main", "0.0.0.0", "0.0.0.0"), ("inet6", "-6", "all", "::/0", "")]
    {
        let said = process::said("ip", &[option, "route", "show", "table", table]).unwrap_or_default();
        for line in said.lines() {
            let columns: Vec<&str> = line.split_whitespace().collect();
            if let ["default", _, gateway, rest @ ..] = columns.as_slice() {
                let interface = match rest {
                    ["dev", interface, ..] => interface,
                    _ => "",
                };
                routes.push(Route::new(family, [destination, gateway, netmask, "UG", interface]));
            }
        }
    }
    routes
}
