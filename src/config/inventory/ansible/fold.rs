//! What each host gets from `all`, its groups and itself, in the order of Ansible's documentation.
//!
//! `all` comes first, then groups by how deep they are below it, by priority and by name; what
//! `group_vars/` says comes after what the inventory itself says of groups, and the host comes last.

use std::collections::HashMap;

use indexmap::IndexMap;

use crate::config::inventory::ansible::data::{ALL, Data, Given, MAX_VARIABLES, UNGROUPED};
use crate::config::inventory::ansible::{connection, names};
use crate::config::inventory::containment::{Containment, Problem};
use crate::config::inventory::{MAX_MENTIONS, check};
use crate::config::source;
use crate::error::{Error, Result};
use crate::model::inventory::{Host, Inventory, Ssh};

/// Variables by name, each as the nearest giver has it.
pub(super) type Layer<'d> = IndexMap<&'d str, &'d Given>;

impl Data {
    /// The inventory, with every host as it is after all that it was given.
    pub(super) fn fold(&mut self, file: &str) -> Result<Inventory> {
        self.settle()?;
        let containment = self.containment(file)?;
        let order = self.order(&containment);
        let mut memberships: Vec<Vec<usize>> = vec![Vec::new(); self.hosts.len()];
        for group in order {
            for host in &containment.members[group] {
                memberships[*host].push(group);
            }
        }
        // Thousands of hosts are in the same few groups, and get the same from them.
        let mut layers: HashMap<&[usize], Layer<'_>> = HashMap::new();
        let mut hosts = IndexMap::with_capacity(self.hosts.len());
        let mut variables = 0;
        for (id, (name, entry)) in self.hosts.iter().enumerate() {
            check(name).map_err(|why| {
                source::error(&entry.place, why).hint("name the host otherwise, and give its address as `ansible_host`")
            })?;
            let groups = memberships[id].as_slice();
            let mut layer = layers.entry(groups).or_insert_with(|| self.layer(groups)).clone();
            layer.extend(entry.vars.iter().chain(&entry.files).map(|(name, given)| (name.as_str(), given)));
            variables += layer.len();
            if variables > MAX_VARIABLES {
                return Err(Error::usage(format!("{file}: more than {MAX_VARIABLES} variables of hosts")));
            }
            hosts.insert(name.clone(), connection::host(name, &entry.place, &layer)?);
        }
        let groups = names::selectable(self, &containment.members)?;
        Ok(Inventory { file: file.to_owned(), ssh: Ssh::default(), controller: Host::controller(), hosts, groups })
    }

    /// Sees to it that every group is below `all`, and that hosts in no other group are in `ungrouped`.
    fn settle(&mut self) -> Result<()> {
        let mut has_parent = vec![false; self.groups.len()];
        let mut grouped = vec![false; self.hosts.len()];
        for (id, group) in self.groups.values().enumerate() {
            for child in &group.children {
                has_parent[*child] = true;
            }
            for host in group.hosts.iter().filter(|_| id != ALL && id != UNGROUPED) {
                grouped[*host] = true;
            }
        }
        if has_parent[ALL] {
            let outer = self.groups.iter().find(|(_, group)| group.children.contains(&ALL));
            let (name, place) = outer.map_or(("", &self.groups[ALL].place), |(name, group)| (name, &group.place));
            return Err(source::error(place, format!("the group `{name}` contains `all`, which contains every group")));
        }
        let roots = (UNGROUPED..self.groups.len()).filter(|group| !has_parent[*group]);
        let roots: Vec<_> = roots.collect();
        self.groups[ALL].children.extend(roots);
        self.groups[UNGROUPED].hosts = (0..grouped.len()).filter(|host| !grouped[*host]).collect();
        Ok(())
    }

    fn containment(&self, file: &str) -> Result<Containment> {
        let own: Vec<Vec<_>> = self.groups.values().map(|group| group.hosts.iter().copied().collect()).collect();
        let own: Vec<_> = own.iter().map(Vec::as_slice).collect();
        let children: Vec<Vec<_>> =
            self.groups.values().map(|group| group.children.iter().copied().collect()).collect();
        Containment::new(&own, &children, MAX_MENTIONS).map_err(|problem| match problem {
            Problem::Cycle(cycle) => {
                let groups: Vec<_> = cycle.iter().filter_map(|group| self.groups.get_index(*group)).collect();
                let names: Vec<_> = groups.iter().map(|(name, _)| format!("`{name}`")).collect();
                let place = groups.first().map_or(&self.groups[ALL].place, |(_, group)| &group.place);
                match &names[..] {
                    [one, _] => source::error(place, format!("the group {one} contains itself")),
                    _ => source::error(place, format!("groups contain one another: {}", names.join(" contains "))),
                }
            }
            Problem::TooMany => Error::usage(format!("{file}: more than {MAX_MENTIONS} hosts in groups")),
        })
    }

    /// The groups, but for `all`, in the order in which they give variables: the last one wins.
    fn order(&self, containment: &Containment) -> Vec<usize> {
        let all: Vec<_> = (0..self.groups.len()).collect();
        let mut depth = vec![0_usize; all.len()];
        for group in containment.outermost_first(&all) {
            for child in &self.groups[group].children {
                depth[*child] = depth[*child].max(depth[group] + 1);
            }
        }
        let mut order: Vec<_> = all.into_iter().filter(|group| *group != ALL).collect();
        order.sort_by_key(|id| {
            self.groups.get_index(*id).map(|(name, group)| (depth[*id], group.priority, name.as_str()))
        });
        order
    }

    /// What `all` and these groups give, the groups in the order in which they do.
    fn layer(&self, groups: &[usize]) -> Layer<'_> {
        let mut layer = Layer::new();
        let ids = || std::iter::once(ALL).chain(groups.iter().copied());
        for id in ids() {
            layer.extend(self.groups[id].vars.iter().map(|(name, given)| (name.as_str(), given)));
        }
        for id in ids() {
            layer.extend(self.groups[id].files.iter().map(|(name, given)| (name.as_str(), given)));
        }
        layer
    }
}

#[cfg(test)]
mod tests {
    use crate::config::parse_inventory;

    fn var(text: &str, host: &str, name: &str) -> String {
        match parse_inventory("f.ini", text) {
            Ok(inventory) => inventory.hosts[host].vars.get(name).map_or("none".into(), ToString::to_string),
            Err(error) => error.message,
        }
    }

    #[test]
    fn the_deeper_group_wins_then_the_priority_then_the_later_name() {
        let two = "[b]\nh\n[a]\nh\n[a:vars]\nv=1\n[b:vars]\nv=2\n";
        assert_eq!(var(two, "h", "v"), "2");
        assert_eq!(var(&format!("{two}[a:vars]\nansible_group_priority=2\n"), "h", "v"), "1");
        let deeper = format!("{two}[a:vars]\nansible_group_priority=2\n[outer:children]\nb\n");
        assert_eq!(var(&deeper, "h", "v"), "2");
        assert_eq!(var(&format!("{deeper}[a]\nh v=3\n[all:vars]\nv=0\n"), "h", "v"), "3");
    }

    #[test]
    fn hosts_of_no_group_are_ungrouped_and_all_is_no_group() {
        let inventory = parse_inventory("f.ini", "z\na\n[web]\na\nb\n[empty]\n").unwrap();
        assert_eq!(inventory.hosts.keys().collect::<Vec<_>>(), ["z", "a", "b"]);
        let groups: Vec<_> =
            inventory.groups.iter().map(|(name, hosts)| format!("{name}: {}", hosts.join(" "))).collect();
        assert_eq!(groups, ["ungrouped: z", "web: a b", "empty: "]);
    }

    #[test]
    fn no_group_contains_all() {
        assert_eq!(
            var("[a:children]\nall\n", "h", "v"),
            "f.ini:1:1: the group `a` contains `all`, which contains every group"
        );
    }

    #[test]
    fn a_few_words_do_not_fill_the_memory() {
        let words: Vec<_> = (0..200).map(|n| format!("v{n}=1")).collect();
        let text = format!("h[1:100000] {}\n", words.join(" "));
        assert!(var(&text, "h1", "v1").ends_with("more than 5000000 variables of hosts"));
    }
}
