//! The calls of the system that the access to shared memory can make, and here does not.

pub(crate) mod memory {
    use std::ptr::NonNull;

    /// Advice about pages.
    #[derive(Clone, Copy)]
    pub(crate) enum Pages {}

    pub(crate) fn advise_range(_: NonNull<u8>, _: usize, _: Pages) -> bool {
        false
    }

    pub(crate) fn forbid_range(_: NonNull<u8>, _: usize) -> bool {
        false
    }
}
