//! The functions of `network.*` that only compute with the addresses they are given.

use std::net::IpAddr;

use ipnet::IpNet;
use minijinja::{Error, Value};

use super::super::Context;
use super::super::value::{dict, items, list, text};
use super::arguments::Default::{None, Required};
use super::arguments::{Arguments, Signature, takes, wrong};
use super::{Function, recordable};

const ADDRESS: Signature = takes(&[("ip_addr", Required)]);

pub(super) const FUNCTIONS: &[Function] = &[
    recordable("network.is_private", ADDRESS, |_, arguments| {
        Ok(Value::from(is_private(address(&arguments.text("ip_addr")?)?)))
    }),
    recordable("network.is_loopback", ADDRESS, |_, arguments| {
        Ok(Value::from(address(&arguments.text("ip_addr")?)?.is_loopback()))
    }),
    recordable("network.ip_in_subnet", takes(&[("ip_addr", Required), ("cidr", Required)]), ip_in_subnet),
    recordable("network.calc_net", takes(&[("ip_addr", Required), ("netmask", None)]), |_, arguments| {
        Ok(Value::from(calculated(arguments)?.to_string()))
    }),
    recordable("network.convert_cidr", takes(&[("cidr", Required)]), |_, arguments| {
        let network = loose_network(&arguments.text("cidr")?)?;
        let parts = [
            ("network", network.network().to_string()),
            ("netmask", network.netmask().to_string()),
            ("broadcast", network.broadcast().to_string()),
        ];
        Ok(dict(parts.map(|(key, value)| (key.into(), value.into()))))
    }),
];

fn address(text: &str) -> Result<IpAddr, Error> {
    text.parse().map_err(|_| wrong(format!("'{text}' does not appear to be an IPv4 or IPv6 address")))
}

fn calculated(arguments: &Arguments) -> Result<IpNet, Error> {
    let address = arguments.text("ip_addr")?;
    match arguments.some("netmask") {
        Some(netmask) => loose_network(&format!("{address}/{}", text(netmask))),
        Option::None => loose_network(&address),
    }
}

/// A network that may be written with an address within it, a netmask, or no length at all.
fn loose_network(text: &str) -> Result<IpNet, Error> {
    let wrong = || wrong(format!("'{text}' does not appear to be an IPv4 or IPv6 network"));
    let Some((address, length)) = text.split_once('/') else {
        return text.parse::<IpAddr>().map(IpNet::from).map_err(|_| wrong());
    };
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let network = match (length.parse::<u8>(), length.parse::<IpAddr>()) {
        (Ok(length), _) => IpNet::new(address, length),
        (_, Ok(mask)) => IpNet::with_netmask(address, mask).or_else(|_| match mask {
            // A mask of the host's bits, as routers have it.
            IpAddr::V4(mask) => IpNet::with_netmask(address, IpAddr::V4((!mask.to_bits()).into())),
            IpAddr::V6(_) => IpNet::with_netmask(address, mask),
        }),
        _ => return Err(wrong()),
    };
    network.map(|network| network.trunc()).map_err(|_| wrong())
}

/// Whether one of the addresses is in a network; a network with bits beyond its length is none.
fn ip_in_subnet(_: &Context, arguments: &Arguments) -> Result<Value, Error> {
    let cidr = arguments.text("cidr")?;
    let Ok(network) = loose_network(&cidr) else { return Ok(Value::from(false)) };
    let has_host_bits = cidr.split('/').next().and_then(|address| address.parse().ok()) != Some(network.network());
    if has_host_bits {
        return Ok(Value::from(false));
    }
    let given = arguments.get("ip_addr");
    let given = if super::super::value::is_list(given) { given.clone() } else { list(vec![given.clone()]) };
    for given in items(&given)? {
        if network.contains(&address(&text(&given))?) {
            return Ok(Value::from(true));
        }
    }
    Ok(Value::from(false))
}

/// Python's `is_private`: what the registries of special addresses do not call globally reachable.
pub(in crate::formula) fn is_private(address: IpAddr) -> bool {
    const PRIVATE: &[&str] = &[
        "0.0.0.0/8",
        "10.0.0.0/8",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "240.0.0.0/4",
        "255.255.255.255/32",
        "::1/128",
        "::/128",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
        "fc00::/7",
        "fe80::/10",
    ];
    const PUBLIC: &[&str] = &[
        "192.0.0.9/32",
        "192.0.0.10/32",
        "2001:1::1/128",
        "2001:1::2/128",
        "2001:3::/32",
        "2001:4:112::/48",
        "2001:20::/28",
        "2001:30::/28",
    ];
    let address = match address {
        IpAddr::V6(six) => six.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    };
    let is_in = |networks: &[&str]| {
        networks.iter().filter_map(|network| network.parse::<IpNet>().ok()).any(|network| network.contains(&address))
    };
    is_in(PRIVATE) && !is_in(PUBLIC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_computed_as_by_python() {
        for (given, wanted) in [
            ("10.1.2.3/24", "10.1.2.0/24"),
            ("10.1.2.3/255.255.0.0", "10.1.0.0/16"),
            ("10.1.2.3/0.0.0.255", "10.1.2.0/24"),
            ("10.1.2.3", "10.1.2.3/32"),
            ("2001:db8::1/64", "2001:db8::/64"),
        ] {
            assert_eq!(loose_network(given).unwrap().to_string(), wanted);
        }
        assert!(loose_network("10.1.2.3/33").is_err());
    }

    #[test]
    fn private_addresses_are_pythons() {
        for (given, wanted) in [("10.0.0.1", true), ("8.8.8.8", false), ("100.64.0.1", false), ("fe80::1", true)] {
            assert_eq!(is_private(given.parse().unwrap()), wanted, "{given}");
        }
    }
}
