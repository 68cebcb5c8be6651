//! Events: a front records its commands, and shows events to the connections that watch.

use super::{
    Front,
    connection::Connection,
    pending::{Input, Pending, Task},
};
use crate::{
    boundary::event::{Event, Events, Kinds, Outcome, Stamp, Storing},
    clock::{Expiry, Time},
    command::{Operation, StoreMode, Touched},
    limits,
    protocol::text,
    reply::Reply,
    statistics::class_of,
    wire::Reader,
};
use alloc::vec::Vec;
use slab::Slab;

impl Front {
    /// The events that this front recorded.
    pub fn events(&mut self) -> &mut Events {
        &mut self.events
    }

    /// The number under which the commands of the connection at hand are recorded; `None`: no connection watches. Asked
    /// once a batch, because watching is rare. If it is a number, [`Front::record_event`] follows for each command.
    #[inline]
    pub fn watched_as(&self) -> Option<u32> {
        if !self.events.wants(KINDS) {
            return None;
        }
        Some(self.connections.get(self.inbound.connection)?.descriptor)
    }

    /// Records the outcome of a pending command.
    #[cold]
    pub fn record_event(&mut self, number: usize, reply: &Reply<'_>, descriptor: u32) {
        let bytes = self.inbound.bytes(&self.connections);
        let input = Input { bytes, decoded: &self.decoded, time: &self.context.time };
        if let Some(pending) = self.pending.get(number) {
            record(&mut self.events, pending, input, reply, descriptor);
        }
    }

    /// Shows events to the connections that watch; `stamp` is that of the first.
    pub fn deliver(&mut self, records: &[u8], stamp: Stamp) -> Delivered {
        let held = |connections: &Slab<Connection>, watchers: &Watchers| -> usize {
            watchers.iter().filter_map(|number| connections.get(number)).map(Connection::held_bytes).sum()
        };
        // The output of the last connection was sent or is kept with it. It must not pass for new output.
        self.output.clear();
        let before = held(&self.connections, &self.watchers);
        let delivered = self.watchers.deliver(records, stamp, &mut self.connections);
        self.budget.change(before, held(&self.connections, &self.watchers));
        delivered
    }
}

/// Connections that watch, and the bytes that each may hold.
#[derive(Debug)]
pub(super) struct Watchers {
    connections: Vec<usize>,
    bytes_max: usize,
    line: Vec<u8>,
}

impl Watchers {
    /// None; each may hold `bytes_max` bytes that were not sent.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { connections: Vec::new(), bytes_max, line: Vec::new() }
    }

    /// Adds a connection.
    pub(super) fn add(&mut self, connection: usize) {
        self.connections.push(connection);
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.connections.iter().copied()
    }

    /// Removes a connection.
    pub(super) fn remove(&mut self, connection: usize) {
        self.connections.retain(|&watching| watching != connection);
    }

    /// Writes a line for each event to each connection that watches its kind. `stamp` is that of the first event.
    pub(super) fn deliver(
        &mut self,
        records: &[u8],
        mut stamp: Stamp,
        connections: &mut Slab<Connection>,
    ) -> Delivered {
        let mut delivered = Delivered::default();
        let mut r = Reader(records);
        while let Some(event) = Event::decode(&mut r) {
            self.line.clear();
            for &number in &self.connections {
                let Some(connection) = connections.get_mut(number) else { continue };
                if !connection.watches.any(event.kind()) {
                    continue;
                }
                if self.line.is_empty() {
                    text::answer_event(&mut self.line, stamp, &event);
                }
                if connection.output().len() + self.line.len() > self.bytes_max {
                    delivered.skipped += 1;
                } else {
                    connection.append_output(&self.line);
                    delivered.sent += 1;
                }
            }
            stamp.number += 1;
        }
        delivered
    }
}

/// Numbers of delivered and skipped lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Lines that will be sent.
    pub sent: u32,
    /// Lines that had no room.
    pub skipped: u32,
}

/// Records the outcome of a command.
#[cold]
pub(super) fn record(events: &mut Events, pending: &Pending, input: Input<'_>, reply: &Reply<'_>, descriptor: u32) {
    let Task::Command(operation, format) = &pending.task else { return };
    let key = pending.key(format, input);
    match *operation {
        Operation::Get { .. }
        | Operation::Fetch(_)
        | Operation::Inspect
        | Operation::Touch { touched: Touched::Value, .. } => {
            let (found, class, bytes) = match reply {
                Reply::Found(found) => {
                    let bytes = found.value.len();
                    (true, class(key, bytes, found.flags, Expiry::NEVER), bytes as u32)
                }
                Reply::Item(item) if !item.created => {
                    (true, class_of(item.item_bytes as usize) as u32, item.value_bytes)
                }
                Reply::Missing | Reply::Item(_) => (false, 0, 0),
                _ => return,
            };
            events.record(&Event::Fetched { key, found, class, bytes, descriptor });
        }
        Operation::Store { mode, expiry, flags, compare, .. } => {
            let (outcome, bytes) = outcome(reply, pending.value_bytes());
            let ttl_s = ttl(mode, expiry, input.time);
            let class = class(key, bytes as usize, flags, expiry);
            let storing = if compare.is_some() && mode == StoreMode::Set { Storing::Compare } else { storing(mode) };
            events.record(&Event::Stored { key, outcome, storing, ttl_s, class, bytes, descriptor });
        }
        Operation::RefuseLarge { unlink } => {
            let storing = if unlink { Storing::Set } else { Storing::Replace };
            let outcome = Outcome::TooLarge;
            events.record(&Event::Stored { key, outcome, storing, ttl_s: 0, class: 0, bytes: 0, descriptor });
        }
        Operation::Arithmetic { .. } => {
            if let Reply::Number { value, expiry, created: true, .. } = reply {
                let bytes = itoa::Buffer::new().format(*value).len();
                let (outcome, storing) = (Outcome::Stored, Storing::Add);
                let class = class(key, bytes, 0, *expiry);
                let bytes = bytes as u32;
                events.record(&Event::Stored { key, outcome, storing, ttl_s: 0, class, bytes, descriptor });
            }
        }
        Operation::RefuseData
        | Operation::Delete
        | Operation::Discard(_)
        | Operation::Touch { .. }
        | Operation::Piece { .. } => {}
    }
}

/// The kinds that a front records. The store records deletes and evictions.
const KINDS: Kinds = Kinds(Kinds::FETCHES.0 | Kinds::STORES.0);

fn outcome(reply: &Reply<'_>, sent_bytes: u32) -> (Outcome, u32) {
    match reply {
        Reply::Stored { value_bytes, .. } => (Outcome::Stored, *value_bytes),
        Reply::Exists => (Outcome::Exists, sent_bytes),
        Reply::Missing => (Outcome::NotFound, sent_bytes),
        Reply::TooLarge => (Outcome::TooLarge, 0),
        Reply::OutOfMemory => (Outcome::NoMemory, 0),
        _ => (Outcome::NotStored, sent_bytes),
    }
}

fn storing(mode: StoreMode) -> Storing {
    match mode {
        StoreMode::Set => Storing::Set,
        StoreMode::Add => Storing::Add,
        StoreMode::Replace => Storing::Replace,
        StoreMode::Append => Storing::Append,
        StoreMode::Prepend => Storing::Prepend,
    }
}

/// Append and prepend ignore the client's expiry.
fn ttl(mode: StoreMode, expiry: Expiry, time: &Time) -> u32 {
    match mode {
        StoreMode::Append | StoreMode::Prepend => 0,
        _ => time.left_s(expiry).unwrap_or(0),
    }
}

/// The size class of an item as far as the front knows it. A unique or an expiry that the front does not see may add a
/// word.
fn class(key: &[u8], value_bytes: usize, flags: u32, expiry: Expiry) -> u32 {
    let words = usize::from(flags != 0) + usize::from(expiry != Expiry::NEVER) + usize::from(value_bytes >> 16 != 0);
    class_of(limits::ITEM_HEADER_BYTES + 4 * words + key.len() + value_bytes) as u32
}
