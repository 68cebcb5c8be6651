//! Decimal text of the few ratios among the settings: reads a number as `str::parse` does, and shows it with two digits
//! behind the point as `{:.2}` does.
//!
//! The functions of the standard library do the same faster, with 35 KB of code and tables in each guest. Integers
//! suffice where one command in a million has a ratio.

#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used)]

use alloc::{string::String, vec, vec::Vec};
use core::cmp::Ordering;

/// Significant digits that can decide how a number is rounded; of the others only whether one is not 0.
const DIGITS_MAX: usize = 800;
/// Exponents of ten beyond which every number is infinite or 0.
const EXPONENT_MAX: i64 = 400;
/// Bits of a quotient: those of a number, and two that decide how it is rounded.
const QUOTIENT_BITS: i64 = 55;
/// The lowest binary place of a quotient: the lowest place of a number is 2^-1074.
const PLACE_MIN: i64 = -1076;

/// Reads a number with an optional sign, point and exponent, `inf`, `infinity` or `nan`, to the nearest value.
pub(crate) fn parse(text: &[u8]) -> Option<f64> {
    let (is_negative, text) = sign(text);
    let is = |word: &[u8]| text.eq_ignore_ascii_case(word);
    let magnitude = if is(b"inf") || is(b"infinity") {
        f64::INFINITY
    } else if is(b"nan") {
        f64::NAN
    } else {
        finite(text)?
    };
    Some(if is_negative { -magnitude } else { magnitude })
}

/// The number with two digits behind the point; a tie becomes even.
pub(crate) fn show(value: f64) -> String {
    let mut out = String::new();
    if value.is_sign_negative() && !value.is_nan() {
        out.push('-');
    }
    if !value.is_finite() {
        out.push_str(if value.is_nan() { "NaN" } else { "inf" });
        return out;
    }
    let bits = value.abs().to_bits();
    let (exponent, fraction) = ((bits >> 52) as u32, bits & ((1 << 52) - 1));
    let (mantissa, exponent) = if exponent == 0 { (fraction, 1) } else { (fraction | 1 << 52, exponent) };
    match exponent.checked_sub(1075) {
        Some(shift) => {
            let mut whole = Natural::of(mantissa);
            whole.shift_left(shift);
            whole.show(&mut out);
            out.push_str(".00");
        }
        None => {
            let hundredths = round(mantissa * 100, 1075 - exponent);
            Natural::of(hundredths / 100).show(&mut out);
            out.push('.');
            out.extend([hundredths / 10 % 10, hundredths % 10].map(digit));
        }
    }
    out
}

fn sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    }
}

/// `value / 2^places`, for a value below 2^60.
fn round(value: u64, places: u32) -> u64 {
    if places > 61 {
        return 0;
    }
    let (whole, rest, half) = (value >> places, value & ((1 << places) - 1), 1 << (places - 1));
    whole + u64::from(rest > half || rest == half && whole & 1 == 1)
}

fn digit(value: u64) -> char {
    char::from(b'0' + value as u8)
}

/// Reads digits, a point among them, and an exponent.
fn finite(text: &[u8]) -> Option<f64> {
    let (mut digits, mut digits_count, mut exponent) = (Natural::of(0), 0, 0_i64);
    let (mut has_digit, mut has_point, mut has_rest) = (false, false, false);
    let mut rest = text;
    while let [byte, tail @ ..] = rest {
        match byte {
            b'0'..=b'9' => {
                has_digit = true;
                exponent -= i64::from(has_point);
                if digits_count < DIGITS_MAX {
                    digits.multiply_and_add(10, u32::from(byte - b'0'));
                    digits_count += usize::from(!digits.is_zero());
                } else {
                    exponent += 1;
                    has_rest |= *byte != b'0';
                }
            }
            b'.' if !has_point => has_point = true,
            _ => break,
        }
        rest = tail;
    }
    exponent = exponent.saturating_add(exponent_of(rest)?);
    if has_rest {
        digits.multiply_and_add(10, 1);
        exponent -= 1;
        digits_count += 1;
    }
    has_digit.then(|| nearest(digits, digits_count as i64, exponent))
}

/// The exponent behind the digits; 0 without one.
fn exponent_of(text: &[u8]) -> Option<i64> {
    let [b'e' | b'E', rest @ ..] = text else { return text.is_empty().then_some(0) };
    let (is_negative, digits) = sign(rest);
    if digits.is_empty() {
        return None;
    }
    let magnitude = digits.iter().try_fold(0_i64, |value, byte| {
        byte.is_ascii_digit().then(|| value.saturating_mul(10).saturating_add(i64::from(byte - b'0')))
    })?;
    Some(if is_negative { -magnitude } else { magnitude })
}

/// The value nearest to `digits * 10^exponent`.
fn nearest(digits: Natural, digits_count: i64, exponent: i64) -> f64 {
    let magnitude = exponent.saturating_add(digits_count);
    if digits.is_zero() || magnitude < -EXPONENT_MAX {
        return 0.0;
    }
    if magnitude > EXPONENT_MAX {
        return f64::INFINITY;
    }
    let (mut numerator, mut denominator) = (digits, Natural::of(1));
    let scaled = if exponent < 0 { &mut denominator } else { &mut numerator };
    for _ in 0..exponent.unsigned_abs() {
        scaled.multiply_and_add(10, 0);
    }
    let place = (numerator.bits() - denominator.bits() - QUOTIENT_BITS).max(PLACE_MIN);
    let shifted = if place < 0 { &mut numerator } else { &mut denominator };
    shifted.shift_left(place.unsigned_abs() as u32);
    let quotient = numerator.divide(denominator);
    // The conversion rounds. The first product is exact, and the second one rounds what is too small for all its bits.
    let half = place / 2;
    quotient as f64 * power_of_two(half) * power_of_two(place - half)
}

fn power_of_two(exponent: i64) -> f64 {
    f64::from_bits(((1023 + exponent) as u64) << 52)
}

/// A natural number of any size: digits to the base 2^32, the lowest first, the highest not 0.
struct Natural(Vec<u32>);

impl Natural {
    fn of(value: u64) -> Self {
        let mut natural = Self(vec![value as u32, (value >> 32) as u32]);
        natural.trim();
        natural
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    fn bits(&self) -> i64 {
        self.0.last().map_or(0, |last| 32 * self.0.len() as i64 - i64::from(last.leading_zeros()))
    }

    fn multiply_and_add(&mut self, factor: u32, term: u32) {
        let mut carry = u64::from(term);
        for digit in &mut self.0 {
            carry += u64::from(*digit) * u64::from(factor);
            *digit = carry as u32;
            carry >>= 32;
        }
        if carry != 0 {
            self.0.push(carry as u32);
        }
    }

    fn shift_left(&mut self, bits: u32) {
        self.multiply_and_add(1 << (bits % 32), 0);
        self.0.splice(0..0, core::iter::repeat_n(0, bits as usize / 32));
        self.trim();
    }

    fn halve(&mut self) {
        let mut carry = 0;
        for digit in self.0.iter_mut().rev() {
            (carry, *digit) = (*digit << 31, *digit >> 1 | carry);
        }
        self.trim();
    }

    /// Divides by a digit to the base 2^32; returns the rest.
    fn divide_by_digit(&mut self, divisor: u32) -> u32 {
        let mut rest = 0;
        for digit in self.0.iter_mut().rev() {
            let value = rest << 32 | u64::from(*digit);
            *digit = (value / u64::from(divisor)) as u32;
            rest = value % u64::from(divisor);
        }
        self.trim();
        rest as u32
    }

    fn compare(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }

    /// Subtracts a number that is not larger.
    fn subtract(&mut self, other: &Self) {
        let mut borrow = 0_i64;
        for (digit, less) in self.0.iter_mut().zip(other.0.iter().chain(core::iter::repeat(&0))) {
            borrow += i64::from(*digit) - i64::from(*less);
            *digit = borrow as u32;
            borrow >>= 32;
        }
        self.trim();
    }

    /// The quotient, which is below 2^57. Its lowest bit is set if there is a rest.
    fn divide(mut self, mut divisor: Self) -> u64 {
        let mut quotient = 0;
        divisor.shift_left(57);
        for bit in (0..57).rev() {
            divisor.halve();
            if self.compare(&divisor) != Ordering::Less {
                self.subtract(&divisor);
                quotient |= 1 << bit;
            }
        }
        quotient | u64::from(!self.is_zero())
    }

    fn show(mut self, out: &mut String) {
        let mut digits = Vec::new();
        while digits.is_empty() || !self.is_zero() {
            digits.push(self.divide_by_digit(10));
        }
        out.extend(digits.iter().rev().map(|&value| digit(value.into())));
    }
}

#[cfg(test)]
mod tests {
    use super::{parse, show};
    use alloc::{format, string::String};
    use proptest::prelude::*;

    /// The same as the standard library, which the text of a number and its bits pass through.
    fn assert_same(text: &str) {
        let (expected, found) = (text.parse::<f64>().ok(), parse(text.as_bytes()));
        assert_eq!(found.map(f64::to_bits), expected.map(f64::to_bits), "{text}");
        if let Some(value) = expected {
            assert_eq!(show(value), format!("{value:.2}"), "{text}");
        }
    }

    #[test]
    fn words_ties_and_limits() {
        for text in ["", ".", "+", "-", "e5", "1e", "1e+", "1_0", "0x1", " 1", "1 ", "--1", "1.2.3", "infi", "1e5.0"] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
            assert_same(text);
        }
        for text in [
            "0",
            "-0",
            "1.",
            ".5",
            "+.5e1",
            "inf",
            "-Infinity",
            "NAN",
            "-nan",
            "0.80",
            "1E-3",
            "0e99999999999999999999",
        ] {
            assert_same(text);
        }
        for text in
            ["0.005", "0.015", "0.125", "0.375", "0.145", "2.675", "1.005", "0.995", "9.995", "99.995", "0.25e-2"]
        {
            assert_same(text);
        }
        for text in [
            "1e308",
            "1.8e308",
            "-1e99999999999999999999",
            "1e-99999999999999999999",
            "4.9e-324",
            "2.5e-324",
            "2.4e-324",
        ] {
            assert_same(text);
        }
        // Halfway between two numbers, and a little more in the last of many digits.
        let halfway = "9007199254740993";
        for digits in [0, 1, 799, 3000] {
            for last in ["", "1"] {
                assert_same(&format!("{halfway}.{}{last}", "0".repeat(digits)));
                assert_same(&format!("{halfway}{}{last}", "0".repeat(digits)));
            }
        }
        assert_same(&format!("{}1", "0".repeat(5000)));
        assert_same(&format!("0.{}1e3000", "0".repeat(3000)));
    }

    proptest! {
        #[test]
        fn text_is_read_as_by_the_standard_library(text in "[+-]?[0-9]{0,25}(\\.[0-9]{0,25})?([eE][+-]?[0-9]{1,3})?") {
            assert_same(&text);
        }

        #[test]
        fn numbers_are_read_back_and_shown(bits: u64, exponent in 900..1150_u64) {
            for value in [f64::from_bits(bits), f64::from_bits(bits & !(0x7ff << 52) | exponent << 52)] {
                assert_eq!(show(value), format!("{value:.2}"));
                for text in [format!("{value}"), format!("{value:e}"), format!("{value:.3}")] {
                    assert_same(&text);
                }
            }
        }

        #[test]
        fn numbers_too_small_for_all_bits(bits in 0..1_u64 << 53, digits in "[0-9]{0,20}") {
            let mut text: String = format!("{:e}", f64::from_bits(bits));
            text.insert_str(text.find('e').map_or(0, |at| at), if text.contains('.') { &digits } else { "" });
            assert_same(&text);
        }

        #[test]
        fn eighths_of_a_hundredth_are_shown(eighths in 0..100_000_u32) {
            let value = f64::from(eighths) / 800.0;
            assert_eq!(show(value), format!("{value:.2}"));
            let value = f64::from(eighths) / 64.0;
            assert_eq!(show(value), format!("{value:.2}"));
        }
    }
}
