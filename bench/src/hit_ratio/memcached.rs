//! Real memcached over loopback, with its own flags, in as much memory as it takes for its `-m`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use super::load::Load;
use super::request::{MissCount, Request};
use super::store::key;
use crate::environment;
use crate::outcome::{Outcome, ResultExt as _};
use crate::server::{Program, Server, Settings};

/// Most keys of a `get`.
const BATCH_KEYS: usize = 64;
const VALUE_BYTES_MAX: usize = 2 << 20;
/// Sets are buffered up to this size.
const SEND_BYTES: usize = 256 << 10;
const REPLY_TIMEOUT: Duration = Duration::from_secs(60);
const CONNECTIONS: u32 = 64;

/// Memory and items of a server at the end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Held {
    /// Slab pages.
    pub pages_bytes: u64,
    /// Hash table, which `-m` excludes.
    pub hash_bytes: u64,
    /// Resident memory of the process.
    pub resident_bytes: u64,
    /// Items.
    pub items: u64,
}

impl Held {
    /// Memory for items and for the index.
    pub fn cache_bytes(&self) -> u64 {
        self.pages_bytes + self.hash_bytes
    }
}

/// The `-m` nearest to `cache_bytes`.
pub fn memory_mib(cache_bytes: u64) -> u64 {
    ((cache_bytes + (1 << 19)) >> 20).max(1)
}

/// Misses of a read-through replay under `-m memory_mib`; the load's scans are as large as `cache_bytes`.
pub fn replay(program: &Program, memory_mib: u64, load: &Load, cache_bytes: u64) -> Outcome<(MissCount, Held)> {
    // memcached refuses an item limit above half of its memory; the default limit is 1 MiB.
    let limit = if memory_mib < 2 { &["-I", "512k"][..] } else { &[] };
    let mut client = Client::start(program, memory_mib, limit)?;
    let mut batch: Vec<Request> = Vec::with_capacity(BATCH_KEYS);
    for request in load.requests(cache_bytes) {
        // A repeated key may be set by the batch before it is read again.
        if batch.len() == BATCH_KEYS || batch.iter().any(|earlier| earlier.key == request.key) {
            client.read_through(&batch)?;
            batch.clear();
        }
        batch.push(request);
    }
    client.read_through(&batch)?;
    let counted = client.server.statistic("get_misses")?;
    if counted != client.missed.requests {
        return Err(format!("memcached counts {counted} misses, the client {:?}", client.missed));
    }
    Ok((client.missed, client.held()?))
}

/// A server and a connection to it.
pub struct Client {
    server: Server,
    stream: BufReader<TcpStream>,
    out: Vec<u8>,
    value: Vec<u8>,
    missed: MissCount,
}

impl Client {
    /// Starts a server with one thread.
    pub fn start(program: &Program, memory_mib: u64, flags: &[&str]) -> Outcome<Self> {
        let mut program = program.clone();
        program.extra.extend(flags.iter().map(ToString::to_string));
        let settings = Settings { threads: 1, memory_mib, connections: CONNECTIONS, certificate: None };
        let server = program.start(settings, &environment::cores()?)?;
        let stream = TcpStream::connect(server.address).context("connect")?;
        stream.set_nodelay(true).context("no delay")?;
        stream.set_read_timeout(Some(REPLY_TIMEOUT)).context("timeout")?;
        let value = vec![b'v'; VALUE_BYTES_MAX];
        Ok(Self { server, stream: BufReader::new(stream), out: Vec::new(), value, missed: MissCount::default() })
    }

    /// A number of `stats`.
    pub fn statistic(&self, name: &str) -> Outcome<u64> {
        self.server.statistic(name)
    }

    /// Reads memory and items.
    pub fn held(&self) -> Outcome<Held> {
        Ok(Held {
            pages_bytes: self.server.statistic_of("stats slabs", "total_malloced")?,
            hash_bytes: self.server.statistic("hash_bytes")?,
            resident_bytes: self.server.usage()?.resident_kib << 10,
            items: self.server.statistic("curr_items")?,
        })
    }

    /// Sets without waiting; later requests on this connection follow it.
    pub fn set(&mut self, request: &Request) -> Outcome<()> {
        self.out.extend(b"set ");
        self.out.extend(key(request.key));
        let _ = write!(self.out, " 0 {} {} noreply\r\n", request.ttl_s, request.value_bytes);
        self.out.extend(&self.value[..request.value_bytes as usize]);
        self.out.extend(b"\r\n");
        if self.out.len() < SEND_BYTES { Ok(()) } else { self.flush() }
    }

    /// Waits until all sets have been executed.
    pub fn wait_for_sets(&mut self) -> Outcome<()> {
        self.out.extend(b"mn\r\n");
        self.flush()?;
        match self.line()?.as_str() {
            "MN" => Ok(()),
            other => Err(format!("memcached answers {other:?}")),
        }
    }

    /// Gets a batch of distinct keys and sets the missing ones.
    fn read_through(&mut self, batch: &[Request]) -> Outcome<()> {
        if batch.is_empty() {
            return Ok(());
        }
        self.out.extend(b"get");
        for request in batch {
            self.out.push(b' ');
            self.out.extend(key(request.key));
        }
        self.out.extend(b"\r\n");
        self.flush()?;
        let mut asked = batch.iter();
        // Sets wait for the whole reply: a server that is blocked on its output does not read.
        let mut missing = Vec::new();
        loop {
            let line = self.line()?;
            let Some(found) = line.strip_prefix("VALUE ") else {
                if line != "END" {
                    return Err(format!("memcached answers {line:?}"));
                }
                break;
            };
            let request = find(&mut asked, found, &mut missing)?;
            let data_bytes = u64::from(request.value_bytes) + 2;
            let skipped = std::io::copy(&mut self.stream.by_ref().take(data_bytes), &mut std::io::sink());
            if skipped.context("receive")? != data_bytes {
                return Err("memcached closed the connection".into());
            }
        }
        missing.extend(asked);
        missing.iter().for_each(|request| self.missed.add(request));
        missing.into_iter().try_for_each(|request| self.set(request))
    }

    fn flush(&mut self) -> Outcome<()> {
        self.stream.get_mut().write_all(&self.out).context("send")?;
        self.out.clear();
        Ok(())
    }

    fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line).context("receive")?;
        Ok(line.trim_end().to_owned())
    }
}

/// Finds the request of `found`, the rest of a `VALUE` line. Values come in the order of the keys; skipped keys are
/// missing.
fn find<'r>(
    asked: &mut impl Iterator<Item = &'r Request>,
    found: &str,
    missing: &mut Vec<&'r Request>,
) -> Outcome<&'r Request> {
    let mut fields = found.split(' ');
    let (number, bytes) = (fields.next().and_then(|key| key.parse().ok()), fields.nth(1));
    for request in asked {
        if number != Some(request.key) {
            missing.push(request);
        } else if bytes.and_then(|bytes| bytes.parse().ok()) == Some(request.value_bytes) {
            return Ok(request);
        } else {
            break;
        }
    }
    Err(format!("memcached answers {found:?}, which differs from the value that was set"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(key: u32) -> Request {
        Request { key, value_bytes: key * 10, ttl_s: 0, second: 0 }
    }

    #[test]
    fn keys_without_a_value_are_missing() {
        let batch = [request(7), request(8), request(9)];
        let (mut asked, mut missing) = (batch.iter(), Vec::new());
        assert_eq!(find(&mut asked, "00000000000000000008 0 80", &mut missing).unwrap().key, 8);
        assert_eq!(missing, [&request(7)]);
        assert!(find(&mut asked.clone(), "00000000000000000009 0 91", &mut missing).is_err());
        assert!(find(&mut asked, "00000000000000000007 0 70", &mut missing).is_err());
    }

    #[test]
    fn memory_is_a_whole_number_of_mebibytes() {
        assert_eq!([0, 1 << 19, 3 << 19, (5 << 19) - 1].map(memory_mib), [1, 1, 2, 2]);
    }
}
