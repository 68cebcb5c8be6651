//! The oracle: exact LRU order, each item weighted with its size in this store. Only items take memory.

use std::collections::BTreeMap;

use lru::LruCache;

use super::load::Load;
use super::request::{MissCount, Request};
use super::weight::item_bytes;

/// Treatment of expired items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expired {
    /// They stay until they are requested or are the least recently used, as in a plain LRU cache.
    Kept,
    /// They are removed in the second in which they expire, the optimum for this order of eviction.
    Removed,
}

/// Misses of a read-through replay in `cache_bytes`. Items larger than the cache are not stored.
pub fn replay(load: &Load, expired: Expired, cache_bytes: u64) -> MissCount {
    let room = cache_bytes as f64;
    let mut cache = Exact { items: LruCache::unbounded(), capacity: room, room, expired, expiring: BTreeMap::new() };
    let mut missed = MissCount::default();
    load.requests(cache_bytes).filter(|request| !cache.request(request)).for_each(|request| missed.add(&request));
    missed
}

struct Exact {
    items: LruCache<u32, Held>,
    capacity: f64,
    /// Free bytes; negative only while an item is being stored.
    room: f64,
    expired: Expired,
    /// With [`Expired::Removed`]: keys by the second in which they may expire.
    expiring: BTreeMap<u32, Vec<u32>>,
}

struct Held {
    bytes: f64,
    /// 0: never.
    expires: u32,
}

impl Held {
    fn has_expired(&self, second: u32) -> bool {
        self.expires != 0 && self.expires <= second
    }
}

impl Exact {
    /// Gets, and stores after a miss; returns whether it was a hit.
    fn request(&mut self, request: &Request) -> bool {
        self.expire(request.second);
        if self.items.get(&request.key).is_some_and(|held| !held.has_expired(request.second)) {
            return true;
        }
        let bytes = item_bytes(request);
        if bytes > self.capacity {
            return false;
        }
        let expires = if request.ttl_s == 0 { 0 } else { request.second + request.ttl_s };
        if expires != 0 && self.expired == Expired::Removed {
            self.expiring.entry(expires).or_default().push(request.key);
        }
        let replaced = self.items.put(request.key, Held { bytes, expires });
        self.room -= bytes - replaced.map_or(0.0, |held| held.bytes);
        while self.room < 0.0 {
            let (_, evicted) = self.items.pop_lru().expect("an empty cache has room");
            self.room += evicted.bytes;
        }
        false
    }

    fn expire(&mut self, second: u32) {
        while let Some(due) = self.expiring.first_entry().filter(|due| *due.key() <= second) {
            for key in due.remove() {
                // The item may have been evicted and set again meanwhile.
                if self.items.peek(&key).is_some_and(|held| held.has_expired(second)) {
                    self.room += self.items.pop(&key).map_or(0.0, |held| held.bytes);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::load::Intruders;
    use super::*;

    fn load(keys: &[u32], ttl_s: &[u32]) -> Load {
        Load {
            name: "test",
            about: String::new(),
            value_bytes: vec![68; 10],
            ttl_s: ttl_s.to_vec(),
            keys: keys.to_vec(),
            intruders: Intruders::None,
            requests_per_second: 1,
        }
    }

    fn count(keys: &[u32], ttl_s: &[u32], cache_bytes: u64) -> [u64; 2] {
        [Expired::Kept, Expired::Removed].map(|expired| replay(&load(keys, ttl_s), expired, cache_bytes).requests)
    }

    #[test]
    fn the_least_recently_used_item_is_evicted() {
        // Items of 109 bytes.
        assert_eq!(count(&[0, 1, 0, 2, 0, 1], &[], 220), [4, 4]);
        assert_eq!(count(&[0, 1, 2, 0, 1, 2], &[], 220), [6, 6]);
        assert_eq!(count(&[0, 1, 2, 0, 1, 2], &[], 330), [3, 3]);
    }

    #[test]
    fn an_item_larger_than_the_cache_evicts_nothing() {
        assert_eq!(
            replay(&Load { value_bytes: vec![68, 500], ..load(&[0, 1, 0, 1], &[]) }, Expired::Kept, 220).requests,
            3
        );
    }

    #[test]
    fn an_expired_item_is_a_miss() {
        assert_eq!(count(&[0, 0, 0, 0, 0], &[2], 440), [3, 3]);
    }

    #[test]
    fn expired_items_free_memory_only_if_removed() {
        // Key 0 has expired when key 2 is stored; key 1 is older.
        assert_eq!(count(&[1, 0, 0, 2, 1], &[2, 0, 0], 230), [4, 3]);
    }
}
