//! Self-describing values: records of key, version, length and checksum, which show the origin of a wrong value. Append
//! and prepend add records.

use std::fmt::Write as _;

/// Builds a record: `[key version length checksum|payload]`.
pub fn record(key: &str, version: u64, payload_bytes: usize) -> Vec<u8> {
    let payload = payload(key, version, payload_bytes);
    let mut out = format!("[{key} {version} {payload_bytes} {:016x}|", checksum(&payload)).into_bytes();
    out.extend_from_slice(&payload);
    out.push(b']');
    out
}

/// Describes the records of a value, and the first bytes that are no record.
pub fn describe(mut value: &[u8]) -> String {
    let mut text = format!("{} bytes:", value.len());
    while !value.is_empty() {
        match split(value) {
            Ok((name, sound, rest)) => {
                let _ = write!(text, " {name}{}", if sound { "" } else { " (damaged)" });
                value = rest;
            }
            Err(()) => {
                let _ = write!(text, " \"{}\"", value[..value.len().min(80)].escape_ascii());
                return text;
            }
        }
    }
    text
}

/// Name of the first record, whether its payload matches its checksum, and the remaining bytes.
fn split(value: &[u8]) -> Result<(String, bool, &[u8]), ()> {
    let bar = value.iter().take(200).position(|byte| *byte == b'|').ok_or(())?;
    let head = value[..bar].strip_prefix(b"[").and_then(|head| std::str::from_utf8(head).ok()).ok_or(())?;
    let words: Vec<&str> = head.split(' ').collect();
    let [key, version, length, sum] = words[..] else { return Err(()) };
    let length: usize = length.parse().map_err(|_| ())?;
    let end = bar.checked_add(1 + length).filter(|end| *end < value.len()).ok_or(())?;
    let payload = &value[bar + 1..end];
    let sound = value[end] == b']' && u64::from_str_radix(sum, 16) == Ok(checksum(payload));
    Ok((format!("{key} version {version}"), sound, &value[end + 1..]))
}

/// Deterministic bytes for key and version.
fn payload(key: &str, version: u64, bytes: usize) -> Vec<u8> {
    let mut state = checksum(key.as_bytes()) ^ version.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = Vec::with_capacity(bytes + 8);
    while out.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_le_bytes());
    }
    out.truncate(bytes);
    out
}

/// FNV-1a, which finds accidental damage.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::{describe, record};

    #[test]
    fn a_value_describes_itself() {
        let mut value = [record("a1", 7, 0), record("b2", 8, 1000)].concat();
        assert_eq!(describe(&value), format!("{} bytes: a1 version 7 b2 version 8", value.len()));
        let last = value.len() - 2;
        value[last] ^= 1;
        assert!(describe(&value).ends_with("b2 version 8 (damaged)"));
        value.truncate(last);
        assert!(describe(&value).contains("a1 version 7 \"[b2 8 1000 "));
        assert_eq!(record("a", 1, 100), record("a", 1, 100));
        assert_ne!(record("a", 1, 100), record("a", 2, 100));
    }
}
