//! What goes from a front to shards and host and comes back, where they are not in the same guest.

use super::{
    barrier::Barrier,
    pending::{Input, Pending},
};
use crate::{
    boundary::{batch, host::Target},
    command::Operation,
    hash::shard_of,
    limits,
    reply::Reply,
    wire::Reader,
};
use alloc::{vec, vec::Vec};

/// Commands for one target, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Where to.
    pub target: Target,
    /// First byte of its orders in the bytes beside the runs.
    pub start: usize,
    /// Bytes of its orders.
    pub bytes: usize,
    /// How many orders there are.
    pub count: u32,
}

/// Where the answer of a barrier's part is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// Of its first broadcast.
    First,
    /// Of its second.
    Second,
    /// Of the host.
    Host,
}

/// What a shard that trapped is said to have executed.
const LOST: u32 = u32::MAX;

/// See the module.
#[derive(Debug)]
pub(super) struct Carry {
    shards: u32,
    orders: Vec<u8>,
    runs: Vec<Run>,
    /// One for each run, or for each [`Slot`] of a barrier; kept for their capacity.
    replies: Vec<Vec<u8>>,
    /// Whether each run's shard was lost.
    lost: Vec<bool>,
    /// Of a barrier: the slot of each run.
    slots: Vec<Slot>,
    /// Which run has the command of each pending answer.
    run_of: Vec<u16>,
    /// Replies were too large for one carry, or a read was contended: reads are not grouped by shard for a while, since
    /// what is executed beyond the first missing reply would be executed again.
    in_order: bool,
    /// The orders of each shard while reads are grouped.
    grouped: Vec<Vec<u8>>,
}

impl Carry {
    pub(super) fn new(shards: u32) -> Self {
        let shards = shards.clamp(1, limits::SHARDS_MAX);
        Self {
            shards,
            orders: Vec::new(),
            runs: Vec::new(),
            replies: vec![Vec::new(); 3],
            lost: Vec::new(),
            slots: Vec::new(),
            run_of: Vec::new(),
            in_order: false,
            grouped: vec![Vec::new(); shards as usize],
        }
    }

    pub(super) fn runs(&self) -> (&[Run], &[u8]) {
        (&self.runs, &self.orders)
    }

    fn clear(&mut self) {
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

    fn add_run(&mut self, target: Target, start: usize, count: u32) {
        self.runs.push(Run { target, start, bytes: self.orders.len() - start, count });
        self.lost.push(false);
        if self.replies.len() < self.runs.len() {
            self.replies.push(Vec::new());
        }
    }

    /// Neighbouring commands for one shard become a run; neighbouring reads become one run a shard, of which the one
    /// with the first read goes first, so that each carry answers something.
    pub(super) fn load_commands(&mut self, pending: &[Pending], input: Input<'_>) {
        self.clear();
        self.run_of.resize(pending.len(), 0);
        let mut number = 0;
        while number < pending.len() {
            let Some(command) = pending[number].command(input) else {
                number += 1;
                continue;
            };
            number = if command.operation.is_read() && self.shards > 1 && !self.in_order {
                self.group_reads(pending, input, number)
            } else {
                self.single_run(pending, input, number)
            };
        }
    }

    /// Commands from `first` on that go to its shard; returns the number after them.
    fn single_run(&mut self, pending: &[Pending], input: Input<'_>, first: usize) -> usize {
        let shard = shard_of(pending[first].hash, self.shards);
        let start = self.orders.len();
        let run = self.runs.len() as u16;
        let (mut number, mut count) = (first, 0);
        for (at, one) in pending.iter().enumerate().skip(first) {
            let Some(command) = one.command(input) else { continue };
            let grouped_elsewhere = command.operation.is_read() && self.shards > 1 && !self.in_order;
            if grouped_elsewhere || shard_of(one.hash, self.shards) != shard {
                return self.end_run(shard, start, count, number);
            }
            batch::encode_command(&mut self.orders, &command);
            self.run_of[at] = run;
            count += 1;
            number = at + 1;
        }
        self.end_run(shard, start, count, pending.len())
    }

    fn end_run(&mut self, shard: u32, start: usize, count: u32, next: usize) -> usize {
        self.add_run(Target(shard), start, count);
        next
    }

    /// The reads from `first` up to the next write; returns the number after them.
    fn group_reads(&mut self, pending: &[Pending], input: Input<'_>, first: usize) -> usize {
        let mut counts = [0u32; limits::SHARDS_MAX as usize];
        let mut runs = [u16::MAX; limits::SHARDS_MAX as usize];
        let mut order = [0u32; limits::BATCH_COMMANDS_MAX];
        let mut shards = 0;
        let mut next = pending.len();
        for (at, one) in pending.iter().enumerate().skip(first) {
            let Some(mut command) = one.command(input) else { continue };
            if !command.operation.is_read() {
                next = at;
                break;
            }
            if let Operation::Fetch(fetch) = &mut command.operation {
                fetch.tentative = true;
            }
            let shard = shard_of(one.hash, self.shards) as usize;
            if counts[shard] == 0 {
                runs[shard] = (self.runs.len() + shards) as u16;
                order[shards] = shard as u32;
                shards += 1;
            }
            counts[shard] += 1;
            self.run_of[at] = runs[shard];
            batch::encode_command(&mut self.grouped[shard], &command);
        }
        for &shard in &order[..shards] {
            let start = self.orders.len();
            let mut grouped = core::mem::take(&mut self.grouped[shard as usize]);
            self.orders.append(&mut grouped);
            self.grouped[shard as usize] = grouped;
            self.add_run(Target(shard), start, counts[shard as usize]);
        }
        next
    }

    pub(super) fn load_barrier(&mut self, barrier: &Barrier, now: crate::clock::Seconds, solo: bool) {
        self.clear();
        if !solo {
            for (slot, broadcast) in barrier.broadcasts(now) {
                let start = self.orders.len();
                batch::encode_broadcast(&mut self.orders, broadcast);
                self.add_run(barrier.target(), start, 1);
                self.slots.push(slot);
            }
        }
        if let Some(request) = barrier.host_request() {
            let start = self.orders.len();
            request.encode(&mut self.orders);
            self.add_run(Target::HOST, start, 1);
            self.slots.push(Slot::Host);
        }
    }

    /// Room at the end of what the run brought already.
    pub(super) fn reply(&mut self, run: usize, executed: u32, bytes: usize) -> Option<&mut [u8]> {
        let lost = self.lost.get_mut(run)?;
        *lost |= executed == LOST;
        let at = self.slots.get(run).map_or(run, |&slot| slot as usize);
        let replies = self.replies.get_mut(at)?;
        let start = replies.len();
        replies.resize(start + bytes, 0);
        Some(&mut replies[start..])
    }

    pub(super) fn slot(&mut self, slot: Slot) -> &mut Vec<u8> {
        &mut self.replies[slot as usize]
    }

    pub(super) fn brought(&self, slot: Slot) -> &[u8] {
        &self.replies[slot as usize]
    }

    pub(super) fn replies(&self) -> Replies<'_> {
        Replies {
            readers: self.replies.iter().take(self.runs.len()).map(|replies| Reader(replies)).collect(),
            carry: self,
        }
    }

    /// `whole`: every reply was there.
    pub(super) fn finish(&mut self, whole: bool) {
        self.in_order = !whole;
    }
}

/// The replies of a carry, given out in the order of the pending answers.
pub(super) struct Replies<'c> {
    readers: Vec<Reader<'c>>,
    carry: &'c Carry,
}

impl<'c> Replies<'c> {
    /// The reply to pending answer `number`; `None`: not executed yet.
    #[inline]
    pub(super) fn next(&mut self, number: usize) -> Option<Reply<'c>> {
        let run = usize::from(self.carry.run_of[number]);
        match batch::decode_reply(self.readers.get_mut(run)?) {
            None if self.carry.lost[run] => Some(Reply::Lost),
            reply => reply,
        }
    }
}
