//! `alternatives.*`: which of several programs a common name leads to.
//!
//! What is registered is read from the files of `update-alternatives(1)`; only a change starts it.

use fs_err as fs;

use crate::formula::{Data, Dict};
use crate::states::returns::dict;
use crate::states::{Call, Command, Failed, Function, Output, Return};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("alternatives.auto", auto),
    Function::new("alternatives.install", install).requires(&["link", "path", "priority"]),
    Function::new("alternatives.remove", remove).requires(&["path"]),
    Function::new("alternatives.set", set).requires(&["path"]),
];

/// What a common name may lead to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Group {
    is_auto: bool,
    paths: Vec<String>,
}

impl Group {
    /// Reads a file of `update-alternatives`: mode and link, names and links of what follows the main one, an empty line;
    /// then path, priority and as many paths for each that can be chosen.
    fn parse(text: &str) -> Self {
        let mut lines = text.lines();
        let is_auto = lines.next() == Some("auto");
        let followers = lines.by_ref().skip(1).take_while(|line| !line.is_empty()).count() / 2;
        let mut paths = Vec::new();
        while let Some(path) = lines.next().filter(|path| !path.is_empty()) {
            paths.push(path.to_owned());
            lines.by_ref().take(1 + followers).for_each(drop);
        }
        Self { is_auto, paths }
    }

    fn has(&self, path: &str) -> bool {
        self.paths.iter().any(|there| there == path)
    }
}

/// The group of a name, if there is one.
fn group(call: &Call<'_>, name: &str) -> Option<Group> {
    let folder = match call.host.grain("os_family") {
        Some("RedHat") => "/var/lib/alternatives",
        Some("Suse") => "/var/lib/rpm/alternatives",
        _ => "/var/lib/dpkg/alternatives",
    };
    fs::read_to_string(format!("{folder}/{name}")).ok().map(|text| Group::parse(&text))
}

/// Where a name leads now.
fn current(name: &str) -> Option<String> {
    let target = fs::read_link(format!("/etc/alternatives/{name}")).ok()?;
    Some(target.to_string_lossy().into_owned())
}

fn run(call: &Call<'_>, arguments: &[&str]) -> Result<Output, Failed> {
    let is_red_hat = call.host.grain("os_family") == Some("RedHat");
    call.host.run(Command::new(if is_red_hat { "alternatives" } else { "update-alternatives" }, arguments))
}

fn install(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, link, path) = (call.args.name()?, call.args.required("link")?, call.args.required("path")?);
    let priority = call.args.number("priority")?.ok_or("the argument `priority` is missing")?;
    if group(call, &name).is_some_and(|group| group.has(&path)) {
        return Ok(Return::unchanged(format!("Alternative {path} for {name} is already registered")));
    }
    if call.preview {
        let comment = format!("Alternative will be set for {name} to {path} with priority {priority}");
        return Ok(Return::would(Dict::default(), comment));
    }
    let output = run(call, &["--install", &link, &name, &path, &priority.to_string()])?;
    if !group(call, &name).is_some_and(|group| group.has(&path)) {
        return Err(format!("Alternative for {name} not installed: {}", output.why()).into());
    }
    let comment = if current(&name).as_ref() == Some(&path) {
        format!("Alternative for {name} set to path {path} with priority {priority}")
    } else {
        format!("Alternative {path} for {name} registered with priority {priority} and not set to default")
    };
    let changes: [(&str, Data); 4] =
        [("name", name.into()), ("link", link.into()), ("path", path.into()), ("priority", priority.into())];
    Ok(Return::changed(dict(changes), comment))
}

fn remove(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, path) = (call.args.name()?, call.args.required("path")?);
    if !group(call, &name).is_some_and(|group| group.has(&path)) {
        return match current(&name) {
            Some(current) => {
                Ok(Return::unchanged(format!("Alternative for {name} is set to it's default path {current}")))
            }
            None => Err(format!("Alternative for {name} doesn't exist").into()),
        };
    }
    if call.preview {
        return Ok(Return::would(Dict::default(), format!("Alternative for {name} will be removed")));
    }
    let output = run(call, &["--remove", &name, &path])?;
    if group(call, &name).is_some_and(|group| group.has(&path)) {
        return Err(format!("Alternative for {name} not removed: {}", output.why()).into());
    }
    Ok(match current(&name) {
        Some(current) => {
            let comment = format!("Alternative for {name} removed. Falling back to path {current}");
            Return::changed(dict([("path", current.into())]), comment)
        }
        None => Return::changed(Dict::default(), format!("Alternative for {name} removed")),
    })
}

fn auto(call: &Call<'_>) -> Result<Return, Failed> {
    let name = call.args.name()?;
    let group = group(call, &name).ok_or_else(|| format!("no alternatives for {name}"))?;
    if group.is_auto {
        return Ok(Return::unchanged(format!("{name} already in auto mode")));
    }
    if call.preview {
        return Ok(Return::would(Dict::default(), format!("{name} will be put in auto mode")));
    }
    let output = run(call, &["--auto", &name])?;
    if !output.is_success() {
        return Err(output.why().into());
    }
    Ok(Return::changed(dict([("result", output.stdout.trim_end().into())]), ""))
}

fn set(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, path) = (call.args.name()?, call.args.required("path")?);
    if current(&name).as_ref() == Some(&path) {
        return Ok(Return::unchanged(format!("Alternative for {name} already set to {path}")));
    }
    if !group(call, &name).is_some_and(|group| group.has(&path)) {
        return Err(format!("Alternative {path} for {name} doesn't exist").into());
    }
    if call.preview {
        return Ok(Return::would(Dict::default(), format!("Alternative for {name} will be set to path {path}")));
    }
    let output = run(call, &["--set", &name, &path])?;
    match current(&name).filter(|current| *current == path) {
        Some(current) => {
            let comment = format!("Alternative for {name} set to path {current}");
            Ok(Return::changed(dict([("path", current.into())]), comment))
        }
        None => Err(format!("Alternative for {name} not updated: {}", output.why()).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_main_one_is_no_choice() {
        let text = "manual\n/usr/bin/editor\neditor.1.gz\n/usr/share/man/man1/editor.1.gz\n\n\
                    /bin/ed\n-100\n/usr/share/man/man1/ed.1.gz\n/usr/bin/vim.basic\n30\n/usr/share/man/man1/vim.1.gz\n\n";
        let group = Group::parse(text);
        assert_eq!(group.paths, ["/bin/ed", "/usr/bin/vim.basic"]);
        assert!(!group.is_auto && group.has("/bin/ed") && !group.has("/bin/e"));
        assert_eq!(
            Group::parse("auto\n/usr/bin/pager\n\n/bin/more\n50\n\n"),
            Group { is_auto: true, paths: vec!["/bin/more".into()] }
        );
    }
}
