//! The shipped module as an engine: the verbs of `docs/internals/boundary.md` over wasmtime.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use wasmcached_core::boundary::config::{Config, Role};
use wasmcached_tests::{
    embedding::{Embedding, Run, Verbs, configuration},
    target::{Factory, Kind, Target},
};
use wasmtime::{Engine, Instance, Memory, Module, Store, TypedFunc, WasmParams, WasmResults};

/// Creates guests. Zero shards: solo.
pub(crate) struct GuestFactory {
    engine: Engine,
    module: Module,
    shards: u32,
}

impl GuestFactory {
    /// Compiles the shipped module, for solo guests and for a front with three shards.
    ///
    /// # Errors
    /// Names the command that builds the module.
    pub(crate) fn load() -> Result<(Self, Self), String> {
        let path = std::env::var_os("WASMCACHED_GUEST").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/guest/wasmcached.wasm"),
            PathBuf::from,
        );
        if !path.is_file() {
            return Err(format!("{} is missing: run `cargo xtask build`", path.display()));
        }
        let engine = Engine::default();
        let module = Module::from_file(&engine, &path).map_err(|error| format!("{}: {error:#}", path.display()))?;
        let with = |shards| Self { engine: engine.clone(), module: module.clone(), shards };
        Ok((with(0), with(3)))
    }

    /// Starts a front with `shards` shards. The number is the largest size of the front's memory so far.
    ///
    /// # Errors
    /// Why it does not start.
    pub(crate) fn start_measured(&self, flags: &[String], shards: u32) -> Result<(Embedding, Arc<AtomicU64>), String> {
        let front_bytes = Arc::new(AtomicU64::new(0));
        let make = |config: &Config, now| {
            let mut guest =
                Guest::new(&self.engine, &self.module, config, now).map_err(|error| format!("{error:#}"))?;
            guest.measured = (config.role == Role::Front).then(|| Arc::clone(&front_bytes));
            Ok(Box::new(guest) as Box<dyn Verbs>)
        };
        Ok((Embedding::new(flags, shards, make)?, front_bytes))
    }

    /// Imports of the module.
    pub(crate) fn imports(&self) -> Vec<String> {
        self.module.imports().map(|import| format!("{}.{}", import.module(), import.name())).collect()
    }

    /// The functions of the module with their types, as `i32 i64 -> i32`.
    pub(crate) fn functions(&self) -> BTreeMap<String, String> {
        functions(&self.module)
    }
}

/// The functions of a module with their types, as `i32 i64 -> i32`.
pub(crate) fn functions(module: &Module) -> BTreeMap<String, String> {
    let exports = module.exports().filter_map(|export| {
        let ty = export.ty();
        let function = ty.func()?;
        let parameters = function.params().map(|ty| format!("{ty} ")).collect::<String>();
        let results = function.results().map(|ty| format!(" {ty}")).collect::<String>();
        Some((export.name().to_owned(), format!("{parameters}->{results}")))
    });
    exports.collect()
}

impl Factory for GuestFactory {
    fn kind(&self) -> Kind {
        Kind::Guest
    }

    fn refuses(&self, flags: &[String]) -> Option<String> {
        configuration(flags).err().map(|flag| format!("`{flag}` needs a server"))
    }

    fn start(&self, flags: &[String]) -> Result<Box<dyn Target>, String> {
        let make = |config: &Config, now| {
            Guest::new(&self.engine, &self.module, config, now)
                .map(|guest| Box::new(guest) as Box<dyn Verbs>)
                .map_err(|error| format!("{error:#}"))
        };
        Ok(Box::new(Embedding::new(flags, self.shards, make)?))
    }
}

/// Words of the mailbox, the guest's table of results.
#[derive(Clone, Copy)]
enum Word {
    WindowAt = 0,
    WindowBytes = 1,
    OutputAt = 2,
    OutputBytes = 3,
    RunsAt = 4,
    RunsCount = 5,
    RepliesAt = 6,
    RepliesBytes = 7,
    Executed = 8,
    MessageAt = 9,
    MessageBytes = 10,
    RefusalsAt = 19,
}

struct Guest {
    store: Store<()>,
    instance: Instance,
    memory: Memory,
    mailbox: u32,
    /// Where to note the largest size of the memory.
    measured: Option<Arc<AtomicU64>>,
}

impl Guest {
    fn new(engine: &Engine, module: &Module, config: &Config, now: u32) -> wasmtime::Result<Self> {
        let mut store = Store::new(engine, ());
        let instance = Instance::new(&mut store, module, &[])?;
        let memory = instance
            .get_memory(&mut store, "memory")
            .ok_or_else(|| wasmtime::Error::msg("the guest exports no memory"))?;
        let mut guest = Self { store, instance, memory, mailbox: 0, measured: None };
        let record = config.encode();
        let at: u32 = guest.call("reserve", record.len() as u32);
        guest.write(at, &record);
        guest.mailbox = guest.call("create", (record.len() as u32, now));
        if guest.mailbox == 0 {
            return Err(wasmtime::Error::msg("the guest refuses the configuration"));
        }
        Ok(guest)
    }

    /// Calls a verb; a trap fails the test with the guest's message.
    fn call<P: WasmParams, R: WasmResults>(&mut self, verb: &str, arguments: P) -> R {
        let function: TypedFunc<P, R> =
            self.instance.get_typed_func(&mut self.store, verb).unwrap_or_else(|error| panic!("{verb}: {error:#}"));
        let result = function.call(&mut self.store, arguments);
        if let Some(measured) = &self.measured {
            measured.fetch_max(self.memory.data_size(&self.store) as u64, Ordering::Relaxed);
        }
        match result {
            Ok(result) => result,
            Err(error) => panic!("{verb} trapped: {error:#}: {}", self.message()),
        }
    }

    /// Message of a trapped guest.
    fn message(&mut self) -> String {
        let Ok(message) = self.instance.get_typed_func::<(), u32>(&mut self.store, "message") else {
            return "no message".into();
        };
        match message.call(&mut self.store, ()) {
            Ok(1) => String::from_utf8_lossy(&self.read(Word::MessageAt, Word::MessageBytes)).into_owned(),
            _ => "no message".into(),
        }
    }

    fn write(&mut self, at: u32, bytes: &[u8]) {
        self.memory.write(&mut self.store, at as usize, bytes).expect("inside the guest's memory");
    }

    fn bytes(&self, at: u32, length: u32) -> Vec<u8> {
        self.memory.data(&self.store)[at as usize..][..length as usize].to_vec()
    }

    fn word(&self, word: Word) -> u32 {
        let at = self.mailbox as usize + 4 * word as usize;
        let bytes = &self.memory.data(&self.store)[at..at + 4];
        u32::from_le_bytes(bytes.try_into().expect("four bytes"))
    }

    fn read(&self, at: Word, length: Word) -> Vec<u8> {
        self.bytes(self.word(at), self.word(length))
    }
}

impl Verbs for Guest {
    fn open(&mut self, kind: u32) -> u32 {
        self.call("open", kind)
    }

    fn fill(&mut self, connection: u32, bytes: &[u8]) -> usize {
        self.call::<_, ()>("input", connection);
        let length = (self.word(Word::WindowBytes) as usize).min(bytes.len());
        let at = self.word(Word::WindowAt);
        self.write(at, &bytes[..length]);
        length
    }

    fn advance(&mut self, connection: u32, received: u32, now: u32) -> u32 {
        self.call("advance", (connection, received, now))
    }

    fn resume(&mut self, now: u32) -> u32 {
        self.call("resume", now)
    }

    fn output(&mut self, connection: u32) -> Vec<u8> {
        self.call::<_, ()>("output", connection);
        self.read(Word::OutputAt, Word::OutputBytes)
    }

    fn consume(&mut self, connection: u32, bytes: u32) -> u32 {
        self.call("consume", (connection, bytes))
    }

    fn close(&mut self, connection: u32) {
        self.call::<_, ()>("close", connection);
    }

    fn runs(&mut self) -> Vec<Run> {
        let records = self.bytes(self.word(Word::RunsAt), 24 * self.word(Word::RunsCount));
        let word = |record: &[u8], number: usize| {
            u32::from_le_bytes(record[4 * number..4 * number + 4].try_into().expect("four bytes"))
        };
        records
            .chunks_exact(24)
            .map(|record| Run {
                target: word(record, 0),
                commands: [self.bytes(word(record, 1), word(record, 2)), self.bytes(word(record, 4), word(record, 5))]
                    .concat(),
                tail_bytes: word(record, 5),
                count: word(record, 3),
            })
            .collect()
    }

    fn reply(&mut self, run: u32, executed: u32, replies: &[u8]) {
        let at: u32 = self.call("reply", (run, executed, replies.len() as u32));
        if at != 0 {
            self.write(at, replies);
        }
    }

    fn execute(&mut self, run: &Run, now: u32, room: u32) -> (u32, Vec<u8>) {
        let length = run.commands.len() as u32;
        let at: u32 = self.call("commands", length);
        self.write(at, &run.commands);
        self.call::<_, ()>("execute", (length, run.tail_bytes, run.count, now, room));
        (self.word(Word::Executed), self.read(Word::RepliesAt, Word::RepliesBytes))
    }

    fn sweep(&mut self, now: u32, steps: u32) -> u32 {
        self.call("sweep", (now, steps))
    }

    fn users(&mut self, list: &[u8]) -> u32 {
        let at: u32 = self.call("reserve", list.len() as u32);
        self.write(at, list);
        self.call("users", list.len() as u32)
    }

    fn logins(&mut self) -> u64 {
        self.call("logins", ())
    }

    fn refusals(&mut self) -> Vec<u32> {
        let at = self.word(Word::RefusalsAt);
        let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("four bytes"));
        let count = number(&self.bytes(at, 4));
        self.bytes(at + 4, 4 * count).chunks_exact(4).map(number).collect()
    }

    fn limit(&mut self, bytes: u64) -> u32 {
        self.call("limit", bytes)
    }
}
