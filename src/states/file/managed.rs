//! `file.managed`: a file with its content, owner and mode.

use std::os::unix::fs::MetadataExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use crate::formula::{Data, Dict};
use crate::states::checksum::{Checksum, Names};
use crate::states::disk::{self, Attributes, FILE_MODE};
use crate::states::file::permissions::{Permissions, create_parents, octal};
use crate::states::file::trial::trial;
use crate::states::file::{backup, contents, expanded, flags};
use crate::states::source::{Picked, Source, variables};
use crate::states::{Args, Call, Failed, Function, Return, diff, web};

pub(super) const MANAGED: Function = Function::new("file.managed", |call| Managed::read(call)?.apply())
    .takes(&[
        "source",
        "source_hash",
        "source_hash_name",
        "keep_source",
        "user",
        "group",
        "mode",
        "attrs",
        "template",
        "makedirs",
        "dir_mode",
        "context",
        "replace",
        "defaults",
        "backup",
        "show_changes",
        "create",
        "contents",
        "tmp_dir",
        "tmp_ext",
        "contents_pillar",
        "contents_grains",
        "contents_newline",
        "contents_delimiter",
        "encoding",
        "encoding_errors",
        "allow_empty",
        "follow_symlinks",
        "check_cmd",
        "skip_verify",
        "win_owner",
        "win_perms",
        "win_deny_perms",
        "win_inheritance",
        "win_perms_reset",
        "verify_ssl",
    ])
    .takes_anything()
    .checks(check);

/// What Salt has for a managed file and upshift has not.
const MISSING: [&str; 8] =
    ["selinux", "use_etag", "signature", "source_hash_sig", "signed_by_any", "signed_by_all", "keyring", "gnupghome"];

/// The mode of a file between its creation and the moment it is given its own.
const CLOSED: u32 = 0o600;

fn check(args: &Args<'_>) -> Result<(), String> {
    if let Some(name) = MISSING.into_iter().find(|name| args.get(name).is_some_and(Data::is_true)) {
        return Err(format!("upshift has no `{name}` for `file.managed`"));
    }
    check_template(args)?;
    check_sources(args)?;
    if let Some(attrs) = args.get("attrs").filter(|attrs| !attrs.as_str().is_some_and(flags::are_known)) {
        return Err(format!("`attrs` has to be letters of chattr(1), not {attrs:?}"));
    }
    contents::check_encoding(args)
}

/// Refuses templates that are not Jinja.
pub(in crate::states) fn check_template(args: &Args<'_>) -> Result<(), String> {
    match args.get("template").filter(|template| template.is_true()) {
        Some(template) if template.as_str() != Some("jinja") => {
            Err(format!("upshift has no template engine {template:?}, only `jinja`"))
        }
        _ => Ok(()),
    }
}

/// Refuses addresses that upshift cannot fetch from.
pub(in crate::states) fn check_sources(args: &Args<'_>) -> Result<(), String> {
    let sources = match args.get("source") {
        None => return Ok(()),
        Some(Data::List(sources)) => sources.iter().collect(),
        Some(source) => vec![source],
    };
    let addresses =
        sources.into_iter().map(|source| source.as_dict().and_then(Dict::only).map_or(source, |(address, _)| address));
    for address in addresses {
        let scheme = address.as_str().and_then(|address| address.split_once("://")).map(|(scheme, _)| scheme);
        let is_known = |scheme: &str| ["salt", "file", "http", "https"].contains(&scheme.to_ascii_lowercase().as_str());
        if let Some(scheme) = scheme.filter(|scheme| !is_known(scheme)) {
            return Err(format!("upshift does not fetch `{scheme}://`"));
        }
    }
    Ok(())
}

/// A file that is managed, as its SLS has it.
#[expect(clippy::struct_excessive_bools, reason = "each is an argument of its own")]
pub(super) struct Managed<'a> {
    call: &'a Call<'a>,
    name: String,
    path: Utf8PathBuf,
    pub(super) permissions: Permissions,
    keep_mode: bool,
    source: Option<Data>,
    contents: Option<Vec<u8>>,
    /// Whether a file that is there may get another content.
    replace: bool,
    follow: bool,
    shows: bool,
}

/// Makes a file hold a text that another function made, with the owner, mode and all else that the arguments say.
///
/// # Errors
/// When it cannot be written.
pub(in crate::states) fn hold(call: &Call<'_>, text: String) -> Result<Return, Failed> {
    let contents = Some(contents::in_encoding(&call.args, text)?);
    Managed { contents, replace: true, ..Managed::read(call)? }.apply()
}

/// What a file is to hold.
enum Content {
    /// Whatever it holds.
    Any,
    /// This; from a source if it `is_fetched`.
    Wanted { bytes: Vec<u8>, is_fetched: bool },
}

impl<'a> Managed<'a> {
    fn read(call: &'a Call<'a>) -> Result<Self, Failed> {
        let args = &call.args;
        let name = expanded(call.host, &args.name()?);
        if name.is_empty() {
            return Err("Destination file name is required".into());
        }
        let keep_mode = keeps_mode(args, "mode");
        let mode = if keep_mode { None } else { args.mode("mode")? };
        let source = args.get("source").filter(|source| source.is_true()).cloned();
        let given = contents::given(args);
        let all = "'contents', 'contents_pillar', or 'contents_grains'";
        if source.is_some() && given > 0 {
            return Err(format!("'source' cannot be used in combination with {all}").into());
        }
        if keep_mode && given > 0 {
            return Err(format!("Mode preservation cannot be used in combination with {all}").into());
        }
        if given > 1 {
            return Err("Only one of 'contents', 'contents_pillar', and 'contents_grains' is permitted".into());
        }
        let mut permissions = Permissions::default();
        permissions.mode = mode;
        Ok(Self {
            call,
            path: name.as_str().into(),
            name,
            permissions,
            keep_mode,
            contents: contents::read(call)?,
            replace: args.flag("replace", true) && (source.is_some() || given > 0),
            source,
            follow: args.flag("follow_symlinks", true),
            shows: args.flag("show_changes", true),
        })
    }

    fn apply(mut self) -> Result<Return, Failed> {
        let (name, args) = (self.name.clone(), &self.call.args);
        if !args.flag("create", true) && !self.path.is_file() {
            return Ok(Return::unchanged(format!("File {name} is not present and is not set for creation")));
        }
        let permissions = Permissions::read(self.call)?;
        self.permissions = permissions.mode(self.permissions.mode);
        self.permissions.flags = args.text("attrs")?;
        if !self.path.is_absolute() {
            return Err(format!("Specified file {name} is not an absolute path").into());
        }
        if self.path.is_dir() || name.ends_with('/') {
            return Err(format!("Specified target {name} is a directory").into());
        }
        if self.path.exists() && !self.replace {
            return self.settle();
        }
        let picked = match &self.source {
            Some(source) => Some(self.call.host.pick(source, self.checksum()?).map_err(|failed| unable(&failed))?),
            None => None,
        };
        if self.path.exists() && self.has_checksum(picked.as_ref()) {
            return self.settle();
        }
        let content = self.content(picked.as_ref())?;
        if let Some(picked) = picked.as_ref().filter(|_| self.keep_mode) {
            self.permissions.mode = self.call.host.source_mode(&picked.address);
        }
        if fs::symlink_metadata(&self.path).is_ok_and(|there| there.is_file() || there.is_symlink()) {
            self.change(&content)
        } else {
            self.create(&content)
        }
    }

    fn checksum(&self) -> Result<Option<String>, Failed> {
        Ok(self.call.args.text("source_hash")?.filter(|given| !given.is_empty()))
    }

    /// Whether a file from the web is there already, so that it need not be fetched.
    fn has_checksum(&self, picked: Option<&Picked>) -> bool {
        let is_plain = self.call.args.get("template").is_none() && !self.call.args.flag("skip_verify", false);
        let Some(picked) = picked.filter(|picked| is_plain && is_web(&picked.address)) else { return false };
        let Ok(Some(wanted)) = self.wanted_checksum(picked) else { return false };
        fs::read(&self.path).is_ok_and(|there| wanted.fits(&there))
    }

    fn wanted_checksum(&self, picked: &Picked) -> Result<Option<Checksum>, Failed> {
        let Some(given) = &picked.checksum else { return Ok(None) };
        let entry = self.call.args.text("source_hash_name")?;
        let names = Names { entry: entry.as_deref(), file: Some(&self.name), source: Some(&picked.address) };
        self.call.host.checksum(given, names).map(Some)
    }

    /// Owner and mode alone.
    fn settle(&self) -> Result<Return, Failed> {
        let (name, preview) = (&self.name, self.call.preview);
        let before = fs::metadata(&self.path)?.mode() & 0o7777;
        let changes = self.permissions.settle(&self.path, self.follow, preview)?;
        Ok(match (preview, changes.entries.is_empty()) {
            (true, is_right) => {
                let comment = match self.permissions.mode.filter(|mode| *mode != before) {
                    Some(mode) => format!(
                        "File {name} will be updated with permissions {} from its current state of {}",
                        octal(mode),
                        octal(before)
                    ),
                    None => format!("File {name} not updated"),
                };
                if is_right { Return::unchanged(comment) } else { Return::would(changes, comment) }
            }
            (false, true) => Return::unchanged(format!("File {name} exists with proper permissions. No changes made.")),
            (false, false) => Return::changed(changes, format!("File {name} updated")),
        })
    }

    /// What the file is to hold.
    fn content(&self, picked: Option<&Picked>) -> Result<Content, Failed> {
        if let Some(contents) = &self.contents {
            return Ok(Content::Wanted { bytes: contents.clone(), is_fetched: false });
        }
        let Some(picked) = picked else { return Ok(Content::Any) };
        match self.fetch(picked) {
            Ok(bytes) => Ok(Content::Wanted { bytes, is_fetched: true }),
            Err(failed) if self.call.preview => Err(failed),
            Err(failed) => Err(unable(&failed)),
        }
    }

    fn fetch(&self, picked: &Picked) -> Result<Vec<u8>, Failed> {
        let Picked { address, .. } = picked;
        let args = &self.call.args;
        let source = Source::parse(address)?;
        let is_checked = !matches!(source, Source::Formula(_)) && !args.flag("skip_verify", false);
        let wanted = if is_checked { self.wanted_checksum(picked)? } else { None };
        let content = match &source {
            Source::Web(_) if is_checked && wanted.is_none() => {
                return Err(format!(
                    "Unable to verify upstream hash of source file {}, please set source_hash or set skip_verify to True",
                    web::redacted(address)
                )
                .into());
            }
            Source::Web(address) => web::get(address, args.flag("verify_ssl", true))?,
            _ => self.call.host.content(address)?,
        };
        if let Some(wanted) = wanted.filter(|wanted| !wanted.fits(&content)) {
            return Err(format!(
                "Specified {} checksum for {} ({}) does not match actual checksum ({}). If the 'source_hash' value \
                 refers to a remote file with multiple possible matches, then it may be necessary to set \
                 'source_hash_name'.",
                wanted.algorithm,
                web::redacted(address),
                wanted.digits,
                wanted.actual(&content)
            )
            .into());
        }
        if args.get("template").is_none_or(|template| !template.is_true()) {
            return Ok(content);
        }
        self.call.host.rendered(address, content, &self.variables(address)?.into())
    }

    fn variables(&self, address: &str) -> Result<Dict, Failed> {
        let mut said = Dict::default();
        let mode = self.permissions.mode.map(|mode| Data::from(octal(mode).as_str())).unwrap_or_default();
        for (name, value) in [
            ("name", Data::from(self.name.as_str())),
            ("source", address.into()),
            ("user", self.permissions.user_given()),
            ("group", self.permissions.group_given()),
            ("mode", mode),
            ("attrs", self.call.args.get("attrs").cloned().unwrap_or_default()),
        ] {
            said.insert(name, value);
        }
        let mut variables = variables(&self.call.args, said, self.call.args.others(&MANAGED))?;
        if let Some(accumulator) = self.call.host.accumulator(&self.name) {
            variables.insert("accumulator", accumulator);
        }
        Ok(variables)
    }

    /// A file or link that is there.
    fn change(&self, content: &Content) -> Result<Return, Failed> {
        let is_link = fs::symlink_metadata(&self.path)?.is_symlink();
        let makes_way = is_link && !self.follow && matches!(content, Content::Wanted { .. });
        let path = if is_link && self.follow { disk::real(&self.path) } else { self.path.clone() };
        if is_link && self.follow && !path.exists() {
            return Err(unable(&format!("[Errno 2] No such file or directory: '{path}'").into()));
        }
        let mut changes = Dict::default();
        if let Content::Wanted { bytes, .. } = content {
            let difference = match fs::read(&path) {
                Ok(old) => diff::shown(&old, bytes, self.shows),
                Err(_) if makes_way => String::new(),
                Err(error) => return Err(unable(&error.into())),
            };
            if !difference.is_empty() {
                changes.insert("diff", difference.as_str());
            } else if makes_way {
                changes.insert("diff", "Replace symbolic link with regular file");
            }
        }
        let difference = changes.entries.len();
        changes.entries.extend(self.permissions.settle(&path, self.follow || makes_way, true)?.entries);
        if changes.entries.is_empty() {
            let which = if self.call.preview { "The file" } else { "File" };
            return Ok(Return::unchanged(format!("{which} {} is in the correct state", self.name)));
        }
        if self.call.preview {
            return Ok(self.would(changes));
        }
        let Content::Wanted { bytes, .. } = content else { return self.settled(&path, changes) };
        trial(self.call, bytes, &path, &self.permissions)?;
        if difference == 0 {
            return self.settled(&path, changes);
        }
        let backup = self.call.args.text("backup")?.unwrap_or_default();
        backup::keep(self.call.host, &path, &backup).map_err(|failed| unable(&failed))?;
        place(&path, bytes, self.permissions.attributes())?;
        self.settled(&path, changes)
    }

    /// A file that is not there.
    fn create(&self, content: &Content) -> Result<Return, Failed> {
        let mut changes = Dict::default();
        if self.call.preview {
            changes.insert("newfile", self.name.as_str());
            return Ok(self.would(changes));
        }
        if let Content::Wanted { bytes, .. } = content {
            trial(self.call, bytes, &self.path, &self.permissions)?;
        }
        let parent = self.path.parent().unwrap_or(Utf8Path::new("/"));
        if !parent.is_dir() {
            if !self.call.args.flag("makedirs", false) {
                return Err("Parent directory not present".into());
            }
            create_parents(&self.path, &self.permissions, self.call.args.mode("dir_mode")?)
                .map_err(|failed| unable(&failed))?;
        }
        let (bytes, comment, is_fetched): (&[u8], _, _) = match content {
            Content::Wanted { bytes, is_fetched } => {
                changes.insert("diff", "New file");
                (bytes, format!("File {} updated", self.name), *is_fetched)
            }
            Content::Any => {
                changes.insert("new", format!("file {} created", self.name).as_str());
                (&[], "Empty file".to_owned(), false)
            }
        };
        // Salt creates a file that is fetched, or has a mode, for root alone, and lists what it gives it after that.
        let first = if is_fetched || self.permissions.mode.is_some() { CLOSED } else { FILE_MODE };
        let mode = self.permissions.mode.unwrap_or(FILE_MODE);
        let permissions = self.permissions.clone().mode(Some(mode));
        let (uid, gid) = disk::newcomer(parent)?;
        changes.entries.extend(permissions.differing(uid, gid, first).entries);
        place(&self.path, bytes, permissions.attributes())?;
        self.settled(&self.path, changes).map(|settled| Return { comment, ..settled })
    }

    /// Puts right what is left to be, of which `changes` tells already.
    fn settled(&self, path: &Utf8Path, mut changes: Dict) -> Result<Return, Failed> {
        let settled = self.permissions.settle(path, self.follow, false);
        let settled = settled.map_err(|failed| Failed { changes: changes.clone(), ..failed })?;
        changes.entries.extend(settled.entries);
        Ok(Return::changed(changes, format!("File {} updated", self.name)))
    }

    fn would(&self, changes: Dict) -> Return {
        let comment = format!(
            "The file {} is set to be changed\nNote: No changes made, actual changes may\nbe different due to other states.",
            self.name
        );
        Return::would(changes, comment)
    }
}

fn place(path: &Utf8Path, bytes: &[u8], attributes: Attributes) -> Result<(), Failed> {
    disk::put(path, bytes, attributes).map_err(|error| format!("Failed to commit change: {error}").into())
}

/// Whether a mode is to be that of the source.
pub(super) fn keeps_mode(args: &Args<'_>, name: &str) -> bool {
    args.get(name).and_then(Data::as_str).is_some_and(|mode| mode.eq_ignore_ascii_case("keep"))
}

fn is_web(address: &str) -> bool {
    matches!(Source::parse(address), Ok(Source::Web(_)))
}

fn unable(failed: &Failed) -> Failed {
    format!("Unable to manage file: {}", failed.comment).into()
}
