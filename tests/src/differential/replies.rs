//! Parses the replies of a server into comparable pieces: words, data blocks, and numbers that only the server knows.

use std::collections::HashMap;

/// A part of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A word that must be equal.
    Word(Vec<u8>),
    /// A duration in seconds: up to two may pass between the two servers.
    Seconds(i64),
    /// A unique, numbered in the order in which its server shows them in this world.
    Unique(usize),
    /// The end of a line.
    End,
    /// A data block.
    Data(Vec<u8>),
}

impl Piece {
    pub(super) fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Seconds(one), Self::Seconds(other)) => {
                one == other || one.abs_diff(*other) <= 2 && *one > 0 && *other > 0
            }
            _ => self == other,
        }
    }
}

/// Numbers of a server's uniques in one world, in the order of appearance.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<u64, usize>);

impl Names {
    fn name(&mut self, unique: u64) -> usize {
        // Zero means no unique.
        let next = self.0.len() + 1;
        if unique == 0 { 0 } else { *self.0.entry(unique).or_insert(next) }
    }
}

/// Splits a reply into the fields of its packets, and a rest that is no packet.
pub(super) fn packets(names: &mut Names, answer: &[u8]) -> Vec<Piece> {
    const HEADER_BYTES: usize = 24;
    let mut pieces = Vec::new();
    let mut rest = answer;
    while let Some((header, tail)) = rest.split_first_chunk::<HEADER_BYTES>() {
        let body_bytes = u32::from_be_bytes([header[8], header[9], header[10], header[11]]) as usize;
        let (body, tail) = tail.split_at(body_bytes.min(tail.len()));
        // The text of a version differs.
        if header[1] != 0x0b {
            pieces.push(Piece::Word(header[..16].to_vec()));
            pieces.push(Piece::Data(body.to_vec()));
        }
        pieces.push(Piece::Unique(names.name(u64::from_be_bytes(header[16..].try_into().unwrap_or_default()))));
        pieces.push(Piece::End);
        rest = tail;
    }
    pieces.push(Piece::Data(rest.to_vec()));
    pieces
}

/// Splits a reply into the words and data blocks of its lines.
pub(super) fn lines(names: &mut Names, answer: &[u8]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = answer;
    while !rest.is_empty() {
        let (line, tail) = split_line(rest);
        rest = tail;
        let words: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
        let mut data_bytes = None;
        match words[..] {
            [b"VALUE", _, _, bytes] => data_bytes = number(bytes),
            [b"VALUE", _, _, bytes, _] => data_bytes = number(bytes),
            [b"VA", bytes, ..] => data_bytes = number(bytes),
            _ => {}
        }
        line_pieces(names, &words, &mut pieces);
        if let Some(bytes) = data_bytes {
            let length = (bytes as usize).saturating_add(2).min(rest.len());
            pieces.push(Piece::Data(rest[..length].to_vec()));
            rest = &rest[length..];
        }
    }
    pieces
}

/// The unique of `key` in the reply to a retrieval.
pub(super) fn unique_of(answer: &[u8], key: &[u8]) -> Option<u64> {
    let mut rest = answer;
    while !rest.is_empty() {
        let (line, tail) = split_line(rest);
        rest = tail;
        if let [b"VALUE", named, _, bytes, unique] = line.split(|&byte| byte == b' ').collect::<Vec<_>>()[..] {
            if named == key {
                return number(unique);
            }
            rest = rest.get(number(bytes)? as usize + 2..)?;
        }
    }
    None
}

fn line_pieces(names: &mut Names, words: &[&[u8]], pieces: &mut Vec<Piece>) {
    let is_meta = matches!(words.first(), Some(&(b"VA" | b"HD" | b"EN" | b"NF" | b"NS" | b"EX")));
    let is_debug = words.first() == Some(&b"ME".as_slice());
    for (place, word) in words.iter().enumerate() {
        let piece = match (place, word) {
            (4, unique) if words[0] == b"VALUE" && words.len() == 5 => {
                number(unique).map(|n| Piece::Unique(names.name(n)))
            }
            (1, _) if words[0] == b"VERSION" => continue,
            (1.., [b'c', unique @ ..]) if is_meta => number(unique).map(|n| Piece::Unique(names.name(n))),
            (1.., [b't', seconds @ ..]) if is_meta => number(seconds).map(|n| Piece::Seconds(n as i64)),
            (2.., word) if is_debug => match word.iter().position(|&byte| byte == b'=').map(|at| word.split_at(at + 1))
            {
                Some((b"exp=", seconds)) => number(seconds).map(|n| Piece::Seconds(n as i64)),
                Some((b"cas=", unique)) => number(unique).map(|n| Piece::Unique(names.name(n))),
                // Internals of the server.
                Some((b"la=" | b"cls=" | b"size=", _)) => continue,
                _ => None,
            },
            _ => None,
        };
        pieces.push(piece.unwrap_or_else(|| Piece::Word(word.to_vec())));
    }
    pieces.push(Piece::End);
}

fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.windows(2).position(|two| two == b"\r\n") {
        Some(end) => (&bytes[..end], &bytes[end + 2..]),
        None => (bytes, &[]),
    }
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
