//! Requests of clients that only the host can serve, as records without any protocol word.
//!
//! A front puts a [`HostRequest`] into a run for [`Target::HOST`]; each variant names the bytes of its answer.

use crate::wire::{Reader, Writer};
use alloc::{string::String, vec::Vec};

/// The receiver of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target(pub u32);

impl Target {
    /// Every shard, one after the other; replies are concatenated.
    pub const EVERY_SHARD: Self = Self(u32::MAX - 1);
    /// The host itself.
    pub const HOST: Self = Self(u32::MAX);
}

/// A request that no guest can serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostRequest {
    /// Answer: the record of the host's statistics.
    Statistics,
    /// Answer: [`Connections`], those from a position on.
    Connections {
        /// 0, or [`Connections::next`] of the previous answer.
        from: u64,
    },
    /// Answer: how many stores were replaced by empty ones since the start, eight bytes; nothing if none ever is. While
    /// the number stays the same, the pieces of an answer are of the same stores.
    Losses,
    /// Set the counters of the host to zero. Answer: nothing.
    ResetStatistics,
    /// Log at this level (0 to 2). Answer: nothing.
    Verbosity(u32),
    /// Change the limit of all stores together. Answer: one byte, 1 if it was changed, else 0.
    MemoryLimit(u64),
    /// Deliver events of these kinds ([`crate::boundary::event::Kinds`]) to the connection that asks. Answer: one byte,
    /// 1 if it watches now, 0 if too many others do, 2 if this connection cannot; nothing if the host has no events.
    Watch(u32),
    /// Stop the server; the connection is closed. Answer: nothing.
    Shutdown {
        /// Connections may finish first.
        graceful: bool,
    },
    /// Stop or move the clock, for tests. Answer: nothing.
    Clock(ClockOrder),
    /// Read the server's certificates again. Answer: [`Refreshed::encode`].
    RefreshCertificates,
}

/// A change of the host's clock, for tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockOrder {
    /// Stop the clock.
    Pause,
    /// Show the system's time again.
    Resume,
    /// Move the clock by seconds, back if negative.
    Move(i64),
}

impl HostRequest {
    /// Appends the form that crosses the boundary: a tag, an argument.
    pub fn encode(self, out: &mut Vec<u8>) {
        let (tag, argument) = match self {
            Self::Statistics => (0, 0),
            Self::Connections { from } => (1, from),
            Self::Losses => (7, 0),
            Self::ResetStatistics => (2, 0),
            Self::Verbosity(level) => (3, u64::from(level)),
            Self::MemoryLimit(bytes) => (4, bytes),
            Self::Shutdown { graceful } => (5, u64::from(graceful)),
            Self::Clock(ClockOrder::Pause) => (20, 0),
            Self::Clock(ClockOrder::Resume) => (21, 0),
            Self::Clock(ClockOrder::Move(seconds)) => (22, seconds.cast_unsigned()),
            Self::RefreshCertificates => (16, 0),
            Self::Watch(kinds) => (6, u64::from(kinds)),
        };
        let mut w = Writer(out);
        w.u32(tag);
        w.u64(argument);
    }

    /// Reads what [`HostRequest::encode`] wrote; `None` if it is not that.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut r = Reader(bytes);
        let (tag, argument) = (r.u32()?, r.u64()?);
        Some(match tag {
            0 => Self::Statistics,
            1 => Self::Connections { from: argument },
            7 => Self::Losses,
            2 => Self::ResetStatistics,
            3 => Self::Verbosity(argument as u32),
            4 => Self::MemoryLimit(argument),
            5 => Self::Shutdown { graceful: argument != 0 },
            20 => Self::Clock(ClockOrder::Pause),
            21 => Self::Clock(ClockOrder::Resume),
            22 => Self::Clock(ClockOrder::Move(argument.cast_signed())),
            16 => Self::RefreshCertificates,
            6 => Self::Watch(argument as u32),
            _ => return None,
        })
    }
}

/// The result of [`HostRequest::RefreshCertificates`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// The server has no certificates: TLS is off.
    Off,
    /// New connections get the new certificates.
    Done,
    /// The old certificates stay, for this reason.
    Refused(String),
}

impl Refreshed {
    /// The form that crosses the boundary: nothing, a byte, or a byte and the reason.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Off => Vec::new(),
            Self::Done => Vec::from([1]),
            Self::Refused(reason) => [&[0], reason.as_bytes()].concat(),
        }
    }

    /// Reads what [`Refreshed::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Self {
        match bytes.split_first() {
            None => Self::Off,
            Some((0, reason)) => Self::Refused(String::from_utf8_lossy(reason).into_owned()),
            Some(_) => Self::Done,
        }
    }
}

/// The state of a connection in `stats conns`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ConnectionState {
    /// A listening socket.
    Listening,
    /// Waiting for a request.
    Waiting,
    /// Reading a request.
    Reading,
    /// Writing a reply that the client has not read yet.
    Writing,
    /// The connection that asks for the list.
    Parsing,
    /// Watching events.
    Watching,
    /// A datagram socket.
    Datagrams,
}

/// Some of the host's sockets.
pub struct Connections<'a> {
    /// The position of the next answer; [`Connections::END`] if this is the last.
    pub next: u64,
    records: Reader<'a>,
}

impl<'a> Connections<'a> {
    /// The position behind the last socket.
    pub const END: u64 = u64::MAX;

    /// The form that crosses the boundary: the position of the next answer, then [`ConnectionRecord`]s.
    pub fn encode(next: u64, records: impl Iterator<Item = ConnectionRecord>) -> Vec<u8> {
        let mut bytes = Vec::from(next.to_le_bytes());
        records.for_each(|record| record.encode(&mut bytes));
        bytes
    }

    /// Reads what [`Connections::encode`] wrote. Other bytes are an answer without sockets.
    pub fn decode(bytes: &'a [u8]) -> Self {
        let mut records = Reader(bytes);
        Self { next: records.u64().unwrap_or(Self::END), records }
    }
}

impl Iterator for Connections<'_> {
    type Item = ConnectionRecord;

    fn next(&mut self) -> Option<ConnectionRecord> {
        ConnectionRecord::decode(&mut self.records)
    }
}

/// A socket of the host, for `stats conns`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionRecord {
    /// Descriptor, or another number of the socket.
    pub descriptor: u32,
    /// See [`ConnectionState`].
    pub state: ConnectionState,
    /// Seconds since the last request; ignored for listeners.
    pub idle_s: u32,
    /// The peer (of a listener: its own address), `tcp:127.0.0.1:40000` or `unix:/path`.
    pub address: String,
    /// The listener's address; empty for a listener.
    pub listen_address: String,
}

impl ConnectionRecord {
    /// Appends the form that crosses the boundary.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut w = Writer(out);
        w.u32(self.descriptor);
        w.u8(self.state as u8);
        w.u32(self.idle_s);
        w.bytes(self.address.as_bytes());
        w.bytes(self.listen_address.as_bytes());
    }

    /// Takes a record from the front of `r`; `None` at the end or if it is invalid.
    pub fn decode(r: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            descriptor: r.u32()?,
            state: match r.u8()? {
                0 => ConnectionState::Listening,
                1 => ConnectionState::Waiting,
                2 => ConnectionState::Reading,
                3 => ConnectionState::Writing,
                4 => ConnectionState::Parsing,
                5 => ConnectionState::Watching,
                6 => ConnectionState::Datagrams,
                _ => return None,
            },
            idle_s: r.u32()?,
            address: String::from_utf8_lossy(r.bytes()?).into_owned(),
            listen_address: String::from_utf8_lossy(r.bytes()?).into_owned(),
        })
    }
}
