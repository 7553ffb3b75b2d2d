//! From values to text, as libyaml's emitter lays it out for `salt.utils.yaml.safe_dump`.
//!
//! Rendered files depend on every byte of it. Where libyaml's emitter and PyYAML's own differ (the `...` after a
//! lone scalar, how characters beyond 16 bits are written), libyaml's is right: Salt uses it wherever it is there.

mod analyze;
mod emit;
mod scalars;

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use super::Layout;
use crate::formula::template::value::float_text;
use crate::formula::{Data, Dict};

use emit::Emitter;

/// What nests deeper is left out. Nothing that is read or rendered nests as deep.
const DEEPEST: usize = 500;

/// The text of a value, with its last newline.
pub(super) fn dump(data: &Data, layout: &Layout) -> String {
    let mut names = Names::default();
    names.find(data, layout, 0);
    let mut emitter = Emitter::new(layout, names);
    emitter.document(data);
    emitter.finish()
}

/// The one text that stands for what has none.
pub(super) fn unknown() -> Data {
    static UNKNOWN: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from("NULL"));
    Data::Str(Arc::clone(&UNKNOWN))
}

fn is_unknown(text: &Arc<str>) -> bool {
    matches!(unknown(), Data::Str(unknown) if Arc::ptr_eq(&unknown, text))
}

/// What tells a list or mapping from every other one; scalars are never the same object.
fn identity(data: &Data) -> Option<*const ()> {
    match data {
        Data::List(items) => Some(Arc::as_ptr(items).cast()),
        Data::Dict(dict) => Some(Arc::as_ptr(dict).cast()),
        _ => None,
    }
}

/// The anchors of the objects that come twice.
#[derive(Default)]
struct Names {
    numbers: HashMap<*const (), Option<usize>>,
    last: usize,
}

/// How a list or mapping is named.
enum Name {
    /// It comes once.
    None,
    /// Here it comes first.
    Anchor(String),
    /// It has been written.
    Alias(String),
}

impl Names {
    /// Numbers the objects in the order in which each is met for the second time.
    fn find(&mut self, data: &Data, layout: &Layout, depth: usize) {
        let Some(object) = identity(data) else { return };
        if depth > DEEPEST {
            return;
        }
        match self.numbers.get_mut(&object) {
            Some(Some(_)) => return,
            Some(number) => {
                self.last += 1;
                *number = Some(self.last);
                return;
            }
            None => _ = self.numbers.insert(object, None),
        }
        match data {
            Data::List(items) => items.iter().for_each(|item| self.find(item, layout, depth + 1)),
            Data::Dict(dict) => entries(dict, layout).iter().for_each(|(_, value)| self.find(value, layout, depth + 1)),
            _ => {}
        }
    }
}

/// A scalar as the representer makes it.
struct Scalar<'a> {
    text: std::borrow::Cow<'a, str>,
    /// Whether it reads back as what it is without quotes.
    is_plain: bool,
    /// Whether it reads back as what it is with quotes, that is whether it is text.
    is_text: bool,
}

impl<'a> Scalar<'a> {
    /// `None` for lists and mappings.
    fn of(data: &'a Data) -> Option<Self> {
        let text = match data {
            Data::Str(text) if is_unknown(text) => "NULL".into(),
            Data::Str(text) => {
                let is_plain = super::resolve::resolve(text) == super::resolve::Tag::Str;
                return Some(Self { text: text.as_ref().into(), is_plain, is_text: true });
            }
            Data::None => "null".into(),
            Data::Bool(true) => "true".into(),
            Data::Bool(false) => "false".into(),
            Data::Int(number) => number.to_string().into(),
            Data::Float(number) => float(*number).into(),
            Data::List(_) | Data::Dict(_) => return None,
        };
        Some(Self { text, is_plain: true, is_text: false })
    }
}

/// A float whose text reads back as one: YAML 1.1 wants a point before the exponent.
fn float(number: f64) -> String {
    if number.is_nan() {
        return ".nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let text = float_text(number);
    if text.contains('.') { text } else { text.replacen('e', ".0e", 1) }
}

/// The entries in the order in which they are written: a plain `dict` by its keys, if Python can compare them.
fn entries<'a>(dict: &'a Dict, layout: &Layout) -> Vec<(&'a Data, &'a Data)> {
    let mut entries: Vec<_> = dict.entries.iter().collect();
    if dict.is_ordered || !layout.sort_keys {
        return entries;
    }
    if entries.iter().all(|(key, _)| key.as_str().is_some()) {
        entries.sort_by(|(one, _), (two, _)| one.as_str().cmp(&two.as_str()));
    } else if entries.iter().all(|(key, _)| matches!(key, Data::Bool(_) | Data::Int(_))) {
        entries.sort_by_key(|(key, _)| whole(key));
    } else if entries.iter().all(|(key, _)| matches!(key, Data::Bool(_) | Data::Int(_) | Data::Float(_))) {
        entries.sort_by(|(one, _), (two, _)| order(one, two));
    }
    entries
}

fn whole(key: &Data) -> i128 {
    match key {
        Data::Bool(value) => i128::from(*value),
        Data::Int(number) => *number,
        _ => 0,
    }
}

#[expect(clippy::cast_precision_loss, reason = "only tells the order of keys")]
fn order(one: &Data, two: &Data) -> Ordering {
    let number = |key: &Data| if let Data::Float(number) = key { *number } else { whole(key) as f64 };
    number(one).total_cmp(&number(two))
}
