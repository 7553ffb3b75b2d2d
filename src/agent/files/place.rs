//! Puts what is in the store at paths: whole, or not at all.
//!
//! What was there is there until the moment in which the new file takes its name, and a file that is
//! already as it should be is not touched.

use std::collections::{BTreeSet, HashMap};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt, PermissionsExt as _};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use crate::agent::files::arrival::cannot_write;
use crate::agent::files::compare::{MODE, Wanted};
use crate::agent::files::owners::Owners;
use crate::agent::files::temporary::{Temporary, beside};
use crate::agent::files::{File, Found, Hash, Place, Placed, Store, What};
use crate::agent::spool::errno;

/// So many files are written before they are put on disk and get their names, all open meanwhile.
const BATCH: usize = 200;

/// Of so many, each is put on disk by itself.
const ONE_BY_ONE: usize = 16;

/// What a folder above gets.
const FOLDER_MODE: u32 = 0o755;

/// What a new file gets when nothing is said.
const FILE_MODE: u32 = 0o644;

/// Puts things at paths, in order, and says what became of each.
pub(super) fn place(store: &mut Store, places: &[Place], parents: bool, owners: &mut Owners) -> Vec<Placed> {
    let mut placing = Placing { store, wanted: Wanted::new(places, parents, owners), ready: Vec::new() };
    let mut placed = Vec::new();
    for batch in places.chunks(BATCH) {
        let begun = placed.len();
        for (at, place) in batch.iter().enumerate() {
            let done = placing.place(begun + at, place);
            placed.push(done.unwrap_or_else(|error| Placed::Failed(error.to_string())));
        }
        let synced = sync(&placing.ready).map_err(|error| error.to_string());
        let mut folders = BTreeSet::new();
        for Ready { at, temporary } in placing.ready.drain(..) {
            let path = &places[at].path;
            let named = synced.clone().and_then(|()| temporary.rename(path).map_err(|error| error.to_string()));
            match named {
                Ok(()) => _ = folders.insert(path.parent().unwrap_or(path)),
                Err(why) => placed[at] = Placed::Failed(why),
            }
        }
        for folder in folders {
            // Whatever a power failure leaves of the names, no file is half there.
            let _ = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
        }
    }
    placed
}

struct Placing<'a> {
    store: &'a mut Store,
    wanted: Wanted<'a>,
    ready: Vec<Ready>,
}

/// A file that is written and waits for its name.
struct Ready {
    at: usize,
    temporary: Temporary,
}

impl Placing<'_> {
    fn place(&mut self, at: usize, place: &Place) -> io::Result<Placed> {
        let found = self.wanted.look(place);
        let ids = self.wanted.ids(place).map_err(io::Error::other)?;
        match (found, &place.what) {
            (Found::Same, _) => return Ok(Placed::Unchanged),
            (Found::Refused(why), _) => return Err(io::Error::other(why)),
            (Found::Attributes, _) => {
                let named = |error| cannot_write(&place.path, error);
                std::os::unix::fs::lchown(&place.path, ids.0, ids.1).map_err(named)?;
                if let Some(mode) = place.mode {
                    std::fs::set_permissions(&place.path, std::fs::Permissions::from_mode(mode)).map_err(named)?;
                }
            }
            (Found::Different, What::Folder) => {
                self.create_parents(&place.path)?;
                create_folder(&place.path, place.mode.unwrap_or(FOLDER_MODE))?;
                std::os::unix::fs::lchown(&place.path, ids.0, ids.1)
                    .map_err(|error| cannot_write(&place.path, error))?;
            }
            (Found::Different, What::Link(to)) => {
                self.create_parents(&place.path)?;
                link(&place.path, to, ids)?;
            }
            (Found::Different, What::File(file)) => {
                self.create_parents(&place.path)?;
                let written = match self.write(place, *file, ids) {
                    Err(error) if self.makes_room(&error, place, *file)? => self.write(place, *file, ids),
                    written => written,
                };
                let Some(temporary) = written? else { return Ok(Placed::Absent) };
                self.ready.push(Ready { at, temporary });
            }
        }
        Ok(Placed::Changed)
    }

    fn create_parents(&self, path: &Utf8Path) -> io::Result<()> {
        let missing: Vec<_> = path.ancestors().skip(1).take_while(|folder| !folder.exists()).collect();
        if !missing.is_empty() && !self.wanted.parents {
            return Err(io::Error::other(format!("there is no folder `{}`", missing[0])));
        }
        missing.iter().rev().try_for_each(|folder| create_folder(folder, FOLDER_MODE))
    }

    /// Whether a disk was full that the store is on too, and the store had something to give.
    fn makes_room(&self, error: &io::Error, place: &Place, file: File) -> io::Result<bool> {
        let folder = place.path.parent().unwrap_or(&place.path);
        if errno(error) != Some(Errno::NOSPC) || std::fs::metadata(folder)?.dev() != self.store.device()? {
            return Ok(false);
        }
        self.store.make_room(file.size).map(|()| true)
    }

    /// Writes what will be at a path beside it; `None` when the store does not have it.
    fn write(&mut self, place: &Place, file: File, ids: Ids) -> io::Result<Option<Temporary>> {
        let Some((mut content, seen)) = self.store.open_content(file)? else { return Ok(None) };
        let mut temporary = Temporary::create(&place.path)?;
        let named = |error| cannot_write(&place.path, error);
        let to = &mut temporary.file;
        let hash = if seen && io::copy(&mut content, to).map_err(named)? == file.size {
            file.hash
        } else if seen {
            // It was cut off by somebody else.
            Hash::of(b"")
        } else {
            copy(content, to).map_err(named)?
        };
        if hash != file.hash {
            self.store.discard(file.hash);
            return Ok(None);
        }
        self.store.saw(file.hash);
        let before = std::fs::symlink_metadata(&place.path).ok();
        let before = before.as_ref();
        let is = to.metadata().map_err(named)?;
        let user = ids.0.or(before.map(MetadataExt::uid)).filter(|user| *user != is.uid());
        let group = ids.1.or(before.map(MetadataExt::gid)).filter(|group| *group != is.gid());
        std::os::unix::fs::fchown(&*to, user, group).map_err(named)?;
        let mode = place.mode.or(before.map(|before| before.mode() & MODE & !0o7000)).unwrap_or(FILE_MODE);
        to.set_permissions(std::fs::Permissions::from_mode(mode)).map_err(named)?;
        Ok(Some(temporary))
    }
}

/// An owner and a group, where they are to be changed.
type Ids = (Option<u32>, Option<u32>);

/// Copies, and says what it was.
fn copy(mut from: std::fs::File, to: &mut std::fs::File) -> io::Result<Hash> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 128 * 1024];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(Hash::so_far(&hasher)),
            n => {
                hasher.update(&buffer[..n]);
                to.write_all(&buffer[..n])?;
            }
        }
    }
}

fn create_folder(path: &Utf8Path, mode: u32) -> io::Result<()> {
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => return Ok(()),
        done => done.map_err(|error| cannot_write(path, error))?,
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).map_err(|error| cannot_write(path, error))
}

fn link(path: &Utf8Path, to: &Utf8Path, ids: Ids) -> io::Result<()> {
    let beside: Utf8PathBuf = beside(path, "link");
    let _ = std::fs::remove_file(&beside);
    let make = || {
        std::os::unix::fs::symlink(to, &beside)?;
        std::os::unix::fs::lchown(&beside, ids.0, ids.1)?;
        std::fs::rename(&beside, path)
    };
    make().map_err(|error| {
        let _ = std::fs::remove_file(&beside);
        cannot_write(path, error)
    })
}

/// Puts files on disk before they get their names.
fn sync(ready: &[Ready]) -> io::Result<()> {
    if ready.len() <= ONE_BY_ONE {
        return ready.iter().try_for_each(|ready| ready.temporary.file.sync_data());
    }
    let mut disks = HashMap::new();
    for Ready { temporary, .. } in ready {
        disks.insert(temporary.file.metadata()?.dev(), &temporary.file);
    }
    disks.values().try_for_each(|file| Ok(rustix::fs::syncfs(file)?))
}
