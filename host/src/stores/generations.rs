//! The memories of a shard, one after the other, and the seats of threads in them.
//!
//! All threads use the present memory at the same time. After a fault of one of them, nothing in it is trusted: that thread
//! makes a new one and counts up the *generation*. Every thread compares the generation before and after each use, so no
//! answer counts of a memory that was replaced before the answer was complete.
//!
//! This file knows neither guests nor clients and imports nothing of this crate: `interleavings/` checks a copy of it in every
//! order of its threads.

use parking_lot::Mutex;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// How memories are made, entered and given up.
pub(super) trait Memories {
    /// The configuration of a memory.
    type Plan;
    /// A memory. It is freed when it is dropped.
    type Memory;
    /// The part of a memory that a thread has for itself.
    type Desk;
    /// Why a memory is lost.
    type Fault;

    /// Makes an empty memory; `None` if that is impossible now.
    fn make(&self, plan: &Self::Plan, now: u32) -> Option<Self::Memory>;

    /// Takes a desk in a memory, for the calling thread.
    ///
    /// # Errors
    /// The memory is lost.
    fn enter(&self, memory: &Self::Memory, desk: u32) -> Result<Self::Desk, Self::Fault>;

    /// Counts and reports a lost memory. No thread knows of it yet.
    fn record(&self, plan: &Self::Plan, fault: &Self::Fault);

    /// Asks every thread to call [`Generations::leave`].
    fn ask_to_leave(&self);

    /// Lets other threads run for a moment.
    fn pause(&self);

    /// Lets other threads run until they have left the memory, or have had time enough.
    fn wait_until(&self, have_left: impl Fn() -> bool);
}

/// See the module. The generation is read all the time and hardly ever written, so it is apart from everything else.
#[repr(align(128))]
pub(super) struct Generations<M: Memories> {
    generation: AtomicU64,
    state: Mutex<State<M>>,
}

struct State<M: Memories> {
    plan: M::Plan,
    /// The memory of the present generation. `None`: the last one is lost, and there is no room for a new one yet.
    memory: Option<Arc<M::Memory>>,
    /// When a new one was last tried.
    tried_at: u32,
}

/// A desk in the memory of a generation.
pub(super) struct Seat<M: Memories> {
    generation: u64,
    pub(super) desk: M::Desk,
    /// Dropped after the desk: then this thread has left the memory.
    _memory: Arc<M::Memory>,
}

impl<M: Memories> Generations<M> {
    /// The first generation has this memory.
    pub(super) fn new(plan: M::Plan, memory: M::Memory, now: u32) -> Self {
        let state = State { plan, memory: Some(Arc::new(memory)), tried_at: now };
        Self { generation: AtomicU64::new(0), state: Mutex::new(state) }
    }

    /// Does something at a seat, which is taken first if necessary. `None`: the memory is lost, or was lost meanwhile.
    #[inline]
    pub(super) fn at_seat<T>(
        &self,
        memories: &M,
        place: &mut Option<Seat<M>>,
        desk: u32,
        now: u32,
        work: impl FnOnce(&mut Seat<M>) -> Result<T, M::Fault>,
    ) -> Option<T> {
        let seat = self.seat(memories, place, desk, now)?;
        let generation = seat.generation;
        match work(seat) {
            Ok(done) if self.is_present(generation) => Some(done),
            Ok(_) => None,
            Err(fault) => {
                *place = None;
                self.replace(memories, generation, &fault, now);
                None
            }
        }
    }

    /// The seat, in the present memory. `None`: there is none.
    #[inline]
    pub(super) fn seat<'p>(
        &self,
        memories: &M,
        place: &'p mut Option<Seat<M>>,
        desk: u32,
        now: u32,
    ) -> Option<&'p mut Seat<M>> {
        if place.as_ref().is_none_or(|seat| !self.is_at(seat)) {
            self.take_seat(memories, place, desk, now)?;
        }
        place.as_mut()
    }

    /// Whether the memory of a seat is the present one.
    #[inline]
    pub(super) fn is_at(&self, seat: &Seat<M>) -> bool {
        self.is_present(seat.generation)
    }

    #[inline]
    fn is_present(&self, generation: u64) -> bool {
        self.generation.load(Ordering::Acquire) == generation
    }

    /// Gives up the seat if its memory was replaced. The last thread to leave frees the memory.
    pub(super) fn leave(&self, place: &mut Option<Seat<M>>) {
        place.take_if(|seat| !self.is_at(seat));
    }

    /// Changes the plan as the memory at the seat was changed, and returns the result. `None`, and nothing is changed: the
    /// memory was lost meanwhile.
    pub(super) fn change_plan<T>(
        &self,
        memories: &M,
        seat: &Seat<M>,
        change: impl FnOnce(&mut M::Plan) -> T,
    ) -> Option<T> {
        loop {
            let state = self.state.try_lock();
            // The thread that replaces the memory has the lock, and waits until this one leaves.
            if !self.is_at(seat) {
                return None;
            }
            if let Some(mut state) = state {
                return Some(change(&mut state.plan));
            }
            memories.pause();
        }
    }

    /// Takes the seat, in a new memory if there was no room for one when the last one was lost.
    #[cold]
    fn take_seat(&self, memories: &M, place: &mut Option<Seat<M>>, desk: u32, now: u32) -> Option<()> {
        // The desk in the old memory is given up first, so that this memory is free.
        *place = None;
        let mut state = self.state.lock();
        // Once a second, or every request would pay for a memory that cannot be made.
        if state.memory.is_none() && now != state.tried_at {
            state.make(memories, now);
        }
        let memory = Arc::clone(state.memory.as_ref()?);
        let generation = self.generation.load(Ordering::Acquire);
        drop(state);
        match memories.enter(&memory, desk) {
            Ok(desk) => {
                *place = Some(Seat { generation, desk, _memory: memory });
                Some(())
            }
            Err(fault) => {
                drop(memory);
                self.replace(memories, generation, &fault, now);
                None
            }
        }
    }

    /// Replaces the memory of a generation, unless another thread has done it. This thread has left it.
    #[cold]
    fn replace(&self, memories: &M, generation: u64, fault: &M::Fault, now: u32) {
        let mut state = self.state.lock();
        if !self.is_present(generation) {
            return;
        }
        memories.record(&state.plan, fault);
        let old = state.memory.take();
        self.generation.fetch_add(1, Ordering::Release);
        memories.ask_to_leave();
        if let Some(old) = old {
            memories.wait_until(|| Arc::strong_count(&old) == 1);
            // Freed before there is a new one, which may need its room, unless a thread is in it still.
            drop(old);
        }
        state.make(memories, now);
    }
}

impl<M: Memories> State<M> {
    fn make(&mut self, memories: &M, now: u32) {
        self.tried_at = now;
        self.memory = memories.make(&self.plan, now).map(Arc::new);
    }
}
