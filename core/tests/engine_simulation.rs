//! Seeded runs of the whole engine, solo and as a front with shards, against a naive model of the protocol.
//!
//! Requests of every command come over several connections in random cuts, replies are read in random cuts, time
//! jumps, connections end midway. In a large pool, replies are the model's, byte for byte; in a
//! small pool, a miss is legal and a wrong value never is. Every store is checked again and again.

mod common;

use common::{
    START,
    host::{Client, Cuts, Server},
    model::{Item, Model, Piece, Talk, shown},
    random::{Random, for_each_seed},
    requests::{self, Kind},
};
use std::collections::VecDeque;
use wasmcached_core::boundary::config::{Config, StoreConfig};

/// A client, its connection in the model, and the replies that it still expects.
struct Pair {
    client: Client,
    talk: Talk,
    expected: VecDeque<Piece>,
    kind: Kind,
    /// Sent but not shown to the model yet.
    stream: VecDeque<u8>,
}

struct Simulation {
    random: Random,
    server: Server,
    model: Model,
    pairs: Vec<Pair>,
}

impl Simulation {
    /// `shards`: 0 is solo.
    fn new(seed: u64, config: &Config, shards: u32) -> Self {
        let mut server = Server::new(config, shards, START);
        let mut random = Random::new(seed);
        if random.once_in(2) {
            server.room = random.within(0..2000);
        }
        let model = Model::new(config.store.item_bytes_max as usize, START);
        Self { random, server, model, pairs: Vec::new() }
    }

    fn connect(&mut self, kind: Kind) -> Pair {
        Pair {
            client: Client::new(&mut self.server),
            talk: Talk::default(),
            expected: VecDeque::new(),
            kind,
            stream: VecDeque::new(),
        }
    }

    fn add_client(&mut self, kind: Kind) {
        let pair = self.connect(kind);
        self.pairs.push(pair);
    }

    /// A client sends some requests.
    fn send(&mut self, number: usize) {
        let pair = &mut self.pairs[number];
        let model = &self.model;
        let known = |key: &[u8]| {
            let of_key = model.uniques.range((key.to_vec(), 0)..=(key.to_vec(), u64::MAX));
            of_key.last().map(|(_, unique)| *unique)
        };
        let requests = if self.random.once_in(10) { 70 } else { 4 };
        for _ in 0..self.random.within(1..requests) {
            let request = requests::request(&mut self.random, &pair.kind, &known);
            pair.client.unread.extend_from_slice(&request);
            pair.stream.extend(request);
        }
    }

    /// One event of a client; the model learns what was received in it.
    fn event(&mut self, number: usize) {
        let pair = &mut self.pairs[number];
        pair.client.event(&mut self.server, &mut self.random, Cuts::Random);
        for bytes in pair.client.reads.drain(..) {
            let received: Vec<u8> = pair.stream.drain(..bytes).collect();
            let mut pieces = Vec::new();
            self.model.feed(&mut pair.talk, &received, &mut pieces);
            pair.expected.extend(pieces);
        }
        self.model.expect(&mut pair.expected, &mut pair.client.received, false);
    }

    /// Events until the whole requests of that client are executed.
    fn turn(&mut self, number: usize) {
        self.event(number);
        while self.pairs[number].client.is_working() {
            self.event(number);
        }
    }

    fn drain(&mut self) {
        for number in 0..self.pairs.len() {
            while self.pairs[number].client.is_busy() {
                self.event(number);
            }
            let pair = &mut self.pairs[number];
            self.model.expect(&mut pair.expected, &mut pair.client.received, true);
            assert_eq!(pair.client.closed, pair.talk.closed);
        }
    }

    /// Moves the time. No request is half executed then, so that engine and model agree on the order.
    fn jump(&mut self) {
        let steps = [0, 1, 1, 2, 50, 100, 3000, 40 * 86_400];
        let seconds = steps[self.random.within(0..steps.len())].min(u32::MAX - self.server.now - 1000);
        self.server.now += seconds;
        self.model.now += i64::from(seconds);
    }

    fn replace_client(&mut self, number: usize) {
        let kind = self.pairs[number].kind.clone();
        let fresh = self.connect(kind);
        let old = std::mem::replace(&mut self.pairs[number], fresh);
        if !old.client.closed {
            self.server.front().close(old.client.id);
        }
    }

    fn replace_closed(&mut self) {
        for number in 0..self.pairs.len() {
            if self.pairs[number].client.closed {
                self.replace_client(number);
            }
        }
    }

    /// `stats` as a map, over a connection of its own.
    fn statistics(&mut self) -> std::collections::BTreeMap<String, u64> {
        let text = Client::new(&mut self.server).ask(&mut self.server, b"stats\r\n");
        let lines = String::from_utf8(text).expect("statistics are text");
        let words = lines.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        words.filter_map(|words| Some((words.get(1)?.to_string(), words.get(2)?.parse().ok()?))).collect()
    }

    /// Answers everything that is under way and compares the end with the model.
    fn finish(&mut self) {
        self.drain();
        self.server.check();
        self.compare_counters();
    }

    /// Every counter of `stats` is the model's.
    fn compare_counters(&mut self) {
        let shown = self.statistics();
        for name in [
            "cmd_get",
            "cmd_set",
            "cmd_flush",
            "cmd_touch",
            "get_hits",
            "get_misses",
            "delete_misses",
            "delete_hits",
            "incr_misses",
            "incr_hits",
            "decr_misses",
            "decr_hits",
            "cas_misses",
            "cas_hits",
            "cas_badval",
            "touch_hits",
            "touch_misses",
            "store_too_large",
        ] {
            let counted = self.model.counters.get(name).copied().unwrap_or(0);
            assert_eq!(shown.get(name), Some(&counted), "{name}");
        }
        for name in ["evictions", "store_no_memory"] {
            assert_eq!(shown.get(name), Some(&0), "{name}");
        }
    }
}

/// Clients share keys; each turn ends when the whole requests of its client are executed.
fn shared_keys(seed: u64, shards: u32) {
    let config = Config { requests_per_event: 1 + (seed % 30) as u32, ..common::config() };
    let mut s = Simulation::new(seed, &config, shards);
    let kind = Kind { quits: true, ..Kind::all(requests::keys("", 14), config.store.item_bytes_max as usize) };
    (0..3).for_each(|_| s.add_client(kind.clone()));
    for step in 0..700 {
        let number = s.random.within(0..s.pairs.len());
        if s.random.once_in(2) {
            s.send(number);
        }
        if s.pairs[number].client.is_busy() {
            s.turn(number);
        }
        if s.random.once_in(20) {
            s.jump();
        }
        if s.random.once_in(50) {
            s.replace_client(number);
        }
        if s.random.once_in(15) {
            s.server.sweep();
        }
        s.replace_closed();
        if step % 8 == 0 {
            s.server.check();
        }
    }
    s.finish();
}

#[test]
fn solo_with_shared_keys_is_the_model() {
    for_each_seed(24, |seed| shared_keys(seed, 0));
}

#[test]
fn shards_with_shared_keys_are_the_model() {
    for_each_seed(24, |seed| shared_keys(seed, 1 + (seed % 5) as u32));
}

/// Each client has keys of its own, so that events of all of them mix in any way.
fn interleaved(seed: u64, shards: u32) {
    let config = Config { requests_per_event: 1 + (seed % 30) as u32, ..common::config() };
    let mut s = Simulation::new(seed, &config, shards);
    for prefix in ["A", "B", "C", "D"] {
        let kind = Kind::all(requests::keys(prefix, 14), config.store.item_bytes_max as usize);
        // Bodies large enough that replies reach the mark at which a connection stops parsing.
        s.add_client(Kind { global: false, value_bytes_max: 3000, ..kind });
    }
    for step in 0..1500 {
        let number = s.random.within(0..s.pairs.len());
        if s.random.once_in(8) {
            s.send(number);
        }
        if s.pairs[number].client.is_busy() {
            s.event(number);
        }
        if s.random.once_in(100) {
            s.drain();
            s.jump();
        }
        if s.random.once_in(30) {
            s.server.sweep();
        }
        if step % 16 == 0 {
            s.server.check();
        }
    }
    s.finish();
}

#[test]
fn solo_with_interleaved_clients_is_the_model() {
    for_each_seed(12, |seed| interleaved(seed, 0));
}

#[test]
fn shards_with_interleaved_clients_are_the_model() {
    for_each_seed(12, |seed| interleaved(seed, 1 + (seed % 5) as u32));
}

/// One request at a time in a pool that cannot hold everything: a stored item is present and unchanged, or it is gone
/// and stays gone.
fn small_pool(seed: u64, shards: u32) {
    let evictions = !seed.is_multiple_of(4);
    let config = Config {
        store: StoreConfig {
            memory_bytes: 72 * 1024,
            memory_bytes_capacity: 72 * 1024,
            segment_bytes: if seed.is_multiple_of(3) { 2048 } else { 0 },
            evictions,
            ..common::config().store
        },
        ..common::config()
    };
    let mut s = Simulation::new(seed, &config, shards);
    let kind = Kind { broken: false, global: false, ..Kind::all(requests::keys("", 300), 8192) };
    let kind = Kind { value_bytes_max: 6000, ..kind };
    s.add_client(kind);
    let mut forgotten = 0;
    for step in 0..2500 {
        let model = &s.model;
        let known = |key: &[u8]| {
            let of_key = model.uniques.range((key.to_vec(), 0)..=(key.to_vec(), u64::MAX));
            of_key.last().map(|(_, unique)| *unique)
        };
        let mut request = requests::request(&mut s.random, &s.pairs[0].kind, &known);
        if s.random.once_in(700) {
            request = b"flush_all\r\n".to_vec();
        }
        let silent = request.windows(8).any(|window| window == b" noreply");
        if !evictions && (request.starts_with(b"gat") || silent) {
            // Without room, a gat answers a miss although the item stays, and a silent refusal has no answer: the model
            // cannot follow.
            continue;
        }
        if silent && request.starts_with(b"add") {
            // A silent add succeeds if the item was evicted, and the model cannot know.
            continue;
        }
        let client = &mut s.pairs[0].client;
        client.unread.extend_from_slice(&request);
        client.drain(&mut s.server, &mut s.random, Cuts::Random);
        let received = std::mem::take(&mut client.received);
        let remembered = forgiving(&mut s.model, &request, &received);
        assert!(remembered || evictions || received.starts_with(b"SERVER_ERROR out of memory"), "forgot without need");
        forgotten += usize::from(!remembered);
        if s.random.once_in(80) {
            s.jump();
        }
        if s.random.once_in(10) {
            s.server.sweep();
        }
        if step % 8 == 0 {
            s.server.check();
        }
    }
    s.server.check();
    if shards == 0 {
        let shown = s.statistics();
        let losses = shown["evictions"] + shown["store_no_memory"];
        assert!(losses > 0, "the pool was never full");
        assert_eq!(shown["evictions"] > 0, evictions);
        assert!(forgotten > 0 || !evictions);
    }
}

/// Accepts a reply that the model would give without some of its keys, and removes those from it. `true`: it is the
/// reply of the model with all keys.
fn forgiving(model: &mut Model, request: &[u8], received: &[u8]) -> bool {
    let explains = |model: &Model| {
        let mut model = model.clone();
        let mut pieces = Vec::new();
        model.feed(&mut Talk::default(), request, &mut pieces);
        matches(&mut model, &pieces, received).then_some(model)
    };
    if let Some(after) = explains(model) {
        *model = after;
        return true;
    }
    // No room: a plain set removes the old item, other commands leave it.
    let line_end = request.iter().position(|&byte| byte == b'\n').expect("a line");
    let words: Vec<&[u8]> = request[..line_end].split(|&byte| byte == b' ').filter(|word| !word.is_empty()).collect();
    if received.starts_with(b"SERVER_ERROR out of memory") {
        assert!(received.ends_with(b"\r\n"));
        if words[0] == b"set" {
            model.items.remove(words[1]);
        }
        return false;
    }
    let mut forgetful = model.clone();
    let get = words[0].starts_with(b"g");
    let keys: Vec<&[u8]> = if get {
        let line = request[..line_end].strip_suffix(b"\r").unwrap_or(&request[..line_end]);
        let skip = if words[0].starts_with(b"gat") { 2 } else { 1 };
        line.split(|&byte| byte == b' ').filter(|word| !word.is_empty()).skip(skip).collect()
    } else {
        words[1..2].iter().map(|key| key.strip_suffix(b"\r").unwrap_or(key)).collect()
    };
    for key in keys {
        let head = [b"VALUE ", key, b" "].concat();
        if !get || !received.windows(head.len()).any(|window| window == head) {
            forgetful.items.remove(key);
        }
    }
    match explains(&forgetful) {
        Some(after) => *model = after,
        None => panic!("{} was answered {}", shown(request), shown(received)),
    }
    false
}

/// Whether the pieces match the received bytes. The model learns their uniques.
fn matches(model: &mut Model, pieces: &[Piece], mut received: &[u8]) -> bool {
    for piece in pieces {
        match piece {
            Piece::Text(text) => match received.strip_prefix(text.as_slice()) {
                Some(rest) => received = rest,
                None => return false,
            },
            Piece::Unique { key, version } => {
                let digits = received.iter().take_while(|byte| byte.is_ascii_digit()).count();
                let Ok(unique) = String::from_utf8_lossy(&received[..digits]).parse() else { return false };
                model.learn(key.clone(), *version, unique);
                received = &received[digits..];
            }
            Piece::Statistics => return false,
        }
    }
    received.is_empty()
}

#[test]
fn a_small_pool_forgets_but_never_errs() {
    for_each_seed(12, |seed| small_pool(seed, 0));
}

#[test]
fn small_shards_forget_but_never_err() {
    for_each_seed(8, |seed| small_pool(seed, 1 + (seed % 3) as u32));
}

/// The model itself follows the description of the protocol.
#[test]
fn the_model_knows_the_description() {
    let mut model = Model::new(1024, START);
    let mut ask = |request: &[u8]| {
        let (mut pieces, mut text) = (Vec::new(), Vec::new());
        model.feed(&mut Talk::default(), request, &mut pieces);
        for piece in pieces {
            let Piece::Text(bytes) = piece else { continue };
            text.extend_from_slice(&bytes);
        }
        String::from_utf8(text).expect("text")
    };
    assert_eq!(
        ask(b"set a 4294967296 0 2\r\n10\r\ndecr a 1\r\nget a\r\n"),
        "STORED\r\n9\r\nVALUE a 0 2\r\n9 \r\nEND\r\n"
    );
    assert_eq!(ask(b"set a 0 0 20\r\n18446744073709551615\r\nincr a 1\r\nincr a 0\r\n"), "STORED\r\n0\r\n0\r\n");
    assert_eq!(
        ask(b"set a 0 0 3\r\n 12\r\nincr a 1\r\nset a 0 0 3\r\n1 2\r\nincr a 1\r\n"),
        "STORED\r\n13\r\nSTORED\r\n2\r\n"
    );
    let wrong = "CLIENT_ERROR bad data chunk\r\nCLIENT_ERROR bad command line format\r\n";
    assert_eq!(ask(b"set a 0 0 3\r\nabcd\r\n"), wrong);
    assert_eq!(ask(b"set a 0 0 3 noreply\r\nabcd\r\n"), "CLIENT_ERROR bad command line format\r\n");
    assert_eq!(ask(b"foo noreply\r\nfoo\r\n"), "ERROR\r\n");
    assert_eq!(ask(b"set a 7 0 1\r\nx\r\ngat -1 a a\r\n"), "STORED\r\nVALUE a 7 1\r\nx\r\nEND\r\n");
    assert_eq!(ask(b"set a 0 0 1000\r\nget b\r\n"), "SERVER_ERROR object too large for cache\r\n");
    let item = Item { flags: 0, expires: None, value: b"1".to_vec(), version: 9 };
    model.items.insert(b"z".to_vec(), item.clone());
    assert_eq!(model.items.get(&b"z"[..]), Some(&item));
}
