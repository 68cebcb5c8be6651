//! What was evicted on probation, for as long as about as many others were: if it is wanted again so soon, it was
//! evicted too early. Owns the form and the age of these memories; they take no memory of their own, because they
//! lie in the holes of the index, in the line that a miss has read already.
//!
//! ```text
//! a slot whose tag is 0 holds: fingerprint of the hash (20 bits) | epoch (12 bits, never 0), or 0
//! ```

use super::{
    index::{Hole, Index},
    pool::Pool,
};

const EPOCH_BITS: u32 = 12;
/// Epochs count from 1 to this, and begin again.
const EPOCH_MAX: u32 = (1 << EPOCH_BITS) - 1;
/// An epoch lasts until as many were remembered as this part of the items.
const EPOCH_DENOMINATOR: u32 = 8;
/// Older memories are none.
const AGE_EPOCHS_MAX: u32 = 8;

/// See the module.
pub(super) struct Ghosts {
    /// 0 as long as nothing was remembered.
    epoch: u32,
    remembered: u32,
}

impl Ghosts {
    /// No memories.
    pub(super) fn new() -> Self {
        Self { epoch: 0, remembered: 0 }
    }

    /// An item with that hash has left the index by eviction. Nothing happens if its bucket has no hole.
    pub(super) fn remember(&mut self, index: &Index, pool: &mut Pool, hash: u64) {
        if self.remembered == 0 {
            self.remembered = (index.items() / EPOCH_DENOMINATOR).max(1);
            self.epoch = self.epoch % EPOCH_MAX + 1;
        }
        self.remembered -= 1;
        let oldest = index.holes(pool, hash).max_by_key(|hole| self.age(hole.word(pool)));
        if let Some(hole) = oldest {
            hole.set_word(pool, fingerprint(hash) << EPOCH_BITS | self.epoch);
        }
    }

    /// Whether an item with that hash is remembered; forgets it.
    pub(super) fn recall(&self, index: &Index, pool: &mut Pool, hash: u64) -> bool {
        let is_it = |hole: &Hole| {
            let word = hole.word(pool);
            word >> EPOCH_BITS == fingerprint(hash) && self.age(word) <= AGE_EPOCHS_MAX
        };
        let found = index.holes(pool, hash).find(is_it);
        if let Some(hole) = found {
            hole.set_word(pool, 0);
        }
        found.is_some()
    }

    /// In epochs; a hole without a memory is as old as can be.
    fn age(&self, word: u32) -> u32 {
        match word & EPOCH_MAX {
            0 => u32::MAX,
            epoch => (self.epoch + EPOCH_MAX - epoch) % EPOCH_MAX,
        }
    }
}

/// Bits that choose neither bucket nor tag.
fn fingerprint(hash: u64) -> u32 {
    (hash >> 40) as u32 & (u32::MAX >> EPOCH_BITS)
}
