//! Where answers are written: on stdout and stderr, each a terminal or not.
//!
//! A terminal gets nothing that it would obey; anything else gets the bytes as they came.

use std::io::{self, ErrorKind};

use anstream::ColorChoice;

use super::groups::Group;
use super::text::{self, To};
use crate::report::screen::text::Style;

/// Writes groups. A reader that has seen enough is no error.
///
/// # Errors
/// When stdout cannot take it, such as a full disk.
pub fn print(groups: &[Group]) -> io::Result<()> {
    let (mut stdout, mut stderr) = (Stream::new(io::stdout().lock()), Stream::new(io::stderr().lock()));
    text::write(groups, &mut |to, style, bytes| match to {
        To::Stdout => stdout.put(style, bytes),
        To::Stderr => {
            // So that a terminal gets both in order.
            stdout.flush()?;
            // Nobody may be left to read it.
            let _ = stderr.put(style, bytes);
            Ok(())
        }
    })?;
    stdout.flush()
}

struct Stream<W> {
    to: W,
    is_terminal: bool,
    colour: bool,
    closed: bool,
}

impl<W: io::Write + anstream::stream::RawStream> Stream<W> {
    fn new(to: W) -> Self {
        let colour = anstream::AutoStream::choice(&to) != ColorChoice::Never;
        Self { is_terminal: to.is_terminal(), colour, closed: false, to }
    }

    fn put(&mut self, style: Style, bytes: &[u8]) -> io::Result<()> {
        let visible;
        let mut bytes = bytes;
        if self.is_terminal {
            visible = text::visible(bytes);
            bytes = &visible;
        }
        let painted = (self.colour && style != Style::Plain).then(|| style.paint(&String::from_utf8_lossy(bytes)));
        let bytes = painted.as_deref().map_or(bytes, str::as_bytes);
        self.write(|to| to.write_all(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write(W::flush)
    }

    fn write(&mut self, write: impl FnOnce(&mut W) -> io::Result<()>) -> io::Result<()> {
        if self.closed {
            return Ok(());
        }
        match write(&mut self.to) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            done => done,
        }
    }
}
