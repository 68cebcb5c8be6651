//! The one form of a request that the store understands. Every protocol translates to it.
//!
//! What only an encoder needs (noreply, quiet, opaque, echoed flags) never appears here.

use crate::clock::{Expiry, Seconds};

/// One operation on one key. The store owns nothing of it: key and value are borrowed from the connection's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command<'a> {
    /// [`crate::hash::Seed::hash`] of `key`. It also names the shard.
    pub hash: u64,
    /// 1 to [`crate::limits::KEY_BYTES_MAX`] bytes of any value.
    pub key: &'a [u8],
    /// What to do.
    pub operation: Operation<'a>,
}

/// What a [`Command`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation<'a> {
    /// Return the value; with `touch`, give it a new expiry as well (`gat`).
    Get {
        /// The new expiry of `gat`/`gats`.
        touch: Option<Expiry>,
    },
    /// Write the value.
    Store {
        /// Under which condition, and where the bytes go.
        mode: StoreMode,
        /// Opaque to us. Ignored by append and prepend.
        flags: u32,
        /// Ignored by append and prepend.
        expiry: Expiry,
        /// `cas`: store only if the item's unique is this one.
        compare: Option<u64>,
        /// 0 to the item limit bytes.
        value: &'a [u8],
    },
    /// A store that was refused for its size: the refusal is counted. Answer: [`crate::reply::Reply::TooLarge`].
    RefuseLarge {
        /// `set` also removes the old item, so that nobody reads stale data; the other ways leave it.
        unlink: bool,
    },
    /// A store whose data block did not end as it must: it is counted, and nothing else happens. Answer:
    /// [`crate::reply::Reply::BadData`].
    RefuseData,
    /// Remove the item.
    Delete,
    /// `incr` (wraps at 2^64) and `decr` (stops at zero).
    Arithmetic {
        /// Up or down.
        direction: Direction,
        /// By how much.
        delta: u64,
    },
    /// Give the item a new expiry.
    Touch {
        /// The new expiry.
        expiry: Expiry,
    },
}

impl Operation<'_> {
    /// A read that changes nothing: neighbouring ones may be grouped by shard, and executed again when their reply was
    /// cut off, without anybody noticing. A `gat` is none: with a negative expiry its second execution is a miss.
    pub fn is_read(&self) -> bool {
        matches!(self, Self::Get { touch: None })
    }
}

/// The six ways of storing. `cas` is [`StoreMode::Set`] with `compare`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum StoreMode {
    /// Always.
    Set,
    /// Only if the key is absent.
    Add,
    /// Only if the key is present.
    Replace,
    /// After the present value.
    Append,
    /// Before the present value.
    Prepend,
}

/// Which way an [`Operation::Arithmetic`] goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Direction {
    /// `incr`
    Increment,
    /// `decr`
    Decrement,
}

/// An operation on the whole store, sent to every shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broadcast {
    /// Forget everything that was stored before this moment or, with `at` in the future, before `at`.
    Flush {
        /// Not later than now: at once.
        at: Seconds,
    },
    /// A flush that was refused: it is counted, and nothing else happens.
    RefuseFlush,
    /// Answer with every counter ([`crate::statistics::Counters`]).
    Counters,
    /// Answer with the counters of every size class ([`crate::statistics::Classes`]).
    Classes,
    /// Answer with the histogram of item sizes (`stats sizes`).
    Sizes,
    /// Set the counters that `stats reset` resets to zero.
    ResetCounters,
    /// Choose from now on what is evicted.
    Evict(Eviction),
    /// Start, stop or read the statistics by key prefix (`stats detail`). The shard around the store answers it.
    Detail(Detail),
}

/// What is evicted when room is needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Eviction {
    /// The least recently used.
    Lru,
    /// New items prove themselves in a part of the memory first; what was evicted there and is wanted again is
    /// remembered and skips that. After Yang et al., "FIFO queues are all you need for cache eviction" (SOSP '23), but
    /// the part is between a tenth and a half, as large as such memories advise.
    #[default]
    S3Fifo,
}

impl Eviction {
    /// The one whose number that is, where it crossed a boundary.
    pub(crate) fn decode(number: u32) -> Option<Self> {
        [Self::Lru, Self::S3Fifo].get(number as usize).copied()
    }
}

/// See [`Broadcast::Detail`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Detail {
    /// Count from now on.
    On,
    /// Stop counting; what was counted stays.
    Off,
    /// Answer with what was counted ([`crate::prefixes::Prefixes`]).
    Dump,
}
