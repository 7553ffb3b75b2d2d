//! The formula files of a run on a host: a list of their paths, which is a file of the store as they are.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::sync::{Mutex, PoisonError};

use camino::Utf8Path;
use serde::{Deserialize, Serialize};

use crate::agent::files::{File, Hash, Store};
use crate::agent::process;
use crate::formula::roots::{Links, Root, Roots};

/// The formula files by their path within the file roots (`nova/map.jinja`), and the links among them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    files: BTreeMap<String, Entry>,
    links: Links,
}

/// A formula file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    content: File,
    /// As it was where the file came from, for states that keep it.
    mode: Option<u32>,
}

impl Manifest {
    /// Reads formulas: the list, and every content that is in it.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn of(roots: &Roots) -> io::Result<(Self, Vec<Vec<u8>>)> {
        let mut files = BTreeMap::new();
        let mut contents = Vec::new();
        for path in roots.list()? {
            let content = roots.read(&path)?.unwrap_or_default();
            let mode = roots.mode(&path)?;
            let file = File { hash: Hash::of(&content), size: content.len() as u64 };
            files.insert(path, Entry { content: file, mode });
            contents.push(content);
        }
        Ok((Self { files, links: roots.links()? }, contents))
    }

    /// The list as the file that it travels as.
    ///
    /// # Errors
    /// Never for what [`of`](Self::of) gives.
    pub fn to_bytes(&self) -> io::Result<Vec<u8>> {
        Ok(serde_json::to_vec(self)?)
    }
}

/// The formula files in the store of this machine.
#[derive(Debug)]
pub(in crate::agent) struct Stored {
    manifest: Manifest,
    /// Open, so that nothing in it is thrown away meanwhile.
    store: Mutex<Store>,
}

impl Stored {
    /// The files of a manifest, which is in the store too.
    pub(in crate::agent) fn open(folder: &Utf8Path, manifest: File) -> io::Result<Self> {
        let mut store = Store::open(folder, &process::boot()?)?;
        let bytes = content(&mut store, manifest)?;
        Ok(Self { manifest: serde_json::from_slice(&bytes)?, store: Mutex::new(store) })
    }
}

impl Root for Stored {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        let Some(file) = self.manifest.files.get(path) else { return Ok(None) };
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        content(&mut store, file.content).map(Some)
    }

    fn has(&self, path: &str) -> io::Result<bool> {
        Ok(self.manifest.files.contains_key(path))
    }

    fn mode(&self, path: &str) -> io::Result<Option<u32>> {
        Ok(self.manifest.files.get(path).and_then(|file| file.mode))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.manifest.files.keys().cloned().collect())
    }

    fn links(&self) -> io::Result<Links> {
        Ok(self.manifest.links.clone())
    }

    fn name(&self) -> String {
        "the formulas that were sent".to_owned()
    }
}

/// A content of the store, which is what its name says.
fn content(store: &mut Store, file: File) -> io::Result<Vec<u8>> {
    let gone = || io::Error::new(io::ErrorKind::NotFound, format!("the file {} is not in the store", file.hash));
    let (mut handle, is_known) = store.open_content(file)?.ok_or_else(gone)?;
    let mut bytes = Vec::new();
    handle.read_to_end(&mut bytes)?;
    if !is_known && Hash::of(&bytes) != file.hash {
        store.discard(file.hash);
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("the file {} is damaged", file.hash)));
    }
    store.saw(file.hash);
    Ok(bytes)
}
