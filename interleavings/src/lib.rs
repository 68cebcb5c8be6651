//! The protocols between threads, in every order of their steps.
//!
//! The sources are those of the product, one of the guest, of the core and of the host each. The build script copies them with
//! the locks and atomics of the model checker loom, and with faults that a test switches on. A test runs a scenario in every
//! order; tests beside it seed a fault and demand that the scenario finds it.
//!
//! `docs/internals/shared-memory.md` has the claims.

#![cfg(test)]

#[macro_use]
mod seed;
mod sync;

/// `wasm/src/lock.rs`
#[allow(dead_code, reason = "the model uses a part")]
mod lock {
    include!(concat!(env!("OUT_DIR"), "/lock.rs"));
}

/// `core/src/stripes/loans.rs`
#[allow(dead_code, reason = "the model uses a part")]
mod loans {
    include!(concat!(env!("OUT_DIR"), "/loans.rs"));
}

/// `host/src/stores/generations.rs`
#[allow(dead_code, reason = "the model uses a part")]
mod generations {
    include!(concat!(env!("OUT_DIR"), "/generations.rs"));
}

mod lending;
mod replacing;
mod waiting;

/// How often a thread is interrupted at most where it could go on. `LOOM_MAX_PREEMPTIONS` replaces it.
const PREEMPTIONS_MAX: usize = 3;

/// Steps of a run after which its threads wait for ever.
const BRANCHES_MAX: usize = 5000;

/// Runs a scenario in every order of the steps of its threads, and with every value that the memory model allows a load to
/// find.
fn in_every_order(scenario: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound.get_or_insert(PREEMPTIONS_MAX);
    model.max_branches = BRANCHES_MAX;
    model.check(scenario);
}

// The names by which `loans` knows the rest of the core.
use lending::store;
use wasmcached_core::{boundary, limits};
