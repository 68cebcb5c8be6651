//! Pages of linear memory for large allocations: which are used, which are free, and which of the free ones the host may
//! return to the system.

/// Pages of the largest linear memory.
const PAGES_MAX: usize = 1 << 16;

/// The state of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It belongs to somebody else.
    Foreign,
    /// In a large allocation.
    Used,
    /// Free, and perhaps resident.
    Written,
    /// Free, and not resident: its content was given up.
    Absent,
}

impl State {
    fn is_free(self) -> bool {
        matches!(self, Self::Written | Self::Absent)
    }
}

/// See the module. Without pages at first.
pub(crate) struct Pages {
    states: [State; PAGES_MAX],
    /// Number of free pages.
    free: usize,
    /// Number of free pages that may be resident.
    written: usize,
    /// No page below this one is free.
    lowest: usize,
    /// The page after the last that was ever ours.
    end: usize,
}

impl Pages {
    pub(crate) const fn new() -> Self {
        Self { states: [State::Foreign; PAGES_MAX], free: 0, written: 0, lowest: 0, end: 0 }
    }

    /// Takes `count` neighbouring pages, the lowest that are free, or new ones from `grow`, which returns the first of so
    /// many pages at the end of the memory. The number of the first page.
    pub(crate) fn take(&mut self, count: usize, grow: impl FnOnce(usize) -> Option<usize>) -> Option<usize> {
        if let Some(first) = self.find(count) {
            self.mark_used(first, count);
            return Some(first);
        }
        let first = grow(count)?;
        self.states.get_mut(first..first + count)?.fill(State::Used);
        self.end = self.end.max(first + count);
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
            self.mark_used(first + old, new - old);
        }
        has_room
    }

    /// Frees pages that were taken.
    pub(crate) fn free(&mut self, first: usize, count: usize) {
        let Some(states) = self.states.get_mut(first..first + count) else { return };
        debug_assert!(states.iter().all(|&state| state == State::Used));
        states.fill(State::Written);
        self.free += count;
        self.written += count;
        self.lowest = self.lowest.min(first);
    }

    /// Neighbouring free pages that may be resident: the first and their number. Their content is given up.
    pub(crate) fn reclaim(&mut self) -> Option<(usize, usize)> {
        if self.written == 0 {
            return None;
        }
        let is_written = |&state: &State| state == State::Written;
        let first = self.lowest + self.states.get(self.lowest..self.end)?.iter().position(is_written)?;
        let count = self.states[first..self.end].iter().take_while(|&state| is_written(state)).count();
        self.states[first..first + count].fill(State::Absent);
        self.written -= count;
        Some((first, count))
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

    fn mark_used(&mut self, first: usize, count: usize) {
        for state in &mut self.states[first..first + count] {
            self.written -= usize::from(*state == State::Written);
            *state = State::Used;
        }
        self.free -= count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A memory whose first ten pages belong to somebody else.
    struct Memory {
        pages: Box<Pages>,
        size: usize,
    }

    impl Memory {
        fn new() -> Self {
            Self { pages: Box::new(Pages::new()), size: 10 }
        }

        fn take(&mut self, count: usize) -> usize {
            let size = &mut self.size;
            let grow = |count| {
                *size += count;
                Some(*size - count)
            };
            self.pages.take(count, grow).unwrap()
        }
    }

    #[test]
    fn free_pages_are_taken_before_new_ones() {
        let mut memory = Memory::new();
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
        let mut memory = Memory::new();
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
        let mut memory = Memory::new();
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
        assert_eq!((memory.pages.free, memory.pages.written, memory.size), (4, 0, 20));
    }

    #[test]
    fn a_memory_that_cannot_grow_refuses() {
        let mut pages = Box::new(Pages::new());
        assert_eq!(pages.take(1, |_| None), None);
        assert_eq!(pages.take(2, |_| Some(PAGES_MAX - 1)), None, "no page lies beyond the largest memory");
    }
}
