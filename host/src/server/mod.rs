//! The life of a server: it reads files and opens sockets, gives up its rights, makes its guests, starts its threads,
//! serves, and stops.

mod accept;
mod announce;
mod assemble;
mod lingering;
mod memory_plan;
mod shared;
mod statistics;
mod upkeep;
mod worker;

use shared::Shared;

use crate::{
    console,
    console::log::LogHandle,
    exit::ExitError,
    http_token::HttpToken,
    limits::{RESERVED_DESCRIPTORS, RESERVED_DESCRIPTORS_PER_WORKER},
    network::{datagram::UdpListener, listener::Listener, port_file, tls::Tls},
    options::Options,
    system::{
        memory,
        pid_file::{self, PidFile},
        process::{self, Identity},
        supervisor,
    },
    users::UserList,
};
use accept::AcceptLoop;
use announce::Announcement;
use assemble::{Assembled, Resources, assemble};
use memory_plan::MemoryPlan;
use std::{path::PathBuf, sync::Arc, thread::JoinHandle};
use upkeep::{spawn, start_sweeps, start_ticks};

/// Serves until a signal, the service manager or a client stops the server.
///
/// # Errors
/// Why the server could not start.
pub(crate) fn serve(options: &Options) -> Result<(), ExitError> {
    let prepared = Prepared::open(options)?;
    let (opened, _pid_file) = prepared.detach(options)?;
    let running = opened.start(options)?;
    running.run();
    Ok(())
}

/// Files are read and sockets are open; the process has all its rights.
struct Prepared {
    memory_plan: MemoryPlan,
    reserved_descriptors: usize,
    identity: Identity,
    tls: Option<Tls>,
    users: Option<Arc<UserList>>,
    http_token: Option<Arc<HttpToken>>,
    listeners: Vec<Listener>,
    udp_listeners: Vec<UdpListener>,
    /// As it is named before a daemon changes its folder.
    pid_path: Option<PathBuf>,
}

impl Prepared {
    /// Does what needs rights that the process may give up, and reports every mistake of the user.
    fn open(options: &Options) -> Result<Self, ExitError> {
        for warning in &options.warnings {
            options.notice(warning);
        }
        options.warnings_of_memcached.iter().for_each(console::report);
        let memory_plan = MemoryPlan::choose(options)?;
        let reserved_descriptors = RESERVED_DESCRIPTORS + RESERVED_DESCRIPTORS_PER_WORKER * options.threads;
        process::raise_descriptor_limit(options.connections_max, reserved_descriptors)?;
        if options.core_files {
            process::raise_core_limit()?;
        }
        let identity = Identity::find(options)?;
        let tls = Tls::start(&options.tls)?;
        let users = UserList::find(options, memory_plan.layout)?;
        let http_token = HttpToken::find(options, memory_plan.layout)?;
        let listeners = Listener::open_all(options)?;
        let udp_listeners = UdpListener::open_all(options)?;
        port_file::write(&listeners, &udp_listeners)?;
        let pid_path = options.pid_file.as_deref().map(pid_file::fixed_path);
        Ok(Self {
            memory_plan,
            reserved_descriptors,
            identity,
            tls,
            users,
            http_token,
            listeners,
            udp_listeners,
            pid_path,
        })
    }

    /// Becomes a daemon on request, and gives up the rights of root.
    fn detach(self, options: &Options) -> Result<(Opened, Option<PidFile>), ExitError> {
        if options.daemon {
            // The terminal is gone afterwards.
            Announcement::of(options, &self.listeners, &self.udp_listeners).print(options);
            process::daemonize(options.verbosity > 0)?;
        }
        let pid_file = self.pid_path.as_deref().and_then(PidFile::write);
        if options.lock_memory {
            process::raise_lock_limit();
        }
        self.identity.assume()?;
        let resources = Resources {
            memory_plan: self.memory_plan,
            reserved_descriptors: self.reserved_descriptors,
            log: LogHandle::start(options.verbosity),
            tls: self.tls,
            users: self.users,
            http_token: self.http_token,
            udp_listeners: self.udp_listeners,
        };
        Ok((Opened { listeners: self.listeners, resources }, pid_file))
    }
}

/// The process has the identity and the rights with which it serves.
struct Opened {
    listeners: Vec<Listener>,
    resources: Resources,
}

impl Opened {
    /// Makes the guests and starts the threads.
    fn start(self, options: &Options) -> Result<Running, ExitError> {
        let announcement = Announcement::of(options, &self.listeners, &self.resources.udp_listeners);
        let notice = self.resources.memory_plan.notice.clone();
        let Assembled { shared, poll, signals, rejection, workers } = assemble(options, self.resources)?;
        if options.lock_memory {
            process::lock_memory();
        }
        if !options.daemon {
            announcement.print(options);
            options.notice(memory::describe_pages(options.huge_pages));
            notice.iter().for_each(|notice| options.notice(notice));
        }
        start_ticks(&shared)?;
        let workers = workers.into_iter().enumerate();
        let workers = workers.map(|(index, worker)| spawn(format!("worker-{index}"), move || worker.run()));
        let workers = workers.collect::<Result<_, _>>()?;
        start_sweeps(&shared)?;
        let accept_loop = AcceptLoop::new(Arc::clone(&shared), poll, signals, self.listeners, rejection)?;
        supervisor::ready();
        Ok(Running { shared, accept_loop, workers })
    }
}

/// All threads run.
struct Running {
    /// Outlives the workers: a waker that is dropped takes its wake-up with it.
    shared: Arc<Shared>,
    accept_loop: AcceptLoop,
    workers: Vec<JoinHandle<()>>,
}

impl Running {
    /// Accepts connections until the server is to stop, and waits until the workers have finished.
    fn run(mut self) {
        self.accept_loop.run();
        supervisor::stopping();
        self.accept_loop.finish(|| self.workers.iter().any(|worker| !worker.is_finished()));
        for worker in self.workers {
            // A worker that panicked has ended the process already.
            let _ = worker.join();
        }
        drop(self.shared);
    }
}
