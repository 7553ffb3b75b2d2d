//! `file.*`, and `sysfs.write`, which is a file too.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::time::{Duration, UNIX_EPOCH};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use crate::formula::Data;
use crate::states::arguments::text;
use crate::states::disk::{self, Attributes};
use crate::states::module::arguments::{Signature, takes};
use crate::states::module::functions::{Function, function};
use crate::states::{Args, Failed, Host, checksum};

const PATH: Signature = takes(&["path"], &[]);
const LINES: Signature = PATH.and_more("args").and_named();

pub(super) const FUNCTIONS: &[Function] = &[
    function("file.remove", PATH.and_named(), |_, args| remove(&absolute(args, "path")?)),
    function("file.touch", takes(&["name"], &["atime", "mtime"]), touch),
    function("file.mkdir", takes(&["dir_path"], &["user", "group", "mode"]), |host, args| {
        create_folder(host, args, &absolute(args, "dir_path")?)
    }),
    function("file.makedirs", takes(&["path"], &["user", "group", "mode"]), |host, args| {
        // The last part is that of a file, unless it ends in a slash.
        match absolute(args, "path")?.as_str().rsplit_once('/') {
            Some((folder, _)) if !Utf8Path::new(folder).is_dir() && !folder.is_empty() => {
                create_folder(host, args, Utf8Path::new(folder)).map(|_| Data::None)
            }
            Some((folder, _)) => Ok(format!("Directory '{folder}' already exists").into()),
            None => Ok(Data::None),
        }
    }),
    function("file.symlink", takes(&["src", "path"], &["force", "atomic", "follow_symlinks"]), symlink),
    function("file.rename", takes(&["src", "dst"], &[]), |_, args| {
        fs::rename(absolute(args, "src")?, args.required("dst")?)?;
        Ok(true.into())
    }),
    function("file.copy", takes(&["src", "dst"], &[]), copy),
    function("file.append", LINES, |_, args| {
        let path = absolute(args, "path")?;
        let mut content = fs::read(&path)?;
        if content.last().is_some_and(|last| *last != b'\n') {
            content.push(b'\n');
        }
        write(&path, content, &lines(args)?)
    }),
    function("file.write", LINES, |_, args| write(&absolute(args, "path")?, Vec::new(), &lines(args)?)),
    function("file.chown", takes(&["path", "user", "group"], &[]), |host, args| {
        let uid = args.text("user")?.filter(|name| !name.is_empty()).map(|name| host.uid(&name)).transpose()?;
        let gid = args.text("group")?.filter(|name| !name.is_empty()).map(|name| host.gid(&name)).transpose()?;
        std::os::unix::fs::chown(absolute(args, "path")?, uid, gid)?;
        Ok(Data::None)
    }),
    function("file.set_mode", takes(&["path", "mode"], &[]), |_, args| {
        let mode = args.mode("mode")?.ok_or("`mode` is missing")?;
        fs::set_permissions(absolute(args, "path")?, Permissions::from_mode(mode))?;
        Ok(format!("{mode:04o}").into())
    }),
    function("file.check_hash", takes(&["path", "file_hash"], &[]), check_hash),
    function("sysfs.write", takes(&["key", "value"], &[]), |_, args| {
        let key = args.required("key")?;
        let path = if key.starts_with("/sys") { key } else { format!("/sys/{key}") };
        // The kernel takes it as it comes, or says no: it is not replaced.
        let is_written = std::fs::canonicalize(path).is_ok_and(|path| {
            std::fs::write(path, format!("{}\n", args.required("value").unwrap_or_default())).is_ok()
        });
        Ok(is_written.into())
    }),
];

fn absolute(args: &Args<'_>, key: &str) -> Result<Utf8PathBuf, Failed> {
    let path = Utf8PathBuf::from(args.required(key)?);
    if path.is_absolute() { Ok(path) } else { Err(format!("File path must be absolute: {path}").into()) }
}

fn remove(path: &Utf8Path) -> Result<Data, Failed> {
    let removed = match fs::symlink_metadata(path) {
        Ok(there) if there.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => return Ok(false.into()),
    };
    removed.map_err(|error| format!("Could not remove '{path}': {error}"))?;
    Ok(true.into())
}

fn touch(_: &Host<'_>, args: &Args<'_>) -> Result<Data, Failed> {
    let path = args.required("name")?;
    let file = fs::OpenOptions::new().append(true).create(true).open(&path)?;
    let time =
        |key| Ok::<_, Failed>(args.number(key)?.map(|time| UNIX_EPOCH + Duration::from_secs(time.unsigned_abs())));
    #[expect(clippy::disallowed_methods, reason = "a file is as young as the clock of its host says")]
    let now = std::time::SystemTime::now();
    let times = std::fs::FileTimes::new();
    let times = times.set_accessed(time("atime")?.unwrap_or(now)).set_modified(time("mtime")?.unwrap_or(now));
    file.file().set_times(times)?;
    Ok(true.into())
}

fn create_folder(host: &Host<'_>, args: &Args<'_>, path: &Utf8Path) -> Result<Data, Failed> {
    if !path.is_dir() {
        let attributes = Attributes {
            uid: args.text("user")?.map(|name| host.uid(&name)).transpose()?,
            gid: args.text("group")?.map(|name| host.gid(&name)).transpose()?,
            mode: args.mode("mode")?,
        };
        disk::create_folder(path, attributes, attributes)?;
    }
    Ok(true.into())
}

fn symlink(_: &Host<'_>, args: &Args<'_>) -> Result<Data, Failed> {
    let (target, path) = (args.required("src")?, absolute(args, "path")?);
    let is_forced = args.flag("force", false) || args.flag("atomic", false);
    match fs::symlink_metadata(&path) {
        Ok(there) if there.is_symlink() && fs::read_link(&path)?.to_str() == Some(&target) => return Ok(true.into()),
        Ok(there) if there.is_symlink() && !is_forced => return Err(format!("Found existing symlink: {path}").into()),
        Ok(_) if !is_forced => return Err(format!("Existing path is not a symlink: {path}").into()),
        _ => disk::link(&path, &target, None, None)?,
    }
    Ok(true.into())
}

fn copy(_: &Host<'_>, args: &Args<'_>) -> Result<Data, Failed> {
    let (source, target) = (absolute(args, "src")?, absolute(args, "dst")?);
    if source.is_dir() || target.is_dir() {
        return Err("upshift copies files here, and no folders: `file.copy` and `file.recurse` do".into());
    }
    let there = fs::metadata(&source).map_err(|_| format!("No such file or directory '{source}'"))?;
    let attributes = Attributes { uid: Some(there.uid()), gid: Some(there.gid()), mode: Some(there.mode() & 0o7777) };
    disk::replace(&target, &fs::read(&source)?, attributes)?;
    Ok(true.into())
}

/// The lines of a call.
fn lines(args: &Args<'_>) -> Result<Vec<String>, Failed> {
    match args.get("args") {
        Some(Data::List(lines)) => {
            Ok(lines.iter().map(|line| text(line).unwrap_or_else(|| format!("{line:?}"))).collect())
        }
        _ => args.texts("args"),
    }
}

fn write(path: &Utf8Path, mut content: Vec<u8>, lines: &[String]) -> Result<Data, Failed> {
    for line in lines {
        content.extend_from_slice(line.as_bytes());
        content.push(b'\n');
    }
    disk::replace(path, &content, Attributes::default())?;
    Ok(format!("Wrote {} lines to \"{path}\"", lines.len()).into())
}

fn check_hash(host: &Host<'_>, args: &Args<'_>) -> Result<Data, Failed> {
    let given = args.required("file_hash")?.replacen(':', "=", 1);
    let wanted = host.checksum(&given, checksum::Names::default())?;
    Ok(wanted.fits(&fs::read(absolute(args, "path")?)?).into())
}
