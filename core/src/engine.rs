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
pub struct Engine {
    front: Option<Front>,
    shard: Option<Shard>,
    /// The barrier whose runs are being carried.
    barrier: Option<Barrier>,
    now: Seconds,
}

impl Engine {
    /// What `config.role` names. `None`: memory is not to be had.
    pub fn new(config: &Config, now: Seconds) -> Option<Self> {
        let shard = match config.role {
            Role::Front => None,
            Role::Shard | Role::Solo => Some(Shard::new(config)?),
        };
        let front = (config.role != Role::Shard).then(|| Front::new(config.clone(), now));
        Some(Self { front, shard, barrier: None, now })
    }

    /// The front's part, for the verbs that concern it alone.
    pub fn front(&mut self) -> Option<&mut Front> {
        self.front.as_mut()
    }

    /// The shard's part.
    pub fn shard(&mut self) -> Option<&mut Shard> {
        self.shard.as_mut()
    }

    /// What is recorded from now on.
    pub fn watch(&mut self, kinds: Kinds) {
        for events in self.events() {
            events.watch(kinds);
        }
    }

    /// Moves what was recorded to `out`; how many events that is, and how many had no room.
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

    /// Takes `received` bytes of a connection as far as it goes. See `docs/internals/boundary.md` for the status.
    pub fn advance(&mut self, id: ConnectionId, received: usize, now: Seconds) -> ConnectionStatus {
        self.now = now;
        match &mut self.front {
            Some(front) => front.begin(id, received, now),
            None => return ConnectionStatus::CLOSE,
        }
        self.run()
    }

    /// Goes on after runs were carried.
    pub fn resume(&mut self, now: Seconds) -> ConnectionStatus {
        self.now = now;
        let Some(front) = &mut self.front else { return ConnectionStatus::CLOSE };
        match self.barrier.take() {
            Some(barrier) => front.answer_barrier(&barrier, now),
            None => front.answer_runs(),
        }
        self.run()
    }

    fn run(&mut self) -> ConnectionStatus {
        let Some(front) = &mut self.front else { return ConnectionStatus::CLOSE };
        loop {
            match (front.step(), &mut self.shard) {
                (Step::Idle, _) => return front.park(),
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

/// Answers a barrier, or loads what has to be carried first: then it is false.
#[inline(never)]
fn serve_barrier(front: &mut Front, shard: Option<&mut Shard>, barrier: &Barrier, now: Seconds) -> bool {
    front.load_barrier(barrier, shard.is_some());
    if let Some(shard) = shard {
        for (slot, broadcast) in barrier.broadcasts(now) {
            shard.broadcast(broadcast, now, front.barrier_answer(slot));
        }
    }
    let is_here = front.runs().0.is_empty();
    if is_here {
        front.answer_barrier(barrier, now);
    }
    is_here
}

/// Two passes: first the memory that the batch will need, then the commands in order.
#[inline(never)]
fn execute(front: &mut Front, shard: &mut Shard, now: Seconds) {
    let count = front.pending_count();
    if count > 1 {
        shard.touch_lines(front.pending_hashes());
    }
    let mut answered = 0;
    let watched_as = front.watched_as();
    while answered < count {
        let reply = front.command(answered).map(|command| shard.execute(&command, now));
        let room = front.answer(answered, reply.as_ref());
        if let (Some(descriptor), Some(reply)) = (watched_as, &reply) {
            front.record_event(answered, reply, descriptor);
        }
        answered += 1;
        if !room {
            break;
        }
    }
    front.retire(answered);
}
