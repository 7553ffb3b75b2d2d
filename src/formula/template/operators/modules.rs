//! Templates that are imported or included without context: rendered once, and kept for who imports them again.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, Value};

use super::super::value::{items, release};
use super::{undefined, wrong};

pub(super) fn add(env: &mut Environment<'_>) {
    env.add_filter("__find", find);
    env.add_filter("__absent", |state: &State<'_, '_>, name: &Value| {
        name.as_str().is_some_and(|name| state.get_temp(&place(name)).is_none())
    });
    env.add_filter("__module", module);
    env.add_filter("__hide", |state: &mut State<'_, '_>, names: &Value| {
        let place = hidden(state.name());
        state.set_temp(&place, names.clone());
    });
    env.add_filter("__imported", |state: &State<'_, '_>, name: &Value| {
        name.as_str().and_then(|name| state.get_temp(&place(name))).unwrap_or(Value::from(()))
    });
    env.add_filter("__name", |module: &Value| {
        module.downcast_object_ref::<Module>().map(|module| module.name.clone()).unwrap_or_default()
    });
    env.add_filter("__text", |module: &Value| {
        module.downcast_object_ref::<Module>().map(|module| module.text.clone()).unwrap_or_default()
    });
}

/// Where a module is kept, by the full name of its template.
fn place(name: &str) -> String {
    format!("module {name}")
}

/// Where the names are that a template does not export.
fn hidden(name: &str) -> String {
    format!("hidden {name}")
}

/// A template that was rendered for what it defines.
struct Module {
    name: String,
    exports: Value,
    hidden: Vec<Value>,
    text: String,
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<TemplateModule '{}'>", self.name)
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        release(vec![std::mem::take(&mut self.exports)]);
    }
}

impl Object for Module {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        if self.hidden.contains(key) { None } else { self.exports.as_object()?.get_value(key) }
    }

    fn call_method(self: &Arc<Self>, state: &mut State<'_, '_>, name: &str, args: &[Value]) -> Result<Value, Error> {
        let Some(value) = self.get_value(&Value::from(name)) else {
            let message = format!("the template `{}` does not define `{name}`", self.name);
            return Err(Error::new(ErrorKind::UndefinedError, message));
        };
        value.call(state, args)
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The full name of a template, or of the first one there is of several. None if none is there and that is fine.
fn find(state: &State<'_, '_>, name: &Value, ignore_missing: Option<bool>) -> Result<Value, Error> {
    let names = match name.kind() {
        ValueKind::Undefined => return Err(undefined(name)),
        ValueKind::Seq => items(name)?,
        _ => vec![name.clone()],
    };
    let mut missing = None;
    for name in &names {
        let name = name.as_str().ok_or_else(|| wrong("the name of a template is not a string"))?;
        match state.get_template(name) {
            Ok(template) => return Ok(Value::from(template.name())),
            Err(error) if error.kind() == ErrorKind::TemplateNotFound => missing = Some(error),
            Err(error) => return Err(error),
        }
    }
    if ignore_missing == Some(true) {
        return Ok(Value::from(()));
    }
    let none = || Error::new(ErrorKind::TemplateNotFound, "Tried to select from an empty list of templates.");
    Err(missing.unwrap_or_else(none))
}

/// What was imported, as the template sees it.
fn module(state: &mut State<'_, '_>, imported: &Value, name: &str, keep: Option<bool>) -> Result<Value, Error> {
    let name = state.get_template(name)?.name().to_owned();
    let hidden = state.get_temp(&hidden(&name)).map_or_else(|| Ok(Vec::new()), |names| items(&names))?;
    let place = place(&name);
    let module = Value::from_object(Module { name, exports: imported.clone(), hidden, text: imported.to_string() });
    if keep == Some(true) {
        state.set_temp(&place, module.clone());
    }
    Ok(module)
}
