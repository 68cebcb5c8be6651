//! The one command before a login by text (`-Y`): `set <any key> <flags> <exptime> <bytes>`, with `user password` as
//! data.

#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::arithmetic_side_effects)]

use super::words;
use crate::{
    limits,
    protocol::{Span, Verdict, token, token::Tokens},
};

/// A command of a client that is not logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextLogin {
    /// A login to check.
    Attempt {
        /// Up to the first space.
        user: Span,
        /// Everything behind that space.
        password: Span,
    },
    /// Any other command, with its answer.
    Refused(&'static [u8]),
}

/// Parses the first command of `input`.
pub fn parse_login(input: &[u8]) -> Verdict<TextLogin> {
    let Some(newline) = memchr::memchr(b'\n', input) else {
        return match input.len() {
            0..=limits::LINE_BYTES_MAX => Verdict::Incomplete { needed: input.len().saturating_add(1) },
            _ => Verdict::Close,
        };
    };
    let line_bytes = newline.saturating_add(1);
    if line_bytes < limits::LOGIN_LINE_BYTES_MIN {
        return Verdict::Close;
    }
    let before = input.get(..newline).unwrap_or_default();
    let line = before.strip_suffix(b"\r").unwrap_or(before);
    let refused = |text, consumed| Verdict::Complete { request: TextLogin::Refused(text), consumed };
    let mut tokens = Tokens::new(line);
    let [word, _key, _flags, _exptime, bytes] = core::array::from_fn(|_| tokens.next_bytes());
    let length = match token::digits_u32(bytes) {
        Some(length) if word == b"set" && line.starts_with(word) => length as usize,
        _ => return refused(words::UNAUTHENTICATED, line_bytes),
    };
    if length > limits::LOGIN_TOKEN_BYTES_MAX {
        return refused(words::LONG_LOGIN, line_bytes);
    }
    let (token_end, end) = (line_bytes.saturating_add(length), line_bytes.saturating_add(length).saturating_add(2));
    let Some(block) = input.get(line_bytes..end) else { return Verdict::Incomplete { needed: end } };
    let Some(token) = block.strip_suffix(b"\r\n") else { return refused(words::BAD_LOGIN_END, end) };
    let Some(space) = memchr::memchr(b' ', token) else { return refused(words::BAD_LOGIN, end) };
    let (user_end, password_start) =
        (line_bytes.saturating_add(space), line_bytes.saturating_add(space).saturating_add(1));
    let attempt =
        TextLogin::Attempt { user: Span::new(line_bytes, user_end), password: Span::new(password_start, token_end) };
    Verdict::Complete { request: attempt, consumed: end }
}
