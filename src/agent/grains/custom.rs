//! Grains that people gave a host: `/etc/salt/grains`, which replaces what was found out.
//!
//! A file that is not YAML, or not a mapping, gives none, as in Salt.

use saphyr::{LoadableYamlNode as _, MarkedYaml, Scalar, YamlData};
use serde_json::{Map, Value};

use super::Grains;
use super::tree::Tree;

/// The deepest nesting that is read. Reading goes as deep in the stack, whose end would end the agent.
const DEEPEST: usize = 200;

pub(super) fn add(grains: &mut Grains, tree: &Tree) {
    let Some(text) = tree.text("/etc/salt/grains") else { return };
    if depth(&text) > DEEPEST {
        return;
    }
    let documents = MarkedYaml::load_from_str(&text).unwrap_or_default();
    let [document] = documents.as_slice() else { return };
    let characters: Vec<char> = text.chars().collect();
    if let Some(Value::Object(own)) = value(document, &characters) {
        for (name, value) in own {
            grains.set(&name, value);
        }
    }
}

/// At least as much as a text nests: open brackets, and whatever a line begins with.
fn depth(text: &str) -> usize {
    let (mut open, mut deepest) = (0_usize, 0);
    for line in text.lines() {
        let begin = line.bytes().take_while(|byte| matches!(byte, b' ' | b'-' | b'?' | b':' | b'\t')).count();
        deepest = deepest.max(open + begin);
        for byte in line.bytes() {
            match byte {
                b'[' | b'{' => open += 1,
                b']' | b'}' => open = open.saturating_sub(1),
                _ => {}
            }
            deepest = deepest.max(open);
        }
    }
    deepest
}

/// `None` for what JSON cannot say.
fn value(node: &MarkedYaml, text: &[char]) -> Option<Value> {
    Some(match &node.data {
        YamlData::Value(Scalar::Null) => Value::Null,
        YamlData::Value(Scalar::Boolean(boolean)) => (*boolean).into(),
        YamlData::Value(Scalar::Integer(number)) => (*number).into(),
        YamlData::Value(Scalar::FloatingPoint(number)) => number.into_inner().into(),
        YamlData::Value(Scalar::String(word)) => {
            let is_quoted = matches!(text.get(node.span.start.index()), Some('"' | '\'' | '|' | '>'));
            boolean(word).filter(|_| !is_quoted).map_or_else(|| word.as_ref().into(), Into::into)
        }
        YamlData::Sequence(items) => items.iter().map(|item| value(item, text)).collect::<Option<Vec<_>>>()?.into(),
        YamlData::Mapping(entries) => {
            let entry = |(name, entry): (&MarkedYaml, &MarkedYaml)| Some((key(name, text)?, value(entry, text)?));
            entries.iter().map(entry).collect::<Option<Map<_, _>>>()?.into()
        }
        YamlData::Tagged(_, node) => value(node, text)?,
        YamlData::Representation(..) | YamlData::Alias(_) | YamlData::BadValue => return None,
    })
}

fn key(node: &MarkedYaml, text: &[char]) -> Option<String> {
    match value(node, text)? {
        Value::String(name) => Some(name),
        Value::Array(_) | Value::Object(_) => None,
        other => Some(other.to_string()),
    }
}

/// Words that are true or false in YAML 1.1, which Salt reads, and no longer in YAML 1.2.
fn boolean(word: &str) -> Option<bool> {
    match word {
        "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
        "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}
