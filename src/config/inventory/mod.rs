//! An inventory file: groups, hosts, and what each host gets from where.
//!
//! Here is upshift's own, in TOML; [`ansible`] and [`roster`] are those of others.

use std::collections::HashMap;

use camino::Utf8Path;
use indexmap::IndexMap;
use toml::de::DeValue;

use crate::config::source::Source;
use crate::config::table::{Entry, Keys, Table, Value};
use crate::error::Result;
use crate::model::inventory::{CONTROLLER, Inventory, Ssh};
use crate::model::pattern;

mod ansible;
mod containment;
mod fold;
mod format;
mod roster;
mod settings;
mod ssh_args;

use format::Format;
use settings::Settings;

/// The keys of a table, those included that defaults, groups and hosts all may have.
macro_rules! with_settings {
    ($($own:literal),*) => {
        &[
            $($own,)*
            "transport", "user", "port", "key", "options", "become", "folder", "agent", "vars", "rack", "answers",
        ]
    };
}

static FILE: Keys = Keys {
    owner: "An inventory",
    names: &["ssh", "defaults", "groups", "hosts"],
    elsewhere: &[
        (&["pipeline", "stage"], "this looks like a pipeline: give the pipeline and the inventory as two files"),
        (with_settings!(), "`{}` belongs to `[defaults]`, a group or a host"),
        (&["group", "host", "default"], "did you mean `{}s`? An inventory has: ssh, defaults, groups, hosts"),
    ],
};

static SSH: Keys = Keys {
    owner: "The table of connections",
    names: &["config", "at-once", "timeout", "silence"],
    elsewhere: &[(with_settings!(), "`{}` belongs to `[defaults]`, a group or a host")],
};

static DEFAULTS: Keys = Keys { owner: "The table of defaults", names: with_settings!(), elsewhere: &[] };

static GROUP: Keys = Keys {
    owner: "A group",
    names: with_settings!("hosts", "groups"),
    elsewhere: &[
        (&["address"], "`address` belongs to one host: write it below `[hosts.NAME]`"),
        (&["children"], "did you mean `groups`? It lists the groups whose hosts belong to this one too"),
    ],
};

static HOST: Keys = Keys {
    owner: "A host",
    names: with_settings!("address"),
    elsewhere: &[(&["groups", "group"], "a group lists its hosts: `[groups.NAME]` with `hosts = [\"…\"]`")],
};

/// Names that a selector reads as something else.
const RESERVED: [(&str, &str); 2] =
    [(CONTROLLER, "the machine upshift runs on"), ("all", "every host of the inventory")];

/// The most mentions of hosts in groups, children's included; more was not written by a person.
const MAX_MENTIONS: usize = 2_000_000;

/// The most groups.
const MAX_GROUPS: usize = 10_000;

/// Everything the file says, before hosts get anything from groups.
struct Parts<'s> {
    source: &'s Source,
    ssh: Ssh,
    defaults: Settings<'s>,
    groups: IndexMap<&'s str, Group<'s>>,
    /// Entries below `[hosts]`: patterns, then single hosts in `exact`.
    patterns: Vec<HostEntry<'s>>,
    exact: HashMap<usize, HostEntry<'s>>,
    /// Every host, with where it is first mentioned.
    hosts: IndexMap<String, usize>,
}

struct Group<'s> {
    start: usize,
    hosts: Vec<usize>,
    children: Vec<Value<'s>>,
    settings: Settings<'s>,
}

struct HostEntry<'s> {
    key: &'s str,
    hosts: Vec<usize>,
    address: Option<String>,
    settings: Settings<'s>,
}

/// Reads an inventory of any kind: a file, or a folder as Ansible has them.
pub(super) fn read(path: &Utf8Path) -> Result<Inventory> {
    if path.is_dir() {
        return ansible::read_folder(path);
    }
    let folder = path.parent().map(|folder| if folder.as_str().is_empty() { Utf8Path::new(".") } else { folder });
    parse_any(&Source::read(path)?, folder)
}

/// Reads an inventory of any kind from its text alone.
pub(super) fn parse(source: &Source) -> Result<Inventory> {
    parse_any(source, None)
}

fn parse_any(source: &Source, folder: Option<&Utf8Path>) -> Result<Inventory> {
    match format::of(source)? {
        Format::Upshift => parse_toml(source),
        Format::Ini => ansible::parse_ini(source, folder),
        Format::Groups(entries) => ansible::parse_groups(source, &entries, folder),
        Format::Roster(entries) => roster::parse(source, &entries),
    }
}

/// Reads upshift's own inventory.
fn parse_toml(source: &Source) -> Result<Inventory> {
    let file = source.parse()?;
    let file = Table::of_file(source, &file, &FILE)?;
    let mut parts = Parts {
        source,
        ssh: Ssh::default(),
        defaults: Settings::default(),
        groups: IndexMap::new(),
        patterns: Vec::new(),
        exact: HashMap::new(),
        hosts: IndexMap::new(),
    };
    if let Some(table) = file.get("ssh") {
        parts.ssh = ssh(&table.table(&SSH)?)?;
    }
    if let Some(defaults) = file.get("defaults") {
        parts.defaults = settings::read(&defaults.table(&DEFAULTS)?)?;
    }
    let mut mentions = 0;
    for entry in file.read("groups", Value::entries)?.unwrap_or_default() {
        let group = parts.group(entry, &mut mentions)?;
        parts.groups.insert(entry.value.key, group);
    }
    for entry in file.read("hosts", Value::entries)?.unwrap_or_default() {
        parts.host(entry, &mut mentions)?;
    }
    for (name, group) in &parts.groups {
        if parts.hosts.contains_key(*name) {
            return Err(source
                .error(group.start, format!("`{name}` is the name of a group and of a host"))
                .hint("a selector could not tell them apart: rename one of them"));
        }
    }
    parts.fold()
}

/// Reads how connections are opened.
fn ssh(table: &Table<'_>) -> Result<Ssh> {
    let given = Ssh::default();
    Ok(Ssh {
        config: table.read("config", |value| Ok(settings::beside(table.source, &value.line()?)))?,
        at_once: table.read("at-once", |value| value.number(1, 1000))?.unwrap_or(given.at_once),
        timeout: table.read("timeout", Value::duration)?.unwrap_or(given.timeout),
        silence: table.read("silence", Value::duration)?.unwrap_or(given.silence),
    })
}

impl<'s> Parts<'s> {
    fn group(&mut self, entry: Entry<'s>, mentions: &mut usize) -> Result<Group<'s>> {
        check(entry.value.key).map_err(|why| self.source.error(entry.start, why))?;
        if self.groups.len() >= MAX_GROUPS {
            return Err(self.source.error(entry.start, format!("more than {MAX_GROUPS} groups")));
        }
        let table = entry.value.table(&GROUP)?;
        let mut hosts = Vec::new();
        for value in table.read("hosts", |value| value.list("[\"cmp[001-080]\"]"))?.into_iter().flatten() {
            hosts.extend(self.mention(value.text()?, value.start(), mentions)?);
        }
        let children = table.read("groups", |value| value.list("[\"cmp\"]"))?;
        Ok(Group {
            start: entry.start,
            hosts,
            children: children.into_iter().flatten().collect(),
            settings: settings::read(&table)?,
        })
    }

    fn host(&mut self, entry: Entry<'s>, mentions: &mut usize) -> Result<()> {
        let key = entry.value.key;
        if let Some(name) = dotted(key, entry.value.inner) {
            let message = format!("a name with dots needs quotes: found `hosts.{name}`");
            return Err(self.source.error(entry.start, message).hint(format!("write `[hosts.\"{name}\"]`")));
        }
        if entry.value.inner.is_str() {
            let hint = format!("write `{key} = {{ address = {} }}`", entry.value.written());
            return Err(entry.value.wanted("a table").hint(hint));
        }
        let table = entry.value.table(&HOST)?;
        let single = !key.contains(['[', ']', ',']);
        if !single && table.get("address").is_some() {
            return Err(table
                .key_error("address", format!("`{key}` stands for several hosts, and an address is for one"))
                .hint("write `[hosts.NAME]` for each host that has an address of its own"));
        }
        let hosts = self.mention(key, entry.start, mentions)?;
        let address = table.read("address", address)?;
        let read = HostEntry { key, hosts, address, settings: settings::read(&table)? };
        match read.hosts[..] {
            [host] if single => drop(self.exact.insert(host, read)),
            _ => self.patterns.push(read),
        }
        Ok(())
    }

    /// The hosts that a pattern stands for, brought into being where they are new.
    fn mention(&mut self, pattern: &str, start: usize, mentions: &mut usize) -> Result<Vec<usize>> {
        let names = pattern::unfold(pattern).map_err(|why| self.source.error(start, why))?;
        if names.is_empty() {
            return Err(self.source.error(start, "wanted the name of a host, found nothing"));
        }
        *mentions += names.len();
        if *mentions > MAX_MENTIONS {
            return Err(self.source.error(start, format!("more than {MAX_MENTIONS} mentions of hosts")));
        }
        let mut ids = Vec::with_capacity(names.len());
        for name in names {
            check(&name).map_err(|why| self.source.error(start, why))?;
            let entry = self.hosts.entry(name);
            ids.push(entry.index());
            entry.or_insert(start);
        }
        if self.hosts.len() > pattern::MAX_HOSTS {
            return Err(self.source.error(start, format!("more than {} hosts", pattern::MAX_HOSTS)));
        }
        Ok(ids)
    }
}

/// Checks the name of a group or host.
fn check(name: &str) -> Result<(), String> {
    pattern::check_name(name).map_err(|why| format!("`{name}`: {why}"))?;
    match RESERVED.iter().find(|(reserved, _)| *reserved == name) {
        Some((_, meaning)) => Err(format!("`{name}` is a reserved name: it stands for {meaning}")),
        None => Ok(()),
    }
}

/// The name that was meant by `[hosts.cmp001.example.net]`, which TOML reads as tables in a table.
fn dotted(key: &str, value: &DeValue<'_>) -> Option<String> {
    let (inner, value) = value
        .as_table()?
        .iter()
        .find(|(inner, value)| value.get_ref().is_table() && !HOST.names.contains(&inner.get_ref().as_ref()))?;
    let name = format!("{key}.{}", inner.get_ref());
    Some(dotted(&name, value.get_ref()).unwrap_or(name))
}

fn address(value: Value<'_>) -> Result<String> {
    let address = value.line()?;
    if address.contains(char::is_whitespace) { Err(value.wanted("an address or a host name")) } else { Ok(address) }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use crate::config::parse_inventory;

    const BASE: &str = "defaults.transport = 'simulated'\n";

    fn rack(host: &str, text: &str) -> String {
        match parse_inventory("f", &format!("{BASE}{text}")) {
            Ok(inventory) => inventory.hosts[host].rack.clone().unwrap_or_default(),
            Err(error) => error.message,
        }
    }

    #[test]
    fn a_child_group_goes_before_all_that_contain_it_in_any_order_of_the_file() {
        let outer = "groups.outer = { groups = ['middle'], rack = 'outer' }\n";
        let middle = "groups.middle = { groups = ['inner'] }\n";
        let inner = "groups.inner = { hosts = ['a1'], rack = 'inner' }\n";
        assert_eq!(rack("a1", &format!("{outer}{middle}{inner}")), "inner");
        assert_eq!(rack("a1", &format!("{inner}{middle}{outer}")), "inner");
        // A parent that lists the host itself is still its parent.
        let outer = "groups.outer = { groups = ['middle'], hosts = ['a1'], rack = 'outer' }\n";
        assert_eq!(rack("a1", &format!("{inner}{middle}{outer}")), "inner");
    }

    #[test]
    fn groups_that_disagree_are_refused_unless_something_nearer_decides() {
        let groups = "groups.one = { hosts = ['a1'], rack = '1' }\ngroups.two = { hosts = ['a[1-2]'], rack = '2' }\n";
        assert!(rack("a1", groups).contains("host `a1` gets two values for `rack`"));
        assert_eq!(rack("a1", &format!("{groups}hosts.a1.rack = 'own'\n")), "own");
        assert_eq!(rack("a1", &format!("{groups}hosts.'a[1-9]'.rack = 'pattern'\n")), "pattern");
        let child = "groups.child = { hosts = ['a1'], rack = 'child' }\n";
        let both = groups.replace("hosts = ", "groups = ['child'], hosts = ");
        assert_eq!(rack("a1", &format!("{both}{child}")), "child");
    }

    #[test]
    fn groups_that_agree_are_not_refused() {
        let groups = "groups.one = { hosts = ['a1'], rack = '1' }\ngroups.two = { hosts = ['a1'], rack = '1' }\n";
        assert_eq!(rack("a1", groups), "1");
    }

    #[test]
    fn an_exact_entry_goes_before_a_pattern_wherever_it_stands() {
        let exact = "hosts.a1.rack = 'exact'\n";
        let pattern = "hosts.'a[1-2]'.rack = 'pattern'\n";
        assert_eq!(rack("a1", &format!("{exact}{pattern}")), "exact");
        assert_eq!(rack("a2", &format!("{exact}{pattern}")), "pattern");
    }

    #[test]
    fn hosts_stand_in_the_order_in_which_the_file_first_names_them() {
        let text = format!(
            "{BASE}hosts.z1 = {{}}\nhosts.b1 = {{}}\n[groups.y]\nhosts = ['b[1-2]']\n[groups.x]\nhosts = ['a1', 'b1']\n"
        );
        let inventory = parse_inventory("f", &text).unwrap();
        assert_eq!(inventory.hosts.keys().collect::<Vec<_>>(), ["b1", "b2", "a1", "z1"]);
        assert_eq!(inventory.groups.keys().collect::<Vec<_>>(), ["y", "x"]);
    }

    #[test]
    fn ten_thousand_hosts_with_entries_of_their_own_are_read() {
        let mut text = format!("{BASE}[groups.all-of-them]\nhosts = ['cmp[00001-10000]']\nvars = {{ a = 1 }}\n");
        for host in 1..=10_000 {
            writeln!(
                text,
                "[hosts.cmp{host:05}]\naddress = '198.18.{}.{}'\nrack = 'r{}'",
                host / 250,
                host % 250,
                host / 40
            )
            .unwrap();
        }
        let inventory = parse_inventory("f", &text).unwrap();
        assert_eq!(inventory.hosts.len(), 10_000);
        assert_eq!(inventory.hosts["cmp10000"].address, "198.18.40.0");
    }
}
