//! How long it takes from files to a plan.

use std::time::Duration;

use upshift::config::parse_inventory;
use upshift::model::pattern;

use crate::{Figures, cloud, median};

pub(super) fn measure(figures: &mut Figures) {
    let text = cloud::inventory_text(10_000, 100);
    let read = median(9, || parse_inventory("inventory.toml", &text).expect("the inventory is well"));
    figures.time_below("inventory: 10 000 hosts with addresses and racks", read, Duration::from_millis(50));

    let names = pattern::unfold("cmp[00001-10000]").expect("a pattern");
    figures.time("pattern: 10 000 names unfolded", median(9, || pattern::unfold("cmp[00001-10000]")));
    let fold = || pattern::fold(names.iter().map(String::as_str));
    figures.time("pattern: 10 000 names folded", median(9, fold));
    let odd = || pattern::fold(names.iter().step_by(2).map(String::as_str));
    figures.time("pattern: 5000 names folded, none beside another", median(9, odd));

    let inventory = cloud::inventory(10_000, 100);
    let step = |n| format!("[[stage.step]]\nrun = 'upgrade {n} {{{{ host.name }}}} at {{{{ host.address }}}}'\n");
    let steps = [1, 2, 3, 4, 5].map(step).join("");
    let stage = format!("[[stage]]\nname = 'computes'\nhosts = 'cmp'\n{steps}");
    figures.time("plan: 10 000 hosts, 5 steps with templates", median(3, || cloud::plan(&stage, &inventory)));
}
