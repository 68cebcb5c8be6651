//! The budget of what connections hold: nobody is cut, what is admitted can finish, and who stalls ends for who waits.

mod common;

use common::{
    START,
    host::{Client, Cuts, Server},
    random::Random,
};
use wasmcached_core::{
    boundary::config::{Config, Role, StoreConfig},
    front::{ConnectionId, ConnectionStatus},
    limits,
};

/// The budget of these engines: the least one.
const BUDGET_BYTES: usize = limits::BUFFERS_BYTES_MIN as usize;
/// The part of it that large requests may take.
const LARGE_BYTES: usize = BUDGET_BYTES - BUDGET_BYTES / limits::BUFFERS_RESERVE_DIVISOR as usize;
const OUT_OF_MEMORY: &[u8] = b"SERVER_ERROR out of memory reading request\r\n";

fn config() -> Config {
    let store = StoreConfig {
        item_bytes_max: 1 << 20,
        memory_bytes: 32 << 20,
        memory_bytes_capacity: 32 << 20,
        ..common::config().store
    };
    Config { store, ..common::config() }
}

fn large(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at * 7 + at / 251) as u8).collect()
}

fn set(key: &str, value_bytes: usize) -> Vec<u8> {
    [format!("set {key} 0 0 {value_bytes}\r\n").as_bytes(), &large(value_bytes), b"\r\n"].concat()
}

/// Receives what the client sends, as long as it does not wait.
fn send(server: &mut Server, client: &mut Client, bytes: &[u8]) {
    client.unread.extend_from_slice(bytes);
    while !client.closed && !client.status.has(ConnectionStatus::WAITING) && client.is_busy() {
        client.event(server, &mut Random::new(0), Cuts::None);
    }
}

/// Does what a host with one guest does for those who wait: the newest that fits is admitted.
fn admit(server: &mut Server, clients: &mut [Client]) -> usize {
    let mut admitted = 0;
    while let Some(client) = clients.iter_mut().rev().find(|client| {
        let wanted = server.front().wanted_bytes(client.id);
        !client.closed && wanted > 0 && wanted <= server.front().room_bytes()
    }) {
        let now = server.now;
        server.front().admit(client.id, now);
        client.status = client.status.without(ConnectionStatus::WAITING).with(ConnectionStatus::MORE, true);
        send(server, client, b"");
        admitted += 1;
    }
    admitted
}

fn waiting(clients: &[Client]) -> usize {
    clients.iter().filter(|client| client.status.has(ConnectionStatus::WAITING)).count()
}

#[test]
fn the_budget_follows_the_memory_and_the_largest_item() {
    const MIB: u64 = 1 << 20;
    for (memory_mib, item_mib, expected_mib) in
        [(64, 1, 16), (1, 1, 16), (1024, 1, 255), (64, 64, 96), (512, 64, 96), (100_000, 1, 1024), (9000, 1024, 1536)]
    {
        let bytes = limits::buffers_bytes_max(memory_mib * MIB, (item_mib * MIB) as u32);
        assert_eq!(bytes, expected_mib * MIB, "{memory_mib} {item_mib}");
    }
    assert_eq!(Config::default().buffers_bytes(), 16 * MIB);
    assert_eq!(Config { buffers_bytes_max: 7, ..Config::default() }.buffers_bytes(), 7);
}

#[test]
fn uploads_wait_for_room_and_all_of_them_finish() {
    let mut server = Server::solo(&config(), START);
    let request = set("k", 1_000_000);
    let mut clients: Vec<Client> = (0..150).map(|_| Client::new(&mut server)).collect();
    for client in &mut clients {
        send(&mut server, client, &request[..900_000]);
        assert!(server.front().buffers_bytes() <= BUDGET_BYTES, "{}", server.front().buffers_bytes());
        assert!(client.received.is_empty() && !client.closed);
    }
    assert_eq!(waiting(&clients), 150 - LARGE_BYTES / request.len());
    let mut rounds = 0;
    while !clients.iter().all(|client| client.received == b"STORED\r\n") {
        for client in &mut clients {
            if client.unread.is_empty() && client.received.is_empty() {
                send(&mut server, client, &request[900_000..]);
            }
        }
        admit(&mut server, &mut clients);
        rounds += 1;
        assert!(rounds < 100);
    }
    assert_eq!(server.front().buffers_bytes(), 0);
}

#[test]
fn announcing_is_counted_whole() {
    let mut server = Server::solo(&config(), START);
    let mut clients: Vec<Client> = (0..500).map(|_| Client::new(&mut server)).collect();
    for client in &mut clients {
        send(&mut server, client, b"set k 0 0 1000000\r\nabc");
    }
    assert_eq!(waiting(&clients), 500 - LARGE_BYTES / 1_000_021);
    assert_eq!(server.front().buffers_bytes(), LARGE_BYTES / 1_000_021 * 1_000_021);
}

#[test]
fn small_requests_have_room_beside_large_ones() {
    let mut server = Server::solo(&config(), START);
    let mut holders: Vec<Client> = (0..300).map(|_| Client::new(&mut server)).collect();
    for client in &mut holders {
        send(&mut server, client, &set("k", 1_000_000)[..70_000]);
    }
    assert!(waiting(&holders) > 200);
    let mut halves: Vec<Client> = (0..300).map(|_| Client::new(&mut server)).collect();
    for client in &mut halves {
        send(&mut server, client, &set("small", 10_000)[..5000]);
        assert!(!client.status.has(ConnectionStatus::WAITING));
    }
    let mut other = Client::new(&mut server);
    send(&mut server, &mut other, b"set a 0 0 1\r\nb\r\nget a\r\n");
    assert_eq!(other.received, b"STORED\r\nVALUE a 0 1\r\nb\r\nEND\r\n");
    for client in &mut halves {
        send(&mut server, client, &set("small", 10_000)[5000..]);
        assert_eq!(client.received, b"STORED\r\n");
    }
}

/// The largest item has room if nothing else is held, whatever the budget is.
#[test]
fn one_request_never_waits_for_itself() {
    for (buffers_bytes_max, item_bytes_max) in [(0, 1 << 20), (0, 12 << 20), (1, 1 << 20)] {
        let store = StoreConfig { item_bytes_max, ..config().store };
        for role in [Role::Solo, Role::Front] {
            let config = Config { store, buffers_bytes_max, ..config() };
            let mut server =
                if role == Role::Solo { Server::solo(&config, START) } else { Server::sharded(&config, 2, START) };
            let value_bytes = item_bytes_max as usize - 200;
            let mut client = Client::new(&mut server);
            for cut in [1, 30, 50_000, value_bytes] {
                let request = set("k", value_bytes);
                send(&mut server, &mut client, &request[..cut]);
                if client.status.has(ConnectionStatus::WAITING) {
                    // A host with several fronts decides alone.
                    assert!(role == Role::Front && server.front().wanted_bytes(client.id) <= config.buffers_bytes());
                }
                assert!(role == Role::Front || !client.status.has(ConnectionStatus::WAITING), "{cut}");
                send(&mut server, &mut client, &request[cut..]);
                assert_eq!(std::mem::take(&mut client.received), b"STORED\r\n");
            }
        }
    }
}

#[test]
fn unread_replies_are_never_cut() {
    let mut server = Server::solo(&config(), START);
    let mut first = Client::new(&mut server);
    assert_eq!(first.ask(&mut server, &set("k", 1_000_000)), b"STORED\r\n");
    let whole = first.ask(&mut server, b"get k k k k\r\n");
    let mut clients: Vec<Client> = (0..150).map(|_| Client::new(&mut server)).collect();
    for client in &mut clients {
        // The client reads nothing.
        let (_, status) = server.receive(client.id, b"get k k k k\r\n");
        client.status = status;
        if status.has(ConnectionStatus::OUTPUT) {
            client.status = server.consume(client.id, 0);
        }
        assert!(server.front().buffers_bytes() <= BUDGET_BYTES + 1_100_000, "{}", server.front().buffers_bytes());
        assert!(!client.status.has(ConnectionStatus::CLOSE));
    }
    assert_eq!(waiting(&clients), 0, "what is not held is read from the store again");
    assert!(clients.iter().any(|client| client.status.has(ConnectionStatus::OUTPUT)));
    let mut rounds = 0;
    while !clients.iter().all(|client| client.received.len() == whole.len()) {
        clients.iter_mut().for_each(|client| send(&mut server, client, b""));
        admit(&mut server, &mut clients);
        rounds += 1;
        assert!(rounds < 1000);
    }
    assert!(clients.iter().all(|client| client.received == whole));
    assert_eq!(server.front().buffers_bytes(), 0);
}

#[test]
fn pressure_shortens_the_window() {
    let mut server = Server::solo(&config(), START);
    let mut client = Client::new(&mut server);
    assert_eq!(server.front().input(client.id).len(), limits::WINDOW_BYTES);
    server.front().set_held_elsewhere(LARGE_BYTES as u32 + 1);
    assert_eq!(server.front().input(client.id).len(), limits::WINDOW_BYTES_SHORT);
    // A large request holds no more than this while it waits, and that is not counted.
    send(&mut server, &mut client, &set("k", 100_000));
    assert_eq!(
        (client.status, client.reads.as_slice()),
        (ConnectionStatus::WAITING.with(ConnectionStatus::PARTIAL, true), &[limits::WINDOW_BYTES_SHORT][..],)
    );
    assert_eq!(server.front().buffers_bytes(), 0);
    let room = server.front().wanted_bytes(client.id);
    assert_eq!(room, 100_020 + (BUDGET_BYTES - LARGE_BYTES) as u64);
    server.front().set_held_elsewhere(0);
    assert_eq!(admit(&mut server, std::slice::from_mut(&mut client)), 1);
    assert_eq!(client.received, b"STORED\r\n");
    let other = Client::new(&mut server);
    assert_eq!(server.front().input(other.id).len(), limits::WINDOW_BYTES);
}

#[test]
fn a_full_budget_stops_requests_and_resumes_them() {
    let mut server = Server::solo(&config(), START);
    let mut clients = vec![Client::new(&mut server), Client::new(&mut server)];
    // A request that was admitted goes on.
    send(&mut server, &mut clients[0], &set("k", 100_000)[..80_000]);
    server.front().set_held_elsewhere(u32::MAX);
    send(&mut server, &mut clients[0], &set("k", 100_000)[80_000..]);
    assert_eq!(clients[0].received, b"STORED\r\n");
    send(&mut server, &mut clients[1], b"get a\r\nversion\r\n");
    assert!(clients[1].received.is_empty());
    assert!(clients[1].status.has(ConnectionStatus::WAITING));
    assert_eq!((server.front().wanted_bytes(clients[1].id), server.front().room_bytes()), (1, 0));
    server.front().set_held_elsewhere(BUDGET_BYTES as u32 - 1);
    assert_eq!(admit(&mut server, &mut clients), 1);
    assert_eq!(clients[1].received, b"END\r\nVERSION 1.6.45\r\n");
    // A host that does not know of the budget goes on at once, and not in vain.
    server.front().set_held_elsewhere(u32::MAX);
    let (_, status) = server.receive(clients[1].id, b"get a\r\n");
    assert!(status.has(ConnectionStatus::MORE.with(ConnectionStatus::WAITING, true)));
    assert_eq!(server.advance(clients[1].id, 0), ConnectionStatus::OUTPUT);
    assert_eq!(server.front().output(clients[1].id), b"END\r\n");
}

/// With several fronts, each admits its part alone; the host decides the rest.
#[test]
fn fronts_of_a_server_share_the_room() {
    let mut server = Server::sharded(&config(), 2, START);
    let mut clients: Vec<Client> = (0..10).map(|_| Client::new(&mut server)).collect();
    for client in &mut clients {
        send(&mut server, client, &set("k", 1_000_000)[..10_000]);
    }
    // The default number of threads is 4: each may take a quarter of what large requests may have.
    let alone = (0..10).take_while(|count| 4 * 1_000_021 <= LARGE_BYTES - count * 1_000_021).count();
    assert_eq!(10 - waiting(&clients), alone);
    assert_eq!(admit(&mut server, &mut clients), 10 - alone);
}

#[test]
fn who_stalls_is_named_and_ends() {
    let mut server = Server::solo(&config(), START);
    let mut packet = vec![0x80, 1, 0, 1, 8, 0, 0, 0, 0, 1, 0, 9, 1, 2, 3, 4];
    packet.extend_from_slice(&[0; 16]);
    packet.push(b'k');
    let mut clients: Vec<Client> = (0..4).map(|_| Client::new(&mut server)).collect();
    assert_eq!(clients[0].ask(&mut server, &set("v", 200_000)), b"STORED\r\n");
    send(&mut server, &mut clients[1], &set("k", 100_000)[..50_000]);
    send(&mut server, &mut clients[2], &packet);
    server.receive(clients[3].id, b"get v\r\n");
    server.consume(clients[3].id, 10);
    assert_eq!(server.front().largest_holder(START + limits::STALLED_UPLOAD_S_MIN), None);
    let (holder, weight) = server.front().largest_holder(START + 2).unwrap();
    assert_eq!((holder, weight), (clients[1].id, 2 * 100_020_u32.div_ceil(1024)));
    // Progress protects.
    server.now = START + 2;
    send(&mut server, &mut clients[1], &set("k", 100_000)[50_000..60_000]);
    assert_eq!(server.front().largest_holder(START + 3).unwrap().0, clients[2].id);
    assert_eq!(server.front().largest_holder(START + 30).unwrap().0, clients[1].id);
    assert_eq!(server.front().largest_holder(START + 31).unwrap().0, clients[3].id, "an unread reply has longer");
    for (client, expected) in [
        (1, OUT_OF_MEMORY.to_vec()),
        (
            2,
            [
                &[0x81, 1, 0, 0, 0, 0, 0, 0x82, 0, 0, 0, 29, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0][..],
                &OUT_OF_MEMORY[13..42],
            ]
            .concat(),
        ),
    ] {
        let id = clients[client].id;
        let status = server.front().shed(id);
        assert_eq!(status, ConnectionStatus::CLOSE.with(ConnectionStatus::OUTPUT, true));
        assert_eq!(server.front().output(id), expected);
        assert_eq!(server.consume(id, expected.len()), ConnectionStatus::CLOSE);
    }
    assert_eq!(server.front().shed(clients[3].id), ConnectionStatus::CLOSE);
    assert_eq!(server.front().buffers_bytes(), 0);
    assert_eq!(server.front().largest_holder(u32::MAX), None);
    assert_eq!(server.front().shed(ConnectionId(99)), ConnectionStatus::CLOSE);
}

/// Clients that send the first half of a long value and stop. Those that have room are named as holders, and closed.
fn waiters(server: &mut Server) -> Vec<Client> {
    let mut clients: Vec<Client> = (0..30).map(|_| Client::new(server)).collect();
    for client in &mut clients {
        send(server, client, &set("k", 1_000_000)[..500_000]);
    }
    while let Some((id, _)) = server.front().largest_holder(START + 1000) {
        let client = clients.iter_mut().find(|client| client.id == id).unwrap();
        assert!(!client.status.has(ConnectionStatus::WAITING));
        server.front().close(id);
        client.closed = true;
    }
    clients
}

#[test]
fn who_is_admitted_has_time_to_go_on() {
    let mut server = Server::solo(&config(), START);
    // Nothing has happened in this guest since they began to wait.
    for client in waiters(&mut server).iter().filter(|client| !client.closed) {
        assert!(client.status.has(ConnectionStatus::WAITING));
        server.front().admit(client.id, START + 1000);
    }
    assert_eq!(server.front().largest_holder(START + 1000 + limits::STALLED_UPLOAD_S_MIN), None);
}

#[test]
fn who_waits_is_never_named() {
    let mut server = Server::solo(&config(), START);
    let clients = waiters(&mut server);
    assert_eq!(waiting(&clients), clients.iter().filter(|client| !client.closed).count());
    assert_eq!(waiting(&clients), 30 - LARGE_BYTES / 1_000_021);
}

/// Clients of all kinds from a seed. Those that send on get every answer; those that stall never stop them.
#[test]
fn nobody_starves_whatever_clients_do() {
    for seed in 0..6 {
        let mut random = Random::new(seed);
        let config = Config { buffers_bytes_max: 1 << 20, ..config() };
        let mut server = if seed % 2 == 0 { Server::solo(&config, START) } else { Server::sharded(&config, 3, START) };
        let mut clients: Vec<Client> = (0..60).map(|_| Client::new(&mut server)).collect();
        let stalls: Vec<bool> = clients.iter().map(|_| random.once_in(2)).collect();
        let mut left: Vec<Vec<u8>> = (0..clients.len())
            .map(|_| {
                let requests = (0..3).map(|_| {
                    let value_bytes = [100, 9000, 30_000, 300_000, 700_000][random.within(0..5)];
                    [set("k", value_bytes), b"get k\r\n".to_vec()].concat()
                });
                requests.collect::<Vec<_>>().concat()
            })
            .collect();
        for (bytes, _) in left.iter_mut().zip(&stalls).filter(|(_, stalls)| **stalls) {
            let cut = random.within(1..bytes.len());
            bytes.truncate(cut);
        }
        let mut turns = 0;
        while !clients.iter().zip(&left).zip(&stalls).all(|((client, left), &stalls)| {
            stalls || left.is_empty() && client.unread.is_empty() && !client.is_working()
        }) {
            for (client, left) in clients.iter_mut().zip(&mut left).filter(|(client, _)| !client.closed) {
                let piece = left.len().min(random.within(1..60_000));
                let piece: Vec<u8> = left.drain(..piece).collect();
                send(&mut server, client, &piece);
            }
            admit(&mut server, &mut clients);
            server.now += 1;
            let now = server.now;
            if waiting(&clients) > 0
                && let Some((id, _)) = server.front().largest_holder(now)
            {
                let at = clients.iter().position(|client| client.id == id).unwrap();
                assert!(stalls[at], "seed {seed}: a client that sends on was ended");
                clients[at].status = server.front().shed(id);
                send(&mut server, &mut clients[at], b"");
                assert!(clients[at].closed);
            }
            let held = server.front().buffers_bytes();
            assert!(held <= (1 << 20) + 800_000, "seed {seed}: {held}");
            turns += 1;
            assert!(turns < 5000, "seed {seed}: {} wait", waiting(&clients));
        }
        for (client, _) in clients.iter().zip(&stalls).filter(|(_, stalls)| !**stalls) {
            assert!(!client.closed);
            assert_eq!(client.received.windows(8).filter(|bytes| bytes == b"STORED\r\n").count(), 3, "seed {seed}");
        }
        clients.iter().for_each(|client| server.front().close(client.id));
        assert_eq!(server.front().buffers_bytes(), 0);
    }
}
