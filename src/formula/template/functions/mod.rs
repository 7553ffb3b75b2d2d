//! Salt's execution functions, as templates call them: `salt['pillar.get'](…)`, `salt.pillar.get(…)`.
//!
//! What can be answered from pillar, grains and the arguments is answered here. What only the host knows goes
//! through [`Facts`](crate::formula::facts::Facts).

use minijinja::{Error, ErrorKind, State, Value};

use super::Context;

/// Whether upshift has a function.
pub fn is_known(name: &str) -> bool {
    let _ = name;
    false
}

/// Calls a function with positional arguments, and keyword arguments as minijinja passes them (last).
pub(super) fn call(context: &Context, state: &mut State<'_, '_>, name: &str, args: &[Value]) -> Result<Value, Error> {
    let _ = (context, state, args);
    Err(Error::new(ErrorKind::UnknownFunction, format!("upshift does not have the function `{name}`")))
}

/// Whether upshift has any function of a module.
pub fn is_module(name: &str) -> bool {
    let _ = name;
    false
}
