//! Replies of the meta protocol.

use super::super::dataset::{KEY_BYTES, key};
use super::super::workload::Expected;
use super::lines::ItemLine;
use super::{Head, shown};
use crate::outcome::Outcome;

/// The end of a series of quiet gets.
const NOOP: &[u8] = b"MN\r\n";
const STORED: &[u8] = b"HD\r\n";

/// The format of an item's line: the flags of the request, in its order.
pub(super) fn item_line(value_bytes: usize) -> ItemLine {
    ItemLine { before_key: format!("VA {value_bytes} k").into_bytes(), after_key: b" f0\r\n".to_vec() }
}

/// Checks and classifies one line.
pub(super) fn head<'b>(line: &'b [u8], item: &ItemLine, front: &Expected) -> Outcome<Head<'b>> {
    match line {
        STORED if front.keys == 0 => Ok(Head::Stored),
        _ if front.keys == 0 => Err(format!("the reply to an ms is {}", shown(line))),
        _ if front.keys == 1 && is_miss(line, front) => Ok(Head::End),
        NOOP if front.keys > 1 => Ok(Head::End),
        _ => {
            let key = item.key_of(line).ok_or_else(|| format!("the reply to an mg is {}", shown(line)))?;
            Ok(Head::Item { key: Some(key), is_last: front.keys == 1 })
        }
    }
}

/// Whether the line is a miss. Newer servers repeat a requested key.
fn is_miss(line: &[u8], front: &Expected) -> bool {
    let Some(flags) = line.strip_prefix(b"EN").and_then(|rest| rest.strip_suffix(b"\r\n")) else { return false };
    let asked = front.sample.as_ref().and_then(|sample| sample.first().copied()).map(key);
    match flags.strip_prefix(b" k") {
        Some(key) => asked.map_or(key.len() == KEY_BYTES, |asked| asked == *key),
        None => flags.is_empty(),
    }
}
