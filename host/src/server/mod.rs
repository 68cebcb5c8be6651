//! Assembles a server: sockets, guests, threads; and takes it apart again.

mod accept;
mod shared;
mod statistics;
mod upkeep;
mod worker;

pub(crate) use shared::Shared;

use crate::{
    clock::Clock,
    counters::{Baseline, FaultCounters, ListenerCounters, WorkerCounters},
    entropy,
    exit::{self, ExitError, reason},
    guest::{ConnectionKind, Engine, Fault, Front},
    limits::{RESERVED_DESCRIPTORS, RESERVED_DESCRIPTORS_PER_WORKER},
    log::Log,
    network::{
        address::Address, datagram::UdpListener, listener::Listener, port_file, registry::Registry, socket::Incoming,
        tls::Tls,
    },
    options::{Options, version},
    reload::Reloads,
    stores::shards::Shards,
    system::{
        memory,
        pid_file::{self, PidFile},
        process::{self, Identity},
        supervisor,
    },
    users::UserList,
    watching::Watching,
};
use accept::{AcceptLoop, Outlet};
use mio::{Poll, Waker};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64},
        mpsc,
    },
};
use upkeep::{spawn, start_clock, sweep_shards};
use wasmcached_core::{
    boundary::config::{Authentication, Config, Permissions, Role, StoreConfig},
    hash::Seed,
    limits,
};
use worker::Worker;

/// Serves until somebody stops it.
///
/// # Errors
/// Why it could not start.
pub(crate) fn serve(options: &Options) -> Result<(), ExitError> {
    for warning in &options.warnings {
        eprintln!("{warning}");
    }
    let reserved = RESERVED_DESCRIPTORS + RESERVED_DESCRIPTORS_PER_WORKER * options.threads;
    process::raise_descriptor_limit(options.connections_max, reserved)?;
    if options.core_files {
        process::raise_core_limit()?;
    }
    let identity = Identity::find(options.user.as_deref())?;
    let tls = Tls::start(&options.tls)?;
    let users = UserList::find(options)?;
    let listeners = Listener::open_all(options)?;
    let mut udp_listeners = UdpListener::open_all(options)?;
    port_file::write(&listeners, &udp_listeners)?;
    let pid_file = options.pid_file.as_deref().map(pid_file::fixed_path);
    if options.daemon {
        // Afterwards there is nobody to read it.
        announce(options, &listeners, &udp_listeners);
        process::daemonize(options.verbosity > 0)?;
    }
    let _pid_file = pid_file.as_deref().and_then(PidFile::write);
    if options.lock_memory {
        process::raise_lock_limit();
    }
    identity.assume()?;
    let log = Log::start(options.verbosity);
    let Assembled { shared, poll, rejection, fronts } = assemble(options, reserved, log, tls, users)?;
    reload_users(&shared);
    if options.lock_memory {
        process::lock_memory();
    }
    if !options.daemon {
        announce(options, &listeners, &udp_listeners);
        eprintln!("{}", memory::describe_pages(options.huge_pages));
    }
    start_clock(&shared)?;
    let mut outlets = Vec::new();
    let mut threads = Vec::new();
    let mut left = fronts.len();
    for (index, front) in fronts.into_iter().enumerate() {
        let own = (0..udp_listeners.len().div_ceil(left)).filter_map(|_| udp_listeners.pop()).collect();
        let (outlet, worker) = make_worker(&shared, index, front, own)?;
        left -= 1;
        outlets.push(outlet);
        threads.push(spawn(format!("worker-{index}"), move || worker.run())?);
    }
    if shared.shards.count() > 0 {
        let shared = Arc::clone(&shared);
        spawn("upkeep".to_owned(), move || sweep_shards(&shared))?;
    }
    let accept_loop = AcceptLoop::new(shared, poll, listeners, outlets, rejection, options.reject_fast)?;
    supervisor::ready();
    let outlets = accept_loop.run();
    supervisor::stopping();
    for thread in threads {
        // A worker that panicked has ended the process already.
        let _ = thread.join();
    }
    drop(outlets);
    Ok(())
}

/// What the user sees at the start.
fn announce(options: &Options, listeners: &[Listener], udp_listeners: &[UdpListener]) {
    let mut addresses: Vec<_> = listeners.iter().map(|listener| listener.address().to_string()).collect();
    addresses.extend(udp_listeners.iter().map(|mailbox| Address::Udp(mailbox.address()).to_string()));
    let (threads, shards) = (options.threads, options.shard_count());
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    eprintln!(
        "{}: listening on {}, {} MB, {threads} worker{}, {shards} shard{}",
        version().trim_end(),
        addresses.join(" "),
        options.memory_bytes >> 20,
        plural(threads),
        plural(shards as usize),
    );
    let is_public = listeners.iter().any(Listener::is_public)
        || udp_listeners.iter().any(|mailbox| !mailbox.address().ip().is_loopback());
    if options.authentication() != Authentication::None {
        let encrypted = if options.tls.enabled { "" } else { "; nothing is encrypted" };
        eprintln!("clients have to log in{encrypted}");
    } else if is_public {
        eprintln!("other machines are served, and there is no authentication: keep strangers out");
    } else if options.listen.is_empty() && options.unix_socket.is_none() {
        eprintln!(
            "only this machine is served; -l 0.0.0.0 opens it to others (there is no authentication: keep strangers out)"
        );
    }
}

/// A server without threads.
struct Assembled {
    shared: Arc<Shared>,
    /// The main thread's.
    poll: Poll,
    /// What a client beyond the limit is told.
    rejection: Vec<u8>,
    /// A front for each worker.
    fronts: Vec<Front>,
}

/// Makes the guests and what they share.
fn assemble(
    options: &Options,
    reserved: usize,
    log: Log,
    tls: Option<Tls>,
    users: Option<UserList>,
) -> Result<Assembled, ExitError> {
    let failure = |message: String| ExitError::new(exit::SYSTEM, message);
    let faulted = |fault: Fault| failure(format!("failed to start: {}", fault.message));
    let engine = Engine::load(options.huge_pages).map_err(failure)?;
    let clock = Clock::start();
    let shard_count = options.shard_count();
    let solo = options.solo && options.threads == 1 && shard_count == 1;
    let config = config(options, shard_count, if solo { Role::Solo } else { Role::Front })?;
    let watching = Arc::new(Watching::new(options.threads));
    let shards = if solo { 0 } else { shard_count };
    let shards = Shards::create(&engine, &config, shards, clock.now(), Arc::clone(&watching)).map_err(faulted)?;
    let poll = Poll::new().map_err(|error| failure(event_loop_failed(&error)))?;
    let waker = Waker::new(poll.registry(), accept::WAKER).map_err(|error| failure(event_loop_failed(&error)))?;
    let (tls, reloads) = (tls.map(Arc::new), Reloads::default());
    if let Some(tls) = tls.clone() {
        reloads.register("certificates", move || tls.refresh());
    }
    let shared = Shared {
        clock,
        engine,
        config,
        shards,
        registry: Registry::default(),
        watching,
        workers: (0..options.threads).map(|_| WorkerCounters::default()).collect(),
        faults: FaultCounters::default(),
        listening: ListenerCounters::default(),
        baseline: Baseline::default(),
        connections_max: options.connections_max,
        reserved_descriptors: reserved,
        memory_bytes: AtomicU64::new(options.memory_bytes),
        idle_timeout_s: options.idle_timeout_s,
        log,
        reloads,
        tls,
        users,
        stopping: AtomicBool::new(false),
        accept_paused: AtomicBool::new(false),
        main_waker: Arc::new(waker),
    };
    let fronts = (0..options.threads).map(|_| shared.create_front());
    let mut fronts = fronts.collect::<Result<Vec<_>, _>>().map_err(faulted)?;
    let rejection = rejection_bytes(&mut fronts[0]).map_err(faulted)?;
    Ok(Assembled { shared: Arc::new(shared), poll, rejection, fronts })
}

/// What the guests are told at creation.
///
/// # Errors
/// Without randomness from the system: clients must not be able to predict the hash of keys.
fn config(options: &Options, shards: u32, role: Role) -> Result<Config, ExitError> {
    let [first, second] =
        entropy::random().map_err(|error| ExitError::new(exit::SYSTEM, entropy::no_randomness(&error)))?;
    Ok(Config {
        role,
        shards,
        shard: 0,
        store: StoreConfig {
            seed: Seed(first, second),
            memory_bytes: options.memory_bytes,
            memory_bytes_capacity: capacity_bytes(options.memory_bytes / u64::from(shards)),
            segment_bytes: options.segment_bytes,
            item_bytes_max: options.item_bytes_max,
            evictions: options.evictions,
            eviction: options.eviction,
            cas: options.cas,
        },
        permissions: Permissions {
            flush: options.flush,
            shutdown: options.shutdown,
            debug_time: options.debug_time,
            dump: options.dump,
            watch: options.watch,
        },
        binding: options.binding(),
        authentication: options.authentication(),
        entropy: [0; 4],
        track_sizes: options.track_sizes,
        detail: options.prefix_delimiter.is_some(),
        prefix_delimiter: options.prefix_delimiter.unwrap_or(b':'),
        udp_amplification: options.udp_amplification,
        requests_per_event: options.requests_per_event,
        settings: options.settings(),
    })
}

/// Lets the list of users be read again.
fn reload_users(shared: &Arc<Shared>) {
    if shared.users.is_some() {
        let server = Arc::downgrade(shared);
        shared.reloads.register("users", move || {
            let Some(server) = server.upgrade() else { return Ok(()) };
            server.users.as_ref().map_or(Ok(()), |users| users.reload(&server.engine, &server.config))
        });
    }
}

/// How far a shard's memory may be raised later. Unix gives address space away for nothing; Windows sets memory aside
/// for all of it, wherever it is used or not.
fn capacity_bytes(shard_bytes: u64) -> u64 {
    let capacity = if cfg!(windows) { (2 * shard_bytes).max(256 << 20) } else { limits::SHARD_BYTES_MAX };
    capacity.min(limits::SHARD_BYTES_MAX).max(shard_bytes + 1)
}

/// What the guest says to a client beyond the limit.
fn rejection_bytes(front: &mut Front) -> Result<Vec<u8>, Fault> {
    let connection = front.open(ConnectionKind::Refused)?;
    front.load_output(connection)?;
    let bytes = front.output()?.to_vec();
    front.close(connection)?;
    Ok(bytes)
}

fn make_worker(
    shared: &Arc<Shared>,
    index: usize,
    front: Front,
    udp_listeners: Vec<UdpListener>,
) -> Result<(Outlet, Worker), ExitError> {
    let failure = |error| ExitError::new(exit::SYSTEM, event_loop_failed(&error));
    let poll = Poll::new().map_err(failure)?;
    let waker = Arc::new(Waker::new(poll.registry(), worker::WAKER).map_err(failure)?);
    shared.watching.set_waker(index, Arc::clone(&waker));
    let (sender, receiver) = mpsc::channel::<Incoming>();
    let worker = Worker::new(Arc::clone(shared), index, poll, receiver, front, udp_listeners).map_err(failure)?;
    Ok((Outlet { incoming: sender, waker }, worker))
}

fn event_loop_failed(error: &io::Error) -> String {
    format!("failed to start an event loop: {}", reason(error))
}
