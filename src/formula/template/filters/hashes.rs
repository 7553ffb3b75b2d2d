//! Salt's filters that hash and encode.

use hmac::{Hmac, KeyInit, Mac};
use minijinja::value::ValueKind;
use minijinja::{Error, Value};
use sha2::{Digest, Sha256, Sha512};

use super::arguments::{Args, Run, string, wrong};
use crate::formula::template::value::type_name;

/// The filters, with their parameters.
pub(super) const FILTERS: &[(&str, &str, Run)] = &[
    ("base64_decode", "instr", base64_decode),
    ("base64_encode", "instr", |args| Ok(Value::from(base64_of(&bytes(args, "instr")?)))),
    ("hmac", "string shared_secret challenge_hmac", |args| {
        Ok(Value::from(base64_of(&signature(args)?).as_bytes() == bytes(args, "challenge_hmac")?))
    }),
    ("hmac_compute", "string shared_secret", |args| Ok(Value::from(hexadecimal(&signature(args)?)))),
    ("mac_str_to_bytes", "mac_str", mac_str_to_bytes),
    ("md5", "instr", |args| Ok(Value::from(hexadecimal(&md5::Md5::digest(bytes(args, "instr")?))))),
    ("sha1", "instr", |args| Ok(Value::from(hexadecimal(&sha1::Sha1::digest(bytes(args, "instr")?))))),
    ("sha256", "instr", |args| Ok(Value::from(hexadecimal(&Sha256::digest(bytes(args, "instr")?))))),
    ("sha512", "instr", |args| Ok(Value::from(hexadecimal(&Sha512::digest(bytes(args, "instr")?))))),
    ("to_bytes", "s encoding? errors?", |args| Ok(Value::from_bytes(bytes(args, "s")?))),
    ("uuid", "val", uuid),
];

/// The name space of Salt's `uuid` filter.
const SALT_NAMESPACE: uuid::Uuid = uuid::Uuid::from_u128(0x9163_3ebf_1c86_5e33_935a_2806_1f4b_480e);

/// Text or bytes as bytes.
fn bytes(args: &Args, parameter: &str) -> Result<Vec<u8>, Error> {
    let value = super::arguments::defined(args.get(parameter).cloned().unwrap_or_default())?;
    match value.kind() {
        ValueKind::String | ValueKind::Bytes => Ok(value.as_bytes().unwrap_or_default().to_vec()),
        _ => Err(wrong(format!("expected str, bytes, or bytearray not {}", type_name(&value)))),
    }
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn signature(args: &Args) -> Result<Vec<u8>, Error> {
    let (message, key) = (bytes(args, "string")?, bytes(args, "shared_secret")?);
    let mut hmac = Hmac::<Sha256>::new_from_slice(&key).map_err(|error| wrong(error.to_string()))?;
    hmac.update(&message);
    Ok(hmac.finalize().into_bytes().to_vec())
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Reads base64 as Python does: what is not of its alphabet is passed over, and so is all behind the padding.
fn base64_decode(args: &Args) -> Result<Value, Error> {
    let mut decoded = Vec::new();
    let (mut bits, mut count, mut pads) = (0_u32, 0_usize, 0_usize);
    for byte in bytes(args, "instr")? {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                pads += 1;
                if count % 4 >= 2 && count % 4 + pads >= 4 {
                    count = 0;
                    break;
                }
                continue;
            }
            _ => continue,
        };
        pads = 0;
        bits = bits << 6 | u32::from(six);
        count += 1;
        if count % 4 != 1 {
            let [.., byte] = (bits >> (6 - 2 * ((count - 1) % 4))).to_be_bytes();
            decoded.push(byte);
        }
    }
    match count % 4 {
        0 => {}
        1 => return Err(wrong("Invalid base64-encoded string: the number of data characters cannot be 1 more than a multiple of 4")),
        _ => return Err(wrong("Incorrect padding")),
    }
    Ok(String::from_utf8(decoded).map_or_else(|error| Value::from_bytes(error.into_bytes()), Value::from))
}

fn mac_str_to_bytes(args: &Args) -> Result<Value, Error> {
    let value = args.value();
    let invalid = || wrong("Invalid MAC address");
    let digits: Vec<char> = string(&value)?.chars().collect();
    let digits: Vec<char> = match (digits.len(), digits.get(2)) {
        (12, _) => digits,
        (17, Some(separator)) => digits.iter().filter(|digit| *digit != separator).copied().collect(),
        _ => return Err(invalid()),
    };
    let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).map_err(|_| invalid());
    digits.chunks(2).take(6).map(byte).collect::<Result<Vec<u8>, Error>>().map(Value::from_bytes)
}

fn uuid(args: &Args) -> Result<Value, Error> {
    Ok(Value::from(uuid::Uuid::new_v5(&SALT_NAMESPACE, &bytes(args, "val")?).to_string()))
}
