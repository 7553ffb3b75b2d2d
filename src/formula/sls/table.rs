//! SLS from a table, for the tests of this room.

use std::collections::HashMap;

use serde_json::Value;

use super::{High, Low, Options, Rendered, Source, high_state, low_state};
use crate::formula::{Data, Dict, Result};

/// The SLS of `base`: each with its name and its IDs.
pub(super) struct Table {
    names: Vec<String>,
    rendered: HashMap<String, Rendered>,
    pub(super) options: Options,
}

/// The entries of one mapping, in order.
pub(super) type Ids<'a> = &'a [(&'a str, Value)];

impl Table {
    pub(super) fn of(sls: &[(&str, Ids)]) -> Self {
        let mut table = Self { names: Vec::new(), rendered: HashMap::new(), options: Options::default() };
        for (name, ids) in sls {
            let mut data = Dict::ordered();
            for (id, body) in *ids {
                data.insert(*id, body.clone());
            }
            table.put(name, data.into());
        }
        table
    }

    pub(super) fn put(&mut self, name: &str, data: Data) {
        let lines = data.as_dict().into_iter().flat_map(|ids| ids.entries.keys()).filter_map(Data::as_str);
        let lines = lines.zip(1..).map(|(id, line)| (id.to_owned(), line)).collect();
        let path = format!("{}.sls", name.replace('.', "/"));
        self.rendered.insert(name.to_owned(), Rendered { data, is_init: false, path, lines });
        self.names.push(name.to_owned());
        self.names.sort();
    }

    pub(super) fn high(&mut self, sls: &[&str]) -> Result<High> {
        let sls = sls.iter().map(|&sls| sls.to_owned()).collect();
        let options = self.options.clone();
        high_state(self, &[("base".to_owned(), sls)], options)
    }

    pub(super) fn low(&mut self, sls: &[&str]) -> Result<Low> {
        self.high(sls).and_then(low_state)
    }

    /// What a low state is refused with.
    pub(super) fn refusal(&mut self, sls: &[&str]) -> String {
        self.low(sls).map(|_| "nothing").unwrap_err().to_string()
    }
}

impl Source for Table {
    fn available(&self, saltenv: &str) -> Result<Option<&[String]>> {
        Ok((saltenv == "base").then_some(&self.names))
    }

    fn has(&self, saltenv: &str, sls: &str) -> Result<bool> {
        Ok(saltenv == "base" && self.names.iter().any(|name| name == sls))
    }

    fn render(&mut self, _: &str, sls: &str) -> Result<Option<Rendered>> {
        Ok(self.rendered.get(sls).cloned())
    }
}
