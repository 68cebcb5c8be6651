//! From bytes to requests. Total: no input panics, and the lints below keep it so.

#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::arithmetic_side_effects)]

use super::{HEADER_BYTES, MAGIC_REQUEST, PacketFormat, PacketLogin, PacketRequest, PacketStatus, PacketVerb};
use crate::{
    clock::Expiry,
    command::{ArithmeticOptions, Direction, Discard, Operation, StoreMode, StoreOptions, Touched},
    limits,
    protocol::{
        Context, KeyRequest, Span, Verdict,
        control::{Control, Detail, Flush, StatisticsGroup},
    },
};
use core::num::NonZeroU64;

/// Parses the first packet of `input`. `locked`: before a login, most packets are refused.
#[inline]
pub fn parse(input: &[u8], context: &Context, locked: bool) -> Verdict<PacketRequest> {
    let Some((header, rest)) = input.split_first_chunk::<HEADER_BYTES>() else {
        return Verdict::Incomplete { needed: HEADER_BYTES };
    };
    let [magic, opcode, k0, k1, extras, _, _, _, b0, b1, b2, b3, o0, o1, o2, o3, cas @ ..] = *header;
    if magic != MAGIC_REQUEST {
        return Verdict::Close;
    }
    let (extras_bytes, key_bytes) = (usize::from(extras), usize::from(u16::from_be_bytes([k0, k1])));
    let head_bytes = HEADER_BYTES.saturating_add(extras_bytes).saturating_add(key_bytes);
    // A key that is too long closes the connection, so the parser does not wait for it.
    let consumed = if key_bytes > limits::KEY_BYTES_MAX { HEADER_BYTES } else { head_bytes };
    if input.len() < consumed {
        return Verdict::Incomplete { needed: consumed };
    }
    let (verb, quiet) = PacketVerb::of(opcode);
    let packet = Packet {
        input,
        extras: rest.get(..extras_bytes).unwrap_or_default(),
        key: Span::new(HEADER_BYTES.saturating_add(extras_bytes), head_bytes),
        head_bytes,
        consumed,
        body_bytes: u32::from_be_bytes([b0, b1, b2, b3]),
        cas: u64::from_be_bytes(cas),
        format: PacketFormat { opcode, verb, quiet, creates: false, opaque: u32::from_be_bytes([o0, o1, o2, o3]) },
        context,
    };
    packet.request(locked)
}

/// The format of the answer to the packet that begins `input`; `None`: its header is not whole.
pub fn format_of(input: &[u8]) -> Option<PacketFormat> {
    let [_, opcode, _, _, _, _, _, _, _, _, _, _, o0, o1, o2, o3, ..] = *input.first_chunk::<HEADER_BYTES>()?;
    let (verb, quiet) = PacketVerb::of(opcode);
    Some(PacketFormat { opcode, verb, quiet, creates: false, opaque: u32::from_be_bytes([o0, o1, o2, o3]) })
}

/// A packet with its header, extras and key; a key that is too long may be missing.
struct Packet<'a> {
    input: &'a [u8],
    extras: &'a [u8],
    key: Span,
    head_bytes: usize,
    /// Bytes of the packet without its value.
    consumed: usize,
    body_bytes: u32,
    cas: u64,
    format: PacketFormat,
    context: &'a Context,
}

impl Packet<'_> {
    #[inline]
    fn request(&self, locked: bool) -> Verdict<PacketRequest> {
        if self.body_bytes > limits::ITEM_BYTES_MAX_MAX {
            return self.refuse_and_close(PacketStatus::Invalid);
        }
        let Some(value_bytes) = self.value_bytes() else { return self.refuse_and_close(PacketStatus::UnknownCommand) };
        if locked && !self.format.verb.is_public() {
            return self.refuse_and_close(PacketStatus::AuthError);
        }
        if self.key.bytes() > limits::KEY_BYTES_MAX {
            return self.refuse_and_close(PacketStatus::Invalid);
        }
        let (key_bytes, extras_bytes) = (self.key.bytes(), self.extras.len());
        let has_key = key_bytes > 0;
        let is_bare = !has_key && extras_bytes == 0 && value_bytes == 0;
        let valued = match self.format.verb {
            PacketVerb::Get | PacketVerb::GetWithKey if extras_bytes == 0 && has_key && value_bytes == 0 => {
                return self.command(Operation::Get { touch: None });
            }
            PacketVerb::Set | PacketVerb::Add | PacketVerb::Replace if extras_bytes == 8 && has_key => {
                return self.store(value_bytes);
            }
            PacketVerb::Append | PacketVerb::Prepend if extras_bytes == 0 && has_key => return self.store(value_bytes),
            PacketVerb::Delete if extras_bytes == 0 && has_key && value_bytes == 0 => Some(self.delete()),
            PacketVerb::Increment if extras_bytes == 20 && has_key && value_bytes == 0 => {
                return self.arithmetic(Direction::Increment);
            }
            PacketVerb::Decrement if extras_bytes == 20 && has_key && value_bytes == 0 => {
                return self.arithmetic(Direction::Decrement);
            }
            PacketVerb::Touch if extras_bytes == 4 && has_key && value_bytes == 0 => {
                Some(self.touch(Touched::Attributes))
            }
            PacketVerb::GetAndTouch | PacketVerb::GetAndTouchWithKey
                if extras_bytes == 4 && has_key && value_bytes == 0 =>
            {
                Some(self.touch(Touched::Value))
            }
            PacketVerb::Noop | PacketVerb::Version if is_bare => return self.answer(PacketStatus::Success, 0, false),
            PacketVerb::Quit if is_bare && self.format.quiet => return self.complete(PacketRequest::Quit),
            PacketVerb::Quit if is_bare => return self.answer(PacketStatus::Success, 0, true),
            PacketVerb::Flush if !has_key && value_bytes == 0 && matches!(extras_bytes, 0 | 4) => return self.flush(),
            PacketVerb::Stat if extras_bytes == 0 && value_bytes == 0 => return self.stat(),
            PacketVerb::SaslList if is_bare => return self.login(0),
            PacketVerb::SaslAuth | PacketVerb::SaslStep if extras_bytes == 0 && has_key => {
                return self.login(value_bytes);
            }
            PacketVerb::Unknown => return self.answer(PacketStatus::UnknownCommand, value_bytes as u64, false),
            _ => None,
        };
        match valued {
            Some(operation) => self.command(operation),
            None => self.refuse_and_close(PacketStatus::Invalid),
        }
    }

    /// Bytes of the body behind extras and key; `None` if it is too short for those.
    fn value_bytes(&self) -> Option<usize> {
        let body_end = HEADER_BYTES.saturating_add(self.body_bytes as usize);
        body_end.checked_sub(self.head_bytes)
    }

    fn complete(&self, request: PacketRequest) -> Verdict<PacketRequest> {
        Verdict::Complete { request, consumed: self.consumed }
    }

    fn answer(&self, status: PacketStatus, swallow: u64, closes: bool) -> Verdict<PacketRequest> {
        self.complete(PacketRequest::Answer { format: self.format, status, swallow, closes })
    }

    /// The next packet cannot be found behind this one.
    fn refuse_and_close(&self, status: PacketStatus) -> Verdict<PacketRequest> {
        self.answer(status, 0, true)
    }

    #[inline]
    fn command(&self, operation: Operation<'static>) -> Verdict<PacketRequest> {
        let (key, format) = (self.key, self.format);
        self.complete(PacketRequest::Command(KeyRequest { key, value: Span::default(), operation, format, swallow: 0 }))
    }

    fn store(&self, value_bytes: usize) -> Verdict<PacketRequest> {
        let (key, format) = (self.key, self.format);
        if self.context.is_too_large(key.bytes(), value_bytes, self.word(0)) {
            let operation = Operation::RefuseLarge { unlink: format.verb == PacketVerb::Set };
            let swallow = value_bytes as u64;
            return self.complete(PacketRequest::Command(KeyRequest {
                key,
                value: Span::default(),
                operation,
                format,
                swallow,
            }));
        }
        let end = self.head_bytes.saturating_add(value_bytes);
        if self.input.len() < end {
            return Verdict::Incomplete { needed: end };
        }
        // Without uniques there is nothing to compare with, and stores ignore it.
        let compare = (self.cas != 0 && self.context.cas).then_some(self.cas);
        let mode = match format.verb {
            PacketVerb::Append => StoreMode::Append,
            PacketVerb::Prepend => StoreMode::Prepend,
            // With a unique to compare with, the item must be present, even for `add`.
            _ if compare.is_some() => StoreMode::Set,
            PacketVerb::Add => StoreMode::Add,
            PacketVerb::Replace => StoreMode::Replace,
            _ => StoreMode::Set,
        };
        let (flags, expiry) = (self.word(0), self.expiry(4));
        let options = StoreOptions::default();
        let operation = Operation::Store { mode, flags, expiry, compare, options, value: &[] };
        let value = Span::new(self.head_bytes, end);
        let request = PacketRequest::Command(KeyRequest { key, value, operation, format, swallow: 0 });
        Verdict::Complete { request, consumed: end }
    }

    fn delete(&self) -> Operation<'static> {
        match self.cas {
            0 => Operation::Delete,
            cas => Operation::Discard(Discard { compare: Some(cas), ..Discard::default() }),
        }
    }

    fn arithmetic(&self, direction: Direction) -> Verdict<PacketRequest> {
        const DO_NOT_CREATE: u32 = u32::MAX;
        let initial = (self.word(16) != DO_NOT_CREATE).then(|| (self.long(8), self.expiry(16)));
        let options = ArithmeticOptions { compare: NonZeroU64::new(self.cas), initial, ..ArithmeticOptions::default() };
        let operation = Operation::Arithmetic { direction, delta: self.long(0), options };
        let format = PacketFormat { creates: initial.is_some(), ..self.format };
        let (key, value) = (self.key, Span::default());
        self.complete(PacketRequest::Command(KeyRequest { key, value, operation, format, swallow: 0 }))
    }

    fn touch(&self, touched: Touched) -> Operation<'static> {
        Operation::Touch { expiry: self.expiry(0), touched }
    }

    fn flush(&self) -> Verdict<PacketRequest> {
        if !self.context.permissions.flush {
            return self.answer(PacketStatus::AuthError, 0, false);
        }
        self.control(Control::Flush(Flush::At { exptime: i64::from(self.word(0)) }))
    }

    /// A prefix names a group where memcached accepts one.
    fn stat(&self) -> Verdict<PacketRequest> {
        let group = match self.key.of(self.input) {
            b"" => StatisticsGroup::General,
            key if key.starts_with(b"reset") => StatisticsGroup::Reset,
            key if key.starts_with(b"settings") => StatisticsGroup::Settings,
            key if key.starts_with(b"detail") && !self.context.permissions.dump => {
                return self.answer(PacketStatus::NotFound, 0, false);
            }
            key if key.starts_with(b"detail dump") => StatisticsGroup::Detail(Detail::Dump),
            key if key.starts_with(b"detail on") => StatisticsGroup::Detail(Detail::On),
            key if key.starts_with(b"detail off") => StatisticsGroup::Detail(Detail::Off),
            b"items" => StatisticsGroup::Items,
            b"slabs" => StatisticsGroup::Slabs,
            b"sizes" => StatisticsGroup::Sizes,
            _ => return self.answer(PacketStatus::NotFound, 0, false),
        };
        self.control(Control::Statistics(group))
    }

    fn control(&self, control: Control) -> Verdict<PacketRequest> {
        self.complete(PacketRequest::Control { control, format: self.format })
    }

    fn login(&self, message_bytes: usize) -> Verdict<PacketRequest> {
        if !self.context.sasl {
            return self.answer(PacketStatus::UnknownCommand, message_bytes as u64, false);
        }
        if self.key.bytes() > limits::SASL_MECHANISM_BYTES_MAX {
            return self.answer(PacketStatus::Invalid, message_bytes as u64, false);
        }
        if message_bytes > limits::SASL_MESSAGE_BYTES_MAX {
            return self.answer(PacketStatus::AuthError, message_bytes as u64, false);
        }
        let end = self.head_bytes.saturating_add(message_bytes);
        if self.input.len() < end {
            return Verdict::Incomplete { needed: end };
        }
        let login = PacketLogin { format: self.format, mechanism: self.key, message: Span::new(self.head_bytes, end) };
        Verdict::Complete { request: PacketRequest::Login(login), consumed: end }
    }

    /// Four bytes of the extras; zero if they are missing.
    fn word(&self, at: usize) -> u32 {
        self.extras.get(at..).and_then(|bytes| bytes.first_chunk()).map_or(0, |bytes| u32::from_be_bytes(*bytes))
    }

    fn long(&self, at: usize) -> u64 {
        self.extras.get(at..).and_then(|bytes| bytes.first_chunk()).map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }

    /// Without a sign: every number beyond thirty days is an absolute time.
    fn expiry(&self, at: usize) -> Expiry {
        Expiry::from_exptime(i64::from(self.word(at)), &self.context.time)
    }
}
