//! `archive.extracted`: unpacks an archive where something of it is missing.
//!
//! Nothing is written outside of the folder that the state names. An extraction that was cut short leaves a mark, and the
//! next one does all of it again.

mod contents;
mod extract;
mod ownership;
mod source;
mod tarball;
mod zipped;

use std::os::unix::fs::MetadataExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use crate::formula::{Data, Dict};
use crate::states::web::redacted;
use crate::states::{Args, Call, Failed, Function, Return};
use contents::Contents;
use source::Archive;

const EXTRACTED: Function = Function::new("archive.extracted", extracted)
    .requires(&["source"])
    .takes(&[
        "archive_format",
        "clean",
        "clean_parent",
        "enforce_ownership_on",
        "enforce_toplevel",
        "extract_perms",
        "force",
        "group",
        "if_missing",
        "keep",
        "keep_source",
        "list_options",
        "options",
        "overwrite",
        "skip_files_list_verify",
        "skip_verify",
        "source_hash",
        "source_hash_name",
        "source_hash_update",
        "trim_output",
        "use_cmd_unzip",
        "user",
    ])
    // Salt takes anything else for a function that unpacks, which has no use for it.
    .takes_anything()
    .checks(check);

pub(super) const FUNCTIONS: &[Function] = &[EXTRACTED];

/// What kind of archive it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Tar,
    Zip,
}

fn check(args: &Args<'_>) -> Result<(), String> {
    const MISSING: [&str; 7] =
        ["password", "signature", "source_hash_sig", "signed_by_any", "signed_by_all", "keyring", "gnupghome"];
    if let Some(argument) = MISSING.into_iter().find(|argument| args.get(argument).is_some_and(Data::is_true)) {
        return Err(format!("upshift has no `{argument}` for archives"));
    }
    match args.get("archive_format").and_then(Data::as_str) {
        Some(format) if format.eq_ignore_ascii_case("rar") => Err("upshift unpacks no rar archives".to_owned()),
        _ => Ok(()),
    }
}

impl Format {
    /// The format that is given, or that the end of an address tells.
    fn of(args: &Args<'_>, address: &str) -> Result<Self, Failed> {
        const TAR: [&str; 11] =
            ["tar", "tar.gz", "tgz", "tar.bz2", "tbz2", "tbz", "tar.xz", "txz", "tar.lzma", "tlz", "tar.zst"];
        if let Some(given) = args.text("archive_format")?.filter(|given| !given.is_empty()) {
            return match given.to_lowercase().as_str() {
                "tar" => Ok(Self::Tar),
                "zip" => Ok(Self::Zip),
                _ => Err(format!(
                    "Invalid archive_format '{given}'. Either set it to a supported value (tar, rar, zip) or remove this \
                     argument and the archive format will be guessed based on file extension."
                )
                .into()),
            };
        }
        let path = address.split(['?', '#']).next().unwrap_or_default().to_lowercase();
        let ends = |end: &&str| path.strip_suffix(*end).is_some_and(|path| path.ends_with('.'));
        if TAR.iter().any(ends) {
            return Ok(Self::Tar);
        }
        if path.strip_suffix(".zip").is_some() {
            return Ok(Self::Zip);
        }
        Err("Could not guess archive_format from the value of the 'source' argument. Please set this archive_format to \
             one of the following: tar, rar, zip"
            .into())
    }

    fn name(self) -> &'static str {
        match self {
            Self::Tar => "tar",
            Self::Zip => "zip",
        }
    }
}

/// What a state says of the archive, read once.
struct Wanted<'a> {
    args: Args<'a>,
    /// The folder, with a slash at its end.
    name: String,
    format: Format,
    options: Option<String>,
    /// The most that is said of what was unpacked.
    trim: Option<usize>,
    user: Option<(String, u32)>,
    group: Option<(String, u32)>,
}

impl<'a> Wanted<'a> {
    fn read(call: &Call<'a>) -> Result<Self, Failed> {
        let args = call.args;
        if args.flag("skip_files_list_verify", false) && args.flag("skip_verify", false) {
            return Err("Only one of \"skip_files_list_verify\" and \"skip_verify\" can be set to True".into());
        }
        let name = args.name()?;
        if !name.starts_with('/') {
            return Err(format!("{name} is not an absolute path").into());
        }
        let name = name.trim_end_matches('/');
        if Utf8Path::new(name).is_file() {
            return Err(format!("{name} exists and is not a directory").into());
        }
        let name = format!("{name}/");
        for key in ["if_missing", "enforce_ownership_on"] {
            if args.text(key)?.is_some_and(|path| !path.starts_with('/')) {
                return Err(format!("Value for '{key}' is not an absolute path").into());
            }
        }
        if let Some(path) = args.text("enforce_ownership_on")?
            && (path.split('/').any(|part| part == "..") || !format!("{path}/").starts_with(&name))
        {
            return Err(format!("Value for 'enforce_ownership_on' must be within {name}").into());
        }
        let user = match args.text("user")?.filter(|user| !user.is_empty()) {
            Some(user) => {
                Some((user.clone(), call.host.uid(&user).map_err(|_| format!("User {user} does not exist"))?))
            }
            None => None,
        };
        let group = match args.text("group")?.filter(|group| !group.is_empty()) {
            Some(group) => {
                Some((group.clone(), call.host.gid(&group).map_err(|_| format!("Group {group} does not exist"))?))
            }
            None => None,
        };
        let trim = match args.get("trim_output") {
            Some(Data::Bool(true)) => Some(100),
            Some(given) if given.is_true() => args.number("trim_output")?.and_then(|lines| usize::try_from(lines).ok()),
            _ => None,
        };
        let options = args.text("options")?;
        let format = Format::Tar;
        Ok(Self { args, name, format, options, trim, user, group })
    }

    fn path(&self, within: &str) -> Utf8PathBuf {
        Utf8PathBuf::from(format!("{}{}", self.name, within.trim_start_matches('/').trim_end_matches('/')))
    }

    /// The folders that `tar` leaves away from the beginning of every path.
    fn strip(&self) -> usize {
        let pattern = regex::Regex::new(r#"--strip(?:-components)?(?:\s+|=)["']?(\d+)["']?"#).ok();
        let options = self.options.as_deref().filter(|_| self.format == Format::Tar).unwrap_or_default();
        let found = pattern.and_then(|pattern| pattern.captures(options)?.get(1)?.as_str().parse().ok());
        found.unwrap_or_default()
    }
}

/// Why an archive is unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    Asked,
    Missing,
    /// Its checksum is another one than the last time.
    New,
}

impl Reason {
    fn said(self) -> &'static str {
        match self {
            Self::Asked => "",
            Self::Missing => ", due to absence of one or more files/dirs",
            Self::New => ", due to source_hash update",
        }
    }
}

fn extracted(call: &Call<'_>) -> Result<Return, Failed> {
    let mut wanted = Wanted::read(call)?;
    let if_missing = call.args.text("if_missing")?;
    if let Some(path) = if_missing.as_deref().filter(|path| Utf8Path::new(path).exists()) {
        return Ok(Return::unchanged(format!("Path {path} exists")));
    }
    let picked = call.host.pick(call.args.get("source").unwrap_or(&Data::None), call.args.text("source_hash")?)?;
    wanted.format = Format::of(&call.args, &picked.address)?;
    let source = source::Source::find(call, &picked)?;
    let shown = redacted(&picked.address);
    if call.args.flag("skip_files_list_verify", false) && source.is_known() {
        let comment = format!(
            "Archive {shown} existing source sum is the same as the expected one and skip_files_list_verify argument was \
             set to True. Extraction is not needed"
        );
        return Ok(if call.preview { Return::would(Dict::default(), comment) } else { Return::unchanged(comment) });
    }
    if call.preview && !source.is_local() {
        let comment =
            format!("Archive {shown} would be cached (if necessary) and checked to discover if extraction is needed");
        return Ok(Return::would(Dict::default(), comment));
    }
    let archive = source.archive(call)?;
    let contents = match wanted.format {
        Format::Tar => tarball::contents(call, &wanted, &archive)?,
        Format::Zip => zipped::contents(&archive)?,
    };
    let contents = contents.stripped(wanted.strip());
    refuse_bomb(&wanted, &contents)?;
    if call.args.flag("clean", false) && call.args.flag("clean_parent", false) {
        return Err("Only one of 'clean' and 'clean_parent' can be set to True".into());
    }
    let done = apply(call, &wanted, &archive, &contents, &shown)?;
    if done.result == Some(true) && !call.preview {
        archive.remember(call)?;
    }
    Ok(done)
}

fn refuse_bomb(wanted: &Wanted<'_>, contents: &Contents) -> Result<(), Failed> {
    let is_bomb = contents.top_folders.len() > 1 || !contents.top_files.is_empty();
    if !wanted.args.flag("enforce_toplevel", true) || !is_bomb {
        return Ok(());
    }
    let (format, name) = (wanted.format.name(), &wanted.name);
    Err(format!(
        "Archive does not have a single top-level directory. To allow this archive to be extracted, set \
         'enforce_toplevel' to False. To avoid a '{format}-bomb' it may also be advisable to set a top-level directory \
         by adding it to the 'name' value (for example, setting 'name' to {name}some_dir instead of {name})."
    )
    .into())
}

fn apply(
    call: &Call<'_>,
    wanted: &Wanted<'_>,
    archive: &Archive,
    contents: &Contents,
    shown: &str,
) -> Result<Return, Failed> {
    let mark = extract::mark(wanted, shown);
    let there = contents.compare(wanted)?;
    let mut reason = match (wanted.args.flag("overwrite", false), there.is_missing || mark.exists()) {
        (_, true) => Some(Reason::Missing),
        (true, false) => Some(Reason::Asked),
        (false, false) => None,
    };
    let mut changes = Dict::default();
    if !there.of_other_type.is_empty() {
        let removed = clear_way(call, wanted, &there.of_other_type)?;
        if let Some(preview) = removed.preview {
            return Ok(preview);
        }
        if !removed.paths.is_empty() {
            changes.insert("removed", removed.paths);
            reason = reason.or(Some(Reason::Asked));
        }
    }
    if reason.is_none() && archive.is_new() {
        reason = Some(Reason::New);
    }
    let Some(reason) = reason else {
        let is_owned = ownership::enforce(call, wanted, contents, &mut changes)?;
        let comment =
            format!("All files in archive are already present{}", is_owned.preview_comment(call.preview, &changes));
        return is_owned.finish(call, changes, comment);
    };
    if call.args.flag("source_hash", false) && !call.args.flag("skip_verify", false) {
        archive.verify(shown)?;
    }
    if call.preview {
        let cleaned = if call.args.flag("clean", false) { ", after cleaning destination path(s)" } else { "" };
        let comment = format!("Archive {shown} would be extracted to {}{cleaned}{}", wanted.name, reason.said());
        return Ok(Return::would(changes, comment));
    }
    let files = extract::extract(call, wanted, archive, contents, &mark, &mut changes)
        .map_err(|failed| failed.after(changes.clone()))?;
    let owned = ownership::enforce(call, wanted, contents, &mut changes)?;
    if files.is_empty() {
        return Err(Failed::from(format!("No files were extracted from {shown}")).after(changes));
    }
    changes.insert("extracted_files", files);
    let mut comment = format!("{shown} extracted to {}{}", wanted.name, reason.said());
    if let Some(trim) = wanted.trim {
        comment.push_str(&format!(". Output was trimmed to {trim} number of lines"));
    }
    owned.finish(call, changes, comment)
}

/// What was in the way of an archive.
#[derive(Default)]
struct Removed {
    paths: Vec<Data>,
    /// What a preview says of it.
    preview: Option<Return>,
}

/// Removes what is there and of another type than what the archive has in its place.
fn clear_way(call: &Call<'_>, wanted: &Wanted<'_>, paths: &[String]) -> Result<Removed, Failed> {
    let name = &wanted.name;
    let mut comment = format!(
        "The below paths (relative to {name}) exist, but are the incorrect type (file instead of directory, symlink \
         instead of file, etc.)."
    );
    let list: String = std::iter::once("\n\n".to_owned())
        .chain(paths.iter().enumerate().map(|(at, path)| format!("{}- {path}", if at == 0 { "" } else { "\n" })))
        .collect();
    let is_cleaned = call.args.flag("clean", false);
    let preview = |comment| Removed { preview: Some(Return::would(Dict::default(), comment)), ..Removed::default() };
    if call.preview && is_cleaned {
        comment.push_str(" Since the 'clean' option is enabled, the destination paths would be cleared and the archive would be extracted.");
        return Ok(preview(comment + &list));
    }
    if call.preview && call.args.flag("clean_parent", false) {
        comment.push_str(
            " Since the 'clean_parent' option is enabled, the destination parent directory would be removed first and \
             then re-created and the archive would be extracted",
        );
        return Ok(preview(comment));
    }
    if is_cleaned {
        return Ok(Removed::default());
    }
    if !call.args.flag("force", false) {
        comment.push_str(
            " To proceed with extraction, set 'force' to True. Note that this will remove these paths before extracting.",
        );
        return Err((comment + &list).into());
    }
    let mut removed = Vec::new();
    for path in paths {
        let path = wanted.path(path);
        if !call.preview {
            remove(&path)?;
        }
        removed.push(path.as_str().into());
    }
    Ok(Removed { paths: removed, preview: None })
}

/// Removes whatever is at a path, a link and not what it leads to. Says whether there was something.
fn remove(path: &Utf8Path) -> Result<bool, Failed> {
    match fs::symlink_metadata(path) {
        Ok(there) if there.is_dir() => fs::remove_dir_all(path)?,
        Ok(_) => fs::remove_file(path)?,
        Err(_) => return Ok(false),
    }
    Ok(true)
}

/// Whether a path has another owner than it should.
fn is_strange(there: &std::fs::Metadata, uid: Option<u32>, gid: Option<u32>) -> bool {
    uid.is_some_and(|uid| uid != there.uid()) || gid.is_some_and(|gid| gid != there.gid())
}
