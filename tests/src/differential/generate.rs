//! Scripts: the requests of one world, with placeholders for keys and uniques that are replaced when they are sent.

use super::{ITEM_BYTES_MAX, random::Random, requests, requests::Kind};
use std::fmt;

/// Number of keys of a world.
const KEYS: usize = 14;
/// Placeholder of the common prefix of a world's keys: as long as the prefix, and valid base64.
const PREFIX: &str = "w0000000000/";
/// Placeholders of uniques: this and the number of a key.
const UNIQUE_FIRST: u64 = 7_777_777_777_777_770_000;

/// The end of each conversation is longer than any data block that a damaged request may await, so that every reply is
/// sent before the connection ends, and the replies show each server's parser state. Few long requests, because memcached
/// sends each reply by itself.
const TAIL_LINE_BYTES: usize = 800;
const TAIL_LINES: usize = (ITEM_BYTES_MAX + 4096) / TAIL_LINE_BYTES;
/// The end as packets: no-ops.
const TAIL_PACKET: [u8; 24] = [0x80, 0x0a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const TAIL_PACKETS: usize = (ITEM_BYTES_MAX + 4096) / TAIL_PACKET.len();

/// The requests of one world, one connection after the other.
#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) connections: Vec<Conversation>,
}

/// The requests of one connection, sent whole or in pieces, before the client shuts down its side.
#[derive(Clone, Debug)]
pub(super) struct Conversation {
    /// Whether the requests are packets.
    pub(super) binary: bool,
    pub(super) requests: Vec<Vec<u8>>,
    /// Offsets at which pieces end; the last piece extends to the end.
    pub(super) pieces: Vec<usize>,
}

/// The keys of one world.
pub(super) struct Keys {
    prefix: Vec<u8>,
    pub(super) keys: Vec<Vec<u8>>,
}

impl Script {
    pub(super) fn generate(random: &mut Random, is_old: bool) -> Self {
        let mut keys = requests::keys(PREFIX, KEYS);
        keys.retain(|key| !is_old || !key.contains(&0));
        let kind = Kind {
            global: false,
            broken: !is_old,
            meta: !is_old && random.once_in(2),
            ..Kind::all(keys.clone(), ITEM_BYTES_MAX)
        };
        let connections =
            (0..random.within(1..5)).map(|_| Conversation::generate(random, &kind, &keys, is_old)).collect();
        Self { connections }
    }

    pub(super) fn requests(&self) -> usize {
        self.connections.iter().map(|connection| connection.requests.len()).sum()
    }

    /// The keys in world number `world`.
    pub(super) fn keys(&self, world: u64) -> Keys {
        let prefix = format!("w{:010}/", world % 10_000_000_000).into_bytes();
        let keys = requests::keys(PREFIX, KEYS).iter().map(|key| [&prefix, &key[PREFIX.len()..]].concat()).collect();
        Keys { prefix, keys }
    }

    /// Scripts without a connection, some requests, or the cuts; the largest reductions first.
    pub(super) fn smaller(&self) -> impl Iterator<Item = Self> + '_ {
        let without_connection = (0..self.connections.len()).map(|index| {
            let mut script = self.clone();
            script.connections.remove(index);
            script
        });
        let halves = self.connections.iter().enumerate().flat_map(move |(index, connection)| {
            let half = connection.requests.len() / 2;
            [0..half, half..connection.requests.len()].into_iter().filter(move |_| half > 1).map(move |range| {
                let mut script = self.clone();
                script.connections[index].requests.drain(range);
                script
            })
        });
        let without_request = self.connections.iter().enumerate().flat_map(move |(index, connection)| {
            (0..connection.requests.len()).map(move |request| {
                let mut script = self.clone();
                script.connections[index].requests.remove(request);
                script
            })
        });
        let whole =
            (0..self.connections.len()).filter(|index| !self.connections[*index].pieces.is_empty()).map(|index| {
                let mut script = self.clone();
                script.connections[index].pieces.clear();
                script
            });
        let not_empty = |script: &Self| script.requests() > 0;
        without_connection.chain(halves).chain(without_request).filter(not_empty).chain(whole)
    }
}

impl Conversation {
    /// Whether the servers parse packets: damage to the first byte turns them into lines.
    pub(super) fn is_read_as_packets(&self) -> bool {
        self.binary && self.requests.first().is_none_or(|request| request.first() == Some(&0x80))
    }

    fn generate(random: &mut Random, kind: &Kind, keys: &[Vec<u8>], is_old: bool) -> Self {
        let known = |key: &[u8]| keys.iter().position(|known| known == key).map(|index| UNIQUE_FIRST + index as u64);
        let binary = random.once_in(4);
        let kind = &Kind { binary, ..kind.clone() };
        let count = if random.once_in(10) { random.within(1..60) } else { random.within(1..12) };
        let mut requests: Vec<Vec<u8>> = (0..count).map(|_| one(random, kind, &known, is_old)).collect();
        // memcached drops unsent replies when it refuses a key of a retrieval, so such a request may only come first.
        let mut place = 0;
        requests.retain(|request| {
            place += 1;
            place == 1 || !(request.starts_with(b"g") && has_long_word(request))
        });
        let bytes: usize = requests.iter().map(Vec::len).sum();
        let cuts = if random.once_in(4) { random.within(1..6) } else { 0 };
        let mut pieces: Vec<usize> = (0..cuts).map(|_| random.within(0..bytes)).collect();
        pieces.sort_unstable();
        Self { binary, requests, pieces }
    }

    /// The bytes to send in the world of `keys`; `unique` returns the unique of a key by its number.
    pub(super) fn bytes(&self, keys: &Keys, unique: impl Fn(usize) -> u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        for request in &self.requests {
            let mut rest = request.as_slice();
            while let Some((&first, tail)) = rest.split_first() {
                if first == b'w' && rest.starts_with(PREFIX.as_bytes()) {
                    bytes.extend_from_slice(&keys.prefix);
                    rest = &rest[PREFIX.len()..];
                } else if let Some((number, length)) = named_unique(rest).filter(|_| !self.binary) {
                    // Equal lengths for both servers: inside a data block the following bytes must not shift.
                    bytes.extend_from_slice(format!("{:09}", unique(number)).as_bytes());
                    rest = &rest[length..];
                } else if let Some(number) = packed_unique(rest).filter(|_| self.binary) {
                    bytes.extend_from_slice(&unique(number).to_be_bytes());
                    rest = &rest[8..];
                } else {
                    bytes.push(first);
                    rest = tail;
                }
            }
        }
        if self.binary {
            bytes.extend_from_slice(&TAIL_PACKET.repeat(TAIL_PACKETS));
            return bytes;
        }
        for _ in 0..TAIL_LINES {
            bytes.extend_from_slice(b"mn ");
            bytes.resize(bytes.len() + TAIL_LINE_BYTES, b'x');
            bytes.extend_from_slice(b"\r\n");
        }
        bytes
    }
}

fn one(random: &mut Random, kind: &Kind, known: &dyn Fn(&[u8]) -> Option<u64>, is_old: bool) -> Vec<u8> {
    if !is_old && !kind.binary && random.once_in(40) {
        return administration(random);
    }
    let mut request = requests::request(random, kind, known);
    if !is_old && random.once_in(25) {
        damage(random, &mut request);
    }
    request
}

fn has_long_word(request: &[u8]) -> bool {
    request.split(|byte| b" \n".contains(byte)).any(|word| word.len() > 250)
}

/// An administrative command with the same reply from both servers.
fn administration(random: &mut Random) -> Vec<u8> {
    random
        .pick(&[
            "flush_all\r\n",
            "flush_all 0\r\n",
            "flush_all -1\r\n",
            "flush_all noreply\r\n",
            "flush_all x\r\n",
            "verbosity 0\r\n",
            "verbosity\r\n",
            "cache_memlimit 256\r\n",
            "cache_memlimit 1\r\n",
            "shutdown\r\n",
            "lru tune 10 25 0.1 2.0\r\n",
            "lru tune 50 50 0.1 2.0\r\n",
            "lru\r\n",
            "lru mode foo\r\n",
            "lru temp_ttl 61\r\n",
            "lru temp_ttl x\r\n",
            "lru_crawler\r\n",
            "lru_crawler sleep 100\r\n",
            "lru_crawler sleep 1000001\r\n",
            "lru_crawler tocrawl 5\r\n",
            "lru_crawler tocrawl x\r\n",
            "lru_crawler crawl 99\r\n",
            "lru_crawler crawl\r\n",
            "lru_crawler metadump\r\n",
            "lru_crawler metadump 99\r\n",
            "lru_crawler foo all\r\n",
            "slabs\r\n",
            "slabs automove 1\r\n",
            "slabs automove 7\r\n",
            "slabs automove ratio 0.8\r\n",
            "slabs automove window 1\r\n",
            "slabs reassign 1 1\r\n",
            "slabs reassign 99 1\r\n",
            "slabs reassign x 1\r\n",
            "slabs foo 1 2\r\n",
            "extstore item_size 512\r\n",
            "extstore foo\r\n",
            "watch foo\r\n",
            "refresh_certs\r\n",
            "misbehave\r\n",
            "debugtime 5\r\n",
            "verbosity 1 noreply\r\n",
            "config get cluster\r\n",
        ])
        .into()
}

/// Inserts, removes or changes a byte.
fn damage(random: &mut Random, request: &mut Vec<u8>) {
    if request.is_empty() {
        return;
    }
    let at = random.within(0..request.len().min(60));
    // A key outside of its world would be shared by all worlds.
    let mut worlds = request.windows(PREFIX.len()).enumerate().filter(|(_, window)| *window == PREFIX.as_bytes());
    if worlds.any(|(start, _)| (start..start + PREFIX.len()).contains(&at)) {
        return;
    }
    let byte = match random.within(0..4) {
        0 => random.bits() as u8,
        1 => b' ',
        2 => b'\n',
        _ => random.pick(&["0", "9", "-", "\r", "b", "q", "\0", "\t"]).as_bytes()[0],
    };
    match random.within(0..3) {
        0 => request[at] = byte,
        1 => request.insert(at, byte),
        _ => drop(request.remove(at)),
    }
}

/// The key's number and the length, if `bytes` begins with a placeholder of a unique.
fn named_unique(bytes: &[u8]) -> Option<(usize, usize)> {
    const DIGITS: usize = 19;
    let text = bytes.get(..DIGITS).filter(|text| text.starts_with(b"77777777777777"))?;
    let number: u64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some((number.checked_sub(UNIQUE_FIRST).filter(|number| *number < KEYS as u64)? as usize, DIGITS))
}

/// The key's number, if `bytes` begins with the placeholder of a unique in a packet.
fn packed_unique(bytes: &[u8]) -> Option<usize> {
    let number = u64::from_be_bytes(bytes.get(..8)?.try_into().ok()?);
    Some(number.checked_sub(UNIQUE_FIRST).filter(|number| *number < KEYS as u64)? as usize)
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for connection in &self.connections {
            writeln!(f, "connection, {} pieces", connection.pieces.len() + 1)?;
            for request in &connection.requests {
                writeln!(f, "  > {}", request.escape_ascii())?;
            }
        }
        Ok(())
    }
}
