//! From replies to the words of the meta commands.

use super::{MetaVerb, flags::expiry_of, key::encode_key, words};
use crate::{
    clock::{Expiry, Time},
    protocol::token::Tokens,
    reply::{Fetched, Reply},
    statistics::class_of,
};
use alloc::vec::Vec;

/// The parts of a request that its answer needs.
#[derive(Clone, Copy, Debug)]
pub struct Echo<'a> {
    /// Which command.
    pub verb: MetaVerb,
    /// The key came in base64.
    pub encoded_key: bool,
    /// Leave out the usual answer.
    pub quiet: bool,
    /// The flags, with the spaces between them.
    pub flags: &'a [u8],
    /// The key, decoded.
    pub key: &'a [u8],
    /// The length of the value that was sent.
    pub value_bytes: usize,
    /// For times to live.
    pub time: &'a Time,
}

impl<'a> Echo<'a> {
    fn tokens(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let flags = self.flags;
        Tokens::new(flags).map(move |flag| flag.of(flags))
    }

    fn asks(&self, letter: u8) -> bool {
        self.tokens().any(|flag| flag.first() == Some(&letter))
    }
}

/// Appends the answer to a meta command.
#[inline(never)]
pub fn answer(out: &mut Vec<u8>, echo: &Echo<'_>, reply: &Reply<'_>) {
    match (echo.verb, reply) {
        (MetaVerb::Get, Reply::Item(item)) => found(out, echo, item),
        (MetaVerb::Get, Reply::Missing) if echo.quiet => {}
        _ => answer_otherwise(out, echo, reply),
    }
}

#[inline(never)]
fn answer_otherwise(out: &mut Vec<u8>, echo: &Echo<'_>, reply: &Reply<'_>) {
    match (echo.verb, reply) {
        (MetaVerb::Debug, Reply::Item(item)) => debug(out, echo, item),
        (MetaVerb::Debug, Reply::Missing) => out.extend_from_slice(b"EN\r\n"),
        (MetaVerb::Get, Reply::Missing) => status(out, echo, b"EN", 0, 0),
        (_, Reply::Stored { .. } | Reply::Deleted | Reply::Number { .. }) if echo.quiet => {}
        (_, Reply::Number { value, cas, expiry, created }) => number(out, echo, *value, *cas, *expiry, *created),
        (_, Reply::Stored { cas, value_bytes }) => status(out, echo, b"HD", *cas, *value_bytes as usize),
        (_, Reply::Deleted) => status(out, echo, b"HD", 0, 0),
        (_, Reply::Missing) => status(out, echo, b"NF", 0, echo.value_bytes),
        (_, Reply::NotStored) => status(out, echo, b"NS", 0, echo.value_bytes),
        (_, Reply::Exists) => status(out, echo, b"EX", 0, echo.value_bytes),
        (verb, reply) => out.extend_from_slice(refusal(verb, echo, reply)),
    }
}

fn refusal(verb: MetaVerb, echo: &Echo<'_>, reply: &Reply<'_>) -> &'static [u8] {
    match reply {
        Reply::NonNumeric => words::NON_NUMERIC,
        Reply::TooLarge => words::TOO_LARGE,
        Reply::BadData => words::BAD_DATA_CHUNK,
        Reply::OutOfMemory if verb == MetaVerb::Set => words::OUT_OF_MEMORY_STORING,
        Reply::OutOfMemory if verb == MetaVerb::Arithmetic && echo.asks(b'N') => words::OUT_OF_MEMORY_CREATING,
        Reply::OutOfMemory => words::OUT_OF_MEMORY,
        Reply::Lost => words::SHARD_LOST,
        _ => b"ERROR\r\n",
    }
}

/// A code and the flags that every reply shows. The reply to `ms` also shows unique and size, even on failure.
fn status(out: &mut Vec<u8>, echo: &Echo<'_>, code: &[u8], cas: u64, value_bytes: usize) {
    let sets = echo.verb == MetaVerb::Set;
    out.extend_from_slice(code);
    for flag in echo.tokens() {
        match flag.first() {
            Some(b'O') => repeat(out, flag),
            Some(b'k') => key(out, echo, echo.encoded_key),
            Some(b'c') if sets => numbered(out, b'c', cas),
            Some(b's') if sets => numbered(out, b's', value_bytes as u64),
            _ => {}
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// Flags of any kind. A flag changes the expiry at its place in the line, so a `t` before it shows the old expiry.
#[inline(never)]
fn show_all(out: &mut Vec<u8>, echo: &Echo<'_>, item: &Fetched<'_>) {
    let mut expiry = item.expiry;
    for flag in echo.tokens() {
        let Some((&letter, argument)) = flag.split_first() else { continue };
        match letter {
            b'T' => expiry = expiry_of(argument, echo.time).unwrap_or(expiry),
            b'N' if item.created => expiry = expiry_of(argument, echo.time).unwrap_or(expiry),
            b'O' => repeat(out, flag),
            _ => show(out, echo, item, letter, expiry),
        }
    }
}

/// The answer to an `mg` that found an item.
fn found(out: &mut Vec<u8>, echo: &Echo<'_>, item: &Fetched<'_>) {
    begin_found(out, echo.key, item);
    show_all(out, echo, item);
    end_found(out, item);
}

/// Appends the answer to a [`super::PlainGet`] that found an item. [`answer`] gives the same bytes, but takes longer.
#[inline(never)]
pub fn answer_plain_get(out: &mut Vec<u8>, key: &[u8], flags: &[u8], item: &Fetched<'_>, time: &Time) {
    begin_found(out, key, item);
    for [_, letter] in flags.as_chunks::<2>().0 {
        match letter {
            b'v' | b'q' | b'u' => {}
            b'k' if !item.encoded_key => {
                out.extend_from_slice(b" k");
                out.extend_from_slice(key);
            }
            b'f' if item.flags == 0 => out.extend_from_slice(b" f0"),
            _ => show_rarer(out, key, *letter, item, time),
        }
    }
    end_found(out, item);
}

#[inline(never)]
fn show_rarer(out: &mut Vec<u8>, key: &[u8], letter: u8, item: &Fetched<'_>, time: &Time) {
    let echo = Echo { verb: MetaVerb::Get, encoded_key: false, quiet: false, flags: &[], key, value_bytes: 0, time };
    show(out, &echo, item, letter, item.expiry);
}

#[inline(always)]
fn begin_found(out: &mut Vec<u8>, key: &[u8], item: &Fetched<'_>) {
    out.reserve(item.value.map_or(0, |value| value.bytes_here()) + 2 * key.len() + 128);
    match item.value {
        Some(value) => {
            out.extend_from_slice(b"VA ");
            decimal(out, value.len() as u64);
        }
        None => out.extend_from_slice(b"HD"),
    }
}

#[inline(always)]
fn end_found(out: &mut Vec<u8>, item: &Fetched<'_>) {
    if item.taken | item.stale | item.won {
        for (holds, mark) in [(item.taken, b" Z"), (item.stale, b" X"), (item.won, b" W")] {
            if holds {
                out.extend_from_slice(mark);
            }
        }
    }
    out.extend_from_slice(b"\r\n");
    if let Some(value) = item.value {
        value.for_each_piece(|piece| out.extend_from_slice(piece));
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends the detail of an item that a letter names.
#[inline(never)]
fn show(out: &mut Vec<u8>, echo: &Echo<'_>, item: &Fetched<'_>, letter: u8, expiry: Expiry) {
    match letter {
        b's' => numbered(out, b's', u64::from(item.value_bytes)),
        b't' => time_to_live(out, expiry, echo.time),
        b'c' => numbered(out, b'c', item.cas),
        b'f' => numbered(out, b'f', u64::from(item.flags)),
        b'l' => numbered(out, b'l', u64::from(item.idle_s)),
        b'h' => numbered(out, b'h', u64::from(item.fetched)),
        b'k' => key(out, echo, item.encoded_key),
        _ => {}
    }
}

/// The answer to an `ma` that succeeded.
fn number(out: &mut Vec<u8>, echo: &Echo<'_>, value: u64, cas: u64, mut expiry: Expiry, created: bool) {
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(value).as_bytes();
    let shows_value = echo.asks(b'v');
    if shows_value {
        out.extend_from_slice(b"VA ");
        decimal(out, digits.len() as u64);
    } else {
        out.extend_from_slice(b"HD");
    }
    for flag in echo.tokens() {
        let Some((letter, argument)) = flag.split_first() else { continue };
        match letter {
            b'T' => expiry = expiry_of(argument, echo.time).unwrap_or(expiry),
            b'N' if created => expiry = expiry_of(argument, echo.time).unwrap_or(expiry),
            b't' => time_to_live(out, expiry, echo.time),
            b'c' => numbered(out, b'c', cas),
            b'O' => repeat(out, flag),
            b'k' => key(out, echo, echo.encoded_key),
            _ => {}
        }
    }
    out.extend_from_slice(b"\r\n");
    if shows_value {
        out.extend_from_slice(digits);
        out.extend_from_slice(b"\r\n");
    }
}

fn debug(out: &mut Vec<u8>, echo: &Echo<'_>, item: &Fetched<'_>) {
    out.extend_from_slice(b"ME ");
    if item.encoded_key || breaks_line(echo.key) {
        encode_key(out, echo.key);
    } else {
        out.extend_from_slice(echo.key);
    }
    let named = |out: &mut Vec<u8>, name: &[u8], value: u64| {
        out.extend_from_slice(name);
        decimal(out, value);
    };
    match echo.time.left_s(item.expiry) {
        None => out.extend_from_slice(b" exp=-1"),
        Some(left_s) => named(out, b" exp=", left_s.into()),
    }
    named(out, b" la=", u64::from(item.idle_s));
    named(out, b" cas=", item.cas);
    out.extend_from_slice(if item.fetched { b" fetch=yes" } else { b" fetch=no" });
    named(out, b" cls=", class_of(item.item_bytes as usize) as u64);
    named(out, b" size=", u64::from(item.item_bytes));
    out.extend_from_slice(b"\r\n");
}

/// A key that cannot stand in a line as it is (it came in base64, or over another protocol).
fn breaks_line(key: &[u8]) -> bool {
    key.iter().any(|byte| matches!(byte, b' ' | b'\n'))
}

fn key(out: &mut Vec<u8>, echo: &Echo<'_>, encoded: bool) {
    out.extend_from_slice(b" k");
    // A key that arrived as a token of a line is safe in a line.
    if encoded || echo.encoded_key && breaks_line(echo.key) {
        encode_key(out, echo.key);
        out.extend_from_slice(b" b");
    } else {
        out.extend_from_slice(echo.key);
    }
}

fn repeat(out: &mut Vec<u8>, flag: &[u8]) {
    out.push(b' ');
    out.extend_from_slice(flag);
}

#[inline]
fn numbered(out: &mut Vec<u8>, letter: u8, value: u64) {
    if value == 0 {
        out.extend_from_slice(&[b' ', letter, b'0']);
        return;
    }
    out.extend_from_slice(&[b' ', letter]);
    decimal(out, value);
}

/// Seconds; -1 is for ever. An item that expires by this command has 0.
fn time_to_live(out: &mut Vec<u8>, expiry: Expiry, time: &Time) {
    match time.left_s(expiry) {
        None => out.extend_from_slice(b" t-1"),
        Some(left_s) => numbered(out, b't', left_s.into()),
    }
}

fn decimal(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}
