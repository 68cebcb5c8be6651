//! The budget of what connections hold: who has room, who waits for it, and who ends so that others have it.
//!
//! There is one budget for all fronts of a server. A front knows what its own connections hold, and its host tells it
//! what those of the others hold. A large request is counted whole as soon as it is admitted, so it can always finish.

use super::{ConnectionId, ConnectionStatus, Front, connection::Connection, inbound::Source, state::State};
use crate::{
    boundary::config::{Config, Role},
    clock::Seconds,
    limits::{
        BUFFERS_RELAXED_DIVISOR, BUFFERS_RESERVE_DIVISOR, OUTPUT_BYTES_HIGH, OUTPUT_BYTES_HIGH_SHORT,
        OUTPUT_BYTES_KEPT, OUTPUT_BYTES_KEPT_MAX, SMALL_REQUEST_BYTES, WINDOW_BYTES_SHORT,
    },
    protocol::{binary, text::words},
    settings::Setting,
    statistics::RefusalKind,
};
use alloc::vec::Vec;

/// See the module.
#[derive(Debug)]
pub(super) struct Budget {
    bytes_max: u64,
    /// Bytes that large requests leave to small ones.
    reserve_bytes: u64,
    /// Fronts that may admit a request at the same time.
    fronts: u64,
    /// Bytes that the connections of this front hold.
    held_bytes: u64,
    /// Bytes that those of all other fronts hold.
    elsewhere_bytes: u64,
    room_bytes: u64,
    /// Connections of this front that wait.
    waiting: usize,
    /// Output beyond which a connection stops parsing; 0: requests wait.
    output_bytes_high: usize,
}

impl Budget {
    pub(super) fn new(config: &Config) -> Self {
        let bytes_max = config.buffers_bytes();
        let fronts = if config.role == Role::Solo { 1 } else { config.number(Setting::NumThreads).max(1) as u64 };
        let reserve_bytes = bytes_max / BUFFERS_RESERVE_DIVISOR;
        let mut budget = Self {
            bytes_max,
            reserve_bytes,
            fronts,
            held_bytes: 0,
            elsewhere_bytes: 0,
            room_bytes: 0,
            waiting: 0,
            output_bytes_high: 0,
        };
        budget.refresh();
        budget
    }

    /// A connection held `before` bytes and holds `after` bytes now.
    #[inline]
    pub(super) fn change(&mut self, before: usize, after: usize) {
        if before != after {
            self.held_bytes = (self.held_bytes + after as u64).saturating_sub(before as u64);
            self.refresh();
        }
    }

    fn refresh(&mut self) {
        self.room_bytes = self.bytes_max.saturating_sub(self.held_bytes.saturating_add(self.elsewhere_bytes));
        self.output_bytes_high = match self.room_bytes {
            0 => 0,
            room_bytes if self.bytes_max - room_bytes > self.bytes_max / BUFFERS_RELAXED_DIVISOR => {
                OUTPUT_BYTES_HIGH_SHORT
            }
            _ => OUTPUT_BYTES_HIGH,
        };
    }

    /// Less than the reserve is left, or somebody waits: what is read for others who will wait must stay small, or they
    /// would together hold what the first needs.
    #[inline]
    pub(super) fn is_pressed(&self) -> bool {
        self.room_bytes < self.reserve_bytes || self.waiting > 0
    }

    /// Clients hold so much, or somebody waits, that replies must hold little and be read again where that is possible.
    #[inline]
    pub(super) fn is_tight(&self) -> bool {
        self.output_bytes_high < OUTPUT_BYTES_HIGH || self.waiting > 0
    }

    /// Takes the changes of a connection whose turn begins or ends.
    fn update(&mut self, (held_before, waited): (usize, bool), connection: &Connection) {
        self.waiting = self.waiting + usize::from(connection.wanted > 0) - usize::from(waited);
        self.change(held_before, connection.held_bytes());
    }

    /// The high-water mark of a turn; 0: requests wait, unless they can give room back.
    #[inline]
    pub(super) fn output_bytes_high(&self) -> usize {
        self.output_bytes_high
    }

    /// Whether a connection that holds `own` bytes may hold `wanted` bytes. All fronts may ask at the same moment, so
    /// each may take an equal part of the room; beyond it the host decides.
    fn admits(&self, wanted: usize, own: usize) -> bool {
        let (wanted, own) = (wanted as u64, own as u64);
        let others = self.held_bytes.saturating_sub(own).saturating_add(self.elsewhere_bytes);
        let left = self.bytes_max.saturating_sub(others);
        others == 0
            || if wanted <= SMALL_REQUEST_BYTES as u64 {
                wanted <= left
            } else {
                wanted.saturating_mul(self.fronts) <= left.saturating_sub(self.reserve_bytes)
            }
    }

    /// The room that a request of `wanted` bytes needs.
    fn needed_room(&self, wanted: usize) -> u64 {
        let reserve = if wanted > SMALL_REQUEST_BYTES { self.reserve_bytes } else { 0 };
        (wanted as u64).saturating_add(reserve).min(self.bytes_max)
    }
}

impl Front {
    /// Bytes that unfinished requests, announced ones and unread replies of all connections hold.
    pub fn buffers_bytes(&self) -> usize {
        self.budget.held_bytes as usize
    }

    /// Room that is left for all connections of the server.
    pub fn room_bytes(&self) -> u64 {
        self.budget.room_bytes
    }

    /// Takes the number of bytes that connections of all other fronts hold.
    #[inline]
    pub fn set_held_elsewhere(&mut self, bytes: u32) {
        if self.budget.elsewhere_bytes != u64::from(bytes) {
            self.budget.elsewhere_bytes = bytes.into();
            self.budget.refresh();
        }
    }

    /// The room that the waiting request of a connection needs, the reserve for small ones included; 0: it waits for
    /// none.
    pub fn wanted_bytes(&self, id: ConnectionId) -> u64 {
        self.connections.get(id.0 as usize).map_or(0, |connection| match connection.wanted {
            0 => 0,
            wanted => self.budget.needed_room(wanted),
        })
    }

    /// Gives the waiting request of a connection its room `now`, whether there is any or not: its host has decided.
    pub fn admit(&mut self, id: ConnectionId, now: Seconds) {
        let Some(connection) = self.connections.get_mut(id.0 as usize) else { return };
        if connection.wanted == 0 {
            return;
        }
        let before = connection.held_state();
        connection.reserved = core::mem::take(&mut connection.wanted);
        connection.is_admitted = true;
        connection.status = connection.status.without(ConnectionStatus::WAITING);
        // While it waited the front may have had nothing to do.
        connection.progress_at = now;
        self.budget.update(before, connection);
    }

    /// The connection that has held most for longest without progress, and its KiB times seconds; `None`: every
    /// connection makes progress, or waits. Before that, all of them give back what they can read again.
    pub fn largest_holder(&mut self, now: Seconds) -> Option<(ConnectionId, u32)> {
        for (_, connection) in &mut self.connections {
            let before = connection.held_bytes();
            connection.rewind_output();
            self.budget.change(before, connection.held_bytes());
        }
        let weights = self.connections.iter().filter_map(|(number, connection)| {
            let weight = connection.stalled_weight(now)?;
            Some((ConnectionId(number as u32), weight))
        });
        weights.max_by_key(|&(_, weight)| weight)
    }

    /// Ends a connection because others need its room: an upload is answered with an error; the rest of a reply is
    /// dropped.
    pub fn shed(&mut self, id: ConnectionId) -> ConnectionStatus {
        let Some(connection) = self.connections.get_mut(id.0 as usize) else { return ConnectionStatus::CLOSE };
        let before = connection.held_state();
        let is_upload = connection.has_input() && !connection.has_output();
        connection.forget_output();
        if is_upload {
            let mut answer = Vec::new();
            match (connection.state, binary::format_of(connection.input())) {
                (State::Packets { .. }, Some(format)) => binary::out_of_memory_reading(&mut answer, format),
                (State::Packets { .. }, None) => {}
                _ => answer.extend_from_slice(words::OUT_OF_MEMORY_READING),
            }
            connection.keep_output(answer);
        }
        self.refusals.count(if is_upload {
            RefusalKind::RequestWithoutMemory
        } else {
            RefusalKind::ReplyWithoutMemory
        });
        connection.forget_input();
        (connection.reserved, connection.wanted, connection.needed) = (0, 0, 0);
        connection.dumping = None;
        self.leaving.add(connection.stream.take().as_deref());
        connection.state = State::Closing;
        connection.status = ConnectionStatus::CLOSE;
        self.budget.update(before, connection);
        if self.inbound.connection == id.0 as usize {
            self.output.clear();
        }
        connection.status.with(ConnectionStatus::OUTPUT, connection.has_output())
    }

    /// Frees buffers that one large request has made large. Legal between two events: output that was not consumed is
    /// lost.
    pub fn trim(&mut self) {
        self.trim_output();
        self.runs.trim();
        self.inbound.lent.trim();
    }

    /// Frees the output, and its buffer, if that is larger than most answers need.
    #[inline]
    pub(super) fn trim_output(&mut self) {
        if self.output.capacity() > OUTPUT_BYTES_KEPT_MAX {
            self.output = Vec::with_capacity(OUTPUT_BYTES_KEPT);
        }
    }

    /// The end of the window of a connection: short under pressure, except for what was admitted.
    pub(super) fn window_end(&self, connection: &Connection, held: usize) -> usize {
        let window_bytes = self.inbound.window.len();
        if self.budget.is_pressed() && connection.datagrams.is_none() {
            let missing = connection.reserved.saturating_sub(held);
            held.saturating_add(missing.max(WINDOW_BYTES_SHORT)).min(window_bytes)
        } else {
            window_bytes
        }
    }

    /// Begins a turn of a connection that holds a part of a request, or requests that were not taken yet.
    #[cold]
    pub(super) fn begin_held(&mut self, received: usize) -> Source {
        let now = self.context.time.now;
        let Some(connection) = self.connections.get_mut(self.inbound.connection) else {
            return Source::Window(0);
        };
        let before = connection.held_state();
        // An admitted request gives its room back at its end.
        // A host that goes on with a connection that waits does not know of the budget, and must not go on in vain.
        if connection.needed > 0 || connection.is_admitted || connection.wanted > 0 {
            self.output_bytes_high = self.output_bytes_high.max(OUTPUT_BYTES_HIGH_SHORT);
        }
        connection.is_admitted = false;
        connection.wanted = 0;
        connection.needed = 0;
        connection.progress_at = now;
        let source = connection.accept_input(received);
        self.budget.update(before, connection);
        source.map_or(Source::Own, |in_window| Source::Window(in_window.min(self.inbound.window.len())))
    }

    /// Ends a turn of a connection that holds a part of its input: it is admitted, or waits.
    #[cold]
    pub(super) fn park_held(&mut self) {
        let Some(connection) = self.connections.get_mut(self.inbound.connection) else { return };
        let before = connection.held_state();
        self.inbound.put_aside(connection);
        connection.progress_at = self.context.time.now;
        let is_open = connection.state != State::Closing;
        // Input behind an answer that was not given yet may hold many requests.
        let is_partial = is_open && connection.has_input() && connection.needed > 0;
        let wanted = if is_partial { connection.input().len().max(connection.needed) } else { 0 };
        (connection.reserved, connection.wanted) = match () {
            // The rest of a long value needs no room.
            () if is_open && self.output_bytes_high == 0 && connection.has_work() && !connection.streams() => (0, 1),
            () if wanted <= connection.reserved || self.budget.admits(wanted, before.0) => (wanted, 0),
            () => (0, wanted),
        };
        self.budget.update(before, connection);
    }

    /// Forgets what a closed connection held.
    pub(super) fn release(&mut self, connection: &Connection) {
        self.budget.waiting -= usize::from(connection.wanted > 0);
        self.budget.change(connection.held_bytes(), 0);
    }
}
