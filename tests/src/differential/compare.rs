//! Whether two answers say the same.

use super::replies::{self, Names, Piece};
use std::fmt;

/// The answer to a no-op.
pub(super) const NO_OP: [u8; 24] = [0x81, 0x0a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Two answers that do not.
#[derive(Clone, Debug)]
pub(super) struct Difference {
    pub(super) ours: Vec<u8>,
    pub(super) theirs: Vec<u8>,
    /// Ours says all that theirs says, and then more.
    pub(super) says_more: bool,
    /// All that differs is that theirs has one unique where ours has several.
    pub(super) shares_uniques: bool,
    /// Only what the servers hold afterwards differs.
    pub(super) afterwards: bool,
}

/// Compares what was said to one connection.
pub(super) fn replies(
    binary: bool,
    (our_names, ours): (&mut Names, &[u8]),
    (their_names, theirs): (&mut Names, &[u8]),
) -> Option<Difference> {
    let pieces = if binary { replies::packets } else { replies::lines };
    let our_pieces = pieces(our_names, ours);
    let their_pieces = pieces(their_names, theirs);
    let is_same = our_pieces.len() == their_pieces.len()
        && our_pieces.iter().zip(&their_pieces).all(|(ours, theirs)| ours.is_like(theirs));
    // What is no packet comes last, most often nothing.
    let their_whole = their_pieces.strip_suffix(&[Piece::Data(Vec::new())]).unwrap_or(&their_pieces);
    let says_more = their_whole.len() <= our_pieces.len()
        && our_pieces.iter().zip(their_whole).all(|(ours, theirs)| ours.is_like(theirs));
    let shares_uniques = our_pieces.len() == their_pieces.len()
        && our_pieces.iter().zip(&their_pieces).all(|pieces| match pieces {
            (Piece::Unique(ours), Piece::Unique(theirs)) => theirs <= ours,
            (ours, theirs) => ours.is_like(theirs),
        });
    let difference =
        || Difference { shares_uniques, ours: ours.to_vec(), theirs: theirs.to_vec(), says_more, afterwards: false };
    (!is_same).then(difference)
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.afterwards {
            writeln!(f, "what is there afterwards differs:")?;
        }
        writeln!(f, "  ours   < {}", without_tail(&self.ours))?;
        writeln!(f, "  theirs < {}", without_tail(&self.theirs))
    }
}

/// The answers to what is said at the end of each conversation are as many as they are.
fn without_tail(answer: &[u8]) -> String {
    let tail: &[u8] = if answer.first() == Some(&0x81) { &NO_OP } else { b"MN\r\n" };
    let (mut rest, mut count) = (answer, 0);
    while let Some(before) = rest.strip_suffix(tail) {
        (rest, count) = (before, count + 1);
    }
    format!("{} and {count} more", rest.escape_ascii())
}
