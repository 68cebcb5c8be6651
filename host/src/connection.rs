//! A client's socket and the little state that the host keeps of it.

use crate::{
    options::Security,
    registry::Entry,
    tls::{Scratch, TlsStream},
};
use mio::{Interest, Registry, Token};
use std::{
    io::{self, Read, Write},
    sync::Arc,
};
use wasmcached_core::boundary::{config::Binding, host::ConnectionState};

/// A connected socket of either family.
#[derive(Debug)]
pub(crate) enum Socket {
    /// TCP.
    Tcp(mio::net::TcpStream),
    /// A stream over a socket in the file system.
    #[cfg(unix)]
    Unix(mio::net::UnixStream),
    /// TCP, encrypted.
    Tls(Box<TlsStream>),
}

impl Socket {
    /// Receives what is there, at most the whole buffer.
    #[inline]
    pub(crate) fn receive(&mut self, buffer: &mut [u8], scratch: &mut Scratch) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            #[cfg(unix)]
            Self::Unix(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.receive(buffer, scratch),
        }
    }

    /// Whether the last receive, of `received` bytes where `asked` had place, left nothing behind.
    #[inline]
    pub(crate) fn is_drained(&self, received: usize, asked: usize) -> bool {
        match self {
            Self::Tls(stream) => stream.is_drained(),
            _ => received < asked,
        }
    }

    /// Sends as much as the socket takes. The rest has to come again, unchanged.
    #[inline]
    pub(crate) fn send(&mut self, bytes: &[u8], scratch: &mut Scratch) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            #[cfg(unix)]
            Self::Unix(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.send(bytes, scratch),
        }
    }

    /// Whether it has something of its own to send, which it does at the next receive.
    pub(crate) fn has_unsent(&self) -> bool {
        matches!(self, Self::Tls(stream) if stream.has_unsent())
    }

    /// When it was accepted, if its sides are still agreeing on how to talk.
    pub(crate) fn opening_since(&self) -> Option<u32> {
        match self {
            Self::Tls(stream) => stream.opening_since(),
            _ => None,
        }
    }

    /// Says goodbye, where that is the custom.
    pub(crate) fn end(&mut self) {
        if let Self::Tls(stream) = self {
            stream.end();
        }
    }

    /// Asks for all events of this socket, once and for all.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let interests = Interest::READABLE | Interest::WRITABLE;
        match self {
            Self::Tcp(stream) => registry.register(stream, token, interests),
            #[cfg(unix)]
            Self::Unix(stream) => registry.register(stream, token, interests),
            Self::Tls(stream) => registry.register(stream.socket_mut(), token, interests),
        }
    }

    /// A small number that names the socket.
    pub(crate) fn descriptor(&self) -> u32 {
        #[cfg(unix)]
        {
            use std::os::fd::AsRawFd;
            match self {
                Self::Tcp(stream) => stream.as_raw_fd() as u32,
                Self::Unix(stream) => stream.as_raw_fd() as u32,
                Self::Tls(stream) => stream.socket().as_raw_fd() as u32,
            }
        }
        #[cfg(windows)]
        {
            use std::os::windows::io::AsRawSocket;
            match self {
                Self::Tcp(stream) => stream.as_raw_socket() as u32,
                Self::Tls(stream) => stream.socket().as_raw_socket() as u32,
            }
        }
    }
}

/// A socket on its way from the listener to a worker.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) socket: Socket,
    /// How it is to be protected.
    pub(crate) security: Security,
    /// What it is to speak, if its listener says so.
    pub(crate) binding: Option<Binding>,
    pub(crate) entry: Arc<Entry>,
}

/// A client that a worker serves.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) socket: Socket,
    /// The front's number for it.
    pub(crate) guest: u32,
    flags: u8,
    pub(crate) entry: Arc<Entry>,
}

/// What is known of a connection between two events.
#[derive(Clone, Copy)]
pub(crate) enum Flag {
    /// The socket may have something to receive.
    Readable = 1,
    /// The peer has closed or reset: receive until the end is read.
    HungUp = 2,
    /// The socket did not take all of the output.
    Writing = 4,
    /// The guest has more to do without reading.
    More = 8,
    /// The guest holds a part of a request.
    Partial = 16,
    /// In the worker's ready queue.
    Queued = 32,
    /// Is shown what happens.
    Watching = 64,
}

impl Connection {
    /// A connection that has not said anything yet.
    pub(crate) fn new(socket: Socket, guest: u32, entry: Arc<Entry>) -> Self {
        Self { socket, guest, flags: 0, entry }
    }

    /// Whether `flag` is set.
    #[inline]
    pub(crate) fn is(&self, flag: Flag) -> bool {
        self.flags & flag as u8 != 0
    }

    /// Sets or clears `flag`.
    #[inline]
    pub(crate) fn set(&mut self, flag: Flag, value: bool) {
        if value {
            self.flags |= flag as u8;
        } else {
            self.flags &= !(flag as u8);
        }
    }

    /// Tells the registry what the connection is doing.
    #[inline]
    pub(crate) fn publish(&self) {
        self.entry.set_state(if self.is(Flag::Watching) {
            ConnectionState::Watching
        } else if self.is(Flag::Writing) {
            ConnectionState::Writing
        } else if self.is(Flag::Partial) {
            ConnectionState::Reading
        } else {
            ConnectionState::Waiting
        });
    }
}

/// Ten thousand idle connections are cheap.
const _: () = assert!(size_of::<Connection>() <= 64 && size_of::<Entry>() <= 128);
