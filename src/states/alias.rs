//! `alias.*`: who gets the mail of whom, in `/etc/aliases`.
//!
//! Only the lines of the alias that a state is about change. Unlike in Salt, a line that goes on in the next one is one line.

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use crate::formula::Dict;
use crate::states::arguments::{shown, text};
use crate::states::disk::{self, Attributes};
use crate::states::returns::dict;
use crate::states::{Args, Call, Command, Failed, Function, Return};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("alias.present", present).requires(&["target"]).checks(|args| match target(args) {
        Ok(target) if target.is_empty() => Err("target can not be an empty string".to_owned()),
        read => read.map(drop).map_err(|failed| failed.comment),
    }),
    Function::new("alias.absent", absent),
];

fn target(args: &Args<'_>) -> Result<String, Failed> {
    Ok(args.texts("target")?.join(", "))
}

fn present(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, target, mut aliases) = (call.args.name()?, target(&call.args)?, Aliases::of(call)?);
    if aliases.target(&name).as_deref() == Some(target.as_str()) {
        return Ok(Return::unchanged(format!("Alias {name} already present")));
    }
    let said = call.args.get("target").map(shown).unwrap_or_default();
    if call.preview {
        return Ok(Return::would(Dict::default(), format!("Alias {name} -> {said} is set to be added")));
    }
    aliases.set(&name, &target);
    aliases.write(call, &name)?;
    Ok(Return::changed(change(&name), format!("Set email alias {name} -> {said}")))
}

fn absent(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, mut aliases) = (call.args.name()?, Aliases::of(call)?);
    if aliases.target(&name).is_none() {
        return Ok(Return::unchanged(format!("Alias {name} already absent")));
    }
    if call.preview {
        return Ok(Return::would(Dict::default(), format!("Alias {name} is set to be removed")));
    }
    aliases.lines.retain(|line| line.name() != Some(&name));
    aliases.write(call, &name)?;
    Ok(Return::changed(change(&name), format!("Removed alias {name}")))
}

fn change(name: &str) -> Dict {
    dict([("alias", name.into())])
}

/// The file.
struct Aliases {
    path: Utf8PathBuf,
    lines: Vec<Line>,
}

/// A line with those that go on with it: they begin with a space.
struct Line(String);

impl Line {
    fn is_comment(&self) -> bool {
        self.0.starts_with('#')
    }

    fn name(&self) -> Option<&str> {
        let (name, _) = self.0.split_once(':').filter(|_| !self.is_comment())?;
        Some(name.trim()).filter(|name| !name.contains('#'))
    }

    /// What follows the name, without and with its comment.
    fn target(&self) -> Option<(&str, &str)> {
        let (_, rest) = self.0.split_once(':').filter(|_| self.name().is_some())?;
        let rest = rest.trim_end();
        let comment = rest.match_indices('#').map(|(at, _)| at).find(|at| {
            let before = rest.get(..*at).unwrap_or_default();
            before.ends_with(char::is_whitespace)
        });
        let target = rest.get(..comment.unwrap_or(rest.len())).unwrap_or_default();
        let comment = rest.get(target.trim_end().len()..).unwrap_or_default();
        Some((target.trim(), comment))
    }
}

impl Aliases {
    fn of(call: &Call<'_>) -> Result<Self, Failed> {
        let path = call.host.formula.config("aliases.file").as_ref().and_then(text);
        let path = Utf8PathBuf::from(path.unwrap_or_else(|| "/etc/aliases".into()));
        let text = if path.is_file() { fs::read_to_string(&path)? } else { String::new() };
        Ok(Self { path, lines: lines(&text) })
    }

    /// Who gets the mail of a name: the last line about it counts.
    fn target(&self, name: &str) -> Option<String> {
        let line = self.lines.iter().rfind(|line| line.name() == Some(name))?;
        line.target().map(|(target, _)| target.to_owned()).filter(|target| !target.is_empty())
    }

    /// Makes the first line of a name say something, and takes out the others; or adds a line.
    fn set(&mut self, name: &str, target: &str) {
        let mut is_set = false;
        self.lines.retain_mut(|line| {
            if line.name() != Some(name) {
                return true;
            }
            let comment = line.target().map(|(_, comment)| comment).unwrap_or_default();
            line.0 = format!("{name}: {target}{comment}\n");
            !std::mem::replace(&mut is_set, true)
        });
        if is_set {
            return;
        }
        if let Some(last) = self.lines.last_mut().filter(|last| !last.0.ends_with('\n')) {
            last.0.push('\n');
        }
        self.lines.push(Line(format!("{name}: {target}\n")));
    }

    /// Writes the file, and tells the mail server where there is one that keeps a copy of it.
    fn write(&self, call: &Call<'_>, name: &str) -> Result<(), Failed> {
        let text: String = self.lines.iter().map(|line| line.0.as_str()).collect();
        disk::replace(Utf8Path::new(&self.path), text.as_bytes(), Attributes::default())?;
        match call.host.run(Command::new::<&str>("newaliases", [])) {
            Ok(output) if !output.is_success() => {
                Err(Failed::from(format!("{} is written, but `newaliases` failed: {}", self.path, output.why()))
                    .after(change(name)))
            }
            // Not every mail server has one.
            _ => Ok(()),
        }
    }
}

fn lines(text: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for line in text.split_inclusive('\n') {
        let goes_on = line.starts_with([' ', '\t']) && !line.trim().is_empty();
        match lines.last_mut().filter(|last| goes_on && !last.is_comment()) {
            Some(last) => last.0 += line,
            None => lines.push(Line(line.to_owned())),
        }
    }
    lines
}

/// The file as the state of an alias leaves it.
#[cfg(test)]
fn edited(text: &str, edit: impl FnOnce(&mut Aliases)) -> String {
    let mut aliases = Aliases { path: Utf8PathBuf::new(), lines: lines(text) };
    edit(&mut aliases);
    aliases.lines.into_iter().map(|line| line.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str =
        "# See man 5 aliases\npostmaster:    root\nroot: a@b, # who\n  c@d\n\nlist: \"|/bin/x #1\"\nroot: e\n";

    #[test]
    fn the_first_line_of_an_alias_gets_the_target_and_its_comment_stays() {
        let one = "# c\nroot:\told # why\nx: y";
        assert_eq!(edited(one, |all| all.set("root", "new, er")), "# c\nroot: new, er # why\nx: y");
        assert_eq!(edited(one, |all| all.set("z", "new")), "# c\nroot:\told # why\nx: y\nz: new\n");
        let set = edited(FILE, |all| all.set("root", "me"));
        assert!(set.contains("\nroot: me # who\n  c@d\n\nlist") && !set.ends_with("root: e\n"), "{set}");
    }

    #[test]
    fn the_last_line_of_an_alias_counts() {
        let all = Aliases { path: Utf8PathBuf::new(), lines: lines(FILE) };
        assert_eq!(all.target("root").as_deref(), Some("e"));
        assert_eq!(all.target("postmaster").as_deref(), Some("root"));
        assert_eq!(all.target("# See man 5 aliases"), None);
    }
}
