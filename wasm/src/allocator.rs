//! The allocator of guests: dlmalloc for small allocations, whole [pages] for large ones, so that the host can return the
//! memory of a large one to the system when it is free.

use crate::pages::Pages;
use core::{
    alloc::{GlobalAlloc, Layout},
    arch::wasm32::memory_grow,
    ops::Range,
    ptr,
};
use dlmalloc::Dlmalloc;

/// Bytes of a page: those of most systems, not those of WebAssembly.
const PAGE_BYTES: usize = 4096;

/// Bytes by which linear memory grows.
const GROWTH_BYTES: usize = 64 * 1024;

/// Bytes from which on an allocation has pages of its own. At most a third of them is not used.
const LARGE_BYTES: usize = 2 * PAGE_BYTES;

/// See the module.
pub(crate) struct Allocator;

/// A static of its own, because all of it is 0: then it takes no room in the module.
static PAGES: Alone<Pages> = Alone::new(Pages::new());
static SMALL: Alone<Dlmalloc> = Alone::new(Dlmalloc::new());

/// A value that one thread at a time uses: there is no other.
#[cfg(not(feature = "shared"))]
struct Alone<T>(core::cell::UnsafeCell<T>);

// SAFETY: a guest of this build is single-threaded.
#[cfg(not(feature = "shared"))]
unsafe impl<T> Sync for Alone<T> {}

#[cfg(not(feature = "shared"))]
impl<T> Alone<T> {
    const fn new(value: T) -> Self {
        Self(core::cell::UnsafeCell::new(value))
    }

    #[inline]
    #[allow(clippy::mut_from_ref, reason = "a guest of this build is single-threaded")]
    fn lock(&self) -> &mut T {
        // SAFETY: single-threaded; no method of `Pages` or `Dlmalloc` calls the global allocator, and no reference outlives a
        // statement.
        unsafe { &mut *self.0.get() }
    }
}

/// A value that one thread at a time uses: each takes the lock.
#[cfg(feature = "shared")]
type Alone<T> = crate::lock::Lock<T>;

impl Allocator {
    /// A piece of memory that is free but may be resident: its address and length. Its content is given up. Nobody uses it
    /// until the next call, before which the host returns it to the system; one thread at a time may do this.
    pub(crate) fn reclaim(&self) -> Option<(usize, usize)> {
        let (first, count) = PAGES.lock().reclaim()?;
        Some((first * PAGE_BYTES, count * PAGE_BYTES))
    }
}

/// Adds at least `pages` pages at the end of the memory.
fn grow(pages: usize) -> Option<Range<usize>> {
    let growth = (pages * PAGE_BYTES).div_ceil(GROWTH_BYTES);
    let before = memory_grow::<0>(growth);
    let page = |growth: usize| growth * (GROWTH_BYTES / PAGE_BYTES);
    (before != usize::MAX).then(|| page(before)..page(before + growth))
}

// SAFETY: an allocation of `LARGE_BYTES` or more has pages that nobody else has until it is freed, and its size in the
// layout says which of the two allocators it came from. Pages are aligned for every layout up to their size; a larger
// alignment is refused.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() < LARGE_BYTES {
            // SAFETY: the caller's promise.
            return unsafe { SMALL.lock().malloc(layout.size(), layout.align()) };
        }
        if layout.align() > PAGE_BYTES {
            return ptr::null_mut();
        }
        let first = PAGES.lock().take(layout.size().div_ceil(PAGE_BYTES), grow);
        first.map_or(ptr::null_mut(), |first| ptr::without_provenance_mut(first * PAGE_BYTES))
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        if layout.size() < LARGE_BYTES {
            // SAFETY: the caller's promise.
            unsafe { SMALL.lock().free(at, layout.size(), layout.align()) };
        } else {
            PAGES.lock().free(at.addr() / PAGE_BYTES, layout.size().div_ceil(PAGE_BYTES));
        }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        match (layout.size() < LARGE_BYTES, size < LARGE_BYTES) {
            // SAFETY: the caller's promise.
            (true, true) => return unsafe { SMALL.lock().realloc(at, layout.size(), layout.align(), size) },
            (false, false) => {
                let (old, new) = (layout.size().div_ceil(PAGE_BYTES), size.div_ceil(PAGE_BYTES));
                if PAGES.lock().resize(at.addr() / PAGE_BYTES, old, new) {
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
