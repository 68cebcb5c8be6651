//! Values as replies have them: whole, or the beginning of a long one, whose further pieces are read later.
//!
//! A long value is not copied for its reader. The segments that it lies in are [held](super::holds), so that further
//! pieces are those of the version that the reader has begun.

use super::{
    Store,
    holds::HoldId,
    item::Item,
    pool::{Cursor, Pool},
    segment::SegmentId,
};
use crate::{
    clock::Seconds,
    reply::{Found, Lender, Pieces, Reply, Value, ValueCursor},
};
use core::{num::NonZeroU64, ops::Range};

impl Store {
    /// Sets the number of bytes of a value beyond which a reply has its beginning only. It holds for all commands that
    /// follow; at first there is no limit.
    #[inline]
    pub fn set_piece_bytes(&mut self, bytes: usize) {
        self.piece_bytes = bytes;
    }

    /// Bytes of the pool that belong to no item any more, and are kept for readers of long values.
    pub fn held_bytes(&self) -> u64 {
        u64::from(self.pool.holds.kept) * u64::from(self.pool.segment_bytes())
    }

    /// Bytes that are lent beyond the limit of the pool.
    pub fn lent_bytes(&self) -> u64 {
        u64::from(self.pool.lent()) * u64::from(self.pool.segment_bytes())
    }

    /// Whether another loan than the present one would be right: as many bytes as are kept for readers.
    #[inline]
    pub(crate) fn needs_other_loan(&self) -> bool {
        self.pool.holds.kept != self.pool.lent()
    }

    /// The loan that would be right, of at most `bytes_max`.
    pub(crate) fn right_loan_bytes(&self, bytes_max: u64) -> u64 {
        let segment_bytes = u64::from(self.pool.segment_bytes());
        self.held_bytes().min(bytes_max / segment_bytes * segment_bytes)
    }

    /// Lends bytes beyond the limit of the pool, so that what clients still read takes no room from what is stored.
    pub(crate) fn lend(&mut self, bytes: u64) {
        self.pool.lend((bytes / u64::from(self.pool.segment_bytes())) as u32);
    }

    /// The addresses of all values. They never change.
    pub fn addresses(&self) -> Range<usize> {
        self.pool.addresses()
    }

    /// The reply to a read that found `item`. Always inlined, as [`Store::lookup_inlined`] is:
    /// the fields go where the reply is.
    #[inline(always)]
    pub(super) fn found(&mut self, item: &Item, now: Seconds) -> Reply<'_> {
        if item.value_bytes as usize > self.piece_bytes {
            return self.found_long(item, now);
        }
        Reply::Found(Found { value: self.value(item), ..self.attributes(item) })
    }

    #[cold]
    fn found_long(&mut self, item: &Item, now: Seconds) -> Reply<'_> {
        let found = self.attributes(item);
        Reply::Found(Found { value: self.beginning(item, now), ..found })
    }

    /// An item without its value.
    #[inline(always)]
    pub(super) fn attributes(&self, item: &Item) -> Found<'static> {
        Found { flags: item.flags(&self.pool), cas: item.unique(&self.pool), value: Value::whole(&[]) }
    }

    /// The value, or the beginning of a long one.
    #[inline]
    pub(super) fn value_or_beginning(&mut self, item: &Item, now: Seconds) -> Value<'_> {
        if item.value_bytes as usize > self.piece_bytes {
            return self.beginning(item, now);
        }
        self.value(item)
    }

    #[cold]
    fn beginning(&mut self, item: &Item, now: Seconds) -> Value<'_> {
        let bytes_max = self.piece_bytes;
        let cursor = self.hold(item, now);
        match cursor {
            Some(cursor) => self.value(item).cut(bytes_max, cursor),
            None => self.value(item),
        }
    }

    #[inline(always)]
    pub(super) fn value(&self, item: &Item) -> Value<'_> {
        let (length, inline) = (item.value_bytes as usize, item.inline_bytes());
        let at = item.location.byte() + inline as usize;
        let here = length.min((self.pool.segment_bytes() - self.pool.offset_of(item.location) - inline) as usize);
        let rest = (here < length).then(|| self.pool.after(self.pool.segment_of(item.location)));
        Value::scattered(length, self.pool.slice(at, here), rest)
    }

    /// Holds an item for one reader.
    fn hold(&mut self, item: &Item, now: Seconds) -> Option<ValueCursor> {
        let offset = self.pool.offset_of(item.location) + item.inline_bytes();
        let HoldId { number, sequence } = self.pool.hold(item, now);
        Some(ValueCursor { hold: number, offset, sequence: NonZeroU64::new(sequence)? })
    }

    /// See [`crate::command::Operation::Piece`].
    pub(super) fn piece(&mut self, cursor: ValueCursor, position: u32, length: u32, now: Seconds) -> Reply<'_> {
        let distance = u64::from(cursor.offset) + u64::from(position);
        let Some((segment, offset)) = self.pool.find_held(hold_of(cursor), distance, length, now) else {
            self.counters.totals.values_lost += 1;
            return Reply::Missing;
        };
        let pool = &self.pool;
        let length = length as usize;
        let here = length.min(pool.segment_bytes() as usize - offset);
        let rest = (here < length).then(|| pool.after(segment));
        Reply::Piece(Value::scattered(length, pool.slice(pool.start(segment) + offset, here), rest))
    }

    /// A reader needs the rest of a value no longer.
    pub fn leave(&mut self, cursor: ValueCursor) {
        self.pool.leave_hold(hold_of(cursor));
    }
}

fn hold_of(cursor: ValueCursor) -> HoldId {
    HoldId { number: cursor.hold, sequence: cursor.sequence.get() }
}

/// Places are distances from the first of [`Store::addresses`].
impl Lender for Store {
    fn lent(&self, place: Range<usize>) -> &[u8] {
        self.pool.at_addresses(place)
    }
}

impl Pool {
    /// Where a value that fills the rest of `segment` continues.
    fn after(&self, segment: SegmentId) -> (&dyn Pieces, u32) {
        (self, self.segment(segment).continued.0)
    }
}

/// Positions are numbers of segments.
impl Pieces for Pool {
    fn piece(&self, position: u32, length_max: usize) -> (&[u8], u32) {
        let segment = SegmentId(position);
        let (at, length) = self.advance(&mut Cursor { segment, offset: 0 }, length_max);
        (self.slice(at, length), self.segment(segment).continued.0)
    }
}
