//! `user.*`: who may log in, with which home, groups and password.
//!
//! A password and its hash are never on a command line, in a comment or in a change.

mod create;
mod found;
mod hash;
mod set;
mod update;
mod wanted;

use crate::formula::{Data, Dict};
use crate::states::arguments::shown;
use crate::states::{Args, Call, Command, Failed, Function, Host, Return};
use found::Found;
use wanted::Wanted;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("user.present", present).takes(OPTIONS).checks(check),
    Function::new("user.absent", absent).takes(&["purge", "force", "local"]).checks(check_local),
];

const OPTIONS: &[&str] = &[
    "allow_gid_change",
    "allow_uid_change",
    "createhome",
    "date",
    "empty_password",
    "enforce_password",
    "expire",
    "fullname",
    "gid",
    "groups",
    "hash_password",
    "home",
    "homephone",
    "inactdays",
    "local",
    "loginclass",
    "maxdays",
    "mindays",
    "nologinit",
    "optional_groups",
    "other",
    "password",
    "password_lock",
    "persist_home",
    "remove_groups",
    "roomnumber",
    "shell",
    "system",
    "uid",
    "unique",
    "usergroup",
    "warndays",
    "win_description",
    "win_homedrive",
    "win_logonscript",
    "win_profile",
    "workphone",
];

/// What Salt says in place of a password.
const REDACTED: &str = "XXX-REDACTED-XXX";

fn check(args: &Args<'_>) -> Result<(), String> {
    let wanted = Wanted::read(args).map_err(|failed| failed.comment)?;
    if wanted.password.as_ref().is_some_and(|password| password.contains(['\n', '\0'])) {
        return Err("`password` has more than one line".to_owned());
    }
    check_local(args)
}

fn check_local(args: &Args<'_>) -> Result<(), String> {
    if args.flag("local", false) {
        return Err("upshift has no users and groups by way of libuser: `local: true`".to_owned());
    }
    Ok(())
}

fn present(call: &Call<'_>) -> Result<Return, Failed> {
    let host = call.host;
    // Anything may have added users and groups since they were looked up.
    host.forget_accounts();
    let mut wanted = Wanted::read(&call.args)?;
    let name = wanted.name.clone();
    let with_comma = wanted.gecos.iter().take(3).flatten().find(|text| text.contains(','));
    if let Some(text) = with_comma {
        return Err(format!("Unsupported char ',' in {text}").into());
    }
    let missing = wanted.take_missing_groups(host);
    if !missing.is_empty() && !call.preview {
        return Err(format!("The following group(s) are not present: {}", missing.join(",")).into());
    }
    let found = Found::look(host, &name);
    wanted.hash_password(found.as_ref())?;
    let Some(found) = found else {
        if call.preview {
            let pending = match missing.as_slice() {
                [] => String::new(),
                missing => format!(" (pending groups: {})", missing.join(",")),
            };
            return Ok(Return::would(Dict::default(), format!("User {name} set to be added{pending}")));
        }
        return create::create(call, &wanted);
    };
    let differing = wanted.differing(host, &found);
    wanted.permit(&found, &differing)?;
    if differing.is_empty() {
        return Ok(Return::unchanged(format!("User {name} is present and up to date")));
    }
    if call.preview {
        let mut lines = vec!["The following user attributes are set to be changed:".to_owned()];
        lines.extend(differing.iter().map(|(key, value)| format!("{key}: {}", shown(value))));
        lines.extend((!missing.is_empty()).then(|| format!("groups (pending creation): {}", missing.join(","))));
        return Ok(Return::would(Dict::default(), lines.join("\n") + "\n"));
    }
    update::update(call, &wanted, &found, &differing)
}

fn absent(call: &Call<'_>) -> Result<Return, Failed> {
    let (host, name) = (call.host, call.args.name()?);
    host.forget_accounts();
    let Some(found) = Found::look(host, &name) else {
        return Ok(Return::unchanged(format!("User {name} is not present")));
    };
    if call.preview {
        return Ok(Return::would(Dict::default(), format!("User {name} set for removal")));
    }
    let mut arguments = Vec::new();
    arguments.extend(call.args.flag("purge", false).then_some("-r"));
    arguments.extend(call.args.flag("force", false).then_some("-f"));
    arguments.extend(["--", name.as_str()]);
    let output = host.run(Command::new("userdel", arguments))?;
    host.forget_accounts();
    // Debian's says so where there was no mailbox to remove.
    let only_mail =
        output.code == 12 && (output.stderr.contains("var/mail") || output.stderr.contains("var/spool/mail"));
    if !output.is_success() && !only_mail {
        return Err(format!("Failed to remove user {name}\n{}", output.why()).into());
    }
    let gone = found.groups.iter().filter(|group| !has_group(host, group));
    let mut changes: Dict = gone.map(|group| (format!("{group} group").into(), "removed".into())).collect();
    changes.insert(name.as_str(), "removed");
    Ok(Return::changed(changes, format!("Removed user {name}")))
}

/// Whether there is a group of just this name.
fn has_group(host: &Host<'_>, name: &str) -> bool {
    host.group(name).is_some_and(|group| group.name == name)
}

/// A list of names as Salt has it.
fn names(names: &[String]) -> Data {
    names.iter().map(|name| Data::from(name.as_str())).collect()
}
