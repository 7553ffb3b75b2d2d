//! What is mounted, as the kernel says it in `/proc/self/mountinfo`.

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use super::fstab::unescaped;
use crate::states::Failed;

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    pub(super) point: Utf8PathBuf,
    pub(super) device: String,
    /// The options of the mount itself and those of the file system.
    pub(super) options: Vec<String>,
}

/// All mounts, in the order in which they were made.
pub(super) struct Active(Vec<Mount>);

impl Active {
    pub(super) fn read() -> Result<Self, Failed> {
        Ok(Self::parse(&fs::read_to_string("/proc/self/mountinfo")?))
    }

    fn parse(text: &str) -> Self {
        Self(text.lines().filter_map(mount).collect())
    }

    /// What is mounted at a path: the last one, where there are several.
    pub(super) fn at(&self, point: &Utf8Path) -> Option<&Mount> {
        self.0.iter().rfind(|mount| mount.point == point)
    }

    /// What a path lies on.
    pub(super) fn under(&self, path: &Utf8Path) -> Option<&Mount> {
        path.ancestors().find_map(|above| self.at(above))
    }
}

/// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`.
fn mount(line: &str) -> Option<Mount> {
    let (own, source) = line.split_once(" - ")?;
    let mut own = own.split(' ').skip(4);
    let (point, options) = (own.next()?, own.next()?);
    let mut source = source.split(' ').skip(1);
    let (device, more) = (source.next()?, source.next().unwrap_or_default());
    let options = options.split(',').chain(more.split(',')).map(unescaped).collect();
    Some(Mount { point: unescaped(point).into(), device: unescaped(device), options })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const TEXT: &str = "\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
40 22 0:36 / /mnt/a\\040b rw,nosuid - tmpfs tmpfs rw,size=1024k,mode=700
41 22 8:2 / /srv ro - ext4 /dev/sdb1 ro
42 41 8:3 / /srv rw master:2 propagate_from:1 - xfs /dev/sdc1 rw
";

    #[test]
    fn the_last_mount_of_a_path_counts_and_a_path_lies_on_the_nearest_one() {
        let active = Active::parse(TEXT);
        assert_eq!(active.at("/srv".into()).unwrap().device, "/dev/sdc1");
        let tmp = active.at("/mnt/a b".into()).unwrap();
        assert_eq!(tmp.options, ["rw", "nosuid", "rw", "size=1024k", "mode=700"]);
        assert_eq!(active.under("/srv/x/y".into()).unwrap().device, "/dev/sdc1");
        assert_eq!(active.under("/etc".into()).unwrap().device, "/dev/sda1");
        assert!(active.at("/etc".into()).is_none());
    }
}
