//! `mount.*`: what is mounted now, and what `/etc/fstab` has mounted at boot.
//!
//! What is mounted is read from the kernel, and `/etc/fstab` is replaced once. Unlike Salt, what an SLS says of a bind mount is
//! what is written down, so that a second apply finds it as it is; a remount that fails is a failure.

mod active;
mod device;
mod entry;
mod fstab;
mod kept;
mod mounted;
mod options;
mod swap;
mod unmounted;

use camino::{Utf8Path, Utf8PathBuf};

use crate::states::{Args, Call, Command, Failed, Function, Host, Return};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("mount.mounted", mounted::mounted)
        .requires(&["device", "fstype"])
        .takes(&[
            "bind_mount_copy_active_opts",
            "config",
            "device_name_regex",
            "dump",
            "extra_mount_ignore_fs_keys",
            "extra_mount_invisible_keys",
            "extra_mount_invisible_options",
            "extra_mount_translate_options",
            "hidden_opts",
            "match_on",
            "mkmnt",
            "mount",
            "opts",
            "pass_num",
            "persist",
            "user",
        ])
        .checks(mounted::check)
        .watches(mounted::watch),
    Function::new("mount.unmounted", unmounted::unmounted)
        .takes(&["config", "device", "persist", "user"])
        .watches(|_| Ok(not_watched("unmounted"))),
    Function::new("mount.swap", swap::swap).takes(&["config", "persist"]).watches(|_| Ok(not_watched("swap"))),
    Function::new("mount.fstab_present", entry::present)
        .requires(&["fs_file", "fs_vfstype"])
        .takes(&[
            "config",
            "fs_freq",
            "fs_mntops",
            "fs_mount",
            "fs_passno",
            "match_on",
            "mount",
            "mount_by",
            "not_change",
        ])
        .checks(entry::check)
        .watches(|_| Ok(not_watched("fstab_present"))),
    Function::new("mount.fstab_absent", entry::absent)
        .requires(&["fs_file"])
        .takes(&["config", "mount_by"])
        .checks(entry::check_device)
        .watches(|_| Ok(not_watched("fstab_absent"))),
];

fn not_watched(function: &str) -> Return {
    Return::unchanged(format!("Watch not supported in {function} at this time"))
}

/// The table of what is mounted at boot.
fn config(args: &Args<'_>) -> Result<Utf8PathBuf, Failed> {
    Ok(args.text("config")?.unwrap_or_else(|| fstab::FSTAB.to_owned()).into())
}

/// Options, whether they are a list or one text with commas.
fn options(args: &Args<'_>, key: &str) -> Result<Vec<String>, Failed> {
    let given = args.texts(key)?;
    Ok(given.iter().flat_map(|text| text.split(',')).filter(|text| !text.is_empty()).map(str::to_owned).collect())
}

/// A mount point without the slash that may end it.
fn point(name: &str) -> &Utf8Path {
    Utf8Path::new(if name.len() > 1 { name.trim_end_matches('/') } else { name })
}

/// Something to mount.
struct Wanted<'a> {
    device: &'a str,
    point: &'a Utf8Path,
    fstype: &'a str,
    options: &'a [String],
    user: Option<&'a str>,
}

impl Wanted<'_> {
    fn mount(&self, host: &Host<'_>) -> Result<(), Failed> {
        self.run(host, self.options.to_vec())
    }

    fn remount(&self, host: &Host<'_>) -> Result<(), Failed> {
        let mut options = self.options.to_vec();
        options.push("remount".to_owned());
        self.run(host, options)
    }

    fn run(&self, host: &Host<'_>, mut options: Vec<String>) -> Result<(), Failed> {
        let password = if self.fstype == "cifs" { password(&mut options) } else { None };
        let options = options.join(",");
        let mut arguments = vec!["-t", self.fstype, self.device, self.point.as_str()];
        if !options.is_empty() {
            arguments.splice(0..0, ["-o", &options]);
        }
        let mut command = Command::new("mount", arguments);
        if let Some(password) = password {
            command = command.env("PASSWD", &password);
        }
        run(host, command, self.user)
    }
}

/// Takes a password out, which would be seen on the command line. `mount.cifs(8)` finds it in its environment.
fn password(options: &mut Vec<String>) -> Option<String> {
    let value = |option: &String| Some(option.split_once('=').filter(|(key, _)| is_password(key))?.1.to_owned());
    let found = options.iter().find_map(value);
    options.retain(|option| value(option).is_none());
    found
}

fn is_password(key: &str) -> bool {
    matches!(key, "password" | "pass")
}

fn unmount(host: &Host<'_>, point: &Utf8Path, user: Option<&str>, is_lazy: bool) -> Result<(), Failed> {
    let lazy: &[&str] = if is_lazy { &["-l"] } else { &[] };
    run(host, Command::new("umount", [lazy, &[point.as_str()]].concat()), user)
}

fn run(host: &Host<'_>, mut command: Command, user: Option<&str>) -> Result<(), Failed> {
    if let Some(name) = user {
        let user = host.user(name).ok_or_else(|| format!("User '{name}' is not available"))?;
        user.runs(command.process());
    }
    let output = host.run(command)?;
    match output.stderr.trim() {
        _ if output.is_success() => Ok(()),
        "" => Err(output.why().into()),
        said => Err(said.into()),
    }
}

/// What a state and `/etc/fstab` come to.
fn persisted(call: &Call<'_>, config: &Utf8Path, line: &fstab::Line, on: &fstab::Match) -> Result<fstab::Done, Failed> {
    let mut table = fstab::Table::read(config)?;
    let done = table.set(line, on);
    if !call.preview && done != fstab::Done::Present {
        table.write(config)?;
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_on_a_command_line() {
        let mut options = ["rw", "password=a,secret", "user=x"].map(str::to_owned).to_vec();
        assert_eq!(password(&mut options).as_deref(), Some("a,secret"));
        assert_eq!(options, ["rw", "user=x"]);
    }
}
