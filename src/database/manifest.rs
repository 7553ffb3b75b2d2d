//! What a backup says of itself, in a file beside it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Job, size};
use crate::model::hash::File;
use crate::model::record::Kept;
use crate::model::span::short;

/// The format of a manifest that this upshift writes and reads.
pub(super) const FORMAT: u32 = 1;

/// What a backup says of itself. Whoever restores it believes nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The format, 1.
    pub format: u32,
    /// The version of upshift that made it.
    pub upshift: String,
    /// The step that made it.
    pub by: String,
    /// When it was begun.
    pub begun: Timestamp,
    /// How long it took.
    pub took: SignedDuration,
    /// How long a restore took on a scratch server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<SignedDuration>,
    /// What made it.
    pub engine: String,
    /// The version of the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Settings of the server that decide what can be loaded, for a scratch server.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// The file with the data, beside the manifest.
    pub file: String,
    /// What that file is, compressed as it is there.
    pub data: File,
    /// How many bytes it has when it is not compressed.
    pub size: u64,
    /// What is in it.
    pub contents: Contents,
}

/// What a server says of itself.
#[derive(Default)]
pub(super) struct Server {
    pub(super) version: Option<String>,
    pub(super) settings: BTreeMap<String, String>,
}

/// A file that was written.
pub(super) struct Written {
    pub(super) file: String,
    pub(super) data: File,
    pub(super) size: u64,
}

impl Manifest {
    pub(super) fn new(
        job: &Job<'_>,
        server: Server,
        contents: Contents,
        written: Written,
        took: SignedDuration,
    ) -> Self {
        Self {
            format: FORMAT,
            upshift: env!("CARGO_PKG_VERSION").to_owned(),
            by: job.by.to_owned(),
            begun: job.now,
            took,
            restored: None,
            engine: job.backup.data.form().to_owned(),
            version: server.version,
            settings: server.settings,
            file: written.file,
            data: written.data,
            size: written.size,
            contents,
        }
    }

    /// What the journal has of it.
    pub(super) fn kept(&self) -> Kept {
        Kept { size: self.data.size, undo_takes: self.restored }
    }

    /// How much is in it, for people.
    pub(super) fn holds(&self) -> String {
        match self.contents.0.values().next().and_then(|tables| tables.get("keys")) {
            Some(keys) if self.engine == "etcd" => format!("{keys} keys"),
            _ => self.contents.summary(),
        }
    }

    /// One line for people.
    pub(super) fn summary(&self) -> String {
        let bytes = format!("{}, {} on disk", size(self.size), size(self.data.size));
        let contents = if self.contents.0.is_empty() { String::new() } else { format!(", {}", self.holds()) };
        let tested = self.restored.map(|took| format!("; restored on a scratch server in {}", short(took)));
        format!("{bytes}{contents}{}", tested.unwrap_or_default())
    }
}

/// Databases, their tables by name, and the rows of each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents(pub BTreeMap<String, BTreeMap<String, u64>>);

impl Contents {
    /// Adds rows to a table, which is there from then on.
    pub(super) fn add(&mut self, database: &str, table: &str, rows: u64) {
        *self.0.entry(database.to_owned()).or_default().entry(table.to_owned()).or_default() += rows;
    }

    /// How much there is, for people.
    pub(super) fn summary(&self) -> String {
        let tables = || self.0.values().flatten();
        let plural = |n: u64, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        format!(
            "{}, {}, {}",
            plural(self.0.len() as u64, "database"),
            plural(tables().count() as u64, "table"),
            plural(tables().map(|(_, rows)| rows).sum(), "row")
        )
    }

    /// The first difference to what was found.
    pub(super) fn difference(&self, found: &Self) -> Option<String> {
        for (database, tables) in &self.0 {
            for (table, rows) in tables {
                match found.0.get(database).and_then(|tables| tables.get(table)) {
                    Some(other) if other == rows => {}
                    Some(other) => {
                        return Some(format!("`{database}.{table}` has {other} rows, and {rows} in the backup"));
                    }
                    None => return Some(format!("`{database}.{table}` is not there")),
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_lost_a_row_is_named() {
        let mut kept = Contents::default();
        kept.add("nova", "instances", 3);
        kept.add("nova", "cells", 0);
        assert_eq!(kept.difference(&kept.clone()), None);
        let mut found = Contents::default();
        found.add("nova", "instances", 2);
        assert_eq!(kept.difference(&found).as_deref(), Some("`nova.cells` is not there"));
        found.add("nova", "cells", 0);
        assert_eq!(kept.difference(&found).as_deref(), Some("`nova.instances` has 2 rows, and 3 in the backup"));
        assert_eq!(kept.summary(), "1 database, 2 tables, 3 rows");
    }
}
