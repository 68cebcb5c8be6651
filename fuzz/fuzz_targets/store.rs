//! Any sequence of commands on a small store, against a map that knows what was stored: what is found is what was
//! stored, and every invariant holds after each command.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;
use wasmcached_core::{
    clock::Expiry,
    command::{Broadcast, Command, Direction, Operation, StoreMode},
    hash::Seed,
    reply::Reply,
    store::{Eviction, Store, StoreConfig},
};

const SEED: Seed = Seed(3, 5);

#[derive(Clone)]
struct Item {
    value: Vec<u8>,
    flags: u32,
    expiry: Expiry,
}

fuzz_target!(|input: &[u8]| {
    let mut bytes = input.iter().copied();
    let Some(setup) = bytes.next() else { return };
    let memory_bytes = 64 * 1024 + u64::from(setup >> 4) * 8 * 1024;
    let config = StoreConfig {
        memory_bytes,
        memory_bytes_capacity: 4 * memory_bytes,
        segment_bytes: if setup & 1 == 0 { 0 } else { 2048 },
        item_bytes_max: 16 * 1024,
        evictions: setup & 2 == 0,
        eviction: if setup & 8 == 0 { Eviction::Lru } else { Eviction::S3Fifo },
        cas: setup & 4 == 0,
        seed: SEED,
    };
    let Some(mut store) = Store::new(config) else { return };
    let mut model = BTreeMap::<Vec<u8>, Item>::new();
    let mut now = 1_800_000_000;
    for step in 0..400 {
        let (Some(what), Some(which), Some(size)) = (bytes.next(), bytes.next(), bytes.next()) else { break };
        let key = format!("{:1$}", which % 96, 1 + usize::from(which >> 5) * 30).into_bytes();
        let value = vec![step as u8; usize::from(size) * if what & 0x80 == 0 { 1 } else { 40 }];
        let number = u64::from(size).pow(u32::from(which % 8)).to_string().into_bytes();
        let expiry = Expiry([0, 0, now + 1, now + 9, 1, now + 1000][usize::from(size) % 6]);
        let write = |mode, value| Operation::Store { mode, flags: u32::from(size), expiry, compare: None, value };
        let operation = match what & 0x0f {
            0..4 => write(StoreMode::Set, &value),
            4 => write(StoreMode::Add, &value),
            5 => write(StoreMode::Replace, &value),
            6 => write(StoreMode::Append, &value),
            7 => write(StoreMode::Prepend, &value),
            8 => write(StoreMode::Set, &number),
            9 => Operation::Delete,
            10 => Operation::Arithmetic {
                direction: if size & 1 == 0 { Direction::Increment } else { Direction::Decrement },
                delta: u64::from(size) << (which % 56),
            },
            11 => Operation::Touch { expiry },
            12 => Operation::Get { touch: Some(expiry) },
            13 => {
                now += u32::from(size) / 16;
                store.sweep(now, u32::from(size % 4));
                store.check();
                continue;
            }
            14 if size == 7 => {
                store.broadcast(Broadcast::Flush { at: now }, now, &mut Vec::new());
                model.clear();
                continue;
            }
            14 if size == 8 => {
                store.set_limit(memory_bytes * u64::from(1 + which % 4));
                store.check();
                continue;
            }
            _ => Operation::Get { touch: None },
        };
        let reply = store.execute(&Command { hash: SEED.hash(&key), key: &key, operation }, now);
        follow(&mut model, &key, &operation, &reply, now);
        store.check();
    }
});

/// What the reply says must be possible; what it does not find is forgotten.
fn follow(model: &mut BTreeMap<Vec<u8>, Item>, key: &[u8], operation: &Operation<'_>, reply: &Reply<'_>, now: u32) {
    if model.get(key).is_some_and(|item| item.expiry.has_passed(now)) {
        model.remove(key);
    }
    let old = model.get(key).cloned();
    match (*operation, reply) {
        (Operation::Get { touch }, Reply::Found(found)) => {
            let mut item = old.expect("nothing was stored");
            let mut value = Vec::new();
            found.value.for_each_piece(|piece| value.extend_from_slice(piece));
            assert!(value == item.value && found.flags == item.flags, "a wrong value");
            item.expiry = touch.unwrap_or(item.expiry);
            model.insert(key.to_vec(), item);
        }
        (Operation::Store { mode, flags, expiry, value, .. }, Reply::Stored { .. }) => {
            let item = match mode {
                StoreMode::Append | StoreMode::Prepend => {
                    let old = old.expect("nothing to extend");
                    let both = if mode == StoreMode::Append { [&old.value, value] } else { [value, &old.value] };
                    Item { value: both.concat(), ..old }
                }
                StoreMode::Replace => {
                    old.map(|_| Item { value: value.to_vec(), flags, expiry }).expect("none to replace")
                }
                _ => Item { value: value.to_vec(), flags, expiry },
            };
            model.insert(key.to_vec(), item);
        }
        (Operation::Store { mode: StoreMode::Add, .. }, Reply::NotStored) => assert!(old.is_some()),
        (Operation::Store { mode: StoreMode::Replace, .. }, Reply::NotStored) => drop(model.remove(key)),
        // Refused for its size with the item left, or the item is gone: only a read can tell.
        (Operation::Store { .. }, Reply::NotStored) => {}
        (Operation::Store { mode: StoreMode::Set, .. }, Reply::TooLarge | Reply::OutOfMemory) => {
            drop(model.remove(key))
        }
        (_, Reply::TooLarge | Reply::OutOfMemory) => {}
        (Operation::Delete, Reply::Deleted) => assert!(model.remove(key).is_some()),
        (Operation::Touch { expiry }, Reply::Touched) => {
            model.get_mut(key).expect("nothing to touch").expiry = expiry;
        }
        (Operation::Arithmetic { direction, delta }, Reply::Number { value, .. }) => {
            let item = model.get_mut(key).expect("no number");
            let before = leading_number(&item.value).expect("a number");
            let after = match direction {
                Direction::Increment => before.wrapping_add(delta),
                Direction::Decrement => before.saturating_sub(delta),
            };
            assert_eq!(*value, after);
            item.value = format!("{after:<width$}", width = item.value.len()).into_bytes();
        }
        (Operation::Arithmetic { .. }, Reply::NonNumeric) => assert!(old.is_some()),
        (_, Reply::Missing) => drop(model.remove(key)),
        (operation, reply) => panic!("{operation:?} was answered {reply:?}"),
    }
}

/// As C's `strtoull` reads a NUL-terminated text: blanks before, a blank or the NUL ends it.
fn leading_number(value: &[u8]) -> Option<u64> {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let start = value.iter().position(|byte| !blank(byte))?;
    let text = value[start..].split(|byte| blank(byte) || *byte == 0).next()?;
    std::str::from_utf8(text).ok()?.parse().ok()
}
