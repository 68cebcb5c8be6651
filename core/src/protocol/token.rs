//! Tokens and numbers of the line-based protocols.

use super::Span;
use crate::limits;

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
        let end = start.saturating_add(until_space(self.line.get(start..)?));
        self.position = end;
        Some(Span::new(start, end))
    }
}

/// The place of the first space, or the number of bytes.
#[inline]
pub(super) fn until_space(bytes: &[u8]) -> usize {
    // A space becomes zero, and only zero borrows from the highest bit.
    first_of(bytes, |word| below(word ^ SPACES, 1), |byte| byte == b' ')
}

/// The place of the first space or control byte, or the number of bytes.
#[inline]
pub(super) fn until_blank(bytes: &[u8]) -> usize {
    first_of(bytes, |word| below(word, b' ' + 1), |byte| byte <= b' ')
}

/// One in each byte.
const EACH: u64 = u64::from_le_bytes([1; 8]);
const SPACES: u64 = u64::from_le_bytes([b' '; 8]);

/// Marks the bytes of a word that are below `limit`, which is at most 128. Above the first one, it may mark more.
#[inline]
fn below(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(EACH.wrapping_mul(u64::from(limit))) & !word & EACH << 7
}

/// Tokens are short: eight bytes at a time beat both a plain loop and the call of a vectorised search.
#[inline]
fn first_of(bytes: &[u8], marks: impl Fn(u64) -> u64, is_one: impl Fn(u8) -> bool) -> usize {
    let (words, tail) = bytes.as_chunks::<8>();
    let mut place = 0usize;
    for word in words {
        let marks = marks(u64::from_le_bytes(*word));
        if marks != 0 {
            return place.saturating_add(marks.trailing_zeros() as usize >> 3);
        }
        place = place.saturating_add(8);
    }
    place.saturating_add(tail.iter().position(|&byte| is_one(byte)).unwrap_or(tail.len()))
}

/// The first token of a line: its beginning, its end, and where the next one begins.
#[inline]
pub(crate) fn first(line: &[u8]) -> (usize, usize, usize) {
    let blanks = |from: usize| {
        let rest = line.get(from..).unwrap_or_default();
        from.saturating_add(rest.iter().position(|&byte| byte != b' ').unwrap_or(rest.len()))
    };
    let start = blanks(0);
    let end = start.saturating_add(until_space(line.get(start..).unwrap_or_default()));
    (start, end, blanks(end))
}

/// The last token of `line`.
pub(super) fn last(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|&byte| byte != b' ').map_or(0, |last| last.saturating_add(1));
    let line = line.get(..end).unwrap_or_default();
    let start = line.iter().rposition(|&byte| byte == b' ').map_or(0, |space| space.saturating_add(1));
    line.get(start..).unwrap_or_default()
}

/// A number with this many digits is always below 2^64.
const SAFE_DIGITS: usize = 19;

/// Decimal digits and nothing else, up to 2^64 - 1.
#[inline]
pub(super) fn digits_u64(token: &[u8]) -> Option<u64> {
    if token.len() > limits::NUMBER_64_BYTES_MAX { None } else { digits(token) }
}

#[inline]
fn digits(token: &[u8]) -> Option<u64> {
    let (head, tail) = token.split_at_checked(SAFE_DIGITS).unwrap_or((token, &[]));
    let number = head.iter().try_fold(0u64, |number, &byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit <= 9).then(|| number.wrapping_mul(10).wrapping_add(u64::from(digit)))
    })?;
    if tail.is_empty() { (!head.is_empty()).then_some(number) } else { more_digits(number, tail) }
}

/// Continues where a number may overflow. WebAssembly has no checked multiplication: it is a call.
#[cold]
fn more_digits(number: u64, digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(number, |number, &byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 { None } else { number.checked_mul(10)?.checked_add(u64::from(digit)) }
    })
}

/// Decimal digits and nothing else, up to 2^32 - 1.
#[inline]
pub(super) fn digits_u32(token: &[u8]) -> Option<u32> {
    if token.len() > limits::NUMBER_32_BYTES_MAX {
        return None;
    }
    digits(token).and_then(|number| u32::try_from(number).ok())
}

/// A `-` if negative, then digits; within 32 bits.
pub(super) fn digits_i32(token: &[u8]) -> Option<i32> {
    if token.len() > limits::NUMBER_32_BYTES_MAX {
        return None;
    }
    let (negative, token) = split_minus(token);
    let number = i64::try_from(digits(token)?).ok()?;
    i32::try_from(if negative { number.wrapping_neg() } else { number }).ok()
}

/// A number as C's `strtoul` reads it and memcached accepts it: up to 2^64 - 1 with an optional `+`, that ends
/// with the token or at white space other than SPACE.
#[inline]
pub(super) fn loose_u64(token: &[u8]) -> Option<u64> {
    digits(token).or_else(|| signed_u64(token))
}

#[cold]
fn signed_u64(token: &[u8]) -> Option<u64> {
    digits(trimmed(token).strip_prefix(b"+").unwrap_or(trimmed(token)))
}

/// A number as C's `strtol` reads it, cut to 32 bits as memcached cuts it: 4294967295 is -1.
#[inline]
pub(super) fn loose_i32(token: &[u8]) -> Option<i32> {
    match digits(token) {
        Some(number) => (number <= i64::MAX as u64).then_some(number as i32),
        None => signed_i32(token),
    }
}

#[cold]
fn signed_i32(token: &[u8]) -> Option<i32> {
    let token = trimmed(token);
    let (negative, token) = split_minus(token.strip_prefix(b"+").unwrap_or(token));
    let number = digits(token)?;
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
    fn words_are_searched_like_bytes() {
        let bytes: alloc::vec::Vec<u8> =
            (0..=255).rev().chain(b" \x1f\x20!ab cd\x7f\x80\xa0 x\ty".iter().copied()).collect();
        for start in 0..bytes.len() {
            for end in start..bytes.len() {
                let bytes = &bytes[start..end];
                let plain = |is_one: fn(&u8) -> bool| bytes.iter().position(is_one).unwrap_or(bytes.len());
                assert_eq!(until_space(bytes), plain(|&byte| byte == b' '), "{bytes:?}");
                assert_eq!(until_blank(bytes), plain(|&byte| byte <= b' '), "{bytes:?}");
            }
        }
        assert_eq!(first(b"  ab  c"), (2, 4, 6));
        assert_eq!(first(b"ab"), (0, 2, 2));
        assert_eq!(first(b"  "), (2, 2, 2));
    }

    #[test]
    fn numbers_are_as_strict_as_memcached() {
        assert_eq!(digits_u64(b"18446744073709551615"), Some(u64::MAX));
        for bad in [&b"18446744073709551616"[..], b"-1", b"+1", b"x", b"", b"1x", b"1 "] {
            assert_eq!(digits_u64(bad), None, "{bad:?}");
        }
        assert_eq!(digits_i32(b"-5"), Some(-5));
        assert_eq!(digits_i32(b"2147483648"), None);
        // Zeros before a number count, up to where memcached stops reading.
        assert_eq!((digits_u64(&[b'0'; 22]), digits_u64(&[b'0'; 23])), (Some(0), None));
        assert_eq!((digits_u32(b"00000000007"), digits_u32(b"000000000007")), (Some(7), None));
        assert_eq!((digits_i32(b"-0000000007"), digits_i32(b"-00000000007")), (Some(-7), None));
        assert_eq!((loose_u64(&[b'0'; 30]), loose_i32(&[b'0'; 30])), (Some(0), Some(0)));
        assert_eq!(loose_u64(b"+7"), Some(7));
        assert_eq!(loose_u64(b"-1"), None);
        assert_eq!(loose_i32(b"4294967295"), Some(-1));
        assert_eq!(loose_i32(b"-1"), Some(-1));
        assert_eq!(loose_i32(b"9223372036854775808"), None);
        assert_eq!(loose_i32(b"5\tjunk"), Some(5));
        assert_eq!(loose_i32(b"abc"), None);
    }
}
