//! `mount.fstab_present` and `mount.fstab_absent`.

use super::fstab::{Done, FSTAB, Line, Match, Table};
use super::{config, device, options, persisted, point, run};
use crate::formula::Dict;
use crate::states::returns::dict;
use crate::states::{Args, Call, Command, Failed, Return};

/// What `mount_by` may be.
const NAMES: [&str; 5] = ["device", "label", "uuid", "partlabel", "partuuid"];

pub(super) fn check(args: &Args<'_>) -> Result<(), String> {
    check_device(args)?;
    let fstype = args.text("fs_vfstype").map_err(|failed| failed.comment)?.unwrap_or_default();
    Match::of(args, &fstype).map(drop).map_err(|failed| failed.comment)
}

pub(super) fn check_device(args: &Args<'_>) -> Result<(), String> {
    match args.text("mount_by").map_err(|failed| failed.comment)? {
        Some(name) if !NAMES.contains(&name.as_str()) => {
            Err(format!("`mount_by` has to be one of {}, not `{name}`", NAMES.join(", ")))
        }
        _ => Ok(()),
    }
}

/// The device as the table is to have it.
fn spec(call: &Call<'_>) -> Result<String, Failed> {
    let (name, by) = (call.args.name()?, call.args.text("mount_by")?);
    let spec = device::converted(call.host, &name, by.as_deref());
    spec.ok_or_else(|| format!("Device {name} cannot be converted to {}", by.unwrap_or_default()).into())
}

pub(super) fn present(call: &Call<'_>) -> Result<Return, Failed> {
    let args = &call.args;
    let (name, file, fstype) = (args.name()?, args.required("fs_file")?, args.required("fs_vfstype")?);
    let (file, config, mounts) = (point(&file), config(args)?, args.flag("mount", true));
    let given = options(args, "fs_mntops")?;
    let given = if given.is_empty() { vec!["defaults".to_owned()] } else { given };
    let number = |key: &str| args.text(key).map(|text| text.unwrap_or_else(|| "0".to_owned()));
    let order = [number("fs_freq")?, number("fs_passno")?];
    let line = Line::new(&spec(call)?, file.as_str(), &fstype, &given, order);
    let on = Match::of(args, &fstype)?;
    let stays = args.flag("not_change", false) && Table::read(&config)?.has(&line, &on);
    let done = if stays { Done::Present } else { persisted(call, &config, &line, &on)? };
    let mut said = match (done, call.preview) {
        (Done::Present, true) => format!("{file} entry is already in {config}."),
        (Done::Present, false) => format!("{file} entry was already in {config}."),
        (Done::New, true) => format!("{file} entry will be written in {config}."),
        (Done::New, false) => format!("{file} entry added in {config}."),
        (Done::Changed, true) => format!("{file} entry will be updated in {config}."),
        (Done::Changed, false) => format!("{file} entry updated in {config}."),
    };
    if done == Done::Present {
        return Ok(Return::unchanged(said));
    }
    if call.preview {
        if done == Done::New && mounts {
            said += &format!("\nWill mount {name} on {file}");
        }
        return Ok(Return::would(Dict::default(), said));
    }
    let changes = dict([("persist", if done == Done::New { "new" } else { "change" }.into())]);
    if done == Done::New && mounts {
        let mut arguments = vec![file.as_str()];
        if config != FSTAB {
            arguments.splice(0..0, ["-T", config.as_str()]);
        }
        if let Err(failed) = run(call.host, Command::new("mount", arguments), None) {
            return Err(Failed::from(format!("{said}\nError while mounting {}", failed.comment)).after(changes));
        }
        said += &format!("\nMounted {name} on {file}");
    }
    Ok(Return::changed(changes, said))
}

pub(super) fn absent(call: &Call<'_>) -> Result<Return, Failed> {
    let (file, config) = (call.args.required("fs_file")?, config(&call.args)?);
    let (file, spec) = (point(&file), spec(call)?);
    let mut table = Table::read_if_there(&config)?;
    if !table.lines().any(|line| line.name() == file && line.device() == spec) {
        return Ok(Return::unchanged(format!("{file} entry is already missing in {config}.")));
    }
    if call.preview {
        return Ok(Return::would(Dict::default(), format!("{file} entry will be removed from {config}.")));
    }
    table.remove(file.as_str(), Some(&spec));
    table.write(&config)?;
    Ok(Return::changed(dict([("persist", "removed".into())]), format!("{file} entry removed from {config}.")))
}

#[cfg(test)]
mod tests {
    use crate::states::sandbox::Sandbox;

    #[test]
    fn a_line_is_there_once_and_gone_once() {
        let sandbox = Sandbox::new();
        sandbox.write("fstab", "# mine\nproc /proc proc defaults 0 0\n");
        let line = "{name: /dev/sdz1, fs_file: /data/, fs_vfstype: ext4, fs_mntops: [noatime, nodev], mount: false, config: @/fstab}";
        let new = sandbox.settle("mount.fstab_present", line);
        assert_eq!(new.comment, format!("/data entry added in {}/fstab.", sandbox.path));
        let text = "# mine\nproc /proc proc defaults 0 0\n/dev/sdz1\t\t/data\text4\tnoatime,nodev\t0 0\n";
        assert_eq!(sandbox.read("fstab"), text);
        let other = line.replace("noatime, nodev", "ro").replace('}', ", not_change: true}");
        assert_eq!(sandbox.settle("mount.fstab_present", &other).changes.entries.len(), 0);
        sandbox.settle("mount.fstab_absent", "{name: /dev/sdz1, fs_file: /data, config: @/fstab}");
        assert_eq!(sandbox.read("fstab"), "# mine\nproc /proc proc defaults 0 0\n");
        let bad = sandbox.state("mount.fstab_present", &line.replace("@/fstab", "@/none"), false, &[]);
        assert_eq!(bad.comment, format!("Bad config file \"{}/none\"", sandbox.path));
    }
}
