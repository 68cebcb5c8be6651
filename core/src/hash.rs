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

/// The stripe of a hash in its shard, 0 to `stripes - 1`. Takes the bits below those that chose the shard.
#[inline]
pub fn stripe_of(hash: u64, shards: u32, stripes: u32) -> u32 {
    let rest = ((hash >> 32) * u64::from(shards)) as u32;
    ((u64::from(rest) * u64::from(stripes)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::{Seed, shard_of, stripe_of};

    #[test]
    fn stripes_of_a_shard_have_equally_many_keys_and_tags() {
        let (mut keys, mut tags) = ([[0_u32; 8]; 3], [0_u32; 256]);
        for number in 0..240_000_u32 {
            let hash = Seed(1, 2).hash(&number.to_le_bytes());
            let (shard, stripe) = (shard_of(hash, 3), stripe_of(hash, 3, 8));
            keys[shard as usize][stripe as usize] += 1;
            if (shard, stripe) == (1, 5) {
                tags[(hash >> 32) as u8 as usize] += 1;
            }
        }
        assert!(keys.iter().flatten().all(|&count| (9500..10_500).contains(&count)), "{keys:?}");
        assert!(tags.iter().all(|&count| (15..70).contains(&count)), "{tags:?}");
    }
}
