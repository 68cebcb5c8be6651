//! Which command goes to which shard: pending commands become runs.

use super::{
    pending::{Input, Pending},
    runs::Runs,
};
use crate::{
    boundary::{batch, host::Target},
    command::{Command, Operation},
    hash::shard_of,
    limits,
    reply::ValueCursor,
};
use alloc::vec::Vec;

const _: () = assert!(limits::BATCH_COMMANDS_MAX <= u64::BITS as usize);

impl Runs {
    /// Neighbouring commands for one shard become a run; neighbouring reads become one run a shard, of which the one
    /// with the first read goes first, so that each carry answers something. Bit `n` of `repeated`: pending answer `n`
    /// is a read that was executed before.
    pub(super) fn load_commands(&mut self, pending: &[Pending], input: Input<'_>, repeated: u64) {
        self.clear();
        self.repeated = repeated;
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
        let (mut number, mut count) = (first, self.emit_limit());
        for (at, one) in pending.iter().enumerate().skip(first) {
            let Some(command) = one.command(input) else { continue };
            let grouped_elsewhere = command.operation.is_read() && self.shards > 1 && !self.in_order;
            if grouped_elsewhere || shard_of(one.hash, self.shards) != shard {
                return self.end_run(shard, start, count, number);
            }
            self.run_of[at] = run;
            count += 1;
            number = at + 1;
            if one.value.bytes() >= limits::TAIL_BYTES_MIN {
                batch::encode_head(&mut self.orders, &command);
                let next = self.end_run(shard, start, count, number);
                if let Some(run) = self.runs.last_mut() {
                    run.tail = one.value;
                }
                return next;
            }
            encode(&mut self.orders, &command, self.repeated, at);
        }
        self.end_run(shard, start, count, pending.len())
    }

    /// A run for each shard of readers that have left, by the hash of the key.
    pub(super) fn load_leaving(&mut self, mut leaving: Vec<(u64, ValueCursor)>) {
        self.clear();
        self.repeated = 0;
        let shards = self.shards;
        leaving.sort_unstable_by_key(|&(hash, _)| shard_of(hash, shards));
        for readers in leaving.chunk_by(|(one, _), (other, _)| shard_of(*one, shards) == shard_of(*other, shards)) {
            let start = self.orders.len();
            readers.iter().for_each(|&(hash, cursor)| batch::encode_leave(&mut self.orders, hash, cursor));
            self.add_run(Target(shard_of(readers[0].0, shards)), start, readers.len() as u32);
        }
    }

    /// Begins the orders of a run with the limit on its replies, if there is one. Returns the number of orders.
    fn emit_limit(&mut self) -> u32 {
        let Some(limit) = self.limit else { return 0 };
        batch::encode_limit(&mut self.orders, limit);
        1
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
            encode(&mut self.grouped[shard], &command, self.repeated, at);
        }
        for &shard in &order[..shards] {
            let start = self.orders.len();
            let count = counts[shard as usize] + self.emit_limit();
            let mut grouped = core::mem::take(&mut self.grouped[shard as usize]);
            self.orders.append(&mut grouped);
            self.grouped[shard as usize] = grouped;
            self.add_run(Target(shard), start, count);
        }
        next
    }
}

/// Appends the command of pending answer `at`.
#[inline]
fn encode(orders: &mut Vec<u8>, command: &Command<'_>, repeated: u64, at: usize) {
    if repeated >> at & 1 == 0 {
        batch::encode_command(orders, command);
    } else {
        batch::encode_repeated_read(orders, command);
    }
}
