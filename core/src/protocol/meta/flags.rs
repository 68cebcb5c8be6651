//! The flags of a meta command: one list for all commands, as memcached has it, so that a flag which one of them knows
//! is no error for another.

#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::arithmetic_side_effects)]

use super::{key, words};
use crate::{
    clock::{Expiry, Time},
    limits,
    protocol::{
        Span,
        token::{self, Tokens},
    },
};

/// The flags of a line, parsed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags {
    /// `b`; `key_bytes` has the length of the decoded key.
    pub(super) encoded_key: bool,
    /// Of the key as the store sees it.
    pub(super) key_bytes: usize,
    /// `q`
    pub(super) quiet: bool,
    /// `v`
    pub(super) value: bool,
    /// `u`
    pub(super) unused: bool,
    /// `h` or `l`
    pub(super) asks_use: bool,
    /// `I`
    pub(super) stale: bool,
    /// `x`
    pub(super) empty: bool,
    /// `O` is longer than it may be.
    pub(super) long_opaque: bool,
    /// `C`
    pub(super) compare: Option<u64>,
    /// `E`
    pub(super) unique: Option<u64>,
    /// `F`
    pub(super) client_flags: u32,
    /// `M`, of which only the first letter counts; a space if there is none.
    pub(super) mode: Option<u8>,
    /// `J`
    pub(super) initial: u64,
    /// `D`
    pub(super) delta: Option<u64>,
    /// `T`
    pub(super) touch: Option<Timed>,
    /// `N`
    pub(super) create: Option<Timed>,
    /// `R`
    pub(super) renew: Option<Timed>,
}

/// An expiry, and the number of its flag in the line: the order of several matters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timed {
    pub(super) expiry: Expiry,
    pub(super) position: usize,
}

impl Flags {
    /// Reads the flags in `bytes`. `tokens_before` counts what stands before them.
    pub(super) fn read(key: &[u8], bytes: &[u8], tokens_before: usize, time: &Time) -> Result<Self, &'static [u8]> {
        if key.len() > limits::KEY_BYTES_MAX {
            return Err(words::BAD_FORMAT);
        }
        if Tokens::new(bytes).count().saturating_add(tokens_before) > limits::META_TOKENS_MAX {
            return Err(words::TOO_MANY_FLAGS);
        }
        let mut flags = Self { key_bytes: key.len(), ..Self::default() };
        let mut seen = 0u128;
        // An unknown or repeated flag is refused at once; of other errors, the last one is reported.
        let mut error = None;
        for (position, span) in Tokens::new(bytes).enumerate() {
            let Some((&letter, argument)) = span.of(bytes).split_first() else { continue };
            let bit = 1u128.checked_shl(u32::from(letter)).unwrap_or(0);
            if seen & bit != 0 {
                return Err(words::DUPLICATE_FLAG);
            }
            seen |= bit;
            match flags.take(letter, argument, key, position, time) {
                Ok(()) => {}
                Err(text) if text == words::INVALID_FLAG => return Err(text),
                // A bad number of client flags has no text of its own.
                Err(text) if text == words::BAD_FORMAT => error = error.or(Some(text)),
                Err(text) => error = Some(text),
            }
        }
        error.map_or(Ok(flags), Err)
    }

    fn take(
        &mut self,
        letter: u8,
        argument: &[u8],
        key: &[u8],
        position: usize,
        time: &Time,
    ) -> Result<(), &'static [u8]> {
        let timed = || {
            let expiry = expiry_of(argument, time).ok_or(words::BAD_TOKEN)?;
            Ok(Some(Timed { expiry, position }))
        };
        match letter {
            b'b' => {
                self.encoded_key = true;
                self.key_bytes = key::decoded_bytes(key).ok_or(words::BAD_KEY)?;
            }
            b'q' => self.quiet = true,
            b'v' => self.value = true,
            b'u' => self.unused = true,
            b'h' | b'l' => self.asks_use = true,
            b'I' => self.stale = true,
            b'x' => self.empty = true,
            b'O' => self.long_opaque = argument.len() >= limits::META_OPAQUE_BYTES_MAX,
            b'C' => self.compare = Some(token::digits_u64(argument).ok_or(words::BAD_TOKEN)?),
            b'E' => self.unique = Some(token::digits_u64(argument).ok_or(words::BAD_TOKEN)?),
            b'F' => self.client_flags = token::digits_u32(argument).ok_or(words::BAD_FORMAT)?,
            // A NUL stands for the default mode.
            b'M' => self.mode = Some(argument.first().copied().unwrap_or(b' ')).filter(|&mode| mode != 0),
            b'J' => self.initial = token::digits_u64(argument).ok_or(words::BAD_INITIAL)?,
            b'D' => self.delta = Some(token::digits_u64(argument).ok_or(words::BAD_DELTA)?),
            b'T' => self.touch = timed()?,
            b'N' => self.create = timed()?,
            b'R' => self.renew = timed()?,
            b'k' | b's' | b't' | b'c' | b'f' | b'P' | b'L' => {}
            _ => return Err(words::INVALID_FLAG),
        }
        Ok(())
    }

    /// The expiry of an item that `N` creates: that of `T`, if it comes later in the line.
    pub(super) fn expiry_created(&self) -> Option<Expiry> {
        let create = self.create?;
        let touch = self.touch.filter(|touch| touch.position > create.position);
        Some(touch.unwrap_or(create).expiry)
    }
}

/// The argument of `T`, `N` and `R`.
pub(super) fn expiry_of(argument: &[u8], time: &Time) -> Option<Expiry> {
    token::digits_i32(argument).map(|seconds| Expiry::from_exptime(i64::from(seconds), time))
}

/// A set of flags of `mg` that are one letter each and change nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Letters(u64);

impl Letters {
    const ALL: u64 = Self::of(b"cfhklqstuv");

    /// Adds a letter; `None` if it is no such flag, or in the set already.
    #[inline]
    pub(super) fn with(self, letter: u8) -> Option<Self> {
        let bit = Self::bit(letter);
        (bit & Self::ALL & !self.0 != 0).then_some(Self(self.0 | bit))
    }

    #[inline]
    pub(super) fn has(self, letter: u8) -> bool {
        self.0 & Self::of(&[letter]) != 0
    }

    /// The bit of a letter in the set. Bytes outside of the block of the letters have none.
    #[inline]
    const fn bit(letter: u8) -> u64 {
        // From `@`, 0x40, to 0x7f.
        if letter & 0xc0 == 0x40 { 1u64.wrapping_shl((letter & 0x3f) as u32) } else { 0 }
    }

    const fn of(mut letters: &[u8]) -> u64 {
        let mut set = 0;
        while let [letter, rest @ ..] = letters {
            set |= Self::bit(*letter);
            letters = rest;
        }
        set
    }
}

/// Whether every token begins with a letter or a digit, or one of the six signs between the cases. If one does not, the
/// line is no command.
pub(super) fn are_flags(bytes: &[u8]) -> bool {
    let is_flag = |span: Span| matches!(span.of(bytes).first(), Some(b'0'..=b'9' | b'A'..=b'z'));
    Tokens::new(bytes).all(is_flag)
}
