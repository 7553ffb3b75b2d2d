//! Salt's filters of addresses and networks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use minijinja::value::ValueKind;
use minijinja::{Error, Value};

use super::arguments::{Args, Run, string, wrong};
use super::generator::is_generator;
use crate::formula::template::number_text::int;
use crate::formula::template::value::{dict, entries, is_list, is_mapping, items, list, text, type_name};

/// The filters, with their parameters.
pub(super) const FILTERS: &[(&str, &str, Run)] = &[
    ("filter_by_networks", "values networks", filter_by_networks),
    ("ip_host", "value options? version?", |args| of_each(args, |interface| Ok(Value::from(interface.to_string())))),
    ("ipaddr", "value options?", |args| Ok(ipaddr(&args.defined()?, args.str("options")?)?.unwrap_or(Value::from(())))),
    ("ipv4", "value options?", |args| Ok(of_version(&args.defined()?, 4, args.str("options")?)?.unwrap_or(Value::from(())))),
    ("ipv6", "value options?", |args| Ok(of_version(&args.defined()?, 6, args.str("options")?)?.unwrap_or(Value::from(())))),
    ("ipwrap", "data", ipwrap),
    ("is_ip", "ip_addr options?", |args| Ok(Value::from(is_ip(args, 4)? || is_ip(args, 6)?))),
    ("is_ipv4", "ip_addr options?", |args| is_ip(args, 4).map(Value::from)),
    ("is_ipv6", "ip_addr options?", |args| is_ip(args, 6).map(Value::from)),
    ("network_hosts", "value options? version?", |args| of_each(args, hosts)),
    ("network_size", "value options? version?", |args| of_each(args, size)),
];

/// The most hosts that are listed.
const MOST_HOSTS: u128 = 1 << 17;

/// An address, or one with the length of its network's prefix.
#[derive(Debug, Clone, Copy)]
struct Found {
    address: IpAddr,
    prefix: Option<u8>,
}

/// A dotted or colon-ed address, or the number of one, as Python's `ip_address` takes them.
fn address(value: &Value) -> Option<IpAddr> {
    if let Some(text) = value.as_str() {
        return text.parse().ok();
    }
    if value.kind() == ValueKind::Bytes {
        let bytes = value.as_bytes()?;
        let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
        return four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok();
    }
    let number = u128::try_from(super::arguments::index(value).ok()?).ok()?;
    Some(u32::try_from(number).map_or_else(|_| Ipv6Addr::from(number).into(), |number| Ipv4Addr::from(number).into()))
}

impl Found {
    /// Reads an address, a slash, and the length of a prefix, or for version 4 the mask that stands for it.
    fn read(value: &Value) -> Option<Self> {
        if let Some(address) = address(value) {
            return Some(Self { address, prefix: None });
        }
        let (host, mask) = value.as_str()?.split_once('/')?;
        let address: IpAddr = host.parse().ok()?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let is_number = !mask.is_empty() && mask.bytes().all(|digit| digit.is_ascii_digit());
        let prefix = match (is_number, address) {
            (true, _) => mask.parse().ok().filter(|prefix| *prefix <= bits)?,
            (false, IpAddr::V4(_)) => prefix_of(mask.parse().ok()?)?,
            (false, IpAddr::V6(_)) => return None,
        };
        Some(Self { address, prefix: Some(prefix) })
    }

    fn network(self) -> Result<IpNet, Error> {
        let bits = if self.address.is_ipv4() { 32 } else { 128 };
        IpNet::new(self.address, self.prefix.unwrap_or(bits)).map_err(|error| wrong(error.to_string()))
    }

    fn version(self) -> u8 {
        if self.address.is_ipv4() { 4 } else { 6 }
    }

    /// The text of it, if it is of this version and all that the options ask for.
    fn text_if(self, version: u8, options: Option<&str>) -> Option<String> {
        let mut wanted = options.unwrap_or_default().split(',').map(str::trim);
        let text = self.prefix.map_or_else(|| self.address.to_string(), |prefix| format!("{}/{prefix}", self.address));
        (self.version() == version && wanted.all(|option| self.is(option))).then_some(text)
    }

    /// Whether an option holds; one that Salt does not know always does.
    fn is(self, option: &str) -> bool {
        let Ok(network) = self.network() else { return false };
        // Of an interface of version 6 these ask for the network as well.
        let is_alone = self.address.is_ipv4() || network.prefix_len() == 128;
        match option {
            "global" | "public" => !is_private(self.address),
            "private" => is_private(self.address),
            "multicast" => self.address.is_multicast(),
            "loopback" | "lo" => self.address.is_loopback() && is_alone,
            "unspecified" => self.address.is_unspecified() && is_alone,
            "link-local" | "linklocal" | "ll" | "link_local" => is_in(self.address, &["169.254.0.0/16", "fe80::/10"]),
            "reserved" => is_in(self.address, RESERVED),
            "site-local" | "sl" | "site_local" => is_in(self.address, &["fec0::/10"]),
            _ => true,
        }
    }
}

/// The length of the prefix that a mask, or its complement, stands for.
fn prefix_of(mask: Ipv4Addr) -> Option<u8> {
    let bits = u32::from(mask);
    let prefix = if bits.leading_ones() + bits.trailing_zeros() == 32 {
        bits.leading_ones()
    } else if bits.leading_zeros() + bits.trailing_ones() == 32 {
        bits.leading_zeros()
    } else {
        return None;
    };
    u8::try_from(prefix).ok()
}

/// What the registries of special addresses call private, as Python 3.11 has them.
const PRIVATE: &[&str] = &[
    "0.0.0.0/8", "10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/29", "192.0.0.170/31",
    "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4", "::1/128",
    "::/128", "100::/64", "2001::/23", "2001:db8::/32", "fc00::/7", "fe80::/10",
];

/// What is set aside: all of version 6 but the blocks that are given out, link-local and multicast.
const RESERVED: &[&str] = &[
    "240.0.0.0/4", "::/8", "100::/8", "200::/7", "400::/6", "800::/5", "1000::/4", "4000::/3", "6000::/3", "8000::/3",
    "a000::/3", "c000::/3", "e000::/4", "f000::/5", "f800::/6", "fe00::/9",
];

fn is_in(address: IpAddr, networks: &[&str]) -> bool {
    networks.iter().filter_map(|network| network.parse::<IpNet>().ok()).any(|network| network.contains(&address))
}

fn is_private(address: IpAddr) -> bool {
    let mapped = match address {
        IpAddr::V6(six) => six.to_ipv4_mapped().map(IpAddr::V4),
        IpAddr::V4(_) => None,
    };
    is_in(mapped.unwrap_or(address), PRIVATE)
}

fn is_ip(args: &Args, version: u8) -> Result<bool, Error> {
    let options = args.str("options")?;
    Ok(Found::read(&args.defined()?).is_some_and(|found| found.text_if(version, options).is_some()))
}

fn is_row(value: &Value) -> bool {
    is_list(value) || value.is_tuple() || is_generator(value)
}

/// The addresses of one version: of text the text or nothing, of a list those that are.
fn of_version(value: &Value, version: u8, options: Option<&str>) -> Result<Option<Value>, Error> {
    let one = |value: &Value| Found::read(value)?.text_if(version, options).map(Value::from);
    if matches!(value.kind(), ValueKind::String | ValueKind::Bytes) {
        return Ok(one(value));
    }
    if !is_row(value) {
        return Ok(None);
    }
    Ok(Some(list(items(value)?.iter().filter_map(one).collect())))
}

fn ipaddr(value: &Value, options: Option<&str>) -> Result<Option<Value>, Error> {
    if is_row(value) {
        let row = list(items(value)?);
        let mut all = of_version(&row, 4, options)?.map_or(Ok(Vec::new()), |four| items(&four))?;
        all.extend(of_version(&row, 6, options)?.map_or(Ok(Vec::new()), |six| items(&six))?);
        return Ok(Some(list(all)));
    }
    Ok(of_version(value, 4, options)?.or(of_version(value, 6, options)?))
}

/// Does something with the network of every address; of a list it is a list.
fn of_each(args: &Args, each: fn(IpNet) -> Result<Value, Error>) -> Result<Value, Error> {
    let value = args.defined()?;
    let options = args.str("options")?;
    let filtered = match args.some("version").and_then(|version| version.as_i64()) {
        None | Some(0) => ipaddr(&value, options)?,
        Some(4) => of_version(&value, 4, options)?,
        Some(6) => of_version(&value, 6, options)?,
        Some(_) => None,
    };
    let Some(filtered) = filtered else { return Ok(Value::from(())) };
    let network = |value: &Value| Found::read(value).map_or_else(|| Err(wrong("not an address")), Found::network);
    if filtered.as_str().is_some() {
        return each(network(&filtered)?);
    }
    let row = items(&filtered)?;
    if row.is_empty() {
        return Ok(Value::from(()));
    }
    row.iter().map(|value| each(network(value)?)).collect::<Result<_, _>>().map(list)
}

fn hosts(network: IpNet) -> Result<Value, Error> {
    let count = 1_u128.checked_shl(u32::from(network.max_prefix_len() - network.prefix_len())).unwrap_or(u128::MAX);
    if count > MOST_HOSTS {
        return Err(wrong(format!("network_hosts: {network} has more than {MOST_HOSTS} addresses")));
    }
    let addresses: Vec<Value> = match network {
        IpNet::V4(four) => four_hosts(four),
        IpNet::V6(six) => six_hosts(six),
    };
    Ok(list(addresses))
}

/// All but the network's own address and that for all of its hosts, if there are more than two.
fn four_hosts(network: Ipv4Net) -> Vec<Value> {
    let (first, last) = (u32::from(network.network()), u32::from(network.broadcast()));
    let range = if network.prefix_len() < 31 { first + 1..=last - 1 } else { first..=last };
    range.map(|address| Value::from(Ipv4Addr::from(address).to_string())).collect()
}

/// All but the network's own address, which is that of its routers.
fn six_hosts(network: Ipv6Net) -> Vec<Value> {
    let (first, last) = (u128::from(network.network()), u128::from(network.broadcast()));
    let first = if network.prefix_len() < 127 { first + 1 } else { first };
    (first..=last).map(|address| Value::from(Ipv6Addr::from(address).to_string())).collect()
}

fn size(network: IpNet) -> Result<Value, Error> {
    let bits = u32::from(network.max_prefix_len() - network.prefix_len());
    let size = 1_i128.checked_shl(bits).filter(|_| bits < 127).ok_or_else(|| wrong("a number beyond 128 bits"))?;
    Ok(int(size))
}

fn filter_by_networks(args: &Args) -> Result<Value, Error> {
    let values = args.defined()?;
    let networks = super::arguments::defined(args.get("networks").cloned().unwrap_or_default())?;
    if networks.is_none() {
        return Ok(values);
    }
    let network = |value: &Value| {
        let invalid = || wrong(format!("'{}' does not appear to be an IPv4 or IPv6 network", text(value)));
        let network = Found::read(value).ok_or_else(invalid)?.network()?;
        let is_strict = Found::read(value).is_some_and(|found| found.address == network.network());
        if is_strict { Ok(network) } else { Err(wrong(format!("{} has host bits set", text(value)))) }
    };
    let networks = items(&networks)?.iter().map(network).collect::<Result<Vec<_>, Error>>()?;
    // An address that is in two of the networks comes twice, as in Salt.
    let filtered = |row: &Value| {
        let mut kept = Vec::new();
        for value in items(row)? {
            if networks.is_empty() {
                continue;
            }
            let invalid = || wrong(format!("'{}' does not appear to be an IPv4 or IPv6 address", text(&value)));
            let address = address(&value).ok_or_else(invalid)?;
            kept.extend(networks.iter().filter(|network| network.contains(&address)).map(|_| value.clone()));
        }
        Ok::<_, Error>(list(kept))
    };
    if is_mapping(&values) {
        let filtered = entries(&values).into_iter().map(|(key, row)| Ok((key, filtered(&row)?)));
        return filtered.collect::<Result<Vec<_>, Error>>().map(dict);
    }
    if is_list(&values) || values.is_tuple() || values.as_str().is_some() {
        return filtered(&values);
    }
    Err(wrong(format!("Do not know how to filter a {}", type_name(&values))))
}

/// Brackets around the addresses of version 6; anything else stays as it is.
fn ipwrap(args: &Args) -> Result<Value, Error> {
    let one = |value: &Value| {
        if Found::read(value).is_none_or(|found| found.address.is_ipv4()) {
            return Ok(value.clone());
        }
        let bare = string(value)?.trim_start_matches('[').trim_end_matches(']');
        let invalid = || wrong(format!("'{bare}' does not appear to be an IPv4 or IPv6 address"));
        let address: IpAddr = bare.parse().map_err(|_| invalid())?;
        Ok(Value::from(format!("[{address}]")))
    };
    let data = args.defined()?;
    if is_list(&data) || data.is_tuple() {
        return items(&data)?.iter().map(one).collect::<Result<_, Error>>().map(list);
    }
    one(&data)
}
