//! What probes look at: every target by name and address, before anything runs.
//!
//! A selector means the addresses of its hosts. What the inventory does not know is a pattern of names
//! or addresses, which are found out once, when a run begins.

use std::net::{IpAddr, SocketAddr};

use hyper::Uri;
use indexmap::IndexMap;

use super::build::first_words;
use super::hosts::refused;
use super::template::Templates;
use crate::error::{Error, Result};
use crate::model::pipeline::{self, Look as Kind, Pipeline};
use crate::model::probe::{Look, MOST_COMMANDS, MOST_TARGETS, Probe, Target};
use crate::model::span::short;
use crate::model::{Inventory, Text, pattern, selector};

/// Every probe of a pipeline.
pub(super) fn all(pipeline: &Pipeline, inventory: &Inventory) -> Result<Vec<Probe>> {
    let templates = Templates::new(pipeline, "", inventory);
    let context = templates.context(&inventory.controller);
    let (mut targets, mut commands) = (0, 0);
    let mut planned = Vec::with_capacity(pipeline.probes.len());
    for probe in &pipeline.probes {
        let mut looks = IndexMap::new();
        for (kind, text) in &probe.targets {
            let filled = templates.render(text, &inventory.controller, &context)?;
            let entry = Entry { probe: &probe.name, text, filled: filled.trim(), inventory };
            for (name, look) in entry.targets(*kind)? {
                commands += usize::from(*kind == Kind::Run);
                add(&mut looks, name, look);
            }
        }
        targets += looks.len();
        let too_many = |what: &str, most| {
            Err(Error::usage(format!("{}: the probes have more than {most} {what} together", probe.place)))
        };
        if targets > MOST_TARGETS {
            return too_many("targets", MOST_TARGETS);
        }
        if commands > MOST_COMMANDS {
            return too_many("commands", MOST_COMMANDS);
        }
        planned.push(finished(probe, looks));
    }
    Ok(planned)
}

/// Adds a target under its name; the same target is there once, and another one gets a name of its own.
fn add(looks: &mut IndexMap<String, Look>, name: String, look: Look) {
    if looks.get(&name).is_none_or(|known| *known == look) {
        looks.insert(name, look);
        return;
    }
    let names = (2..).map(|n| format!("{name} ({n})"));
    let free = names.into_iter().find(|name| looks.get(name).is_none_or(|known| *known == look));
    looks.extend(free.map(|name| (name, look)));
}

fn finished(probe: &pipeline::Probe, looks: IndexMap<String, Look>) -> Probe {
    Probe {
        name: probe.name.clone(),
        every: probe.every,
        max_gap: probe.max_gap,
        on_breach: probe.on_breach,
        targets: looks.into_iter().map(|(name, look)| Target { name, look }).collect(),
    }
}

/// One text of a probe, filled in.
struct Entry<'a> {
    probe: &'a str,
    text: &'a Text,
    filled: &'a str,
    inventory: &'a Inventory,
}

impl Entry<'_> {
    fn targets(&self, kind: Kind) -> Result<Vec<(String, Look)>> {
        match kind {
            Kind::Icmp => {
                let hosts = self.hosts(self.filled)?;
                Ok(hosts.into_iter().map(|(name, host)| (name, Look::Icmp { host })).collect())
            }
            Kind::Tcp => self.tcp(),
            Kind::Http => self.http(),
            Kind::Run => Ok(vec![(first_words(self.filled), Look::Run { command: self.filled.to_owned() })]),
        }
    }

    fn tcp(&self) -> Result<Vec<(String, Look)>> {
        if let Ok(address) = self.filled.parse::<SocketAddr>() {
            let look = Look::Tcp { host: address.ip().to_string(), port: address.port() };
            return Ok(vec![(address.to_string(), look)]);
        }
        let (hosts, port) = self
            .filled
            .rsplit_once(':')
            .and_then(|(hosts, port)| Some((hosts, port.parse().ok().filter(|port| *port > 0)?)))
            .ok_or_else(|| self.wrong("wanted a name or address and a port, such as `api.example.net:8774`"))?;
        let hosts = self.hosts(hosts)?.into_iter();
        Ok(hosts.map(|(name, host)| (format!("{name}:{port}"), Look::Tcp { host, port })).collect())
    }

    fn http(&self) -> Result<Vec<(String, Look)>> {
        let wrong = || self.wrong("wanted a URL such as `http://api.example.net:8774/`");
        let (scheme, rest) = self.filled.split_once("://").ok_or_else(wrong)?;
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let (hosts, port) = match authority.rsplit_once(':').filter(|(_, port)| is_port(port)) {
            Some((hosts, port)) => (hosts, format!(":{port}")),
            None => (authority, String::new()),
        };
        let literal = hosts.strip_prefix('[').and_then(|hosts| hosts.strip_suffix(']'));
        let hosts = match literal.filter(|address| address.parse::<IpAddr>().is_ok()) {
            Some(address) => vec![(hosts.to_owned(), address.to_owned())],
            None => self.hosts(hosts)?,
        };
        let url = |(name, host)| {
            let url = format!("{scheme}://{name}{port}{path}");
            match (scheme, url.parse::<Uri>()) {
                ("http" | "https", Ok(_)) => Ok((url.clone(), Look::Http { url, host })),
                _ => Err(wrong()),
            }
        };
        hosts.into_iter().map(url).collect()
    }

    /// Names with the names or addresses where they are reached.
    fn hosts(&self, hosts: &str) -> Result<Vec<(String, String)>> {
        if hosts.parse::<IpAddr>().is_ok() {
            return Ok(vec![(hosts.to_owned(), hosts.to_owned())]);
        }
        let unknown = match selector::select(self.inventory, hosts) {
            Ok(hosts) => {
                return Ok(hosts.into_iter().map(|host| (host.name.clone(), host.address.clone())).collect());
            }
            Err(error) => error,
        };
        // Only a selector has these.
        if hosts.contains(['*', '!', '&']) {
            return Err(refused(&self.text.place, &format!("probe `{}`", self.probe), unknown));
        }
        let names = pattern::unfold(hosts).map_err(|why| self.wrong(&why))?;
        if names.is_empty() {
            return Err(self.wrong("wanted hosts, names or addresses, found nothing"));
        }
        let address = |name: String| match self.inventory.hosts.get(&name) {
            Some(host) => (name, host.address.clone()),
            None => (name.clone(), name),
        };
        Ok(names.into_iter().map(address).collect())
    }

    fn wrong(&self, why: &str) -> Error {
        Error::usage(format!("{}: probe `{}`, `{}`: {why}", self.text.place, self.probe, self.filled))
    }
}

/// A probe as a person reads it before saying yes.
pub(super) fn lines(probe: &Probe) -> Vec<String> {
    let count = probe.targets.len();
    let mut kinds: IndexMap<&str, Vec<&str>> = IndexMap::new();
    for target in &probe.targets {
        kinds.entry(target.look.word()).or_default().push(&target.name);
    }
    let mut lines = vec![format!(
        "{count} target{}, every {}, at most {} silent, on breach: {}",
        if count == 1 { "" } else { "s" },
        short(probe.every),
        short(probe.max_gap),
        probe.on_breach
    )];
    for (kind, names) in kinds {
        let names = if kind == "icmp" { pattern::fold_in_order(names) } else { names.join(" ") };
        lines.push(format!("{kind:<5} {names}"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{parse_inventory, parse_pipeline};

    fn planned(probe: &str) -> Result<Vec<String>, String> {
        let inventory = "[groups.cmp]\nhosts = ['cmp[1-2]']\n[hosts.cmp2]\naddress = '198.18.0.2'\n";
        let inventory = parse_inventory("i", inventory).unwrap();
        let pipeline = format!(
            "pipeline = {{ name = 'p', vars = {{ port = 22 }} }}\nstage = [{{ name = 's', step = [{{ run = 'true' }}] }}]\n[[probe]]\nname = 't'\n{probe}\n"
        );
        let pipeline = parse_pipeline("f", &pipeline).map_err(|error| error.message)?;
        let probes = all(&pipeline, &inventory).map_err(|error| error.message)?;
        let said = |target: &Target| match &target.look {
            Look::Icmp { host } | Look::Http { host, .. } => format!("{} at {host}", target.name),
            Look::Tcp { host, port } => format!("{} at {host} {port}", target.name),
            Look::Run { command } => command.clone(),
        };
        Ok(probes[0].targets.iter().map(said).collect())
    }

    #[test]
    fn a_selector_means_the_addresses_of_its_hosts_and_all_else_is_a_name() {
        assert_eq!(planned("icmp = 'cmp'").unwrap(), ["cmp1 at cmp1", "cmp2 at 198.18.0.2"]);
        assert_eq!(planned("icmp = 'cmp[2]'").unwrap(), ["cmp2 at 198.18.0.2"]);
        assert_eq!(planned("icmp = ['cmp', 'cmp2']").unwrap().len(), 2, "no target is there twice");
        assert_eq!(planned("icmp = 'vm[09-10],cmp2'").unwrap(), ["vm09 at vm09", "vm10 at vm10", "cmp2 at 198.18.0.2"]);
        assert_eq!(planned("icmp = '10.0.0.[1-2]'").unwrap(), ["10.0.0.1 at 10.0.0.1", "10.0.0.2 at 10.0.0.2"]);
        assert_eq!(planned("icmp = 'fd00::1'").unwrap(), ["fd00::1 at fd00::1"]);
        assert_eq!(planned("tcp = 'cmp:{{ vars.port }}'").unwrap(), ["cmp1:22 at cmp1 22", "cmp2:22 at 198.18.0.2 22"]);
        assert_eq!(planned("tcp = '[fd00::1]:22'").unwrap(), ["[fd00::1]:22 at fd00::1 22"]);
        assert_eq!(
            planned("http = 'https://cmp[1-2]:8085/a?b[]=c'").unwrap(),
            ["https://cmp1:8085/a?b[]=c at cmp1", "https://cmp2:8085/a?b[]=c at 198.18.0.2"]
        );
        let long = "curl --fail https://api.example.net:8774/v2.1";
        assert_eq!(
            planned(&format!("run = ['{long}/a', '{long}/b', '{long}/a']")).unwrap(),
            [format!("{long}/a"), format!("{long}/b")]
        );
        assert_eq!(planned("http = 'http://[fd00::1]/'").unwrap(), ["http://[fd00::1]/ at fd00::1"]);
    }

    #[test]
    fn what_cannot_be_looked_at_is_refused() {
        for wrong in
            ["icmp = 'cmp*x'", "icmp = 'all,!all'", "icmp = 'ä'", "tcp = '{{ vars.port }}'", "http = 'http://'"]
        {
            let why = planned(wrong).unwrap_err();
            assert!(why.starts_with("f:"), "{why}");
        }
        let why =
            planned(&format!("run = {:?}", (0..65).map(|n| format!("true {n}")).collect::<Vec<_>>())).unwrap_err();
        assert!(why.ends_with("the probes have more than 64 commands together"), "{why}");
        assert!(planned("icmp = 'vm[1-20001]'").is_err());
    }
}
