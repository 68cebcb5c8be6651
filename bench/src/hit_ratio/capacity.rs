//! How many items fit in `-m 64` of this store, in process, and of memcached.

use super::memcached::{Client, Held};
use super::request::Request;
use super::store::{Replay, StoreKind};
use super::weight::KEY_BYTES;
use crate::outcome::Outcome;
use crate::server::Program;

/// Memory limit.
pub const LIMIT_MIB: u64 = 64;
/// Value sizes, and how many items must fit if that is promised.
const CASES: [(u32, Option<u64>); 6] =
    [(2, None), (30, None), (100, None), (1000, None), (600 << 10, Some(100)), (1 << 20, Some(60))];
/// Values of this size and more need a higher item limit in memcached; this store always has it.
const VALUE_BYTES_LARGE: u32 = 512 << 10;

/// How many items of one value size fit.
#[derive(Clone, Debug)]
pub struct Capacity {
    /// Bytes of each value.
    pub value_bytes: u32,
    /// Fewest items that this store must hold.
    pub promised: Option<u64>,
    /// Items in this store, whose limit includes the index.
    pub store_items: u64,
    /// Bytes per item in addition to key and value, with its share of the index.
    pub bookkeeping_bytes: f64,
    /// Memory and items of memcached.
    pub memcached: Option<Held>,
}

/// Fills both until they evict, then with half as many items more.
pub fn measure(memcached: Option<&Program>) -> Outcome<Vec<Capacity>> {
    CASES.iter().map(|&(value_bytes, promised)| capacity(value_bytes, promised, memcached)).collect()
}

fn capacity(value_bytes: u32, promised: Option<u64>, memcached: Option<&Program>) -> Outcome<Capacity> {
    eprintln!("held: values of {value_bytes} bytes …");
    let mut store = Replay::new(StoreKind::default_kind(), LIMIT_MIB << 20)?;
    fill(&mut store, value_bytes)?;
    let counters = store.counters();
    let payload_bytes = counters.curr_items * (KEY_BYTES as u64 + u64::from(value_bytes));
    let beyond_bytes = counters.bytes + counters.hash_bytes - payload_bytes;
    let flags: &[&str] = if value_bytes < VALUE_BYTES_LARGE { &[] } else { &["-I", "2m"] };
    let held = memcached.map(|program| {
        let mut client = Client::start(program, LIMIT_MIB, flags)?;
        fill(&mut client, value_bytes)?;
        client.held()
    });
    Ok(Capacity {
        value_bytes,
        promised,
        store_items: counters.curr_items,
        bookkeeping_bytes: beyond_bytes as f64 / counters.curr_items as f64,
        memcached: held.transpose()?,
    })
}

/// A cache that can be filled.
trait Cache {
    fn set(&mut self, request: &Request) -> Outcome<()>;
    /// Waits for all sets, then returns the number of evictions.
    fn evictions(&mut self) -> Outcome<u64>;
}

impl Cache for Replay {
    fn set(&mut self, request: &Request) -> Outcome<()> {
        self.request(request);
        Ok(())
    }

    fn evictions(&mut self) -> Outcome<u64> {
        Ok(self.counters().evictions)
    }
}

impl Cache for Client {
    fn set(&mut self, request: &Request) -> Outcome<()> {
        self.set(request)
    }

    fn evictions(&mut self) -> Outcome<u64> {
        self.wait_for_sets()?;
        self.statistic("evictions")
    }
}

fn fill(cache: &mut impl Cache, value_bytes: u32) -> Outcome<()> {
    let fits = (LIMIT_MIB << 20) / (u64::from(value_bytes) + KEY_BYTES as u64);
    let step = (fits / 16).max(1) as u32;
    let mut stored = 0;
    let mut end = u32::MAX;
    while stored < end {
        for key in stored..stored + step {
            cache.set(&Request { key, value_bytes, ttl_s: 0, second: 0 })?;
        }
        stored += step;
        if cache.evictions()? > 0 {
            end = end.min(stored + stored / 2);
        } else if u64::from(stored) > 2 * fits {
            return Err(format!("{stored} values of {value_bytes} bytes without an eviction"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_values_fill_the_store_as_promised() {
        for (value_bytes, promised) in CASES.into_iter().filter(|(_, promised)| promised.is_some()) {
            let capacity = capacity(value_bytes, promised, None).unwrap();
            assert!(capacity.store_items >= promised.unwrap(), "{capacity:?}");
        }
    }

    #[test]
    fn small_items_need_no_more_bookkeeping_than_promised() {
        let capacity = capacity(1000, None, None).unwrap();
        assert!(capacity.store_items > 60_000 && capacity.bookkeeping_bytes <= 32.0, "{capacity:?}");
    }
}
