//! Sockets for datagrams (UDP): opened, told apart from streams, handed to workers.
//!
//! What is in a datagram and how many make an answer is the guest's business. The host knows who sent it, and who of those
//! is surely who it says: only who is on this machine.

use super::{
    address::Address,
    registry::{Entry, Registry},
};
use crate::{
    exit::{self, ExitError, reason},
    guest::{ConnectionKind, Fault, Front},
    options::{ListenAddress, Options, TcpPort},
};
use mio::{Interest, Token};
use socket2::{Domain, Protocol, SockAddr, Type};
use std::{
    io,
    net::{SocketAddr, ToSocketAddrs},
    sync::Arc,
};

/// Room in the system for a large answer: what does not fit has to wait for the network.
const SEND_BUFFER_BYTES: usize = 1024 * 1024;

/// A bound socket that no event loop knows yet.
#[derive(Debug)]
pub(crate) struct UdpListener {
    socket: std::net::UdpSocket,
    address: SocketAddr,
}

impl UdpListener {
    /// Opens what `-U` asks for, at the addresses of `-l`.
    ///
    /// # Errors
    /// The first socket that cannot be opened.
    pub(crate) fn open_all(options: &Options) -> Result<Vec<Self>, ExitError> {
        let mut opened = Vec::new();
        if options.udp_port == TcpPort::Off || options.unix_socket.is_some() {
            return Ok(opened);
        }
        let loopback = [ListenAddress::loopback()];
        let addresses = if options.listen.is_empty() { &loopback[..] } else { &options.listen[..] };
        for address in addresses {
            let port = match (address.port, options.udp_port) {
                (Some(port), _) | (None, TcpPort::Number(port)) => port,
                (None, TcpPort::Ephemeral | TcpPort::Off) => 0,
            };
            let failure = |error: &io::Error| {
                let message = format!("failed to listen on UDP port {port} of {}: {}", address.host, reason(error));
                ExitError::new(exit::SYSTEM, message)
            };
            let (before, mut last_error) = (opened.len(), io::Error::other("the name has no address"));
            for at in (address.host.as_str(), port).to_socket_addrs().map_err(|error| failure(&error))? {
                match bind(at) {
                    Ok(listener) => opened.push(listener),
                    Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(failure(&error)),
                    Err(error) => last_error = error,
                }
            }
            if opened.len() == before {
                return Err(failure(&last_error));
            }
        }
        Ok(opened)
    }

    /// Where it receives.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// A socket for datagrams in a worker's event loop.
#[derive(Debug)]
pub(crate) struct UdpSocket {
    socket: mio::net::UdpSocket,
    pub(crate) entry: Arc<Entry>,
    guests: Option<GuestConnections>,
    /// Something may have arrived.
    pub(crate) is_readable: bool,
    /// An answer that the socket did not take yet: the front's number, and to whom.
    pub(crate) unsent: Option<(u32, SocketAddr)>,
}

/// The front's numbers for the socket.
#[derive(Clone, Copy, Debug)]
struct GuestConnections {
    /// For who is surely who it says.
    verified: u32,
    others: u32,
}

impl UdpSocket {
    /// Registers a socket under `token`.
    pub(crate) fn new(
        listener: UdpListener,
        events: &mio::Registry,
        token: Token,
        registry: &Registry,
        now: u32,
    ) -> io::Result<Self> {
        let mut socket = mio::net::UdpSocket::from_std(listener.socket);
        events.register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
        let entry = registry.add_datagrams(descriptor(&socket), Address::Udp(listener.address), now);
        Ok(Self { socket, entry, guests: None, is_readable: false, unsent: None })
    }

    /// Makes a front know it.
    pub(crate) fn open_in(&mut self, front: &mut Front) -> Result<(), Fault> {
        self.unsent = None;
        let verified = front.open(ConnectionKind::Datagrams)?;
        let others = front.open(ConnectionKind::UnverifiedDatagrams)?;
        self.guests = Some(GuestConnections { verified, others });
        Ok(())
    }

    /// Whether a datagram can be taken now.
    pub(crate) fn is_ready(&self) -> bool {
        self.is_readable && self.unsent.is_none() && self.guests.is_some()
    }

    /// The next datagram, into the front's memory: its size, the front's number, who sent it.
    ///
    /// # Errors
    /// As a socket.
    pub(crate) fn receive(&mut self, front: &mut Front) -> Result<io::Result<(usize, u32, SocketAddr)>, Fault> {
        let Some(guests) = self.guests else { return Ok(Err(io::ErrorKind::WouldBlock.into())) };
        let window = front.window(guests.verified, false)?;
        Ok(self.socket.recv_from(window).map(|(bytes, peer)| {
            let end = if is_verified(peer) { guests.verified } else { guests.others };
            (bytes, end, peer)
        }))
    }

    /// Sends a datagram.
    ///
    /// # Errors
    /// As a socket.
    pub(crate) fn send(&self, datagram: &[u8], peer: SocketAddr) -> io::Result<usize> {
        self.socket.send_to(datagram, peer)
    }
}

/// No network lets packets in that say they come from here.
fn is_verified(peer: SocketAddr) -> bool {
    peer.ip().to_canonical().is_loopback()
}

fn bind(at: SocketAddr) -> io::Result<UdpListener> {
    let socket = socket2::Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
    if at.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A wish: systems have limits of their own.
    let _ = socket.set_send_buffer_size(SEND_BUFFER_BYTES);
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::from(at))?;
    let socket = std::net::UdpSocket::from(socket);
    let address = socket.local_addr()?;
    Ok(UdpListener { socket, address })
}

fn descriptor(socket: &mio::net::UdpSocket) -> u32 {
    #[cfg(unix)]
    {
        use std::os::fd::AsRawFd;
        socket.as_raw_fd() as u32
    }
    #[cfg(windows)]
    {
        use std::os::windows::io::AsRawSocket;
        socket.as_raw_socket() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_surely_who_it_says() {
        for (peer, verified) in [
            ("127.0.0.1:5", true),
            ("127.9.9.9:5", true),
            ("[::1]:5", true),
            ("[::ffff:127.0.0.1]:5", true),
            ("10.0.0.1:5", false),
            ("192.168.1.1:11211", false),
            ("[fe80::1]:5", false),
            ("[::ffff:10.0.0.1]:5", false),
            ("0.0.0.0:5", false),
        ] {
            assert_eq!(is_verified(peer.parse().unwrap()), verified, "{peer}");
        }
    }
}
