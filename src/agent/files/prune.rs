//! Keeps the store to a size, throwing away first what was not used for longest.

use std::io;
use std::time::{Duration, SystemTime};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use crate::agent::files::Hash;
use crate::agent::files::arrival::part_of;

/// What a store is kept to.
pub(super) struct Limits {
    /// Bytes, parts included.
    pub(super) bytes: u64,
    /// How long a file stays that nobody used.
    pub(super) age: Duration,
    /// How long a part stays that nobody continued.
    pub(super) part_age: Duration,
}

/// A file or a part: when it was used last, its size, its path.
type Kept = (SystemTime, u64, Utf8PathBuf);

/// Prunes a store that nobody uses, during the boot with that id.
pub(super) fn prune(folder: &Utf8Path, boot: &str, limits: &Limits) -> io::Result<()> {
    for entry in folder.read_dir_utf8()? {
        let entry = entry?;
        // What had not reached the disk when the power failed may be anything.
        if entry.file_type()?.is_dir() && entry.file_name() != boot {
            fs::remove_dir_all(entry.path())?;
        }
    }
    let kept = age(folder, boot, limits)?;
    let size: u64 = kept.iter().map(|(_, size, _)| size).sum();
    shrink(kept, size.saturating_sub(limits.bytes), &|_| false)
}

/// Throws away so many bytes, if there are so many, of what is not spared.
pub(super) fn make_room(
    folder: &Utf8Path,
    boot: &str,
    limits: &Limits,
    bytes: u64,
    spared: &dyn Fn(Hash) -> bool,
) -> io::Result<()> {
    shrink(age(folder, boot, limits)?, bytes, spared)
}

fn shrink(mut kept: Vec<Kept>, mut bytes: u64, spared: &dyn Fn(Hash) -> bool) -> io::Result<()> {
    kept.sort();
    for (_, size, path) in kept {
        if bytes == 0 {
            break;
        }
        let name = path.file_name().unwrap_or_default();
        if name.parse().ok().or_else(|| part_of(name)).is_none_or(|hash| !spared(hash)) {
            fs::remove_file(path)?;
            bytes = bytes.saturating_sub(size);
        }
    }
    Ok(())
}

/// Throws away what is too old, and says what stays.
fn age(folder: &Utf8Path, boot: &str, limits: &Limits) -> io::Result<Vec<Kept>> {
    let mut kept = Vec::new();
    for place in [folder, &folder.join(boot)] {
        for entry in place.read_dir_utf8()? {
            let entry = entry?;
            let (name, metadata) = (entry.file_name(), entry.metadata()?);
            if metadata.is_dir() || name == "lock" {
                continue;
            }
            let age = if name.parse::<Hash>().is_ok() {
                limits.age
            } else if let Some(whole) = part_of(name) {
                if folder.join(whole.to_string()).exists() { Duration::ZERO } else { limits.part_age }
            } else {
                Duration::ZERO
            };
            let used = metadata.modified()?;
            // A time in the future is a clock that was set back: it counts as now.
            if used.elapsed().unwrap_or_default() > age {
                fs::remove_file(entry.path())?;
            } else {
                kept.push((used, metadata.len(), entry.into_path()));
            }
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { bytes: 100, age: Duration::from_hours(100), part_age: Duration::from_hours(10) };

    struct Shelf(tempfile::TempDir);

    impl Shelf {
        fn folder(&self) -> &Utf8Path {
            Utf8Path::from_path(self.0.path()).unwrap()
        }

        /// A file last used so many hours ago.
        fn put(&self, name: &str, size: usize, hours: u64) {
            let path = self.folder().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, vec![0; size]).unwrap();
            let now = fs::metadata(&path).unwrap().modified().unwrap();
            fs::File::open(&path).unwrap().set_modified(now - Duration::from_hours(hours)).unwrap();
        }

        fn has(&self, name: &str) -> bool {
            self.folder().join(name).exists()
        }
    }

    #[test]
    fn what_was_used_last_stays_and_a_new_boot_keeps_only_what_was_on_disk() {
        let shelf = Shelf(tempfile::tempdir().unwrap());
        let name = |text: &str| Hash::of(text.as_bytes()).to_string();
        let [a, b, c, d] = ["a", "b", "c", "d"].map(name);
        shelf.put("lock", 0, 1000);
        shelf.put(&a, 60, 3);
        shelf.put(&b, 30, 2);
        shelf.put(&format!("now/{c}"), 60, 1);
        shelf.put(&d, 1, 101);
        shelf.put(&format!("{d}.0.part"), 1, 11);
        shelf.put(&format!("{c}.0.part"), 1, 2);
        shelf.put(&format!("{b}.0.part"), 1, 1);
        shelf.put(&format!("before/{a}"), 1, 1);
        prune(shelf.folder(), "now", &LIMITS).unwrap();
        assert!(shelf.has("lock") && shelf.has(&b) && shelf.has(&format!("now/{c}")));
        assert!(shelf.has(&format!("{c}.0.part")));
        for gone in [&a, &d, &format!("{d}.0.part"), &format!("{b}.0.part"), "before"] {
            assert!(!shelf.has(gone), "{gone}");
        }
    }
}
