//! What was evicted, for as long as about as many others were: if it is wanted again so soon, it was evicted too
//! early, and the part of the log that it was in is too small (as in ARC: Megiddo and Modha, FAST '03). Owns the form
//! and the age of these memories. They take no memory of their own, because they lie in the holes of the index, in the
//! line that a miss has read already.
//!
//! ```text
//! a slot whose tag is 0 holds: fingerprint of the hash (20 bits) | part (1 bit) | epoch (11 bits, never 0), or 0
//! ```

use super::{
    index::{Hole, Index},
    pool::Pool,
    segment::Part,
};

const EPOCH_BITS: u32 = 11;
const PART_BITS: u32 = 1;
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
    left: u32,
    /// About how many of each part are remembered.
    remembered: [u32; 2],
}

impl Ghosts {
    /// No memories.
    pub(super) fn new() -> Self {
        Self { epoch: 0, left: 0, remembered: [0; 2] }
    }

    /// An item with that hash has left the index by eviction. Nothing happens if its bucket has no hole.
    pub(super) fn remember(&mut self, index: &Index, pool: &mut Pool, hash: u64, part: Part) {
        if self.left == 0 {
            self.left = (index.items() / EPOCH_DENOMINATOR).max(1);
            self.epoch = self.epoch % EPOCH_MAX + 1;
            self.remembered = self.remembered.map(|count| count - count / AGE_EPOCHS_MAX);
        }
        self.left -= 1;
        let oldest = index.holes(pool, hash).max_by_key(|hole| self.age(hole.word(pool)));
        if let Some(hole) = oldest {
            let word = fingerprint(hash) << PART_BITS | part as u32;
            hole.set_word(pool, word << EPOCH_BITS | self.epoch);
            self.remembered[part as usize] += 1;
        }
    }

    /// The part that an item with that hash was evicted from, if it is remembered; forgets it.
    pub(super) fn recall(&self, index: &Index, pool: &mut Pool, hash: u64) -> Option<Part> {
        let is_it = |hole: &Hole| {
            let word = hole.word(pool);
            word >> (EPOCH_BITS + PART_BITS) == fingerprint(hash) && self.age(word) <= AGE_EPOCHS_MAX
        };
        let hole = index.holes(pool, hash).find(is_it)?;
        let on_probation = hole.word(pool) >> EPOCH_BITS & 1 == Part::Probation as u32;
        hole.set_word(pool, 0);
        Some(if on_probation { Part::Probation } else { Part::Main })
    }

    /// How many more of the other part are remembered than of this, but at least once as many.
    pub(super) fn weight(&self, part: Part) -> u64 {
        let [main, probation] = self.remembered.map(|count| u64::from(count.max(1)));
        match part {
            Part::Main => (probation / main).max(1),
            Part::Probation => (main / probation).max(1),
        }
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
    (hash >> 40) as u32 & (u32::MAX >> (EPOCH_BITS + PART_BITS))
}
