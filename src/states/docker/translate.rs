//! What an SLS says of a container, in the words of the daemon.

use std::ops::RangeInclusive;

use crate::formula::{Data, Dict};
use crate::states::arguments::text;
use crate::states::returns::dict;

/// The shape of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Flag,
    Number,
    /// A number of bytes, such as `512m`.
    Bytes,
    /// A command line, or the words of one.
    Words,
    /// A list, or texts with commas between.
    List,
    /// Capabilities, with or without `CAP_`.
    Capabilities,
    /// `name: value`, `name=value`, or a list of those; the daemon has a mapping.
    Map,
    /// The same; the daemon has a list of `name=value`.
    Variables,
    /// The same with a colon: `name:address`.
    Hosts,
    /// Keys of a mapping whose values say nothing.
    Keys,
    /// `80/udp`.
    Ports,
    /// `127.0.0.1:8080:80/tcp`.
    Bindings,
    /// `always`, `on-failure:5`.
    Restart,
    /// `/dev/net/tun:/dev/tun:rwm`.
    Devices,
    /// `/run:size=1m`.
    Mounts,
    /// `nofile=1024:2048`.
    Limits,
}

/// A setting as the daemon has it.
pub(super) fn translated(kind: Kind, given: &Data) -> Result<Data, String> {
    let plain = || text(given).ok_or_else(|| format!("it has to be text, not a {}", given.type_name()));
    Ok(match kind {
        Kind::Text => plain()?.into(),
        Kind::Flag => given.is_true().into(),
        Kind::Number => plain()?.trim().parse::<i64>().map_err(|_| "it has to be a whole number")?.into(),
        Kind::Bytes => bytes(&plain()?)?.into(),
        Kind::Words if matches!(given, Data::List(_)) => items(given)?.into_iter().map(Data::from).collect(),
        Kind::Words => {
            let words = shlex::split(&plain()?).ok_or("its quotes do not match")?;
            words.into_iter().map(Data::from).collect()
        }
        Kind::List => items(given)?.into_iter().map(Data::from).collect(),
        Kind::Capabilities => items(given)?.iter().map(|name| Data::from(capability(name))).collect(),
        Kind::Map => mapping(pairs(given, '=')?),
        Kind::Mounts => mapping(pairs(given, ':')?),
        Kind::Variables => {
            pairs(given, '=')?.into_iter().map(|(name, value)| Data::from(format!("{name}={value}"))).collect()
        }
        Kind::Hosts => {
            pairs(given, ':')?.into_iter().map(|(name, value)| Data::from(format!("{name}:{value}"))).collect()
        }
        Kind::Keys => keys(items(given)?),
        Kind::Ports => {
            let given = items(given)?;
            let ports = given.iter().map(|ports| Ports::of(ports)).collect::<Result<Vec<_>, _>>()?;
            keys(ports.iter().flat_map(Ports::names).collect())
        }
        Kind::Bindings => bindings(&items(given)?)?,
        Kind::Restart => restart(&plain()?)?,
        Kind::Devices => items(given)?.iter().map(|device| device_of(device)).collect(),
        Kind::Limits => items(given)?.iter().map(|limit| limit_of(limit)).collect::<Result<Vec<_>, _>>()?.into(),
    })
}

/// The items of a list, or of a text with commas between.
pub(super) fn items(given: &Data) -> Result<Vec<String>, String> {
    match given {
        Data::List(items) => {
            items.iter().map(|item| text(item).ok_or_else(|| "its items have to be texts".to_owned())).collect()
        }
        given => {
            let text = text(given).ok_or("it has to be a list or text")?;
            Ok(text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect())
        }
    }
}

/// Names and values, however they are written down.
fn pairs(given: &Data, separator: char) -> Result<Vec<(String, String)>, String> {
    let pair = |name: &Data, value: &Data| {
        let value = if *value == Data::None { Some(String::new()) } else { text(value) };
        text(name).zip(value).ok_or_else(|| "its values have to be texts".to_owned())
    };
    let split = |text: &str| {
        let (name, value) = text.split_once(separator).unwrap_or((text, ""));
        (name.to_owned(), value.to_owned())
    };
    match given {
        Data::Dict(given) => given.entries.iter().map(|(name, value)| pair(name, value)).collect(),
        Data::List(items) => {
            let mut all = Vec::new();
            for item in items.iter() {
                match item {
                    Data::Dict(_) => all.extend(pairs(item, separator)?),
                    item => all.push(split(&text(item).ok_or("its items have to be texts or mappings")?)),
                }
            }
            Ok(all)
        }
        given => Ok(items(given)?.iter().map(|item| split(item)).collect()),
    }
}

fn mapping(pairs: Vec<(String, String)>) -> Data {
    dict(pairs.into_iter().map(|(name, value)| (name, value.into()))).into()
}

fn keys(names: Vec<String>) -> Data {
    dict(names.into_iter().map(|name| (name, Dict::default().into()))).into()
}

pub(super) fn capability(name: &str) -> String {
    let name = name.to_uppercase();
    name.strip_prefix("CAP_").map_or_else(|| name.clone(), str::to_owned)
}

fn bytes(text: &str) -> Result<i64, String> {
    let wrong = || format!("it has to be a number of bytes such as `512m`, not `{text}`");
    let plain = text.trim().to_lowercase();
    let digits = plain.trim_end_matches(['b', 'k', 'm', 'g', 't']);
    let shift = match plain.get(digits.len()..).map(|unit| unit.trim_end_matches('b')) {
        Some("") => 0,
        Some("k") => 10,
        Some("m") => 20,
        Some("g") => 30,
        Some("t") => 40,
        _ => return Err(wrong()),
    };
    digits.parse::<i64>().ok().and_then(|number| number.checked_mul(1 << shift)).ok_or_else(wrong)
}

/// A port or a range of them, `8000-8010/udp`.
struct Ports<'a> {
    numbers: RangeInclusive<u16>,
    protocol: &'a str,
}

impl<'a> Ports<'a> {
    fn of(text: &'a str) -> Result<Self, String> {
        let (numbers, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let numbers = range(numbers).ok_or_else(|| format!("`{text}` is no port, nor a range of them"))?;
        Ok(Self { numbers, protocol })
    }

    /// As the daemon has them: one by one.
    fn names(&self) -> impl Iterator<Item = String> {
        self.numbers.clone().map(|number| format!("{number}/{}", self.protocol))
    }
}

fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let range = first.trim().parse().ok()?..=last.trim().parse().ok()?;
    (!range.is_empty()).then_some(range)
}

fn bindings(given: &[String]) -> Result<Data, String> {
    let mut all = Dict::default();
    for binding in given {
        let (host, inside) = binding.rsplit_once(':').unwrap_or(("", binding));
        let (address, outside) = host.rsplit_once(':').unwrap_or(("", host));
        let inside = Ports::of(inside)?;
        let outside: Vec<String> = match range(outside) {
            // The daemon chooses.
            None if outside.is_empty() => vec![String::new(); inside.numbers.len()],
            Some(outside) if outside.len() == inside.numbers.len() => outside.map(|port| port.to_string()).collect(),
            Some(_) => return Err(format!("`{binding}` has more ports on one side than on the other")),
            None => return Err(format!("`{binding}` binds no port of the host")),
        };
        let address = address.trim_matches(['[', ']']);
        for (port, outside) in inside.names().zip(outside) {
            let place = Data::from(dict([("HostIp", address.into()), ("HostPort", outside.into())]));
            let mut places = all.get(&port).and_then(Data::as_list).map(<[Data]>::to_vec).unwrap_or_default();
            places.push(place);
            all.insert(port, places);
        }
    }
    Ok(all.into())
}

fn restart(text: &str) -> Result<Data, String> {
    let (name, count) = text.split_once(':').unwrap_or((text, "0"));
    let count = count.parse::<i64>().map_err(|_| format!("`{text}` is not a restart policy"))?;
    Ok(dict([("Name", name.into()), ("MaximumRetryCount", count.into())]).into())
}

fn device_of(device: &str) -> Data {
    let mut parts = device.split(':');
    let host = parts.next().unwrap_or_default();
    let (inside, access) = (parts.next().unwrap_or(host), parts.next().unwrap_or("rwm"));
    let fields = [("PathOnHost", host), ("PathInContainer", inside), ("CgroupPermissions", access)];
    dict(fields.map(|(name, value)| (name, value.into()))).into()
}

fn limit_of(limit: &str) -> Result<Data, String> {
    let wrong = || format!("`{limit}` is not a limit such as `nofile=1024:2048`");
    let (name, values) = limit.split_once('=').ok_or_else(wrong)?;
    let (soft, hard) = values.split_once(':').unwrap_or((values, values));
    let number = |text: &str| text.trim().parse::<i64>().map_err(|_| wrong());
    Ok(dict([("Name", name.into()), ("Soft", number(soft)?.into()), ("Hard", number(hard)?.into())]).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formula::yaml::{self, Mappings};

    #[test]
    fn settings_are_said_in_the_words_of_the_daemon() {
        for (kind, given, wanted) in [
            (Kind::Bytes, "512m", "536870912"),
            (Kind::Words, "sh -c 'a b'", "[sh, -c, a b]"),
            (Kind::Words, "[sh, -c, a b]", "[sh, -c, a b]"),
            (Kind::Capabilities, "cap_net_admin,SYS_TIME", "[NET_ADMIN, SYS_TIME]"),
            (Kind::Variables, "[{A: 1}, B=x=y, {C: null}]", "[A=1, B=x=y, C=]"),
            (Kind::Map, "{a: b}", "{a: b}"),
            (Kind::Hosts, "web:192.0.2.1", "['web:192.0.2.1']"),
            (Kind::Ports, "[80, 53/udp]", "{80/tcp: {}, 53/udp: {}}"),
            (Kind::Restart, "on-failure:5", "{Name: on-failure, MaximumRetryCount: 5}"),
            (Kind::Ports, "8000-8002/udp", "{8000/udp: {}, 8001/udp: {}, 8002/udp: {}}"),
            (Kind::Mounts, "/run:size=1m", "{/run: size=1m}"),
            (Kind::Mounts, "[/run: 'size=1m,noexec', /tmp: '']", "{/run: 'size=1m,noexec', /tmp: ''}"),
            (Kind::Mounts, "{/run: size=1m}", "{/run: size=1m}"),
            (Kind::Limits, "nofile=1:2", "[{Name: nofile, Soft: 1, Hard: 2}]"),
            (
                Kind::Bindings,
                "['8080:80', '127.0.0.1:53:53/udp', '80']",
                "{80/tcp: [{HostIp: '', HostPort: '8080'}, {HostIp: '', HostPort: ''}],
                  53/udp: [{HostIp: 127.0.0.1, HostPort: '53'}]}",
            ),
            (
                Kind::Bindings,
                "'[::1]:8080-8081:80-81'",
                "{80/tcp: [{HostIp: '::1', HostPort: '8080'}], 81/tcp: [{HostIp: '::1', HostPort: '8081'}]}",
            ),
            (Kind::Devices, "/dev/a:/dev/b", "[{PathOnHost: /dev/a, PathInContainer: /dev/b, CgroupPermissions: rwm}]"),
        ] {
            let read = |text: &str| yaml::load(text, Mappings::Plain).unwrap();
            assert_eq!(translated(kind, &read(given)), Ok(read(wanted)), "{given}");
        }
        for (kind, given) in [
            (Kind::Bytes, "lots"),
            (Kind::Ports, "90-80"),
            (Kind::Ports, "http"),
            (Kind::Bindings, "8080-8082:80-81"),
            (Kind::Bindings, "http:80"),
            (Kind::Number, "x"),
            (Kind::Words, "a 'b"),
        ] {
            assert!(translated(kind, &given.into()).is_err(), "{given}");
        }
    }
}
