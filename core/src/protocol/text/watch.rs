//! The arguments of `watch`, and its lines as memcached prints them.

use super::listing::{TextWriter, encode_uri};
use crate::{
    boundary::event::{Event, Kinds, Outcome, Reason, Stamp, Storing, Transport},
    clock::Expiry,
};
use alloc::vec::Vec;
use core::fmt::Write;

/// The arguments of `watch`. A prefix is enough; it means the first word that begins with it.
const WORDS: &[(&[u8], Kinds)] = &[
    (b"rawcmds", Kinds::OTHER),
    (b"evictions", Kinds::EVICTIONS),
    (b"fetchers", Kinds::FETCHES),
    (b"mutations", Kinds::STORES),
    (b"sysevents", Kinds::OTHER),
    (b"connevents", Kinds::CONNECTIONS),
    (b"proxyreqs", Kinds::OTHER),
    (b"proxyevents", Kinds::OTHER),
    (b"proxyuser", Kinds::OTHER),
    (b"deletions", Kinds::DELETIONS),
];

/// The kinds of events that a word names.
pub(super) fn kind(word: &[u8]) -> Option<Kinds> {
    WORDS.iter().find(|(name, _)| name.starts_with(word)).map(|&(_, kind)| kind)
}

/// Appends the line of an event.
pub fn answer_event(out: &mut Vec<u8>, stamp: Stamp, event: &Event<'_>) {
    let Stamp { seconds, micros, number } = stamp;
    // The microseconds are not filled up with zeros in memcached either.
    let _ = write!(TextWriter(out), "ts={seconds}.{micros} gid={number} type=");
    let _ = match *event {
        Event::Fetched { key, found, class, bytes, descriptor } => {
            let status = if found { "found" } else { "not_found" };
            head(out, b"item_get", key);
            writeln!(TextWriter(out), " status={status} clsid={class} cfd={descriptor} size={bytes}")
        }
        Event::Stored { key, outcome, storing, ttl_s, class, bytes, descriptor } => {
            let (status, cmd) = (status(outcome), command(storing));
            head(out, b"item_store", key);
            writeln!(
                TextWriter(out),
                " status={status} cmd={cmd} ttl={ttl_s} clsid={class} cfd={descriptor} size={bytes}"
            )
        }
        Event::Deleted { key, conditional, class, bytes } => {
            head(out, b"deleted", key);
            writeln!(TextWriter(out), " cmd={} clsid={class} size={bytes}", if conditional { "md" } else { "delete" })
        }
        Event::Evicted { key, fetched, expiry, now, idle_s, class, bytes } => {
            let fetch = if fetched { "yes" } else { "no" };
            let ttl = if expiry == Expiry::NEVER { -1 } else { i64::from(expiry.0) - i64::from(now) };
            head(out, b"eviction", key);
            writeln!(TextWriter(out), " fetch={fetch} ttl={ttl} la={idle_s} clsid={class} size={bytes}")
        }
        Event::Opened { address, port, transport, descriptor } => {
            connection(out, b"conn_new", address, port, transport);
            writeln!(TextWriter(out), " cfd={descriptor}")
        }
        Event::Closed { address, port, transport, descriptor, reason } => {
            connection(out, b"conn_close", address, port, transport);
            writeln!(TextWriter(out), " reason={} cfd={descriptor}", why(reason))
        }
    };
}

fn head(out: &mut Vec<u8>, kind: &[u8], key: &[u8]) {
    out.extend_from_slice(kind);
    out.extend_from_slice(b" key=");
    encode_uri(out, key);
}

fn connection(out: &mut Vec<u8>, kind: &[u8], address: &[u8], port: u16, transport: Transport) {
    out.extend_from_slice(kind);
    out.extend_from_slice(b" rip=");
    out.extend_from_slice(address);
    let transport = match transport {
        Transport::Local => "local",
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
    };
    let _ = write!(TextWriter(out), " rport={port} transport={transport}");
}

fn status(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::NotStored => "not_stored",
        Outcome::Stored => "stored",
        Outcome::Exists => "exists",
        Outcome::NotFound => "not_found",
        Outcome::TooLarge => "too_large",
        Outcome::NoMemory => "no_memory",
    }
}

fn command(storing: Storing) -> &'static str {
    match storing {
        Storing::Add => "add",
        Storing::Set => "set",
        Storing::Replace => "replace",
        Storing::Append => "append",
        Storing::Prepend => "prepend",
        Storing::Compare => "cas",
    }
}

fn why(reason: Reason) -> &'static str {
    match reason {
        Reason::Error => "error",
        Reason::Normal => "normal",
        Reason::Idle => "idle_timeout",
        Reason::Shutdown => "shutdown",
    }
}
