//! A shard in shared memory, of one desk.

#[allow(dead_code, unused_unsafe, reason = "the counted exchanges read and write")]
#[path = "../../src/guest/shared_memory.rs"]
mod shared_memory;

use crate::{
    code,
    settings::{self, MemoryLayout},
};
use shared_memory::SharedMemory;
use wasmcached_core::boundary::config::Config;
use wasmtime::{Engine, ExternType, Instance, Store, TypedFunc, WasmParams, WasmResults};

/// An address outside the memory.
#[derive(Debug)]
pub(crate) struct Fault;

fn out_of_memory() -> Fault {
    Fault
}

/// Offsets of words in the mailbox of a desk.
const ORDERS_AT: usize = 0;
const ORDERS_BYTES: usize = 4;
const REPLIES_AT: usize = 8;
const REPLIES_BYTES: usize = 12;

/// Most bytes of the replies to a run.
const ROOM: u32 = 256 << 10;

/// The desk, `from`, `bytes`, `tail_bytes`, `count`, `now` and `room`.
type ExecuteArguments = (u32, u32, u32, u32, u32, u32, u32);

/// See the module.
pub(crate) struct Shard {
    store: Store<()>,
    instance: Instance,
    memory: SharedMemory,
    execute: TypedFunc<ExecuteArguments, u32>,
    mailbox_at: usize,
    orders_at: usize,
    orders_bytes: usize,
}

impl Shard {
    pub(crate) fn new(config: &Config) -> Self {
        let layout = MemoryLayout::Reserved;
        let engine = Engine::new(&settings::engine_config(layout)).expect("this machine runs the engine");
        let module = code::shared_module(&engine, layout).expect("this machine runs the guest");
        let ty = module.imports().find_map(|import| match import.ty() {
            ExternType::Memory(memory) => Some(memory),
            _ => None,
        });
        let ty = ty.expect("the memory that instances share");
        let pages = ty.minimum() as u32..ty.maximum().expect("it has a maximum") as u32;
        let memory = SharedMemory::create(&engine, pages).expect("address space");
        let mut store = Store::new(&engine, ());
        store.set_epoch_deadline(1);
        let instance = Instance::new(&mut store, &module, &[memory.import().into()]).expect("its memory is its import");
        let execute = instance.get_typed_func(&mut store, "execute").expect("the guest's verb");
        let mut shard = Self { store, instance, memory, execute, mailbox_at: 0, orders_at: 0, orders_bytes: 0 };
        let config = config.encode();
        let at: u32 = shard.call("reserve", config.len() as u32);
        shard.memory.write(at as usize, &config).expect("a buffer");
        let mailbox: u32 = shard.call("create", (at, crate::NOW, 1u32));
        assert_ne!(mailbox, 0, "the guest takes its configuration");
        shard.mailbox_at = shard.call::<_, u32>("desk", 0u32) as usize;
        shard.orders_at = shard.word(ORDERS_AT) as usize;
        shard.orders_bytes = shard.word(ORDERS_BYTES) as usize;
        shard
    }

    /// Writes orders and their tail into the buffer of the desk.
    #[inline(never)]
    pub(crate) fn write(&mut self, orders: &[u8], tail: &[u8]) {
        assert!(orders.len() + tail.len() <= self.orders_bytes, "the buffer holds the orders of a request");
        self.memory.write(self.orders_at, orders).expect("a buffer");
        self.memory.write(self.orders_at + orders.len(), tail).expect("a buffer");
    }

    /// Executes the orders, and returns the number of bytes of their replies.
    #[inline(never)]
    pub(crate) fn execute(&mut self, bytes: u32, tail_bytes: u32, count: u32) -> u32 {
        let arguments = (0, 0, bytes, tail_bytes, count, crate::NOW, ROOM);
        let executed = self.execute.call(&mut self.store, arguments).expect("no trap");
        assert_eq!(executed, count, "nobody else has a lock");
        self.word(REPLIES_BYTES)
    }

    /// Reads the replies.
    #[inline(never)]
    pub(crate) fn read(&self, into: &mut [u8]) {
        self.memory.read(self.word(REPLIES_AT) as usize, into).expect("replies");
    }

    fn word(&self, offset: usize) -> u32 {
        self.memory.word(self.mailbox_at + offset).expect("a word of the mailbox")
    }

    fn call<P: WasmParams, R: WasmResults>(&mut self, verb: &str, arguments: P) -> R {
        let verb = self.instance.get_typed_func(&mut self.store, verb).expect("the guest's verb");
        verb.call(&mut self.store, arguments).expect("no trap")
    }
}
