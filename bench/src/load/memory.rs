//! Memory of a server with a full cache, and of an idle connection.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use super::dataset::Dataset;
use super::fill::fill_counting_refused;
use crate::environment::Placement;
use crate::outcome::{Outcome, ResultExt as _};
use crate::server::{Program, Server, Settings};

/// The `-m` of the measurement.
pub const LIMIT_MIB: u64 = 256;
/// Bytes per value.
pub const VALUE_BYTES: usize = 100;
/// Bar: 1.10 times the limit, and 16 MiB.
pub const RESIDENT_MIB_MAX: f64 = 1.10 * LIMIT_MIB as f64 + 16.0;
/// Bar for an idle connection.
pub const IDLE_CONNECTION_KIB_MAX: f64 = 2.0;

const KEYS_PER_STEP: u32 = 100_000;
const KEYS_MAX: u32 = 12_000_000;
const IDLE_CONNECTIONS: u32 = 9_000;

/// A full cache.
#[derive(Clone, Debug)]
pub struct FullCache {
    /// The server.
    pub label: String,
    /// Its `-t`.
    pub threads: u32,
    /// Resident MiB before the first item.
    pub empty_mib: f64,
    /// Resident MiB when full.
    pub full_mib: f64,
    /// Items held when full.
    pub items: u64,
    /// Items evicted until then.
    pub evictions: u64,
}

impl FullCache {
    /// Bytes of the limit per item in addition to key and value.
    pub fn overhead_bytes_per_item(&self) -> f64 {
        let payload = (super::dataset::KEY_BYTES + VALUE_BYTES) as f64;
        (LIMIT_MIB << 20) as f64 / self.items as f64 - payload
    }
}

/// Sets 100-byte values under `-m 256` until the server evicts, then a quarter more.
pub fn full_cache(program: &Program, threads: u32, cores: &[usize]) -> Outcome<FullCache> {
    let placement = Placement::new(cores, threads);
    let settings = Settings { threads, memory_mib: LIMIT_MIB, connections: 100, certificate: None };
    let server = program.start(settings, &placement.server)?;
    let empty_mib = resident_mib(&server)?;
    let dataset = Dataset::new(KEYS_MAX, VALUE_BYTES);
    let (mut stored, mut end) = (0, KEYS_MAX);
    while stored < end {
        // Refused sets do not matter: the items held in the end are counted.
        fill_counting_refused(server.address, &dataset, stored..stored + KEYS_PER_STEP)?;
        stored += KEYS_PER_STEP;
        if end == KEYS_MAX && server.statistic("evictions")? > 0 {
            end = stored + stored.div_ceil(4 * KEYS_PER_STEP) * KEYS_PER_STEP;
        }
    }
    Ok(FullCache {
        label: program.label.clone(),
        threads,
        empty_mib,
        full_mib: resident_mib(&server)?,
        items: server.statistic("curr_items")?,
        evictions: server.statistic("evictions")?,
    })
}

/// Memory of many idle connections.
#[derive(Clone, Debug)]
pub struct IdleConnections {
    /// The server.
    pub label: String,
    /// Number of connections.
    pub connections: u32,
    /// Resident KiB per connection that has sent nothing.
    pub silent_kib: f64,
    /// Resident KiB per connection that is idle after one request.
    pub used_kib: f64,
}

/// Opens thousands of connections, then sends one request on each.
pub fn idle_connections(program: &Program, cores: &[usize]) -> Outcome<IdleConnections> {
    let placement = Placement::new(cores, 1);
    let settings = Settings { threads: 1, memory_mib: 64, connections: IDLE_CONNECTIONS + 3000, certificate: None };
    let server = program.start(settings, &placement.server)?;
    let before = resident_mib(&server)?;
    let mut clients = Vec::new();
    for _ in 0..IDLE_CONNECTIONS {
        clients.push(TcpStream::connect(server.address).context("connect")?);
    }
    while server.statistic("curr_connections")? < u64::from(IDLE_CONNECTIONS) {
        thread::sleep(Duration::from_millis(50));
    }
    let silent = resident_mib(&server)?;
    for client in &mut clients {
        client.write_all(b"get nothing\r\n").context("send")?;
        let mut reply = [0; 5];
        client.read_exact(&mut reply).context("receive")?;
        if reply != *b"END\r\n" {
            return Err(format!("an idle connection was answered {:?}", reply.escape_ascii().to_string()));
        }
    }
    let used = resident_mib(&server)?;
    let kib = |mib: f64| mib * 1024.0 / f64::from(IDLE_CONNECTIONS);
    Ok(IdleConnections {
        label: program.label.clone(),
        connections: IDLE_CONNECTIONS,
        silent_kib: kib(silent - before),
        used_kib: kib(used - before),
    })
}

fn resident_mib(server: &Server) -> Outcome<f64> {
    Ok(server.usage()?.resident_kib as f64 / 1024.0)
}
