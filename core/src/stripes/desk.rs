//! The desk of a thread in a shard that many threads use.

use crate::{
    boundary::batch::ReplyLimit,
    statistics::Counters,
    store::{ClassAges, NO_AGES, Store, StoreCounters},
};
use alloc::{boxed::Box, vec::Vec};
use spin::rwlock::RwLock;

/// A desk. Its own thread has the lock during a call, others for a moment when they add up the counters.
#[repr(align(128))]
pub(super) struct Desk(pub(super) RwLock<DeskState>);

/// See the module.
pub(super) struct DeskState {
    /// Among the desks of the shard.
    pub(super) number: usize,
    pub(super) counters: Box<StoreCounters>,
    /// The limit on the replies of the batch.
    pub(super) limit: ReplyLimit,
    /// Records of events.
    events: Vec<u8>,
    recorded: u32,
    dropped: u32,
    /// The broadcast that a lock has interrupted.
    pub(super) progress: Progress,
}

/// How far a broadcast has come.
pub(super) struct Progress {
    /// The stripe that is next.
    pub(super) stripe: usize,
    /// The gauges of the stripes before it.
    pub(super) gauges: Counters,
    pub(super) ages: ClassAges,
    /// The answers of the stripes before it.
    pub(super) answer: Vec<u8>,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { stripe: 0, gauges: Counters::default(), ages: NO_AGES, answer: Vec::new() }
    }
}

impl Desk {
    pub(super) fn new(number: usize, track_sizes: bool) -> Self {
        Self(RwLock::new(DeskState {
            number,
            counters: Box::new(StoreCounters::new(track_sizes)),
            limit: ReplyLimit { piece_bytes: u32::MAX, reply_bytes: u32::MAX },
            events: Vec::new(),
            recorded: 0,
            dropped: 0,
            progress: Progress::new(),
        }))
    }
}

impl DeskState {
    /// Takes over the events that a store has recorded for this thread.
    #[cold]
    pub(super) fn take_events(&mut self, store: &mut Store) {
        let (recorded, dropped) = store.events().take(&mut self.events);
        self.recorded += recorded;
        self.dropped += dropped;
    }

    /// Moves the events to `out`. Returns their number, and the number of those that had no room.
    pub(super) fn give_events(&mut self, out: &mut Vec<u8>) -> (u32, u32) {
        out.append(&mut self.events);
        (core::mem::take(&mut self.recorded), core::mem::take(&mut self.dropped))
    }
}

/// The counters of a store that nobody uses.
pub(super) fn no_counters() -> StoreCounters {
    StoreCounters::none()
}
