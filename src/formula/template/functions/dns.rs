//! `dnsutil.serial`: the number that says whether a DNS zone has changed, which the host keeps among its grains.
//!
//! A template only reads it. A `module.run` counts it.

use jiff::Zoned;
use minijinja::{Error, Value};

use super::super::Context;
use super::arguments::Default::{Bool, Text};
use super::arguments::{Arguments, takes, wrong};
use super::traverse::traverse;
use super::{Function, recordable};

pub(super) const FUNCTIONS: &[Function] =
    &[recordable("dnsutil.serial", takes(&[("zone", Text("")), ("update", Bool(false))]), serial)];

fn serial(context: &Context, arguments: &Arguments) -> Result<Value, Error> {
    if arguments.is_true("update")? {
        return Err(wrong(
            "a template changes nothing: `module.run` with `dnsutil.serial` and `update` counts a serial",
        ));
    }
    let kept = traverse(&context.grains, &grain(&arguments.text("zone")?).into(), ":")?;
    Ok(kept.filter(Value::is_true).unwrap_or_else(|| first_of_today().into()))
}

/// The grain with the serial of a zone.
#[must_use]
pub fn grain(zone: &str) -> String {
    if zone.is_empty() { "dnsserial".to_owned() } else { format!("dnsserial_{zone}") }
}

/// The first serial of a day: `2026112301`.
#[must_use]
pub fn first_of_today() -> String {
    #[expect(clippy::disallowed_methods, reason = "a serial begins with the day it is of")]
    Zoned::now().strftime("%Y%m%d01").to_string()
}
