//! Guests whose memory is shared: one memory, and an instance of the module for each thread that uses it.
//!
//! A [`SharedGuest`] is the memory; [`SharedGuest::enter`] makes an instance on the calling thread, with a stack of its own.
//! A fault of one instance poisons the memory: nothing in it is trusted any more, and an instance that waits in it for a lock traps.
//! Then every thread drops its instance, and the host makes a new memory.

use super::{
    CALL_TICKS_UNWATCHED, CallBytes, CallWatchdog, Fault, MemoryLayout, PAGE_BYTES, Verb, code, fault_of,
    memory_bytes_max, message_text, out_of_memory, settings::engine_config, shared_memory::SharedMemory, watched_store,
};
use crate::{
    limits::{DESK_BYTES, HUGE_PAGE_BYTES, MESSAGE_BYTES_MAX, SHARED_STACK_BYTES, SHARED_STACK_GUARD_BYTES},
    options::HugePages,
    system::memory::Pages,
};
use parking_lot::Mutex;
use wasmcached_core::{
    boundary::{
        ABI_VERSION,
        config::{Config, Role},
    },
    limits,
};
use wasmtime::{ExternType, Linker, Store, Val};

/// The import of the module, its only one.
const MEMORY_IMPORT: (&str, &str) = ("env", "memory");
/// The pointer to the stack, a global of each instance.
const STACK_POINTER: &str = "__stack_pointer";
/// Alignment of stacks in the C ABI of WebAssembly.
const STACK_ALIGNMENT: usize = 16;
/// Bytes of a page of WebAssembly.
const WASM_PAGE_BYTES: usize = 64 << 10;

/// Words of the mailbox of a shared guest, as offsets: the message of a panic, and pages.
const MESSAGE_WORDS: [usize; 2] = [0, 4];
const PAGES_WORDS: [usize; 2] = [8, 12];
const MAILBOX_BYTES: usize = 16;

/// The module whose instances share a memory, for guests of one configuration.
#[derive(Clone)]
pub(crate) struct SharedModule {
    engine: wasmtime::Engine,
    module: wasmtime::Module,
    /// Pages that a memory has at first, and at most.
    pages: std::ops::Range<u32>,
    huge_pages: HugePages,
}

impl SharedModule {
    /// Loads the module that this program carries, for guests of `config` with so many desks.
    ///
    /// A shared memory never moves. With [`MemoryLayout::Compact`] the address space for all of its growth is reserved at
    /// once, of an engine whose memories are of this one kind; with [`MemoryLayout::Reserved`] it is always all of 32 bits.
    ///
    /// # Errors
    /// One line for the user: this machine cannot run it.
    pub(crate) fn load(
        layout: MemoryLayout,
        config: &Config,
        desks: u32,
        huge_pages: HugePages,
    ) -> Result<Self, String> {
        let describe = |error: wasmtime::Error| format!("this machine cannot run the engine: {error:#}");
        let bytes_max = shared_bytes_max(config, desks);
        let layout = match layout {
            MemoryLayout::Reserved => MemoryLayout::Reserved,
            MemoryLayout::Compact { growth_bytes } => {
                let store = config.store.memory_bytes_capacity.max(config.store.memory_bytes);
                let reserved = store
                    + growth_bytes
                    + beside_store_bytes(config.store.memory_bytes, config.store.item_bytes_max, config.shards, desks);
                MemoryLayout::Compact { growth_bytes: reserved.min(bytes_max as u64) }
            }
        };
        let engine = wasmtime::Engine::new(&engine_config(layout)).map_err(describe)?;
        let module = code::shared_module(&engine, layout).map_err(describe)?;
        let import = module.imports().find_map(|import| match import.ty() {
            ExternType::Memory(memory) if (import.module(), import.name()) == MEMORY_IMPORT => Some(memory),
            _ => None,
        });
        let memory = import.ok_or("the engine for many workers imports no memory")?;
        let page = |pages: u64| u32::try_from(pages).unwrap_or(u32::MAX);
        let (first, last) = (page(memory.minimum()), page(memory.maximum().unwrap_or_default()));
        let pages_max = page(bytes_max.div_ceil(WASM_PAGE_BYTES) as u64);
        Ok(Self { engine, module, pages: first..pages_max.clamp(first, last), huge_pages })
    }

    /// Reports that one [`super::TICK`] has passed.
    pub(crate) fn tick(&self) {
        self.engine.increment_epoch();
    }
}

/// The maximum of a memory: that of any store, and what is beside it.
fn shared_bytes_max(config: &Config, desks: u32) -> usize {
    let shard = Config { role: Role::Shard, ..config.clone() };
    let beside = beside_store_bytes(shard.store.memory_bytes, shard.store.item_bytes_max, shard.shards, desks);
    memory_bytes_max(&shard).saturating_add(usize::try_from(beside).unwrap_or(usize::MAX))
}

/// Memory of a shard, one of `shards`, beside what any store has: desks, and addresses before pools that begin with huge pages.
pub(crate) fn beside_store_bytes(memory_bytes: u64, item_bytes_max: u32, shards: u32, desks: u32) -> u64 {
    let stripes = limits::stripe_count(memory_bytes, item_bytes_max, shards);
    u64::from(desks) * DESK_BYTES + u64::from(stripes) * HUGE_PAGE_BYTES
}

/// A memory that instances share.
pub(crate) struct SharedGuest {
    module: SharedModule,
    config: Config,
    memory: SharedMemory,
    poisoned_at: usize,
    mailbox_at: usize,
    /// Held while an instance uses the stack of the module, before it has its own.
    entrance: Mutex<()>,
}

impl SharedGuest {
    /// Makes the memory, with an empty store of `config` in it.
    ///
    /// # Errors
    /// There is no memory for it, or the module refuses the configuration.
    pub(crate) fn create(module: &SharedModule, config: &Config, now: u32, desks: u32) -> Result<Self, Fault> {
        let memory = SharedMemory::create(&module.engine, module.pages.clone()).map_err(cannot_make)?;
        let mut guest = Self {
            module: module.clone(),
            config: config.clone(),
            memory,
            poisoned_at: 0,
            mailbox_at: 0,
            entrance: Mutex::new(()),
        };
        let mut first = guest.instantiate()?;
        let abi_version = first.verb::<(), u32>("abi_version")?;
        let version = first.call(&abi_version, ())?;
        if version != ABI_VERSION {
            return Err(Fault::new(format!("the guest speaks version {version} of the boundary, not {ABI_VERSION}")));
        }
        let poisoned_at = first.verb::<(), u32>("poisoned_at")?;
        guest.poisoned_at = first.call(&poisoned_at, ())? as usize;
        guest.memory.word(guest.poisoned_at)?;
        let record = config.encode();
        let at = first.reserve(record.len())?;
        guest.memory.write(at, &record)?;
        let create = first.verb::<(u32, u32, u32), u32>("create")?;
        guest.mailbox_at = first.call(&create, (at as u32, now, desks))? as usize;
        if guest.mailbox_at == 0 {
            return Err(Fault::new("the guest refused its configuration, or there is no memory for it"));
        }
        guest.memory.read(guest.mailbox_at, &mut [0; MAILBOX_BYTES])?;
        guest.choose_pages(&mut first)?;
        Ok(guest)
    }

    /// Advises the system about the pages of the stores. Stacks and buffers have small ones: a large page would be resident
    /// for each few of them.
    fn choose_pages(&self, first: &mut SharedInstance) -> Result<(), Fault> {
        let requested = self.module.huge_pages;
        let pages = if requested == HugePages::Never { Pages::Small } else { Pages::Huge };
        let pool = first.verb::<u32, u32>("pool")?;
        let mut pools = Vec::new();
        while first.call(&pool, pools.len() as u32)? != 0 {
            let [at, bytes] = PAGES_WORDS.map(|word| self.memory.word(self.mailbox_at + word));
            let (at, bytes) = (at? as usize, bytes? as usize);
            let end = (at + bytes).min(self.memory.bytes());
            self.memory.advise(at, end.saturating_sub(at), pages)?;
            pools.push((at, bytes));
        }
        if requested == HugePages::Now {
            let used = usize::try_from(self.config.store.memory_bytes).unwrap_or(usize::MAX) / pools.len().max(1);
            for (at, bytes) in pools {
                for at in (at..at + bytes.min(used)).step_by(PAGE_BYTES) {
                    // The value stays, but the page is written. No other instance exists yet.
                    let at = at.next_multiple_of(STACK_ALIGNMENT);
                    self.memory.set_word(at, self.memory.word(at)?)?;
                }
            }
        }
        Ok(())
    }

    /// Makes an instance for the calling thread.
    ///
    /// # Errors
    /// There is no memory for it, or the memory is poisoned.
    pub(crate) fn enter(&self) -> Result<SharedInstance, Fault> {
        let entrance = self.entrance.lock();
        let mut instance = self.instantiate()?;
        let bytes = SHARED_STACK_GUARD_BYTES + SHARED_STACK_BYTES;
        let stack_at = instance.stack(bytes)?;
        // Where pages cannot be guarded, a stack that is too deep harms this memory only.
        self.memory.guard(stack_at, SHARED_STACK_GUARD_BYTES)?;
        let top = stack_at + bytes;
        instance.set_stack(top - top % STACK_ALIGNMENT)?;
        drop(entrance);
        Ok(instance)
    }

    /// Whether an instance has had a fault.
    #[cfg(test)]
    pub(crate) fn is_poisoned(&self) -> bool {
        self.memory.word(self.poisoned_at).is_ok_and(|word| word != 0)
    }

    /// An instance on the stack of the module.
    fn instantiate(&self) -> Result<SharedInstance, Fault> {
        let mut store = watched_store(&self.module.engine, &self.config);
        let mut linker = Linker::new(&self.module.engine);
        linker.define(&store, MEMORY_IMPORT.0, MEMORY_IMPORT.1, self.memory.import()).map_err(cannot_make)?;
        let instance = linker.instantiate(&mut store, &self.module.module).map_err(cannot_make)?;
        let message = instance.get_typed_func(&mut store, "message").map_err(cannot_make)?;
        let (memory, poisoned_at, mailbox_at) = (self.memory.clone(), self.poisoned_at, self.mailbox_at);
        Ok(SharedInstance { store, instance, message, memory, poisoned_at, mailbox_at })
    }
}

/// The instance of one thread. After a fault it must be dropped.
pub(crate) struct SharedInstance {
    store: Store<CallWatchdog>,
    instance: wasmtime::Instance,
    message: Verb<(), u32>,
    memory: SharedMemory,
    /// 0 before it is known.
    poisoned_at: usize,
    /// 0 before it is known.
    mailbox_at: usize,
}

impl SharedInstance {
    /// An export of the module.
    pub(super) fn verb<P, R>(&mut self, name: &str) -> Result<Verb<P, R>, Fault>
    where
        P: wasmtime::WasmParams,
        R: wasmtime::WasmResults,
    {
        let describe = |error: wasmtime::Error| Fault::new(format!("the guest's verb `{name}`: {error:#}"));
        self.instance.get_typed_func(&mut self.store, name).map_err(describe)
    }

    #[inline]
    pub(super) fn call<P, R>(&mut self, verb: &Verb<P, R>, arguments: P) -> Result<R, Fault>
    where
        P: wasmtime::WasmParams,
        R: wasmtime::WasmResults,
    {
        self.call_with(verb, arguments, CallBytes(0))
    }

    /// A call that processes `bytes`. If it fails, the memory is poisoned.
    #[inline]
    pub(super) fn call_with<P, R>(&mut self, verb: &Verb<P, R>, arguments: P, bytes: CallBytes) -> Result<R, Fault>
    where
        P: wasmtime::WasmParams,
        R: wasmtime::WasmResults,
    {
        self.store.set_epoch_deadline(CALL_TICKS_UNWATCHED);
        self.store.data_mut().begin(bytes);
        verb.call(&mut self.store, arguments).map_err(|error| self.fault(&error))
    }

    /// Returns the memory to the system that the last call of `reclaimable` has named.
    pub(super) fn return_reclaimable(&self) -> Result<(), Fault> {
        let [at, bytes] = PAGES_WORDS.map(|word| self.memory.word(self.mailbox_at + word));
        self.memory.advise(at? as usize, bytes? as usize, Pages::Absent)?;
        Ok(())
    }

    /// The memory, which other instances use at the same time.
    pub(super) fn memory(&self) -> &SharedMemory {
        &self.memory
    }

    /// A buffer in the memory: its address.
    fn reserve(&mut self, bytes: usize) -> Result<usize, Fault> {
        self.provide("reserve", bytes)
    }

    /// Memory for a stack: its address.
    fn stack(&mut self, bytes: usize) -> Result<usize, Fault> {
        self.provide("stack", bytes)
    }

    fn provide(&mut self, verb: &str, bytes: usize) -> Result<usize, Fault> {
        let verb = self.verb::<u32, u32>(verb)?;
        match self.call(&verb, bytes as u32)? {
            0 => Err(Fault::new("there is no memory for a buffer of the guest")),
            at => Ok(at as usize),
        }
    }

    /// Sets the address above the stack.
    fn set_stack(&mut self, top: usize) -> Result<(), Fault> {
        let global = self.instance.get_global(&mut self.store, STACK_POINTER).ok_or_else(no_stack)?;
        let top = u32::try_from(top).map_err(|_| out_of_memory())?;
        global.set(&mut self.store, Val::I32(top.cast_signed())).map_err(|_| no_stack())
    }

    /// The fault of a failed call, which poisons the memory.
    #[cold]
    fn fault(&mut self, error: &wasmtime::Error) -> Fault {
        if self.poisoned_at != 0 {
            let poisoned = self.memory.set_word(self.poisoned_at, 1);
            debug_assert!(poisoned.is_ok(), "checked at creation, and memory never shrinks");
        }
        fault_of(error, || self.panic_message())
    }

    /// The message of the first panic in this memory.
    fn panic_message(&mut self) -> Option<String> {
        if self.mailbox_at == 0 {
            return None;
        }
        self.store.set_epoch_deadline(CALL_TICKS_UNWATCHED);
        if self.message.call(&mut self.store, ()).ok()? == 0 {
            return None;
        }
        let [at, bytes] = MESSAGE_WORDS.map(|word| self.memory.word(self.mailbox_at + word).ok());
        let mut text = vec![0; (bytes? as usize).min(MESSAGE_BYTES_MAX)];
        self.memory.read(at? as usize, &mut text).ok()?;
        Some(message_text(&text))
    }
}

#[cold]
fn cannot_make(error: wasmtime::Error) -> Fault {
    Fault::new(format!("cannot make a guest: {error:#}"))
}

#[cold]
fn no_stack() -> Fault {
    Fault::new("the guest has no pointer to its stack")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;
    use wasmcached_core::boundary::config::{Role, StoreConfig};

    const LAYOUTS: [MemoryLayout; 2] = [MemoryLayout::Reserved, MemoryLayout::Compact { growth_bytes: 1 << 30 }];

    const DESKS: u32 = 2;

    fn config() -> Config {
        Config { role: Role::Shard, ..Config::default() }
    }

    fn module(layout: MemoryLayout) -> SharedModule {
        SharedModule::load(layout, &config(), DESKS, HugePages::AsUsed).unwrap()
    }

    fn guest(layout: MemoryLayout) -> SharedGuest {
        SharedGuest::create(&module(layout), &config(), 1, DESKS).unwrap()
    }

    #[test]
    fn instances_on_many_threads_share_words() {
        for layout in LAYOUTS {
            let guest = guest(layout);
            let buffers = thread::scope(|scope| {
                let fill = |number: u8| {
                    let mut instance = guest.enter().unwrap();
                    let sizes = [16, 100, 9000, 70_000].into_iter().cycle().take(400);
                    let buffers = sizes.map(|bytes| {
                        let at = instance.reserve(bytes).unwrap();
                        instance.memory().write(at, &vec![number; bytes]).unwrap();
                        (at, bytes)
                    });
                    buffers.collect::<Vec<_>>()
                };
                let threads = [1, 2].map(|number| scope.spawn(move || fill(number)));
                threads.map(|thread| thread.join().unwrap())
            });
            let mut other = guest.enter().unwrap();
            let release = other.verb::<u32, ()>("release").unwrap();
            for (number, buffers) in (1..).zip(buffers) {
                for (at, bytes) in buffers {
                    let mut read = vec![0; bytes];
                    other.memory().read(at, &mut read).unwrap();
                    assert!(read.iter().all(|byte| *byte == number), "{layout:?}: no other buffer lies there");
                    other.call(&release, at as u32).unwrap();
                }
            }
            assert!(!guest.is_poisoned());
        }
    }

    /// Lets an instance of a new memory trap: its stack has only `stack_bytes` bytes. `None`: they were enough.
    ///
    /// The stack is the bottom of that of the module, so it overflows to addresses that do not exist.
    fn trapped(module: &SharedModule, verb: &str, stack_bytes: usize) -> Option<(SharedGuest, SharedInstance)> {
        let guest = SharedGuest::create(module, &config(), 1, DESKS).unwrap();
        let mut instance = guest.enter().unwrap();
        let record = config().encode();
        let at = instance.reserve(record.len()).unwrap();
        instance.memory().write(at, &record).unwrap();
        instance.set_stack(stack_bytes).unwrap();
        let result = match verb {
            "create" => {
                instance.verb::<(u32, u32, u32), u32>(verb).and_then(|verb| instance.call(&verb, (at as u32, 1, DESKS)))
            }
            _ => instance.verb::<u32, u32>(verb).and_then(|verb| instance.call(&verb, 100)),
        };
        assert_eq!(guest.is_poisoned(), result.is_err());
        result.is_err().then_some((guest, instance))
    }

    /// Instances trap at every depth of their stacks, with locks and without.
    #[test]
    fn a_trap_in_one_instance_hangs_no_other() {
        for layout in LAYOUTS {
            let module = module(layout);
            let mut returned = Vec::new();
            for verb in ["create", "reserve"] {
                let depths = (0..).step_by(48).map_while(|stack_bytes| trapped(&module, verb, stack_bytes));
                returned.extend(depths.map(|(guest, _)| {
                    let other = || guest.instantiate().and_then(|mut other| other.reserve(100)).is_ok();
                    thread::scope(|scope| scope.spawn(other).join().unwrap())
                }));
            }
            assert!(returned.contains(&true) && returned.contains(&false), "{layout:?}: {returned:?}");
        }
    }

    /// The memory is poisoned while the other one waits, or before: it cannot know.
    #[test]
    fn a_wait_for_a_lock_of_a_trapped_instance_is_a_trap() {
        for layout in LAYOUTS {
            let module = module(layout);
            let fault = (0..).step_by(48).find_map(|stack_bytes| {
                let (guest, _) = trapped(&module, "create", stack_bytes).expect("a lock is held at some depth");
                guest.memory.set_word(guest.poisoned_at, 0).unwrap();
                let mut other = guest.instantiate().unwrap();
                thread::scope(|scope| {
                    let waiting = scope.spawn(move || other.reserve(100));
                    guest.memory.set_word(guest.poisoned_at, 1).unwrap();
                    waiting.join().unwrap().err()
                })
            });
            assert_eq!(fault.unwrap().message, wasmtime::Trap::UnreachableCodeReached.to_string(), "{layout:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_stack_that_is_too_deep_is_a_trap() {
        for layout in LAYOUTS {
            let guest = guest(layout);
            let mut instance = guest.enter().unwrap();
            let global = instance.instance.get_global(&mut instance.store, STACK_POINTER).unwrap();
            let top = global.get(&mut instance.store).unwrap_i32().cast_unsigned() as usize;
            let record = config().encode();
            let at = instance.reserve(record.len()).unwrap();
            instance.memory().write(at, &record).unwrap();
            let create = instance.verb::<(u32, u32, u32), u32>("create").unwrap();
            instance.set_stack(top - SHARED_STACK_BYTES + 16).unwrap();
            let fault = instance.call(&create, (at as u32, 1, DESKS)).unwrap_err();
            assert_eq!(fault.message, wasmtime::Trap::MemoryOutOfBounds.to_string(), "{layout:?}");
            assert!(guest.is_poisoned());
        }
    }

    /// Returns a piece of unused memory to the system, if there is one.
    fn reclaim(instance: &mut SharedInstance) -> bool {
        let reclaimable = instance.verb::<u32, u32>("reclaimable").unwrap();
        let found = instance.call(&reclaimable, 0).unwrap() != 0;
        if found {
            instance.return_reclaimable().unwrap();
        }
        found
    }

    /// The host returns named pages to the system while another instance allocates.
    #[cfg(target_os = "linux")]
    #[test]
    fn memory_is_returned_while_others_allocate() {
        const BYTES: usize = 100_000;
        let guest = guest(MemoryLayout::Reserved);
        let mut instances = [guest.enter().unwrap(), guest.enter().unwrap()];
        let [reclaiming, allocating] = &mut instances;
        let release = allocating.verb::<u32, ()>("release").unwrap();
        thread::scope(|scope| {
            let returning = scope.spawn(|| {
                for _ in 0..300_000 {
                    reclaim(reclaiming);
                }
            });
            for number in (0..=u8::MAX).cycle() {
                let bytes = BYTES - usize::from(number % 7) * 9000;
                let at = allocating.reserve(bytes).unwrap();
                let written = vec![number | 1; bytes];
                allocating.memory().write(at, &written).unwrap();
                let mut read = vec![0; bytes];
                allocating.memory().read(at, &mut read).unwrap();
                assert!(read == written, "{number}");
                allocating.call(&release, at as u32).unwrap();
                if returning.is_finished() {
                    break;
                }
            }
        });
        let [reclaiming, allocating] = &mut instances;
        let at = allocating.reserve(BYTES).unwrap();
        allocating.memory().write(at, &[1; BYTES]).unwrap();
        allocating.call(&release, at as u32).unwrap();
        while reclaim(reclaiming) {}
        let mut read = [1; 1];
        allocating.memory().read(at + BYTES / 2, &mut read).unwrap();
        assert_eq!(read, [0], "the system has the page");
    }

    #[test]
    fn pages_are_taken_at_once_on_demand() {
        let module = SharedModule::load(MemoryLayout::Reserved, &config(), DESKS, HugePages::Now).unwrap();
        let guest = SharedGuest::create(&module, &config(), 1, DESKS).unwrap();
        assert!(guest.enter().is_ok() && !guest.is_poisoned());
    }

    #[test]
    fn a_bad_configuration_is_a_fault() {
        let module = module(MemoryLayout::Reserved);
        let store = StoreConfig { memory_bytes: 1, memory_bytes_capacity: 1, ..StoreConfig::default() };
        let fault = SharedGuest::create(&module, &Config { store, ..config() }, 1, DESKS).err().unwrap();
        assert!(fault.message.contains("refused its configuration") && !fault.interrupted, "{fault:?}");
    }

    #[test]
    fn a_memory_cannot_grow_beyond_its_maximum() {
        for layout in LAYOUTS {
            let guest = guest(layout);
            let memory = guest.memory.import();
            let left = shared_bytes_max(&config(), DESKS).div_ceil(WASM_PAGE_BYTES) as u64 - memory.size();
            assert!(memory.grow(left + 1).is_err(), "{layout:?}");
            assert!(memory.grow(left).is_ok(), "{layout:?}");
        }
    }
}
