//! Objects as Python has them: lists and mappings changed in place, and shared by all who hold them.
//!
//! Salt changes the data of an SLS while it compiles it, and a YAML anchor makes two IDs hold one list: what is
//! added for one is then there for both. So data comes in with its sharing, is changed here, and goes out again.
//! However it is shared, it can neither grow without end nor be walked without end.

use std::collections::HashMap;
use std::sync::Arc;

use super::entries::Entries;
use crate::formula::{Data, Dict, Error, Kind, Result};

/// The deepest nesting that data may have.
const DEEPEST: usize = 200;
/// The most items that all lists and mappings of one compilation may have together.
const LARGEST: usize = 4_000_000;

/// One object: a copy of it is the same object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Ref(usize);

#[derive(Debug)]
enum Object {
    Scalar(Data),
    List(Vec<Ref>),
    Table(Table),
}

/// The entries of a mapping.
#[derive(Debug, Default)]
struct Table {
    entries: Entries,
    is_ordered: bool,
}

/// Every object of one compilation.
#[derive(Debug, Default)]
pub(super) struct Heap {
    objects: Vec<Object>,
    size: usize,
}

/// What a template or a person put where Salt needs something else.
pub(super) fn unfit(what: &str, wanted: &str, found: &str) -> Error {
    let article = if found.starts_with(['i', 'o']) { "an" } else { "a" };
    let (subject, found) = if found == "NoneType" { ("empty", String::new()) } else { (article, format!(" {found}")) };
    Error::new(Kind::Structure, format!("{what} is {subject}{found}, and must be {wanted}"))
}

impl Heap {
    fn add(&mut self, object: Object) -> Ref {
        self.objects.push(object);
        Ref(self.objects.len() - 1)
    }

    fn object(&self, object: Ref) -> &Object {
        // Every `Ref` was made by `add` of its heap, and nothing is ever taken out.
        &self.objects[object.0]
    }

    fn grow(&mut self, by: usize) -> Result<()> {
        self.size += by;
        if self.size + self.objects.len() > LARGEST {
            return Err(Error::new(Kind::Limit, format!("the states hold more than {LARGEST} values")));
        }
        Ok(())
    }

    /// A new text, number or the like.
    pub(super) fn scalar(&mut self, data: impl Into<Data>) -> Ref {
        self.add(Object::Scalar(data.into()))
    }

    /// A new list.
    pub(super) fn list(&mut self, items: Vec<Ref>) -> Ref {
        self.add(Object::List(items))
    }

    /// A new, empty mapping.
    pub(super) fn table(&mut self, is_ordered: bool) -> Ref {
        self.add(Object::Table(Table { entries: Entries::default(), is_ordered }))
    }

    /// A new `dict` of one entry.
    pub(super) fn pair(&mut self, key: Data, value: Ref) -> Ref {
        let mut entries = Entries::with_capacity(1);
        entries.insert(key, value);
        self.add(Object::Table(Table { entries, is_ordered: false }))
    }

    /// Takes in what was rendered: what is one object there is one object here.
    pub(super) fn import(&mut self, data: &Data) -> Result<Ref> {
        self.take_in(data, &mut HashMap::new(), 0)
    }

    fn take_in(&mut self, data: &Data, seen: &mut HashMap<*const (), Ref>, depth: usize) -> Result<Ref> {
        if depth > DEEPEST {
            return Err(Error::new(Kind::Limit, format!("data nested more than {DEEPEST} deep")));
        }
        let (address, is_shared) = match data {
            Data::List(items) => (Arc::as_ptr(items).cast::<()>(), Arc::strong_count(items) > 1),
            Data::Dict(dict) => (Arc::as_ptr(dict).cast::<()>(), Arc::strong_count(dict) > 1),
            scalar => return Ok(self.scalar(scalar.clone())),
        };
        if let Some(&object) = seen.get(&address).filter(|_| is_shared) {
            return Ok(object);
        }
        let object = match data {
            Data::Dict(dict) => {
                self.grow(dict.entries.len())?;
                let mut entries = Entries::with_capacity(dict.entries.len());
                for (key, value) in &dict.entries {
                    entries.insert(key.clone(), self.take_in(value, seen, depth + 1)?);
                }
                self.add(Object::Table(Table { entries, is_ordered: dict.is_ordered }))
            }
            other => {
                let items = other.as_list().unwrap_or_default();
                self.grow(items.len())?;
                let items = items.iter().map(|item| self.take_in(item, seen, depth + 1)).collect::<Result<_>>()?;
                self.add(Object::List(items))
            }
        };
        if is_shared {
            seen.insert(address, object);
        }
        Ok(object)
    }

    /// Hands out what an object says now. Calls with one `seen` give one object for one object.
    pub(super) fn export(&self, object: Ref, seen: &mut HashMap<Ref, Data>) -> Result<Data> {
        self.hand_out(object, seen, 0)
    }

    fn hand_out(&self, object: Ref, seen: &mut HashMap<Ref, Data>, depth: usize) -> Result<Data> {
        if depth > DEEPEST {
            return Err(Error::new(Kind::Limit, "a list or mapping that holds itself"));
        }
        if let Object::Scalar(data) = self.object(object) {
            return Ok(data.clone());
        }
        if let Some(data) = seen.get(&object) {
            return Ok(data.clone());
        }
        let data: Data = match self.object(object) {
            Object::Scalar(data) => data.clone(),
            Object::List(items) => {
                items.iter().map(|&item| self.hand_out(item, seen, depth + 1)).collect::<Result<Data>>()?
            }
            Object::Table(table) => {
                let entries = table.entries.iter();
                let entries = entries.map(|(key, value)| Ok((key.clone(), self.hand_out(value, seen, depth + 1)?)));
                Dict { entries: entries.collect::<Result<_>>()?, is_ordered: table.is_ordered }.into()
            }
        };
        seen.insert(object, data.clone());
        Ok(data)
    }

    /// The scalar that an object is.
    pub(super) fn as_scalar(&self, object: Ref) -> Option<&Data> {
        match self.object(object) {
            Object::Scalar(data) => Some(data),
            _ => None,
        }
    }

    /// The text that an object is.
    pub(super) fn as_str(&self, object: Ref) -> Option<&str> {
        self.as_scalar(object)?.as_str()
    }

    /// The items of an object that is a list.
    pub(super) fn as_list(&self, object: Ref) -> Option<&[Ref]> {
        match self.object(object) {
            Object::List(items) => Some(items),
            _ => None,
        }
    }

    /// The entries of an object that is a mapping.
    pub(super) fn as_table(&self, object: Ref) -> Option<&Entries> {
        match self.object(object) {
            Object::Table(table) => Some(&table.entries),
            _ => None,
        }
    }

    /// The mapping that a list's argument is, if it is one, with its first key, which is what Salt knows it by.
    pub(super) fn argument(&self, object: Ref) -> Option<(&Data, Ref, &Entries)> {
        let entries = self.as_table(object)?;
        let (key, value) = entries.first()?;
        Some((key, value, entries))
    }

    /// The entries of a mapping as they are now; none of anything else.
    pub(super) fn entries(&self, object: Ref) -> Vec<(Data, Ref)> {
        let entries = self.as_table(object);
        entries.map(|entries| entries.iter().map(|(key, value)| (key.clone(), value)).collect()).unwrap_or_default()
    }

    /// The value under a key of a mapping.
    pub(super) fn get(&self, object: Ref, key: &Data) -> Option<Ref> {
        self.as_table(object)?.get(key)
    }

    /// The value under a key of text.
    pub(super) fn get_str(&self, object: Ref, key: &str) -> Option<Ref> {
        self.as_table(object)?.get_str(key)
    }

    /// What Python calls the type of an object.
    pub(super) fn type_name(&self, object: Ref) -> &'static str {
        match self.object(object) {
            Object::Scalar(data) => data.type_name(),
            Object::List(_) => "list",
            Object::Table(_) => "dict",
        }
    }

    /// What Python finds when it goes over an object: items, keys, the characters of a text.
    pub(super) fn iterate(&mut self, object: Ref, what: impl FnOnce() -> String) -> Result<Vec<Ref>> {
        let found: Vec<Data> = match self.object(object) {
            Object::List(items) => return Ok(items.clone()),
            Object::Table(table) => table.entries.keys().cloned().collect(),
            Object::Scalar(Data::Str(text)) => text.chars().map(|character| character.to_string().into()).collect(),
            Object::Scalar(other) => return Err(unfit(&what(), "a list", other.type_name())),
        };
        self.grow(found.len())?;
        Ok(found.into_iter().map(|data| self.scalar(data)).collect())
    }

    /// Puts a value under a key: in its place if the key is there, else last. Nothing happens to what is no mapping.
    pub(super) fn set(&mut self, object: Ref, key: impl Into<Data>, value: Ref) {
        self.size += 1;
        if let Some(Object::Table(table)) = self.objects.get_mut(object.0) {
            table.entries.insert(key.into(), value);
        }
    }

    /// Takes an entry out of a mapping.
    pub(super) fn remove(&mut self, object: Ref, key: &Data) -> Option<Ref> {
        match self.objects.get_mut(object.0) {
            Some(Object::Table(table)) => table.entries.remove(key),
            _ => None,
        }
    }

    /// Takes the last entry out of a mapping.
    pub(super) fn pop(&mut self, object: Ref) -> Option<(Data, Ref)> {
        match self.objects.get_mut(object.0) {
            Some(Object::Table(table)) => table.entries.pop(),
            _ => None,
        }
    }

    /// Takes all entries out of a mapping.
    pub(super) fn take_entries(&mut self, object: Ref) -> Entries {
        match self.objects.get_mut(object.0) {
            Some(Object::Table(table)) => std::mem::take(&mut table.entries),
            _ => Entries::default(),
        }
    }

    /// Keeps the entries of a mapping for which `keep` is true.
    pub(super) fn retain(&mut self, object: Ref, keep: impl Fn(&Data) -> bool) {
        if let Some(Object::Table(table)) = self.objects.get_mut(object.0) {
            table.entries.retain(keep);
        }
    }

    /// Puts items at the end of a list.
    pub(super) fn extend(&mut self, list: Ref, items: &[Ref], what: impl FnOnce() -> String) -> Result<()> {
        self.grow(items.len())?;
        match self.objects.get_mut(list.0) {
            Some(Object::List(list)) => list.extend_from_slice(items),
            _ => return Err(unfit(&what(), "a list", self.type_name(list))),
        }
        Ok(())
    }

    /// Puts an item in the place of another one of a list.
    pub(super) fn replace(&mut self, list: Ref, index: usize, item: Ref) {
        if let Some(Object::List(items)) = self.objects.get_mut(list.0)
            && let Some(place) = items.get_mut(index)
        {
            *place = item;
        }
    }

    /// Python's `==`: two `OrderedDict`s must agree in their order too.
    pub(super) fn is_equal(&self, one: Ref, two: Ref) -> Result<bool> {
        self.compare(one, two, 0, &mut 0)
    }

    fn compare(&self, one: Ref, two: Ref, depth: usize, steps: &mut usize) -> Result<bool> {
        *steps += 1;
        if *steps > LARGEST || depth > DEEPEST {
            return Err(Error::new(Kind::Limit, "two states that are too large to compare"));
        }
        if one == two {
            return Ok(true);
        }
        let pairs: Vec<(Ref, Ref)> = match (self.object(one), self.object(two)) {
            (Object::Scalar(one), Object::Scalar(two)) => return Ok(one == two),
            (Object::List(one), Object::List(two)) if one.len() == two.len() => {
                one.iter().copied().zip(two.iter().copied()).collect()
            }
            (Object::Table(one), Object::Table(two)) if one.entries.len() == two.entries.len() => {
                if one.is_ordered && two.is_ordered && !one.entries.keys().eq(two.entries.keys()) {
                    return Ok(false);
                }
                let pairs = one.entries.iter().map(|(key, value)| Some((value, two.entries.get(key)?)));
                match pairs.collect() {
                    Some(pairs) => pairs,
                    None => return Ok(false),
                }
            }
            _ => return Ok(false),
        };
        for (one, two) in pairs {
            if !self.compare(one, two, depth + 1, steps)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
