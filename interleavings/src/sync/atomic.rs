//! The atomics of `core::sync::atomic` on those of loom.
//!
//! Loom tries another order of two threads where one of them does something that depends on what the other did last. It keeps
//! only the last access to each atomic: of a load by one thread, and a load and a store by another, it finds no second order.
//! So every access here is preceded by one to a word that all of them share.

pub(crate) use loom::sync::atomic::Ordering;

loom::lazy_static! {
    /// The word that every access depends on.
    static ref STEPS: loom::sync::atomic::AtomicU32 = loom::sync::atomic::AtomicU32::new(0);
    /// The word of [`AtomicU32`].
    static ref WORD: loom::sync::atomic::AtomicU32 = loom::sync::atomic::AtomicU32::new(0);
}

fn step() {
    STEPS.fetch_add(1, Ordering::Relaxed);
}

/// The word of a static. A model has one of them, with 0 in it at first.
pub(crate) struct AtomicU32(());

impl AtomicU32 {
    pub(crate) const fn new(value: u32) -> Self {
        assert!(value == 0);
        Self(())
    }

    pub(crate) fn load(&self, ordering: Ordering) -> u32 {
        step();
        WORD.load(ordering)
    }

    pub(crate) fn store(&self, value: u32, ordering: Ordering) {
        step();
        WORD.store(value, ordering);
    }
}

macro_rules! atomic {
    ($name:ident, $value:ty) => {
        #[derive(Default)]
        pub(crate) struct $name(loom::sync::atomic::$name);

        #[allow(dead_code, reason = "locks do without a part")]
        impl $name {
            pub(crate) fn new(value: $value) -> Self {
                Self(loom::sync::atomic::$name::new(value))
            }

            pub(crate) fn load(&self, ordering: Ordering) -> $value {
                step();
                self.0.load(ordering)
            }

            pub(crate) fn store(&self, value: $value, ordering: Ordering) {
                step();
                self.0.store(value, ordering);
            }

            pub(crate) fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                step();
                self.0.compare_exchange(current, new, success, failure)
            }
        }
    };
}

atomic!(AtomicBool, bool);
atomic!(AtomicU64, u64);
atomic!(AtomicUsize, usize);

impl AtomicUsize {
    pub(crate) fn fetch_and(&self, value: usize, ordering: Ordering) -> usize {
        step();
        self.0.fetch_and(value, ordering)
    }
}

impl AtomicU64 {
    pub(crate) fn fetch_add(&self, value: u64, ordering: Ordering) -> u64 {
        step();
        self.0.fetch_add(value, ordering)
    }

    pub(crate) fn fetch_update(
        &self,
        set: Ordering,
        fetch: Ordering,
        mut update: impl FnMut(u64) -> Option<u64>,
    ) -> Result<u64, u64> {
        let mut before = self.load(fetch);
        while let Some(after) = update(before) {
            match self.compare_exchange(before, after, set, fetch) {
                Ok(before) => return Ok(before),
                Err(other) => before = other,
            }
        }
        Err(before)
    }
}
