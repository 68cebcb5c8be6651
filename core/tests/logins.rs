//! Logins through a front: the cost of failures, and logins under way.

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

const ITERATIONS: u32 = 25_000;
/// Made by another implementation (Python's hashlib) of the password "secret".
const HASHED: &[u8] = b"ann:SCRAM-SHA-256$25000:MDEyMzQ1Njc4OWFiY2RlZg==\
    $6o/PtcnIxsIRhj9mfoIO9DlX6dq4TCSNmdrmyecSb2A=:Cfkcfti91NIi8ZXXQb6eAJfyrcPldcBhv6HDesJJg2c=\n";
const AUTH: u8 = 0x21;
const STEP: u8 = 0x22;
const AUTHENTICATION_ERROR: u16 = 0x20;
const CONTINUE: u16 = 0x21;

fn server(authentication: Authentication, users: &[u8]) -> Server {
    let mut server = Server::solo(&Config { authentication, ..common::config() }, START);
    assert_eq!(server.front().set_users(users), Ok(()));
    server
}

/// The answer to a new connection that logs in by text.
fn log_in(server: &mut Server, user: &str, password: &str) -> bool {
    let token = format!("{user} {password}");
    let request = format!("set auth 0 0 {}\r\n{token}\r\n", token.len());
    let mut client = Client::new(server);
    let answer = client.ask(server, request.as_bytes());
    server.front().close(client.id);
    match &answer[..] {
        b"STORED\r\n" => true,
        b"CLIENT_ERROR authentication failure\r\n" => false,
        _ => panic!("{:?}", String::from_utf8_lossy(&answer)),
    }
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
fn failures_of_all_connections_take_a_bounded_part_of_a_second() {
    let checks = limits::LOGIN_ITERATIONS_PER_SECOND_MAX / ITERATIONS;
    let mut server = server(Authentication::Text, HASHED);
    for number in 1..checks {
        // An unknown name costs as much.
        assert!(!log_in(&mut server, ["ann", "nobody"][number as usize % 2], "wrong"));
    }
    // A successful login takes nothing from the budget of others.
    assert!((0..2).all(|_| log_in(&mut server, "ann", "secret")));
    assert!(!log_in(&mut server, "nobody", "wrong"));
    assert!(!log_in(&mut server, "ann", "secret"), "a login beyond the budget was checked");
    server.now += 1;
    assert!(log_in(&mut server, "ann", "secret"));
    assert_eq!(server.front().logins(), (checks + 4, checks + 1));
}

#[test]
fn failures_that_cost_nothing_lock_nobody_out() {
    let mut server = server(Authentication::Text, b"ann:secret\n");
    assert!((0..200).all(|_| !log_in(&mut server, "ann", "wrong")));
    assert!(log_in(&mut server, "ann", "secret"));
}

#[test]
fn a_turn_has_room_for_one_hashed_check() {
    let mut server = server(Authentication::Sasl, HASHED);
    let id = server.open();
    let login = packet(AUTH, b"PLAIN", b"\0ann\0secret");
    let (mut answers, mut status) = statuses(&mut server, id, &login.repeat(3));
    for left in (0..3).rev() {
        assert_eq!((answers, status.has(ConnectionStatus::MORE)), (vec![0], left > 0));
        server.consume(id, usize::MAX);
        (answers, status) = statuses(&mut server, id, b"");
    }
    assert_eq!(answers, []);
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
            let (answers, _) = statuses(&mut server, id, &packet(STEP, mechanism, b"\0ann\0secret"));
            let passes = !changes && mechanism == b"PLAIN";
            assert_eq!(answers, [if passes { 0 } else { AUTHENTICATION_ERROR }]);
        }
    }
}
