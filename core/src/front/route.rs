//! Which command goes to which shard: pending commands become runs.

use super::{
    pending::{Input, Pending},
    runs::Runs,
};
use crate::{
    boundary::{
        batch::{self, Places, SetInTail},
        host::Target,
    },
    command::Operation,
    hash::shard_of,
    limits,
    protocol::Span,
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
            let one = &pending[number];
            if !one.is_command() {
                number += 1;
                continue;
            }
            number = if self.shards > 1 && !self.in_order && one.is_read() {
                self.group_reads(pending, input, number)
            } else {
                self.single_run(pending, input, number)
            };
        }
    }

    /// Commands from `first` on that go to its shard; returns the number after them.
    fn single_run(&mut self, pending: &[Pending], input: Input<'_>, first: usize) -> usize {
        let shard = shard_of(pending[first].hash, self.shards);
        let groups_reads = self.shards > 1 && !self.in_order;
        let start = self.orders.len();
        let run = self.runs.len() as u16;
        let mut tail = Tail::default();
        let (mut number, mut count) = (first, self.emit_limit());
        for (at, one) in pending.iter().enumerate().skip(first) {
            if !one.is_command() {
                continue;
            }
            if groups_reads && one.is_read() || self.shards > 1 && shard_of(one.hash, self.shards) != shard {
                break;
            }
            self.run_of[at] = run;
            count += 1;
            number = at + 1;
            let form = OrderForm { input, is_repeated: self.repeated >> at & 1 != 0, is_tentative: false };
            encode(&mut self.orders, &mut tail, one, &form);
            if one.value_bytes() as usize >= limits::TAIL_BYTES_MIN {
                break;
            }
        }
        self.add_run_with(Target(shard), start, count, tail.0);
        number
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

    /// The reads from `first` up to the next write; returns the number after them.
    fn group_reads(&mut self, pending: &[Pending], input: Input<'_>, first: usize) -> usize {
        let mut counts = [0u32; limits::SHARDS_MAX as usize];
        let mut runs = [u16::MAX; limits::SHARDS_MAX as usize];
        let mut order = [0u32; limits::BATCH_COMMANDS_MAX];
        let mut shards = 0;
        let mut next = pending.len();
        // One tail for all: it is short, since reads have no values.
        let mut tail = Tail::default();
        for (at, one) in pending.iter().enumerate().skip(first) {
            if !one.is_command() {
                continue;
            }
            if !one.is_read() {
                next = at;
                break;
            }
            let shard = shard_of(one.hash, self.shards) as usize;
            if counts[shard] == 0 {
                runs[shard] = (self.runs.len() + shards) as u16;
                order[shards] = shard as u32;
                shards += 1;
            }
            counts[shard] += 1;
            self.run_of[at] = runs[shard];
            let form = OrderForm { input, is_repeated: self.repeated >> at & 1 != 0, is_tentative: true };
            encode(&mut self.grouped[shard], &mut tail, one, &form);
        }
        for &shard in &order[..shards] {
            let start = self.orders.len();
            let count = counts[shard as usize] + self.emit_limit();
            let mut grouped = core::mem::take(&mut self.grouped[shard as usize]);
            self.orders.append(&mut grouped);
            self.grouped[shard as usize] = grouped;
            self.add_run_with(Target(shard), start, count, tail.0);
        }
        next
    }
}

/// The bytes of the client's input that follow the orders of a run: from the first key or value to the last.
#[derive(Default)]
struct Tail(Span);

impl Tail {
    /// Makes the bytes of `span` a part, which lie behind all others or are none. Returns their place.
    #[inline]
    fn place(&mut self, span: Span) -> u32 {
        if self.0.length == 0 {
            self.0.start = span.start;
        }
        let at = span.start.saturating_sub(self.0.start);
        self.0.length = self.0.length.max(at + span.length);
        at
    }
}

/// The form of an order besides its command.
struct OrderForm<'i> {
    input: Input<'i>,
    is_repeated: bool,
    is_tentative: bool,
}

/// Appends the command of a pending answer.
#[inline]
fn encode(orders: &mut Vec<u8>, tail: &mut Tail, one: &Pending, form: &OrderForm<'_>) {
    if one.is_plain_read() && !form.is_repeated {
        batch::encode_read(orders, one.hash, tail.place(one.key), one.key.bytes());
    } else if let Some((flags, expiry)) = one.plain_set() {
        let mut place = |span: Span| (tail.place(span), span.length);
        let (key, value) = (place(one.key), place(one.value));
        batch::encode_set(orders, &SetInTail { hash: one.hash, key, value, flags, expiry });
    } else {
        encode_other(orders, tail, one, form);
    }
}

#[inline(never)]
fn encode_other(orders: &mut Vec<u8>, tail: &mut Tail, one: &Pending, form: &OrderForm<'_>) {
    let Some(mut command) = one.command(form.input) else { return };
    if let Operation::Fetch(fetch) = &mut command.operation {
        fetch.tentative |= form.is_tentative;
    }
    let key = (!one.is_key_decoded() && !command.key.is_empty()).then(|| tail.place(one.key));
    let value = (one.value_bytes() > 0).then(|| tail.place(one.value));
    let places = Places { key, value };
    if form.is_repeated {
        batch::encode_repeated_read(orders, &command, places);
    } else {
        batch::encode_placed(orders, &command, places);
    }
}
