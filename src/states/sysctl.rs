//! `sysctl.*`: settings of the kernel, as they are now and as they will be after the next boot.

use std::io;

use camino::Utf8Path;
use fs_err as fs;

use crate::formula::Dict;
use crate::states::disk::{self, Attributes};
use crate::states::returns::dict;
use crate::states::{Call, Failed, Function, Return};

pub(super) const FUNCTIONS: &[Function] =
    &[Function::new("sysctl.present", present).requires(&["value"]).takes(&["config"])];

/// What Salt starts a configuration with.
const HEADER: &str = "#\n# Kernel sysctl configuration\n#\n";

fn present(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, value) = (call.args.name()?, call.args.required("value")?);
    let config = call.args.text("config")?.unwrap_or_else(|| default_config().to_owned());
    let config = Utf8Path::new(&config);
    if call.preview {
        return Ok(preview(&name, &value, config));
    }
    let failed = |why: String| Failed::from(format!("Failed to set {name} to {value}: {why}"));
    let there = read(config).map_err(|error| failed(format!("Could not read from file: {config}: {error}")))?;
    let wanted = with_setting(there.as_deref().unwrap_or(HEADER), &name, &value);
    let is_kept = there.is_some() && wanted.is_none();
    if is_kept && current(&name).is_some_and(|current| is_same(&current, &value)) {
        return Ok(Return::unchanged(format!("Sysctl value {name} = {value} is already set")));
    }
    let changes = dict([(name.as_str(), call.args.get("value").cloned().unwrap_or_default())]);
    if !is_kept {
        // The next boot gets it even where this kernel does not have it yet, for want of a module.
        let text = wanted.unwrap_or_default();
        write(config, &text).map_err(|error| failed(format!("Could not write to file: {config}: {error}")))?;
    }
    assign(&name, &value).map_err(|why| {
        let failed = failed(why);
        if is_kept { failed } else { failed.after(changes.clone()) }
    })?;
    Ok(Return::changed(changes, format!("Updated sysctl value {name} = {value}")))
}

fn preview(name: &str, value: &str, config: &Utf8Path) -> Return {
    let would = |comment: String| Return::would(Dict::default(), comment);
    let Ok(text) = read(config) else {
        return would(format!(
            "Sysctl option {name} might be changed, we failed to check config file at {config}. The file is either \
             unreadable, or missing."
        ));
    };
    let is_configured = text.is_some_and(|text| settings(&text).any(|(key, _)| key == name));
    let current = current(name).filter(|current| !current.is_empty());
    match current {
        Some(current) if is_configured && is_same(&current, value) => {
            Return::unchanged(format!("Sysctl value {name} = {value} is already set"))
        }
        Some(current) if !is_configured && !is_same(&current, value) => {
            would(format!("Sysctl option {name} set to be changed to {value}"))
        }
        Some(_) if !is_configured => would(format!(
            "Sysctl value is currently set on the running system but not in a config file. Sysctl option {name} set \
             to be changed to {value} in config file."
        )),
        None if is_configured => would(format!(
            "Sysctl value {name} is present in configuration file but is not present in the running config. The value \
             {name} is set to be changed to {value}"
        )),
        _ => would(format!("Sysctl option {name} would be changed to {value}")),
    }
}

fn default_config() -> &'static str {
    if fs::metadata("/run/systemd/system").is_ok() { "/etc/sysctl.d/99-salt.conf" } else { "/etc/sysctl.conf" }
}

/// A configuration; `None` if there is none.
fn read(config: &Utf8Path) -> io::Result<Option<String>> {
    match fs::read_to_string(config) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn write(config: &Utf8Path, text: &str) -> io::Result<()> {
    if let Some(folder) = config.parent().filter(|folder| !folder.exists()) {
        disk::create_folder(folder, Attributes::default(), Attributes::default())?;
    }
    disk::replace(config, text.as_bytes(), Attributes::default())
}

fn settings(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(setting)
}

/// A line `name = value`.
fn setting(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once('=')?;
    Some((name.trim(), value.trim())).filter(|(name, _)| !name.starts_with('#'))
}

/// A configuration with a setting in it, or nothing if it has that already.
fn with_setting(text: &str, name: &str, value: &str) -> Option<String> {
    let is_it = |line: &&str| setting(line).is_some_and(|(key, _)| key == name);
    let lines = || text.split_inclusive('\n');
    if lines().find(is_it).and_then(setting).is_some_and(|(_, there)| is_same(there, value)) {
        return None;
    }
    let wanted = format!("{name} = {value}\n");
    let mut new: String = lines().map(|line| if is_it(&line) { wanted.as_str() } else { line }).collect();
    if !lines().any(|line| is_it(&line)) {
        if !new.is_empty() && !new.ends_with('\n') {
            new.push('\n');
        }
        new += &wanted;
    }
    Some(new)
}

/// Whether two values are the same to the kernel, which puts tabs between the parts of one.
fn is_same(one: &str, other: &str) -> bool {
    one.split_whitespace().eq(other.split_whitespace())
}

/// The file of a setting: `net.ipv4.conf.eth0/100.forwarding` is in `net/ipv4/conf/eth0.100`.
fn file(name: &str) -> String {
    let swapped = name.chars().map(|letter| match letter {
        '.' => '/',
        '/' => '.',
        other => other,
    });
    format!("/proc/sys/{}", swapped.collect::<String>())
}

fn current(name: &str) -> Option<String> {
    fs::read_to_string(file(name)).ok().map(|text| text.trim_end().to_owned())
}

fn assign(name: &str, value: &str) -> Result<(), String> {
    let file = file(name);
    if fs::metadata(&file).is_err() {
        return Err(format!("sysctl {name} does not exist"));
    }
    let failed = |error: &io::Error| format!("sysctl -w failed: setting key \"{name}\": {error}");
    // The kernel takes what it is given in one piece, and there is no other file to put in place of this one.
    std::fs::write(file, format!("{value}\n")).map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_replaced_in_its_place_or_comes_last() {
        let text = "# a = 1\nb=2\nc = 3";
        assert_eq!(with_setting(text, "b", "4").as_deref(), Some("# a = 1\nb = 4\nc = 3"));
        assert_eq!(with_setting(text, "a", "1").as_deref(), Some("# a = 1\nb=2\nc = 3\na = 1\n"));
        assert_eq!(with_setting("r = 1\t2  3\n", "r", "1 2 3"), None);
    }

    #[test]
    fn a_dot_in_the_name_of_an_interface_is_given_as_a_slash() {
        assert_eq!(file("net.ipv4.conf.eth0/100.forwarding"), "/proc/sys/net/ipv4/conf/eth0.100/forwarding");
    }

    #[test]
    fn a_setting_the_kernel_does_not_have_is_refused() {
        assert_eq!(assign("upshift.nothing", "1"), Err("sysctl upshift.nothing does not exist".into()));
    }
}
