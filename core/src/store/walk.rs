//! Walks over all items, in an order that moved items and a growing index do not disturb; see
//! [`crate::boundary::listing`].

use super::{
    Store,
    index::FETCHED,
    item::{ENCODED_KEY, Item},
};
use crate::{
    boundary::listing::{END, Listed, Piece},
    clock::Seconds,
    command::Walk,
    limits,
    statistics::class_of,
};
use alloc::vec::Vec;

/// Number of places of keys: see [`place_of`].
pub(super) const PLACES: u64 = 1 << 32;

impl Store {
    /// Appends a [`Piece`]: the live items of the requested classes from the cursor on, up to the limits of room and
    /// work.
    pub(super) fn append_listing(&self, walk: &Walk, now: Seconds, answer: &mut Vec<u8>) {
        let at = Piece::begin(answer);
        let room = answer.len() + walk.room as usize;
        let mut cursor = walk.cursor.min(PLACES);
        let mut items = 0;
        for _ in 0..limits::WALK_BUCKETS_MAX {
            if cursor >= PLACES || answer.len() > room || items >= limits::WALK_ITEMS_MAX {
                break;
            }
            cursor = self.for_each_from(cursor as u32, |item, fetched| {
                items += 1;
                #[cfg(feature = "fault-injection")]
                crate::fault::inject(item.key(&self.pool), b"walk");
                let class = class_of(item.total_bytes() as usize);
                if walk.classes >> class & 1 != 0 && !self.is_gone(&item, now) {
                    self.append_listed(&item, class as u32, fetched, answer);
                }
            });
        }
        Piece::end(answer, at, if cursor < PLACES { cursor } else { END });
    }

    /// Calls `visit` with each item of the bucket at `from`, but for those before `from`, and whether it was read. Returns
    /// where the next bucket begins.
    pub(super) fn for_each_from(&self, from: u32, mut visit: impl FnMut(Item, bool)) -> u64 {
        let bucket_range = self.index.bucket_range(&self.pool, from);
        // A part of a bucket that was merged meanwhile was visited already.
        let is_whole = bucket_range.begin == from;
        self.index.for_each_in(&self.pool, bucket_range.bucket, |entry| {
            let item = Item::parse(&self.pool, entry.location());
            if is_whole || place_of(self.index.hash(item.key(&self.pool))) >= from {
                visit(item, entry.has(FETCHED));
            }
        });
        bucket_range.end
    }

    fn append_listed(&self, item: &Item, class: u32, fetched: bool, answer: &mut Vec<u8>) {
        let pool = &self.pool;
        let listed = Listed {
            key: item.key(pool),
            expiry: item.expiry(pool),
            access: item.access(pool),
            cas: item.unique(pool),
            class,
            item_bytes: item.total_bytes(),
            value_bytes: item.value_bytes,
            flags: item.flags(pool),
            fetched,
            encoded_key: item.marks() & ENCODED_KEY != 0,
        };
        listed.encode(answer);
    }
}

/// Position of a key in the order: the bits that choose its bucket, the lowest bit first.
fn place_of(hash: u64) -> u32 {
    (hash as u32).reverse_bits()
}
