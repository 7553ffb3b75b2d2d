//! Grains of the machine: processors, memory, disks, and what the maker wrote into it.

use super::Grains;
use super::tree::Tree;

pub(super) fn add(grains: &mut Grains, tree: &Tree, cpuinfo: &str) {
    add_processors(grains, cpuinfo);
    add_memory(grains, &tree.text("/proc/meminfo").unwrap_or_default());
    add_disks(grains, tree);
    add_maker(grains, tree);
    grains.set("fibre_channel_host", tree.is_dir("/sys/class/fc_host"));
    let efi = ["/sys/firmware/efi/efivars", "/sys/firmware/efi/vars"].into_iter().find(|path| tree.exists(path));
    grains.set("efi", efi.is_some());
    grains.set("efi-secure-boot", efi.is_some_and(|variables| is_secure_boot(tree, variables)));
    if let Some(raids) = tree.text("/proc/mdstat") {
        let raid =
            |line: &str| line.split_once(" : ").map(|(name, _)| name.to_owned()).filter(|name| name != "Personalities");
        let mut raids: Vec<String> = raids.lines().filter_map(raid).collect();
        raids.sort_unstable();
        grains.set("mdadm", raids);
    }
}

/// Where several processors tell different things, the last one counts.
fn add_processors(grains: &mut Grains, cpuinfo: &str) {
    let (mut count, mut model, mut flags) = (0_u64, "Unknown", "");
    for (name, value) in cpuinfo.lines().filter_map(|line| line.split_once(':')) {
        // Like Salt, up to a second colon.
        let value = value.split(':').next().unwrap_or_default().trim();
        match name.trim() {
            "processor" => count += 1,
            "# processors" => count = value.parse().unwrap_or(count),
            "vendor_id" | "model name" | "cpu" => model = value,
            "flags" | "Features" => flags = value,
            "Processor" => {
                count = 1;
                model = value.split('-').next().unwrap_or_default();
            }
            _ => {}
        }
    }
    grains.set("num_cpus", count);
    grains.set("cpu_model", model);
    grains.set("cpu_flags", flags.split_whitespace().collect::<Vec<_>>());
}

/// Memory is in MiB, rounded down.
fn add_memory(grains: &mut Grains, meminfo: &str) {
    for (grain, field) in [("mem_total", "MemTotal:"), ("swap_total", "SwapTotal:")] {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(field));
        let kibibytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default();
        grains.set(grain, kibibytes / 1024);
    }
}

/// As in Salt, `disks` are those that turn; `SSDs` is what `ssds` was called
/// in older releases.
fn add_disks(grains: &mut Grains, tree: &Tree) {
    let (mut turning, mut solid) = (Vec::new(), Vec::new());
    for name in tree.names("/sys/block") {
        let link = tree.link(&format!("/sys/block/{name}")).unwrap_or_default();
        if link.starts_with("../devices/virtual/") {
            continue;
        }
        match tree.head(&format!("/sys/block/{name}/queue/rotational"), 1).as_deref() {
            Some(b"1") => turning.push(name),
            Some(b"0") => solid.push(name),
            _ => {}
        }
    }
    grains.set("disks", turning);
    grains.set("SSDs", solid.clone());
    grains.set("ssds", solid);
}

/// What the firmware or the device tree says. Serial numbers can be read by root only, and are left out
/// for others.
fn add_maker(grains: &mut Grains, tree: &Tree) {
    let tree_text = |name: &str| {
        let text = tree.text(&format!("/proc/device-tree/{name}"))?;
        Some(text.trim_end_matches('\0').to_owned()).filter(|text| !text.is_empty())
    };
    if let Some(model) = tree_text("model") {
        let (maker, product) =
            model.split_once(',').map_or((None, model.as_str()), |(maker, rest)| (Some(maker), rest));
        if let Some(maker) = maker {
            grains.set("manufacturer", maker);
        }
        grains.set("productname", product);
    }
    if let Some(serial) = tree_text("serial-number").or_else(|| tree_text("system-id")) {
        grains.set("serialnumber", serial);
    }
    let firmware = [
        ("biosversion", "bios_version"),
        ("biosvendor", "bios_vendor"),
        ("boardname", "board_name"),
        ("productname", "product_name"),
        ("manufacturer", "sys_vendor"),
        ("biosreleasedate", "bios_date"),
        ("uuid", "product_uuid"),
        ("serialnumber", "product_serial"),
    ];
    for (grain, file) in firmware {
        if let Some(text) = tree.trimmed(&format!("/sys/class/dmi/id/{file}")) {
            grains.set(grain, if grain == "uuid" { text.to_lowercase() } else { text });
        }
    }
}

fn is_secure_boot(tree: &Tree, variables: &str) -> bool {
    let suffix = if variables.ends_with("efivars") { "" } else { "/data" };
    let names = tree.names(variables);
    let found: Vec<&String> = names.iter().filter(|name| name.starts_with("SecureBoot-")).collect();
    let [name] = found.as_slice() else { return false };
    tree.bytes(&format!("{variables}/{name}{suffix}")).is_some_and(|value| value.last() == Some(&1))
}
