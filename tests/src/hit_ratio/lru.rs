//! The oracle: the exact LRU order, each item weighted with what it takes in this store.
//!
//! It is the best LRU there can be: nothing but items takes memory, and what expires is gone in the same second.

use std::collections::BTreeMap;

use lru::LruCache;

use super::load::{Load, Request};
use super::weight::item_bytes;

/// Misses of a read-through replay in `cache_bytes`.
pub fn misses(load: &Load, cache_bytes: u64) -> u64 {
    let mut cache = Exact { items: LruCache::unbounded(), room: cache_bytes as f64, expiring: BTreeMap::new() };
    load.requests(cache_bytes).map(|request| u64::from(!cache.request(&request))).sum()
}

struct Exact {
    items: LruCache<u32, Held>,
    /// Bytes that are not taken; below zero only while an item is being stored.
    room: f64,
    /// Keys by the second in which they may expire.
    expiring: BTreeMap<u32, Vec<u32>>,
}

struct Held {
    bytes: f64,
    /// 0: never.
    expires: u32,
}

impl Exact {
    /// Whether it was a hit.
    fn request(&mut self, request: &Request) -> bool {
        self.expire(request.second);
        if self.items.get(&request.key).is_some() {
            return true;
        }
        let expires = if request.ttl_s == 0 { 0 } else { request.second + request.ttl_s };
        if expires != 0 {
            self.expiring.entry(expires).or_default().push(request.key);
        }
        let bytes = item_bytes(request);
        self.items.put(request.key, Held { bytes, expires });
        self.room -= bytes;
        while self.room < 0.0 {
            let (_, evicted) = self.items.pop_lru().expect("an empty cache has room");
            self.room += evicted.bytes;
        }
        false
    }

    fn expire(&mut self, second: u32) {
        while let Some(due) = self.expiring.first_entry().filter(|due| *due.key() <= second) {
            for key in due.remove() {
                // It may have been evicted since, and set again.
                if self.items.peek(&key).is_some_and(|held| held.expires != 0 && held.expires <= second) {
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
            requests_a_second: 1,
        }
    }

    #[test]
    fn the_least_recently_used_goes() {
        // Items of 109 bytes: two fit.
        assert_eq!(misses(&load(&[0, 1, 0, 2, 0, 1], &[]), 220), 4);
        assert_eq!(misses(&load(&[0, 1, 2, 0, 1, 2], &[]), 220), 6);
        assert_eq!(misses(&load(&[0, 1, 2, 0, 1, 2], &[]), 330), 3);
    }

    #[test]
    fn what_expires_makes_room_in_the_same_second() {
        let lifetimes = [2, 0, 0];
        assert_eq!(misses(&load(&[0, 0, 0], &lifetimes), 440), 2);
        // Key 0 is gone when key 2 comes, so key 1 stays though it is older.
        assert_eq!(misses(&load(&[1, 0, 0, 2, 1], &lifetimes), 230), 3);
    }
}
