//! The upshift that is sent to hosts: this one, or one that was built for another kind of processor.

use std::collections::HashMap;
use std::io::{self, Read as _, Write as _};
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Mutex, OnceCell};

use crate::model::hash::Hash;
use crate::transport::ssh::trouble::{Kind, Trouble};

/// It is read in pieces of this size.
const PIECE: usize = 64 * 1024;

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
        let mut file = fs_err::File::open(&path)?;
        let mut hasher = Sha256::new();
        let mut piece = vec![0; PIECE];
        let mut kind = None;
        let mut is_first = true;
        loop {
            let read = file.read(&mut piece)?;
            if read == 0 {
                break;
            }
            hasher.update(&piece[..read]);
            if std::mem::take(&mut is_first) {
                kind = machine(&piece[..read]);
            }
        }
        let machine = kind.ok_or_else(|| io::Error::other("it is no Linux program that upshift knows"))?;
        Ok(Self { hash: Hash::so_far(&hasher), machine, path, packed: OnceCell::new() })
    }

    /// The program, compressed: made when a host needs it.
    pub(super) async fn packed(&self) -> io::Result<&[u8]> {
        let pack = || async {
            let (path, hash) = (self.path.clone(), self.hash);
            let pack = move || {
                let bytes = fs_err::read(&path)?;
                // Hosts keep it under this name, and take nothing else for it.
                if Hash::of(&bytes) != hash {
                    return Err(io::Error::other(format!("`{path}` was replaced meanwhile")));
                }
                let mut packer = GzEncoder::new(Vec::new(), Compression::new(3));
                packer.write_all(&bytes)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_that_was_replaced_is_not_sent_under_its_old_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::try_from(folder.path().join("upshift")).unwrap();
        let elf = |rest: &str| [b"\x7fELF\x02\x01\0\0\0\0\0\0\0\0\0\0\x02\0\x3e\0", rest.as_bytes()].concat();
        std::fs::write(&path, elf("one")).unwrap();
        let program = Program::read(path.clone()).unwrap();
        assert_eq!((program.machine, program.hash), ("x86_64", Hash::of(&elf("one"))));
        std::fs::write(&path, elf("another")).unwrap();
        assert!(program.packed().await.unwrap_err().to_string().ends_with("was replaced meanwhile"));
        std::fs::write(&path, elf("one")).unwrap();
        assert!(!program.packed().await.unwrap().is_empty());
    }
}
