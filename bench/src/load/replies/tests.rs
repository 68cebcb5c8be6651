//! Correct replies in any pieces, and wrong replies.

use std::time::Duration;

use super::super::dataset::{KeyStream, Popularity};
use super::super::workload::binary::{GET, GETKQ, NOOP, SET};
use super::super::workload::text::{set_tail, write_set};
use super::super::workload::{Operation, RequestWriter};
use super::*;
use wasmcached_tests::native::NativeFactory;
use wasmcached_tests::target::Factory as _;

fn dataset() -> Dataset {
    Dataset::new(100, 7)
}

fn text_item(index: u32) -> Vec<u8> {
    [b"VALUE ", &key(index)[..], b" 0 7\r\n", dataset().value(index), b"\r\n"].concat()
}

fn meta_item(index: u32) -> Vec<u8> {
    [b"VA 7 k", &key(index)[..], b" f0\r\n", dataset().value(index), b"\r\n"].concat()
}

fn packet(opcode: u8, status: u8, number: u8, extras: &[u8], key: &[u8], value: &[u8]) -> Vec<u8> {
    let body_bytes = (extras.len() + key.len() + value.len()) as u8;
    let head = [0x81, opcode, 0, key.len() as u8, extras.len() as u8, 0, 0, status, 0, 0, 0, body_bytes];
    [&head[..], &[0, 0, 0, number], &[7; 8], extras, key, value].concat()
}

/// The reply to a Get, or to one of many GetKQ.
fn binary_item(number: u8, index: u32, is_one_of_many: bool) -> Vec<u8> {
    let (opcode, key) = if is_one_of_many { (GETKQ, key(index).to_vec()) } else { (GET, Vec::new()) };
    packet(opcode, 0, number, &[0; 4], &key, dataset().value(index))
}

fn get(number: u32, indexes: &[u32]) -> Expected {
    Expected { due_ns: 5, keys: indexes.len() as u32, number, sample: Some(indexes.into()) }
}

fn set(number: u32) -> Expected {
    Expected { due_ns: 6, keys: 0, number, sample: None }
}

fn read(protocol: Protocol, chunks: &[&[u8]], expected: Vec<Expected>) -> Outcome<Vec<Done>> {
    let dataset = dataset();
    let shape = Shape::new(&dataset, protocol);
    let mut expected = VecDeque::from(expected);
    let (mut reader, mut done) = (ReplyReader::default(), Vec::new());
    for chunk in chunks {
        reader.feed(chunk, &shape, &mut expected, |reply| done.push(reply))?;
    }
    Ok(done)
}

/// The replies to a get of 1, 2 and 3 without 2; a set; a get of 4, which is missing; a get of 5.
fn stream(protocol: Protocol) -> Vec<u8> {
    match protocol {
        Protocol::Text => {
            [&text_item(1)[..], &text_item(3), b"END\r\nSTORED\r\nEND\r\n", &text_item(5), b"END\r\n"].concat()
        }
        Protocol::Meta => [&meta_item(1)[..], &meta_item(3), b"MN\r\nHD\r\nEN\r\n", &meta_item(5)].concat(),
        Protocol::Binary => [
            binary_item(1, 1, true),
            binary_item(1, 3, true),
            packet(NOOP, 0, 1, b"", b"", b""),
            packet(SET, 0, 2, b"", b"", b""),
            packet(GET, 1, 3, b"", b"", b"Not found"),
            binary_item(4, 5, false),
        ]
        .concat(),
    }
}

#[test]
fn any_split_gives_the_same_replies() {
    let wanted = vec![
        Done { due_ns: 5, keys: 3, misses: 1 },
        Done { due_ns: 6, keys: 1, misses: 0 },
        Done { due_ns: 5, keys: 1, misses: 1 },
        Done { due_ns: 5, keys: 1, misses: 0 },
    ];
    for protocol in Protocol::ALL {
        let stream = stream(protocol);
        for first in 0..stream.len() {
            for second in first..stream.len() {
                let chunks = [&stream[..first], &stream[first..second], &stream[second..]];
                let got = read(protocol, &chunks, vec![get(1, &[1, 2, 3]), set(2), get(3, &[4]), get(4, &[5])]);
                assert_eq!(got.as_ref(), Ok(&wanted), "{protocol:?} split at {first} and {second}");
            }
        }
    }
}

fn check_refused(protocol: Protocol, refused: &[(Vec<u8>, Vec<u32>)]) {
    for (bytes, keys) in refused {
        let expected = if keys.is_empty() { set(1) } else { get(1, keys) };
        // A wrong reply must be found before anything else is read.
        assert!(read(protocol, &[bytes], vec![expected]).is_err(), "{protocol:?}: accepted {}", shown(bytes));
    }
}

#[test]
fn wrong_values_and_keys_are_refused() {
    type Item = fn(u32) -> Vec<u8>;
    let items: [(Protocol, Item); 3] = [
        (Protocol::Text, text_item),
        (Protocol::Meta, meta_item),
        (Protocol::Binary, |index| binary_item(1, index, true)),
    ];
    for (protocol, item) in items {
        let mut wrong_value = item(1);
        *wrong_value.iter_mut().rev().nth(2).unwrap() ^= 1;
        let mut long_value = item(1);
        long_value.insert(long_value.len() - 2, b'x');
        let refused = [
            (wrong_value, vec![1, 2]),
            ([long_value, item(2)].concat(), vec![1, 2]),
            (item(3), vec![1, 2]),
            ([item(2), item(1)].concat(), vec![1, 2]),
            ([item(1), item(2), item(1)].concat(), vec![1, 2]),
            (item(1), vec![]),
        ];
        check_refused(protocol, &refused);
        assert!(read(protocol, &[&stream(protocol)], vec![]).is_err(), "{protocol:?}: nobody asked");
    }
}

#[test]
fn replies_of_another_kind_are_refused() {
    let lines = |lines: &[(&str, &[u32])]| -> Vec<(Vec<u8>, Vec<u32>)> {
        lines.iter().map(|(line, keys)| (line.as_bytes().to_vec(), keys.to_vec())).collect()
    };
    check_refused(Protocol::Text, &lines(&[("ERROR\r\n", &[]), ("STORED\r\n", &[1]), ("END\r\n", &[])]));
    check_refused(
        Protocol::Meta,
        &lines(&[
            ("NS\r\n", &[]),
            ("HD\r\n", &[1]),
            ("MN\r\n", &[1]),
            ("EN\r\n", &[1, 2]),
            ("EN kkey:0000000000000002\r\n", &[1]),
            ("VA 7 kkey:0000000000000001 f1\r\n", &[1]),
        ]),
    );
    let refused = [
        (packet(SET, 2, 1, b"", b"", b"Data exists for key."), vec![]),
        (packet(SET, 0, 2, b"", b"", b""), vec![]),
        (packet(SET, 0, 1, b"", b"", b""), vec![1]),
        (packet(NOOP, 0, 1, b"", b"", b""), vec![1]),
        (packet(GET, 1, 1, b"", b"", b"Not found"), vec![1, 2]),
        (packet(GET, 0, 1, &[0, 0, 0, 1], b"", dataset().value(1)), vec![1]),
        (packet(GET, 0, 1, &[0; 4], b"", b"short"), vec![1]),
        (packet(GET, 0, 1, &[0; 4], b"", dataset().value(2)), vec![1]),
        (binary_item(1, 1, true), vec![1]),
    ];
    check_refused(Protocol::Binary, &refused);
}

#[test]
fn a_head_without_end_is_refused() {
    let endless = vec![b'x'; HEAD_BYTES_MAX + 1];
    for protocol in Protocol::ALL {
        assert!(read(protocol, &[&endless], vec![set(1)]).is_err(), "{protocol:?}");
    }
}

#[test]
fn the_engine_serves_every_operation_in_every_protocol() {
    const KEYS: u32 = 100;
    let dataset = dataset();
    for protocol in Protocol::ALL {
        for operation in Operation::ALL {
            let mut engine = NativeFactory { shards: 0 }.start(&[]).unwrap();
            let filler = engine.open().unwrap();
            let mut fill = Vec::new();
            // Every second key is stored.
            (0..KEYS).step_by(2).for_each(|index| write_set(&dataset, index, &set_tail(7), &mut fill));
            engine.send(filler, &fill).unwrap();
            let client = engine.open().unwrap();
            let keys = KeyStream::new(KEYS, Popularity::Uniform, 3).unwrap();
            let mut writer = RequestWriter::new(&dataset, protocol, operation, keys, 1);
            let (mut out, mut expected) = (Vec::new(), VecDeque::new());
            (0..64).for_each(|_| expected.push_back(writer.write(0, &mut out)));
            engine.send(client, &out).unwrap();
            let mut inbox = Vec::new();
            engine.receive(client, &mut inbox, Duration::ZERO).unwrap();
            let (mut replies, mut keys, mut misses) = (0, 0, 0);
            let read = ReplyReader::default().feed(&inbox, &Shape::new(&dataset, protocol), &mut expected, |done| {
                replies += 1;
                keys += done.keys;
                misses += done.misses;
            });
            assert_eq!(read, Ok(()), "{protocol:?} {operation:?}");
            assert_eq!((replies, keys), (64, 64 * operation.keys_per_request()), "{protocol:?} {operation:?}");
            let all_set = matches!(operation, Operation::Set | Operation::SetPipelined);
            assert_eq!(misses == 0, all_set, "{protocol:?} {operation:?}: {misses} of {keys}");
            assert!(misses < keys, "{protocol:?} {operation:?}: {misses} of {keys}");
        }
    }
}
