//! Logins through a front: the cost of failures, the order of checks, and logins under way.

#![cfg(feature = "authentication")]

mod common;

use common::{
    START,
    host::{Client, Server},
};
use wasmcached_core::{
    boundary::config::{Authentication, Config},
    front::{ConnectionId, ConnectionStatus},
    limits,
};

const ITERATIONS: u32 = 10_000;
/// Made by another implementation (Python's hashlib) of the password "secret".
const HASHED: &[u8] = b"ann:SCRAM-SHA-256$10000:MDEyMzQ1Njc4OWFiY2RlZg==\
    $QhKvCvSYVaDxdX+v1n7j7Z7tYUUd8o2NbZpwC7i/iRM=:cLP6upHtH8m5lJuVJ9jnIhE+LSp4dd2LyV99YUHqEYg=\n";
const AUTH: u8 = 0x21;
const STEP: u8 = 0x22;
const AUTHENTICATION_ERROR: u16 = 0x20;
const CONTINUE: u16 = 0x21;

fn server(authentication: Authentication, users: &[u8]) -> Server {
    let mut server = Server::solo(&Config { authentication, ..common::config() }, START);
    assert_eq!(server.front().set_users(users), Ok(()));
    server
}

/// The request of a login by text.
fn request(user: &str, password: &str) -> Vec<u8> {
    let token = format!("{user} {password}");
    format!("set auth 0 0 {}\r\n{token}\r\n", token.len()).into_bytes()
}

/// A connection from an address.
fn open(server: &mut Server, address: u64) -> ConnectionId {
    let id = server.open();
    server.front().set_peer(id, address);
    id
}

/// The answer to a login by text, once there is one.
fn answer(server: &mut Server, id: ConnectionId) -> Option<bool> {
    let answer = server.front().output(id).to_vec();
    server.consume(id, answer.len());
    match &answer[..] {
        b"" => None,
        b"STORED\r\n" => Some(true),
        b"CLIENT_ERROR authentication failure\r\n" => Some(false),
        _ => panic!("{:?}", String::from_utf8_lossy(&answer)),
    }
}

/// Logs in by text on a new connection. `None`: the answer comes in a later second.
fn log_in(server: &mut Server, address: u64, user: &str, password: &str) -> Option<bool> {
    let id = open(server, address);
    let bytes = request(user, password);
    let (_, mut status) = server.receive(id, &bytes);
    while status.has(ConnectionStatus::MORE) && !status.has(ConnectionStatus::LATER) {
        status = server.advance(id, 0);
    }
    let answer = answer(server, id);
    server.front().close(id);
    answer
}

fn packet(opcode: u8, key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, opcode, 0, key.len() as u8, 0, 0, 0, 0, 0, 0, 0, (key.len() + value.len()) as u8];
    packet.resize(24, 0);
    [&packet[..], key, value].concat()
}

/// The statuses of the packets that one event brings.
fn statuses(server: &mut Server, id: ConnectionId, bytes: &[u8]) -> (Vec<u16>, ConnectionStatus) {
    let (taken, status) = server.receive(id, bytes);
    assert_eq!(taken, bytes.len());
    let mut output = server.front().output(id);
    let mut statuses = Vec::new();
    while !output.is_empty() {
        statuses.push(u16::from_be_bytes([output[6], output[7]]));
        let body_bytes = u32::from_be_bytes([output[8], output[9], output[10], output[11]]);
        output = &output[24 + body_bytes as usize..];
    }
    (statuses, status)
}

#[test]
fn right_and_wrong_passwords_in_one_second() {
    for users in [&b"ann:secret\n"[..], HASHED] {
        let mut server = server(Authentication::Text, users);
        let mut client = Client::new(&mut server);
        let requests = [request("ann", "wrong"), request("ann", "wrong"), request("ann", "secret")].concat();
        let failure = &b"CLIENT_ERROR authentication failure\r\n"[..];
        assert_eq!(client.ask(&mut server, &requests), [failure, failure, b"STORED\r\n"].concat());
        assert_eq!(server.front().logins(), (3, 2));
    }
}

/// `front/login/addresses.rs` tests the limits of hashed passwords, which would take long here.
#[test]
fn guesses_of_an_address_wait_for_the_next_second() {
    const AT_ONCE: u32 = limits::LOGIN_ADDRESS_PRICE_MAX / limits::LOGIN_PRICE_MIN;
    const PER_SECOND: u32 = limits::LOGIN_ADDRESS_PRICE_PER_SECOND / limits::LOGIN_PRICE_MIN;
    let mut server = server(Authentication::Text, b"ann:secret\n");
    for number in 0..AT_ONCE {
        // An unknown name costs as much.
        assert_eq!(log_in(&mut server, 7, ["ann", "nobody"][number as usize % 2], "wrong"), Some(false));
    }
    assert_eq!(log_in(&mut server, 7, "ann", "secret"), None, "a login beyond the limit was checked");
    // Other addresses are served.
    assert_eq!(log_in(&mut server, 8, "ann", "secret"), Some(true));
    server.now += 1;
    for _ in 0..PER_SECOND {
        assert_eq!(log_in(&mut server, 7, "nobody", "wrong"), Some(false));
    }
    assert_eq!(log_in(&mut server, 7, "nobody", "wrong"), None);
    // Successful logins take nothing.
    server.now += 1;
    assert!((0..200).all(|_| log_in(&mut server, 7, "ann", "secret") == Some(true)));
}

#[test]
fn a_login_that_waits_is_answered_in_a_later_second() {
    let mut server = server(Authentication::Text, b"ann:secret\n");
    while log_in(&mut server, 7, "ann", "wrong") == Some(false) {}
    let waiting: Vec<_> = (0..limits::LOGINS_WAITING_PER_ADDRESS_MAX).map(|_| open(&mut server, 7)).collect();
    let bytes = [&request("ann", "secret")[..], b"get a\r\n"].concat();
    for &id in &waiting {
        let (_, status) = server.receive(id, &bytes);
        assert_eq!(status.0, (ConnectionStatus::MORE.0 | ConnectionStatus::LATER.0 | ConnectionStatus::PARTIAL.0));
        // To be asked again changes nothing.
        assert_eq!(server.advance(id, 0), status);
    }
    // An address cannot have any number of connections wait.
    assert_eq!(log_in(&mut server, 7, "ann", "secret"), Some(false));
    server.now += 1;
    for &id in &waiting {
        let status = server.advance(id, 0);
        assert_eq!(server.front().output(id), b"STORED\r\nEND\r\n");
        assert_eq!(status, ConnectionStatus::OUTPUT);
        server.consume(id, usize::MAX);
    }
}

/// Calls each connection in turn until all are answered; returns the number of rounds that each took, and its answer.
fn rounds(server: &mut Server, clients: &[(ConnectionId, &[u8])]) -> Vec<(usize, Vec<u8>)> {
    let mut finished = vec![(0, Vec::new()); clients.len()];
    for &(id, bytes) in clients {
        let (taken, status) = server.receive(id, bytes);
        assert_eq!(taken, bytes.len());
        assert!(status.has(ConnectionStatus::MORE), "{status:?}");
    }
    for round in 1..10_000 {
        for (&(id, _), finished) in clients.iter().zip(&mut finished) {
            if finished.0 == 0 && !server.advance(id, 0).has(ConnectionStatus::MORE) {
                *finished = (round, server.front().output(id).to_vec());
                server.consume(id, usize::MAX);
            }
        }
        if finished.iter().all(|(round, _)| *round > 0) {
            return finished;
        }
    }
    panic!("some are never answered");
}

#[test]
fn hashed_checks_are_made_in_slices_and_in_turn() {
    let mut server = server(Authentication::Text, HASHED);
    let right = request("ann", "secret");
    let (one, other) = (open(&mut server, 1), open(&mut server, 2));
    let slices = ITERATIONS.div_ceil(limits::LOGIN_ITERATIONS_PER_TURN_MAX) as usize;
    let finished = rounds(&mut server, &[(one, &right), (other, &right)]);
    // The first slice is made at once; the second check begins in the round in which the first ends.
    assert_eq!(finished, [slices - 1, 2 * slices - 2].map(|rounds| (rounds, b"STORED\r\n".to_vec())));
    // A connection that ends in the middle of its check does not stop the others.
    let (one, other) = (open(&mut server, 1), open(&mut server, 2));
    server.receive(one, &right);
    server.receive(other, &right);
    server.front().close(one);
    assert_eq!(rounds_left(&mut server, other), slices);
    assert_eq!(answer(&mut server, other), Some(true));
}

fn rounds_left(server: &mut Server, id: ConnectionId) -> usize {
    (1..10_000).find(|_| !server.advance(id, 0).has(ConnectionStatus::MORE)).expect("it is answered")
}

#[test]
fn a_flood_of_one_address_delays_others_by_two_checks() {
    let mut server = server(Authentication::Text, HASHED);
    assert_eq!(log_in(&mut server, 1, "ann", "secret"), Some(true));
    let (wrong, right) = (request("ann", "wrong"), request("ann", "secret"));
    let flood: Vec<_> = (0..50).map(|_| open(&mut server, 666)).collect();
    for &id in &flood {
        assert!(server.receive(id, &wrong).1.has(ConnectionStatus::MORE));
    }
    let slices = ITERATIONS.div_ceil(limits::LOGIN_ITERATIONS_PER_TURN_MAX) as usize;
    for attempt in 0..2 {
        for address in [1, 1000 + attempt] {
            let id = open(&mut server, address);
            let (_, mut status) = server.receive(id, &right);
            let mut rounds = 0;
            while status.has(ConnectionStatus::MORE) {
                for &id in &flood {
                    if server.advance(id, 0).has(ConnectionStatus::OUTPUT) {
                        assert_eq!(answer(&mut server, id), Some(false));
                        server.receive(id, &wrong);
                    }
                }
                status = server.advance(id, 0);
                rounds += 1;
            }
            assert_eq!(answer(&mut server, id), Some(true), "address {address}");
            assert!(rounds <= 2 * slices + 2, "{rounds} rounds");
            server.front().close(id);
        }
        server.now += 1;
    }
}

#[test]
fn scram_proofs_and_plain_packets_are_made_in_slices() {
    for (mechanism, iterations) in [(&b"PLAIN"[..], ITERATIONS), (b"SCRAM-SHA-256", 4096)] {
        // The proof of a password in clear derives its keys.
        let users = if mechanism == b"PLAIN" { HASHED } else { b"ann:secret\n" };
        let mut server = server(Authentication::Sasl, users);
        let id = open(&mut server, 1);
        let message = if mechanism == b"PLAIN" { b"\0ann\0wrong".to_vec() } else { b"n,,n=ann,r=x".to_vec() };
        let mut packets = packet(AUTH, mechanism, &message);
        if mechanism != b"PLAIN" {
            let (taken, _) = server.receive(id, &packets);
            assert_eq!(taken, packets.len());
            let output = server.front().output(id).to_vec();
            server.consume(id, usize::MAX);
            let nonce = String::from_utf8(output[24..].to_vec()).unwrap().split(',').next().unwrap().to_owned();
            let last = format!("c=biws,{nonce},p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
            packets = packet(STEP, mechanism, last.as_bytes());
        }
        let slices = iterations.div_ceil(limits::LOGIN_ITERATIONS_PER_TURN_MAX) as usize;
        let (rounds, output) = &rounds(&mut server, &[(id, &packets)])[0];
        assert_eq!((*rounds, &output[6..8]), (slices - 1, &AUTHENTICATION_ERROR.to_be_bytes()[..]));
        assert_eq!(server.front().logins(), (1, 1));
    }
}

#[test]
fn a_new_list_restarts_the_checks_under_way() {
    let mut server = server(Authentication::Text, HASHED);
    let (id, other) = (open(&mut server, 1), open(&mut server, 2));
    server.receive(id, &request("ann", "new"));
    server.receive(other, &request("ann", "secret"));
    assert_eq!(server.front().set_users(b"ann:new\n"), Ok(()));
    for (id, expected) in [(other, false), (id, true)] {
        assert!(!server.advance(id, 0).has(ConnectionStatus::MORE));
        assert_eq!(answer(&mut server, id), Some(expected));
    }
}

#[test]
fn pipelined_logins_are_answered_in_order() {
    let mut server = server(Authentication::Sasl, HASHED);
    let mut client = Client::new(&mut server);
    let login = packet(AUTH, b"PLAIN", b"\0ann\0secret");
    let noop = packet(0x0a, b"", b"");
    let answers = client.ask(&mut server, &[&login[..], &noop, &login, &login, &noop].concat());
    let mut opcodes = Vec::new();
    let mut rest = &answers[..];
    while !rest.is_empty() {
        opcodes.push((rest[1], u16::from_be_bytes([rest[6], rest[7]])));
        rest = &rest[24 + u32::from_be_bytes([rest[8], rest[9], rest[10], rest[11]]) as usize..];
    }
    assert_eq!(opcodes, [(AUTH, 0), (0x0a, 0), (AUTH, 0), (AUTH, 0), (0x0a, 0)]);
}

#[test]
fn a_login_does_not_end_under_another_list() {
    let first = b"n,,n=ann,r=x";
    for (mechanism, message) in [(&b"PLAIN"[..], &b""[..]), (b"SCRAM-SHA-256", first)] {
        for changes in [false, true] {
            let mut server = server(Authentication::Sasl, HASHED);
            let id = server.open();
            let (answers, _) = statuses(&mut server, id, &packet(AUTH, mechanism, message));
            assert_eq!(answers, [CONTINUE]);
            server.front().consume(id, usize::MAX);
            if changes {
                assert_eq!(server.front().set_users(HASHED), Ok(()));
            }
            let (mut answers, mut status) = statuses(&mut server, id, &packet(STEP, mechanism, b"\0ann\0secret"));
            while status.has(ConnectionStatus::MORE) {
                (answers, status) = statuses(&mut server, id, b"");
            }
            let passes = !changes && mechanism == b"PLAIN";
            assert_eq!(answers, [if passes { 0 } else { AUTHENTICATION_ERROR }]);
        }
    }
}
