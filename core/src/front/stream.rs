//! Long values: a reply has the beginning, and the connection sends the rest in pieces that it reads from the store as
//! the client reads.
//!
//! While clients hold much memory, even a piece that the socket did not take is not kept, and one that is kept is dropped
//! when others need its room: it is read again.

use super::{
    Front, Step,
    pending::{Pending, ReplyFormat, Task},
    state::State,
};
use crate::{
    boundary::batch::ReplyLimit,
    command::Operation,
    limits,
    protocol::Span,
    reply::{Unread, ValueCursor},
};
use alloc::boxed::Box;

/// A value of which a connection has sent the beginning.
#[derive(Debug)]
pub(super) struct ValueStream {
    /// Of the key, which names the shard.
    hash: u64,
    cursor: ValueCursor,
    value_bytes: u32,
    /// Bytes of the value that were sent, or that the connection keeps.
    position: u32,
    /// In this turn, a piece was asked for.
    is_asked: bool,
    /// Bytes of the value, after `position`, at the end of the output of this turn.
    shown: u32,
    /// The bytes behind the value; the output of this turn has them if all of the value is shown.
    tail: &'static [u8],
}

impl ValueStream {
    fn new(hash: u64, unread: Unread, tail: &'static [u8]) -> Self {
        let Unread { cursor, position, value_bytes } = unread;
        Self { hash, cursor, value_bytes, position: 0, is_asked: true, shown: position, tail }
    }

    /// The next piece as a pending answer; it consumes no input.
    fn next_piece(&self, end: usize, after: State) -> Pending {
        let &Self { hash, cursor, position, .. } = self;
        let length = (limits::PIECE_BYTES as u32).min(self.value_bytes - position);
        let operation = Operation::Piece { cursor, position, length };
        let task = Task::Command(operation, ReplyFormat::Piece);
        Pending { end: end as u32, after, key: Span::default(), value: Span::default(), hash, task }
    }

    /// The place of the value, and the hash of its key.
    pub(super) fn reader(&self) -> (u64, ValueCursor) {
        (self.hash, self.cursor)
    }

    /// Whether the output of this turn has the end of the value.
    pub(super) fn is_shown(&self) -> bool {
        self.position + self.shown == self.value_bytes
    }

    /// Everything in the output of this turn was sent, or is kept.
    pub(super) fn keep(&mut self) {
        self.position += self.shown;
        (self.shown, self.is_asked) = (0, false);
    }

    /// Drops the last `unsent` bytes of what is kept, as far as they can be read again. Returns how many those are.
    pub(super) fn rewind(&mut self, unsent: usize) -> usize {
        let tail_bytes = if self.is_shown() { self.tail.len() } else { 0 };
        let Some(unsent_value_bytes) = unsent.checked_sub(tail_bytes).filter(|&bytes| bytes > 0) else { return 0 };
        let dropped = (unsent_value_bytes as u64).min(u64::from(self.position)) as u32;
        self.position -= dropped;
        dropped as usize + tail_bytes
    }
}

impl Front {
    /// Bytes of a value beyond which a reply to the connection at hand has the beginning only.
    #[inline]
    pub fn piece_bytes(&self) -> usize {
        self.reply_limit().map_or(limits::PIECE_BYTES, |limit| limit.piece_bytes as usize)
    }

    /// The limit on replies to the connection at hand, if it is not the usual one.
    #[inline]
    pub(super) fn reply_limit(&self) -> Option<ReplyLimit> {
        if self.takes_datagrams() {
            // A datagram's answer is one series.
            return Some(ReplyLimit { piece_bytes: u32::MAX, reply_bytes: u32::MAX });
        }
        self.budget.is_tight().then_some(ReplyLimit {
            piece_bytes: limits::OUTPUT_BYTES_HIGH_SHORT as u32,
            reply_bytes: limits::OUTPUT_BYTES_HIGH_SHORT as u32,
        })
    }

    /// [`Front::step`] of a connection that sends a long value: asks for a piece and shows it. Nothing else is answered
    /// in that turn, so that the piece is at the end of the output.
    #[cold]
    pub(super) fn stream_step(&mut self) -> Step {
        let Some(connection) = self.connections.get_mut(self.inbound.connection) else { return Step::Idle };
        let has_output = connection.has_output();
        let Some(stream) = connection.stream.as_deref_mut().filter(|stream| stream.shown == 0 && !has_output) else {
            return Step::Idle;
        };
        if !stream.is_asked {
            if self.requests_left == 0 {
                return Step::Idle;
            }
            self.requests_left -= 1;
            stream.is_asked = true;
            self.pending.push(stream.next_piece(self.inbound.cursor, connection.state));
            return Step::Execute;
        }
        let shown = self.output.len() + self.borrowed.bytes();
        if shown == 0 {
            connection.stream = None;
            connection.state = State::Closing;
            return Step::Idle;
        }
        stream.shown = shown as u32;
        if stream.is_shown() {
            self.output.extend_from_slice(stream.tail);
        }
        Step::Idle
    }

    /// The pending answer `number` was given, but of its value only the beginning.
    #[cold]
    pub(super) fn begin_stream(&mut self, number: usize, unread: Unread) {
        let Some(pending) = self.pending.get(number) else { return };
        let tail = pending.tail();
        debug_assert!(self.output.ends_with(tail));
        self.output.truncate(self.output.len() - tail.len());
        match self.connections.get_mut(self.inbound.connection) {
            Some(connection) => connection.stream = Some(Box::new(ValueStream::new(pending.hash, unread, tail))),
            // It was closed meanwhile.
            None => self.leaving.add_reader((pending.hash, unread.cursor)),
        }
    }
}
