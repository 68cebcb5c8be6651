//! One client: the state of its conversation, and the bytes that wait.

use super::{
    control::Dumping, datagram::frame::DatagramState, login::Logins, long_requests::LongRequests, state::State,
    stream::ValueStream,
};
use crate::{
    boundary::{event::Kinds, status::ConnectionStatus},
    clock::Seconds,
    limits::{
        DATAGRAM_BYTES_MAX, LONG_REQUEST_BYTES, READ_BYTES_MAX, STALLED_REPLY_S_MIN, STALLED_UPLOAD_S_MIN,
        WINDOW_BYTES_SHORT,
    },
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
    /// Bit `n`: the pending answer `n` that its input begins with is a read that was executed before, whose reply was
    /// not used.
    repeated_reads: u64,
    output: Vec<u8>,
    /// Bytes of `output` that are sent.
    sent: usize,
    /// Set for a datagram socket: each input stands for itself, and `output` is datagrams.
    pub(super) datagrams: Option<DatagramState>,
    pub(super) long: LongRequests,
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
        // A lent buffer without input is not the client's doing.
        let input = if self.has_input() || !self.long.has_buffer { self.input.capacity() } else { 0 };
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

    /// Whether a request has begun that is not answered yet.
    pub(super) fn is_in_request(&self) -> bool {
        match self.state {
            State::Closing => false,
            State::Skip(_) | State::SkipBody { .. } | State::Keys { .. } => true,
            _ => self.has_work(),
        }
    }

    /// Takes the marks of reads that were executed before. The pieces of a long value are sent before those.
    pub(super) fn take_repeated_reads(&mut self) -> u64 {
        if self.stream.is_none() { core::mem::take(&mut self.repeated_reads) } else { 0 }
    }

    /// Marks the reads that were executed. A long value of which a piece is missing has none behind it.
    #[cold]
    pub(super) fn keep_repeated_reads(&mut self, repeated: u64) {
        if self.stream.is_none() {
            self.repeated_reads = repeated;
        }
    }

    /// Forgets which reads were executed: their requests are dropped.
    pub(super) fn forget_repeated_reads(&mut self) {
        self.repeated_reads = 0;
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
        if self.long.has_room(self.space) {
            return None;
        }
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
        self.long.has_buffer = false;
    }

    /// Receives into this buffer, all of which is initialized.
    pub(super) fn borrow_buffer(&mut self, buffer: Vec<u8>) {
        debug_assert!(self.input.is_empty());
        self.space = buffer.len();
        self.input = buffer;
        self.in_window = false;
        self.long.has_buffer = true;
    }

    /// Drops the answered part of a lent buffer. Returns the buffer, unless the rest of a long request follows in it.
    pub(super) fn return_buffer(&mut self, answered: usize) -> Option<Vec<u8>> {
        let held = self.input.len() - self.space;
        let rest = if self.state == State::Closing { held..held } else { answered.min(held)..held };
        let is_long = !rest.is_empty() && self.needed.max(rest.len()) >= LONG_REQUEST_BYTES;
        if is_long && self.needed <= self.input.len() {
            self.space = self.input.len() - rest.len();
            self.input.copy_within(rest, 0);
            return None;
        }
        let kept = self.input[rest].to_vec();
        self.space = 0;
        self.long.has_buffer = false;
        Some(core::mem::replace(&mut self.input, kept))
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

    pub(super) fn keep_output(&mut self, rest: Vec<u8>) {
        self.output = rest;
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

    /// The output of the last turn was sent, or is kept. Returns a long value whose end was sent.
    #[inline]
    pub(super) fn keep_stream(&mut self) -> Option<Box<ValueStream>> {
        let has_output = self.has_output();
        let stream = self.stream.as_mut()?;
        stream.keep();
        if has_output || !stream.is_shown() { None } else { self.stream.take() }
    }

    /// Drops the last of the `unsent` bytes of the output that can be read again. Returns the number of the others.
    pub(super) fn rewind_stream(&mut self, unsent: usize) -> usize {
        let Some(stream) = &mut self.stream else { return unsent };
        unsent - stream.rewind(unsent)
    }

    /// Drops what is kept of a long value: it is read again when the rest was sent.
    pub(super) fn rewind_output(&mut self) {
        let unsent = self.output.len() - self.sent;
        let kept = self.rewind_stream(unsent);
        if kept < unsent {
            self.keep_output(self.output[self.sent..][..kept].to_vec());
            self.status = self.status.with(ConnectionStatus::MORE, true);
        }
    }

    /// Whether a long value has bytes that were not shown.
    pub(super) fn streams(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| !stream.is_shown())
    }
}
