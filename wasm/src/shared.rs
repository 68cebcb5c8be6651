//! Plain exports of the build for many threads: the store alone, in a memory that all instances share. The verbs are those of
//! `docs/internals/boundary.md`, section *The module for many threads*.
//!
//! Each thread of the host has an instance of its own and a stack of its own. Statics lie in the shared memory, so every
//! instance sees the same ones: each is an atomic or behind a [`Lock`]. A call with invalid arguments does nothing.

use crate::{
    lock::{self, Lock},
    message::Message,
};
use alloc::{collections::BTreeMap, vec::Vec};
use core::{
    fmt,
    sync::atomic::{AtomicU32, Ordering},
};
use wasmcached_core::{
    boundary::{ABI_VERSION, config::Config},
    shard::Shard,
};

/// The words through which verbs return more than one number.
#[repr(C)]
struct Mailbox {
    message_at: AtomicU32,
    message_bytes: AtomicU32,
    reclaimable_at: AtomicU32,
    reclaimable_bytes: AtomicU32,
}

static MAILBOX: Mailbox = Mailbox {
    message_at: AtomicU32::new(0),
    message_bytes: AtomicU32::new(0),
    reclaimable_at: AtomicU32::new(0),
    reclaimable_bytes: AtomicU32::new(0),
};

/// The store, and the buffers of the host by their addresses.
struct State {
    shard: Option<Shard>,
    buffers: BTreeMap<u32, Vec<u8>>,
}

static STATE: Lock<State> = Lock::new(State { shard: None, buffers: BTreeMap::new() });

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
    STATE.lock().buffers.insert(at, buffer);
    at
}

/// Frees a buffer of [`reserve`].
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn release(at: u32) {
    let buffer = STATE.lock().buffers.remove(&at);
    drop(buffer);
}

/// Makes the store from the configuration in the buffer at `config_at`, and frees the buffer. The mailbox's address, or 0 on
/// failure.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn create(config_at: u32, _now: u32) -> u32 {
    let mut state = STATE.lock();
    let buffer = state.buffers.remove(&config_at);
    let config = buffer.as_deref().and_then(Config::decode);
    state.shard = config.and_then(|config| Shard::new(&config));
    if state.shard.is_none() { 0 } else { (&raw const MAILBOX).addr() as u32 }
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

/// Puts a piece of unused memory into the mailbox; its length, or 0 if there is none. It stays unused until the next call:
/// one thread at a time may call this, and returns the piece to the system before it calls again.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn reclaimable() -> u32 {
    let (at, bytes) = reclaimable_pages();
    MAILBOX.reclaimable_at.store(at, Ordering::Relaxed);
    MAILBOX.reclaimable_bytes.store(bytes, Ordering::Relaxed);
    bytes
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
