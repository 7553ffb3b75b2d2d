//! Answers for a program: a JSON object a host, and nothing lost that was kept.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::output::Output;

/// A host's answer, on one line.
#[must_use]
pub fn line(host: &str, answer: &Answer) -> String {
    let mut object = Map::new();
    object.insert("host".into(), host.into());
    object.insert("outcome".into(), json!(answer.outcome));
    object.insert("exit_code".into(), json!(answer.code));
    stream(&mut object, "stdout", &answer.stdout);
    stream(&mut object, "stderr", &answer.stderr);
    object.insert("seconds".into(), json!(answer.took.as_ref().map(Duration::as_secs_f64)));
    object.insert("why".into(), json!(answer.why));
    Value::from(object).to_string()
}

/// Adds an output: as text, and when that is not all there is to know of it, the bytes in base64, and
/// where how many bytes were left out.
fn stream(object: &mut Map<String, Value>, name: &str, output: &Output) {
    let bytes = [&output.head[..], &output.tail[..]].concat();
    let text = String::from_utf8_lossy(&bytes);
    if matches!(text, std::borrow::Cow::Owned(_)) {
        object.insert(format!("{name}_base64"), base64(&bytes).into());
    }
    object.insert(name.into(), text.into());
    if output.left_out > 0 {
        let left_out = json!({ "at": output.head.len(), "bytes": output.left_out });
        object.insert(format!("{name}_left_out"), left_out);
    }
}

/// Bytes in the alphabet of RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = char::from(ALPHABET[bits >> (18 - 6 * place) & 63]);
            text.push(if place <= chunk.len() { letter } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_as_the_rfc_has_it() {
        let cases =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE=")];
        for (bytes, text) in cases {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xff, 0xfe, 0xfd]), "//79");
    }
}
