//! A load: keys with sizes, and requests whose order depends only on the load's seed.

use super::request::Request;
use super::weight::item_bytes;

/// Keys that are requested once and never again, between the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intruders {
    /// None.
    None,
    /// A scan as large as the cache, every so many requests.
    Scan {
        /// Requests between two scans.
        every: usize,
    },
    /// An intruder before each request.
    Between,
}

/// A stream of requests.
#[derive(Clone, Debug)]
pub struct Load {
    /// Name in tables.
    pub name: &'static str,
    /// Description in one line.
    pub about: String,
    /// Value size of each key.
    pub value_bytes: Vec<u32>,
    /// Time to live of each key in seconds, 0: unlimited; empty if all are unlimited.
    pub ttl_s: Vec<u32>,
    /// Requested keys in order.
    pub keys: Vec<u32>,
    /// Intruders between them.
    pub intruders: Intruders,
    /// How many of `keys` are requested per second.
    pub requests_per_second: usize,
}

impl Load {
    /// Bytes of all keys in this store, without intruders.
    pub fn footprint_bytes(&self) -> u64 {
        let mut seen = vec![false; self.value_bytes.len()];
        let first = self.keys.iter().filter(|&&key| !std::mem::replace(&mut seen[key as usize], true));
        first.map(|&key| item_bytes(&self.request(key, 0))).sum::<f64>() as u64
    }

    /// Number of distinct keys, without intruders.
    pub fn distinct_keys(&self) -> usize {
        let mut seen = vec![false; self.value_bytes.len()];
        self.keys.iter().for_each(|&key| seen[key as usize] = true);
        seen.iter().filter(|&&seen| seen).count()
    }

    /// Whether any item expires.
    pub fn has_expiry(&self) -> bool {
        !self.ttl_s.is_empty()
    }

    /// The requests in order; scans are as large as `cache_bytes`.
    pub fn requests(&self, cache_bytes: u64) -> impl Iterator<Item = Request> {
        let mut intruder = self.value_bytes.len() as u32;
        self.keys.iter().enumerate().flat_map(move |(at, &key)| {
            let second = (at / self.requests_per_second) as u32;
            let first = intruder;
            intruder += self.intruders_before(at, first, cache_bytes);
            (first..intruder).chain([key]).map(move |key| self.request(key, second))
        })
    }

    fn intruders_before(&self, at: usize, first: u32, cache_bytes: u64) -> u32 {
        match self.intruders {
            Intruders::Between => 1,
            Intruders::Scan { every } if at > 0 && at.is_multiple_of(every) => {
                let mut left = cache_bytes as f64;
                let fits = |key: &u32| {
                    left -= item_bytes(&self.request(*key, 0));
                    left >= 0.0
                };
                (first..).take_while(fits).count() as u32
            }
            _ => 0,
        }
    }

    /// Intruders take the sizes of the other keys in turn, and do not expire.
    fn request(&self, key: u32, second: u32) -> Request {
        let value_bytes = self.value_bytes[key as usize % self.value_bytes.len()];
        Request { key, value_bytes, ttl_s: self.ttl_s.get(key as usize).copied().unwrap_or(0), second }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(intruders: Intruders) -> Load {
        Load {
            name: "test",
            about: String::new(),
            value_bytes: vec![10, 20, 30],
            ttl_s: vec![],
            keys: vec![0, 1, 1, 0],
            intruders,
            requests_per_second: 2,
        }
    }

    #[test]
    fn a_scan_is_as_large_as_the_cache_and_its_keys_are_new() {
        let load = load(Intruders::Scan { every: 2 });
        let keys: Vec<u32> = load.requests(200).map(|request| request.key).collect();
        assert_eq!(keys, [0, 1, 3, 4, 5, 1, 0]);
        assert_eq!(load.requests(200).last().unwrap().second, 1);
    }

    #[test]
    fn intruders_between_requests_never_repeat() {
        let keys: Vec<u32> = load(Intruders::Between).requests(0).map(|request| request.key).collect();
        assert_eq!(keys, [3, 0, 4, 1, 5, 1, 6, 0]);
    }

    #[test]
    fn the_footprint_counts_each_requested_key_once() {
        let load = load(Intruders::Between);
        assert_eq!(load.distinct_keys(), 2);
        assert_eq!(load.footprint_bytes(), (12 + 20 + 12 + 12 + 20 + 20) + 18);
    }
}
