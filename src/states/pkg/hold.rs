//! `pkg.held` and `pkg.unheld`: packages stay as they are, or need not any more. Also what `hold` says to `pkg.installed`.

use super::manager::Manager;
use super::wanted::{self, Wanted};
use crate::formula::{Data, Dict};
use crate::states::returns::{dict, old_new};
use crate::states::{Args, Call, Failed, Return};

/// What became of one package's hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) name: String,
    pub(super) comment: String,
    pub(super) is_changed: bool,
    pub(super) old: String,
    pub(super) new: String,
}

impl Held {
    pub(super) fn change(&self) -> Data {
        old_new(self.old.as_str(), self.new.as_str())
    }

    /// All that Salt says of it where it lists what has changed.
    fn whole(&self) -> Data {
        let changes = if self.is_changed { self.change() } else { Dict::default().into() };
        dict([
            ("name", self.name.as_str().into()),
            ("changes", changes),
            ("result", true.into()),
            ("comment", self.comment.as_str().into()),
        ])
        .into()
    }
}

/// Sets or lifts the holds of packages as the `hold` of a state says, if it says something.
pub(super) fn asked(call: &Call<'_>, manager: Manager<'_>, names: &[&str]) -> Result<Vec<Held>, Failed> {
    match call.args.chunk().get("hold").map(Data::is_true) {
        None => Ok(Vec::new()),
        Some(hold) => set(manager, names, hold, call.preview),
    }
}

/// Sets or lifts the holds of packages.
fn set(manager: Manager<'_>, names: &[&str], hold: bool, preview: bool) -> Result<Vec<Held>, Failed> {
    let (selection, not) = if hold { ("hold", "") } else { ("install", "not ") };
    let packages = manager.packages()?;
    let held = manager.held()?;
    let is_right = |name: &str| held.iter().any(|held| held == manager.normalized(name)) == hold;
    let wrong: Vec<&str> = names.iter().copied().filter(|name| !is_right(name)).collect();
    if !preview && !wrong.is_empty() {
        let plain: Vec<&str> = wrong.iter().map(|name| manager.normalized(name)).collect();
        manager.select(&plain, selection)?;
        let now = manager.held()?;
        if let Some(name) = plain.iter().find(|name| now.iter().any(|held| held == *name) != hold) {
            return Err(format!("Package {name} was not {}", if hold { "held" } else { "unheld" }).into());
        }
    }
    let one = |&name: &&str| {
        let is_changed = wrong.contains(&name);
        let comment = match (is_changed, preview, hold) {
            (false, ..) => format!("Package {name} is already set {not}to be held."),
            (true, true, _) => format!("Package {name} is set {not}to be held."),
            (true, false, true) => format!("Package {name} is now being held."),
            (true, false, false) => format!("Package {name} is no longer being held."),
        };
        let old = packages.selection(manager.normalized(name)).unwrap_or_default().to_owned();
        Held { name: name.to_owned(), comment, is_changed, old, new: selection.to_owned() }
    };
    Ok(names.iter().map(one).collect())
}

pub(super) fn held(call: &Call<'_>) -> Result<Return, Failed> {
    let replace = call.args.flag("replace", false);
    if wanted::is_empty_list(call.args) && !replace {
        return Ok(Return::unchanged("No packages to be held provided"));
    }
    let manager = Manager::of(call.host)?;
    let asked = asked_for(call.args)?;
    let names: Vec<&str> = asked.iter().map(|wanted| manager.normalized(&wanted.name)).collect();
    let now = manager.held()?;
    let is_held = |name: &str| now.iter().any(|held| held == name);
    let missing: Vec<&Wanted> = asked.iter().filter(|wanted| !is_held(manager.normalized(&wanted.name))).collect();
    let more: Vec<&str> = now.iter().map(String::as_str).filter(|name| replace && !names.contains(name)).collect();
    if call.preview {
        let holds =
            missing.iter().map(|wanted| format!("The following package would be held: {}", with_version(wanted)));
        let lifts = more.iter().map(|name| format!("The following package would be unheld: {name}"));
        return Ok(would(&holds.chain(lifts).collect::<Vec<_>>()));
    }
    let missing: Vec<&str> = missing.iter().map(|wanted| wanted.name.as_str()).collect();
    let set_now = set(manager, &missing, true, false)?;
    let mut changes = whole(&set_now);
    let lifted = set(manager, &more, false, false).map_err(|failed| failed.after(changes.clone()))?;
    changes.entries.extend(whole(&lifted).entries);
    let mut comments: Vec<String> = missing.iter().map(|name| format!("Package {name} is now being held")).collect();
    comments.extend(lifted.into_iter().map(|held| held.comment));
    Ok(done(changes, &comments))
}

pub(super) fn unheld(call: &Call<'_>) -> Result<Return, Failed> {
    let all = call.args.flag("all", false);
    if wanted::is_empty_list(call.args) && !all {
        return Ok(Return::unchanged("No packages to be unheld provided"));
    }
    let manager = Manager::of(call.host)?;
    let asked = asked_for(call.args)?;
    let now = manager.held()?;
    let of = |name: &str| asked.iter().find(|wanted| manager.normalized(&wanted.name) == name);
    let names: Vec<&str> = now.iter().map(String::as_str).filter(|name| all || of(name).is_some()).collect();
    if call.preview {
        let line = |name: &&str| format!("The following package would be unheld: {name}");
        return Ok(would(&names.iter().map(line).collect::<Vec<_>>()));
    }
    let lifted = set(manager, &names, false, false)?;
    let comments: Vec<String> = lifted.iter().map(|held| held.comment.clone()).collect();
    Ok(done(whole(&lifted), &comments))
}

/// The packages of `pkgs`, which may be none, or the one that `name` means.
fn asked_for(args: Args<'_>) -> Result<Vec<Wanted>, Failed> {
    if wanted::is_empty_list(args) { Ok(Vec::new()) } else { wanted::packages_or_name(args) }
}

fn with_version(wanted: &Wanted) -> String {
    let version = wanted.version.iter().map(|version| format!(" (version = {version})"));
    format!("{}{}", wanted.name, version.collect::<String>())
}

fn whole(all: &[Held]) -> Dict {
    all.iter().map(|held| (held.name.as_str().into(), held.whole())).collect()
}

fn would(comments: &[String]) -> Return {
    if comments.is_empty() {
        return Return::unchanged("No changes made");
    }
    Return::would(Dict::default(), comments.join("\n"))
}

fn done(changes: Dict, comments: &[String]) -> Return {
    if changes.entries.is_empty() {
        return Return::unchanged("No changes made");
    }
    Return::changed(changes, comments.join("\n"))
}
