//! What a host can be given, and which of several givers wins.

use indexmap::IndexMap;

use crate::config::source::Source;
use crate::config::table::{Table, Value};
use crate::error::{Error, Result};
use crate::model::inventory::Transport;

/// A key that defaults, groups and hosts all may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Key<'s> {
    Transport,
    Rack,
    Answers,
    /// A variable; each one counts for itself.
    Var(&'s str),
}

impl std::fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Transport => f.write_str("transport"),
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
    Rack(String),
    Answers(bool),
    Var(serde_json::Value),
}

impl std::fmt::Display for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Transport(transport) => write!(f, "\"{transport}\""),
            Self::Rack(rack) => write!(f, "\"{rack}\""),
            Self::Answers(answers) => write!(f, "{answers}"),
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
    if let Some(value) = table.get("rack") {
        put(Key::Rack, Setting::Rack(value.line()?), value);
    }
    if let Some(value) = table.get("answers") {
        put(Key::Answers, Setting::Answers(value.flag()?), value);
    }
    for entry in table.read("vars", Value::entries)?.unwrap_or_default() {
        put(Key::Var(entry.value.key), Setting::Var(entry.value.json()?), entry.value);
    }
    Ok(settings)
}

fn transport(value: Value<'_>) -> Result<Transport> {
    value.choice(&[("local", Transport::Local), ("simulated", Transport::Simulated)])
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
