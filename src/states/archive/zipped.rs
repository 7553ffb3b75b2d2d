//! zip archives: read and unpacked here, or unpacked by the host's `unzip` where its options are given.

use std::collections::HashSet;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;

use fs_err as fs;
use zip::ZipArchive;
use zip::read::ZipFile;

use super::Wanted;
use super::contents::{Contents, Kind};
use super::source::Archive;
use crate::formula::facts::split;
use crate::states::{Call, Command, Failed, disk};

/// The bits of a mode that say what a file is, and those of a link and a folder.
const TYPE: u32 = 0o170_000;
const LINK: u32 = 0o120_000;
const FOLDER: u32 = 0o040_000;

fn open(archive: &Archive) -> Result<ZipArchive<fs::File>, Failed> {
    let path = archive.path();
    ZipArchive::new(fs::File::open(path)?).map_err(|_| format!("{path} is not a ZIP file").into())
}

fn kind<R: io::Read>(member: &ZipFile<'_, R>) -> Kind {
    match member.unix_mode().map(|mode| mode & TYPE) {
        Some(LINK) => Kind::Link,
        Some(FOLDER) => Kind::Folder,
        _ if member.is_dir() => Kind::Folder,
        _ => Kind::File,
    }
}

/// The path of a member.
fn name<R: std::io::Read>(member: &zip::read::ZipFile<'_, R>) -> Result<String, Failed> {
    let name = member.name().map_err(|error| error.to_string())?;
    Ok(name.into_owned())
}

/// Everything in an archive. A folder need not be listed for what is in it.
pub(super) fn contents(archive: &Archive) -> Result<Contents, Failed> {
    let mut zip = open(archive)?;
    let mut members = Vec::new();
    for at in 0..zip.len() {
        let member = zip.by_index_raw(at).map_err(|error| error.to_string())?;
        if member.encrypted() {
            return Err(
                format!("Archive {} is password-protected, and upshift has no `password`.", archive.path()).into()
            );
        }
        members.push((name(&member)?, kind(&member)));
    }
    let mut known: HashSet<String> = members.iter().map(|(path, _)| path.clone()).collect();
    let folders =
        members.iter().filter_map(|(path, _)| Some(format!("{}/", path.trim_end_matches('/').rsplit_once('/')?.0)));
    let folders: Vec<String> = folders.filter(|folder| known.insert(folder.clone())).collect();
    members.extend(folders.into_iter().map(|folder| (folder, Kind::Folder)));
    let links: Vec<&str> =
        members.iter().filter(|(_, kind)| *kind == Kind::Link).map(|(path, _)| path.as_str()).collect();
    let is_below = |path: &str, link: &str| path.strip_prefix(link).is_some_and(|rest| rest.starts_with('/'));
    if let Some((path, _)) = members.iter().find(|(path, _)| links.iter().any(|link| is_below(path, link))) {
        return Err(format!("the archive has a path that goes through a link of its own: `{path}`").into());
    }
    Contents::new(members)
}

/// Unpacks an archive and says its paths.
pub(super) fn unpack(call: &Call<'_>, wanted: &Wanted<'_>, archive: &Archive) -> Result<Vec<String>, Failed> {
    let mut files = if wanted.args.flag("use_cmd_unzip", wanted.options.is_some()) {
        let options = split(wanted.options.as_deref().unwrap_or_default())?;
        let place = [archive.path().as_str(), "-d", &wanted.name].map(str::to_owned);
        let output = call.host.run(Command::new("unzip", options.into_iter().chain(place)).merged().quiet())?;
        if !output.is_success() {
            return Err(format!("`unzip` failed: {}", output.why()).into());
        }
        output.stdout.trim_end().lines().map(str::to_owned).collect()
    } else {
        unpack_here(call, wanted, archive)?
    };
    if let Some(most) = wanted.trim.filter(|most| files.len() > *most) {
        files.truncate(most);
        files.push(format!("List trimmed after {most} files."));
    }
    Ok(files)
}

fn unpack_here(call: &Call<'_>, wanted: &Wanted<'_>, archive: &Archive) -> Result<Vec<String>, Failed> {
    let mut zip = open(archive)?;
    let mut names = Vec::new();
    let keeps_modes = wanted.args.flag("extract_perms", true);
    for at in 0..zip.len() {
        if call.host.listener().is_stopped() {
            return Err("everything is to stop".into());
        }
        let mut member = zip.by_index(at).map_err(|error| error.to_string())?;
        let name = name(&member)?;
        let path = wanted.path(&name);
        names.push(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mode = member.unix_mode().map(|mode| mode & 0o7777).filter(|mode| keeps_modes && *mode != 0);
        match kind(&member) {
            Kind::Link => {
                let mut target = String::new();
                member.read_to_string(&mut target)?;
                disk::link(&path, &target, None, None)?;
                continue;
            }
            Kind::Folder => fs::create_dir_all(&path)?,
            Kind::File => {
                // Not through a link that is there.
                super::remove(&path)?;
                let mut file = fs::File::create(&path)?;
                io::copy(&mut member, &mut file)?;
            }
        }
        if let Some(mode) = mode {
            fs::set_permissions(&path, std::fs::Permissions::from_mode(mode))?;
        }
    }
    Ok(names)
}
