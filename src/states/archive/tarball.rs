//! tar archives: read here, unpacked by the host's `tar`.

use std::fs::File;
use std::io::{BufReader, Read};
use std::process::{Child, Command, Stdio};

use flate2::read::MultiGzDecoder;

use super::contents::{Contents, Kind};
use super::source::Archive;
use super::{Utf8Path, Wanted};
use crate::formula::facts::split;
use crate::states::{self, Call, Failed};

/// What a compressed file begins with, and the program that reads it.
const COMPRESSIONS: [(&[u8], &str); 4] =
    [(b"BZh", "bzip2"), (b"\xfd7zXZ\0", "xz"), (b"\x5d\0\0", "xz"), (b"\x28\xb5\x2f\xfd", "zstd")];

/// Everything in an archive.
pub(super) fn contents(call: &Call<'_>, wanted: &Wanted<'_>, archive: &Archive) -> Result<Contents, Failed> {
    let path = archive.path();
    let (reader, program) = open(wanted, path)?;
    let members = members(call, reader);
    let ended = program.map(|mut program| {
        // It may have more to say than was read.
        let _ = program.child.kill();
        program.child.wait()
    });
    drop(ended);
    Contents::new(members.map_err(|why| format!("Failed to list contents of {path}: {why}"))?)
}

/// A program that decompresses.
struct Program {
    child: Child,
}

fn open(wanted: &Wanted<'_>, path: &Utf8Path) -> Result<(Box<dyn Read>, Option<Program>), Failed> {
    let words = if let Some(options) = wanted.args.text("list_options")? {
        split(&options)?
    } else {
        let mut begin = [0; 6];
        let length = fs_err::File::open(path)?.read(&mut begin)?;
        let begin = begin.get(..length).unwrap_or_default();
        if begin.starts_with(b"\x1f\x8b") {
            return Ok((Box::new(MultiGzDecoder::new(BufReader::new(File::open(path)?))), None));
        }
        match COMPRESSIONS.into_iter().find(|(magic, _)| begin.starts_with(magic)) {
            Some((_, program)) => vec![program.to_owned(), "--decompress".to_owned(), "--stdout".to_owned()],
            None => return Ok((Box::new(BufReader::new(File::open(path)?)), None)),
        }
    };
    let Some((program, arguments)) = words.split_first() else { return Err("`list_options` is empty".into()) };
    let mut command = Command::new(program);
    command.args(arguments).arg(path).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| format!("cannot run `{program}`, which lists {path}: {error}"))?;
    let output = child.stdout.take().ok_or("a program has no output")?;
    Ok((Box::new(BufReader::new(output)), Some(Program { child })))
}

fn members(call: &Call<'_>, reader: Box<dyn Read>) -> Result<Vec<(String, Kind)>, String> {
    let mut archive = tar::Archive::new(reader);
    let mut members = Vec::new();
    for entry in archive.entries().map_err(|error| error.to_string())? {
        let entry = entry.map_err(|error| error.to_string())?;
        if call.host.listener().is_stopped() {
            return Err("everything is to stop".to_owned());
        }
        let kind = match entry.header().entry_type() {
            tar::EntryType::Symlink => Kind::Link,
            tar::EntryType::Directory => Kind::Folder,
            tar::EntryType::XGlobalHeader => continue,
            _ => Kind::File,
        };
        let path = String::from_utf8_lossy(&entry.path_bytes()).trim_end_matches('/').to_owned();
        members.push((if kind == Kind::Folder { path + "/" } else { path }, kind));
    }
    if members.is_empty() { Err("there is nothing in it that is a tar archive".to_owned()) } else { Ok(members) }
}

/// Unpacks an archive. Without options, the paths are said as they are in the archive, else as `tar` says them.
pub(super) fn unpack(
    call: &Call<'_>,
    wanted: &Wanted<'_>,
    archive: &Archive,
    contents: &Contents,
) -> Result<Vec<String>, Failed> {
    let words = arguments(wanted.options.as_deref().unwrap_or_default(), archive.path())?;
    let command = states::Command::new("tar", &words).folder(&wanted.name).quiet();
    let output = call.host.run(command)?;
    if !output.is_success() {
        return Err(format!("`tar` failed: {}", output.why()).into());
    }
    let most = wanted.trim.unwrap_or(usize::MAX);
    if wanted.options.is_none() {
        return Ok(contents.paths().take(most).map(str::to_owned).collect());
    }
    let lines: Vec<String> = output.stdout.lines().take(most).map(str::to_owned).collect();
    Ok(if lines.is_empty() { vec!["no tar output so far".to_owned()] } else { lines })
}

/// What `tar` is told: the first word of the options may be letters without a dash.
fn arguments(options: &str, path: &Utf8Path) -> Result<Vec<String>, Failed> {
    let words = split(options)?;
    let words: Vec<String> =
        words.into_iter().filter(|word| !matches!(word.as_str(), "v" | "-v" | "--verbose")).collect();
    let mut letters = "xv".to_owned();
    let mut rest = Vec::new();
    for (at, word) in words.into_iter().enumerate() {
        if at == 0 && !word.starts_with('-') {
            letters.extend(word.chars().filter(|letter| !matches!(letter, 'x' | 'f')));
        } else {
            rest.push(word);
        }
    }
    rest.insert(0, letters);
    rest.extend(["-f".to_owned(), path.to_string()]);
    Ok(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_may_be_letters_or_words() {
        let said = |options: &str| arguments(options, "/a.tar".into()).unwrap().join(" ");
        assert_eq!(said(""), "xv -f /a.tar");
        assert_eq!(said("v"), "xv -f /a.tar");
        assert_eq!(said("xzf --strip-components=1"), "xvz --strip-components=1 -f /a.tar");
        assert_eq!(said("--strip-components 1 -v"), "xv --strip-components 1 -f /a.tar");
    }
}
