//! Plain exports: the verbs of `docs/internals/boundary.md`, for the native host and any other embedder.
//!
//! One of two files of the engine with `unsafe` (the other is the allocator): exported names, and statics that are safe
//! because a guest is single-threaded. Each verb is a call into [`Engine`]; a call with invalid arguments does nothing.

use crate::message::Message;
use alloc::vec::Vec;
use core::{cell::UnsafeCell, fmt};
use wasmcached_core::{
    boundary::{
        ABI_VERSION,
        config::{Binding, Config},
        event::{Kinds, Stamp},
    },
    engine::Engine,
    front::{ConnectionId, ConnectionStatus, Front},
    limits::RUN_BYTES_KEPT_MAX,
};

/// Length of the three words before the records of [`events`].
const EVENTS_HEAD_BYTES: usize = 3 * 4;

/// The words through which verbs return more than one number, in the order of the boundary's table.
#[derive(Default)]
#[repr(C)]
struct Mailbox {
    window_at: u32,
    window_bytes: u32,
    output_at: u32,
    output_bytes: u32,
    runs_at: u32,
    runs_count: u32,
    replies_at: u32,
    replies_bytes: u32,
    executed: u32,
    message_at: u32,
    message_bytes: u32,
    yields: u32,
    reclaimable_at: u32,
    reclaimable_bytes: u32,
    held_bytes: u32,
    /// Written by the host.
    held_elsewhere_bytes: u32,
    hands_over: u32,
    slices_at: u32,
    slices_count: u32,
    refusals_at: u32,
}

const _: () = assert!(size_of::<Mailbox>() == 80);

/// The state of an instance.
#[derive(Default)]
struct Guest {
    engine: Option<Engine>,
    mailbox: Mailbox,
    scratch: Vec<u8>,
    commands: Vec<u8>,
    replies: Vec<u8>,
    runs: Vec<[u32; 6]>,
    slices: Vec<[u32; 2]>,
}

struct Instance(UnsafeCell<Option<Guest>>);

// SAFETY: a guest is single-threaded.
unsafe impl Sync for Instance {}

static INSTANCE: Instance = Instance(UnsafeCell::new(None));

/// The instance's state.
fn guest() -> &'static mut Guest {
    // SAFETY: single-threaded, every verb calls this once and drops the reference before it returns, and no verb calls
    // another.
    unsafe { &mut *INSTANCE.0.get() }.get_or_insert_with(Guest::default)
}

fn address(bytes: &[u8]) -> u32 {
    bytes.as_ptr().addr() as u32
}

impl Guest {
    fn show_output(&mut self, id: ConnectionId) {
        if let Some(front) = self.engine.as_mut().and_then(Engine::front) {
            let output = front.output(id);
            self.mailbox.output_at = address(output);
            self.mailbox.output_bytes = output.len() as u32;
        }
    }

    #[inline(never)]
    fn show_slices(&mut self) {
        self.slices.clear();
        if let Some(engine) = &self.engine {
            engine.output_slices(|slice| {
                if !slice.is_empty() {
                    self.slices.push([address(slice), slice.len() as u32]);
                }
            });
        }
        self.mailbox.slices_at = self.slices.as_ptr().addr() as u32;
        self.mailbox.slices_count = self.slices.len() as u32;
    }

    /// Fills the words of the mailbox that `status` refers to.
    fn show(&mut self, id: ConnectionId, status: ConnectionStatus) -> u32 {
        if status.has(ConnectionStatus::RUNS) {
            let Some(front) = self.engine.as_mut().and_then(Engine::front) else { return status.0 };
            let (runs, orders) = front.runs();
            self.runs.clear();
            self.runs.extend(runs.iter().map(|run| {
                let tail = front.tail(run);
                let orders_at = address(orders) + run.start as u32;
                [run.target.0, orders_at, run.bytes as u32, run.count, address(tail), tail.len() as u32]
            }));
            self.mailbox.runs_at = self.runs.as_ptr().addr() as u32;
            self.mailbox.runs_count = self.runs.len() as u32;
            return status.0;
        }
        if status.has(ConnectionStatus::SLICES) {
            self.show_slices();
        } else {
            self.show_output(id);
        }
        if let Some(front) = self.engine.as_mut().and_then(Engine::front) {
            self.mailbox.yields = front.yields();
        }
        self.show_held();
        status.0
    }

    /// Tells the front what the host has written into the mailbox.
    #[inline]
    fn take_held_elsewhere(&mut self) {
        // SAFETY: the reference is to a word of this instance. The host writes it between two calls.
        let bytes = unsafe { (&raw const self.mailbox.held_elsewhere_bytes).read_volatile() };
        if let Some(front) = self.engine.as_mut().and_then(Engine::front) {
            front.set_held_elsewhere(bytes);
        }
    }

    fn show_held(&mut self) {
        if let Some(front) = self.engine.as_mut().and_then(Engine::front) {
            self.mailbox.held_bytes = front.buffers_bytes() as u32;
        }
    }
}

/// A scratch buffer of `bytes` bytes, for [`create`], [`users`], [`http_token`] and [`deliver`].
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn reserve(bytes: u32) -> u32 {
    let guest = guest();
    guest.scratch.resize(bytes as usize, 0);
    address(&guest.scratch)
}

/// Makes the engine from the first `config_bytes` of the scratch buffer. The mailbox's address, or 0 on failure.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn create(config_bytes: u32, now: u32) -> u32 {
    let guest = guest();
    let config = guest.scratch.get(..config_bytes as usize).and_then(Config::decode);
    guest.scratch = Vec::new();
    guest.engine = config.and_then(|config| Engine::new(&config, now));
    if guest.engine.is_none() {
        return 0;
    }
    if let Some(front) = guest.engine.as_mut().and_then(Engine::front) {
        guest.mailbox.refusals_at = front.refusals().record().as_ptr().addr() as u32;
    }
    (&raw const guest.mailbox).addr() as u32
}

impl Guest {
    /// Gives the first `bytes` of the scratch buffer to the front, and clears them: secrets must not stay in memory that a
    /// later buffer exposes.
    fn with_secret<Taken>(&mut self, bytes: u32, give: impl FnOnce(&mut Front, &[u8]) -> Taken) -> Option<Taken> {
        let mut secret = core::mem::take(&mut self.scratch);
        let front = self.engine.as_mut().and_then(Engine::front);
        let taken = secret.get(..bytes as usize).zip(front).map(|(secret, front)| give(front, secret));
        secret.fill(0);
        taken
    }

    /// Leaves a reason in the mailbox.
    fn put_message(&mut self, reason: &'static str) {
        self.mailbox.message_at = address(reason.as_bytes());
        self.mailbox.message_bytes = reason.len() as u32;
    }
}

/// Takes the first `bytes` of the scratch buffer as the list of users. 0, or the number of an invalid line: then the
/// mailbox's message has the reason, and the previous list stays in force.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn users(bytes: u32) -> u32 {
    let guest = guest();
    match guest.with_secret(bytes, Front::set_users) {
        Some(Ok(())) => 0,
        Some(Err(problem)) => {
            guest.put_message(problem.reason);
            problem.line
        }
        None => u32::MAX,
    }
}

/// Takes the first `bytes` of the scratch buffer as the token of HTTP. 0, or 1: then the mailbox's message has the reason,
/// and the previous token stays in force.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn http_token(bytes: u32) -> u32 {
    let guest = guest();
    match guest.with_secret(bytes, Front::set_http_token) {
        Some(Ok(())) => 0,
        Some(Err(reason)) => {
            guest.put_message(reason);
            1
        }
        None => u32::MAX,
    }
}

/// Number of login attempts (low half), and of refused ones (high half).
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn logins() -> u64 {
    let logins = guest().engine.as_mut().and_then(Engine::front).map(|front| front.logins());
    logins.map_or(0, |(tries, refused)| u64::from(tries) | u64::from(refused) << 32)
}

/// The version of the verbs and of all records.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn abi_version() -> u32 {
    ABI_VERSION
}

/// Puts the message of the last panic into the mailbox; 0 if there is none. May be called after a trap.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn message() -> u32 {
    let text = message_bytes();
    let guest = guest();
    guest.mailbox.message_at = address(text);
    guest.mailbox.message_bytes = text.len() as u32;
    u32::from(!text.is_empty())
}

/// Opens a connection: kind 0 a client, 1 a client that is refused, 2 datagrams of verified peers, 3 of others,
/// 4 to 7 a client of a listener with a [`Binding`] of its own.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn open(kind: u32) -> u32 {
    let Some(front) = guest().engine.as_mut().and_then(Engine::front) else { return u32::MAX };
    match (kind, kind.checked_sub(4).and_then(|number| Binding::ALL.get(number as usize))) {
        (2 | 3, _) => front.open_datagrams(kind == 2).0,
        (_, Some(binding)) => front.open_bound(*binding).0,
        _ => front.open(kind == 1).0,
    }
}

/// Puts the place for the next received bytes of `connection` into the mailbox.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn input(connection: u32) {
    let guest = guest();
    guest.take_held_elsewhere();
    if let Some(front) = guest.engine.as_mut().and_then(Engine::front) {
        let window = front.input(ConnectionId(connection));
        guest.mailbox.window_at = address(window);
        guest.mailbox.window_bytes = window.len() as u32;
    }
}

/// Processes `received` bytes of `connection`; returns the status.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn advance(connection: u32, received: u32, now: u32) -> u32 {
    let guest = guest();
    let id = ConnectionId(connection);
    guest.take_held_elsewhere();
    let Some(engine) = &mut guest.engine else { return ConnectionStatus::CLOSE.0 };
    let status = engine.advance(id, received as usize, now);
    guest.show(id, status)
}

/// Continues the connection whose runs were carried; returns the status.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn resume(now: u32) -> u32 {
    let guest = guest();
    let Some(engine) = &mut guest.engine else { return ConnectionStatus::CLOSE.0 };
    let status = engine.resume(now);
    let Some(id) = engine.front().map(|front| front.current()) else { return ConnectionStatus::CLOSE.0 };
    guest.show(id, status)
}

/// Takes what a front must know of the clock besides `now`, from then on: how many seconds the wall clock is ahead of it,
/// and whether (1) `now` is the whole part of a time with a fraction.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn clock(wall_ahead_s: i64, has_fraction: u32) {
    if let Some(front) = guest().engine.as_mut().and_then(Engine::front) {
        front.set_clock(has_fraction != 0, wall_ahead_s);
    }
}

/// Puts the output of `connection` into the mailbox.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn output(connection: u32) {
    guest().show_output(ConnectionId(connection));
}

/// Discards the first `bytes` of the output, which were sent; returns the status.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn consume(connection: u32, bytes: u32) -> u32 {
    let guest = guest();
    let id = ConnectionId(connection);
    let Some(engine) = &mut guest.engine else { return ConnectionStatus::CLOSE.0 };
    let status = engine.consume(id, bytes as usize);
    guest.show_output(id);
    guest.show_held();
    status.0
}

/// Closes `connection`.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn close(connection: u32) {
    let guest = guest();
    if let Some(engine) = &mut guest.engine {
        engine.close(ConnectionId(connection));
    }
    guest.show_held();
}

/// The room in the budget that the waiting request of `connection` needs; 0: it does not wait.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn wanted(connection: u32) -> u32 {
    let front = guest().engine.as_mut().and_then(Engine::front);
    front.map_or(0, |front| u32::try_from(front.wanted_bytes(ConnectionId(connection))).unwrap_or(u32::MAX))
}

/// Gives the waiting request of `connection` its room `now`.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn admit(connection: u32, now: u32) {
    let guest = guest();
    if let Some(front) = guest.engine.as_mut().and_then(Engine::front) {
        front.admit(ConnectionId(connection), now);
    }
    guest.show_held();
}

/// The connection that has held most for longest without progress (low half), and its KiB times seconds (high half); 0
/// if there is none. Before that, connections give back what they can read again.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn holder(now: u32) -> u64 {
    let guest = guest();
    let front = guest.engine.as_mut().and_then(Engine::front);
    let holder = front.and_then(|front| front.largest_holder(now));
    guest.show_held();
    holder.map_or(0, |(id, weight)| u64::from(weight) << 32 | u64::from(id.0))
}

/// Ends `connection`, because others need the room that it holds; returns the status.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn shed(connection: u32) -> u32 {
    let guest = guest();
    let id = ConnectionId(connection);
    let Some(front) = guest.engine.as_mut().and_then(Engine::front) else { return ConnectionStatus::CLOSE.0 };
    let status = front.shed(id);
    guest.show_output(id);
    guest.show_held();
    status.0
}

/// Buffer for `bytes` bytes of replies to run number `run`; 0 if there is no such run.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn reply(run: u32, executed: u32, bytes: u32) -> u32 {
    let front = guest().engine.as_mut().and_then(Engine::front);
    front.and_then(|front| front.reply(run as usize, executed, bytes as usize)).map_or(0, |room| address(room))
}

/// Buffer for the `bytes` bytes of a run.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn commands(bytes: u32) -> u32 {
    let guest = guest();
    let bytes = bytes as usize;
    if guest.commands.len() < bytes {
        guest.commands.resize(bytes, 0);
    }
    address(&guest.commands)
}

/// Executes up to `count` orders of the run, which has `bytes` bytes, the last `tail_bytes` of them its tail; puts the replies, the number of executed orders and whether the lock is to
/// be handed over into the mailbox.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn execute(bytes: u32, tail_bytes: u32, count: u32, now: u32, room: u32) {
    let guest = guest();
    guest.replies.clear();
    guest.replies.shrink_to(RUN_BYTES_KEPT_MAX);
    let mut shard = guest.engine.as_mut().and_then(Engine::shard);
    let run = guest.commands.get(..bytes as usize);
    let run = run.and_then(|run| run.split_at_checked(run.len().checked_sub(tail_bytes as usize)?));
    guest.mailbox.executed = match (&mut shard, run) {
        (Some(shard), Some(run)) => shard.execute_batch(run, count, now, room as usize, &mut guest.replies),
        _ => 0,
    };
    guest.mailbox.hands_over = shard.map_or(0, |shard| u32::from(shard.hands_over()));
    free_large(&mut guest.commands);
    guest.mailbox.replies_at = address(&guest.replies);
    guest.mailbox.replies_bytes = guest.replies.len() as u32;
}

/// Bounded upkeep of the store; 1 if there is more to do at once.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn sweep(now: u32, steps: u32) -> u32 {
    guest().engine.as_mut().and_then(Engine::shard).map_or(0, |shard| u32::from(shard.sweep(now, steps)))
}

/// Sets the number that names `connection` in events.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn label(connection: u32, number: u32) {
    if let Some(front) = guest().engine.as_mut().and_then(Engine::front) {
        front.label(ConnectionId(connection), number);
    }
}

/// Sets the number of the address of `connection`'s client, by which failed logins are limited.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn peer(connection: u32, number: u64) {
    if let Some(front) = guest().engine.as_mut().and_then(Engine::front) {
        front.set_peer(ConnectionId(connection), number);
    }
}

/// Records events of these kinds from now on, and no others.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn watch(kinds: u32) {
    if let Some(engine) = &mut guest().engine {
        engine.watch(Kinds(kinds));
    }
}

/// Takes the events since the last call: the address of three words (bytes of records, events, events dropped for lack
/// of room) and the records; 0 if there are none.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn events() -> u32 {
    let guest = guest();
    guest.scratch.clear();
    guest.scratch.resize(EVENTS_HEAD_BYTES, 0);
    let Some(engine) = &mut guest.engine else { return 0 };
    let (count, dropped) = engine.take_events(&mut guest.scratch);
    let bytes = (guest.scratch.len() - EVENTS_HEAD_BYTES) as u32;
    for (word, value) in guest.scratch.chunks_exact_mut(4).zip([bytes, count, dropped]) {
        word.copy_from_slice(&value.to_le_bytes());
    }
    if count == 0 && dropped == 0 { 0 } else { address(&guest.scratch) }
}

/// Delivers the events in the first `bytes` bytes of the scratch buffer to the connections that watch. `number` is the
/// number of the first event; all happened at that time. Lines to send in the high half, lines dropped for lack of room
/// in the low half.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn deliver(bytes: u32, number: u64, seconds: u32, micros: u32) -> u64 {
    let guest = guest();
    let records = guest.scratch.get(..bytes as usize).unwrap_or_default();
    let stamp = Stamp { seconds, micros, number };
    let delivered = guest.engine.as_mut().and_then(Engine::front).map(|front| front.deliver(records, stamp));
    guest.scratch = Vec::new();
    delivered.map_or(0, |delivered| u64::from(delivered.sent) << 32 | u64::from(delivered.skipped))
}

/// Changes the pool's size; 1 if done.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn limit(bytes: u64) -> u32 {
    guest().engine.as_mut().and_then(Engine::shard).map_or(0, |shard| u32::from(shard.set_limit(bytes)))
}

/// Frees a buffer that a large run has made large.
fn free_large(buffer: &mut Vec<u8>) {
    if buffer.capacity() > RUN_BYTES_KEPT_MAX {
        *buffer = Vec::new();
    }
}

/// A piece of memory that large allocations left free.
#[cfg(target_family = "wasm")]
fn reclaimable_pages() -> Option<(u32, u32)> {
    crate::runtime::ALLOCATOR.reclaim().map(|(at, bytes)| (at as u32, bytes as u32))
}

#[cfg(not(target_family = "wasm"))]
fn reclaimable_pages() -> Option<(u32, u32)> {
    None
}

/// Puts a piece of unused memory into the mailbox; its length, or 0 if there is none.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn reclaimable() -> u32 {
    let guest = guest();
    free_large(&mut guest.commands);
    free_large(&mut guest.replies);
    if let Some(front) = guest.engine.as_mut().and_then(Engine::front) {
        front.trim();
    }
    let reclaimable = guest.engine.as_mut().and_then(Engine::shard).and_then(|shard| shard.reclaimable());
    let reclaimable = reclaimable.map(|bytes| (address(bytes), bytes.len() as u32));
    let (at, bytes) = reclaimable.or_else(reclaimable_pages).unwrap_or_default();
    (guest.mailbox.reclaimable_at, guest.mailbox.reclaimable_bytes) = (at, bytes);
    bytes
}

/// Bytes of a panic's message that are kept.
const MESSAGE_BYTES_MAX: usize = 1024;

/// The message of the last panic. A static, because after a panic nothing may be allocated.
static MESSAGE: PanicMessage = PanicMessage(UnsafeCell::new(Message::new()));

struct PanicMessage(UnsafeCell<Message<MESSAGE_BYTES_MAX>>);

// SAFETY: a guest is single-threaded, and no reference into the cell outlives a call.
unsafe impl Sync for PanicMessage {}

/// Keeps a panic's message for [`message_bytes`]; allocates nothing.
pub fn leave_message(message: &dyn fmt::Display) {
    // SAFETY: single-threaded, and `Display` of a panic's message does not call this function.
    let kept = unsafe { &mut *MESSAGE.0.get() };
    kept.set(message);
}

/// The message that [`leave_message`] kept; empty if there was no panic.
pub fn message_bytes() -> &'static [u8] {
    // SAFETY: single-threaded; the text changes only in a panic, after which no caller of this is running.
    let kept = unsafe { &*MESSAGE.0.get() };
    kept.text().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::{MESSAGE_BYTES_MAX, Mailbox, leave_message, message_bytes};
    use core::mem::offset_of;

    /// The rows of the page have the form `| 0, 1 | `window_at`, `window_bytes`: …`.
    #[test]
    fn words_of_the_mailbox_are_those_of_the_page() {
        const PAGE: &str = include_str!("../../docs/internals/boundary.md");
        let rows = PAGE.lines().skip_while(|line| !line.starts_with("| word | name |")).skip(2);
        let mut words = Vec::new();
        for row in rows.take_while(|line| line.starts_with('|')) {
            let mut cells = row.trim_matches('|').split('|').map(str::trim);
            let (Some(numbers), Some(names)) = (cells.next(), cells.next()) else { panic!("{row}") };
            let names = names.split('`').skip(1).step_by(2).filter(|name| name.contains(char::is_alphabetic));
            words.extend(numbers.split(", ").map(|number| number.parse::<usize>().unwrap()).zip(names));
        }
        macro_rules! words {
            ($($name:ident)*) => { [$((offset_of!(Mailbox, $name) / 4, stringify!($name)),)*] };
        }
        let expected = words! {
            window_at window_bytes output_at output_bytes runs_at runs_count replies_at replies_bytes executed
            message_at message_bytes yields reclaimable_at reclaimable_bytes held_bytes held_elsewhere_bytes
            hands_over slices_at slices_count refusals_at
        };
        assert_eq!(words, expected);
    }

    /// One test, because the message is one static.
    #[test]
    fn a_message_is_kept_and_cut() {
        leave_message(&"index 3 is out of bounds");
        assert_eq!(message_bytes(), b"index 3 is out of bounds");
        leave_message(&"x".repeat(MESSAGE_BYTES_MAX + 1));
        assert_eq!(message_bytes(), "x".repeat(MESSAGE_BYTES_MAX).as_bytes());
    }
}
