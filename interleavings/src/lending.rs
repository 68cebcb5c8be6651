//! Loans of a shard to its stripes, which take and return them at the same time.

use crate::{
    in_every_order,
    loans::Loans,
    seed::{SeededFault, with},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use loom::thread;
use store::Store;
use wasmcached_core::{
    boundary::config::{Config, StoreConfig},
    limits,
};

/// The bytes of all loans together.
const BYTES_MAX: u64 = 3;

/// The store as [`Loans`] sees it.
pub(crate) mod store {
    use super::{Arc, AtomicU64, BYTES_MAX, Relaxed};

    /// A store in which readers keep bytes.
    pub(crate) struct Store {
        pub(super) kept: u64,
        pub(super) lent: u64,
        /// Bytes that all stores have as loans.
        pub(super) lent_to_all: Arc<AtomicU64>,
    }

    impl Store {
        pub(crate) fn lent_bytes(&self) -> u64 {
            self.lent
        }

        pub(crate) fn right_loan_bytes(&self, bytes_max: u64) -> u64 {
            self.kept.min(bytes_max)
        }

        pub(crate) fn lend(&mut self, bytes: u64) {
            let change = bytes.wrapping_sub(self.lent);
            let lent_to_all = self.lent_to_all.fetch_add(change, Relaxed).wrapping_add(change);
            assert!(lent_to_all <= BYTES_MAX, "more is lent than there is");
            self.lent = bytes;
        }
    }
}

/// Two stripes whose readers keep more bytes together than there are, and then fewer.
fn stripes_share_the_loans() {
    in_every_order(|| {
        let store = StoreConfig { memory_bytes: BYTES_MAX * limits::LOANS_DIVISOR, ..StoreConfig::default() };
        let loans = Arc::new(Loans::new(&Config { store, ..Config::default() }, 2));
        let lent_to_all = Arc::new(AtomicU64::new(0));
        let stripe = |kept_one_after_the_other: &'static [u64]| {
            let (loans, lent_to_all) = (Arc::clone(&loans), Arc::clone(&lent_to_all));
            move || {
                let mut store = Store { kept: 0, lent: 0, lent_to_all };
                for &kept in kept_one_after_the_other {
                    store.kept = kept;
                    loans.adjust(&mut store);
                }
                store.lent
            }
        };
        let other = thread::spawn(stripe(&[2, 0]));
        let own = stripe(&[2, 1])();
        let lent = own + other.join().expect("a thread of the model");
        loans.check(lent);
    });
}

#[test]
fn no_more_is_lent_than_there_is_and_nothing_is_lost() {
    stripes_share_the_loans();
}

#[test]
#[should_panic(expected = "assertion `left == right` failed")]
fn a_loan_that_is_taken_in_two_steps_is_found() {
    with(SeededFault::LoanTakenInTwoSteps, stripes_share_the_loans);
}

#[test]
#[should_panic(expected = "assertion `left == right` failed")]
fn a_loan_that_is_taken_unchecked_is_found() {
    with(SeededFault::LoanTakenUnchecked, stripes_share_the_loans);
}

#[test]
#[should_panic(expected = "more is lent than there is")]
fn a_loan_that_is_returned_too_early_is_found() {
    with(SeededFault::LoanReturnedBeforeItIsGivenUp, stripes_share_the_loans);
}

#[test]
#[should_panic(expected = "assertion `left == right` failed")]
fn a_loan_that_is_not_returned_is_found() {
    with(SeededFault::LoanNotReturned, stripes_share_the_loans);
}
