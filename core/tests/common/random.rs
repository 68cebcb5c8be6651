//! Numbers from a seed (SplitMix64): a run is its seed, whatever library versions say.

use std::ops::Range;

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x9e37_79b9)
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// One of `range`, which is not empty.
    pub(crate) fn within(&mut self, range: Range<usize>) -> usize {
        range.start + (self.bits() % (range.end - range.start) as u64) as usize
    }

    /// True once in `times`.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.within(0..times) == 0
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.within(0..from.len())]
    }

    pub(crate) fn pick_byte(&mut self, from: &[u8]) -> u8 {
        from[self.within(0..from.len())]
    }

    /// A length up to `most`: often tiny, sometimes all of it, so that borders are met.
    pub(crate) fn length(&mut self, most: usize) -> usize {
        match self.within(0..8) {
            0 => 0,
            1 => most,
            2..5 => self.within(0..most.min(4) + 1),
            _ => self.within(0..most + 1),
        }
    }
}

/// The seeds of a test: those that the environment names in `WASMCACHED_SEED`, or `0..count`.
pub(crate) fn seeds(count: u64) -> Vec<u64> {
    match std::env::var("WASMCACHED_SEED") {
        Ok(seed) => vec![seed.parse().expect("WASMCACHED_SEED is a number")],
        Err(_) => (0..count).collect(),
    }
}

/// Runs `test` for each seed; a failing one is named.
pub(crate) fn for_each_seed(count: u64, test: impl Fn(u64)) {
    struct Named(u64);
    impl Drop for Named {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("run this alone with WASMCACHED_SEED={}", self.0);
            }
        }
    }
    for seed in seeds(count) {
        let named = Named(seed);
        test(seed);
        drop(named);
    }
}
