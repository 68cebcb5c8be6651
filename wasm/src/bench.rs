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

/// Makes an empty store for `items` items of the workload at that index of `Workload::ALL`; 1 if there is memory for it.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn bench_create(workload: u32, items: u64) -> u32 {
    let loops = Workload::ALL.get(workload as usize).and_then(|workload| Loops::new(*workload, items));
    let made = loops.is_some();
    // SAFETY: as above.
    unsafe { *INSTANCE.0.get() = loops };
    u32::from(made)
}

/// See `Loops::turn_to`.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn bench_turn_to(workload: u32) {
    with_loops(|loops| {
        Workload::ALL.get(workload as usize).into_iter().for_each(|workload| loops.turn_to(*workload));
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
