//! The ends of connections: clients read every answer, and then the end of the stream, even if the server closes first. A
//! reset would destroy answers that a client has not read yet, and shows here as an error of the read.

mod common;

use common::{Client, PATIENCE, Server, to_end};
use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
};

/// Bytes that a client sends behind the request after which the server closes.
const BEHIND_BYTES: usize = 1 << 20;

/// The answers to a client that sends `before`, and [`BEHIND_BYTES`] more that have no answer.
fn answers(client: &Client, before: &[u8]) -> Vec<u8> {
    let stream = client.0.get_ref();
    let mut sender = stream.try_clone().unwrap();
    let request = [before, &vec![b'x'; BEHIND_BYTES]].concat();
    // The server may close before it has received everything.
    let sending = std::thread::spawn(move || sender.write_all(&request));
    let answers = to_end(stream);
    // Ends a send that still waits.
    let _ = stream.shutdown(Shutdown::Both);
    let _ = sending.join().unwrap();
    answers
}

#[test]
fn quit_with_input_behind_it_destroys_no_answer() {
    let value = "v".repeat(100_000);
    let answer = format!("VALUE big 0 {}\r\n{value}\r\nEND\r\n", value.len());
    for flags in ["-t 1", "-t 2"] {
        let server = Server::start("quit", flags);
        let mut client = server.client();
        assert_eq!(client.set("big", &value), "STORED");
        let expected = answer.repeat(30);
        for round in 0..20 {
            let got = answers(&server.client(), ("get big\r\n".repeat(30) + "quit\r\n").as_bytes());
            assert!(got == expected.as_bytes(), "{flags}, round {round}: {} of {} bytes", got.len(), expected.len());
        }
        assert_eq!(client.statistic("curr_connections"), "1", "{flags}");
    }
}

#[test]
fn what_ends_a_conversation_destroys_no_answer() {
    let noop: Vec<u8> = [0x80, 0x0a].into_iter().chain([0; 22]).collect();
    let noop_answer: Vec<u8> = [0x81, 0x0a].into_iter().chain([0; 22]).collect();
    let quit: Vec<u8> = [0x80, 0x07].into_iter().chain([0; 22]).collect();
    let quit_answer: Vec<u8> = [0x81, 0x07].into_iter().chain([0; 22]).collect();
    let cases: [(&str, Vec<u8>, Vec<u8>); 3] = [
        ("a line without end", b"version\r\n".to_vec(), b"VERSION 1.6.45\r\n".to_vec()),
        ("bytes that are no packet", noop.clone(), noop_answer.clone()),
        ("quit in a packet", [noop, quit].concat(), [noop_answer, quit_answer].concat()),
    ];
    let server = Server::start("errors", "-t 2");
    for (what, before, expected) in cases {
        for round in 0..20 {
            let got = answers(&server.client(), &before);
            assert!(got == expected, "{what}, round {round}: {}", got.escape_ascii());
        }
    }
}

#[test]
fn the_refusal_above_the_limit_arrives() {
    let server = Server::start("refused", "-c 1 -t 2");
    let mut served = server.client();
    assert_eq!(served.ask("version"), "VERSION 1.6.45");
    for round in 0..20 {
        let got = answers(&server.client(), b"version\r\n");
        assert_eq!(got.escape_ascii().to_string(), r"ERROR Too many open connections\r\n", "round {round}");
    }
    assert_eq!(served.statistic("rejected_connections"), "20");
}

/// Each client that ends with input behind it is closed for good after a while: it holds nothing of the server.
#[cfg(target_os = "linux")]
#[test]
fn clients_that_never_close_are_forgotten() {
    let server = Server::start("forgotten", "-t 2");
    let descriptors = || std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count();
    let mut observer = server.client();
    assert_eq!(observer.ask("version"), "VERSION 1.6.45");
    let before = descriptors();
    let stayed: Vec<_> = (0..500)
        .map(|_| {
            let mut client = server.client();
            client.send("version\r\nquit\r\nmore");
            assert_eq!(client.line(), "VERSION 1.6.45");
            client
        })
        .collect();
    common::wait_for("the ends", || (observer.statistic("curr_connections") == "1").then_some(()));
    common::wait_for("their sockets", || (descriptors() == before).then_some(()));
    drop(stayed);
}

#[cfg(unix)]
mod unix {
    use super::{
        common::{Folder, Process, program, wait_for},
        *,
    };
    use nix::sys::signal::Signal;
    use std::{
        io::ErrorKind,
        os::unix::net::UnixStream,
        process::{Command, Stdio},
        sync::atomic::{AtomicBool, AtomicUsize, Ordering},
        time::{Duration, Instant},
    };

    /// Requests of a pipeline.
    const REQUESTS: usize = 5000;

    fn set(number: usize) -> String {
        format!("set key{number} 0 0 100\r\n{number:0>100}\r\n")
    }

    fn pipeline() -> String {
        (0..REQUESTS).map(set).collect()
    }

    /// The server is stopped before it has received anything of what the clients sent, so each case is the same each time.
    #[test]
    fn a_stop_answers_everything_that_was_sent() {
        for flags in ["-t 1", "-t 4"] {
            let server = Server::start("sent", flags);
            let mut clients: Vec<_> = (0..8).map(|_| server.client()).collect();
            for client in &mut clients {
                assert_eq!(client.ask("version"), "VERSION 1.6.45");
            }
            server.signal(Signal::SIGSTOP);
            for client in &mut clients {
                client.send(pipeline());
            }
            // These are not accepted yet.
            clients.extend((0..4).map(|_| {
                let mut client = server.client();
                client.send(pipeline());
                client
            }));
            server.signal(Signal::SIGTERM);
            server.signal(Signal::SIGCONT);
            for (number, client) in clients.iter().enumerate() {
                let got = to_end(client.0.get_ref());
                assert_eq!(got.len(), REQUESTS * "STORED\r\n".len(), "{flags}, client {number}");
                assert!(got.chunks(8).all(|answer| answer == b"STORED\r\n"), "{flags}, client {number}");
            }
            drop(clients);
            assert!(server.wait().success(), "{flags}");
        }
    }

    /// Clients send without a pause when the signal comes, and some go on.
    #[test]
    fn a_stop_in_the_middle_of_pipelines_resets_nobody() {
        for round in 0..6 {
            let flags = ["-t 1", "-t 4"][round % 2];
            let server = Server::start("middle", flags);
            let (stopped, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
            std::thread::scope(|scope| {
                let clients: Vec<_> = (0..6)
                    .map(|_| {
                        let stream = server.client().0.into_inner();
                        // The systems hold no more than a busy machine answers in a moment.
                        socket2::SockRef::from(&stream).set_send_buffer_size(64 << 10).unwrap();
                        let sent = std::sync::Arc::new(AtomicUsize::new(0));
                        let (mut sender, counter) = (stream.try_clone().unwrap(), std::sync::Arc::clone(&sent));
                        let stopped = &stopped;
                        scope.spawn(move || {
                            for first in (0..2 * REQUESTS).step_by(50) {
                                let requests: String =
                                    (first..first + 50).map(|number| set(number % REQUESTS)).collect();
                                if sender.write_all(requests.as_bytes()).is_err() {
                                    break;
                                }
                                if !stopped.load(Ordering::SeqCst) {
                                    counter.fetch_add(50, Ordering::SeqCst);
                                }
                            }
                        });
                        let answered = &answered;
                        let reading = scope.spawn(move || {
                            let mut got = Vec::new();
                            let mut buffer = [0; 4096];
                            loop {
                                match (&stream).read(&mut buffer) {
                                    Ok(0) => break,
                                    Ok(bytes) => {
                                        got.extend_from_slice(&buffer[..bytes]);
                                        answered.fetch_add(bytes / 8, Ordering::Relaxed);
                                    }
                                    Err(error) => panic!("after {} bytes: {error}", got.len()),
                                }
                            }
                            let _ = stream.shutdown(Shutdown::Both);
                            got
                        });
                        (sent, reading)
                    })
                    .collect();
                wait_for("answers", || (answered.load(Ordering::Relaxed) > 2000 * (round + 1)).then_some(()));
                stopped.store(true, Ordering::SeqCst);
                let sent: Vec<_> = clients.iter().map(|(sent, _)| sent.load(Ordering::SeqCst)).collect();
                server.signal(Signal::SIGTERM);
                for ((_, reading), sent) in clients.into_iter().zip(sent) {
                    let got = reading.join().unwrap();
                    assert!(got.len() % 8 == 0 && got.chunks(8).all(|answer| answer == b"STORED\r\n"), "{flags}");
                    assert!(got.len() / 8 >= sent, "{flags}: {} of {sent} requests are answered", got.len() / 8);
                }
            });
            assert!(server.wait().success(), "{flags}");
        }
    }

    /// A client that sends an item byte by byte: the stop waits for it, for a bounded time.
    fn slow_upload(server: &Server) -> Client {
        let mut client = server.client();
        assert_eq!(client.ask("version"), "VERSION 1.6.45");
        client.send("set slow 0 0 1000000\r\nx");
        client
    }

    #[test]
    fn nobody_can_connect_while_the_server_stops() {
        let server = Server::start("refusing", "-t 2");
        let mut slow = slow_upload(&server);
        server.signal(Signal::SIGTERM);
        // A client that is just connecting when the listener closes is reset. All others are refused.
        wait_for("the refusal", || {
            slow.send("x");
            TcpStream::connect(server.address).err().filter(|error| error.kind() == ErrorKind::ConnectionRefused)
        });
        drop(slow);
        assert!(server.wait().success());
    }

    #[test]
    fn a_second_signal_ends_a_stop_at_once() {
        let mut durations = [Duration::ZERO; 2];
        for (signals, duration) in durations.iter_mut().enumerate() {
            let server = Server::start("twice", "-t 2 -v");
            let mut slow = slow_upload(&server);
            let begun = Instant::now();
            server.signal(Signal::SIGTERM);
            server.wait_for_log("stopping: requested by SIGTERM");
            if signals == 1 {
                server.signal(Signal::SIGINT);
                server.wait_for_log("stopping at once: requested by SIGINT");
            }
            let stream = slow.0.get_mut();
            stream.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
            let is_open = |stream: &mut TcpStream| match stream.read(&mut [0]) {
                Ok(bytes) => bytes > 0,
                Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
            };
            // While bytes arrive, a stop by one signal waits for the rest of the request.
            while is_open(stream) {
                assert!(begun.elapsed() < PATIENCE);
                let _ = stream.write_all(b"x");
            }
            *duration = begun.elapsed();
            drop(slow);
            assert!(server.wait().success());
        }
        assert!(durations[1] < durations[0], "{durations:?}");
    }

    #[test]
    fn unix_sockets_end_in_order_too() {
        let folder = Folder::new("ending");
        let path = folder.0.join("socket");
        let mut server = Process(
            Command::new(program()).arg("-s").arg(&path).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap(),
        );
        for round in 0..20 {
            let stream = wait_for("the socket", || UnixStream::connect(&path).ok());
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut sender = stream.try_clone().unwrap();
            let request = ["version\r\n".repeat(1000).as_bytes(), b"quit\r\n", &vec![b'x'; BEHIND_BYTES]].concat();
            let sending = std::thread::spawn(move || sender.write_all(&request));
            let mut got = Vec::new();
            (&stream)
                .read_to_end(&mut got)
                .unwrap_or_else(|error| panic!("round {round}: {} bytes, {error}", got.len()));
            assert!(got == b"VERSION 1.6.45\r\n".repeat(1000), "round {round}: {} bytes", got.len());
            let _ = stream.shutdown(Shutdown::Both);
            let _ = sending.join().unwrap();
        }
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(server.0.id() as i32), Signal::SIGTERM).unwrap();
        assert!(server.0.wait().unwrap().success());
    }
}
