//! Runs: a front's commands for shards and host in other guests, and their replies.

use super::{
    leaving::Leaving,
    pending::{Input, Pending},
};
use crate::{
    boundary::{
        batch::{self, ReplyLimit},
        host::Target,
    },
    limits,
    protocol::{Span, text::words},
    reply::Reply,
    wire::Reader,
};
use alloc::{vec, vec::Vec};

/// Commands for one target, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The shard or the host.
    pub target: Target,
    /// First byte of its orders in the bytes beside the runs.
    pub start: usize,
    /// Bytes of its orders.
    pub bytes: usize,
    /// Number of orders.
    pub count: u32,
    /// The bytes of the client's input that follow those of the orders: keys and values are in them.
    pub tail: Span,
}

/// The buffer for the reply to a part of a barrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplySlot {
    /// Reply to its first broadcast.
    First,
    /// Reply to its second.
    Second,
    /// Reply of the host.
    Host,
}

/// The number of executed orders that stands for a shard that trapped.
const LOST: u32 = u32::MAX;

/// Runs and their replies.
#[derive(Debug)]
pub(super) struct Runs {
    pub(super) shards: u32,
    pub(super) orders: Vec<u8>,
    pub(super) runs: Vec<Run>,
    /// One for each run, or for each [`ReplySlot`] of a barrier; kept for their capacity.
    replies: Vec<Vec<u8>>,
    /// Bytes of the replies to each run that were read.
    read: Vec<usize>,
    /// Whether each run's shard was lost.
    lost: Vec<bool>,
    /// The slot of each run of a barrier.
    pub(super) slots: Vec<ReplySlot>,
    /// Number of the run with the command of each pending answer.
    pub(super) run_of: Vec<u16>,
    /// Replies had no room, or a read was contended. Reads are then not grouped by shard for a while, since everything
    /// that is executed beyond the first missing reply would be executed again.
    pub(super) in_order: bool,
    /// The limit on replies, if it is not the usual one.
    pub(super) limit: Option<ReplyLimit>,
    /// Bit `n`: pending answer `n` is a read that was executed before.
    pub(super) repeated: u64,
    /// The orders of each shard while reads are grouped.
    pub(super) grouped: Vec<Vec<u8>>,
}

impl Runs {
    pub(super) fn new(shards: u32) -> Self {
        let shards = shards.clamp(1, limits::SHARDS_MAX);
        Self {
            shards,
            orders: Vec::new(),
            runs: Vec::new(),
            replies: vec![Vec::new(); 3],
            read: Vec::new(),
            lost: Vec::new(),
            slots: Vec::new(),
            run_of: Vec::new(),
            in_order: false,
            limit: None,
            repeated: 0,
            grouped: vec![Vec::new(); shards as usize],
        }
    }

    pub(super) fn runs(&self) -> (&[Run], &[u8]) {
        (&self.runs, &self.orders)
    }

    pub(super) fn clear(&mut self) {
        self.orders.clear();
        self.runs.clear();
        self.run_of.clear();
        self.slots.clear();
        self.lost.clear();
        for replies in &mut self.replies {
            replies.clear();
            replies.shrink_to(limits::REPLY_BYTES_HIGH);
        }
    }

    /// Frees buffers that are larger than most requests need.
    pub(super) fn trim(&mut self) {
        let buffers = self.replies.iter_mut().chain(&mut self.grouped).chain([&mut self.orders]);
        for buffer in buffers.filter(|buffer| buffer.capacity() > limits::RUN_BYTES_KEPT_MAX) {
            *buffer = Vec::new();
        }
    }

    pub(super) fn add_run(&mut self, target: Target, start: usize, count: u32) {
        self.add_run_with(target, start, count, Span::default());
    }

    pub(super) fn add_run_with(&mut self, target: Target, start: usize, count: u32, tail: Span) {
        self.runs.push(Run { target, start, bytes: self.orders.len() - start, count, tail });
        self.lost.push(false);
        if self.replies.len() < self.runs.len() {
            self.replies.push(Vec::new());
        }
    }

    /// Room behind the replies that the run has already.
    pub(super) fn reply(&mut self, run: usize, executed: u32, bytes: usize) -> Option<&mut [u8]> {
        let lost = self.lost.get_mut(run)?;
        *lost |= executed == LOST;
        let at = self.slots.get(run).map_or(run, |&slot| slot as usize);
        let replies = self.replies.get_mut(at)?;
        let start = replies.len();
        replies.resize(start + bytes, 0);
        Some(&mut replies[start..])
    }

    pub(super) fn reply_buffer(&mut self, slot: ReplySlot) -> &mut Vec<u8> {
        &mut self.replies[slot as usize]
    }

    pub(super) fn replies_of(&self, slot: ReplySlot) -> &[u8] {
        &self.replies[slot as usize]
    }

    /// Whether a shard was lost during a run.
    pub(super) fn has_losses(&self) -> bool {
        self.lost.contains(&true)
    }

    pub(super) fn replies(&mut self) -> Replies<'_> {
        let Self { runs, replies, read, lost: lost_runs, run_of, .. } = self;
        read.clear();
        read.resize(runs.len(), 0);
        Replies { replies, read, lost_runs, run_of, lost: 0 }
    }

    /// Ends the batch; `whole`: every reply was there.
    pub(super) fn finish(&mut self, whole: bool) {
        self.in_order = !whole;
    }

    /// Bit `n`: answer `n` behind the first `answered` ones is to a read that was executed, now or before.
    #[cold]
    pub(super) fn repeated_after(&self, answered: usize, executed: u64) -> u64 {
        (self.repeated | executed).checked_shr(answered as u32).unwrap_or(0)
    }
}

/// The replies of all runs, in the order of the pending answers.
pub(super) struct Replies<'c> {
    replies: &'c [Vec<u8>],
    read: &'c mut [usize],
    lost_runs: &'c [bool],
    run_of: &'c [u16],
    /// Replies that a lost shard did not give.
    pub(super) lost: u32,
}

impl<'c> Replies<'c> {
    /// The reply to pending answer `number`; `None`: not executed yet.
    #[inline]
    pub(super) fn next(&mut self, number: usize) -> Option<Reply<'c>> {
        let run = usize::from(self.run_of[number]);
        match self.decode(run, batch::decode_reply) {
            None if *self.lost_runs.get(run)? => {
                self.lost += 1;
                Some(Reply::Lost)
            }
            reply => reply,
        }
    }

    /// Answers with the reply to pending answer `number`, if both have the usual form: an item and its value, or `STORED`.
    /// It is not made a [`Reply`] of any form first.
    #[inline(always)]
    pub(super) fn answer_usual(
        &mut self,
        number: usize,
        pending: &Pending,
        input: Input<'_>,
        out: &mut Vec<u8>,
    ) -> bool {
        let run = usize::from(self.run_of[number]);
        if let Some(retrieval) = pending.retrieval() {
            let found = self.decode(run, batch::decode_found);
            found.map(|found| retrieval.answer(out, input, &found)).is_some()
        } else if pending.is_status() {
            let stored = self.decode(run, batch::decode_stored);
            stored.map(|()| out.extend_from_slice(words::STORED)).is_some()
        } else {
            false
        }
    }

    #[inline]
    fn decode<T>(&mut self, run: usize, decode: impl FnOnce(&mut Reader<'c>) -> Option<T>) -> Option<T> {
        let (replies, read) = (self.replies.get(run)?, self.read.get_mut(run)?);
        let mut r = Reader(replies.get(*read..)?);
        let decoded = decode(&mut r)?;
        *read = replies.len() - r.0.len();
        Some(decoded)
    }

    /// Bit `n`: pending answer `n` was executed, of those from `first` on, which has no reply. Replies to those behind it
    /// are dropped, with the long values that they begin.
    #[cold]
    pub(super) fn executed_from(&mut self, first: usize, pending: &[Pending], leaving: &mut Leaving) -> u64 {
        let lost = self.lost;
        let behind = pending.iter().enumerate().skip(first).filter(|(_, pending)| pending.is_command());
        let executed = behind.fold(0, |executed, (number, pending)| {
            let reply = self.next(number).filter(|reply| !matches!(reply, Reply::Lost));
            if let Some(unread) = reply.as_ref().and_then(Reply::unread) {
                leaving.add_reader((pending.hash, unread.cursor));
            }
            executed | u64::from(reply.is_some()) << number
        });
        // The request is sent again, to the replacement of its shard.
        self.lost = lost;
        executed
    }
}
