//! The upshift that is sent to hosts: this one, or one that was built for another kind of processor.

use std::collections::HashMap;
use std::fs::Metadata;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
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

/// What a program begins with says what it is for.
const HEAD: u64 = 20;

/// A program that was changed less than this before its hash was noted may have been changed once more since, in
/// seconds.
const SETTLED: i64 = 2;

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
#[derive(Debug)]
pub(super) struct Programs {
    /// What it was found to be is noted here, for the next command.
    notes: Utf8PathBuf,
    known: Mutex<HashMap<Utf8PathBuf, Arc<Program>>>,
}

impl Programs {
    /// Nothing is read yet.
    pub(super) fn new(notes: Utf8PathBuf) -> Self {
        Self { notes, known: Mutex::default() }
    }

    /// The upshift at a path; the one that is running when there is none.
    pub(super) async fn get(&self, path: Option<&Utf8Path>) -> Result<Arc<Program>, Trouble> {
        let path = path.unwrap_or("/proc/self/exe".into());
        let mut known = self.known.lock().await;
        if let Some(program) = known.get(path) {
            return Ok(program.clone());
        }
        let (own, name, notes) = (path.to_owned(), path.to_owned(), self.notes.clone());
        let read = tokio::task::spawn_blocking(move || Program::read(own, &notes)).await.map_err(io::Error::other);
        let program = Arc::new(
            read.and_then(|read| read)
                .map_err(|error| Trouble::new(Kind::Agent, format!("`{name}` cannot be sent to hosts: {error}")))?,
        );
        known.insert(path.to_owned(), program.clone());
        Ok(program)
    }
}

impl Program {
    fn read(path: Utf8PathBuf, notes: &Utf8Path) -> io::Result<Self> {
        let mut file = fs_err::File::open(&path)?;
        let mut head = Vec::new();
        (&mut file).take(HEAD).read_to_end(&mut head)?;
        let machine = machine(&head).ok_or_else(|| io::Error::other("it is no Linux program that upshift knows"))?;
        let metadata = file.metadata()?;
        let note = Note::about(&metadata, notes);
        let noted = note.hash();
        let hash = noted.map_or_else(|| hash(&mut file), Ok)?;
        if noted.is_none() {
            note.write(hash);
        }
        Ok(Self { hash, machine, path, packed: OnceCell::new() })
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

fn hash(file: &mut fs_err::File) -> io::Result<Hash> {
    file.rewind()?;
    let mut hasher = Sha256::new();
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(Hash::so_far(&hasher)),
            read => hasher.update(&piece[..read]),
        }
    }
}

/// The hash of a program, for the next command: reading all of it takes a command longer than a host that is
/// connected.
struct Note {
    path: Utf8PathBuf,
    /// When the program was last changed, in seconds.
    changed: i64,
}

impl Note {
    /// The note about a file as it is now: one that is changed or replaced has another note.
    fn about(program: &Metadata, folder: &Utf8Path) -> Self {
        let changed = (program.ctime(), program.ctime_nsec());
        let state = (program.dev(), program.ino(), program.size(), program.mtime(), program.mtime_nsec(), changed);
        let name = Hash::of(format!("{state:?}").as_bytes()).to_string();
        Self { path: folder.join(&name[..16]).with_extension("program"), changed: changed.0 }
    }

    /// The hash, when it is noted.
    fn hash(&self) -> Option<Hash> {
        // A file that is changed again within a tick of the clock looks as before.
        let noted = fs_err::metadata(&self.path).ok()?.mtime();
        if noted < self.changed + SETTLED {
            return None;
        }
        fs_err::read_to_string(&self.path).ok()?.parse().ok()
    }

    fn write(&self, hash: Hash) {
        // Without it, the next command reads the program again.
        let _ = fs_err::write(&self.path, hash.to_string());
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
        let notes = Utf8Path::from_path(folder.path()).unwrap();
        let program = Program::read(path.clone(), notes).unwrap();
        assert_eq!((program.machine, program.hash), ("x86_64", Hash::of(&elf("one"))));
        std::fs::write(&path, elf("another")).unwrap();
        assert!(program.packed().await.unwrap_err().to_string().ends_with("was replaced meanwhile"));
        std::fs::write(&path, elf("one")).unwrap();
        assert!(!program.packed().await.unwrap().is_empty());
    }

    #[test]
    fn a_hash_is_read_from_its_note_while_the_program_is_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(folder.path()).unwrap();
        let path = folder.join("upshift");
        let elf = |rest: &str| [b"\x7fELF\x02\x01\0\0\0\0\0\0\0\0\0\0\x02\0\x3e\0", rest.as_bytes()].concat();
        let read = || Program::read(path.clone(), folder).unwrap().hash;
        std::fs::write(&path, elf("one")).unwrap();
        let note = Note::about(&std::fs::metadata(&path).unwrap(), folder);
        assert_eq!(read(), Hash::of(&elf("one")));
        // The note is as new as the program: it does not count.
        note.write(Hash::of(b"noted"));
        assert_eq!(read(), Hash::of(&elf("one")));
        note.write(Hash::of(b"noted"));
        let later =
            std::time::UNIX_EPOCH + std::time::Duration::from_secs(u64::try_from(note.changed + SETTLED).unwrap());
        std::fs::File::options().write(true).open(&note.path).unwrap().set_modified(later).unwrap();
        assert_eq!(read(), Hash::of(b"noted"));
        // Half a note is none.
        std::fs::write(&note.path, "0123").unwrap();
        std::fs::File::options().write(true).open(&note.path).unwrap().set_modified(later).unwrap();
        assert_eq!(read(), Hash::of(&elf("one")));
        std::fs::write(&path, elf("other")).unwrap();
        assert_eq!(read(), Hash::of(&elf("other")));
    }
}
