//! Exact caches, each item weighted with its bytes: LRU order, and S3-FIFO (Yang et al., SOSP '23) with the store's one bit
//! for uses: an item that was used once moves to the main queue.

use lru::LruCache;
use std::collections::{HashMap, VecDeque};

/// A cache that stores what it misses.
pub(crate) trait Oracle {
    /// Reads the key, and stores it after a miss; true if it was there.
    fn request(&mut self, key: u64, bytes: u64) -> bool;
}

/// The exact LRU.
pub(crate) struct ExactLru {
    items: LruCache<u64, u64>,
    room: u64,
    held: u64,
}

impl ExactLru {
    pub(crate) fn new(room: u64) -> Self {
        Self { items: LruCache::unbounded(), room, held: 0 }
    }
}

impl Oracle for ExactLru {
    fn request(&mut self, key: u64, bytes: u64) -> bool {
        if self.items.get(&key).is_some() {
            return true;
        }
        self.items.put(key, bytes);
        self.held += bytes;
        while self.held > self.room {
            self.held -= self.items.pop_lru().unwrap().1;
        }
        false
    }
}

/// Fraction of the memory for the small queue.
const SMALL_DENOMINATOR: u64 = 10;

/// Exact S3-FIFO.
pub(crate) struct ExactS3Fifo {
    /// Bytes of each item, and whether it was used.
    items: HashMap<u64, (u64, bool)>,
    small: VecDeque<u64>,
    main: VecDeque<u64>,
    small_bytes: u64,
    main_bytes: u64,
    /// Evicted keys, each with the number of its eviction. Entries whose key came back are stale.
    ghosts: VecDeque<(u64, u64)>,
    ghost_numbers: HashMap<u64, u64>,
    evictions: u64,
    room: u64,
}

impl ExactS3Fifo {
    pub(crate) fn new(room: u64) -> Self {
        Self {
            items: HashMap::new(),
            small: VecDeque::new(),
            main: VecDeque::new(),
            small_bytes: 0,
            main_bytes: 0,
            ghosts: VecDeque::new(),
            ghost_numbers: HashMap::new(),
            evictions: 0,
            room,
        }
    }

    fn evict_small(&mut self) {
        let Some(key) = self.small.pop_back() else { return };
        let (bytes, used) = self.items[&key];
        self.small_bytes -= bytes;
        if used {
            self.items.insert(key, (bytes, false));
            self.main.push_front(key);
            self.main_bytes += bytes;
            return;
        }
        self.items.remove(&key);
        self.evictions += 1;
        self.ghosts.push_front((key, self.evictions));
        self.ghost_numbers.insert(key, self.evictions);
        while self.ghost_numbers.len() > self.main.len().max(1) {
            let (key, number) = self.ghosts.pop_back().unwrap();
            if self.ghost_numbers.get(&key) == Some(&number) {
                self.ghost_numbers.remove(&key);
            }
        }
    }

    fn evict_main(&mut self) {
        while let Some(key) = self.main.pop_back() {
            let (bytes, used) = self.items[&key];
            if used {
                self.items.insert(key, (bytes, false));
                self.main.push_front(key);
                continue;
            }
            self.items.remove(&key);
            self.main_bytes -= bytes;
            return;
        }
    }
}

impl Oracle for ExactS3Fifo {
    fn request(&mut self, key: u64, bytes: u64) -> bool {
        if let Some((_, used)) = self.items.get_mut(&key) {
            *used = true;
            return true;
        }
        while self.small_bytes + self.main_bytes + bytes > self.room {
            if self.small_bytes * SMALL_DENOMINATOR >= self.room || self.main.is_empty() {
                self.evict_small();
            } else {
                self.evict_main();
            }
        }
        self.items.insert(key, (bytes, false));
        if self.ghost_numbers.remove(&key).is_some() {
            self.main.push_front(key);
            self.main_bytes += bytes;
        } else {
            self.small.push_front(key);
            self.small_bytes += bytes;
        }
        false
    }
}
