//! Decimal numbers of `incr` and `decr`. The parser is exactly as tolerant as memcached's.

/// Digits of the largest number.
pub(super) const DIGITS_MAX: usize = 20;

/// Bytes of a value that are parsed. Blanks and zeros before a number are accepted up to this length.
pub(super) const TEXT_BYTES_MAX: usize = 256;

/// The number at the start of `text`, up to the first blank. `None` where memcached's `strtoull` finds no number, a
/// minus sign, other bytes behind the number, or more than 64 bits. Unless `text` is the `whole` value, a blank must
/// end the number.
pub(super) fn parse(text: &[u8], whole: bool) -> Option<u64> {
    let blanks = text.iter().take_while(|&&byte| is_blank(byte)).count();
    let text = text[blanks..].strip_prefix(b"+").unwrap_or(&text[blanks..]);
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(count);
    let ends = rest.first().map_or(whole, |&byte| byte == 0 || is_blank(byte));
    if count == 0 || !ends {
        return None;
    }
    digits.iter().try_fold(0u64, |value, digit| value.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || (b'\t'..=b'\r').contains(&byte)
}

/// Writes the digits of `value` into `buffer`.
pub(super) fn format(mut value: u64, buffer: &mut [u8; DIGITS_MAX]) -> &[u8] {
    let mut at = DIGITS_MAX;
    loop {
        at -= 1;
        buffer[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            return &buffer[at..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_as_memcached_reads_it() {
        for (text, number) in [
            ("10", Some(10)),
            ("00012", Some(12)),
            (" 12 ", Some(12)),
            ("1 2", Some(1)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("00000000000000000000012", Some(12)),
            ("123456789012345678901", None),
            ("+12", Some(12)),
            ("\x0b12\0", Some(12)),
            ("+", None),
            ("", None),
            (" ", None),
            ("-1", None),
            ("abc", None),
            ("1a", None),
        ] {
            assert_eq!(parse(text.as_bytes(), true), number, "{text:?}");
        }
    }

    #[test]
    fn numbers_are_written_whole() {
        for value in [0, 9, 10, 12_345, u64::MAX] {
            assert_eq!(format(value, &mut [0; DIGITS_MAX]), alloc::format!("{value}").as_bytes());
        }
    }

    #[test]
    fn a_part_of_a_value_is_a_number_only_if_a_blank_ends_it() {
        assert_eq!(parse(b"12", false), None);
        assert_eq!(parse(b"12 ", false), Some(12));
    }
}
