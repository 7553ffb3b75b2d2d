//! Public keys of repositories, as RFC 4880 and RFC 9580 write them: enough to put them where `apt` reads them, and to
//! tell whose they are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

const BEGIN: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
const END: &str = "-----END PGP PUBLIC KEY BLOCK-----";

/// Whether this is a key in letters.
pub(super) fn is_armored(key: &[u8]) -> bool {
    String::from_utf8_lossy(key).lines().any(|line| line.trim() == BEGIN)
}

/// A key in bytes: letters are decoded, several blocks one after the other. `None` if there is no key in it.
pub(super) fn binary(key: &[u8]) -> Option<Vec<u8>> {
    if !is_armored(key) {
        return Some(key.to_vec()).filter(|key| !fingerprints(key).is_empty());
    }
    let text = String::from_utf8_lossy(key);
    let mut all = Vec::new();
    for block in text.split(BEGIN).skip(1) {
        let block = block.split(END).next()?;
        // After what is said of the key, an empty line; after the key, its checksum.
        let lines = block.lines().map(str::trim).skip(1);
        let lines = lines.skip_while(|line| line.contains(": ")).skip_while(|line| line.is_empty());
        let letters: String = lines.take_while(|line| !line.starts_with('=')).collect();
        all.extend(STANDARD.decode(letters).ok()?);
    }
    Some(all).filter(|key| !fingerprints(key).is_empty())
}

/// The fingerprints of all keys in some bytes, in capitals, the keys of subkeys among them.
pub(super) fn fingerprints(mut bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    while let Some((tag, body, rest)) = packet(bytes) {
        // A public key is version 4 everywhere but in the newest of programs; others have no SHA-1 for a name.
        if matches!(tag, 6 | 14) && body.first() == Some(&4) {
            let Ok(length) = u16::try_from(body.len()) else { break };
            let digest =
                Sha1::new().chain_update([0x99]).chain_update(length.to_be_bytes()).chain_update(body).finalize();
            found.push(digest.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(digit).collect());
        }
        bytes = rest;
    }
    found
}

/// A hexadecimal digit, as a capital.
fn digit(value: u8) -> char {
    char::from_digit(value.into(), 16).unwrap_or_default().to_ascii_uppercase()
}

/// Whether the keys have one that an id names: the last digits of its fingerprint.
pub(super) fn has(bytes: &[u8], id: &str) -> bool {
    let id = id.trim_start_matches("0x").replace(' ', "").to_uppercase();
    id.len() >= 8 && fingerprints(bytes).iter().any(|fingerprint| fingerprint.ends_with(&id))
}

/// The first packet: its tag, what is in it, and what follows.
fn packet(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    if first & 0x80 == 0 {
        return None;
    }
    let number = |bytes: &[u8]| bytes.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
    let (tag, length, rest) = if first & 0x40 != 0 {
        let (&one, after) = rest.split_first()?;
        let (length, rest) = match one {
            ..192 => (usize::from(one), after),
            192..224 => {
                let (&two, after) = after.split_first()?;
                (((usize::from(one) - 192) << 8) + usize::from(two) + 192, after)
            }
            255 => (number(after.get(..4)?), after.get(4..)?),
            // Only data come in pieces, and there are none among keys.
            _ => return None,
        };
        (first & 0x3f, length, rest)
    } else {
        let size = match first & 3 {
            0 => 1,
            1 => 2,
            2 => 4,
            _ => return None,
        };
        (first >> 2 & 0xf, number(rest.get(..size)?), rest.get(size..)?)
    };
    Some((tag, rest.get(..length)?, rest.get(length..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An Ed25519 key made for this test.
    const KEY: &str = include_str!("test_key.asc");
    const FINGERPRINT: &str = include_str!("test_key.fingerprint");

    #[test]
    fn a_key_in_letters_is_the_key_in_bytes() {
        let bytes = binary(KEY.as_bytes()).unwrap();
        assert_eq!(fingerprints(&bytes).first().map(String::as_str), Some(FINGERPRINT.trim()));
        assert_eq!(binary(&bytes), Some(bytes.clone()));
        let twice = format!("{KEY}\n{KEY}");
        assert_eq!(binary(twice.as_bytes()).map(|both| both.len()), Some(2 * bytes.len()));
    }

    #[test]
    fn a_key_is_known_by_its_last_digits() {
        let bytes = binary(KEY.as_bytes()).unwrap();
        let fingerprint = FINGERPRINT.trim();
        assert!(has(&bytes, &fingerprint[32..]) && has(&bytes, &format!("0x{}", &fingerprint[24..].to_lowercase())));
        assert!(!has(&bytes, "0000AAAA") && !has(&bytes, &fingerprint[36..]));
    }

    #[test]
    fn what_is_no_key_is_none() {
        for wrong in ["", "<html>not found</html>", &KEY[..120]] {
            assert_eq!(binary(wrong.as_bytes()), None);
        }
    }
}
