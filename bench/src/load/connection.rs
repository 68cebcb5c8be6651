//! One client connection: unsent bytes, requests that await replies, the reader of replies.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mio::net::TcpStream;
use rustls::ClientConfig;

use super::replies::{Done, ReplyReader, Shape};
use super::workload::{Expected, RequestWriter};
use crate::outcome::{Outcome, ResultExt as _};
use crate::tls::Session;

/// An open loop delays the next request while a connection awaits this many replies.
const OPEN_REQUESTS_MAX: usize = 256;

/// An open loop also waits while the kernel has not accepted this many bytes of requests.
const UNSENT_BYTES_MAX: usize = 4 << 20;

/// A server that accepts nothing for so long ends the benchmark.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// A connected, non-blocking client.
#[derive(Debug)]
pub struct Connection {
    /// The socket, for registration.
    pub stream: TcpStream,
    tls: Option<Session>,
    out: Vec<u8>,
    sent: usize,
    expected: VecDeque<Expected>,
    reader: ReplyReader,
}

impl Connection {
    /// Connects and completes the handshakes of TCP and, with `tls`, of TLS.
    pub fn open(address: SocketAddr, tls: Option<&Arc<ClientConfig>>) -> Outcome<Self> {
        let mut stream = std::net::TcpStream::connect_timeout(&address, CONNECT_TIMEOUT).context("connect")?;
        stream.set_nodelay(true).context("TCP_NODELAY")?;
        let tls = tls.map(|config| Session::open(config, &mut stream)).transpose()?;
        stream.set_nonblocking(true).context("non-blocking")?;
        Ok(Self {
            stream: TcpStream::from_std(stream),
            tls,
            out: Vec::new(),
            sent: 0,
            expected: VecDeque::new(),
            reader: ReplyReader::default(),
        })
    }

    /// Writes `requests` requests into the buffer; [`Self::flush`] sends them.
    pub fn queue(&mut self, requests: u32, due_ns: u64, writer: &mut RequestWriter<'_>) {
        for _ in 0..requests {
            let expected = writer.write(due_ns, &mut self.out);
            self.expected.push_back(expected);
        }
    }

    /// Whether every request has been answered.
    pub fn is_idle(&self) -> bool {
        self.expected.is_empty()
    }

    /// Whether an open loop may queue one more round.
    pub fn has_room(&self) -> bool {
        self.expected.len() < OPEN_REQUESTS_MAX && self.out.len() - self.sent < UNSENT_BYTES_MAX
    }

    /// Sends as much as the kernel accepts.
    pub fn flush(&mut self) -> Outcome<()> {
        loop {
            match self.send_some() {
                Ok(0) => break,
                Ok(bytes) => self.sent += bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(format!("send: {error}")),
            }
        }
        self.out.clear();
        self.sent = 0;
        Ok(())
    }

    /// Sends some of the unsent bytes; returns 0 if there are none.
    fn send_some(&mut self) -> std::io::Result<usize> {
        let left = &self.out[self.sent..];
        match &mut self.tls {
            Some(session) if left.is_empty() => session.push(&mut self.stream).map(|()| 0),
            Some(session) => session.send(left, &mut self.stream),
            None if left.is_empty() => Ok(0),
            None => self.stream.write(left),
        }
    }

    /// Reads and checks what arrived. A read that does not fill `buffer` has emptied the socket, so an event usually
    /// costs one `recv`.
    pub fn receive(&mut self, buffer: &mut [u8], shape: &Shape<'_>, mut done: impl FnMut(Done)) -> Outcome<()> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return Err("the server closed the connection".into()),
                Ok(bytes) => {
                    let (reader, expected) = (&mut self.reader, &mut self.expected);
                    let mut feed = |plain: &[u8]| reader.feed(plain, shape, expected, &mut done);
                    match &mut self.tls {
                        Some(session) => session.receive(&buffer[..bytes], feed)?,
                        None => feed(&buffer[..bytes])?,
                    }
                    if bytes < buffer.len() {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(format!("receive: {error}")),
            }
        }
    }
}
