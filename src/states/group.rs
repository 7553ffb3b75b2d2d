//! `group.*`: groups of users, and who is in them.

use std::collections::BTreeSet;

use crate::formula::{Data, Dict};
use crate::states::accounts::Group;
use crate::states::arguments::repr;
use crate::states::returns::dict;
use crate::states::{Args, Call, Command, Failed, Function, Host, Return};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("group.present", present)
        .takes(&["gid", "system", "addusers", "delusers", "members", "non_unique", "local"])
        .checks(check),
    Function::new("group.absent", absent).takes(&["local"]).checks(check_local),
];

fn check(args: &Args<'_>) -> Result<(), String> {
    let wanted = Wanted::read(args).map_err(|failed| failed.comment)?;
    if wanted.members.is_some() && (args.get("addusers").is_some() || args.get("delusers").is_some()) {
        return Err(
            "Error: Conflicting options \"members\" with \"addusers\" and/or \"delusers\" can not be used together."
                .to_owned(),
        );
    }
    if wanted.added.iter().any(|user| wanted.deleted.contains(user)) {
        return Err("Error. Same user(s) can not be added and deleted simultaneously".to_owned());
    }
    check_local(args)
}

fn check_local(args: &Args<'_>) -> Result<(), String> {
    if args.flag("local", false) {
        return Err("upshift has no users and groups by way of libuser: `local: true`".to_owned());
    }
    Ok(())
}

/// What a state says of a group.
struct Wanted {
    name: String,
    gid: Option<u32>,
    members: Option<Vec<String>>,
    added: Vec<String>,
    deleted: Vec<String>,
    is_system: bool,
    may_share: bool,
}

/// What is other than wanted.
#[derive(Debug, Default, PartialEq, Eq)]
struct Differing {
    gid: Option<u32>,
    members: Option<Vec<String>>,
    added: Vec<String>,
    deleted: Vec<String>,
}

impl Wanted {
    fn read(args: &Args<'_>) -> Result<Self, Failed> {
        let gid = args.number("gid").map_err(|_| Failed::from("Invalid gid"))?;
        Ok(Self {
            name: args.name()?,
            gid: gid.map(u32::try_from).transpose().map_err(|_| Failed::from("Invalid gid"))?,
            members: args.get("members").map(|_| args.texts("members")).transpose()?,
            added: args.texts("addusers")?,
            deleted: args.texts("delusers")?,
            is_system: args.flag("system", false),
            may_share: args.flag("non_unique", false),
        })
    }

    fn differing(&self, there: &Group) -> Differing {
        let set = |users: &[String]| users.iter().cloned().collect::<BTreeSet<_>>();
        let is_in = |user: &&String| there.members.contains(user);
        let members = self.members.clone().filter(|members| set(members) != set(&there.members));
        let emptied = if members.as_ref().is_some_and(Vec::is_empty) { there.members.clone() } else { Vec::new() };
        Differing {
            gid: self.gid.filter(|gid| *gid != 0 && *gid != there.gid),
            members: members.filter(|members| !members.is_empty()),
            added: self.added.iter().filter(|user| !is_in(user)).cloned().collect(),
            deleted: self.deleted.iter().filter(is_in).cloned().chain(emptied).collect(),
        }
    }
}

impl Differing {
    /// As Salt shows it.
    fn shown(&self) -> Dict {
        let names = |users: &[String]| users.iter().map(|user| Data::from(user.as_str())).collect::<Data>();
        let gid = self.gid.map(|gid| ("gid", i64::from(gid).into()));
        let members = self.members.as_ref().map(|members| ("members", names(members)));
        let some = |key, users: &[String]| (!users.is_empty()).then(|| (key, names(users)));
        dict([gid, members, some("addusers", &self.added), some("delusers", &self.deleted)].into_iter().flatten())
    }
}

fn present(call: &Call<'_>) -> Result<Return, Failed> {
    let (host, wanted) = (call.host, Wanted::read(&call.args)?);
    let name = &wanted.name;
    // Anything may have added groups since they were looked up.
    host.forget_accounts();
    let Some(there) = find(host, name) else { return create(call, &wanted) };
    let differing = wanted.differing(&there);
    if differing == Differing::default() {
        return Ok(Return::unchanged(format!("Group {name} is present and up to date")));
    }
    let mut lines = vec!["The following group attributes are set to be changed:".to_owned()];
    let shown = differing.shown();
    lines.extend(
        shown.entries.iter().map(|(key, value)| format!("{}: {}", key.as_str().unwrap_or_default(), repr(value))),
    );
    let comment = lines.join("\n") + "\n";
    if call.preview {
        return Ok(Return::would(Dict::default(), comment));
    }
    let whys = change(host, &wanted, &differing);
    host.forget_accounts();
    let after = find(host, name);
    let left = after.as_ref().map(|group| wanted.differing(group));
    if left == Some(Differing::default()) {
        return Ok(Return::changed(dict([("Final", "All changes applied successfully".into())]), comment));
    }
    let changes = dict([("Failed", left.unwrap_or_default().shown().into())]);
    Err(Failed::from(format!("{comment}Some changes could not be applied{}", below(&whys))).after(changes))
}

fn create(call: &Call<'_>, wanted: &Wanted) -> Result<Return, Failed> {
    let (host, name) = (call.host, &wanted.name);
    if call.preview {
        return Ok(Return::would(Dict::default(), format!("Group {name} set to be added")));
    }
    let taken = wanted.gid.filter(|_| !wanted.may_share).and_then(|gid| host.group(&gid.to_string()));
    if let (Some(taken), Some(gid)) = (taken, wanted.gid) {
        return Err(
            format!("Group {name} is not present but gid {gid} is already taken by group {}", taken.name).into()
        );
    }
    let mut arguments = Vec::new();
    if let Some(gid) = wanted.gid.filter(|gid| *gid != 0) {
        arguments.extend(["-g".to_owned(), gid.to_string()]);
        arguments.extend(wanted.may_share.then(|| "-o".to_owned()));
    }
    arguments.extend(wanted.is_system.then(|| "-r".to_owned()));
    arguments.extend(["--".to_owned(), name.clone()]);
    if let Some(why) = run(host, Command::new("groupadd", arguments)) {
        return Err(format!("Failed to create new group {name}\n{why}").into());
    }
    let users = if wanted.added.is_empty() { wanted.members.clone().unwrap_or_default() } else { wanted.added.clone() };
    let why = if users.is_empty() { None } else { set_members(host, name, &users) };
    host.forget_accounts();
    let group = find(host, name).ok_or_else(|| Failed::from(format!("Failed to create new group {name}")))?;
    let differing = wanted.differing(&group);
    if differing == Differing::default() {
        return Ok(Return::changed(info(&group), format!("New group {name} created")));
    }
    let comment = format!("Group {name} has been created but, some changes could not be applied");
    let changes = dict([("Failed", differing.shown().into())]);
    Err(Failed::from(comment + &below(why.as_slice())).after(changes))
}

/// Changes one thing after the other, and says what could not be changed.
fn change(host: &Host<'_>, wanted: &Wanted, differing: &Differing) -> Vec<String> {
    let name = wanted.name.as_str();
    let share = if wanted.may_share { "-og" } else { "-g" };
    let gid = differing.gid.and_then(|gid| run(host, Command::new("groupmod", [share, &gid.to_string(), name])));
    let members = differing.members.as_ref().and_then(|members| set_members(host, name, members));
    let with = |option: &str, users: &[String]| {
        let each = users.iter().map(|user| run(host, Command::new("gpasswd", [option, user.as_str(), name])));
        each.collect::<Vec<_>>()
    };
    let (added, deleted) = (with("--add", &differing.added), with("--del", &differing.deleted));
    [gid, members].into_iter().chain(added).chain(deleted).flatten().collect()
}

fn set_members(host: &Host<'_>, name: &str, members: &[String]) -> Option<String> {
    run(host, Command::new("gpasswd", ["--members", &members.join(","), name]))
}

fn absent(call: &Call<'_>) -> Result<Return, Failed> {
    let (host, name) = (call.host, call.args.name()?);
    host.forget_accounts();
    if find(host, &name).is_none() {
        return Ok(Return::unchanged("Group not present"));
    }
    if call.preview {
        return Ok(Return::would(Dict::default(), format!("Group {name} is set for removal")));
    }
    let why = run(host, Command::new("groupdel", ["--", &name]));
    host.forget_accounts();
    match why {
        None => Ok(Return::changed(dict([(name.as_str(), "".into())]), format!("Removed group {name}"))),
        Some(why) => Err(format!("Failed to remove group {name}\n{why}").into()),
    }
}

/// The group of just this name.
fn find(host: &Host<'_>, name: &str) -> Option<Group> {
    host.group(name).filter(|group| group.name == name)
}

/// What Salt says of a group.
fn info(group: &Group) -> Dict {
    dict([
        ("name", group.name.as_str().into()),
        ("passwd", "x".into()),
        ("gid", i64::from(group.gid).into()),
        ("members", group.members.iter().map(|member| Data::from(member.as_str())).collect()),
    ])
}

/// Why a program failed, if it did.
fn run(host: &Host<'_>, command: Command) -> Option<String> {
    match host.run(command) {
        Ok(output) if output.is_success() => None,
        Ok(output) => Some(output.why()),
        Err(failed) => Some(failed.comment),
    }
}

/// The reasons, each on a line of its own below what is said.
fn below(whys: &[String]) -> String {
    whys.iter().flat_map(|why| ["\n", why]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(entries: &[(&str, Data)]) -> Result<Wanted, Failed> {
        let named = [("name", Data::from("g"))];
        Wanted::read(&Args::new(&dict(named.iter().chain(entries).cloned())))
    }

    fn users(names: &[&str]) -> Data {
        names.iter().map(|name| Data::from(*name)).collect()
    }

    #[test]
    fn what_is_so_in_another_order_is_so() {
        let there = Group { name: "g".into(), gid: 5, members: vec!["a".into(), "b".into()] };
        let differing = |entries: &[(&str, Data)]| wanted(entries).unwrap().differing(&there).shown();
        assert_eq!(differing(&[("members", users(&["b", "a"])), ("gid", "5".into())]), Dict::default());
        assert_eq!(differing(&[("members", users(&[]))]), dict([("delusers", users(&["a", "b"]))]));
        assert_eq!(differing(&[("addusers", users(&["a", "c"]))]), dict([("addusers", users(&["c"]))]));
        assert_eq!(differing(&[("delusers", users(&["a", "c"]))]), dict([("delusers", users(&["a"]))]));
    }

    #[test]
    fn a_gid_has_to_be_a_number() {
        assert_eq!(wanted(&[("gid", "wheel".into())]).err(), Some("Invalid gid".into()));
    }
}
