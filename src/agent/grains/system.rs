//! Grains of the running system: the kernel, what was started first, `SELinux`, ZFS, the machine's id.

use rustix::system::uname;
use serde_json::{Value, json};

use super::Grains;
use super::tree::Tree;

/// Sets the grains of `uname(1)`, which others need.
pub(super) fn add_kernel(grains: &mut Grains, tree: &Tree) {
    let uname = uname();
    // The same words are in files, which a test can have.
    let word = |file: &str, own: &std::ffi::CStr| {
        tree.trimmed(&format!("/proc/sys/kernel/{file}")).unwrap_or_else(|| own.to_string_lossy().into_owned())
    };
    grains.set("kernel", word("ostype", uname.sysname()));
    grains.set("nodename", word("hostname", uname.nodename()));
    grains.set("kernelrelease", word("osrelease", uname.release()));
    grains.set("kernelversion", word("version", uname.version()));
    grains.set("cpuarch", uname.machine().to_string_lossy().into_owned());
}

pub(super) fn add(grains: &mut Grains, tree: &Tree) {
    grains.set("init", init(tree));
    grains.set("ps", "ps -efHww");
    if tree.program("selinuxenabled").is_some() {
        grains.set("selinux", selinux(tree));
    }
    if let Some(line) = tree.text("/proc/cmdline")
        && let Some(parameters) = parameters(&line)
    {
        grains.set("kernelparams", parameters);
    }
    let id = ["/etc/machine-id", "/var/lib/dbus/machine-id"].into_iter().find(|path| tree.exists(path));
    if let Some(id) = id.and_then(|path| tree.trimmed(path)) {
        grains.set("machine_id", id);
    }
    grains.set("transactional", tree.program("transactional-update").is_some());
    let has_zfs = tree.exists("/sys/module/zfs") || tree.program("zfs-fuse").is_some();
    grains.set("zfs_support", has_zfs && tree.program("zpool").is_some());
    let pages = ["man5/zpool-features.5", "man7/zpool-features.7"];
    let has_page = pages
        .iter()
        .any(|page| ["", ".gz", ".xz"].iter().any(|ending| tree.exists(&format!("/usr/share/man/{page}{ending}"))));
    grains.set("zfs_feature_flags", has_page && tree.program("man").is_some());
}

/// What was started first.
fn init(tree: &Tree) -> &'static str {
    if tree.exists("/run/systemd/system") {
        return "systemd";
    }
    let line = tree.text("/proc/1/cmdline").unwrap_or_default().replace('\0', " ");
    let words: Vec<&str> = line.split_whitespace().collect();
    let program = words.first().and_then(|first| tree.program(first));
    if let Some(program) = program.filter(|program| program.ends_with("bin/init")) {
        let text = tree.bytes(&program).unwrap_or_default().to_ascii_lowercase();
        return first_word(&text).unwrap_or("unknown");
    }
    let has = |name: &str| tree.program(name).is_some_and(|path| words.contains(&path.as_str()));
    let known = ["supervisord", "dumb-init", "tini"].into_iter().find(|name| has(name));
    let is_runit = words == ["runit"] || words.contains(&"/sbin/my_init");
    known.or(is_runit.then_some("runit")).unwrap_or("unknown")
}

/// Which kind of `init` a program says to be: the first that is named in it, looked at in the same
/// pieces as Salt does.
fn first_word(program: &[u8]) -> Option<&'static str> {
    const PIECE: usize = 256 << 10;
    let known = ["upstart", "sysvinit", "systemd"];
    (0..program.len()).step_by(PIECE).find_map(|from| {
        let piece = &program[from.saturating_sub(7)..program.len().min(from + PIECE)];
        known.into_iter().find(|name| piece.windows(name.len()).any(|window| window == name.as_bytes()))
    })
}

/// `SELinux`, as `selinuxenabled` and `getenforce` tell it (`selinux(8)`).
fn selinux(tree: &Tree) -> Value {
    let mounts = tree.text("/proc/self/mounts").unwrap_or_default();
    let enabled = mounts.lines().any(|mount| mount.split_whitespace().nth(2) == Some("selinuxfs"));
    if tree.program("getenforce").is_none() {
        return json!({ "enabled": enabled });
    }
    let enforced = ["/sys/fs/selinux/enforce", "/selinux/enforce"].into_iter().find_map(|path| tree.trimmed(path));
    let enforced = match enforced.as_deref() {
        Some("1") if enabled => "Enforcing",
        Some(_) if enabled => "Permissive",
        _ => "Disabled",
    };
    json!({ "enabled": enabled, "enforced": enforced })
}

/// The kernel's parameters as pairs. One without a value has `null`, and so has one with two `=`.
fn parameters(line: &str) -> Option<Vec<Value>> {
    let words = shlex::split(line)?;
    let pair = |word: &String| match word.split('=').collect::<Vec<_>>().as_slice() {
        [name, value] => json!([name, value.trim_matches('"')]),
        [name, ..] => json!([name, null]),
        [] => Value::Null,
    };
    Some(words.iter().map(pair).collect())
}
