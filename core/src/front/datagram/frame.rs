//! Datagrams on the wire (UDP): a header of eight bytes before each, no state between them.
//!
//! ```text
//! datagram = request_id sequence count reserved payload        two bytes each, the high one first
//! ```
//!
//! A request is one datagram. Its reply is a series of datagrams with the request's id, numbered from 0; each has the
//! count. A sender with a forged source address must not direct large replies at a victim, so a peer whose address is
//! not verified gets little more than it sent.

#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::arithmetic_side_effects)]

use crate::{
    limits::{DATAGRAM_BYTES_MAX, DATAGRAM_HEADER_BYTES},
    protocol::text::words,
};
use alloc::vec::Vec;

/// State of a datagram socket: the request at hand.
#[derive(Clone, Copy, Debug)]
pub(in crate::front) struct DatagramState {
    verified: bool,
    request_id: [u8; 2],
    request_bytes: usize,
}

impl DatagramState {
    pub(in crate::front) fn new(verified: bool) -> Self {
        Self { verified, request_id: [0; 2], request_bytes: 0 }
    }

    /// Takes a datagram and returns whether it is a request. Parts of larger requests are not, nor is a datagram
    /// without a payload.
    pub(in crate::front) fn accept(&mut self, datagram: &[u8]) -> bool {
        let [a, b, _, _, count @ .., _, _] = match datagram.first_chunk::<DATAGRAM_HEADER_BYTES>() {
            Some(header) if datagram.len() > DATAGRAM_HEADER_BYTES => *header,
            _ => return false,
        };
        (self.request_id, self.request_bytes) = ([a, b], datagram.len());
        u16::from_be_bytes(count) == 1
    }

    /// Most bytes of reply that can be sent; a longer reply is refused.
    pub(in crate::front) fn reply_bytes_max(&self, amplification: u32, most: usize) -> usize {
        self.sent_bytes_max(amplification).saturating_sub(DATAGRAM_HEADER_BYTES).min(most)
    }

    /// The datagrams that carry `reply`, one after the other, all but the last of full length. Instead of a reply that
    /// is too large they carry an error if `speaks_text`, else the result is empty and nothing is sent.
    pub(in crate::front) fn frame(&self, reply: &[u8], amplification: u32, most: usize, speaks_text: bool) -> Vec<u8> {
        if !self.verified && is_only_errors(reply) {
            // Two servers would exchange errors for ever after one datagram with a forged source address.
            return Vec::new();
        }
        let sent_bytes_max = self.sent_bytes_max(amplification);
        let is_allowed = |reply: &[u8]| framed_bytes(reply).is_some_and(|bytes| bytes <= sent_bytes_max);
        let reply = match reply {
            reply if reply.len() <= most && is_allowed(reply) => reply,
            _ if speaks_text && is_allowed(words::TOO_LARGE_FOR_DATAGRAMS) => words::TOO_LARGE_FOR_DATAGRAMS,
            _ => return Vec::new(),
        };
        let pieces = reply.chunks(PAYLOAD_BYTES_MAX);
        let count = (pieces.len() as u16).to_be_bytes();
        let mut framed = Vec::with_capacity(framed_bytes(reply).unwrap_or(0));
        for (sequence, piece) in (0_u16..).zip(pieces) {
            framed.extend_from_slice(&self.request_id);
            framed.extend_from_slice(&sequence.to_be_bytes());
            framed.extend_from_slice(&count);
            framed.extend_from_slice(&[0, 0]);
            framed.extend_from_slice(piece);
        }
        framed
    }

    /// Most bytes to send, with headers. `amplification` 0: no limit.
    fn sent_bytes_max(&self, amplification: u32) -> usize {
        match (self.verified, amplification) {
            (true, _) | (false, 0) => usize::MAX,
            (false, times) => self.request_bytes.saturating_mul(times as usize),
        }
    }
}

const PAYLOAD_BYTES_MAX: usize = DATAGRAM_BYTES_MAX - DATAGRAM_HEADER_BYTES;

/// Bytes of `reply` with its headers; `None` if it has more datagrams than the count can express.
fn framed_bytes(reply: &[u8]) -> Option<usize> {
    let count = u16::try_from(reply.len().div_ceil(PAYLOAD_BYTES_MAX)).ok()?;
    Some(reply.len().saturating_add(usize::from(count).saturating_mul(DATAGRAM_HEADER_BYTES)))
}

/// Whether `framed` carries `reply`, not an error in its place, which is shorter, and not nothing.
pub(in crate::front) fn carries(framed: &[u8], reply: &[u8]) -> bool {
    framed_bytes(reply) == Some(framed.len())
}

fn is_only_errors(reply: &[u8]) -> bool {
    reply.chunks(words::ERROR.len()).all(|line| line == words::ERROR)
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a test may panic")]
mod tests {
    use super::*;
    use alloc::vec;

    fn request(bytes: usize, verified: bool) -> DatagramState {
        let mut datagrams = DatagramState::new(verified);
        let mut datagram = vec![b'x'; bytes];
        datagram[..8].copy_from_slice(&[0x12, 0x34, 0, 0, 0, 1, 0, 0]);
        assert!(datagrams.accept(&datagram));
        datagrams
    }

    #[test]
    fn only_whole_requests_are_taken() {
        let mut datagrams = DatagramState::new(true);
        for (datagram, expected) in [
            (&[0, 7, 0, 0, 0, 1, 0, 0, b'x'][..], true),
            (&[0, 7, 0, 5, 0, 1, 9, 9, b'x'], true),
            (&[0, 7, 0, 0, 0, 1, 0, 0], false),
            (&[0, 7, 0, 0, 0, 2, 0, 0, b'x'], false),
            (&[0, 7, 0, 0, 1, 1, 0, 0, b'x'], false),
            (&[0, 7, 0, 0, 0, 0, 0, 0, b'x'], false),
            (b"get a\r\n", false),
            (b"", false),
        ] {
            assert_eq!(datagrams.accept(datagram), expected, "{datagram:?}");
        }
    }

    #[test]
    fn a_series_is_numbered_and_counted() {
        let reply = vec![7; 2 * PAYLOAD_BYTES_MAX + 1];
        let framed = request(20, true).frame(&reply, 3, usize::MAX, true);
        let datagrams: Vec<_> = framed.chunks(DATAGRAM_BYTES_MAX).collect();
        assert_eq!(datagrams.len(), 3);
        for (number, datagram) in (0..).zip(&datagrams) {
            assert_eq!(datagram[..8], [0x12, 0x34, 0, number, 0, 3, 0, 0]);
        }
        assert_eq!(datagrams[2].len(), 9);
        let exact = request(20, true).frame(&reply[1..], 3, usize::MAX, true);
        assert_eq!(exact.len(), 2 * DATAGRAM_BYTES_MAX);
        assert!(request(20, true).frame(b"", 3, usize::MAX, true).is_empty());
    }

    #[test]
    fn a_stranger_gets_little_more_than_it_sent() {
        let stranger = request(20, false);
        assert_eq!(stranger.frame(&[7; 52], 3, usize::MAX, true).len(), 60);
        let refusal = stranger.frame(&[7; 53], 3, usize::MAX, true);
        assert_eq!(&refusal[8..], words::TOO_LARGE_FOR_DATAGRAMS);
        assert!(refusal.len() <= 60);
        assert!(stranger.frame(&[7; 53], 3, usize::MAX, false).is_empty());
        assert!(request(12, false).frame(&[7; 53], 3, usize::MAX, true).is_empty());
        assert!(stranger.frame(&[7; 5000], 0, usize::MAX, true).len() > 5000);
        assert!(stranger.frame(b"ERROR\r\nERROR\r\n", 3, usize::MAX, true).is_empty());
        assert_eq!(request(20, true).frame(words::ERROR, 3, usize::MAX, true).len(), 15);
        assert_eq!(request(20, true).frame(&[7; 53], 3, 52, true)[8..], *words::TOO_LARGE_FOR_DATAGRAMS);
        assert_eq!((stranger.reply_bytes_max(3, 1000), stranger.reply_bytes_max(0, 1000)), (52, 1000));
    }

    #[test]
    fn replies_of_too_many_datagrams_are_refused() {
        let reply = vec![7; PAYLOAD_BYTES_MAX * usize::from(u16::MAX) + 1];
        assert_eq!(request(20, true).frame(&reply, 3, usize::MAX, true)[8..], *words::TOO_LARGE_FOR_DATAGRAMS);
    }
}
