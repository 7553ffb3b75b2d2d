//! The unpacking itself.

use camino::Utf8PathBuf;
use fs_err as fs;

use super::contents::Contents;
use super::source::Archive;
use super::{Format, Wanted, remove, tarball, zipped};
use crate::formula::{Data, Dict};
use crate::model::hash::Hash;
use crate::states::disk::{self, Attributes};
use crate::states::{Call, Failed};

/// What says that an archive was not unpacked to its end.
pub(super) fn mark(wanted: &Wanted<'_>, shown: &str) -> Utf8PathBuf {
    let name = Hash::of(shown.as_bytes()).to_string();
    wanted.path(&format!(".upshift-{}.part", &name[..16]))
}

/// Unpacks an archive, after what is to be cleaned is gone. Says what was in it.
pub(super) fn extract(
    call: &Call<'_>,
    wanted: &Wanted<'_>,
    archive: &Archive,
    contents: &Contents,
    mark: &Utf8PathBuf,
    changes: &mut Dict,
) -> Result<Vec<Data>, Failed> {
    let name = &wanted.name;
    let folder = Utf8PathBuf::from(name.trim_end_matches('/'));
    if wanted.args.flag("clean_parent", false) && remove(&folder)? && !changes.has("removed") {
        changes.insert("removed", format!("Directory {name} was removed prior to the extraction"));
    }
    if wanted.args.flag("clean", false) {
        let mut removed = Vec::new();
        for path in contents.top_folders.iter().chain(&contents.top_files) {
            // `./` is the folder itself, which holds more than the archive.
            if path != "./" && remove(&wanted.path(path))? {
                removed.push(Data::from(format!("{name}{path}")));
            }
        }
        if !removed.is_empty() {
            changes.insert("removed", removed);
        }
    }
    let is_new = !folder.is_dir();
    if is_new {
        let attributes = Attributes { uid: wanted.user.as_ref().map(|(_, uid)| *uid), ..Attributes::default() };
        disk::create_folder(&folder, attributes, attributes)?;
        changes.insert("directories_created", vec![Data::from(name.as_str())]);
    }
    fs::write(mark, "")?;
    let files = match wanted.format {
        Format::Tar => tarball::unpack(call, wanted, archive, contents)?,
        Format::Zip => zipped::unpack(call, wanted, archive)?,
    };
    fs::remove_file(mark)?;
    Ok(files.into_iter().map(Data::from).collect())
}
