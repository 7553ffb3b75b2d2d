//! `log.*`: what a template tells Salt's log goes nowhere here, and answers as Salt does.

use minijinja::{Error, Value};

use super::super::Context;
use super::arguments::Default::Required;
use super::arguments::{Arguments, Signature, takes};
use super::{Function, plain};

const MESSAGE: Signature = takes(&[("message", Required)]);

pub(super) const FUNCTIONS: &[Function] = &[
    plain("log.debug", MESSAGE, logged),
    plain("log.info", MESSAGE, logged),
    plain("log.warning", MESSAGE, logged),
    plain("log.error", MESSAGE, logged),
    plain("log.critical", MESSAGE, logged),
    plain("log.exception", MESSAGE, logged),
];

#[expect(clippy::unnecessary_wraps, reason = "the shape of every function")]
fn logged(_: &Context, _: &Arguments) -> Result<Value, Error> {
    Ok(Value::from(true))
}
