//! Python's `set`, which some of Salt's filters make of what cannot be changed: text, tuples, generators.
//!
//! Python goes through a set in an order of its own, which for text differs from run to run. Here it is the order
//! in which the items came, and for whole numbers their own.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use indexmap::IndexSet;
use minijinja::value::{Enumerator, Object, ObjectRepr, from_args};
use minijinja::{Error, ErrorKind, State, Value};

use super::arguments::wrong;
use crate::formula::template::value::{self, by_place, is_equal, is_spent, items, release, repr, spend};

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
    value::hashable(&value).map(|()| value)
}

/// Whether a value is a set.
pub(super) fn is_set(value: &Value) -> bool {
    value.downcast_object_ref::<Set>().is_some()
}

impl Set {
    fn items(&self) -> Vec<Value> {
        if spend(self.len()).is_err() {
            return Vec::new();
        }
        self.0.read().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn len(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn change<T>(&self, change: impl FnOnce(&mut IndexSet<Value>) -> T) -> T {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Set {
    fn drop(&mut self) {
        release(self.change(std::mem::take).into_iter().collect());
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
        let other: &Self = other.downcast_ref()?;
        let (one, two) = (self.items(), other.items());
        let is_equal = one.len() == two.len() && combine("difference", &one, &two).is_empty();
        if is_equal { Some(Ordering::Equal) } else { by_place(self.as_ref(), Some(other)) }
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
                let is_there =
                    self.change(|items| if method == "add" { items.insert(item) } else { items.shift_remove(&item) });
                if is_there || method != "remove" { Ok(none) } else { Err(wrong(message)) }
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
                    "issubset" => combine("difference", &mine, &theirs).is_empty(),
                    "issuperset" => combine("difference", &theirs, &mine).is_empty(),
                    _ => combine("intersection", &mine, &theirs).is_empty(),
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

/// Items to look others up in: those that Python can hash by their hashes, the rest one by one.
struct Known<'a> {
    hashed: HashSet<&'a Value>,
    others: Vec<&'a Value>,
}

impl<'a> Known<'a> {
    fn of(items: &'a [Value]) -> Self {
        let (hashed, others): (Vec<_>, Vec<_>) = items.iter().partition(|item| value::hashable(item).is_ok());
        Self { hashed: hashed.into_iter().collect(), others }
    }

    fn has(&self, item: &Value) -> bool {
        if is_spent() {
            return false;
        }
        // What can be hashed is never equal to what cannot: a list is no tuple.
        match value::hashable(item) {
            Ok(()) => self.hashed.contains(item),
            Err(_) => self.others.iter().any(|other| is_equal(other, item)),
        }
    }
}

/// What two rows of items have together, in common, apart.
pub(super) fn combine(how: &str, one: &[Value], two: &[Value]) -> Vec<Value> {
    let kept = |row: &[Value], other: &[Value], wanted: bool| {
        let other = Known::of(other);
        row.iter().filter(|item| other.has(item) == wanted).cloned().collect::<Vec<_>>()
    };
    let only = |row: &[Value], other: &[Value]| kept(row, other, false);
    match how {
        "intersection" => kept(one, two, true),
        "difference" => only(one, two),
        "symmetric_difference" => {
            let mut apart = only(one, two);
            apart.extend(only(two, one));
            apart
        }
        _ => one.iter().chain(two).cloned().collect(),
    }
}
