//! Memory beyond that of the stores, for stripes in which clients read values that are gone.
//!
//! Readers of one key are all in the same stripe, which is a small part of the shard. Without loans, a few slow readers of
//! large values would be cut where one store has room for them.

use crate::{boundary::config::Config, limits, store::Store};
use core::sync::atomic::{AtomicU64, Ordering};

/// See the module. In a line of its own: it is written only while values that are gone are read.
#[repr(align(128))]
pub(super) struct Loans {
    bytes_max: u64,
    /// Bytes that are not lent.
    left: AtomicU64,
}

impl Loans {
    /// Of a shard of so many stripes. One alone has all of the memory already.
    pub(super) fn new(config: &Config, stripes: u32) -> Self {
        let shards = u64::from(config.shards.max(1));
        let bytes = (config.store.memory_bytes / limits::LOANS_DIVISOR).min(limits::LOANS_BYTES_MAX / shards);
        let bytes_max = if stripes > 1 { bytes } else { 0 };
        Self { bytes_max, left: AtomicU64::new(bytes_max) }
    }

    /// Makes the loan of a store what it should be, as far as there are bytes left. The caller has the lock of its stripe.
    #[cold]
    pub(super) fn adjust(&self, store: &mut Store) {
        let before = store.lent_bytes();
        let right = store.right_loan_bytes(before + self.left.load(Ordering::Relaxed));
        if right > before && !self.take(right - before) {
            // Another stripe was first. The next command in this one tries again.
            return;
        }
        store.lend(right);
        if right < before {
            self.left.fetch_add(before - right, Ordering::Relaxed);
        }
    }

    fn take(&self, bytes: u64) -> bool {
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes)).is_ok()
    }

    /// Checks that what is left and what is lent add up.
    pub(super) fn check(&self, lent: u64) {
        assert_eq!(self.left.load(Ordering::Relaxed) + lent, self.bytes_max);
    }
}
