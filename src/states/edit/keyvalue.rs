//! `file.keyvalue`: lines of a key, a separator and a value.

use std::io::ErrorKind;

use fs_err as fs;

use super::target::Target;
use super::{lines, printed};
use crate::formula::Data;
use crate::states::returns::dict;
use crate::states::{Args, Call, Failed, Function, Return, file};

pub(super) const KEYVALUE: Function = Function::new("file.keyvalue", keyvalue)
    .takes(&[
        "append_if_not_found",
        "count",
        "create_if_missing",
        "ignore_if_missing",
        "key",
        "key_ignore_case",
        "key_values",
        "prepend_if_not_found",
        "separator",
        "show_changes",
        "uncomment",
        "value",
        "value_ignore_case",
    ])
    .checks(|args| Wanted::read(args).map(drop).map_err(|failed| failed.comment));

/// A key and the value that it is to have.
struct Pair {
    key: String,
    value: Data,
    /// How many lines may still have it; below zero, all of them may.
    left: i64,
}

/// How a file is looked at, and what it is to have.
struct Wanted {
    pairs: Vec<Pair>,
    separator: String,
    /// What is taken off the beginning of a line before it is looked at: these characters, or else blanks.
    uncomment: Option<String>,
    key_ignore_case: bool,
    value_ignore_case: bool,
}

/// The lines as they are to be, and what is said of them.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    lines: Vec<String>,
    diff: Vec<String>,
    changes: usize,
}

impl Wanted {
    fn read(args: &Args<'_>) -> Result<Self, Failed> {
        let count = args.number("count")?.unwrap_or(1);
        let pair = |key: &Data, value: &Data| Pair { key: printed(key), value: value.clone(), left: count };
        let pairs: Vec<Pair> = match (args.get("key"), args.get("value"), args.get("key_values")) {
            (Some(_), Some(_), Some(Data::Dict(_))) => {
                return Err("file.keyvalue can not combine key_values with key and value".into());
            }
            (Some(key), Some(value), _) => vec![pair(key, value)],
            (.., Some(Data::Dict(pairs))) if !pairs.entries.is_empty() => {
                pairs.entries.iter().map(|(key, value)| pair(key, value)).collect()
            }
            (.., given) => {
                let why = if given.is_some_and(Data::is_true) { "is not a dictionary" } else { "is empty" };
                return Err(format!("file.keyvalue key and value not supplied and key_values {why}").into());
            }
        };
        let separator = args.text("separator")?.unwrap_or_else(|| "=".to_owned());
        if separator.is_empty() {
            return Err("empty separator".into());
        }
        Ok(Self {
            pairs,
            separator,
            uncomment: args.text("uncomment")?,
            key_ignore_case: args.flag("key_ignore_case", false),
            value_ignore_case: args.flag("value_ignore_case", false),
        })
    }
}

fn keyvalue(call: &Call<'_>) -> Result<Return, Failed> {
    let path = file::absolute(call, "file.keyvalue")?;
    let flag = |name: &str| call.args.flag(name, false);
    let mut wanted = Wanted::read(&call.args)?;
    let mut appends = flag("append_if_not_found");
    let content = match fs::read(&path) {
        Ok(content) => content,
        Err(error) if error.kind() == ErrorKind::NotFound && flag("create_if_missing") => {
            appends = true;
            Vec::new()
        }
        Err(_) if flag("ignore_if_missing") => return Ok(Return::unchanged(format!("unable to open {path}"))),
        Err(_) => return Err(format!("unable to open {path}").into()),
    };
    let target = Target { path, content };
    let mut outcome = Outcome::default();
    for line in lines::of_file(target.text()?) {
        wanted.line(line, &mut outcome);
    }
    if appends {
        wanted.append(&mut outcome);
    } else if flag("prepend_if_not_found") {
        wanted.prepend(&mut outcome);
    }
    if outcome.changes == 0 {
        return Ok(Return::unchanged(""));
    }
    let is_shown = call.args.flag("show_changes", true);
    let changes = if is_shown { dict([("diff", Data::from(outcome.diff.concat()))]) } else { dict::<&str>([]) };
    if call.preview {
        let mut comment = format!("File {} is set to be changed ({} lines)", target.path, outcome.changes);
        if is_shown {
            comment.extend(["\nPredicted diff:\n\r\t\t", &outcome.diff.join("\r\t\t")]);
        }
        return Ok(Return::would(changes, comment));
    }
    target.write(outcome.lines.concat().as_bytes())?;
    Ok(Return::changed(changes, format!("Changed {} lines", outcome.changes)))
}

impl Wanted {
    /// A line of the file, as it is to be.
    fn line(&mut self, line: &str, outcome: &mut Outcome) {
        let mut line = line.to_owned();
        let stripped = strip(&line, self.uncomment.as_deref());
        let is_uncommented = stripped.len() < line.len();
        let looked_at = if self.key_ignore_case { stripped.to_lowercase() } else { stripped.to_owned() };
        for pair in &mut self.pairs {
            let fold = |text: &str, is_folded: bool| if is_folded { text.to_lowercase() } else { text.to_owned() };
            let key = fold(&pair.key, self.key_ignore_case);
            if !looked_at.starts_with(&key) {
                continue;
            }
            let working = if is_uncommented { strip(&line, self.uncomment.as_deref()) } else { &line };
            let Some((found, value)) = working.split_once(&self.separator) else { continue };
            if fold(found, self.key_ignore_case) != key {
                continue;
            }
            let trimmed = |value: &str| fold(value.trim_matches(lines::is_space), self.value_ignore_case);
            let is_right = trimmed(value) == trimmed(&printed(&pair.value));
            let is_due = if is_uncommented { pair.left > 0 } else { pair.left == 0 };
            // What is commented out stays so once there are enough.
            if is_due || !(is_right || is_uncommented) {
                let found = found.to_owned();
                outcome.diff.push(format!("- {line}"));
                line = pair.line(&found, &self.separator, &mut outcome.diff);
                outcome.changes += 1;
            }
            pair.left -= i64::from(pair.left > 0);
        }
        outcome.lines.push(line);
    }

    /// Adds at the end what was not found.
    fn append(&self, outcome: &mut Outcome) {
        let missing: Vec<String> = self.missing().collect();
        if missing.is_empty() {
            return;
        }
        outcome.diff.push("- <EOF>\n".to_owned());
        outcome.diff.extend(missing.iter().map(|line| format!("+ {line}")));
        outcome.diff.push("+ <EOF>\n".to_owned());
        outcome.changes += missing.len();
        outcome.lines.extend(missing);
    }

    /// Adds at the beginning what was not found, the last one first.
    fn prepend(&self, outcome: &mut Outcome) {
        for (index, line) in self.missing().enumerate() {
            if index == 0 {
                outcome.diff.insert(0, "  <SOF>\n".to_owned());
            }
            outcome.diff.insert(1, format!("+ {line}"));
            outcome.lines.insert(0, line);
            outcome.changes += 1;
        }
    }

    fn missing(&self) -> impl Iterator<Item = String> {
        let missing = self.pairs.iter().filter(|pair| pair.left > 0);
        missing.map(|pair| format!("{}{}{}\n", pair.key, self.separator, printed(&pair.value)))
    }
}

impl Pair {
    /// What stands in the place of a line with this key: nothing, if there were enough of them.
    fn line(&self, key: &str, separator: &str, diff: &mut Vec<String>) -> String {
        if self.left == 0 {
            return String::new();
        }
        let line = format!("{key}{separator}{}\n", printed(&self.value));
        diff.push(if self.value.as_str().is_some() {
            format!("+ {line}")
        } else {
            format!("+ {} (from {} type)\n", line.trim_end_matches(lines::is_space), self.value.type_name())
        });
        line
    }
}

/// A line without the characters it begins with, or without blanks.
fn strip<'l>(line: &'l str, characters: Option<&str>) -> &'l str {
    line.trim_start_matches(|character| {
        characters.map_or_else(|| lines::is_space(character), |characters| characters.contains(character))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(text: &str, key: &str, value: &str, uncomment: Option<&str>) -> Outcome {
        let pairs = vec![Pair { key: key.to_owned(), value: value.into(), left: 1 }];
        let uncomment = uncomment.map(str::to_owned);
        let separator = " ".to_owned();
        let mut wanted = Wanted { pairs, separator, uncomment, key_ignore_case: true, value_ignore_case: false };
        let mut outcome = Outcome::default();
        for line in lines::of_file(text) {
            wanted.line(line, &mut outcome);
        }
        wanted.append(&mut outcome);
        outcome
    }

    #[test]
    fn a_key_is_set_once_and_its_other_lines_go() {
        let set = outcome("#Port 22\nport 1\n", "Port", "2222", Some("#"));
        assert_eq!(set.lines.concat(), "Port 2222\n");
        assert_eq!(set.diff, ["- #Port 22\n", "+ Port 2222\n", "- port 1\n"]);
        assert_eq!(outcome("Port 2222\n#Port 1\n", "Port", "2222", Some("#")).changes, 0);
        assert_eq!(outcome("x 1\n", "Port", "2222", None).lines.concat(), "x 1\nPort 2222\n");
    }
}
