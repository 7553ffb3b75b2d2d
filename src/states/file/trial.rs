//! `check_cmd`: a command has its say on a new content before the file gets it.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

use camino::Utf8Path;
use fs_err as fs;

use crate::formula::facts::split;
use crate::states::disk::{self, Attributes, FILE_MODE};
use crate::states::file::permissions::Permissions;
use crate::states::{Call, Command, Failed};

/// Asks `check_cmd` what it says of a file with a new content, which it finds at a path of its own, with the owner and
/// mode that the file is going to have.
///
/// # Errors
/// When the command fails; what it said is in the comment.
pub(super) fn trial(call: &Call<'_>, bytes: &[u8], path: &Utf8Path, permissions: &Permissions) -> Result<(), Failed> {
    let args = &call.args;
    let Some(command) = args.text("check_cmd")? else { return Ok(()) };
    let folder = args.text("tmp_dir")?.filter(|folder| !folder.is_empty());
    let folder = folder.map_or_else(std::env::temp_dir, Into::into);
    let suffix = args.text("tmp_ext")?.unwrap_or_default();
    let file = tempfile::Builder::new().prefix(".upshift-").suffix(&suffix).tempfile_in(folder)?;
    let Some(copy) = Utf8Path::from_path(file.path()) else {
        return Err("the folder of `tmp_dir` is not UTF-8".into());
    };
    let there = fs::metadata(path).ok();
    let wanted = permissions.attributes();
    let attributes = Attributes {
        uid: wanted.uid.or(there.as_ref().map(Metadata::uid)),
        gid: wanted.gid.or(there.as_ref().map(Metadata::gid)),
        mode: wanted.mode.or(there.as_ref().map(|there| there.mode() & 0o7777)).or(Some(FILE_MODE)),
    };
    fs::write(copy, bytes)?;
    disk::set(copy, attributes)?;
    // No shell reads it: the file is its last argument also where a line ends before that.
    let words = split(&format!("{command} {copy}"))?;
    let (program, arguments) = words.split_first().ok_or("`check_cmd` names no command")?;
    let output = call.host.run(Command::new(program, arguments))?;
    if output.is_success() {
        return Ok(());
    }
    let said = [output.stdout.trim_end(), output.stderr.trim_end()];
    let said: Vec<&str> = said.into_iter().filter(|text| !text.is_empty()).collect();
    Err([&["check_cmd execution failed"], said.as_slice()].concat().join("\n").into())
}
