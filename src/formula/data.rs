//! What YAML and JSON can say, with Python's idea of equality: pillar, grains, high state and low state.

use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use indexmap::IndexMap;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap as _, SerializeSeq as _, Serializer};

/// One value.
///
/// Lists and mappings are shared: a clone is the same object, as in Python, and the YAML writer names an
/// object that comes twice (`&id001`). Changing one through [`Arc::make_mut`] leaves the others as they were.
#[derive(Clone, Default)]
pub enum Data {
    /// `null`, Python's `None`.
    #[default]
    None,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    Str(Arc<str>),
    /// A list; tuples become lists.
    List(Arc<Vec<Data>>),
    /// A mapping, in the order in which its keys came.
    Dict(Arc<Dict>),
}

/// A mapping.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dict {
    /// The entries, in the order in which their keys came.
    pub entries: IndexMap<Data, Data>,
    /// Whether this is an `OrderedDict` in Salt, which PyYAML writes in its own order; a plain `dict` is sorted.
    pub is_ordered: bool,
}

impl Data {
    /// The text, if this is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The items, if this is a list.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Data]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// The mapping, if this is one.
    #[must_use]
    pub fn as_dict(&self) -> Option<&Dict> {
        match self {
            Self::Dict(dict) => Some(dict),
            _ => None,
        }
    }

    /// The value under a key of text, if this is a mapping that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Data> {
        self.as_dict()?.get(key)
    }

    /// Python's truth: `None`, `false`, zero and everything empty are false.
    #[must_use]
    pub fn is_true(&self) -> bool {
        match self {
            Self::None => false,
            Self::Bool(value) => *value,
            Self::Int(number) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::Str(text) => !text.is_empty(),
            Self::List(items) => !items.is_empty(),
            Self::Dict(dict) => !dict.entries.is_empty(),
        }
    }

    /// What Python calls the type of this value.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::None => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Str(_) => "str",
            Self::List(_) => "list",
            Self::Dict(_) => "dict",
        }
    }

    /// Whether this can be a key, that is neither a list nor a mapping.
    #[must_use]
    pub fn is_hashable(&self) -> bool {
        !matches!(self, Self::List(_) | Self::Dict(_))
    }

    /// The same with every mapping a plain `dict`. An object that comes twice comes out as one that comes twice.
    #[must_use]
    pub fn unordered(&self) -> Self {
        self.unordered_with(&mut HashMap::new())
    }

    fn unordered_with(&self, seen: &mut HashMap<*const (), Self>) -> Self {
        let object = match self {
            Self::List(items) => Arc::as_ptr(items).cast::<()>(),
            Self::Dict(dict) => Arc::as_ptr(dict).cast::<()>(),
            other => return other.clone(),
        };
        if let Some(copy) = seen.get(&object) {
            return copy.clone();
        }
        let copy: Self = match self {
            Self::Dict(dict) => {
                let entries = dict.entries.iter();
                entries.map(|(key, value)| (key.clone(), value.unordered_with(seen))).collect::<Dict>().into()
            }
            other => other.as_list().unwrap_or_default().iter().map(|item| item.unordered_with(seen)).collect(),
        };
        seen.insert(object, copy.clone());
        copy
    }

    /// The number this equals in Python, where `True == 1 == 1.0`.
    fn number(&self) -> Option<Number> {
        match self {
            Self::Bool(value) => Some(Number::Int(i128::from(*value))),
            Self::Int(number) => Some(Number::Int(*number)),
            Self::Float(number) => Some(Number::from(*number)),
            _ => None,
        }
    }
}

/// A number whose equality does not depend on how it was written.
#[derive(PartialEq)]
enum Number {
    Int(i128),
    Float(f64),
}

impl From<f64> for Number {
    fn from(number: f64) -> Self {
        // Every whole float below 2^127 is exact as an i128; beyond that no Int can equal it.
        #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
        if number.fract() == 0.0 && number.abs() < 1.0e38 { Self::Int(number as i128) } else { Self::Float(number) }
    }
}

impl PartialEq for Data {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, Self::None) => true,
            (Self::Str(one), Self::Str(two)) => one == two,
            (Self::List(one), Self::List(two)) => Arc::ptr_eq(one, two) || one == two,
            (Self::Dict(one), Self::Dict(two)) => Arc::ptr_eq(one, two) || one.entries == two.entries,
            (one, two) => matches!((one.number(), two.number()), (Some(one), Some(two)) if one == two),
        }
    }
}

// Not a number is never a key twice in practice; Python itself compares it by identity.
impl Eq for Data {}

impl Hash for Data {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::None => 0_u8.hash(state),
            Self::Str(text) => text.hash(state),
            Self::List(items) => items.hash(state),
            Self::Dict(dict) => dict.entries.len().hash(state),
            number => match number.number() {
                Some(Number::Int(number)) => number.hash(state),
                Some(Number::Float(number)) => number.to_bits().hash(state),
                None => {}
            },
        }
    }
}

/// A key of text, to look something up without making a [`Data`] of it.
pub(super) struct Key<'a>(pub(super) &'a str);

impl Hash for Key<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl indexmap::Equivalent<Data> for Key<'_> {
    fn equivalent(&self, key: &Data) -> bool {
        key.as_str() == Some(self.0)
    }
}

impl Dict {
    /// An empty `OrderedDict`, as YAML mappings in SLS files become.
    #[must_use]
    pub fn ordered() -> Self {
        Self { entries: IndexMap::new(), is_ordered: true }
    }

    /// The value under a key of text.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Data> {
        self.entries.get(&Key(key))
    }

    /// The value under a key of text, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Data> {
        self.entries.get_mut(&Key(key))
    }

    /// Whether there is a key of this text.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.entries.contains_key(&Key(key))
    }

    /// Puts a value under a key: in its place if the key is there, else last. Returns what was there.
    pub fn insert(&mut self, key: impl Into<Data>, value: impl Into<Data>) -> Option<Data> {
        self.entries.insert(key.into(), value.into())
    }

    /// Takes an entry out; the others keep their order.
    pub fn remove(&mut self, key: &str) -> Option<Data> {
        self.entries.shift_remove(&Key(key))
    }

    /// The only entry of a mapping that has one.
    #[must_use]
    pub fn only(&self) -> Option<(&Data, &Data)> {
        if self.entries.len() == 1 { self.entries.first() } else { None }
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(number) => write!(f, "{number}"),
            Self::Float(number) => write!(f, "{number:?}"),
            Self::Str(text) => write!(f, "{text:?}"),
            Self::List(items) => f.debug_list().entries(items.iter()).finish(),
            Self::Dict(dict) => f.debug_map().entries(dict.entries.iter()).finish(),
        }
    }
}

impl From<bool> for Data {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Data {
    fn from(number: i64) -> Self {
        Self::Int(number.into())
    }
}

impl From<i128> for Data {
    fn from(number: i128) -> Self {
        Self::Int(number)
    }
}

impl From<f64> for Data {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<&str> for Data {
    fn from(text: &str) -> Self {
        Self::Str(text.into())
    }
}

impl From<String> for Data {
    fn from(text: String) -> Self {
        Self::Str(text.into())
    }
}

impl From<Vec<Data>> for Data {
    fn from(items: Vec<Data>) -> Self {
        Self::List(Arc::new(items))
    }
}

impl From<Dict> for Data {
    fn from(dict: Dict) -> Self {
        Self::Dict(Arc::new(dict))
    }
}

impl FromIterator<Data> for Data {
    fn from_iter<I: IntoIterator<Item = Data>>(items: I) -> Self {
        Self::List(Arc::new(items.into_iter().collect()))
    }
}

/// Objects become plain mappings in their own order, the last value of a key that comes twice; numbers beyond
/// `i64` and `u64` become floats, as JSON's reader gives them.
impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(DataVisitor)
    }
}

struct DataVisitor;

impl<'de> Visitor<'de> for DataVisitor {
    type Value = Data;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> std::result::Result<Data, E> {
        Ok(Data::None)
    }

    fn visit_bool<E>(self, value: bool) -> std::result::Result<Data, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, number: i64) -> std::result::Result<Data, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> std::result::Result<Data, E> {
        Ok(Data::Int(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> std::result::Result<Data, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> std::result::Result<Data, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<Data, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> std::result::Result<Data, A::Error> {
        let mut dict = Dict::default();
        while let Some((key, value)) = entries.next_entry::<String, Data>()? {
            dict.insert(key, value);
        }
        Ok(dict.into())
    }
}

/// JSON objects become plain mappings.
impl From<serde_json::Value> for Data {
    fn from(value: serde_json::Value) -> Self {
        Self::deserialize(value).unwrap_or_default()
    }
}

impl FromIterator<(Data, Data)> for Dict {
    fn from_iter<I: IntoIterator<Item = (Data, Data)>>(entries: I) -> Self {
        Self { entries: entries.into_iter().collect(), is_ordered: false }
    }
}

/// As JSON: keys that are not text become the text Python's `json` makes of them.
impl Serialize for Data {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(number) => match (i64::try_from(*number), u64::try_from(*number)) {
                (Ok(number), _) => serializer.serialize_i64(number),
                (_, Ok(number)) => serializer.serialize_u64(number),
                _ => serializer.serialize_i128(*number),
            },
            Self::Float(number) => serializer.serialize_f64(*number),
            Self::Str(text) => serializer.serialize_str(text),
            Self::List(items) => {
                let mut sequence = serializer.serialize_seq(Some(items.len()))?;
                for item in items.iter() {
                    sequence.serialize_element(item)?;
                }
                sequence.end()
            }
            Self::Dict(dict) => dict.serialize(serializer),
        }
    }
}

impl Serialize for Dict {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.entries.len()))?;
        for (key, value) in &self.entries {
            match key {
                Data::Str(text) => map.serialize_entry(text.as_ref(), value)?,
                Data::None => map.serialize_entry("null", value)?,
                Data::Bool(key) => map.serialize_entry(if *key { "true" } else { "false" }, value)?,
                other => map.serialize_entry(&format!("{other:?}"), value)?,
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Dict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let data = Data::deserialize(deserializer)?;
        data.as_dict().cloned().ok_or_else(|| serde::de::Error::custom("not a mapping"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_equal_as_in_python() {
        assert_eq!(Data::Int(1), Data::Float(1.0));
        assert_eq!(Data::Bool(true), Data::Int(1));
        assert_ne!(Data::from("1"), Data::Int(1));
        assert_ne!(Data::None, Data::Bool(false));
    }

    #[test]
    fn a_key_is_found_by_its_text_alone() {
        let mut dict = Dict::ordered();
        dict.insert("name", 3_i64);
        dict.insert(7_i64, "seven");
        assert_eq!(dict.get("name"), Some(&Data::Int(3)));
        assert_eq!(dict.get("7"), None);
        assert_eq!(dict.entries.get(&Data::Float(7.0)), Some(&Data::from("seven")));
    }
}
