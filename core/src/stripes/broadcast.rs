//! Operations on a whole shard that many threads use: stripe by stripe, one lock at a time.

use super::{
    Stripes,
    desk::{DeskState, Progress},
};
use crate::{
    boundary::listing,
    clock::Seconds,
    command::{Broadcast, Extent, Walk},
    statistics::Counters,
    store::StoreCounters,
};
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

/// Bit of a cursor from which on it has the number of the stripe; below is the place in it.
const STRIPE_SHIFT: u32 = 32;

impl Stripes {
    /// Executes an operation on all stripes and appends its answer. `false`: a lock was not to be had. The desk remembers
    /// how far the operation has come, so it must be sent again.
    pub(super) fn broadcast(
        &self,
        desk: &mut DeskState,
        operation: Broadcast,
        now: Seconds,
        answer: &mut Vec<u8>,
    ) -> bool {
        if let Broadcast::Walk(walk) = operation {
            return self.walk(desk, &walk, now, answer);
        }
        while desk.progress.stripe < self.stripes.len() {
            if !self.visit(desk, operation, now) {
                return false;
            }
            desk.progress.stripe += 1;
        }
        if !self.conclude(desk, operation, answer) {
            return false;
        }
        desk.progress = Progress::new();
        true
    }

    /// Executes the operation on the next stripe.
    fn visit(&self, desk: &mut DeskState, operation: Broadcast, now: Seconds) -> bool {
        let mut progress = core::mem::replace(&mut desk.progress, Progress::new());
        let number = progress.stripe;
        let is_done = match self.held(number, desk) {
            None => false,
            Some(mut held) => {
                match operation {
                    Broadcast::Counters => progress.gauges.accumulate(&held.shard.gauges_at(now)),
                    Broadcast::Classes => {
                        for (age, of_stripe) in progress.ages.iter_mut().zip(held.shard.store().class_ages(now)) {
                            *age = (*age).max(of_stripe);
                        }
                    }
                    Broadcast::Sizes(_) => {}
                    Broadcast::Prefixes(Extent { from, room }) => {
                        let room = room / self.stripes.len() as u32;
                        held.shard.broadcast(Broadcast::Prefixes(Extent { from, room }), now, &mut progress.answer);
                    }
                    // Every stripe does it, the first answers, and it counts once.
                    _ if number == 0 => held.shard.broadcast(operation, now, &mut progress.answer),
                    _ => {
                        let Counters { cmd_flush, lru_crawler_starts, .. } =
                            held.shard.store_mut().counters_mut().totals;
                        held.shard.broadcast(operation, now, &mut Vec::new());
                        let totals = &mut held.shard.store_mut().counters_mut().totals;
                        (totals.cmd_flush, totals.lru_crawler_starts) = (cmd_flush, lru_crawler_starts);
                    }
                }
                true
            }
        };
        desk.progress = progress;
        is_done
    }
}

impl Stripes {
    /// Adds up what all desks have counted, if the answer has it, and appends the answer.
    fn conclude(&self, desk: &mut DeskState, operation: Broadcast, answer: &mut Vec<u8>) -> bool {
        match operation {
            Broadcast::Counters => {
                let Some(all) = self.counters_of_desks(desk) else { return false };
                let mut counters = all.totals;
                counters.accumulate(&desk.progress.gauges);
                counters.divide_pool();
                counters.encode_to(answer);
            }
            Broadcast::Classes => {
                let Some(all) = self.counters_of_desks(desk) else { return false };
                all.classes(&desk.progress.ages).encode(answer);
            }
            Broadcast::Sizes(extent) => {
                let Some(all) = self.counters_of_desks(desk) else { return false };
                all.sizes.encode(answer, extent);
            }
            Broadcast::ResetCounters => {
                let others = self.other_desks(desk.number);
                return others.fold(true, |done, other| {
                    let other = other.map(|mut other| other.counters.reset());
                    done & other.is_some()
                });
            }
            Broadcast::CountPrefixes(enabled) => self.counts_prefixes.store(enabled, Ordering::Relaxed),
            _ => {}
        }
        answer.append(&mut desk.progress.answer);
        true
    }

    /// The counters of all desks together; `None` if one was in use.
    fn counters_of_desks(&self, own: &DeskState) -> Option<StoreCounters> {
        let mut sum = StoreCounters::new(self.track_sizes);
        sum.accumulate(&own.counters);
        for other in self.other_desks(own.number) {
            sum.accumulate(&other?.counters);
        }
        Some(sum)
    }

    /// A piece of a walk over all items. A cursor has the number of a stripe and the place in it.
    fn walk(&self, desk: &mut DeskState, walk: &Walk, now: Seconds, answer: &mut Vec<u8>) -> bool {
        let stripe = walk.cursor >> STRIPE_SHIFT;
        let count = self.stripes.len() as u64;
        let head = answer.len();
        if stripe >= count {
            listing::Piece::begin(answer);
            return true;
        }
        let Some(mut held) = self.held(stripe as usize, desk) else { return false };
        let place = u64::from(walk.cursor as u32);
        held.shard.broadcast(Broadcast::Walk(Walk { cursor: place, ..*walk }), now, answer);
        let next = match listing::Piece::decode(&answer[head..]).cursor {
            listing::END if stripe + 1 == count => listing::END,
            listing::END => (stripe + 1) << STRIPE_SHIFT,
            place => stripe << STRIPE_SHIFT | place,
        };
        listing::Piece::end(answer, head, next);
        true
    }
}
