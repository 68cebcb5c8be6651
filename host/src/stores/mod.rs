//! Where the stores are: with the one worker, in its own guest, or in shards that all workers are inside at the same time.
//!
//! No code outside this folder depends on which of the two it is.

mod generations;
mod shards;

use crate::{
    clock::Clock,
    counters::FaultCounters,
    guest::{Fault, Front, GuestModule, RunOutcome},
    inbox::Inbox,
    limits::{SWEEP_PAUSE, SWEEPS_PER_TICK_MAX},
    options::Options,
    watching::Watching,
};
use parking_lot::Mutex;
pub(crate) use shards::Desks;
use shards::{Shards, Surroundings, Transfer};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};
use wasmcached_core::{
    boundary::{
        config::{Config, Role},
        host::{HostRequest, Target},
    },
    limits,
};

/// See the module.
pub(crate) struct Stores {
    location: Location,
    /// The limit of all stores together, which `cache_memlimit` changes.
    memory_bytes: AtomicU64,
    /// One change of that limit at a time: of two at once, some stripes would keep one and some the other.
    limit_changes: Mutex<()>,
    faults: Arc<FaultCounters>,
}

enum Location {
    /// The worker's guest is a solo.
    Worker,
    Shards(Shards),
}

impl Stores {
    /// The role of the workers' guests: solo where one guest can do everything.
    pub(crate) fn role_of_workers(options: &Options) -> Role {
        if options.solo && options.threads == 1 && options.shard_count() == 1 { Role::Solo } else { Role::Front }
    }

    /// Makes the stores beside workers of `config`; they share its memory.
    pub(crate) fn create(
        module: &GuestModule,
        config: &Config,
        inboxes: &Arc<[Inbox]>,
        now: u32,
        watching: &Arc<Watching>,
        faults: &Arc<FaultCounters>,
    ) -> Result<Self, Fault> {
        let location = match config.role {
            Role::Solo => Location::Worker,
            _ => {
                // One for each worker, and one for the upkeep.
                let desks = inboxes.len() as u32 + 1;
                let module = module.load_shared(&shards::config_of(config, 0), desks)?;
                let surroundings = Surroundings {
                    watching: Arc::clone(watching),
                    inboxes: Arc::clone(inboxes),
                    faults: Arc::clone(faults),
                };
                Location::Shards(Shards::create(module, config, now, desks, surroundings)?)
            }
        };
        let memory_bytes = AtomicU64::new(config.store.memory_bytes);
        Ok(Self { location, memory_bytes, limit_changes: Mutex::new(()), faults: Arc::clone(faults) })
    }

    /// The desks of a thread, none of which is taken yet. Each thread has its own number: a worker its index.
    pub(crate) fn desks(&self, number: usize) -> Desks {
        let shards = match &self.location {
            Location::Worker => 0,
            Location::Shards(shards) => shards.count(),
        };
        Desks::new(number as u32, shards)
    }

    /// Takes the desks, on their own thread.
    pub(crate) fn take_desks(&self, desks: &mut Desks, now: u32) {
        if let Location::Shards(shards) = &self.location {
            shards.take_desks(desks, now);
        }
    }

    /// Gives up the desks in shards that were replaced.
    pub(crate) fn leave_replaced(&self, desks: &mut Desks) {
        if let Location::Shards(shards) = &self.location {
            shards.leave_replaced(desks);
        }
    }

    /// Reports that one tick has passed.
    pub(crate) fn tick(&self) {
        if let Location::Shards(shards) = &self.location {
            shards.tick();
        }
    }

    /// The limit of all stores together.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory_bytes.load(Ordering::Relaxed)
    }

    /// The memory of a new guest of a worker, which `config` describes: with a store in it, the limit as it is now.
    pub(crate) fn worker_memory_bytes(&self, config: &Config) -> u64 {
        match self.location {
            Location::Worker => self.memory_bytes(),
            Location::Shards(_) => config.store.memory_bytes,
        }
    }

    /// How many stores were replaced by empty ones. A store counts before the new one can be seen.
    pub(crate) fn losses(&self) -> u64 {
        self.faults.shard_traps.load(Ordering::Relaxed)
    }

    /// Changes the limit of all stores together, on behalf of the worker of `front`; false if it cannot be changed.
    pub(crate) fn limit(&self, front: &mut Front, desks: &mut Desks, bytes: u64, now: u32) -> Result<bool, Fault> {
        let _turn = self.limit_changes.lock();
        let done = match &self.location {
            Location::Worker => front.limit(bytes)?,
            Location::Shards(shards) => shards.limit(desks, bytes, now),
        };
        if done {
            self.memory_bytes.store(bytes, Ordering::Relaxed);
        }
        Ok(done)
    }

    /// Executes the runs of `front` in order; `answer` serves those that ask the host.
    ///
    /// # Errors
    /// The front's own faults. A shard's fault is handled here.
    pub(crate) fn execute_runs(
        &self,
        front: &mut Front,
        desks: &mut Desks,
        now: u32,
        mut answer: impl FnMut(&mut Front, &mut Desks, HostRequest) -> Result<Vec<u8>, Fault>,
    ) -> Result<(), Fault> {
        let shards = match &self.location {
            Location::Worker => None,
            Location::Shards(shards) => Some(shards),
        };
        let mut room = limits::REPLY_BYTES_HIGH;
        for index in 0..front.runs_count()? {
            let run = front.run(index)?;
            let complete = match (run.target, shards) {
                (Target::HOST, _) => {
                    let request = HostRequest::decode(front.commands(run)?).ok_or_else(|| invalid("a bad request"))?;
                    let bytes = answer(front, desks, request)?;
                    front.reply(index, RunOutcome::Executed(1), bytes.len())?.copy_from_slice(&bytes);
                    true
                }
                (Target::EVERY_SHARD, Some(shards)) => {
                    let mut complete = true;
                    for shard in 0..shards.count() {
                        complete &=
                            shards.execute(&mut Transfer { front, index, run, now, room: &mut room }, desks, shard)?;
                    }
                    complete
                }
                (Target::EVERY_SHARD, None) => true,
                (Target(shard), Some(shards)) => {
                    let mut transfer = Transfer { front, index, run, now, room: &mut room };
                    shards.execute(&mut transfer, desks, shard as usize)?
                }
                (Target(_), None) => return Err(invalid("a shard that does not exist")),
            };
            if !complete {
                break;
            }
        }
        Ok(())
    }

    /// Sweeps that a worker owes its guest each second.
    #[inline]
    pub(crate) fn worker_sweeps(&self) -> u32 {
        match self.location {
            Location::Worker => SWEEPS_PER_TICK_MAX,
            Location::Shards(_) => 0,
        }
    }

    /// Whether [`Stores::sweep`] has anything to do, on a thread of its own.
    pub(crate) fn need_sweeps(&self) -> bool {
        matches!(self.location, Location::Shards(_))
    }

    /// Lets the thread of the upkeep rest. Meanwhile it leaves shards that are replaced.
    pub(crate) fn rest(&self, desks: &mut Desks, duration: Duration) {
        match &self.location {
            Location::Worker => thread::sleep(duration),
            Location::Shards(shards) => shards.rest(desks, duration),
        }
    }

    /// Gives each shard its upkeep of one second.
    pub(crate) fn sweep(&self, desks: &mut Desks, clock: &Clock) {
        let Location::Shards(shards) = &self.location else { return };
        for index in 0..shards.count() {
            for _ in 0..SWEEPS_PER_TICK_MAX {
                if !shards.sweep(desks, index, clock.now()) {
                    break;
                }
                thread::sleep(SWEEP_PAUSE);
            }
        }
    }

    /// Counts the trap of a worker's guest, of which a store was a part if it was a solo.
    pub(crate) fn count_worker_trap(&self, fault: &Fault, worker: usize) {
        fault.record(&self.faults, &self.faults.front_traps, "front", worker);
        if matches!(self.location, Location::Worker) {
            self.faults.shard_traps.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cold]
fn invalid(what: &str) -> Fault {
    Fault::new(format!("the guest asked for {what}"))
}
