//! UDP sockets: opened at the start, then owned by a worker.
//!
//! The guest parses datagrams and splits replies into them. The host knows the sender of each and whether its address is
//! verified: only addresses of this machine are.

use super::{
    address::{Address, descriptor},
    registry::{Registry, RegistryEntry},
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
    net::{Ipv6Addr, SocketAddr},
    sync::Arc,
};

/// Send buffer, for large replies. The rest of a reply waits for the network.
const SEND_BUFFER_BYTES: usize = 1024 * 1024;

/// A bound socket that is not registered yet.
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
        let is_default = options.listen.is_empty();
        let addresses = if is_default { &loopback[..] } else { &options.listen[..] };
        for address in addresses {
            let port = match (address.port, options.udp_port) {
                (Some(port), _) | (None, TcpPort::Number(port)) => port,
                (None, TcpPort::Ephemeral | TcpPort::Off) => 0,
            };
            let failure = |error: &io::Error| {
                let message = format!("failed to listen on UDP port {port} of {}: {}", address.host, reason(error));
                ExitError::new(exit::SYSTEM, message)
            };
            let (mut is_served, mut last_error) = (false, io::Error::other("the name has no address"));
            for at in address.resolve(port).map_err(|error| failure(&error))? {
                if opened.iter().any(|known: &Self| known.address == at) {
                    is_served = true;
                    continue;
                }
                match bind(at) {
                    Ok(listener) => {
                        opened.push(listener);
                        is_served = true;
                    }
                    Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(failure(&error)),
                    Err(error) => last_error = error,
                }
            }
            if !is_served {
                return Err(failure(&last_error));
            }
        }
        if is_default {
            opened.extend(loopback_of_ipv6(options, &opened));
        }
        Ok(opened)
    }

    /// The descriptor, as a number.
    pub(crate) fn descriptor(&self) -> u32 {
        descriptor(&self.socket)
    }

    /// The socket's address.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// A UDP socket in a worker's event loop.
#[derive(Debug)]
pub(crate) struct UdpSocket {
    socket: mio::net::UdpSocket,
    pub(crate) entry: Arc<RegistryEntry>,
    connections: Option<GuestConnections>,
    /// Datagrams may have arrived.
    pub(crate) is_readable: bool,
    /// A reply that the socket did not take yet: the front's connection, and the peer.
    pub(crate) unsent: Option<(u32, SocketAddr)>,
}

/// The front's connections for the socket.
#[derive(Clone, Copy, Debug)]
struct GuestConnections {
    /// For peers with a verified address.
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
        Ok(Self { socket, entry, connections: None, is_readable: false, unsent: None })
    }

    /// Opens the socket's connections in a front.
    pub(crate) fn open_in(&mut self, front: &mut Front) -> Result<(), Fault> {
        self.unsent = None;
        let verified = front.open(ConnectionKind::Datagrams)?;
        let others = front.open(ConnectionKind::UnverifiedDatagrams)?;
        self.connections = Some(GuestConnections { verified, others });
        Ok(())
    }

    /// Whether a datagram can be received now.
    pub(crate) fn is_ready(&self) -> bool {
        self.is_readable && self.unsent.is_none() && self.connections.is_some()
    }

    /// Receives the next datagram into the front's memory; returns its size, the front's connection, the peer.
    ///
    /// # Errors
    /// As a socket.
    pub(crate) fn receive(&mut self, front: &mut Front) -> Result<io::Result<(usize, u32, SocketAddr)>, Fault> {
        let Some(connections) = self.connections else { return Ok(Err(io::ErrorKind::WouldBlock.into())) };
        let window = front.window(connections.verified, false, false)?;
        Ok(self.socket.recv_from(window).map(|(bytes, peer)| {
            let connection = if is_verified(peer) { connections.verified } else { connections.others };
            (bytes, connection, peer)
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

/// The second address of the default, at the port of the first one. A machine may be without IPv6.
fn loopback_of_ipv6(options: &Options, opened: &[UdpListener]) -> Option<UdpListener> {
    let at = |port| SocketAddr::from((Ipv6Addr::LOCALHOST, port));
    let first = opened.first()?.address.port();
    match bind(at(first)) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && options.udp_port == TcpPort::Ephemeral => {
            bind(at(0)).ok()
        }
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            options.notice(format_args!("{} is not served: {}", Address::Udp(at(first)), reason(&error)));
            None
        }
        bound => bound.ok(),
    }
}

/// Packets from the network with a loopback address are dropped by the system.
fn is_verified(peer: SocketAddr) -> bool {
    peer.ip().to_canonical().is_loopback()
}

fn bind(at: SocketAddr) -> io::Result<UdpListener> {
    let socket = socket2::Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
    if at.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Best effort: systems have limits of their own.
    let _ = socket.set_send_buffer_size(SEND_BUFFER_BYTES);
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::from(at))?;
    let socket = std::net::UdpSocket::from(socket);
    let address = socket.local_addr()?;
    Ok(UdpListener { socket, address })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_addresses_are_verified() {
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
