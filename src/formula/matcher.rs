//! Salt's matchers: which hosts a target of a top file means.

use fancy_regex::Regex;

use super::error::{Error, Kind as ErrorKind, Result};
use super::fnmatch;
use super::traverse::traverse;
use super::{Data, template::value};

mod compound;

/// What a target is compared with.
#[derive(Debug, Clone, Copy)]
pub struct Host<'a> {
    /// The host's name, Salt's minion id.
    pub id: &'a str,
    /// Its grains.
    pub grains: &'a Data,
    /// Its pillar; empty while the pillar itself is compiled.
    pub pillar: &'a Data,
    /// The node groups: a mapping of names to targets, or to lists of words of one.
    pub nodegroups: &'a Data,
}

/// How a target is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Matcher {
    /// A shell pattern of the name.
    Glob,
    /// A regular expression that the name begins with.
    Pcre,
    /// Names between commas, or a list of them.
    List,
    /// `grain:pattern`.
    Grain,
    /// `grain:expression`.
    GrainPcre,
    /// `key:pattern` of the pillar.
    Pillar,
    /// `key:expression` of the pillar.
    PillarPcre,
    /// `key:value` of the pillar.
    PillarExact,
    /// An address or a network.
    Ipcidr,
    /// The name of a node group.
    Nodegroup,
    /// Any of these with their letters, and `and`, `or`, `not` and parentheses: `G@os:Debian and not web*`.
    Compound,
}

const NAMES: [(&str, Matcher); 11] = [
    ("compound", Matcher::Compound),
    ("glob", Matcher::Glob),
    ("grain", Matcher::Grain),
    ("grain_pcre", Matcher::GrainPcre),
    ("ipcidr", Matcher::Ipcidr),
    ("list", Matcher::List),
    ("nodegroup", Matcher::Nodegroup),
    ("pcre", Matcher::Pcre),
    ("pillar", Matcher::Pillar),
    ("pillar_exact", Matcher::PillarExact),
    ("pillar_pcre", Matcher::PillarPcre),
];

impl Matcher {
    /// The matcher that a top file names with `match:`.
    ///
    /// # Errors
    /// When there is no such matcher.
    pub fn named(name: &str) -> Result<Self> {
        let found = NAMES.iter().find(|(known, _)| *known == name).map(|(_, matcher)| *matcher);
        found.ok_or_else(|| {
            let known: Vec<_> = NAMES.iter().map(|(known, _)| *known).collect();
            Error::new(ErrorKind::Unsupported, format!("there is no matcher `{name}`"))
                .hint(format!("the matchers are {}", known.join(", ")))
        })
    }

    /// Whether a target means a host. A target that makes no sense means none, as in Salt.
    pub fn is_match(self, target: &Data, host: &Host<'_>) -> bool {
        let Data::Str(text) = target else {
            // A list of names, or of the words of a compound target.
            let Data::List(words) = target else { return false };
            return match self {
                Self::List => words.contains(&Data::from(host.id)),
                Self::Compound => compound::is_match(words.iter().map(plain).collect(), host),
                _ => false,
            };
        };
        self.is_text_match(text, ":", host)
    }

    /// The same for a target of text, in which `delimiter` parts keys from one another and from the pattern.
    pub fn is_text_match(self, target: &str, delimiter: &str, host: &Host<'_>) -> bool {
        match self {
            Self::Glob => fnmatch::is_match(target, host.id),
            Self::Pcre => begins(target, host.id),
            Self::List => target.split(',').any(|name| name == host.id) || target == host.id,
            Self::Grain => subdict(host.grains, target, delimiter, Compare::Glob),
            Self::GrainPcre => subdict(host.grains, target, delimiter, Compare::Regex),
            Self::Pillar => subdict(host.pillar, target, delimiter, Compare::Glob),
            Self::PillarPcre => subdict(host.pillar, target, delimiter, Compare::Regex),
            Self::PillarExact => subdict(host.pillar, target, delimiter, Compare::Exact),
            Self::Ipcidr => is_address(target, host.grains),
            Self::Nodegroup => compound::is_match(compound::group(target, host.nodegroups), host),
            Self::Compound => compound::is_match(target.split_whitespace().map(str::to_owned).collect(), host),
        }
    }
}

/// Python's `str` of a value.
fn plain(data: &Data) -> String {
    data.as_str().map_or_else(|| value::text(&value::from_data(data)), str::to_owned)
}

/// Python's `re.match`; an expression that is wrong matches nothing.
fn begins(expression: &str, text: &str) -> bool {
    Regex::new(&format!(r"\A(?:{expression})")).is_ok_and(|regex| regex.is_match(text).unwrap_or(false))
}

fn is_address(target: &str, grains: &Data) -> bool {
    let addresses = |protocol: &str| grains.get(protocol).and_then(Data::as_list).unwrap_or_default();
    if let Ok(address) = target.parse::<std::net::IpAddr>() {
        let protocol = if address.is_ipv4() { "ipv4" } else { "ipv6" };
        return addresses(protocol).contains(&Data::from(address.to_string()));
    }
    // A network with bits set beyond its prefix is refused, as by Python.
    let Some(network) = target.parse::<ipnet::IpNet>().ok().filter(|network| network.addr() == network.network())
    else {
        return false;
    };
    let protocol = if network.addr().is_ipv4() { "ipv4" } else { "ipv6" };
    let mut known = addresses(protocol).iter().filter_map(|address| address.as_str()?.parse::<std::net::IpAddr>().ok());
    known.any(|address| network.contains(&address))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compare {
    Glob,
    Regex,
    Exact,
}

impl Compare {
    fn is_match(self, value: &Data, pattern: &str) -> bool {
        let (value, pattern) = (plain(value).to_lowercase(), pattern.to_lowercase());
        match self {
            Self::Glob => fnmatch::is_match(&pattern, &value),
            Self::Regex => begins(&pattern, &value),
            Self::Exact => value == pattern,
        }
    }
}

/// `key:subkey:pattern`. As keys and patterns can have the delimiter too, the longest key is tried first.
fn subdict(data: &Data, target: &str, delimiter: &str, compare: Compare) -> bool {
    let parts: Vec<&str> = target.split(delimiter).collect();
    (1..parts.len()).rev().any(|split| {
        let key = parts[..split].join(delimiter);
        let rest = parts[split..].join(delimiter);
        let (found, pattern) =
            if key == "*" { (Some(data), target) } else { (traverse(data, &key, delimiter), rest.as_str()) };
        match found {
            None => false,
            Some(Data::Dict(dict)) if dict.entries.is_empty() => false,
            Some(found @ Data::Dict(_)) => mapping(found, pattern, compare),
            Some(Data::List(items)) => items.iter().any(|item| {
                matches!(item, Data::Dict(_)) && mapping(item, pattern, compare) || compare.is_match(item, pattern)
            }),
            Some(value) => compare.is_match(value, pattern),
        }
    })
}

fn mapping(target: &Data, pattern: &str, compare: Compare) -> bool {
    let Data::Dict(dict) = target else { return false };
    let (pattern, is_wild) = pattern.strip_prefix("*:").map_or((pattern, false), |rest| (rest, true));
    let is_key = pattern == "*" || dict.has(pattern) || dict.entries.keys().any(|key| compare.is_match(key, pattern));
    if is_key || subdict(target, pattern, ":", compare) {
        return true;
    }
    is_wild
        && dict.entries.values().any(|value| match value {
            Data::Dict(_) => mapping(value, pattern, compare),
            Data::List(items) => items.iter().any(|item| compare.is_match(item, pattern)),
            value => compare.is_match(value, pattern),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_match(matcher: &str, target: &str) -> bool {
        let data = |text: &str| -> Data { serde_json::from_str(text).unwrap() };
        let grains =
            data(r#"{"os": "Debian", "ipv4": ["10.0.0.11"], "roles": ["web", {"db": "primary"}], "a": {"b:c": 1}}"#);
        let pillar = data(r#"{"nova": {"compute": {"enabled": true}}}"#);
        let groups =
            data(r#"{"web": "G@roles:web", "names": ["node01.local", "node02"], "both": "N@web and not N@names"}"#);
        let host = Host { id: "node01.local", grains: &grains, pillar: &pillar, nodegroups: &groups };
        Matcher::named(matcher).unwrap().is_match(&Data::from(target), &host)
    }

    #[test]
    fn targets_mean_the_hosts_that_salt_takes_them_for() {
        for (matcher, target, expected) in [
            ("glob", "node*", true),
            ("pcre", "node0[12]", true),
            ("list", "node00,node01.local", true),
            ("grain", "os:deb*", true),
            ("grain", "roles:db:primary", true),
            ("grain_pcre", "os:^(debian|ubuntu)$", true),
            ("pillar", "nova:compute:enabled:true", true),
            ("pillar", "nova:*:enabled:true", true),
            ("pillar_exact", "nova:compute:enabled:tru*", false),
            ("ipcidr", "10.0.0.0/24", true),
            ("ipcidr", "10.0.0.1/24", false),
            ("nodegroup", "web", true),
            ("nodegroup", "names", true),
            ("nodegroup", "both", false),
            ("compound", "G@os:Debian and not web*", true),
            ("compound", "( web* or I@nova:compute ) and S@10.0.0.11", true),
            ("compound", "G|@os|Debian", true),
            ("compound", "and web*", false),
            ("compound", "web* G@os:Debian", false),
        ] {
            assert_eq!(is_match(matcher, target), expected, "{matcher} {target}");
        }
    }
}
