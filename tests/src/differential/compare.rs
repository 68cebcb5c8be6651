//! Compares the replies of both servers.

use super::replies::{self, Names, Piece};
use std::fmt;

/// The reply to a no-op.
pub(super) const NO_OP: [u8; 24] = [0x81, 0x0a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Two different replies.
#[derive(Clone, Debug)]
pub(super) struct Difference {
    pub(super) ours: Vec<u8>,
    pub(super) theirs: Vec<u8>,
    /// Theirs is a prefix of ours.
    pub(super) is_longer: bool,
    /// The only difference: two uniques of ours are one in theirs.
    pub(super) shares_uniques: bool,
    /// Only the stored items differ afterwards.
    pub(super) afterwards: bool,
}

/// Compares the replies on one connection.
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
    // The last piece is the rest that is no packet, mostly empty.
    let their_whole = their_pieces.strip_suffix(&[Piece::Data(Vec::new())]).unwrap_or(&their_pieces);
    let is_longer = their_whole.len() <= our_pieces.len()
        && our_pieces.iter().zip(their_whole).all(|(ours, theirs)| ours.is_like(theirs));
    let shares_uniques = our_pieces.len() == their_pieces.len()
        && our_pieces.iter().zip(&their_pieces).all(|pieces| match pieces {
            (Piece::Unique(ours), Piece::Unique(theirs)) => theirs <= ours,
            (ours, theirs) => ours.is_like(theirs),
        });
    let difference =
        || Difference { shares_uniques, ours: ours.to_vec(), theirs: theirs.to_vec(), is_longer, afterwards: false };
    (!is_same).then(difference)
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.afterwards {
            writeln!(f, "the stored items differ afterwards:")?;
        }
        writeln!(f, "  ours   < {}", without_tail(&self.ours))?;
        writeln!(f, "  theirs < {}", without_tail(&self.theirs))
    }
}

/// Shows a reply, with the replies to the requests at the end of each conversation counted instead of shown.
fn without_tail(answer: &[u8]) -> String {
    let tail: &[u8] = if answer.first() == Some(&0x81) { &NO_OP } else { b"MN\r\n" };
    let (mut rest, mut count) = (answer, 0);
    while let Some(before) = rest.strip_suffix(tail) {
        (rest, count) = (before, count + 1);
    }
    format!("{} and {count} more", rest.escape_ascii())
}
