//! Values in the output that are not copied: the output has their places in the store, and the host sends from there.
//!
//! Only for hosts that send slices, and only where front and store are in one guest. The bytes of a place stay the same
//! until the store changes. Before a command that may change it, and where the host could not send everything, they are
//! copied.

use super::{
    Front,
    pending::{Input, Pending},
};
use crate::{
    limits,
    reply::{Lender, Reply, Value},
};
use alloc::vec::Vec;
use core::ops::Range;

/// A part of a value.
#[derive(Debug)]
struct BorrowedSlice {
    /// Bytes of the front's own output that come before it.
    position: usize,
    /// Its place among the lender's bytes.
    place: Range<usize>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Borrowed {
    /// Addresses of the lender's bytes, which never move; empty: there is no lender.
    addresses: Range<usize>,
    slices: Vec<BorrowedSlice>,
    bytes: usize,
}

impl Borrowed {
    #[inline]
    pub(super) fn clear(&mut self) {
        self.slices.clear();
        self.bytes = 0;
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.slices.is_empty()
    }

    /// Number of borrowed bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether there is a lender, and a value is long enough.
    fn wants(&self, value: &Value<'_>) -> bool {
        !self.addresses.is_empty() && value.bytes_here() >= limits::BORROWED_BYTES_MIN
    }

    /// Adds a value behind the first `position` bytes of the front's own output. `false`: it cannot be borrowed.
    fn add(&mut self, position: usize, value: &Value<'_>) -> bool {
        let (before, addresses) = (self.slices.len(), self.addresses.clone());
        let mut is_lent = true;
        value.for_each_piece(|piece| {
            // A piece of a released segment lies elsewhere.
            let at = piece.as_ptr().addr();
            is_lent &= addresses.contains(&at) && self.slices.len() < limits::BORROWED_SLICES_MAX;
            if is_lent {
                let start = at - addresses.start;
                self.slices.push(BorrowedSlice { position, place: start..start + piece.len() });
            }
        });
        if is_lent {
            self.bytes += value.bytes_here();
        } else {
            self.slices.truncate(before);
        }
        is_lent
    }

    /// Calls `take` with the slices of the whole output in order.
    fn for_each<'o>(&self, output: &'o [u8], lender: &'o dyn Lender, mut take: impl FnMut(&'o [u8])) {
        let mut taken = 0;
        for BorrowedSlice { position, place } in &self.slices {
            take(&output[taken..*position]);
            take(lender.lent(place.clone()));
            taken = *position;
        }
        take(&output[taken..]);
    }

    /// A copy of these bytes of the whole output.
    pub(super) fn copy(&self, output: &[u8], lender: &dyn Lender, range: Range<usize>) -> Vec<u8> {
        let mut copied = Vec::with_capacity(range.len());
        let mut position = 0;
        self.for_each(output, lender, |slice| {
            let start = range.start.saturating_sub(position).min(slice.len());
            let end = range.end.saturating_sub(position).min(slice.len());
            copied.extend_from_slice(&slice[start..end]);
            position += slice.len();
        });
        copied
    }
}

impl Front {
    /// From now on, long values whose bytes lie at these addresses are not copied into the output. They never move.
    pub fn borrow_from(&mut self, addresses: Range<usize>) {
        self.borrowed.addresses = addresses;
    }

    /// Whether the output of the connection at hand has borrowed values.
    #[inline]
    pub fn borrows(&self) -> bool {
        !self.borrowed.is_empty()
    }

    /// Whether a pending answer needs a command that may change the lender's bytes.
    #[cold]
    pub fn may_write(&self, number: usize) -> bool {
        self.pending.get(number).is_some_and(Pending::may_write)
    }

    /// Copies what is borrowed: its lender is about to change.
    #[cold]
    pub fn copy_borrowed(&mut self, lender: &dyn Lender) {
        let bytes = self.output.len() + self.borrowed.bytes;
        self.output = self.borrowed.copy(&self.output, lender, 0..bytes);
        self.output_bytes_high += self.borrowed.bytes;
        self.borrowed.clear();
    }

    /// Calls `take` with the slices of the output of the connection at hand, in order. Some may be empty.
    pub fn output_slices<'o>(&'o self, lender: &'o dyn Lender, take: impl FnMut(&'o [u8])) {
        self.borrowed.for_each(&self.output, lender, take);
    }

    /// [`Front::answer`] with a long value.
    #[inline(never)]
    pub(super) fn answer_long(&mut self, number: usize, reply: &Reply<'_>, value: &Value<'_>) -> bool {
        if self.takes_datagrams() || !self.borrowed.wants(value) || !self.answer_borrowed(number, reply, value) {
            self.encode_answer(number, reply);
        }
        if let Some(unread) = value.unread() {
            self.begin_stream(number, unread);
            return false;
        }
        self.output.len() < self.output_bytes_high
    }

    /// Encodes an answer without its value, which is borrowed. `false`: it cannot be, and nothing was encoded.
    fn answer_borrowed(&mut self, number: usize, reply: &Reply<'_>, value: &Value<'_>) -> bool {
        let Some(pending) = self.pending.get(number) else { return false };
        let (tail_bytes, start) = (pending.tail().len(), self.output.len());
        self.encode_answer(number, &reply.without_value());
        let position = self.output.len() - tail_bytes;
        let is_borrowed = self.borrowed.add(position, value);
        if is_borrowed {
            // Borrowed bytes count as output.
            self.output_bytes_high = self.output_bytes_high.saturating_sub(value.bytes_here()).max(1);
        } else {
            self.output.truncate(start);
        }
        is_borrowed
    }

    #[inline(never)]
    fn encode_answer(&mut self, number: usize, reply: &Reply<'_>) {
        let input =
            Input { bytes: self.inbound.bytes(&self.connections), decoded: &self.decoded, time: &self.context.time };
        if let Some(pending) = self.pending.get(number) {
            pending.answer(&mut self.output, input, Some(reply), &mut self.refusals);
        }
    }
}
