//! The spin lock of `spin` 0.12, step by step with its orderings, and the way in which the core uses it. `spin` itself cannot
//! be given other atomics.

use super::atomic::{AtomicBool, Ordering};
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

/// `spin::mutex::SpinMutex`
pub(crate) struct SpinMutex<T, R = Spin> {
    lock: AtomicBool,
    /// Finds accesses that nothing keeps apart.
    access: UnsafeCell<()>,
    /// Never contended: the threads of the model run in turn, and only one has the lock.
    value: sync::Mutex<T>,
    strategy: PhantomData<R>,
}

/// `spin::mutex::SpinMutexGuard`
pub(crate) struct SpinMutexGuard<'l, T> {
    lock: &'l AtomicBool,
    value: Option<sync::MutexGuard<'l, T>>,
    access: Option<MutPtr<()>>,
}

impl<T, R> SpinMutex<T, R> {
    pub(crate) fn new(value: T) -> Self {
        let (lock, access) = (AtomicBool::new(false), UnsafeCell::new(()));
        Self { lock, access, value: sync::Mutex::new(value), strategy: PhantomData }
    }

    pub(crate) fn try_lock(&self) -> Option<SpinMutexGuard<'_, T>> {
        self.lock.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).ok()?;
        let access = Some(self.access.get_mut());
        let value = Some(self.value.try_lock().expect("one thread at a time"));
        Some(SpinMutexGuard { lock: &self.lock, value, access })
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

impl<T> Deref for SpinMutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect("until it is dropped")
    }
}

impl<T> DerefMut for SpinMutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect("until it is dropped")
    }
}

impl<T> Drop for SpinMutexGuard<'_, T> {
    fn drop(&mut self) {
        self.value = None;
        self.access = None;
        let ordering = if seeded!(LockGivenBackRelaxed) { Ordering::Relaxed } else { Ordering::Release };
        self.lock.store(false, ordering);
    }
}
