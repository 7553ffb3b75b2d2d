//! Python's `set`, which some of Salt's filters make of what cannot be changed: text, tuples, generators.
//!
//! Python goes through a set in an order of its own, which for text differs from run to run. Here it is the order
//! in which the items came, and for whole numbers their own.

use std::cmp::Ordering;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use indexmap::IndexSet;
use minijinja::value::{Enumerator, Object, ObjectRepr, from_args};
use minijinja::{Error, ErrorKind, State, Value};

use super::arguments::{is_hashable, wrong};
use crate::formula::template::value::{items, repr, type_name};

/// A set that can be changed through every name it has.
#[derive(Default)]
pub(super) struct Set(RwLock<IndexSet<Value>>);

/// A set of these items; one that cannot be hashed is an error.
pub(super) fn set(items: impl IntoIterator<Item = Value>) -> Result<Value, Error> {
    let mut unique = IndexSet::new();
    for item in items {
        unique.insert(hashable(item)?);
    }
    if unique.iter().all(Value::is_integer) {
        unique.sort();
    }
    Ok(Value::from_object(Set(RwLock::new(unique))))
}

/// A value that can be in a set or be a key.
pub(super) fn hashable(value: Value) -> Result<Value, Error> {
    if value.is_undefined() {
        Err(Error::from(ErrorKind::UndefinedError))
    } else if is_hashable(&value) {
        Ok(value)
    } else {
        Err(wrong(format!("unhashable type: '{}'", type_name(&value))))
    }
}

/// Whether a value is a set.
pub(super) fn is_set(value: &Value) -> bool {
    value.downcast_object_ref::<Set>().is_some()
}

impl Set {
    fn items(&self) -> Vec<Value> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn change<T>(&self, change: impl FnOnce(&mut IndexSet<Value>) -> T) -> T {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items: Vec<String> = self.items().iter().map(repr).collect();
        if items.is_empty() { f.write_str("set()") } else { write!(f, "{{{}}}", items.join(", ")) }
    }
}

impl Object for Set {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.items())
    }

    fn custom_cmp(self: &Arc<Self>, other: &minijinja::value::DynObject) -> Option<Ordering> {
        let (mut one, mut two) = (self.items(), other.downcast_ref::<Self>()?.items());
        one.sort();
        two.sort();
        Some(one.cmp(&two))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        let none = Value::from(());
        match method {
            "add" | "discard" | "remove" => {
                let (item,): (Value,) = from_args(args)?;
                let item = hashable(item)?;
                let message = format!("KeyError: {}", repr(&item));
                let is_there = match method {
                    "add" => self.change(|items| items.insert(item)) || true,
                    _ => self.change(|items| items.shift_remove(&item)),
                };
                if is_there || method == "discard" { Ok(none) } else { Err(wrong(message)) }
            }
            "update" => {
                for more in args {
                    let more = items(more)?.into_iter().map(hashable).collect::<Result<Vec<_>, _>>()?;
                    self.change(|items| items.extend(more));
                }
                Ok(none)
            }
            "union" | "intersection" | "difference" | "symmetric_difference" => {
                let mut result = self.items();
                for other in args {
                    result = combine(method, &result, &items(other)?);
                }
                set(result)
            }
            "issubset" | "issuperset" | "isdisjoint" => {
                let (other,): (Value,) = from_args(args)?;
                let (mine, theirs) = (self.items(), items(&other)?);
                Ok(Value::from(match method {
                    "issubset" => mine.iter().all(|item| theirs.contains(item)),
                    "issuperset" => theirs.iter().all(|item| mine.contains(item)),
                    _ => !mine.iter().any(|item| theirs.contains(item)),
                }))
            }
            "copy" => {
                from_args::<()>(args)?;
                set(self.items())
            }
            "clear" => {
                from_args::<()>(args)?;
                self.change(IndexSet::clear);
                Ok(none)
            }
            "pop" => {
                from_args::<()>(args)?;
                self.change(|items| items.shift_remove_index(0)).ok_or_else(|| wrong("pop from an empty set"))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

/// What two rows of items have together, in common, apart.
pub(super) fn combine(how: &str, one: &[Value], two: &[Value]) -> Vec<Value> {
    let only = |row: &[Value], other: &[Value]| row.iter().filter(|item| !other.contains(item)).cloned().collect();
    match how {
        "intersection" => one.iter().filter(|item| two.contains(item)).cloned().collect(),
        "difference" => only(one, two),
        "symmetric_difference" => {
            let mut apart: Vec<Value> = only(one, two);
            apart.extend::<Vec<Value>>(only(two, one));
            apart
        }
        _ => one.iter().chain(two).cloned().collect(),
    }
}
