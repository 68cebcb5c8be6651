//! The one form of a request that the store understands. Every protocol translates to it.
//!
//! Details for encoders alone (noreply, quiet, opaque, echoed flags) never appear here.

use crate::{
    clock::{Expiry, Seconds},
    reply::ValueCursor,
    settings::Setting,
};
use core::num::NonZeroU64;

/// One operation on one key. The store owns nothing of it: key and value are borrowed from the connection's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command<'a> {
    /// [`crate::hash::Seed::hash`] of `key`. It also names the shard.
    pub hash: u64,
    /// 1 to [`crate::limits::KEY_BYTES_MAX`] bytes of any value.
    pub key: &'a [u8],
    /// The operation.
    pub operation: Operation<'a>,
}

/// The operation of a [`Command`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation<'a> {
    /// Return the value; with `touch`, give it a new expiry as well (`gat`).
    Get {
        /// The new expiry of `gat`/`gats`.
        touch: Option<Expiry>,
    },
    /// Return what is known of the item, with or without its value.
    Fetch(Fetch),
    /// Return everything that is known of the item but its value; it does not count as a use. Answer:
    /// [`crate::reply::Reply::Item`].
    Inspect,
    /// Write the value.
    Store {
        /// The condition, and the place of the bytes.
        mode: StoreMode,
        /// Opaque to the store. Ignored by append and prepend.
        flags: u32,
        /// Ignored by append and prepend.
        expiry: Expiry,
        /// `cas`: store only if the item's unique is this one.
        compare: Option<u64>,
        /// Options of some protocols.
        options: StoreOptions,
        /// 0 to the item limit bytes.
        value: &'a [u8],
    },
    /// A store that was refused for its size: the refusal is counted. Answer: [`crate::reply::Reply::TooLarge`].
    RefuseLarge {
        /// `set` also removes the old item, so that no client reads stale data; the other modes leave it.
        unlink: bool,
    },
    /// A store whose data block has no valid end: it is counted, and nothing else happens. Answer:
    /// [`crate::reply::Reply::BadData`].
    RefuseData,
    /// Remove the item.
    Delete,
    /// Remove the item under a condition, or leave something of it.
    Discard(Discard),
    /// `incr` (wraps at 2^64) and `decr` (stops at zero).
    Arithmetic {
        /// Up or down.
        direction: Direction,
        /// By how much.
        delta: u64,
        /// Options of some protocols.
        options: ArithmeticOptions,
    },
    /// Give the item a new expiry.
    Touch {
        /// The new expiry.
        expiry: Expiry,
        /// The answer.
        touched: Touched,
    },
    /// Read further bytes of a value whose first bytes a read has answered ([`crate::reply::Unread`]), as they were
    /// then. It counts as nothing. Answer: [`crate::reply::Reply::Piece`], or [`crate::reply::Reply::Missing`] if the
    /// store holds them no longer.
    Piece {
        /// The place of the value.
        cursor: ValueCursor,
        /// Bytes of the value that were read before.
        position: u32,
        /// Bytes to read; the value has as many.
        length: u32,
    },
}

impl<'a> Operation<'a> {
    /// A store without conditions, client flags or options.
    pub fn set(value: &'a [u8], expiry: Expiry) -> Self {
        let options = StoreOptions::default();
        Self::Store { mode: StoreMode::Set, flags: 0, expiry, compare: None, options, value }
    }

    /// Whether this is a read without visible effects: neighbouring ones may be grouped by shard, and executed again if
    /// their replies had no room. A `gat` is none: with a negative expiry its second execution is a miss.
    pub fn is_read(&self) -> bool {
        match self {
            Self::Get { touch } => touch.is_none(),
            Self::Fetch(fetch) => fetch.is_read(),
            _ => false,
        }
    }
}

/// The answer to an [`Operation::Touch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Touched {
    /// Success: [`crate::reply::Reply::Touched`].
    Nothing,
    /// Flags and unique: [`crate::reply::Reply::Found`] with an empty value. It is a read for `stats detail`.
    Attributes,
    /// The same with the value. Unlike a `Get` with `touch`, it counts as a touch alone.
    Value,
}

/// See [`Operation::Fetch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// Whether the value is wanted.
    pub value: bool,
    /// The value is not wanted if the item's unique is this one.
    pub unless: Option<u64>,
    /// Whether this is a use of the item.
    pub is_use: bool,
    /// Whether the client asks for earlier uses: then a second execution gives another answer.
    pub asks_use: bool,
    /// Give the item a new expiry.
    pub touch: Option<Expiry>,
    /// Create an empty item if there is none, for this client to fill.
    pub create: Option<Create>,
    /// Whether this client is to write the item anew because it expires soon.
    pub renew: Renew,
    /// Executed beside reads of other shards, so that it may be executed again. If the client would be the one to renew
    /// the item, nothing happens, and the answer is [`crate::reply::Reply::Contended`].
    pub tentative: bool,
}

impl Fetch {
    fn is_read(&self) -> bool {
        let Self { asks_use, touch, create, renew, .. } = self;
        !asks_use && touch.is_none() && create.is_none() && *renew == Renew::No
    }
}

/// See [`Fetch::create`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Create {
    /// When the empty item expires.
    pub expiry: Expiry,
    /// Its unique, if the client chooses it.
    pub unique: Option<u64>,
}

/// See [`Fetch::renew`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renew {
    /// No.
    No,
    /// If the item expires before this, and no other client renews it.
    Before(Expiry),
    /// If no other client renews it: the new expiry is too short already.
    Now,
}

/// See [`Operation::Store`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreOptions {
    /// The new item's unique, if the client chooses it.
    pub unique: Option<NonZeroU64>,
    /// With `compare`: if the present item is younger than that, store anyway, but as a stale item.
    pub stale: bool,
    /// Append and prepend create a missing item, with flags and expiry.
    pub create: bool,
    /// The client sent the key in base64, and listings show it so.
    pub encoded_key: bool,
}

/// See [`Operation::Arithmetic`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArithmeticOptions {
    /// Only if the item's unique is this one.
    pub compare: Option<NonZeroU64>,
    /// The new unique, if the client chooses it.
    pub unique: Option<u64>,
    /// Give the item a new expiry.
    pub touch: Option<Expiry>,
    /// Create the item with this value and expiry if there is none.
    pub initial: Option<(u64, Expiry)>,
}

/// See [`Operation::Discard`]. Neither emptied nor stale, the item is removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Discard {
    /// Only if the item's unique is this one.
    pub compare: Option<u64>,
    /// Leave an empty item with these flags, without expiry unless `touch` says otherwise.
    pub empty: Option<u32>,
    /// Leave the item, with another unique, but stale: the next reader is to write it anew.
    pub stale: bool,
    /// The expiry of what is left.
    pub touch: Option<Expiry>,
    /// The unique of what is left, if the client chooses it.
    pub unique: Option<u64>,
    /// A unique that differs counts as a miss: memcached's `md` does so, its packets do not.
    pub difference_is_miss: bool,
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

/// The direction of an [`Operation::Arithmetic`].
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
    /// Answer with a piece of the histogram of item sizes (`stats sizes`): [`crate::boundary::rows`].
    Sizes(Extent),
    /// Set the counters that `stats reset` resets to zero.
    ResetCounters,
    /// Change the eviction policy.
    Evict(Eviction),
    /// Start or stop the statistics by key prefix (`stats detail`). Counts stay. The shard around the store
    /// executes it.
    CountPrefixes(bool),
    /// Answer with a piece of the statistics by key prefix: [`crate::boundary::rows`]. The shard around the store
    /// answers it.
    Prefixes(Extent),
    /// Remove expired items: a bounded number at once, the others in the sweeps that follow. Answer: one byte; 0 if
    /// background work is turned off, and then nothing happens.
    Crawl,
    /// A walk over all items begins. Answer: as of `Crawl`.
    BeginWalk,
    /// A piece of a walk. Unlike the others it goes to one shard. Answer: [`crate::boundary::listing::Piece`].
    Walk(Walk),
    /// Remember these settings. Answer: the value that the first of them had, eight bytes, or `u64::MAX`.
    Tune(Tuning),
    /// Answer with the settings that were changed ([`Tuning`]s one after the other).
    Tuned,
}

impl Broadcast {
    /// Whether it looks at many items or rows. A client can ask for it again and again, so others have their turn after
    /// it: other connections, and other threads that wait for the shard.
    pub fn is_walk(&self) -> bool {
        matches!(self, Self::Walk(_) | Self::Prefixes(_) | Self::Sizes(_) | Self::Classes | Self::Crawl)
    }
}

/// The extent of a piece of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walk {
    /// [`crate::boundary::listing::BEGIN`], or the cursor of the previous piece.
    pub cursor: u64,
    /// Bit `n`: report items of size class `n`.
    pub classes: u64,
    /// Bytes of records after which the piece ends (with the bucket it is in).
    pub room: u32,
}

/// The extent of a piece of a table of which every shard has a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The first key of the piece: 0, or the end of the previous piece.
    pub from: u64,
    /// Bytes of rows after which a shard's part of the piece ends; it has at least one row.
    pub room: u32,
}

/// Settings that commands change. Every shard remembers them, so that every front shows the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tuning(pub [Option<(Setting, u64)>; 4]);

impl Tuning {
    /// One setting.
    pub fn one(setting: Setting, value: u64) -> Self {
        Self([Some((setting, value)), None, None, None])
    }

    /// The settings.
    pub fn iter(&self) -> impl Iterator<Item = (Setting, u64)> + '_ {
        self.0.iter().copied().flatten()
    }
}

/// The eviction policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Eviction {
    /// The least recently used.
    Lru,
    /// New items are on probation in a part of the memory first. The store remembers keys that were evicted there;
    /// stored again, they skip the probation. After Yang et al., "FIFO queues are all you need for cache eviction"
    /// (SOSP '23), but the part is between a twelfth and a half of the memory, and the remembered keys adjust it.
    #[default]
    S3Fifo,
}

impl Eviction {
    /// The policy with a number that crossed the boundary.
    pub(crate) fn decode(number: u32) -> Option<Self> {
        [Self::Lru, Self::S3Fifo].get(number as usize).copied()
    }
}
