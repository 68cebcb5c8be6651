//! The protocols: one folder each, pure functions between bytes and requests, replies and bytes.
//!
//! A parser looks at a slice and gives a [`Verdict`]. It keeps the five laws that `core/tests/parser_laws.rs` tests:
//! *total* (no input panics), *progress* (a verdict consumes), *prefix* (a proper prefix of a request is incomplete,
//! and bytes that follow change nothing), *chunking* (any split gives the same replies), *limits* (it never asks for
//! more than a limit allows). Nothing here knows the store.

pub mod binary;
pub mod control;
pub mod health;
#[cfg(feature = "http")]
pub mod http;
pub mod meta;
pub mod text;
pub(crate) mod token;

use crate::{
    boundary::config::{Authentication, Config, Permissions},
    clock::{Seconds, Time},
    command::Operation,
    limits,
    settings::Setting,
};

/// Everything besides the bytes that a parser's verdict depends on.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// `-I`.
    pub item_bytes_max: u32,
    /// `-C` clears it.
    pub cas: bool,
    /// For expiry times.
    pub time: Time,
    /// `-S`: the binary protocol has logins.
    pub sasl: bool,
    /// `-o no_slab_reassign` clears it.
    pub slab_reassign: bool,
    /// Commands that clients may use.
    pub permissions: Permissions,
}

impl Context {
    /// The context of a front.
    pub fn new(config: &Config, now: Seconds) -> Self {
        Self {
            item_bytes_max: config.store.item_bytes_max,
            cas: config.store.cas,
            time: Time::exact(now),
            sasl: config.authentication == Authentication::Sasl,
            slab_reassign: config.setting(Setting::SlabReassign) != "no",
            permissions: config.permissions,
        }
    }

    /// A context in which everything is allowed.
    pub const fn permissive(item_bytes_max: u32, now: Seconds) -> Self {
        Self {
            item_bytes_max,
            cas: true,
            time: Time::exact(now),
            sasl: true,
            slab_reassign: true,
            permissions: Permissions::ALL,
        }
    }

    /// Whether an item is above `-I`.
    #[inline]
    fn is_too_large(&self, key_bytes: usize, value_bytes: usize, flags: u32) -> bool {
        limits::item_bytes(key_bytes, value_bytes, flags, self.cas) > self.item_bytes_max as usize
    }
}

/// The result of a parser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<T> {
    /// The request is not whole; it has at least `needed` bytes in all.
    Incomplete {
        /// More than were shown.
        needed: usize,
    },
    /// A request (or a refusal, which is an answer like any other) that took the first `consumed` bytes.
    Complete {
        /// The request.
        request: T,
        /// At least one byte.
        consumed: usize,
    },
    /// The rest cannot be parsed: close the connection without an answer.
    Close,
}

/// A command on one key, as a parser of any protocol finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRequest<F> {
    /// Place of the key, as the client wrote it.
    pub key: Span,
    /// Place of the value; [`Operation::Store`] has an empty one here.
    pub value: Span,
    /// The operation.
    pub operation: Operation<'static>,
    /// Details of the request that only the encoder needs.
    pub format: F,
    /// Bytes of a refused value that follow the request; they are ignored.
    pub swallow: u64,
}

/// A part of the input: first byte, length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Number of bytes.
    pub length: u32,
}

impl Span {
    /// From `start` to just before `end`.
    pub fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, length: end.saturating_sub(start) as u32 }
    }

    /// The bytes of it in `input`; empty if it does not lie within.
    #[inline]
    pub fn of(self, input: &[u8]) -> &[u8] {
        let start = self.start as usize;
        input.get(start..start.saturating_add(self.length as usize)).unwrap_or_default()
    }

    /// The same bytes seen from `offset` bytes earlier.
    pub fn shifted(self, offset: usize) -> Self {
        Self { start: self.start.saturating_add(offset as u32), length: self.length }
    }

    /// Its length as an index.
    pub fn bytes(self) -> usize {
        self.length as usize
    }
}
