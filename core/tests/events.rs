//! The events of commands for connections that watch, in every protocol.

mod common;

use common::{
    START,
    host::{Client, Server},
};
use wasmcached_core::{
    boundary::event::{Event, Kinds, Outcome, Storing},
    wire::Reader,
};

const EVERYTHING: Kinds = Kinds(u32::MAX);

/// A packet without a value to compare with.
fn packet(opcode: u8, extras: &[u8], key: &str, value: &str, cas: u64) -> Vec<u8> {
    let body = [extras, key.as_bytes(), value.as_bytes()].concat();
    let mut packet = vec![0x80, opcode, 0, key.len() as u8, extras.len() as u8, 0, 0, 0, 0, 0, 0, body.len() as u8];
    packet.extend([0; 4]);
    packet.extend(cas.to_be_bytes());
    packet.extend(body);
    packet
}

fn set(opcode: u8, value: &str, cas: u64) -> Vec<u8> {
    packet(opcode, &[0; 8], "k", value, cas)
}

/// Events since the last call: first those of the front, then those of the shards.
fn told(server: &mut Server) -> Vec<String> {
    let mut records = Vec::new();
    let (mut count, mut dropped) = server.front().events().take(&mut records);
    for shard in server.each_shard() {
        let (more, lost) = shard.events().take(&mut records);
        (count, dropped) = (count + more, dropped + lost);
    }
    let mut r = Reader(&records);
    let events: Vec<String> = std::iter::from_fn(|| Event::decode(&mut r)).map(|event| line(&event)).collect();
    assert_eq!((events.len() as u32, dropped), (count, 0));
    events
}

fn line(event: &Event<'_>) -> String {
    match *event {
        Event::Fetched { key, found, bytes, descriptor, .. } => {
            assert_eq!((key, descriptor), (&b"k"[..], 7));
            format!("read {found} {bytes}")
        }
        Event::Stored { key, outcome, storing, bytes, descriptor, .. } => {
            assert_eq!((key, descriptor), (&b"k"[..], 7));
            format!("{storing:?} {outcome:?} {bytes}")
        }
        Event::Deleted { key, conditional, bytes, .. } => {
            assert_eq!(key, b"k");
            format!("deleted {conditional} {bytes}")
        }
        _ => panic!("{event:?}"),
    }
}

fn stored(storing: Storing, outcome: Outcome, bytes: usize) -> String {
    format!("{storing:?} {outcome:?} {bytes}")
}

#[test]
fn every_protocol_tells_the_same() {
    let (hit, miss) = (|bytes| format!("read true {bytes}"), "read false 0".to_owned());
    let counting = [1u64.to_be_bytes(), 5u64.to_be_bytes()].concat();
    let counts = [&counting[..], &[0; 4]].concat();
    let steps: Vec<(Vec<u8>, Vec<String>)> = vec![
        (b"get k\r\n".to_vec(), vec![miss.clone()]),
        (b"mg k v q\r\n".to_vec(), vec![miss.clone()]),
        (packet(0x09, &[], "k", "", 0), vec![miss.clone()]),
        (packet(0x1e, &[0; 4], "k", "", 0), vec![miss.clone()]),
        (set(0x13, "v", 0), vec![stored(Storing::Replace, Outcome::NotStored, 1)]),
        (packet(0x19, &[], "k", "v", 0), vec![stored(Storing::Append, Outcome::NotStored, 1)]),
        (set(0x11, "abc", 9), vec![stored(Storing::Compare, Outcome::NotFound, 3)]),
        (set(0x12, "abc", 0), vec![stored(Storing::Add, Outcome::Stored, 3)]),
        (set(0x12, "abc", 0), vec![stored(Storing::Add, Outcome::NotStored, 3)]),
        (set(0x11, "abcd", 0), vec![stored(Storing::Set, Outcome::Stored, 4)]),
        (set(0x11, "abcd", 9999), vec![stored(Storing::Compare, Outcome::Exists, 4)]),
        (packet(0x1a, &[], "k", "12", 0), vec![stored(Storing::Prepend, Outcome::Stored, 6)]),
        (b"ms k 2 q MA\r\n34\r\n".to_vec(), vec![stored(Storing::Append, Outcome::Stored, 8)]),
        (b"gat 100 k\r\n".to_vec(), vec![hit(8)]),
        (packet(0x1d, &[0; 4], "k", "", 0), vec![hit(8)]),
        (packet(0x24, &[0; 4], "k", "", 0), vec![hit(8)]),
        (packet(0x0d, &[], "k", "", 0), vec![hit(8)]),
        (b"mg k s t q\r\n".to_vec(), vec![hit(8)]),
        (b"mg aw== b v\r\n".to_vec(), vec![hit(8)]),
        (b"me k\r\n".to_vec(), vec![hit(8)]),
        // These read nothing and store nothing.
        (packet(0x1c, &[0; 4], "k", "", 0), vec![]),
        (b"touch k 0 noreply\r\n".to_vec(), vec![]),
        (b"md k q C9999\r\n".to_vec(), vec![]),
        (b"md k q I\r\n".to_vec(), vec![]),
        (b"md k q\r\n".to_vec(), vec!["deleted true 8".to_owned()]),
        (packet(0x15, &counts, "k", "", 0), vec![stored(Storing::Add, Outcome::Stored, 1)]),
        (packet(0x15, &counts, "k", "", 0), vec![]),
        (packet(0x14, &[], "k", "", 0), vec!["deleted false 1".to_owned()]),
        (b"ma k N0 J10 q\r\n".to_vec(), vec![stored(Storing::Add, Outcome::Stored, 2)]),
        (b"delete k noreply\r\n".to_vec(), vec!["deleted false 2".to_owned()]),
        (b"mg k N9 v\r\n".to_vec(), vec![miss]),
        (b"set k 0 0 1 noreply\r\n1\r\n".to_vec(), vec![stored(Storing::Set, Outcome::Stored, 1)]),
        (b"set k 0 0 99999 noreply\r\n".to_vec(), vec![stored(Storing::Set, Outcome::TooLarge, 0)]),
    ];
    for mut server in [Server::solo(&common::config(), START), Server::sharded(&common::config(), 3, START)] {
        server.front().events().watch(EVERYTHING);
        server.each_shard().for_each(|shard| shard.events().watch(EVERYTHING));
        for (request, expected) in &steps {
            let mut client = Client::new(&mut server);
            server.front().label(client.id, 7);
            client.ask(&mut server, request);
            assert_eq!(told(&mut server), *expected, "{}", request.escape_ascii());
        }
        server.front().events().watch(Kinds::NONE);
        server.each_shard().for_each(|shard| shard.events().watch(Kinds::NONE));
        let mut client = Client::new(&mut server);
        client.ask(&mut server, b"get k\r\ndelete k\r\n");
        assert!(told(&mut server).is_empty());
    }
}
