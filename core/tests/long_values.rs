//! Values that are sent in pieces: whole on every way, of one version, and without memory for those that read late.

mod common;

use common::{
    START,
    host::{Client, Cuts, Server},
    long::{found, one, packet, set, value},
    random::Random,
};
use wasmcached_core::{
    boundary::config::{Config, StoreConfig},
    boundary::status::ConnectionStatus,
    command::Eviction,
    limits::{HOLD_S, PIECE_BYTES},
};

/// A solo engine, one whose host sends slices, and a front with shards.
fn servers() -> impl Iterator<Item = Server> {
    servers_that_evict(Eviction::S3Fifo)
}

fn servers_that_evict(eviction: Eviction) -> impl Iterator<Item = Server> {
    [(0, false), (0, true), (3, false)].into_iter().map(move |(shards, output_slices)| {
        let config = common::long::config(64 << 20);
        let store = StoreConfig { eviction, ..config.store };
        Server::new(&Config { output_slices, store, ..config }, shards, START)
    })
}

fn packet_found(opcode: u8, key: &[u8], value: &[u8], cas: u64) -> Vec<u8> {
    let body = (4 + key.len() + value.len()) as u32;
    let head = [0x81, opcode, 0, key.len() as u8, 4, 0, 0, 0];
    [&head[..], &body.to_be_bytes(), &[0; 4], &cas.to_be_bytes(), &7u32.to_be_bytes(), key, value].concat()
}

/// A client that asks, and whose socket takes the first `bytes` bytes of the answer.
fn begin(server: &mut Server, request: &[u8], bytes: usize) -> Client {
    let mut client = Client::new(server);
    let (taken, status) = server.receive(client.id, request);
    assert_eq!(taken, request.len());
    client.status = status;
    let output = server.output(client.id, status);
    let sent = bytes.min(output.len());
    client.received.extend_from_slice(&output[..sent]);
    client.status = server.consume(client.id, sent);
    client
}

/// Everything that the client received when it has read to the end.
fn finish(server: &mut Server, client: &mut Client, cuts: Cuts) -> Vec<u8> {
    client.drain(server, &mut Random::new(1), cuts);
    std::mem::take(&mut client.received)
}

fn store(server: &mut Server, key: &str, value: &[u8]) {
    let mut client = Client::new(server);
    assert_eq!(client.ask(server, &set(key, value)), b"STORED\r\n");
    server.close(client.id);
}

#[test]
fn long_values_are_whole_in_every_reply() {
    for mut server in servers() {
        for bytes in [PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES, 3 * PIECE_BYTES + 77] {
            let long = value(bytes, bytes as u64);
            store(&mut server, "k", &long);
            store(&mut server, "a", b"x");
            let (cas, _) = server.replay(b"mg k c\r\n", Cuts::None, 0);
            let cas = String::from_utf8(cas).unwrap()["HD c".len()..].trim_end().parse::<u64>().unwrap();
            let with_cas = |answer: &[u8]| {
                let end = answer.iter().position(|&byte| byte == b'\r').unwrap();
                [&answer[..end], format!(" {cas}").as_bytes(), &answer[end..]].concat()
            };
            let meta = [format!("VA {bytes} s{bytes} kk\r\n").as_bytes(), &long, b"\r\nMN\r\n"].concat();
            let conversations: [(Vec<u8>, Vec<u8>); 6] = [
                (b"get k\r\n".into(), found("k", &long)),
                (b"gets k\r\n".into(), with_cas(&found("k", &long))),
                (
                    b"get a k a k\r\nset b 7 0 1\r\ny\r\nget b\r\n".into(),
                    [
                        one("a", b"x"),
                        one("k", &long),
                        one("a", b"x"),
                        found("k", &long),
                        b"STORED\r\n".to_vec(),
                        found("b", b"y"),
                    ]
                    .concat(),
                ),
                (b"mg k s k v\r\nmn\r\n".into(), meta),
                (
                    [packet(0x00, b"k"), packet(0x0c, b"k"), packet(0x0a, b"")].concat(),
                    [
                        packet_found(0x00, b"", &long, cas),
                        packet_found(0x0c, b"k", &long, cas),
                        [&[0x81, 0x0a][..], &[0; 22]].concat(),
                    ]
                    .concat(),
                ),
                (b"gat 1000 k\r\nincr n 1\r\n".into(), [&found("k", &long)[..], b"NOT_FOUND\r\n"].concat()),
            ];
            for (request, answer) in conversations {
                for cuts in [Cuts::None, Cuts::Every(70_000), Cuts::Random] {
                    let (received, closed) = server.replay(&request, cuts, bytes as u64);
                    let same = received.iter().zip(&answer).take_while(|(one, other)| one == other).count();
                    let what = String::from_utf8_lossy(&request[..request.len().min(20)]).into_owned();
                    assert!(!closed && received == answer, "{bytes} {what}{cuts:?}: {same} of {}", received.len());
                }
            }
        }
    }
}

#[test]
fn a_reader_gets_the_version_that_it_has_begun() {
    let (old, new) = (value(1_000_000, 1), value(1_000_000, 2));
    let changes: [(&[u8], &[u8]); 6] = [
        (&set("k", &new), b"STORED\r\n"),
        (b"delete k\r\n", b"DELETED\r\n"),
        (b"append k 0 0 3\r\nabc\r\n", b"STORED\r\n"),
        (b"flush_all\r\n", b"OK\r\n"),
        (b"touch k -1\r\n", b"TOUCHED\r\n"),
        (b"md k I T30\r\n", b"HD\r\n"),
    ];
    for (change, answer) in changes {
        for mut server in servers() {
            store(&mut server, "k", &old);
            let mut readers: Vec<Client> =
                [0, 10, 100_000, 300_000].iter().map(|&bytes| begin(&mut server, b"get k\r\n", bytes)).collect();
            let mut writer = Client::new(&mut server);
            assert_eq!(writer.ask(&mut server, change), answer);
            // Two more rounds through the memory of the store, so that every segment is used again.
            for number in 0..130 {
                store(&mut server, &format!("f{number}"), &new);
                server.now += 1;
                server.sweep();
            }
            for client in &mut readers {
                let what = String::from_utf8_lossy(&change[..change.len().min(12)]);
                assert!(finish(&mut server, client, Cuts::Random) == found("k", &old), "{what}");
            }
            server.check();
        }
    }
}

/// Nobody gets a wrong byte: who reads later than the store holds the value gets no end.
#[test]
fn a_value_that_is_gone_ends_the_connection() {
    for mut server in servers() {
        let (old, new) = (value(1_000_000, 1), value(1_000_000, 2));
        store(&mut server, "k", &old);
        let mut late = begin(&mut server, b"get k\r\nget k\r\n", 100);
        store(&mut server, "k", &new);
        server.now += HOLD_S + 1;
        server.sweep();
        for number in 0..130 {
            store(&mut server, &format!("f{number}"), &new);
        }
        let received = finish(&mut server, &mut late, Cuts::None);
        assert!(late.closed && received.len() < old.len() && found("k", &old).starts_with(&received));
        let lost: u64 = server.each_shard().map(|shard| shard.store().counters().values_lost).sum();
        assert_eq!((server.held_bytes(), lost), (0, 1));
        server.check();
    }
}

/// The ways in which a value leaves the store while clients read it.
#[derive(Clone, Copy, Debug)]
enum Leaving {
    Deleted,
    Overwritten,
    Flushed,
    /// Not at all, although everything else is evicted.
    Stays,
}

/// So many readers that what they hold is nearly half of the memory.
const READERS: usize = 28;

/// Clients that have begun to read a value of a megabyte each; then the values leave, and others are stored.
fn readers_of_gone_values(server: &mut Server, leaving: Leaving) -> Vec<Client> {
    let key = |number: usize| format!("k{number}");
    (0..READERS).for_each(|number| store(server, &key(number), &value(1_000_000, number as u64)));
    let readers: Vec<Client> = (0..READERS)
        .map(|number| begin(server, format!("get {}\r\n", key(number)).as_bytes(), number * 10_000))
        .collect();
    let mut writer = Client::new(server);
    for number in 0..READERS {
        let key = key(number);
        match leaving {
            Leaving::Deleted => {
                assert_eq!(writer.ask(server, format!("delete {key}\r\n").as_bytes()), b"DELETED\r\n");
            }
            Leaving::Overwritten => assert_eq!(writer.ask(server, &set(&key, b"new")), b"STORED\r\n"),
            Leaving::Flushed | Leaving::Stays => {}
        }
    }
    if matches!(leaving, Leaving::Flushed) {
        assert_eq!(writer.ask(server, b"flush_all\r\n"), b"OK\r\n");
    }
    // Several rounds through the memory of the stores, so that every segment is used again.
    for number in 0..5000 {
        assert_eq!(writer.ask(server, &set(&format!("f{number}"), &[b'f'; 50_000])), b"STORED\r\n");
    }
    for number in 0..READERS {
        let key = key(number);
        let answer = writer.ask(server, format!("me {key}\r\n").as_bytes());
        match leaving {
            Leaving::Deleted | Leaving::Flushed => assert_eq!(answer, b"EN\r\n"),
            Leaving::Stays => assert!(answer.starts_with(format!("ME {key} ").as_bytes()), "{key}"),
            Leaving::Overwritten => {}
        }
    }
    server.close(writer.id);
    readers
}

#[test]
fn readers_of_values_that_are_gone_get_all_of_them() {
    for leaving in [Leaving::Deleted, Leaving::Overwritten, Leaving::Flushed, Leaving::Stays] {
        for mut server in servers_that_evict(Eviction::Lru) {
            let mut readers = readers_of_gone_values(&mut server, leaving);
            let held = server.held_bytes();
            let least = if matches!(leaving, Leaving::Stays) { 0 } else { 25 << 20 };
            assert!((least..=least + (4 << 20)).contains(&held), "{leaving:?}: {held}");
            for (number, reader) in readers.iter_mut().enumerate() {
                let received = finish(&mut server, reader, Cuts::Every(100_000));
                assert!(received == found(&format!("k{number}"), &value(1_000_000, number as u64)), "{leaving:?}");
                // The turn after the last byte has told the shard.
                let left = server.held_bytes();
                let most = ((READERS - 1 - number) * 17 * (64 << 10)) as u64;
                assert!(left <= most, "{leaving:?}: {left} after {number}");
                server.check();
            }
            assert_eq!(server.held_bytes(), 0, "{leaving:?}");
        }
    }
}

#[test]
fn a_client_that_leaves_holds_nothing() {
    for mut server in servers() {
        let readers = readers_of_gone_values(&mut server, Leaving::Deleted);
        assert!(server.held_bytes() >= 26 << 20);
        for (number, reader) in readers.into_iter().enumerate() {
            if number % 2 == 0 {
                server.close(reader.id);
            } else {
                // Others need the memory of its reply.
                server.front().shed(reader.id);
                server.close(reader.id);
            }
        }
        assert_eq!(server.held_bytes(), 0);
        server.check();
    }
}

/// Reads of other shards that are executed before the end of a long value are executed again, and their first replies are
/// dropped with what they hold.
#[test]
fn a_reply_that_is_dropped_holds_nothing() {
    let mut server = Server::sharded(&common::long::config(64 << 20), 3, START);
    let mut expected = Vec::new();
    let mut request = b"get".to_vec();
    for number in 0..20 {
        let (key, long) = (format!("k{number}"), value(1_000_000, number));
        store(&mut server, &key, &long);
        expected.extend_from_slice(&one(&key, &long));
        request.extend_from_slice(format!(" {key}").as_bytes());
    }
    expected.extend_from_slice(b"END\r\n");
    request.extend_from_slice(b"\r\n");
    let mut reader = Client::new(&mut server);
    assert!(reader.ask(&mut server, &request) == expected);
    let mut writer = Client::new(&mut server);
    for number in 0..20 {
        assert_eq!(writer.ask(&mut server, format!("delete k{number}\r\n").as_bytes()), b"DELETED\r\n");
    }
    assert_eq!(server.held_bytes(), 0);
    server.check();
}

#[test]
fn versions_that_are_held_take_bounded_memory() {
    let mut server = Server::solo(&common::long::config(64 << 20), START);
    let mut readers = Vec::new();
    for version in 0..40 {
        store(&mut server, "k", &value(1_000_000, version));
        readers.push(begin(&mut server, b"get k\r\n", 100));
    }
    let held = server.held_bytes();
    assert!((28 << 20..=32 << 20).contains(&held), "{held}");
    let mut whole = 0;
    for (version, reader) in readers.iter_mut().enumerate() {
        let received = finish(&mut server, reader, Cuts::None);
        let answer = found("k", &value(1_000_000, version as u64));
        assert!(answer.starts_with(&received));
        assert_eq!(received.len() < answer.len(), reader.closed);
        whole += usize::from(!reader.closed);
    }
    assert!(whole >= 28, "{whole}");
    assert_eq!(server.held_bytes(), 0);
    server.check();
}

/// Clients that ask `times` times for the long value, whose sockets take `sent_bytes` bytes of the answers, and who read
/// nothing. Together they hold less than `held_bytes_max`. Also the answers.
fn late_readers(
    server: &mut Server,
    value_bytes: usize,
    (count, times): (usize, usize),
    sent_bytes: usize,
    held_bytes_max: usize,
) -> (Vec<Client>, Vec<u8>) {
    let long = value(value_bytes, 3);
    store(server, "k", &long);
    let request = b"get k\r\n".repeat(times);
    let readers = (0..count).map(|_| begin(server, &request, sent_bytes)).collect();
    let held = server.front().buffers_bytes();
    assert!(held < held_bytes_max, "{held}");
    (readers, found("k", &long).repeat(times))
}

/// A thousand clients ask for three long values each and read late, one after the other.
#[test]
fn late_readers_get_everything_and_hold_little() {
    for mut server in servers() {
        let (mut readers, answer) = late_readers(&mut server, 1_000_000, (1000, 3), 150_000, 40 << 20);
        for reader in readers.iter_mut().step_by(50) {
            assert!(finish(&mut server, reader, Cuts::Every(200_000)) == answer);
        }
        // Others are served as if nobody else were there.
        let mut other = Client::new(&mut server);
        assert_eq!(
            other.ask(&mut server, b"set a 7 0 1\r\nx\r\nget a\r\n"),
            [b"STORED\r\n", &found("a", b"x")[..]].concat()
        );
        for reader in &readers {
            server.close(reader.id);
        }
        server.close(other.id);
        assert_eq!(server.front().buffers_bytes(), 0);
    }
}

/// Under pressure shorter values are read again as well.
#[test]
fn late_readers_of_short_values_hold_little() {
    for mut server in servers() {
        let (mut readers, answer) = late_readers(&mut server, 100_000, (3000, 4), 1000, 48 << 20);
        for reader in readers.iter_mut().rev().step_by(50) {
            assert!(finish(&mut server, reader, Cuts::Random) == answer);
        }
    }
}

/// The kept part of a piece is given back when others need the room, and read again.
#[test]
fn pieces_are_given_back_and_read_again() {
    for mut server in servers() {
        let (mut readers, answer) = late_readers(&mut server, 1_000_000, (20, 2), 150_000, 8 << 20);
        server.front().largest_holder(START);
        assert_eq!(server.front().buffers_bytes(), 20 * b"get k\r\n".len());
        for reader in &mut readers {
            reader.status = server.consume(reader.id, 0);
            assert!(finish(&mut server, reader, Cuts::Every(200_000)) == answer);
        }
        let mut random = Random::new(5);
        let mut reader = begin(&mut server, &b"get k\r\n".repeat(3), 1);
        while reader.is_busy() {
            reader.event(&mut server, &mut random, Cuts::Random);
            server.front().largest_holder(START);
            if reader.status.has(ConnectionStatus::OUTPUT) && server.output(reader.id, reader.status).is_empty() {
                reader.status = server.consume(reader.id, 0);
            }
        }
        assert!(reader.received == found("k", &value(1_000_000, 3)).repeat(3));
    }
}
