//! The state that all threads of a server share.

use crate::{
    budget::SharedBudget,
    clock::{Clock, Reading},
    console::log::LogHandle,
    counters::{Baseline, FaultCounters, ListenerCounters, WorkerCounters},
    entropy,
    guest::{Fault, Front, GuestModule},
    http_token::HttpToken,
    inbox::Inbox,
    network::{
        registry::{Registry, RegistryEntry},
        tls::Tls,
    },
    options::Options,
    reload::Reloads,
    stores::Stores,
    users::UserList,
    watching::Watching,
};
use mio::Waker;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use wasmcached_core::boundary::config::{Config, StoreConfig};

/// See the module.
pub(crate) struct Shared {
    pub(super) options: Options,
    pub(super) clock: Clock,
    pub(super) module: GuestModule,
    /// The configuration of the workers' guests.
    pub(super) config: Config,
    pub(super) stores: Stores,
    pub(super) registry: Registry,
    pub(super) watching: Arc<Watching>,
    pub(super) budget: SharedBudget,
    /// One a worker.
    pub(super) inboxes: Arc<[Inbox]>,
    pub(super) workers: Box<[WorkerCounters]>,
    pub(super) faults: Arc<FaultCounters>,
    pub(super) listening: ListenerCounters,
    pub(super) baseline: Baseline,
    pub(super) reserved_descriptors: usize,
    pub(super) log: LogHandle,
    /// `None` without authentication.
    pub(super) users: Option<Arc<UserList>>,
    pub(super) http_token: Option<Arc<HttpToken>>,
    pub(super) reloads: Reloads,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) stopping: AtomicBool,
    /// All connections of the stopping server are with their workers.
    pub(super) accepting_ended: AtomicBool,
    /// The stop waits for no client.
    pub(super) stopping_at_once: AtomicBool,
    /// No connection is accepted until one closes.
    pub(super) accept_paused: AtomicBool,
    pub(super) main_waker: Arc<Waker>,
}

impl Shared {
    /// Makes a guest for a worker.
    pub(super) fn create_front(&self) -> Result<Front, Fault> {
        let entropy = match self.users {
            Some(_) => entropy::random().map_err(|error| Fault::new(entropy::no_randomness(&error)))?,
            None => [0; 4],
        };
        let memory_bytes = self.stores.worker_memory_bytes(&self.config);
        let store = StoreConfig { memory_bytes, ..self.config.store };
        let config = Config { store, entropy, ..self.config.clone() };
        let Reading { now, relation } = self.clock.read();
        let mut front = Front::create(&self.module, &config, now)?;
        front.set_clock(relation)?;
        if let Some(users) = &self.users
            && let Err(problem) = users.hand_to(&mut front)?
        {
            return Err(Fault::new(problem));
        }
        if let Some(token) = &self.http_token
            && let Err(problem) = token.hand_to(&mut front)?
        {
            return Err(Fault::new(problem));
        }
        Ok(front)
    }

    /// Removes a connection that has ended.
    pub(super) fn forget(&self, entry: &RegistryEntry) {
        self.registry.remove(entry);
        if self.accept_paused.load(Ordering::SeqCst) {
            self.wake_main();
        }
    }

    /// Begins to stop the server, once.
    pub(super) fn stop(&self, who: &str) {
        if !self.stopping.swap(true, Ordering::SeqCst) {
            tracing::warn!("stopping: requested by {who}");
            self.wake_main();
        }
    }

    /// Whether the server stops.
    #[inline]
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Whether no worker receives a connection any more.
    pub(super) fn has_stopped_accepting(&self) -> bool {
        self.accepting_ended.load(Ordering::SeqCst)
    }

    /// Ends a stop without waiting for clients.
    pub(super) fn stop_at_once(&self, who: &str) {
        if !self.stopping_at_once.swap(true, Ordering::SeqCst) {
            tracing::warn!("stopping at once: requested by {who}");
            self.inboxes.iter().for_each(|inbox| inbox.wake());
        }
    }

    /// Whether the stop waits for no client.
    pub(super) fn stops_at_once(&self) -> bool {
        self.stopping_at_once.load(Ordering::SeqCst)
    }

    pub(super) fn wake_main(&self) {
        if let Err(error) = self.main_waker.wake() {
            tracing::error!("the main thread cannot be woken: {error}");
        }
    }
}
