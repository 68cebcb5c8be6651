//! Faults that a test seeds: each is a place in a checked source, or in the model around it, that then does something else.

use std::cell::Cell;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SeededFault {
    /// A waiting thread does not look at the poison.
    PoisonIgnored,
    /// A waiting thread traps whether the memory is poisoned or not.
    TrapWithoutPoison,
    /// The host does not poison the memory after a trap.
    PoisonNotSet,
    /// A trap gives back the locks that the instance has.
    TrapGivesBackLocks,
    /// A lock is given back without making visible what was written under it.
    LockGivenBackRelaxed,
    /// A loan is taken by a load and a store.
    LoanTakenInTwoSteps,
    /// A loan is taken whether enough is left or not.
    LoanTakenUnchecked,
    /// A loan is returned before the store has given it up.
    LoanReturnedBeforeItIsGivenUp,
    /// A loan is not returned.
    LoanNotReturned,
    /// An answer counts whether its memory was replaced or not.
    AnswerNotCompared,
    /// The generation is compared without seeing what happened before it was counted up.
    GenerationRelaxed,
    /// The plan is changed whether the memory was replaced or not.
    PlanNotCompared,
    /// A thread that waits for a new memory is in the old one still.
    OldSeatKept,
    /// The generation of a seat is read after the memory.
    GenerationReadLate,
    /// A memory is replaced whether another thread has done it or not.
    ReplacementNotCompared,
    /// Threads are asked to leave before the generation is counted up.
    ToldBeforeTheCount,
    /// The new memory is made while threads are in the old one.
    NewBesideOld,
    /// A thread keeps an instance beside its seat.
    InstanceBesideSeat,
}

thread_local! {
    // A scenario runs on the thread of its test: the threads of the model are coroutines.
    static SEEDED: Cell<Option<SeededFault>> = const { Cell::new(None) };
}

/// The fault that is seeded on this thread.
pub(crate) fn seeded() -> Option<SeededFault> {
    SEEDED.get()
}

/// Runs a scenario with a fault.
pub(crate) fn with(fault: SeededFault, scenario: impl FnOnce()) {
    SEEDED.set(Some(fault));
    scenario();
}

/// Whether a fault is seeded.
// A pattern, not a comparison: then the compiler names faults that no test seeds.
macro_rules! seeded {
    ($fault:ident) => {
        matches!(crate::seed::seeded(), Some(crate::seed::SeededFault::$fault))
    };
}
