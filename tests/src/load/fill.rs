//! Stores a range of keys, each once, as fast as one connection goes.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;

use super::dataset::Dataset;
use super::workload::text::{set_tail, write_set};
use super::{Doing as _, Outcome};

const BATCH_REQUESTS_MAX: usize = 128;
const BATCH_BYTES_MAX: usize = 256 << 10;
const STORED: &[u8] = b"STORED\r\n";

/// Sets `keys` and checks that each was stored.
pub fn fill(address: SocketAddr, dataset: &Dataset, keys: Range<u32>) -> Outcome<()> {
    let mut stream = TcpStream::connect(address).doing("connect")?;
    stream.set_nodelay(true).doing("TCP_NODELAY")?;
    let tail = set_tail(dataset.value_bytes);
    let (mut out, mut replies) = (Vec::with_capacity(2 * BATCH_BYTES_MAX), Vec::new());
    let (mut next, mut awaited) = (keys.start, 0);
    // One batch is always on its way while the next is written, so that neither side waits for the other.
    while next < keys.end || awaited > 0 {
        out.clear();
        let mut batch = 0;
        while next < keys.end && batch < BATCH_REQUESTS_MAX && out.len() < BATCH_BYTES_MAX {
            write_set(dataset, next, &tail, &mut out);
            next += 1;
            batch += 1;
        }
        stream.write_all(&out).doing("fill")?;
        replies.resize(awaited * STORED.len(), 0);
        stream.read_exact(&mut replies).doing("fill")?;
        if let Some(reply) = replies.chunks(STORED.len()).find(|reply| *reply != STORED) {
            return Err(format!("the reply to a set while filling is \"{}…\"", reply.escape_ascii()));
        }
        awaited = batch;
    }
    Ok(())
}
