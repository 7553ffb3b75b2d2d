//! Which options a mount lacks: what is compared is what the kernel shows.

use crate::formula::{Data, Dict};
use crate::states::arguments::text;
use crate::states::{Args, Failed, Host};

use super::active::Mount;

/// Options that the kernel does not show, by Salt's list and by `mount(8)`.
const INVISIBLE: [&str; 30] = [
    "_netdev",
    "actimeo",
    "auto",
    "backup-volfile-servers",
    "bg",
    "bind",
    "comment",
    "defaults",
    "delay_connect",
    "direct-io-mode",
    "group",
    "intr",
    "loop",
    "noauto",
    "nobootwait",
    "nofail",
    "nointr",
    "nonempty",
    "nouser",
    "owner",
    "password",
    "port",
    "rbind",
    "reconnect",
    "retry",
    "soft",
    "transform_symlinks",
    "user",
    "users",
    "remount",
];

/// Options with a value of which the kernel shows nothing.
const INVISIBLE_KEYS: [&str; 9] =
    ["actimeo", "comment", "credentials", "direct-io-mode", "password", "pass", "port", "retry", "secretfile"];

/// Options that are in force unless the kernel shows another.
const UNLESS: [(&str, &[&str]); 8] = [
    ("async", &["sync"]),
    ("atime", &["noatime"]),
    ("dev", &["nodev"]),
    ("diratime", &["nodiratime"]),
    ("exec", &["noexec"]),
    ("rw", &["ro"]),
    ("strictatime", &["noatime", "relatime"]),
    ("suid", &["nosuid"]),
];

/// What is not compared, and what is compared as something else.
pub(super) struct Rules {
    invisible: Vec<String>,
    invisible_keys: Vec<String>,
    ignored: Vec<String>,
    translated: Vec<(String, String)>,
}

impl Rules {
    /// The rules of a state for its file system.
    pub(super) fn of(args: &Args<'_>, fstype: &str) -> Result<Self, Failed> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let (mut invisible, mut invisible_keys) = (owned(&INVISIBLE), owned(&INVISIBLE_KEYS));
        invisible.extend(args.texts("extra_mount_invisible_options")?);
        invisible.extend(super::options(args, "hidden_opts")?);
        invisible_keys.extend(args.texts("extra_mount_invisible_keys")?);
        let mut ignored = if fstype == "ramfs" { owned(&["size"]) } else { Vec::new() };
        if let Some(keys) = mapping(args, "extra_mount_ignore_fs_keys")?.get(fstype) {
            ignored = keys.as_list().unwrap_or(std::slice::from_ref(keys)).iter().filter_map(text).collect();
        }
        let mut translated: Vec<_> =
            [("tcp", "proto=tcp"), ("udp", "proto=udp")].map(|(from, to)| (from.to_owned(), to.to_owned())).to_vec();
        let more = mapping(args, "extra_mount_translate_options")?;
        translated.extend(more.entries.iter().filter_map(|(from, to)| Some((text(from)?, text(to)?))));
        Ok(Self { invisible, invisible_keys, ignored, translated })
    }

    /// The wanted options that a mount does not have.
    pub(super) fn lacking(&self, host: &Host<'_>, wanted: &[String], there: &Mount, fstype: &str) -> Vec<String> {
        let number = |key: &str, name: &str| match key {
            "uid" => host.user(name).map(|user| user.uid),
            _ => host.group(name).map(|group| group.gid),
        };
        self.differing(wanted, there, fstype, number)
    }

    fn differing(
        &self,
        wanted: &[String],
        there: &Mount,
        fstype: &str,
        number: impl Fn(&str, &str) -> Option<u32>,
    ) -> Vec<String> {
        let shown: Vec<String> = there.options.iter().map(|option| plain(option, fstype, &number)).collect();
        let has = |option: &str| shown.iter().any(|shown| shown == option);
        let is_there = |option: &String| match UNLESS.into_iter().find(|(name, _)| name == option) {
            Some((_, others)) => !others.iter().any(|other| has(other)),
            None => has(option),
        };
        let wanted = wanted.iter().map(|option| {
            let translated = self.translated.iter().rfind(|(from, _)| from == option).map(|(_, to)| to);
            plain(translated.unwrap_or(option), fstype, &number)
        });
        wanted.filter(|option| !self.is_invisible(option, fstype) && !is_there(option)).collect()
    }

    fn is_invisible(&self, option: &str, fstype: &str) -> bool {
        let (key, value) = option.split_once('=').unwrap_or((option, ""));
        let is_default = fstype == "tmpfs" && matches!(option, "mode=1777" | "uid=0" | "gid=0");
        is_default
            || (key == "size" && value.ends_with('%'))
            || self.invisible.iter().any(|name| name == option)
            || self.invisible_keys.iter().chain(&self.ignored).any(|name| name == key)
            || key.starts_with("x-")
            || key.starts_with("X-")
    }
}

fn mapping(args: &Args<'_>, key: &str) -> Result<Dict, Failed> {
    match args.get(key) {
        None => Ok(Dict::default()),
        Some(Data::Dict(given)) => Ok((**given).clone()),
        Some(_) => Err(format!("`{key}` has to be a mapping").into()),
    }
}

/// An option as the kernel would show it.
fn plain(option: &str, fstype: &str, number: impl Fn(&str, &str) -> Option<u32>) -> String {
    let Some((key, value)) = option.split_once('=') else { return option.to_owned() };
    match key {
        "size" => kibibytes(value).map_or_else(|| option.to_owned(), |size| format!("size={size}k")),
        "user" if fstype == "cifs" => format!("username={value}"),
        "uid" | "gid" if value.parse::<u32>().is_err() => {
            number(key, value).map_or_else(|| option.to_owned(), |number| format!("{key}={number}"))
        }
        "mode" => format!("mode={}", value.trim_start_matches('0')),
        _ => option.to_owned(),
    }
}

/// A size in KiB, which is whole pages of memory.
fn kibibytes(text: &str) -> Option<u64> {
    const PAGE: u64 = 4096;
    let unit = text.chars().last()?.to_ascii_lowercase();
    let (digits, shift) = match unit {
        'k' | 'm' | 'g' | 't' => (text.get(..text.len() - 1)?, [('k', 10), ('m', 20), ('g', 30), ('t', 40)]),
        _ => (text, [('k', 0); 4]),
    };
    let shift = shift.into_iter().find(|(name, _)| *name == unit).map_or(0, |(_, shift)| shift);
    let bytes = digits.parse::<u64>().ok()?.checked_mul(1 << shift)?;
    Some(bytes.div_ceil(PAGE) * PAGE / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::states::returns::dict;

    fn lacking(options: &str, there: &str, fstype: &str) -> Vec<String> {
        let split = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
        let there = Mount { point: "/m".into(), device: "d".into(), options: split(there) };
        let chunk = dict([("hidden_opts", Data::from("inode64"))]);
        let number = |_: &str, name: &str| (name == "www").then_some(33);
        Rules::of(&Args::new(&chunk), fstype).unwrap().differing(&split(options), &there, fstype, number)
    }

    #[test]
    fn what_the_kernel_shows_otherwise_or_not_at_all_is_no_difference() {
        let shown = "rw,nosuid,relatime,rw,size=102400k,mode=755,uid=33";
        assert!(lacking("defaults,rw,nosuid,size=100M,mode=0755,uid=www,inode64", shown, "tmpfs").is_empty());
        assert!(lacking("size=50%,noauto,x-systemd.automount,_netdev", shown, "tmpfs").is_empty());
        assert!(lacking("defaults,exec,dev,async,mode=1777", "rw,relatime", "tmpfs").is_empty());
        assert!(lacking("tcp,user=me,password=secret", "rw,proto=tcp,username=me", "cifs").is_empty());
    }

    #[test]
    fn what_is_missing_or_contradicted_is_a_difference() {
        assert_eq!(lacking("noatime,exec,rw", "ro,noexec,relatime", "ext4"), ["noatime", "exec", "rw"]);
        assert_eq!(lacking("size=200m", "rw,size=102400k", "tmpfs"), ["size=204800k"]);
    }
}
