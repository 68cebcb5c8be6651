//! Stores a range of keys, each once, at the full speed of one connection.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::time::Duration;

use super::dataset::Dataset;
use super::workload::text::{set_tail, write_set};
use crate::outcome::{Outcome, ResultExt as _};

const BATCH_REQUESTS_MAX: usize = 128;
const BATCH_BYTES_MAX: usize = 256 << 10;
/// A server that answers nothing for so long ends the benchmark.
const REPLY_TIMEOUT: Duration = Duration::from_secs(20);
const STORED: &[u8] = b"STORED\r\n";

/// memcached's reply when sets arrive faster than it evicts.
const NO_ROOM: &[u8] = b"SERVER_ERROR out of memory storing object\r\n";

/// Sets `keys` and checks that each was stored.
pub fn fill(address: SocketAddr, dataset: &Dataset, keys: Range<u32>) -> Outcome<()> {
    match fill_counting_refused(address, dataset, keys)? {
        0 => Ok(()),
        refused => Err(format!("{refused} sets were refused while filling")),
    }
}

/// Sets `keys` and returns how many were refused for lack of memory.
pub fn fill_counting_refused(address: SocketAddr, dataset: &Dataset, keys: Range<u32>) -> Outcome<u32> {
    let mut stream = TcpStream::connect(address).context("connect")?;
    stream.set_nodelay(true).context("TCP_NODELAY")?;
    stream.set_read_timeout(Some(REPLY_TIMEOUT)).context("timeout")?;
    stream.set_write_timeout(Some(REPLY_TIMEOUT)).context("timeout")?;
    let tail = set_tail(dataset.value_bytes);
    let mut replies = BufReader::new(stream.try_clone().context("clone")?);
    let (mut out, mut reply) = (Vec::with_capacity(2 * BATCH_BYTES_MAX), Vec::new());
    let (mut next, mut awaited, mut refused) = (keys.start, 0, 0);
    // One batch is in flight while the next is written, so that neither side waits for the other.
    while next < keys.end || awaited > 0 {
        out.clear();
        let mut batch = 0;
        while next < keys.end && batch < BATCH_REQUESTS_MAX && out.len() < BATCH_BYTES_MAX {
            write_set(dataset, next, &tail, &mut out);
            next += 1;
            batch += 1;
        }
        stream.write_all(&out).context("fill")?;
        for _ in 0..awaited {
            reply.clear();
            replies.read_until(b'\n', &mut reply).context("fill")?;
            match reply.as_slice() {
                STORED => {}
                NO_ROOM => refused += 1,
                other => return Err(format!("the reply to a set while filling is \"{}\"", other.escape_ascii())),
            }
        }
        awaited = batch;
    }
    Ok(refused)
}
