//! `file.append` and `file.prepend`: lines at the end or the beginning of a file, unless they are in it already.

use camino::Utf8Path;

use super::target::{Target, not_found};
use super::{lines, printed, source, words};
use crate::formula::regex::escaped;
use crate::formula::{Data, Dict};
use crate::states::disk::{self, Attributes};
use crate::states::returns::dict;
use crate::states::{Args, Call, Failed, Function, Return, diff, file};

pub(super) const APPEND: Function = Function::new("file.append", append)
    .takes(&[
        "context",
        "defaults",
        "encoding",
        "ignore_whitespace",
        "makedirs",
        "source",
        "sources",
        "template",
        "text",
    ])
    .checks(check);

pub(super) const PREPEND: Function = Function::new("file.prepend", prepend)
    .takes(&["context", "defaults", "encoding", "header", "makedirs", "source", "sources", "template", "text"])
    .checks(check);

fn check(args: &Args<'_>) -> Result<(), String> {
    super::check_encoding(args)?;
    source::check(args)
}

fn append(call: &Call<'_>) -> Result<Return, Failed> {
    let Opened { target, is_new } = open(call, "file.append")?;
    if is_new && call.preview {
        return Ok(would_create(&target.path));
    }
    let is_loose = call.args.flag("ignore_whitespace", true);
    let mut added = Vec::new();
    let texts = texts(call)?;
    for chunk in &texts {
        let pattern = if is_loose { spaced(chunk)? } else { chunk.clone() };
        if !target.has(&pattern)? {
            added.extend(lines::bare(chunk));
        }
    }
    if added.is_empty() {
        return already_right(call, &target, is_new);
    }
    let mut content = target.text()?.to_owned();
    let old = bare(&content);
    if !content.is_empty() && !content.ends_with('\n') {
        content.push('\n');
    }
    content.extend(added.iter().flat_map(|line| [line, "\n"]));
    // Salt parts the lines of this diff, which have no end, and thereby the lines of its head once more.
    let changes = dict([("diff", Data::from(parted(&diff::unified(&old, &bare(&content)))))]);
    if call.preview {
        return Ok(Return::would(changes, format!("File {} is set to be updated", target.path)));
    }
    target.write(content.as_bytes())?;
    Ok(Return::changed(changes, format!("Appended {} lines", added.len())))
}

fn prepend(call: &Call<'_>) -> Result<Return, Failed> {
    let Opened { target, is_new } = open(call, "file.prepend")?;
    if is_new && call.preview {
        return Ok(would_create(&target.path));
    }
    let texts = texts(call)?;
    let mut added = Vec::new();
    if call.args.flag("header", false) {
        added.extend(texts.iter().flat_map(|chunk| lines::bare(chunk)));
        let head = lines::of_text(target.text()?).into_iter().take(added.len());
        if head.flat_map(lines::bare).eq(added.iter().copied()) {
            added.clear();
        }
    } else {
        for chunk in &texts {
            if !target.has(&spaced(chunk)?)? {
                added.extend(lines::bare(chunk));
            }
        }
    }
    if added.is_empty() {
        return already_right(call, &target, is_new);
    }
    let old = target.text()?;
    let content = added.iter().flat_map(|line| [line, "\n"]).collect::<String>() + old;
    let shown = if diff::is_text(&target.content) {
        diff::unified(&lines::of_text(old), &lines::of_text(&content))
    } else {
        "Replace binary file".to_owned()
    };
    let changes = dict([("diff", Data::from(shown))]);
    if call.preview {
        return Ok(Return::would(changes, format!("File {} is set to be updated", target.path)));
    }
    target.write(content.as_bytes())?;
    Ok(Return::changed(changes, format!("Prepended {} lines", added.len())))
}

/// The file to add to, which need not be there yet.
struct Opened {
    target: Target,
    is_new: bool,
}

/// Reads the file; where there is none, sees to it that there is a folder for it.
fn open(call: &Call<'_>, function: &str) -> Result<Opened, Failed> {
    let path = file::absolute(call, function)?;
    if path.exists() {
        return Ok(Opened { target: Target::read(path)?, is_new: false });
    }
    let folder = path.parent().unwrap_or(Utf8Path::new("/"));
    if !call.preview && !folder.is_dir() {
        if !call.args.flag("makedirs", false) {
            return Err(not_found(&path));
        }
        disk::create_folder(folder, Attributes::default(), Attributes::default())?;
    }
    Ok(Opened { target: Target { path, content: Vec::new() }, is_new: true })
}

fn would_create(path: &Utf8Path) -> Return {
    Return::would(dict([("new", Data::from(path.as_str()))]), format!("File {path} is set to be created"))
}

/// There is nothing to add, but perhaps a file to create.
fn already_right(call: &Call<'_>, target: &Target, is_new: bool) -> Result<Return, Failed> {
    let mut changes = Dict::default();
    if is_new && !call.preview {
        target.write(b"")?;
        changes.insert("new", target.path.as_str());
    }
    Ok(Return::changed(changes, format!("File {} is in correct state", target.path)))
}

/// The texts to add: those of the sources if there are any.
fn texts(call: &Call<'_>) -> Result<Vec<String>, Failed> {
    if let Some(texts) = source::texts(call)? {
        return Ok(texts);
    }
    match call.args.get("text") {
        None => Err("No text found to append. Nothing appended".into()),
        Some(Data::List(items)) => Ok(items.iter().map(printed).collect()),
        Some(text) => Ok(vec![printed(text)]),
    }
}

/// An expression of lines with these words, whatever blanks are between and around them.
fn spaced(text: &str) -> Result<String, Failed> {
    let mut pattern = String::from("(?m)^");
    for line in lines::bare(text) {
        let words: Vec<String> = words::split(line)?.iter().map(|word| escaped(word)).collect();
        pattern.extend([r"(?:[\s]+)?", &words.join(r"(?:[\s]+)?"), r"(?:[\s]+)?"]);
    }
    Ok(pattern + "$")
}

/// The lines of a text, each with the same end.
fn bare(text: &str) -> Vec<String> {
    lines::bare(text).into_iter().map(|line| format!("{line}\n")).collect()
}

fn parted(diff: &str) -> String {
    let part = |(at, line): (usize, &str)| {
        if at < 2 || line.starts_with("@@") { format!("{line}\n") } else { line.to_owned() }
    };
    diff.strip_suffix('\n').unwrap_or(diff).split('\n').enumerate().map(part).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_whatever_is_between_them() {
        assert_eq!(spaced("a  b.c").unwrap(), r"(?m)^(?:[\s]+)?a(?:[\s]+)?b\.c(?:[\s]+)?$");
        assert_eq!(spaced("").unwrap(), "(?m)^$");
    }
}
