//! The floor: a bare event loop that examines only the first byte of each request and replies with a constant.
//!
//! No server that uses sockets can cost less; the distance to the floor is a server's own work.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use super::dataset::{Dataset, KEY_BYTES, key};
use super::workload::text::{set_tail, write_set};
use crate::outcome::{Outcome, ResultExt as _};

const LISTENER: Token = Token(usize::MAX);
const READ_BUFFER_BYTES: usize = 64 << 10;

/// Serves one kind of get and one kind of set on loopback until killed.
pub fn serve(port: u16, value_bytes: usize, keys_per_get: u32) -> Outcome<()> {
    let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).context("bind")?;
    let mut poll = Poll::new().context("epoll")?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE).context("epoll")?;
    let constants = Constants::new(value_bytes, keys_per_get);
    let (mut clients, mut events) = (Vec::new(), Events::with_capacity(1024));
    let mut buffer = vec![0; READ_BUFFER_BYTES];
    loop {
        poll.poll(&mut events, None).context("epoll")?;
        for event in &events {
            if event.token() == LISTENER {
                accept_all(&listener, &poll, &mut clients)?;
                continue;
            }
            let client: &mut Option<Client> = &mut clients[event.token().0];
            if client.as_mut().is_some_and(|client| !client.serve(&mut buffer, &constants)) {
                *client = None;
            }
        }
    }
}

/// Length of the only request of each kind, and its reply.
struct Constants {
    get_bytes: usize,
    get_reply: Vec<u8>,
    set_bytes: usize,
}

impl Constants {
    fn new(value_bytes: usize, keys_per_get: u32) -> Self {
        let dataset = Dataset::new(1, value_bytes);
        let item =
            [b"VALUE ", &key(0)[..], format!(" 0 {value_bytes}\r\n").as_bytes(), dataset.value(0), b"\r\n"].concat();
        let mut get_reply = item.repeat(keys_per_get as usize);
        get_reply.extend_from_slice(b"END\r\n");
        let mut set = Vec::new();
        write_set(&dataset, 0, &set_tail(value_bytes), &mut set);
        Self { get_bytes: 3 + keys_per_get as usize * (KEY_BYTES + 1) + 2, get_reply, set_bytes: set.len() }
    }

    fn of(&self, first_byte: u8) -> (usize, &[u8]) {
        match first_byte {
            b'g' => (self.get_bytes, &self.get_reply),
            b's' => (self.set_bytes, b"STORED\r\n"),
            // `version`, the benchmark's probe of a new server.
            _ => (9, b"VERSION floor\r\n"),
        }
    }
}

struct Client {
    stream: TcpStream,
    kind: u8,
    request_bytes: usize,
    out: Vec<u8>,
    sent: usize,
}

impl Client {
    /// Serves one event; returns false once the client has closed.
    fn serve(&mut self, buffer: &mut [u8], constants: &Constants) -> bool {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return false,
                Ok(bytes) => {
                    self.answer(&buffer[..bytes], constants);
                    if bytes < buffer.len() {
                        return self.flush();
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return self.flush(),
                Err(_) => return false,
            }
        }
    }

    fn answer(&mut self, mut bytes: &[u8], constants: &Constants) {
        while let Some(&first) = bytes.first() {
            if self.request_bytes == 0 {
                self.kind = first;
            }
            let (whole, reply) = constants.of(self.kind);
            let taken = bytes.len().min(whole - self.request_bytes);
            bytes = &bytes[taken..];
            self.request_bytes += taken;
            if self.request_bytes == whole {
                self.request_bytes = 0;
                self.out.extend_from_slice(reply);
            }
        }
    }

    fn flush(&mut self) -> bool {
        while self.sent < self.out.len() {
            match self.stream.write(&self.out[self.sent..]) {
                Ok(bytes) => self.sent += bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(_) => return false,
            }
        }
        self.out.clear();
        self.sent = 0;
        true
    }
}

fn accept_all(listener: &TcpListener, poll: &Poll, clients: &mut Vec<Option<Client>>) -> Outcome<()> {
    loop {
        let mut stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(format!("accept: {error}")),
        };
        stream.set_nodelay(true).context("TCP_NODELAY")?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut stream, Token(clients.len()), interest).context("epoll")?;
        clients.push(Some(Client { stream, kind: 0, request_bytes: 0, out: Vec::new(), sent: 0 }));
    }
}
