//! `file.comment` and `file.uncomment`: a sign before the lines that an expression matches, or none.

use camino::Utf8PathBuf;

use super::target::{Keeper, Target};
use super::{effort, lines};
use crate::formula::regex::{Options, Regex};
use crate::formula::{Data, Dict};
use crate::states::returns::dict;
use crate::states::{Args, Call, Failed, Function, Return, diff, disk};

pub(super) const COMMENT: Function = Function::new("file.comment", comment)
    .requires(&["regex"])
    .takes(&["backup", "char", "encoding", "ignore_missing"])
    .checks(super::check_encoding);

pub(super) const UNCOMMENT: Function =
    Function::new("file.uncomment", uncomment).requires(&["regex"]).takes(&["backup", "char"]);

/// What is looked for, and how lines of it are commented out.
struct Wanted {
    /// As the SLS has it.
    pattern: String,
    sign: String,
}

impl Wanted {
    fn read(args: &Args<'_>) -> Result<Self, Failed> {
        let sign = args.text("char")?.unwrap_or_else(|| "#".to_owned());
        Ok(Self { pattern: args.required("regex")?, sign })
    }

    /// The pattern without what ties it to the beginning and the end of a line.
    fn loose(&self) -> Result<String, Failed> {
        let ties = Regex::new(r"^(\(\?[iLmsux]\))?\^?(.*?)\$?$", Options::default());
        let loose = ties.and_then(|ties| ties.replace(&self.pattern, r"\2", None, &mut |_| true));
        loose.map(|(loose, _)| loose).map_err(|error| error.to_string().into())
    }

    /// The pattern in brackets, with a `$` behind them if it ends with one.
    fn grouped(&self) -> String {
        let end = if self.pattern.ends_with('$') { "$" } else { "" };
        format!("({}){end}", self.pattern.trim_start_matches('^').trim_end_matches('$'))
    }
}

fn comment(call: &Call<'_>) -> Result<Return, Failed> {
    let target = Target::of(call, "file.comment")?;
    let wanted = Wanted::read(&call.args)?;
    let (loose, sign) = (wanted.loose()?, &wanted.sign);
    let commented = format!("{sign}{loose}");
    if !target.has(&format!(r"^(?!\s*{sign})\s*{loose}"))? {
        return if target.has(&commented)? {
            Ok(Return::unchanged("Pattern already commented"))
        } else if call.args.flag("ignore_missing", false) {
            Ok(Return::unchanged("Pattern not found and ignore_missing set to True"))
        } else {
            Err(format!("{loose}: Pattern not found").into())
        };
    }
    let begin = if wanted.pattern.starts_with('^') { "^" } else { "" };
    let lines = format!("{begin}{}", wanted.grouped());
    let edited = Edited::of(call, target, &lines, |line| format!("{sign}{line}"))?;
    edited.finish(
        call,
        &commented,
        lines::of_text,
        ["Commented lines successfully", "Expected commented lines not found"],
    )
}

fn uncomment(call: &Call<'_>) -> Result<Return, Failed> {
    let target = Target::of(call, "file.uncomment")?;
    let wanted = Wanted::read(&call.args)?;
    let (bare, sign) = (wanted.pattern.trim_start_matches('^'), &wanted.sign);
    let uncommented = format!("^[ \t]*{bare}");
    if !target.has(&format!("{sign}[ \t]*{bare}"))? {
        return if target.has(&uncommented)? {
            Ok(Return::unchanged("Pattern already uncommented"))
        } else {
            Err(format!("{}: Pattern not found", wanted.pattern).into())
        };
    }
    let lines = format!(r"^{sign}\s*{}", wanted.grouped());
    let edited = Edited::of(call, target, &lines, |line| {
        line.trim_start_matches(|character| sign.contains(character)).to_owned()
    })?;
    edited.finish(
        call,
        &uncommented,
        |text| text.split_inclusive('\n').collect(),
        ["Uncommented lines successfully", "Expected uncommented lines not found"],
    )
}

/// A file and what becomes of it.
struct Edited {
    target: Target,
    content: String,
    /// Whether any line is another one.
    is_found: bool,
}

impl Edited {
    /// Changes the lines that an expression matches at their beginning.
    fn of(call: &Call<'_>, target: Target, pattern: &str, change: impl Fn(&str) -> String) -> Result<Self, Failed> {
        if call.preview {
            return Ok(Self { target, content: String::new(), is_found: false });
        }
        let regex = Regex::new(pattern, Options { at_start: true, ..effort() })
            .map_err(|error| format!("`{pattern}`: {error}"))?;
        let (mut content, mut is_found) = (String::new(), false);
        for line in target.text()?.split_inclusive('\n') {
            if regex.is_match(line).map_err(|error| error.to_string())? {
                content += &change(line);
                is_found = true;
            } else {
                content += line;
            }
        }
        let target = Target { path: disk::real(&target.path), ..target };
        Ok(Self { target, content, is_found })
    }

    /// Writes it, and looks whether what was wanted is there.
    ///
    /// `split` parts a text into the lines that a diff shows.
    fn finish(
        self,
        call: &Call<'_>,
        wanted: &str,
        split: fn(&str) -> Vec<&str>,
        said: [&str; 2],
    ) -> Result<Return, Failed> {
        if call.preview {
            let path = self.target.path.as_str();
            let changes = dict([(path, Data::from("updated"))]);
            return Ok(Return::would(changes, format!("File {path} is set to be updated")));
        }
        if self.is_found {
            if let Some(suffix) = super::backup(&call.args)? {
                self.target.copy_to(&Utf8PathBuf::from(format!("{}{suffix}", self.target.path)), Keeper::Owner)?;
            }
            self.target.write(self.content.as_bytes())?;
        }
        let old = self.target.text()?;
        let diff = diff::unified(&split(old), &split(&self.content));
        let changes = if diff.is_empty() { Dict::default() } else { dict([("diff", Data::from(diff))]) };
        let target = Target { content: self.content.into_bytes(), ..self.target };
        let [done, missing] = said;
        if target.has(wanted)? { Ok(Return::changed(changes, done)) } else { Err(Failed::from(missing).after(changes)) }
    }
}
