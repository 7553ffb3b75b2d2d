//! Python's `list`.

use std::cmp::Ordering;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use minijinja::value::{Enumerator, Kwargs, Object, ObjectRepr, from_args};
use minijinja::{Error, ErrorKind, State, Value};

use super::{DEEPEST, is_equal, items, print, spend};

/// What one more item of a list costs.
const MADE: usize = 3;
/// How many items can be moved for the cost of looking at one.
const MOVED: usize = 16;

/// A list that can be changed through every name it has.
#[derive(Default)]
pub struct PyList(RwLock<Vec<Value>>);

impl From<Vec<Value>> for PyList {
    fn from(items: Vec<Value>) -> Self {
        Self(RwLock::new(items))
    }
}

impl PyList {
    /// The items as they are now; none once the rendering may do no more.
    pub fn items(&self) -> Vec<Value> {
        if spend(self.len()).is_err() { Vec::new() } else { self.read().clone() }
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.read().len()
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds an item at the end.
    pub fn push(&self, item: Value) {
        self.write().push(item);
    }

    /// Takes every item out.
    pub(super) fn take(&self) -> Vec<Value> {
        std::mem::take(&mut *self.write())
    }

    fn read(&self) -> RwLockReadGuard<'_, Vec<Value>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Vec<Value>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn position(&self, item: &Value) -> Option<usize> {
        self.items().iter().position(|other| is_equal(other, item))
    }

    fn sort(&self, args: &[Value]) -> Result<Value, Error> {
        let (named,): (Kwargs,) = from_args(args)?;
        let reverse = named.get::<Option<bool>>("reverse")?.unwrap_or(false);
        named.assert_all_used()?;
        let mut sorted = self.items();
        sort(&mut sorted, reverse)?;
        let unsorted = std::mem::replace(&mut *self.write(), sorted);
        drop(unsorted);
        Ok(Value::from(()))
    }
}

/// Sorts as Python does: stable, and an error for items that have no order between them.
pub(crate) fn sort(items: &mut Vec<Value>, reverse: bool) -> Result<(), Error> {
    sort_by(items, |one, two| Ok(if reverse { compare(one, two)?.reverse() } else { compare(one, two)? }))
}

/// A stable sort that ends at the first error.
///
/// The standard library's sort may panic when an order contradicts itself, which values of several types can bring
/// about; this one cannot.
pub(crate) fn sort_by<T>(
    items: &mut Vec<T>,
    mut compare: impl FnMut(&T, &T) -> Result<Ordering, Error>,
) -> Result<(), Error> {
    let mut places: Vec<usize> = (0..items.len()).collect();
    let mut merged = Vec::with_capacity(places.len());
    let mut width = 1;
    while width < places.len() {
        spend(places.len())?;
        for pair in places.chunks(width * 2) {
            let (mut left, mut right) = pair.split_at(width.min(pair.len()));
            while let ([one, rest @ ..], [two, others @ ..]) = (left, right) {
                let (Some(first), Some(second)) = (items.get(*one), items.get(*two)) else { break };
                if compare(second, first)? == Ordering::Less {
                    merged.push(*two);
                    right = others;
                } else {
                    merged.push(*one);
                    left = rest;
                }
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        std::mem::swap(&mut places, &mut merged);
        merged.clear();
        width *= 2;
    }
    let mut unsorted: Vec<Option<T>> = std::mem::take(items).into_iter().map(Some).collect();
    items.extend(places.into_iter().filter_map(|place| unsorted.get_mut(place)?.take()));
    Ok(())
}

/// The order of two values, or Python's `TypeError` where they have none.
pub(crate) fn compare(one: &Value, two: &Value) -> Result<Ordering, Error> {
    compare_at(one, two, 0)
}

fn compare_at(one: &Value, two: &Value, depth: usize) -> Result<Ordering, Error> {
    use minijinja::value::ValueKind::{Bool, Number, Seq, String, Undefined};
    match (one.kind(), two.kind()) {
        (Undefined, _) | (_, Undefined) => Err(Error::from(ErrorKind::UndefinedError)),
        (String, String) => Ok(one.as_str().cmp(&two.as_str())),
        (Number | Bool, Number | Bool) => Ok(number(one).cmp(&number(two))),
        (Seq, Seq) if depth > DEEPEST => Err(missing("maximum recursion depth exceeded in comparison")),
        (Seq, Seq) if one.is_tuple() == two.is_tuple() => {
            let (one, two) = (items(one)?, items(two)?);
            for (one, two) in one.iter().zip(&two) {
                if !is_equal(one, two) {
                    return compare_at(one, two, depth + 1);
                }
            }
            Ok(one.len().cmp(&two.len()))
        }
        _ => {
            let (one, two) = (super::type_name(one), super::type_name(two));
            let message = format!("'<' not supported between instances of '{one}' and '{two}'");
            Err(Error::new(ErrorKind::InvalidOperation, message))
        }
    }
}

/// A boolean as the number it is in Python.
fn number(value: &Value) -> Value {
    if value.kind() == minijinja::value::ValueKind::Bool {
        Value::from(i64::from(value.is_true()))
    } else {
        value.clone()
    }
}

/// Where a Python index points: negative ones count from the end.
fn at(index: i64, length: usize) -> Option<usize> {
    let length = i64::try_from(length).ok()?;
    let index = if index < 0 { length + index } else { index };
    usize::try_from(index).ok().filter(|_| index < length)
}

fn missing(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

impl Drop for PyList {
    fn drop(&mut self) {
        super::release(self.take());
    }
}

impl fmt::Debug for PyList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "list of {}", self.len())
    }
}

impl Object for PyList {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let items = self.read();
        items.get(at(key.as_i64()?, items.len())?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.items())
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.len())
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&print::text(&Value::from_dyn_object(Arc::clone(self))))
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        let none = Value::from(());
        match method {
            "append" => {
                let (item,): (Value,) = from_args(args)?;
                spend(MADE)?;
                self.push(item);
                Ok(none)
            }
            "extend" => {
                let (more,): (Value,) = from_args(args)?;
                let more = items(&more)?;
                spend(more.len().saturating_mul(MADE))?;
                self.write().extend(more);
                Ok(none)
            }
            "insert" => {
                let (index, item): (i64, Value) = from_args(args)?;
                spend(MADE + self.len() / MOVED)?;
                let mut items = self.write();
                let end = items.len();
                let index = if index < 0 { at(index, end).unwrap_or(0) } else { at(index, end).unwrap_or(end) };
                items.insert(index, item);
                Ok(none)
            }
            "remove" => {
                let (item,): (Value,) = from_args(args)?;
                // Comparing may look at the list itself, so it must not be held for writing yet.
                let index = self.position(&item).ok_or_else(|| missing("list.remove(x): x not in list"))?;
                let removed = self.write().remove(index);
                drop(removed);
                Ok(none)
            }
            "pop" => {
                let (index,): (Option<i64>,) = from_args(args)?;
                spend(1 + if index.is_some() { self.len() / MOVED } else { 0 })?;
                let mut items = self.write();
                let index = at(index.unwrap_or(-1), items.len());
                Ok(items.remove(index.ok_or_else(|| missing("pop index out of range"))?))
            }
            "index" => {
                let (item,): (Value,) = from_args(args)?;
                self.position(&item).map(Value::from).ok_or_else(|| missing("the item is not in the list"))
            }
            "count" => {
                let (item,): (Value,) = from_args(args)?;
                Ok(Value::from(self.items().iter().filter(|other| is_equal(other, &item)).count()))
            }
            "sort" => self.sort(args),
            "reverse" => {
                from_args::<()>(args)?;
                spend(self.len())?;
                self.write().reverse();
                Ok(none)
            }
            "copy" => {
                from_args::<()>(args)?;
                Ok(super::list(self.items()))
            }
            "clear" => {
                from_args::<()>(args)?;
                let removed = self.take();
                drop(removed);
                Ok(none)
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}
