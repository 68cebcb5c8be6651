//! Requests to the shipped guest for an instruction counter: `cargo xtask instructions` runs it under callgrind, which
//! counts what happens inside `counted`.
//!
//! Without an argument it lists its cases, one a line, with the number of operations of each; with an index in that list it
//! runs a case. It calls the verbs of `docs/internals/boundary.md` as the server does, without sockets: it writes into the window, calls
//! `advance`, reads the output. Cases are those of a server with one worker, and some again with runs that are carried to a
//! shard in shared memory, as with several workers.

#![deny(unsafe_code)]

mod carried;
#[path = "../../src/guest/code.rs"]
mod code;
#[path = "../../src/guest/settings.rs"]
mod settings;
mod system;

use carried::Shard;
use settings::MemoryLayout;
use std::{env, hint::black_box, iter};
use wasmcached_core::{
    boundary::{
        config::{Config, Role, StoreConfig},
        status::ConnectionStatus,
    },
    hash::Seed,
};
use wasmtime::{Engine, Instance, Memory, Store, TypedFunc, WasmParams, WasmResults};

const ITEMS: usize = 10_000;
/// Number of keys that a case reads or sets in total.
const OPERATIONS: usize = 4_000;
/// Not a divisor of [`ITEMS`], so that neighbouring requests have no neighbouring items.
const STEP: usize = 7919;
const NOW: u32 = 1_800_000_000;
const KEY_BYTES: usize = 20;
const VALUE_BYTES: usize = 100;
const LONG_VALUE_BYTES: usize = 100_000;
const LONG_ITEMS: usize = 100;
const LONG_OPERATIONS: usize = 200;

/// A case: requests of one kind.
struct Case {
    name: &'static str,
    /// Keys in one write.
    batch: usize,
    /// The bytes of one write for the items of these numbers.
    request: fn(&[usize]) -> Vec<u8>,
    /// The beginning of the reply.
    begins: &'static [u8],
    /// The length of the reply.
    bytes: usize,
    /// Its values are long: there are fewer items and fewer requests.
    long: bool,
}

impl Case {
    fn items(&self) -> usize {
        if self.long { LONG_ITEMS } else { ITEMS }
    }

    fn operations(&self) -> usize {
        if self.long { LONG_OPERATIONS } else { OPERATIONS }
    }
}

const VALUE_LINE_BYTES: usize = b"VALUE  0 100\r\n\r\n".len() + KEY_BYTES + VALUE_BYTES;
const META_VALUE_BYTES: usize = b"VA 100 k f0\r\n\r\n".len() + KEY_BYTES + VALUE_BYTES;
const END: usize = b"END\r\n".len();
const STORED: usize = b"STORED\r\n".len();

/// Opcodes of the binary protocol.
const GET: u8 = 0x00;
const SET: u8 = 0x01;
const NOOP: u8 = 0x0a;
const GETKQ: u8 = 0x0d;
const HEADER_BYTES: usize = 24;
const FLAGS_BYTES: usize = 4;

const CASES: [Case; 14] = [
    Case { name: "get", batch: 1, request: get, begins: b"VALUE ", bytes: VALUE_LINE_BYTES + END, long: false },
    Case {
        name: "get of 50 keys",
        batch: 50,
        request: get,
        begins: b"VALUE ",
        bytes: 50 * VALUE_LINE_BYTES + END,
        long: false,
    },
    Case {
        name: "16 gets in one read",
        batch: 16,
        request: |numbers| each(numbers, get),
        begins: b"VALUE ",
        bytes: 16 * (VALUE_LINE_BYTES + END),
        long: false,
    },
    Case {
        name: "get miss",
        batch: 1,
        request: |numbers| get(&[numbers[0] + ITEMS]),
        begins: b"END\r\n",
        bytes: END,
        long: false,
    },
    Case { name: "set", batch: 1, request: set, begins: b"STORED\r\n", bytes: STORED, long: false },
    Case { name: "8 sets in one read", batch: 8, request: set, begins: b"STORED\r\n", bytes: 8 * STORED, long: false },
    Case {
        name: "mg",
        batch: 1,
        request: |numbers| meta_get(numbers, "k f v"),
        begins: b"VA 100 k",
        bytes: META_VALUE_BYTES,
        long: false,
    },
    Case {
        name: "50 mg in one read",
        batch: 50,
        request: |numbers| [meta_get(numbers, "k f v q"), b"mn\r\n".to_vec()].concat(),
        begins: b"VA 100 k",
        bytes: 50 * META_VALUE_BYTES + b"MN\r\n".len(),
        long: false,
    },
    Case { name: "ms", batch: 1, request: meta_set, begins: b"HD\r\n", bytes: b"HD\r\n".len(), long: false },
    Case {
        name: "packet get",
        batch: 1,
        request: |numbers| packet(GET, &[], &key(numbers[0]), b""),
        begins: &[0x81, GET, 0, 0, FLAGS_BYTES as u8, 0, 0, 0],
        bytes: HEADER_BYTES + FLAGS_BYTES + VALUE_BYTES,
        long: false,
    },
    Case {
        name: "packet set",
        batch: 1,
        request: |numbers| packet(SET, &[0; 8], &key(numbers[0]), &[b'v'; VALUE_BYTES]),
        begins: &[0x81, SET, 0, 0, 0, 0, 0, 0],
        bytes: HEADER_BYTES,
        long: false,
    },
    Case {
        name: "50 packets getkq",
        batch: 50,
        request: |numbers| {
            let quiet = |numbers: &[usize]| packet(GETKQ, &[], &key(numbers[0]), b"");
            [each(numbers, quiet), packet(NOOP, &[], "", b"")].concat()
        },
        begins: &[0x81, GETKQ, 0, KEY_BYTES as u8, FLAGS_BYTES as u8, 0, 0, 0],
        bytes: 50 * (HEADER_BYTES + FLAGS_BYTES + KEY_BYTES + VALUE_BYTES) + HEADER_BYTES,
        long: false,
    },
    Case {
        name: "get of 100 kB",
        batch: 1,
        request: get,
        begins: b"VALUE ",
        bytes: b"VALUE  0 100000\r\n\r\n".len() + KEY_BYTES + LONG_VALUE_BYTES + END,
        long: true,
    },
    Case { name: "set of 100 kB", batch: 1, request: long_set, begins: b"STORED\r\n", bytes: STORED, long: true },
];

/// The cases that are also carried.
const CARRIED: [&str; 4] = ["get", "get of 50 keys", "16 gets in one read", "8 sets in one read"];

/// All cases, and whether they are carried.
fn cases() -> impl Iterator<Item = (&'static Case, bool)> {
    let carried = CASES.iter().filter(|case| CARRIED.contains(&case.name));
    CASES.iter().map(|case| (case, false)).chain(carried.map(|case| (case, true)))
}

fn main() {
    match env::args().nth(1) {
        None => cases().for_each(|(case, is_carried)| {
            println!("{}{}\t{}", if is_carried { "carried " } else { "" }, case.name, case.operations());
        }),
        Some(place) => {
            let place = place.parse().ok().and_then(|place| cases().nth(place));
            let (case, is_carried) = place.expect("the place of a case in the list");
            run(case, if is_carried { Guest::carried() } else { Guest::solo() });
        }
    }
}

/// Instructions inside this function are counted.
#[inline(never)]
fn counted(work: &mut dyn FnMut()) {
    work();
    // The call above must not be a tail call, which would end this function before the work.
    black_box(());
}

fn run(case: &Case, mut guest: Guest) {
    let filler = guest.open();
    let exchange = if case.long { Guest::exchange_long } else { Guest::exchange };
    for number in 0..case.items() {
        let request = if case.long { long_set(&[number]) } else { set(&[number]) };
        assert_eq!(exchange(&mut guest, filler, &request), STORED);
    }
    let client = guest.open();
    let numbers: Vec<usize> = (0..case.operations()).map(|place| place * STEP % case.items()).collect();
    let requests: Vec<Vec<u8>> = numbers.chunks(case.batch).map(case.request).collect();
    // An uncounted round checks the replies and warms up all items.
    for request in &requests {
        assert_eq!(exchange(&mut guest, client, request), case.bytes, "{}", case.name);
        assert!(guest.begins(case.begins), "{}", case.name);
    }
    let mut bytes = 0;
    counted(&mut || bytes = requests.iter().map(|request| exchange(&mut guest, client, request)).sum());
    assert_eq!(bytes, requests.len() * case.bytes);
}

/// A guest with connections: a solo, or a front with its shard.
struct Guest {
    store: Store<()>,
    instance: Instance,
    memory: Memory,
    advance: TypedFunc<(u32, u32, u32), u32>,
    input: TypedFunc<u32, ()>,
    mailbox_at: usize,
    /// The window of all connections without one of their own.
    window_at: usize,
    /// The last status after a long request.
    status: ConnectionStatus,
    resume: TypedFunc<u32, u32>,
    reply: TypedFunc<(u32, u32, u32), u32>,
    shard: Option<Shard>,
}

/// Indices of words in the mailbox.
const WINDOW_AT: usize = 0;
const OUTPUT_AT: usize = 2;
const RUNS_AT: usize = 4;
const SLICES_AT: usize = 17;

/// Bytes of the record of a run.
const RUN_BYTES: usize = 6 * 4;

impl Guest {
    fn solo() -> Self {
        Self::new(&Config { output_slices: true, ..config() }, None)
    }

    fn carried() -> Self {
        let shard = Shard::new(&Config { role: Role::Shard, ..config() });
        Self::new(&Config { role: Role::Front, ..config() }, Some(shard))
    }

    fn new(config: &Config, shard: Option<Shard>) -> Self {
        let engine =
            Engine::new(&settings::engine_config(MemoryLayout::Reserved)).expect("this machine runs the engine");
        let module = code::module(&engine, MemoryLayout::Reserved).expect("this machine runs the guest");
        let mut store = Store::new(&engine, ());
        // The epoch never advances: the guest checks it, as in the server, but is not interrupted.
        store.set_epoch_deadline(1);
        let instance = Instance::new(&mut store, &module, &[]).expect("a guest without imports");
        let memory = instance.get_memory(&mut store, "memory").expect("the guest's memory");
        let advance = instance.get_typed_func(&mut store, "advance").expect("the guest's verb");
        let input = instance.get_typed_func(&mut store, "input").expect("the guest's verb");
        let resume = instance.get_typed_func(&mut store, "resume").expect("the guest's verb");
        let reply = instance.get_typed_func(&mut store, "reply").expect("the guest's verb");
        let mut guest = Self {
            store,
            instance,
            memory,
            advance,
            input,
            mailbox_at: 0,
            window_at: 0,
            status: ConnectionStatus::default(),
            resume,
            reply,
            shard,
        };
        let config = config.encode();
        let at: u32 = guest.call("reserve", config.len() as u32);
        guest.memory.data_mut(&mut guest.store)[at as usize..][..config.len()].copy_from_slice(&config);
        let mailbox: u32 = guest.call("create", (config.len() as u32, NOW));
        assert_ne!(mailbox, 0, "the guest takes its configuration");
        guest.mailbox_at = mailbox as usize;
        guest
    }

    /// Opens a client's connection.
    fn open(&mut self) -> u32 {
        let connection = self.call("open", 0u32);
        self.call::<_, ()>("input", connection);
        self.window_at = self.word(WINDOW_AT);
        self.status = ConnectionStatus::default();
        connection
    }

    /// Sends a request and reads the whole reply; returns its length.
    fn exchange(&mut self, connection: u32, request: &[u8]) -> usize {
        self.memory.data_mut(&mut self.store)[self.window_at..][..request.len()].copy_from_slice(request);
        let mut status = self.advance(connection, request.len());
        while status == ConnectionStatus::RUNS.0 {
            self.carry();
            status = self.resume();
        }
        assert_eq!(status, ConnectionStatus::OUTPUT.0, "an answer, and nothing more to do");
        black_box(self.output()).len()
    }

    #[inline(never)]
    fn advance(&mut self, connection: u32, received: usize) -> u32 {
        self.advance.call(&mut self.store, (connection, received as u32, NOW)).expect("no trap")
    }

    #[inline(never)]
    fn resume(&mut self) -> u32 {
        self.resume.call(&mut self.store, NOW).expect("no trap")
    }

    /// Carries the runs of a front to the shard and the replies back.
    fn carry(&mut self) {
        let shard = self.shard.as_mut().expect("a front has a shard");
        let mailbox_at = self.mailbox_at;
        let word = |data: &[u8], at: usize| u32::from_le_bytes(*data[at..].first_chunk().expect("four bytes"));
        let data = self.memory.data(&self.store);
        let [runs_at, count] = [RUNS_AT, RUNS_AT + 1].map(|place| word(data, mailbox_at + 4 * place));
        for run in 0..count {
            let record = runs_at as usize + run as usize * RUN_BYTES;
            let data = self.memory.data(&self.store);
            let [at, bytes, count, tail_at, tail_bytes] = [4, 8, 12, 16, 20].map(|offset| word(data, record + offset));
            let part = |at: u32, bytes: u32| &data[at as usize..][..bytes as usize];
            shard.write(part(at, bytes), part(tail_at, tail_bytes));
            let replies_bytes = shard.execute(bytes + tail_bytes, tail_bytes, count);
            let arguments = (run, count, replies_bytes);
            let at = reply(&self.reply, &mut self.store, arguments);
            shard.read(&mut self.memory.data_mut(&mut self.store)[at as usize..][..replies_bytes as usize]);
        }
    }

    fn output(&self) -> &[u8] {
        self.range(self.mailbox_at + 4 * OUTPUT_AT)
    }

    /// [`Guest::exchange`] of a long request, of which the window may have no room for all, or with a long reply.
    fn exchange_long(&mut self, connection: u32, mut request: &[u8]) -> usize {
        while !request.is_empty() {
            self.input.call(&mut self.store, connection).expect("no trap");
            let (at, bytes) = (self.word(WINDOW_AT), self.word(WINDOW_AT + 1));
            let (now, rest) = request.split_at(request.len().min(bytes));
            self.memory.data_mut(&mut self.store)[at..][..now.len()].copy_from_slice(now);
            let status = self.advance.call(&mut self.store, (connection, now.len() as u32, NOW)).expect("no trap");
            self.status = ConnectionStatus(status);
            let expected = if rest.is_empty() { ConnectionStatus::OUTPUT } else { ConnectionStatus::PARTIAL };
            let others = self.status.without(ConnectionStatus::SLICES).without(ConnectionStatus::WINDOW);
            assert_eq!(others, expected, "an answer at the end, and nothing more to do");
            request = rest;
        }
        if !self.status.has(ConnectionStatus::SLICES) {
            return black_box(self.output()).len();
        }
        let (at, count) = (self.word(SLICES_AT), self.word(SLICES_AT + 1));
        (0..count).map(|number| black_box(self.range(at + 8 * number)).len()).sum()
    }

    /// Whether the last reply begins with these bytes.
    fn begins(&self, bytes: &[u8]) -> bool {
        let first =
            if !self.status.has(ConnectionStatus::SLICES) { self.output() } else { self.range(self.word(SLICES_AT)) };
        first.starts_with(bytes)
    }

    /// The bytes that two words name.
    fn range(&self, at: usize) -> &[u8] {
        let data = self.memory.data(&self.store);
        let word = |at: usize| u32::from_le_bytes(*data[at..].first_chunk().expect("four bytes")) as usize;
        &data[word(at)..][..word(at + 4)]
    }

    fn call<P: WasmParams, R: WasmResults>(&mut self, verb: &str, arguments: P) -> R {
        let verb = self.instance.get_typed_func(&mut self.store, verb).expect("the guest's verb");
        verb.call(&mut self.store, arguments).expect("no trap")
    }

    fn word(&self, place: usize) -> usize {
        let word = self.memory.data(&self.store)[self.mailbox_at + 4 * place..].first_chunk().expect("four bytes");
        u32::from_le_bytes(*word) as usize
    }
}

#[inline(never)]
fn reply(verb: &TypedFunc<(u32, u32, u32), u32>, store: &mut Store<()>, arguments: (u32, u32, u32)) -> u32 {
    verb.call(store, arguments).expect("no trap")
}

/// The configuration of every role.
fn config() -> Config {
    Config { store: StoreConfig { seed: Seed(1, 2), ..StoreConfig::default() }, ..Config::default() }
}

fn key(number: usize) -> String {
    format!("{number:0KEY_BYTES$}")
}

/// Single requests, one after another.
fn each(numbers: &[usize], request: impl Fn(&[usize]) -> Vec<u8>) -> Vec<u8> {
    numbers.chunks(1).flat_map(request).collect()
}

fn get(numbers: &[usize]) -> Vec<u8> {
    let keys = numbers.iter().map(|&number| format!(" {}", key(number)));
    iter::once("get".to_owned()).chain(keys).chain(["\r\n".to_owned()]).collect::<String>().into_bytes()
}

fn set(numbers: &[usize]) -> Vec<u8> {
    let value = "v".repeat(VALUE_BYTES);
    let lines = numbers.iter().map(|&number| format!("set {} 0 0 {VALUE_BYTES}\r\n{value}\r\n", key(number)));
    lines.collect::<String>().into_bytes()
}

fn long_set(numbers: &[usize]) -> Vec<u8> {
    let value = "v".repeat(LONG_VALUE_BYTES);
    format!("set {} 0 0 {LONG_VALUE_BYTES}\r\n{value}\r\n", key(numbers[0])).into_bytes()
}

fn meta_get(numbers: &[usize], flags: &str) -> Vec<u8> {
    let lines = numbers.iter().map(|&number| format!("mg {} {flags}\r\n", key(number)));
    lines.collect::<String>().into_bytes()
}

fn meta_set(numbers: &[usize]) -> Vec<u8> {
    let value = "v".repeat(VALUE_BYTES);
    let lines = numbers.iter().map(|&number| format!("ms {} {VALUE_BYTES}\r\n{value}\r\n", key(number)));
    lines.collect::<String>().into_bytes()
}

fn packet(opcode: u8, extras: &[u8], key: &str, value: &[u8]) -> Vec<u8> {
    let body = [extras, key.as_bytes(), value].concat();
    let mut packet = vec![0; HEADER_BYTES];
    packet[..5].copy_from_slice(&[0x80, opcode, 0, key.len() as u8, extras.len() as u8]);
    packet[8..12].copy_from_slice(&(body.len() as u32).to_be_bytes());
    packet.extend(body);
    packet
}
