//! `file.recurse`: a folder of the formulas, put on the host file by file.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};

use crate::formula::roots::Links;
use crate::formula::{Data, Dict};
use crate::states::disk;
use crate::states::file::clean::{self, Kept, listed};
use crate::states::file::directory::DIRECTORY;
use crate::states::file::managed::{MANAGED, check_template};
use crate::states::file::pattern::Selection;
use crate::states::file::permissions::Permissions;
use crate::states::file::symlink::SYMLINK;
use crate::states::file::{absolute, expanded};
use crate::states::returns::dict;
use crate::states::source::{ENVIRONMENT, Source};
use crate::states::{Args, Call, Failed, Function, Return};

pub(super) const RECURSE: Function = Function::new("file.recurse", |call| Recurse::read(call)?.apply())
    .requires(&["source"])
    .takes(&[
        "keep_source",
        "clean",
        "user",
        "group",
        "owner",
        "dir_mode",
        "file_mode",
        "sym_mode",
        "template",
        "context",
        "replace",
        "defaults",
        "include_empty",
        "backup",
        "include_pat",
        "exclude_pat",
        "maxdepth",
        "keep_symlinks",
        "force_symlinks",
        "win_owner",
        "win_perms",
        "win_deny_perms",
        "win_inheritance",
    ])
    .takes_anything()
    .checks(check_template);

/// The arguments that each file is managed with.
const PASSED_ON: [&str; 9] =
    ["keep_source", "user", "group", "owner", "template", "context", "replace", "defaults", "backup"];

/// A folder that is copied, as its SLS has it.
struct Recurse<'a> {
    call: &'a Call<'a>,
    path: Utf8PathBuf,
    permissions: Permissions,
    clean: bool,
    chosen: Chosen,
}

/// What of the folder is put on the host, by the paths there.
struct Chosen {
    /// Each file and its address.
    files: BTreeMap<Utf8PathBuf, String>,
    /// Each link that stays one, and where it leads.
    links: BTreeMap<Utf8PathBuf, String>,
    /// Folders that are made though none of the files may be in them.
    empty: BTreeSet<Utf8PathBuf>,
}

impl Chosen {
    fn paths(&self) -> impl Iterator<Item = &Utf8PathBuf> {
        self.files.keys().chain(self.links.keys()).chain(&self.empty)
    }
}

/// What has come of the files and folders so far.
#[derive(Default)]
struct Sum {
    /// `Some(None)` stands for what a preview would change, and wins over success alone.
    #[expect(clippy::option_option, reason = "nothing yet, or a result, which may be that of a preview")]
    result: Option<Option<bool>>,
    changes: Dict,
    comments: Vec<(String, String)>,
}

impl Sum {
    fn add(&mut self, path: &Utf8Path, outcome: Result<Return, Failed>) {
        let Return { result, changes, comment } = outcome.unwrap_or_else(Return::from);
        if result == Some(false) || matches!(self.result, None | Some(Some(true))) {
            self.result = Some(result);
        }
        if result != Some(true) && !comment.is_empty() {
            self.comments.push((path.to_string(), comment));
        }
        if !changes.entries.is_empty() {
            self.changes.insert(path.as_str(), changes);
        }
    }
}

impl<'a> Recurse<'a> {
    fn read(call: &'a Call<'a>) -> Result<Self, Failed> {
        let args = &call.args;
        if args.chunk().has("mode") {
            return Err("'mode' is not allowed in 'file.recurse'. Please use 'file_mode' and 'dir_mode'.".into());
        }
        let permissions = Permissions::read(call)?.mode(args.mode("dir_mode")?);
        let path = absolute(call, "file.recurse")?;
        let chosen = choose(call, &path)?;
        Ok(Self { call, path, permissions, clean: args.flag("clean", false), chosen })
    }

    fn apply(&self) -> Result<Return, Failed> {
        let (path, preview) = (&self.path, self.call.preview);
        if !path.is_dir() {
            if path.exists() {
                return Err(format!("The path {path} exists and is not a directory").into());
            }
            if !preview {
                let attributes = self.permissions.attributes();
                disk::create_folder(path, attributes, attributes)?;
            }
        }
        let mut sum = Sum::default();
        let Chosen { files, links, empty } = &self.chosen;
        for (link, target) in links {
            self.link(link, target, &mut sum);
        }
        let of_files = files.keys().filter_map(|file| file.parent());
        let folders: BTreeSet<&Utf8Path> = empty.iter().map(Utf8PathBuf::as_path).chain(of_files).collect();
        for folder in folders {
            self.folder(folder, &mut sum);
        }
        for (file, address) in files {
            self.file(file, address, &mut sum);
        }
        if self.clean && path.is_dir() {
            self.clean(&mut sum)?;
        }
        self.outcome(sum)
    }

    /// Clears what is in the way of a folder or a file, if the folder is to be clean. In a preview it stays, and there is
    /// no more to say of the path then.
    fn make_way(&self, path: &Utf8Path, would: &str, did: &str, sum: &mut Sum) -> bool {
        if self.call.preview {
            sum.add(path, Ok(Return::would(Dict::default(), would)));
            return false;
        }
        let removed = disk::remove(path).map_err(Failed::from);
        let is_gone = removed.is_ok();
        sum.add(path, removed.map(|()| Return::changed(dict([("diff", did.into())]), "")));
        is_gone
    }

    fn link(&self, path: &Utf8Path, target: &str, sum: &mut Sum) {
        let mut chunk = self.passed_on(&["user", "group", "owner"]);
        for (name, value) in [("name", Data::from(path.as_str())), ("target", target.into()), ("makedirs", true.into())]
        {
            chunk.insert(name, value);
        }
        for (given, name) in [("sym_mode", "mode"), ("force_symlinks", "force")] {
            if let Some(value) = self.call.args.get(given) {
                chunk.insert(name, value.clone());
            }
        }
        let call = Call { args: Args::new(&chunk), ..*self.call };
        sum.add(path, (SYMLINK.run)(&call));
    }

    fn folder(&self, path: &Utf8Path, sum: &mut Sum) {
        if self.clean
            && path.exists()
            && !path.is_dir()
            && !self.make_way(
                path,
                &format!("Replacing {path} with a directory"),
                "Replaced file with a directory",
                sum,
            )
        {
            return;
        }
        let mut chunk = self.passed_on(&["user", "group", "owner", "dir_mode"]);
        chunk.insert("name", path.as_str());
        chunk.insert("makedirs", true);
        let call = Call { args: Args::new(&chunk), ..*self.call };
        sum.add(path, (DIRECTORY.run)(&call));
    }

    fn file(&self, path: &Utf8Path, address: &str, sum: &mut Sum) {
        if self.clean
            && path.is_dir()
            && self.call.args.flag("replace", true)
            && !self.make_way(
                path,
                &format!("Replacing directory {path} with a file"),
                "Replaced directory with a new file",
                sum,
            )
        {
            return;
        }
        let mut chunk = self.passed_on(&PASSED_ON);
        chunk.entries.extend(self.call.args.others(&RECURSE).entries);
        for (name, value) in
            [("name", Data::from(path.as_str())), ("source", address.into()), ("makedirs", true.into())]
        {
            chunk.insert(name, value);
        }
        if let Some(mode) = self.call.args.get("file_mode") {
            chunk.insert("mode", mode.clone());
        }
        let call = Call { args: Args::new(&chunk), ..*self.call };
        sum.add(path, (MANAGED.run)(&call));
    }

    fn passed_on(&self, names: &[&str]) -> Dict {
        names.iter().filter_map(|name| Some((Data::from(*name), self.call.args.get(name)?.clone()))).collect()
    }

    fn clean(&self, sum: &mut Sum) -> Result<(), Failed> {
        let mut kept = Kept::read(self.call, &self.path)?;
        self.chosen.paths().for_each(|path| kept.keep(path));
        let superfluous = kept.superfluous(&self.path)?;
        if superfluous.is_empty() {
            return Ok(());
        }
        if self.call.preview {
            if sum.result != Some(Some(false)) {
                sum.result = Some(None);
            }
            let paths: Vec<String> = superfluous.into_iter().map(Utf8PathBuf::into_string).collect();
            sum.comments.push(("removed".to_owned(), paths.join("\n")));
            return Ok(());
        }
        let (removed, result) = clean::remove(&superfluous);
        sum.changes.insert("removed", listed(removed));
        result.map_err(|failed| failed.after(sum.changes.clone()))
    }

    fn outcome(&self, sum: Sum) -> Result<Return, Failed> {
        let comments: Vec<String> =
            sum.comments.iter().map(|(path, said)| format!("\n#### {path} ####\n{said}")).collect();
        let mut comment = comments.join("\n").trim().to_owned();
        if comment.is_empty() {
            comment = format!("Recursively updated {}", self.path);
        }
        Ok(match sum.result {
            Some(Some(false)) => return Err(Failed { comment, changes: sum.changes }),
            Some(None) => Return::would(sum.changes, comment),
            _ if sum.changes.entries.is_empty() => {
                Return::unchanged(format!("The directory {} is in the correct state", self.path))
            }
            _ => Return::changed(sum.changes, comment),
        })
    }
}

/// What a `file.recurse` puts on the host.
///
/// # Errors
/// When there is no such folder, or it cannot be listed.
pub(super) fn targets(call: &Call<'_>) -> Result<Vec<Utf8PathBuf>, Failed> {
    let path = Utf8PathBuf::from(expanded(call.host, &call.args.name()?));
    Ok(choose(call, &path)?.paths().cloned().collect())
}

/// What counts of what is below the folder of the formulas.
fn choose(call: &Call<'_>, into: &Utf8Path) -> Result<Chosen, Failed> {
    let args = &call.args;
    let folder = folder(call)?;
    let selection = Selection::read(args)?;
    let depth = args.number("maxdepth")?.map(|depth| usize::try_from(depth).unwrap_or(0));
    let below = call.host.formula.files_below(&folder)?;
    if below.is_empty() {
        let message =
            format!("The directory '{folder}' does not exist on the salt fileserver in saltenv '{ENVIRONMENT}'");
        return Err(message.into());
    }
    let counts = |path: &str| depth.is_none_or(|depth| path.matches('/').count() <= depth) && selection.has(path);
    let relative = |path: &str| path.strip_prefix(&folder)?.strip_prefix('/').map(str::to_owned);
    let mut links = Links::default();
    if args.flag("keep_symlinks", false) {
        let all = call.host.formula.links()?.0.into_iter();
        let inner = all.filter_map(|(path, target)| Some((relative(&path)?, target)));
        links.0 = inner.filter(|(path, _)| counts(path)).collect();
    }
    let files: Vec<String> = below.iter().filter_map(|file| relative(file)).filter(|file| !links.has(file)).collect();
    // A formula travels as files: a folder is there if any is in it.
    let folders = files.iter().flat_map(|path| Utf8Path::new(path).ancestors().skip(1).map(Utf8Path::as_str));
    let empty = args.flag("include_empty", false);
    let empty = folders.filter(|path| empty && !path.is_empty() && counts(path)).map(|path| into.join(path)).collect();
    let counting = files.iter().filter(|path| counts(path));
    Ok(Chosen {
        files: counting.map(|path| (into.join(path), format!("salt://{folder}/{path}"))).collect(),
        links: links
            .0
            .iter()
            .filter(|(path, _)| !links.is_above(path))
            .map(|(path, to)| (into.join(path), to.clone()))
            .collect(),
        empty,
    })
}

/// The first folder of the sources that is there.
fn folder(call: &Call<'_>) -> Result<String, Failed> {
    let sources = call.args.texts("source")?;
    if let Some(wrong) = sources.iter().find(|source| !source.starts_with("salt://")) {
        return Err(format!("Invalid source '{}' (must be a salt:// URI)", wrong.trim_end_matches('/')).into());
    }
    let sources: Data = sources.iter().map(|source| Data::from(source.trim_end_matches('/'))).collect();
    let failed = |failed: Failed| Failed::from(format!("Recurse failed: {}", failed.comment));
    let picked = call.host.pick(&sources, None).map_err(failed)?;
    match Source::parse(&picked.address)? {
        Source::Formula(path) => Ok(path),
        Source::Local(_) | Source::Web(_) => Err(format!("Invalid source '{}'", picked.address).into()),
    }
}
