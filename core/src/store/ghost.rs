//! Ghost entries: fingerprints of evicted keys, kept until about as many other items were evicted as the store holds.
//! If a key is stored again while it has a ghost, it was evicted too early, and the part of the log that it was in is
//! too small (as in ARC: Megiddo and Modha, FAST '03). Ghosts take no memory of their own: they lie in the holes of the
//! index, in the line that a miss has read already.
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
/// Epochs count from 1 to this number, then start again.
const EPOCH_MAX: u32 = (1 << EPOCH_BITS) - 1;
/// An epoch ends when this fraction of the items was evicted.
const EPOCH_DENOMINATOR: u32 = 8;
/// Older ghosts are ignored.
const AGE_EPOCHS_MAX: u32 = 8;

/// See the module.
pub(super) struct Ghosts {
    /// 0 before the first ghost.
    epoch: u32,
    /// Evictions until the next epoch.
    left: u32,
    /// Approximate number of ghosts of each part.
    remembered: [u32; 2],
}

impl Ghosts {
    /// No ghosts.
    pub(super) fn new() -> Self {
        Self { epoch: 0, left: 0, remembered: [0; 2] }
    }

    /// Adds a ghost of an evicted item. If its bucket has no hole, there is no ghost.
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

    /// Takes the ghost with that hash: the part from which the item was evicted.
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

    /// How many times more ghosts the other part has than this one, but at least 1.
    pub(super) fn weight(&self, part: Part) -> u64 {
        let [main, probation] = self.remembered.map(|count| u64::from(count.max(1)));
        match part {
            Part::Main => (probation / main).max(1),
            Part::Probation => (main / probation).max(1),
        }
    }

    /// Age of a ghost in epochs. A hole without a ghost has the highest age.
    #[inline]
    pub(super) fn age(&self, word: u32) -> u32 {
        match word & EPOCH_MAX {
            0 => u32::MAX,
            // One too many where the numbers start again, which does not matter.
            epoch => self.epoch.wrapping_sub(epoch) & EPOCH_MAX,
        }
    }
}

/// Bits that choose neither bucket nor tag.
fn fingerprint(hash: u64) -> u32 {
    (hash >> 40) as u32 & (u32::MAX >> (EPOCH_BITS + PART_BITS))
}
