//! Events for connections that watch: the records, and the bounded buffer in which a guest keeps them for its host.
//!
//! While no connection watches, nothing is recorded, at the cost of one test a batch. The host carries records of guests
//! without reading them and adds time and number. Events without room are counted and dropped.

use crate::{
    clock::{Expiry, Seconds},
    wire::{Reader, Writer},
};
use alloc::vec::Vec;

/// A set of kinds of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinds(pub u32);

impl Kinds {
    /// None.
    pub const NONE: Self = Self(0);
    /// Reads.
    pub const FETCHES: Self = Self(1);
    /// Stores.
    pub const STORES: Self = Self(2);
    /// Evicted items.
    pub const EVICTIONS: Self = Self(4);
    /// Opened and closed connections.
    pub const CONNECTIONS: Self = Self(8);
    /// Deletes.
    pub const DELETIONS: Self = Self(16);
    /// A kind that clients can watch and that no event has.
    pub const OTHER: Self = Self(32);

    /// Whether one of `other` is among them.
    #[inline]
    pub fn any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// With those of `other`.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Time and number of an event, which only the host knows.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// Unix time.
    pub seconds: u32,
    /// Microseconds of that second.
    pub micros: u32,
    /// Running number of the event in the server.
    pub number: u64,
}

/// The result of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Outcome {
    /// A condition of the command was not met.
    NotStored,
    /// It was stored.
    Stored,
    /// The item has another unique.
    Exists,
    /// The item to compare with is missing.
    NotFound,
    /// The item exceeds the limit.
    TooLarge,
    /// The store is full.
    NoMemory,
}

/// The kind of command that stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are those of the commands")]
pub enum Storing {
    Add,
    Set,
    Replace,
    Append,
    Prepend,
    Compare,
}

/// The transport of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Transport {
    /// A Unix socket.
    Local,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// Why a connection was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// Something failed.
    Error,
    /// The client or the server closed it.
    Normal,
    /// The client exceeded the idle timeout.
    Idle,
    /// The server stops.
    Shutdown,
}

/// An event. `class` is a size class, `bytes` the length of a value, `descriptor` the host's number of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are explained above")]
pub enum Event<'a> {
    Fetched { key: &'a [u8], found: bool, class: u32, bytes: u32, descriptor: u32 },
    Stored { key: &'a [u8], outcome: Outcome, storing: Storing, ttl_s: u32, class: u32, bytes: u32, descriptor: u32 },
    Deleted { key: &'a [u8], conditional: bool, class: u32, bytes: u32 },
    Evicted { key: &'a [u8], fetched: bool, expiry: Expiry, now: Seconds, idle_s: u32, class: u32, bytes: u32 },
    Opened { address: &'a [u8], port: u16, transport: Transport, descriptor: u32 },
    Closed { address: &'a [u8], port: u16, transport: Transport, descriptor: u32, reason: Reason },
}

impl<'a> Event<'a> {
    /// Its kind.
    pub fn kind(&self) -> Kinds {
        match self {
            Self::Fetched { .. } => Kinds::FETCHES,
            Self::Stored { .. } => Kinds::STORES,
            Self::Deleted { .. } => Kinds::DELETIONS,
            Self::Evicted { .. } => Kinds::EVICTIONS,
            Self::Opened { .. } | Self::Closed { .. } => Kinds::CONNECTIONS,
        }
    }

    /// Appends the record: tag, three bytes, five words, and a text.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let (head, words, text) = match *self {
            Self::Fetched { key, found, class, bytes, descriptor } => {
                ([0, found.into(), 0, 0], [class, bytes, descriptor, 0, 0], key)
            }
            Self::Stored { key, outcome, storing, ttl_s, class, bytes, descriptor } => {
                ([1, outcome as u8, storing as u8, 0], [class, bytes, descriptor, ttl_s, 0], key)
            }
            Self::Deleted { key, conditional, class, bytes } => {
                ([2, conditional.into(), 0, 0], [class, bytes, 0, 0, 0], key)
            }
            Self::Evicted { key, fetched, expiry, now, idle_s, class, bytes } => {
                ([3, fetched.into(), 0, 0], [class, bytes, expiry.0, now, idle_s], key)
            }
            Self::Opened { address, port, transport, descriptor } => {
                ([4, transport as u8, 0, 0], [port.into(), descriptor, 0, 0, 0], address)
            }
            Self::Closed { address, port, transport, descriptor, reason } => {
                ([5, transport as u8, reason as u8, 0], [port.into(), descriptor, 0, 0, 0], address)
            }
        };
        out.extend_from_slice(&head);
        let mut w = Writer(out);
        words.into_iter().for_each(|word| w.u32(word));
        w.bytes(text);
    }

    /// Takes a record from the front of `r`; `None` at the end or if it is invalid.
    pub fn decode(r: &mut Reader<'a>) -> Option<Self> {
        let [tag, first, second, _] = [r.u8()?, r.u8()?, r.u8()?, r.u8()?];
        let words = [r.u32()?, r.u32()?, r.u32()?, r.u32()?, r.u32()?];
        let text = r.bytes()?;
        let [class, bytes, descriptor, ..] = words;
        Some(match tag {
            0 => Self::Fetched { key: text, found: first != 0, class, bytes, descriptor },
            1 => Self::Stored {
                key: text,
                outcome: *OUTCOMES.get(usize::from(first))?,
                storing: *STORINGS.get(usize::from(second))?,
                ttl_s: words[3],
                class,
                bytes,
                descriptor,
            },
            2 => Self::Deleted { key: text, conditional: first != 0, class, bytes },
            3 => Self::Evicted {
                key: text,
                fetched: first != 0,
                expiry: Expiry(words[2]),
                now: words[3],
                idle_s: words[4],
                class,
                bytes,
            },
            4 | 5 => {
                let (port, descriptor) = (words[0] as u16, words[1]);
                let transport = *TRANSPORTS.get(usize::from(first))?;
                match tag {
                    4 => Self::Opened { address: text, port, transport, descriptor },
                    _ => {
                        let reason = *REASONS.get(usize::from(second))?;
                        Self::Closed { address: text, port, transport, descriptor, reason }
                    }
                }
            }
            _ => return None,
        })
    }
}

const OUTCOMES: [Outcome; 6] =
    [Outcome::NotStored, Outcome::Stored, Outcome::Exists, Outcome::NotFound, Outcome::TooLarge, Outcome::NoMemory];
const STORINGS: [Storing; 6] =
    [Storing::Add, Storing::Set, Storing::Replace, Storing::Append, Storing::Prepend, Storing::Compare];
const TRANSPORTS: [Transport; 3] = [Transport::Local, Transport::Tcp, Transport::Udp];
const REASONS: [Reason; 4] = [Reason::Error, Reason::Normal, Reason::Idle, Reason::Shutdown];

/// The events that a guest keeps for its host.
#[derive(Debug, Default)]
pub struct Events {
    kinds: Kinds,
    bytes_max: usize,
    records: Vec<u8>,
    count: u32,
    dropped: u32,
}

impl Events {
    /// Records nothing yet, and keeps at most `bytes_max` bytes later.
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, ..Self::default() }
    }

    /// Records events of these kinds from now on.
    pub fn watch(&mut self, kinds: Kinds) {
        self.kinds = kinds;
        if kinds == Kinds::NONE {
            self.records = Vec::new();
            (self.count, self.dropped) = (0, 0);
        }
    }

    /// Whether one of `kinds` is watched.
    #[inline]
    pub fn wants(&self, kinds: Kinds) -> bool {
        cfg!(feature = "server") && self.kinds.any(kinds)
    }

    /// Records an event, if its kind is watched.
    pub fn record(&mut self, event: &Event<'_>) {
        if !self.wants(event.kind()) {
            return;
        }
        let before = self.records.len();
        event.encode(&mut self.records);
        if self.records.len() > self.bytes_max {
            self.records.truncate(before);
            self.dropped += 1;
        } else {
            self.count += 1;
        }
    }

    /// Moves the records to `out`; returns the number of events, and of events dropped for lack of room.
    pub fn take(&mut self, out: &mut Vec<u8>) -> (u32, u32) {
        out.extend_from_slice(&self.records);
        self.records.clear();
        (core::mem::take(&mut self.count), core::mem::take(&mut self.dropped))
    }

    /// Whether there is nothing to take.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.count == 0 && self.dropped == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_survive_the_boundary() {
        let key = &b"key"[..];
        let events = [
            Event::Fetched { key, found: true, class: 1, bytes: 2, descriptor: 3 },
            Event::Stored {
                key,
                outcome: Outcome::NoMemory,
                storing: Storing::Compare,
                ttl_s: 1,
                class: 2,
                bytes: 3,
                descriptor: 4,
            },
            Event::Deleted { key, conditional: true, class: 1, bytes: 2 },
            Event::Evicted { key, fetched: false, expiry: Expiry(4), now: 5, idle_s: 6, class: 1, bytes: 2 },
            Event::Opened { address: b"::1", port: u16::MAX, transport: Transport::Udp, descriptor: 9 },
            Event::Closed {
                address: b"",
                port: 0,
                transport: Transport::Local,
                descriptor: 9,
                reason: Reason::Shutdown,
            },
        ];
        let mut bytes = Vec::new();
        events.iter().for_each(|event| event.encode(&mut bytes));
        let mut r = Reader(&bytes);
        for event in events {
            assert_eq!(Event::decode(&mut r), Some(event));
        }
        assert!(r.is_empty());
        for cut in 0..24 {
            assert_eq!(Event::decode(&mut Reader(&bytes[..cut])), None);
        }
    }

    #[test]
    fn events_without_room_are_counted() {
        let event = Event::Deleted { key: b"key", conditional: false, class: 1, bytes: 2 };
        let mut events = Events::new(100);
        events.record(&event);
        assert!(events.is_empty(), "no connection watches");
        events.watch(Kinds::FETCHES);
        events.record(&event);
        assert!(events.is_empty(), "no connection watches that kind");
        events.watch(Kinds::FETCHES.with(Kinds::DELETIONS));
        for _ in 0..5 {
            events.record(&event);
        }
        let mut out = Vec::new();
        assert_eq!(events.take(&mut out), (3, 2));
        assert_eq!(Event::decode(&mut Reader(&out)), Some(event));
        assert!(events.is_empty());
    }
}
