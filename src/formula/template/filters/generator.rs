//! Python's generators: what `map`, `select` and their kind give. They can be gone through once, and neither counted
//! nor indexed.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::Value;
use minijinja::value::{DynObject, Enumerator, Object, ObjectRepr};

use crate::formula::template::value::{by_place, release};

/// What is left of a generator. Its items are made when it is, since nothing in a template can tell the difference
/// but an error in an item that is never asked for.
pub(super) struct Generator {
    kind: &'static str,
    left: Mutex<VecDeque<Value>>,
}

/// A generator of these items; `kind` is what Python's `repr` calls it.
pub(in crate::formula::template) fn generator(kind: &'static str, items: Vec<Value>) -> Value {
    Value::from_object(Generator { kind, left: Mutex::new(items.into()) })
}

/// Whether a value is a generator.
pub(in crate::formula::template) fn is_generator(value: &Value) -> bool {
    value.downcast_object_ref::<Generator>().is_some()
}

impl Generator {
    fn next(&self) -> Option<Value> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    fn len(&self) -> usize {
        self.left.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// Takes items out of the generator one by one, so that a loop that stops early leaves the others.
struct Rest(Arc<Generator>);

impl Iterator for Rest {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.0.len();
        (left, Some(left))
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        let left = std::mem::take(&mut *self.left.lock().unwrap_or_else(PoisonError::into_inner));
        release(left.into());
    }
}

impl fmt::Debug for Generator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} at 0x7f0000000000>", self.kind)
    }
}

impl Object for Generator {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Iter(Box::new(Rest(Arc::clone(self))))
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        None
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        by_place(self.as_ref(), other.downcast_ref())
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
