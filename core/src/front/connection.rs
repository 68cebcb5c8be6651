//! One client: the state of its conversation, and the bytes that wait.

use super::{control::Dumping, datagram::frame::DatagramState, login::Logins, state::State, stream::ValueStream};
use crate::{
    boundary::{event::Kinds, status::ConnectionStatus},
    clock::Seconds,
    limits::{DATAGRAM_BYTES_MAX, READ_BYTES_MAX, STALLED_REPLY_S_MIN, STALLED_UPLOAD_S_MIN, WINDOW_BYTES_SHORT},
};
use alloc::{boxed::Box, vec::Vec};

/// Least space that a connection's own buffer offers to a read.
const READ_BYTES_MIN: usize = 4096;

/// See the module. An idle client owns no buffer: this struct is all it costs here.
#[derive(Default)]
pub(super) struct Connection {
    pub(super) state: State,
    pub(super) status: ConnectionStatus,
    /// Its attempts to log in, once it has made one.
    pub(super) logins: Option<Box<Logins>>,
    /// Least number of bytes of the request at hand, as the parser reported it.
    pub(super) needed: usize,
    /// Bytes of the budget that its unfinished request was given: it may grow to this length.
    pub(super) reserved: usize,
    /// Bytes that its request waits for; 0: it does not wait.
    pub(super) wanted: usize,
    /// Its host has given it room since its last turn.
    pub(super) is_admitted: bool,
    /// When bytes of the buffers that it holds last came or went.
    pub(super) progress_at: Seconds,
    /// The beginning of a request; while receiving into it, also the space for more.
    input: Vec<u8>,
    /// Bytes at the end of `input` that are space.
    space: usize,
    /// `input` is at the beginning of the window as well, and more follows it there.
    in_window: bool,
    /// The answer in pieces that it is in; no other request is answered before its end.
    pub(super) dumping: Option<Box<Dumping>>,
    /// The long value that it sends; no other request is answered before its end.
    pub(super) stream: Option<Box<ValueStream>>,
    /// Kinds of events that it shows; a connection that watches has no further requests.
    pub(super) watches: Kinds,
    /// The host's number for it.
    pub(super) descriptor: u32,
    /// The host's number for the client's address; 0 if it gave none.
    pub(super) peer: u64,
    output: Vec<u8>,
    /// Bytes of `output` that are sent.
    sent: usize,
    /// Set for a datagram socket: each input stands for itself, and `output` is datagrams.
    pub(super) datagrams: Option<DatagramState>,
}

impl Connection {
    pub(super) fn new(state: State) -> Self {
        Self { state, ..Self::default() }
    }

    pub(super) fn refuse(&mut self, text: &[u8]) {
        self.output.extend_from_slice(text);
        self.state = State::Closing;
        self.status = ConnectionStatus::CLOSE;
    }

    /// Bytes that it takes from the budget.
    pub(super) fn held_bytes(&self) -> usize {
        let input = self.input.capacity();
        let input = if self.wanted > 0 {
            // Connections that wait must not take the room for which they wait.
            input.saturating_sub(WINDOW_BYTES_SHORT)
        } else {
            input.max(self.reserved)
        };
        input.saturating_add(self.output.capacity())
    }

    /// Bytes that it takes from the budget, and whether it waits.
    pub(super) fn held_state(&self) -> (usize, bool) {
        (self.held_bytes(), self.wanted > 0)
    }

    /// Whether it has neither a buffer for received bytes nor a reservation.
    #[inline]
    pub(super) fn holds_no_input(&self) -> bool {
        self.input.capacity() | self.reserved == 0
    }

    /// KiB that it holds times seconds without progress; `None` while it makes progress, or waits for room itself.
    pub(super) fn stalled_weight(&self, now: Seconds) -> Option<u32> {
        let held = self.held_bytes();
        // The clock counts seconds: a difference of one may be a moment.
        let stalled_s = now.saturating_sub(self.progress_at);
        let stalled_s_min = if self.has_output() { STALLED_REPLY_S_MIN } else { STALLED_UPLOAD_S_MIN };
        if held == 0 || self.datagrams.is_some() || self.wanted > 0 || stalled_s <= stalled_s_min {
            return None;
        }
        let weight = (held.div_ceil(1024) as u64).saturating_mul(stalled_s.into());
        Some(u32::try_from(weight).unwrap_or(u32::MAX))
    }

    pub(super) fn has_input(&self) -> bool {
        self.input.len() > self.space
    }

    /// Whether there is work without further bytes.
    pub(super) fn has_work(&self) -> bool {
        self.has_input() || self.dumping.is_some() || self.streams()
    }

    pub(super) fn input(&self) -> &[u8] {
        &self.input[..self.input.len() - self.space]
    }

    /// Prepares for a read: returns how many bytes at the beginning of the window are taken, or `None` if the
    /// connection's own buffer receives ([`Connection::input_space`]).
    pub(super) fn prepare_input(&mut self, window: &mut [u8]) -> Option<usize> {
        let held = self.input.len() - self.space;
        if held == 0 {
            self.forget_input();
            self.in_window = false;
            return Some(0);
        }
        if held <= window.len() / 2 {
            self.take_back_space();
            window[..held].copy_from_slice(&self.input);
            self.in_window = true;
            return Some(held);
        }
        // An admitted request has a buffer of its final size at once and is never copied. One of unknown length does not
        // arrive byte by byte.
        let wanted = self.needed.saturating_sub(held).clamp(READ_BYTES_MIN, READ_BYTES_MAX);
        // Space that is left over is not cleared again.
        if self.space == 0 {
            self.input.reserve_exact(wanted.max(self.reserved.saturating_sub(held)));
            self.input.resize(held + wanted, 0);
            self.space = wanted;
        }
        self.in_window = false;
        None
    }

    pub(super) fn input_space(&mut self) -> &mut [u8] {
        let start = self.input.len() - self.space;
        &mut self.input[start..]
    }

    /// Takes what was received: returns how many bytes of the window are now this connection's input, or `None` if its
    /// own buffer holds it.
    pub(super) fn accept_input(&mut self, received: usize) -> Option<usize> {
        if self.space > 0 {
            self.space -= received.min(self.space);
            return None;
        }
        if self.in_window && received > 0 {
            let held = self.input.len();
            self.input = Vec::new();
            self.in_window = false;
            return Some(held + received);
        }
        self.in_window = false;
        if self.input.is_empty() { Some(received) } else { None }
    }

    /// Keeps the unanswered rest of the window.
    pub(super) fn keep_input(&mut self, rest: &[u8]) {
        debug_assert!(self.input.is_empty());
        if self.state != State::Closing && !rest.is_empty() {
            self.input = rest.to_vec();
        }
    }

    /// Drops the answered part of the own buffer.
    pub(super) fn drop_input(&mut self, answered: usize) {
        if self.state == State::Closing || answered >= self.input().len() {
            self.forget_input();
        } else if answered > 0 {
            self.take_back_space();
            self.input.drain(..answered);
            self.input.shrink_to(self.input.len() * 2);
        }
    }

    pub(super) fn forget_input(&mut self) {
        self.input = Vec::new();
        self.space = 0;
    }

    fn take_back_space(&mut self) {
        self.input.truncate(self.input.len() - self.space);
        self.space = 0;
    }

    pub(super) fn has_output(&self) -> bool {
        self.output.len() > self.sent
    }

    pub(super) fn output(&self) -> &[u8] {
        let output = &self.output[self.sent..];
        match self.datagrams {
            None => output,
            Some(_) => &output[..output.len().min(DATAGRAM_BYTES_MAX)],
        }
    }

    pub(super) fn keep_output(&mut self, rest: &[u8]) {
        self.output = rest.to_vec();
        self.sent = 0;
    }

    pub(super) fn append_output(&mut self, bytes: &[u8]) {
        if self.sent > 0 {
            self.output.drain(..self.sent);
            self.sent = 0;
        }
        self.output.extend_from_slice(bytes);
    }

    pub(super) fn forget_output(&mut self) {
        self.output = Vec::new();
        self.sent = 0;
    }

    pub(super) fn drop_output(&mut self, sent: usize) {
        // A datagram is sent or lost, never in part.
        let sent = if self.datagrams.is_some() { self.output().len() } else { sent };
        self.sent = self.sent.saturating_add(sent).min(self.output.len());
        if self.sent == self.output.len() {
            self.forget_output();
        }
    }

    /// The output of the last turn was sent: its part of a long value need not be read again.
    #[inline]
    pub(super) fn keep_stream(&mut self) {
        if self.stream.as_mut().is_some_and(|stream| !stream.keep()) {
            self.stream = None;
        }
    }

    /// Drops the last of the `unsent` bytes of the output that can be read again. Returns the number of the others.
    pub(super) fn rewind_stream(&mut self, unsent: usize) -> usize {
        let Some(stream) = &mut self.stream else { return unsent };
        unsent - stream.rewind(unsent)
    }

    /// Whether a long value has bytes that were not shown.
    pub(super) fn streams(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| !stream.is_shown())
    }
}
