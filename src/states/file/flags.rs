//! The flags of `chattr(1)`, which some file systems have for their files.

use camino::Utf8Path;
use fs_err as fs;
use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};

use crate::formula::Data;
use crate::states::Failed;
use crate::states::returns::old_new;

/// The flags that can be set, by their letters, in the order in which `lsattr(1)` lists them.
const LETTERS: [(char, IFlags); 15] = [
    ('s', IFlags::SECURE_REMOVAL),
    ('u', IFlags::UNRM),
    ('S', IFlags::SYNC),
    ('D', IFlags::DIRSYNC),
    ('i', IFlags::IMMUTABLE),
    ('a', IFlags::APPEND),
    ('d', IFlags::NODUMP),
    ('A', IFlags::NOATIME),
    ('c', IFlags::COMPRESSED),
    ('j', IFlags::JOURNALING),
    ('t', IFlags::NOTAIL),
    ('T', IFlags::TOPDIR),
    ('e', EXTENTS),
    ('C', IFlags::NOCOW),
    ('P', IFlags::PROJECT_INHERIT),
];

/// Extents, which can be set and never taken away.
const EXTENTS: IFlags = IFlags::from_bits_retain(0x0008_0000);

/// Whether all of these are flags.
pub(super) fn are_known(letters: &str) -> bool {
    letters.chars().all(|letter| LETTERS.iter().any(|(known, _)| *known == letter))
}

/// Gives a file these flags and no others, and says what was changed.
pub(super) fn settle(path: &Utf8Path, letters: &str, preview: bool) -> Result<Option<Data>, Failed> {
    let failed = |error: std::io::Error| Failed::from(format!("Failed to change attributes to {letters}: {error}"));
    let file = fs::File::open(path)?;
    let there = match ioctl_getflags(&file) {
        Ok(there) => there,
        Err(_) if letters.is_empty() => return Ok(None),
        Err(error) => return Err(failed(error.into())),
    };
    let all = LETTERS.iter().fold(IFlags::empty(), |all, (_, flag)| all | *flag);
    let wanted = LETTERS.iter().filter(|(letter, _)| letters.contains(*letter));
    let wanted = wanted.fold(there & EXTENTS, |wanted, (_, flag)| wanted | *flag);
    if there & all == wanted {
        return Ok(None);
    }
    if !preview {
        ioctl_setflags(&file, (there & !all) | wanted).map_err(|error| failed(error.into()))?;
    }
    let old: String = LETTERS.iter().filter(|(_, flag)| there.contains(*flag)).map(|(letter, _)| *letter).collect();
    Ok(Some(old_new(old.as_str(), letters)))
}
