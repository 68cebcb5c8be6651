//! Loads from a seed: common patterns of caches, and patterns that defeat eviction policies.

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use rand_distr::{Distribution as _, LogNormal, Zipf};

use super::load::{Intruders, Load};

/// Names of all loads, in the order of the report.
pub const NAMES: [&str; 13] = [
    "zipf-0.7",
    "zipf-0.9",
    "zipf-1.1",
    "scan",
    "shift-jump",
    "shift-drift",
    "mixed-sizes",
    "ttl",
    "classes",
    "one-hit",
    "pairs",
    "loop",
    "loop-zipf",
];

/// The load of this name; `scale` multiplies keys and requests.
pub fn load(name: &'static str, scale: f64) -> Option<Load> {
    let maker = Maker { name, scale, random: SmallRng::seed_from_u64(SEED) };
    Some(match name {
        "zipf-0.7" => maker.zipf(0.7),
        "zipf-0.9" => maker.zipf(0.9),
        "zipf-1.1" => maker.zipf(1.1),
        "scan" => maker.scan(),
        "shift-jump" => maker.shift_jump(),
        "shift-drift" => maker.shift_drift(),
        "mixed-sizes" => maker.mixed_sizes(),
        "ttl" => maker.ttl(),
        "classes" => maker.classes(),
        "one-hit" => maker.one_hit(),
        "pairs" => maker.pairs(),
        "loop" => maker.cyclic(),
        "loop-zipf" => maker.cyclic_and_zipf(),
        _ => return None,
    })
}

const SEED: u64 = 0x1e57;
/// Largest value; with key and header it stays within memcached's item limit of 1 MiB.
const VALUE_BYTES_MAX: f64 = (1 << 20) as f64 - 512.0;

struct Maker {
    name: &'static str,
    scale: f64,
    random: SmallRng,
}

impl Maker {
    fn scaled(&self, count: usize) -> usize {
        (count as f64 * self.scale) as usize
    }

    fn load(mut self, about: String, keys: Vec<u32>) -> Load {
        let highest = keys.iter().max().map_or(0, |&key| key as usize + 1);
        let value_bytes = self.small_values(highest);
        Load {
            name: self.name,
            about,
            value_bytes,
            ttl_s: Vec::new(),
            keys,
            intruders: Intruders::None,
            requests_per_second: 10_000,
        }
    }

    /// Around two hundred bytes, some a few thousand, as is common in caches. A fifth of all values is larger than the
    /// page per size class that memcached takes at least.
    fn small_values(&mut self, count: usize) -> Vec<u32> {
        let sizes = LogNormal::new(200f64.ln(), 1.0).expect("valid parameters");
        (0..count).map(|_| sizes.sample(&mut self.random).clamp(2.0, 10_000.0) as u32).collect()
    }

    /// Ranks from 0, the most popular one.
    fn ranks(&mut self, keys: usize, skew: f64, requests: usize) -> Vec<u32> {
        let zipf = Zipf::new(keys as f64, skew).expect("valid parameters");
        (0..requests).map(|_| zipf.sample(&mut self.random) as u32 - 1).collect()
    }

    fn zipf(mut self, skew: f64) -> Load {
        let (keys, requests) = (self.scaled(400_000), self.scaled(3_000_000));
        let ranks = self.ranks(keys, skew, requests);
        self.load(format!("Zipf {skew}"), ranks)
    }

    fn scan(mut self) -> Load {
        let (keys, requests) = (self.scaled(300_000), self.scaled(2_000_000));
        let every = self.scaled(100_000);
        let ranks = self.ranks(keys, 0.9, requests);
        let about = format!(
            "Zipf 0.9, and after each {every} requests a scan over keys never seen again, as large as the cache"
        );
        Load { intruders: Intruders::Scan { every }, ..self.load(about, ranks) }
    }

    fn shift_jump(mut self) -> Load {
        let (keys, requests, every) = (self.scaled(300_000), self.scaled(2_000_000), self.scaled(250_000));
        let ranks = self.ranks(keys, 0.9, requests);
        let shifted = ranks.iter().enumerate().map(|(at, &rank)| {
            let turns = at / every;
            ((rank as usize + turns * keys / 7) % keys) as u32
        });
        let shifted = shifted.collect();
        self.load(format!("Zipf 0.9 whose hot set becomes another one after each {every} requests"), shifted)
    }

    fn shift_drift(mut self) -> Load {
        let (keys, requests) = (self.scaled(300_000), self.scaled(2_000_000));
        let ranks = self.ranks(keys, 0.9, requests);
        let newest = |at: usize| keys + at / 20;
        let shifted = ranks.iter().enumerate().map(|(at, &rank)| (newest(at) - rank as usize) as u32).collect();
        self.load(
            "Zipf 0.9 by age: each 20th request a new key becomes the hottest, and all others cool by a rank".into(),
            shifted,
        )
    }

    fn mixed_sizes(mut self) -> Load {
        let (keys, requests) = (self.scaled(100_000), self.scaled(1_000_000));
        let ranks = self.ranks(keys, 0.9, requests);
        let value_bytes = (0..keys).map(|_| self.mixed_value()).collect();
        let about =
            "Zipf 0.9, values of 2 bytes to 1 MiB, most around 200 bytes, each doubling above 0.6 times as frequent";
        Load { value_bytes, ..self.load(about.into(), ranks) }
    }

    /// Chooses a power of two, with weights that fall on both sides of 128..256 bytes, then any size up to its double.
    fn mixed_value(&mut self) -> u32 {
        let weight = |doubling: i32| 0.6f64.powi((doubling - 7).abs());
        let mut point = self.random.random_range(0.0..(1..20).map(weight).sum());
        let doubling = (1..20).find(|&doubling| {
            point -= weight(doubling);
            point < 0.0
        });
        let low = f64::from(1u32 << doubling.unwrap_or(19));
        self.random.random_range(low..2.0 * low).min(VALUE_BYTES_MAX) as u32
    }

    fn ttl(mut self) -> Load {
        let (keys, requests) = (self.scaled(400_000), self.scaled(3_000_000));
        let ranks = self.ranks(keys, 0.9, requests);
        let lifetime = |random: &mut SmallRng| random.random_range(10f64.ln()..600f64.ln()).exp() as u32;
        let ttl_s = (0..keys).map(|_| if self.random.random_ratio(1, 3) { lifetime(&mut self.random) } else { 0 });
        let ttl_s = ttl_s.collect();
        let requests_per_second = self.scaled(1000);
        let about =
            format!("Zipf 0.9, {requests_per_second} requests a second, a third of the keys live for 10 to 600 s");
        Load { ttl_s, requests_per_second, ..self.load(about, ranks) }
    }

    /// Keys of one class of expiry are requested a thousand times as often as those of another.
    fn classes(mut self) -> Load {
        const CLASSES: [(u32, u32); 4] = [(0, 1000), (60, 100), (3600, 10), (86_400, 1)];
        let (keys, requests) = (self.scaled(100_000), self.scaled(3_000_000));
        let ranks = self.ranks(keys, 0.9, requests);
        let weights: u32 = CLASSES.iter().map(|class| class.1).sum();
        let mut class = || {
            let mut point = self.random.random_range(0..weights);
            CLASSES.iter().take_while(|class| point.checked_sub(class.1).map(|left| point = left).is_some()).count()
        };
        let mixed = ranks.into_iter().map(|rank| rank * CLASSES.len() as u32 + class() as u32).collect();
        let ttl_s = (0..keys).flat_map(|_| CLASSES.map(|class| class.0)).collect();
        let requests_per_second = self.scaled(1000);
        let about = format!(
            "Zipf 0.9 in four classes: no expiry, 60 s, 1 hour, 1 day, requested 1000 : 100 : 10 : 1, \
             {requests_per_second} requests a second"
        );
        Load { ttl_s, requests_per_second, ..self.load(about, mixed) }
    }

    fn one_hit(mut self) -> Load {
        let (keys, requests) = (self.scaled(300_000), self.scaled(1_500_000));
        let ranks = self.ranks(keys, 0.9, requests);
        let about = "Zipf 0.9, and every other request is for a key that is never seen again".to_owned();
        Load { intruders: Intruders::Between, ..self.load(about, ranks) }
    }

    /// The worst case of a probationary queue: keys that are requested twice, the second time perhaps after eviction.
    fn pairs(mut self) -> Load {
        let (keys, requests) = (self.scaled(100_000), self.scaled(1_000_000));
        let ranks = self.ranks(keys, 0.9, requests);
        let mut mixed = Vec::with_capacity(requests * 2);
        let mut again = std::collections::BTreeMap::<usize, Vec<u32>>::new();
        let mut next = keys as u32;
        for rank in ranks {
            while let Some(due) = again.first_entry().filter(|due| *due.key() <= mixed.len()) {
                mixed.extend(due.remove());
            }
            mixed.push(rank);
            if self.random.random_ratio(1, 2) {
                let distance = self.random.random_range(100f64.ln()..100_000f64.ln()).exp() as usize;
                again.entry(mixed.len() + distance).or_default().push(next);
                mixed.push(next);
                next += 1;
            }
        }
        self.load("half Zipf 0.9, half keys that are asked for twice, 100 to 100,000 requests apart".into(), mixed)
    }

    fn cyclic(self) -> Load {
        let (keys, requests) = (self.scaled(100_000) as u32, self.scaled(1_000_000) as u32);
        let around = (0..requests).map(|at| at % keys).collect();
        self.load("all keys in turn, again and again".into(), around)
    }

    fn cyclic_and_zipf(mut self) -> Load {
        let (keys, requests) = (self.scaled(100_000), self.scaled(2_000_000));
        let mut mixed = self.ranks(keys, 0.9, requests);
        for (turn, request) in mixed.iter_mut().skip(1).step_by(2).enumerate() {
            *request = (keys + turn % keys) as u32;
        }
        self.load("half Zipf 0.9, half as many other keys in turn, again and again".into(), mixed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loads_repeat_and_each_name_has_one() {
        for name in NAMES {
            let (one, two) = (load(name, 0.01).unwrap(), load(name, 0.01).unwrap());
            assert_eq!(one.name, name);
            assert!(one.keys == two.keys && one.value_bytes == two.value_bytes && one.ttl_s == two.ttl_s);
            assert!(one.footprint_bytes() > 0 && one.requests(100_000).count() >= one.keys.len());
        }
        assert!(load("nothing", 1.0).is_none());
    }

    #[test]
    fn mixed_sizes_reach_from_bytes_to_a_mebibyte() {
        let sizes = load("mixed-sizes", 1.0).unwrap().value_bytes;
        assert!(*sizes.iter().min().unwrap() <= 3 && *sizes.iter().max().unwrap() > 1_000_000);
    }
}
