//! Filters that leave it to chance, and those that shuffle by a seed as Python would.

use minijinja::{Error, Value};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use sha2::{Digest, Sha512};

use super::arguments::{Args, Run, index, wrong};
use super::hashes::hexadecimal;
use crate::formula::template::number_text::WIDEST;
use crate::formula::template::value::{is_list, items, list, text, type_name};

/// The filters, with their parameters.
pub(super) const FILTERS: &[(&str, &str, Run)] = &[
    ("gen_mac", "prefix?", gen_mac),
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

fn gen_mac(args: &Args) -> Result<Value, Error> {
    let prefix = args.get("prefix").map_or_else(|| "AC:DE:48".to_owned(), text);
    let [one, two, three]: [u8; 3] = chance().random();
    Ok(Value::from(format!("{prefix}:{one:02X}:{two:02X}:{three:02X}")))
}

fn random_str(args: &Args) -> Result<Value, Error> {
    let size = args.int("size")?.unwrap_or(32);
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
    let mut pool = items(&value)?;
    let length = pool.len();
    if size > length {
        return Err(wrong("Sample larger than population or is negative"));
    }
    let mut twister = match args.some("seed") {
        Some(seed) => {
            // Salt hashes text; other values would have to be hashed as they are and are not.
            let seed = super::arguments::string(seed)?;
            Some(Twister::of_text(&hexadecimal(&Sha512::digest(seed))))
        }
        None => None,
    };
    let mut pick = |bound: usize| twister.as_mut().map_or_else(|| below(bound), |twister| twister.below(bound));
    let mut picked = Vec::new();
    let mut table = 21;
    if size > 5 {
        let mut power = 1_usize;
        while power < size.saturating_mul(3) {
            power = power.saturating_mul(4);
        }
        table += power;
    }
    if length <= table {
        for index in 0..size {
            let place = pick(length - index);
            let last = pool.get(length - index - 1).cloned().unwrap_or_default();
            if let Some(slot) = pool.get_mut(place) {
                picked.push(std::mem::replace(slot, last));
            }
        }
    } else {
        let mut taken = std::collections::HashSet::new();
        while picked.len() < size {
            let place = pick(length);
            if taken.insert(place) {
                picked.extend(pool.get(place).cloned());
            }
        }
    }
    Ok(list(picked))
}

const STATES: usize = 624;

/// The Mersenne twister MT19937, seeded as Python seeds it from text.
struct Twister {
    state: [u32; STATES],
    next: usize,
}

impl Twister {
    /// The text and its hash, as one number, are the key.
    fn of_text(text: &str) -> Self {
        let mut bytes = text.as_bytes().to_vec();
        bytes.extend_from_slice(&Sha512::digest(text));
        let word = |chunk: &[u8]| chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
        let mut key: Vec<u32> = bytes.rchunks(4).map(word).collect();
        while key.len() > 1 && key.last() == Some(&0) {
            key.pop();
        }
        Self::of_key(&key)
    }

    fn of_key(key: &[u32]) -> Self {
        let mut state = [0_u32; STATES];
        let mut last = 19_650_218_u32;
        for (index, word) in (0_u32..).zip(state.iter_mut()) {
            if index > 0 {
                last = (last ^ last >> 30).wrapping_mul(1_812_433_253).wrapping_add(index);
            }
            *word = last;
        }
        let mut twister = Self { state, next: STATES };
        let mut place = 1;
        let keys = (0_u32..).zip(key).cycle();
        for (index, word) in keys.take(STATES.max(key.len())) {
            twister.mix(&mut place, 1_664_525, |mixed| mixed.wrapping_add(*word).wrapping_add(index));
        }
        for _ in 1..STATES {
            let index = u32::try_from(place).unwrap_or(0);
            twister.mix(&mut place, 1_566_083_941, |mixed| mixed.wrapping_sub(index));
        }
        twister.state[0] = 0x8000_0000;
        twister
    }

    fn mix(&mut self, place: &mut usize, factor: u32, finish: impl FnOnce(u32) -> u32) {
        let before = self.at(*place + STATES - 1);
        let mixed = self.at(*place) ^ (before ^ before >> 30).wrapping_mul(factor);
        self.set(*place, finish(mixed));
        *place += 1;
        if *place >= STATES {
            self.state[0] = self.at(STATES - 1);
            *place = 1;
        }
    }

    fn at(&self, place: usize) -> u32 {
        self.state.get(place % STATES).copied().unwrap_or(0)
    }

    fn set(&mut self, place: usize, word: u32) {
        if let Some(slot) = self.state.get_mut(place % STATES) {
            *slot = word;
        }
    }

    fn word(&mut self) -> u32 {
        if self.next >= STATES {
            for place in 0..STATES {
                let joined = self.at(place) & 0x8000_0000 | self.at(place + 1) & 0x7fff_ffff;
                let twist = if joined & 1 == 1 { 0x9908_b0df } else { 0 };
                self.set(place, self.at(place + 397) ^ joined >> 1 ^ twist);
            }
            self.next = 0;
        }
        let mut word = self.at(self.next);
        self.next += 1;
        word ^= word >> 11;
        word ^= word << 7 & 0x9d2c_5680;
        word ^= word << 15 & 0xefc6_0000;
        word ^ word >> 18
    }

    /// A number below a bound that fits in 32 bits.
    fn below(&mut self, bound: usize) -> usize {
        let bits = usize::BITS - bound.leading_zeros();
        loop {
            let number = (self.word() >> 32_u32.saturating_sub(bits).min(31)) as usize;
            if number < bound || bound == 0 {
                return number;
            }
        }
    }
}
