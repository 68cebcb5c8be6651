//! Pending answers: the front finds them in the input, in order. Most of them need a command to be executed first.

use super::state::State;
use crate::{
    clock::{Expiry, Time},
    command::{Command, Operation, StoreMode, StoreOptions},
    protocol::{
        Span, binary, meta,
        text::{self, words},
    },
    reply::{FoundWhole, Reply},
    statistics::{RefusalKind, Refusals},
};
use alloc::vec::Vec;

/// One answer to give.
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    /// End of the input that is consumed once this is answered.
    pub(super) end: u32,
    /// The connection's state after it.
    pub(super) after: State,
    pub(super) key: Span,
    pub(super) value: Span,
    /// Of the key; 0 without a command.
    pub hash: u64,
    pub(super) task: Task,
}

/// The way to an answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Task {
    /// A fixed text.
    Answer(&'static [u8]),
    /// The text that refuses the request; empty for a client that wants no answer.
    RefusalText(&'static [u8]),
    /// A packet with this status.
    Packet(binary::PacketFormat, binary::PacketStatus),
    /// The reply to a command.
    Command(Operation<'static>, ReplyFormat),
}

/// Details of a request that only the encoder needs. The store never sees them.
#[derive(Clone, Copy, Debug)]
pub(super) enum ReplyFormat {
    /// A key of a retrieval, perhaps its last.
    Found { cas: bool, last: bool },
    /// A status line.
    Status,
    /// `noreply`.
    Silent,
    /// The answer to a meta command.
    Meta(meta::MetaFormat),
    /// The answer to a packet.
    Packet(binary::PacketFormat),
    /// Further bytes of a value.
    Piece,
}

/// A key of a retrieval.
#[derive(Clone, Copy)]
pub(super) struct Retrieval {
    key: Span,
    cas: bool,
    last: bool,
}

impl Retrieval {
    #[inline]
    pub(super) fn answer(self, out: &mut Vec<u8>, input: Input<'_>, found: &FoundWhole<'_>) {
        text::answer_found_whole(out, self.key.of(input.bytes), found, self.cas);
        if self.last {
            out.extend_from_slice(words::END);
        }
    }
}

impl ReplyFormat {
    /// The bytes that the span of a key points into: those of the client, or the keys that came in base64.
    pub(super) fn key_source<'i>(&self, bytes: &'i [u8], decoded: &'i [u8]) -> &'i [u8] {
        if matches!(self, Self::Meta(meta::MetaFormat { encoded_key: true, .. })) { decoded } else { bytes }
    }
}

/// The bytes that pending answers point into, and the time.
#[derive(Clone, Copy)]
pub(super) struct Input<'i> {
    /// The client's bytes.
    pub(super) bytes: &'i [u8],
    /// Keys that came in base64, decoded.
    pub(super) decoded: &'i [u8],
    pub(super) time: &'i Time,
}

impl Pending {
    pub(super) fn is_command(&self) -> bool {
        matches!(self.task, Task::Command(..))
    }

    pub(super) fn is_read(&self) -> bool {
        matches!(&self.task, Task::Command(operation, _) if operation.is_read())
    }

    pub(super) fn may_write(&self) -> bool {
        matches!(&self.task, Task::Command(operation, _) if !operation.is_read())
    }

    #[inline]
    pub(super) fn command<'i>(&self, input: Input<'i>) -> Option<Command<'i>> {
        let Task::Command(operation, format) = &self.task else { return None };
        let mut operation: Operation<'i> = *operation;
        if let Operation::Store { value, .. } = &mut operation {
            *value = self.value.of(input.bytes);
        }
        Some(Command { hash: self.hash, key: self.key(format, input), operation })
    }

    #[inline]
    pub(super) fn key<'i>(&self, format: &ReplyFormat, input: Input<'i>) -> &'i [u8] {
        self.key.of(format.key_source(input.bytes, input.decoded))
    }

    /// A key of a retrieval.
    #[inline]
    pub(super) fn retrieval(&self) -> Option<Retrieval> {
        match self.task {
            Task::Command(_, ReplyFormat::Found { cas, last }) => Some(Retrieval { key: self.key, cas, last }),
            _ => None,
        }
    }

    /// Whether the key is among those that came in base64.
    pub(super) fn is_key_decoded(&self) -> bool {
        matches!(self.task, Task::Command(_, ReplyFormat::Meta(meta::MetaFormat { encoded_key: true, .. })))
    }

    /// Whether this is the plain read of a key in the client's bytes.
    #[inline]
    pub(super) fn is_plain_read(&self) -> bool {
        matches!(
            self.task,
            Task::Command(Operation::Get { touch: None }, ReplyFormat::Found { .. } | ReplyFormat::Packet(_))
        )
    }

    /// Flags and expiry, if this is a `set` without conditions or options.
    #[inline]
    pub(super) fn plain_set(&self) -> Option<(u32, Expiry)> {
        match self.task {
            Task::Command(
                Operation::Store { mode: StoreMode::Set, flags, expiry, compare: None, options, .. },
                ReplyFormat::Status | ReplyFormat::Silent | ReplyFormat::Packet(_),
            ) if options == StoreOptions::default() => Some((flags, expiry)),
            _ => None,
        }
    }

    /// Whether the answer to a command that stores is a status line.
    #[inline]
    pub(super) fn is_status(&self) -> bool {
        matches!(self.task, Task::Command(_, ReplyFormat::Status))
    }

    /// The bytes behind the value in an answer that has one.
    pub(super) fn tail(&self) -> &'static [u8] {
        match self.task {
            Task::Command(_, ReplyFormat::Found { last: true, .. }) => words::LINE_END_AND_END,
            Task::Command(_, ReplyFormat::Found { last: false, .. } | ReplyFormat::Meta(_)) => words::LINE_END,
            _ => b"",
        }
    }

    /// Length of the value that the client sent.
    pub(super) fn value_bytes(&self) -> u32 {
        self.value.length
    }

    #[inline(always)]
    pub(super) fn answer(
        &self,
        out: &mut Vec<u8>,
        input: Input<'_>,
        reply: Option<&Reply<'_>>,
        refusals: &mut Refusals,
    ) {
        match (&self.task, reply) {
            (Task::Command(_, ReplyFormat::Found { cas, last }), reply) => {
                if let Some(Reply::Found(found)) = reply {
                    text::answer_found(out, self.key.of(input.bytes), found, *cas);
                }
                if *last {
                    out.extend_from_slice(words::END);
                }
            }
            (Task::Command(_, ReplyFormat::Meta(meta)), Some(Reply::Item(item))) if meta.single_letters => {
                let (key, flags) = (self.key.of(input.bytes), meta.flags.of(input.bytes));
                meta::answer_plain_get(out, key, flags, item, input.time);
            }
            (Task::Command(_, format @ ReplyFormat::Meta(meta)), Some(reply)) => {
                let echo = meta::Echo {
                    verb: meta.verb,
                    encoded_key: meta.encoded_key,
                    quiet: meta.quiet,
                    flags: meta.flags.of(input.bytes),
                    key: self.key(format, input),
                    value_bytes: self.value.bytes(),
                    time: input.time,
                };
                meta::answer(out, &echo, reply);
            }
            (&Task::Command(_, ReplyFormat::Packet(format)), Some(reply)) => {
                binary::answer(out, format, self.key.of(input.bytes), reply);
            }
            (Task::Command(_, ReplyFormat::Piece), Some(Reply::Piece(value))) => {
                value.for_each_piece(|piece| out.extend_from_slice(piece));
            }
            (Task::Command(operation, ReplyFormat::Status), Some(reply)) => {
                text::answer_status(out, reply, matches!(operation, Operation::Arithmetic { .. }));
            }
            (Task::Answer(text), _) => out.extend_from_slice(text),
            (Task::RefusalText(text), _) => {
                refusals.count(RefusalKind::RequestError);
                out.extend_from_slice(text);
            }
            (&Task::Packet(format, status), _) => {
                if status != binary::PacketStatus::Success {
                    refusals.count(RefusalKind::RequestError);
                }
                binary::status(out, format, status);
            }
            (
                Task::Command(
                    _,
                    ReplyFormat::Silent
                    | ReplyFormat::Status
                    | ReplyFormat::Meta(_)
                    | ReplyFormat::Packet(_)
                    | ReplyFormat::Piece,
                ),
                _,
            ) => {}
        }
    }
}
