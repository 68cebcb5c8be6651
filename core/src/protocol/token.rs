//! Tokens and numbers of the line-based protocols.

use super::Span;

/// Iterates over the tokens of a line: runs of bytes other than SPACE. Tabs and control bytes belong to tokens.
#[derive(Clone)]
pub(super) struct Tokens<'a> {
    line: &'a [u8],
    position: usize,
}

impl<'a> Tokens<'a> {
    /// The tokens of `line`, which must not include the line's end.
    pub(super) fn new(line: &'a [u8]) -> Self {
        Self { line, position: 0 }
    }

    /// The next token's bytes; empty when there is none.
    pub(super) fn next_bytes(&mut self) -> &'a [u8] {
        self.next().map_or(&[], |span| span.of(self.line))
    }
}

impl Iterator for Tokens<'_> {
    type Item = Span;

    #[inline]
    fn next(&mut self) -> Option<Span> {
        let rest = self.line.get(self.position..)?;
        let start = self.position.saturating_add(rest.iter().position(|&byte| byte != b' ')?);
        let rest = self.line.get(start..)?;
        // Tokens are short: a plain loop beats a vectorised search.
        let length = rest.iter().position(|&byte| byte == b' ').unwrap_or(rest.len());
        let end = start.saturating_add(length);
        self.position = end;
        Some(Span::new(start, end))
    }
}

/// The last token of `line`.
pub(super) fn last(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|&byte| byte != b' ').map_or(0, |last| last.saturating_add(1));
    let line = line.get(..end).unwrap_or_default();
    let start = line.iter().rposition(|&byte| byte == b' ').map_or(0, |space| space.saturating_add(1));
    line.get(start..).unwrap_or_default()
}

/// Decimal digits and nothing else, up to 2^64 - 1.
pub(super) fn digits_u64(token: &[u8]) -> Option<u64> {
    if token.is_empty() {
        return None;
    }
    token.iter().try_fold(0u64, |number, &byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// Decimal digits and nothing else, up to 2^32 - 1.
pub(super) fn digits_u32(token: &[u8]) -> Option<u32> {
    digits_u64(token).and_then(|number| u32::try_from(number).ok())
}

/// A `-` if negative, then digits; within 32 bits.
pub(super) fn digits_i32(token: &[u8]) -> Option<i32> {
    let (negative, digits) = split_minus(token);
    let number = i64::try_from(digits_u64(digits)?).ok()?;
    i32::try_from(if negative { number.wrapping_neg() } else { number }).ok()
}

/// What C's `strtoul` takes of a token and memcached accepts: a number up to 2^64 - 1 with an optional `+`, that ends
/// with the token or at white space other than SPACE.
pub(super) fn loose_u64(token: &[u8]) -> Option<u64> {
    digits_u64(trimmed(token).strip_prefix(b"+").unwrap_or(trimmed(token)))
}

/// What C's `strtol` takes of a token, cut to 32 bits as memcached cuts it: 4294967295 is -1.
pub(super) fn loose_i32(token: &[u8]) -> Option<i32> {
    let token = trimmed(token);
    let (negative, digits) = split_minus(token.strip_prefix(b"+").unwrap_or(token));
    let number = digits_u64(digits)?;
    let limit = i64::MAX as u64;
    if number > limit {
        return None;
    }
    let number = number as i64;
    Some(if negative { number.wrapping_neg() } else { number } as i32)
}

fn split_minus(token: &[u8]) -> (bool, &[u8]) {
    token.strip_prefix(b"-").map_or((false, token), |digits| (true, digits))
}

fn trimmed(token: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b'\t' | b'\r' | 0x0b | 0x0c);
    let start = token.iter().position(|byte| !blank(byte)).unwrap_or(token.len());
    let token = token.get(start..).unwrap_or_default();
    let end = token.iter().position(blank).unwrap_or(token.len());
    token.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_separate_and_nothing_else_does() {
        let line = b"  get a\tb  c ";
        let tokens: alloc::vec::Vec<&[u8]> = Tokens::new(line).map(|span| span.of(line)).collect();
        assert_eq!(tokens, [&b"get"[..], b"a\tb", b"c"]);
        assert_eq!(last(line), b"c");
        assert_eq!(last(b""), b"");
        assert_eq!(last(b"   "), b"");
        assert_eq!(last(b"x"), b"x");
    }

    #[test]
    fn numbers_are_as_strict_as_memcached() {
        assert_eq!(digits_u64(b"18446744073709551615"), Some(u64::MAX));
        for bad in [&b"18446744073709551616"[..], b"-1", b"+1", b"x", b"", b"1x", b"1 "] {
            assert_eq!(digits_u64(bad), None, "{bad:?}");
        }
        assert_eq!(digits_i32(b"-5"), Some(-5));
        assert_eq!(digits_i32(b"2147483648"), None);
        assert_eq!(loose_u64(b"+7"), Some(7));
        assert_eq!(loose_u64(b"-1"), None);
        assert_eq!(loose_i32(b"4294967295"), Some(-1));
        assert_eq!(loose_i32(b"-1"), Some(-1));
        assert_eq!(loose_i32(b"9223372036854775808"), None);
        assert_eq!(loose_i32(b"5\tjunk"), Some(5));
        assert_eq!(loose_i32(b"abc"), None);
    }
}
