//! Reads a table of a file key by key.
//!
//! A table is opened with the keys it may have, and any other one is an error before a value is
//! looked at: whoever misspelt a key hears of that and not of the key that is now missing.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::source::Source;
use crate::config::syntax::shorten;
use crate::error::{Error, Result};
use crate::model::{Place, nearest};

/// The keys that a kind of table may have.
#[derive(Debug)]
pub(super) struct Keys {
    /// What the table is, as a sentence begins with it: `A stage`.
    pub(super) owner: &'static str,
    /// The keys, the most important ones first.
    pub(super) names: &'static [&'static str],
    /// Keys that people write here and that belong elsewhere, with the hint that says where.
    pub(super) elsewhere: &'static [(&'static [&'static str], &'static str)],
}

/// An opened table: it has no unknown key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table<'s> {
    pub(super) source: &'s Source,
    keys: &'static Keys,
    entries: &'s DeTable<'s>,
    start: usize,
}

/// A value, with the key it was given for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Value<'s> {
    pub(super) source: &'s Source,
    pub(super) key: &'s str,
    pub(super) inner: &'s DeValue<'s>,
    start: usize,
    end: usize,
}

impl<'s> Table<'s> {
    /// Opens a whole file.
    pub(super) fn of_file(source: &'s Source, file: &'s Spanned<DeTable<'s>>, keys: &'static Keys) -> Result<Self> {
        Self::open(source, file.get_ref(), 0, keys)
    }

    fn open(source: &'s Source, entries: &'s DeTable<'s>, start: usize, keys: &'static Keys) -> Result<Self> {
        let unknown = entries.keys().filter(|key| !keys.names.contains(&key.get_ref().as_ref()));
        if let Some(key) = unknown.min_by_key(|key| key.span().start) {
            let name: &str = key.get_ref();
            let elsewhere = keys.elsewhere.iter().find(|(names, _)| names.contains(&name));
            let hint = elsewhere.map_or_else(
                || nearest::hint(name, keys.owner, keys.names.iter().copied()),
                |(_, hint)| hint.replace("{}", name),
            );
            return Err(source.error(key.span().start, format!("unknown key `{name}`")).hint(hint));
        }
        Ok(Self { source, keys, entries, start })
    }

    /// The value of a key, if it is given.
    pub(super) fn get(&self, key: &'static str) -> Option<Value<'s>> {
        debug_assert!(self.keys.names.contains(&key), "`{key}` is not declared");
        let value = self.entries.get(key)?;
        Some(Value::new(self.source, key, value))
    }

    /// Reads a key that need not be there.
    pub(super) fn read<T>(&self, key: &'static str, read: impl FnOnce(Value<'s>) -> Result<T>) -> Result<Option<T>> {
        self.get(key).map(read).transpose()
    }

    /// The value of a key that has to be there; the example is a value as it would be written.
    pub(super) fn need(&self, key: &'static str, example: &str) -> Result<Value<'s>> {
        self.get(key).ok_or_else(|| {
            let owner = nearest::lower_first(self.keys.owner);
            let owner = owner.strip_prefix("a ").map_or(owner.clone(), |owner| format!("this {owner}"));
            self.error(format!("{owner} has no `{key}`")).hint(format!("add `{key} = {example}`"))
        })
    }

    /// The keys that are given, in the order in which the table declares them.
    pub(super) fn given(&self) -> impl Iterator<Item = &'static str> {
        self.keys.names.iter().copied().filter(|key| self.entries.contains_key(*key))
    }

    /// Where the key itself stands.
    pub(super) fn key_start(&self, key: &str) -> usize {
        self.entries.get_key_value(key).map_or(self.start, |(key, _)| key.span().start)
    }

    /// Where the table stands.
    pub(super) fn place(&self) -> Place {
        self.source.place(self.start)
    }

    /// An error about the table as a whole.
    pub(super) fn error(&self, message: impl std::fmt::Display) -> Error {
        self.source.error(self.start, message)
    }

    /// An error about a key, at the key.
    pub(super) fn key_error(&self, key: &str, message: impl std::fmt::Display) -> Error {
        self.source.error(self.key_start(key), message)
    }
}

impl<'s> Value<'s> {
    fn new(source: &'s Source, key: &'s str, value: &'s Spanned<DeValue<'s>>) -> Self {
        let Range { start, end } = value.span();
        Self { source, key, inner: value.get_ref(), start, end }
    }

    /// The offset at which the value stands.
    pub(super) fn start(&self) -> usize {
        self.start
    }

    /// Where the value stands.
    pub(super) fn place(&self) -> Place {
        self.source.place(self.start)
    }

    /// The value as it is written.
    pub(super) fn written(&self) -> &'s str {
        self.source.text().get(self.start..self.end).unwrap_or_default()
    }

    /// An error about the value.
    pub(super) fn error(&self, message: impl std::fmt::Display) -> Error {
        self.source.error(self.start, format!("`{}`: {message}", self.key))
    }

    /// The error of a value that is something else than wanted.
    pub(super) fn wanted(&self, wanted: &str) -> Error {
        let found = match self.inner {
            DeValue::Table(_) => "a table".to_owned(),
            DeValue::Array(_) => "a list".to_owned(),
            _ => format!("`{}`", shorten(self.written())),
        };
        self.error(format!("wanted {wanted}, found {found}"))
    }

    /// A text of any length.
    pub(super) fn text(self) -> Result<&'s str> {
        match self.inner {
            DeValue::String(text) => Ok(text),
            DeValue::Table(_) => Err(self.wanted("text")),
            DeValue::Array(items) => {
                let texts: Option<Vec<_>> = items.iter().map(|item| item.get_ref().as_str()).collect();
                let error = self.wanted("one text");
                Err(match texts.filter(|texts| !texts.is_empty()) {
                    // A command line has spaces between its words, a selector commas.
                    Some(texts) => {
                        let joined = texts.join(if self.key == "hosts" { "," } else { " " });
                        error.hint(format!("did you mean `{} = \"{}\"`?", self.key, shorten(&joined)))
                    }
                    None => error,
                })
            }
            _ => {
                Err(self.wanted("text").hint(format!("text stands in quotes: `{} = \"{}\"`", self.key, self.written())))
            }
        }
    }

    /// A text that fits on one line of a screen.
    pub(super) fn line(self) -> Result<String> {
        let text = self.text()?.trim();
        if text.is_empty() {
            return Err(self.error("wanted text, found nothing"));
        }
        if text.chars().any(char::is_control) {
            return Err(self.error("wanted one line of text, found a line break or control character"));
        }
        Ok(text.to_owned())
    }

    /// A text that is one of a few words.
    pub(super) fn choice<T: Copy>(self, choices: &[(&str, T)]) -> Result<T> {
        let text = self.text()?;
        let chosen = choices.iter().find(|(word, _)| *word == text);
        chosen.map(|(_, choice)| *choice).ok_or_else(|| {
            let words: Vec<_> = choices.iter().map(|(word, _)| format!("`{word}`")).collect();
            let (last, others) = words.split_last().map_or(("", &[][..]), |(last, others)| (last, others));
            let error = self.error(format!("wanted {} or {last}, found `{}`", others.join(", "), shorten(text)));
            match nearest::nearest(text, choices.iter().map(|(word, _)| *word)) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error,
            }
        })
    }

    /// True or false.
    pub(super) fn flag(self) -> Result<bool> {
        self.inner.as_bool().ok_or_else(|| self.wanted("`true` or `false`"))
    }

    /// The elements of a list.
    pub(super) fn list(self, example: &str) -> Result<impl Iterator<Item = Value<'s>>> {
        let items = self.inner.as_array().ok_or_else(|| self.wanted(&format!("a list such as `{example}`")))?;
        Ok(items.iter().map(move |item| Value::new(self.source, self.key, item)))
    }

    /// A table that may have these keys.
    pub(super) fn table(self, keys: &'static Keys) -> Result<Table<'s>> {
        let entries = self.inner.as_table().ok_or_else(|| {
            let has = format!("{} has: {}", keys.owner, nearest::list(keys.names.iter().copied()));
            self.wanted("a table").hint(nearest::lower_first(&has))
        })?;
        Table::open(self.source, entries, self.start, keys)
    }

    /// The keys and values of a table that may have any key, in the order of the file.
    pub(super) fn entries(self) -> Result<Vec<Entry<'s>>> {
        let table = self.inner.as_table().ok_or_else(|| self.wanted("a table"))?;
        let mut entries: Vec<_> = table
            .iter()
            .map(|(key, value)| Entry { start: key.span().start, value: Value::new(self.source, key.get_ref(), value) })
            .collect();
        // The parser sorts by name.
        entries.sort_unstable_by_key(|entry| entry.start);
        Ok(entries)
    }

    /// Variables, by name.
    pub(super) fn variables(self) -> Result<indexmap::IndexMap<String, serde_json::Value>> {
        self.entries()?.into_iter().map(|entry| Ok((entry.value.key.to_owned(), entry.value.json()?))).collect()
    }

    /// The value as templates see it; a date or time is text.
    pub(super) fn json(self) -> Result<serde_json::Value> {
        let out_of_range = || self.wanted("a number that fits 64 bits");
        Ok(match self.inner {
            DeValue::String(text) => text.as_ref().into(),
            DeValue::Boolean(flag) => (*flag).into(),
            DeValue::Datetime(time) => time.to_string().into(),
            DeValue::Integer(number) => {
                i64::from_str_radix(number.as_str(), number.radix()).map_err(|_| out_of_range())?.into()
            }
            DeValue::Float(number) => {
                let number = number.as_str().parse().ok().and_then(serde_json::Number::from_f64);
                number.ok_or_else(|| self.wanted("a finite number"))?.into()
            }
            DeValue::Array(_) => self.list("[]")?.map(Self::json).collect::<Result<Vec<_>>>()?.into(),
            DeValue::Table(_) => {
                let entries = self.entries()?.into_iter();
                let map = entries.map(|entry| Ok((entry.value.key.to_owned(), entry.value.json()?)));
                serde_json::Value::Object(map.collect::<Result<_>>()?)
            }
        })
    }
}

/// A key that a person chose, and its value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'s> {
    /// Where the key stands.
    pub(super) start: usize,
    /// What it was given.
    pub(super) value: Value<'s>,
}
