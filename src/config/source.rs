//! A file that a person wrote: its text, and where in it something stands.
//!
//! Offsets are bytes into the text, which has no byte order mark and no carriage return at the end of
//! a line: a command over several lines would not run with it. A person sees lines and columns.

use std::io::Read;
use std::sync::Arc;

use camino::Utf8Path;
use fs_err::File;
use toml::Spanned;
use toml::de::DeTable;

use crate::config::syntax;
use crate::error::{Error, Result};
use crate::model::Place;

/// The largest file that is read; what is larger was not written by a person.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// A file's name and text.
#[derive(Debug)]
pub(super) struct Source {
    file: Arc<str>,
    text: String,
    /// The offset of each line's first byte.
    lines: Vec<usize>,
}

impl Source {
    /// Reads a file that has to be UTF-8 and of a size that a person writes.
    pub(super) fn read(path: &Utf8Path) -> Result<Self> {
        let file = File::open(path.as_std_path()).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::usage(format!("{path}: there is no such file")),
            _ => error.into(),
        })?;
        if file.metadata()?.is_dir() {
            return Err(Error::usage(format!("{path}: wanted a file, found a folder")));
        }
        let mut bytes = Vec::new();
        file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
        match String::from_utf8(bytes) {
            Ok(text) => Self::new(path.as_str(), &text),
            Err(error) => Err(not_utf8(path.as_str(), error.as_bytes(), error.utf8_error().valid_up_to())),
        }
    }

    /// Takes a text as the content of the file of that name.
    pub(super) fn new(file: &str, text: &str) -> Result<Self> {
        if text.len() > MAX_BYTES {
            return Err(Error::usage(format!("{file}: larger than 16 MiB")));
        }
        Ok(Self::from_text(file, text))
    }

    fn from_text(file: &str, text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { file: file.into(), text, lines }
    }

    /// The file as the person named it.
    pub(super) fn file(&self) -> &str {
        &self.file
    }

    /// The text without a byte order mark.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The text as a tree of tables and values, each with its place.
    pub(super) fn parse(&self) -> Result<Spanned<DeTable<'_>>> {
        DeTable::parse(&self.text).map_err(|error| syntax::explain(self, &error))
    }

    /// The line and column of an offset; one that is past the end is at the end.
    pub(super) fn place(&self, offset: usize) -> Place {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = self.lines.get(line - 1).copied().unwrap_or(0);
        Place { file: self.file.clone(), line, column: self.text[start..offset].chars().count() + 1 }
    }

    /// A line and column of the file, both counted from one.
    pub(super) fn place_at(&self, line: usize, column: usize) -> Place {
        Place { file: self.file.clone(), line, column }
    }

    /// An error at an offset.
    pub(super) fn error(&self, offset: usize, message: impl std::fmt::Display) -> Error {
        Error::usage(format!("{}: {message}", self.place(offset)))
    }
}

/// An error at a place.
pub(super) fn error(place: &Place, message: impl std::fmt::Display) -> Error {
    Error::usage(format!("{place}: {message}"))
}

fn not_utf8(file: &str, bytes: &[u8], valid: usize) -> Error {
    let sixteen_bits = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    let found = bytes.get(valid).copied().unwrap_or_default();
    // What is valid up to the byte is enough to count lines and columns in.
    let before = String::from_utf8_lossy(&bytes[..valid]);
    let error =
        Source::from_text(file, &before).error(usize::MAX, format!("wanted UTF-8, found the byte 0x{found:02x}"));
    if sixteen_bits { error.hint("the file looks like UTF-16: save it as UTF-8") } else { error }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, wanted: &str) -> String {
        let source = Source::new("f", text).unwrap();
        let offset = source.text().find(wanted).unwrap();
        source.place(offset).to_string()
    }

    #[test]
    fn lines_and_columns_count_from_one_and_columns_in_characters() {
        assert_eq!(at("x", "x"), "f:1:1");
        assert_eq!(at("a\n\nä = ö x", "x"), "f:3:7");
    }

    #[test]
    fn a_byte_order_mark_and_windows_line_ends_move_no_place() {
        assert_eq!(at("\u{feff}x", "x"), "f:1:1");
        assert_eq!(at("a\r\nb x\r\n", "x"), "f:2:3");
    }

    #[test]
    fn an_offset_past_the_end_is_at_the_end() {
        let source = Source::new("f", "a\nbc\n").unwrap();
        assert_eq!(source.place(999).to_string(), "f:3:1");
    }

    #[test]
    fn what_is_no_text_file_is_refused_with_its_reason() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(folder.path()).unwrap();
        let refusal = |name: &str, bytes: &[u8]| {
            let path = folder.join(name);
            std::fs::write(&path, bytes).unwrap();
            let error = Source::read(&path).unwrap_err();
            (error.message.replace(folder.as_str(), "."), error.hint)
        };
        assert_eq!(refusal("latin", b"a\r\nb = \xfc").0, "./latin:2:5: wanted UTF-8, found the byte 0xfc");
        let (_, hint) = refusal("wide", b"\xff\xfea\0");
        assert_eq!(hint.as_deref(), Some("the file looks like UTF-16: save it as UTF-8"));
        assert_eq!(refusal("large", &vec![b'\n'; MAX_BYTES + 1]).0, "./large: larger than 16 MiB");

        let message = |path: &Utf8Path| Source::read(path).unwrap_err().message.replace(folder.as_str(), ".");
        assert_eq!(message(&folder.join("none")), "./none: there is no such file");
        assert_eq!(message(folder), ".: wanted a file, found a folder");
    }
}
