//! Whether the host is a virtual machine or a container, and of which kind.
//!
//! Salt starts `systemd-detect-virt`, `virt-what`, `dmidecode` or `lspci`, whatever there is, and then
//! looks at files itself. Here everything is read from where these programs read it, except for the
//! `CPUID` instruction: KVM is told by the clock that the kernel then has, the others by the firmware.

use std::os::unix::fs::MetadataExt as _;

use super::Grains;
use super::tree::Tree;

/// What is known so far: the grains `virtual` and `virtual_subtype`.
struct Found {
    kind: String,
    subtype: Option<String>,
}

impl Found {
    fn set(&mut self, kind: &str, subtype: Option<&str>) {
        self.kind = kind.into();
        self.subtype = subtype.map(Into::into).or(self.subtype.take());
    }
}

pub(super) fn add(grains: &mut Grains, tree: &Tree, cpuinfo: &str) {
    let mut found = Found { kind: "physical".into(), subtype: None };
    let firmware = Firmware::of(tree);
    match container(tree).or_else(|| firmware.kind(tree, cpuinfo)) {
        Some((kind, subtype)) => found.set(kind, subtype),
        None if tree.program("dmidecode").is_some() => firmware.set_rest(&mut found),
        None => {}
    }
    look_for_chroot(&mut found, tree);
    look_for_openvz(&mut found, tree);
    look_for_xen(&mut found, tree, grains.text("productname"));
    look_at_names(&mut found, tree, cpuinfo);
    look_for_containers(&mut found, tree);
    if found.kind == "physical" && found.subtype.is_some() {
        found.kind = "virtual".into();
    }
    if matches!(found.kind.as_str(), "qemu" | "kvm" | "xen") {
        firmware.look_for_amazon(&mut found);
    }
    if found.kind.contains("xen") {
        add_xen_version(grains, tree);
    }
    grains.set("virtual", found.kind);
    if let Some(subtype) = found.subtype {
        grains.set("virtual_subtype", subtype);
    }
}

/// Containers, as `systemd-detect-virt` finds them.
fn container(tree: &Tree) -> Option<(&'static str, Option<&'static str>)> {
    let environment = tree.text("/proc/1/environ").unwrap_or_default();
    let of_init = environment.split('\0').find_map(|entry| entry.strip_prefix("container="));
    let name = of_init.map(Into::into).or_else(|| tree.trimmed("/run/systemd/container")).unwrap_or_default();
    let name = match name.as_str() {
        "" | "oci" if tree.exists("/run/.containerenv") => "podman",
        "" | "oci" if tree.exists("/.dockerenv") => "docker",
        name => name,
    };
    Some(match name {
        name if name.contains("lxc") => ("container", Some("LXC")),
        "podman" => ("container", Some("Podman")),
        "docker" => ("container", Some("Docker")),
        "systemd-nspawn" => ("systemd-nspawn", None),
        _ => return None,
    })
}

/// What the maker wrote into the machine.
struct Firmware {
    bios: String,
    vendor: String,
    product: String,
    version: String,
    /// All of it and the board's, a line each.
    all: String,
}

impl Firmware {
    fn of(tree: &Tree) -> Self {
        let field = |name: &str| tree.trimmed(&format!("/sys/class/dmi/id/{name}")).unwrap_or_default();
        let (bios, vendor, product, version) =
            (field("bios_vendor"), field("sys_vendor"), field("product_name"), field("product_version"));
        let (board_vendor, board) = (field("board_vendor"), field("board_name"));
        let all = [&bios, &vendor, &product, &version, &board_vendor, &board].map(String::as_str).join("\n");
        Self { bios, vendor, product, version, all }
    }

    /// Machines as `systemd-detect-virt` finds them. What it names and Salt ignores is `None`.
    fn kind(&self, tree: &Tree, cpuinfo: &str) -> Option<(&'static str, Option<&'static str>)> {
        let made_by = |name: &str| [&self.product, &self.vendor, &self.bios].iter().any(|text| text.starts_with(name));
        if made_by("innotek GmbH") || made_by("VirtualBox") || made_by("Oracle Corporation") && made_by("Virtual") {
            return Some(("oracle", None));
        }
        if made_by("Amazon EC2") && !self.product.contains(".metal") {
            return Some(("Nitro", Some("Amazon EC2")));
        }
        if made_by("Xen") || tree.trimmed("/sys/hypervisor/type").as_deref() == Some("xen") {
            let is_host = tree.text("/proc/xen/capabilities").is_some_and(|text| text.contains("control_d"));
            return (!is_host).then_some(("xen", None));
        }
        if cpuinfo.contains("User Mode Linux") {
            return Some(("uml", None));
        }
        // Ahead of KVM: both of these can offer its interface to their guests.
        if made_by("VMware") || made_by("VMW") {
            return Some(("VMware", None));
        }
        if made_by("Microsoft Corporation") && self.product == "Virtual Machine" {
            return Some(("VirtualPC", None));
        }
        let clocks = "/sys/devices/system/clocksource/clocksource0/available_clocksource";
        let has_kvm_clock = tree.text(clocks).is_some_and(|clocks| clocks.contains("kvm-clock"));
        let compatible = tree.text("/proc/device-tree/hypervisor/compatible").unwrap_or_default();
        if has_kvm_clock || compatible.contains("linux,kvm") || made_by("KVM") || made_by("OpenStack") {
            return Some(("kvm", None));
        }
        if made_by("QEMU") {
            return Some(("qemu", None));
        }
        made_by("Bochs").then_some(("bochs", None))
    }

    /// What `dmidecode` would let Salt conclude.
    fn set_rest(&self, found: &mut Found) {
        let has = |text: &str| self.all.contains(text);
        match () {
            () if has("BHYVE") => found.set("bhyve", None),
            () if self.vendor == "oVirt" => found.set("kvm", Some("ovirt")),
            () if self.product.starts_with("RHEV Hypervisor") => found.set("kvm", Some("rhev")),
            () if has("VirtualBox") => found.set("VirtualBox", None),
            () if has("VMware") => found.set("VMware", None),
            () if has("Microsoft") && has("Virtual Machine") => found.set("VirtualPC", None),
            () if has("Parallels Software") => found.set("Parallels", None),
            () if self.vendor.starts_with("Google") => found.set("kvm", None),
            () if ["SeaBIOS", "QEMU", "Bochs"].iter().any(|name| self.bios.starts_with(name)) => found.set("kvm", None),
            () => {}
        }
    }

    fn look_for_amazon(&self, found: &mut Found) {
        if self.vendor == "Amazon EC2" {
            let kind = if found.kind == "xen" { "xen" } else { "Nitro" };
            let subtype =
                if self.product.is_empty() { "Amazon EC2".into() } else { format!("Amazon EC2 ({})", self.product) };
            found.set(kind, Some(&subtype));
        } else if self.version.contains(".amazon") {
            found.subtype = Some("Amazon EC2".into());
        }
    }
}

fn look_for_chroot(found: &mut Found, tree: &Tree) {
    let place = |path: &str| tree.at(path).metadata().map(|data| (data.dev(), data.ino())).ok();
    // Only root may look at the first process.
    if let (Some(own), Some(first)) = (place("/"), place("/proc/1/root/."))
        && own != first
    {
        found.subtype = Some("chroot".into());
    }
}

fn look_for_openvz(found: &mut Found, tree: &Tree) {
    if tree.is_file("/proc/vz/version") {
        found.set("openvzhn", None);
    } else if tree.is_file("/proc/vz/veinfo") {
        found.set("openvzve", None);
    }
    let status = tree.text("/proc/self/status").unwrap_or_default();
    let id = status.lines().find_map(|line| line.strip_prefix("envID:")).and_then(|id| id.trim().parse::<u64>().ok());
    if let Some(id) = id {
        found.set(if id == 0 { "openvzhn" } else { "openvzve" }, None);
    }
}

fn look_for_xen(found: &mut Found, tree: &Tree, product: &str) {
    if !["/proc/sys/xen", "/sys/bus/xen", "/proc/xen"].iter().any(|path| tree.is_dir(path)) {
        return;
    }
    let capabilities = tree.text("/proc/xen/capabilities");
    let subtype = match capabilities {
        _ if tree.is_file("/proc/xen/xsd_kva") => "Xen Dom0",
        _ if product == "HVM domU" => "Xen HVM DomU",
        Some(text) if text.contains("control_d") => "Xen Dom0",
        Some(_) => "Xen PV DomU",
        None if tree.is_dir("/sys/bus/xen/drivers/xenconsole") => "Xen PV DomU",
        None => return,
    };
    found.set("xen", Some(subtype));
}

fn look_at_names(found: &mut Found, tree: &Tree, cpuinfo: &str) {
    if cpuinfo.contains("QEMU Virtual CPU") {
        found.set("kvm", None);
    }
    let product = tree.text("/sys/devices/virtual/dmi/id/product_name").unwrap_or_default();
    let known = [
        ("VirtualBox", "VirtualBox", None),
        ("RHEV Hypervisor", "kvm", Some("rhev")),
        ("oVirt Node", "kvm", Some("ovirt")),
        ("Google", "gce", None),
        ("BHYVE", "bhyve", None),
    ];
    if let Some((_, kind, subtype)) = known.into_iter().find(|(name, ..)| product.contains(name)) {
        found.set(kind, subtype);
    }
}

/// Containers, as Salt looks for them itself, after everything else.
fn look_for_containers(found: &mut Found, tree: &Tree) {
    let groups = tree.text("/proc/1/cgroup").unwrap_or_default();
    if groups.contains(":/lxc/") {
        found.set("container", Some("LXC"));
    } else if groups.contains(":/kubepods/") {
        found.subtype = Some("kubernetes".into());
    } else if groups.contains(":/libpod_parent/") {
        found.subtype = Some("libpod".into());
    } else if [":/system.slice/docker", ":/docker/", ":/docker-ce/"].iter().any(|group| groups.contains(group)) {
        found.set("container", Some("Docker"));
    }
    if tree.text("/proc/1/environ").is_some_and(|environment| environment.contains("container=lxc")) {
        found.set("container", Some("LXC"));
    }
}

fn add_xen_version(grains: &mut Grains, tree: &Tree) {
    let part = |name: &str| tree.trimmed(&format!("/sys/hypervisor/version/{name}"));
    if let (Some(major), Some(minor), Some(extra)) = (part("major"), part("minor"), part("extra")) {
        grains.set("virtual_hv_version", format!("{major}.{minor}{extra}"));
        grains.set("virtual_hv_version_info", vec![major, minor, extra]);
    }
}
