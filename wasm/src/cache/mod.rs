//! Plain exports for a cache in JavaScript: one store an instance, without protocols.
//!
//! A key lies at the address that [`window`] returned, its value right behind it. All arguments and results are `u32`; further
//! results are in the [`mailbox`], and what it points to is valid until the next call. Times are ticks of any length: the store
//! compares and subtracts them only. A call with invalid arguments does nothing.
//!
//! A key of more than 250 bytes is stored under its hash, and lies as a whole in front of the value ([`name`]).

mod keys;
mod values;
mod word;

use alloc::vec::Vec;
use core::{cell::UnsafeCell, mem, slice};
use keys::{LONG_KEY_BYTES_MAX, LONG_KEY_TAG, LONG_NAME_BYTES, Place, Places, WORD_BYTES};
use values::{BUFFER_BYTES_KEPT_MAX, Bytes, address, append, append_record, value_behind};
use wasmcached_core::{
    boundary::config::StoreConfig,
    clock::{Expiry, Seconds},
    command::{ArithmeticOptions, Command, Direction, Eviction, Operation, StoreMode, StoreOptions, Touched},
    hash::Seed,
    limits::BATCH_COMMANDS_MAX,
    reply::Reply,
    store::{Store, Summary, WALK_END},
};

/// Longest value that a read of many keys copies.
const PACKED_BYTES_MAX: u32 = 4096;
/// The copies begin at multiples of it.
const PACKED_ALIGNMENT: usize = 8;
/// A page of a listing ends with the bucket in which it gets so long.
const PAGE_BYTES: usize = 256 * 1024;
/// A call ends, or leaves values out, where it would copy more.
const COPIED_BYTES_MAX: usize = 1024 * 1024;
/// Largest segment. The first one is written when the cache is made: a process may make thousands of caches.
const SEGMENT_BYTES_MAX: u32 = 32 * 1024;
/// Ticks between two pieces of upkeep.
const UPKEEP_TICKS: Seconds = 20;
/// Segments that a piece of upkeep visits.
const UPKEEP_STEPS: u32 = 8;
/// Result of a read without an entry.
const MISSING: u32 = u32::MAX;

/// The result of a call that changes an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
enum Outcome {
    Done,
    NotStored,
    Exists,
    Missing,
    TooLarge,
    OutOfMemory,
    NonNumeric,
    Refused,
}

/// Bits of the `switches` of [`create`].
mod switch {
    pub(super) const NO_EVICTIONS: u32 = 1;
    pub(super) const NO_CAS: u32 = 2;
    pub(super) const LRU: u32 = 4;
    pub(super) const DEPARTURES: u32 = 8;
}

/// One cache.
struct Cache {
    store: Store,
    seeds: [Seed; 3],
    now: Seconds,
    maintained: Seconds,
    items_max: u32,
    /// Receives keys and values. The first word is for the length of a key.
    window: Vec<u8>,
    /// The name of a long key.
    long_name: [u8; LONG_NAME_BYTES],
    /// Values that the store holds in pieces, and records.
    scratch: Vec<u8>,
    /// Address, length, expiry and flags of each value of [`get_many`].
    values: Vec<[u32; 4]>,
    /// Those of these values that the store holds in pieces.
    joined: Vec<Vec<u8>>,
    /// The small ones of these values, one behind the other, so that they leave in one copy.
    packed: Vec<u8>,
}

/// A value that only one thread uses: an instance has no other.
struct Alone<T>(UnsafeCell<T>);

// SAFETY: an instance is single-threaded.
unsafe impl<T> Sync for Alone<T> {}

static CACHE: Alone<Option<Cache>> = Alone(UnsafeCell::new(None));
static MAILBOX: Alone<[u32; word::COUNT]> = Alone(UnsafeCell::new([0; word::COUNT]));

/// The cache, if it was created.
#[inline]
fn cache() -> Option<&'static mut Cache> {
    // SAFETY: single-threaded. Every verb calls this once and drops the reference before it returns; no verb calls another.
    unsafe { &mut *CACHE.0.get() }.as_mut()
}

#[inline]
fn words() -> &'static mut [u32; word::COUNT] {
    // SAFETY: as in `cache`; no reference outlives a statement.
    unsafe { &mut *MAILBOX.0.get() }
}

fn put_wide(at: usize, number: u64) {
    words()[at] = number as u32;
    words()[at + 1] = (number >> 32) as u32;
}

fn wide(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

/// A store of a value.
#[derive(Clone, Copy)]
struct Request {
    mode: StoreMode,
    flags: u32,
    expiry: Expiry,
    compare: Option<u64>,
}

impl Cache {
    /// Makes the name of a long key: a tag and two hashes with different secrets. False if the key has no valid length.
    #[inline]
    fn prepare(&mut self, place: Place) -> bool {
        !place.is_long() || self.prepare_long(place).is_some()
    }

    #[cold]
    fn prepare_long(&mut self, place: Place) -> Option<()> {
        let before = place.at - WORD_BYTES;
        let key = self.window.get(place.at..place.end()).filter(|key| key.len() <= LONG_KEY_BYTES_MAX)?;
        self.long_name[0] = LONG_KEY_TAG;
        self.long_name[1..9].copy_from_slice(&self.seeds[1].hash(key).to_le_bytes());
        self.long_name[9..].copy_from_slice(&self.seeds[2].hash(key).to_le_bytes());
        self.window[before..place.at].copy_from_slice(&(place.key_bytes as u32).to_le_bytes());
        Some(())
    }

    /// Reads the value of a key; flags, expiry and unique go to the mailbox.
    #[inline]
    fn read(&mut self, place: Place, is_use: bool) -> Option<Bytes> {
        if !self.prepare(place) {
            return None;
        }
        let Self { store, seeds, now, window, long_name, scratch, .. } = self;
        let key = place.name(window, long_name)?;
        let hash = seeds[0].hash(key);
        let entry = if is_use { store.get(hash, key, *now) } else { store.peek(hash, key, *now) }?;
        let words = words();
        words[word::EXPIRY] = entry.expiry.0;
        words[word::FLAGS] = entry.found.flags;
        words[word::UNIQUE] = entry.found.cas as u32;
        words[word::UNIQUE + 1] = (entry.found.cas >> 32) as u32;
        value_behind(&entry.found.value, place.head(window), scratch)
    }

    /// Executes an operation on a key; `None` if the key is not valid, or if its name is another key's.
    #[inline]
    fn execute(&mut self, place: Place, operation: Operation<'_>) -> Option<Reply<'_>> {
        if !self.prepare(place) || (place.is_long() && self.read(place, false).is_none()) {
            return None;
        }
        let Self { store, seeds, now, window, long_name, .. } = self;
        let key = place.name(window, long_name)?;
        Some(store.change(&Command { hash: seeds[0].hash(key), key, operation }, *now))
    }

    /// Stores the value behind a key, which begins where the key ends.
    #[inline]
    fn store(&mut self, place: Place, value_bytes: u32, request: Request) -> Outcome {
        if !self.prepare(place) {
            return Outcome::Refused;
        }
        match request.mode {
            StoreMode::Prepend if place.is_long() => return self.prepend_long(place, value_bytes, request),
            // The name may be another key's.
            StoreMode::Append if place.is_long() && self.read(place, false).is_none() => return Outcome::NotStored,
            _ => {}
        }
        let Self { store, seeds, now, window, long_name, .. } = self;
        let Request { mode, flags, expiry, compare } = request;
        let end = place.end();
        let begin = if place.is_long() && mode != StoreMode::Append { place.at - WORD_BYTES } else { end };
        let value = end.checked_add(value_bytes as usize).and_then(|end| window.get(begin..end));
        let (Some(key), Some(value)) = (place.name(window, long_name), value) else { return Outcome::Refused };
        let operation = Operation::Store { mode, flags, expiry, compare, options: StoreOptions::default(), value };
        let hash = seeds[0].hash(key);
        let outcome = outcome_of(&store.change(&Command { hash, key, operation }, *now));
        if store.items() > self.items_max {
            store.evict_to(self.items_max, (hash, key), *now);
        }
        outcome
    }

    /// Writes the entry of a long key anew, with more bytes in front of its value.
    #[cold]
    fn prepend_long(&mut self, place: Place, value_bytes: u32, request: Request) -> Outcome {
        let Some(value_end) = place.end().checked_add(value_bytes as usize) else { return Outcome::Refused };
        if value_end > self.window.len() {
            return Outcome::Refused;
        }
        let Some(old) = self.peek_to_scratch(place) else { return Outcome::NotStored };
        let Some(value) = self.window.get(place.end()..value_end) else { return Outcome::Refused };
        let head_bytes = place.key_bytes + WORD_BYTES;
        let tail = self.scratch.split_off(head_bytes);
        self.scratch.extend_from_slice(value);
        self.scratch.extend_from_slice(&tail);
        let Self { store, seeds, now, scratch, long_name, .. } = self;
        let operation = Operation::Store {
            // A value that is too large leaves the entry as it is.
            mode: StoreMode::Replace,
            flags: old.0,
            expiry: old.1,
            compare: request.compare,
            options: StoreOptions::default(),
            value: scratch,
        };
        match outcome_of(&store.change(&Command { hash: seeds[0].hash(long_name), key: long_name, operation }, *now)) {
            // As of short keys.
            Outcome::TooLarge => Outcome::NotStored,
            outcome => outcome,
        }
    }

    /// Copies the stored value of a long key to `scratch`; its flags and expiry.
    fn peek_to_scratch(&mut self, place: Place) -> Option<(u32, Expiry)> {
        let Self { store, seeds, now, window, long_name, scratch, .. } = self;
        let entry = store.peek(seeds[0].hash(long_name), long_name, *now)?;
        scratch.clear();
        append(scratch, &entry.found.value);
        scratch.starts_with(place.head(window)).then_some((entry.found.flags, entry.expiry))
    }
}

fn outcome_of(reply: &Reply<'_>) -> Outcome {
    match reply {
        Reply::Stored { cas, .. } => {
            put_wide(word::UNIQUE, *cas);
            Outcome::Done
        }
        Reply::Deleted | Reply::Touched => Outcome::Done,
        Reply::Number { value, cas, .. } => {
            put_wide(word::UNIQUE, *cas);
            put_wide(word::NUMBER, *value);
            Outcome::Done
        }
        Reply::NotStored => Outcome::NotStored,
        Reply::Exists => Outcome::Exists,
        Reply::Missing => Outcome::Missing,
        Reply::TooLarge => Outcome::TooLarge,
        Reply::OutOfMemory => Outcome::OutOfMemory,
        Reply::NonNumeric => Outcome::NonNumeric,
        _ => Outcome::Refused,
    }
}

/// Creates the cache of this instance; 0 if the budget is too small, memory not available, or the instance has a cache. Three
/// secrets of 128 bits are in the mailbox.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn create(memory_bytes: u32, item_bytes_max: u32, items_max: u32, switches: u32) -> u32 {
    if cache().is_some() {
        return 0;
    }
    let is_set = |bit| switches & bit != 0;
    let seed = |number: usize| {
        let words = words();
        let at = word::SEEDS + 4 * number;
        Seed(wide(words[at], words[at + 1]), wide(words[at + 2], words[at + 3]))
    };
    let seeds = [seed(0), seed(1), seed(2)];
    let config = StoreConfig {
        seed: seeds[0],
        memory_bytes: u64::from(memory_bytes),
        memory_bytes_capacity: u64::from(memory_bytes),
        segment_bytes: if memory_bytes / 1024 > SEGMENT_BYTES_MAX { SEGMENT_BYTES_MAX } else { 0 },
        item_bytes_max,
        evictions: !is_set(switch::NO_EVICTIONS),
        eviction: if is_set(switch::LRU) { Eviction::Lru } else { Eviction::S3Fifo },
        cas: !is_set(switch::NO_CAS),
    };
    let Some(mut store) = Store::new(config) else { return 0 };
    if is_set(switch::DEPARTURES) {
        store.keep_departures();
    }
    let cache = Cache {
        store,
        seeds,
        now: 0,
        maintained: 0,
        items_max,
        window: Vec::new(),
        long_name: [0; LONG_NAME_BYTES],
        scratch: Vec::new(),
        values: Vec::new(),
        joined: Vec::new(),
        packed: Vec::new(),
    };
    // SAFETY: as in `cache`. There was none, so forgetting it leaks nothing, and no code to drop one is needed.
    mem::forget(unsafe { &mut *CACHE.0.get() }.replace(cache));
    1
}

/// The address of the mailbox, which never moves.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn mailbox() -> u32 {
    words().as_ptr().addr() as u32
}

/// The address for a key and its value, of `bytes` bytes together; 0 if there is no memory for them. In front of it is a word.
/// Its content is undefined.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn window(bytes: u32) -> u32 {
    let Some(Cache { window, .. }) = cache() else { return 0 };
    let bytes = (bytes as usize).saturating_add(WORD_BYTES);
    if window.len() < bytes || (window.len() > BUFFER_BYTES_KEPT_MAX && bytes <= BUFFER_BYTES_KEPT_MAX) {
        *window = Vec::new();
        if window.try_reserve_exact(bytes).is_err() {
            return 0;
        }
        window.resize(bytes, 0);
    }
    address(window) + WORD_BYTES as u32
}

/// Sets the time, and does some upkeep once in a while.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn tick(now: u32) {
    let Some(cache) = cache() else { return };
    cache.now = now;
    if now.wrapping_sub(cache.maintained) >= UPKEEP_TICKS {
        cache.maintained = now;
        cache.store.sweep(now, UPKEEP_STEPS);
    }
}

/// The length of the value of a key, or [`MISSING`]. Address, expiry, flags and unique are in the mailbox.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn get(key_bytes: u32) -> u32 {
    shown(cache().and_then(|cache| cache.read(Place::first(key_bytes), true)))
}

/// As [`get`], but not a use of the entry.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn peek(key_bytes: u32) -> u32 {
    shown(cache().and_then(|cache| cache.read(Place::first(key_bytes), false)))
}

#[inline]
fn shown(value: Option<Bytes>) -> u32 {
    let Some(Bytes { at, length }) = value else { return MISSING };
    words()[word::VALUE_AT] = at;
    length
}

/// Stores the value behind a key. `mode`: 0 set, 1 add, 2 replace, 3 append, 4 prepend. An [`Outcome`]; the unique is in the
/// mailbox.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn set(key_bytes: u32, value_bytes: u32, mode: u32, flags: u32, expires: u32) -> u32 {
    stored(key_bytes, value_bytes, mode, flags, expires, None)
}

/// As [`set`], if the entry has the unique in the mailbox.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn compare_and_set(key_bytes: u32, value_bytes: u32, mode: u32, flags: u32, expires: u32) -> u32 {
    let words = words();
    let unique = wide(words[word::UNIQUE], words[word::UNIQUE + 1]);
    stored(key_bytes, value_bytes, mode, flags, expires, Some(unique))
}

#[inline]
fn stored(key_bytes: u32, value_bytes: u32, mode: u32, flags: u32, expires: u32, compare: Option<u64>) -> u32 {
    const MODES: [StoreMode; 5] =
        [StoreMode::Set, StoreMode::Add, StoreMode::Replace, StoreMode::Append, StoreMode::Prepend];
    let (Some(cache), Some(&mode)) = (cache(), MODES.get(mode as usize)) else { return Outcome::Refused as u32 };
    let request = Request { mode, flags, expiry: Expiry(expires), compare };
    cache.store(Place::first(key_bytes), value_bytes, request) as u32
}

/// Removes a key whose new value is larger than an entry may be.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn refuse(key_bytes: u32) {
    changed(key_bytes, Operation::RefuseLarge { unlink: true });
}

/// Removes a key. An [`Outcome`].
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn remove(key_bytes: u32) -> u32 {
    changed(key_bytes, Operation::Delete)
}

/// Gives a key another expiry. An [`Outcome`].
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn touch(key_bytes: u32, expires: u32) -> u32 {
    changed(key_bytes, Operation::Touch { expiry: Expiry(expires), touched: Touched::Nothing })
}

/// Adds `delta` to the number of a short key, or subtracts it. An [`Outcome`]; the number is in the mailbox. A long key is
/// refused: the engine would look for the number in front of the value, where the key lies.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn add(key_bytes: u32, delta_low: u32, delta_high: u32, subtracts: u32) -> u32 {
    if Place::first(key_bytes).is_long() {
        return Outcome::Refused as u32;
    }
    let direction = if subtracts == 0 { Direction::Increment } else { Direction::Decrement };
    let (delta, options) = (wide(delta_low, delta_high), ArithmeticOptions::default());
    changed(key_bytes, Operation::Arithmetic { direction, delta, options })
}

fn changed(key_bytes: u32, operation: Operation<'_>) -> u32 {
    let Some(cache) = cache() else { return Outcome::Refused as u32 };
    cache.execute(Place::first(key_bytes), operation).map_or(Outcome::Missing, |reply| outcome_of(&reply)) as u32
}

/// Reads up to `count` keys, which lie in the window one after the other, each behind a word with its length. Returns how many
/// were read: the first ones, until [`COPIED_BYTES_MAX`] were copied. The mailbox has the address of as many rows: address and
/// length of the value ([`MISSING`]), expiry, flags. Values of up to [`PACKED_BYTES_MAX`] are copied behind each other; their rows
/// have places in the copy, whose address and length are in the mailbox.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn get_many(count: u32) -> u32 {
    let Some(cache) = cache() else { return 0 };
    cache.load_lines(count);
    let mut values = mem::take(&mut cache.values);
    let mut packed = mem::take(&mut cache.packed);
    let mut joined = Vec::new();
    values.clear();
    packed.clear();
    packed.shrink_to(BUFFER_BYTES_KEPT_MAX);
    let mut places = Places::new(count);
    let mut joined_bytes = 0;
    while packed.len() + joined_bytes < COPIED_BYTES_MAX
        && let Some(place) = places.next(&cache.window)
    {
        let Some(Bytes { at, length }) = cache.read(place, true) else {
            values.push([0, MISSING, 0, 0]);
            continue;
        };
        let words = words();
        if length <= PACKED_BYTES_MAX {
            let place = packed.len() as u32;
            // SAFETY: `read` returned the place of a value in the store or in the scratch buffer, and nothing has changed them.
            packed.extend_from_slice(unsafe { slice::from_raw_parts(at as usize as *const u8, length as usize) });
            packed.resize(packed.len().next_multiple_of(PACKED_ALIGNMENT), 0);
            values.push([place, length, words[word::EXPIRY], words[word::FLAGS]]);
            continue;
        }
        values.push([at, length, words[word::EXPIRY], words[word::FLAGS]]);
        if !cache.scratch.is_empty() {
            // Another value may need the buffer, so this one keeps it.
            joined_bytes += cache.scratch.len();
            joined.push(mem::take(&mut cache.scratch));
        }
    }
    let read = values.len() as u32;
    words()[word::RECORDS_AT] = values.as_ptr().addr() as u32;
    words()[word::VALUE_AT] = address(&packed);
    words()[word::RECORDS_BYTES] = packed.len() as u32;
    cache.values = values;
    cache.packed = packed;
    cache.joined = joined;
    read
}

/// Stores `count` values. Each lies in the window behind its length, flags, expiry, the length of its key, and the key. Returns
/// how many were stored; the outcome of the first that was not is in the mailbox, and those after it were not tried.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn set_many(count: u32) -> u32 {
    let Some(cache) = cache() else { return 0 };
    let mut at = 0;
    for done in 0..count {
        let row = cache.window.get(at..).and_then(<[u8]>::first_chunk::<16>);
        let Some([value_bytes, flags, expires, key_bytes]) = row.map(words_of) else { return done };
        let place = Place { at: at + 16, key_bytes: key_bytes as usize };
        let request = Request { mode: StoreMode::Set, flags, expiry: Expiry(expires), compare: None };
        let outcome = cache.store(place, value_bytes, request);
        if outcome != Outcome::Done {
            words()[word::NUMBER] = outcome as u32;
            return done;
        }
        at = place.end() + value_bytes as usize;
    }
    count
}

/// Removes `count` keys, which lie in the window as those of [`get_many`] do. Returns how many there were.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn remove_many(count: u32) -> u32 {
    let Some(cache) = cache() else { return 0 };
    cache.load_lines(count);
    let (mut places, mut removed) = (Places::new(count), 0);
    while let Some(place) = places.next(&cache.window) {
        removed += u32::from(matches!(cache.execute(place, Operation::Delete), Some(Reply::Deleted)));
    }
    removed
}

fn words_of<const WORDS: usize>(bytes: &[u8; 16]) -> [u32; WORDS] {
    let (words, _) = bytes.as_chunks::<WORD_BYTES>();
    core::array::from_fn(|number| u32::from_le_bytes(words[number]))
}

impl Cache {
    /// Loads the memory of the entries of `count` keys into the caches of the processor. Long keys are not looked for.
    fn load_lines(&mut self, count: u32) {
        let Self { store, seeds, window, .. } = self;
        let mut places = Places::new(count.min(BATCH_COMMANDS_MAX as u32));
        store.touch_lines(core::iter::from_fn(|| {
            let place = places.next(window)?;
            Some(seeds[0].hash(window.get(place.at..place.end())?))
        }));
    }
}

/// Lists entries from a cursor on (two words), whose keys begin with the first `prefix_bytes` of the window, until there are
/// `count`, or [`PAGE_BYTES`]. Returns their number; the mailbox has the address of the records and the next cursor, which is
/// 2^32 at the end.
/// A record: lengths of key and value, flags, expiry, the key, and the value if `with_values`. Entries whose values would make
/// the records longer than [`COPIED_BYTES_MAX`] are listed apart, by records without values that do not count: their address
/// and length are in the mailbox, in the words of a value.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn scan(cursor_low: u32, cursor_high: u32, prefix_bytes: u32, count: u32, with_values: u32) -> u32 {
    let Some(Cache { store, now, window, scratch, packed, .. }) = cache() else { return 0 };
    let prefix = window.get(WORD_BYTES..WORD_BYTES.saturating_add(prefix_bytes as usize));
    let cursor = if prefix.is_some() { wide(cursor_low, cursor_high) } else { WALK_END };
    let prefix = prefix.unwrap_or_default();
    for records in [&mut *scratch, packed] {
        records.clear();
        records.shrink_to(BUFFER_BYTES_KEPT_MAX);
    }
    let mut found = 0;
    let next = store.visit(cursor, count, *now, |name, entry| {
        let fits = scratch.len().saturating_add(entry.found.value.len()) <= COPIED_BYTES_MAX;
        if with_values != 0 && !fits {
            return u32::from(append_record(packed, prefix, name, entry, false));
        }
        let is_listed = append_record(scratch, prefix, name, entry, with_values != 0);
        found += u32::from(is_listed);
        // A page that is long enough in bytes has as many entries as were asked for.
        if scratch.len() >= PAGE_BYTES { count } else { u32::from(is_listed) }
    });
    let words = words();
    words[word::RECORDS_AT] = address(scratch);
    words[word::RECORDS_BYTES] = scratch.len() as u32;
    words[word::VALUE_AT] = address(packed);
    words[word::VALUE_BYTES] = packed.len() as u32;
    put_wide(word::CURSOR, next);
    found
}

/// Takes the records of entries that were evicted or expired: their number of bytes; the mailbox has the address.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn departures() -> u32 {
    let Some(Cache { store, scratch, .. }) = cache() else { return 0 };
    *scratch = store.take_departures();
    words()[word::RECORDS_AT] = address(scratch);
    scratch.len() as u32
}

/// Number of entries.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn count() -> u32 {
    cache().map_or(0, |cache| cache.store.items())
}

/// Puts the counts into the mailbox, two words each.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn summarize() {
    let Some(cache) = cache() else { return };
    let Summary { items, used_bytes, hits, misses, stores, evictions, expirations } = cache.store.summary();
    let counts = [u64::from(items), used_bytes, hits, misses, stores, evictions, expirations];
    for (number, count) in counts.into_iter().enumerate() {
        put_wide(word::SUMMARY + 2 * number, count);
    }
}

/// Bounded upkeep; 1 if there is more to do at once.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn sweep(steps: u32) -> u32 {
    cache().map_or(0, |cache| u32::from(cache.store.sweep(cache.now, steps)))
}
