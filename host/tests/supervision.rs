//! The service manager: sockets that it passes, and the states that it receives.
#![cfg(unix)]

mod common;

use common::{Client, Folder, PATIENCE, port_in, program, wait_for};
use nix::sys::signal::{Signal, kill};
use std::{
    io::{Read, Write},
    net::TcpListener,
    os::{
        fd::OwnedFd,
        unix::net::{UnixDatagram, UnixListener, UnixStream},
    },
    process::{Child, Command, Stdio},
};

/// Starts the program with `socket` as descriptor 3, as a service manager does.
fn start(socket: OwnedFd, flags: &str) -> Child {
    let script = format!("exec \"$0\" {flags} 3<&0 0</dev/null");
    let mut command = Command::new("sh");
    command.args(["-c", &script]).arg(program()).env("LISTEN_FDS", "1").stdin(socket).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn stop(child: Child) -> String {
    kill(nix::unistd::Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
    let output = child.wait_with_output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{log}");
    log
}

#[test]
fn a_passed_port_is_served() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    // The first client connects before the server starts.
    let mut early = Client::connect(address);
    early.send("version\r\n");
    let child = start(socket.into(), "-p 1 -l 192.0.2.1");
    assert_eq!(early.line(), "VERSION 1.6.45");
    let mut client = Client::connect(address);
    assert_eq!(client.set("a", "1"), "STORED");
    let log = stop(child);
    assert!(log.contains(&format!("listening on tcp:{address}")), "{log}");
}

#[test]
fn a_passed_unix_socket_is_not_removed() {
    let folder = Folder::new("passed");
    let path = folder.0.join("socket");
    let child = start(UnixListener::bind(&path).unwrap().into(), "");
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"version\r\nquit\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert_eq!(text, "VERSION 1.6.45\r\n");
    let log = stop(child);
    assert!(log.contains(&format!("listening on unix:{}", path.display())) && path.exists(), "{log}");
}

#[test]
fn a_passed_udp_socket_is_rejected() {
    let folder = Folder::new("datagram");
    let child = start(UnixDatagram::bind(folder.0.join("socket")).unwrap().into(), "");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(71));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("number 0 of the sockets in LISTEN_FDS is neither TCP nor a stream"), "{text}");
}

#[test]
fn sockets_for_another_process_are_ignored() {
    let folder = Folder::new("other-process");
    let ports = folder.0.join("ports");
    let mut command = Command::new(program());
    command.args(["-p", "-1"]).env("MEMCACHED_PORT_FILENAME", &ports).env("LISTEN_FDS", "1").env("LISTEN_PID", "1");
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    wait_for("the port", || ports.exists().then_some(()));
    let text = std::fs::read_to_string(&ports).unwrap();
    assert_eq!(Client::connect(([127, 0, 0, 1], port_in(&text)).into()).ask("version"), "VERSION 1.6.45");
    stop(child);
}

#[cfg(target_os = "linux")]
#[test]
fn the_manager_receives_the_states() {
    let folder = Folder::new("notify");
    let path = folder.0.join("socket");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let next_state = || {
        let mut bytes = [0; 1000];
        let length = manager.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    };
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let script = "exec \"$0\" 3<&0 0</dev/null";
    let mut command = Command::new("sh");
    command
        .args(["-c", script])
        .arg(program())
        .env("LISTEN_FDS", "1")
        .env("NOTIFY_SOCKET", &path)
        .stdin(OwnedFd::from(socket));
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    assert_eq!(next_state().trim_end(), "READY=1");
    assert_eq!(Client::connect(address).ask("version"), "VERSION 1.6.45");
    kill(nix::unistd::Pid::from_raw(child.id() as i32), Signal::SIGHUP).unwrap();
    let reloading = next_state();
    assert!(reloading.contains("RELOADING=1") && reloading.contains("MONOTONIC_USEC="), "{reloading}");
    assert_eq!(next_state().trim_end(), "READY=1");
    stop(child);
    assert_eq!(next_state().trim_end(), "STOPPING=1");
}
