//! Grains that people gave a host: `/etc/salt/grains`, which replaces what was found out.
//!
//! A file that is not YAML, or not a mapping, gives none, as in Salt.

use serde_json::Value;

use super::Grains;
use super::tree::Tree;
use crate::formula::yaml::{Mappings, load};

pub(super) fn add(grains: &mut Grains, tree: &Tree) {
    let Some(text) = tree.text("/etc/salt/grains") else { return };
    let Ok(own) = load(&text, Mappings::Plain) else { return };
    if let Ok(Value::Object(own)) = serde_json::to_value(own) {
        for (name, value) in own {
            grains.set(&name, value);
        }
    }
}
