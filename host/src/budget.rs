//! The budget of what connections hold, for all workers together: how much is held, who waits for room, and who ends so
//! that others have it.
//!
//! Each worker publishes what its front holds. A request that has no room waits in one queue of the server; the newest
//! one that fits is served first, since those that were sent by a client which stalls become old. While one waits, the
//! workers are asked in rounds which of their connections has held most for longest, and the worst of all ends.

use crate::{
    inbox::{BudgetOrder, Inbox},
    limits::{ROOM_ROUND_DURATION_MAX, ROOM_WAIT_MIN},
};
use parking_lot::Mutex;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Instant,
};
use wasmcached_core::limits::BUFFERS_RESERVE_DIVISOR;

/// See the module.
pub(crate) struct SharedBudget {
    bytes_max: u64,
    /// Published by workers, and granted to requests that are on their way to be admitted.
    held_bytes: AtomicU64,
    /// Length of the queue.
    waiting: AtomicUsize,
    queue: Mutex<Queue>,
    inboxes: Arc<[Inbox]>,
    pub(crate) ended: AtomicU64,
}

#[derive(Default)]
struct Queue {
    /// The newest is the last.
    waiters: Vec<Waiter>,
    /// No waiter needs less room.
    room_bytes_min: u64,
    round: Round,
    /// The end of the last round, if it found nobody to end.
    found_nobody_at: Option<Instant>,
}

/// A request without room.
struct Waiter {
    worker: usize,
    connection: usize,
    /// Room that it needs, with what must be left besides.
    room_bytes: u64,
    since: Instant,
}

/// The search for the connection that has held most for longest.
#[derive(Default)]
struct Round {
    number: u64,
    /// `None`: it has ended.
    began: Option<Instant>,
    reports: usize,
    /// The weight and the worker of the worst so far.
    worst: Option<(u32, usize)>,
}

impl SharedBudget {
    /// Nothing is held yet; orders go to the workers of `inboxes`.
    pub(crate) fn new(bytes_max: u64, inboxes: Arc<[Inbox]>) -> Self {
        Self {
            bytes_max,
            held_bytes: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            queue: Mutex::default(),
            inboxes,
            ended: AtomicU64::new(0),
        }
    }

    /// The limit of [`SharedBudget::held_bytes`].
    pub(crate) fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    /// Bytes that all connections hold, as far as they are published.
    #[inline]
    pub(crate) fn held_bytes(&self) -> u64 {
        self.held_bytes.load(Ordering::Relaxed)
    }

    /// Number of waiting requests.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Whether connections are to read in short pieces while `held_bytes` are held.
    pub(crate) fn is_pressed(&self, held_bytes: u64) -> bool {
        self.bytes_max.saturating_sub(held_bytes) < self.reserve_bytes()
    }

    /// A front holds `after` bytes where it held `before`.
    pub(crate) fn publish(&self, before: u64, after: u64) {
        if after >= before {
            self.held_bytes.fetch_add(after - before, Ordering::Relaxed);
        } else {
            self.release(before - after);
        }
    }

    /// Bytes are not held any more.
    fn release(&self, bytes: u64) {
        self.held_bytes.fetch_sub(bytes, Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.dispatch(&mut self.queue.lock());
        }
    }

    /// Lets the request of a connection wait for `room_bytes` of room. [`BudgetOrder::Admit`] ends the wait.
    pub(crate) fn wait(&self, worker: usize, connection: usize, room_bytes: u64) {
        let mut queue = self.queue.lock();
        let room_bytes = room_bytes.min(self.bytes_max);
        queue.room_bytes_min = if queue.waiters.is_empty() { room_bytes } else { queue.room_bytes_min.min(room_bytes) };
        queue.waiters.push(Waiter { worker, connection, room_bytes, since: Instant::now() });
        self.waiting.store(queue.waiters.len(), Ordering::SeqCst);
        self.dispatch(&mut queue);
    }

    /// Ends the wait of a connection that is closed.
    pub(crate) fn leave(&self, worker: usize, connection: usize) {
        self.retain(|waiter| (waiter.worker, waiter.connection) != (worker, connection));
    }

    /// Ends the waits of all connections of a worker, whose front is gone; it held `held_bytes`.
    pub(crate) fn forget_worker(&self, worker: usize, held_bytes: u64) {
        self.retain(|waiter| waiter.worker != worker);
        self.publish(held_bytes, 0);
    }

    /// The connection of [`BudgetOrder::Admit`] is admitted and published, or gone.
    pub(crate) fn admitted(&self, bytes: u64) {
        self.release(bytes);
    }

    /// Begins a round if a request waits for long; called by workers with such requests.
    pub(crate) fn search(&self) {
        let now = Instant::now();
        let mut queue = self.queue.lock();
        self.begin_round(&mut queue, now);
    }

    /// Takes the weight of a worker's largest holder, 0 if it has none. The last report of a round ends the worst, unless
    /// everybody was admitted meanwhile.
    pub(crate) fn report(&self, round: u64, worker: usize, weight: u32) {
        let mut queue = self.queue.lock();
        let current = &mut queue.round;
        if current.number != round || current.began.is_none() {
            return;
        }
        current.reports += 1;
        if weight > 0 && current.worst.is_none_or(|(most, _)| weight > most) {
            current.worst = Some((weight, worker));
        }
        if current.reports < self.inboxes.len() {
            return;
        }
        current.began = None;
        let worst = current.worst.take().filter(|_| !queue.waiters.is_empty());
        queue.found_nobody_at = worst.is_none().then(Instant::now);
        drop(queue);
        if let Some((_, worker)) = worst {
            self.inboxes[worker].order(BudgetOrder::Shed);
        }
    }

    fn begin_round(&self, queue: &mut Queue, now: Instant) {
        let is_late = queue.waiters.first().is_some_and(|oldest| now - oldest.since >= ROOM_WAIT_MIN);
        // A worker that is busy for longer answers too late; the next round asks it again.
        let is_running = queue.round.began.is_some_and(|began| now - began < ROOM_ROUND_DURATION_MAX);
        // Without a pause, the reports themselves would keep the workers busy.
        let is_pause = queue.found_nobody_at.is_some_and(|ended| now - ended < ROOM_WAIT_MIN);
        if !is_late || is_running || is_pause {
            return;
        }
        let number = queue.round.number + 1;
        queue.round = Round { number, began: Some(now), reports: 0, worst: None };
        self.inboxes.iter().for_each(|inbox| inbox.order(BudgetOrder::Report { round: number }));
    }

    fn reserve_bytes(&self) -> u64 {
        self.bytes_max / BUFFERS_RESERVE_DIVISOR
    }

    fn retain(&self, keep: impl FnMut(&Waiter) -> bool) {
        let mut queue = self.queue.lock();
        queue.waiters.retain(keep);
        self.waiting.store(queue.waiters.len(), Ordering::SeqCst);
    }

    /// Gives room to the newest requests that fit.
    fn dispatch(&self, queue: &mut Queue) {
        let left = || self.bytes_max.saturating_sub(self.held_bytes.load(Ordering::SeqCst));
        if queue.room_bytes_min > left() && left() < self.bytes_max {
            return;
        }
        for index in (0..queue.waiters.len()).rev() {
            if queue.waiters[index].room_bytes > left() {
                continue;
            }
            let Waiter { worker, connection, room_bytes, .. } = queue.waiters.remove(index);
            // The reserve is left, not taken.
            let bytes = if room_bytes > self.reserve_bytes() { room_bytes - self.reserve_bytes() } else { room_bytes };
            self.held_bytes.fetch_add(bytes, Ordering::SeqCst);
            self.inboxes[worker].order(BudgetOrder::Admit { connection, bytes });
        }
        queue.room_bytes_min = queue.waiters.iter().map(|waiter| waiter.room_bytes).min().unwrap_or(0);
        self.waiting.store(queue.waiters.len(), Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inbox::{Message, tests::inboxes};

    const MAX: u64 = 16 << 20;

    /// The orders that a worker got, without its rounds.
    fn orders(budget: &SharedBudget, worker: usize) -> Vec<BudgetOrder> {
        let messages = budget.inboxes[worker].take();
        let orders = messages.into_iter().filter_map(|message| match message {
            Message::Budget(order) => Some(order),
            _ => None,
        });
        orders.collect()
    }

    fn admitted(budget: &SharedBudget, worker: usize) -> Vec<usize> {
        let connections = orders(budget, worker).into_iter().filter_map(|order| match order {
            BudgetOrder::Admit { connection, bytes } => {
                // The worker publishes what its front holds now, then gives the grant back.
                budget.publish(0, bytes);
                budget.admitted(bytes);
                Some(connection)
            }
            _ => None,
        });
        connections.collect()
    }

    #[test]
    fn the_newest_that_fits_is_served_first_on_any_worker() {
        let budget = SharedBudget::new(MAX, inboxes(2));
        budget.publish(0, MAX);
        budget.wait(0, 1, 3 << 20);
        budget.wait(1, 2, 3 << 20);
        budget.wait(1, 3, 9 << 20);
        assert_eq!((budget.waiting(), admitted(&budget, 0), admitted(&budget, 1)), (3, vec![], vec![]));
        budget.publish(MAX, MAX - (3 << 20));
        assert_eq!((admitted(&budget, 0), admitted(&budget, 1)), (vec![], vec![2]), "the last one is too large");
        budget.publish(MAX - (3 << 20), 0);
        assert_eq!((admitted(&budget, 0), admitted(&budget, 1)), (vec![1], vec![3]));
        assert_eq!((budget.waiting(), budget.held_bytes()), (0, (3 << 20) + (3 << 20) + (5 << 20)));
    }

    #[test]
    fn what_is_granted_is_counted_until_it_is_admitted() {
        let budget = SharedBudget::new(MAX, inboxes(1));
        budget.publish(0, MAX);
        budget.wait(0, 1, 12 << 20);
        budget.wait(0, 2, 12 << 20);
        budget.publish(MAX, 0);
        assert_eq!((budget.waiting(), budget.held_bytes()), (1, 8 << 20), "one of them, without the reserve");
        assert_eq!(admitted(&budget, 0), [2]);
        budget.leave(0, 1);
        assert_eq!(budget.waiting(), 0);
    }

    #[test]
    fn a_request_larger_than_the_budget_waits_for_all_of_it() {
        let budget = SharedBudget::new(MAX, inboxes(1));
        budget.publish(0, 1);
        budget.wait(0, 7, u64::MAX);
        assert_eq!(admitted(&budget, 0), [0; 0]);
        budget.publish(1, 0);
        assert_eq!(admitted(&budget, 0), [7]);
    }

    #[test]
    fn the_worst_holder_of_all_workers_ends() {
        let budget = SharedBudget::new(MAX, inboxes(3));
        budget.publish(0, MAX);
        budget.search();
        assert!(orders(&budget, 0).is_empty(), "nobody waits");
        budget.wait(2, 1, 1);
        budget.search();
        assert!(orders(&budget, 0).is_empty(), "not for long");
        std::thread::sleep(ROOM_WAIT_MIN);
        budget.search();
        budget.search();
        for worker in 0..3 {
            assert!(matches!(orders(&budget, worker)[..], [BudgetOrder::Report { round: 1 }]), "{worker}");
        }
        for (worker, weight) in [(2, 5), (1, 9), (0, 0)] {
            assert!(orders(&budget, 1).is_empty());
            budget.report(1, worker, weight);
        }
        assert!(matches!(orders(&budget, 1)[..], [BudgetOrder::Shed]));
        budget.report(1, 0, 100);
        assert!(orders(&budget, 0).is_empty(), "the round has ended");
        budget.search();
        (0..3).for_each(|worker| budget.report(2, worker, 0));
        assert!((0..3).all(|worker| matches!(orders(&budget, worker)[..], [BudgetOrder::Report { round: 2 }])));
        budget.search();
        assert!((0..3).all(|worker| orders(&budget, worker).is_empty()), "nobody was found: there is a pause");
        std::thread::sleep(ROOM_WAIT_MIN);
        budget.search();
        assert!((0..3).all(|worker| matches!(orders(&budget, worker)[..], [BudgetOrder::Report { round: 3 }])));
    }

    #[test]
    fn a_lost_front_holds_nothing() {
        let budget = SharedBudget::new(MAX, inboxes(2));
        budget.publish(0, MAX / 2);
        budget.publish(0, MAX / 2);
        budget.wait(0, 1, 1 << 20);
        budget.wait(1, 1, 1 << 20);
        budget.forget_worker(0, MAX / 2);
        assert_eq!((admitted(&budget, 0), admitted(&budget, 1)), (vec![], vec![1]));
    }
}
