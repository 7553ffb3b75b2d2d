//! Jinja's `namespace`: an object whose attributes a template sets.
//!
//! Minijinja's own lets go of a namespace in a namespace in a namespace a level of the stack each.

use std::cmp::Ordering;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use indexmap::IndexMap;
use minijinja::value::{DynObject, Enumerator, Object, ObjectRepr};
use minijinja::{Error, Value};

use super::{by_place, spend, type_name, wrong};

/// What `namespace(…)` makes.
#[derive(Default)]
pub struct Namespace(RwLock<IndexMap<Value, Value>>);

impl Namespace {
    /// A namespace with these attributes.
    pub fn new(attributes: impl IntoIterator<Item = (Value, Value)>) -> Self {
        Self(RwLock::new(attributes.into_iter().collect()))
    }

    /// The attributes as they are now.
    pub fn entries(&self) -> Vec<(Value, Value)> {
        let attributes = self.0.read().unwrap_or_else(PoisonError::into_inner);
        attributes.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// Takes every value out.
    pub(super) fn take(&self) -> Vec<Value> {
        let mut attributes = self.0.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *attributes).into_values().collect()
    }
}

/// Sets an attribute of a namespace.
///
/// # Errors
/// When it is none.
pub fn set_attribute(namespace: &Value, name: &str, value: Value) -> Result<(), Error> {
    let Some(target) = namespace.downcast_object_ref::<Namespace>() else {
        return Err(wrong(format!("cannot assign attribute on non-namespace object, but {}", type_name(namespace))));
    };
    spend(1)?;
    let old = target.0.write().unwrap_or_else(PoisonError::into_inner).insert(Value::from(name), value);
    // Not while the lock is held: the old value may hold the namespace.
    drop(old);
    Ok(())
}

impl Drop for Namespace {
    fn drop(&mut self) {
        super::release(self.take());
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("namespace")
    }
}

impl Object for Namespace {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&Value::from(name)).cloned()
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        by_place(self.as_ref(), other.downcast_ref())
    }

    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&super::text(&Value::from_dyn_object(Arc::clone(self))))
    }
}
