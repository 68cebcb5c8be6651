//! The loops that measure the store, as exports of a guest that is never shipped: `cargo xtask bench store` calls them.

use core::cell::UnsafeCell;
use store_loops::{Loops, Workload};

#[path = "../../core/examples/store_loops/mod.rs"]
mod store_loops;

struct Instance(UnsafeCell<Option<Loops>>);

// SAFETY: a guest is single-threaded.
unsafe impl Sync for Instance {}

static INSTANCE: Instance = Instance(UnsafeCell::new(None));

fn with_loops(work: impl FnOnce(&mut Loops) -> u64) -> u64 {
    // SAFETY: single-threaded, and `work` calls no export.
    unsafe { &mut *INSTANCE.0.get() }.as_mut().map_or(u64::MAX, work)
}

/// An empty store that is to hold `items` items under a work, by its place in `Workload::ALL`; 1 if there is memory for it.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn bench_create(work: u32, items: u64) -> u32 {
    let loops = Workload::ALL.get(work as usize).and_then(|work| Loops::new(*work, items));
    let made = loops.is_some();
    // SAFETY: as above.
    unsafe { *INSTANCE.0.get() = loops };
    u32::from(made)
}

/// See `Loops::turn_to`.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn bench_turn_to(work: u32) {
    with_loops(|loops| {
        Workload::ALL.get(work as usize).into_iter().for_each(|work| loops.turn_to(*work));
        0
    });
}

/// See `Loops::fill`.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn bench_fill() {
    with_loops(|loops| {
        loops.fill();
        0
    });
}

/// See `Loops::prepare`.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn bench_prepare() {
    with_loops(|loops| {
        loops.prepare();
        0
    });
}

/// See `Loops::run`.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn bench_run(batch: u32) -> u64 {
    with_loops(|loops| loops.run(batch as usize))
}

/// See `Loops::items`.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn bench_items() -> u64 {
    with_loops(|loops| loops.items())
}
