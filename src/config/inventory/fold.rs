//! What each host gets from the defaults, its groups, the patterns it matches and its own entry.
//!
//! The nearer giver wins: the defaults come first, then groups from the outermost in, then patterns,
//! then the host itself. Two givers equally near may not disagree.

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;

use crate::config::inventory::containment::{self, Containment};
use crate::config::inventory::settings::{Given, Key, Layer, Setting};
use crate::config::inventory::{HostEntry, MAX_MENTIONS, Parts};
use crate::error::{Error, Result};
use crate::model::inventory::{Host, Inventory, Transport};
use crate::model::nearest;

impl<'s> Parts<'s> {
    /// The inventory, with every host as it is after all that it was given.
    pub(super) fn fold(&self) -> Result<Inventory> {
        let containment = self.containment()?;
        let mut memberships: Vec<Vec<usize>> = vec![Vec::new(); self.hosts.len()];
        for (group, members) in containment.members.iter().enumerate() {
            for member in members {
                memberships[*member].push(group);
            }
        }
        let mut pattern_entries: Vec<Vec<usize>> = vec![Vec::new(); self.hosts.len()];
        for (at, entry) in self.patterns.iter().enumerate() {
            for host in entry.hosts.iter().collect::<HashSet<_>>() {
                pattern_entries[*host].push(at);
            }
        }
        // Thousands of hosts are in the same few groups, and get the same from them.
        let mut layers: HashMap<_, Layer<'_, 's>> = HashMap::new();
        let mut hosts = IndexMap::with_capacity(self.hosts.len());
        for (id, name) in self.hosts.keys().enumerate() {
            let groups = (memberships[id].as_slice(), pattern_entries[id].as_slice());
            let layer = layers.entry(groups).or_insert_with(|| self.layer(&containment, groups.0, groups.1));
            let exact = self.exact.get(&id);
            hosts.insert(name.clone(), self.fold_host(name, layer, exact)?);
        }
        let names = |members: &[usize]| -> Vec<String> {
            members.iter().filter_map(|id| self.hosts.get_index(*id)).map(|(name, _)| name.clone()).collect()
        };
        let groups = self.groups.keys().zip(&containment.members);
        Ok(Inventory {
            file: self.source.file().to_owned(),
            ssh: self.ssh.clone(),
            controller: self.controller(),
            hosts,
            groups: groups.map(|(group, members)| ((*group).to_owned(), names(members))).collect(),
        })
    }

    /// The machine upshift runs on: simulated where everything is, else real.
    fn controller(&self) -> Host {
        let default = self.defaults.get(&Key::Transport).map(|given| &given.setting);
        match default {
            Some(Setting::Transport(Transport::Simulated)) => {
                Host { transport: Transport::Simulated, ..Host::controller() }
            }
            _ => Host::controller(),
        }
    }

    /// Which groups contain which hosts and groups.
    fn containment(&self) -> Result<Containment> {
        let mut children = Vec::with_capacity(self.groups.len());
        for group in self.groups.values() {
            let ids = group.children.iter().map(|child| {
                let name = child.text()?;
                self.groups.get_index_of(name).ok_or_else(|| {
                    let error = child.error(format!("there is no group `{name}`"));
                    error.hint(nearest::hint(name, "The inventory", self.groups.keys().copied()))
                })
            });
            children.push(ids.collect::<Result<Vec<_>>>()?);
        }
        let own: Vec<_> = self.groups.values().map(|group| group.hosts.as_slice()).collect();
        Containment::new(&own, &children, MAX_MENTIONS).map_err(|problem| match problem {
            containment::Problem::Cycle(cycle) => {
                let names: Vec<_> = cycle
                    .iter()
                    .filter_map(|group| self.groups.get_index(*group))
                    .map(|(name, _)| format!("`{name}`"))
                    .collect();
                let start =
                    cycle.first().and_then(|group| self.groups.get_index(*group)).map_or(0, |(_, group)| group.start);
                match &names[..] {
                    [one, _] => self.source.error(start, format!("the group {one} contains itself")),
                    _ => self.source.error(start, format!("groups contain one another: {}", names.join(" contains "))),
                }
            }
            containment::Problem::TooMany => {
                Error::usage(format!("{}: more than {MAX_MENTIONS} hosts in groups", self.source.file()))
            }
        })
    }

    /// What the defaults, these groups and these patterns together give a host.
    fn layer<'a>(&'a self, containment: &Containment, groups: &[usize], patterns: &[usize]) -> Layer<'a, 's> {
        let mut layer = Layer::default();
        layer.put(&self.defaults);
        let named = containment.outermost_first(groups);
        let named =
            named.filter_map(|id| self.groups.get_index(id).map(|(name, group)| (id, (*name, &group.settings))));
        layer.put_all(named, |outer, inner| containment.contains(outer, inner), |name| format!("the group `{name}`"));
        let entries = patterns.iter().map(|at| (*at, (self.patterns[*at].key, &self.patterns[*at].settings)));
        layer.put_all(entries, |_, _| false, |key| format!("`[hosts.\"{key}\"]`"));
        layer
    }

    /// A host with all it is given; one of which nothing says how it is reached is reached over SSH.
    fn fold_host(&self, name: &str, layer: &Layer<'_, 's>, exact: Option<&HostEntry<'s>>) -> Result<Host> {
        let mut host = Host {
            name: name.to_owned(),
            address: exact.and_then(|entry| entry.address.clone()).unwrap_or_else(|| name.to_owned()),
            transport: Transport::Ssh,
            ..Host::controller()
        };
        let mut silent = None;
        let mut take = |key: &Key<'s>, given: &Given| match (&given.setting, key) {
            (Setting::Transport(value), _) => host.transport = *value,
            (Setting::Text(value), Key::User) => host.login.user = Some(value.clone()),
            (Setting::Text(value), Key::Identity) => host.login.key = Some(value.into()),
            (Setting::Text(value), Key::Folder) => host.login.folder = value.into(),
            (Setting::Text(value), Key::Agent) => host.login.agent = Some(value.into()),
            (Setting::Text(value), _) => host.rack = Some(value.clone()),
            (Setting::Port(value), _) => host.login.port = Some(*value),
            (Setting::Options(value), _) => host.login.options.clone_from(value),
            (Setting::Flag(value), Key::Become) => host.login.r#become = *value,
            (Setting::Flag(value), _) => {
                host.answers = *value;
                silent = (!*value).then_some(given.start);
            }
            (Setting::Var(value), Key::Var(name)) => drop(host.vars.insert((*name).to_owned(), value.clone())),
            (Setting::Var(_), _) => {}
        };
        let own = |key: &Key<'s>| exact.is_some_and(|entry| entry.settings.contains_key(key));
        for (key, found) in layer.iter() {
            match found {
                Ok(given) => take(key, given),
                Err(_) if own(key) => {}
                Err(conflict) => return Err(conflict.error(self.source, name, key)),
            }
        }
        for (key, given) in exact.iter().flat_map(|entry| &entry.settings) {
            take(key, given);
        }
        if let (Some(start), Transport::Local | Transport::Ssh) = (silent, host.transport) {
            let message = format!("host `{name}` is no simulated one: `answers` is for simulated hosts");
            return Err(self
                .source
                .error(start, message)
                .hint("give it `transport = \"simulated\"`, or leave `answers` out"));
        }
        Ok(host)
    }
}
