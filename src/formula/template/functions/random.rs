//! `random.*`: the same numbers as Salt's where a seed decides, others where it does not.

use minijinja::{Error, Value};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use sha2::Digest as _;

use super::super::Context;
use super::super::value::{is_list, items, list, text};
use super::arguments::Default::{Bool, Int, None, Required, Text};
use super::arguments::{Arguments, Signature, defined, takes, wrong};
use super::hashing::{bytes, digest};
use super::mersenne::Mersenne;
use super::traverse::get as entry;
use super::{Function, plain, recordable};

const GET_STR: Signature = takes(&[
    ("length", Int(20)),
    ("chars", None),
    ("lowercase", Bool(true)),
    ("uppercase", Bool(true)),
    ("digits", Bool(true)),
    ("punctuation", Bool(true)),
    ("whitespace", Bool(false)),
    ("printable", Bool(false)),
]);
const RAND_INT: Signature = takes(&[("start", Int(1)), ("end", Int(10)), ("seed", None)]);
const SHADOW_HASH: Signature = takes(&[("crypt_salt", None), ("password", None), ("algorithm", Text("sha512"))]);
const RANDOM_HASH: Signature = takes(&[("size", Int(9_999_999_999)), ("hash_type", None)]);

/// The longest text that is made up.
const LONGEST: i64 = 1 << 20;

const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

pub(super) const FUNCTIONS: &[Function] = &[
    plain("random.hash", takes(&[("value", Required), ("algorithm", Text("sha512"))]), |_, arguments| {
        digest(&arguments.text("algorithm")?, &bytes(arguments.get("value"))?).map(Value::from)
    }),
    plain("random.str_encode", takes(&[("value", Required), ("encoder", Text("base64"))]), str_encode),
    plain("random.seed", takes(&[("range", Int(10)), ("hash", None)]), seed),
    recordable("random.rand_int", RAND_INT, rand_int),
    recordable("random.sample", takes(&[("value", Required), ("size", Required), ("seed", None)]), |_, arguments| {
        let size = arguments.get("size").as_i64().and_then(|size| usize::try_from(size).ok());
        sample(arguments, size.ok_or_else(|| wrong("Sample larger than population or is negative"))?)
    }),
    recordable("random.shuffle", takes(&[("value", Required), ("seed", None)]), |_, arguments| {
        let count = items(arguments.get("value"))?.len();
        sample(arguments, count)
    }),
    recordable("random.get_str", GET_STR, get_str),
    recordable("random.shadow_hash", SHADOW_HASH, |_, _| {
        Err(wrong("upshift does not make password hashes (`random.shadow_hash`): put the hash in the pillar"))
    }),
    recordable("test.rand_str", RANDOM_HASH, random_hash),
    recordable("test.random_hash", RANDOM_HASH, random_hash),
];

/// Numbers that nobody can foresee: 366 bits from the system, by way of three random identifiers.
fn numbers() -> StdRng {
    let mut seed = sha2::Sha256::new();
    for _ in 0..3 {
        seed.update(uuid::Uuid::new_v4());
    }
    StdRng::from_seed(seed.finalize().into())
}

fn str_encode(_: &Context, arguments: &Arguments) -> Result<Value, Error> {
    use base64::Engine as _;
    match arguments.text("encoder")?.as_str() {
        "base64" => {
            let encoded = base64::engine::general_purpose::STANDARD.encode(bytes(arguments.get("value"))?);
            Ok(Value::from(encoded))
        }
        _ => Err(wrong("You must specify a valid encoder")),
    }
}

/// The source of numbers that a seed gives: a whole number or a text.
fn seeded(seed: &Value) -> Result<Mersenne, Error> {
    let seed = defined(seed)?;
    if let Some(text) = seed.as_str() {
        return Ok(Mersenne::from_text(text));
    }
    let number = i128::try_from(seed.clone()).ok().filter(|_| seed.is_integer() || seed.kind() == BOOL);
    number
        .map(Mersenne::from_number)
        .ok_or_else(|| wrong("The only supported seed types are: None,\nint, float, str, bytes, and bytearray."))
}

const BOOL: minijinja::value::ValueKind = minijinja::value::ValueKind::Bool;

fn seed(context: &Context, arguments: &Arguments) -> Result<Value, Error> {
    let hash = match arguments.some("hash") {
        Some(hash) => hash.clone(),
        Option::None => entry(&context.grains, &Value::from("id")).unwrap_or(Value::from("")),
    };
    let end = defined(arguments.get("range"))?.as_i64().and_then(|end| u64::try_from(end).ok()).filter(|end| *end > 0);
    let end = end.ok_or_else(|| wrong("empty range for randrange()"))?;
    Ok(Value::from(seeded(&hash)?.below(end)))
}

fn rand_int(_: &Context, arguments: &Arguments) -> Result<Value, Error> {
    let number = |name: &str| {
        defined(arguments.get(name))?.as_i64().ok_or_else(|| wrong("'str' object cannot be interpreted as an integer"))
    };
    let (start, end) = (number("start")?, number("end")?);
    let width = i128::from(end) - i128::from(start) + 1;
    let Some(width) = u64::try_from(width).ok().filter(|width| *width > 0) else {
        return Err(wrong(format!("empty range for randrange() ({start}, {}, {width})", i128::from(end) + 1)));
    };
    let step = match arguments.some("seed") {
        Some(seed) => seeded(seed)?.below(width),
        Option::None => numbers().random_range(0..width),
    };
    Ok(Value::from(i64::try_from(i128::from(start) + i128::from(step)).unwrap_or(start)))
}

fn sample(arguments: &Arguments, size: usize) -> Result<Value, Error> {
    let value = defined(arguments.get("value"))?;
    if !is_list(value) && !value.is_tuple() && value.as_str().is_none() {
        return Err(wrong("Population must be a sequence.  For dicts or sets, use sorted(d)."));
    }
    let population = items(value)?;
    if size > population.len() {
        return Err(wrong("Sample larger than population or is negative"));
    }
    let mut numbers = match arguments.some("seed") {
        Some(seed) => Mersenne::from_text(&digest("sha512", &bytes(seed)?)?),
        Option::None => Mersenne::from_number(numbers().random_range(0..i128::MAX)),
    };
    Ok(list(numbers.sample(&population, size)))
}

fn get_str(_: &Context, arguments: &Arguments) -> Result<Value, Error> {
    let length = defined(arguments.get("length"))?.as_i64().filter(|length| *length <= LONGEST);
    let length = length.ok_or_else(|| wrong(format!("a text is at most {LONGEST} long")))?;
    let mut allowed = String::new();
    if let Some(chars) = arguments.some("chars") {
        allowed = text(chars);
    } else {
        let lower: String = ('a'..='z').collect();
        let kinds = [
            ("lowercase", lower.clone()),
            ("uppercase", lower.to_uppercase()),
            ("digits", ('0'..='9').collect()),
            ("punctuation", PUNCTUATION.to_owned()),
            ("whitespace", " \t\n\r\u{b}\u{c}".to_owned()),
        ];
        let is_printable = arguments.is_true("printable")?;
        for (name, characters) in kinds {
            if is_printable || arguments.is_true(name)? {
                allowed.push_str(&characters);
            }
        }
    }
    let allowed: Vec<char> = allowed.chars().collect();
    if allowed.is_empty() {
        return Err(wrong("there are no characters to choose from"));
    }
    let mut source = numbers();
    let made_up = (0..length).filter_map(|_| allowed.get(source.random_range(0..allowed.len())));
    Ok(Value::from(made_up.collect::<String>()))
}

fn random_hash(_: &Context, arguments: &Arguments) -> Result<Value, Error> {
    let name = arguments.some("hash_type").map_or_else(|| "sha256".to_owned(), text);
    let size = arguments.get("size").as_i64().and_then(|size| u64::try_from(size).ok()).unwrap_or(u64::MAX - 1);
    digest(&name, numbers().random_range(0..=size).to_string().as_bytes()).map(Value::from)
}
