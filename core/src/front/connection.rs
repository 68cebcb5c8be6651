//! One client: the state of its conversation, and the bytes that wait.

use super::{control::Dumping, datagram::frame::DatagramState, login::Logins, state::State, status::ConnectionStatus};
use crate::{boundary::event::Kinds, limits};
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
    /// The beginning of a request; while receiving into it, also the space for more.
    input: Vec<u8>,
    /// Bytes at the end of `input` that are space.
    space: usize,
    /// `input` is at the beginning of the window as well, and more follows it there.
    in_window: bool,
    /// The listing that it is in; no other request is answered before its end.
    pub(super) dumping: Option<Box<Dumping>>,
    /// Kinds of events that it shows; a connection that watches has no further requests.
    pub(super) watches: Kinds,
    /// The host's number for it.
    pub(super) descriptor: u32,
    /// Bit `n`: the pending answer `n` that its input begins with is a read that was executed before, whose reply was
    /// not used.
    pub(super) repeated_reads: u64,
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

    pub(super) fn buffers_bytes(&self) -> usize {
        self.input.capacity() + self.output.capacity()
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

    /// Whether there is work without further bytes.
    pub(super) fn has_work(&self) -> bool {
        self.has_input() || self.dumping.is_some()
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
        // The space is as large as the input, so that a client which announces much and sends little holds little, but
        // never so small that a long line arrives byte by byte. Space that is left over is not cleared again.
        let wanted = self.needed.saturating_sub(held).clamp(READ_BYTES_MIN, held.max(READ_BYTES_MIN));
        if self.space == 0 {
            self.input.reserve_exact(wanted);
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
            Some(_) => &output[..output.len().min(limits::DATAGRAM_BYTES_MAX)],
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
}
