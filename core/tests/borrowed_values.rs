//! Values that are not copied into the output: the host sends them from the store.

mod common;

use common::{
    START,
    host::{Client, Cuts, Server},
    long::{found, packet, set, value},
    random::Random,
};
use wasmcached_core::{boundary::config::Config, front::ConnectionStatus, limits::BORROWED_BYTES_MIN};

/// The longest line before a value and the end behind it.
const AROUND_BYTES_MAX: usize = 64;

fn config(output_slices: bool) -> Config {
    Config { output_slices, ..common::long::config(16 << 20) }
}

/// A request that is answered in one turn: its whole output, and how many bytes of it the front has copied.
fn turn(server: &mut Server, client: &mut Client, request: &[u8]) -> (Vec<u8>, usize) {
    let (taken, status) = server.receive(client.id, request);
    assert_eq!(taken, request.len());
    client.status = status;
    (server.output(client.id, status), server.front().output(client.id).len())
}

#[test]
fn a_long_value_is_copied_for_no_reply() {
    let long = value(100_000, 1);
    for (slices, copied_max) in [(true, AROUND_BYTES_MAX), (false, usize::MAX)] {
        let mut server = Server::solo(&config(slices), START);
        let mut client = Client::new(&mut server);
        assert_eq!(client.ask(&mut server, &set("k", &long)), b"STORED\r\n");
        let requests: [(Vec<u8>, usize); 7] = [
            (b"get k\r\n".into(), found("k", &long).len()),
            (b"gets k\r\n".into(), 0),
            (b"gat 0 k\r\n".into(), found("k", &long).len()),
            (b"mg k v\r\n".into(), b"VA 100000\r\n\r\n".len() + long.len()),
            (b"mg k s t f k v\r\n".into(), 0),
            (packet(0x00, b"k"), 28 + long.len()),
            (packet(0x0c, b"k"), 29 + long.len()),
        ];
        for (request, bytes) in requests {
            let mut other = Client::new(&mut server);
            let (output, copied) = turn(&mut server, &mut other, &request);
            let what = String::from_utf8_lossy(&request).into_owned();
            assert!(bytes == 0 || output.len() == bytes, "{what}: {} bytes", output.len());
            assert!(output.windows(long.len()).any(|window| window == long), "{what}");
            assert!(copied <= copied_max, "{what}: {copied} bytes were copied");
            assert_eq!(copied < output.len(), slices, "{what}");
        }
    }
}

/// A value of a megabyte is not copied either, nor is any piece of it.
#[test]
fn no_piece_of_a_long_value_is_copied() {
    let long = value(1_000_000, 1);
    let mut server = Server::solo(&config(true), START);
    let mut client = Client::new(&mut server);
    assert_eq!(client.ask(&mut server, &set("k", &long)), b"STORED\r\n");
    let (mut received, mut copied) = (Vec::new(), 0);
    let (first, of_first) = turn(&mut server, &mut client, b"get k\r\n");
    let mut output = first;
    copied += of_first;
    // The socket takes a part each time.
    while !output.is_empty() {
        let sent = output.len().min(150_000);
        received.extend_from_slice(&output[..sent]);
        let status = server.consume(client.id, sent);
        assert!(server.front().buffers_bytes() <= AROUND_BYTES_MAX);
        client.status = status;
        output = if status.has(ConnectionStatus::OUTPUT) {
            server.output(client.id, status)
        } else if status.has(ConnectionStatus::MORE) {
            client.status = server.advance(client.id, 0);
            copied += server.front().output(client.id).len();
            server.output(client.id, client.status)
        } else {
            Vec::new()
        };
    }
    assert!(received == found("k", &long));
    assert!(copied <= 4 * AROUND_BYTES_MAX, "{copied}");
}

/// Several keys, and several requests, have one output.
#[test]
fn several_values_are_one_output() {
    let mut server = Server::solo(&config(true), START);
    let mut client = Client::new(&mut server);
    let values = [value(BORROWED_BYTES_MIN, 1), value(5, 2), value(20_000, 3)];
    for (key, value) in ["a", "b", "c"].into_iter().zip(&values) {
        assert_eq!(client.ask(&mut server, &set(key, value)), b"STORED\r\n");
    }
    let expected = [found("a", &values[0]), found("b", &values[1]), found("c", &values[2])].concat();
    let (output, copied) = turn(&mut server, &mut client, b"get a\r\nget b\r\nget c\r\n");
    assert!(output == expected && copied <= 3 * AROUND_BYTES_MAX, "{copied}");
    let (output, copied) = turn(&mut server, &mut client, b"get a b c\r\n");
    assert_eq!(output.len(), expected.len() - 2 * b"END\r\n".len());
    assert!(copied <= 3 * AROUND_BYTES_MAX, "{copied}");
    // Borrowed bytes count: the fourth value is beyond the limit of one turn.
    let (output, _) = turn(&mut server, &mut client, &b"get c\r\n".repeat(6));
    assert_eq!(output.len(), 4 * found("c", &values[2]).len());
    assert!(client.status.has(ConnectionStatus::MORE));
}

/// A change in the same turn does not reach a value that was answered before it.
#[test]
fn a_value_is_that_of_its_moment() {
    let (old, new) = (value(20_000, 1), value(20_000, 2));
    let changes: [(Vec<u8>, Vec<u8>); 8] = [
        (set("k", &new), [b"STORED\r\n", &found("k", &new)[..]].concat()),
        (set("k", &new[..9000]), [b"STORED\r\n", &found("k", &new[..9000])[..]].concat()),
        (b"delete k\r\n".into(), b"DELETED\r\nEND\r\n".into()),
        (b"append k 0 0 1\r\nx\r\n".into(), [b"STORED\r\n", &found("k", &[&old[..], b"x"].concat())[..]].concat()),
        (b"flush_all\r\n".into(), b"OK\r\nEND\r\n".into()),
        (b"touch k 1000\r\n".into(), [b"TOUCHED\r\n", &found("k", &old)[..]].concat()),
        (b"gat 1000 k\r\n".into(), [&found("k", &old)[..], &found("k", &old)].concat()),
        (b"md k q\r\nms n 1\r\ny\r\n".into(), b"HD\r\nEND\r\n".into()),
    ];
    for (change, answer) in changes {
        let mut server = Server::solo(&config(true), START);
        let mut client = Client::new(&mut server);
        assert_eq!(client.ask(&mut server, &set("k", &old)), b"STORED\r\n");
        let request = [b"get k\r\n", &change[..], b"get k\r\n"].concat();
        let received = client.ask(&mut server, &request);
        let what = String::from_utf8_lossy(&change[..change.len().min(12)]);
        assert!(received == [&found("k", &old)[..], &answer].concat(), "{what}");
        server.check();
    }
}

/// The rest that the socket does not take is kept, wherever the cut is.
#[test]
fn the_rest_of_an_output_is_kept() {
    let (old, new) = (value(100_000, 1), value(100_000, 2));
    let whole = found("k", &old);
    for sent in [0, 1, 17, 18, 19, 20, 21, 50_000, 100_000, 100_018, 100_020, whole.len() - 5, whole.len() - 1] {
        let mut server = Server::solo(&config(true), START);
        let mut client = Client::new(&mut server);
        assert_eq!(client.ask(&mut server, &set("k", &old)), b"STORED\r\n");
        let (output, _) = turn(&mut server, &mut client, b"get k\r\n");
        client.received.extend_from_slice(&output[..sent]);
        client.status = server.consume(client.id, sent);
        assert!(client.status.has(ConnectionStatus::OUTPUT) && !client.status.has(ConnectionStatus::SLICES));
        let mut writer = Client::new(&mut server);
        assert_eq!(writer.ask(&mut server, &set("k", &new)), b"STORED\r\n");
        client.drain(&mut server, &mut Random::new(1), Cuts::Every(30_000));
        assert!(client.received == whole, "{sent}");
        server.front().close(client.id);
        server.front().close(writer.id);
        assert_eq!(server.front().buffers_bytes(), 0);
    }
}

/// The same random conversations have the same answers with and without slices, however the host cuts them.
#[test]
fn slices_change_no_answer() {
    for seed in 0..40 {
        let mut random = Random::new(seed);
        let mut request = Vec::new();
        for number in 0..60 {
            let key = format!("k{}", random.within(0..4));
            let bytes = [10, BORROWED_BYTES_MIN, 30_000, 100_000, 300_000][random.within(0..5)];
            request.extend_from_slice(&match random.within(0..8) {
                0 | 1 => set(&key, &value(bytes, seed * 100 + number)),
                2 | 3 => format!("get {key}\r\n").into_bytes(),
                4 => b"gets k0 k1 k2 k3\r\n".to_vec(),
                5 => format!("mg {key} v t\r\n").into_bytes(),
                6 => format!("gat {} {key}\r\n", random.within(0..2000)).into_bytes(),
                _ => format!("append {key} 0 0 3\r\nabc\r\n").into_bytes(),
            });
        }
        let cuts = [Cuts::None, Cuts::Random, Cuts::Every(40_000)][random.within(0..3)];
        let replay = |slices| Server::solo(&config(slices), START).replay(&request, cuts, seed);
        assert!(replay(true) == replay(false), "seed {seed}");
    }
}

/// A host that receives datagrams sends them one by one.
#[test]
fn datagrams_borrow_nothing() {
    let mut server = Server::solo(&config(true), START);
    let mut client = Client::new(&mut server);
    assert_eq!(client.ask(&mut server, &set("k", &value(20_000, 1))), b"STORED\r\n");
    let id = server.front().open_datagrams(true);
    let (_, status) = server.receive(id, b"\0\x01\0\0\0\x01\0\0get k\r\n");
    assert_eq!(status, ConnectionStatus::OUTPUT);
    assert_eq!(server.front().output(id).len(), 1400);
}
