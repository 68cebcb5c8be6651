//! The cryptographic operations of both mechanisms, over RustCrypto.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// Bytes of a SHA-256 hash.
pub(super) const HASH_BYTES: usize = 32;
pub(super) type Hash = [u8; HASH_BYTES];

pub(super) fn sha256(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

/// HMAC-SHA-256 of the concatenated parts.
pub(super) fn hmac(key: &[u8], parts: &[&[u8]]) -> Hash {
    let mut mac = keyed(key);
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    // HMAC accepts keys of any length: a longer one than a block is hashed first.
    <Hmac<Sha256> as KeyInit>::new_from_slice(key).unwrap_or_else(|_| KeyInit::new(&Default::default()))
}

/// PBKDF2 with HMAC-SHA-256 (SCRAM's `Hi`), in slices.
pub(super) struct Derivation {
    mac: Hmac<Sha256>,
    /// The last iteration's output.
    block: Hash,
    /// The sum of all of them.
    sum: Hash,
    result: Hash,
    done: u32,
    /// Iterations until `result`.
    iterations: u32,
    /// Iterations in all: those behind `iterations` only take time.
    total: u32,
}

impl Derivation {
    /// A derivation with `iterations` (at least 1), followed by `padding` iterations that change nothing.
    pub(super) fn new(password: &[u8], salt: &[u8], iterations: u32, padding: u32) -> Self {
        let block = hmac(password, &[salt, &1u32.to_be_bytes()]);
        let total = iterations.saturating_add(padding);
        Self { mac: keyed(password), block, sum: block, result: block, done: 1, iterations, total }
    }

    /// Makes at most `slice` iterations; the result once all of them are made.
    pub(super) fn advance(&mut self, slice: u32) -> Option<Hash> {
        let until = self.total.min(self.done.saturating_add(slice));
        while self.done < until {
            let mut mac = self.mac.clone();
            mac.update(&self.block);
            self.block = mac.finalize().into_bytes().into();
            self.sum.iter_mut().zip(self.block).for_each(|(sum, byte)| *sum ^= byte);
            self.done += 1;
            if self.done == self.iterations {
                self.result = self.sum;
            }
        }
        (self.done >= self.total).then_some(self.result)
    }
}

/// A key from a secret.
pub(super) fn key_of(numbers: &[u64]) -> Hash {
    let mut key = Hash::default();
    for (bytes, number) in key.chunks_exact_mut(8).zip(numbers) {
        bytes.copy_from_slice(&number.to_le_bytes());
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The library derives in one call: it is the oracle of the slices.
    #[test]
    fn a_derivation_in_slices() {
        for (iterations, padding) in [(1, 0), (1, 5), (2, 0), (3, 4), (100, 0), (100, 37)] {
            let mut expected = Hash::default();
            pbkdf2::pbkdf2_hmac::<Sha256>(b"pencil", b"salt", iterations, &mut expected);
            for slice in [1, 2, 7, 99, 100, u32::MAX] {
                let mut derivation = Derivation::new(b"pencil", b"salt", iterations, padding);
                let mut slices = 1;
                let result = loop {
                    match derivation.advance(slice) {
                        Some(result) => break result,
                        None => slices += 1,
                    }
                };
                assert_eq!(result, expected, "{iterations} iterations, {slice} at once");
                // The first iteration is made at the beginning.
                assert_eq!(slices, (iterations + padding - 1).div_ceil(slice).max(1));
            }
        }
    }
}
