//! The store module of the npm package under wasmtime: the verbs of `docs/internals/store-module.md`, with right and with
//! wrong arguments.

use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::OnceLock,
};
use wasmtime::{Engine, Instance, Memory, Module, Store, StoreLimits, StoreLimitsBuilder, Val};

/// The page that describes the verbs.
const PAGE: &str = "docs/internals/store-module.md";
/// Longest item of the caches of these tests, as memcached counts it.
const ITEM_BYTES_MAX: u32 = 1 << 20;
/// Bytes that a call copies at most, besides one value.
const COPIED_BYTES_MAX: usize = 1 << 20;
/// No limit on the number of entries.
const ANY_NUMBER: u32 = u32::MAX;
const MISSING: u32 = u32::MAX;
const DEPARTURES: u32 = 8;

/// Outcomes, and ways of storing.
const DONE: u32 = 0;
const NOT_STORED: u32 = 1;
const NO_SUCH: u32 = 3;
const TOO_LARGE: u32 = 4;
const REFUSED: u32 = 7;
const SET: u32 = 0;
const APPEND: u32 = 3;
const PREPEND: u32 = 4;

/// Words of the mailbox.
const VALUE_AT: u32 = 0;
const NUMBER: u32 = 5;
const RECORDS_AT: u32 = 7;
const RECORDS_BYTES: u32 = 8;
const VALUE_BYTES: u32 = 9;
const CURSOR: u32 = 10;
const SUMMARY: u32 = 12;

/// The module, compiled once.
fn module() -> &'static Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    MODULE.get_or_init(|| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/guest/wasmcached-cache.wasm");
        assert!(path.is_file(), "{} is missing: run `cargo xtask test guest`", path.display());
        Module::from_file(&Engine::default(), &path).expect("the module compiles")
    })
}

/// Key and value.
type Record = (Vec<u8>, Vec<u8>);

/// An instance of the module.
struct Cache {
    store: Store<StoreLimits>,
    instance: Instance,
    memory: Memory,
    mailbox: u32,
}

impl Cache {
    /// An instance without a cache, whose memory has a limit.
    fn bare(memory_bytes_max: usize) -> Self {
        let limits = StoreLimitsBuilder::new().memory_size(memory_bytes_max).build();
        let mut store = Store::new(module().engine(), limits);
        store.limiter(|limits| limits);
        let instance = Instance::new(&mut store, module(), &[]).expect("an instance");
        let memory = instance.get_memory(&mut store, "memory").expect("it exports its memory");
        let mut cache = Self { store, instance, memory, mailbox: 0 };
        cache.mailbox = cache.call("mailbox", &[]);
        cache
    }

    fn new(memory_bytes: u32, items_max: u32, switches: u32) -> Self {
        let mut cache = Self::bare(1 << 30);
        assert_eq!(cache.call("create", &[memory_bytes, ITEM_BYTES_MAX, items_max, switches]), 1);
        cache
    }

    /// Calls a verb; the result is 0 where it has none.
    fn call(&mut self, verb: &str, arguments: &[u32]) -> u32 {
        let function = self.instance.get_func(&mut self.store, verb).expect("an exported verb");
        let arguments: Vec<Val> = arguments.iter().map(|&argument| Val::I32(argument as i32)).collect();
        let count = function.ty(&self.store).results().len();
        let mut results = vec![Val::I32(0); count];
        let called = function.call(&mut self.store, &arguments, &mut results);
        called.unwrap_or_else(|trap| panic!("{verb}{arguments:?}: {trap:?}"));
        results.first().map_or(0, |result| result.unwrap_i32() as u32)
    }

    fn bytes(&self, at: u32, count: u32) -> Vec<u8> {
        self.memory.data(&self.store)[at as usize..at as usize + count as usize].to_vec()
    }

    fn word(&self, number: u32) -> u32 {
        u32::from_le_bytes(self.bytes(self.mailbox + 4 * number, 4).try_into().expect("a word"))
    }

    fn wide(&self, number: u32) -> u64 {
        u64::from(self.word(number)) | u64::from(self.word(number + 1)) << 32
    }

    fn write(&mut self, at: u32, bytes: &[u8]) {
        self.memory.write(&mut self.store, at as usize, bytes).expect("inside the memory");
    }

    /// Puts bytes into the window.
    fn put(&mut self, bytes: &[u8]) {
        let at = self.call("window", &[bytes.len() as u32]);
        assert_ne!(at, 0);
        self.write(at, bytes);
    }

    fn store(&mut self, key: &[u8], value: &[u8], mode: u32, expires: u32) -> u32 {
        self.put(&[key, value].concat());
        self.call("set", &[key.len() as u32, value.len() as u32, mode, 7, expires])
    }

    fn set(&mut self, key: &[u8], value: &[u8]) {
        assert_eq!(self.store(key, value, SET, 0), DONE);
    }

    fn read(&mut self, verb: &str, key: &[u8]) -> Option<Vec<u8>> {
        self.put(key);
        match self.call(verb, &[key.len() as u32]) {
            MISSING => None,
            length => Some(self.bytes(self.word(VALUE_AT), length)),
        }
    }

    fn get(&mut self, key: &[u8]) -> Option<Vec<u8>> {
        self.read("get", key)
    }

    /// One of the counts, in the order of the page.
    fn count(&mut self, number: u32) -> u64 {
        self.call("summarize", &[]);
        self.wide(SUMMARY + 2 * number)
    }

    /// Puts keys into the window, each behind its length.
    fn put_keys(&mut self, keys: &[Vec<u8>]) {
        let rows: Vec<u8> = keys.iter().flat_map(|key| [&(key.len() as u32).to_le_bytes()[..], key].concat()).collect();
        let at = self.call("window", &[rows.len() as u32]);
        self.write(at - 4, &rows);
    }

    /// Reads keys in as many calls as it takes. Returns the values, and the largest number of bytes of a call's small values.
    fn get_many(&mut self, keys: &[Vec<u8>]) -> (Vec<Option<Vec<u8>>>, usize) {
        let (mut values, mut packed_most) = (Vec::new(), 0);
        while values.len() < keys.len() {
            let rest = &keys[values.len()..];
            self.put_keys(rest);
            let read = self.call("get_many", &[rest.len() as u32]);
            assert!(read > 0 && read as usize <= rest.len(), "{read} keys in a call");
            packed_most = packed_most.max(self.word(RECORDS_BYTES) as usize);
            for row in 0..read {
                let row = self.bytes(self.word(RECORDS_AT) + 16 * row, 16);
                let word = |at: usize| u32::from_le_bytes(row[4 * at..4 * at + 4].try_into().expect("a word"));
                let (at, length) = (word(0), word(1));
                let base = if length <= 4096 { self.word(VALUE_AT) } else { 0 };
                values.push((length != MISSING).then(|| self.bytes(base + at, length)));
            }
        }
        (values, packed_most)
    }

    /// All records of a walk: key, value. Values of large entries are read by their keys. And the longest page.
    fn scan(&mut self, prefix: &[u8], count: u32, with_values: bool) -> (Vec<Record>, usize) {
        let (mut entries, mut longest, mut cursor) = (Vec::new(), 0, 0);
        while cursor < 1 << 32 {
            self.put(prefix);
            let arguments = [cursor as u32, (cursor >> 32) as u32, prefix.len() as u32, count, u32::from(with_values)];
            let found = self.call("scan", &arguments);
            cursor = self.wide(CURSOR);
            let page = self.bytes(self.word(RECORDS_AT), self.word(RECORDS_BYTES));
            let large = self.bytes(self.word(VALUE_AT), self.word(VALUE_BYTES));
            longest = longest.max(page.len() + large.len());
            let records = records(&page, with_values);
            assert_eq!(records.len(), found as usize);
            entries.extend(records);
            for (key, _) in records_of_keys(&large) {
                let value = self.read("peek", &key).expect("nothing has changed");
                entries.push((key, value));
            }
        }
        (entries, longest)
    }
}

fn records(mut page: &[u8], with_values: bool) -> Vec<Record> {
    let mut found = Vec::new();
    while !page.is_empty() {
        let word = |at: usize| u32::from_le_bytes(page[4 * at..4 * at + 4].try_into().expect("a word")) as usize;
        let (key_bytes, value_bytes) = (word(0), if with_values { word(1) } else { 0 });
        let (key, rest) = page[16..].split_at(key_bytes);
        let (value, rest) = rest.split_at(value_bytes);
        found.push((key.to_vec(), value.to_vec()));
        page = rest;
    }
    found
}

fn records_of_keys(page: &[u8]) -> Vec<Record> {
    records(page, false)
}

/// A key of this length.
fn key(length: usize, number: u32) -> Vec<u8> {
    let mut key = vec![b'k'; length];
    let name = number.to_string();
    let at = length - name.len().min(length);
    key[at..].copy_from_slice(&name.as_bytes()[..length - at]);
    key
}

#[test]
fn the_module_imports_nothing_and_exports_the_verbs_of_its_page() {
    assert_eq!(module().imports().count(), 0);
    let exports: BTreeSet<String> =
        module().exports().filter(|export| export.ty().func().is_some()).map(|export| export.name().into()).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(PAGE);
    let page = std::fs::read_to_string(path).expect("the page");
    let cells = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('(').map(|(name, _)| name));
    assert_eq!(exports, cells.map(str::to_owned).collect(), "{PAGE}");
}

#[test]
fn random_operations_are_those_of_a_map() {
    let mut random = StdRng::seed_from_u64(5);
    let mut cache = Cache::new(64 << 20, ANY_NUMBER, 0);
    let mut model: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    let lengths = [1, 20, 249, 250, 251, 300, 0x2031, 65_535, 65_536];
    for step in 0..20_000 {
        let key = key(lengths[random.random_range(0..lengths.len())], random.random_range(0..9));
        let value = vec![b'0' + (step % 10) as u8; random.random_range(0..60)];
        let present = model.get(&key).cloned();
        match random.random_range(0..9) {
            0 | 1 => {
                cache.set(&key, &value);
                model.insert(key, value);
            }
            2 => {
                let expected = if present.is_some() { DONE } else { NOT_STORED };
                assert_eq!(cache.store(&key, &value, APPEND, 0), expected);
                if let Some(present) = present {
                    model.insert(key, [present, value].concat());
                }
            }
            3 => {
                let expected = if present.is_some() { DONE } else { NOT_STORED };
                assert_eq!(cache.store(&key, &value, PREPEND, 0), expected);
                if let Some(present) = present {
                    model.insert(key, [value, present].concat());
                }
            }
            4 => {
                cache.put(&key);
                let expected = if model.remove(&key).is_some() { DONE } else { NO_SUCH };
                assert_eq!(cache.call("remove", &[key.len() as u32]), expected);
            }
            5 => {
                let (values, _) = cache.get_many(&[key.clone(), b"none".to_vec(), key]);
                assert_eq!(values, [present.clone(), None, present]);
            }
            6 => {
                cache.put(&key);
                let expected = if present.is_some() { DONE } else { NO_SUCH };
                assert_eq!(cache.call("touch", &[key.len() as u32, 0]), expected);
            }
            7 => assert_eq!(cache.read("peek", &key), present),
            _ => assert_eq!(cache.get(&key), present),
        }
        if step % 2000 == 0 {
            let (entries, _) = cache.scan(b"", 100, true);
            assert_eq!(entries.len(), model.len());
            assert_eq!(entries.into_iter().collect::<BTreeMap<_, _>>(), model);
        }
    }
}

#[test]
fn arithmetic_refuses_a_long_key_and_leaves_its_entry() {
    let mut cache = Cache::new(8 << 20, ANY_NUMBER, 0);
    // The length of the key lies in front of the value; 0x2031 are the letters `1` and a blank.
    for length in [251, 0x2031, 0x0a39] {
        let key = key(length, 1);
        cache.set(&key, b"41");
        cache.put(&key);
        assert_eq!(cache.call("add", &[length as u32, 1, 0, 0]), REFUSED);
        assert_eq!(cache.get(&key), Some(b"41".to_vec()));
    }
    cache.set(b"short", b"41");
    cache.put(b"short");
    assert_eq!(cache.call("add", &[5, 1, 0, 0]), DONE);
    assert_eq!(cache.wide(NUMBER), 42);
}

#[test]
fn a_value_that_grows_too_large_stays_as_it_is() {
    let mut cache = Cache::new(16 << 20, ANY_NUMBER, 0);
    for length in [10, 300] {
        let (key, value) = (key(length, 1), vec![b'v'; 700_000]);
        cache.set(&key, &value);
        for mode in [APPEND, PREPEND] {
            assert_eq!(cache.store(&key, &value, mode, 0), NOT_STORED);
            assert_eq!(cache.get(&key).as_ref(), Some(&value));
        }
        // A new value that is too large removes the old one, which would be stale.
        assert_eq!(cache.store(&key, &vec![b'v'; 1_100_000], SET, 0), TOO_LARGE);
        assert_eq!(cache.get(&key), None);
    }
}

#[test]
fn the_entry_that_was_stored_last_stays_at_any_number() {
    for items_max in [1, 2, 5] {
        let mut cache = Cache::new(4 << 20, items_max, 0);
        for number in 0..500 {
            let key = key(if number % 3 == 0 { 300 } else { 8 }, number);
            cache.set(&key, b"value");
            assert_eq!(cache.get(&key), Some(b"value".to_vec()), "entry {number} of {items_max}");
            assert!(cache.call("count", &[]) <= items_max);
        }
    }
}

#[test]
fn what_a_call_copies_is_bounded() {
    let mut cache = Cache::new(128 << 20, ANY_NUMBER, 0);
    let keys: Vec<Vec<u8>> = (0..90).map(|number| key(if number % 2 == 0 { 300 } else { 9 }, number)).collect();
    for key in &keys {
        cache.set(key, &vec![key[key.len() - 1]; 900_000]);
    }
    let before = cache.memory.data_size(&cache.store);
    let (values, _) = cache.get_many(&keys);
    for (key, value) in keys.iter().zip(values) {
        assert_eq!(value, Some(vec![key[key.len() - 1]; 900_000]));
    }
    let (entries, longest) = cache.scan(b"", 1000, true);
    assert_eq!(entries.iter().map(|(key, _)| key.clone()).collect::<BTreeSet<_>>(), keys.iter().cloned().collect());
    assert!(entries.iter().all(|(key, value)| *value == vec![key[key.len() - 1]; 900_000]));
    assert!(longest <= COPIED_BYTES_MAX + 64 * 1024, "a page of {longest} bytes");
    let grown = cache.memory.data_size(&cache.store) - before;
    assert!(grown <= 4 * COPIED_BYTES_MAX, "the calls took {grown} bytes more");
    // Many small values.
    let keys: Vec<Vec<u8>> = (0..1500).map(|number| key(12, number)).collect();
    for key in &keys {
        cache.set(key, &[b's'; 4000]);
    }
    let (values, packed_most) = cache.get_many(&keys);
    assert!(values.iter().all(|value| value.as_deref() == Some(&[b's'; 4000])));
    assert!(packed_most <= COPIED_BYTES_MAX + 4096, "{packed_most} bytes in a call");
}

#[test]
fn a_prefix_finds_long_keys_as_well() {
    let mut cache = Cache::new(8 << 20, ANY_NUMBER, 0);
    let keys: Vec<Vec<u8>> = (0..200).map(|number| key([3, 40, 251, 9000][number as usize % 4], number)).collect();
    for key in &keys {
        cache.set(key, b"value");
    }
    for prefix in [&b"kk"[..], b"k", b"k1", &[b'k'; 260], b"none"] {
        let expected: BTreeSet<Vec<u8>> = keys.iter().filter(|key| key.starts_with(prefix)).cloned().collect();
        let (found, _) = cache.scan(prefix, 50, false);
        assert_eq!(found.into_iter().map(|(key, _)| key).collect::<BTreeSet<_>>(), expected);
    }
}

#[test]
fn expired_entries_are_counted_and_recorded_once() {
    let mut cache = Cache::new(1 << 20, ANY_NUMBER, DEPARTURES);
    let mut recorded = 0;
    for number in 0..3000_u32 {
        cache.call("tick", &[number / 10 + 1]);
        assert_eq!(cache.store(&key(10, number), &[b'v'; 600], SET, number / 10 + 6), DONE);
        let bytes = cache.call("departures", &[]);
        let mut records = cache.bytes(cache.word(RECORDS_AT), bytes);
        while let Some(&reason) = records.first() {
            recorded += u64::from(reason == 1);
            let word = |at: usize| u32::from_le_bytes(records[at..at + 4].try_into().expect("a word")) as usize;
            let end = 13 + word(1) + word(5);
            records.drain(..end);
        }
    }
    let (evictions, expirations) = (cache.count(5), cache.count(6));
    assert_eq!(recorded, expirations);
    assert!(expirations > 1000);
    assert_eq!(evictions + expirations + cache.count(0), 3000);
}

#[test]
fn an_instance_has_one_cache() {
    let mut cache = Cache::new(4 << 20, ANY_NUMBER, 0);
    cache.set(b"key", b"value");
    let before = cache.memory.data_size(&cache.store);
    for _ in 0..50 {
        assert_eq!(cache.call("create", &[4 << 20, ITEM_BYTES_MAX, ANY_NUMBER, 0]), 0);
    }
    assert_eq!(cache.memory.data_size(&cache.store), before);
    assert_eq!(cache.get(b"key"), Some(b"value".to_vec()));
}

#[test]
fn without_a_cache_every_verb_does_nothing() {
    let mut cache = Cache::bare(1 << 24);
    let verbs: Vec<(String, usize)> = module()
        .exports()
        .filter_map(|export| Some((export.name().to_owned(), export.ty().func()?.params().len())))
        .filter(|(name, _)| name != "create")
        .collect();
    for (verb, arguments) in verbs {
        cache.call(&verb, &vec![1; arguments]);
    }
}

#[test]
fn memory_that_is_not_granted_is_an_answer() {
    let mut cache = Cache::bare(16 << 20);
    assert_eq!(cache.call("create", &[64 << 20, ITEM_BYTES_MAX, ANY_NUMBER, 0]), 0);
    assert_eq!(cache.call("create", &[u32::MAX, ITEM_BYTES_MAX, ANY_NUMBER, 0]), 0);
    assert_eq!(cache.call("create", &[4 << 20, ITEM_BYTES_MAX, ANY_NUMBER, 0]), 1);
    cache.set(b"key", b"value");
    for bytes in [32 << 20, u32::MAX - 3, u32::MAX] {
        assert_eq!(cache.call("window", &[bytes]), 0);
        assert_eq!(cache.get(b"key"), Some(b"value".to_vec()));
    }
}

#[test]
fn wrong_arguments_are_refused() {
    let mut cache = Cache::new(4 << 20, ANY_NUMBER, 0);
    cache.set(b"key", b"value");
    let window = [u32::MAX, 1 << 20, 70_000, 0];
    for length in window {
        assert_eq!(cache.call("get", &[length]), MISSING);
        assert_eq!(cache.call("set", &[length, 1, SET, 0, 0]), REFUSED);
        assert_eq!(cache.call("set", &[length, u32::MAX, PREPEND, 0, 0]), REFUSED);
        assert_ne!(cache.call("remove", &[length]), DONE);
    }
    assert_eq!(cache.call("set", &[3, 0, 5, 0, 0]), REFUSED, "there are five modes");
    assert_eq!(cache.call("set", &[3, u32::MAX, SET, 0, 0]), REFUSED);
    // A prefix that does not lie in the window lists nothing.
    assert_eq!(cache.call("scan", &[0, 0, u32::MAX, 10, 0]), 0);
    assert_eq!(cache.wide(CURSOR), 1 << 32);
    // Rows that end early.
    cache.put_keys(&[b"key".to_vec()]);
    assert!(cache.call("get_many", &[u32::MAX]) >= 1);
    assert!(cache.call("set_many", &[u32::MAX]) < 2);
    assert_eq!(cache.get(b"key"), Some(b"value".to_vec()));
}

#[test]
fn random_arguments_never_trap() {
    let verbs: Vec<(String, usize)> = module()
        .exports()
        .filter_map(|export| Some((export.name().to_owned(), export.ty().func()?.params().len())))
        .collect();
    let mut random = StdRng::seed_from_u64(17);
    for round in 0..20 {
        let mut cache = Cache::bare(32 << 20);
        if round % 4 != 0 {
            let limit = if round % 2 == 0 { ANY_NUMBER } else { random.random_range(0..50) };
            assert_eq!(cache.call("create", &[2 << 20, 200_000, limit, random.random_range(0..16)]), 1);
        }
        for _ in 0..4000 {
            let (verb, count) = &verbs[random.random_range(0..verbs.len())];
            let arguments: Vec<u32> = (0..*count)
                .map(|_| match random.random_range(0..5) {
                    0 => random.random(),
                    1 => u32::MAX - random.random_range(0..9),
                    2 => random.random_range(0..70_000),
                    _ => random.random_range(0..300),
                })
                .collect();
            cache.call(verb, &arguments);
            if random.random_bool(0.3) {
                let bytes: Vec<u8> = (0..random.random_range(1..400)).map(|_| random.random_range(0..80)).collect();
                let at = cache.call("window", &[bytes.len() as u32]);
                if at != 0 {
                    cache.write(at - 4, &bytes);
                }
            }
        }
        if cache.call("create", &[2 << 20, 200_000, ANY_NUMBER, 0]) == 0 {
            // It had a cache before, whose limits may refuse, but which answers.
            cache.put(b"keyvalue");
            assert!(cache.call("set", &[3, 5, SET, 0, 0]) <= REFUSED);
        }
    }
}
