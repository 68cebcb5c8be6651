//! Features in combination: a configuration file, TLS, UDP, listeners of every kind, logins, the health check.

#[path = "tls/certificates.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod certificates;
#[path = "tls/client.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod client;
mod common;

use certificates::Authority;
use common::{Client, Folder, PATIENCE, Server, run};
use std::{fs, net::UdpSocket, sync::Arc};

/// Exit code and line of a health check.
fn ping(flags: &str) -> (Option<i32>, String) {
    let output = run(&format!("--ping {flags}"));
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).trim_end().to_owned())
}

#[test]
fn a_file_can_combine_all_features() {
    let (folder, root) = (Folder::new("interplay"), Authority::new());
    root.flags_in(&folder.0);
    let at = |name: &str| folder.0.join(name).display().to_string();
    let configuration = Arc::new(client::configuration(&root, None, client::EVERY_VERSION));
    for threads in [1, 3] {
        let text = format!(
            "udp-port = -1\nthreads = {threads}\nenable-ssl = true\n\
             listen = ['127.0.0.1', 'notls:127.0.0.1:0', 'proto[bin]:notls:127.0.0.1:0', 'mtls:127.0.0.1:0']\n\
             [extended]\nssl_chain_cert = '{}'\nssl_key = '{}'\nssl_ca_cert = '{}'\nidle_timeout = 7\ntrack_sizes = true\n",
            at("server.pem"),
            at("server.key"),
            at("authority.pem"),
        );
        fs::write(at("flags.toml"), text).unwrap();
        let flags = format!("--config {} -o idle_timeout=8 -o idle_timeout=9,no_lru_crawler", at("flags.toml"));
        let server = Server::start("interplay-server", &flags);
        let [encrypted, plain, packets, mutual] = server.addresses[..] else { panic!("{:?}", server.addresses) };
        assert_eq!(server.datagrams.len(), 4, "one beside each");

        let mut watcher = client::connect(encrypted, &configuration);
        assert_eq!(watcher.ask("watch mutations"), "OK");
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(server.datagrams[3]).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.send(b"\0\x01\0\0\0\x01\0\0set a 0 0 1\r\n1\r\n").unwrap();
        let mut answer = [0; 100];
        let bytes = socket.recv(&mut answer).unwrap();
        assert_eq!(answer[8..bytes], *b"STORED\r\n");
        let line = watcher.line();
        assert!(line.contains(" key=a ") && line.contains(" status=stored "), "{line}");

        let mut observer = Client::connect(plain);
        assert_eq!(observer.get("a").as_deref(), Some("1"));
        let settings = observer.table("stats settings");
        let shown = |name: &str| settings.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        assert_eq!((shown("idle_timeout"), shown("lru_crawler")), (Some("9"), Some("no")));
        assert_eq!((shown("track_sizes"), shown("ssl_enabled")), (Some("yes"), Some("yes")));

        for (address, expected) in [
            (format!("btls:{encrypted}"), " answers: version 1.6.45"),
            (plain.to_string(), " answers: version 1.6.45"),
            (packets.to_string(), " answers: version 1.6.45"),
            (format!("-Z {mutual}"), " answers: it requires authentication"),
            (format!("btls:{mutual}"), " answers: it requires authentication"),
        ] {
            // The health check reads the same file, which has the certificates that -Z needs.
            let flags = match address.strip_prefix("-Z ") {
                Some(address) => format!("{address} --config {}", at("flags.toml")),
                None => address,
            };
            let (code, text) = ping(&flags);
            assert!(code == Some(0) && text.contains(expected), "{flags}: {text}");
        }
        let (code, text) = ping(&encrypted.to_string());
        assert_eq!(code, Some(1), "{text}");
    }
}

#[test]
fn a_server_with_logins_over_tls_is_healthy() {
    let (folder, root) = (Folder::new("interplay-logins"), Authority::new());
    let users = folder.0.join("users");
    fs::write(&users, "ann:secret\n").unwrap();
    let configuration = Arc::new(client::configuration(&root, None, client::EVERY_VERSION));
    let flags = root.flags_in(&folder.0);
    for threads in [1, 2] {
        let server = Server::start("interplay-logins-server", &format!("{flags} -Y {} -t {threads}", users.display()));
        let (code, text) = ping(&format!("btls:{}", server.address));
        assert!(code == Some(0) && text.ends_with("it requires authentication"), "{text}");
        let mut client = client::connect(server.address, &configuration);
        assert_eq!(client.ask("get a"), "CLIENT_ERROR unauthenticated");
        assert_eq!(client.set("login", "ann secret"), "STORED");
        assert_eq!(client.get("a"), None);
        #[cfg(unix)]
        {
            // One signal reloads both; connections keep their session and their login.
            let other = Authority::new();
            other.flags_in(&folder.0);
            fs::write(&users, "bob:hidden\n").unwrap();
            server.signal(nix::sys::signal::Signal::SIGHUP);
            let new = Arc::new(client::configuration(&other, None, client::EVERY_VERSION));
            let mut fresh = common::wait_for("the new certificate and the new user", || {
                use std::io::Write;
                let mut fresh = client::connect(server.address, &new);
                fresh.0.get_mut().write_all(b"set login 0 0 10\r\nbob hidden\r\n").ok()?;
                let mut line = String::new();
                std::io::BufRead::read_line(&mut fresh.0, &mut line).ok()?;
                (line == "STORED\r\n").then_some(fresh)
            });
            assert_eq!(fresh.set("a", "1"), "STORED");
            assert_eq!(client.get("a").as_deref(), Some("1"));
            fs::write(&users, "ann:secret\n").unwrap();
            root.flags_in(&folder.0);
        }
    }
}
