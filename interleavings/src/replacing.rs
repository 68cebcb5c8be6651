//! Replacement of a shard's memory after a fault, while other threads use it, rest in it, or have a fault as well.
//!
//! A memory has one stripe. A trap leaves it half-changed and its lock taken.

use crate::{
    generations::{Generations, Memories, Seat},
    in_every_order,
    seed::{SeededFault, with},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        spin::RwLock,
    },
};
use loom::thread;
use std::{cell::Cell, mem, rc::Rc};

/// Turns after which a thread of the model waits for ever.
const TURNS_MAX: usize = 30;

/// The server around a shard.
#[derive(Default)]
struct Server {
    /// Lost memories, as the statistic `shard_traps`.
    lost: AtomicU64,
    /// The message in all inboxes.
    is_asked_to_leave: AtomicBool,
    /// Threads that do not leave at once are waited for no longer.
    is_impatient: bool,
    witness: Rc<Witness>,
}

/// The knowledge of the assertions. All threads of a model are on one thread of the system.
#[derive(Default)]
struct Witness {
    /// Memories that were made.
    made: Cell<u64>,
    /// Memories that are not freed yet.
    present: Cell<usize>,
    /// The first claim that did not hold. It ends the run when all threads have ended: loom aborts after some panics before.
    broken: Cell<Option<&'static str>>,
}

/// A memory as its owner knows it.
struct Memory {
    inside: Rc<Inside>,
    witness: Rc<Witness>,
}

/// A memory as its instances know it.
struct Inside {
    /// Counted from 0.
    number: u64,
    /// Two words that are equal whenever nobody has the lock.
    stripe: RwLock<(usize, usize)>,
    /// The limit of its size.
    limit: AtomicU64,
    instances: Cell<usize>,
}

/// The instance of a thread.
struct Instance(Rc<Inside>);

impl Witness {
    fn demand(&self, holds: bool, claim: &'static str) {
        if !holds {
            self.broken.set(self.broken.get().or(Some(claim)));
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.witness.present.update(|present| present - 1);
        self.witness.demand(self.inside.instances.get() == 0, "a memory is freed after its last instance");
    }
}

impl Instance {
    fn new(inside: &Rc<Inside>) -> Self {
        inside.instances.update(|instances| instances + 1);
        Self(Rc::clone(inside))
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.0.instances.update(|instances| instances - 1);
    }
}

impl Server {
    fn memory(&self, limit: u64) -> Memory {
        let (number, others) = (self.witness.made.get(), self.witness.present.get());
        self.witness.made.set(number + 1);
        self.witness.present.set(others + 1);
        self.witness.demand(others == 0 || self.is_impatient, "a memory is made after the old one is freed");
        let (stripe, limit) = (RwLock::new((0, 0)), AtomicU64::new(limit));
        let inside = Rc::new(Inside { number, stripe, limit, instances: Cell::new(0) });
        Memory { inside, witness: Rc::clone(&self.witness) }
    }
}

impl Memories for Server {
    type Plan = u64;
    type Memory = Memory;
    type Desk = Instance;
    type Fault = &'static str;

    fn make(&self, plan: &u64, _: u32) -> Option<Memory> {
        Some(self.memory(*plan))
    }

    fn enter(&self, memory: &Memory, _: u32) -> Result<Instance, &'static str> {
        Ok(Instance::new(&memory.inside))
    }

    fn record(&self, _: &u64, _: &&'static str) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    fn ask_to_leave(&self) {
        self.is_asked_to_leave.store(true, Ordering::Release);
    }

    fn pause(&self) {
        thread::yield_now();
    }

    fn wait_until(&self, have_left: impl Fn() -> bool) {
        let turns = if self.is_impatient { 0 } else { TURNS_MAX };
        for _ in 0..turns {
            if have_left() {
                return;
            }
            self.pause();
        }
        self.witness.demand(self.is_impatient, "every thread leaves a lost memory");
    }
}

/// A shard and the server around it.
struct Shared {
    server: Server,
    shard: Generations<Server>,
}

type Place = Option<Seat<Server>>;
type Answer<T> = Result<T, &'static str>;

impl Shared {
    fn new(is_impatient: bool) -> Arc<Self> {
        let server = Server { is_impatient, ..Server::default() };
        let shard = Generations::new(1, server.memory(1), 0);
        Arc::new(Self { server, shard })
    }

    /// Does something at the seat of a thread.
    fn at_seat<T>(&self, place: &mut Place, work: impl FnOnce(&mut Seat<Server>) -> Answer<T>) -> Option<T> {
        self.shard.at_seat(&self.server, place, 0, 0, work)
    }

    /// Does something to the stripe. Tries for its lock as workers do.
    fn in_stripe<T>(&self, seat: &Seat<Server>, work: impl FnOnce(&mut (usize, usize)) -> T) -> Answer<(T, u64)> {
        let Instance(inside) = &seat.desk;
        for _ in 0..TURNS_MAX {
            if let Some(mut stripe) = inside.stripe.try_write() {
                self.server.witness.demand(stripe.0 == stripe.1, "nobody sees half of a change");
                let done = work(&mut stripe);
                if stripe.0 != stripe.1 {
                    // A trap.
                    mem::forget(stripe);
                    return Err("trap");
                }
                return Ok((done, inside.number));
            }
            // `Shards::wait`
            if !self.shard.is_at(seat) {
                return Err("another worker's instance has trapped");
            }
            self.server.pause();
        }
        self.server.witness.demand(false, "nobody waits for ever for a lock of a lost memory");
        Err("too long")
    }

    /// The number of the memory, in which the stripe is read.
    fn read(&self, seat: &Seat<Server>) -> Answer<u64> {
        self.in_stripe(seat, |_| ()).map(|((), number)| number)
    }

    /// The trap of a thread in the middle of a change.
    fn trap(&self, place: &mut Place) {
        assert_eq!(self.at_seat(place, |seat| self.in_stripe(seat, |stripe| stripe.0 += 1)), None);
    }

    /// The end of all threads.
    fn end(&self) {
        self.server.witness.demand(self.server.witness.present.get() == 1, "an old memory is freed");
        assert_eq!(self.server.witness.broken.get(), None);
    }
}

/// A thread traps, has an answer of the new memory, and tells the world. Another one reads meanwhile, and hears of that answer
/// before its own is complete.
fn one_traps_while_another_reads(is_impatient: bool, has_seat: bool) {
    in_every_order(move || {
        let shared = Shared::new(is_impatient);
        let mut place = None;
        if has_seat {
            assert_eq!(shared.at_seat(&mut place, |seat| shared.read(seat)), Some(0));
        }
        let told = Arc::new(AtomicU64::new(0));
        let reading = {
            let (shared, told) = (Arc::clone(&shared), Arc::clone(&told));
            thread::spawn(move || {
                let witness = &shared.server.witness;
                let answer = shared.at_seat(&mut place, |seat| Ok((shared.read(seat)?, told.load(Ordering::Acquire))));
                match answer {
                    Some((number, heard)) => {
                        witness.demand(number >= heard, "no answer counts of a memory known as lost");
                    }
                    None => {
                        witness
                            .demand(shared.server.lost.load(Ordering::Relaxed) == 1, "a loss counts before it shows");
                    }
                }
            })
        };
        let mut place = None;
        shared.trap(&mut place);
        let number = shared.at_seat(&mut place, |seat| shared.read(seat));
        assert_eq!(number, Some(1), "nobody else traps");
        told.store(1, Ordering::Release);
        drop(place);
        reading.join().expect("a thread of the model");
        shared.end();
    });
}

/// Two threads have a fault in the same memory.
fn two_trap() {
    in_every_order(|| {
        let shared = Shared::new(false);
        let trap = |shared: &Shared| {
            shared.at_seat(&mut None, |seat| match seat.desk.0.number {
                0 => Err("trap"),
                _ => shared.read(seat),
            });
        };
        let other = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || trap(&shared))
        };
        trap(&shared);
        other.join().expect("a thread of the model");
        let witness = &shared.server.witness;
        witness.demand(shared.server.lost.load(Ordering::Relaxed) == 1, "one thread replaces a memory");
        witness.demand(witness.made.get() == 2, "one thread replaces a memory");
        shared.end();
    });
}

/// A thread traps while another rests in the memory, which leaves when it is asked to.
fn one_traps_while_another_rests() {
    in_every_order(|| {
        let shared = Shared::new(false);
        let resting = {
            let mut place = None;
            assert_eq!(shared.at_seat(&mut place, |seat| shared.read(seat)), Some(0));
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let beside = seeded!(InstanceBesideSeat).then(|| Instance::new(&place.as_ref().expect("taken").desk.0));
                while !shared.server.is_asked_to_leave.load(Ordering::Acquire) {
                    thread::yield_now();
                }
                shared.shard.leave(&mut place);
                shared.server.witness.demand(place.is_none(), "a thread that is asked leaves a lost memory");
                // It rests again.
                thread::yield_now();
                drop(beside);
            })
        };
        shared.trap(&mut None);
        resting.join().expect("a thread of the model");
        shared.end();
    });
}

/// A thread traps while another changes the limit of the memory.
fn one_traps_while_another_changes_the_limit(is_impatient: bool) {
    in_every_order(move || {
        let shared = Shared::new(is_impatient);
        let limiting = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let mut place = None;
                shared.at_seat(&mut place, |seat| {
                    seat.desk.0.limit.store(2, Ordering::Relaxed);
                    Ok(())
                })?;
                shared.shard.change_plan(&shared.server, &place?, |plan| *plan = 2)
            })
        };
        shared.trap(&mut None);
        let change = limiting.join().expect("a thread of the model");
        let limit = shared.at_seat(&mut None, |seat| Ok(seat.desk.0.limit.load(Ordering::Relaxed)));
        let witness = &shared.server.witness;
        witness.demand(limit == Some(if change.is_some() { 2 } else { 1 }), "a memory has the limit of the plan");
        shared.end();
    });
}

#[test]
fn no_answer_counts_of_a_lost_memory() {
    one_traps_while_another_reads(false, true);
}

#[test]
fn a_thread_that_does_not_leave_in_time_has_its_memory() {
    one_traps_while_another_reads(true, false);
}

#[test]
#[should_panic(expected = "no answer counts of a memory known as lost")]
fn an_answer_that_is_not_compared_is_found() {
    with(SeededFault::AnswerNotCompared, || one_traps_while_another_reads(true, false));
}

#[test]
#[should_panic(expected = "nobody waits for ever for a lock of a lost memory")]
fn a_generation_that_is_read_late_is_found() {
    with(SeededFault::GenerationReadLate, || one_traps_while_another_reads(true, false));
}

#[test]
#[should_panic(expected = "a loss counts before it shows")]
fn a_generation_that_is_read_relaxed_is_found() {
    with(SeededFault::GenerationRelaxed, || one_traps_while_another_reads(true, false));
}

#[test]
#[should_panic(expected = "every thread leaves a lost memory")]
fn a_seat_that_is_kept_too_long_is_found() {
    with(SeededFault::OldSeatKept, || one_traps_while_another_reads(false, true));
}

#[test]
fn one_thread_replaces_a_memory() {
    two_trap();
}

#[test]
#[should_panic(expected = "one thread replaces a memory")]
fn a_replacement_that_is_not_compared_is_found() {
    with(SeededFault::ReplacementNotCompared, two_trap);
}

#[test]
fn every_thread_leaves_before_the_memory_is_freed() {
    one_traps_while_another_rests();
}

#[test]
#[should_panic(expected = "a thread that is asked leaves a lost memory")]
fn a_message_before_the_count_is_found() {
    with(SeededFault::ToldBeforeTheCount, one_traps_while_another_rests);
}

#[test]
#[should_panic(expected = "a memory is made after the old one is freed")]
fn a_new_memory_beside_the_old_one_is_found() {
    with(SeededFault::NewBesideOld, one_traps_while_another_rests);
}

#[test]
#[should_panic(expected = "a memory is freed after its last instance")]
fn an_instance_beside_its_seat_is_found() {
    with(SeededFault::InstanceBesideSeat, one_traps_while_another_rests);
}

#[test]
fn a_new_memory_has_the_limit_of_the_plan() {
    one_traps_while_another_changes_the_limit(false);
}

#[test]
#[should_panic(expected = "a memory has the limit of the plan")]
fn a_plan_that_is_not_compared_is_found() {
    with(SeededFault::PlanNotCompared, || one_traps_while_another_changes_the_limit(true));
}
