//! Replies of the store. They borrow the value from the store; encoders turn them into a protocol's words.

use crate::clock::{Expiry, Seconds};
use core::{num::NonZeroU64, ops::Range};

/// The outcome of one [`crate::command::Command`].
#[derive(Clone, Copy, Debug)]
pub enum Reply<'a> {
    /// No such key (expired and flushed items are no such key).
    Missing,
    /// A read found this.
    Found(Found<'a>),
    /// A [`crate::command::Fetch`] found this, or created it, or the command inspects it.
    Item(Fetched<'a>),
    /// A store succeeded.
    Stored {
        /// The item's new unique; 0 where CAS is disabled.
        cas: u64,
        /// The length of its value.
        value_bytes: u32,
    },
    /// The condition of `add`, `replace`, `append`, `prepend` did not hold.
    NotStored,
    /// The unique of `cas` differs.
    Exists,
    /// A delete succeeded.
    Deleted,
    /// A touch succeeded.
    Touched,
    /// An arithmetic command's result.
    Number {
        /// The value after the operation.
        value: u64,
        /// The item's new unique.
        cas: u64,
        /// When the item expired before this command gave it another expiry.
        expiry: Expiry,
        /// The item is new.
        created: bool,
    },
    /// An arithmetic command met a value that is not a 64-bit decimal number.
    NonNumeric,
    /// The item is larger than the item limit; an older item of that key is gone.
    TooLarge,
    /// The data block of a store has no valid end.
    BadData,
    /// No room, and evictions are disabled (or nothing more can be evicted).
    OutOfMemory,
    /// A tentative [`crate::command::Fetch`] was not executed: it has to be sent again, in order. Batches end before
    /// it.
    Contended,
    /// A further piece of a value that an earlier read began.
    Piece(Value<'a>),
    /// The shard trapped, and its content is lost. Produced by the batch decoder, never by the store.
    Lost,
}

/// An item as a read returns it.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// The client's flags.
    pub flags: u32,
    /// The item's unique; 0 where CAS is disabled.
    pub cas: u64,
    /// The bytes.
    pub value: Value<'a>,
}

/// An item as a read returns it, with a value in one piece.
#[derive(Clone, Copy, Debug)]
pub struct FoundWhole<'a> {
    /// The client's flags.
    pub flags: u32,
    /// The item's unique; 0 where CAS is disabled.
    pub cas: u64,
    /// The bytes.
    pub value: &'a [u8],
}

/// An item with its details, as they were before the command, but for `cas`.
#[derive(Clone, Copy, Debug)]
pub struct Fetched<'a> {
    /// The client's flags.
    pub flags: u32,
    /// The item's unique; 0 where CAS is disabled.
    pub cas: u64,
    /// The bytes, if they were wanted.
    pub value: Option<Value<'a>>,
    /// Their number.
    pub value_bytes: u32,
    /// Bytes of the store's memory that the item takes.
    pub item_bytes: u32,
    /// When it expires.
    pub expiry: Expiry,
    /// Seconds since its last use.
    pub idle_s: Seconds,
    /// It was read since it was written.
    pub fetched: bool,
    /// This command created it.
    pub created: bool,
    /// It was stored under a key in base64.
    pub encoded_key: bool,
    /// It is stale.
    pub stale: bool,
    /// Another client is to write it anew.
    pub taken: bool,
    /// This client is to write it anew.
    pub won: bool,
}

impl<'a> Reply<'a> {
    /// The rest of a value that is too long for this reply.
    #[inline]
    pub fn unread(&self) -> Option<Unread> {
        self.value().and_then(Value::unread)
    }

    /// The value of an item, or a piece of one.
    #[inline]
    pub fn value(&self) -> Option<&Value<'a>> {
        match self {
            Self::Found(found) => Some(&found.value),
            Self::Item(item) => item.value.as_ref(),
            Self::Piece(value) => Some(value),
            _ => None,
        }
    }

    /// The same reply, but none of the bytes of its value are here.
    #[must_use]
    pub fn without_value(self) -> Self {
        match self {
            Self::Found(found) => Self::Found(Found { value: found.value.without_bytes(), ..found }),
            Self::Item(item) => Self::Item(Fetched { value: item.value.as_ref().map(Value::without_bytes), ..item }),
            Self::Piece(value) => Self::Piece(value.without_bytes()),
            other => other,
        }
    }
}

/// The bytes of a value, which may lie in several pieces of the log. Of a long value, a reply has the first bytes only.
#[derive(Clone, Copy)]
pub struct Value<'a> {
    length: usize,
    head: &'a [u8],
    rest: Option<(&'a dyn Pieces, u32)>,
    unread: Option<Unread>,
}

/// The rest of a value, for [`crate::command::Operation::Piece`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The place of the value.
    pub cursor: ValueCursor,
    /// Bytes of the value that the reply has.
    pub position: u32,
    /// Bytes of the value.
    pub value_bytes: u32,
}

/// The place of a value that the store holds for a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueCursor {
    /// Number of the hold.
    pub hold: u32,
    /// Offset of the first byte of the value in its segment.
    pub offset: u32,
    /// Sequence number of the hold.
    pub sequence: NonZeroU64,
}

/// The owner of a value's further pieces.
pub trait Pieces {
    /// The piece at `position` (not longer than `length_max` bytes) and the position of the piece after it.
    /// Must return at least one byte.
    fn piece(&self, position: u32, length_max: usize) -> (&[u8], u32);
}

/// The owner of bytes that output borrows.
pub trait Lender {
    /// The bytes at a place.
    fn lent(&self, place: Range<usize>) -> &[u8];
}

/// Lends nothing.
impl Lender for () {
    fn lent(&self, _: Range<usize>) -> &[u8] {
        &[]
    }
}

impl<'a> Value<'a> {
    /// A value in one piece.
    pub fn whole(bytes: &'a [u8]) -> Self {
        Self { length: bytes.len(), head: bytes, rest: None, unread: None }
    }

    /// A value of `length` bytes that begins with `head`. `rest`: the owner of the bytes that follow, and their position.
    #[inline]
    pub fn scattered(length: usize, head: &'a [u8], rest: Option<(&'a dyn Pieces, u32)>) -> Self {
        debug_assert_eq!(rest.is_some(), head.len() < length);
        Self { length, head, rest, unread: None }
    }

    /// The first bytes of a value of `length` bytes, in one piece.
    pub fn beginning(length: usize, head: &'a [u8], cursor: ValueCursor) -> Self {
        debug_assert!(head.len() < length);
        Self {
            length,
            head,
            rest: None,
            unread: Some(Unread { cursor, position: head.len() as u32, value_bytes: length as u32 }),
        }
    }

    /// The first `bytes_max` bytes of this value.
    #[must_use]
    pub fn cut(self, bytes_max: usize, cursor: ValueCursor) -> Self {
        let (head, rest) = match self.head.get(..bytes_max) {
            Some(head) => (head, None),
            None => (self.head, self.rest),
        };
        let unread = Unread { cursor, position: bytes_max as u32, value_bytes: self.length as u32 };
        Self { head, rest, unread: Some(unread), ..self }
    }

    /// All bytes, if they lie in one piece.
    #[inline]
    pub fn as_slice(&self) -> Option<&'a [u8]> {
        (self.head.len() == self.length).then_some(self.head)
    }

    /// Number of bytes in all.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Number of bytes in this reply.
    #[inline]
    pub fn bytes_here(&self) -> usize {
        match (self.rest, self.unread) {
            (None, _) => self.head.len(),
            (Some(_), None) => self.length,
            (Some(_), Some(unread)) => unread.position as usize,
        }
    }

    fn without_bytes(&self) -> Self {
        Self { head: &[], rest: None, ..*self }
    }

    /// The part that is not here.
    pub fn unread(&self) -> Option<Unread> {
        self.unread
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Calls `take` with each piece in order.
    #[inline]
    pub fn for_each_piece(&self, mut take: impl FnMut(&'a [u8])) {
        take(self.head);
        let Some((owner, mut position)) = self.rest else { return };
        let mut remaining = self.bytes_here() - self.head.len();
        while remaining > 0 {
            let (piece, next) = owner.piece(position, remaining);
            take(piece);
            remaining -= piece.len();
            position = next;
        }
    }
}

impl core::fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Value({} of {} bytes)", self.bytes_here(), self.length)
    }
}
