//! The host's answers to the requests of guests, made on behalf of a client.

use super::super::{Shared, statistics};
use crate::{
    guest::{Fault, Front},
    network::registry::RegistryEntry,
    stores::Desks,
};
use std::sync::Arc;
use wasmcached_core::boundary::{
    event::Kinds,
    host::{ConnectionState, HostRequest, Refreshed},
};

/// The connection whose request the guest executes.
pub(super) struct RequestOrigin<'w> {
    pub(super) entry: &'w Arc<RegistryEntry>,
    /// The front's number of the connection; `None` for datagrams, which cannot watch.
    pub(super) stream: Option<u32>,
    pub(super) worker: usize,
}

/// Executes the runs that a request made.
pub(super) fn execute_runs(
    shared: &Shared,
    front: &mut Front,
    desks: &mut Desks,
    origin: &RequestOrigin<'_>,
    now: u32,
) -> Result<(), Fault> {
    shared
        .stores
        .execute_runs(front, desks, now, |front, desks, request| answer(shared, (front, desks), origin, request, now))
}

fn answer(
    shared: &Shared,
    (front, desks): (&mut Front, &mut Desks),
    origin: &RequestOrigin<'_>,
    request: HostRequest,
    now: u32,
) -> Result<Vec<u8>, Fault> {
    let entry = origin.entry;
    match request {
        HostRequest::Statistics => return Ok(statistics::gather(shared).encode()),
        HostRequest::Connections { from } => return Ok(shared.registry.records(entry, from, now)),
        HostRequest::Losses => return Ok(shared.stores.losses().to_le_bytes().to_vec()),
        HostRequest::ResetStatistics => statistics::reset(shared),
        HostRequest::Verbosity(level) => shared.log.set_level(level),
        HostRequest::MemoryLimit(bytes) => {
            let done = shared.stores.limit(front, desks, bytes, now)?;
            return Ok(vec![u8::from(done)]);
        }
        HostRequest::Clock(order) => shared.clock.apply(order),
        HostRequest::Watch(kinds) => {
            // 2: impossible for this connection.
            let Some(stream) = origin.stream else { return Ok(vec![2]) };
            let done = shared.watching.watch(origin.worker, stream, Kinds(kinds));
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
