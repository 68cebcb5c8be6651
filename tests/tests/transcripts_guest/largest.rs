//! The largest answer to each command whose answer grows with what clients did, from the shipped module with many shards:
//! no guest traps, each answer is whole, and the front's memory stays small.

use super::guest::GuestFactory;
use std::{sync::atomic::Ordering, time::Duration};
use wasmcached_tests::{embedding::Embedding, target::Target};

const SHARDS: u32 = 16;
const CONNECTIONS: usize = 10_000;
/// Prefixes of 249 bytes. The server keeps a bounded part of them.
const PREFIXES: usize = 50_000;
/// Keys that are shown three times as long as they are.
const ITEMS: usize = 20_000;
/// Growth of a front's memory while it answers.
const GROWTH_BYTES_MAX: u64 = 4 << 20;

/// A client that reads what it is sent.
struct Client<'s> {
    server: &'s mut Embedding,
    connection: usize,
}

impl Client<'_> {
    /// Sends requests and returns the answer, which has the end of the last one.
    fn ask(&mut self, requests: &[u8], end: &[u8]) -> Result<Vec<u8>, String> {
        self.server.send(self.connection, requests)?;
        let mut answer = Vec::new();
        self.server.receive(self.connection, &mut answer, Duration::ZERO)?;
        if answer.ends_with(end) {
            return Ok(answer);
        }
        let last = String::from_utf8_lossy(&answer[answer.len().saturating_sub(100)..]).into_owned();
        let asked = String::from_utf8_lossy(&requests[..requests.len().min(40)]).into_owned();
        Err(format!("the answer to `{asked}` of {} bytes ends with `{last}`", answer.len()))
    }

    /// Sends `count` requests that are answered by nothing.
    fn tell(&mut self, count: usize, mut append: impl FnMut(&mut Vec<u8>, usize)) -> Result<(), String> {
        let mut requests = Vec::new();
        for number in 0..count {
            append(&mut requests, number);
            if requests.len() > 60_000 || number + 1 == count {
                self.ask(&requests, b"")?;
                requests.clear();
            }
        }
        Ok(())
    }

    fn fill(&mut self) -> Result<(), String> {
        self.tell(PREFIXES, |out, number| out.extend_from_slice(format!("mg {number:0>248}: q\r\n").as_bytes()))?;
        // Control characters, which listings show escaped.
        self.tell(ITEMS, |out, number| {
            out.extend_from_slice(format!("set {number:\u{1}>250} 0 0 0 noreply\r\n\r\n").as_bytes());
        })?;
        // Items of as many sizes and classes as there are.
        let mut set = |key: String, bytes: usize| {
            let head = format!("set {key} 0 0 {bytes} noreply\r\n");
            self.ask(&[head.as_bytes(), &vec![b'x'; bytes], b"\r\n"].concat(), b"").map(|_| ())
        };
        (0..1000).try_for_each(|number| set(format!("s{number}"), number * 32))?;
        (0..20).try_for_each(|number| set(format!("c{number}"), 1 << number))
    }
}

/// See the module.
pub(crate) fn check(factory: &GuestFactory) -> Result<(), String> {
    let flags = ["-D", ":", "-o", "track_sizes"].map(str::to_owned);
    let (mut server, front_bytes) = factory.start_measured(&flags, SHARDS)?;
    let connection = server.open()?;
    for _ in 1..CONNECTIONS {
        server.open()?;
    }
    let mut client = Client { server: &mut server, connection };
    client.fill()?;
    let before = front_bytes.load(Ordering::Relaxed);
    for (request, end, least_bytes) in [
        ("stats detail dump\r\n", "END\r\n", 1 << 20),
        ("stats sizes\r\n", "END\r\n", 1000 * 10),
        ("stats conns\r\n", "END\r\n", CONNECTIONS * 100),
        ("stats items\r\n", "END\r\n", 10_000),
        ("stats slabs\r\n", "END\r\n", 10_000),
        ("stats settings\r\n", "END\r\n", 1000),
        ("stats\r\n", "END\r\n", 1000),
        ("lru_crawler metadump all\r\n", "END\r\n", ITEMS * 700),
        ("lru_crawler mgdump all\r\n", "EN\r\n", ITEMS * 250),
        ("stats cachedump 10 0\r\n", "END\r\n", 1 << 20),
    ] {
        let answer = client.ask(request.as_bytes(), end.as_bytes())?;
        if answer.len() < least_bytes {
            return Err(format!("`{}` has {} bytes, not {least_bytes}", request.trim_end(), answer.len()));
        }
        let growth = front_bytes.load(Ordering::Relaxed) - before;
        if growth > GROWTH_BYTES_MAX {
            return Err(format!("after `{}` the front has grown by {growth} bytes", request.trim_end()));
        }
    }
    Ok(())
}
