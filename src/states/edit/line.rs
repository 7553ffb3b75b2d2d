//! `file.line`: one line that is there, or not, at its place.

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use super::target::{Keeper, Target};
use super::{effort, lines};
use crate::formula::Data;
use crate::formula::regex::{Options, Regex};
use crate::states::disk::{self, Attributes};
use crate::states::returns::dict;
use crate::states::{Args, Call, Failed, Function, Return, diff, file};

pub(super) const LINE: Function = Function::new("file.line", line)
    .takes(&[
        "after",
        "backup",
        "before",
        "content",
        "create",
        "file_mode",
        "group",
        "indent",
        "location",
        "match",
        "mode",
        "quiet",
        "show_changes",
        "user",
    ])
    .checks(|args| Mode::read(args).map(drop).map_err(|failed| failed.comment));

/// What becomes of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Ensure,
    Replace,
    Insert,
    Delete,
}

impl Mode {
    fn read(args: &Args<'_>) -> Result<Self, Failed> {
        let Some(name) = args.text("mode")? else {
            return Err("Mode was not defined. How to process the file?".into());
        };
        match name.to_lowercase().as_str() {
            "ensure" => Ok(Self::Ensure),
            "replace" => Ok(Self::Replace),
            "insert" => Ok(Self::Insert),
            "delete" => Ok(Self::Delete),
            other => Err(format!("Unknown mode: \"{other}\"").into()),
        }
    }
}

fn line(call: &Call<'_>) -> Result<Return, Failed> {
    let path = file::absolute(call, "file.line")?;
    let mode = Mode::read(&call.args)?;
    let content = call.args.text("content")?;
    if mode != Mode::Delete && content.is_none() {
        return Err("Content can only be empty if mode is ['delete']".into());
    }
    prepare(call, &path)?;
    if path.is_dir() {
        return if call.args.flag("quiet", false) {
            Ok(Return::unchanged("No changes needed to be made"))
        } else {
            Err(format!("File \"{path}\" does not exists or is not a file.").into())
        };
    }
    let target = Target::read(path)?;
    let target = Target { path: disk::real(&target.path), ..target };
    let content = content.unwrap_or_default();
    let edited = Lines::of(&target, &call.args, &content)?.edited(mode, &content)?;
    if edited.as_bytes() == target.content {
        return Ok(Return::unchanged("No changes needed to be made"));
    }
    let shown = if call.args.flag("show_changes", true) {
        Data::from(diff::unified(&lines::of_text(target.text()?), &lines::of_text(&edited)))
    } else {
        true.into()
    };
    let changes = dict([("diff", shown)]);
    if call.preview {
        return Ok(Return::would(changes, "Changes would be made"));
    }
    if call.args.flag("backup", false) {
        #[expect(clippy::disallowed_methods, reason = "the name of a copy says when it was made, and decides nothing")]
        let now = jiff::Zoned::now().strftime("%Y-%m-%d-%H-%M-%S").to_string();
        target.copy_to(&Utf8PathBuf::from(format!("{}.{now}", target.path)), Keeper::Copier)?;
    }
    target.write(edited.as_bytes())?;
    Ok(Return::changed(changes, "Changes were made"))
}

/// Creates the file if it is to be there, and sets whose it is.
fn prepare(call: &Call<'_>, path: &Utf8Path) -> Result<(), Failed> {
    let number = |key: &str, find: &dyn Fn(&str) -> Result<u32, Failed>| {
        call.args.text(key)?.map(|name| find(&name)).transpose()
    };
    let wanted = Attributes {
        uid: number("user", &|name| call.host.uid(name))?,
        gid: number("group", &|name| call.host.gid(name))?,
        mode: call.args.mode("file_mode")?,
    };
    if call.preview {
        return Ok(());
    }
    match fs::metadata(path) {
        Ok(there) => Ok(disk::set(&disk::real(path), disk::differing(&there, wanted))?),
        Err(_) if call.args.flag("create", false) => Ok(disk::replace(path, b"", wanted)?),
        Err(_) => Ok(()),
    }
}

/// The lines of a file, and those of them that the places are which the SLS names.
struct Lines {
    all: Vec<String>,
    matching: Option<Vec<String>>,
    before: Option<Vec<String>>,
    after: Option<Vec<String>>,
    location: Option<String>,
    indent: bool,
}

impl Lines {
    fn of(target: &Target, args: &Args<'_>, content: &str) -> Result<Self, Failed> {
        let mut all: Vec<String> = lines::of_file(target.text()?).into_iter().map(str::to_owned).collect();
        if all.last().is_some_and(|last| !end(last).is_empty()) {
            // What comes behind the last line has a place of its own, which goes when all is done.
            all.push(String::new());
        }
        let (before, after) = (args.text("before")?, args.text("after")?);
        let matching = args.text("match")?.filter(|pattern| !pattern.is_empty());
        let matching = matching.or_else(|| (before.is_none() && after.is_none()).then(|| content.to_owned()));
        let find = |pattern: Option<String>| pattern.map_or(Ok(None), |pattern| found(&all, &pattern));
        let (matching, before, after) = (find(matching)?, find(before)?, find(after)?);
        let location = args.text("location")?.filter(|location| !location.is_empty());
        Ok(Self { matching, before, after, location, indent: args.flag("indent", true), all })
    }

    /// The content of the file as it is to be.
    fn edited(mut self, mode: Mode, content: &str) -> Result<String, Failed> {
        match mode {
            Mode::Delete => {
                if let Some(wanted) = self.matching.as_ref().and_then(|found| found.first()) {
                    self.all.retain(|line| line != wanted);
                }
            }
            Mode::Replace => {
                let wanted = self.matching.as_ref().and_then(|found| found.first());
                if let Some(at) = wanted.and_then(|wanted| self.all.iter().position(|line| line == wanted)) {
                    self.set(at, at, content);
                }
            }
            Mode::Insert => self.insert(content)?,
            Mode::Ensure => self.ensure(content)?,
        }
        Ok(ended(self.all))
    }

    fn insert(&mut self, content: &str) -> Result<(), Failed> {
        match self.location.as_deref() {
            Some("end") if self.all.is_empty() => self.all.push(content.to_owned()),
            Some("end") => self.put(self.all.len(), self.all.len() - 1, content),
            Some("start") => match self.all.first() {
                Some(first) => self.all.insert(0, with_end(first, content)),
                None => self.all.push(format!("{content}\n")),
            },
            Some(_) => {}
            None if self.before.is_none() && self.after.is_none() => {
                return Err("On insert either \"location\" or \"before/after\" conditions are required.".into());
            }
            None => match (is_some(self.before.as_deref()), is_some(self.after.as_deref())) {
                (true, true) => {
                    let before = self.only_before()?;
                    self.only_after()?;
                    self.put(before, before, content);
                }
                (false, true) => {
                    let after = self.only_after()?;
                    if self.all.get(after + 1).is_none_or(|next| !is_same(next, content)) {
                        self.put(after + 1, after, content);
                    }
                }
                (true, false) => {
                    let before = self.only_before()?;
                    if !is_same(self.above(before), content) {
                        self.put(before, before, content);
                    }
                }
                (false, false) => return Err("Neither before or after was found in file".into()),
            },
        }
        Ok(())
    }

    fn ensure(&mut self, content: &str) -> Result<(), Failed> {
        match (is_some(self.before.as_deref()), is_some(self.after.as_deref())) {
            (true, true) => {
                let (after, before) = (self.only_after()?, self.only_before()?);
                if self.all.iter().any(|line| line.trim_start_matches(lines::is_space) == content) {
                    return Ok(());
                }
                if after + 1 == before {
                    self.put(after + 1, after, content);
                } else if after + 2 == before {
                    self.set(after + 1, after, content);
                } else {
                    let why = "Found more than one line between boundaries \"before\" and \"after\".";
                    return Err(why.into());
                }
            }
            (true, false) => {
                let before = self.only_before()?;
                if before == 0 || !is_same(self.above(before), content) {
                    let model = before.checked_sub(1).unwrap_or(self.all.len() - 1);
                    self.put(before, model, content);
                }
            }
            (false, true) => {
                let after = self.only_after()?;
                if self.all.get(after + 1).is_none_or(|next| !is_same(next, content)) {
                    self.put(after + 1, after, content);
                }
            }
            (false, false) => {
                let why =
                    "Wrong conditions? Unable to ensure line without knowing where to put it before and/or after.";
                return Err(why.into());
            }
        }
        Ok(())
    }

    /// Where the only line stands that `after` matches.
    fn only_after(&self) -> Result<usize, Failed> {
        self.only(self.after.as_deref(), "after")
    }

    /// Where the only line stands that `before` matches.
    fn only_before(&self) -> Result<usize, Failed> {
        self.only(self.before.as_deref(), "before")
    }

    fn only(&self, found: Option<&[String]>, name: &str) -> Result<usize, Failed> {
        let how = match found {
            Some([wanted]) => {
                return self.all.iter().position(|line| line == wanted).ok_or_else(|| "the line is gone".into());
            }
            None | Some([]) => "less than",
            Some(_) => "more than",
        };
        Err(format!("Found {how} expected occurrences in \"{name}\" expression").into())
    }

    /// The line above another; above the first, that is the last one.
    fn above(&self, at: usize) -> &str {
        let above = at.checked_sub(1).unwrap_or(self.all.len().saturating_sub(1));
        self.all.get(above).map_or("", String::as_str)
    }

    /// Puts the content in, indented as another line is.
    fn put(&mut self, at: usize, model: usize, content: &str) {
        let line = self.indented(model, content);
        self.all.insert(at.min(self.all.len()), line);
    }

    /// Puts the content in the place of a line.
    fn set(&mut self, at: usize, model: usize, content: &str) {
        let indented = self.indented(model, content);
        if let Some(line) = self.all.get_mut(at) {
            *line = indented;
        }
    }

    fn indented(&self, model: usize, content: &str) -> String {
        if !self.indent {
            return content.to_owned();
        }
        let model = self.all.get(model).map_or("", String::as_str);
        let blank: String = model.chars().take_while(|character| matches!(character, '\t' | ' ')).collect();
        blank + content.trim_start_matches(lines::is_space)
    }
}

/// Whether there is a list with something in it.
fn is_some(found: Option<&[String]>) -> bool {
    found.is_some_and(|found| !found.is_empty())
}

/// The lines that a pattern matches, or that have it in them as it is. Of nothing, nothing is found.
fn found(lines: &[String], pattern: &str) -> Result<Option<Vec<String>>, Failed> {
    if lines.is_empty() || pattern.is_empty() {
        return Ok(None);
    }
    let wrong = |error: crate::formula::regex::Error| format!("{error}: '{pattern}'");
    let regex = Regex::new(pattern, Options { dot_all: true, ..effort() }).map_err(wrong)?;
    let mut found = Vec::new();
    for line in lines {
        if regex.is_match(line).map_err(wrong)? || line.contains(pattern) {
            found.push(line.clone());
        }
    }
    Ok(Some(found))
}

/// Whether two lines are the same but for what ends them.
fn is_same(one: &str, two: &str) -> bool {
    let bare = |line: &'_ str| line.trim_end_matches(['\r', '\n']).to_owned();
    bare(one) == bare(two)
}

/// What ends a line, as Python's `$` sees it, which is also before a last line end.
fn end(line: &str) -> &'static str {
    match line.strip_suffix('\n') {
        Some(before) if before.ends_with("\r\n") || before.ends_with('\r') => "\r\n",
        Some(_) => "\n",
        None if line.ends_with('\r') => "\r",
        None => "",
    }
}

/// A line with the end of another one, or with one of its own if that has none.
fn with_end(model: &str, line: &str) -> String {
    let end = Some(end(model)).filter(|end| !end.is_empty()).unwrap_or("\n");
    line.trim_end_matches(lines::is_space).to_owned() + end
}

/// The lines as one text: what stands before another line ends as those around it do.
fn ended(mut lines: Vec<String>) -> String {
    for at in 0..lines.len().saturating_sub(1) {
        // The line before; Salt takes the second for the first two.
        let model = if at < 2 { 1 } else { at - 1 };
        if let (Some(line), Some(model)) = (lines.get(at), lines.get(model))
            && end(line).is_empty()
        {
            let line = with_end(model, line);
            if let Some(place) = lines.get_mut(at) {
                *place = line;
            }
        }
    }
    lines.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(text: &str, mode: Mode, pairs: &[(&str, &str)], content: &str) -> Result<String, String> {
        let chunk = pairs.iter().map(|(key, value)| (Data::from(*key), Data::from(*value))).collect();
        let target = Target { path: "/file".into(), content: text.into() };
        let lines = Lines::of(&target, &Args::new(&chunk), content).map_err(|failed| failed.comment)?;
        lines.edited(mode, content).map_err(|failed| failed.comment)
    }

    #[test]
    fn a_line_is_put_where_it_belongs_once() {
        let text = "[a]\n  x = 1\n[b]\ny = 2\n";
        let wanted = "[a]\n  x = 1\n  z = 3\n[b]\ny = 2\n";
        let once = edited(text, Mode::Ensure, &[("after", "x = ")], "z = 3").unwrap();
        assert_eq!(once, wanted);
        assert_eq!(edited(wanted, Mode::Ensure, &[("after", "x = ")], "  z = 3").unwrap(), wanted);
        assert_eq!(edited("a\r\nb\r\nc", Mode::Insert, &[("location", "end")], "d").unwrap(), "a\r\nb\r\nc\r\nd");
        assert_eq!(edited("a\nb\n", Mode::Replace, &[("match", "^a")], "c").unwrap(), "c\nb\n");
        assert_eq!(edited("a\nb\na\n", Mode::Delete, &[], "a").unwrap(), "b\n");
    }

    #[test]
    fn a_place_that_is_not_one_place_is_refused() {
        let wrong = edited("a\na\n", Mode::Ensure, &[("before", "a")], "b").unwrap_err();
        assert_eq!(wrong, "Found more than expected occurrences in \"before\" expression");
    }
}
