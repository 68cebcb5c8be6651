//! TLS: certificates of both sides, their reloading, resumption, broken and slow clients, large transfers.

#[path = "tls/certificates.rs"]
mod certificates;
#[path = "tls/client.rs"]
mod client;
mod common;
#[cfg(target_os = "linux")]
#[path = "tls/files.rs"]
mod files;

use certificates::Authority;
use client::{EVERY_VERSION, TlsClient, configuration, connect, stream};
use common::{Client, PATIENCE, Server, run, to_end};
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind,
    client::Resumption,
    pki_types::{CertificateDer, ServerName},
};
use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

/// Whether the server serves this client.
fn is_served(address: SocketAddr, configuration: &Arc<ClientConfig>) -> bool {
    let mut stream = stream(address, configuration);
    let mut answer = [0; 16];
    stream.write_all(b"version\r\n").is_ok()
        && stream.read_exact(&mut answer).is_ok()
        && &answer == b"VERSION 1.6.45\r\n"
}

fn certificate_of(client: &TlsClient) -> CertificateDer<'static> {
    client.0.get_ref().conn.peer_certificates().unwrap()[0].clone().into_owned()
}

#[test]
fn client_certificates_are_requested_and_checked() {
    let (folder, root, stranger) = (common::Folder::new("tls-verify"), Authority::new(), Authority::new());
    let flags = root.flags_in(&folder.0);
    let (known, unknown) = (root.identity("client"), stranger.identity("client"));
    for (mode, [none, good, bad]) in
        [(0, [true, true, true]), (1, [true, true, false]), (2, [false, true, false]), (3, [false, true, false])]
    {
        let server = Server::start("tls-verify-server", &format!("{flags},ssl_verify_mode={mode} -t 2"));
        for versions in [&EVERY_VERSION[..1], &EVERY_VERSION[1..]] {
            for (shown, expected) in [(None, none), (Some(&known), good), (Some(&unknown), bad)] {
                let client = Arc::new(configuration(&root, shown, versions));
                assert_eq!(is_served(server.address, &client), expected, "mode {mode}, {shown:?}, {versions:?}");
            }
        }
    }
}

#[test]
fn listeners_with_and_without_tls_coexist() {
    let (folder, root) = (common::Folder::new("tls-side"), Authority::new());
    let flags = root.flags_in(&folder.0);
    let listen = "-l 127.0.0.1:0,notls:127.0.0.1:0 -l btls:127.0.0.1:0 -l mtls:tag[x]:127.0.0.1:0";
    let server = Server::start("tls-side-server", &format!("{flags},ssl_verify_mode=1 {listen} -t 2"));
    let [ordinary, plain, basic, mutual] = server.addresses[..] else { panic!("{:?}", server.addresses) };
    let anonymous = Arc::new(configuration(&root, None, EVERY_VERSION));
    let known = Arc::new(configuration(&root, Some(&root.identity("client")), EVERY_VERSION));
    for (address, without, with) in [(ordinary, true, true), (basic, true, true), (mutual, false, true)] {
        assert_eq!(is_served(address, &anonymous), without, "{address}");
        assert_eq!(is_served(address, &known), with, "{address}");
    }
    let mut client = Client::connect(plain);
    assert_eq!(client.set("a", "1"), "STORED");
    assert_eq!(connect(mutual, &known).get("a").as_deref(), Some("1"));
    // The refused client may see its alert before the server has counted it.
    common::wait_for("the count", || (client.statistic("ssl_handshake_errors") == "1").then_some(()));
    let settings = client.table("stats settings");
    let shown = |name: &str| settings.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    assert_eq!((shown("ssl_enabled"), shown("ssl_verify_mode")), (Some("yes"), Some("1")));
    assert_eq!((shown("ssl_min_version"), shown("ssl_session_cache")), (Some("tlsv1.2"), Some("no")));
    let position = |name: &str| settings.iter().position(|(known, _)| known == name);
    assert!(position("inline_ascii_response") < position("ssl_enabled"));
    assert!(position("ssl_min_version") < position("num_napi_ids"));
}

#[test]
fn reloaded_certificates_keep_connections() {
    let (folder, root, other) = (common::Folder::new("tls-reload"), Authority::new(), Authority::new());
    let flags = root.flags_in(&folder.0);
    let server = Server::start("tls-reload-server", &format!("{flags} -t 2"));
    let old = Arc::new(configuration(&root, None, EVERY_VERSION));
    let new = Arc::new(configuration(&other, None, EVERY_VERSION));
    let mut client = connect(server.address, &old);
    assert_eq!(client.set("a", "1"), "STORED");
    let first = certificate_of(&client);

    other.flags_in(&folder.0);
    assert!(!is_served(server.address, &new));
    assert_eq!(client.ask("refresh_certs"), "OK");
    let mut second = connect(server.address, &new);
    assert_eq!(second.get("a").as_deref(), Some("1"));
    assert_ne!(certificate_of(&second), first);
    assert_eq!(client.get("a").as_deref(), Some("1"), "the old connection stays");

    fs::write(folder.0.join("server.pem"), "no certificate").unwrap();
    let refusal = client.ask("refresh_certs");
    assert!(refusal.starts_with("Error loading the certificate chain: "), "{refusal}");
    assert!(is_served(server.address, &new), "the one before stays in use");
    root.flags_in(&folder.0);
    fs::write(folder.0.join("server.key"), fs::read(folder.0.join("other.key")).unwrap()).unwrap();
    let refusal = client.ask("refresh_certs noreply");
    assert!(refusal.starts_with("Error loading the key: "), "{refusal}");
    assert_eq!(client.get("a").as_deref(), Some("1"));
}

#[cfg(unix)]
#[test]
fn a_signal_reads_certificates_again() {
    use nix::sys::signal::Signal;
    let (folder, root, other) = (common::Folder::new("tls-signal"), Authority::new(), Authority::new());
    let server = Server::start("tls-signal-server", &format!("{} -t 2 -v", root.flags_in(&folder.0)));
    let mut client = connect(server.address, &Arc::new(configuration(&root, None, EVERY_VERSION)));
    assert_eq!(client.ask("version"), "VERSION 1.6.45");
    fs::write(folder.0.join("server.pem"), "no certificate").unwrap();
    server.signal(Signal::SIGHUP);
    server.wait_for_log("certificates: Error loading the certificate chain");
    other.flags_in(&folder.0);
    server.signal(Signal::SIGHUP);
    server.wait_for_log("SIGHUP: certificates: read again");
    assert!(is_served(server.address, &Arc::new(configuration(&other, None, EVERY_VERSION))));
    assert_eq!(client.ask("version"), "VERSION 1.6.45");
}

#[test]
fn sessions_resume_on_the_same_kind_of_listener() {
    let (folder, root) = (common::Folder::new("tls-resume"), Authority::new());
    let flags = root.flags_in(&folder.0);
    let listen = "-l 127.0.0.1:0,btls:127.0.0.1:0,mtls:127.0.0.1:0 -t 2";
    for (cache, versions, expected) in [
        (",ssl_session_cache", &EVERY_VERSION[..1], HandshakeKind::Resumed),
        (",ssl_session_cache", &EVERY_VERSION[1..], HandshakeKind::Resumed),
        ("", &EVERY_VERSION[..1], HandshakeKind::Full),
        ("", &EVERY_VERSION[1..], HandshakeKind::Full),
    ] {
        let server = Server::start("tls-resume-server", &format!("{flags}{cache} {listen}"));
        let mut client = configuration(&root, None, versions);
        client.resumption = Resumption::in_memory_sessions(8);
        let client = Arc::new(client);
        let kind_of = |address| {
            let mut client = connect(address, &client);
            assert_eq!(client.ask("version"), "VERSION 1.6.45");
            client.0.get_ref().conn.handshake_kind()
        };
        assert_eq!(kind_of(server.addresses[1]), Some(HandshakeKind::Full));
        assert_eq!(kind_of(server.addresses[1]), Some(expected), "{versions:?}");
        // A session without a client certificate does not resume where one is required.
        assert!(!is_served(server.addresses[2], &client));
        let mut observer = connect(server.addresses[0], &Arc::new(configuration(&root, None, EVERY_VERSION)));
        let shown = observer.table("stats").into_iter().find(|(name, _)| name == "ssl_new_sessions");
        let counted = if cache.is_empty() { None } else { Some("2".to_owned()) };
        assert_eq!(shown.map(|(_, value)| value), counted, "{versions:?}");
    }
}

#[test]
fn broken_clients_are_counted_and_closed() {
    let (folder, root) = (common::Folder::new("tls-broken"), Authority::new());
    let server = Server::start(
        "tls-broken-server",
        &format!("{} -t 1 -l 127.0.0.1:0,notls:127.0.0.1:0", root.flags_in(&folder.0)),
    );
    let known = Arc::new(configuration(&root, None, EVERY_VERSION));
    let mut observer = Client::connect(server.addresses[1]);
    let junk: [&[u8]; 4] = [b"version\r\n", b"\x80\x0b\0\0\0\0\0\0\0\0\0\0", b"\x16\x03\x01\xff\xff", &[0x16; 300]];
    for (number, bytes) in junk.iter().enumerate() {
        let mut socket = Client::connect(server.address);
        socket.send(bytes);
        socket.rest();
        assert_eq!(observer.statistic("ssl_handshake_errors"), (number + 1).to_string());
    }
    // Closed in the middle of the handshake.
    let mut half = Client::connect(server.address);
    half.send(b"\x16\x03\x01\x01\x00\x01");
    drop(half);
    common::wait_for("the fifth", || (observer.statistic("ssl_handshake_errors") == "5").then_some(()));
    // A probe that only connects.
    drop(Client::connect(server.address));
    // Garbage after the handshake.
    let mut client = connect(server.address, &known);
    assert_eq!(client.ask("version"), "VERSION 1.6.45");
    client.0.get_mut().sock.write_all(b"\x17\x03\x03\x00\x20abcdefghijklmnopqrstuvwxyzabcdef").unwrap();
    client.rest();
    common::wait_for("the broken record", || (observer.statistic("ssl_proto_errors") == "1").then_some(()));
    assert_eq!(observer.statistic("ssl_handshake_errors"), "5");
    assert!(is_served(server.address, &known));
}

#[test]
fn slow_handshakes_are_closed() {
    let (folder, root) = (common::Folder::new("tls-slow"), Authority::new());
    let flags = root.flags_in(&folder.0);
    for (more, at_least_s) in [("", 9), (" -o idle_timeout=1", 1)] {
        let server = Server::start("tls-slow-server", &format!("{flags} -t 2{more} -l 127.0.0.1:0,notls:127.0.0.1:0"));
        let begun = Instant::now();
        let mut silent = Client::connect(server.address);
        let mut half = Client::connect(server.address);
        half.send(b"\x16\x03\x01\x01\x00\x01");
        assert!(silent.is_closed() && half.is_closed());
        assert!(begun.elapsed() >= Duration::from_secs(at_least_s), "{:?}", begun.elapsed());
        let mut observer = Client::connect(server.addresses[1]);
        assert_eq!(observer.ask("version"), "VERSION 1.6.45");
        if more.is_empty() {
            assert_eq!(observer.statistic("ssl_handshake_errors"), "2");
        }
    }
}

#[test]
fn a_handshake_may_come_byte_by_byte() {
    let (folder, root) = (common::Folder::new("tls-bytes"), Authority::new());
    let server = Server::start("tls-bytes-server", &format!("{},ssl_verify_mode=2 -t 2", root.flags_in(&folder.0)));
    for versions in [&EVERY_VERSION[..1], &EVERY_VERSION[1..]] {
        let mut client = configuration(&root, Some(&root.identity("client")), versions);
        // The certificate arrives in pieces of a few bytes.
        client.max_fragment_size = Some(40);
        let mut connection =
            ClientConnection::new(Arc::new(client), ServerName::try_from("localhost").unwrap()).unwrap();
        let mut socket = TcpStream::connect(server.address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        connection.writer().write_all(b"version\r\n").unwrap();
        let mut answer = Vec::new();
        while answer.len() < 16 {
            while connection.wants_write() {
                let mut ciphertext = Vec::new();
                connection.write_tls(&mut ciphertext).unwrap();
                for byte in ciphertext {
                    socket.write_all(&[byte]).unwrap();
                }
            }
            assert_ne!(connection.read_tls(&mut socket).unwrap(), 0);
            connection.process_new_packets().unwrap();
            if let Err(error) = connection.reader().read_to_end(&mut answer) {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
            }
        }
        assert_eq!(answer, b"VERSION 1.6.45\r\n");
    }
}

#[test]
fn the_minimum_version_is_enforced() {
    let (folder, root) = (common::Folder::new("tls-version"), Authority::new());
    let server = Server::start("tls-version-server", &format!("{},ssl_min_version=3", root.flags_in(&folder.0)));
    assert!(!is_served(server.address, &Arc::new(configuration(&root, None, &EVERY_VERSION[..1]))));
    assert!(is_served(server.address, &Arc::new(configuration(&root, None, &EVERY_VERSION[1..]))));
}

#[test]
fn many_small_records_in_one_piece_are_all_answered() {
    let (folder, root) = (common::Folder::new("tls-small"), Authority::new());
    for threads in [1, 2] {
        let server = Server::start("tls-small-server", &format!("{} -t {threads}", root.flags_in(&folder.0)));
        let mut client = configuration(&root, None, EVERY_VERSION);
        client.max_fragment_size = Some(40);
        let mut client = connect(server.address, &Arc::new(client));
        assert_eq!(client.ask("version"), "VERSION 1.6.45");
        // Each record holds an odd part of some requests. Each request has its own key, so that replies differ.
        for round in 0..20 {
            let keys: Vec<String> = (0..400).map(|number| format!("key-{round}-{number}")).collect();
            let sets: String = keys.iter().map(|key| format!("set {key} 0 0 {}\r\n{key}\r\n", key.len())).collect();
            client.send(sets);
            assert!(keys.iter().all(|_| client.line() == "STORED"));
            let gets: String = keys.iter().map(|key| format!("get {key}\r\n")).collect();
            client.send(gets);
            for key in &keys {
                assert_eq!(client.line(), format!("VALUE {key} 0 {}", key.len()));
                assert_eq!((client.line(), client.line()), (key.clone(), "END".to_owned()));
            }
            client.0.get_mut().conn.refresh_traffic_keys().ok();
        }
    }
}

#[test]
fn large_values_pass_through_small_buffers() {
    let (folder, root) = (common::Folder::new("tls-large"), Authority::new());
    let value: Vec<u8> = (0..100_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for more in [" -t 1", ",ssl_wbuf_size=1 -t 2", ",ssl_wbuf_size=64 -t 2"] {
        let server = Server::start("tls-large-server", &format!("{}{more}", root.flags_in(&folder.0)));
        let configuration = Arc::new(configuration(&root, None, EVERY_VERSION));
        let mut client = connect(server.address, &configuration);
        let socket = socket2::SockRef::from(&client.0.get_ref().sock);
        socket.set_recv_buffer_size(16 * 1024).unwrap();
        socket.set_send_buffer_size(16 * 1024).unwrap();
        client.send(format!("set big 0 0 {}\r\n", value.len()));
        client.send(&value);
        client.send("\r\n");
        assert_eq!(client.line(), "STORED");
        client.send("get big\r\nget none\r\nget big\r\nversion\r\n");
        // The server waits for this client without delaying others.
        assert!(is_served(server.address, &configuration));
        for round in 0..2 {
            assert_eq!(client.line(), format!("VALUE big 0 {}", value.len()), "{more}");
            let mut received = vec![0; value.len() + 2];
            client.0.read_exact(&mut received).unwrap();
            assert!(received[..value.len()] == value[..], "{more}");
            assert_eq!(client.line(), "END");
            if round == 0 {
                assert_eq!(client.line(), "END");
            }
        }
        assert_eq!(client.line(), "VERSION 1.6.45");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_client_that_does_not_read_costs_bounded_memory() {
    let (folder, root) = (common::Folder::new("tls-unread"), Authority::new());
    let server = Server::start("tls-unread-server", &format!("{} -t 1", root.flags_in(&folder.0)));
    let configuration = Arc::new(configuration(&root, None, EVERY_VERSION));
    let mut client = connect(server.address, &configuration);
    assert_eq!(client.set("big", &"x".repeat(1_000_000)), "STORED");
    assert_eq!(client.get("big").map(|value| value.len()), Some(1_000_000));
    let before_kib = server.resident_kib();
    let slow: Vec<_> = (0..10)
        .map(|_| {
            let mut slow = connect(server.address, &configuration);
            slow.send("get big\r\n".repeat(50));
            slow
        })
        .collect();
    for _ in 0..5 {
        assert_eq!(client.get("big").map(|value| value.len()), Some(1_000_000));
    }
    let grown_kib = server.resident_kib().saturating_sub(before_kib);
    // For each client a reply in the guest, and its part in the buffers of TLS.
    assert!(grown_kib < 10 * 2 * 1024, "{grown_kib} KiB");
    drop(slow);
}

#[test]
fn a_closing_alert_with_the_last_request_is_handled() {
    let (folder, root) = (common::Folder::new("tls-farewell"), Authority::new());
    let server = Server::start("tls-farewell-server", &format!("{} -t 2", root.flags_in(&folder.0)));
    for versions in [&EVERY_VERSION[..1], &EVERY_VERSION[1..]] {
        let mut client = connect(server.address, &Arc::new(configuration(&root, None, versions)));
        assert_eq!(client.set("a", "1"), "STORED");
        // Both in one write, and the socket stays open: only the alert ends the session.
        let stream = client.0.get_mut();
        stream.conn.writer().write_all(b"get a\r\n").unwrap();
        stream.conn.send_close_notify();
        let mut ciphertext = Vec::new();
        while stream.conn.wants_write() {
            stream.conn.write_tls(&mut ciphertext).unwrap();
        }
        stream.sock.write_all(&ciphertext).unwrap();
        let mut rest = Vec::new();
        // Fails without a proper end of the session.
        client.0.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"VALUE a 0 1\r\n1\r\nEND\r\n");
    }
}

#[cfg(unix)]
#[test]
fn a_stop_finishes_pending_requests() {
    use nix::sys::signal::Signal;
    let (folder, root) = (common::Folder::new("tls-stop"), Authority::new());
    let configuration = Arc::new(configuration(&root, None, EVERY_VERSION));
    for threads in [1, 2] {
        let server = Server::start("tls-stop-server", &format!("{} -t {threads}", root.flags_in(&folder.0)));
        let (mut idle, mut busy) = (connect(server.address, &configuration), connect(server.address, &configuration));
        // A connection without input so far.
        let mut silent = Client::connect(server.address);
        assert_eq!(idle.ask("version"), "VERSION 1.6.45");
        assert_eq!(busy.set("big", &"x".repeat(1_000_000)), "STORED");
        busy.send("get big big big big big big big big\r\n".repeat(2));
        assert!(busy.line().starts_with("VALUE big"));
        server.signal(Signal::SIGTERM);
        let mut rest = Vec::new();
        busy.0.read_to_end(&mut rest).unwrap();
        assert!(rest.len() > 16_000_000 && rest.ends_with(b"END\r\n"), "{}", rest.len());
        assert_eq!(idle.0.read_to_end(&mut rest).unwrap(), 0, "with a closing alert");
        assert!(silent.is_closed());
        assert!(server.wait().success());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_idle_connection_keeps_no_buffers() {
    const CONNECTIONS: u64 = 400;
    let (folder, root) = (common::Folder::new("tls-idle"), Authority::new());
    // A huge page would be as much as hundreds of connections.
    let flags = format!("{} -t 1 -o no_huge_pages", root.flags_in(&folder.0));
    let server = Server::start("tls-idle-server", &flags);
    let configuration = Arc::new(configuration(&root, None, EVERY_VERSION));
    let open = || {
        let mut client = connect(server.address, &configuration);
        client.send("set a 0 0 20000\r\n".to_owned() + &"x".repeat(20_000) + "\r\n");
        assert_eq!(client.line(), "STORED");
        assert_eq!(client.get("a").map(|value| value.len()), Some(20_000));
        client
    };
    let mut clients: Vec<_> = (0..50).map(|_| open()).collect();
    let before_kib = server.resident_kib();
    clients.extend((0..CONNECTIONS).map(|_| open()));
    let each_bytes = server.resident_kib().saturating_sub(before_kib) * 1024 / CONNECTIONS;
    // A buffer of one record or one receive would be more.
    assert!(each_bytes < 6 * 1024, "{each_bytes}");
}

#[test]
fn invalid_certificates_are_reported_at_the_start() {
    let (folder, root) = (common::Folder::new("tls-refused"), Authority::new());
    let flags = root.flags_in(&folder.0);
    let at = |name: &str| folder.0.join(name).display().to_string();
    fs::write(at("empty"), "").unwrap();
    let (chain, key) = (at("server.pem"), at("server.key"));
    for (line, text) in [
        ("-Z -p -1".to_owned(), "-Z needs a certificate: add -o ssl_chain_cert=FILE,ssl_key=FILE".to_owned()),
        (
            format!("-Z -p -1 -o ssl_chain_cert={}", at("none")),
            format!("Error loading the certificate chain: {} : No such", at("none")),
        ),
        (format!("-Z -p -1 -o ssl_chain_cert={}", at("empty")), "there is no certificate in it".to_owned()),
        (format!("-Z -p -1 -o ssl_chain_cert={chain}"), "name its file with -o ssl_key=FILE".to_owned()),
        (
            format!("-Z -p -1 -o ssl_chain_cert={chain},ssl_key={}", at("other.key")),
            format!("Error loading the key: {}", at("other.key")),
        ),
        (
            format!("-Z -p -1 -o ssl_chain_cert={chain},ssl_key={key},ssl_ca_cert={}", at("none")),
            "Error loading the CA certificate".to_owned(),
        ),
        (format!("-Z -p -1 -o ssl_chain_cert={chain},ssl_key={key},ssl_verify_mode=2"), "ssl_ca_cert=FILE".to_owned()),
        (
            format!("-Z -p -1 -o ssl_chain_cert={chain},ssl_key={key} -l mtls:127.0.0.1:0"),
            "ssl_ca_cert=FILE".to_owned(),
        ),
        (format!("{flags},ssl_ciphers=FOO -p -1"), "Error setting the provided cipher(s): FOO".to_owned()),
        ("-l btls:127.0.0.1:0".to_owned(), "need -Z".to_owned()),
    ] {
        let output = run(&line);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.contains(&text), "{line}: {errors}");
        assert_eq!(output.status.code(), Some(64), "{line}: {errors}");
        let lines = errors.lines().filter(|line| !line.starts_with("running as root"));
        assert_eq!(lines.count(), 1, "{line}: {errors}");
    }
}

#[test]
fn sessions_end_in_order_whatever_the_client_still_sends() {
    let (folder, root) = (common::Folder::new("tls-end"), Authority::new());
    let server = Server::start("tls-end-server", &format!("{} -t 2 -c 1", root.flags_in(&folder.0)));
    let configuration = Arc::new(configuration(&root, None, EVERY_VERSION));
    let behind = vec![b'x'; 1 << 20];
    for round in 0..10 {
        let mut client = stream(server.address, &configuration);
        // Behind quit.
        client.write_all(&[b"version\r\n".repeat(1000), b"quit\r\n".to_vec()].concat()).unwrap();
        client.write_all(&behind).unwrap();
        assert!(to_end(&mut client) == b"VERSION 1.6.45\r\n".repeat(1000), "round {round}");
    }
    for round in 0..10 {
        // Behind bytes that are no handshake: the alert arrives.
        let mut client = TcpStream::connect(server.address).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.write_all(&behind).unwrap();
        assert_eq!(to_end(&mut client)[..1], [21], "round {round}");
    }
    let mut served = connect(server.address, &configuration);
    assert_eq!(served.ask("version"), "VERSION 1.6.45");
    for round in 0..10 {
        // Above the limit of connections.
        let mut client = TcpStream::connect(server.address).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.write_all(&behind).unwrap();
        assert_eq!(to_end(&mut client), b"ERROR Too many open connections\r\n", "round {round}");
    }
}

#[cfg(unix)]
#[test]
fn a_stop_answers_everything_that_was_sent_over_tls() {
    use nix::sys::signal::Signal;
    let (folder, root) = (common::Folder::new("tls-sent"), Authority::new());
    let server = Server::start("tls-sent-server", &format!("{} -t 2", root.flags_in(&folder.0)));
    let configuration = Arc::new(configuration(&root, None, EVERY_VERSION));
    let mut clients: Vec<_> = (0..4).map(|_| connect(server.address, &configuration)).collect();
    for client in &mut clients {
        assert_eq!(client.ask("version"), "VERSION 1.6.45");
    }
    server.signal(Signal::SIGSTOP);
    for client in &mut clients {
        client.send((0..5000).map(|number| format!("set key{number} 0 0 10\r\n{number:0>10}\r\n")).collect::<String>());
    }
    server.signal(Signal::SIGTERM);
    server.signal(Signal::SIGCONT);
    for client in &mut clients {
        assert!(to_end(&mut client.0) == b"STORED\r\n".repeat(5000));
    }
    drop(clients);
    assert!(server.wait().success());
}
