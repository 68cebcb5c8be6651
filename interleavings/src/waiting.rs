//! Waiting for a lock in a guest whose holder may have trapped.

use crate::{
    in_every_order,
    lock::{self, Lock, QuickLock},
    seed::{SeededFault, with},
    sync::{
        Arc,
        spin::{RwLockWriteGuard, SpinMutexGuard},
    },
};
use loom::thread;
use std::{
    cell::Cell,
    mem,
    ops::DerefMut,
    panic::{self, AssertUnwindSafe},
    rc::Rc,
};

/// Two words that are equal whenever nobody has the lock.
type Pair = (u32, u32);

/// Both locks of a guest.
trait AnyLock: 'static {
    type Guard<'l>: DerefMut<Target = Pair>;

    fn new() -> Self;

    fn take(&self) -> Self::Guard<'_>;
}

impl AnyLock for Lock<Pair> {
    type Guard<'l> = SpinMutexGuard<'l, Pair>;

    fn new() -> Self {
        Self::new((0, 0))
    }

    fn take(&self) -> SpinMutexGuard<'_, Pair> {
        self.lock()
    }
}

impl AnyLock for QuickLock<Pair> {
    type Guard<'l> = RwLockWriteGuard<'l, Pair>;

    fn new() -> Self {
        Self::new((0, 0))
    }

    fn take(&self) -> RwLockWriteGuard<'_, Pair> {
        self.write()
    }
}

/// Runs a call into the guest; `None` if the instance traps.
fn call<T>(work: impl FnOnce() -> T) -> Option<T> {
    panic::catch_unwind(AssertUnwindSafe(work)).map_or_else(
        |message| match message.downcast_ref() {
            Some(&"the memory is poisoned") => None,
            _ => panic::resume_unwind(message),
        },
        Some,
    )
}

fn change(pair: &mut Pair) {
    pair.0 += 1;
    pair.1 += 1;
}

/// Waits for the lock and reads; `None` if the instance traps.
fn read(lock: &impl AnyLock) -> Option<u32> {
    let (one, other) = call(|| *lock.take())?;
    assert_eq!(one, other, "an answer is half of a change");
    Some(one)
}

/// An instance traps in the middle of a change, and so has its lock for ever. Another one waits for the lock.
fn a_holder_traps<L: AnyLock>() {
    in_every_order(|| {
        let lock = Arc::new(L::new());
        let is_poisoned = Rc::new(Cell::new(false));
        let waiting = {
            let (lock, is_poisoned) = (Arc::clone(&lock), Rc::clone(&is_poisoned));
            // It ends: otherwise the model has no end.
            thread::spawn(move || {
                let answer = read(&*lock);
                assert!(answer.is_some() || is_poisoned.get(), "a trap without poison");
                assert!(answer.is_none_or(|answer| answer == 0), "the change of an instance that has trapped");
            })
        };
        let mut guard = lock.take();
        guard.0 += 1;
        if seeded!(TrapGivesBackLocks) {
            drop(guard);
        } else {
            mem::forget(guard);
        }
        if !seeded!(PoisonNotSet) {
            is_poisoned.set(true);
            lock::poison();
        }
        waiting.join().expect("a thread of the model");
    });
}

/// Two instances use the lock, and none traps.
fn nobody_traps<L: AnyLock>() {
    in_every_order(|| {
        let lock = Arc::new(L::new());
        let change = |lock: &L| call(|| change(&mut lock.take())).expect("a trap without poison");
        let other = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || change(&lock))
        };
        change(&lock);
        assert!(read(&*lock).is_some_and(|changes| changes >= 1), "a trap without poison");
        other.join().expect("a thread of the model");
        assert_eq!(read(&*lock), Some(2), "a change is lost");
    });
}

#[test]
fn who_waits_for_a_trapped_holder_traps() {
    a_holder_traps::<Lock<Pair>>();
    a_holder_traps::<QuickLock<Pair>>();
}

#[test]
#[should_panic(expected = "exceeded maximum number of branches")]
fn who_ignores_the_poison_waits_for_ever() {
    with(SeededFault::PoisonIgnored, a_holder_traps::<Lock<Pair>>);
}

#[test]
#[should_panic(expected = "exceeded maximum number of branches")]
fn without_poison_the_others_wait_for_ever() {
    with(SeededFault::PoisonNotSet, a_holder_traps::<Lock<Pair>>);
}

#[test]
#[should_panic(expected = "an answer is half of a change")]
fn a_lock_that_a_trap_gives_back_shows_half_of_a_change() {
    with(SeededFault::TrapGivesBackLocks, a_holder_traps::<Lock<Pair>>);
}

#[test]
fn nobody_traps_without_poison() {
    nobody_traps::<Lock<Pair>>();
    nobody_traps::<QuickLock<Pair>>();
}

#[test]
#[should_panic(expected = "a trap without poison")]
fn a_trap_without_poison_is_found() {
    with(SeededFault::TrapWithoutPoison, nobody_traps::<Lock<Pair>>);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_lock_that_is_given_back_relaxed_is_found() {
    with(SeededFault::LockGivenBackRelaxed, nobody_traps::<Lock<Pair>>);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_quick_lock_that_is_given_back_relaxed_is_found() {
    with(SeededFault::LockGivenBackRelaxed, nobody_traps::<QuickLock<Pair>>);
}
