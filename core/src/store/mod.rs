//! The store: one owner of all items, a log of segments with an index, in one pool of memory.
//!
//! It owns keys and values, their expiry, recency and uniques, and counts what happens to them. It knows no protocol,
//! clock or thread: `now` enters with each call. A cache may forget an item but must never return a wrong value, so a
//! broken invariant panics.
//!
//! | file | owns |
//! |---|---|
//! | `segment` | names and places, the entry of a segment in the table |
//! | `pool` | the memory, cut into segments |
//! | `log` | the order of the segments that hold items |
//! | `item` | the layout of an item |
//! | `index` | buckets, from hash to item |
//! | `overflow` | where full buckets continue |
//! | `ghost` | evicted keys, in the holes of the index |
//! | `execute` | what each command does |
//! | `fetch` | reads of more than the value, and what they change |
//! | `write` | how an item gets into the log |
//! | `reclaim` | how room is made: expiry, compaction, eviction, and their pace |
//! | `compact` | which segments are merged |
//! | `evict` | which items go first |
//! | `uses` | epochs of last uses |
//! | `order` | eviction in the order of use |
//! | `victim` | the walk over a segment |
//! | `counters` | statistics |
//! | `walk` | listings of items |
//! | `direct` | operations for skins without a protocol |
//! | `departures` | entries that eviction and expiry removed, for those who ask |
//! | `pieces` | long values that are read in pieces |
//! | `holds` | values that stay readable while clients read them |
//! | `held` | the segments that are kept for them |
//! | `number` | the text of `incr` and `decr` |
//! | `peek` | places of lines, for reads without a lock |
//! | `map` | the content of each segment, for pictures |
//! | `check` | the invariants |

mod check;
mod compact;
mod counters;
mod departures;
mod direct;
mod evict;
mod execute;
mod fetch;
mod ghost;
mod held;
mod holds;
mod index;
mod item;
mod log;
mod map;
mod number;
mod order;
mod overflow;
mod peek;
mod pieces;
mod pool;
mod reclaim;
mod segment;
mod uses;
mod victim;
mod walk;
mod write;

pub use crate::boundary::config::StoreConfig;
use crate::{
    boundary::event::{Event, Events, Kinds},
    clock::Seconds,
    command::{Broadcast, Eviction},
    limits,
    statistics::{Counters, Sizes, class_of},
};
use alloc::{boxed::Box, vec::Vec};
pub(crate) use counters::{ClassAges, NO_AGES, StoreCounters};
pub use departures::Departure;
use departures::Departures;
pub use direct::{EntryView, Summary, WALK_BEGIN, WALK_END};
use evict::Evictor;
use ghost::Ghosts;
use index::{Index, Slot};
use item::Item;
use log::Log;
pub use map::{SegmentContent, SegmentUse};
pub(crate) use peek::{candidates_in, gather};
pub(crate) use pool::LINE_BYTES;
use pool::{Pool, SEGMENT_BYTES_MIN, SEGMENTS_MIN};
use reclaim::Reclaim;
use segment::{SEGMENT_TABLE_BYTES, SegmentId};
use uses::Uses;

/// See the module.
///
/// The fields that every command changes come first: in [`crate::stripes`] they lie in the line of the lock.
#[repr(C)]
pub struct Store {
    /// Lent by the thread that executes; see [`Store::exchange_counters`].
    counters: Box<StoreCounters>,
    unique: u64,
    /// Bytes of a value beyond which a reply has its beginning only.
    piece_bytes: usize,
    /// The difference between a unique and the next.
    unique_step: u64,
    pool: Pool,
    log: Log,
    index: Index,
    reclaim: Reclaim,
    evictor: Evictor,
    ghosts: Ghosts,
    uses: Uses,
    config: StoreConfig,
    /// The limit in segments. After it was lowered, the limit of `pool` approaches it.
    target: u32,
    /// Bytes of the limit that something beside the store takes.
    reserved_bytes: u64,
    /// Items in segments up to this sequence number are flushed.
    flushed: Option<u64>,
    /// The time of a flush in the future.
    flush_at: Option<Seconds>,
    /// Whether the sweep removes expired items.
    expires: bool,
    events: Events,
    /// See [`Store::keep_departures`].
    departures: Option<Departures>,
}

/// Whether the store has what only servers need: eviction in the order of use, held values, events, flushes, counts by size. Without
/// it, the module of the npm package is half as large.
const SERVES: bool = cfg!(feature = "server");

/// Maximum number of buckets that one removal merges.
const SHRINKING_STEPS_MAX: u32 = 2;

/// An item that a lookup found.
#[derive(Clone, Copy)]
struct Hit {
    slot: Slot,
    item: Item,
}

impl Store {
    /// An empty store. `None` if the address space for its capacity cannot be reserved, or if fewer than sixteen
    /// segments fit in the limit.
    pub fn new(config: StoreConfig) -> Option<Self> {
        let segment_bytes = match config.segment_bytes {
            0 => default_segment_bytes(config.memory_bytes),
            bytes => bytes.next_power_of_two().max(SEGMENT_BYTES_MIN),
        };
        let limit = segments_in(config.memory_bytes, segment_bytes);
        let capacity = segments_in(config.memory_bytes_capacity, segment_bytes).max(limit);
        if limit < SEGMENTS_MIN || u64::from(capacity) * u64::from(segment_bytes) > 1 << 32 {
            return None;
        }
        let mut pool = Pool::new(segment_bytes, capacity, limit)?;
        let index = Index::new(config.seed, &mut pool)?;
        Some(Self {
            pool,
            log: Log::new(),
            index,
            reclaim: Reclaim::new(),
            evictor: Evictor::new(u64::from(limit) * u64::from(segment_bytes)),
            ghosts: Ghosts::new(),
            uses: Uses::new(),
            counters: Box::new(StoreCounters::new(false)),
            config,
            target: limit,
            reserved_bytes: 0,
            unique: 0,
            unique_step: 1,
            flushed: None,
            flush_at: None,
            expires: true,
            events: Events::default(),
            departures: None,
            piece_bytes: usize::MAX,
        })
    }

    /// Reads the memory that the commands of a batch with these keys will need: first all bucket lines, then the first lines
    /// of all items. The batch then runs from the caches of the processor.
    ///
    /// The loops that read do nothing else: a processor waits for many lines at once only if few instructions lie between
    /// their reads.
    #[inline(never)]
    pub fn touch_lines(&mut self, hashes: impl Iterator<Item = u64>) {
        let mut keys = [(0, 0); limits::BATCH_COMMANDS_MAX];
        let keys = gather(&mut keys, hashes.map(|hash| (hash, self.index.bucket(&self.pool, hash))));
        core::hint::black_box(keys.iter().fold(0, |folded, &(_, bucket)| folded ^ self.pool.word(bucket)));
        let mut items = [0; limits::BATCH_COMMANDS_MAX];
        let candidates = keys.iter().flat_map(|&(hash, bucket)| Index::candidates(&self.pool, bucket, hash));
        let items = gather(&mut items, candidates.map(|entry| entry.location().byte()));
        core::hint::black_box(items.iter().fold(0, |folded, &item| folded ^ self.pool.two_lines(item)));
    }

    /// Executes an operation on the whole store; appends the answer that [`Broadcast`] names.
    pub fn broadcast(&mut self, operation: Broadcast, now: Seconds, answer: &mut Vec<u8>) {
        self.apply_due_flush(now);
        match operation {
            Broadcast::Flush { at } => {
                self.counters.totals.cmd_flush += 1;
                self.flush_at = Some(at);
                self.apply_due_flush(now);
            }
            Broadcast::RefuseFlush => self.counters.totals.cmd_flush += 1,
            Broadcast::Counters => self.counters_at(now).encode_to(answer),
            Broadcast::Classes => self.classes(now).encode(answer),
            Broadcast::Sizes(extent) => self.counters.sizes.encode(answer, extent),
            // The shard around the store owns prefixes and settings.
            Broadcast::CountPrefixes(_) | Broadcast::Prefixes(_) | Broadcast::Tune(_) | Broadcast::Tuned => {}
            Broadcast::Crawl => {
                answer.push(u8::from(self.expires));
                if self.expires {
                    self.counters.totals.lru_crawler_starts += 1;
                    self.reclaim.restart_sweep();
                    self.sweep(now, limits::CRAWL_SEGMENTS_MAX);
                }
            }
            Broadcast::BeginWalk => {
                answer.push(u8::from(self.expires));
                self.counters.totals.lru_crawler_starts += u64::from(self.expires);
            }
            Broadcast::Walk(walk) => self.append_listing(&walk, now, answer),
            Broadcast::ResetCounters => self.counters.reset(),
            Broadcast::Evict(eviction) => self.config.eviction = eviction,
        }
    }

    /// Changes the limit of the memory; false if it is above the capacity or below sixteen segments. The commands and
    /// sweeps that follow free the segments above a lowered limit step by step.
    pub fn set_limit(&mut self, memory_bytes: u64) -> bool {
        self.share_limit(memory_bytes, self.reserved_bytes)
    }

    /// [`Store::set_limit`], with `reserved_bytes` of the limit for something beside the store.
    pub fn share_limit(&mut self, memory_bytes: u64, reserved_bytes: u64) -> bool {
        let target = segments_in(memory_bytes.saturating_sub(reserved_bytes), self.pool.segment_bytes());
        if !self.is_possible(target) {
            return false;
        }
        self.config.memory_bytes = memory_bytes;
        self.reserved_bytes = reserved_bytes;
        let above = self.pool.used() + self.segments_kept_free();
        self.pool.set_limit(target.max(above.min(self.pool.limit())));
        self.target = target;
        self.pool.share_held(target);
        true
    }

    fn is_possible(&self, target: u32) -> bool {
        (SEGMENTS_MIN..=self.pool.capacity()).contains(&target)
    }

    /// Whether [`Store::set_limit`] can succeed.
    pub(crate) fn can_have_limit(&self, memory_bytes: u64) -> bool {
        let bytes = memory_bytes.saturating_sub(self.reserved_bytes);
        self.is_possible(segments_in(bytes, self.pool.segment_bytes()))
    }

    /// Gives up memory to something beside the store, or takes it back; false if the store would become too small.
    pub fn reserve(&mut self, bytes: u64) -> bool {
        self.share_limit(self.config.memory_bytes, bytes)
    }

    /// Makes uniques that no other of the `shards` shards makes. Must be called before items are stored.
    pub fn partition_uniques(&mut self, shard: u32, shards: u32) {
        self.unique = u64::from(shard);
        self.unique_step = u64::from(shards.max(1));
    }

    /// Counts items by size from now on. Must be called before items are stored.
    pub fn track_sizes(&mut self) {
        self.counters.sizes = Sizes::new(true);
    }

    /// The recorded deletes and evictions.
    pub fn events(&mut self) -> &mut Events {
        &mut self.events
    }

    /// Sets the limit of recorded events. Recorded events are lost.
    pub fn keep_events(&mut self, bytes_max: usize) {
        self.events = Events::new(bytes_max);
    }

    /// Records that a client deleted the item.
    fn record_deletion(&mut self, item: &Item, conditional: bool) {
        if self.events.wants(Kinds::DELETIONS) {
            let (class, bytes) = (class_of(item.total_bytes() as usize) as u32, item.value_bytes);
            let key = item.key(&self.pool);
            self.events.record(&Event::Deleted { key, conditional, class, bytes });
        }
    }

    /// Sets whether sweeps remove expired items. Without sweeps, an expired item is removed when a lookup finds it or
    /// when room is needed.
    pub fn set_expiry(&mut self, expires: bool) {
        self.expires = expires;
    }

    /// A segment of memory that is free because the limit was lowered; `None` if there are no more. The caller may
    /// return it to the system. Its content does not matter afterwards.
    pub fn reclaimable(&mut self) -> Option<&mut [u8]> {
        self.pool.reclaimable()
    }

    /// [`Store::counters`] at `now`.
    pub fn counters_at(&mut self, now: Seconds) -> Counters {
        self.apply_due_flush(now);
        self.counters()
    }

    /// Every counter and gauge of the store.
    pub fn counters(&self) -> Counters {
        let mut counters = self.counters.totals;
        counters.accumulate(&self.gauges());
        counters.divide_pool();
        counters
    }

    /// The gauges that the state of the store shows. Bytes of items are counted, not shown: [`Counters::divide_pool`] must
    /// follow when both are known.
    pub(crate) fn gauges(&self) -> Counters {
        let segment_bytes = u64::from(self.pool.segment_bytes());
        let mut counters = Counters::default();
        counters.curr_items = u64::from(self.index.items());
        counters.index_buckets = u64::from(self.index.buckets(&self.pool));
        counters.hash_bytes = counters.index_buckets * LINE_BYTES as u64;
        counters.pool_bytes = self.config.memory_bytes.saturating_sub(self.reserved_bytes);
        let begun = u64::from(self.log.unwritten_bytes(&self.pool)) + self.index.unused_bytes(&self.pool);
        counters.pool_free_bytes = u64::from(self.pool.available()) * segment_bytes + begun;
        counters.held_value_bytes = self.held_bytes();
        counters
    }

    /// The counters to which everything is added.
    pub(crate) fn counters_mut(&mut self) -> &mut StoreCounters {
        &mut self.counters
    }

    /// [`Store::gauges`] at `now`.
    pub(crate) fn gauges_at(&mut self, now: Seconds) -> Counters {
        self.apply_due_flush(now);
        self.gauges()
    }

    /// Exchanges the counters to which everything is added from now on. The counters of one store, and even their gauges,
    /// may so be spread over several, of which only the sum has a meaning.
    #[inline]
    pub(crate) fn exchange_counters(&mut self, counters: &mut Box<StoreCounters>) {
        core::mem::swap(&mut self.counters, counters);
    }

    /// Whether items are evicted in the order of their last uses.
    #[inline]
    fn orders_by_use(&self) -> bool {
        SERVES && self.config.eviction == Eviction::Lru
    }

    /// Executes a flush whose time has come.
    #[inline]
    fn apply_due_flush(&mut self, now: Seconds) {
        if SERVES && self.flush_at.is_some_and(|at| at <= now) {
            self.flush_at = None;
            self.flushed = Some(self.log.seal(&mut self.pool));
            self.reclaim.restart_sweep();
        }
    }

    /// Whether the item was written before the last flush.
    #[inline]
    fn is_flushed(&self, item: &Item) -> bool {
        SERVES
            && self
                .flushed
                .is_some_and(|flushed| self.pool.segment(self.pool.segment_of(item.location)).sequence() <= flushed)
    }

    /// The live item of that key, if there is one. Expired and flushed ones are removed on the way.
    #[inline(never)]
    fn lookup(&mut self, hash: u64, key: &[u8], now: Seconds) -> Option<Hit> {
        self.lookup_inlined(hash, key, now)
    }

    /// [`Store::lookup`] for the most frequent command. A result in memory is copied in words that are wider than its fields,
    /// and a processor cannot load such a word before the stores of its parts have reached the cache.
    #[inline(always)]
    fn lookup_inlined(&mut self, hash: u64, key: &[u8], now: Seconds) -> Option<Hit> {
        let pool = &self.pool;
        let slot = self.index.find(pool, hash, |entry| Item::key_is(pool, entry.location(), key))?;
        let item = Item::parse(pool, self.index.entry(pool, slot).location());
        if self.is_flushed(&item) || item.expiry(pool).has_passed(now) {
            self.remove_ended(hash, slot);
            return None;
        }
        Some(Hit { slot, item })
    }

    /// Removes an item that is flushed or has expired.
    #[cold]
    fn remove_ended(&mut self, hash: u64, slot: Slot) {
        let item = Item::parse(&self.pool, self.index.entry(&self.pool, slot).location());
        self.note_departure(&item, false);
        if self.is_flushed(&item) {
            self.counters.totals.get_flushed += 1;
        } else {
            self.counters.totals.get_expired += 1;
        }
        self.remove(hash, Hit { slot, item });
    }

    /// Removes an item from the index. Its bytes are dead.
    fn remove(&mut self, hash: u64, hit: Hit) {
        self.index.remove(&mut self.pool, hash, hit.slot);
        self.counters.unlink(&hit.item);
        self.unlink_use(&hit.item);
        self.log.kill(&mut self.pool, &hit.item);
        self.complete_flush();
        self.shrink_index(SHRINKING_STEPS_MAX);
    }

    /// Shrinks the index towards the number of items. True if there is more to do.
    fn shrink_index(&mut self, steps: u32) -> bool {
        (0..steps).all(|_| self.index.wants_shrinking() && self.index.shrink(&mut self.pool))
    }

    /// Ends the flush if no segment from before it is left.
    fn complete_flush(&mut self) {
        let Some(flushed) = self.flushed else { return };
        let is_later = |oldest| oldest == SegmentId::NONE || self.pool.segment(oldest).sequence() > flushed;
        if self.log.lists().all(|list| is_later(self.log.oldest(list))) {
            self.flushed = None;
        }
    }
}

/// Number of segments that fit, including their share of the segment table.
fn segments_in(memory_bytes: u64, segment_bytes: u32) -> u32 {
    (memory_bytes / (u64::from(segment_bytes) + SEGMENT_TABLE_BYTES)).min(u64::from(u32::MAX / segment_bytes)) as u32
}

/// A 1024th of the pool, but at least 4 KiB where that is no more than a 512th, and at most 64 KiB. Some ten segments are
/// free, half written or half walked, and they must not be a noticeable part of the pool; neither must the table, which has
/// 52 bytes for each.
fn default_segment_bytes(memory_bytes: u64) -> u32 {
    let share = (memory_bytes / 1024).max((memory_bytes / 512).min(4096));
    1 << share.clamp(u64::from(SEGMENT_BYTES_MIN), 64 * 1024).ilog2()
}
