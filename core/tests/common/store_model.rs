//! A model of the store: a map of all stored items, and the freedom of a cache to forget.
//!
//! Shared by the simulation of the store and its fuzz target.

use std::collections::BTreeMap;
use wasmcached_core::{
    clock::{Expiry, Seconds},
    command::{Command, Direction, Operation, StoreMode, Touched},
    limits::{flags_overhead_bytes, item_overhead_bytes},
    reply::{Reply, Value},
};

/// The parts of a store's configuration that its answers depend on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) item_bytes_max: usize,
    pub(crate) cas: bool,
    /// There is room for everything: nothing may be forgotten or refused.
    pub(crate) roomy: bool,
    /// Whether live items may be forgotten.
    pub(crate) evictions: bool,
}

/// An item as the client knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ModelItem {
    pub(crate) value: Vec<u8>,
    pub(crate) flags: u32,
    pub(crate) expiry: Expiry,
    pub(crate) cas: u64,
}

/// An answer that has left the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Missing,
    Found { value: Vec<u8>, flags: u32, cas: u64 },
    Stored,
    NotStored,
    Exists,
    Deleted,
    Touched,
    Number(u64),
    NonNumeric,
    TooLarge,
    BadData,
    OutOfMemory,
}

/// The outcome of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Course {
    /// As if the store remembered everything.
    Remembered { stored: bool },
    /// There was no room for it.
    Refused,
    /// The store had forgotten the item.
    Forgotten,
}

/// See the module.
pub(crate) struct Model {
    pub(crate) items: BTreeMap<Vec<u8>, ModelItem>,
    flush_at: Option<Seconds>,
    rules: Rules,
}

impl Model {
    pub(crate) fn new(rules: Rules) -> Self {
        Self { items: BTreeMap::new(), flush_at: None, rules }
    }

    /// A flush at `at`; it replaces one that is not due yet.
    pub(crate) fn flush(&mut self, at: Seconds, now: Seconds) {
        self.remove_expired(now);
        self.flush_at = Some(at);
        self.remove_expired(now);
    }

    /// Removes items that are expired or flushed at `now`.
    pub(crate) fn remove_expired(&mut self, now: Seconds) {
        if self.flush_at.is_some_and(|at| at <= now) {
            self.flush_at = None;
            self.items.clear();
        }
        self.items.retain(|_, item| !item.expiry.has_passed(now));
    }

    /// Takes a command and its answer.
    ///
    /// # Panics
    /// If a cache must not give this answer.
    pub(crate) fn follow(&mut self, command: &Command<'_>, reply: &Reply<'_>, now: Seconds) -> Course {
        self.remove_expired(now);
        let (answer, cas) = answer_of(reply);
        let known = self.items.remove(command.key);
        let step = |item| model_step(item, command.key.len(), &command.operation, self.rules, cas);
        let (expected, after) = step(known.clone());
        if answer == expected {
            self.keep(command.key, after);
            return Course::Remembered { stored: answer == Answer::Stored };
        }
        let tolerated = !self.rules.roomy;
        if let Operation::Store { mode, compare, .. } = command.operation
            && tolerated
        {
            // The pool is too small now: a plain set removes the old item, other commands change nothing.
            let grows = matches!(mode, StoreMode::Append | StoreMode::Prepend);
            if matches!(answer, Answer::OutOfMemory | Answer::TooLarge) || (grows && answer == Answer::NotStored) {
                self.keep(command.key, known.filter(|_| mode != StoreMode::Set || compare.is_some()));
                return Course::Refused;
            }
        }
        if answer == Answer::OutOfMemory {
            assert!(tolerated, "no room for {command:?}");
            self.keep(command.key, known);
            return Course::Refused;
        }
        let (expected_if_forgotten, after) = step(None);
        assert!(
            tolerated && self.rules.evictions && known.is_some() && answer == expected_if_forgotten,
            "{answer:?}, not {expected:?}, to {command:?}; the model has {known:?}"
        );
        self.keep(command.key, after);
        Course::Forgotten
    }

    fn keep(&mut self, key: &[u8], item: Option<ModelItem>) {
        if let Some(item) = item {
            self.items.insert(key.to_vec(), item);
        }
    }
}

fn bytes_of(value: &Value<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.for_each_piece(|piece| bytes.extend_from_slice(piece));
    assert_eq!(bytes.len(), value.len());
    bytes
}

/// The answer, and the new unique if there is one.
pub(crate) fn answer_of(reply: &Reply<'_>) -> (Answer, u64) {
    match reply {
        Reply::Missing => (Answer::Missing, 0),
        Reply::Found(found) => {
            let answer = Answer::Found { value: bytes_of(&found.value), flags: found.flags, cas: found.cas };
            (answer, 0)
        }
        Reply::Stored { cas, .. } => (Answer::Stored, *cas),
        Reply::NotStored => (Answer::NotStored, 0),
        Reply::Exists => (Answer::Exists, 0),
        Reply::Deleted => (Answer::Deleted, 0),
        Reply::Touched => (Answer::Touched, 0),
        Reply::Number { value, cas, .. } => (Answer::Number(*value), *cas),
        Reply::NonNumeric => (Answer::NonNumeric, 0),
        Reply::TooLarge => (Answer::TooLarge, 0),
        Reply::BadData => (Answer::BadData, 0),
        Reply::OutOfMemory => (Answer::OutOfMemory, 0),
        Reply::Item(_) | Reply::Contended | Reply::Lost | Reply::Piece(_) => panic!("nobody asked for this"),
    }
}

/// The effect of a command on the item of its key. `fresh_cas` is the unique that the store gave.
fn model_step(
    item: Option<ModelItem>,
    key_bytes: usize,
    operation: &Operation<'_>,
    rules: Rules,
    fresh_cas: u64,
) -> (Answer, Option<ModelItem>) {
    let too_large = |value_bytes: usize, flags: u32| {
        key_bytes + value_bytes + item_overhead_bytes(rules.cas) + flags_overhead_bytes(flags) > rules.item_bytes_max
    };
    match *operation {
        Operation::Get { touch } => match item {
            None => (Answer::Missing, None),
            Some(mut item) => {
                item.expiry = touch.unwrap_or(item.expiry);
                (Answer::Found { value: item.value.clone(), flags: item.flags, cas: item.cas }, Some(item))
            }
        },
        Operation::Touch { expiry, touched } => match item {
            None => (Answer::Missing, None),
            Some(item) => {
                let (flags, cas) = (item.flags, item.cas);
                let answer = match touched {
                    Touched::Nothing => Answer::Touched,
                    Touched::Attributes => Answer::Found { value: Vec::new(), flags, cas },
                    Touched::Value => Answer::Found { value: item.value.clone(), flags, cas },
                };
                (answer, Some(ModelItem { expiry, ..item }))
            }
        },
        Operation::RefuseData => (Answer::BadData, item),
        Operation::Fetch(_) | Operation::Inspect | Operation::Discard(_) | Operation::Piece { .. } => {
            unreachable!("the model knows none")
        }
        Operation::Delete => (if item.is_some() { Answer::Deleted } else { Answer::Missing }, None),
        Operation::RefuseLarge { unlink } => (Answer::TooLarge, item.filter(|_| !unlink)),
        Operation::Arithmetic { direction, delta, .. } => {
            let Some(mut item) = item else { return (Answer::Missing, None) };
            let Some(old) = number_in(&item.value) else { return (Answer::NonNumeric, Some(item)) };
            let value = match direction {
                Direction::Increment => old.wrapping_add(delta),
                Direction::Decrement => old.saturating_sub(delta),
            };
            item.value = format!("{value:<width$}", width = item.value.len()).into_bytes();
            item.cas = fresh_cas;
            (Answer::Number(value), Some(item))
        }
        Operation::Store { mode, flags, expiry, compare, value, .. } => {
            if too_large(value.len(), flags) {
                let unlink = mode == StoreMode::Set && compare.is_none();
                return (Answer::TooLarge, item.filter(|_| !unlink));
            }
            let new = ModelItem { value: value.to_vec(), flags, expiry, cas: fresh_cas };
            match (mode, item) {
                (StoreMode::Set, None) if compare.is_some() => (Answer::Missing, None),
                // Without uniques nothing matches.
                (StoreMode::Set, Some(item)) if compare.is_some_and(|cas| cas != item.cas || !rules.cas) => {
                    (Answer::Exists, Some(item))
                }
                (StoreMode::Set, _) | (StoreMode::Add, None) | (StoreMode::Replace, Some(_)) => {
                    (Answer::Stored, Some(new))
                }
                (StoreMode::Add, item) => (Answer::NotStored, item),
                (_, None) => (Answer::NotStored, None),
                (_, Some(item)) if too_large(item.value.len() + value.len(), item.flags) => {
                    (Answer::NotStored, Some(item))
                }
                (mode, Some(mut item)) => {
                    let at = if mode == StoreMode::Append { item.value.len() } else { 0 };
                    item.value.splice(at..at, value.iter().copied());
                    item.cas = fresh_cas;
                    (Answer::Stored, Some(item))
                }
            }
        }
    }
}

/// The number that memcached finds in a value: the bytes behind leading blanks, up to the next blank or NUL.
fn number_in(value: &[u8]) -> Option<u64> {
    let is_blank = |byte: &u8| matches!(byte, 9..=13 | 32);
    let begin = value.iter().position(|byte| !is_blank(byte))?;
    let text = value[begin..].split(|byte| is_blank(byte) || *byte == 0).next()?;
    std::str::from_utf8(text).ok().filter(|_| begin + text.len() < 256 || value.len() <= 256)?.parse().ok()
}
