//! Who watches what happens, and the way of the records from the guests that make them to the fronts that show them.
//!
//! Nobody looks into a record here: guests are told which kinds are watched, hand out what they recorded, and the fronts
//! of those who watch get all of it, with the time and a number. Each worker has a bounded post; what has no room there
//! is counted and forgotten. As long as nobody watches, all of this is one atomic that nobody writes.

use crate::{
    guest::{EventBatch, RecordedEvents},
    limits::EVENT_QUEUE_BYTES_MAX,
    network::address::Address,
};
use mio::Waker;
use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use wasmcached_core::{
    boundary::event::{Event, Kinds, Reason, Transport},
    limits,
};

/// See the module.
#[derive(Debug)]
pub(crate) struct Watching {
    /// Everything that somebody watches.
    kinds: AtomicU32,
    hub: Mutex<Hub>,
    posts: Box<[Post]>,
    started: Instant,
    started_unix: Duration,
    pub(crate) recorded: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) sent: AtomicU64,
    pub(crate) skipped: AtomicU64,
}

#[derive(Debug, Default)]
struct Hub {
    watchers: Vec<Watcher>,
    events: u64,
}

/// A connection that watches.
#[derive(Debug)]
struct Watcher {
    worker: usize,
    connection: u32,
    kinds: Kinds,
}

/// What waits for a worker.
#[derive(Debug, Default)]
struct Post {
    waiting: Mutex<(VecDeque<Arc<EventBatch>>, usize)>,
    waker: OnceLock<Arc<Waker>>,
}

impl Watching {
    /// Nobody watches; there will be `workers` workers.
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            kinds: AtomicU32::new(0),
            hub: Mutex::default(),
            posts: (0..workers).map(|_| Post::default()).collect(),
            started: Instant::now(),
            started_unix: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            recorded: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
        }
    }

    /// How to wake that worker.
    pub(crate) fn set_waker(&self, worker: usize, waker: Arc<Waker>) {
        if let Some(post) = self.posts.get(worker) {
            // A worker is made once.
            let _ = post.waker.set(waker);
        }
    }

    /// Everything that somebody watches.
    #[inline]
    pub(crate) fn kinds(&self) -> Kinds {
        Kinds(self.kinds.load(Ordering::Relaxed))
    }

    /// A connection of a worker watches from now on; false if there are too many that do.
    pub(crate) fn watch(&self, worker: usize, connection: u32, kinds: Kinds) -> bool {
        let mut hub = self.hub.lock();
        if hub.watchers.len() >= limits::WATCHERS_MAX {
            return false;
        }
        hub.watchers.push(Watcher { worker, connection, kinds });
        self.tell(&hub);
        true
    }

    /// A connection was closed.
    pub(crate) fn forget(&self, worker: usize, connection: u32) {
        self.retain(|watcher| (watcher.worker, watcher.connection) != (worker, connection));
    }

    /// All connections of a worker were closed.
    pub(crate) fn forget_worker(&self, worker: usize) {
        self.retain(|watcher| watcher.worker != worker);
    }

    /// How many watch.
    pub(crate) fn count(&self) -> usize {
        self.hub.lock().watchers.len()
    }

    /// Sends what a guest has recorded to all workers whose connections watch.
    pub(crate) fn post(&self, recorded: RecordedEvents<'_>) {
        let RecordedEvents { records, count, dropped } = recorded;
        let add = |counter: &AtomicU64, more: u32| counter.fetch_add(u64::from(more), Ordering::Relaxed);
        add(&self.recorded, count);
        add(&self.dropped, dropped);
        if count == 0 {
            return;
        }
        let mut hub = self.hub.lock();
        let number = hub.events + 1;
        hub.events += u64::from(count);
        let at = self.started_unix + self.started.elapsed();
        let letter = Arc::new(EventBatch { at, number, records: records.into() });
        for (index, post) in self.posts.iter().enumerate() {
            if hub.watchers.iter().any(|watcher| watcher.worker == index) && !post.put(&letter) {
                add(&self.dropped, count);
            }
        }
    }

    /// What waits for a worker.
    pub(crate) fn take(&self, worker: usize) -> VecDeque<Arc<EventBatch>> {
        self.posts.get(worker).map_or_else(VecDeque::new, |post| std::mem::take(&mut *post.waiting.lock()).0)
    }

    /// A client came.
    pub(crate) fn opened(&self, peer: &Address, descriptor: u32) {
        let (address, port, transport) = parts(peer);
        self.post_one(&Event::Opened { address: address.as_bytes(), port, transport, descriptor });
    }

    /// A client went, or was sent away.
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
        let mut hub = self.hub.lock();
        hub.watchers.retain(stays);
        for (index, post) in self.posts.iter().enumerate() {
            if hub.watchers.iter().all(|watcher| watcher.worker != index) {
                // The next one who watches there is not to be shown what was before.
                *post.waiting.lock() = Default::default();
            }
        }
        self.tell(&hub);
    }

    fn tell(&self, hub: &Hub) {
        let all = hub.watchers.iter().fold(Kinds::NONE, |all, watcher| all.with(watcher.kinds));
        self.kinds.store(all.0, Ordering::Relaxed);
    }
}

impl Post {
    /// False if there is no room.
    fn put(&self, letter: &Arc<EventBatch>) -> bool {
        let mut waiting = self.waiting.lock();
        let (letters, bytes) = &mut *waiting;
        if *bytes + letter.records.len() > EVENT_QUEUE_BYTES_MAX {
            return false;
        }
        *bytes += letter.records.len();
        letters.push_back(Arc::clone(letter));
        let is_first = letters.len() == 1;
        drop(waiting);
        if is_first
            && let Some(waker) = self.waker.get()
            && let Err(error) = waker.wake()
        {
            tracing::warn!("a worker cannot be told of events: {error}");
        }
        true
    }
}

/// How a peer is named to those who watch.
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

    #[test]
    fn kinds_are_those_of_all_watchers_and_there_are_not_too_many() {
        let watching = Watching::new(2);
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
    fn letters_are_numbered_and_bounded() {
        let watching = Watching::new(2);
        assert!(watching.watch(1, 7, Kinds::FETCHES));
        let records = vec![0; EVENT_QUEUE_BYTES_MAX / 2];
        for _ in 0..3 {
            watching.post(RecordedEvents { records: &records, count: 5, dropped: 2 });
        }
        assert!(watching.take(0).is_empty());
        let numbers: Vec<u64> = watching.take(1).iter().map(|letter| letter.number).collect();
        assert_eq!(numbers, [1, 6]);
        assert!(watching.take(1).is_empty());
        watching.post(RecordedEvents { records: &[1], count: 1, dropped: 0 });
        watching.forget(1, 7);
        assert!(watching.watch(1, 8, Kinds::FETCHES));
        assert!(watching.take(1).is_empty(), "nobody is shown what was before");
        assert_eq!(watching.recorded.load(Ordering::Relaxed), 16);
        assert_eq!(watching.dropped.load(Ordering::Relaxed), 6 + 5);
    }
}
