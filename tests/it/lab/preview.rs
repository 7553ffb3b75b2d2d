//! A preview of every function changes nothing on a real host.

use std::collections::BTreeMap;

use super::Site;
use crate::previews::{ALL, PREPARE, STAND_IN, functions};

/// All that a host's file systems have, but for upshift's own and what the system notes of whoever comes by. A folder changes
/// with what is in it.
const SNAPSHOT: &str = r"
left_out='-path /var/lib/upshift -o -path /var/log -o -path /root/.ssh/sockets'
for top in / /tmp; do
    find $top -xdev \( $left_out \) -prune -o ! -type d -printf '%p %y %m %U %G %T@ %l\n' -o -type d -printf '%p %y %m %U %G\n'
    find $top -xdev \( $left_out \) -prune -o -type f -exec sha256sum {} +
done | sort
mount -l | grep /srv
systemctl list-unit-files --no-legend; systemctl list-units --all --no-legend 'lab-*'";

/// Functions that are in the SLS for what they do to others, and change nothing themselves.
const STILL: [&str; 1] = ["file.accumulated"];

#[test]
fn a_preview_of_every_function_changes_nothing() {
    let site = Site::of(1);
    let host = site.hosts[0].clone();
    let files = [
        ("all.sls", ALL),
        ("all.sh", "#!/bin/sh\ntouch /srv/p/script\n"),
        ("debconf", "lab lab/question string new\n"),
        ("query.sql", "DELETE FROM t;\n"),
        ("tree/new", "new\n"),
    ];
    for (name, text) in files {
        site.sandbox.write(&format!("formulas/{name}"), text);
    }
    for (name, text, to) in [("stand-in", STAND_IN, "/usr/local/sbin/stand-in"), ("prepare", PREPARE, "/root/prepare")]
    {
        site.sandbox.write(name, text);
        site.upshift(["copy", &host, name, to, "--mode", "755"]).with(0);
    }
    assert_eq!(site.inside(&host, "sh /root/prepare >/root/said 2>&1 || cat /root/said"), "");
    let before = site.inside(&host, SNAPSHOT);
    let ended = site.upshift(["apply", &host, "all", "--preview", "--all"]).with(0);
    let after = site.inside(&host, SNAPSHOT);
    let differing: Vec<_> = differing(&before, &after);
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    assert!(before.lines().count() > 5_000, "{before}");
    // A stand-in leaves a mark for what it is not asked in a preview, which the snapshot has. They were asked.
    assert!(site.inside(&host, "cut -d' ' -f1 /run/asked | sort -u | wc -l").parse::<u32>().unwrap() >= 8);
    for function in functions().into_iter().filter(|function| !STILL.contains(function)) {
        assert!(ended.out.contains(&format!("would change: {function} ")), "{function}: {}", ended.out);
    }
    site.lab(["reset", &host]);
}

/// The lines that two snapshots do not share.
fn differing(before: &str, after: &str) -> Vec<String> {
    let mut counts: BTreeMap<&str, i32> = BTreeMap::new();
    for line in before.lines() {
        *counts.entry(line).or_default() -= 1;
    }
    for line in after.lines() {
        *counts.entry(line).or_default() += 1;
    }
    let sign = |count: i32| if count < 0 { '-' } else { '+' };
    counts.into_iter().filter(|(_, count)| *count != 0).map(|(line, count)| format!("{}{line}", sign(count))).collect()
}
