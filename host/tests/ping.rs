//! The health check of servers that answer, reject, are silent, or are something else.

#[path = "tls/certificates.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod certificates;
mod common;

use common::{Server, run};
use std::{
    io::{Read, Write},
    net::TcpListener,
    process::Output,
    thread::JoinHandle,
};

/// Exit code and line of the health check.
fn line(output: &Output) -> (i32, String) {
    let (good, bad) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let text = format!("{good}{bad}");
    assert_eq!((text.lines().count(), good.is_empty()), (1, !output.status.success()), "{text}");
    (output.status.code().unwrap(), text.trim_end().to_owned())
}

/// A server that accepts `clients` connections, reads a little from each and sends `replies`, one connection after another.
fn listener(replies: &'static [&'static [u8]]) -> (String, JoinHandle<Vec<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serve = move || {
        let mut received = Vec::new();
        for reply in replies {
            let (mut stream, _) = listener.accept().unwrap();
            let mut bytes = [0; 100];
            let length = stream.read(&mut bytes).unwrap();
            received.push(bytes[..length].to_vec());
            // The client may be gone already.
            let _ = stream.write_all(reply);
        }
        received
    };
    (address, std::thread::spawn(serve))
}

#[test]
fn a_server_that_answers_is_healthy() {
    let server = Server::start("ping", "");
    let (port, address) = (server.address.port(), server.address);
    for flags in [
        format!("--ping {address}"),
        format!("--ping {port}"),
        format!("--ping -p {port}"),
        format!("-p {port} --ping"),
        format!("--ping localhost:{port}"),
        format!("--ping -l 0.0.0.0:{port}"),
        format!("--ping localhost -p {port} -d -u nobody"),
    ] {
        let (code, text) = line(&run(&flags));
        assert!(code == 0 && text.contains(" answers: version 1.6.45, after "), "{flags}: {text}");
    }
}

#[cfg(unix)]
#[test]
fn unix_sockets_are_checked_too() {
    let folder = common::Folder::new("ping-socket");
    let path = folder.0.join("socket");
    let path = path.display();
    let mut server = std::process::Command::new(common::program())
        .args(["-s", &path.to_string()])
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    common::wait_for("the socket", || std::os::unix::net::UnixStream::connect(path.to_string()).ok());
    for flags in [format!("--ping {path}"), format!("-s {path} --ping")] {
        let (code, text) = line(&run(&flags));
        assert!(code == 0 && text.starts_with(&format!("{path} answers: ")), "{flags}: {text}");
    }
    server.kill().unwrap();
    server.wait().unwrap();
    let (code, text) = line(&run(&format!("--ping {path}")));
    assert_eq!((code, text), (1, format!("{path} does not answer: Connection refused")));
    let (code, text) = line(&run("--ping /no/such/socket"));
    assert_eq!((code, text.as_str()), (1, "/no/such/socket does not answer: No such file or directory"));
}

#[test]
fn problems_are_reported() {
    let (_kept, free) = common::vacant_address();
    let (code, text) = line(&run(&format!("--ping {free}")));
    assert!(code == 1 && text.starts_with(&format!("{free} does not answer: ")), "{text}");
    let cases: [(&'static [&'static [u8]], i32, &str); 6] = [
        (&[b"SERVER_ERROR busy\r\n"], 1, "does not answer: the reply is \"SERVER_ERROR busy\""),
        (&[b"HTTP/1.1 400 Bad\x1b[2J Request\r\n\r\n"], 1, "does not answer: another kind of server listens there"),
        (&[b"VERS", b""], 1, "does not answer: it closes the connection"),
        (&[b"", b""], 1, "does not answer: it closes the connection"),
        (&[b"CLIENT_ERROR unauthenticated\r\n"], 0, "answers: it requires authentication"),
        (&[b"VERSION 9\x1b[2J\r\n"], 0, "answers: version 9\\u{1b}[2J, after"),
    ];
    for (replies, expected, words) in cases {
        let (address, other) = listener(replies);
        let (code, text) = line(&run(&format!("--ping {address}")));
        assert!(code == expected && text.contains(words), "{words}: {code} {text}");
        assert_eq!(other.join().unwrap().len(), replies.len());
    }
}

#[test]
fn a_server_of_the_binary_protocol_is_healthy() {
    let (address, other) = listener(&[b"", b"\x81\x0b\0\0\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\0\0\0\0\x001.6"]);
    let (code, text) = line(&run(&format!("--ping {address}")));
    assert!(code == 0 && text.contains("answers: version 1.6, after"), "{text}");
    let received = other.join().unwrap();
    assert!(received[0].starts_with(b"version ") && received[1][0] == 0x80, "{received:?}");
    for binding in ["auto", "ascii", "binary"] {
        let server = Server::start("ping-binding", &format!("-B {binding}"));
        let (code, text) = line(&run(&format!("--ping {}", server.address)));
        assert!(code == 0 && text.contains(" answers: version 1.6.45, after "), "{binding}: {text}");
    }
}

#[test]
fn a_silent_server_fails_in_time() {
    // The kernel accepts; no process answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let (code, text) = line(&run(&format!("--ping {address}")));
    assert_eq!((code, text), (1, format!("{address} does not answer: nothing came within 3 seconds")));
}

#[test]
fn invalid_addresses_are_errors() {
    for (flags, words) in [
        ("--ping h:99999", "ERROR: Invalid port number 99999."),
        ("--ping -p -1", "--ping: the other flags do not say at which port"),
    ] {
        let (code, text) = line(&run(flags));
        assert!(code == 64 && text.contains(words), "{flags}: {text}");
    }
}

#[test]
fn servers_with_tls_are_checked_too() {
    let (folder, root) = (common::Folder::new("ping-tls"), certificates::Authority::new());
    let flags = root.flags_in(&folder.0);
    for (more, words) in [
        ("", " answers: version 1.6.45, after "),
        (" -B binary", " answers: version 1.6.45, after "),
        (",ssl_min_version=3", " answers: version 1.6.45, after "),
        (",ssl_verify_mode=2", " answers: it requires authentication"),
    ] {
        let server = Server::start("ping-tls-server", &format!("{flags}{more}"));
        let (address, port) = (server.address, server.address.port());
        for ask in [format!("--ping -p {port} {flags}{more}"), format!("--ping btls:{address}")] {
            let (code, text) = line(&run(&ask));
            assert!(code == 0 && text.contains(words), "{ask}: {text}");
        }
        let (code, text) = line(&run(&format!("--ping {address}")));
        assert!(code == 1 && text.contains(" does not answer: "), "{text}");
    }
    let plain = Server::start("ping-plain", "");
    let (code, text) = line(&run(&format!("--ping btls:{}", plain.address)));
    assert!(code == 1 && text.contains(" does not answer: "), "{text}");
}

#[test]
fn pages_over_http_are_checked_too() {
    let folder = common::Folder::new("ping-http");
    let token = folder.0.join("token");
    std::fs::write(&token, "0123456789abcdef\n").unwrap();
    let flags = format!("-l proto[http]:127.0.0.1:0 -o http_token={}", token.display());
    let server = Server::start("ping-http-server", &flags);
    let page = server.pages[0];
    for ask in [format!("--ping {page}"), format!("--ping proto[http]:{page}"), format!("--ping {}", page.port())] {
        let (code, text) = line(&run(&ask));
        assert!(code == 0 && text.starts_with(&format!("{page} answers: ready, over HTTP, after ")), "{ask}: {text}");
    }
}
