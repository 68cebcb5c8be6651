//! Sockets: addresses, listeners, connections with and without TLS, UDP, and the registry of all of them.

pub(crate) mod address;
pub(crate) mod datagram;
pub(crate) mod listener;
pub(crate) mod port_file;
pub(crate) mod registry;
pub(crate) mod socket;
pub(crate) mod tls;
