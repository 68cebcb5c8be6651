//! A client's socket.

use super::{
    registry::Entry,
    tls::{Scratch, TlsStream},
};
use crate::options::Security;
use mio::{Interest, Registry, Token};
use std::{
    io::{self, Read, Write},
    sync::Arc,
};
use wasmcached_core::boundary::config::Binding;

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
    pub(crate) fn handshaking_since(&self) -> Option<u32> {
        match self {
            Self::Tls(stream) => stream.handshaking_since(),
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
