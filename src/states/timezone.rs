//! `timezone.*`: the time zone of a host, and whether its hardware clock counts in it.

use camino::Utf8Path;
use fs_err as fs;

use crate::formula::{Data, Dict};
use crate::states::disk::{self, Attributes};
use crate::states::{Call, Command, Failed, Function, Host, Return};

pub(super) const FUNCTIONS: &[Function] = &[Function::new("timezone.system", system).takes(&["utc"])];

const LOCALTIME: &str = "/etc/localtime";

fn system(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, wants_utc) = (call.args.name()?, call.args.flag("utc", true));
    let zone = format!("/usr/share/zoneinfo/{name}");
    let Ok(content) = fs::read(&zone) else {
        let start = format!("Unable to compare desired timezone '{name}' to system timezone");
        return Err(format!("{start}: Can't find a local timezone \"{name}\"").into());
    };
    let needs_zone = fs::read(LOCALTIME).ok().as_ref() != Some(&content);
    let needs_utc = wants_utc && is_local(&fs::read_to_string("/etc/adjtime").unwrap_or_default());
    if !needs_zone && !needs_utc {
        let utc = if wants_utc { format!(", UTC already set to {name}") } else { String::new() };
        return Ok(Return::unchanged(format!("Timezone {name} already set{utc}")));
    }
    let done = |zone: &str, utc: &str| {
        let messages = [needs_zone.then(|| zone.to_owned()), needs_utc.then(|| utc.to_owned())];
        messages.into_iter().flatten().collect::<Vec<_>>().join(", ")
    };
    if call.preview {
        let comment = done(&format!("Timezone {name} needs to be set"), "UTC needs to be set to True");
        return Ok(Return::would(Dict::default(), comment));
    }
    let mut changes = Dict::default();
    if needs_zone {
        set_zone(&zone, &name).map_err(|error| Failed::from(format!("Failed to set timezone: {error}")))?;
        changes.insert("timezone", name.as_str());
    }
    if needs_utc {
        let failed = |why| Failed::from(format!("Failed to set UTC to True: {why}"));
        set_utc(call.host).map_err(failed).map_err(|failed| failed.after(changes.clone()))?;
        changes.insert("utc", Data::from(true));
    }
    Ok(Return::changed(changes, done(&format!("Set timezone {name}"), "Set UTC to True")))
}

/// The file that names the zone comes first: what is killed in between is seen by the link, and done again.
fn set_zone(zone: &str, name: &str) -> std::io::Result<()> {
    if fs::metadata("/etc/debian_version").is_ok() {
        disk::replace(Utf8Path::new("/etc/timezone"), format!("{name}\n").as_bytes(), Attributes::default())?;
    }
    disk::link(Utf8Path::new(LOCALTIME), zone, None, None)
}

fn set_utc(host: &Host<'_>) -> Result<(), String> {
    let output = host.run(Command::new("timedatectl", ["set-local-rtc", "false"])).map_err(|failed| failed.comment)?;
    if output.is_success() { Ok(()) } else { Err(output.why()) }
}

/// Whether the hardware clock counts in local time, by what `/etc/adjtime` says.
fn is_local(adjtime: &str) -> bool {
    adjtime.lines().nth(2).is_some_and(|line| line.trim() == "LOCAL")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_of_which_nothing_is_said_counts_in_utc() {
        assert!(!is_local(""));
        assert!(!is_local("0.0 0 0.0\n0\nUTC\n"));
        assert!(is_local("0.0 0 0.0\n0\nLOCAL\n"));
    }
}
