//! Clouds that do not exist, as the files a person would write.

use std::fmt::Write;

use upshift::config::{parse_inventory, parse_pipeline};
use upshift::model::{History, Inventory, Plan};
use upshift::plan;

/// An inventory of so many simulated hosts, each with an address, in so many racks.
pub(super) fn inventory_text(hosts: usize, racks: usize) -> String {
    let mut text = format!(
        "defaults.transport = 'simulated'\n\
         groups.ctl.hosts = ['ctl[1-3]']\n\
         [groups.cmp]\nhosts = ['cmp[00001-{hosts:05}]']\nvars = {{ release = 'newton' }}\n"
    );
    for host in 1..=hosts {
        let (rack, high, low) = ((host - 1) * racks / hosts + 1, host / 250, host % 250);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "[hosts.cmp{host:05}]\naddress = '198.18.{high}.{low}'\nrack = 'r{rack:03}'");
    }
    text
}

/// The inventory itself.
pub(super) fn inventory(hosts: usize, racks: usize) -> Inventory {
    parse_inventory("inventory.toml", &inventory_text(hosts, racks)).expect("the inventory is well")
}

/// Three steps a host, the first of which is taken back by its `always`.
pub(super) const THREE_STEPS: &str = "
  [[stage.step]]
  name = 'out of scheduling'
  on = 'ctl[1]'
  run = 'openstack compute service set --disable {{ host.name }} nova-compute'
  always = 'openstack compute service set --enable {{ host.name }} nova-compute'
  takes = '10s ± 2s'
  [[stage.step]]
  run = 'salt-call state.apply opencontrail.compute'
  takes = '12m ± 3m'
  [[stage.step]]
  wait = { http = 'http://{{ host.address }}:8085/', timeout = '10m' }
  takes = '40s ± 10s'
";

/// The plan of a pipeline of these stages.
pub(super) fn plan(stages: &str, inventory: &Inventory) -> Plan {
    let pipeline = format!("[pipeline]\nname = 'scale'\n{stages}");
    let pipeline = parse_pipeline("pipeline.toml", &pipeline).expect("the pipeline is well");
    let mut resolve = |_: &str, _: &str| Ok("c0ffee".repeat(6));
    plan::build(&pipeline, inventory, &History::default(), None, &mut resolve).expect("the plan can be built")
}

/// The plan of one stage over all computes, rolling like this.
pub(super) fn rolling(cascade: &str, inventory: &Inventory) -> Plan {
    let stage = format!("[[stage]]\nname = 'computes'\nhosts = 'cmp'\nwindow = '12h'\ncascade = {{ {cascade} }}");
    plan(&format!("{stage}\n{THREE_STEPS}"), inventory)
}
