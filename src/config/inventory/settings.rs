//! What a host can be given, and which of several givers wins.

use camino::{Utf8Path, Utf8PathBuf};
use indexmap::IndexMap;

use crate::config::source::Source;
use crate::config::table::{Table, Value};
use crate::error::{Error, Result};
use crate::model::inventory::Transport;

/// A key that defaults, groups and hosts all may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Key<'s> {
    Transport,
    User,
    Port,
    Identity,
    Options,
    Become,
    Folder,
    Agent,
    Rack,
    Answers,
    /// A variable; each one counts for itself.
    Var(&'s str),
}

impl std::fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Transport => f.write_str("transport"),
            Self::User => f.write_str("user"),
            Self::Port => f.write_str("port"),
            Self::Identity => f.write_str("key"),
            Self::Options => f.write_str("options"),
            Self::Become => f.write_str("become"),
            Self::Folder => f.write_str("folder"),
            Self::Agent => f.write_str("agent"),
            Self::Rack => f.write_str("rack"),
            Self::Answers => f.write_str("answers"),
            Self::Var(name) => write!(f, "vars.{name}"),
        }
    }
}

/// The value of a [`Key`].
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Setting {
    Transport(Transport),
    /// A user, a path or a rack.
    Text(String),
    Port(u16),
    Options(Vec<String>),
    Flag(bool),
    Var(serde_json::Value),
}

impl std::fmt::Display for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Transport(transport) => write!(f, "\"{transport}\""),
            Self::Text(text) => write!(f, "\"{text}\""),
            Self::Port(port) => write!(f, "{port}"),
            Self::Options(options) => write!(f, "{options:?}"),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Var(value) => write!(f, "{value}"),
        }
    }
}

/// A setting, and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) setting: Setting,
    pub(super) start: usize,
}

/// What one table gives.
pub(super) type Settings<'s> = IndexMap<Key<'s>, Given>;

/// Reads what a table gives to hosts.
pub(super) fn read<'s>(table: &Table<'s>) -> Result<Settings<'s>> {
    let mut settings = Settings::new();
    let mut put = |key, setting, value: Value<'s>| settings.insert(key, Given { setting, start: value.start() });
    if let Some(value) = table.get("transport") {
        put(Key::Transport, Setting::Transport(transport(value)?), value);
    }
    for (name, key) in [("user", Key::User), ("rack", Key::Rack)] {
        if let Some(value) = table.get(name) {
            put(key, Setting::Text(value.line()?), value);
        }
    }
    for (name, key) in [("key", Key::Identity), ("agent", Key::Agent)] {
        if let Some(value) = table.get(name) {
            put(key, Setting::Text(beside(table.source, &value.line()?).into()), value);
        }
    }
    if let Some(value) = table.get("folder") {
        let folder = value.line()?;
        if !folder.starts_with('/') {
            return Err(value.wanted("a path on the host that starts with `/`"));
        }
        put(Key::Folder, Setting::Text(folder), value);
    }
    if let Some(value) = table.get("port") {
        let port = value.number(1, u32::from(u16::MAX))?;
        put(Key::Port, Setting::Port(u16::try_from(port).unwrap_or(u16::MAX)), value);
    }
    if let Some(value) = table.get("options") {
        let options = value.list("[\"ProxyJump=bastion\"]")?;
        put(Key::Options, Setting::Options(options.into_iter().map(option).collect::<Result<_>>()?), value);
    }
    for (name, key) in [("become", Key::Become), ("answers", Key::Answers)] {
        if let Some(value) = table.get(name) {
            put(key, Setting::Flag(value.flag()?), value);
        }
    }
    for entry in table.read("vars", Value::entries)?.unwrap_or_default() {
        put(Key::Var(entry.value.key), Setting::Var(entry.value.json()?), entry.value);
    }
    Ok(settings)
}

fn transport(value: Value<'_>) -> Result<Transport> {
    value.choice(&[("ssh", Transport::Ssh), ("local", Transport::Local), ("simulated", Transport::Simulated)])
}

/// An option as `ssh -o` takes it.
fn option(value: Value<'_>) -> Result<String> {
    let option = value.line()?;
    if option.starts_with('-') || !option.contains(['=', ' ']) {
        return Err(value.wanted("an option as `ssh -o` takes it, such as `ProxyJump=bastion`"));
    }
    Ok(option)
}

/// A path in an inventory: one that starts with neither `/` nor `~` is taken from the inventory's folder.
pub(super) fn beside(source: &Source, path: &str) -> Utf8PathBuf {
    match Utf8Path::new(source.file()).parent() {
        Some(folder) if !path.starts_with('~') => folder.join(path),
        _ => path.into(),
    }
}

/// Settings from several givers: for each key the one that wins, or two that nobody ranks.
#[derive(Debug, Default)]
pub(super) struct Layer<'a, 's>(IndexMap<Key<'s>, std::result::Result<&'a Given, Conflict<'a>>>);

/// Two givers of different values, neither of which goes before the other.
#[derive(Debug)]
pub(super) struct Conflict<'a> {
    first: (String, &'a Given),
    second: (String, &'a Given),
}

impl<'a, 's: 'a> Layer<'a, 's> {
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Key<'s>, &std::result::Result<&'a Given, Conflict<'a>>)> {
        self.0.iter()
    }

    /// Lays the settings of one giver over what is there.
    pub(super) fn put(&mut self, settings: &'a Settings<'s>) {
        self.0.extend(settings.iter().map(|(key, given)| (*key, Ok(given))));
    }

    /// Lays the settings of several givers over what is there.
    ///
    /// They come outermost first: no giver stands before one that contains it.
    pub(super) fn put_all<'n>(
        &mut self,
        givers: impl Iterator<Item = (usize, (&'n str, &'a Settings<'s>))>,
        contains: impl Fn(usize, usize) -> bool,
        describe: impl Fn(&str) -> String,
    ) {
        let mut candidates: IndexMap<Key<'s>, Vec<(usize, &'n str, &'a Given)>> = IndexMap::new();
        for (id, (name, settings)) in givers {
            for (key, given) in settings {
                let candidates = candidates.entry(*key).or_default();
                candidates.retain(|(outer, ..)| !contains(*outer, id));
                candidates.push((id, name, given));
            }
        }
        for (key, mut candidates) in candidates {
            // Of two that disagree, the second one in the file is shown where it stands.
            candidates.sort_unstable_by_key(|(id, ..)| *id);
            let Some((_, name, first)) = candidates.first() else { continue };
            let other = candidates.iter().find(|(.., given)| given.setting != first.setting);
            let found = other.map_or(Ok(*first), |(_, other, second)| {
                Err(Conflict { first: (describe(name), first), second: (describe(other), second) })
            });
            self.0.insert(key, found);
        }
    }
}

impl Conflict<'_> {
    pub(super) fn error(&self, source: &Source, host: &str, key: &Key<'_>) -> Error {
        let ((first, one), (second, other)) = (&self.first, &self.second);
        let message = format!(
            "host `{host}` gets two values for `{key}`: `{}` from {first} and `{}` from {second}",
            one.setting, other.setting
        );
        let hint = match key {
            Key::Var(name) => format!("say which: `[hosts.{}]` with `vars = {{ {name} = … }}`", quoted(host)),
            _ => format!("say which: `[hosts.{}]` with `{key} = …`", quoted(host)),
        };
        source.error(other.start, message).hint(hint)
    }
}

/// A name as a TOML key: a dot would make two of it.
fn quoted(name: &str) -> String {
    if name.contains('.') { format!("\"{name}\"") } else { name.to_owned() }
}
