//! What all threads of a server share.

use crate::{
    clock::Clock,
    counters::{Baseline, FaultCounters, ListenerCounters, WorkerCounters},
    entropy,
    guest::{Engine, Fault, Front},
    log::Log,
    network::{
        registry::{Entry, Registry},
        tls::Tls,
    },
    reload::Reloads,
    stores::shards::Shards,
    users::UserList,
    watching::Watching,
};
use mio::Waker;
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};
use wasmcached_core::boundary::config::{Config, Role, StoreConfig};

/// What all threads of a server see.
pub(crate) struct Shared {
    pub(crate) clock: Clock,
    pub(super) engine: Engine,
    /// Of fronts, or of the one solo guest.
    pub(super) config: Config,
    pub(crate) shards: Shards,
    pub(crate) registry: Registry,
    pub(crate) watching: Arc<Watching>,
    pub(crate) workers: Box<[WorkerCounters]>,
    pub(crate) faults: FaultCounters,
    pub(crate) listening: ListenerCounters,
    pub(crate) baseline: Baseline,
    pub(crate) connections_max: usize,
    pub(crate) reserved_descriptors: usize,
    pub(crate) memory_bytes: AtomicU64,
    /// 0: never.
    pub(crate) idle_timeout_s: u32,
    pub(crate) log: Log,
    /// Who may log in; `None`: nobody has to.
    pub(crate) users: Option<UserList>,
    /// What is read again when the server is told to.
    pub(crate) reloads: Reloads,
    pub(crate) tls: Option<Arc<Tls>>,
    pub(super) stopping: AtomicBool,
    /// Nobody is let in until a connection closes.
    pub(crate) accept_paused: AtomicBool,
    pub(crate) main_waker: Arc<Waker>,
}

impl Shared {
    /// Whether one guest does everything.
    pub(crate) fn is_solo(&self) -> bool {
        self.config.role == Role::Solo
    }

    /// Makes a guest for a worker.
    pub(crate) fn create_front(&self) -> Result<Front, Fault> {
        let memory_bytes =
            if self.is_solo() { self.memory_bytes.load(Ordering::Relaxed) } else { self.config.store.memory_bytes };
        let entropy = match self.users {
            Some(_) => entropy::random().map_err(|error| Fault::new(entropy::no_randomness(&error)))?,
            None => [0; 4],
        };
        let config =
            Config { store: StoreConfig { memory_bytes, ..self.config.store }, entropy, ..self.config.clone() };
        let mut front = Front::create(&self.engine, &config, self.clock.now())?;
        if let Some(users) = &self.users
            && let Err(problem) = users.hand_to(&mut front)?
        {
            return Err(Fault::new(problem));
        }
        Ok(front)
    }

    /// See [`UserList::version`].
    pub(crate) fn users_version(&self) -> u32 {
        self.users.as_ref().map_or(0, UserList::version)
    }

    /// A connection has ended.
    pub(crate) fn forget(&self, entry: &Entry) {
        self.registry.remove(entry);
        if self.accept_paused.load(Ordering::SeqCst) {
            self.wake_main();
        }
    }

    /// The memory of all shards has changed.
    pub(crate) fn set_memory_bytes(&self, bytes: u64) {
        self.memory_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Begins to stop, once.
    pub(crate) fn stop(&self, who: &str) {
        if !self.stopping.swap(true, Ordering::SeqCst) {
            tracing::warn!("stopping: {who} asked for it");
            self.wake_main();
        }
    }

    /// Whether the server stops.
    #[inline]
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    fn wake_main(&self) {
        if let Err(error) = self.main_waker.wake() {
            tracing::error!("the main thread cannot be woken: {error}");
        }
    }
}
