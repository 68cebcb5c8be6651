//! The file with the port numbers, for `-p -1`.

use super::{address::Address, datagram::UdpListener, listener::Listener};
use crate::{
    exit::{self, ExitError, reason},
    system::pid_file,
};
use std::fmt::Write as _;

/// Writes the ports for test suites, as memcached does.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn write(listeners: &[Listener], udp_listeners: &[UdpListener]) -> Result<(), ExitError> {
    let Some(path) = std::env::var_os("MEMCACHED_PORT_FILENAME") else { return Ok(()) };
    let streams = listeners.iter().filter_map(|listener| match listener.address() {
        Address::Tcp(address) if listener.is_http() => Some(("HTTP", *address)),
        Address::Tcp(address) => Some(("TCP", *address)),
        _ => None,
    });
    let mut text = String::new();
    for (kind, address) in streams.chain(udp_listeners.iter().map(|listener| ("UDP", listener.address()))) {
        let family = if address.is_ipv6() { "INET6" } else { "INET" };
        let _ = writeln!(text, "{kind} {family}: {}", address.port());
    }
    if text.is_empty() {
        return Ok(());
    }
    // Its readers must never see half of the file.
    let mut temporary = path.clone();
    temporary.push(".lck");
    let written = pid_file::write_anew(temporary.as_ref(), &text).and_then(|()| std::fs::rename(&temporary, &path));
    written.map_err(|error| {
        let path = path.display();
        ExitError::new(exit::SYSTEM, format!("cannot write the port to {path}: {}", reason(&error)))
    })
}
