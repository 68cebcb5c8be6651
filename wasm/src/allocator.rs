//! The allocator of guests: dlmalloc for small allocations, whole [pages] for large ones, so that the host can return the
//! memory of a large one to the system when it is free.

use crate::pages::Pages;
use core::{
    alloc::{GlobalAlloc, Layout},
    arch::wasm32::memory_grow,
    cell::UnsafeCell,
    ptr,
};
use dlmalloc::GlobalDlmalloc;

/// Bytes of a page of linear memory.
const PAGE_BYTES: usize = 64 * 1024;

/// Bytes from which on an allocation has pages of its own. The unused end of the last page is never resident.
const LARGE_BYTES: usize = 32 * 1024;

/// See the module.
pub(crate) struct Allocator(UnsafeCell<Pages>);

// SAFETY: a guest is single-threaded.
unsafe impl Sync for Allocator {}

impl Allocator {
    pub(crate) const fn new() -> Self {
        Self(UnsafeCell::new(Pages::new()))
    }

    /// A piece of memory that is free but may be resident: its address and length. Its content is given up.
    pub(crate) fn reclaim(&self) -> Option<(usize, usize)> {
        let (first, count) = self.pages().reclaim()?;
        Some((first * PAGE_BYTES, count * PAGE_BYTES))
    }

    #[allow(clippy::mut_from_ref, reason = "a guest is single-threaded")]
    fn pages(&self) -> &mut Pages {
        // SAFETY: single-threaded; no method of `Pages` allocates, and no reference outlives a method of this type.
        unsafe { &mut *self.0.get() }
    }
}

fn grow(pages: usize) -> Option<usize> {
    match memory_grow::<0>(pages) {
        usize::MAX => None,
        first => Some(first),
    }
}

// SAFETY: an allocation of `LARGE_BYTES` or more has pages that nobody else has until it is freed, and its size in the
// layout says which of the two allocators it came from. Pages are aligned for every layout up to their size; a larger
// alignment is refused.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() < LARGE_BYTES {
            // SAFETY: the caller's promise.
            return unsafe { GlobalDlmalloc.alloc(layout) };
        }
        if layout.align() > PAGE_BYTES {
            return ptr::null_mut();
        }
        let first = self.pages().take(layout.size().div_ceil(PAGE_BYTES), grow);
        first.map_or(ptr::null_mut(), |first| ptr::without_provenance_mut(first * PAGE_BYTES))
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        if layout.size() < LARGE_BYTES {
            // SAFETY: the caller's promise.
            unsafe { GlobalDlmalloc.dealloc(at, layout) };
        } else {
            self.pages().free(at.addr() / PAGE_BYTES, layout.size().div_ceil(PAGE_BYTES));
        }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        match (layout.size() < LARGE_BYTES, size < LARGE_BYTES) {
            // SAFETY: the caller's promise.
            (true, true) => return unsafe { GlobalDlmalloc.realloc(at, layout, size) },
            (false, false) => {
                let (old, new) = (layout.size().div_ceil(PAGE_BYTES), size.div_ceil(PAGE_BYTES));
                if self.pages().resize(at.addr() / PAGE_BYTES, old, new) {
                    return at;
                }
            }
            _ => {}
        }
        // SAFETY: the caller promises that `size`, rounded up to the alignment, does not overflow.
        let new = unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
        if !new.is_null() {
            // SAFETY: both are allocations of at least so many bytes, and the new one is not the old one.
            unsafe {
                ptr::copy_nonoverlapping(at, new, layout.size().min(size));
                self.dealloc(at, layout);
            }
        }
        new
    }
}
