//! The connections that watch, and the way of events from the guests that record them to the fronts that show them.
//!
//! The host reads no record: it tells the guests which kinds are watched, collects their records, and sends each batch
//! with a time and a number to every worker that has a watching connection. The queue of a worker is bounded; a batch that
//! does not fit is counted and dropped. Without watchers the cost is one read of an atomic that is not written.

use crate::{
    clock,
    guest::{EventBatch, RecordedEvents},
    inbox::Inbox,
    network::address::Address,
};
use parking_lot::Mutex;
use std::sync::{
    Arc,
    atomic::{AtomicU32, AtomicU64, Ordering},
};
use wasmcached_core::{
    boundary::event::{Event, Kinds, Reason, Transport},
    limits,
};

/// See the module.
pub(crate) struct Watching {
    /// The kinds that any connection watches.
    kinds: AtomicU32,
    watchers: Mutex<Watchers>,
    inboxes: Arc<[Inbox]>,
    pub(crate) recorded: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) sent: AtomicU64,
    pub(crate) skipped: AtomicU64,
}

#[derive(Debug, Default)]
struct Watchers {
    list: Vec<Watcher>,
    /// Events so far: each has a number.
    events: u64,
}

/// A connection that watches.
#[derive(Debug)]
struct Watcher {
    worker: usize,
    connection: u32,
    kinds: Kinds,
}

impl Watching {
    /// No watchers yet; events go to the workers of `inboxes`.
    pub(crate) fn new(inboxes: Arc<[Inbox]>) -> Self {
        Self {
            kinds: AtomicU32::new(0),
            watchers: Mutex::default(),
            inboxes,
            recorded: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
        }
    }

    /// The kinds that any connection watches.
    #[inline]
    pub(crate) fn kinds(&self) -> Kinds {
        Kinds(self.kinds.load(Ordering::Relaxed))
    }

    /// Adds a watching connection; false if there are too many.
    pub(crate) fn watch(&self, worker: usize, connection: u32, kinds: Kinds) -> bool {
        let mut watchers = self.watchers.lock();
        if watchers.list.len() >= limits::WATCHERS_MAX {
            return false;
        }
        watchers.list.push(Watcher { worker, connection, kinds });
        self.publish_kinds(&watchers);
        true
    }

    /// Removes a closed connection.
    pub(crate) fn forget(&self, worker: usize, connection: u32) {
        self.retain(|watcher| (watcher.worker, watcher.connection) != (worker, connection));
    }

    /// Removes all connections of a worker.
    pub(crate) fn forget_worker(&self, worker: usize) {
        self.retain(|watcher| watcher.worker != worker);
    }

    /// Number of watching connections.
    pub(crate) fn count(&self) -> usize {
        self.watchers.lock().list.len()
    }

    /// Sends the records of a guest to all workers with watching connections.
    pub(crate) fn post(&self, recorded: RecordedEvents<'_>) {
        let RecordedEvents { records, count, dropped } = recorded;
        let add = |counter: &AtomicU64, more: u32| counter.fetch_add(u64::from(more), Ordering::Relaxed);
        add(&self.recorded, count);
        add(&self.dropped, dropped);
        if count == 0 {
            return;
        }
        // Locked until all inboxes have the batch: batches arrive in the order of their numbers.
        let mut watchers = self.watchers.lock();
        let number = watchers.events + 1;
        watchers.events += u64::from(count);
        let at = clock::wall_time();
        let batch = Arc::new(EventBatch { at, number, records: records.into() });
        for (worker, inbox) in self.inboxes.iter().enumerate() {
            if watchers.has(worker) && !inbox.offer_events(&batch) {
                add(&self.dropped, count);
            }
        }
    }

    /// Reports a new connection.
    pub(crate) fn opened(&self, peer: &Address, descriptor: u32) {
        let (address, port, transport) = parts(peer);
        self.post_one(&Event::Opened { address: address.as_bytes(), port, transport, descriptor });
    }

    /// Reports a closed connection.
    pub(crate) fn closed(&self, peer: &Address, descriptor: u32, reason: Reason) {
        let (address, port, transport) = parts(peer);
        self.post_one(&Event::Closed { address: address.as_bytes(), port, transport, descriptor, reason });
    }

    fn post_one(&self, event: &Event<'_>) {
        if self.kinds().any(event.kind()) {
            let mut records = Vec::new();
            event.encode(&mut records);
            self.post(RecordedEvents { records: &records, count: 1, dropped: 0 });
        }
    }

    fn retain(&self, stays: impl FnMut(&Watcher) -> bool) {
        let mut watchers = self.watchers.lock();
        watchers.list.retain(stays);
        for (worker, inbox) in self.inboxes.iter().enumerate() {
            if !watchers.has(worker) {
                // The next watcher of that worker must not see events from before it watched.
                inbox.forget_events();
            }
        }
        self.publish_kinds(&watchers);
    }

    fn publish_kinds(&self, watchers: &Watchers) {
        let all = watchers.list.iter().fold(Kinds::NONE, |all, watcher| all.with(watcher.kinds));
        self.kinds.store(all.0, Ordering::Relaxed);
    }
}

impl Watchers {
    fn has(&self, worker: usize) -> bool {
        self.list.iter().any(|watcher| watcher.worker == worker)
    }
}

/// A peer in the form that events have.
fn parts(peer: &Address) -> (String, u16, Transport) {
    match peer {
        Address::Tcp(address) => (address.ip().to_string(), address.port(), Transport::Tcp),
        Address::Udp(address) => (address.ip().to_string(), address.port(), Transport::Udp),
        #[cfg(unix)]
        Address::Unix(_) => ("unix".to_owned(), 0, Transport::Local),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        inbox::{Message, tests::inboxes},
        limits::EVENT_QUEUE_BYTES_MAX,
    };

    /// Numbers of the batches that wait for a worker.
    fn numbers(inbox: &Inbox) -> Vec<u64> {
        let number = |message| match message {
            Message::Events(batch) => batch.number,
            _ => panic!("only events were sent"),
        };
        inbox.take().into_iter().map(number).collect()
    }

    #[test]
    fn kinds_are_those_of_all_watchers_and_watchers_are_limited() {
        let watching = Watching::new(inboxes(2));
        for number in 0..limits::WATCHERS_MAX as u32 {
            let kinds = if number == 0 { Kinds::DELETIONS } else { Kinds::FETCHES };
            assert!(watching.watch(number as usize % 2, number, kinds));
        }
        assert!(!watching.watch(0, 99, Kinds::FETCHES));
        assert_eq!(watching.kinds(), Kinds::DELETIONS.with(Kinds::FETCHES));
        watching.forget(0, 0);
        watching.forget(0, 0);
        assert_eq!((watching.kinds(), watching.count()), (Kinds::FETCHES, limits::WATCHERS_MAX - 1));
        watching.forget_worker(0);
        watching.forget_worker(1);
        assert_eq!((watching.kinds(), watching.count()), (Kinds::NONE, 0));
    }

    #[test]
    fn batches_are_numbered_and_bounded() {
        let watching = Watching::new(inboxes(2));
        assert!(watching.watch(1, 7, Kinds::FETCHES));
        let records = vec![0; EVENT_QUEUE_BYTES_MAX / 2];
        for _ in 0..3 {
            watching.post(RecordedEvents { records: &records, count: 5, dropped: 2 });
        }
        assert!(numbers(&watching.inboxes[0]).is_empty());
        assert_eq!(numbers(&watching.inboxes[1]), [1, 6]);
        assert!(numbers(&watching.inboxes[1]).is_empty());
        watching.post(RecordedEvents { records: &[1], count: 1, dropped: 0 });
        watching.forget(1, 7);
        assert!(watching.watch(1, 8, Kinds::FETCHES));
        assert!(numbers(&watching.inboxes[1]).is_empty(), "a watcher sees no event from before it watched");
        assert_eq!(watching.recorded.load(Ordering::Relaxed), 16);
        assert_eq!(watching.dropped.load(Ordering::Relaxed), 6 + 5);
    }
}
