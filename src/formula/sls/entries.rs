//! The entries of a mapping. Nearly all mappings of an SLS have one entry (`- user: root`), and some have thousands.

use indexmap::IndexMap;

use super::heap::Ref;
use crate::formula::Data;
use crate::formula::data::Key;

/// How many entries are searched one by one, which for so few is faster than any index.
const FEW: usize = 8;

/// Entries in the order in which their keys came.
#[derive(Debug, Default)]
pub(super) struct Entries {
    few: Vec<(Data, Ref)>,
    /// Holds all of them once there are more; never both.
    many: Option<Box<IndexMap<Data, Ref>>>,
}

impl Entries {
    pub(super) fn with_capacity(count: usize) -> Self {
        if count > FEW {
            Self { few: Vec::new(), many: Some(Box::new(IndexMap::with_capacity(count))) }
        } else {
            Self { few: Vec::with_capacity(count), many: None }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.many.as_ref().map_or(self.few.len(), |many| many.len())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Data, Ref)> {
        let many = self.many.iter().flat_map(|many| many.iter());
        self.few.iter().map(|(key, value)| (key, *value)).chain(many.map(|(key, value)| (key, *value)))
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Data> {
        self.iter().map(|(key, _)| key)
    }

    pub(super) fn first(&self) -> Option<(&Data, Ref)> {
        self.at(0)
    }

    pub(super) fn at(&self, index: usize) -> Option<(&Data, Ref)> {
        match &self.many {
            Some(many) => many.get_index(index).map(|(key, value)| (key, *value)),
            None => self.few.get(index).map(|(key, value)| (key, *value)),
        }
    }

    pub(super) fn get(&self, key: &Data) -> Option<Ref> {
        match &self.many {
            Some(many) => many.get(key).copied(),
            None => self.few.iter().find(|(own, _)| own == key).map(|(_, value)| *value),
        }
    }

    pub(super) fn get_str(&self, key: &str) -> Option<Ref> {
        match &self.many {
            Some(many) => many.get(&Key(key)).copied(),
            None => self.few.iter().find(|(own, _)| own.as_str() == Some(key)).map(|(_, value)| *value),
        }
    }

    /// Puts a value under a key: in its place if the key is there, else last.
    pub(super) fn insert(&mut self, key: Data, value: Ref) {
        if let Some(many) = &mut self.many {
            many.insert(key, value);
        } else if let Some((_, place)) = self.few.iter_mut().find(|(own, _)| *own == key) {
            *place = value;
        } else if self.few.len() < FEW {
            self.few.push((key, value));
        } else {
            self.many = Some(Box::new(self.few.drain(..).chain([(key, value)]).collect()));
        }
    }

    pub(super) fn remove(&mut self, key: &Data) -> Option<Ref> {
        if let Some(many) = &mut self.many {
            return many.shift_remove(key);
        }
        let place = self.few.iter().position(|(own, _)| own == key)?;
        Some(self.few.remove(place).1)
    }

    pub(super) fn pop(&mut self) -> Option<(Data, Ref)> {
        match &mut self.many {
            Some(many) => many.pop(),
            None => self.few.pop(),
        }
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&Data) -> bool) {
        match &mut self.many {
            Some(many) => many.retain(|key, _| keep(key)),
            None => self.few.retain(|(key, _)| keep(key)),
        }
    }
}

impl IntoIterator for Entries {
    type Item = (Data, Ref);
    type IntoIter = std::iter::Chain<std::vec::IntoIter<(Data, Ref)>, indexmap::map::IntoIter<Data, Ref>>;

    fn into_iter(self) -> Self::IntoIter {
        let many = self.many.map(|many| *many).unwrap_or_default();
        self.few.into_iter().chain(many)
    }
}
