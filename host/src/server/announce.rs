//! The lines that the user sees when the server starts.

use crate::{
    console::report,
    network::{address::Address, datagram::UdpListener, listener::Listener},
    options::{Options, binding_name, version},
};
use wasmcached_core::boundary::config::Authentication;

/// The lines about the sockets of a server and about who can reach it.
pub(super) struct Announcement {
    /// memcached's lines, which start scripts look for with -vv.
    listening: Vec<String>,
    notices: Vec<String>,
}

impl Announcement {
    /// Describes the sockets, the size of the cache, and who can reach it.
    pub(super) fn of(options: &Options, listeners: &[Listener], udp_listeners: &[UdpListener]) -> Self {
        let listening = listeners.iter().map(|listener| {
            let protocol = binding_name(listener.binding().unwrap_or_else(|| options.binding()));
            format!("<{} server listening ({protocol})", listener.descriptor())
        });
        let datagrams =
            udp_listeners.iter().map(|listener| format!("<{} server listening (udp)", listener.descriptor()));
        let (pages, cache): (Vec<_>, Vec<_>) = listeners.iter().partition(|listener| listener.is_http());
        let mut addresses: Vec<_> = cache.iter().map(|listener| listener.address().to_string()).collect();
        addresses.extend(udp_listeners.iter().map(|listener| Address::Udp(listener.address()).to_string()));
        let is_public = cache.iter().any(|listener| listener.is_public())
            || udp_listeners.iter().any(|listener| !listener.address().ip().is_loopback());
        let reach = if addresses.is_empty() {
            addresses.push("nothing".to_owned());
            Some("-p 0 turns TCP off, at the addresses of -l too, and there is no -U and no -s".to_owned())
        } else {
            reach(options, is_public)
        };
        let notices = std::iter::once(size(options, &addresses)).chain(reach).chain(served_pages(options, &pages));
        let notices = notices.collect();
        Self { listening: listening.chain(datagrams).collect(), notices }
    }

    /// Prints it.
    pub(super) fn print(&self, options: &Options) {
        if options.verbosity > 1 {
            self.listening.iter().for_each(report);
        }
        self.notices.iter().for_each(|line| options.notice(line));
    }
}

/// The line about pages over HTTP.
fn served_pages(options: &Options, pages: &[&Listener]) -> Option<String> {
    let addresses: Vec<_> = pages.iter().map(|listener| listener.address().to_string()).collect();
    let who = match (&options.http_token, pages.iter().any(|listener| listener.is_public())) {
        _ if pages.is_empty() => return None,
        (Some(_), _) => "to clients with the token",
        (None, true) => "to other machines without a token: see -o http_token",
        (None, false) => "to this machine",
    };
    Some(format!("pages over HTTP: /metrics, /stats.json and /healthz on {} {who}", addresses.join(" ")))
}

fn size(options: &Options, addresses: &[String]) -> String {
    let (threads, shards) = (options.threads, options.shard_count());
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    format!(
        "{}: listening on {}, {} MB, {threads} worker{}, {shards} shard{}",
        version().trim_end(),
        addresses.join(" "),
        options.guest.store.memory_bytes >> 20,
        plural(threads),
        plural(shards as usize),
    )
}

fn reach(options: &Options, is_public: bool) -> Option<String> {
    if options.authentication() != Authentication::None {
        let encrypted = if options.tls.enabled { "" } else { "; nothing is encrypted" };
        Some(format!("clients have to log in{encrypted}"))
    } else if is_public {
        Some("other machines are served without authentication: restrict who can connect".to_owned())
    } else if options.listen.is_empty() && options.unix_socket.is_none() {
        let remedy = "-l 0.0.0.0 opens it to others (without authentication: restrict who can connect)";
        Some(format!("only this machine is served; {remedy}"))
    } else {
        None
    }
}
