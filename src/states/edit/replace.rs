//! `file.replace`: other text in the place of what an expression matches.

use camino::{Utf8Path, Utf8PathBuf};

use super::target::{Keeper, Target};
use super::{effort, lines};
use crate::formula::Data;
use crate::formula::regex::{Options, Regex, escaped};
use crate::states::arguments::text;
use crate::states::disk;
use crate::states::returns::dict;
use crate::states::{Args, Call, Failed, Function, Return, diff, file};

pub(super) const REPLACE: Function = Function::new("file.replace", replace)
    .requires(&["pattern", "repl"])
    .takes(&[
        "append_if_not_found",
        "backslash_literal",
        "backup",
        "bufsize",
        "count",
        "encoding",
        "flags",
        "ignore_if_missing",
        "not_found_content",
        "prepend_if_not_found",
        "show_changes",
    ])
    .checks(check);

/// What is replaced by what.
struct Edit {
    regex: Regex,
    options: Options,
    replacement: String,
    /// What is added where the expression is not found.
    addition: Option<(Place, String)>,
    most: Option<usize>,
    is_literal: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Top,
    End,
}

fn check(args: &Args<'_>) -> Result<(), String> {
    super::check_encoding(args)?;
    Edit::read(args).map(drop).map_err(|failed| failed.comment)
}

fn replace(call: &Call<'_>) -> Result<Return, Failed> {
    let given = file::absolute(call, "file.replace")?;
    if !given.exists() && call.args.flag("ignore_if_missing", false) {
        return Ok(Return::unchanged("No changes needed to be made"));
    }
    if given.is_dir() {
        return Err(format!("Cannot perform string replacements on a binary file: {given}").into());
    }
    let edit = Edit::read(&call.args)?;
    let target = Target::read(given.clone())?;
    let target = Target { path: disk::real(&given), ..target };
    if edit.options.of_bytes {
        target.check_is_text()?;
    } else {
        target.text()?;
    }
    let content = edit.apply(&target.content)?;
    let is_utf8 = |content: &[u8]| std::str::from_utf8(content).is_ok();
    if is_utf8(&target.content) && !is_utf8(&content) {
        // An expression of bytes may take a part of a character.
        return Err(
            format!("{given} would not be UTF-8 any more; with `encoding: utf-8`, characters stay whole").into()
        );
    }
    if content == target.content {
        return Ok(Return::unchanged("No changes needed to be made"));
    }
    let shown = if call.args.flag("show_changes", true) {
        Data::from(diff::unified(&edit.lines(&target.content), &edit.lines(&content)))
    } else {
        true.into()
    };
    let changes = dict([("diff", shown)]);
    if call.preview {
        return Ok(Return::would(changes, "Changes would have been made"));
    }
    if let Some(suffix) = super::backup(&call.args)? {
        back_up(&target, &given, &suffix)?;
    }
    target.write(&content)?;
    Ok(Return::changed(changes, "Changes were made"))
}

/// Copies the file beside itself; a link to it gets a link to the copy beside it.
fn back_up(target: &Target, given: &Utf8Path, suffix: &str) -> Result<(), Failed> {
    target.copy_to(&Utf8PathBuf::from(format!("{}{suffix}", target.path)), Keeper::Copier)?;
    if given.is_symlink() {
        let leads_to = given.read_link_utf8()?;
        disk::link(&Utf8PathBuf::from(format!("{given}{suffix}")), &format!("{leads_to}{suffix}"), None, None)?;
    }
    Ok(())
}

impl Edit {
    fn read(args: &Args<'_>) -> Result<Self, Failed> {
        let options = Options { of_bytes: args.get("encoding").is_none(), ..flags(args.get("flags"))? };
        let pattern = args.required("pattern")?;
        let regex = Regex::new(&pattern, options).map_err(|error| format!("`{pattern}`: {error}"))?;
        let replacement = args.required("repl")?;
        let place = match (args.flag("prepend_if_not_found", false), args.flag("append_if_not_found", false)) {
            (true, true) => return Err("Only one of append and prepend_if_not_found is permitted".into()),
            (true, false) => Some(Place::Top),
            (false, true) => Some(Place::End),
            (false, false) => None,
        };
        let addition = args.text("not_found_content")?.unwrap_or_else(|| replacement.clone());
        let count = args.number("count")?.unwrap_or(0);
        Ok(Self {
            regex,
            options,
            replacement,
            addition: place.map(|place| (place, addition)),
            most: if count == 0 { None } else { Some(usize::try_from(count).unwrap_or(0)) },
            is_literal: args.flag("backslash_literal", false),
        })
    }

    /// The content that comes of it.
    fn apply(&self, content: &[u8]) -> Result<Vec<u8>, Failed> {
        let by = if self.is_literal { self.replacement.replace('\\', "\\\\") } else { self.replacement.clone() };
        let (mut replaced, count) = if self.options.of_bytes {
            self.regex.replace_bytes(content, &by, self.most)
        } else {
            let text = std::str::from_utf8(content).map_err(|error| error.to_string())?;
            self.regex.replace(text, &by, self.most, &mut |_| true).map(|(text, count)| (text.into_bytes(), count))
        }
        .map_err(|error| error.to_string())?;
        let Some((place, addition)) = &self.addition else { return Ok(replaced) };
        if count > 0 || self.has_addition(content, addition)? {
            return Ok(replaced);
        }
        let line = format!("{addition}\n").into_bytes();
        if *place == Place::Top {
            return Ok([line, replaced].concat());
        }
        if !replaced.is_empty() && !replaced.ends_with(b"\n") {
            replaced.push(b'\n');
        }
        Ok([replaced, line].concat())
    }

    /// Whether a run before this one has added what is added where nothing is found.
    fn has_addition(&self, content: &[u8], addition: &str) -> Result<bool, Failed> {
        // An empty one is looked for as what the expression is replaced by.
        let wanted = if addition.is_empty() { &self.replacement } else { addition };
        let regex = Regex::new(&format!("^{}($|(?=\r\n))", escaped(wanted)), self.options);
        let found = regex.and_then(|regex| match std::str::from_utf8(content) {
            Ok(text) if !self.options.of_bytes => regex.is_match(text),
            _ => regex.is_match_bytes(content),
        });
        found.map_err(|error| error.to_string().into())
    }

    fn lines<'c>(&self, content: &'c [u8]) -> Vec<&'c [u8]> {
        match std::str::from_utf8(content) {
            Ok(text) if !self.options.of_bytes => lines::of_text(text).into_iter().map(str::as_bytes).collect(),
            _ => lines::of_bytes(content),
        }
    }
}

/// Python's flags: a number, a name or a list of names. `^` and `$` are of lines where nothing is said.
fn flags(given: Option<&Data>) -> Result<Options, Failed> {
    let bits = match given {
        None => 8,
        Some(Data::Int(bits)) => *bits,
        Some(Data::Bool(is_set)) => i128::from(*is_set),
        Some(Data::List(names)) => names.iter().try_fold(0, |bits, name| Ok::<_, Failed>(bits | flag(name)?))?,
        Some(name @ Data::Str(_)) => flag(name)?,
        Some(other) => {
            let kind = other.type_name();
            return Err(
                format!("`flags` has to be the name of a flag, a list of them or a number, not a {kind}").into()
            );
        }
    };
    let has = |bit: i128| bits & bit != 0;
    // `TEMPLATE` has no meaning, and without `UNICODE` an expression of bytes is one of ASCII.
    let unknown = bits & !(1 | 2 | 8 | 16 | 64 | 256);
    if unknown != 0 || bits < 0 {
        return Err(format!("upshift does not have these flags of regular expressions: {unknown}").into());
    }
    Ok(Options { ignore_case: has(2), multi_line: has(8), dot_all: has(16), verbose: has(64), ..effort() })
}

fn flag(name: &Data) -> Result<i128, Failed> {
    let name = text(name).unwrap_or_default();
    Ok(match name.to_uppercase().as_str() {
        "T" | "TEMPLATE" => 1,
        "I" | "IGNORECASE" => 2,
        "L" | "LOCALE" => 4,
        "M" | "MULTILINE" => 8,
        "S" | "DOTALL" => 16,
        "U" | "UNICODE" => 32,
        "X" | "VERBOSE" => 64,
        "DEBUG" => 128,
        "A" | "ASCII" => 256,
        _ => return Err(format!("Invalid re flag given: {name}").into()),
    })
}
