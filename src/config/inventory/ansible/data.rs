//! What an Ansible inventory says, from one file or several, before hosts get anything from groups.

use indexmap::{IndexMap, IndexSet};
use serde_json::Value;

use crate::config::inventory::{MAX_GROUPS, MAX_MENTIONS};
use crate::config::source;
use crate::error::Result;
use crate::model::{Place, pattern};

/// A variable, and where it was set.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) value: Value,
    pub(super) place: Place,
}

/// Variables by name.
pub(super) type Vars = IndexMap<String, Given>;

/// A group: its own hosts and child groups, and what it gives to the hosts in them.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) place: Place,
    pub(super) hosts: IndexSet<usize>,
    pub(super) children: IndexSet<usize>,
    /// The later of two groups that are equally deep has the higher priority.
    pub(super) priority: i64,
    pub(super) vars: Vars,
    /// What `group_vars/` says.
    pub(super) files: Vars,
}

/// A host.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) place: Place,
    pub(super) vars: Vars,
    /// What `host_vars/` says.
    pub(super) files: Vars,
}

/// Groups and hosts, by name, in the order in which they are first mentioned.
#[derive(Debug)]
pub(super) struct Data {
    pub(super) groups: IndexMap<String, Group>,
    pub(super) hosts: IndexMap<String, Entry>,
    mentions: usize,
    /// Variables that were given to hosts one by one.
    given: usize,
}

/// The most variables of hosts, counted for each host; more was not written by a person.
pub(super) const MAX_VARIABLES: usize = 5_000_000;

/// The place of the group of all hosts.
pub(super) const ALL: usize = 0;

/// The place of the group of hosts that are in no other.
pub(super) const UNGROUPED: usize = 1;

impl Data {
    /// An inventory with the two groups that are always there.
    pub(super) fn new(file: &source::Source) -> Result<Self> {
        let mut data = Self { groups: IndexMap::new(), hosts: IndexMap::new(), mentions: 0, given: 0 };
        let place = file.place_at(1, 1);
        data.group("all", &place)?;
        data.group("ungrouped", &place)?;
        data.groups[ALL].children.insert(UNGROUPED);
        Ok(data)
    }

    /// The group of that name, brought into being where it is new.
    pub(super) fn group(&mut self, name: &str, place: &Place) -> Result<usize> {
        if let Some(group) = self.groups.get_index_of(name) {
            return Ok(group);
        }
        if self.groups.len() >= MAX_GROUPS {
            return Err(source::error(place, format!("more than {MAX_GROUPS} groups")));
        }
        let group = Group {
            place: place.clone(),
            hosts: IndexSet::new(),
            children: IndexSet::new(),
            priority: 1,
            vars: Vars::new(),
            files: Vars::new(),
        };
        Ok(self.groups.insert_full(name.to_owned(), group).0)
    }

    /// Puts hosts into a group; the port counts for those that are new.
    pub(super) fn add(&mut self, names: Vec<String>, port: Option<u16>, group: usize, place: &Place) -> Result<()> {
        self.mentions += names.len();
        if self.mentions > MAX_MENTIONS {
            return Err(source::error(place, format!("more than {MAX_MENTIONS} mentions of hosts")));
        }
        for name in names {
            let entry = self.hosts.entry(name);
            let host = entry.index();
            entry.or_insert_with(|| {
                let port =
                    port.map(|port| ("ansible_port".to_owned(), Given { value: port.into(), place: place.clone() }));
                Entry { place: place.clone(), vars: port.into_iter().collect(), files: Vars::new() }
            });
            self.groups[group].hosts.insert(host);
        }
        if self.hosts.len() > pattern::MAX_HOSTS {
            return Err(source::error(place, format!("more than {} hosts", pattern::MAX_HOSTS)));
        }
        Ok(())
    }

    /// Counts variables that hosts are about to be given one by one.
    pub(super) fn expect(&mut self, hosts: usize, variables: usize, place: &Place) -> Result<()> {
        self.given = self.given.saturating_add(hosts.saturating_mul(variables));
        if self.given > MAX_VARIABLES {
            return Err(source::error(place, format!("more than {MAX_VARIABLES} variables of hosts")));
        }
        Ok(())
    }

    /// Gives a variable to a host, after it was [expected](Self::expect).
    ///
    /// Ansible gives it to the group when one has the host's name.
    pub(super) fn set(&mut self, host: &str, name: &str, given: Given) -> Result<()> {
        if let Some(group) = self.groups.get_index_of(host) {
            return self.set_for_group(group, name, given);
        }
        if let Some(entry) = self.hosts.get_mut(host) {
            entry.vars.insert(name.to_owned(), given);
        }
        Ok(())
    }

    /// Gives a variable to a group.
    pub(super) fn set_for_group(&mut self, group: usize, name: &str, given: Given) -> Result<()> {
        if name != "ansible_group_priority" {
            self.groups[group].vars.insert(name.to_owned(), given);
            return Ok(());
        }
        let priority = match &given.value {
            Value::String(text) => text.trim().parse().ok(),
            other => other.as_i64(),
        };
        let error = || source::error(&given.place, "`ansible_group_priority`: wanted a whole number");
        self.groups[group].priority = priority.ok_or_else(error)?;
        Ok(())
    }
}
