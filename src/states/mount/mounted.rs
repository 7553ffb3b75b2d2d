//! `mount.mounted`.

use camino::Utf8Path;

use super::active::{Active, Mount};
use super::fstab::{Done, Line, Match};
use super::kept::Kept;
use super::options::Rules;
use super::{Wanted, config, device, options, persisted, point, unmount};
use crate::formula::Dict;
use crate::states::disk::{self, Attributes};
use crate::states::{Args, Call, Failed, Return};

pub(super) fn check(args: &Args<'_>) -> Result<(), String> {
    let fstype = args.text("fstype").map_err(|failed| failed.comment)?.unwrap_or_default();
    Match::of(args, &fstype).map_err(|failed| failed.comment)?;
    patterns(args).map_err(|failed| failed.comment)?;
    if args.flag("bind_mount_copy_active_opts", false) {
        return Err("upshift has no `bind_mount_copy_active_opts: true`: `opts` is what is mounted and kept".to_owned());
    }
    Ok(())
}

/// Devices that may be mounted in the place of the wanted one.
fn patterns(args: &Args<'_>) -> Result<Vec<fancy_regex::Regex>, Failed> {
    let pattern = |text: &String| {
        let whole = format!(r"\A(?:{text})");
        fancy_regex::Regex::new(&whole).map_err(|error| format!("`device_name_regex`: {error}").into())
    };
    args.texts("device_name_regex")?.iter().map(pattern).collect()
}

/// The options that are wanted: `defaults` if nothing is said.
fn wanted_options(args: &Args<'_>) -> Result<Vec<String>, Failed> {
    match args.chunk().get("opts") {
        None => Ok(vec!["defaults".to_owned()]),
        Some(_) => options(args, "opts"),
    }
}

/// What became of the mount itself.
#[derive(Default)]
struct Outcome {
    said: String,
    changes: Dict,
    /// Whether a preview found something to change.
    would: bool,
}

impl Outcome {
    fn would(said: String) -> Self {
        Self { said, would: true, ..Self::default() }
    }

    /// Adds to what is said.
    fn and(&mut self, more: &str) {
        let dot = if self.said.is_empty() { "" } else { ". " };
        self.said += &format!("{dot}{more}");
    }

    fn over(self) -> Return {
        Return { result: if self.would { None } else { Some(true) }, changes: self.changes, comment: self.said }
    }
}

pub(super) fn mounted(call: &Call<'_>) -> Result<Return, Failed> {
    let args = &call.args;
    let (name, device, fstype) = (args.name()?, args.required("device")?, args.required("fstype")?);
    let (options, user) = (wanted_options(args)?, args.text("user")?);
    let name = point(&name);
    let place = disk::real(name);
    let wanted = Wanted { device: &device, point: &place, fstype: &fstype, options: &options, user: user.as_deref() };
    let mut outcome = Outcome::default();
    if args.flag("mount", true) {
        if mount(call, name, &wanted, &mut outcome).map_err(|failed| failed.after(outcome.changes.clone()))? {
            return Ok(outcome.over());
        }
    } else if Active::read()?.at(&place).is_none() {
        unmounted(call, name, &wanted, &mut outcome)?;
    }
    if !args.flag("persist", true) {
        return Ok(outcome.over());
    }
    let order = ["dump", "pass_num"].map(|key| args.text(key).map(|text| text.unwrap_or_else(|| "0".to_owned())));
    let [dump, pass] = order;
    let line = Line::new(&device, name.as_str(), &fstype, &options, [dump?, pass?]);
    let done = persisted(call, &config(args)?, &line, &Match::of(args, &fstype)?)
        .map_err(|failed| failed.after(outcome.changes.clone()))?;
    kept(call, name, done, &mut outcome);
    Ok(outcome.over())
}

/// Mounts what is to be mounted. Says whether that is all there is to say: a preview of a mount says nothing of the table.
fn mount(call: &Call<'_>, name: &Utf8Path, wanted: &Wanted<'_>, outcome: &mut Outcome) -> Result<bool, Failed> {
    let active = Active::read()?;
    let makes_point = call.args.flag("mkmnt", false);
    if let Some(there) = active.at(wanted.point) {
        let is_right = is_right(call, &active, there, wanted, outcome)?;
        if is_right {
            return settle(call, there, wanted, outcome).map(|()| outcome.would);
        }
        if call.preview {
            return Ok(false);
        }
        unmount(call.host, wanted.point, wanted.user, false)
            .map_err(|failed| format!("Unable to unmount: {}", failed.comment))?;
        outcome.changes.insert("umount", unmounted_for(call, there, wanted));
        if Active::read()?.at(wanted.point).is_some() {
            return Err("Unable to unmount".into());
        }
    }
    let is_there = name.exists();
    if call.preview {
        *outcome = Outcome::would(match (is_there, makes_point) {
            (true, _) => format!("{name} would be mounted"),
            (false, true) => format!("{name} would be created and mounted"),
            (false, false) => format!("{name} does not exist and would not be created"),
        });
        return Ok(true);
    }
    if !is_there {
        if !makes_point {
            return Err("Mount directory is not present".into());
        }
        make_point(call, name, wanted.user)?;
    }
    wanted.mount(call.host)?;
    outcome.changes.insert("mount", true);
    if Active::read()?.at(wanted.point).is_none() {
        return Err(format!("`mount` said nothing, but nothing is mounted on {name}").into());
    }
    Kept::read(call.host).keep(wanted, makes_point)?;
    "Target was successfully mounted".clone_into(&mut outcome.said);
    Ok(false)
}

fn make_point(call: &Call<'_>, name: &Utf8Path, user: Option<&str>) -> Result<(), Failed> {
    let uid = user.map(|user| call.host.uid(user)).transpose()?;
    Ok(disk::create_folder(name, Attributes { uid, ..Attributes::default() }, Attributes::default())?)
}

/// Whether what is mounted comes from the wanted device, or from one that will do.
fn is_right(
    call: &Call<'_>,
    active: &Active,
    there: &Mount,
    wanted: &Wanted<'_>,
    outcome: &mut Outcome,
) -> Result<bool, Failed> {
    let is_bind = wanted.options.iter().any(|option| matches!(option.as_str(), "bind" | "rbind"));
    let found = if is_bind && wanted.device.starts_with('/') {
        // A bind mount comes from what its source lies on.
        active.under(&disk::real(Utf8Path::new(wanted.device))).map(|source| source.device.clone())
    } else {
        device::real(call.host, wanted.device)
    };
    if found.is_none()
        && let Some(label) = device::label(wanted.device)
    {
        return Err(format!("Unable to find device with label {label}.").into());
    }
    let others = device::others(&there.device);
    let is_it = |device: &String| *device == there.device || others.contains(device);
    if found.as_ref().is_some_and(is_it) || wanted.device == there.device {
        "Target was already mounted".clone_into(&mut outcome.said);
        return Ok(true);
    }
    let patterns = patterns(&call.args)?;
    let known = others.iter().chain([&there.device]);
    let will_do = |device: &&String| patterns.iter().any(|pattern| pattern.is_match(device).unwrap_or(false));
    if let Some(other) = known.clone().find(will_do) {
        outcome.said = format!("An umount will not be forced because device matched device_name_regex: {other}");
        return Ok(true);
    }
    if call.preview {
        *outcome = Outcome::would(format!(
            "An umount would have been forced because devices do not match.  Watched: {}",
            wanted.device
        ));
    }
    Ok(false)
}

/// What is said of a mount that had to go because it came from another device.
fn unmounted_for(call: &Call<'_>, there: &Mount, wanted: &Wanted<'_>) -> String {
    let real = device::real(call.host, wanted.device).filter(|real| real != wanted.device);
    let real = real.map(|real| format!(" ({real})")).unwrap_or_default();
    format!("Forced unmount because devices don't match. Wanted: {}{real}, current: {}", wanted.device, there.device)
}

/// Gives what is mounted its options.
fn settle(call: &Call<'_>, there: &Mount, wanted: &Wanted<'_>, outcome: &mut Outcome) -> Result<(), Failed> {
    let rules = Rules::of(&call.args, wanted.fstype)?;
    let kept = Kept::read(call.host);
    let mut changed = rules.lacking(call.host, wanted.options, there, wanted.fstype);
    let before = kept.options(wanted.point);
    changed.extend(before.into_iter().flatten().filter(|option| !wanted.options.contains(option)));
    changed.retain(|option| !option.split_once('=').is_some_and(|(key, _)| super::is_password(key)));
    changed.sort();
    changed.dedup();
    if changed.is_empty() {
        return if call.preview { Ok(()) } else { kept.keep(wanted, call.args.flag("mkmnt", false)) };
    }
    let changed = changed.join(",");
    if call.preview {
        *outcome = Outcome::would(format!("Remount would be forced because options ({changed}) changed"));
        return Ok(());
    }
    // Some file systems take new options only when they are mounted.
    let change = if matches!(wanted.fstype, "nfs" | "cvfs") || wanted.fstype.starts_with("fuse") {
        let mut why = "because";
        if unmount(call.host, wanted.point, wanted.user, false).is_err() {
            unmount(call.host, wanted.point, wanted.user, true)
                .map_err(|failed| format!("Unable to unmount {}: {}.", wanted.point, failed.comment))?;
            why = "because the previous unmount failed and because the";
        }
        let lazy = if why == "because" { "unmount" } else { "a lazy unmount" };
        let change = format!("Forced {lazy} and mount {why} options ({changed}) changed");
        outcome.changes.insert("umount", change.as_str());
        wanted.mount(call.host)?;
        change
    } else {
        wanted.remount(call.host)?;
        format!("Forced remount because options ({changed}) changed")
    };
    outcome.changes.insert("umount", change);
    kept.keep(wanted, call.args.flag("mkmnt", false))
}

/// What is done and said where nothing is to be mounted now.
fn unmounted(call: &Call<'_>, name: &Utf8Path, wanted: &Wanted<'_>, outcome: &mut Outcome) -> Result<(), Failed> {
    let makes_point = call.args.flag("mkmnt", false);
    match (name.exists(), makes_point, call.preview) {
        (true, _, true) => outcome.said = format!("{name} would not be mounted"),
        (true, _, false) => outcome.said = format!("{name} not mounted"),
        (false, true, true) => *outcome = Outcome::would(format!("{name} would be created, but not mounted")),
        (false, false, true) => {
            *outcome = Outcome::would(format!("{name} does not exist and would neither be created nor mounted"));
        }
        (false, true, false) => {
            make_point(call, name, wanted.user)?;
            outcome.said = format!("{name} was created, not mounted");
        }
        (false, false, false) => outcome.said = format!("{name} not present and not mounted"),
    }
    Ok(())
}

/// What is said of the table.
fn kept(call: &Call<'_>, name: &Utf8Path, done: Done, outcome: &mut Outcome) {
    let mounts = call.args.flag("mount", true);
    match (done, call.preview) {
        (Done::Present, true) => return,
        (Done::Present, false) => return outcome.and("Entry already exists in the fstab."),
        (Done::New, true) => {
            let is = if mounts { "is mounted, but needs" } else { "needs" };
            outcome.and(&format!("{name} {is} to be written to the fstab in order to be made persistent."));
        }
        (Done::Changed, true) if mounts => {
            outcome.and(&format!("{name} is mounted, but its fstab entry must be updated."));
        }
        (Done::Changed, true) => outcome.and(&format!("The {name} fstab entry must be updated.")),
        (Done::New, false) => outcome.and("Added new entry to the fstab."),
        (Done::Changed, false) => outcome.and("Updated the entry in the fstab."),
    }
    if call.preview {
        outcome.would = true;
    } else {
        outcome.changes.insert("persist", if done == Done::New { "new" } else { "update" });
    }
}

/// Mounts again when something that is watched has changed.
pub(super) fn watch(call: &Call<'_>) -> Result<Return, Failed> {
    let args = &call.args;
    let (name, device, fstype) = (args.name()?, args.required("device")?, args.required("fstype")?);
    let (options, user) = (wanted_options(args)?, args.text("user")?);
    let name = point(&name);
    let place = disk::real(name);
    let wanted = Wanted { device: &device, point: &place, fstype: &fstype, options: &options, user: user.as_deref() };
    if call.preview {
        return Ok(Return::would(Dict::default(), format!("{name} would be remounted")));
    }
    let is_there = Active::read()?.at(&place).is_some();
    let remounted = if is_there { wanted.remount(call.host) } else { wanted.mount(call.host) };
    remounted.map_err(|failed| format!("{name} failed to remount: {}", failed.comment))?;
    Ok(Return::unchanged(format!("{name} remounted")))
}
