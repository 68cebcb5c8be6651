//! Exact caches, each item weighted with its bytes: LRU order, and S3-FIFO (Yang et al., SOSP '23) with the store's one bit
//! for uses: an item that was used once moves to the main queue.

use lru::LruCache;
use std::collections::{HashMap, HashSet, VecDeque};

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
    ghosts: VecDeque<u64>,
    ghost_keys: HashSet<u64>,
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
            ghost_keys: HashSet::new(),
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
        self.ghosts.push_front(key);
        self.ghost_keys.insert(key);
        while self.ghosts.len() > self.main.len().max(1) {
            self.ghost_keys.remove(&self.ghosts.pop_back().unwrap());
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
        if self.ghost_keys.remove(&key) {
            self.ghosts.retain(|ghost| *ghost != key);
            self.main.push_front(key);
            self.main_bytes += bytes;
        } else {
            self.small.push_front(key);
            self.small_bytes += bytes;
        }
        false
    }
}
