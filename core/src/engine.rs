//! Front and shard in one instance: the browser, the edge worker, the npm package, the simulation, and the native
//! server when one worker and one shard are enough. Also the front alone, with the same verbs.

use crate::{
    boundary::{
        config::{Config, Role},
        event::{Events, Kinds},
    },
    clock::Seconds,
    front::{Barrier, ConnectionId, ConnectionStatus, Front, Step},
    shard::Shard,
};

use alloc::vec::Vec;

/// An engine in any role: the front, the shard, or both.
///
/// The methods of [`Front`] and [`Shard`] keep their order; the engine replaces the middle of an event.
/// 1. [`Front::input`] of [`front`](Self::front) gives the space for a read.
/// 2. [`advance`](Self::advance) takes the bytes. While the status is [`ConnectionStatus::RUNS`], the host carries each
///    run of [`Front::runs`] to its target, puts the replies into [`Front::reply`], and calls [`resume`](Self::resume).
///    A front alone has runs for shards and host, a solo engine for the host only.
/// 3. [`Front::output`] (with [`ConnectionStatus::SLICES`] [`output_slices`](Self::output_slices)) and
///    [`consume`](Self::consume).
///
/// Between `advance` and the last `resume`, every other method of an event is illegal: the runs at hand are lost, and
/// the connection gets wrong replies. [`Front::close`] is legal at any time. A shard has no events: the host calls
/// [`Shard::execute_batch`] and [`Shard::sweep`] in any order.
pub struct Engine {
    front: Option<Front>,
    shard: Option<Shard>,
    /// The barrier whose runs the host carries.
    barrier: Option<Barrier>,
    now: Seconds,
}

impl Engine {
    /// The engine of `config.role`. `None`: there is not enough memory.
    pub fn new(config: &Config, now: Seconds) -> Option<Self> {
        let shard = match config.role {
            Role::Front => None,
            Role::Shard | Role::Solo => Some(Shard::new(config)?),
        };
        let mut front = (config.role != Role::Shard).then(|| Front::new(config.clone(), now));
        if let (Some(front), Some(shard), true) = (&mut front, &shard, config.output_slices) {
            front.borrow_from(shard.addresses());
        }
        Some(Self { front, shard, barrier: None, now })
    }

    /// The front, for the methods that concern it alone.
    pub fn front(&mut self) -> Option<&mut Front> {
        self.front.as_mut()
    }

    /// The shard.
    pub fn shard(&mut self) -> Option<&mut Shard> {
        self.shard.as_mut()
    }

    /// Sets the kinds of events that are recorded from now on.
    pub fn watch(&mut self, kinds: Kinds) {
        for events in self.events() {
            events.watch(kinds);
        }
    }

    /// Moves recorded events to `out`. Returns their number, and the number of those that had no room.
    pub fn take_events(&mut self, out: &mut Vec<u8>) -> (u32, u32) {
        self.events().fold((0, 0), |(count, dropped), events| {
            let (more, lost) = events.take(out);
            (count + more, dropped + lost)
        })
    }

    fn events(&mut self) -> impl Iterator<Item = &mut Events> {
        let front = self.front.as_mut().map(Front::events);
        front.into_iter().chain(self.shard.as_mut().map(Shard::events))
    }

    /// Takes `received` bytes of a connection and answers as much as possible. `docs/internals/boundary.md` has the
    /// status.
    pub fn advance(&mut self, id: ConnectionId, received: usize, now: Seconds) -> ConnectionStatus {
        self.now = now;
        match &mut self.front {
            Some(front) => front.begin(id, received, now),
            None => return ConnectionStatus::CLOSE,
        }
        self.run()
    }

    /// Continues after the host carried the runs.
    pub fn resume(&mut self, now: Seconds) -> ConnectionStatus {
        self.now = now;
        let Some(front) = &mut self.front else { return ConnectionStatus::CLOSE };
        match self.barrier.take() {
            Some(barrier) => front.answer_barrier(&barrier, now),
            None => front.answer_runs(),
        }
        self.run()
    }

    /// Takes the first `sent` bytes from the output, as [`Front::consume`] does.
    pub fn consume(&mut self, id: ConnectionId, sent: usize) -> ConnectionStatus {
        match (&mut self.front, &self.shard) {
            (Some(front), Some(shard)) => front.consume_lent(id, sent, shard),
            (Some(front), None) => front.consume(id, sent),
            (None, _) => ConnectionStatus::CLOSE,
        }
    }

    /// Forgets a client, as [`Front::close`] does. In a solo engine, the store no longer holds what the client has not read;
    /// of a front, the next [`advance`](Self::advance) tells the shards, that of [`ConnectionId::NONE`] if no other does.
    pub fn close(&mut self, id: ConnectionId) {
        let Some(front) = &mut self.front else { return };
        front.close(id);
        if let Some(shard) = &mut self.shard {
            front.take_leaving().for_each(|cursor| shard.leave(cursor));
        }
    }

    /// Calls `take` with the slices of the output, in order, after a status with [`ConnectionStatus::SLICES`].
    pub fn output_slices<'o>(&'o self, take: impl FnMut(&'o [u8])) {
        if let (Some(front), Some(shard)) = (&self.front, &self.shard) {
            front.output_slices(shard, take);
        }
    }

    fn run(&mut self) -> ConnectionStatus {
        let Some(front) = &mut self.front else { return ConnectionStatus::CLOSE };
        loop {
            match (front.step(), &mut self.shard) {
                (Step::Idle, _) => return front.park(),
                (Step::Leave, Some(shard)) => front.take_leaving().for_each(|cursor| shard.leave(cursor)),
                (Step::Leave, None) => {
                    front.load_leaving();
                    return ConnectionStatus::RUNS;
                }
                (Step::Execute, Some(shard)) => execute(front, shard, self.now),
                (Step::Execute, None) => {
                    front.load_commands();
                    if front.runs().0.is_empty() {
                        front.answer_runs();
                    } else {
                        return ConnectionStatus::RUNS;
                    }
                }
                (Step::Barrier(barrier), shard) => {
                    if !serve_barrier(front, shard.as_mut(), &barrier, self.now) {
                        self.barrier = Some(barrier);
                        return ConnectionStatus::RUNS;
                    }
                }
            }
        }
    }
}

/// Answers a barrier, or returns `false` after it loaded the runs that the host carries first.
#[inline(never)]
fn serve_barrier(front: &mut Front, shard: Option<&mut Shard>, barrier: &Barrier, now: Seconds) -> bool {
    front.load_barrier(barrier, shard.is_some());
    if let Some(shard) = shard {
        if front.borrows() {
            front.copy_borrowed(shard);
        }
        for (slot, broadcast) in front.broadcasts(barrier) {
            shard.broadcast(broadcast, now, front.barrier_answer(slot));
        }
    }
    let is_here = front.runs().0.is_empty();
    if is_here {
        front.answer_barrier(barrier, now);
    }
    is_here
}

/// Executes the pending commands in two passes: the first touches the memory that they need, the second executes in
/// order.
#[inline(never)]
fn execute(front: &mut Front, shard: &mut Shard, now: Seconds) {
    let count = front.pending_count();
    if count > 1 {
        shard.touch_lines(front.pending_hashes());
    }
    shard.set_piece_bytes(front.piece_bytes());
    let mut answered = 0;
    let watched_as = front.watched_as();
    while answered < count {
        if front.borrows() && front.may_write(answered) {
            front.copy_borrowed(shard);
        }
        let room = match front.command(answered) {
            Some(command) => {
                let reply = shard.execute(&command, now);
                let room = front.answer(answered, &reply);
                if let Some(descriptor) = watched_as {
                    front.record_event(answered, &reply, descriptor);
                }
                room
            }
            None => front.answer_fixed(answered),
        };
        answered += 1;
        if !room {
            break;
        }
    }
    // Other users of the shard read whole values.
    shard.set_piece_bytes(usize::MAX);
    front.retire(answered);
}
