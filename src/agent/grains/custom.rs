//! Grains that people gave a host: `/etc/salt/grains`, which replaces what was found out.
//!
//! A file that is not YAML, or not a mapping, gives none, as in Salt.

use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use serde_json::{Map, Value};

use super::Grains;
use super::tree::Tree;

pub(super) fn add(grains: &mut Grains, tree: &Tree) {
    let Some(text) = tree.text("/etc/salt/grains") else { return };
    let documents = Yaml::load_from_str(&text).unwrap_or_default();
    let [document] = documents.as_slice() else { return };
    if let Some(Value::Object(own)) = value(document) {
        for (name, value) in own {
            grains.set(&name, value);
        }
    }
}

/// `None` for what JSON cannot say.
fn value(node: &Yaml) -> Option<Value> {
    Some(match node {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(boolean)) => (*boolean).into(),
        Yaml::Value(Scalar::Integer(number)) => (*number).into(),
        Yaml::Value(Scalar::FloatingPoint(number)) => number.into_inner().into(),
        Yaml::Value(Scalar::String(text)) => text.as_ref().into(),
        Yaml::Sequence(items) => items.iter().map(value).collect::<Option<Vec<_>>>()?.into(),
        Yaml::Mapping(entries) => {
            let entry = |(name, entry): (&Yaml, &Yaml)| Some((key(name)?, value(entry)?));
            entries.iter().map(entry).collect::<Option<Map<_, _>>>()?.into()
        }
        Yaml::Tagged(_, node) => value(node)?,
        Yaml::Representation(..) | Yaml::Alias(_) | Yaml::BadValue => return None,
    })
}

fn key(node: &Yaml) -> Option<String> {
    match value(node)? {
        Value::String(text) => Some(text),
        Value::Array(_) | Value::Object(_) => None,
        other => Some(other.to_string()),
    }
}
