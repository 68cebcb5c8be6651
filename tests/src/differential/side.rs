//! One of the two servers, with the uniques of its items in the current world.

use super::{
    generate::{Conversation, Keys},
    replies::{self, Names},
};
use crate::server::Server;
use std::{
    collections::HashMap,
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
    time::Duration,
};

/// Longest wait for a reply on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// The first version 1.6.x with today's commands.
const PATCH_MIN: u32 = 22;
/// A unique that no item has.
const UNIQUE_UNUSED: u64 = 7_999_999_999_999_999_999;

pub(super) struct Side {
    server: Server,
    pub(super) names: Names,
    /// Whether it is a memcached older than 1.6.22, with other meta commands, flushes and errors.
    pub(super) is_old: bool,
    /// Uniques by key number.
    uniques: HashMap<usize, u64>,
}

impl Side {
    pub(super) fn new(server: Server) -> Result<Self, String> {
        let mut side = Self { server, names: Names::default(), is_old: false, uniques: HashMap::new() };
        let version = side.exchange(b"version\r\n", &[])?;
        let patch = String::from_utf8_lossy(&version).trim().rsplit('.').next().and_then(|patch| patch.parse().ok());
        side.is_old = patch.is_some_and(|patch: u32| patch < PATCH_MIN);
        // Uses up the small uniques, which scripts use as wrong values.
        side.exchange(&b"set warm 0 0 1\r\n1\r\n".repeat(20), &[])?;
        Ok(side)
    }

    /// Begins a new world.
    pub(super) fn begin(&mut self) {
        self.names = Names::default();
        self.uniques.clear();
    }

    /// Sends a conversation on a new connection and returns all replies.
    pub(super) fn converse(&self, conversation: &Conversation, keys: &Keys) -> Result<Vec<u8>, String> {
        let unique = |number| self.uniques.get(&number).copied().unwrap_or(UNIQUE_UNUSED);
        self.exchange(&conversation.bytes(keys, unique), &conversation.pieces)
    }

    /// Reads the items of this world's keys and remembers their uniques.
    pub(super) fn stored_items(&mut self, keys: &Keys, meta: bool) -> Result<Vec<u8>, String> {
        // Older versions end a line at a NUL, so their scripts have no such key.
        let list = keys.keys.iter().filter(|key| meta || !key.contains(&0));
        let list: Vec<u8> = list.flat_map(|key| [b" ", key.as_slice()].concat()).collect();
        let mut bytes = [b"gets", list.as_slice(), b"\r\n"].concat();
        for key in keys.keys.iter().filter(|_| meta) {
            bytes.extend_from_slice(&[b"mg ", key.as_slice(), b" t f s c h k\r\n"].concat());
        }
        let answer = self.exchange(&bytes, &[])?;
        self.uniques = keys
            .keys
            .iter()
            .enumerate()
            .filter_map(|(number, key)| Some((number, replies::unique_of(&answer, key)?)))
            .collect();
        Ok(answer)
    }

    /// Sends all bytes, shuts down the sending side, and reads to the end.
    fn exchange(&self, bytes: &[u8], pieces: &[usize]) -> Result<Vec<u8>, String> {
        let failed = |error: std::io::Error| format!("{}: {error}\n{}", self.server.address, self.server.log());
        let mut stream = TcpStream::connect(self.server.address).map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
        let mut from = 0;
        for &to in pieces.iter().chain([&bytes.len()]) {
            let to = to.clamp(from, bytes.len());
            // A closed server takes no more bytes; its earlier replies count.
            if stream.write_all(&bytes[from..to]).is_err() {
                break;
            }
            from = to;
        }
        // A closed server may fail here too.
        let _ = stream.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Ok(_) => Ok(answer),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(answer),
            Err(error) => Err(failed(error)),
        }
    }
}
