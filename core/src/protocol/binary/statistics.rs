//! Statistics as packets, made of the lines that the text protocol answers: names, order and values have one source.

use super::{PacketFormat, PacketStatus, encode::packet};
use alloc::vec::Vec;

/// Replaces the lines from `start` on with packets: one for each `STAT <name> <value>`. Other lines are left out. With
/// `whole`, a packet of that name has all lines.
pub fn encode_statistics(out: &mut Vec<u8>, start: usize, format: PacketFormat, whole: Option<&[u8]>) {
    let text = out.split_off(start);
    if let Some(name) = whole {
        packet(out, format, PacketStatus::Success, 0, &[], name, &text);
    }
    for line in text.split(|&byte| byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Some(rest) = line.strip_prefix(b"STAT ") else { continue };
        let space = memchr::memchr(b' ', rest).unwrap_or(rest.len());
        let (name, value) = rest.split_at(space);
        packet(out, format, PacketStatus::Success, 0, &[], name, value.strip_prefix(b" ").unwrap_or_default());
    }
}

/// Appends the packet that ends statistics.
pub fn end_statistics(out: &mut Vec<u8>, format: PacketFormat) {
    packet(out, format, PacketStatus::Success, 0, &[], &[], &[]);
}
