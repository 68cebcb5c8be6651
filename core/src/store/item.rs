//! The layout of an item in the log: parsing and writing of its header.
//!
//! ```text
//! word 0   key length (8 bits) | shape (8) | value length, low half (16)
//! word 1   time of the last access, coarse
//! word 2   unique, low half
//! then, each only if the shape says so: unique, high half | flags | expiry | value length, high half | last use
//! then the key, then the value, then padding to a whole word
//! ```
//!
//! A dead item has the key length 0, which no live item has, and its word 0 in word 1.
//!
//! Header and key lie in one segment. The value may continue at the start of the next one.

use super::{pool::Pool, segment::Location, uses::UseLabel};
use crate::clock::{Expiry, Seconds};

const SHAPE_UNIQUE_HIGH: u8 = 1;
const SHAPE_FLAGS: u8 = 2;
const SHAPE_EXPIRY: u8 = 4;
const SHAPE_LENGTH_HIGH: u8 = 8;
/// There is a word for the last use, see [`super::uses`].
const SHAPE_LAST_USE: u8 = 0x10;
/// The bits that determine the length of the header.
const SHAPE_WORDS: u8 = 31;
/// The item is stale: the next reader has to write it anew.
pub(super) const STALE: u8 = 0x20;
/// A reader was told to write the item anew.
pub(super) const TAKEN: u8 = 0x40;
/// The item was stored under a key in base64.
pub(super) const ENCODED_KEY: u8 = 0x80;
/// State of an item that takes no word of the header. A new item has no marks.
const MARKS: u8 = STALE | TAKEN | ENCODED_KEY;

const ACCESS_AT: usize = 4;
const UNIQUE_AT: usize = 8;
const OPTIONAL_AT: usize = 12;
/// Without the word for the last use.
const HEADER_BYTES_MAX: usize = OPTIONAL_AT + 4 * 4;

/// A hit writes the time of access only if it is older than this (memcached: `ITEM_UPDATE_INTERVAL`), so that most hits
/// do not make the cache line of the item dirty.
const ACCESS_INTERVAL_S: Seconds = 60;

/// An item with a value of this size and more has a word for its expiry even if it never expires, so that it need not be
/// written again to get one. That is a thousandth of its size.
pub(super) const EXPIRY_WORD_VALUE_BYTES_MIN: u32 = 4096;

/// The fields of a header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) key_bytes: u32,
    pub(super) value_bytes: u32,
    pub(super) flags: u32,
    pub(super) expiry: Expiry,
    /// Whether there is a word for the expiry of an item that never expires.
    pub(super) expiry_word: bool,
    pub(super) unique: u64,
    pub(super) access: Seconds,
    /// The word for the last use, if there is one.
    pub(super) last_use: Option<UseLabel>,
}

impl Header {
    fn shape(&self) -> u8 {
        let mut shape = 0;
        for (bit, present) in [
            (SHAPE_UNIQUE_HIGH, self.unique >> 32 != 0),
            (SHAPE_FLAGS, self.flags != 0),
            (SHAPE_EXPIRY, self.expiry_word || self.expiry != Expiry::NEVER),
            (SHAPE_LENGTH_HIGH, self.value_bytes >> 16 != 0),
        ] {
            shape |= if present { bit } else { 0 };
        }
        if self.last_use.is_some() { shape | SHAPE_LAST_USE } else { shape }
    }

    /// The item that a header at `location` describes.
    pub(super) fn at(&self, location: Location) -> Item {
        let (key_bytes, value_bytes) = (self.key_bytes, self.value_bytes);
        Item { location, shape: self.shape(), is_dead: false, key_bytes, value_bytes }
    }

    /// Writes the header at `location`. The caller writes key and value.
    #[inline(always)]
    pub(super) fn emit(&self, pool: &mut Pool, location: Location) -> Item {
        let item = self.at(location);
        let mut bytes = [0; HEADER_BYTES_MAX];
        let word0 = self.key_bytes | u32::from(item.shape) << 8 | self.value_bytes << 16;
        let mut at = 0;
        let mut put = |word: u32| {
            bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
            at += 4;
        };
        put(word0);
        put(self.access);
        put(self.unique as u32);
        for (bit, word) in [
            (SHAPE_UNIQUE_HIGH, (self.unique >> 32) as u32),
            (SHAPE_FLAGS, self.flags),
            (SHAPE_EXPIRY, self.expiry.0),
            (SHAPE_LENGTH_HIGH, self.value_bytes >> 16),
        ] {
            if item.shape & bit != 0 {
                put(word);
            }
        }
        pool.slice_mut(location.byte(), at).copy_from_slice(&bytes[..at]);
        if let Some(label) = self.last_use {
            item.set_last_use(pool, label);
        }
        item
    }
}

/// Whether two keys of the same length are equal. In WebAssembly `==` is a call that compares byte by byte.
#[inline]
fn equal(one: &[u8], other: &[u8]) -> bool {
    let ((heads, tail), (other_heads, other_tail)) = (one.as_chunks::<8>(), other.as_chunks::<8>());
    let differ = |(one, other): (&[u8; 8], &[u8; 8])| u64::from_le_bytes(*one) ^ u64::from_le_bytes(*other);
    if heads.iter().zip(other_heads).fold(0, |differing, pair| differing | differ(pair)) != 0 {
        return false;
    }
    match (one.last_chunk(), other.last_chunk()) {
        // The last bytes. Some of them are compared for the second time.
        (Some(end), Some(other_end)) => differ((end, other_end)) == 0,
        _ => tail.iter().zip(other_tail).all(|(one, other)| one == other),
    }
}

/// A parsed header: location and sizes of an item.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub(super) location: Location,
    shape: u8,
    is_dead: bool,
    pub(super) key_bytes: u32,
    pub(super) value_bytes: u32,
}

impl Item {
    /// Reads the header of the live item at `location`.
    #[inline]
    pub(super) fn parse(pool: &Pool, location: Location) -> Self {
        Self::of_word(pool, location, pool.word(location.byte()), false)
    }

    /// Reads the header of the item at `location`, which may be dead.
    #[inline]
    pub(super) fn parse_any(pool: &Pool, location: Location) -> Self {
        match pool.word(location.byte()) {
            word if word & 0xff == 0 => Self::of_word(pool, location, pool.word(location.byte() + ACCESS_AT), true),
            word => Self::of_word(pool, location, word, false),
        }
    }

    #[inline]
    fn of_word(pool: &Pool, location: Location, word: u32, is_dead: bool) -> Self {
        let (shape, key_bytes) = ((word >> 8) as u8, word & 0xff);
        let mut item = Self { location, shape, is_dead, key_bytes, value_bytes: word >> 16 };
        if item.shape & SHAPE_LENGTH_HIGH != 0 {
            item.value_bytes |= pool.word(item.word_at(SHAPE_LENGTH_HIGH)) << 16;
        }
        item
    }

    /// Whether the item at `location` has this key. Not inlined, so that the code of a miss stays small.
    #[inline(never)]
    pub(super) fn key_is(pool: &Pool, location: Location, key: &[u8]) -> bool {
        let word = pool.word(location.byte());
        let header_bytes = OPTIONAL_AT + 4 * ((word >> 8) as u8 & SHAPE_WORDS).count_ones() as usize;
        (word & 0xff) as usize == key.len() && equal(pool.slice(location.byte() + header_bytes, key.len()), key)
    }

    /// Whether the item has left the index. Its bytes wait to be reclaimed.
    #[inline]
    pub(super) fn is_dead(&self) -> bool {
        self.is_dead
    }

    /// Marks the item dead.
    pub(super) fn kill(&self, pool: &mut Pool) {
        let words = pool.slice_mut(self.location.byte(), 2 * ACCESS_AT);
        words.copy_within(..ACCESS_AT, ACCESS_AT);
        words[0] = 0;
    }

    /// Whether both items have the same words in their headers and the same size.
    pub(super) fn fits_exactly(&self, other: &Self) -> bool {
        self.shape & SHAPE_WORDS == other.shape & SHAPE_WORDS && self.total_bytes() == other.total_bytes()
    }

    /// Size of the header, without the key.
    #[inline]
    pub(super) fn header_bytes(&self) -> u32 {
        (OPTIONAL_AT as u32) + 4 * (self.shape & SHAPE_WORDS).count_ones()
    }

    /// Size of header and key, which must not be split.
    #[inline]
    pub(super) fn inline_bytes(&self) -> u32 {
        self.header_bytes() + self.key_bytes
    }

    /// Size of the item in the log, including padding.
    #[inline]
    pub(super) fn total_bytes(&self) -> u32 {
        (self.inline_bytes() + self.value_bytes + 3) & !3
    }

    /// The key.
    #[inline]
    pub(super) fn key<'p>(&self, pool: &'p Pool) -> &'p [u8] {
        pool.slice(self.location.byte() + self.header_bytes() as usize, self.key_bytes as usize)
    }

    /// The client flags.
    #[inline]
    pub(super) fn flags(&self, pool: &Pool) -> u32 {
        if self.shape & SHAPE_FLAGS == 0 { 0 } else { pool.word(self.word_at(SHAPE_FLAGS)) }
    }

    /// Time of expiry.
    #[inline]
    pub(super) fn expiry(&self, pool: &Pool) -> Expiry {
        if self.shape & SHAPE_EXPIRY == 0 { Expiry::NEVER } else { Expiry(pool.word(self.word_at(SHAPE_EXPIRY))) }
    }

    /// Changes the expiry in place; false if the header has no word for it.
    pub(super) fn set_expiry(&self, pool: &mut Pool, expiry: Expiry) -> bool {
        if self.shape & SHAPE_EXPIRY == 0 {
            return expiry == Expiry::NEVER;
        }
        pool.set_word(self.word_at(SHAPE_EXPIRY), expiry.0);
        true
    }

    /// Changes expiry and unique in place. False, and no change, if the header has no word for one of them.
    pub(super) fn amend(&self, pool: &mut Pool, expiry: Expiry, unique: u64) -> bool {
        let unique_high = (unique >> 32) as u32;
        if unique_high != 0 && self.shape & SHAPE_UNIQUE_HIGH == 0 || !self.set_expiry(pool, expiry) {
            return false;
        }
        pool.set_word(self.location.byte() + UNIQUE_AT, unique as u32);
        if self.shape & SHAPE_UNIQUE_HIGH != 0 {
            pool.set_word(self.word_at(SHAPE_UNIQUE_HIGH), unique_high);
        }
        true
    }

    /// The marks that are set: [`STALE`], [`TAKEN`] and [`ENCODED_KEY`].
    #[inline]
    pub(super) fn marks(&self) -> u8 {
        self.shape & MARKS
    }

    /// Replaces the marks in the log and in this copy.
    pub(super) fn set_marks(&mut self, pool: &mut Pool, marks: u8) {
        self.shape = self.shape & !MARKS | marks & MARKS;
        pool.slice_mut(self.location.byte() + 1, 1)[0] = self.shape;
    }

    /// The unique.
    #[inline]
    pub(super) fn unique(&self, pool: &Pool) -> u64 {
        let low = u64::from(pool.word(self.location.byte() + UNIQUE_AT));
        if self.shape & SHAPE_UNIQUE_HIGH == 0 {
            return low;
        }
        low | u64::from(pool.word(self.word_at(SHAPE_UNIQUE_HIGH))) << 32
    }

    /// Time of the last use, exact to [`ACCESS_INTERVAL_S`].
    pub(super) fn access(&self, pool: &Pool) -> Seconds {
        pool.word(self.location.byte() + ACCESS_AT)
    }

    /// Records a use if the recorded one is old.
    #[inline]
    pub(super) fn note_access(&self, pool: &mut Pool, now: Seconds) {
        if now.abs_diff(self.access(pool)) >= ACCESS_INTERVAL_S {
            pool.set_word(self.location.byte() + ACCESS_AT, now);
        }
    }

    /// Sets the time of the last use.
    pub(super) fn set_access(&self, pool: &mut Pool, access: Seconds) {
        if self.access(pool) != access {
            pool.set_word(self.location.byte() + ACCESS_AT, access);
        }
    }

    /// The label of the last use, if there is a word for it.
    #[inline]
    pub(super) fn last_use(&self, pool: &Pool) -> Option<UseLabel> {
        (self.shape & SHAPE_LAST_USE != 0).then(|| UseLabel(pool.word(self.word_at(SHAPE_LAST_USE))))
    }

    /// Whether there is a word for the last use.
    #[inline]
    pub(super) fn has_last_use(&self) -> bool {
        self.shape & SHAPE_LAST_USE != 0
    }

    /// Sets the label of the last use. There must be a word for it. Not inlined: few stores keep the order of use.
    #[inline(never)]
    pub(super) fn set_last_use(&self, pool: &mut Pool, label: UseLabel) {
        debug_assert!(self.has_last_use());
        pool.set_word(self.word_at(SHAPE_LAST_USE), label.0);
    }

    /// The fields of the header, without the marks, to write them elsewhere.
    pub(super) fn header(&self, pool: &Pool) -> Header {
        Header {
            key_bytes: self.key_bytes,
            value_bytes: self.value_bytes,
            flags: self.flags(pool),
            expiry: self.expiry(pool),
            expiry_word: self.shape & SHAPE_EXPIRY != 0,
            unique: self.unique(pool),
            access: self.access(pool),
            last_use: self.last_use(pool),
        }
    }

    /// Offset of the optional word of `bit`: it follows the words of the lower bits.
    #[inline]
    fn word_at(&self, bit: u8) -> usize {
        self.location.byte() + OPTIONAL_AT + 4 * (self.shape & (bit - 1)).count_ones() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::segment::SegmentKind;

    #[test]
    fn headers_survive_writing_in_every_shape() {
        let mut pool = Pool::new(1024, 2, 2).unwrap();
        pool.allocate(SegmentKind::Log).unwrap();
        for shape in 0..32u8 {
            let pick = |bit: u8, value: u64| if shape & bit != 0 { value } else { 0 };
            let header = Header {
                key_bytes: 3,
                value_bytes: (7 + pick(SHAPE_LENGTH_HIGH, 0x0003_0000)) as u32,
                flags: pick(SHAPE_FLAGS, 0xdead_beef) as u32,
                expiry: Expiry(pick(SHAPE_EXPIRY, 99) as u32),
                expiry_word: false,
                unique: 5 + pick(SHAPE_UNIQUE_HIGH, 6 << 32),
                access: 1000,
                last_use: (shape & SHAPE_LAST_USE != 0).then_some(UseLabel(77)),
            };
            let written = header.emit(&mut pool, Location(2));
            pool.slice_mut(Location(2).byte() + written.header_bytes() as usize, 3).copy_from_slice(b"key");
            let item = Item::parse(&pool, Location(2));
            let read = item.header(&pool);
            assert_eq!(item.header_bytes(), 12 + 4 * shape.count_ones());
            assert_eq!((read.key_bytes, read.value_bytes), (header.key_bytes, header.value_bytes));
            assert_eq!((read.flags, read.expiry, read.unique), (header.flags, header.expiry, header.unique));
            assert_eq!((read.last_use, read.access), (header.last_use, header.access));
            assert!(Item::key_is(&pool, Location(2), b"key") && !Item::key_is(&pool, Location(2), b"kez"));
            assert!(item.fits_exactly(&header.at(Location(2))) && !item.is_dead());
            let mut marked = item;
            marked.set_marks(&mut pool, STALE | ENCODED_KEY);
            let item = Item::parse(&pool, Location(2));
            assert_eq!((item.marks(), item.header_bytes()), (STALE | ENCODED_KEY, marked.header_bytes()));
            assert!(Item::key_is(&pool, Location(2), b"key") && item.fits_exactly(&header.at(Location(2))));
            let unique = 1 << 40 | 9;
            let fits = shape & SHAPE_UNIQUE_HIGH != 0 && shape & SHAPE_EXPIRY != 0;
            assert_eq!(item.amend(&mut pool, Expiry(77), unique), fits);
            let (expiry, unique) = if fits { (Expiry(77), unique) } else { (header.expiry, header.unique) };
            assert_eq!((item.expiry(&pool), item.unique(&pool)), (expiry, unique));
            assert_eq!((item.flags(&pool), item.value_bytes), (header.flags, header.value_bytes));
            assert!(!Item::parse_any(&pool, Location(2)).is_dead());
            item.kill(&mut pool);
            let dead = Item::parse_any(&pool, Location(2));
            assert!(dead.is_dead() && dead.fits_exactly(&item) && !Item::key_is(&pool, Location(2), b"key"));
        }
    }
}
