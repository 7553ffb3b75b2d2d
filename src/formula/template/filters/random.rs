//! Filters that leave it to chance, and those that shuffle by a seed as Python would.

use minijinja::{Error, Value};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use sha2::{Digest, Sha512};

use super::arguments::{Args, Run, index, wrong};
use super::hashes::hexadecimal;
use crate::formula::template::functions::mersenne::Mersenne;
use crate::formula::template::number_text::WIDEST;
use crate::formula::template::value::{is_list, items, list, text, type_name};

/// The filters, with their parameters.
pub(super) const FILTERS: &[(&str, &str, Run)] = &[
    ("gen_mac", "prefix?", |args| Ok(Value::from(gen_mac(args.get("prefix"))))),
    ("rand_str", "size? hash_type?", random_hash),
    ("random", "seq", random),
    ("random_hash", "size? hash_type?", random_hash),
    ("random_sample", "value size seed?", |args| {
        let size = args.int("size")?.and_then(|size| usize::try_from(size).ok());
        sample(args, size.ok_or_else(|| wrong("Sample larger than population or is negative"))?)
    }),
    ("random_shuffle", "value seed?", |args| sample(args, items(&args.value())?.len())),
    ("random_str", "size?", random_str),
];

fn random(args: &Args) -> Result<Value, Error> {
    let items = items(&args.value())?;
    Ok(if items.is_empty() { Value::UNDEFINED } else { items.get(below(items.len())).cloned().unwrap_or_default() })
}

/// A generator of numbers that nobody can foresee.
pub(in crate::formula::template) fn chance() -> StdRng {
    let (high, low) = uuid::Uuid::new_v4().as_u64_pair();
    StdRng::seed_from_u64(high.rotate_left(17) ^ low)
}

fn below(bound: usize) -> usize {
    chance().random_range(0..bound.max(1))
}

fn gen_mac(prefix: Option<&Value>) -> String {
    let prefix = prefix.map_or_else(|| "AC:DE:48".to_owned(), text);
    let [one, two, three]: [u8; 3] = chance().random();
    format!("{prefix}:{one:02X}:{two:02X}:{three:02X}")
}

fn random_str(args: &Args) -> Result<Value, Error> {
    let size = args.get("size").map_or(Ok(32), index)?;
    let size = usize::try_from(size).ok().filter(|size| *size <= WIDEST).ok_or_else(|| wrong("a size out of range"))?;
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letter = |_| letters.get(below(64)).copied().map(char::from);
    Ok(Value::from((0..size).filter_map(letter).collect::<String>()))
}

fn random_hash(args: &Args) -> Result<Value, Error> {
    let size = args.get("size").map_or(Ok(9_999_999_999), index)?;
    let size = u64::try_from(size).map_err(|_| wrong("empty range for randrange()"))?;
    let number = chance().random_range(0..=size).to_string();
    Ok(Value::from(match args.str("hash_type")?.filter(|kind| !kind.is_empty()).unwrap_or("md5") {
        "md5" => hexadecimal(&md5::Md5::digest(number)),
        "sha1" => hexadecimal(&sha1::Sha1::digest(number)),
        "sha224" => hexadecimal(&sha2::Sha224::digest(number)),
        "sha256" => hexadecimal(&sha2::Sha256::digest(number)),
        "sha384" => hexadecimal(&sha2::Sha384::digest(number)),
        "sha512" => hexadecimal(&Sha512::digest(number)),
        other => return Err(wrong(format!("upshift does not have the hash `{other}`"))),
    }))
}

/// So many items in a random order; with a seed, in the one that Python's generator gives.
fn sample(args: &Args, size: usize) -> Result<Value, Error> {
    let value = args.defined()?;
    if !is_list(&value) && !value.is_tuple() && value.as_str().is_none() {
        return Err(wrong(format!("Population must be a sequence, not {}", type_name(&value))));
    }
    let pool = items(&value)?;
    if size > pool.len() {
        return Err(wrong("Sample larger than population or is negative"));
    }
    let mut source = match args.some("seed") {
        // Salt hashes text; other values would have to be hashed as they are and are not.
        Some(seed) => Mersenne::from_text(&hexadecimal(&Sha512::digest(super::arguments::string(seed)?))),
        None => Mersenne::from_number(i128::from(chance().random::<u64>())),
    };
    Ok(list(source.sample(&pool, size)))
}

#[cfg(test)]
mod tests {
    use crate::formula::template::filters::assert_shown;

    #[test]
    fn a_seed_gives_what_python_gives() {
        assert_shown(&[
            ("{{ ['a', 'b', 'c', 'd']|random_shuffle(seed='static') }}", Some("['d', 'b', 'c', 'a']")),
            ("{{ range(1000)|list|random_sample(3, seed='big') }}", Some("[842, 55, 411]")),
            ("{{ [1]|random_sample(2) }}", None),
            ("{{ 5|random_hash|length }}", Some("32")),
        ]);
    }
}
