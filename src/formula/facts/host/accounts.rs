//! `user.*` and `group.*`: the accounts of the host, asked as its own programs ask (`getent`), so that those of a
//! directory service are there too.

use super::{Function, function, mapping, process, texts};
use crate::formula::Data;
use crate::formula::template::functions::arguments::Default::{Bool, None, Required};
use crate::formula::template::functions::arguments::{Signature, takes};

const NAME: Signature = takes(&[("name", Required), ("root", None)]);
const ALL: Signature = takes(&[("refresh", Bool(false)), ("root", None)]);

pub(super) const FUNCTIONS: &[Function] = &[
    function("user.info", NAME, |arguments| {
        let name = arguments.text("name")?;
        Ok(line("passwd", &name).and_then(|line| User::read(&line)).map_or_else(|| mapping([]), |user| user.info()))
    }),
    function("user.getent", ALL, |_| {
        Ok(lines("passwd").iter().filter_map(|line| User::read(line)).map(|user| user.info()).collect())
    }),
    function("user.list_users", takes(&[("root", None)]), |_| {
        let mut names: Vec<String> =
            lines("passwd").iter().filter_map(|line| User::read(line)).map(|user| user.name).collect();
        names.sort();
        Ok(texts(names))
    }),
    function("user.list_groups", takes(&[("name", Required)]), |arguments| {
        Ok(texts(groups_of(&arguments.text("name")?)))
    }),
    function("user.primary_group", takes(&[("name", Required)]), |arguments| {
        let name = arguments.text("name")?;
        Ok(process::said("id", &["-g", "-n", &name]).unwrap_or_default().trim_end().into())
    }),
    function("group.info", NAME, |arguments| {
        let name = arguments.text("name")?;
        Ok(line("group", &name).and_then(|line| group(&line)).unwrap_or_else(|| mapping([])))
    }),
    function("group.getent", ALL, |_| Ok(lines("group").iter().filter_map(|line| group(line)).collect())),
];

/// A line of the account database, with its fields.
#[derive(Debug)]
struct User {
    name: String,
    password: String,
    id: i128,
    group: i128,
    about: String,
    home: String,
    shell: String,
}

impl User {
    fn read(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, password, id, group, about, home, shell] = fields.as_slice() else { return Option::None };
        Some(Self {
            name: (*name).to_owned(),
            password: (*password).to_owned(),
            id: id.parse().ok()?,
            group: group.parse().ok()?,
            about: (*about).to_owned(),
            home: (*home).to_owned(),
            shell: (*shell).to_owned(),
        })
    }

    fn info(&self) -> Data {
        let mut about = self.about.splitn(5, ',').map(Data::from).chain(std::iter::repeat(Data::from("")));
        let mut about = || about.next().unwrap_or_default();
        mapping([
            ("gid", Data::Int(self.group)),
            ("groups", texts(groups_of(&self.name))),
            ("home", self.home.as_str().into()),
            ("name", self.name.as_str().into()),
            ("passwd", self.password.as_str().into()),
            ("shell", self.shell.as_str().into()),
            ("uid", Data::Int(self.id)),
            ("fullname", about()),
            ("roomnumber", about()),
            ("workphone", about()),
            ("homephone", about()),
            ("other", about()),
        ])
    }
}

fn group(line: &str) -> Option<Data> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, password, id, members] = fields.as_slice() else { return Option::None };
    Some(mapping([
        ("name", (*name).into()),
        ("passwd", (*password).into()),
        ("gid", Data::Int(id.parse().ok()?)),
        ("members", texts(members.split(',').filter(|member| !member.is_empty()))),
    ]))
}

/// The names of the groups a user is in, sorted.
fn groups_of(user: &str) -> Vec<String> {
    let ids = if is_name(user) { process::said("id", &["-G", "--", user]) } else { Option::None };
    let ids = ids.unwrap_or_default();
    let ids: Vec<&str> = ids.split_whitespace().collect();
    let all = lines("group");
    let fields = all.iter().map(|line| line.split(':').collect::<Vec<_>>());
    let named = fields.filter_map(|fields| Some((*fields.first()?, *fields.get(2)?)));
    let mut names: Vec<String> = named.filter(|(_, id)| ids.contains(id)).map(|(name, _)| name.to_owned()).collect();
    names.sort();
    names.dedup();
    names
}

/// Whether there is a user of a name.
pub(super) fn is_user(name: &str) -> bool {
    line("passwd", name).is_some()
}

/// The home of a user.
pub(super) fn home(name: &str) -> Option<String> {
    line("passwd", name).and_then(|line| User::read(&line)).map(|user| user.home)
}

/// The name of the user who has a number.
pub(super) fn name_of(id: u32) -> Option<String> {
    line_of("passwd", &id.to_string())
}

/// The name of the group that has a number.
pub(super) fn group_name_of(id: u32) -> Option<String> {
    line_of("group", &id.to_string())
}

fn line_of(database: &str, id: &str) -> Option<String> {
    let line = asked(database, Some(id))?;
    line.split(':').next().map(str::to_owned)
}

fn lines(database: &str) -> Vec<String> {
    asked(database, Option::None).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// The line of an account, by its name alone: a number is a name here, as it is to Salt.
fn line(database: &str, name: &str) -> Option<String> {
    let found = if is_name(name) { asked(database, Some(name)) } else { Option::None }?;
    let line = found.lines().next()?;
    (line.split(':').next() == Some(name)).then(|| line.to_owned())
}

/// Whether a text can be an account's name, so that no program takes it for anything else.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('-') && !name.contains([':', '\n', '\0'])
}

/// What the account database says; its files, on a host without `getent`.
fn asked(database: &str, key: Option<&str>) -> Option<String> {
    if super::command::which("getent").is_some() {
        let arguments: Vec<&str> = std::iter::once(database).chain(key).collect();
        return process::said("getent", &arguments);
    }
    let all = std::fs::read_to_string(format!("/etc/{database}")).ok()?;
    let Some(key) = key else { return Some(all) };
    let is_it = |line: &&str| line.split(':').next() == Some(key) || line.split(':').nth(2) == Some(key);
    all.lines().find(is_it).map(str::to_owned)
}
