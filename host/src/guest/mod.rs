//! Guests: their verbs, their mailbox, their traps. Only this file knows wasmtime, besides the `settings` that the build
//! shares, the loading of `code`, and guests in shared memory: `shared` and `shared_memory`. `front` and `shard` have the
//! verbs of the two roles.
//!
//! The verbs are those of `docs/internals/boundary.md`, with the same names. The host does not trust a guest: an address outside its
//! memory is a [`Fault`], never a panic. A guest with a fault must be dropped.

mod code;
mod desk;
mod front;
mod settings;
mod shared;
mod shared_memory;
mod verbs;
mod watchdog;

pub(crate) use desk::{Attempt, Desk, ExecutedOrders, Orders};
pub(crate) use front::{Front, OutputSlices};
pub(crate) use settings::{MEMORY_GUARD_BYTES, MEMORY_RESERVATION_BYTES, MemoryLayout};
pub(crate) use shared::{SharedGuest, SharedModule, beside_store_bytes};
pub(crate) use verbs::{ConnectionKind, EventBatch, FrontStatus, RecordedEvents, Run, RunOutcome};

use crate::{
    counters::FaultCounters,
    limits::{GUEST_BYTES, MESSAGE_BYTES_MAX, RECLAIMS_PER_SWEEP_MAX},
    options::HugePages,
    system::memory::{self, Pages},
};
use settings::engine_config;
use std::{
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use wasmcached_core::{
    boundary::{
        ABI_VERSION,
        config::{Config, Role},
    },
    limits,
};
use wasmtime::{InstancePre, Linker, Memory, Store, StoreLimitsBuilder, Trap, TypedFunc, UpdateDeadline};
use watchdog::{CallBytes, CallWatchdog};

/// Interval of the calls to [`GuestModule::tick`].
pub(crate) const TICK: Duration = Duration::from_secs(1);
/// Ticks before a call is watched.
const CALL_TICKS_UNWATCHED: u64 = 1;
/// The smallest pages of all supported systems.
const PAGE_BYTES: usize = 4096;
/// Three words before the records of events.
const EVENTS_HEAD_BYTES: u32 = 12;

/// The end of a guest, which is unusable afterwards.
#[derive(Debug)]
pub(crate) struct Fault {
    /// The guest's message, or the kind of its trap.
    pub(crate) message: String,
    /// The guest did not return and was interrupted.
    pub(crate) interrupted: bool,
}

impl Fault {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), interrupted: false }
    }

    /// Logs the fault and counts it in `traps`, one of `counters`.
    pub(crate) fn record(&self, counters: &FaultCounters, traps: &AtomicU64, what: &str, index: usize) {
        traps.fetch_add(1, Ordering::Relaxed);
        if self.interrupted {
            counters.interrupts.fetch_add(1, Ordering::Relaxed);
        }
        tracing::error!("{what} {index} trapped and is replaced: {}", self.message);
    }
}

/// The module of all guests: makes instances, and interrupts those that do not return.
#[derive(Clone)]
pub(crate) struct GuestModule {
    engine: wasmtime::Engine,
    instance: InstancePre<CallWatchdog>,
    layout: MemoryLayout,
    huge_pages: HugePages,
}

impl GuestModule {
    /// Loads the module that this program carries, for memories of `layout`.
    ///
    /// # Errors
    /// One line for the user: this machine cannot run it.
    pub(crate) fn load(layout: MemoryLayout, huge_pages: HugePages) -> Result<Self, String> {
        let describe = |error: wasmtime::Error| format!("this machine cannot run the engine: {error:#}");
        let engine = wasmtime::Engine::new(&engine_config(layout)).map_err(describe)?;
        let module = code::module(&engine, layout).map_err(describe)?;
        let instance = Linker::new(&engine).instantiate_pre(&module).map_err(describe)?;
        Ok(Self { engine, instance, layout, huge_pages })
    }

    /// Loads the other module, for shards of `config` with so many desks.
    ///
    /// # Errors
    /// There is no memory for it.
    pub(crate) fn load_shared(&self, config: &Config, desks: u32) -> Result<SharedModule, Fault> {
        SharedModule::load(self.layout, config, desks, self.huge_pages).map_err(Fault::new)
    }

    /// Reports that one [`TICK`] has passed.
    pub(crate) fn tick(&self) {
        self.engine.increment_epoch();
    }
}

/// The first word of each entry in the mailbox.
#[derive(Clone, Copy)]
enum Word {
    Window = 0,
    Output = 2,
    Runs = 4,
    Message = 9,
    Yields = 11,
    Reclaimable = 12,
    Held = 14,
    HeldElsewhere = 15,
    Slices = 17,
    Refusals = 19,
}

const MAILBOX_BYTES: usize = 20 * 4;

/// An export of a guest.
type Verb<P, R> = TypedFunc<P, R>;

struct UpkeepVerbs {
    sweep: Verb<(u32, u32), u32>,
    limit: Verb<u64, u32>,
    reclaimable: Verb<(), u32>,
    watch: Verb<u32, ()>,
    events: Verb<(), u32>,
}

/// The part that all roles share.
struct Guest {
    store: Store<CallWatchdog>,
    memory: Memory,
    instance: wasmtime::Instance,
    message: Verb<(), u32>,
    /// Checked at creation: it lies in memory, which never shrinks.
    mailbox_at: usize,
}

impl Guest {
    fn create(module: &GuestModule, config: &Config, now: u32) -> Result<Self, Fault> {
        let describe = |error: wasmtime::Error| Fault::new(format!("cannot make a guest: {error:#}"));
        let mut store = watched_store(&module.engine, config);
        let instance = module.instance.instantiate(&mut store).map_err(describe)?;
        let memory = instance.get_memory(&mut store, "memory").ok_or_else(|| Fault::new("the guest has no memory"))?;
        let message = instance.get_typed_func(&mut store, "message").map_err(describe)?;
        let mut guest = Self { store, memory, instance, message, mailbox_at: 0 };
        let abi_version = guest.verb::<(), u32>("abi_version")?;
        let version = guest.call(&abi_version, ())?;
        if version != ABI_VERSION {
            return Err(Fault::new(format!("the guest speaks version {version} of the boundary, not {ABI_VERSION}")));
        }
        let record = config.encode();
        let (reserve, create) = (guest.verb::<u32, u32>("reserve")?, guest.verb::<(u32, u32), u32>("create")?);
        let at = guest.call(&reserve, record.len() as u32)?;
        guest.bytes_mut(range(at, record.len() as u32))?.copy_from_slice(&record);
        let mailbox = guest.call(&create, (record.len() as u32, now))?;
        if mailbox == 0 {
            return Err(Fault::new("the guest refused its configuration, or there is no memory for it"));
        }
        guest.mailbox_at = mailbox as usize;
        guest.bytes(guest.mailbox_at..guest.mailbox_at + MAILBOX_BYTES)?;
        if config.role != Role::Front {
            guest.choose_pages(module.huge_pages, config.store.memory_bytes);
        }
        Ok(guest)
    }

    fn verb<P: wasmtime::WasmParams, R: wasmtime::WasmResults>(&mut self, name: &str) -> Result<Verb<P, R>, Fault> {
        let describe = |error: wasmtime::Error| Fault::new(format!("the guest's verb `{name}`: {error:#}"));
        self.instance.get_typed_func(&mut self.store, name).map_err(describe)
    }

    fn upkeep_verbs(&mut self) -> Result<UpkeepVerbs, Fault> {
        Ok(UpkeepVerbs {
            sweep: self.verb("sweep")?,
            limit: self.verb("limit")?,
            reclaimable: self.verb("reclaimable")?,
            watch: self.verb("watch")?,
            events: self.verb("events")?,
        })
    }

    #[inline]
    fn call<P: wasmtime::WasmParams, R: wasmtime::WasmResults>(
        &mut self,
        verb: &Verb<P, R>,
        arguments: P,
    ) -> Result<R, Fault> {
        self.call_with(verb, arguments, CallBytes(0))
    }

    /// A call that processes `bytes`.
    #[inline]
    fn call_with<P: wasmtime::WasmParams, R: wasmtime::WasmResults>(
        &mut self,
        verb: &Verb<P, R>,
        arguments: P,
        bytes: CallBytes,
    ) -> Result<R, Fault> {
        self.store.set_epoch_deadline(CALL_TICKS_UNWATCHED);
        self.store.data_mut().begin(bytes);
        verb.call(&mut self.store, arguments).map_err(|error| self.fault(&error))
    }

    fn sweep(&mut self, verbs: &UpkeepVerbs, now: u32, steps: u32) -> Result<bool, Fault> {
        let more = self.call(&verbs.sweep, (now, steps))? != 0;
        Ok(self.reclaim(verbs)? || more)
    }

    /// Returns unused memory to the system; true if there may be more.
    fn reclaim(&mut self, verbs: &UpkeepVerbs) -> Result<bool, Fault> {
        for _ in 0..RECLAIMS_PER_SWEEP_MAX {
            if self.call(&verbs.reclaimable, ())? == 0 {
                return Ok(false);
            }
            let bytes = self.bytes_mut(self.named(Word::Reclaimable))?;
            memory::advise(bytes, Pages::Absent);
        }
        Ok(true)
    }

    fn events(&mut self, verbs: &UpkeepVerbs) -> Result<Option<RecordedEvents<'_>>, Fault> {
        let at = self.call(&verbs.events, ())?;
        if at == 0 {
            return Ok(None);
        }
        let head = self.bytes(range(at, EVENTS_HEAD_BYTES))?;
        let [bytes, count, dropped] = [0, 1, 2].map(|index| word_at(head, index));
        let first = at.checked_add(EVENTS_HEAD_BYTES).ok_or_else(out_of_memory)?;
        Ok(Some(RecordedEvents { records: self.bytes(range(first, bytes))?, count, dropped }))
    }

    /// Advises the system about the pages of a store, of which `memory_bytes` will be used.
    fn choose_pages(&mut self, requested: HugePages, memory_bytes: u64) {
        let pages = if requested == HugePages::Never { Pages::Small } else { Pages::Huge };
        let memory = self.memory.data_mut(&mut self.store);
        memory::advise(memory, pages);
        if requested == HugePages::Now {
            let used = memory.len().min(usize::try_from(memory_bytes).unwrap_or(usize::MAX));
            for byte in memory[..used].iter_mut().step_by(PAGE_BYTES) {
                // The value stays, but the page is written.
                *byte = std::hint::black_box(*byte);
            }
        }
    }

    /// The fault of a failed call, with the guest's message if there is one.
    #[cold]
    fn fault(&mut self, error: &wasmtime::Error) -> Fault {
        fault_of(error, || self.panic_message())
    }

    fn panic_message(&mut self) -> Option<String> {
        if self.mailbox_at == 0 {
            return None;
        }
        self.store.set_epoch_deadline(CALL_TICKS_UNWATCHED);
        if self.message.call(&mut self.store, ()).ok()? == 0 {
            return None;
        }
        self.bytes(self.named(Word::Message)).ok().map(message_text)
    }

    #[inline]
    fn word(&self, index: usize) -> u32 {
        self.memory.data(&self.store).get(self.mailbox_at..).map_or(0, |mailbox| word_at(mailbox, index))
    }

    /// The range that two words of the mailbox name.
    #[inline]
    fn named(&self, word: Word) -> Range<usize> {
        let first = word as usize;
        range(self.word(first), self.word(first + 1))
    }

    #[inline]
    fn bytes(&self, range: Range<usize>) -> Result<&[u8], Fault> {
        self.memory.data(&self.store).get(range).ok_or_else(out_of_memory)
    }

    #[inline]
    fn bytes_mut(&mut self, range: Range<usize>) -> Result<&mut [u8], Fault> {
        self.memory.data_mut(&mut self.store).get_mut(range).ok_or_else(out_of_memory)
    }
}

/// A store of wasmtime for one instance, whose calls are watched and whose own memory is limited.
fn watched_store(engine: &wasmtime::Engine, config: &Config) -> Store<CallWatchdog> {
    let limits = StoreLimitsBuilder::new().memory_size(memory_bytes_max(config)).build();
    let mut store = Store::new(engine, CallWatchdog::new(limits, config.store.item_bytes_max.into()));
    store.limiter(|watch| &mut watch.limits);
    store.epoch_deadline_callback(|mut context| match context.data_mut().may_continue() {
        true => Ok(UpdateDeadline::Continue(1)),
        false => Err(Trap::Interrupt.into()),
    });
    store.set_epoch_deadline(CALL_TICKS_UNWATCHED);
    store
}

/// The fault of a failed call, with the guest's message if there is one.
#[cold]
fn fault_of(error: &wasmtime::Error, panic_message: impl FnOnce() -> Option<String>) -> Fault {
    let trap = error.downcast_ref::<Trap>();
    if trap == Some(&Trap::Interrupt) {
        return Fault { message: "it did not return in time".to_owned(), interrupted: true };
    }
    match (panic_message(), trap) {
        (Some(message), _) => Fault::new(message),
        (None, Some(trap)) => Fault::new(trap.to_string()),
        (None, None) => Fault::new(format!("{error:#}")),
    }
}

/// The text of a guest's message for a log: one line without control characters.
fn message_text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(MESSAGE_BYTES_MAX)]);
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The maximum of a guest's memory: twice the sizes of its parts, because buffers move as they grow, and some more.
/// A guest that needs more is broken, and traps.
fn memory_bytes_max(config: &Config) -> usize {
    let item = u64::from(config.store.item_bytes_max);
    let front = 2 * (config.buffers_bytes() + item);
    let shard = config.store.memory_bytes_capacity.max(config.store.memory_bytes)
        + 2 * (item + limits::REPLY_BYTES_HIGH as u64);
    let bytes = match config.role {
        Role::Front => front,
        Role::Shard => shard,
        Role::Solo => front + shard,
    };
    usize::try_from(bytes.saturating_add(GUEST_BYTES)).unwrap_or(usize::MAX)
}

#[cold]
fn out_of_memory() -> Fault {
    Fault::new("the guest named memory that it does not have")
}

#[inline]
fn range(at: u32, bytes: u32) -> Range<usize> {
    at as usize..at as usize + bytes as usize
}

/// Word `index` of little-endian words; 0 beyond the end.
#[inline]
fn word_at(bytes: &[u8], index: usize) -> u32 {
    match bytes.get(index * 4..).and_then(|bytes| bytes.first_chunk()) {
        Some(word) => u32::from_le_bytes(*word),
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmcached_core::boundary::config::StoreConfig;

    #[test]
    fn a_guest_cannot_grow_beyond_its_maximum() {
        let module = GuestModule::load(MemoryLayout::Reserved, HugePages::AsUsed).unwrap();
        for role in [Role::Front, Role::Solo] {
            let config = Config { role, ..Config::default() };
            let mut front = Front::create(&module, &config, 1).unwrap();
            let Guest { store, memory, .. } = &mut front.guest;
            let page = 64 * 1024;
            let left = (memory_bytes_max(&config) - memory.data_size(&*store)) as u64 / page;
            assert!(memory.grow(&mut *store, left + 1).is_err(), "{role:?}");
            assert!(memory.grow(&mut *store, left).is_ok(), "{role:?}");
        }
    }

    #[test]
    fn a_bad_configuration_is_a_fault() {
        let module = GuestModule::load(MemoryLayout::Reserved, HugePages::AsUsed).unwrap();
        let config = Config {
            role: Role::Solo,
            store: StoreConfig { memory_bytes: 1, memory_bytes_capacity: 1, ..StoreConfig::default() },
            ..Config::default()
        };
        let fault = Front::create(&module, &config, 1).err().unwrap();
        assert!(fault.message.contains("refused its configuration") && !fault.interrupted, "{fault:?}");
    }

    #[test]
    fn addresses_of_a_guest_are_checked() {
        let module = GuestModule::load(MemoryLayout::Reserved, HugePages::AsUsed).unwrap();
        let front = Front::create(&module, &Config::default(), 1).unwrap();
        let end = front.guest.memory.data_size(&front.guest.store);
        assert!(front.guest.bytes(end - 1..end).is_ok());
        assert!(front.guest.bytes(end - 1..end + 1).is_err());
        assert!(front.guest.bytes(range(u32::MAX, u32::MAX)).is_err());
        assert_eq!(word_at(&[1, 0, 0, 0, 2, 0, 0, 0, 9], 1), 2);
        assert_eq!(word_at(&[1, 0, 0, 0, 2, 0, 0, 0, 9], 2), 0);
    }
}
