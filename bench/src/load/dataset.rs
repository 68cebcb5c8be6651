//! The keys and values of a benchmark: functions of an index, so that no key needs memory and every value that comes
//! back can be checked.

use rand::rngs::SmallRng;
use rand::{Rng, RngExt, SeedableRng};
use rand_distr::{Distribution as _, Zipf};

use crate::outcome::{Outcome, ResultExt as _};

/// Length of every key.
pub const KEY_BYTES: usize = 20;

/// Values start at one of this many offsets into a random pattern.
const OFFSETS: usize = 8192;

/// Draws of a skewed distribution before the run: a draw costs more than a request may.
const SKEWED_DRAWS: usize = 1 << 21;

/// A fixed set of keys, each with one value.
#[derive(Debug)]
pub struct Dataset {
    /// Number of keys.
    pub keys: u32,
    /// Length of every value.
    pub value_bytes: usize,
    pattern: Vec<u8>,
}

impl Dataset {
    /// A set of `keys` keys with values of `value_bytes` bytes.
    pub fn new(keys: u32, value_bytes: usize) -> Self {
        let mut pattern = vec![0; value_bytes + OFFSETS];
        SmallRng::seed_from_u64(0x5eed).fill_bytes(&mut pattern);
        Self { keys, value_bytes, pattern }
    }

    /// The value of key `index`.
    pub fn value(&self, index: u32) -> &[u8] {
        // An odd multiplier visits every offset, so neighbouring keys have values that differ everywhere.
        let offset = (index as usize).wrapping_mul(2654435761) % OFFSETS;
        &self.pattern[offset..offset + self.value_bytes]
    }

    /// Bytes of keys and values together, without the overhead of a server.
    pub fn payload_bytes(&self) -> u64 {
        u64::from(self.keys) * (KEY_BYTES + self.value_bytes) as u64
    }

    /// A `-m` in MiB that holds the whole set with generous overhead.
    pub fn memory_mib(&self) -> u64 {
        let items = self.payload_bytes() + u64::from(self.keys) * 64;
        (items * 14 / 10).div_ceil(1 << 20) + 64
    }
}

/// Key `index`, as it goes over the wire.
pub fn key(index: u32) -> [u8; KEY_BYTES] {
    let mut key = *b"key:0000000000000000";
    let mut rest = index;
    for digit in key.iter_mut().rev().take(10) {
        if rest == 0 {
            break;
        }
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    key
}

/// How requests choose keys.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Popularity {
    /// Each key is equally likely: the hardest case for the processor's caches.
    Uniform,
    /// A Zipf distribution with this exponent, its ranks scattered over the key space.
    Zipf(f64),
}

/// A stream of key indexes.
#[derive(Debug)]
pub struct KeyStream {
    keys: u32,
    random: SmallRng,
    draws: Vec<u32>,
    next_draw: usize,
}

impl KeyStream {
    /// A stream over `keys` keys; equal seeds give equal streams.
    pub fn new(keys: u32, popularity: Popularity, seed: u64) -> Outcome<Self> {
        let mut random = SmallRng::seed_from_u64(seed);
        let draws = match popularity {
            Popularity::Uniform => Vec::new(),
            Popularity::Zipf(exponent) => {
                let zipf = Zipf::new(f64::from(keys), exponent).context("zipf")?;
                (0..SKEWED_DRAWS).map(|_| scatter(zipf.sample(&mut random) as u64 - 1, keys)).collect()
            }
        };
        Ok(Self { keys, random, draws, next_draw: 0 })
    }

    /// The next key.
    pub fn next_index(&mut self) -> u32 {
        if self.draws.is_empty() {
            return self.random.random_range(0..self.keys);
        }
        self.next_draw = (self.next_draw + 1) % self.draws.len();
        self.draws[self.next_draw]
    }

    /// True once in `n` draws, on average.
    pub fn one_in(&mut self, n: u32) -> bool {
        self.random.random_range(0..n) == 0
    }
}

/// Permutes ranks over `0..keys`.
fn scatter(rank: u64, keys: u32) -> u32 {
    // A prime above any key count is coprime to it, so this is a permutation.
    (rank * 4_294_967_291 % u64::from(keys)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn keys_are_distinct_and_ordered() {
        assert_eq!(&key(0), b"key:0000000000000000");
        assert_eq!(&key(1_234_567), b"key:0000000001234567");
        assert_eq!(&key(u32::MAX), b"key:0000004294967295");
    }

    #[test]
    fn values_have_their_length_and_differ() {
        let dataset = Dataset::new(1000, 30);
        let values: HashSet<&[u8]> = (0..1000).map(|index| dataset.value(index)).collect();
        assert!(values.iter().all(|value| value.len() == 30));
        assert_eq!(values.len(), 1000);
    }

    #[test]
    fn scattering_is_a_permutation() {
        let places: HashSet<u32> = (0..100_000).map(|rank| scatter(rank, 100_000)).collect();
        assert_eq!(places.len(), 100_000);
    }

    #[test]
    fn zipf_prefers_few_keys_and_uniform_does_not() {
        let share_of_top = |popularity| {
            let mut stream = KeyStream::new(1000, popularity, 7).unwrap();
            let mut counts = vec![0_u32; 1000];
            (0..100_000).for_each(|_| counts[stream.next_index() as usize] += 1);
            counts.sort_unstable();
            f64::from(counts.iter().rev().take(10).sum::<u32>()) / 100_000.0
        };
        assert!(share_of_top(Popularity::Zipf(0.99)) > 0.3);
        assert!(share_of_top(Popularity::Uniform) < 0.03);
    }
}
