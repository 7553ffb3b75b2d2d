//! How long a forecast takes, the search for the smallest pace and fan-out included.

use std::time::Duration;

use jiff::SignedDuration;
use upshift::engine::forecast::forecast;
use upshift::model::History;

use crate::{Figures, cloud, median};

pub(super) fn measure(figures: &mut Figures) {
    let inventory = cloud::inventory(2000, 40);
    let patch = "[[stage]]\nname = 'patch'\nhosts = 'cmp'\nwindow = '5h'\ncascade = { pace = '500/h', fan-out = 200 }
      [[stage.step]]\n  run = 'apt-get -y upgrade'\n  takes = '12m ± 3m'\n";
    let three = |cascade: &str| {
        let steps = cloud::THREE_STEPS;
        format!(
            "[[stage]]\nname = 'computes'\nhosts = 'cmp'\nwindow = '6h'\ncascade = {{ fan-out = 100{cascade} }}\n{steps}"
        )
    };
    let took = |stages: &str| {
        let plan = cloud::plan(stages, &inventory);
        let window = Some(SignedDuration::from_hours(20));
        median(1, || forecast(&plan, window, &History::default(), 1000, 1).expect("times are declared"))
    };
    let two = took(&format!("{patch}{}", three("")));
    figures.time_below("forecast, 2000 hosts, 1000 runs, two stages", two, Duration::from_secs(5));
    // Every decision passes over the hosts of busy racks; what that costs is worth knowing.
    let spread = took(&three(", spread = 'rack'").replace("6h", "14h"));
    figures.time("forecast, 2000 hosts, 1000 runs, one stage spread over 40 racks", spread);
}
