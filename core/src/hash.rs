//! The keyed hash of keys: it routes to shards and buckets, so clients must not be able to predict it.

use siphasher::sip::SipHasher13;

/// The secret that enters at creation. SipHash-1-3 under it is the same on every target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seed(pub u64, pub u64);

impl Seed {
    /// The hash of `key`.
    #[inline]
    pub fn hash(self, key: &[u8]) -> u64 {
        SipHasher13::new_with_keys(self.0, self.1).hash(key)
    }
}

/// The shard of a hash, 0 to `shards - 1`. Takes the high bits; the index of a shard takes the low ones.
#[inline]
pub fn shard_of(hash: u64, shards: u32) -> u32 {
    (((hash >> 32) * u64::from(shards)) >> 32) as u32
}
