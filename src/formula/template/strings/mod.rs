//! The methods of Python's strings, numbers and tuples.

use minijinja::{Error, ErrorKind, State, Value};

/// What a method that minijinja does not know does.
pub(super) fn method(state: &mut State<'_, '_>, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    let _ = (state, value, method, args);
    Err(Error::from(ErrorKind::UnknownMethod))
}
