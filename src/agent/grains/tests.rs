//! Distributions, machines and names that this machine is not, below a root of their own.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Facts, collect};

/// A host made of a few files.
struct Host(tempfile::TempDir);

impl Host {
    fn with(files: &[(&str, &str)]) -> Self {
        let host = Self(tempfile::tempdir().unwrap());
        for (path, text) in files {
            let path = host.root().join(path.trim_start_matches('/'));
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        host
    }

    fn root(&self) -> &Utf8Path {
        Utf8Path::from_path(self.0.path()).unwrap()
    }

    fn path(&self, path: &str) -> Utf8PathBuf {
        self.root().join(path.trim_start_matches('/'))
    }

    /// Makes a file a program.
    fn executable(self, path: &str) -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        fs_err::set_permissions(self.path(path), std::fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    fn grains(&self) -> Map<String, Value> {
        collect(&Facts { root: self.root(), id: None, now: Timestamp::UNIX_EPOCH })
    }

    #[track_caller]
    fn has(&self, expected: &Value) {
        let grains = self.grains();
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(grains.get(name), Some(value), "{name}");
        }
    }
}

#[derive(Deserialize)]
struct Distribution {
    files: BTreeMap<String, Vec<String>>,
    salt: Map<String, Value>,
}

#[test]
fn distributions_are_what_salt_says_they_are() {
    // What Salt says was written down by `tests/fixtures/grains/ask-salt.py`.
    let text = include_str!("../../../tests/fixtures/grains/distributions.json");
    let distributions: BTreeMap<String, Distribution> = serde_json::from_str(text).unwrap();
    let mut wrong = Vec::new();
    for (name, distribution) in &distributions {
        let files: Vec<(String, String)> =
            distribution.files.iter().map(|(name, lines)| (format!("/etc/{name}"), lines.join("\n"))).collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let grains = Host::with(&files).grains();
        let about = |grain: &&String| grain.starts_with("os") && *grain != "osarch" || grain.starts_with("lsb_");
        for grain in distribution.salt.keys().chain(grains.keys()).filter(about) {
            let (ours, salts) = (grains.get(grain), distribution.salt.get(grain));
            if ours != salts {
                wrong.push(format!("{name}: {grain}: {ours:?}, Salt: {salts:?}"));
            }
        }
    }
    wrong.dedup();
    assert!(distributions.len() > 35);
    // Each grain is compared twice; this is the one difference that is on purpose.
    let jessie = r#"debian-8: oscodename: Some(String("jessie")), Salt: Some(String("Debian GNU/Linux 8 (jessie)"))"#;
    wrong.retain(|line| line != jessie);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const FIRMWARE: &str = "/sys/class/dmi/id";

fn machine(firmware: &[(&str, &str)], more: &[(&str, &str)]) -> Value {
    let paths: Vec<String> = firmware.iter().map(|(name, _)| format!("{FIRMWARE}/{name}")).collect();
    let mut files: Vec<(&str, &str)> =
        paths.iter().map(String::as_str).zip(firmware.iter().map(|(_, text)| *text)).collect();
    files.extend(more);
    let grains = Host::with(&files).grains();
    json!([grains.get("virtual"), grains.get("virtual_subtype")])
}

#[test]
fn machines_are_told_by_what_their_maker_wrote() {
    let clocks = "/sys/devices/system/clocksource/clocksource0/available_clocksource";
    let kvm = [(clocks, "kvm-clock tsc acpi_pm")];
    let qemu =
        [("sys_vendor", "QEMU\n"), ("product_name", "Standard PC (Q35 + ICH9, 2009)\n"), ("bios_vendor", "SeaBIOS\n")];
    assert_eq!(machine(&qemu, &kvm), json!(["kvm", null]));
    assert_eq!(machine(&qemu, &[]), json!(["qemu", null]));
    assert_eq!(
        machine(&[("sys_vendor", "OpenStack Foundation"), ("product_name", "OpenStack Nova")], &kvm),
        json!(["kvm", null])
    );
    assert_eq!(machine(&[("sys_vendor", "VMware, Inc.")], &[]), json!(["VMware", null]));
    assert_eq!(machine(&[("sys_vendor", "Xen"), ("product_name", "HVM domU")], &[]), json!(["xen", null]));
    assert_eq!(
        machine(&[("sys_vendor", "Microsoft Corporation"), ("product_name", "Virtual Machine")], &[]),
        json!(["VirtualPC", null])
    );
    assert_eq!(
        machine(&[("sys_vendor", "Amazon EC2"), ("product_name", "m5.large")], &kvm),
        json!(["Nitro", "Amazon EC2"])
    );
    assert_eq!(
        machine(&[("sys_vendor", "Dell Inc."), ("product_name", "PowerEdge R640")], &[]),
        json!(["physical", null])
    );
    assert_eq!(
        machine(&[("sys_vendor", "Microsoft Corporation"), ("product_name", "Surface")], &[]),
        json!(["physical", null])
    );
}

#[test]
fn containers_are_told_whatever_they_run_on() {
    let clocks = ("/sys/devices/system/clocksource/clocksource0/available_clocksource", "kvm-clock");
    assert_eq!(machine(&[], &[clocks, ("/.dockerenv", "")]), json!(["container", "Docker"]));
    assert_eq!(machine(&[], &[clocks, ("/proc/1/environ", "A=b\0container=lxc\0")]), json!(["container", "LXC"]));
    assert_eq!(machine(&[], &[("/run/systemd/container", "systemd-nspawn\n")]), json!(["systemd-nspawn", null]));
    assert_eq!(machine(&[], &[("/proc/1/cgroup", "4:cpu:/docker/0af\n")]), json!(["container", "Docker"]));
    assert_eq!(machine(&[], &[("/proc/1/cgroup", "4:cpu:/kubepods/pod1\n")]), json!(["virtual", "kubernetes"]));
}

#[test]
fn a_host_that_says_nothing_has_grains_all_the_same() {
    let grains = Host::with(&[]).grains();
    assert_eq!(grains["os_family"], grains["os"]);
    assert_eq!(grains["num_cpus"], 0);
    assert_eq!(grains["virtual"], "physical");
    assert_eq!(grains.get("osrelease_info"), None);
    assert_eq!(grains.get("dns"), None);
}

#[test]
fn files_that_are_no_text_do_no_harm() {
    let paths = [
        "/etc/os-release",
        "/etc/lsb-release",
        "/etc/hosts",
        "/etc/resolv.conf",
        "/etc/passwd",
        "/etc/localtime",
        "/etc/salt/grains",
        "/etc/redhat-release",
        "/proc/cpuinfo",
        "/proc/meminfo",
        "/proc/cmdline",
        "/proc/net/route",
        "/proc/net/ipv6_route",
        "/sys/class/dmi/id/product_name",
        "/usr/bin/dpkg",
        "/usr/share/misc/pci.ids",
        "/sys/class/net/lo/ifindex",
    ];
    // Every byte, runs of separators, and what looks like the start of something.
    let bytes: Vec<u8> = (0..=255).collect();
    for noise in [
        &bytes[..],
        b"",
        b"=:=:=\n===\n::::\n   \n(()),,",
        b"ID=debian\nNAME=\nVERSION=(\n",
        b"\x7fELF",
        b"-1 : 5 \xff/",
    ] {
        let host = Host::with(&[]);
        for path in paths {
            let path = host.path(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, noise).unwrap();
        }
        assert!(host.grains().len() > 50);
    }
}

#[test]
fn the_full_name_is_the_first_of_its_line() {
    let own = ("/proc/sys/kernel/hostname", "ctl01\n");
    let hosts = "127.0.0.1 localhost\n127.0.1.1 ctl01.mk22.local ctl01 # own\n10.20.0.11 ctl01.mk22.local\n";
    Host::with(&[own, ("/etc/hosts", hosts)]).has(&json!({
        "fqdn": "ctl01.mk22.local", "host": "ctl01", "domain": "mk22.local", "nodename": "ctl01", "localhost": "ctl01",
        "id": "ctl01.mk22.local", "fqdn_ip4": ["10.20.0.11", "127.0.1.1"],
    }));
    // The id is the first name with a dot, wherever it is.
    Host::with(&[own, ("/etc/hosts", "10.0.0.1 ctl01 ctl01.mk22.local")])
        .has(&json!({ "fqdn": "ctl01", "domain": "", "id": "ctl01.mk22.local" }));
    Host::with(&[own, ("/etc/salt/minion_id", "ctl01.old")]).has(&json!({ "fqdn": "ctl01", "id": "ctl01.old" }));
    Host::with(&[own]).has(&json!({ "fqdn": "ctl01", "host": "ctl01", "domain": "", "id": "ctl01", "fqdn_ip4": [] }));
}

#[test]
fn the_controller_names_the_host() {
    let host = Host::with(&[("/proc/sys/kernel/hostname", "other")]);
    let grains = collect(&Facts { root: host.root(), id: Some("vm"), now: Timestamp::UNIX_EPOCH });
    assert_eq!((&grains["id"], &grains["fqdn"]), (&json!("vm"), &json!("other")));
    // As Salt computes it for this name.
    assert_eq!(grains["server_id"], 2_067_164_805);
}

#[test]
fn packages_say_what_they_are_built_for() {
    let debian = ("/etc/os-release", "NAME=\"Debian GNU/Linux\"\nID=debian\nVERSION_ID=12");
    let rocky = ("/etc/os-release", "NAME=\"Rocky Linux\"\nID=rocky\nVERSION_ID=9.3");
    let program = |class: u8, data: u8, machine: [u8; 2], flags: u8| {
        let mut head = vec![0; 64];
        head[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', class, data]);
        head[18..20].copy_from_slice(&machine);
        head[37] = flags;
        head
    };
    let arch = |release, path: &str, head: Vec<u8>| {
        let host = Host::with(&[release, (path, "")]).executable(path);
        fs_err::write(host.path(path), head).unwrap();
        host.grains()["osarch"].clone()
    };
    assert_eq!(arch(debian, "/usr/bin/dpkg", program(2, 1, [62, 0], 0)), "amd64");
    assert_eq!(arch(debian, "/usr/bin/dpkg", program(1, 1, [3, 0], 0)), "i386");
    assert_eq!(arch(debian, "/usr/bin/dpkg", program(2, 1, [183, 0], 0)), "arm64");
    assert_eq!(arch(debian, "/usr/bin/dpkg", program(1, 1, [40, 0], 4)), "armhf");
    assert_eq!(arch(debian, "/usr/bin/dpkg", program(1, 1, [40, 0], 2)), "armel");
    assert_eq!(arch(debian, "/usr/bin/dpkg", program(2, 2, [0, 22], 0)), "s390x");
    assert_eq!(arch(rocky, "/usr/bin/rpm", program(2, 1, [62, 0], 0)), "x86_64");
    assert_eq!(arch(rocky, "/usr/bin/rpm", program(2, 1, [21, 0], 0)), "ppc64le");
}

#[test]
fn a_resolver_is_read_as_salt_reads_it() {
    let text = "# c\nnameserver 10.0.0.1\nnameserver fe80::1%eth0\nnameserver 2001:db8:0::53 # x\nnameserver 10.0.0.1\n\
        search a.example b.example # c\ndomain d.example\noptions timeout:1 attempts:1\noptions rotate\noptions rotate\n\
        sortlist 130.155.160.0/255.255.240.0 130.155.0.0 10.1.0.0/16\nbogus\nnameserver\nnameserver x\n";
    let dns = json!({
        "nameservers": ["10.0.0.1", "fe80::1%eth0", "2001:db8::53"],
        "ip4_nameservers": ["10.0.0.1"],
        "ip6_nameservers": ["fe80::1%eth0", "2001:db8::53"],
        "sortlist": ["130.155.160.0/255.255.240.0", "130.155.0.0/255.255.0.0", "10.1.0.0/255.255.0.0"],
        "domain": "d.example", "search": ["a.example", "b.example"], "options": ["timeout:1", "rotate"],
    });
    Host::with(&[("/etc/resolv.conf", text)]).has(&json!({ "dns": dns }));
    let behind = ("/run/systemd/resolve/resolv.conf", text);
    Host::with(&[("/etc/resolv.conf", "nameserver 127.0.0.53"), behind]).has(&json!({ "dns": dns }));
}

#[test]
fn default_routes_are_found() {
    let v4 = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n\
        eth0\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\neth0\t00000000\t0102000A\t0003\t0\t0\t0\t00000000\n";
    let zeros = "00000000000000000000000000000000";
    let v6 = format!(
        "{zeros} 00 {zeros} 00 fd000000000000000000000000000002 00000800 1 0 00000003 eth0\n\
         {zeros} 00 {zeros} 00 fd000000000000000000000000000001 00000400 1 0 00000003 eth0\n\
         {zeros} 00 {zeros} 00 {zeros} ffffffff 1 0 00200200 lo\n"
    );
    let host = |v4: &str, v6: &str| {
        Host::with(&[("/sbin/ip", ""), ("/proc/net/route", v4), ("/proc/net/ipv6_route", v6)]).executable("/sbin/ip")
    };
    let gateway = if cfg!(target_endian = "little") { "10.0.2.1" } else { "1.2.0.10" };
    host(v4, &v6).has(&json!({ "ip_gw": true, "ip4_gw": gateway, "ip6_gw": "fd00::1" }));
    host("", "").has(&json!({ "ip_gw": false, "ip4_gw": false, "ip6_gw": false }));
    host(&v4.replace("0102000A", "00000000"), "").has(&json!({ "ip_gw": true, "ip4_gw": true, "ip6_gw": false }));
}

#[test]
fn graphics_have_the_names_of_lspci() {
    let names = "# comment\n1a03  ASPEED Technology, Inc.\n\t1150  AST1150\n\t2000  ASPEED Graphics Family\n\
        1a05  deltaww\n\t2000  Not this one\n\nC 03  Display controller\n";
    let device = |at: &str, file: &str| format!("/sys/bus/pci/devices/{at}/{file}");
    let mut files = vec![("/usr/bin/lspci".to_owned(), ""), ("/usr/share/misc/pci.ids".to_owned(), names)];
    let devices = [
        ("0000:00:02.0", "0x030000", "0x1a03", "0x2000"),
        ("0000:00:03.0", "0x030000", "0x1234", "0x1111"),
        ("0000:00:04.0", "0x020000", "0x1a03", "0x2000"),
    ];
    for (at, class, vendor, number) in devices {
        files.extend([(device(at, "class"), class), (device(at, "vendor"), vendor), (device(at, "device"), number)]);
    }
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
    let gpus = json!([
        { "vendor": "aspeed", "model": "ASPEED Graphics Family" },
        { "vendor": "unknown", "model": "Device 1111" },
    ]);
    Host::with(&files).executable("/usr/bin/lspci").has(&json!({ "num_gpus": 2, "gpus": gpus }));
    // Without `lspci`, Salt knows of none.
    Host::with(&files).has(&json!({ "num_gpus": 0, "gpus": [] }));
}

#[test]
fn systemd_is_known_without_asking_it() {
    let features = "+PAM +AUDIT -SELINUX default-hierarchy=unified";
    let programs = [("/bin/systemctl", ""), ("/bin/localectl", "")];
    let host = |path: &str, text: &str| {
        let host = Host::with(&[programs[0], programs[1]]).executable("/bin/systemctl").executable("/bin/localectl");
        fs_err::create_dir_all(host.path(path).parent().unwrap()).unwrap();
        fs_err::write(host.path(path), text).unwrap();
        host
    };
    let library = format!("\0\x01some systemd 1 noise\0{features}\0more");
    host("/usr/lib/systemd/libsystemd-shared-254.5-2.fc39.so", &library)
        .has(&json!({ "systemd": { "version": "254", "features": features } }));
    // It is searched in pieces, and stands across the end of one.
    let large = format!("{}{features}\0", "\0".repeat((256 << 10) - 8));
    host("/usr/lib/systemd/libsystemd-shared-252.so", &large)
        .has(&json!({ "systemd": { "version": "252", "features": features } }));
    let program = format!("\0systemd \0systemd 229\n{features}\0");
    host("/bin/systemctl", &program).has(&json!({ "systemd": { "version": "229", "features": features } }));
    host("/bin/systemctl", "").has(&json!({ "systemd": { "version": "UNDEFINED", "features": "" } }));
    assert_eq!(Host::with(&[]).grains().get("systemd"), None);
}

#[test]
fn what_was_started_first_is_known() {
    let init = |files: &[(&str, &str)]| Host::with(files).executable("/sbin/init").grains()["init"].clone();
    let own = ("/proc/1/cmdline", "/sbin/init\0splash\0");
    assert_eq!(init(&[("/run/systemd/system/x", ""), ("/sbin/init", "")]), "systemd");
    assert_eq!(init(&[own, ("/sbin/init", "\0.. UPSTART_x systemd")]), "upstart");
    assert_eq!(init(&[own, ("/sbin/init", "sysvinit-2.88")]), "sysvinit");
    assert_eq!(init(&[own, ("/sbin/init", "?")]), "unknown");
    assert_eq!(init(&[("/proc/1/cmdline", "/process_api\0"), ("/sbin/init", "")]), "unknown");
}

#[test]
fn disks_that_turn_are_apart_from_those_that_do_not() {
    let host = Host::with(&[
        ("/sys/devices/pci/sda/queue/rotational", "1\n"),
        ("/sys/devices/pci/nvme0n1/queue/rotational", "0\n"),
        ("/sys/devices/virtual/block/loop0/queue/rotational", "0\n"),
        ("/sys/block/x/y", ""),
    ]);
    for (name, target) in [
        ("sda", "../devices/pci/sda"),
        ("nvme0n1", "../devices/pci/nvme0n1"),
        ("loop0", "../devices/virtual/block/loop0"),
    ] {
        std::os::unix::fs::symlink(target, host.path(&format!("/sys/block/{name}"))).unwrap();
    }
    host.has(&json!({ "disks": ["sda"], "ssds": ["nvme0n1"], "SSDs": ["nvme0n1"] }));
}

#[test]
fn groups_of_volumes_are_there_once_lvm_is() {
    let uuid = format!("LVM-{}\n", "x".repeat(64));
    let (pool, hidden) = (format!("LVM-{}-pool\n", "x".repeat(64)), format!("LVM-{}-tpool\n", "x".repeat(64)));
    let files = [
        ("/sbin/lvm", ""),
        ("/etc/lvm/backup/empty", ""),
        ("/sys/block/dm-0/dm/name", "vg--1-var--log\n"),
        ("/sys/block/dm-0/dm/uuid", &uuid),
        ("/sys/block/dm-1/dm/name", "vg--1-home\n"),
        ("/sys/block/dm-1/dm/uuid", &uuid),
        ("/sys/block/dm-2/dm/name", "thin-pool\n"),
        ("/sys/block/dm-2/dm/uuid", &pool),
        ("/sys/block/dm-3/dm/name", "thin-pool-tpool\n"),
        ("/sys/block/dm-3/dm/uuid", &hidden),
        ("/sys/block/dm-4/dm/name", "vg--1-home_rimage_0\n"),
        ("/sys/block/dm-4/dm/uuid", &uuid),
        ("/sys/block/dm-5/dm/name", "secret-disk\n"),
        ("/sys/block/dm-5/dm/uuid", "CRYPT-LUKS2-x\n"),
    ];
    assert_eq!(Host::with(&files).grains().get("lvm"), None);
    let groups = json!({ "empty": [], "vg-1": ["home", "var-log"], "thin": ["pool"] });
    Host::with(&files).executable("/sbin/lvm").has(&json!({ "lvm": groups }));
    Host::with(&files[..1]).executable("/sbin/lvm").has(&json!({ "lvm": {} }));
}

#[test]
fn processors_and_memory_are_counted() {
    let cpuinfo = "processor\t: 0\nmodel name\t: Intel(R) Xeon(R) @ 2.00GHz\nflags\t\t: fpu vme\n\nprocessor\t: 1\n";
    let meminfo = "MemTotal:       24684116 kB\nMemFree: 1 kB\nSwapTotal:       2097148 kB\n";
    Host::with(&[("/proc/cpuinfo", cpuinfo), ("/proc/meminfo", meminfo)]).has(&json!({
        "num_cpus": 2, "cpu_model": "Intel(R) Xeon(R) @ 2.00GHz", "cpu_flags": ["fpu", "vme"],
        "mem_total": 24_105, "swap_total": 2047,
    }));
}

#[test]
fn grains_that_people_gave_replace_what_was_found() {
    let text = "roles: [db, web]\nnested: {a: 1, b: yes, c: \"yes\", d: off}\nos: Mine\n5: five\n";
    Host::with(&[("/etc/salt/grains", text)]).has(&json!({
        "roles": ["db", "web"], "nested": { "a": 1, "b": true, "c": "yes", "d": false }, "os": "Mine", "5": "five",
    }));
    for broken in ["a: [", "- a", "", "a: 1\na: 2\n--- \nb: 1"] {
        let grains = Host::with(&[("/etc/salt/grains", broken)]).grains();
        assert!(!grains.contains_key("a") && !grains.contains_key("b"), "{broken:?}");
    }
}

#[test]
fn grains_without_a_bottom_do_no_harm() {
    let deep = |open: &str, times: usize| {
        Host::with(&[("/etc/salt/grains", &format!("a: 1\nb:\n {}", open.repeat(times)))]).grains().contains_key("a")
    };
    for open in ["[", "{a: ", "- ", "? "] {
        assert!(!deep(open, 200_000), "{open}");
        deep(open, 90);
    }
    assert!(deep("- ", 90));
}

#[test]
fn the_kernels_parameters_are_pairs() {
    let line = "BOOT_IMAGE=/vmlinuz root=UUID=ab quiet x=\"a b\" --\n";
    Host::with(&[("/proc/cmdline", line)]).has(&json!({
        "kernelparams": [["BOOT_IMAGE", "/vmlinuz"], ["root", null], ["quiet", null], ["x", "a b"], ["--", null]],
    }));
}
