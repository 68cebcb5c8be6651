//! The oracle of the default order: exact S3-FIFO (Yang et al., SOSP '23), each item weighted with its size in this store.
//! Only items take memory. As in the store, an item that was used once while it was on probation moves to the main queue.

use std::collections::{HashMap, VecDeque};

use super::load::Load;
use super::request::{MissCount, Request};
use super::weight::item_bytes;

/// Fraction of the memory for new items.
const SMALL_DENOMINATOR: f64 = 10.0;

/// Misses of a read-through replay in `cache_bytes`. Items larger than the cache are not stored. Expired items stay until
/// they are requested or evicted.
pub fn replay(load: &Load, cache_bytes: u64) -> MissCount {
    let mut cache = Exact { capacity: cache_bytes as f64, ..Exact::default() };
    let mut missed = MissCount::default();
    load.requests(cache_bytes).filter(|request| !cache.request(request)).for_each(|request| missed.add(&request));
    missed
}

#[derive(Default)]
struct Exact {
    capacity: f64,
    items: HashMap<u32, Held>,
    small: Queue,
    main: Queue,
    /// Evicted keys with the numbers of their evictions. Entries whose key came back are stale.
    ghosts: VecDeque<(u32, u64)>,
    ghost_numbers: HashMap<u32, u64>,
    evictions: u64,
}

#[derive(Default)]
struct Queue {
    keys: VecDeque<u32>,
    bytes: f64,
}

impl Queue {
    fn push(&mut self, key: u32, bytes: f64) {
        self.keys.push_front(key);
        self.bytes += bytes;
    }
}

struct Held {
    bytes: f64,
    used: bool,
    /// 0: never.
    expires: u32,
}

impl Exact {
    /// Gets, and stores after a miss; returns whether it was a hit.
    fn request(&mut self, request: &Request) -> bool {
        let expires = if request.ttl_s == 0 { 0 } else { request.second + request.ttl_s };
        if let Some(held) = self.items.get_mut(&request.key) {
            let is_hit = held.expires == 0 || held.expires > request.second;
            held.used = true;
            // An expired item is written again in its place.
            held.expires = if is_hit { held.expires } else { expires };
            return is_hit;
        }
        let bytes = item_bytes(request);
        if bytes > self.capacity {
            return false;
        }
        while self.small.bytes + self.main.bytes + bytes > self.capacity {
            if self.small.bytes * SMALL_DENOMINATOR >= self.capacity || self.main.keys.is_empty() {
                self.evict_small();
            } else {
                self.evict_main();
            }
        }
        self.items.insert(request.key, Held { bytes, used: false, expires });
        let returns = self.ghost_numbers.remove(&request.key).is_some();
        if returns { &mut self.main } else { &mut self.small }.push(request.key, bytes);
        false
    }

    /// Takes the oldest item of the small queue: a used one moves to the main queue, another leaves a ghost.
    fn evict_small(&mut self) {
        let Some(key) = self.small.keys.pop_back() else { return };
        let held = self.items.get_mut(&key).expect("each key of a queue is held");
        self.small.bytes -= held.bytes;
        if held.used {
            held.used = false;
            self.main.push(key, held.bytes);
            return;
        }
        self.items.remove(&key);
        self.evictions += 1;
        self.ghosts.push_front((key, self.evictions));
        self.ghost_numbers.insert(key, self.evictions);
        // As many ghosts as items of the main queue.
        while self.ghost_numbers.len() > self.main.keys.len().max(1) {
            let Some((key, number)) = self.ghosts.pop_back() else { return };
            if self.ghost_numbers.get(&key) == Some(&number) {
                self.ghost_numbers.remove(&key);
            }
        }
    }

    /// Takes the oldest item of the main queue that was not used since it came there; used ones begin again.
    fn evict_main(&mut self) {
        while let Some(key) = self.main.keys.pop_back() {
            let held = self.items.get_mut(&key).expect("each key of a queue is held");
            if !held.used {
                self.main.bytes -= held.bytes;
                self.items.remove(&key);
                return;
            }
            held.used = false;
            self.main.keys.push_front(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::load::Intruders;
    use super::*;

    /// Misses with items of 109 bytes.
    fn count(keys: &[u32], ttl_s: &[u32], cache_bytes: u64) -> u64 {
        let load = Load {
            name: "test",
            about: String::new(),
            value_bytes: vec![68; 1000],
            ttl_s: ttl_s.to_vec(),
            keys: keys.to_vec(),
            intruders: Intruders::None,
            requests_per_second: 1,
        };
        replay(&load, cache_bytes).requests
    }

    #[test]
    fn a_used_item_outlives_a_scan() {
        let scan: Vec<u32> = [0, 0].into_iter().chain(1..100).chain([0]).collect();
        assert_eq!(count(&scan, &[], 1200), 100);
        let unused: Vec<u32> = (0..100).chain([0]).collect();
        assert_eq!(count(&unused, &[], 1200), 101);
    }

    #[test]
    fn a_ghost_returns_to_the_main_queue() {
        // Four items fit. Key 2 is evicted from the small queue; when it comes back, later new keys do not displace it.
        assert_eq!(count(&[0, 0, 1, 1, 2, 3, 4, 2, 5, 6, 7, 2], &[], 440), 9);
    }

    #[test]
    fn expired_items_miss() {
        assert_eq!(count(&[0, 0, 1, 0], &[2, 0], 1200), 3);
    }
}
