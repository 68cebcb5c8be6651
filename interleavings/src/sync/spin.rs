//! The spin locks of `spin` 0.12, step by step with their orderings, and the way in which the core uses it. `spin` itself cannot
//! be given other atomics.

use super::atomic::{AtomicBool, AtomicUsize, Ordering};
use loom::cell::{MutPtr, UnsafeCell};
use std::{
    marker::PhantomData,
    ops::{Deref, DerefMut},
    sync,
};

/// `spin::RelaxStrategy`
pub(crate) trait RelaxStrategy {
    fn relax();
}

/// `spin::relax::Spin`, the strategy by default.
pub(crate) struct Spin;

impl RelaxStrategy for Spin {
    fn relax() {
        loom::hint::spin_loop();
    }
}

/// `spin::mutex`
pub(crate) mod mutex {
    pub(crate) use super::SpinMutex;
}

/// `spin::rwlock`
pub(crate) mod rwlock {
    pub(crate) use super::RwLock;
}

/// The value behind a lock.
struct Locked<T> {
    /// Finds accesses that nothing keeps apart.
    access: UnsafeCell<()>,
    /// Never contended: the threads of the model run in turn, and only one has the lock.
    value: sync::Mutex<T>,
}

/// The word of a lock.
pub(crate) trait LockWord {
    fn give_back(&self, ordering: Ordering);
}

impl LockWord for AtomicBool {
    fn give_back(&self, ordering: Ordering) {
        self.store(false, ordering);
    }
}

/// The bits that a writer sets, and gives back.
const WRITER: usize = 1;
const UPGRADED: usize = 1 << 1;

impl LockWord for AtomicUsize {
    fn give_back(&self, ordering: Ordering) {
        self.fetch_and(!(WRITER | UPGRADED), ordering);
    }
}

/// The guard of a lock with such a word.
pub(crate) struct LockGuard<'l, T, W: LockWord> {
    lock: &'l W,
    value: Option<sync::MutexGuard<'l, T>>,
    access: Option<MutPtr<()>>,
}

/// `spin::mutex::SpinMutexGuard`
pub(crate) type SpinMutexGuard<'l, T> = LockGuard<'l, T, AtomicBool>;

/// `spin::rwlock::RwLockWriteGuard`
pub(crate) type RwLockWriteGuard<'l, T> = LockGuard<'l, T, AtomicUsize>;

impl<T> Locked<T> {
    fn new(value: T) -> Self {
        Self { access: UnsafeCell::new(()), value: sync::Mutex::new(value) }
    }

    fn guard<'l, W: LockWord>(&'l self, lock: &'l W) -> LockGuard<'l, T, W> {
        let access = Some(self.access.get_mut());
        let value = Some(self.value.try_lock().expect("one thread at a time"));
        LockGuard { lock, value, access }
    }
}

/// `spin::mutex::SpinMutex`
pub(crate) struct SpinMutex<T, R = Spin> {
    lock: AtomicBool,
    value: Locked<T>,
    strategy: PhantomData<R>,
}

impl<T, R> SpinMutex<T, R> {
    pub(crate) fn new(value: T) -> Self {
        Self { lock: AtomicBool::new(false), value: Locked::new(value), strategy: PhantomData }
    }

    pub(crate) fn try_lock(&self) -> Option<SpinMutexGuard<'_, T>> {
        self.lock.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).ok()?;
        Some(self.value.guard(&self.lock))
    }
}

impl<T, R: RelaxStrategy> SpinMutex<T, R> {
    pub(crate) fn lock(&self) -> SpinMutexGuard<'_, T> {
        loop {
            if let Some(guard) = self.try_lock() {
                return guard;
            }
            while self.lock.load(Ordering::Relaxed) {
                R::relax();
            }
        }
    }
}

/// `spin::rwlock::RwLock`, which nobody takes for reading.
pub(crate) struct RwLock<T, R = Spin> {
    lock: AtomicUsize,
    value: Locked<T>,
    strategy: PhantomData<R>,
}

impl<T, R> RwLock<T, R> {
    pub(crate) fn new(value: T) -> Self {
        Self { lock: AtomicUsize::new(0), value: Locked::new(value), strategy: PhantomData }
    }

    pub(crate) fn try_write(&self) -> Option<RwLockWriteGuard<'_, T>> {
        self.lock.compare_exchange(0, WRITER, Ordering::Acquire, Ordering::Relaxed).ok()?;
        Some(self.value.guard(&self.lock))
    }
}

impl<T, R: RelaxStrategy> RwLock<T, R> {
    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, T> {
        loop {
            match self.try_write() {
                Some(guard) => return guard,
                None => R::relax(),
            }
        }
    }
}

impl<T, W: LockWord> Deref for LockGuard<'_, T, W> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect("until it is dropped")
    }
}

impl<T, W: LockWord> DerefMut for LockGuard<'_, T, W> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect("until it is dropped")
    }
}

impl<T, W: LockWord> Drop for LockGuard<'_, T, W> {
    fn drop(&mut self) {
        self.value = None;
        self.access = None;
        let ordering = if seeded!(LockGivenBackRelaxed) { Ordering::Relaxed } else { Ordering::Release };
        self.lock.give_back(ordering);
    }
}
