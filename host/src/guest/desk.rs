//! The verbs of a desk: what one thread has for itself in a shard that all workers share.

use super::{
    CallBytes, EVENTS_HEAD_BYTES, Fault, RecordedEvents, Verb, out_of_memory,
    shared::{SharedGuest, SharedInstance},
    word_at,
};
use crate::limits::RECLAIMS_PER_SWEEP_MAX;
use wasmcached_core::boundary::event::Kinds;

/// Words of the mailbox of a desk, as offsets.
const ORDERS_WORDS: [usize; 2] = [0, 4];
const REPLIES_WORDS: [usize; 2] = [8, 12];
const EXECUTED_END_WORD: usize = 16;
const IS_INTERRUPTED_WORD: usize = 20;
const DESK_MAILBOX_BYTES: usize = 24;

/// Bytes of orders above which the guest frees its buffer.
const ORDERS_BYTES_KEPT_MAX: usize = wasmcached_core::limits::DESK_BYTES_KEPT_MAX;

/// A desk, with the instance of its thread. After a fault it must be dropped.
pub(crate) struct Desk {
    instance: SharedInstance,
    number: u32,
    mailbox_at: usize,
    /// Place of the buffer for orders.
    orders: (usize, usize),
    verbs: DeskVerbs,
    /// The kinds of events that this thread has asked for.
    watched: Kinds,
    events: Vec<u8>,
}

/// The desk, `from`, `bytes`, `tail_bytes`, `count`, `now` and `room`.
type ExecuteArguments = (u32, u32, u32, u32, u32, u32, u32);

struct DeskVerbs {
    orders: Verb<(u32, u32), ()>,
    execute: Verb<ExecuteArguments, u32>,
    trim: Verb<u32, ()>,
    sweep: Verb<(u32, u32, u32), u32>,
    limit: Verb<(u32, u64), u32>,
    watch: Verb<(u32, u32), u32>,
    events: Verb<u32, u32>,
    reclaimable: Verb<u32, u32>,
}

/// Orders to execute: those behind the first `from` bytes of `bytes` bytes in the buffer, of which the last are the tail.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Orders {
    pub(crate) from: u32,
    pub(crate) bytes: u32,
    pub(crate) tail_bytes: u32,
    pub(crate) count: u32,
}

/// The part of the orders that a call has executed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExecutedOrders {
    pub(crate) count: u32,
    /// The end of the executed orders.
    pub(crate) end: u32,
    /// Another thread had a lock that the next order needs: the rest must be sent again.
    pub(crate) is_interrupted: bool,
    /// Bytes of the replies.
    pub(crate) replies_bytes: usize,
}

/// The end of a call that another thread may have kept from a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    Done,
    /// It is impossible.
    Refused,
    /// Another thread had a lock: the same call must be made again.
    Interrupted,
}

impl Desk {
    /// Makes an instance for the calling thread, which takes desk `number`. No other thread may have it.
    pub(crate) fn take(guest: &SharedGuest, number: u32) -> Result<Self, Fault> {
        let mut instance = guest.enter()?;
        let verbs = DeskVerbs {
            orders: instance.verb("orders")?,
            execute: instance.verb("execute")?,
            trim: instance.verb("trim")?,
            sweep: instance.verb("sweep")?,
            limit: instance.verb("limit")?,
            watch: instance.verb("watch")?,
            events: instance.verb("events")?,
            reclaimable: instance.verb("reclaimable")?,
        };
        let mailbox = instance.verb::<u32, u32>("desk")?;
        let mailbox_at = instance.call(&mailbox, number)? as usize;
        if mailbox_at == 0 {
            return Err(Fault::new(format!("the guest has no desk {number}")));
        }
        instance.memory().read(mailbox_at, &mut [0; DESK_MAILBOX_BYTES])?;
        let (watched, events) = (Kinds::NONE, Vec::new());
        let mut desk = Self { instance, number, mailbox_at, orders: (0, 0), verbs, watched, events };
        desk.orders = desk.named(ORDERS_WORDS)?;
        Ok(desk)
    }

    /// Writes orders, and the bytes that follow them, into the buffer.
    pub(crate) fn write(&mut self, orders: &[u8], tail: &[u8]) -> Result<(), Fault> {
        let bytes = orders.len() + tail.len();
        if bytes > self.orders.1 {
            let call_bytes = CallBytes(bytes as u64);
            self.instance.call_with(&self.verbs.orders, (self.number, bytes as u32), call_bytes)?;
            self.orders = self.named(ORDERS_WORDS)?;
            if self.orders.1 < bytes {
                return Err(out_of_memory());
            }
        }
        self.instance.memory().write(self.orders.0, orders)?;
        self.instance.memory().write(self.orders.0 + orders.len(), tail)
    }

    /// Executes orders, up to about `room` bytes of replies.
    #[inline]
    pub(crate) fn execute(&mut self, orders: Orders, now: u32, room: u32) -> Result<ExecutedOrders, Fault> {
        let Orders { from, bytes, tail_bytes, count } = orders;
        let arguments = (self.number, from, bytes, tail_bytes, count, now, room);
        let count = self.instance.call_with(&self.verbs.execute, arguments, CallBytes(bytes.into()))?;
        Ok(ExecutedOrders {
            count,
            end: self.word(EXECUTED_END_WORD)?,
            is_interrupted: self.word(IS_INTERRUPTED_WORD)? != 0,
            replies_bytes: self.word(REPLIES_WORDS[1])? as usize,
        })
    }

    /// Copies the replies of the last [`Desk::execute`].
    pub(crate) fn read_replies(&self, into: &mut [u8]) -> Result<(), Fault> {
        self.instance.memory().read(self.word(REPLIES_WORDS[0])? as usize, into)
    }

    /// Lets the guest free buffers that a large run has made large.
    #[inline]
    pub(crate) fn trim(&mut self, replies_bytes: usize) -> Result<(), Fault> {
        if self.orders.1.max(replies_bytes) <= ORDERS_BYTES_KEPT_MAX {
            return Ok(());
        }
        self.instance.call(&self.verbs.trim, self.number)?;
        self.orders = self.named(ORDERS_WORDS)?;
        Ok(())
    }

    /// Runs bounded upkeep, which also returns memory to the system; true if more is due. One thread at a time may do this.
    pub(crate) fn sweep(&mut self, now: u32, steps: u32) -> Result<bool, Fault> {
        let more = self.instance.call(&self.verbs.sweep, (self.number, now, steps))? != 0;
        for _ in 0..RECLAIMS_PER_SWEEP_MAX {
            if self.instance.call(&self.verbs.reclaimable, self.number)? == 0 {
                return Ok(more);
            }
            self.instance.return_reclaimable()?;
        }
        Ok(true)
    }

    /// Changes the size of the pools.
    pub(crate) fn limit(&mut self, bytes: u64) -> Result<Attempt, Fault> {
        Ok(match self.instance.call(&self.verbs.limit, (self.number, bytes))? {
            0 => Attempt::Refused,
            1 => Attempt::Done,
            _ => Attempt::Interrupted,
        })
    }

    /// Sets the kinds of events to record.
    pub(crate) fn watch(&mut self, kinds: Kinds) -> Result<Attempt, Fault> {
        if self.instance.call(&self.verbs.watch, (self.number, kinds.0))? == 0 {
            return Ok(Attempt::Interrupted);
        }
        self.watched = kinds;
        Ok(Attempt::Done)
    }

    /// The kinds of events that are recorded, as far as this thread knows.
    #[inline]
    pub(crate) fn watched(&self) -> Kinds {
        self.watched
    }

    /// Events that this desk has caused since the last call.
    pub(crate) fn events(&mut self) -> Result<Option<RecordedEvents<'_>>, Fault> {
        let at = self.instance.call(&self.verbs.events, self.number)? as usize;
        if at == 0 {
            return Ok(None);
        }
        let mut head = [0; EVENTS_HEAD_BYTES as usize];
        self.instance.memory().read(at, &mut head)?;
        let [bytes, count, dropped] = [0, 1, 2].map(|index| word_at(&head, index));
        if at + head.len() + bytes as usize > self.instance.memory().bytes() {
            return Err(out_of_memory());
        }
        self.events.resize(bytes as usize, 0);
        self.instance.memory().read(at + head.len(), &mut self.events)?;
        Ok(Some(RecordedEvents { records: &self.events, count, dropped }))
    }

    #[inline]
    fn word(&self, offset: usize) -> Result<u32, Fault> {
        self.instance.memory().word(self.mailbox_at + offset)
    }

    fn named(&self, words: [usize; 2]) -> Result<(usize, usize), Fault> {
        Ok((self.word(words[0])? as usize, self.word(words[1])? as usize))
    }
}
