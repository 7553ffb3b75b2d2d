//! All output of each host, in files.

use std::io::Write as _;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err::File;

use crate::error::{Error, Result};

/// Makes the folder. One with something in it is refused: old and new answers would be mixed up.
pub(super) fn prepare(folder: &Utf8Path) -> Result<()> {
    fs_err::create_dir_all(folder)?;
    if fs_err::read_dir(folder)?.next().is_some() {
        return Err(Error::usage(format!("`{folder}` has files in it already"))
            .hint("`--output-dir` takes a folder that is new or empty"));
    }
    Ok(())
}

/// A file for one stream of one host, made once there is something to write.
pub(super) struct Kept {
    path: Utf8PathBuf,
    file: Option<File>,
    /// Why nothing more is written.
    pub(super) failed: Option<String>,
}

impl Kept {
    pub(super) fn new(folder: &Utf8Path, host: &str, ending: &str) -> Self {
        Self { path: folder.join(format!("{host}.{ending}")), file: None, failed: None }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.failed = self.try_write(bytes).err().map(|error| error.to_string());
        }
    }

    fn try_write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(File::create_new(&self.path)?),
        };
        file.write_all(bytes)
    }
}
