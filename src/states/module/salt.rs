//! What formulas tell Salt itself. There is no Salt here to be told: what it would refresh or send is always as it should be.

use std::time::Duration;

use crate::formula::{Data, Dict};
use crate::states::module::arguments::{Signature, takes};
use crate::states::module::functions::{Function, function};
use crate::states::{Args, Failed, Host};

const ANY: Signature = takes(&[], &[]).and_more("args").and_named();

pub(super) const FUNCTIONS: &[Function] = &[
    function("saltutil.refresh_pillar", ANY, done),
    function("saltutil.pillar_refresh", ANY, done),
    function("saltutil.refresh_grains", ANY, done),
    function("saltutil.refresh_modules", ANY, done),
    function("saltutil.refresh_beacons", ANY, done),
    function("saltutil.refresh_matchers", ANY, done),
    function("saltutil.clear_cache", ANY, done),
    function("saltutil.clear_job_cache", ANY, done),
    function("saltutil.sync_all", ANY, |_, _| {
        let kinds =
            ["beacons", "clouds", "grains", "modules", "output", "pillar", "renderers", "returners", "states", "utils"];
        Ok(kinds.into_iter().map(|kind| (kind.into(), Data::from(Vec::new()))).collect::<Dict>().into())
    }),
    function("saltutil.sync_beacons", ANY, nothing),
    function("saltutil.sync_grains", ANY, nothing),
    function("saltutil.sync_modules", ANY, nothing),
    function("saltutil.sync_output", ANY, nothing),
    function("saltutil.sync_pillar", ANY, nothing),
    function("saltutil.sync_renderers", ANY, nothing),
    function("saltutil.sync_returners", ANY, nothing),
    function("saltutil.sync_states", ANY, nothing),
    function("saltutil.sync_utils", ANY, nothing),
    function("mine.update", ANY, done),
    function("mine.send", ANY, done),
    function("mine.delete", ANY, done),
    function("mine.flush", ANY, done),
    function("test.ping", ANY, done),
    function("test.true", ANY, done),
    function("test.nop", ANY, done),
    function("test.false", ANY, |_, _| Ok(false.into())),
    function("test.echo", takes(&["text"], &[]), |_, args| Ok(args.get("text").cloned().unwrap_or_default())),
    function("test.sleep", takes(&["length"], &[]), sleep),
];

#[expect(clippy::unnecessary_wraps, reason = "one of the functions")]
fn done(_: &Host<'_>, _: &Args<'_>) -> Result<Data, Failed> {
    Ok(true.into())
}

#[expect(clippy::unnecessary_wraps, reason = "one of the functions")]
fn nothing(_: &Host<'_>, _: &Args<'_>) -> Result<Data, Failed> {
    Ok(Vec::new().into())
}

fn sleep(host: &Host<'_>, args: &Args<'_>) -> Result<Data, Failed> {
    const LOOK: Duration = Duration::from_millis(100);
    let mut left = args.seconds("length")?.unwrap_or_default();
    while left > Duration::ZERO && !host.listener().is_stopped() {
        let pause = left.min(LOOK);
        std::thread::sleep(pause);
        left -= pause;
    }
    Ok(true.into())
}
