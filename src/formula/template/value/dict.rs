//! Python's `dict` and `OrderedDict`.

use std::cmp::Ordering;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use indexmap::IndexMap;
use minijinja::value::{DynObject, Enumerator, Kwargs, Object, ObjectRepr, Rest, from_args};
use minijinja::{Error, ErrorKind, State, Value};

use super::{by_place, contains, entries, hashable, is_mapping, items, list, print, release, spend};

/// What one more entry of a mapping costs.
const MADE: usize = 6;
/// How many entries can be moved for the cost of looking at one.
const MOVED: usize = 16;

/// A mapping that keeps the order of its keys and can be changed through every name it has.
#[derive(Default)]
pub struct PyDict {
    entries: RwLock<IndexMap<Value, Value>>,
    is_ordered: bool,
}

impl PyDict {
    /// A mapping with these entries, an `OrderedDict` if `is_ordered`.
    #[must_use]
    pub fn new(entries: IndexMap<Value, Value>, is_ordered: bool) -> Self {
        Self { entries: RwLock::new(entries), is_ordered }
    }

    /// Whether this is an `OrderedDict`, which is written to YAML in its own order, and printed as such.
    pub fn is_ordered(&self) -> bool {
        self.is_ordered
    }

    /// The entries as they are now; none once the rendering may do no more.
    pub fn entries(&self) -> Vec<(Value, Value)> {
        if spend(2 * self.len()).is_err() {
            return Vec::new();
        }
        self.read().iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// The value under a key.
    pub fn get(&self, key: &Value) -> Option<Value> {
        self.read().get(key).cloned()
    }

    /// Puts a value under a key: in its place if the key is there, else last.
    pub fn insert(&self, key: Value, value: Value) {
        let old = self.write().insert(key, value);
        // Not while the mapping is held: the old value may hold it.
        drop(old);
    }

    /// Takes an entry out.
    pub fn remove(&self, key: &Value) -> Option<Value> {
        self.write().shift_remove(key)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.read().len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes every value out, and the keys with them.
    pub(super) fn take(&self) -> Vec<Value> {
        let entries = std::mem::take(&mut *self.write());
        entries.into_values().collect()
    }

    // A poisoned lock means that a thread panicked while it held the mapping; the mapping itself is whole.
    fn read(&self) -> RwLockReadGuard<'_, IndexMap<Value, Value>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, IndexMap<Value, Value>> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn copy(&self) -> Value {
        let _ = spend(self.len() * MADE);
        Value::from_object(Self::new(self.read().clone(), self.is_ordered))
    }

    /// `update`: mappings and lists of pairs, then keyword arguments.
    fn update(&self, args: &[Value]) -> Result<Value, Error> {
        let (others, named): (Rest<Value>, Kwargs) = from_args(args)?;
        if others.len() > 1 {
            let message = format!("update expected at most 1 argument, got {}", others.len());
            return Err(Error::new(ErrorKind::TooManyArguments, message));
        }
        let mut new = others.first().map_or_else(|| Ok(Vec::new()), pairs)?;
        for name in named.args() {
            new.push((Value::from(name), named.get(name)?));
        }
        spend(new.len().saturating_mul(MADE))?;
        self.write().extend(new);
        Ok(Value::from(()))
    }

    fn pop(&self, args: &[Value]) -> Result<Value, Error> {
        let (key, _): (Value, Option<Value>) = from_args(args)?;
        hashable(&key)?;
        spend(1 + self.len() / MOVED)?;
        match (self.remove(&key), args.get(1)) {
            (Some(value), _) => Ok(value),
            (None, Some(default)) => Ok(default.clone()),
            (None, None) => Err(Error::new(ErrorKind::InvalidOperation, format!("KeyError: {}", print::repr(&key)))),
        }
    }
}

/// The global whose presence says that formulas are to find Python 2's dictionaries.
pub(crate) const PYTHON2: &str = "__python2";

fn is_python2(state: &State<'_, '_>) -> bool {
    state.lookup(PYTHON2).is_some()
}

/// What `items()`, `keys()` and `values()` give in Python 3: it can be iterated and counted, not indexed.
struct View {
    name: &'static str,
    is_ordered: bool,
    items: Vec<Value>,
}

impl View {
    fn of(dict: &PyDict, kind: &str) -> Self {
        let (entries, is_ordered) = (dict.entries().into_iter(), dict.is_ordered);
        match kind {
            "keys" => Self { name: "dict_keys", is_ordered, items: entries.map(|(key, _)| key).collect() },
            "values" => Self { name: "dict_values", is_ordered, items: entries.map(|(_, value)| value).collect() },
            _ => Self { name: "dict_items", is_ordered, items: entries.map(Value::from).collect() },
        }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        release(std::mem::take(&mut self.items));
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Object for View {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(if spend(self.items.len()).is_err() { Vec::new() } else { self.items.clone() })
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.items.len())
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        let other: &Self = other.downcast_ref()?;
        let are_keys = self.name == "dict_keys" && other.name == "dict_keys";
        let is_equal = are_keys
            && self.items.len() == other.items.len()
            && self.items.iter().all(|key| contains(&other.items, key));
        if is_equal { Some(Ordering::Equal) } else { by_place(self.as_ref(), Some(other)) }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = if self.is_ordered { "o" } else { "" };
        write!(f, "{prefix}{}({})", self.name, print::repr(&list(self.items.clone())))
    }
}

/// The pairs that Python's `dict(…)` and `update(…)` take from a mapping or a list of pairs.
pub(crate) fn pairs(value: &Value) -> Result<Vec<(Value, Value)>, Error> {
    if is_mapping(value) {
        return Ok(entries(value));
    }
    let pair = |item: Value| match items(&item)?.as_slice() {
        [key, value] => hashable(key).map(|()| (key.clone(), value.clone())),
        other => {
            let message = format!("dictionary update sequence element has length {}; 2 is required", other.len());
            Err(Error::new(ErrorKind::InvalidOperation, message))
        }
    };
    items(value)?.into_iter().map(pair).collect()
}

impl Drop for PyDict {
    fn drop(&mut self) {
        release(self.take());
    }
}

impl fmt::Debug for PyDict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dict of {}", self.len())
    }
}

impl Object for PyDict {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get(key)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.entries().into_iter().map(|(key, _)| key).collect())
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.len())
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&print::text(&Value::from_dyn_object(Arc::clone(self))))
    }

    fn call_method(self: &Arc<Self>, state: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        match method {
            "get" => {
                let (key, default): (Value, Option<Value>) = from_args(args)?;
                hashable(&key)?;
                Ok(self.get(&key).or(default).unwrap_or(Value::from(())))
            }
            "items" | "keys" | "values" => {
                from_args::<()>(args)?;
                let view = View::of(self, method);
                Ok(if is_python2(state) { list(view.items.clone()) } else { Value::from_object(view) })
            }
            "iteritems" | "iterkeys" | "itervalues" if is_python2(state) => {
                from_args::<()>(args)?;
                Ok(list(View::of(self, &method["iter".len()..]).items.clone()))
            }
            "has_key" if is_python2(state) => {
                let (key,): (Value,) = from_args(args)?;
                hashable(&key)?;
                Ok(Value::from(self.get(&key).is_some()))
            }
            "update" => self.update(args),
            "pop" => self.pop(args),
            "popitem" => {
                from_args::<()>(args)?;
                let last = self.write().pop();
                last.map(Value::from)
                    .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "popitem(): dictionary is empty"))
            }
            "setdefault" => {
                let (key, default): (Value, Option<Value>) = from_args(args)?;
                hashable(&key)?;
                spend(MADE)?;
                Ok(self.write().entry(key).or_insert_with(|| default.unwrap_or(Value::from(()))).clone())
            }
            "copy" => {
                from_args::<()>(args)?;
                Ok(self.copy())
            }
            "clear" => {
                from_args::<()>(args)?;
                let removed = self.take();
                drop(removed);
                Ok(Value::from(()))
            }
            "fromkeys" => {
                let (keys, value): (Value, Option<Value>) = from_args(args)?;
                let value = value.unwrap_or(Value::from(()));
                let keys = items(&keys)?;
                keys.iter().try_for_each(hashable)?;
                Ok(super::dict(keys.into_iter().map(|key| (key, value.clone()))))
            }
            "move_to_end" if self.is_ordered => {
                let (key, last): (Value, Option<bool>) = from_args(args)?;
                hashable(&key)?;
                spend(1 + self.len() / MOVED)?;
                let mut entries = self.write();
                let from = entries.get_index_of(&key);
                let from = from.ok_or_else(|| {
                    Error::new(ErrorKind::InvalidOperation, format!("KeyError: {}", print::repr(&key)))
                })?;
                let to = if last.unwrap_or(true) { entries.len() - 1 } else { 0 };
                entries.move_index(from, to);
                Ok(Value::from(()))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}
