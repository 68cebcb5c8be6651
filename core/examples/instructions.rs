//! Fixed work for an instruction counter: `cargo xtask instructions` runs it under callgrind, which counts the
//! instructions of `counted`.
//!
//! Without an argument it lists its cases, one a line, each with its number of operations. With the position of a case
//! in that list it runs the case.

mod store_loops;

use std::{env, hint::black_box};
use store_loops::{KEY_BYTES, Loops, ROUND_OPERATIONS, VALUE_BYTES, Workload};
use wasmcached_core::{
    boundary::config::{Config, StoreConfig},
    engine::Engine,
    front::{ConnectionId, ConnectionStatus},
    hash::Seed,
};

const ITEMS: [u64; 2] = [10_000, 100_000];
const ROUNDS: u64 = 4;
const PIPELINE: usize = 16;
const NOW: u32 = 1_800_000_000;

/// The operations that are counted.
#[derive(Clone, Copy)]
enum Case {
    /// Setting the first items of a store, its index growing as it goes.
    Fill,
    /// Rounds of a work.
    Rounds(Workload),
    /// Pipelined gets through parser, store and encoder.
    Pipeline,
}

impl Case {
    fn all() -> impl Iterator<Item = (Self, u64)> {
        let works = Workload::ALL.into_iter().map(Self::Rounds);
        let cases = move |items| {
            let cases = std::iter::once(Self::Fill).chain(works.clone()).chain([Self::Pipeline]);
            cases.map(move |case| (case, items))
        };
        ITEMS.into_iter().flat_map(cases)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Fill => "fill",
            Self::Rounds(work) => work.name(),
            Self::Pipeline => "16 gets in one read",
        }
    }

    fn operations(self, items: u64) -> u64 {
        match self {
            Self::Fill => items,
            Self::Rounds(_) | Self::Pipeline => ROUNDS * ROUND_OPERATIONS as u64,
        }
    }

    fn run(self, items: u64) {
        match self {
            Self::Fill => fill(items),
            Self::Rounds(work) => rounds(work, items),
            Self::Pipeline => pipeline(items),
        }
    }
}

fn main() {
    match env::args().nth(1) {
        None => Case::all().for_each(|(case, items)| {
            println!("{}, {items} items\t{}", case.name(), case.operations(items));
        }),
        Some(place) => {
            let place = place.parse().expect("the place of a case in the list");
            let (case, items) = Case::all().nth(place).expect("the place of a case in the list");
            case.run(items);
        }
    }
}

/// Callgrind counts this function and all that it calls.
#[inline(never)]
fn counted(work: &mut dyn FnMut()) {
    work();
    // The call above must not become a tail call: this function would end before it.
    black_box(());
}

fn fill(items: u64) {
    let mut loops = Loops::new(Workload::SetNew, items).expect("memory");
    counted(&mut || loops.fill());
    assert_eq!(loops.items(), items);
}

fn rounds(work: Workload, items: u64) {
    let mut loops = Loops::new(work, items).expect("memory");
    loops.fill();
    let evictions = loops.evictions();
    for _ in 0..ROUNDS {
        loops.prepare();
        let mut found = 0;
        counted(&mut || found = loops.run(1));
        assert!(loops.is_right(found), "{work:?} found {found}");
    }
    assert_eq!(loops.evictions() > evictions, work == Workload::EvictingSet);
}

/// Parsing, executing and encoding of pipelined gets, as one worker does it.
fn pipeline(items: u64) {
    let memory_bytes = items * 200;
    let config = Config {
        store: StoreConfig {
            memory_bytes,
            memory_bytes_capacity: memory_bytes,
            seed: Seed(1, 2),
            ..StoreConfig::default()
        },
        ..Config::default()
    };
    let mut engine = Engine::new(&config, NOW).expect("memory");
    let id = engine.front().expect("a front").open(false);
    let key = |number: u64| format!("{number:0KEY_BYTES$}");
    for number in 0..items {
        let request = format!("set {} 0 0 {VALUE_BYTES}\r\n{}\r\n", key(number), "v".repeat(VALUE_BYTES));
        assert_eq!(send(&mut engine, id, request.as_bytes()), b"STORED\r\n".len());
    }
    let count = ROUNDS as usize * ROUND_OPERATIONS;
    let requests: Vec<Vec<u8>> = (0..count / PIPELINE)
        .map(|batch| {
            let line = |place| format!("get {}\r\n", key((batch * PIPELINE + place) as u64 * 7919 % items));
            (0..PIPELINE).map(line).collect::<String>().into_bytes()
        })
        .collect();
    let mut bytes = 0;
    counted(&mut || bytes = requests.iter().map(|request| send(&mut engine, id, request)).sum());
    assert_eq!(bytes, count * (b"VALUE  0 100\r\n\r\nEND\r\n".len() + KEY_BYTES + VALUE_BYTES));
}

/// Sends, and reads all of the answer; its length.
fn send(engine: &mut Engine, id: ConnectionId, bytes: &[u8]) -> usize {
    let front = engine.front().expect("a front");
    front.input(id)[..bytes.len()].copy_from_slice(bytes);
    let mut status = engine.advance(id, bytes.len(), NOW);
    let mut sent = 0;
    loop {
        sent += black_box(engine.front().expect("a front").output(id)).len();
        if !status.has(ConnectionStatus::MORE) {
            return sent;
        }
        status = engine.advance(id, 0, NOW);
    }
}
