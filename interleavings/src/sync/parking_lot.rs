//! The lock of `parking_lot` as a spin lock: it has the same steps while nobody waits, and a waiting thread of a model yields.
//! The lock of loom is no use here: its `try_lock` waits while another thread has the lock.

use super::spin::{SpinMutex, SpinMutexGuard};

/// `parking_lot::Mutex`
pub(crate) struct Mutex<T>(SpinMutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(SpinMutex::new(value))
    }

    pub(crate) fn lock(&self) -> SpinMutexGuard<'_, T> {
        self.0.lock()
    }

    pub(crate) fn try_lock(&self) -> Option<SpinMutexGuard<'_, T>> {
        self.0.try_lock()
    }
}
