//! One encrypted connection: ciphertext of the socket on one side, plaintext of a guest's memory on the other.
//!
//! Its interface is that of a non-blocking socket. Between two events it holds an incomplete record of the input, and at most
//! one batch of output that the socket did not take. A batch counts as sent only as a whole: until then its plaintext stays
//! in the guest, which is the back-pressure. All other buffers belong to the worker ([`Scratch`]).

use super::TlsCounters;
use crate::limits::{INCOMING_BYTES_MAX, RECEIVED_BYTES_MAX, RECEIVES_WITHOUT_PLAINTEXT_MAX};
use mio::net::TcpStream;
use rustls::{
    HandshakeKind, ServerConfig,
    server::{ServerConnectionData, UnbufferedServerConnection},
    unbuffered::{ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus},
};
use std::{
    fmt,
    io::{self, ErrorKind, Read, Write},
    mem,
    sync::Arc,
};

/// Upper bound of what encryption adds to a batch: a header and a tag for each record, and messages of TLS itself.
const BATCH_OVERHEAD_BYTES: usize = 8 * 1024;
/// Longest closing alert.
const CLOSE_NOTIFY_BYTES_MAX: usize = 256;

/// Buffers that all connections of a worker share; empty until first use.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
}

/// See the module.
pub(crate) struct TlsStream {
    socket: TcpStream,
    session: UnbufferedServerConnection,
    counters: Arc<TlsCounters>,
    /// Ciphertext that is not decrypted yet: the beginning of a record, or more if the guest's window was too small.
    incoming: Vec<u8>,
    /// `incoming` may hold whole records.
    more: bool,
    /// The last receive emptied the socket.
    drained: bool,
    /// Plaintext for which the guest's window was too small.
    plaintext: Vec<u8>,
    /// Ciphertext that the socket did not take.
    outgoing: Vec<u8>,
    /// Bytes of the guest's output that are in `outgoing` and not reported as sent yet.
    sealed: usize,
    batch_bytes: usize,
    /// When it was accepted.
    since: u32,
    is_handshaking: bool,
    received_any: bool,
    /// Bytes received without plaintext since the last [`TlsStream::take_ciphertext_bytes`].
    ciphertext_bytes: usize,
    /// The peer has ended the session: there is no more input, even while its socket stays open.
    has_ended: bool,
    /// The peer has violated the protocol. The session must not be used again: it would panic.
    is_broken: bool,
}

impl fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream").field("socket", &self.socket).finish_non_exhaustive()
    }
}

/// The result of [`TlsStream::decrypt`].
struct Decrypted {
    consumed: usize,
    received: usize,
}

impl TlsStream {
    /// The server's side of `socket`, before the handshake.
    pub(super) fn new(
        socket: TcpStream,
        configuration: Arc<ServerConfig>,
        batch_bytes: usize,
        since: u32,
        counters: Arc<TlsCounters>,
    ) -> io::Result<Self> {
        Ok(Self {
            socket,
            session: UnbufferedServerConnection::new(configuration).map_err(io::Error::other)?,
            counters,
            incoming: Vec::new(),
            more: false,
            drained: false,
            plaintext: Vec::new(),
            outgoing: Vec::new(),
            sealed: 0,
            batch_bytes,
            since,
            is_handshaking: true,
            received_any: false,
            ciphertext_bytes: 0,
            has_ended: false,
            is_broken: false,
        })
    }

    /// The TCP socket.
    pub(crate) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// The TCP socket.
    pub(crate) fn socket_mut(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    /// When the connection was accepted, if its handshake is not finished.
    pub(crate) fn handshaking_since(&self) -> Option<u32> {
        self.is_handshaking.then_some(self.since)
    }

    /// Whether the last receive left no input, neither here nor in the socket.
    pub(crate) fn is_drained(&self) -> bool {
        self.drained && !self.more && self.plaintext.is_empty() && !self.has_ended
    }

    /// Whether there is output besides the guest's.
    pub(crate) fn has_unsent(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Bytes that receives without plaintext have received since the last call.
    pub(crate) fn take_ciphertext_bytes(&mut self) -> usize {
        mem::take(&mut self.ciphertext_bytes)
    }

    /// Whether a part of a record waits for the rest.
    pub(crate) fn has_partial_record(&self) -> bool {
        !self.incoming.is_empty()
    }

    /// Receives plaintext, as a socket does.
    ///
    /// # Errors
    /// The socket's; `InvalidData` if the peer violates the protocol.
    pub(crate) fn receive(&mut self, window: &mut [u8], scratch: &mut Scratch) -> io::Result<usize> {
        if !self.flush()? {
            return Err(ErrorKind::WouldBlock.into());
        }
        if self.is_broken {
            return Err(ErrorKind::BrokenPipe.into());
        }
        // The socket may have more input by now.
        self.drained = false;
        if !self.plaintext.is_empty() {
            let fits = self.plaintext.len().min(window.len());
            window[..fits].copy_from_slice(&self.plaintext[..fits]);
            self.plaintext = self.plaintext.split_off(fits);
            return Ok(fits);
        }
        if self.has_ended {
            return Ok(0);
        }
        scratch.incoming.resize(INCOMING_BYTES_MAX, 0);
        let buffer = &mut scratch.incoming[..];
        let held = mem::take(&mut self.incoming);
        let Some(place) = buffer.get_mut(..held.len()) else { return Err(broken("a message without end")) };
        place.copy_from_slice(&held);
        let (mut start, mut end) = (0, held.len());
        let result = self.receive_into(window, buffer, &mut start, &mut end);
        self.incoming = buffer[start..end].to_vec();
        self.count(&result);
        result
    }

    /// Sends plaintext, as a socket does. The next call must start with the unsent rest, unchanged.
    ///
    /// # Errors
    /// The socket's.
    pub(crate) fn send(&mut self, output: &[u8], scratch: &mut Scratch) -> io::Result<usize> {
        if !self.flush()? {
            return Err(ErrorKind::WouldBlock.into());
        }
        if self.is_broken {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let mut sent = mem::take(&mut self.sealed).min(output.len());
        while sent < output.len() {
            let batch = &output[sent..output.len().min(sent + self.batch_bytes)];
            let bytes = self.encrypt(batch, scratch)?;
            let sealed = &scratch.outgoing[..bytes];
            if self.outgoing.is_empty() {
                let taken = write(&mut self.socket, sealed)?;
                self.outgoing.extend_from_slice(&sealed[taken..]);
            } else {
                self.outgoing.extend_from_slice(sealed);
                self.flush()?;
            }
            if self.has_unsent() {
                self.sealed = batch.len();
                break;
            }
            sent += batch.len();
        }
        Ok(sent)
    }

    /// Sends the closing alert, if the socket takes it at once.
    pub(crate) fn end(&mut self) {
        if self.has_unsent() || self.is_handshaking || self.is_broken {
            return;
        }
        let mut close_notify = [0; CLOSE_NOTIFY_BYTES_MAX];
        let status = self.session.process_tls_records(&mut self.incoming);
        if let Ok(ConnectionState::WriteTraffic(mut traffic)) = status.state
            && let Ok(bytes) = traffic.queue_close_notify(&mut close_notify)
        {
            // The peer may be gone.
            let _ = write(&mut self.socket, &close_notify[..bytes]);
        }
    }

    /// Decrypts `buffer[start..end]` and receives more, until there is plaintext or the socket is empty.
    fn receive_into(
        &mut self,
        window: &mut [u8],
        buffer: &mut [u8],
        start: &mut usize,
        end: &mut usize,
    ) -> io::Result<usize> {
        for _ in 0..RECEIVES_WITHOUT_PLAINTEXT_MAX {
            if !mem::take(&mut self.more) {
                let room_end = buffer.len().min(*end + RECEIVED_BYTES_MAX);
                let room = &mut buffer[*end..room_end];
                if room.is_empty() {
                    return Err(broken("a message without end"));
                }
                let bytes = self.socket.read(room)?;
                if bytes == 0 {
                    return Ok(0);
                }
                self.drained = bytes < room.len();
                self.received_any = true;
                self.ciphertext_bytes += bytes;
                *end += bytes;
            }
            let opened = self.decrypt(&mut buffer[*start..*end], window);
            // A message of the handshake, or the alert for its failure.
            let flushed = self.flush();
            let opened = opened?;
            flushed?;
            *start += opened.consumed;
            if opened.received > 0 || self.has_ended {
                return Ok(opened.received);
            }
        }
        // Much ciphertext without plaintext: other connections have their turn first.
        Err(ErrorKind::Interrupted.into())
    }

    /// Decrypts whole records into `window`, until it is full or there are no more.
    fn decrypt(&mut self, records: &mut [u8], window: &mut [u8]) -> io::Result<Decrypted> {
        let mut opened = Decrypted { consumed: 0, received: 0 };
        while !self.has_ended {
            let UnbufferedStatus { mut discard, state } =
                self.session.process_tls_records(&mut records[opened.consumed..]);
            let mut waits = false;
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record.map_err(broken)?;
                        discard += record.discard;
                        let free = &mut window[opened.received..];
                        let (fits, rest) = record.payload.split_at(record.payload.len().min(free.len()));
                        free[..fits.len()].copy_from_slice(fits);
                        self.plaintext.extend_from_slice(rest);
                        opened.received += fits.len();
                    }
                }
                Ok(ConnectionState::EncodeTlsData(data)) => encode(data, &mut self.outgoing),
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed | ConnectionState::Closed) => self.has_ended = true,
                // Every other state waits for input.
                Ok(_) => waits = true,
                Err(error) => {
                    self.take_alert(&mut records[opened.consumed + discard..]);
                    return Err(broken(error));
                }
            }
            opened.consumed += discard;
            if waits {
                break;
            }
            if opened.received == window.len() {
                self.more = true;
                break;
            }
        }
        self.note_handshake();
        Ok(opened)
    }

    /// After an error: queues the alert for the peer.
    fn take_alert(&mut self, records: &mut [u8]) {
        self.is_broken = true;
        if self.session.wants_write()
            && let Ok(ConnectionState::EncodeTlsData(data)) = self.session.process_tls_records(records).state
        {
            encode(data, &mut self.outgoing);
        }
    }

    /// Encrypts all of `batch` into the scratch buffer. Output that must precede it is left in `outgoing`.
    fn encrypt(&mut self, batch: &[u8], scratch: &mut Scratch) -> io::Result<usize> {
        loop {
            let UnbufferedStatus { mut discard, state } = self.session.process_tls_records(&mut self.incoming);
            let mut sealed = None;
            match state {
                Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                    scratch.outgoing.resize(scratch.outgoing.len().max(self.batch_bytes + BATCH_OVERHEAD_BYTES), 0);
                    match traffic.encrypt(batch, &mut scratch.outgoing) {
                        Ok(bytes) => sealed = Some(bytes),
                        Err(EncryptError::InsufficientSize(more)) => scratch.outgoing.resize(more.required_size, 0),
                        Err(error) => return Err(broken(error)),
                    }
                }
                // Input that arrived while the guest's output was waiting.
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record.map_err(broken)?;
                        discard += record.discard;
                        self.plaintext.extend_from_slice(record.payload);
                    }
                }
                Ok(ConnectionState::EncodeTlsData(data)) => encode(data, &mut self.outgoing),
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed) => self.has_ended = true,
                Ok(_) => return Err(ErrorKind::BrokenPipe.into()),
                Err(error) => {
                    self.is_broken = true;
                    TlsCounters::count(&self.counters.protocol_errors);
                    return Err(broken(error));
                }
            }
            self.incoming.drain(..discard);
            if let Some(bytes) = sealed {
                return Ok(bytes);
            }
        }
    }

    /// Sends waiting output; true if the socket took all of it.
    fn flush(&mut self) -> io::Result<bool> {
        if !self.outgoing.is_empty() {
            let taken = write(&mut self.socket, &self.outgoing)?;
            self.outgoing.drain(..taken);
            if self.outgoing.is_empty() {
                self.outgoing = Vec::new();
            }
        }
        Ok(self.outgoing.is_empty())
    }

    /// Notices the end of the handshake.
    fn note_handshake(&mut self) {
        if self.is_handshaking && !self.session.is_handshaking() {
            self.is_handshaking = false;
            if self.session.handshake_kind() != Some(HandshakeKind::Resumed) {
                TlsCounters::count(&self.counters.new_sessions);
            }
        }
    }

    /// Counts errors of the handshake and of the protocol.
    fn count(&self, result: &io::Result<usize>) {
        let ended = match result {
            Ok(received) => *received == 0,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        };
        // A probe that connects and closes is no error.
        if ended && self.is_handshaking && self.received_any {
            TlsCounters::count(&self.counters.handshake_errors);
        } else if !self.is_handshaking && result.as_ref().is_err_and(|error| error.kind() == ErrorKind::InvalidData) {
            TlsCounters::count(&self.counters.protocol_errors);
        }
    }
}

/// Writes as much as the socket takes, which may be nothing.
fn write(socket: &mut TcpStream, bytes: &[u8]) -> io::Result<usize> {
    let mut taken = 0;
    while taken < bytes.len() {
        match socket.write(&bytes[taken..]) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(more) => taken += more,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(taken)
}

/// Appends a message of the handshake.
fn encode(mut data: EncodeTlsData<'_, ServerConnectionData>, out: &mut Vec<u8>) {
    let start = out.len();
    if let Err(EncodeError::InsufficientSize(needed)) = data.encode(&mut []) {
        out.resize(start + needed.required_size, 0);
        let written = data.encode(&mut out[start..]).unwrap_or(0);
        out.truncate(start + written);
    }
}

/// The error of a peer that violates the protocol.
fn broken(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why)
}
