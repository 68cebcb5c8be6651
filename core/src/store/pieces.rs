//! Values as replies have them: whole, or the beginning of a long one, whose further pieces are read later.
//!
//! A long value is not copied for its reader. The segments that it lies in are [held](super::holds), so that further
//! pieces are those of the version that the reader has begun.

use super::{
    Store,
    holds::{HeldBytes, HoldId},
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

    /// Bytes beside the pool that are kept for readers of long values.
    pub fn held_bytes(&self) -> usize {
        self.pool.holds.saved_bytes()
    }

    /// The addresses of all values that are not held beside the pool. They never change.
    pub fn addresses(&self) -> Range<usize> {
        self.pool.addresses()
    }

    #[inline]
    pub(super) fn found(&mut self, item: &Item, now: Seconds) -> Found<'_> {
        let (flags, cas) = (item.flags(&self.pool), item.unique(&self.pool));
        Found { flags, cas, value: self.value_or_beginning(item, now) }
    }

    /// An item without its value.
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

    #[inline]
    fn value(&self, item: &Item) -> Value<'_> {
        let (length, inline) = (item.value_bytes as usize, item.inline_bytes());
        let at = item.location.byte() + inline as usize;
        let here = (self.pool.segment_bytes() - self.pool.offset_of(item.location) - inline) as usize;
        if length <= here {
            return Value::whole(self.pool.slice(at, length));
        }
        let next = self.pool.segment(self.pool.segment_of(item.location)).continued;
        Value::scattered(length, self.pool.slice(at, here), &self.pool, next.0)
    }

    /// Holds the segments of an item.
    fn hold(&mut self, item: &Item, now: Seconds) -> Option<ValueCursor> {
        let pool = &mut self.pool;
        let first = pool.segment_of(item.location);
        let offset = pool.offset_of(item.location) + item.inline_bytes();
        let mut left = item.value_bytes.saturating_sub(pool.segment_bytes() - offset);
        let first_id = pool.holds.add(first, None, now);
        let (mut segment, mut before) = (first, first_id);
        while left > 0 {
            segment = pool.segment(segment).continued;
            before = pool.holds.add(segment, Some(before), now);
            left = left.saturating_sub(pool.segment_bytes());
        }
        Some(ValueCursor { hold: first_id.number, offset, sequence: NonZeroU64::new(first_id.sequence)? })
    }

    /// See [`crate::command::Operation::Piece`].
    pub(super) fn piece(&mut self, cursor: ValueCursor, position: u32, length: u32, now: Seconds) -> Reply<'_> {
        let Some((id, offset)) = self.find_piece(cursor, position, length, now) else {
            self.counters.totals.values_lost += 1;
            return Reply::Missing;
        };
        self.held_value(id, offset, length as usize).map_or(Reply::Missing, Reply::Piece)
    }

    /// The hold in which a piece begins, and the offset there, if all of the piece is held. Prolongs the holds.
    fn find_piece(&mut self, cursor: ValueCursor, position: u32, length: u32, now: Seconds) -> Option<(HoldId, usize)> {
        let segment_bytes = self.pool.segment_bytes();
        let mut id = HoldId { number: cursor.hold, sequence: cursor.sequence.get() };
        // The position is of the value; from here on it is of the segments, from the start of the first.
        let (mut skipped, mut left) = (u64::from(cursor.offset) + u64::from(position), u64::from(length));
        let mut start = None;
        while start.is_none() || left > 0 {
            let next = self.pool.holds.renew(id, now)?;
            let unread = u64::from(segment_bytes).checked_sub(skipped).filter(|&unread| unread > 0);
            match unread {
                Some(unread) => {
                    start = start.or(Some((id, skipped as usize)));
                    left = left.saturating_sub(unread);
                    skipped = 0;
                }
                None => skipped -= u64::from(segment_bytes),
            }
            if left > 0 {
                id = next?;
            }
        }
        start
    }

    fn held_value(&self, id: HoldId, offset: usize, length: usize) -> Option<Value<'_>> {
        let (bytes, next) = held(&self.pool, id)?;
        let head = bytes.get(offset..)?;
        match (head.get(..length), next) {
            (Some(head), _) => Some(Value::whole(head)),
            (None, Some(next)) => Some(Value::scattered(length, head, self, next.number)),
            (None, None) => None,
        }
    }
}

/// The bytes of a held segment, and the hold of the next.
fn held(pool: &Pool, id: HoldId) -> Option<(&[u8], Option<HoldId>)> {
    let (bytes, next) = pool.holds.read(id)?;
    let bytes = match bytes {
        HeldBytes::Saved(bytes) => bytes,
        HeldBytes::Pool(segment) => pool.slice(pool.start(segment), pool.segment_bytes() as usize),
    };
    Some((bytes, next))
}

/// Places are distances from the first of [`Store::addresses`].
impl Lender for Store {
    fn lent(&self, place: Range<usize>) -> &[u8] {
        self.pool.at_addresses(place)
    }
}

/// Positions are numbers of holds.
impl Pieces for Store {
    fn piece(&self, position: u32, length_max: usize) -> (&[u8], u32) {
        let id = self.pool.holds.id(position);
        let Some((bytes, next)) = id.and_then(|id| held(&self.pool, id)) else { panic!("a hold was dropped") };
        (&bytes[..bytes.len().min(length_max)], next.map_or(u32::MAX, |next| next.number))
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
