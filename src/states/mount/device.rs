//! Devices by the names that they go by: `/dev/sdb1`, `UUID=…`, `LABEL=…`, `/dev/vg/data`, `server:/export`.

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use crate::states::{Host, disk};

/// What a device can be known by besides its path, and where links say so.
const TAGS: [(&str, &str); 4] =
    [("UUID", "by-uuid"), ("LABEL", "by-label"), ("PARTUUID", "by-partuuid"), ("PARTLABEL", "by-partlabel")];

/// Where the links to devices are.
const LINKS: &str = "/dev/disk";

/// The tag and its value in `UUID="…"`.
fn tag(device: &str) -> Option<(&'static str, &'static str, &str)> {
    let (name, value) = device.split_once('=')?;
    let (tag, folder) = TAGS.into_iter().find(|(tag, _)| tag.eq_ignore_ascii_case(name))?;
    Some((tag, folder, value.trim_matches('"')))
}

/// Whether a device is named by a label, which has to be there.
pub(super) fn label(device: &str) -> Option<&str> {
    tag(device).filter(|(tag, ..)| *tag == "LABEL").map(|(.., value)| value)
}

/// What the kernel calls a device; `None` if it is known by something that no device has.
pub(super) fn real(host: &Host<'_>, device: &str) -> Option<String> {
    if let Some((tag, folder, value)) = tag(device) {
        return tagged(host, tag, folder, value).map(Utf8PathBuf::into_string);
    }
    if device.starts_with('/') {
        return Some(disk::real(Utf8Path::new(device)).into_string());
    }
    // `sshfs#host:` is what the kernel calls `host:`.
    let fuse = device.split_once('#').filter(|(kind, _)| kind.chars().all(|c| c.is_alphanumeric() || c == '_'));
    Some(fuse.map_or(device, |(_, name)| name).to_owned())
}

fn tagged(host: &Host<'_>, tag: &str, folder: &str, value: &str) -> Option<Utf8PathBuf> {
    let link = |value: &str| {
        let is_plain = !value.is_empty() && value.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:".contains(c));
        let link = Utf8Path::new(LINKS).join(folder).join(value);
        link.canonicalize_utf8().ok().filter(|_| is_plain && value != "." && value != "..")
    };
    let lower = value.to_lowercase();
    link(value).or_else(|| link(&lower)).or_else(|| {
        let found = host.ask("blkid", &["-c", "/dev/null", "-o", "device", "-t", &format!("{tag}={value}")])?;
        found.lines().next().map(|line| disk::real(Utf8Path::new(line.trim())))
    })
}

/// The ways to say which device it is that a mount has, beside the one that the kernel says.
pub(super) fn others(device: &str) -> Vec<String> {
    let mut others = vec![disk::real(Utf8Path::new(device)).into_string()];
    // A file that is mounted through a loop device.
    let loop_device = device.strip_prefix("/dev/").filter(|name| name.starts_with("loop"));
    let file = loop_device.and_then(|name| fs::read_to_string(format!("/sys/block/{name}/loop/backing_file")).ok());
    others.extend(file.map(|file| file.trim_end().to_owned()));
    others
}

/// A device as `/etc/fstab` is to have it: by its path, or by one of its tags. `None` if it has no such name.
pub(super) fn converted(host: &Host<'_>, device: &str, by: Option<&str>) -> Option<String> {
    let Some(by) = by else { return Some(device.to_owned()) };
    if tag(device).is_some_and(|(tag, ..)| tag.eq_ignore_ascii_case(by)) {
        return Some(device.to_owned());
    }
    if by == "device" {
        return if device.starts_with('/') { Some(device.to_owned()) } else { real(host, device) };
    }
    let (tag, folder) = TAGS.into_iter().find(|(tag, _)| tag.eq_ignore_ascii_case(by))?;
    let path = real(host, device)?;
    let is_it = |link: &Utf8PathBuf| link.canonicalize_utf8().is_ok_and(|real| real == *path);
    let links = fs::read_dir(Utf8Path::new(LINKS).join(folder)).into_iter().flatten().flatten();
    let link = links.filter_map(|link| Utf8PathBuf::from_path_buf(link.path()).ok()).find(is_it);
    // A link has what is unusual in a label as `\x20`.
    let named = link.as_deref().and_then(Utf8Path::file_name).filter(|name| !name.contains('\\')).map(str::to_owned);
    let value = named.or_else(|| {
        let said = host.ask("blkid", &["-c", "/dev/null", "-o", "value", "-s", tag, &path])?;
        said.lines().next().map(str::to_owned).filter(|value| !value.is_empty())
    })?;
    Some(format!("{tag}={value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_known_by_its_tag_however_that_is_written() {
        assert_eq!(tag("uuid=\"AB-cd\""), Some(("UUID", "by-uuid", "AB-cd")));
        assert_eq!(label("LABEL=data"), Some("data"));
        assert_eq!((tag("server:/a=b"), label("UUID=a")), (None, None));
    }
}
