//! Graphics processors, named as `lspci` names them.
//!
//! Salt asks `lspci` and knows of none where that is not installed. Here the kernel and the list of
//! `lspci` are read, under the same condition, so that formulas see the same.

use serde_json::{Value, json};

use super::Grains;
use super::tree::Tree;

/// Where distributions keep the names of devices (`pci.ids(5)`).
const NAMES: [&str; 3] = ["/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids", "/usr/share/pci.ids"];

/// Makers that Salt knows, in its order.
const MAKERS: [&str; 8] = ["nvidia", "amd", "ati", "intel", "cirrus logic", "vmware", "matrox", "aspeed"];

pub(super) fn add(grains: &mut Grains, tree: &Tree) {
    let found = if tree.program("lspci").is_some() { devices(tree) } else { Vec::new() };
    // The list is long; most hosts that have no graphics need not read it.
    let names = if found.is_empty() {
        String::new()
    } else {
        NAMES.iter().find_map(|path| tree.text(path)).unwrap_or_default()
    };
    let gpus: Vec<Value> = found.iter().map(|(maker, device)| describe(&names, maker, device)).collect();
    grains.set("num_gpus", gpus.len());
    grains.set("gpus", gpus);
}

/// Maker and device of everything that is a VGA, 3D or other display controller or an accelerator, by
/// their numbers, in the order of the bus.
fn devices(tree: &Tree) -> Vec<(String, String)> {
    let number = |device: &str, file: &str| {
        let text = tree.trimmed(&format!("/sys/bus/pci/devices/{device}/{file}"))?;
        Some(text.strip_prefix("0x")?.to_owned())
    };
    let devices = tree.names("/sys/bus/pci/devices").into_iter().filter(|device| {
        number(device, "class").is_some_and(|class| matches!(class.get(..4), Some("0300" | "0302" | "0380" | "1200")))
    });
    devices.filter_map(|device| Some((number(&device, "vendor")?, number(&device, "device")?))).collect()
}

fn describe(names: &str, maker: &str, device: &str) -> Value {
    let own = names.find(&format!("\n{maker}  ")).map(|at| &names[at + 1..]);
    let mut lines = own.unwrap_or_default().lines();
    let maker_name =
        lines.next().and_then(|line| line.get(6..)).map_or_else(|| format!("Vendor {maker}"), str::to_owned);
    // Its devices are the indented lines that follow.
    let prefix = format!("\t{device}  ");
    let mut devices = lines.take_while(|line| line.starts_with('\t') || line.starts_with('#'));
    let model =
        devices.find_map(|line| line.strip_prefix(&prefix)).map_or_else(|| format!("Device {device}"), str::to_owned);

    let lower = maker_name.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let vendor = MAKERS.into_iter().find(|maker| words.contains(maker)).unwrap_or("unknown");
    json!({ "vendor": vendor, "model": model })
}
