//! Makes the guests of a server, its workers, and the state that its threads share.

use super::{Shared, accept, memory_plan::MemoryPlan, worker::Worker};
use crate::{
    budget::SharedBudget,
    clock::Clock,
    console::log::LogHandle,
    counters::{Baseline, FaultCounters, ListenerCounters, WorkerCounters},
    entropy,
    exit::{self, ExitError, reason},
    guest::{ConnectionKind, Fault, Front, GuestModule},
    http_token::HttpToken,
    inbox::Inbox,
    network::{datagram::UdpListener, registry::Registry, tls::Tls},
    options::Options,
    reload::Reloads,
    stores::Stores,
    system::signals::Signals,
    users::UserList,
    watching::Watching,
};
use mio::{Poll, Waker};
use std::{
    io,
    sync::{Arc, atomic::AtomicBool},
};
use wasmcached_core::{
    boundary::config::{Config, Role, StoreConfig},
    hash::Seed,
    limits,
};

/// A server without threads.
pub(super) struct Assembled {
    pub(super) shared: Arc<Shared>,
    /// The main thread's.
    pub(super) poll: Poll,
    pub(super) signals: Signals,
    /// The reply to a client beyond the limit.
    pub(super) rejection: Vec<u8>,
    pub(super) workers: Vec<Worker>,
}

/// Everything that the server read and opened before it gave up its rights.
pub(super) struct Resources {
    pub(super) memory_plan: MemoryPlan,
    pub(super) reserved_descriptors: usize,
    pub(super) log: LogHandle,
    pub(super) tls: Option<Tls>,
    pub(super) users: Option<Arc<UserList>>,
    pub(super) http_token: Option<Arc<HttpToken>>,
    pub(super) udp_listeners: Vec<UdpListener>,
}

/// Makes everything that a server has before its threads start.
pub(super) fn assemble(options: &Options, resources: Resources) -> Result<Assembled, ExitError> {
    let Resources { memory_plan, reserved_descriptors, log, tls, users, http_token, udp_listeners } = resources;
    let module = GuestModule::load(memory_plan.layout, options.huge_pages)
        .map_err(|message| ExitError::new(exit::SYSTEM, message))?;
    let clock = Clock::start();
    let config = config(options, Stores::role_of_workers(options), memory_plan.capacity_bytes)?;
    let poll = Poll::new().map_err(event_loop_failed)?;
    let main_waker = Arc::new(Waker::new(poll.registry(), accept::WAKER).map_err(event_loop_failed)?);
    let signals = Signals::listen(poll.registry(), accept::SIGNALS, &main_waker).map_err(event_loop_failed)?;
    let polls = (0..options.threads).map(|_| Poll::new()).collect::<io::Result<Vec<_>>>().map_err(event_loop_failed)?;
    let inboxes: Arc<[Inbox]> = polls.iter().map(Inbox::new).collect::<io::Result<_>>().map_err(event_loop_failed)?;
    let watching = Arc::new(Watching::new(Arc::clone(&inboxes)));
    let budget = SharedBudget::new(config.buffers_bytes(), Arc::clone(&inboxes));
    let faults = Arc::new(FaultCounters::default());
    let stores = Stores::create(&module, &config, &inboxes, clock.now(), &watching, &faults).map_err(guest_failed)?;
    let shared = Arc::new(Shared {
        options: options.clone(),
        clock,
        module,
        config,
        stores,
        budget,
        registry: Registry::default(),
        watching,
        inboxes,
        workers: (0..options.threads).map(|_| WorkerCounters::default()).collect(),
        faults,
        listening: ListenerCounters::default(),
        baseline: Baseline::default(),
        reserved_descriptors,
        log,
        reloads: Reloads::default(),
        tls: tls.map(Arc::new),
        users,
        http_token,
        stopping: AtomicBool::new(false),
        accepting_ended: AtomicBool::new(false),
        stopping_at_once: AtomicBool::new(false),
        accept_paused: AtomicBool::new(false),
        main_waker,
    });
    register_reloads(&shared);
    let fronts = (0..options.threads).map(|_| shared.create_front());
    let mut fronts = fronts.collect::<Result<Vec<_>, _>>().map_err(guest_failed)?;
    let rejection = rejection_bytes(&mut fronts[0]).map_err(guest_failed)?;
    let workers = make_workers(&shared, fronts, polls, udp_listeners).map_err(event_loop_failed)?;
    Ok(Assembled { shared, poll, signals, rejection, workers })
}

/// The configuration of the guests.
///
/// # Errors
/// Without randomness from the system: clients must not be able to predict the hash of keys.
fn config(options: &Options, role: Role, memory_bytes_capacity: u64) -> Result<Config, ExitError> {
    let [first, second] =
        entropy::random().map_err(|error| ExitError::new(exit::SYSTEM, entropy::no_randomness(&error)))?;
    let shards = options.shard_count();
    Ok(Config {
        role,
        shards,
        store: StoreConfig { seed: Seed(first, second), memory_bytes_capacity, ..options.guest.store },
        binding: options.binding(),
        output_slices: role == Role::Solo,
        authentication: options.authentication(),
        settings: options.settings(),
        buffers_bytes_max: limits::buffers_bytes_max(
            options.guest.store.memory_bytes,
            options.guest.store.item_bytes_max,
        ),
        ..options.guest.clone()
    })
}

/// Registers everything that a running server can read again.
fn register_reloads(shared: &Shared) {
    if let Some(tls) = shared.tls.clone() {
        shared.reloads.register("certificates", move || tls.refresh());
    }
    if let Some(users) = shared.users.clone() {
        let (module, config, inboxes) = (shared.module.clone(), shared.config.clone(), Arc::clone(&shared.inboxes));
        shared.reloads.register("users", move || users.reload(&module, &config, &inboxes));
    }
    if let Some(token) = shared.http_token.clone() {
        let (module, config, inboxes) = (shared.module.clone(), shared.config.clone(), Arc::clone(&shared.inboxes));
        shared.reloads.register("http_token", move || token.reload(&module, &config, &inboxes));
    }
}

/// The guest's reply to a client beyond the connection limit.
fn rejection_bytes(front: &mut Front) -> Result<Vec<u8>, Fault> {
    let connection = front.open(ConnectionKind::Rejected)?;
    front.load_output(connection)?;
    let bytes = front.output()?.to_vec();
    front.close(connection)?;
    Ok(bytes)
}

/// Makes the workers, among whom the UDP sockets are spread evenly.
fn make_workers(
    shared: &Arc<Shared>,
    fronts: Vec<Front>,
    polls: Vec<Poll>,
    mut udp_listeners: Vec<UdpListener>,
) -> io::Result<Vec<Worker>> {
    let mut left = fronts.len();
    let workers = fronts.into_iter().zip(polls).enumerate().map(|(index, (front, poll))| {
        let count = udp_listeners.len().div_ceil(left);
        left -= 1;
        let own = (0..count).filter_map(|_| udp_listeners.pop()).collect();
        Worker::new(Arc::clone(shared), index, poll, front, own)
    });
    workers.collect()
}

fn guest_failed(fault: Fault) -> ExitError {
    ExitError::new(exit::SYSTEM, format!("failed to start: {}", fault.message))
}

fn event_loop_failed(error: io::Error) -> ExitError {
    ExitError::new(exit::SYSTEM, format!("failed to start an event loop: {}", reason(&error)))
}
