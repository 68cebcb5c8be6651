//! The binary protocol. Its first byte, [`MAGIC_REQUEST`], distinguishes it from text. The first byte of a connection
//! decides for its whole life.
//!
//! ```text
//! packet   = header extras key value       numbers are big endian
//! header   = magic opcode key_bytes:2 extras_bytes reserved status_or_vbucket:2 body_bytes:4 opaque:4 cas:8
//! get      = key                           getq getk getkq                    answer: flags, [key,] value
//! store    = flags:4 exptime:4 key value   set add replace, setq addq replaceq
//! grow     = key value                     append prepend, appendq prependq
//! delete   = key                           deleteq
//! count    = delta:8 initial:8 exptime:4 key                incr decr, incrq decrq           answer: value:8
//! touch    = exptime:4 key                 gat gatq gatk gatkq                answer: flags, [key,] value (touch: flags)
//! flush    = [exptime:4]                   flushq
//! stat     = [key]                         answer: a packet a statistic, then an empty one
//! plain    = noop version quit quitq sasl_list
//! sasl     = mechanism(key) value          sasl_auth sasl_step
//! ```
//!
//! The quiet form of a read leaves out a miss; that of any other request leaves out success. The opaque comes back. A
//! `cas` that is not zero makes any store, delete or count conditional. A packet with wrong
//! lengths is refused, and the connection closes; an unknown opcode is refused, and its body skipped.

mod encode;
mod parse;
mod statistics;

pub use encode::{answer, login, out_of_memory_reading, status};
pub use parse::{format_of, parse};
pub use statistics::{encode_statistics, end_statistics};

use super::{KeyRequest, Span, control::Control};

/// The first byte of a request.
pub const MAGIC_REQUEST: u8 = 0x80;
/// The first byte of an answer.
pub const MAGIC_ANSWER: u8 = 0x81;
/// Length of the header of every packet.
pub const HEADER_BYTES: usize = 24;

/// A request of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketRequest {
    /// A command on one key.
    Command(KeyRequest<PacketFormat>),
    /// A request that needs no execution; `swallow` bytes of body behind it are ignored.
    Answer {
        /// Details of the request.
        format: PacketFormat,
        /// The status of the answer.
        status: PacketStatus,
        /// Bytes of the body that were not parsed.
        swallow: u64,
        /// The connection closes after it.
        closes: bool,
    },
    /// An administrative command.
    Control {
        /// The command.
        control: Control,
        /// Details of the request.
        format: PacketFormat,
    },
    /// A part of a login.
    Login(PacketLogin),
    /// `quitq`: close when everything before it is answered.
    Quit,
}

/// See [`PacketRequest::Login`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketLogin {
    /// `sasl_list`, `sasl_auth` or `sasl_step`.
    pub format: PacketFormat,
    /// The name of the mechanism.
    pub mechanism: Span,
    /// The message for the mechanism.
    pub message: Span,
}

/// Details of a request that only the encoder needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketFormat {
    /// The opcode of the request.
    pub opcode: u8,
    /// The meaning of the opcode.
    pub verb: PacketVerb,
    /// Leave out the usual answer.
    pub quiet: bool,
    /// A count creates a missing item.
    pub creates: bool,
    /// The opaque of the request.
    pub opaque: u32,
}

/// The meaning of an opcode, without the difference between the quiet form and the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the protocol")]
pub enum PacketVerb {
    Get,
    /// `getk`: the answer names the key.
    GetWithKey,
    Set,
    Add,
    Replace,
    Delete,
    Increment,
    Decrement,
    Quit,
    Flush,
    Noop,
    Version,
    Append,
    Prepend,
    Stat,
    Touch,
    GetAndTouch,
    /// `gatk`: the answer names the key.
    GetAndTouchWithKey,
    SaslList,
    SaslAuth,
    SaslStep,
    /// An unknown opcode.
    Unknown,
}

impl PacketVerb {
    /// The meaning of an opcode, and whether it is the quiet form.
    fn of(opcode: u8) -> (Self, bool) {
        match opcode {
            0x00 => (Self::Get, false),
            0x01 => (Self::Set, false),
            0x02 => (Self::Add, false),
            0x03 => (Self::Replace, false),
            0x04 => (Self::Delete, false),
            0x05 => (Self::Increment, false),
            0x06 => (Self::Decrement, false),
            0x07 => (Self::Quit, false),
            0x08 => (Self::Flush, false),
            0x09 => (Self::Get, true),
            0x0a => (Self::Noop, false),
            0x0b => (Self::Version, false),
            0x0c => (Self::GetWithKey, false),
            0x0d => (Self::GetWithKey, true),
            0x0e => (Self::Append, false),
            0x0f => (Self::Prepend, false),
            0x10 => (Self::Stat, false),
            0x11 => (Self::Set, true),
            0x12 => (Self::Add, true),
            0x13 => (Self::Replace, true),
            0x14 => (Self::Delete, true),
            0x15 => (Self::Increment, true),
            0x16 => (Self::Decrement, true),
            0x17 => (Self::Quit, true),
            0x18 => (Self::Flush, true),
            0x19 => (Self::Append, true),
            0x1a => (Self::Prepend, true),
            0x1c => (Self::Touch, false),
            0x1d => (Self::GetAndTouch, false),
            0x1e => (Self::GetAndTouch, true),
            0x20 => (Self::SaslList, false),
            0x21 => (Self::SaslAuth, false),
            0x22 => (Self::SaslStep, false),
            0x23 => (Self::GetAndTouchWithKey, false),
            0x24 => (Self::GetAndTouchWithKey, true),
            _ => (Self::Unknown, false),
        }
    }

    /// It is answered before a login.
    fn is_public(self) -> bool {
        matches!(self, Self::SaslList | Self::SaslAuth | Self::SaslStep | Self::Version)
    }
}

/// The status of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
#[allow(missing_docs, reason = "`text` is the documentation")]
pub enum PacketStatus {
    Success = 0x00,
    NotFound = 0x01,
    Exists = 0x02,
    TooLarge = 0x03,
    Invalid = 0x04,
    NotStored = 0x05,
    NonNumeric = 0x06,
    AuthError = 0x20,
    AuthContinue = 0x21,
    UnknownCommand = 0x81,
    OutOfMemory = 0x82,
    /// A part of the cache was lost. memcached has no such status.
    Internal = 0x84,
}

impl PacketStatus {
    /// The text of the body.
    pub fn text(self) -> &'static [u8] {
        match self {
            Self::Success | Self::AuthContinue => b"",
            Self::NotFound => b"Not found",
            Self::Exists => b"Data exists for key.",
            Self::TooLarge => b"Too large.",
            Self::Invalid => b"Invalid arguments",
            Self::NotStored => b"Not stored.",
            Self::NonNumeric => b"Non-numeric server-side value for incr or decr",
            Self::AuthError => b"Auth failure.",
            Self::UnknownCommand => b"Unknown command",
            Self::OutOfMemory => b"Out of memory allocating item",
            Self::Internal => b"a part of the cache was restarted empty",
        }
    }
}
