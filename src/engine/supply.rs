//! What applying formulas takes on a host: their files, and the host's own pillar.
//!
//! A host gets its pillar and no other, from memory to memory.

use std::io;
use std::sync::Arc;

use camino::Utf8PathBuf;
use serde_json::{Map, Value};

use crate::agent::apply::Manifest;
use crate::agent::files::{File, Store};
use crate::agent::process;
use crate::agent::protocol::Private;
use crate::error::Result;
use crate::formula::compile::Subject;
use crate::formula::roots::Roots;
use crate::formula::{self, Data, Dict, cipher, facts, fnmatch};
use crate::model::plan::{self, Apply};
use crate::transport::ssh::Files;

/// The formulas and the pillar tree of a pipeline, as they were when its plan was made.
#[derive(Debug)]
pub struct Supply {
    /// Everything that has to be in the store of a host.
    pub wanted: Vec<File>,
    /// The same, to be sent.
    pub files: Arc<Files>,
    contents: Vec<Arc<[u8]>>,
    manifest: File,
    tree: Option<(Roots, crate::model::hash::Hash)>,
    secret: Vec<String>,
}

impl Supply {
    /// Reads all of them.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn new(roots: &Roots, tree: Option<Roots>, secret: Vec<String>) -> Result<Self> {
        let (manifest, read) = Manifest::of(roots)?;
        let mut files = Files::default();
        let bytes: Arc<[u8]> = manifest.to_bytes()?.into();
        let mut contents: Vec<Arc<[u8]>> = read.into_iter().map(Arc::from).collect();
        contents.push(Arc::clone(&bytes));
        let mut wanted: Vec<File> = contents.iter().map(|content| files.add(Arc::clone(content))).collect();
        wanted.sort_by_key(|file| file.hash);
        wanted.dedup();
        let manifest = files.add(bytes);
        let tree = tree.map(|tree| tree.digest().map(|digest| (tree, digest))).transpose()?;
        Ok(Self { wanted, files: Arc::new(files), contents, manifest, tree, secret })
    }

    /// What tells these formulas from all others.
    #[must_use]
    pub fn formulas(&self) -> plan::Formulas {
        plan::Formulas { files: self.manifest, tree: self.tree.as_ref().map(|(_, digest)| *digest) }
    }

    /// Whether what a host has to know is more than what the step says: a pillar tree may run programs.
    #[must_use]
    pub fn takes_time(&self) -> bool {
        self.tree.is_some()
    }

    /// What one host has to know.
    ///
    /// # Errors
    /// When its pillar does not compile.
    pub fn private(&self, host: &str, grains: Map<String, Value>, apply: &Apply) -> formula::Result<Private> {
        let grains = Data::from(Value::Object(grains));
        let given = Data::from(Value::Object(apply.pillar.clone()));
        let options = Data::from(Dict::default());
        let pillar = match &self.tree {
            None => given,
            Some((tree, _)) => {
                let subject = Subject {
                    id: host.to_owned(),
                    grains: grains.clone(),
                    options: options.clone(),
                    facts: Arc::new(facts::Host),
                    python2: apply.python2,
                };
                subject.pillar(tree.clone(), &given)?
            }
        };
        let mut secrets = cipher::opened_in(&pillar);
        gather(&pillar, "", false, &self.secret, &mut secrets);
        Ok(Private { id: host.to_owned(), grains, pillar, options, secrets })
    }

    /// Puts the files into the store of this machine, for hosts that are this machine.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&self, store: &Utf8PathBuf) -> io::Result<()> {
        let mut store = Store::open(store, &process::boot()?)?;
        for content in &self.contents {
            let file = File { hash: crate::model::hash::Hash::of(content), size: content.len() as u64 };
            store.pack(&[file], content)?;
        }
        store.settle()
    }
}

/// The values below `path` that nobody may see.
fn gather(data: &Data, path: &str, is_secret: bool, patterns: &[String], secrets: &mut Vec<String>) {
    let is_secret = is_secret || (!path.is_empty() && patterns.iter().any(|pattern| fnmatch::is_match(pattern, path)));
    match data {
        Data::Dict(dict) => {
            for (key, value) in &dict.entries {
                let key = key.as_str().map_or_else(|| format!("{key:?}"), str::to_owned);
                let path = if path.is_empty() { key } else { format!("{path}:{key}") };
                gather(value, &path, is_secret, patterns, secrets);
            }
        }
        Data::List(items) => items.iter().for_each(|item| gather(item, path, is_secret, patterns, secrets)),
        Data::Str(text) if is_secret => secrets.push(text.to_string()),
        Data::Int(number) if is_secret => secrets.push(number.to_string()),
        _ => {}
    }
}
