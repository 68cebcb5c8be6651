//! From bytes to requests. Total: no input panics, and the lints below keep it so.

#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::arithmetic_side_effects)]

use super::{
    MetaFormat, MetaRequest, MetaVerb,
    flags::{self, Flags, Letters},
    key, words,
};
use crate::{
    clock::Expiry,
    command::{ArithmeticOptions, Create, Direction, Discard, Fetch, Operation, Renew, StoreMode, StoreOptions},
    limits,
    protocol::{
        Context, KeyRequest, Span, Verdict,
        token::{self, Tokens},
    },
};
use core::num::NonZeroU64;

/// Whether `input` begins with a meta command. A request whose first word is not whole does not: it is incomplete for
/// the text protocol, too.
#[inline]
pub fn recognizes(input: &[u8]) -> bool {
    match input {
        [b'm', second, rest @ ..] if b"gsdane".contains(second) => {
            matches!(rest, [b' ' | b'\n', ..] | [b'\r', b'\n', ..])
        }
        _ => false,
    }
}

/// See [`parse_plain_get`].
#[derive(Clone, Copy, Debug)]
pub struct PlainGet {
    /// Place of the key.
    pub key: Span,
    /// A [`Fetch`].
    pub operation: Operation<'static>,
    /// Details of the request that only the encoder needs.
    pub format: MetaFormat,
    /// The line's bytes with its end.
    pub consumed: usize,
}

/// Parses the usual form of `mg`: a key, and flags of one letter that change nothing, each behind one space. [`parse`]
/// gives the same request, but takes longer. `None`: the line has another form, for `parse`.
#[inline]
pub fn parse_plain_get(input: &[u8]) -> Option<PlainGet> {
    let [b'm', b'g', b' ', rest @ ..] = input else { return None };
    let key_bytes = token::until_blank(rest.get(..=limits::KEY_BYTES_MAX).unwrap_or(rest));
    if key_bytes == 0 || key_bytes > limits::KEY_BYTES_MAX {
        return None;
    }
    let (start, mut end) = (3usize, key_bytes);
    let mut letters = Letters::default();
    let end_bytes = loop {
        match rest.get(end..)? {
            [b' ', letter, ..] => letters = letters.with(*letter)?,
            [b'\r', b'\n', ..] => break 2,
            [b'\n', ..] => break 1,
            _ => return None,
        }
        end = end.saturating_add(2);
    };
    let operation = Operation::Fetch(Fetch {
        value: letters.has(b'v'),
        unless: None,
        is_use: !letters.has(b'u'),
        asks_use: letters.has(b'h') || letters.has(b'l'),
        touch: None,
        create: None,
        renew: Renew::No,
        tentative: false,
    });
    let (key_end, end) = (start.saturating_add(key_bytes), start.saturating_add(end));
    let format = MetaFormat {
        verb: MetaVerb::Get,
        encoded_key: false,
        quiet: letters.has(b'q'),
        single_letters: true,
        flags: Span::new(key_end, end),
    };
    Some(PlainGet { key: Span::new(start, key_end), operation, format, consumed: end.saturating_add(end_bytes) })
}

/// Parses the first request of `input`, for which [`recognizes`] holds.
pub fn parse(input: &[u8], context: &Context) -> Verdict<MetaRequest> {
    let Some(newline) = memchr::memchr(b'\n', input) else {
        let needed = input.len().saturating_add(1);
        return if input.len() <= limits::LINE_BYTES_MAX { Verdict::Incomplete { needed } } else { Verdict::Close };
    };
    let consumed = newline.saturating_add(1);
    let before = input.get(..newline).unwrap_or_default();
    let line = before.strip_suffix(b"\r").unwrap_or(before);
    let l = MetaLine { input, line, consumed, context };
    if consumed < 4 {
        return l.answer(words::BAD_FORMAT);
    }
    let parsed = match line.get(1) {
        Some(b'g') => l.get(),
        Some(b's') => return l.set(),
        Some(b'd') => l.delete(),
        Some(b'a') => l.arithmetic(),
        Some(b'e') => l.debug(),
        _ => Err(words::NOTHING),
    };
    match parsed {
        Ok(request) => Verdict::Complete { request: MetaRequest::Command(request), consumed },
        Err(text) => l.answer(text),
    }
}

/// A whole line and its context.
struct MetaLine<'a> {
    input: &'a [u8],
    line: &'a [u8],
    /// The line's bytes with its end.
    consumed: usize,
    context: &'a Context,
}

impl MetaLine<'_> {
    fn answer(&self, text: &'static [u8]) -> Verdict<MetaRequest> {
        self.refuse(text, 0)
    }

    fn refuse(&self, text: &'static [u8], swallow: u64) -> Verdict<MetaRequest> {
        Verdict::Complete { request: MetaRequest::Answer { text, swallow }, consumed: self.consumed }
    }

    /// The token after the command's name, and where the flags are that follow it.
    fn key(&self) -> Result<(Span, Span), &'static [u8]> {
        let mut tokens = Tokens::new(self.line);
        tokens.next();
        let key = tokens.next().ok_or(words::BAD_FORMAT)?;
        let flags = self.flags_after(key);
        if flags::are_flags(flags.of(self.line)) { Ok((key, flags)) } else { Err(words::BAD_FORMAT) }
    }

    fn flags_after(&self, token: Span) -> Span {
        Span::new((token.start as usize).saturating_add(token.bytes()), self.line.len())
    }

    fn read(&self, key: Span, flags: Span, tokens_before: usize) -> Result<Flags, &'static [u8]> {
        Flags::read(key.of(self.line), flags.of(self.line), tokens_before, &self.context.time)
    }

    fn get(&self) -> Result<KeyRequest<MetaFormat>, &'static [u8]> {
        let (key, span) = self.key()?;
        let flags = self.read(key, span, 2)?;
        if flags.long_opaque {
            return Err(words::LONG_OPAQUE);
        }
        let renew = match (flags.renew, flags.touch) {
            (None, _) => Renew::No,
            // Flags take effect in the order of the line: `R` compares with the expiry that `T` before it gives.
            (Some(renew), Some(touch)) if touch.position < renew.position => {
                let due = touch.expiry != Expiry::NEVER && touch.expiry.0 < renew.expiry.0;
                if due { Renew::Now } else { Renew::No }
            }
            (Some(renew), _) => Renew::Before(renew.expiry),
        };
        let operation = Operation::Fetch(Fetch {
            value: flags.value,
            unless: flags.compare,
            is_use: !flags.unused,
            asks_use: flags.asks_use,
            touch: flags.touch.map(|touch| touch.expiry),
            create: flags.expiry_created().map(|expiry| Create { expiry, unique: flags.unique }),
            renew,
            tentative: false,
        });
        Ok(request(MetaVerb::Get, key, span, &flags, operation))
    }

    fn delete(&self) -> Result<KeyRequest<MetaFormat>, &'static [u8]> {
        let (key, span) = self.key()?;
        let flags = self.read(key, span, 2)?;
        if flags.long_opaque {
            return Err(words::LONG_OPAQUE);
        }
        let operation = Operation::Discard(Discard {
            compare: flags.compare,
            empty: flags.empty.then_some(flags.client_flags),
            stale: flags.stale,
            touch: flags.touch.map(|touch| touch.expiry),
            unique: flags.unique,
        });
        Ok(request(MetaVerb::Delete, key, span, &flags, operation))
    }

    fn arithmetic(&self) -> Result<KeyRequest<MetaFormat>, &'static [u8]> {
        let (key, span) = self.key()?;
        let flags = self.read(key, span, 2).map_err(|_| words::INVALID_OR_DUPLICATE)?;
        let direction = match flags.mode {
            None | Some(b'I' | b'+') => Direction::Increment,
            Some(b'D' | b'-') => Direction::Decrement,
            Some(_) => return Err(words::BAD_MODE_ARITHMETIC),
        };
        if flags.long_opaque {
            return Err(words::LONG_OPAQUE);
        }
        let options = ArithmeticOptions {
            compare: flags.compare.and_then(NonZeroU64::new),
            unique: flags.unique,
            touch: flags.touch.map(|touch| touch.expiry),
            initial: flags.expiry_created().map(|expiry| (flags.initial, expiry)),
        };
        let operation = Operation::Arithmetic { direction, delta: flags.delta.unwrap_or(1), options };
        Ok(request(MetaVerb::Arithmetic, key, span, &flags, operation))
    }

    /// `me` has one flag and ignores all others.
    fn debug(&self) -> Result<KeyRequest<MetaFormat>, &'static [u8]> {
        let (key, span) = self.key()?;
        if key.bytes() > limits::KEY_BYTES_MAX {
            return Err(words::BAD_FORMAT);
        }
        let encoded_key = Tokens::new(span.of(self.line)).next_bytes() == b"b";
        if encoded_key && key::decoded_bytes(key.of(self.line)).is_none() {
            return Err(words::BAD_FORMAT);
        }
        let flags = Flags { encoded_key, ..Flags::default() };
        Ok(request(MetaVerb::Debug, key, span, &flags, Operation::Inspect))
    }

    fn set(&self) -> Verdict<MetaRequest> {
        let mut tokens = Tokens::new(self.line).skip(1);
        let (Some(key), Some(bytes)) = (tokens.next(), tokens.next()) else { return self.answer(words::BAD_FORMAT) };
        let span = self.flags_after(bytes);
        // Until the length is known there is no data block to skip: the bytes that follow are parsed as commands.
        let length = match token::digits_u32(bytes.of(self.line)) {
            Some(length) if length <= limits::DATA_BYTES_MAX && flags::are_flags(span.of(self.line)) => length as usize,
            _ => return self.answer(words::BAD_FORMAT),
        };
        let block_bytes = length.saturating_add(2);
        let flags = match self.read(key, span, 3) {
            Ok(flags) => flags,
            Err(text) => return self.refuse(text, block_bytes as u64),
        };
        let Some(operation) = store(&flags) else { return self.refuse(words::BAD_MODE_SET, block_bytes as u64) };
        let made = request(MetaVerb::Set, key, span, &flags, operation);
        if self.context.is_too_large(flags.key_bytes, length, flags.client_flags) {
            // In every mode, the present item is older than the client's value.
            let operation = Operation::RefuseLarge { unlink: true };
            let request = MetaRequest::Command(KeyRequest { operation, swallow: block_bytes as u64, ..made });
            return Verdict::Complete { request, consumed: self.consumed };
        }
        if flags.long_opaque {
            return self.refuse(words::LONG_OPAQUE, block_bytes as u64);
        }
        let end = self.consumed.saturating_add(block_bytes);
        let Some(block) = self.input.get(self.consumed..end) else { return Verdict::Incomplete { needed: end } };
        let request = if block.ends_with(b"\r\n") {
            let value = Span::new(self.consumed, self.consumed.saturating_add(length));
            KeyRequest { value, ..made }
        } else {
            KeyRequest { operation: Operation::RefuseData, ..made }
        };
        Verdict::Complete { request: MetaRequest::Command(request), consumed: end }
    }
}

/// The operation of `ms`; `None` if there is no such mode.
fn store(flags: &Flags) -> Option<Operation<'static>> {
    let mode = match flags.mode {
        None | Some(b'S') => StoreMode::Set,
        Some(b'E') => StoreMode::Add,
        Some(b'A') => StoreMode::Append,
        Some(b'P') => StoreMode::Prepend,
        Some(b'R') => StoreMode::Replace,
        Some(_) => return None,
    };
    let grows = matches!(mode, StoreMode::Append | StoreMode::Prepend);
    let compare = match mode {
        StoreMode::Add => None,
        // Zero is no unique: here it is ignored, elsewhere it matches no item.
        StoreMode::Append | StoreMode::Prepend => flags.compare.filter(|&compare| compare != 0),
        StoreMode::Set | StoreMode::Replace => flags.compare,
    };
    // With a unique to compare with, the item must be present.
    let mode = if mode == StoreMode::Replace && compare.is_some() { StoreMode::Set } else { mode };
    let timed = if grows && flags.create.is_some() { flags.create } else { flags.touch };
    let options = StoreOptions {
        unique: flags.unique.and_then(NonZeroU64::new),
        stale: flags.stale && mode == StoreMode::Set && compare.is_some(),
        create: grows && flags.create.is_some(),
        encoded_key: flags.encoded_key,
    };
    let expiry = timed.map_or(Expiry::NEVER, |timed| timed.expiry);
    Some(Operation::Store { mode, flags: flags.client_flags, expiry, compare, options, value: &[] })
}

fn request(
    verb: MetaVerb,
    key: Span,
    span: Span,
    flags: &Flags,
    operation: Operation<'static>,
) -> KeyRequest<MetaFormat> {
    let format =
        MetaFormat { verb, encoded_key: flags.encoded_key, quiet: flags.quiet, single_letters: false, flags: span };
    KeyRequest { key, value: Span::default(), operation, format, swallow: 0 }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a test may panic")]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const CONTEXT: Context = Context::permissive(1 << 20, 1_800_000_000);

    #[test]
    fn the_parser_of_plain_gets_agrees_with_the_general_one() {
        // All lines of up to four words from a list that has every kind of word.
        let words: [&[u8]; 19] = [
            b" k", b" f", b" v", b" q", b" u", b" h", b" l", b" t", b" c", b" s", b" b", b" T5", b" O1", b" vv", b" ",
            b" !", b" \x80", b"\r", b"\n",
        ];
        let mut quick = 0;
        for key in [&b" key"[..], b"  key", b" ", b" k\xffy", b" k\ry", b" k\x01"] {
            for number in 0..19usize.pow(4) {
                let places = [1, 19, 19 * 19, 19 * 19 * 19].map(|place| words[number / place % 19]);
                for (count, end) in [(4, &b"\r\n"[..]), (4, b"\n"), (2, b"\r\n"), (0, b"\r\n"), (0, b"\r")] {
                    let line: Vec<u8> = [b"mg", key, &places[..count].concat(), end, b"mn\r\n"].concat();
                    if let Some(PlainGet { key, operation, format, consumed }) = parse_plain_get(&line) {
                        let request = KeyRequest { key, value: Span::default(), operation, format, swallow: 0 };
                        // The requests differ only in the encoder of the flags.
                        let plain = |general: KeyRequest<MetaFormat>| KeyRequest {
                            format: MetaFormat { single_letters: true, ..general.format },
                            ..general
                        };
                        let Verdict::Complete { request: MetaRequest::Command(general), consumed: all } =
                            parse(&line, &CONTEXT)
                        else {
                            panic!("{}", line.escape_ascii());
                        };
                        assert_eq!((request, consumed), (plain(general), all), "{}", line.escape_ascii());
                        quick += 1;
                    }
                    if number >= 19 * 19 {
                        break;
                    }
                }
            }
        }
        assert!(quick > 5000, "{quick}");
        for length in [1, limits::KEY_BYTES_MAX, limits::KEY_BYTES_MAX + 1] {
            let line = [b"mg ".to_vec(), alloc::vec![b'k'; length], b" v\r\n".to_vec()].concat();
            assert_eq!(parse_plain_get(&line).is_some(), length <= limits::KEY_BYTES_MAX);
        }
        assert!(parse_plain_get(b"mg k k f v q\r\n").is_some(), "what clients send");
        for unfinished in [&b""[..], b"mg", b"mg ", b"mg k", b"mg k ", b"mg k v", b"mg k v\r"] {
            assert!(parse_plain_get(unfinished).is_none());
        }
    }
}
