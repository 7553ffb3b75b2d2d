//! Python's random numbers: the Mersenne Twister, seeded as Python seeds it, so that a seed gives the same numbers here.

use sha2::Digest as _;

const SIZE: usize = 624;
const SHIFT: usize = 397;

/// A source of random numbers, Python's `random.Random(seed)`.
pub(in super::super) struct Mersenne {
    state: [u32; SIZE],
    next: usize,
}

impl Mersenne {
    /// Seeded with a text.
    pub(in super::super) fn from_text(seed: &str) -> Self {
        // Python takes the text and its digest as one big number; its words are wanted from the lowest.
        let mut bytes = seed.as_bytes().to_vec();
        bytes.extend(sha2::Sha512::digest(seed.as_bytes()));
        bytes.reverse();
        let words = bytes.chunks(4).map(|chunk| {
            let mut word = [0; 4];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            u32::from_le_bytes(word)
        });
        Self::from_words(words.collect())
    }

    /// Seeded with a whole number, whose sign Python ignores.
    pub(in super::super) fn from_number(seed: i128) -> Self {
        let seed = seed.unsigned_abs();
        #[expect(clippy::cast_possible_truncation, reason = "the words of the number")]
        Self::from_words((0..4).map(|word| (seed >> (32 * word)) as u32).collect())
    }

    fn from_words(mut key: Vec<u32>) -> Self {
        while key.len() > 1 && key.last() == Some(&0) {
            key.pop();
        }
        let mut state = [0_u32; SIZE];
        let mut last = 19_650_218_u32;
        for (index, word) in (0_u32..).zip(state.iter_mut()) {
            if index > 0 {
                last = (last ^ (last >> 30)).wrapping_mul(1_812_433_253).wrapping_add(index);
            }
            *word = last;
        }
        let mut twister = Self { state, next: SIZE };
        let mut at = 1;
        for (index, word) in key.iter().enumerate().cycle().take(key.len().max(SIZE)) {
            #[expect(clippy::cast_possible_truncation, reason = "a key has a few words")]
            let add = word.wrapping_add(index as u32);
            at = twister.stir(at, 1_664_525, |stirred| stirred.wrapping_add(add));
        }
        for _ in 1..SIZE {
            #[expect(clippy::cast_possible_truncation, reason = "below 624")]
            let less = at as u32;
            at = twister.stir(at, 1_566_083_941, |stirred| stirred.wrapping_sub(less));
        }
        twister.state[0] = 0x8000_0000;
        twister
    }

    /// One step of seeding; the place after `at`, which is never 0.
    fn stir(&mut self, at: usize, factor: u32, then: impl Fn(u32) -> u32) -> usize {
        let before = self.state[at - 1];
        self.state[at] = then(self.state[at] ^ (before ^ (before >> 30)).wrapping_mul(factor));
        if at + 1 < SIZE {
            return at + 1;
        }
        self.state[0] = self.state[SIZE - 1];
        1
    }

    fn word(&mut self) -> u32 {
        if self.next >= SIZE {
            for index in 0..SIZE {
                let joined = (self.state[index] & 0x8000_0000) | (self.state[(index + 1) % SIZE] & 0x7fff_ffff);
                let odd = if joined & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[index] = self.state[(index + SHIFT) % SIZE] ^ (joined >> 1) ^ odd;
            }
            self.next = 0;
        }
        let mut word = self.state[self.next];
        self.next += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9d2c_5680;
        word ^= (word << 15) & 0xefc6_0000;
        word ^ (word >> 18)
    }

    /// A number below `end`: `randrange(end)`. Zero if `end` is zero.
    pub(in super::super) fn below(&mut self, end: u64) -> u64 {
        if end == 0 {
            return 0;
        }
        let bits = u64::BITS - end.leading_zeros();
        loop {
            let number = self.bits(bits);
            if number < end {
                return number;
            }
        }
    }

    fn bits(&mut self, bits: u32) -> u64 {
        if bits <= 32 {
            return u64::from(self.word() >> (32 - bits));
        }
        let low = u64::from(self.word());
        low | u64::from(self.word() >> (64 - bits)) << 32
    }

    /// `size` of the items, in the order in which Python's `sample` draws them. There must be that many.
    pub(in super::super) fn sample<T: Clone>(&mut self, items: &[T], size: usize) -> Vec<T> {
        let count = items.len() as u64;
        let mut drawn = Vec::new();
        if items.len() <= pool_size(size) {
            let mut pool = items.to_vec();
            for _ in 0..size.min(items.len()) {
                let at = usize::try_from(self.below(pool.len() as u64)).unwrap_or(0);
                drawn.push(pool.swap_remove(at));
            }
            return drawn;
        }
        let mut taken = std::collections::HashSet::new();
        while drawn.len() < size {
            let at = usize::try_from(self.below(count)).unwrap_or(0);
            if taken.insert(at)
                && let Some(item) = items.get(at)
            {
                drawn.push(item.clone());
            }
        }
        drawn
    }
}

/// Up to how many items Python draws from a copy of them all, instead of remembering what it drew.
fn pool_size(size: usize) -> usize {
    let mut pool = 21;
    if size > 5 {
        let mut power = 1_usize;
        while power < size.saturating_mul(3) {
            power = power.saturating_mul(4);
        }
        pool += power;
    }
    pool
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_pythons_numbers() {
        let mut of_text = Mersenne::from_text("node01.local");
        assert_eq!([(); 4].map(|()| of_text.below(60)), [15, 36, 35, 27]);
        let mut of_number = Mersenne::from_number(42);
        assert_eq!([(); 4].map(|()| of_number.below(100)), [81, 14, 3, 94]);
        let items: Vec<u32> = (0..30).collect();
        assert_eq!(Mersenne::from_text("x").sample(&items, 4), [20, 10, 19, 15]);
        assert_eq!(Mersenne::from_text("x").sample(&items[..6], 6), [5, 2, 3, 0, 1, 4]);
    }
}
