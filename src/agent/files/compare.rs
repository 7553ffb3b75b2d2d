//! How what is at a path differs from what is wanted there. Nothing is changed.

use std::collections::HashSet;
use std::fs::Metadata;
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};

use camino::Utf8Path;
use rustix::fs::{Access, OFlags};
use sha2::{Digest as _, Sha256};

use crate::agent::files::owners::Owners;
use crate::agent::files::{File, Found, Hash, Place, What};

/// The bits of a mode that a person sets.
pub(super) const MODE: u32 = 0o7777;

/// What is wanted of everything at once.
pub(super) struct Wanted<'a> {
    pub(super) owners: &'a mut Owners,
    /// Whether folders above are created where they are missing.
    pub(super) parents: bool,
    /// Folders that are among what is wanted.
    folders: HashSet<&'a Utf8Path>,
}

impl<'a> Wanted<'a> {
    pub(super) fn new(places: &'a [Place], parents: bool, owners: &'a mut Owners) -> Self {
        let folders = places.iter().filter(|place| place.what == What::Folder);
        Self { owners, parents, folders: folders.map(|place| place.path.as_path()).collect() }
    }

    /// Looks at one path.
    pub(super) fn look(&mut self, place: &Place) -> Found {
        self.find(place).unwrap_or_else(Found::Refused)
    }

    fn find(&mut self, place: &Place) -> Result<Found, String> {
        let Place { path, .. } = place;
        let ids = self.ids(place)?;
        if !path.is_absolute() || path.components().any(|part| part.as_str() == "..") {
            return Err(format!("`{path}` is no absolute path"));
        }
        let failed = |error: io::Error| format!("cannot read `{path}`: {error}");
        let there = match std::fs::symlink_metadata(path) {
            Ok(there) => there,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return self.has_folder(path),
            Err(error) => return Err(failed(error)),
        };
        match &place.what {
            // A folder may be reached through a link.
            What::Folder if path.is_dir() => Ok(Found::Same),
            What::File(file) if there.is_file() => {
                if there.len() != file.size || !has_content(path, *file).map_err(failed)? {
                    return self.has_folder(path);
                }
                let fits = |wanted: Option<u32>, is: u32| wanted.is_none_or(|wanted| wanted == is);
                let same =
                    fits(place.mode, there.mode() & MODE) && fits(ids.0, there.uid()) && fits(ids.1, there.gid());
                Ok(if same { Found::Same } else { Found::Attributes })
            }
            What::Link(to) if there.is_symlink() => {
                let leads = std::fs::read_link(path).map_err(failed)?;
                if leads == to.as_std_path() { Ok(Found::Same) } else { self.has_folder(path) }
            }
            _ => Err(refuse(path, &there)),
        }
    }

    /// The numbers of the owner and the group.
    pub(super) fn ids(&mut self, place: &Place) -> Result<(Option<u32>, Option<u32>), String> {
        let user = place.owner.as_deref().map(|name| self.owners.user(name)).transpose()?;
        let group = place.group.as_deref().map(|name| self.owners.group(name)).transpose()?;
        Ok((user, group))
    }

    /// Whether something can be created at a path.
    fn has_folder(&self, path: &Utf8Path) -> Result<Found, String> {
        let parent = path.parent().unwrap_or(path);
        match std::fs::metadata(parent) {
            Ok(metadata) if metadata.is_dir() => match rustix::fs::access(parent.as_std_path(), Access::WRITE_OK) {
                Ok(()) => Ok(Found::Different),
                Err(error) => Err(format!("cannot write to `{parent}`: {}", io::Error::from(error))),
            },
            Ok(_) => Err(format!("`{parent}` is no folder")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let comes = self.parents || self.folders.contains(parent);
                if comes { Ok(Found::Different) } else { Err(format!("there is no folder `{parent}`")) }
            }
            Err(error) => Err(format!("cannot read `{parent}`: {error}")),
        }
    }
}

/// Why something is not replaced by a thing of another kind.
fn refuse(path: &Utf8Path, there: &Metadata) -> String {
    if there.is_dir() {
        return format!("`{path}` is a folder there");
    }
    if there.is_symlink() {
        let leads = std::fs::read_link(path).map(|to| to.display().to_string()).unwrap_or_default();
        return format!("`{path}` is a symbolic link to `{leads}` there");
    }
    format!("`{path}` is {} there", if there.is_file() { "a file" } else { "neither a file nor a folder" })
}

fn has_content(path: &Utf8Path, file: File) -> io::Result<bool> {
    let mut options = std::fs::OpenOptions::new();
    // What is no file any more must not be waited for.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut from = options.read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 128 * 1024];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(Hash::so_far(&hasher) == file.hash),
            n => hasher.update(&buffer[..n]),
        }
    }
}
