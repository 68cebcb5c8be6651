//! Replies of the binary protocol.

use super::super::dataset::KEY_BYTES;
use super::super::workload::Expected;
use super::super::workload::binary::{GET, GETKQ, HEADER_BYTES, NOOP, SET};
use super::{HEAD_BYTES_MAX, Head, shown};
use crate::outcome::Outcome;

/// The first byte of a reply.
const REPLY: u8 = 0x81;
/// The client's flags, which precede every value.
const FLAGS_BYTES: usize = 4;

const OK: u16 = 0;
const NO_SUCH_KEY: u16 = 1;

/// How many of `bytes` complete the packet that `partial` begins, except for its value, if they complete it. The text of
/// an error belongs to the head.
pub(super) fn head_bytes(partial: &[u8], bytes: &[u8]) -> Option<usize> {
    if partial.len() + bytes.len() < HEADER_BYTES {
        return None;
    }
    let mut header = [0; HEADER_BYTES];
    let known = partial.len().min(HEADER_BYTES);
    header[..known].copy_from_slice(&partial[..known]);
    header[known..].copy_from_slice(&bytes[..HEADER_BYTES - known]);
    let fields = Fields::of(&header);
    let rest = if fields.status == OK {
        fields.extras_bytes + fields.key_bytes
    } else {
        fields.body_bytes.min(HEAD_BYTES_MAX)
    };
    let missing = HEADER_BYTES + rest - partial.len();
    (missing <= bytes.len()).then_some(missing)
}

/// Checks and classifies one packet.
pub(super) fn head<'b>(packet: &'b [u8], value_bytes: usize, front: &Expected) -> Outcome<Head<'b>> {
    let (header, rest) = packet.split_first_chunk().ok_or("a packet shorter than its header")?;
    let fields = Fields::of(header);
    let wrong = |what: &str| Err(format!("{what}: {}", shown(packet)));
    if fields.magic != REPLY || fields.data_type != 0 {
        return wrong("no packet of a reply");
    }
    if fields.number != front.number {
        return wrong("a reply to another request");
    }
    let is_empty = fields.extras_bytes + fields.key_bytes + fields.body_bytes == 0;
    match (front.keys, fields.opcode, fields.status) {
        (0, SET, OK) if is_empty => Ok(Head::Stored),
        (2.., NOOP, OK) if is_empty => Ok(Head::End),
        (1, GET, NO_SUCH_KEY) if fields.extras_bytes + fields.key_bytes == 0 => Ok(Head::End),
        (1, GET, OK) if fields.is_item(0, value_bytes) && *rest == [0; FLAGS_BYTES] => {
            Ok(Head::Item { key: None, is_last: true })
        }
        (2.., GETKQ, OK) if fields.is_item(KEY_BYTES, value_bytes) && rest.starts_with(&[0; FLAGS_BYTES]) => {
            Ok(Head::Item { key: Some(&rest[FLAGS_BYTES..]), is_last: false })
        }
        (0, ..) => wrong("the reply to a set"),
        _ => wrong("the reply to a get"),
    }
}

struct Fields {
    magic: u8,
    opcode: u8,
    key_bytes: usize,
    extras_bytes: usize,
    data_type: u8,
    status: u16,
    body_bytes: usize,
    number: u32,
}

impl Fields {
    fn of(header: &[u8; HEADER_BYTES]) -> Self {
        let [magic, opcode, key_high, key_low, extras, data_type, status_high, status_low, ..] = *header;
        let word = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        Self {
            magic,
            opcode,
            key_bytes: u16::from_be_bytes([key_high, key_low]).into(),
            extras_bytes: extras.into(),
            data_type,
            status: u16::from_be_bytes([status_high, status_low]),
            body_bytes: word(8) as usize,
            number: word(12),
        }
    }

    fn is_item(&self, key_bytes: usize, value_bytes: usize) -> bool {
        self.extras_bytes == FLAGS_BYTES
            && self.key_bytes == key_bytes
            && self.body_bytes == FLAGS_BYTES + key_bytes + value_bytes
    }
}
