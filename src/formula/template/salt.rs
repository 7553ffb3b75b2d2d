//! `salt` in a template: `salt['pillar.get'](…)`, `salt.pillar.get(…)`, `'mysql.version' in salt`.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr};
use minijinja::{Error, State, Value};

use super::{Context, functions};

/// The functions of one host.
pub(super) struct Salt(pub(super) Arc<Context>);

/// The functions of one module: `salt.pillar`.
struct Module(Arc<Context>, String);

/// One function.
struct Function(Arc<Context>, String);

impl Salt {
    /// Whether there is a function (or a module, for a name without a dot), of upshift's or recorded.
    pub(super) fn has(&self, name: &str) -> bool {
        if name.contains('.') {
            functions::is_known(name) || self.0.facts.knows(name)
        } else {
            functions::is_module(name)
        }
    }
}

macro_rules! named {
    ($type:ty, $name:literal) => {
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($name)
            }
        }
    };
}
named!(Salt, "salt functions");
named!(Module, "salt module");
named!(Function, "salt function");

impl Object for Salt {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    // Unknown functions are there too: only calling one is an error, which then has its name.
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?.to_owned();
        let context = Arc::clone(&self.0);
        Some(if name.contains('.') {
            Value::from_object(Function(context, name))
        } else {
            Value::from_object(Module(context, name))
        })
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        match (method, args) {
            ("get", [name, default @ ..]) => match name.as_str() {
                Some(known) if self.has(known) => Ok(self.get_value(name).unwrap_or_default()),
                _ => Ok(default.first().cloned().unwrap_or(Value::from(()))),
            },
            _ => Err(Error::from(minijinja::ErrorKind::UnknownMethod)),
        }
    }
}

impl Object for Module {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = format!("{}.{}", self.1, key.as_str()?);
        Some(Value::from_object(Function(Arc::clone(&self.0), name)))
    }

    fn call_method(self: &Arc<Self>, state: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        functions::call(&self.0, state, &format!("{}.{method}", self.1), args)
    }
}

impl Object for Function {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        functions::call(&self.0, state, &self.1, args)
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<function {}>", self.1)
    }
}
