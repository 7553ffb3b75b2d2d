//! `mount.swap`.

use camino::Utf8Path;
use fs_err as fs;

use super::fstab::{Done, Line, Match, Table, unescaped};
use super::{config, device, persisted, run};
use crate::formula::Dict;
use crate::states::returns::dict;
use crate::states::{Call, Command, Failed, Return};

pub(super) fn swap(call: &Call<'_>) -> Result<Return, Failed> {
    let name = call.args.name()?;
    let config = config(&call.args)?;
    let device = device::real(call.host, &name).unwrap_or_else(|| name.clone());
    let (mut said, mut changes, mut would) = (format!("Swap {name} already active"), Dict::default(), false);
    let is_on = on(&device)?.is_some();
    if !is_on && call.preview {
        (said, would) = (format!("Swap {name} is set to be activated"), true);
    } else if !is_on {
        let failed = |why: &str| Failed::from(format!("Swap {name} failed to activate: {why}"));
        run(call.host, Command::new("swapon", [&name]), None).map_err(|error| failed(&error.comment))?;
        changes = on(&device)?.ok_or_else(|| failed("the kernel does not list it"))?;
        said = format!("Swap {name} activated");
    }
    if call.args.flag("persist", true) && !is_taken(&config, &name)? {
        let line = Line::new(&name, "none", "swap", &["defaults".to_owned()], ["0".to_owned(), "0".to_owned()]);
        let done =
            persisted(call, &config, &line, &Match::auto("swap")).map_err(|failed| failed.after(changes.clone()))?;
        match (done, call.preview) {
            (Done::Present, _) => {}
            (_, true) if is_on => {
                (said, would) = (format!("Swap {name} is set to be added to the fstab and to be activated"), true);
            }
            (_, true) => would = true,
            (Done::New, false) => {
                changes.insert("persist", "new");
                said += ". Added new entry to the fstab.";
            }
            (Done::Changed, false) => {
                changes.insert("persist", "update");
                said += ". Updated the entry in the fstab.";
            }
        }
    }
    Ok(Return { result: if would { None } else { Some(true) }, changes, comment: said })
}

/// Whether the table has the device mounted nowhere for something else than swapping.
fn is_taken(config: &Utf8Path, name: &str) -> Result<bool, Failed> {
    let table = Table::read_if_there(config)?;
    Ok(table.at("none").is_some_and(|line| line.device() == name && line.fstype() != "swap"))
}

/// What the kernel says of a device that it swaps to.
fn on(device: &str) -> Result<Option<Dict>, Failed> {
    Ok(listed(&fs::read_to_string("/proc/swaps")?, device))
}

fn listed(text: &str, device: &str) -> Option<Dict> {
    let mut rows = text.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let row = rows.find(|row| row.first().is_some_and(|name| unescaped(name) == device))?;
    let [_, kind, size, used, priority] = row.as_slice() else { return None };
    let fields = [("type", kind), ("size", size), ("used", used), ("priority", priority)];
    Some(dict(fields.map(|(name, value)| (name, (*value).into()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_swaps_to_is_listed() {
        let text = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/swap\\040file file\t1024\t0\t-2\n";
        assert_eq!(listed(text, "/swap file").unwrap().get("size").unwrap().as_str(), Some("1024"));
        assert!(listed(text, "/dev/sda2").is_none());
    }
}
