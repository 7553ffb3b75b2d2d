//! `hashutil.*`: digests and base64.

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use minijinja::{Error, Value};
use sha2::Digest as _;

use super::super::Context;
use super::super::value::type_name;
use super::arguments::Default::{Required, Text};
use super::arguments::{Arguments, Signature, defined, takes, wrong};
use super::{Function, plain};

const TEXT: Signature = takes(&[("instr", Required)]);
const SIGNATURE: Signature = takes(&[("string", Required), ("shared_secret", Required), ("challenge_hmac", Required)]);

pub(super) const FUNCTIONS: &[Function] = &[
    plain("hashutil.digest", takes(&[("instr", Required), ("checksum", Text("md5"))]), |_, arguments| {
        let name = arguments.text("checksum")?;
        if !matches!(name.as_str(), "md5" | "sha256" | "sha512") {
            return Err(wrong(format!("Hash func '{name}' is not supported.")));
        }
        digest(&name, &bytes(arguments.get("instr"))?).map(Value::from)
    }),
    plain("hashutil.md5_digest", TEXT, |_, arguments| digest("md5", &bytes(arguments.get("instr"))?).map(Value::from)),
    plain("hashutil.sha256_digest", TEXT, |_, arguments| {
        digest("sha256", &bytes(arguments.get("instr"))?).map(Value::from)
    }),
    plain("hashutil.sha512_digest", TEXT, |_, arguments| {
        digest("sha512", &bytes(arguments.get("instr"))?).map(Value::from)
    }),
    plain("hashutil.base64_b64encode", TEXT, |_, arguments| {
        Ok(Value::from(STANDARD.encode(bytes(arguments.get("instr"))?)))
    }),
    plain("hashutil.base64_encodestring", TEXT, |_, arguments| {
        let lines: Vec<String> =
            bytes(arguments.get("instr"))?.chunks(57).map(|line| STANDARD.encode(line) + "\n").collect();
        Ok(Value::from(lines.concat()))
    }),
    plain("hashutil.base64_b64decode", TEXT, decode),
    plain("hashutil.base64_decodestring", TEXT, decode),
    plain("hashutil.hmac_signature", SIGNATURE, |_, arguments| {
        let signature = STANDARD.encode(hmac_of(arguments)?);
        Ok(Value::from(signature.as_bytes() == bytes(arguments.get("challenge_hmac"))?))
    }),
    plain("hashutil.hmac_compute", takes(&[("string", Required), ("shared_secret", Required)]), |_, arguments| {
        Ok(Value::from(hexadecimal(&hmac_of(arguments)?)))
    }),
    plain("hashutil.github_signature", SIGNATURE, github_signature),
];

/// The bytes of a text.
pub(super) fn bytes(value: &Value) -> Result<Vec<u8>, Error> {
    let value = defined(value)?;
    match (value.as_str(), value.as_bytes()) {
        (Some(text), _) => Ok(text.as_bytes().to_vec()),
        (None, Some(bytes)) => Ok(bytes.to_vec()),
        _ => Err(wrong(format!("expected str, bytes, or bytearray not <class '{}'>", type_name(value)))),
    }
}

/// A digest in hexadecimal, by the name Python's `hashlib` has for it.
///
/// # Errors
/// When there is no such digest.
pub fn digest(name: &str, content: &[u8]) -> Result<String, Error> {
    Ok(match name {
        "md5" => hexadecimal(&md5::Md5::digest(content)),
        "sha1" => hexadecimal(&sha1::Sha1::digest(content)),
        "sha224" => hexadecimal(&sha2::Sha224::digest(content)),
        "sha256" => hexadecimal(&sha2::Sha256::digest(content)),
        "sha384" => hexadecimal(&sha2::Sha384::digest(content)),
        "sha512" => hexadecimal(&sha2::Sha512::digest(content)),
        _ => return Err(wrong("You must specify a valid algorithm.")),
    })
}

/// Bytes as two small hexadecimal digits each.
pub(in crate::formula) fn hexadecimal(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

fn decode(_: &Context, arguments: &Arguments) -> Result<Value, Error> {
    let encoded: Vec<u8> = bytes(arguments.get("instr"))?
        .into_iter()
        .filter(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='))
        .collect();
    let lenient = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical);
    let decoded = GeneralPurpose::new(&base64::alphabet::STANDARD, lenient)
        .decode(encoded)
        .map_err(|_| wrong("Incorrect padding"))?;
    Ok(match String::from_utf8(decoded) {
        Ok(text) => Value::from(text),
        Err(error) => Value::from_bytes(error.into_bytes()),
    })
}

fn hmac_of(arguments: &Arguments) -> Result<Vec<u8>, Error> {
    let (message, key) = (bytes(arguments.get("string"))?, bytes(arguments.get("shared_secret"))?);
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&key).map_err(|error| wrong(error.to_string()))?;
    mac.update(&message);
    Ok(mac.finalize().into_bytes().to_vec())
}

fn github_signature(_: &Context, arguments: &Arguments) -> Result<Value, Error> {
    let challenge = arguments.text("challenge_hmac")?;
    let (kind, wanted) = challenge.split_once('=').ok_or_else(|| wrong("not enough values to unpack"))?;
    let (message, key) = (bytes(arguments.get("string"))?, bytes(arguments.get("shared_secret"))?);
    let code = match kind {
        "sha1" => {
            let mut mac = Hmac::<sha1::Sha1>::new_from_slice(&key).map_err(|error| wrong(error.to_string()))?;
            mac.update(&message);
            hexadecimal(&mac.finalize().into_bytes())
        }
        "sha256" => hexadecimal(&hmac_of(arguments)?),
        other => return Err(wrong(format!("module 'hashlib' has no attribute '{other}'"))),
    };
    Ok(Value::from(code == wanted))
}
