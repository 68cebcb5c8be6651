//! Plain exports of the build for many threads: the store alone, in a memory that all instances share. The verbs are those of
//! `docs/internals/boundary.md`, section *The module for many threads*.
//!
//! Each thread of the host has an instance of its own and a stack of its own. Statics lie in the shared memory, so every
//! instance sees the same ones: each is an atomic or behind a [`Lock`]. A call with invalid arguments does nothing.

use crate::{
    lock::{self, Lock, QuickLock},
    message::Message,
};
use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};
use core::{
    fmt,
    sync::atomic::{AtomicU32, Ordering},
};
use spin::Once;
use wasmcached_core::{
    boundary::{ABI_VERSION, config::Config, event::Kinds},
    limits::DESK_BYTES_KEPT_MAX,
    stripes::{Batch, LimitChange, Processor, Stripes},
};

/// Length of the three words before the records of [`events`].
const EVENTS_HEAD_BYTES: usize = 3 * 4;

/// Bytes of the buffer for the orders of a run that a desk has from the start.
const ORDERS_BYTES: usize = 8 * 1024;

/// The words through which verbs of the whole memory return more than one number.
#[repr(C)]
struct Mailbox {
    message_at: AtomicU32,
    message_bytes: AtomicU32,
    pages_at: AtomicU32,
    pages_bytes: AtomicU32,
}

static MAILBOX: Mailbox = Mailbox {
    message_at: AtomicU32::new(0),
    message_bytes: AtomicU32::new(0),
    pages_at: AtomicU32::new(0),
    pages_bytes: AtomicU32::new(0),
};

/// The words through which verbs of a desk return more than one number. No atomics, which are stored with a fence: the host
/// reads them on the thread of the desk, between two calls.
#[derive(Default)]
#[repr(C)]
struct DeskMailbox {
    orders_at: u32,
    orders_bytes: u32,
    replies_at: u32,
    replies_bytes: u32,
    executed_end: u32,
    is_interrupted: u32,
}

/// The part of the memory that one thread has for itself. Aligned to two lines, because some processors load lines in pairs.
#[repr(align(128))]
struct Desk(
    /// No other thread takes the lock.
    QuickLock<DeskState>,
);

struct DeskState {
    mailbox: DeskMailbox,
    orders: Vec<u8>,
    replies: Vec<u8>,
    events: Vec<u8>,
}

/// The store, and the desks of the threads that use it.
struct State {
    stripes: Stripes,
    desks: Box<[Desk]>,
}

static STATE: Once<State> = Once::new();

/// The buffers of the host by their addresses.
static BUFFERS: Lock<BTreeMap<u32, Vec<u8>>> = Lock::new(BTreeMap::new());

/// The machine that the instances run on.
struct Machine;

impl Processor for Machine {
    #[cfg(target_family = "wasm")]
    #[inline]
    fn peek(&self, address: usize) -> u32 {
        let at = core::ptr::with_exposed_provenance_mut::<u32>(address & !3);
        // SAFETY: the store names addresses in the pools only, which are never freed, and all four bytes are in the same line.
        // Another instance may write there meanwhile, and not as an atomic: WebAssembly defines that this load then returns
        // old or new bytes, and the value decides nothing.
        unsafe { AtomicU32::from_ptr(at) }.load(Ordering::Relaxed)
    }

    #[cfg(not(target_family = "wasm"))]
    fn peek(&self, _: usize) -> u32 {
        0
    }

    fn pause(&self) {
        lock::pause();
    }
}

/// Bytes of a panic's message that are kept.
const MESSAGE_BYTES_MAX: usize = 1024;

/// The message of the first panic. A static, because after a panic nothing may be allocated.
static MESSAGE: Lock<Message<MESSAGE_BYTES_MAX>> = Lock::new(Message::new());

fn address(bytes: &[u8]) -> u32 {
    bytes.as_ptr().addr() as u32
}

/// The version of the verbs and of all records.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn abi_version() -> u32 {
    ABI_VERSION
}

/// The address of the word that the host sets to 1 when an instance of this memory has trapped.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn poisoned_at() -> u32 {
    lock::poisoned().as_ptr().addr() as u32
}

/// A buffer of `bytes` bytes, 0 for the host: a stack, a configuration. 0 if there is no memory for it.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn reserve(bytes: u32) -> u32 {
    let mut buffer = Vec::new();
    if buffer.try_reserve_exact(bytes as usize).is_err() || bytes == 0 {
        return 0;
    }
    buffer.resize(bytes as usize, 0);
    let at = address(&buffer);
    BUFFERS.lock().insert(at, buffer);
    at
}

/// Memory of `bytes` bytes for the stack of an instance, which may be anything. 0 if there is none.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn stack(bytes: u32) -> u32 {
    let mut buffer = Vec::new();
    // No byte of it is written before the stack is so deep.
    if buffer.try_reserve_exact(bytes as usize).is_err() || bytes == 0 {
        return 0;
    }
    let at = address(&buffer);
    BUFFERS.lock().insert(at, buffer);
    at
}

/// Frees a buffer of [`reserve`] or [`stack`].
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn release(at: u32) {
    let buffer = BUFFERS.lock().remove(&at);
    drop(buffer);
}

/// Makes the store from the configuration in the buffer at `config_at`, with `desks` desks, and frees the buffer. The
/// mailbox's address, or 0 on failure.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn create(config_at: u32, _now: u32, desks: u32) -> u32 {
    let buffer = BUFFERS.lock().remove(&config_at);
    let config = buffer.as_deref().and_then(Config::decode);
    let Some(stripes) = config.and_then(|config| Stripes::new(&config, desks as usize)) else { return 0 };
    STATE.call_once(|| State { stripes, desks: (0..desks).map(|_| Desk::new()).collect() });
    (&raw const MAILBOX).addr() as u32
}

/// Puts the address and the length of the items and the index of a stripe, used or not, into the mailbox; 0 if there is no such
/// stripe.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn pool(stripe: u32) -> u32 {
    let addresses = STATE.get().and_then(|state| state.stripes.addresses(stripe as usize));
    addresses.map_or(0, |addresses| name_pages(addresses.start as u32, addresses.len() as u32))
}

/// The address of the mailbox of desk number `desk`; 0 if there is none. One thread at a time uses a desk.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn desk(desk: u32) -> u32 {
    let desk = STATE.get().and_then(|state| state.desks.get(desk as usize));
    desk.map_or(0, |Desk(state)| {
        let mut state = state.write();
        state.show_orders();
        (&raw const state.mailbox).addr() as u32
    })
}

/// Makes the buffer for orders at a desk `bytes` bytes long at least, and puts it into the mailbox.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn orders(desk: u32, bytes: u32) {
    let Some(Desk(state)) = STATE.get().and_then(|state| state.desks.get(desk as usize)) else { return };
    let mut state = state.write();
    let bytes = bytes as usize;
    if state.orders.len() < bytes {
        // A buffer that is kept grows in few steps.
        let bytes = if bytes <= DESK_BYTES_KEPT_MAX { bytes.next_power_of_two() } else { bytes };
        state.orders = Vec::new();
        state.orders.resize(bytes, 0);
    }
    state.show_orders();
}

/// Executes up to `count` of the orders behind the first `from` bytes of `bytes` bytes in the buffer of a desk, of which the
/// last `tail_bytes` are the tail; returns the number of executed orders. Puts the replies, the end of the executed orders, and whether a lock has interrupted them into
/// the mailbox of the desk.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn execute(desk: u32, from: u32, bytes: u32, tail_bytes: u32, count: u32, now: u32, room: u32) -> u32 {
    let Some(State { stripes, desks }) = STATE.get() else { return 0 };
    let Some(Desk(state)) = desks.get(desk as usize) else { return 0 };
    let mut state = state.write();
    let DeskState { mailbox, orders, replies, .. } = &mut *state;
    replies.clear();
    replies.shrink_to(DESK_BYTES_KEPT_MAX);
    let run = orders.get(..bytes as usize);
    let run = run.and_then(|run| run.split_at_checked(run.len().checked_sub(tail_bytes as usize)?));
    let Some((orders, tail)) = run else { return 0 };
    let batch = Batch { orders, tail, from: from as usize, count, now, room: room as usize };
    let executed = stripes.execute_batch(desk as usize, &batch, replies, &Machine);
    mailbox.replies_at = address(replies);
    mailbox.replies_bytes = replies.len() as u32;
    mailbox.executed_end = executed.end as u32;
    mailbox.is_interrupted = executed.is_interrupted.into();
    executed.count
}

/// Frees the buffers of a desk that a large run has made large.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn trim(desk: u32) {
    let Some(Desk(state)) = STATE.get().and_then(|state| state.desks.get(desk as usize)) else { return };
    let mut state = state.write();
    if state.orders.len() > DESK_BYTES_KEPT_MAX {
        state.orders = alloc::vec![0; ORDERS_BYTES];
        state.show_orders();
    }
    if state.replies.capacity() > DESK_BYTES_KEPT_MAX {
        state.replies = Vec::new();
    }
}

/// Bounded upkeep of the store; 1 if there is more to do at once.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn sweep(desk: u32, now: u32, steps: u32) -> u32 {
    STATE.get().map_or(0, |state| u32::from(state.stripes.sweep(desk as usize, now, steps)))
}

/// Changes the size of the pools; 1 if done, 0 if that is impossible, 2 if another thread had a lock: the same call must be
/// made again.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn limit(desk: u32, bytes: u64) -> u32 {
    match STATE.get().map(|state| state.stripes.set_limit(desk as usize, bytes)) {
        None | Some(LimitChange::Impossible) => 0,
        Some(LimitChange::Done) => 1,
        Some(LimitChange::Busy) => 2,
    }
}

/// Records events of these kinds from now on, and no others; 0 if another thread had a lock: the same call must be made
/// again.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn watch(desk: u32, kinds: u32) -> u32 {
    STATE.get().map_or(0, |state| u32::from(state.stripes.watch(desk as usize, Kinds(kinds))))
}

/// Takes the events that calls at a desk have caused since the last call: the address of three words (bytes of records,
/// events, events dropped for lack of room) and the records; 0 if there are none.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn events(desk: u32) -> u32 {
    let Some(State { stripes, desks }) = STATE.get() else { return 0 };
    let Some(Desk(state)) = desks.get(desk as usize) else { return 0 };
    let out = &mut state.write().events;
    out.clear();
    out.resize(EVENTS_HEAD_BYTES, 0);
    let (count, dropped) = stripes.take_events(desk as usize, out);
    let bytes = (out.len() - EVENTS_HEAD_BYTES) as u32;
    for (word, value) in out.chunks_exact_mut(4).zip([bytes, count, dropped]) {
        word.copy_from_slice(&value.to_le_bytes());
    }
    if count == 0 && dropped == 0 { 0 } else { address(out) }
}

impl Desk {
    fn new() -> Self {
        let (orders, replies, events) = (alloc::vec![0; ORDERS_BYTES], Vec::new(), Vec::new());
        Self(QuickLock::new(DeskState { mailbox: DeskMailbox::default(), orders, replies, events }))
    }
}

impl DeskState {
    fn show_orders(&mut self) {
        self.mailbox.orders_at = address(&self.orders);
        self.mailbox.orders_bytes = self.orders.len() as u32;
    }
}

/// A piece of memory that large allocations left free.
#[cfg(target_family = "wasm")]
fn reclaimable_pages() -> (u32, u32) {
    crate::runtime::ALLOCATOR.reclaim().map_or((0, 0), |(at, bytes)| (at as u32, bytes as u32))
}

#[cfg(not(target_family = "wasm"))]
fn reclaimable_pages() -> (u32, u32) {
    (0, 0)
}

fn name_pages(at: u32, bytes: u32) -> u32 {
    MAILBOX.pages_at.store(at, Ordering::Relaxed);
    MAILBOX.pages_bytes.store(bytes, Ordering::Relaxed);
    bytes
}

/// Puts a piece of unused memory into the mailbox; its length, or 0 if there is none. It stays unused until the next call:
/// one thread at a time may call this, and returns the piece to the system before it calls again.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn reclaimable(desk: u32) -> u32 {
    let of_store = STATE.get().and_then(|state| state.stripes.reclaimable(desk as usize));
    let (at, bytes) = of_store.map_or_else(reclaimable_pages, |(at, bytes)| (at as u32, bytes as u32));
    name_pages(at, bytes)
}

/// Puts the message of the first panic of any instance into the mailbox; 0 if there is none. May be called after a trap.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn message() -> u32 {
    u32::from(MAILBOX.message_bytes.load(Ordering::Acquire) != 0)
}

/// Keeps a panic's message for [`message`] and poisons the memory; allocates nothing and waits for nobody.
pub fn leave_message(message: &dyn fmt::Display) {
    if let Some(mut kept) = MESSAGE.try_lock()
        && kept.text().is_empty()
    {
        kept.set(message);
        MAILBOX.message_at.store(address(kept.text().as_bytes()), Ordering::Relaxed);
        MAILBOX.message_bytes.store(kept.text().len() as u32, Ordering::Release);
    }
    lock::poison();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_message_is_kept() {
        assert_eq!(message(), 0);
        leave_message(&"index 3 is out of bounds");
        leave_message(&"a later one, of another thread");
        assert_eq!((message(), MAILBOX.message_bytes.load(Ordering::Relaxed)), (1, 24));
        assert_eq!(MESSAGE.lock().text(), "index 3 is out of bounds");
    }
}
