//! `file.tidied`: what is too old or too large goes.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use jiff::tz::TimeZone;
use jiff::{Timestamp, civil::Date};

use crate::formula::Data;
use crate::formula::regex::{Options, Regex};
use crate::states::disk;
use crate::states::file::absolute;
use crate::states::file::clean::listed;
use crate::states::returns::dict;
use crate::states::{Args, Call, Failed, Function, Return};

pub(super) const TIDIED: Function = Function::new("file.tidied", tidied)
    .takes(&[
        "age",
        "matches",
        "rmdirs",
        "size",
        "exclude",
        "full_path_match",
        "followlinks",
        "time_comparison",
        "age_size_logical_operator",
        "age_size_only",
        "rmlinks",
    ])
    .takes_anything();

/// What goes.
struct Rule {
    /// In days.
    age: i64,
    /// In bytes.
    size: i128,
    needs: Needs,
    time: fn(&Metadata) -> i64,
    matches: Vec<Regex>,
    excludes: Vec<Regex>,
    by_path: bool,
    folders: bool,
    links: bool,
    today: Date,
}

/// Which of age and size have to be reached.
enum Needs {
    Age,
    Size,
    Both,
    Either,
}

impl Rule {
    fn read(args: &Args<'_>) -> Result<Self, Failed> {
        let word = |name: &str| Ok::<_, Failed>(args.text(name)?.unwrap_or_default().to_lowercase());
        let needs = match (word("age_size_only")?.as_str(), word("age_size_logical_operator")?.as_str()) {
            ("age", _) => Needs::Age,
            ("size", _) => Needs::Size,
            (_, "and") => Needs::Both,
            _ => Needs::Either,
        };
        let time: fn(&Metadata) -> i64 = match word("time_comparison")?.as_str() {
            "mtime" => Metadata::mtime,
            "ctime" => Metadata::ctime,
            _ => Metadata::atime,
        };
        let matches = args.texts("matches")?;
        #[expect(clippy::disallowed_methods, reason = "how old a file is depends on what day it is")]
        let now = Timestamp::now();
        Ok(Self {
            age: args.number("age")?.unwrap_or(0),
            size: size(args)?,
            needs,
            time,
            matches: expressions(if matches.is_empty() { vec![".*".to_owned()] } else { matches })?,
            excludes: expressions(args.texts("exclude")?)?,
            by_path: args.flag("full_path_match", false),
            folders: args.flag("rmdirs", false),
            links: args.flag("rmlinks", true),
            today: now.to_zoned(TimeZone::system()).date(),
        })
    }

    fn takes(&self, path: &Utf8Path) -> bool {
        let Ok(there) = fs::symlink_metadata(path) else { return false };
        let is_allowed = match there.file_type() {
            kind if kind.is_symlink() => self.links,
            kind if kind.is_dir() => self.folders,
            _ => true,
        };
        let size = if there.is_symlink() || there.is_dir() { 0 } else { i128::from(there.size()) };
        let age = Timestamp::from_second((self.time)(&there)).map(|time| time.to_zoned(TimeZone::system()).date());
        let days = age.and_then(|day| self.today.until(day)).map_or(0, |span| i64::from(span.get_days().abs()));
        let (is_old, is_large) = (days >= self.age, size >= self.size);
        let is_due = match self.needs {
            Needs::Age => is_old,
            Needs::Size => is_large,
            Needs::Both => is_old && is_large,
            Needs::Either => is_old || is_large,
        };
        let name = if self.by_path { path.as_str() } else { path.file_name().unwrap_or_default() };
        let fits = |all: &[Regex]| all.iter().any(|one| one.is_match(name).unwrap_or(false));
        is_allowed && is_due && fits(&self.matches) && !fits(&self.excludes)
    }
}

/// Expressions that match from the beginning.
fn expressions(patterns: Vec<String>) -> Result<Vec<Regex>, Failed> {
    let compile = |pattern: String| {
        let expression = Regex::new(&pattern, Options { at_start: true, ..Options::default() });
        expression.map_err(|error| format!("`{pattern}` is no regular expression: {error}").into())
    };
    patterns.into_iter().map(compile).collect()
}

/// A number of bytes, also one such as `10MiB`.
fn size(args: &Args<'_>) -> Result<i128, Failed> {
    let text = match args.get("size") {
        Some(Data::Str(text)) => text.trim().to_lowercase(),
        _ => return Ok(args.number("size")?.map_or(0, i128::from)),
    };
    let (value, unit) =
        text.split_at(text.find(|digit: char| !digit.is_ascii_digit() && digit != '.').unwrap_or(text.len()));
    let unit = match unit.trim() {
        "" => "b",
        unit => unit,
    };
    let power = "bkmgtpezy".find(|letter| unit.starts_with(letter)).and_then(|at| u32::try_from(at).ok());
    let base: i128 = match unit.get(1..) {
        Some("" | "ib") => 1024,
        Some("b") if unit != "bb" => 1000,
        _ => return Ok(0),
    };
    let (Ok(value), Some(power)) = (value.parse::<f64>(), power) else { return Ok(0) };
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "no file is that large")]
    Ok((value * base.pow(power) as f64) as i128)
}

/// What is below a folder, what is in a folder before the folder.
fn below(folder: &Utf8Path, follow: bool, depth: usize, all: &mut Vec<Utf8PathBuf>) {
    let Ok(entries) = folder.read_dir_utf8() else { return };
    let mut paths: Vec<Utf8PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.into_path())).collect();
    paths.sort();
    let (folders, files): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| path.is_dir());
    for folder in folders.iter().filter(|folder| (follow || !folder.is_symlink()) && depth < DEEPEST) {
        below(folder, follow, depth + 1, all);
    }
    all.extend(files);
    all.extend(folders);
}

/// The deepest folder that is looked into; a link can lead back up.
const DEEPEST: usize = 100;

fn tidied(call: &Call<'_>) -> Result<Return, Failed> {
    let path = &absolute(call, "file.tidied")?;
    if !path.is_dir() {
        return Err(format!("{path} does not exist or is not a directory.").into());
    }
    let rule = Rule::read(&call.args)?;
    let mut all = Vec::new();
    below(path, call.args.flag("followlinks", false), 0, &mut all);
    all.retain(|path| rule.takes(path));
    if all.is_empty() {
        return Ok(Return::unchanged(format!("Nothing to remove from directory {path}")));
    }
    let removed = dict([("removed", listed(&all))]);
    if call.preview {
        return Ok(Return::would(removed, format!("{path} is set for tidy")));
    }
    for (at, one) in all.iter().enumerate() {
        let removed = || dict([("removed", listed(all.iter().take(at)))]);
        if fs::symlink_metadata(one).is_ok() {
            disk::remove(one)
                .map_err(|error| Failed::from(format!("Could not remove '{one}': {error}")).after(removed()))?;
        }
    }
    let comment = format!("Removed {} files or directories from directory {path}", all.len());
    Ok(Return::changed(removed, comment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        let cases =
            [("10", 10), ("1K", 1024), ("2kib", 2048), ("1 kb", 1000), ("1.5m", 1_572_864), ("x", 0), ("1bb", 0)];
        for (given, bytes) in cases {
            let chunk = dict([("size", given.into())]);
            assert_eq!(size(&Args::new(&chunk)), Ok(bytes), "{given}");
        }
    }
}
