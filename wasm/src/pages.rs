//! Pages of linear memory for large allocations: which are used, which are free, and which of the free ones the host may
//! return to the system.

use core::ops::Range;

/// Pages of the largest linear memory, which has 4 GiB: they have 4 KiB.
const PAGES_MAX: usize = 1 << 20;

/// Pages of a huge page: 2 MiB, as most processors have them.
const HUGE_PAGE_PAGES: usize = 512;

/// Pages of an allocation from which on it begins with a huge page, if it is new. The pages before it are free.
const HUGE_ALLOCATION_PAGES: usize = 2 * HUGE_PAGE_PAGES;

/// The state of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In a large allocation, or no page of ours.
    Taken,
    /// Free, and perhaps resident.
    Written,
    /// The host was told that it may return it to the system: neither free nor used until the host has done so.
    Named,
    /// Free, and not resident: its content was given up.
    Absent,
}

impl State {
    fn is_free(self) -> bool {
        matches!(self, Self::Written | Self::Absent)
    }
}

/// See the module. Without pages at first.
pub(crate) struct Pages<const COUNT: usize = PAGES_MAX> {
    states: [State; COUNT],
    /// Number of free pages.
    free: usize,
    /// Number of free pages that may be resident.
    written: usize,
    /// The pages in the state `Named`: the first and their number.
    named: (usize, usize),
    /// No page below this one is free.
    lowest: usize,
    /// The page after the last that was ever ours.
    end: usize,
}

impl<const COUNT: usize> Pages<COUNT> {
    pub(crate) const fn new() -> Self {
        Self { states: [State::Taken; COUNT], free: 0, written: 0, named: (0, 0), lowest: 0, end: 0 }
    }

    /// Takes `count` neighbouring pages, the lowest that are free, or new ones from `grow`, which returns at least so many
    /// pages at the end of the memory. The number of the first page.
    pub(crate) fn take(&mut self, count: usize, grow: impl Fn(usize) -> Option<Range<usize>>) -> Option<usize> {
        if let Some(first) = self.find(count) {
            self.mark_taken(first, count);
            return Some(first);
        }
        let alignment = if count >= HUGE_ALLOCATION_PAGES { HUGE_PAGE_PAGES } else { 1 };
        let (grown, alignment) = match grow(count + alignment - 1) {
            Some(grown) => (grown, alignment),
            None => (grow(count)?, 1),
        };
        if grown.end > COUNT {
            return None;
        }
        let first = grown.start.next_multiple_of(alignment);
        // The states of new pages that are taken stay as they are: they are the most of a large memory's.
        for rest in [grown.start..first, first + count..grown.end] {
            let states = self.states.get_mut(rest.clone())?;
            states.fill(State::Absent);
            if !states.is_empty() {
                self.lowest = self.lowest.min(rest.start);
            }
            self.free += states.len();
        }
        self.end = self.end.max(grown.end);
        Some(first)
    }

    /// Makes an allocation of `old` pages `new` pages long where it is; `false` if it has no room.
    pub(crate) fn resize(&mut self, first: usize, old: usize, new: usize) -> bool {
        if new <= old {
            self.free(first + new, old - new);
            return true;
        }
        let following = self.states.get(first + old..first + new);
        let has_room = following.is_some_and(|states| states.iter().all(|state| state.is_free()));
        if has_room {
            self.mark_taken(first + old, new - old);
        }
        has_room
    }

    /// Frees pages that were taken.
    pub(crate) fn free(&mut self, first: usize, count: usize) {
        let Some(states) = self.states.get_mut(first..first + count) else { return };
        debug_assert!(states.iter().all(|&state| state == State::Taken));
        states.fill(State::Written);
        self.free += count;
        self.written += count;
        self.lowest = self.lowest.min(first);
    }

    /// Neighbouring free pages that may be resident: the first and their number. Their content is given up.
    ///
    /// They are free again at the next call, before which the host has returned them to the system. Until then nobody
    /// may use them: with many threads, the host returns them while others allocate.
    pub(crate) fn reclaim(&mut self) -> Option<(usize, usize)> {
        self.free_named();
        if self.written == 0 {
            return None;
        }
        let is_written = |&state: &State| state == State::Written;
        let first = self.lowest + self.states.get(self.lowest..self.end)?.iter().position(is_written)?;
        let count = self.states[first..self.end].iter().take_while(|&state| is_written(state)).count();
        self.states[first..first + count].fill(State::Named);
        self.written -= count;
        self.free -= count;
        self.named = (first, count);
        Some(self.named)
    }

    /// Frees the pages that the last [`Pages::reclaim`] named.
    fn free_named(&mut self) {
        let (first, count) = core::mem::take(&mut self.named);
        if count > 0 {
            self.states[first..first + count].fill(State::Absent);
            self.free += count;
            self.lowest = self.lowest.min(first);
        }
    }

    /// The lowest `count` neighbouring free pages.
    fn find(&mut self, count: usize) -> Option<usize> {
        if self.free < count {
            return None;
        }
        let (mut run, mut is_first) = (0, true);
        for page in self.lowest..self.end {
            if !self.states[page].is_free() {
                run = 0;
                continue;
            }
            if is_first {
                (self.lowest, is_first) = (page, false);
            }
            run += 1;
            if run == count {
                return Some(page + 1 - count);
            }
        }
        None
    }

    fn mark_taken(&mut self, first: usize, count: usize) {
        for state in &mut self.states[first..first + count] {
            self.written -= usize::from(*state == State::Written);
            *state = State::Taken;
        }
        self.free -= count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// A memory whose first ten pages belong to somebody else.
    struct Memory<const COUNT: usize> {
        pages: Pages<COUNT>,
        size: usize,
        /// It grows by multiples of this.
        step: usize,
    }

    impl<const COUNT: usize> Memory<COUNT> {
        fn new() -> Self {
            Self { pages: Pages::new(), size: 10, step: 1 }
        }

        fn take(&mut self, count: usize) -> usize {
            let size = Cell::new(self.size);
            let grow = |count: usize| {
                let before = size.replace(size.get() + count.next_multiple_of(self.step));
                (size.get() <= COUNT).then_some(before..size.get()).or_else(|| {
                    size.set(before);
                    None
                })
            };
            let first = self.pages.take(count, grow).unwrap();
            self.size = size.get();
            first
        }
    }

    #[test]
    fn free_pages_are_taken_before_new_ones() {
        let mut memory = Memory::<100>::new();
        assert_eq!([memory.take(3), memory.take(2), memory.take(1)], [10, 13, 15]);
        memory.pages.free(10, 3);
        assert_eq!(memory.take(4), 16, "three pages are no room for four");
        assert_eq!([memory.take(2), memory.take(1)], [10, 12]);
        memory.pages.free(13, 2);
        memory.pages.free(15, 1);
        assert_eq!([memory.take(3), memory.size], [13, 20]);
    }

    #[test]
    fn allocations_grow_and_shrink_in_place() {
        let mut memory = Memory::<100>::new();
        assert_eq!([memory.take(4), memory.take(4)], [10, 14]);
        assert!(!memory.pages.resize(10, 4, 5));
        assert!(memory.pages.resize(14, 4, 1) && memory.pages.resize(14, 1, 4) && !memory.pages.resize(14, 4, 5));
        memory.pages.free(10, 4);
        assert!(memory.pages.resize(14, 4, 2));
        assert_eq!([memory.take(2), memory.take(3)], [10, 18]);
        assert!(memory.pages.resize(10, 2, 4) && memory.pages.resize(14, 2, 4));
        assert_eq!((memory.pages.free, memory.pages.written), (0, 0));
    }

    #[test]
    fn every_free_page_is_reclaimed_once() {
        let mut memory = Memory::<100>::new();
        assert!(memory.pages.reclaim().is_none());
        for page in 10..20 {
            assert_eq!(memory.take(1), page);
        }
        for page in [11, 12, 15, 19] {
            memory.pages.free(page, 1);
        }
        let reclaimed: Vec<_> = core::iter::from_fn(|| memory.pages.reclaim()).collect();
        assert_eq!(reclaimed, [(11, 2), (15, 1), (19, 1)]);
        assert_eq!(memory.take(2), 11, "reclaimed pages are used again");
        memory.pages.free(11, 2);
        assert_eq!(memory.pages.reclaim(), Some((11, 2)));
        assert_eq!((memory.pages.free, memory.pages.written, memory.size), (2, 0, 20));
        assert_eq!(memory.pages.reclaim(), None);
        assert_eq!((memory.pages.free, memory.pages.written, memory.size), (4, 0, 20));
    }

    #[test]
    fn pages_that_the_host_returns_are_not_used_meanwhile() {
        let mut memory = Memory::<100>::new();
        assert_eq!([memory.take(2), memory.take(2), memory.take(2)], [10, 12, 14]);
        memory.pages.free(12, 2);
        assert_eq!(memory.pages.reclaim(), Some((12, 2)));
        assert!(!memory.pages.resize(10, 2, 3), "an allocation would grow into them");
        assert_eq!([memory.take(1), memory.take(2)], [16, 17]);
        memory.pages.free(14, 2);
        assert_eq!(memory.pages.reclaim(), Some((14, 2)), "pages freed meanwhile are the next");
        assert_eq!(memory.take(2), 12, "the host has returned the first ones");
        assert_eq!((memory.pages.reclaim(), memory.pages.reclaim()), (None, None));
        assert_eq!([memory.take(1), memory.take(1), memory.size], [14, 15, 19]);
        assert_eq!((memory.pages.free, memory.pages.written), (0, 0));
    }

    #[test]
    fn a_memory_that_cannot_grow_refuses() {
        let mut pages = Pages::<100>::new();
        assert_eq!(pages.take(1, |_| None), None);
        let beyond = 99..101;
        assert_eq!(pages.take(2, |_| Some(beyond.clone())), None, "no page lies beyond the largest memory");
    }

    #[test]
    fn pages_that_were_not_asked_for_are_free() {
        let mut memory = Memory::<100> { step: 16, ..Memory::new() };
        assert_eq!([memory.take(3), memory.take(13), memory.take(1), memory.size], [10, 13, 26, 42]);
        assert!(memory.pages.reclaim().is_none(), "nobody has written there");
        assert_eq!((memory.pages.free, memory.take(16)), (15, 42));
    }

    #[test]
    fn huge_allocations_begin_with_a_huge_page() {
        let mut memory = Memory::<5200>::new();
        assert_eq!([memory.take(1), memory.take(1024), memory.size], [10, 512, 1546]);
        assert_eq!([memory.take(501), memory.take(10), memory.size], [11, 1536, 1546], "pages around it are free");
        assert_eq!([memory.take(1023), memory.take(1024), memory.size], [1546, 3072, 4104]);
        assert_eq!((memory.pages.free, memory.take(503)), (503 + 8, 2569));
        assert_eq!([memory.take(1024), memory.size], [4104, 5128], "there is no room for an alignment");
    }
}
