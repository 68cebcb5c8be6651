//! Pages over HTTP of a whole server: their listeners, their token, and the clients of the cache beside them.

#[path = "tls/certificates.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod certificates;
#[path = "tls/client.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod client;
mod common;

use common::{Folder, Server, run, to_end};
use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
};

/// The answer to one request, with its head.
fn get(mut stream: impl Read + Write, path: &str, fields: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{fields}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    String::from_utf8(to_end(stream)).unwrap()
}

fn get_from(address: SocketAddr, path: &str, fields: &str) -> String {
    get(TcpStream::connect(address).unwrap(), path, fields)
}

fn status(answer: &str) -> &str {
    answer.get(9..12).unwrap_or(answer)
}

#[test]
fn pages_are_beside_the_cache() {
    for flags in ["-t 1", "-t 4 -o shards=3", "-t 1 -o no_solo"] {
        let server = Server::start("pages", &format!("-l proto[http]:127.0.0.1:0 {flags}"));
        assert_eq!((server.addresses.len(), server.pages.len()), (1, 1), "the cache has its own address");
        let mut client = server.client();
        for number in 0..50 {
            assert_eq!(client.set(&format!("key-{number}"), "value"), "STORED");
        }
        let page = get_from(server.pages[0], "/metrics", "");
        assert!(page.contains("\nmemcached_current_items 50\n"), "{flags}: {page}");
        assert!(page.ends_with("# EOF\n\r\n0\r\n\r\n"), "{flags}");
        assert!(!page.contains("key-") && !page.contains("value\""), "{flags}");
        let json = get_from(server.pages[0], "/stats.json", "");
        assert!(json.contains("\n\"curr_items\":{\"value\":50,"), "{flags}: {json}");
        assert_eq!(status(&get_from(server.pages[0], "/healthz", "")), "200");
        // A client of the cache at the wrong address, and a client of pages at the other one.
        let mut stray = TcpStream::connect(server.pages[0]).unwrap();
        stray.write_all(b"get key-1\r\n").unwrap();
        assert!(to_end(stray).starts_with(b"HTTP/1.1 400 Bad Request\r\n"));
        let answer = get_from(server.address, "/metrics", "");
        assert!(!answer.contains("memcached_up"), "{answer}");
        // Both kinds of connections and refusals are counted.
        assert!(client.statistic("total_connections").parse::<u32>().unwrap() >= 5);
        assert!(client.statistic("request_errors").parse::<u32>().unwrap() >= 1);
    }
}

#[test]
fn http_port_is_an_address_of_loopback() {
    let port = common::vacant_address().1.port();
    let server = Server::start("pages-port", &format!("-o http_port={port}"));
    assert_eq!(server.pages, [SocketAddr::from(([127, 0, 0, 1], port))]);
    assert_eq!(status(&get_from(server.pages[0], "/healthz/live", "")), "200");
    server.wait_for_log(&format!(
        "pages over HTTP: /metrics, /stats.json and /healthz on tcp:127.0.0.1:{port} to this machine"
    ));
    let server = Server::start("pages-none", "-o http_port=0");
    assert_eq!(server.pages, []);
}

#[test]
fn the_token_is_asked_for_and_read_again() {
    let folder = Folder::new("pages-token");
    let path = folder.0.join("token");
    fs::write(&path, "the-first-token-0123\n").unwrap();
    let flags = format!("-l proto[http]:127.0.0.1:0 -t 3 -v -o http_token={}", path.display());
    let server = Server::start("pages-token-server", &flags);
    let with = |token: &str| {
        let field = format!("Authorization: Bearer {token}\r\n");
        // Workers take connections in turn.
        let answers: Vec<_> = (0..6).map(|_| get_from(server.pages[0], "/stats.json", &field)).collect();
        answers.iter().map(|answer| status(answer).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(with("the-first-token-0123"), ["200"; 6]);
    assert_eq!(with("the-first-token-0124"), ["401"; 6]);
    assert_eq!(status(&get_from(server.pages[0], "/metrics", "")), "401");
    assert_eq!(status(&get_from(server.pages[0], "/healthz", "")), "200");
    #[cfg(unix)]
    {
        fs::write(&path, "another-token-of-the-test").unwrap();
        server.signal(nix::sys::signal::Signal::SIGHUP);
        server.wait_for_log("http_token: read again");
        assert_eq!(with("another-token-of-the-test"), ["200"; 6]);
        assert_eq!(with("the-first-token-0123"), ["401"; 6]);
        fs::write(&path, "short").unwrap();
        server.signal(nix::sys::signal::Signal::SIGHUP);
        server.wait_for_log("a token has at least 16 characters; the old contents stay in force");
        fs::write(&path, "\n").unwrap();
        server.signal(nix::sys::signal::Signal::SIGHUP);
        server.wait_for_log("it is empty; the old contents stay in force");
        assert_eq!(with("another-token-of-the-test"), ["200"; 6]);
    }
    server.wait_for_log(" to clients with the token");
    assert!(!server.log_so_far().contains("another-token"));
}

#[test]
fn tokens_that_cannot_be_one_are_reported_at_the_start() {
    let folder = Folder::new("pages-bad-token");
    let path = folder.0.join("token");
    let start = || {
        let output = run(&format!("-p 0 -l proto[http]:127.0.0.1:0 -o http_token={}", path.display()));
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, text) = start();
    assert!(code == Some(1) && text.contains("Could not read http_token ["), "{text}");
    for (content, reason) in [
        (" \n", "it is empty"),
        ("0123456789abcde", "a token has at least 16 characters"),
        ("0123456789abcdef 0", "a token is one line of letters, digits and -._~+/="),
        ("0123456789abcdef\n0", "a token is one line of letters, digits and -._~+/="),
    ] {
        fs::write(&path, content).unwrap();
        let (code, text) = start();
        assert!(code == Some(1) && text.contains(reason), "{content:?}: {text}");
    }
    let server = Server::start("pages-useless-token", &format!("-o http_token={}", path.display()));
    server.wait_for_log("-o http_token does nothing: no address serves pages");
}

#[test]
fn pages_speak_tls_with_the_cache_unless_their_address_says_otherwise() {
    let (folder, root) = (Folder::new("pages-tls"), certificates::Authority::new());
    let flags = root.flags_in(&folder.0);
    let server =
        Server::start("pages-tls-server", &format!("{flags} -l proto[http]:127.0.0.1:0,notls:proto[http]:127.0.0.1:0"));
    let [encrypted, plain] = server.pages[..] else { panic!("{:?}", server.pages) };
    let configuration = Arc::new(client::configuration(&root, None, client::EVERY_VERSION));
    let page = get(client::stream(encrypted, &configuration), "/metrics", "");
    assert!(status(&page) == "200" && page.contains("\nmemcached_up 1\n"), "{page}");
    assert_eq!(status(&get_from(plain, "/metrics", "")), "200");
}

#[cfg(unix)]
#[test]
fn pages_have_unix_sockets_and_need_no_tcp() {
    use std::os::unix::{fs::PermissionsExt, net::UnixStream};
    let folder = Folder::new("pages-socket");
    let (cache, pages) = (folder.0.join("cache"), folder.0.join("pages"));
    let connect = |path: &std::path::Path| common::wait_for("the socket", || UnixStream::connect(path).ok());
    for flags in [format!("-s {}", cache.display()), "-p 0".to_owned()] {
        let mut command = std::process::Command::new(common::program());
        command.args(flags.split(' ')).args(["-a", "600", "-l", &format!("proto[http]:{}", pages.display())]);
        let mut server = command.stderr(std::process::Stdio::null()).spawn().unwrap();
        let page = get(connect(&pages), "/metrics", "");
        assert!(status(&page) == "200" && page.contains("\nmemcached_up 1\n"), "{flags}: {page}");
        assert_eq!(fs::metadata(&pages).unwrap().permissions().mode() & 0o777, 0o600);
        let pid = nix::unistd::Pid::from_raw(server.id() as i32);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        assert!(server.wait().unwrap().success());
        assert!(!pages.exists(), "the socket is removed");
    }
}

#[test]
fn addresses_that_cannot_serve_pages_are_errors() {
    for (flags, words) in [
        ("-l proto[http]:127.0.0.1", "proto[http] needs a port of its own"),
        ("-l /run/socket", "-s names a Unix socket"),
        ("-l proto[htpp]:127.0.0.1:1", "is none of proto[asc], proto[bin], proto[auto], proto[http]"),
        ("-o http_port=70000", "Invalid port number 70000"),
        ("-o http_token", "http_token needs a file"),
    ] {
        let output = run(flags);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && text.contains(words), "{flags}: {text}");
    }
}

/// A client that reads slowly holds up nobody, and gets a whole page.
#[test]
fn scrapes_in_parallel_are_whole() {
    let server = Server::start("pages-parallel", "-t 2 -l proto[http]:127.0.0.1:0");
    let address = server.pages[0];
    let readers: Vec<_> = (0..16)
        .map(|_| {
            std::thread::spawn(move || {
                for _ in 0..20 {
                    let page = get_from(address, "/metrics", "");
                    assert!(page.ends_with("# EOF\n\r\n0\r\n\r\n"), "{page}");
                }
            })
        })
        .collect();
    let mut slow = TcpStream::connect(address).unwrap();
    slow.write_all(b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n".repeat(200).as_slice()).unwrap();
    let mut client = server.client();
    while !readers.iter().all(std::thread::JoinHandle::is_finished) {
        assert_eq!(client.set("a", "1"), "STORED");
    }
    readers.into_iter().for_each(|reader| reader.join().unwrap());
    slow.shutdown(std::net::Shutdown::Write).unwrap();
    let pages = String::from_utf8(to_end(slow)).unwrap();
    assert_eq!(pages.matches("# EOF\n\r\n0\r\n\r\n").count(), 200);
}
