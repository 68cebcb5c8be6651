//! Replies of the text protocol.

use super::super::workload::Expected;
use super::lines::ItemLine;
use super::{Head, shown};
use crate::outcome::Outcome;

const END: &[u8] = b"END\r\n";
const STORED: &[u8] = b"STORED\r\n";

/// The format of an item's line.
pub(super) fn item_line(value_bytes: usize) -> ItemLine {
    ItemLine { before_key: b"VALUE ".to_vec(), after_key: format!(" 0 {value_bytes}\r\n").into_bytes() }
}

/// Checks and classifies one line.
pub(super) fn head<'b>(line: &'b [u8], item: &ItemLine, front: &Expected) -> Outcome<Head<'b>> {
    match line {
        STORED if front.keys == 0 => Ok(Head::Stored),
        _ if front.keys == 0 => Err(format!("the reply to a set is {}", shown(line))),
        END => Ok(Head::End),
        _ => {
            let key = item.key_of(line).ok_or_else(|| format!("a line of the reply to a get is {}", shown(line)))?;
            Ok(Head::Item { key: Some(key), is_last: false })
        }
    }
}
