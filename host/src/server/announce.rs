//! The lines that the user sees when the server starts.

use crate::{
    console::report,
    network::{address::Address, listener::Listener},
    options::{Options, version},
};
use std::net::SocketAddr;
use wasmcached_core::boundary::config::Authentication;

/// Prints the addresses, the size of the cache, and who can reach it.
pub(super) fn announce(options: &Options, listeners: &[Listener], udp_addresses: &[SocketAddr]) {
    let mut addresses: Vec<_> = listeners.iter().map(|listener| listener.address().to_string()).collect();
    addresses.extend(udp_addresses.iter().map(|address| Address::Udp(*address).to_string()));
    let (threads, shards) = (options.threads, options.shard_count());
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    report(format_args!(
        "{}: listening on {}, {} MB, {threads} worker{}, {shards} shard{}",
        version().trim_end(),
        addresses.join(" "),
        options.guest.store.memory_bytes >> 20,
        plural(threads),
        plural(shards as usize),
    ));
    let is_public =
        listeners.iter().any(Listener::is_public) || udp_addresses.iter().any(|address| !address.ip().is_loopback());
    if options.authentication() != Authentication::None {
        let encrypted = if options.tls.enabled { "" } else { "; nothing is encrypted" };
        report(format_args!("clients have to log in{encrypted}"));
    } else if is_public {
        report("other machines are served without authentication: restrict who can connect");
    } else if options.listen.is_empty() && options.unix_socket.is_none() {
        report(
            "only this machine is served; -l 0.0.0.0 opens it to others (without authentication: restrict who can connect)",
        );
    }
}
