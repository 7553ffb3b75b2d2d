//! `file.blockreplace`: what is between two markers.

use camino::Utf8PathBuf;

use super::target::{Keeper, Target};
use super::{effort, lines, printed, source};
use crate::formula::Data;
use crate::formula::regex::Regex;
use crate::states::returns::dict;
use crate::states::{Args, Call, Failed, Function, Return, diff};

pub(super) const BLOCKREPLACE: Function = Function::new("file.blockreplace", blockreplace)
    .takes(&[
        "append_if_not_found",
        "append_newline",
        "backup",
        "content",
        "context",
        "defaults",
        "insert_after_match",
        "insert_before_match",
        "marker_end",
        "marker_start",
        "prepend_if_not_found",
        "show_changes",
        "source",
        "sources",
        "template",
    ])
    .checks(check);

/// Where a block goes that is not there yet.
enum Place {
    Nowhere,
    Top,
    End,
    Before(Regex),
    After(Regex),
}

/// The block that is wanted.
struct Block {
    start: String,
    end: String,
    content: String,
    /// Whether a line end is added to the content; if nothing is said, where it has none.
    append_newline: Option<bool>,
    place: Place,
}

fn check(args: &Args<'_>) -> Result<(), String> {
    source::check(args)?;
    Block::read(args, String::new()).map(drop).map_err(|failed| failed.comment)
}

fn blockreplace(call: &Call<'_>) -> Result<Return, Failed> {
    let target = Target::of(call, "file.blockreplace")?;
    let trouble = |failed: Failed| Failed::from(format!("Encountered error managing block: {}", failed.comment));
    let block = Block::read(&call.args, content(call, &target)?)?;
    let (old, new) = block.put_into(target.text().map_err(trouble)?).map_err(trouble)?;
    if old == new {
        return Ok(Return::unchanged("No changes needed to be made"));
    }
    let shown = if call.args.flag("show_changes", true) { Data::from(diff::unified(&old, &new)) } else { true.into() };
    let changes = dict([("diff", shown)]);
    if call.preview {
        return Ok(Return::would(changes, "Changes would be made"));
    }
    if let Some(suffix) = super::backup(&call.args)? {
        target.copy_to(&Utf8PathBuf::from(format!("{}{suffix}", target.path)), Keeper::Owner)?;
    }
    target.write(new.concat().as_bytes())?;
    Ok(Return::changed(changes, "Changes were made"))
}

/// The content of the block: what the SLS says, what was accumulated for the file, and what its templates become.
fn content(call: &Call<'_>, target: &Target) -> Result<String, Failed> {
    let mut content = call.args.text("content")?.unwrap_or_default();
    let id = call.args.chunk().get("__id__").and_then(Data::as_str).unwrap_or_default();
    for (_, texts) in call.host.accumulated(target.path.as_str(), id) {
        for text in texts {
            if !content.is_empty() {
                content.push('\n');
            }
            content += &printed(&text);
        }
    }
    content.extend(source::texts(call)?.unwrap_or_default());
    Ok(content)
}

impl Block {
    fn read(args: &Args<'_>, content: String) -> Result<Self, Failed> {
        let marker =
            |key: &str, otherwise: &str| args.text(key).map(|marker| marker.unwrap_or_else(|| otherwise.to_owned()));
        let flag = |key: &str| args.flag(key, false);
        let places = ["append_if_not_found", "prepend_if_not_found", "insert_before_match", "insert_after_match"];
        if places.into_iter().filter(|key| flag(key)).count() > 1 {
            let why = "Only one of append_if_not_found, prepend_if_not_found, insert_before_match, and insert_after_match \
                       is permitted";
            return Err(format!("Encountered error managing block: {why}").into());
        }
        let regex = |key: &str| {
            let pattern = args.required(key)?;
            Regex::new(&pattern, effort()).map_err(|error| Failed::from(format!("`{pattern}`: {error}")))
        };
        let place = if flag("prepend_if_not_found") {
            Place::Top
        } else if flag("append_if_not_found") {
            Place::End
        } else if flag("insert_before_match") {
            Place::Before(regex("insert_before_match")?)
        } else if flag("insert_after_match") {
            Place::After(regex("insert_after_match")?)
        } else {
            Place::Nowhere
        };
        Ok(Self {
            start: marker("marker_start", "#-- start managed zone --")?,
            end: marker("marker_end", "#-- end managed zone --")?,
            content,
            append_newline: args.get("append_newline").map(Data::is_true),
            place,
        })
    }

    /// The lines of a text, and those that it has with the block in it.
    fn put_into(&self, text: &str) -> Result<(Vec<String>, Vec<String>), Failed> {
        let old: Vec<String> = lines::of_file(text).into_iter().map(str::to_owned).collect();
        let end = if old.first().is_some_and(|line| line.ends_with("\r\n")) { "\r\n" } else { "\n" };
        let (mut new, mut is_inside, mut is_found) = (Vec::new(), false, false);
        for line in &old {
            if line.contains(&self.start) {
                is_inside = true;
            } else if is_inside {
                if let Some(at) = line.find(&self.end) {
                    (is_inside, is_found) = (false, true);
                    new.extend(self.rest(end, line.get(at..).unwrap_or_default()));
                }
                continue;
            }
            new.push(line.clone());
        }
        if is_inside {
            return Err("Unterminated marked block. End of file reached before marker_end.".into());
        }
        if !is_found {
            self.add_to(&mut new, end)?;
        }
        Ok((old, new))
    }

    /// Puts the block where it belongs if it is not there yet.
    fn add_to(&self, lines: &mut Vec<String>, end: &str) -> Result<(), Failed> {
        let at = match &self.place {
            Place::Nowhere => None,
            Place::Top => Some(0),
            Place::End => {
                if let Some(last) = lines.last_mut().filter(|last| !last.ends_with(end)) {
                    last.push_str(end);
                }
                Some(lines.len())
            }
            Place::Before(regex) => first(regex, lines)?,
            Place::After(regex) => first(regex, lines)?.map(|at| at + 1),
        };
        let at = at.ok_or("Cannot edit marked block. Markers were not found in file.")?;
        let start = format!("{}{end}", self.start);
        lines.splice(at..at, [start].into_iter().chain(self.rest(end, &self.end)));
        Ok(())
    }

    /// The lines of the block behind its first, of which `last` is the last.
    fn rest(&self, end: &str, last: &str) -> Vec<String> {
        let last = format!("{}{end}", last.trim_end_matches(['\r', '\n']));
        let appends = self.append_newline.unwrap_or_else(|| !self.content.ends_with('\n'));
        let mut lines: Vec<String> = Vec::new();
        for line in self.content.split("\r\n").flat_map(|part| part.split('\n')) {
            lines.push(format!("{line}{end}"));
        }
        if appends {
            lines.push(last);
        } else if let Some(line) = lines.last_mut() {
            line.truncate(line.len() - end.len());
            line.push_str(&last);
        }
        lines
    }
}

/// Where the first line is that an expression matches.
fn first(regex: &Regex, lines: &[String]) -> Result<Option<usize>, Failed> {
    for (at, line) in lines.iter().enumerate() {
        if regex.is_match(line).map_err(|error| error.to_string())? {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(place: Place, content: &str) -> Block {
        let (start, end, content) = ("# {".to_owned(), "# }".to_owned(), content.to_owned());
        Block { start, end, content, append_newline: None, place }
    }

    #[test]
    fn what_is_between_the_markers_is_replaced() {
        let put = |text: &str, block: Block| block.put_into(text).map(|(_, new)| new.concat());
        assert_eq!(put("a\n# {\nold\n# } x\nb", block(Place::Nowhere, "new")).unwrap(), "a\n# {\nnew\n# } x\nb");
        assert_eq!(put("a\r\n# {\r\n# }", block(Place::Nowhere, "x\ny\n")).unwrap(), "a\r\n# {\r\nx\r\ny\r\n# }\r\n");
        assert_eq!(put("a", block(Place::End, "new")).unwrap(), "a\n# {\nnew\n# }\n");
        let after = Place::After(Regex::new("^a", effort()).unwrap());
        assert_eq!(put("a\nb\n", block(after, "new")).unwrap(), "a\n# {\nnew\n# }\nb\n");
    }

    #[test]
    fn a_block_without_an_end_or_a_place_is_refused() {
        let why = |text: &str| block(Place::Nowhere, "new").put_into(text).unwrap_err().comment;
        assert_eq!(why("# {\na\n"), "Unterminated marked block. End of file reached before marker_end.");
        assert_eq!(why("a\n"), "Cannot edit marked block. Markers were not found in file.");
    }
}
