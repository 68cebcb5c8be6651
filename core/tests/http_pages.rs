//! Pages over HTTP, from requests in bytes to answers in bytes: the same however a stream is cut, with the numbers of all
//! shards, without a key or a value, behind their token, and never half a page that looks whole.

mod common;

use common::{
    START,
    host::{Client, Cuts, Server},
    random::Random,
};
use std::collections::{BTreeMap, BTreeSet};
use wasmcached_core::{
    boundary::{
        config::{Binding, Config},
        status::ConnectionStatus,
    },
    limits,
};

const METRICS: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n";
const PLAIN: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: h\r\nAccept: text/plain\r\n\r\n";
const JSON: &[u8] = b"GET /stats.json HTTP/1.1\r\nHost: h\r\n\r\n";

/// A client of HTTP.
fn http(server: &mut Server) -> Client {
    let id = server.front().open_bound(Binding::Http);
    let (unread, received, reads) = (Vec::new(), Vec::new(), Vec::new());
    Client { id, unread, received, status: ConnectionStatus::default(), closed: false, reads }
}

/// Head and body of one answer, its chunks joined. Fails if anything follows it.
fn split(answer: &[u8]) -> (String, String) {
    let text = String::from_utf8(answer.to_vec()).unwrap();
    let (head, mut rest) = text.split_once("\r\n\r\n").unwrap();
    if !head.contains("\r\nTransfer-Encoding: chunked") {
        return (head.to_owned(), rest.to_owned());
    }
    let mut body = String::new();
    loop {
        let (size, after) = rest.split_once("\r\n").unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        body.push_str(&after[..size]);
        rest = after[size..].strip_prefix("\r\n").unwrap();
        if size == 0 {
            assert_eq!(rest, "");
            return (head.to_owned(), body);
        }
    }
}

/// Samples by name and labels.
fn samples(body: &str) -> BTreeMap<&str, &str> {
    let lines = body.lines().filter(|line| !line.starts_with('#'));
    let mut samples = BTreeMap::new();
    for (name, value) in lines.map(|line| line.rsplit_once(' ').unwrap()) {
        assert_eq!(samples.insert(name, value), None, "{name}");
    }
    samples
}

/// A server with some items of many sizes, and some commands.
fn used(shards: u32) -> Server {
    let mut server = Server::new(&common::config(), shards, START);
    let mut client = Client::new(&mut server);
    for number in 0..60 {
        let bytes = 40 + number * 130;
        let set =
            format!("set secret-key-{number} 0 0 {bytes}\r\n{}\r\n", "secret-value".repeat(700).split_at(bytes).0);
        assert_eq!(client.ask(&mut server, set.as_bytes()), b"STORED\r\n");
    }
    client.ask(&mut server, b"get secret-key-1\r\nget secret-key-2 none\r\ntouch none 1\r\ndelete secret-key-3\r\n");
    server
}

#[test]
fn pages_have_the_numbers_of_all_shards() {
    for shards in [0, 1, 3] {
        let mut server = used(shards);
        let mut client = http(&mut server);
        for (request, content) in [
            (METRICS, "application/openmetrics-text; version=1.0.0; charset=utf-8"),
            (PLAIN, "text/plain; version=0.0.4; charset=utf-8"),
        ] {
            let (head, body) = split(&client.ask(&mut server, request));
            assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
            assert!(head.contains(&format!("\r\nContent-Type: {content}\r\n")), "{head}");
            assert!(head.contains("\r\nDate: Fri, 15 Jan 2027 08:00:00 GMT\r\n"), "{head}");
            let samples = samples(&body);
            for (name, value) in [
                ("memcached_up", "1"),
                ("memcached_version{version=\"1.6.45\"}", "1"),
                ("memcached_commands_total{command=\"set\",status=\"hit\"}", "60"),
                ("memcached_commands_total{command=\"get\",status=\"hit\"}", "2"),
                ("memcached_commands_total{command=\"get\",status=\"miss\"}", "1"),
                ("memcached_commands_total{command=\"touch\",status=\"miss\"}", "1"),
                ("memcached_commands_total{command=\"delete\",status=\"hit\"}", "1"),
                ("memcached_current_items", "59"),
                ("memcached_items_total", "60"),
                ("memcached_items_evicted_total", "0"),
                ("memcached_limit_bytes", "7"),
                ("memcached_process_user_cpu_seconds_total", "0.000000"),
                ("memcached_lru_crawler_enabled", "1"),
                ("wasmcached_shard_traps_total", "0"),
                ("wasmcached_listen_disabled_seconds_total", "0.000000"),
            ] {
                assert_eq!(samples.get(name), Some(&value), "{name}");
            }
            let sum = |prefix: &str| -> u64 {
                let of_family = samples.iter().filter(|(name, _)| name.starts_with(prefix));
                of_family.map(|(_, value)| value.parse::<u64>().unwrap()).sum()
            };
            assert_eq!(sum("memcached_slab_current_items{"), 59);
            assert_eq!(sum("memcached_slab_mem_requested_bytes{").to_string(), samples["memcached_current_bytes"]);
            assert_eq!(body.ends_with("\n# EOF\n"), request == METRICS);
        }
    }
}

/// A family is one block, and no name is that of two families.
#[test]
fn families_are_whole_and_described() {
    let mut server = used(3);
    let mut client = http(&mut server);
    for request in [METRICS, PLAIN] {
        let (_, body) = split(&client.ask(&mut server, request));
        let mut seen = BTreeSet::new();
        let mut current = "";
        for line in body.lines().filter(|line| *line != "# EOF") {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert!(seen.insert(name), "{name}");
                assert_eq!(kind == "counter" && request == PLAIN, name.ends_with("_total"), "{line}");
                current = name;
            } else if !line.starts_with('#') {
                assert!(line.starts_with(current), "{line} in {current}");
            }
        }
        assert!(seen.len() > 120, "{}", seen.len());
    }
}

#[test]
fn any_cut_gives_the_answers_of_one_piece() {
    let stream = [
        METRICS,
        b"HEAD /metrics HTTP/1.1\r\nHost: h\r\n\r\n",
        PLAIN,
        b"\r\nGET /none HTTP/1.1\r\nHost: h\r\n\r\nPOST /metrics HTTP/1.1\nHost: h\n\n",
        b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        JSON,
        b"GET /healthz/live HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        METRICS,
    ]
    .concat();
    for shards in [0, 1, 4] {
        let replies = |cuts, seed, requests_per_event| {
            let config = Config { binding: Binding::Http, requests_per_event, ..common::config() };
            Server::new(&config, shards, START).replay(&stream, cuts, seed)
        };
        let whole = replies(Cuts::None, 0, 20);
        let text = String::from_utf8_lossy(&whole.0).into_owned();
        let statuses: Vec<_> = text.match_indices("HTTP/1.1 ").map(|(at, _)| &text[at + 9..at + 12]).collect();
        assert_eq!(statuses, ["200", "200", "200", "404", "405", "200", "200", "200"]);
        assert!(whole.1 && text.ends_with("Connection: close\r\n\r\nok\n"), "{}", &text[text.len() - 100..]);
        for (cuts, requests) in [(Cuts::Every(1), 20), (Cuts::Every(3), 1), (Cuts::Every(100), 7)] {
            assert!(replies(cuts, 1, requests) == whole, "{cuts:?}, {shards} shards");
        }
        for seed in 0..20 {
            assert!(replies(Cuts::Random, seed, 1 + seed as u32) == whole, "seed {seed}, {shards} shards");
        }
    }
}

#[test]
fn no_page_has_a_key_or_a_value() {
    for shards in [0, 2] {
        let mut server = used(shards);
        let mut text = Client::new(&mut server);
        text.ask(&mut server, b"stats detail on\r\nget secret-key-9\r\nget secret-key-missing:secret-value\r\n");
        let mut client = http(&mut server);
        for request in [METRICS, PLAIN, JSON, b"GET /secret-key-1 HTTP/1.1\r\nHost: secret-value\r\n\r\n"] {
            let answer = client.ask(&mut server, request);
            let text = String::from_utf8_lossy(&answer);
            assert!(answer.starts_with(b"HTTP/1.1 ") && !text.contains("secret"), "{text}");
        }
    }
}

/// Between two pieces other connections have their turn, and what is made at once is bounded.
#[test]
fn a_page_is_written_in_pieces() {
    let mut server = used(2);
    let mut client = http(&mut server);
    let (_, mut status) = server.receive(client.id, METRICS);
    let mut pieces = 0;
    while status.has(ConnectionStatus::OUTPUT) {
        let output = server.output(client.id, status);
        assert!(output.len() < 2 * limits::DUMP_PIECE_BYTES as usize, "{} bytes", output.len());
        client.received.extend_from_slice(&output);
        server.consume(client.id, output.len());
        pieces += 1;
        let mut other = Client::new(&mut server);
        assert_eq!(other.ask(&mut server, b"get none\r\n"), b"END\r\n");
        if !status.has(ConnectionStatus::MORE) {
            break;
        }
        status = server.advance(client.id, 0);
    }
    assert!(pieces >= 4, "{pieces}");
    assert!(split(&client.received).1.ends_with("# EOF\n"));
}

#[test]
fn a_page_without_a_shard_ends_early() {
    for (request, after) in [(METRICS, 0), (METRICS, 5), (METRICS, 9), (JSON, 0), (JSON, 6)] {
        let mut server = used(3);
        let mut client = http(&mut server);
        server.traps_after = Some(after);
        let answer = client.ask(&mut server, request);
        assert!(client.closed && answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
        assert!(!answer.ends_with(b"0\r\n\r\n"), "{after}");
        let mut client = http(&mut server);
        assert!(client.ask(&mut server, request).ends_with(b"0\r\n\r\n"), "the replacement answers");
    }
    let ready = b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";
    let mut server = used(3);
    let mut client = http(&mut server);
    server.traps_after = Some(1);
    assert!(client.ask(&mut server, ready).starts_with(b"HTTP/1.1 503 Service Unavailable\r\n"));
    assert!(client.ask(&mut server, ready).starts_with(b"HTTP/1.1 200 OK\r\n"));
}

#[test]
fn statistics_ask_for_the_token_and_health_does_not() {
    let mut server = used(0);
    assert!(server.front().set_http_token(b"too short").is_err());
    assert!(server.front().set_http_token(&[b'x'; limits::HTTP_TOKEN_BYTES_MAX + 1]).is_err());
    assert!(server.front().set_http_token(b"0123456789 abcdef").is_err());
    server.front().set_http_token(b"0123456789abcdef\r\n").unwrap();
    let mut client = http(&mut server);
    let mut status = |request: &str| {
        let answer = client.ask(&mut server, format!("{request}\r\nHost: h\r\n\r\n").as_bytes());
        let (head, _) = split(&answer);
        let is_challenge = head.contains("\r\nWWW-Authenticate: Bearer realm=\"wasmcached\"");
        assert_eq!(is_challenge, head.starts_with("HTTP/1.1 401 "), "{head}");
        head[9..12].parse::<u32>().unwrap()
    };
    for page in ["/metrics", "/stats.json"] {
        assert_eq!(status(&format!("GET {page} HTTP/1.1")), 401);
        for (token, wanted) in [
            ("Bearer 0123456789abcdef", 200),
            ("bearer  0123456789abcdef ", 200),
            ("Bearer 0123456789abcdeF", 401),
            ("Bearer 0123456789abcde", 401),
            ("Bearer 0123456789abcdef0", 401),
            ("Bearer", 401),
            ("Basic 0123456789abcdef", 401),
        ] {
            assert_eq!(status(&format!("GET {page} HTTP/1.1\r\nAuthorization: {token}")), wanted, "{token}");
        }
    }
    for (page, wanted) in [("/healthz", 200), ("/healthz/live", 200), ("/none", 404)] {
        assert_eq!(status(&format!("GET {page} HTTP/1.1")), wanted);
    }
}

#[test]
fn requests_that_are_refused_are_counted() {
    let mut server = used(0);
    let before = server.front().refusals().counts()[0];
    let mut client = http(&mut server);
    client
        .ask(&mut server, b"GET /none HTTP/1.1\r\nHost: h\r\n\r\nGET /healthz HTTP/1.1\r\nHost: h\r\n\r\nversion\r\n");
    assert!(client.closed);
    assert_eq!(server.front().refusals().counts()[0], before + 2);
    let random = &mut Random::new(1);
    let mut cut = http(&mut server);
    cut.unread.extend_from_slice(b"GET /hea");
    cut.drain(&mut server, random, Cuts::None);
    server.close(cut.id);
    assert_eq!(server.front().refusals().counts()[2], 1, "a request that was cut");
}
