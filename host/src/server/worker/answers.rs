//! What the host answers when a guest asks it for something on behalf of a client.

use crate::{
    guest::{Fault, Front},
    network::registry::Entry,
    server::{Shared, statistics},
};
use std::sync::Arc;
use wasmcached_core::boundary::{
    event::Kinds,
    host::{ConnectionState, HostRequest, Refreshed},
};

/// Who asks.
pub(super) struct RequestOrigin<'w> {
    pub(super) entry: &'w Arc<Entry>,
    /// The front's number of the connection; `None` for datagrams, whose sender cannot be shown what comes later.
    pub(super) stream: Option<u32>,
    pub(super) worker: usize,
}

/// Carries the runs that a request made.
pub(super) fn carry(shared: &Shared, front: &mut Front, asker: &RequestOrigin<'_>, now: u32) -> Result<(), Fault> {
    shared.shards.carry(front, now, &shared.faults, |front, request| answer(shared, front, asker, request, now))
}

/// What the host knows or does for a guest that was asked for it.
fn answer(
    shared: &Shared,
    front: &mut Front,
    asker: &RequestOrigin<'_>,
    request: HostRequest,
    now: u32,
) -> Result<Vec<u8>, Fault> {
    let entry = asker.entry;
    match request {
        HostRequest::Statistics => return Ok(statistics::gather(shared).encode()),
        HostRequest::Connections => return Ok(shared.registry.records(entry, now)),
        HostRequest::ResetStatistics => statistics::reset(shared),
        HostRequest::Verbosity(level) => shared.log.set_level(level),
        HostRequest::MemoryLimit(bytes) => {
            let done =
                if shared.is_solo() { front.limit(bytes)? } else { shared.shards.limit(bytes, now, &shared.faults) };
            if done {
                shared.set_memory_bytes(bytes);
            }
            return Ok(vec![u8::from(done)]);
        }
        HostRequest::Clock(order) => shared.clock.obey(order),
        HostRequest::Watch(kinds) => {
            // Neither yes nor no: it cannot be.
            let Some(stream) = asker.stream else { return Ok(vec![2]) };
            let done = shared.watching.watch(asker.worker, stream, Kinds(kinds));
            if done {
                entry.set_state(ConnectionState::Watching);
            }
            return Ok(vec![u8::from(done)]);
        }
        HostRequest::Shutdown { .. } => shared.stop("a client"),
        HostRequest::RefreshCertificates => {
            let refreshed = match &shared.tls {
                None => Refreshed::Off,
                Some(tls) => tls.refresh().map_or_else(Refreshed::Refused, |()| Refreshed::Done),
            };
            return Ok(refreshed.encode());
        }
    }
    Ok(Vec::new())
}
