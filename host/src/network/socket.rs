//! A client's socket.

use super::{
    registry::RegistryEntry,
    tls::{Scratch, TlsStream},
};
use crate::{options::Security, system::sockets};
use mio::{Interest, Registry, Token, event::Source};
use std::{
    io::{self, Read, Write},
    net::Shutdown,
    sync::Arc,
};
use wasmcached_core::boundary::config::Binding;

/// A connected socket of either family.
#[derive(Debug)]
pub(crate) enum Socket {
    /// TCP.
    Tcp(mio::net::TcpStream),
    /// A Unix socket.
    #[cfg(unix)]
    Unix(mio::net::UnixStream),
    /// TCP with TLS.
    Tls(Box<TlsStream>),
}

impl Socket {
    /// Receives at most the whole buffer.
    #[inline]
    pub(crate) fn receive(&mut self, buffer: &mut [u8], scratch: &mut Scratch) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            #[cfg(unix)]
            Self::Unix(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.receive(buffer, scratch),
        }
    }

    /// Whether the last receive, of `received` bytes into a buffer of `asked`, has emptied the socket.
    #[inline]
    pub(crate) fn is_drained(&self, received: usize, asked: usize) -> bool {
        match self {
            Self::Tls(stream) => stream.is_drained(),
            _ => received < asked,
        }
    }

    /// Sends as much as the socket takes. The next call must start with the rest, unchanged.
    #[inline]
    pub(crate) fn send(&mut self, bytes: &[u8], scratch: &mut Scratch) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            #[cfg(unix)]
            Self::Unix(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.send(bytes, scratch),
        }
    }

    /// Whether TLS has output of its own, which the next receive sends.
    pub(crate) fn has_unsent(&self) -> bool {
        matches!(self, Self::Tls(stream) if stream.has_unsent())
    }

    /// Whether the connection is encrypted.
    pub(crate) fn is_encrypted(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Bytes of TLS that receives without plaintext have received since the last call.
    pub(crate) fn take_ciphertext_bytes(&mut self) -> usize {
        match self {
            Self::Tls(stream) => stream.take_ciphertext_bytes(),
            _ => 0,
        }
    }

    /// Whether a part of a TLS record waits for the rest.
    pub(crate) fn has_partial_record(&self) -> bool {
        matches!(self, Self::Tls(stream) if stream.has_partial_record())
    }

    /// When the connection was accepted, if its handshake is not finished.
    pub(crate) fn handshaking_since(&self) -> Option<u32> {
        match self {
            Self::Tls(stream) => stream.handshaking_since(),
            _ => None,
        }
    }

    /// Ends the output: the TLS session in order, then the stream. The peer reads the end behind everything that was sent.
    ///
    /// # Errors
    /// The peer is gone.
    pub(crate) fn end_output(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            #[cfg(unix)]
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
            Self::Tls(stream) => {
                stream.end();
                stream.socket().shutdown(Shutdown::Write)
            }
        }
    }

    /// Bytes that were sent and that the peer's system has not acknowledged, as far as this system tells.
    pub(crate) fn unsent_bytes(&self) -> u32 {
        match self {
            Self::Tcp(stream) => sockets::unsent_bytes(stream),
            #[cfg(unix)]
            Self::Unix(stream) => sockets::unsent_bytes(stream),
            Self::Tls(stream) => sockets::unsent_bytes(stream.socket()),
        }
    }

    /// Receives bytes as the network carries them, encrypted or not.
    pub(crate) fn receive_raw(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            #[cfg(unix)]
            Self::Unix(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.socket_mut().read(buffer),
        }
    }

    /// Registers the socket for all events.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(self.source(), token, Interest::READABLE | Interest::WRITABLE)
    }

    /// Registers the socket, which is registered with the same event loop, under another token.
    pub(crate) fn reregister(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.reregister(self.source(), token, Interest::READABLE | Interest::WRITABLE)
    }

    fn source(&mut self) -> &mut dyn Source {
        match self {
            Self::Tcp(stream) => stream,
            #[cfg(unix)]
            Self::Unix(stream) => stream,
            Self::Tls(stream) => stream.socket_mut(),
        }
    }

    /// The descriptor, as a number.
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

/// An accepted socket on its way to a worker.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) socket: Socket,
    /// How the connection is protected.
    pub(crate) security: Security,
    /// The protocols of the listener, if it has some of its own.
    pub(crate) binding: Option<Binding>,
    pub(crate) entry: Arc<RegistryEntry>,
}
