//! Random bytes, from the kernel.

use std::io::{self, Read as _};

/// Bytes that nobody can guess.
pub(super) fn bytes<const LENGTH: usize>() -> io::Result<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    fs_err::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}
