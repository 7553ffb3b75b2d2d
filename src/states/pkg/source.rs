//! Brings files of formulas and of the network to the host, for programs that want them as files.

use std::os::unix::fs::PermissionsExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use crate::states::accounts::User;
use crate::states::source::Source;
use crate::states::{Call, Failed, Host};

/// A file that is there for as long as this is.
#[derive(Debug)]
pub(in crate::states) struct Fetched {
    pub(in crate::states) path: Utf8PathBuf,
    _folder: Option<tempfile::TempDir>,
}

/// Fetches `salt://…` or `https://…`; a path of the host is what it is.
pub(in crate::states) fn fetch(host: &Host<'_>, from: &str) -> Result<Fetched, Failed> {
    let name = match Source::parse(from)? {
        Source::Local(path) if path.is_absolute() && path.is_file() => return Ok(Fetched { path, _folder: None }),
        Source::Local(path) if path.is_absolute() => return Err(format!("{path} does not exist on minion").into()),
        Source::Local(path) => return Err(format!("Path {path} is either not absolute or an invalid protocol").into()),
        Source::Formula(path) => path,
        Source::Web(address) => address.split(['?', '#']).next().unwrap_or_default().to_owned(),
    };
    let name = Utf8Path::new(&name).file_name().ok_or_else(|| format!("`{from}` names no file"))?;
    let folder = tempfile::Builder::new().prefix("upshift-").tempdir()?;
    // `apt` reads what it installs as a user of its own.
    fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
    let path = Utf8PathBuf::try_from(folder.path().join(name)).map_err(|error| error.to_string())?;
    fs::write(&path, host.content(from)?)?;
    Ok(Fetched { path, _folder: Some(folder) })
}

/// Whether the host has a program.
pub(in crate::states) fn is_there(program: &str) -> bool {
    let folders = ["/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin"];
    folders.iter().any(|folder| std::fs::exists(format!("{folder}/{program}")).is_ok_and(|is| is))
}

/// The user that a state names to do its work.
pub(in crate::states) fn user_named(call: &Call<'_>) -> Result<Option<User>, Failed> {
    let Some(name) = call.args.text("user")? else { return Ok(None) };
    let user = call.host.user(&name);
    user.map(Some).ok_or_else(|| format!("User {name} does not exist").into())
}
