//! `event.send`: there is no master whom an event could be sent to, and Salt without one fails when it comes to it.

use crate::states::{Failed, Function};

pub(super) const FUNCTIONS: &[Function] =
    &[Function::new("event.send", |_| Err(Failed::from(REFUSED))).takes_anything().checks(|_| Err(REFUSED.to_owned()))];

const REFUSED: &str = "upshift has no Salt master that an event could be sent to";
