//! Looks at bytes on their way to where they are written.

use std::io::{self, Write};

/// Sees what was written.
pub(super) trait See {
    fn see(&mut self, bytes: &[u8]);
}

/// Passes on what is written, and shows it.
pub(super) struct Through<W, S> {
    pub(super) inner: W,
    pub(super) eye: S,
}

impl<W: Write, S: See> Write for Through<W, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.eye.see(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
