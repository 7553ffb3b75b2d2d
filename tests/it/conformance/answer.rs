//! What a compiler says to a case, and how two of them are compared.

use serde_json::Value;
use upshift::formula::{Data, Error};

/// upshift's answer.
pub(crate) enum Answer {
    /// The pillar and the low state.
    Low { pillar: Data, low: Vec<Data>, rendered: Vec<(String, String)> },
    /// The text of a file.
    Text(String),
    /// A refusal.
    Refused(Error),
}

impl Answer {
    /// The first difference from Salt's answer. Two refusals agree, whatever their words.
    pub(crate) fn difference(&self, salt: &Value) -> Option<String> {
        let refusal = salt.get("error").and_then(Value::as_str);
        match (self, refusal) {
            (Self::Refused(_), Some(_)) => None,
            (Self::Refused(error), None) => Some(format!("upshift refuses: {error}")),
            (_, Some(error)) => {
                let last = error.trim().lines().last().unwrap_or_default();
                Some(format!("Salt refuses at {}: {last}", salt["stage"]))
            }
            (Self::Text(text), None) => {
                let expected = salt["text"].as_str().unwrap_or_default();
                (text != expected).then(|| format!("upshift {text:?}, Salt {expected:?}"))
            }
            (Self::Low { pillar, low, rendered }, None) => {
                let pillar = (decode(&salt["pillar"]) != *pillar)
                    .then(|| format!("pillar: upshift {pillar:?}, Salt {}", salt["pillar"]));
                pillar.or_else(|| chunks(low, &salt["low"])).or_else(|| files(rendered, &salt["rendered"]))
            }
        }
    }
}

fn chunks(low: &[Data], salt: &Value) -> Option<String> {
    let salt: Vec<Data> = salt.as_array().into_iter().flatten().map(decode).collect();
    let different = low.iter().zip(&salt).find(|(ours, theirs)| ours != theirs);
    match different {
        Some((ours, theirs)) => Some(format!("upshift {ours:?}\n    Salt    {theirs:?}")),
        None if low.len() != salt.len() => Some(format!("{} chunks, under Salt {}", low.len(), salt.len())),
        None => None,
    }
}

fn files(rendered: &[(String, String)], salt: &Value) -> Option<String> {
    let different = rendered.iter().find(|(name, text)| salt[name].as_str() != Some(text));
    different.map(|(name, text)| format!("{name}: upshift {text:?}\n    Salt {}", salt[name]))
}

/// JSON as `salt.py` writes it.
fn decode(value: &Value) -> Data {
    match value {
        Value::Object(entries) => {
            if let Some(Value::Array(pairs)) = entries.get("__kv__") {
                let pairs = pairs.iter().map(|pair| (decode(&pair[0]), decode(&pair[1])));
                return upshift::formula::Dict { entries: pairs.collect(), is_ordered: false }.into();
            }
            if let Some(text) = entries.get("__float__").and_then(Value::as_str) {
                return text.parse::<f64>().unwrap().into();
            }
            let entries = entries.iter().map(|(key, value)| (Data::from(key.as_str()), decode(value)));
            upshift::formula::Dict { entries: entries.collect(), is_ordered: false }.into()
        }
        Value::Array(items) => items.iter().map(decode).collect(),
        other => Data::from(other.clone()),
    }
}
