//! Keys in base64, exactly as tolerant as memcached: bytes outside the alphabet are skipped, and everything behind a
//! group with padding is ignored.

#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::arithmetic_side_effects)]

use crate::limits;
use alloc::vec::Vec;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Appends the decoded key to `out`; `None`, and nothing is appended, if `encoded` is no key.
pub fn decode_key(encoded: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let start = out.len();
    let decoded = groups(encoded).and_then(|groups| {
        for group in groups {
            let (bytes, count) = group?;
            out.extend_from_slice(bytes.get(..count)?);
        }
        (out.len() > start).then_some(())
    });
    if decoded.is_none() {
        out.truncate(start);
    }
    decoded
}

/// Length of the decoded key; `None` if `encoded` is no key.
pub(super) fn decoded_bytes(encoded: &[u8]) -> Option<usize> {
    let mut sum = 0usize;
    for group in groups(encoded)? {
        sum = sum.saturating_add(group?.1);
    }
    (1..=limits::KEY_BYTES_MAX).contains(&sum).then_some(sum)
}

/// Appends `key` in base64.
pub fn encode_key(out: &mut Vec<u8>, key: &[u8]) {
    for group in key.chunks(3) {
        let mut bytes = [0; 4];
        for (to, from) in bytes.iter_mut().skip(1).zip(group) {
            *to = *from;
        }
        let bits = u32::from_be_bytes(bytes);
        for (place, shift) in [18u32, 12, 6, 0].into_iter().enumerate() {
            let sextet = bits.wrapping_shr(shift) & 63;
            let digit = ALPHABET.get(sextet as usize).copied().unwrap_or(b'=');
            out.push(if place <= group.len() { digit } else { b'=' });
        }
    }
}

/// The groups of four digits, each as three bytes and the number of valid bytes; `None` in place of a group with too
/// much padding. The whole result is `None` if the number of digits is zero or not a multiple of four.
fn groups(encoded: &[u8]) -> Option<impl Iterator<Item = Option<([u8; 3], usize)>>> {
    let mut digits = encoded.iter().filter_map(|&byte| digit(byte));
    let count = digits.clone().count();
    if count == 0 || count % 4 != 0 {
        return None;
    }
    let mut ended = false;
    Some(core::iter::from_fn(move || {
        if ended {
            return None;
        }
        let (mut bits, mut padding) = (0u32, 0usize);
        for _ in 0..4 {
            let value = digits.next()?;
            padding = padding.saturating_add(usize::from(value.is_none()));
            bits = bits << 6 | value.unwrap_or(0);
        }
        ended = padding > 0;
        let [_, first, second, third] = bits.to_be_bytes();
        Some((padding <= 2).then_some(([first, second, third], 3usize.saturating_sub(padding))))
    }))
}

/// The value of a digit; `Some(None)` is padding.
fn digit(byte: u8) -> Option<Option<u32>> {
    let (base, from) = match byte {
        b'A'..=b'Z' => (0, b'A'),
        b'a'..=b'z' => (26, b'a'),
        b'0'..=b'9' => (52, b'0'),
        b'+' => return Some(Some(62)),
        b'/' => return Some(Some(63)),
        b'=' => return Some(None),
        _ => return None,
    };
    Some(Some(u32::from(byte.wrapping_sub(from)).saturating_add(base)))
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_memcached_reads_them() {
        for (encoded, key) in [
            (&b"Zm9v"[..], Some(&b"foo"[..])),
            (b"Zm9v!!", Some(b"foo")),
            (b"!Z\xffm\t9v", Some(b"foo")),
            (b"Zm8=", Some(b"fo")),
            (b"Zm9=", Some(b"fo")),
            (b"Zh==", Some(b"f")),
            (b"Zg=a", Some(b"f\0")),
            (b"Zg==Zm9v", Some(b"f")),
            (b"+/+/", Some(b"\xfb\xff\xbf")),
            (b"Zm9", None),
            (b"Z===", None),
            (b"====", None),
            (b"!!!!", None),
            (b"Zm-v", None),
            (b"", None),
        ] {
            let mut out = b"before".to_vec();
            assert_eq!(decode_key(encoded, &mut out).is_some(), key.is_some(), "{encoded:?}");
            assert_eq!(&out[6..], key.unwrap_or_default(), "{encoded:?}");
            assert_eq!(decoded_bytes(encoded), key.map(<[u8]>::len), "{encoded:?}");
        }
    }

    #[test]
    fn keys_survive_being_encoded() {
        for length in 1..=limits::KEY_BYTES_MAX {
            let key: Vec<u8> = (0..length).map(|at| (at * 7 + length) as u8).collect();
            let (mut encoded, mut decoded) = (Vec::new(), Vec::new());
            encode_key(&mut encoded, &key);
            assert_eq!(encoded.len() % 4, 0);
            assert_eq!(decode_key(&encoded, &mut decoded), Some(()));
            assert_eq!(decoded, key);
        }
    }
}
