//! Copies of files that are about to change, where Salt keeps them: `backup: minion`.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use crate::states::disk::{self, Attributes};
use crate::states::{Failed, Host};

/// Keeps a copy of a file if `backup` asks for one: below `file_backup` in the cache folder, with the time in its name.
/// Only root can enter the folders, as what was in a closed folder may lie there.
///
/// # Errors
/// When the file cannot be read, or its copy cannot be written.
pub(in crate::states) fn keep(host: &Host<'_>, path: &Utf8Path, backup: &str) -> Result<(), Failed> {
    let Some(there) = wanted(path, backup) else { return Ok(()) };
    let cache = host.formula.option("cachedir");
    let cache = cache.as_ref().and_then(|cache| cache.as_str()).unwrap_or("/var/cache/salt/minion");
    let copy = place(Utf8Path::new(cache), path, &stamp());
    if let Some(folder) = copy.parent().filter(|folder| !folder.is_dir()) {
        let closed = Attributes { mode: Some(0o700), ..Attributes::default() };
        disk::create_folder(folder, closed, closed)?;
    }
    let attributes = Attributes { uid: Some(there.uid()), gid: Some(there.gid()), mode: Some(there.mode() & 0o7777) };
    Ok(disk::put(&copy, &fs::read(path)?, attributes)?)
}

fn wanted(path: &Utf8Path, backup: &str) -> Option<Metadata> {
    if !matches!(backup, "minion" | "both") {
        return None;
    }
    fs::metadata(path).ok().filter(Metadata::is_file)
}

fn place(cache: &Utf8Path, path: &Utf8Path, stamp: &str) -> Utf8PathBuf {
    let path = path.strip_prefix("/").unwrap_or(path);
    cache.join("file_backup").join(format!("{path}_{stamp}"))
}

/// The local time: `Sun_Nov_22_09:07:00_123456_2026`.
fn stamp() -> String {
    #[expect(clippy::disallowed_methods, reason = "the name of a backup says when it was made, and decides nothing")]
    let now = jiff::Zoned::now();
    let micros = now.subsec_nanosecond() / 1000;
    format!("{}_{micros:06}_{}", now.strftime("%a_%b_%d_%H:%M:%S"), now.year())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_lies_where_salt_looks_for_it() {
        let copy = place("/var/cache/salt/minion".into(), "/etc/hosts".into(), "Sun_Nov_22_09:07:00_123456_2026");
        let expected = "/var/cache/salt/minion/file_backup/etc/hosts_Sun_Nov_22_09:07:00_123456_2026";
        assert_eq!(copy, expected);
        assert_eq!(stamp().split('_').count(), 6);
    }
}
