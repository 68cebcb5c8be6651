//! The one way into a worker from other threads: connections to serve, events to show, jobs to run on its guest.
//!
//! Each worker has one queue and one waker. The worker takes the whole queue at the start of a turn, so a message that
//! finds the queue empty wakes it and all others ride along.

use crate::{
    guest::{EventBatch, Fault, Front},
    limits::EVENT_QUEUE_BYTES_MAX,
    network::socket::Incoming,
};
use mio::{Poll, Token, Waker};
use parking_lot::Mutex;
use std::{
    io, mem,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// The token of a worker's waker.
pub(crate) const WAKER: Token = Token(usize::MAX);

/// Work on the guest of a worker, on the worker's thread.
pub(crate) type Job = Box<dyn FnOnce(&mut Front) -> Result<(), Fault> + Send>;

/// A message to a worker.
pub(crate) enum Message {
    /// A client's socket.
    Connection(Incoming),
    /// Events for the connections that watch.
    Events(Arc<EventBatch>),
    /// Work on the worker's guest.
    Job(Job),
    /// Room for a connection, or the end of one.
    Budget(BudgetOrder),
    /// A shard was replaced: its old memory is free when all workers have left it.
    ShardReplaced,
}

/// A message about the budget to a worker.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BudgetOrder {
    /// Admit the request of this connection. So many bytes are counted for it until then.
    Admit { connection: usize, bytes: u64 },
    /// Report the largest holder, for the round of this number.
    Report { round: u64 },
    /// End the largest holder.
    Shed,
}

/// See the module. Inboxes share no cache line: a worker reads its own at each turn.
#[repr(align(64))]
pub(crate) struct Inbox {
    queue: Mutex<Queue>,
    /// The queue may hold messages. The worker reads it at each turn, without the lock.
    has_messages: AtomicBool,
    waker: Waker,
}

#[derive(Default)]
struct Queue {
    messages: Vec<Message>,
    /// Bytes of the events among them.
    events_bytes: usize,
    /// The worker has ended.
    is_closed: bool,
}

impl Inbox {
    /// The inbox of a worker whose event loop is `poll`.
    ///
    /// # Errors
    /// The system has no waker.
    pub(crate) fn new(poll: &Poll) -> io::Result<Self> {
        let waker = Waker::new(poll.registry(), WAKER)?;
        Ok(Self { queue: Mutex::default(), has_messages: AtomicBool::new(false), waker })
    }

    /// Hands a socket to the worker.
    pub(crate) fn connect(&self, incoming: Incoming) {
        self.push(Message::Connection(incoming), 0);
    }

    /// Runs `job` on the worker's thread, after the messages before it.
    pub(crate) fn run(&self, job: impl FnOnce(&mut Front) -> Result<(), Fault> + Send + 'static) {
        self.push(Message::Job(Box::new(job)), 0);
    }

    /// Tells the worker what to do about the budget.
    pub(crate) fn order(&self, order: BudgetOrder) {
        self.push(Message::Budget(order), 0);
    }

    /// Tells the worker that a shard was replaced.
    pub(crate) fn leave_shard(&self) {
        self.push(Message::ShardReplaced, 0);
    }

    /// Sends events to the watching connections of the worker; false if too many bytes wait there already.
    pub(crate) fn offer_events(&self, batch: &Arc<EventBatch>) -> bool {
        self.push(Message::Events(Arc::clone(batch)), batch.records.len())
    }

    /// Drops the events that wait: the connections that they were meant for are gone.
    pub(crate) fn forget_events(&self) {
        let mut queue = self.queue.lock();
        queue.messages.retain(|message| !matches!(message, Message::Events(_)));
        queue.events_bytes = 0;
    }

    /// Takes all messages, oldest first.
    #[inline]
    pub(crate) fn take(&self) -> Vec<Message> {
        if !self.has_messages.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut queue = self.queue.lock();
        self.has_messages.store(false, Ordering::Relaxed);
        queue.events_bytes = 0;
        mem::take(&mut queue.messages)
    }

    /// Drops all messages, now and later: the worker has ended. The inbox lives as long as the process, and clients that
    /// connect while the server stops must not wait for its end.
    pub(crate) fn close(&self) {
        let mut queue = self.queue.lock();
        queue.is_closed = true;
        queue.messages.clear();
    }

    /// Ends the worker's wait for events.
    pub(crate) fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            tracing::error!("a worker cannot be woken: {error}");
        }
    }

    /// False if the message has events and there is no room for them.
    fn push(&self, message: Message, events_bytes: usize) -> bool {
        let mut queue = self.queue.lock();
        if queue.is_closed {
            return true;
        }
        if events_bytes > 0 && queue.events_bytes + events_bytes > EVENT_QUEUE_BYTES_MAX {
            return false;
        }
        let was_empty = queue.messages.is_empty();
        queue.events_bytes += events_bytes;
        queue.messages.push(message);
        self.has_messages.store(true, Ordering::Release);
        drop(queue);
        if was_empty {
            self.wake();
        }
        true
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::time::Duration;

    /// Inboxes without workers.
    pub(crate) fn inboxes(count: usize) -> Arc<[Inbox]> {
        (0..count).map(|_| Inbox::new(&Poll::new().unwrap()).unwrap()).collect()
    }

    fn events(bytes: usize) -> Arc<EventBatch> {
        Arc::new(EventBatch { at: Duration::ZERO, number: 1, records: vec![0; bytes].into() })
    }

    #[test]
    fn messages_are_taken_in_order_and_only_events_are_bounded() {
        let inbox = &inboxes(1)[0];
        assert!(inbox.take().is_empty());
        assert!(inbox.offer_events(&events(EVENT_QUEUE_BYTES_MAX)));
        assert!(!inbox.offer_events(&events(1)));
        inbox.run(|_| Ok(()));
        assert!(matches!(inbox.take()[..], [Message::Events(_), Message::Job(_)]));
        assert!(inbox.take().is_empty());
        assert!(inbox.offer_events(&events(1)), "there is room again");
    }

    #[test]
    fn forgotten_events_leave_other_messages() {
        let inbox = &inboxes(1)[0];
        assert!(inbox.offer_events(&events(EVENT_QUEUE_BYTES_MAX)));
        inbox.run(|_| Ok(()));
        inbox.forget_events();
        assert!(inbox.offer_events(&events(EVENT_QUEUE_BYTES_MAX)));
        assert!(matches!(inbox.take()[..], [Message::Job(_), Message::Events(_)]));
    }

    #[test]
    fn a_closed_inbox_drops_messages() {
        let inbox = &inboxes(1)[0];
        let payload = Arc::new(());
        let send = || {
            let payload = Arc::clone(&payload);
            inbox.run(move |_| {
                drop(payload);
                Ok(())
            });
        };
        send();
        assert_eq!(Arc::strong_count(&payload), 2);
        inbox.close();
        send();
        assert_eq!(Arc::strong_count(&payload), 1);
    }

    #[test]
    fn the_first_message_wakes() {
        let mut poll = Poll::new().unwrap();
        let inbox = Inbox::new(&poll).unwrap();
        let mut polled = mio::Events::with_capacity(4);
        let mut is_woken = || {
            poll.poll(&mut polled, Some(Duration::ZERO)).unwrap();
            polled.iter().any(|event| event.token() == WAKER)
        };
        assert!(!is_woken());
        for _ in 0..2 {
            inbox.run(|_| Ok(()));
            assert!(is_woken());
            assert_eq!(inbox.take().len(), 1);
        }
    }
}
