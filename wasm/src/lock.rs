//! The lock of a guest with many threads, which never waits for an instance that has trapped.

use core::sync::atomic::{AtomicU32, Ordering};
use spin::{RelaxStrategy, mutex::SpinMutex, rwlock::RwLock};

/// Not 0: an instance has trapped, so nothing in this memory is trusted any more. The host sets it after a trap; a panic sets
/// it before.
static POISONED: AtomicU32 = AtomicU32::new(0);

/// A spin lock. A thread that finds it held traps once the memory is poisoned: its holder may never release it.
pub(crate) type Lock<T> = SpinMutex<T, TrapWhenPoisoned>;

/// The same for values that may be shared: nobody takes it for reading. A mutex is given back by a store, which the guest's
/// compiler follows by a fence of memory; this one by a single atomic operation, which takes a tenth of the time.
pub(crate) type QuickLock<T> = RwLock<T, TrapWhenPoisoned>;

/// See [`Lock`].
pub(crate) struct TrapWhenPoisoned;

impl RelaxStrategy for TrapWhenPoisoned {
    #[inline]
    fn relax() {
        pause();
    }
}

/// A turn of waiting for another thread.
#[inline]
pub(crate) fn pause() {
    if POISONED.load(Ordering::Relaxed) != 0 {
        trap();
    }
    core::hint::spin_loop();
}

/// Poisons the memory.
pub(crate) fn poison() {
    POISONED.store(1, Ordering::Relaxed);
}

/// The word that the host sets.
pub(crate) fn poisoned() -> &'static AtomicU32 {
    &POISONED
}

#[cold]
fn trap() -> ! {
    #[cfg(target_family = "wasm")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_family = "wasm"))]
    panic!("the memory is poisoned")
}

#[cfg(test)]
mod tests {
    use super::*;

    static HELD: Lock<u32> = Lock::new(7);

    #[test]
    fn a_lock_that_is_never_released_hangs_nobody() {
        assert_eq!(*HELD.lock(), 7);
        core::mem::forget(HELD.lock());
        let waiting = std::thread::spawn(|| *HELD.lock());
        poison();
        assert!(waiting.join().is_err());
    }
}
