//! Macros, which take their arguments as Jinja's do.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Kwargs, Object, ObjectRepr, Tuple, from_args};
use minijinja::{Environment, Error, ErrorKind, State, Value};

use super::super::value::{dict, release, repr};

pub(super) fn add(env: &mut Environment<'_>) {
    env.add_filter("__macro", wrap);
    env.add_filter("__missing", |value: &Value| value.downcast_object_ref::<Missing>().is_some());
}

/// What a parameter with a default is until the default is evaluated.
#[derive(Debug)]
struct Missing;

impl Object for Missing {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}

/// A macro of the template around one of minijinja's, which gets every parameter in its place.
struct Macro {
    name: Value,
    inner: Value,
    params: Vec<Value>,
    /// How many of the last parameters have defaults.
    defaults: usize,
    takes_varargs: bool,
    takes_kwargs: bool,
    takes_caller: bool,
}

/// `special` names those of `varargs`, `kwargs` and `caller` that the inside of the macro uses.
fn wrap(inner: Value, name: Value, params: Vec<Value>, defaults: usize, special: &str) -> Value {
    let takes = |name| special.split(' ').any(|taken| taken == name);
    let (takes_varargs, takes_kwargs, takes_caller) = (takes("varargs"), takes("kwargs"), takes("caller"));
    Value::from_object(Macro { name, inner, params, defaults, takes_varargs, takes_kwargs, takes_caller })
}

impl fmt::Debug for Macro {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.as_str() {
            Some(_) => write!(f, "<Macro {}>", repr(&self.name)),
            None => f.write_str("<Macro anonymous>"),
        }
    }
}

impl Drop for Macro {
    fn drop(&mut self) {
        // What a macro sees of its template can hold another macro.
        release(vec![std::mem::take(&mut self.inner)]);
    }
}

impl Macro {
    fn too_many(message: String) -> Error {
        Error::new(ErrorKind::TooManyArguments, message)
    }

    /// Every argument in the place of its parameter, and the `caller`.
    fn bind(&self, args: &[Value], named: &Kwargs) -> Result<(Vec<Value>, Value), Error> {
        let mut bound: Vec<Value> = args.iter().take(self.params.len()).cloned().collect();
        let mut used: Vec<&str> = Vec::new();
        let take = |name: &'_ str| named.has(name).then(|| named.get::<Value>(name));
        let has_caller = self.params.iter().any(|param| param.as_str() == Some("caller"));
        for (index, param) in self.params.iter().enumerate().skip(bound.len()) {
            let name = param.as_str().unwrap_or_default();
            bound.push(match take(name) {
                Some(value) => {
                    used.push(name);
                    value?
                }
                None if index + self.defaults >= self.params.len() => Value::from_object(Missing),
                None => Value::UNDEFINED,
            });
        }
        let mut caller = Value::UNDEFINED;
        if self.takes_caller && !has_caller {
            used.push("caller");
            caller = take("caller").transpose()?.filter(|caller| !caller.is_none()).unwrap_or_default();
        }
        let mut rest = named.args().filter(|name| !used.contains(name));
        let varargs = args.get(self.params.len()..).unwrap_or_default();
        let name = repr(&self.name);
        let kwargs = if self.takes_kwargs {
            let entries = rest.map(|name| Ok((Value::from(name), named.get::<Value>(name)?)));
            Some(dict(entries.collect::<Result<Vec<_>, Error>>()?))
        } else if named.has("caller") && !used.contains(&"caller") {
            let message = "was invoked with two values for the special caller argument. This is most likely a bug.";
            return Err(Self::too_many(format!("macro {name} {message}")));
        } else if let Some(other) = rest.next() {
            return Err(Self::too_many(format!("macro {name} takes no keyword argument '{other}'")));
        } else {
            None
        };
        if self.takes_varargs {
            bound.push(Value::from(Tuple::from(varargs)));
        } else if !varargs.is_empty() {
            let most = self.params.len();
            return Err(Self::too_many(format!("macro {name} takes not more than {most} argument(s)")));
        }
        bound.extend(kwargs);
        Ok((bound, caller))
    }
}

impl Object for Macro {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(match key.as_str()? {
            "name" => self.name.clone(),
            "arguments" => Value::from(Tuple::from(self.params.clone())),
            "catch_varargs" => self.takes_varargs.into(),
            "catch_kwargs" => self.takes_kwargs.into(),
            "caller" => self.takes_caller.into(),
            _ => return None,
        })
    }

    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let (args, named): (&[Value], Kwargs) = from_args(args)?;
        let (mut bound, caller) = self.bind(args, &named)?;
        // Minijinja's macro knows of its caller only if it saw the word itself.
        if self.inner.get_attr("caller").is_ok_and(|takes| takes.is_true()) {
            bound.push(Kwargs::from_iter([("caller", caller)]).into());
        }
        // The error gets the place of the call, and keeps its own.
        let result = self.inner.call(state, &bound);
        result.map_err(|error| Error::new(ErrorKind::BadInclude, "a macro failed").with_source(error))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::super::rendered;

    #[test]
    fn macros_take_arguments_as_jinjas_do() {
        for (source, text) in [
            ("{% macro m(x=1, y=x+1) %}{{ x }}{{ y }}{% endmacro %}{{ m() }}{{ m(3) }}{{ m(y=none) }}", "12341None"),
            ("{% macro m(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, z=4) }}", "1(2,){'z': 4}"),
            ("{% macro m(a) %}{{ a is defined }}{% endmacro %}{{ m() }}{{ m }}", "False<Macro 'm'>"),
            ("{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "macro 'm' takes not more than 1 argument(s)"),
            ("{% macro m(a) %}{% endmacro %}{{ m(q=2) }}", "macro 'm' takes no keyword argument 'q'"),
            ("{% macro m() %}<{{ caller(1) }}>{% endmacro %}{% call(a, b=3) m() %}{{ a }}{{ b }}{% endcall %}", "<13>"),
            ("{% set q = 1 %}{% macro m() %}{% set q = q + 1 %}{{ q }}{% endmacro %}{{ m() }}{{ m() }}{{ q }}", "221"),
        ] {
            assert_eq!(rendered(source), text, "{source}");
        }
    }
}
