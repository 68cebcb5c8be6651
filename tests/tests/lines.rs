//! Lines of memory that a command writes in a shard which many threads use, outside the desk of its thread: the fewer, the
//! less two threads disturb each other. The numbers are counts, the same on every machine.
//!
//! The memory of the guest is compared before and after a command. Lines that commands for keys of other stripes write as
//! well belong to the desk. A line that gets back what it had cannot be seen so: it is added where there is one.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};
use wasmcached_core::{
    boundary::{
        batch,
        config::{Config, Role, StoreConfig},
    },
    clock::Expiry,
    command::{Command, Fetch, Operation, Renew, StoreMode, StoreOptions},
    hash::Seed,
};
use wasmtime::{
    Engine, Instance, Linker, MemoryType, Module, SharedMemory, Store, TypedFunc, Val, WasmParams, WasmResults,
};

const LINE_BYTES: usize = 64;
const SEED: Seed = Seed(1, 2);
const NOW: u32 = 1_800_000_000;
const DESKS: u32 = 2;
/// Keys that are stored before anything is counted: less than what fits.
const KEYS: usize = 30_000;
/// Most lines of a read, and of a `set` of the same size.
const READ_LINES_MAX: usize = 2;
const OVERWRITE_LINES_MAX: usize = 4;

/// A shard with one instance.
struct Shard {
    store: Store<()>,
    instance: Instance,
    memory: SharedMemory,
    /// Place of the buffer for orders at desk 0.
    orders_at: usize,
}

impl Shard {
    fn new() -> Self {
        let path = std::env::var_os("WASMCACHED_SHARED_GUEST").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/guest/wasmcached-shared.wasm"),
            PathBuf::from,
        );
        let mut config = wasmtime::Config::new();
        config.wasm_threads(true).shared_memory(true);
        let engine = Engine::new(&config).expect("an engine with threads");
        let module = Module::from_file(&engine, &path).expect("the guest: run `cargo xtask guest`");
        let memory = SharedMemory::new(&engine, MemoryType::shared(40, 65535)).expect("a memory");
        let mut store = Store::new(&engine, ());
        let mut linker = Linker::new(&engine);
        linker.define(&store, "env", "memory", memory.clone()).expect("the import");
        let instance = linker.instantiate(&mut store, &module).expect("an instance");
        let mut shard = Self { store, instance, memory, orders_at: 0 };
        let memory_bytes = 16 << 20;
        let store_config =
            StoreConfig { memory_bytes, memory_bytes_capacity: memory_bytes, seed: SEED, ..StoreConfig::default() };
        let record = Config { role: Role::Shard, store: store_config, ..Config::default() }.encode();
        let at: u32 = shard.call("reserve", record.len() as u32);
        shard.write(at as usize, &record);
        assert_ne!(shard.call::<_, u32>("create", (at, NOW, DESKS)), 0);
        let stack: u32 = shard.call("reserve", 65536_u32);
        let pointer = shard.instance.get_global(&mut shard.store, "__stack_pointer").expect("a stack");
        pointer.set(&mut shard.store, Val::I32((stack + 65536) as i32)).expect("a stack");
        let mailbox: u32 = shard.call("desk", 0_u32);
        shard.orders_at = shard.word(mailbox as usize) as usize;
        shard
    }

    fn call<P: WasmParams, R: WasmResults>(&mut self, verb: &str, arguments: P) -> R {
        let verb: TypedFunc<P, R> = self.instance.get_typed_func(&mut self.store, verb).expect("a verb");
        verb.call(&mut self.store, arguments).expect("no trap")
    }

    fn image(&self) -> Vec<u8> {
        let cells = self.memory.data();
        // SAFETY: no instance runs, so the bytes do not change.
        unsafe { std::slice::from_raw_parts(cells.as_ptr().cast::<u8>(), cells.len()) }.to_vec()
    }

    fn write(&self, at: usize, bytes: &[u8]) {
        for (cell, byte) in self.memory.data()[at..at + bytes.len()].iter().zip(bytes) {
            // SAFETY: no instance runs.
            unsafe { *cell.get() = *byte };
        }
    }

    fn word(&self, at: usize) -> u32 {
        let image = self.image();
        u32::from_le_bytes(image[at..at + 4].try_into().expect("four bytes"))
    }

    fn execute(&mut self, commands: &[Command<'_>]) {
        let mut orders = Vec::new();
        commands.iter().for_each(|command| batch::encode_command(&mut orders, command));
        self.write(self.orders_at, &orders);
        let (bytes, count) = (orders.len() as u32, commands.len() as u32);
        let executed: u32 = self.call("execute", (0_u32, 0_u32, bytes, 0_u32, count, NOW, 1_u32 << 20));
        assert_eq!(executed, count);
    }

    /// The lines that differ after the commands.
    fn changed(&mut self, commands: &[Command<'_>]) -> BTreeSet<usize> {
        let before = self.image();
        self.execute(commands);
        let after = self.image();
        let lines = before.chunks(LINE_BYTES).zip(after.chunks(LINE_BYTES)).enumerate();
        lines.filter(|(_, (before, after))| before != after).map(|(line, _)| line).collect()
    }

    /// The lines of one command outside the desk. `own` and `others` are keys of two stripes.
    fn lines(&mut self, own: &[u8], others: &[Vec<u8>], operation: Operation<'_>) -> usize {
        let command = |key| Command { hash: SEED.hash(key), key, operation };
        let mut of_desk = BTreeSet::new();
        for other in others {
            of_desk.extend(self.changed(&[command(other)]));
        }
        let changed = self.changed(&[command(own)]);
        let outside = changed.difference(&of_desk).count();
        println!("{operation:?}: {outside} lines, and {} of the desk", changed.len() - outside);
        outside
    }
}

/// The first bit of the stripe: there are two.
fn stripe(key: &[u8]) -> u64 {
    SEED.hash(key) >> 63
}

fn set(value: &[u8]) -> Operation<'_> {
    let (mode, expiry) = (StoreMode::Set, Expiry::NEVER);
    Operation::Store { mode, flags: 0, expiry, compare: None, options: StoreOptions::default(), value }
}

#[test]
fn a_command_writes_to_few_lines_outside_its_desk() {
    let mut shard = Shard::new();
    let keys: Vec<Vec<u8>> = (0..KEYS).map(|number| format!("key-{number:08}").into_bytes()).collect();
    for part in keys.chunks(40) {
        let commands: Vec<_> =
            part.iter().map(|key| Command { hash: SEED.hash(key), key, operation: set(b"0123456789") }).collect();
        shard.execute(&commands);
    }
    let (own, others): (Vec<_>, Vec<_>) = keys.iter().rev().take(400).cloned().partition(|key| stripe(key) == 0);
    let fetch = Operation::Fetch(Fetch {
        value: true,
        unless: None,
        is_use: true,
        asks_use: false,
        touch: None,
        create: None,
        renew: Renew::No,
        tentative: false,
    });
    // A read changes nothing in the line of the lock for longer than itself; a new unique stays there.
    for (number, (operation, unseen, lines_max)) in [
        (Operation::Get { touch: None }, 1, READ_LINES_MAX),
        (fetch, 1, READ_LINES_MAX),
        (set(b"9876543210"), 0, OVERWRITE_LINES_MAX),
    ]
    .into_iter()
    .enumerate()
    {
        let lines = shard.lines(&own[number], &others[20 * number..20 * number + 20], operation) + unseen;
        assert!(lines <= lines_max, "{operation:?}: {lines} lines");
    }
    // Many keys at once: their buckets, and the line of the one lock.
    let command = |key| Command { hash: SEED.hash(key), key, operation: Operation::Get { touch: None } };
    let mut of_desk = BTreeSet::new();
    for others in others[100..].chunks(50) {
        let commands: Vec<_> = others.iter().map(|key| command(key.as_slice())).collect();
        of_desk.extend(shard.changed(&commands));
    }
    let commands: Vec<_> = own[100..150].iter().map(|key| command(key.as_slice())).collect();
    let outside = shard.changed(&commands).difference(&of_desk).count();
    println!("50 keys: {outside} lines");
    assert!(outside < 50 * READ_LINES_MAX, "{outside} lines of 50 keys");
}
