//! The upshift that is sent to hosts: this one, or one that was built for another kind of processor.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::sync::{Mutex, OnceCell};

use crate::model::hash::Hash;
use crate::transport::ssh::trouble::{Kind, Trouble};

/// An upshift as it is sent.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) hash: Hash,
    /// The kind of processor it is for, as `uname -m` says it.
    pub(super) machine: &'static str,
    path: Utf8PathBuf,
    packed: OnceCell<Vec<u8>>,
}

/// Every upshift that hosts of a command need, each read once.
#[derive(Debug, Default)]
pub(super) struct Programs(Mutex<HashMap<Utf8PathBuf, Arc<Program>>>);

impl Programs {
    /// The upshift at a path; the one that is running when there is none.
    pub(super) async fn get(&self, path: Option<&Utf8Path>) -> Result<Arc<Program>, Trouble> {
        let path = path.unwrap_or("/proc/self/exe".into());
        let mut known = self.0.lock().await;
        if let Some(program) = known.get(path) {
            return Ok(program.clone());
        }
        let (own, name) = (path.to_owned(), path.to_owned());
        let read = tokio::task::spawn_blocking(move || Program::read(own)).await.map_err(io::Error::other);
        let program = Arc::new(
            read.and_then(|read| read)
                .map_err(|error| Trouble::new(Kind::Agent, format!("`{name}` cannot be sent to hosts: {error}")))?,
        );
        known.insert(path.to_owned(), program.clone());
        Ok(program)
    }
}

impl Program {
    fn read(path: Utf8PathBuf) -> io::Result<Self> {
        let bytes = fs_err::read(&path)?;
        let machine = machine(&bytes).ok_or_else(|| io::Error::other("it is no Linux program that upshift knows"))?;
        Ok(Self { hash: Hash::of(&bytes), machine, path, packed: OnceCell::new() })
    }

    /// The program, compressed: made when a host needs it.
    pub(super) async fn packed(&self) -> io::Result<&[u8]> {
        let pack = || async {
            let path = self.path.clone();
            let pack = move || {
                let mut packer = GzEncoder::new(Vec::new(), Compression::new(3));
                packer.write_all(&fs_err::read(&path)?)?;
                packer.finish()
            };
            tokio::task::spawn_blocking(pack).await.map_err(io::Error::other)?
        };
        self.packed.get_or_try_init(pack).await.map(Vec::as_slice)
    }
}

/// The kind of processor that a program is for, from its header (`elf(5)`: `e_machine`).
fn machine(program: &[u8]) -> Option<&'static str> {
    if !program.starts_with(b"\x7fELF") {
        return None;
    }
    let little = program.get(5)? == &1;
    let field = [*program.get(18)?, *program.get(19)?];
    Some(match if little { u16::from_le_bytes(field) } else { u16::from_be_bytes(field) } {
        0x3e => "x86_64",
        0xb7 => "aarch64",
        0xf3 => "riscv64",
        0x15 if little => "ppc64le",
        0x16 => "s390x",
        0x28 => "armv7l",
        0x03 => "i686",
        _ => return None,
    })
}
