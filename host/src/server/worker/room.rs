//! This worker's part of the budget: what its front holds, and requests that wait for room.

use super::{Worker, connection::ConnectionFlag};
use crate::{
    guest::{Fault, FrontStatus},
    inbox::BudgetOrder,
    limits::{HELD_BYTES_PUBLISHED, HELD_BYTES_RECLAIMED},
};
use std::sync::atomic::Ordering;
use wasmcached_core::boundary::event::Reason;

/// The worker's knowledge of the budget.
#[derive(Debug, Default)]
pub(super) struct RoomState {
    /// Bytes of this front that other workers know of.
    published: u32,
    /// Bytes that all fronts held when the front was last told.
    seen: u64,
    /// Connections read in short pieces.
    pub(super) is_pressed: bool,
    /// Connections of this worker that wait.
    pub(super) waiting: usize,
    /// Most bytes that the front has held since its memory was last returned.
    held_most: u32,
    /// The front has freed memory that may be returned.
    pub(super) is_reclaimable: bool,
}

impl Worker {
    /// Tells the front what the others hold; called before it does anything.
    #[inline]
    pub(super) fn observe_room(&mut self) -> Result<(), Fault> {
        let held = self.shared.budget.held_bytes();
        if held == self.room.seen { Ok(()) } else { self.take_room(held) }
    }

    #[cold]
    fn take_room(&mut self, held: u64) -> Result<(), Fault> {
        self.room.seen = held;
        self.room.is_pressed = self.shared.budget.is_pressed(held);
        self.front.set_held_elsewhere(held.saturating_sub(self.room.published.into()))
    }

    /// Tells the others what the front holds, if it has changed notably.
    #[inline]
    pub(super) fn publish_room(&mut self) {
        let held = self.front.held_bytes();
        if held.abs_diff(self.room.published) >= if held == 0 { 1 } else { HELD_BYTES_PUBLISHED } {
            self.publish_held(held);
        }
    }

    #[cold]
    fn publish_held(&mut self, held: u32) {
        let before = std::mem::replace(&mut self.room.published, held);
        self.shared.budget.publish(before.into(), held.into());
        self.room.held_most = self.room.held_most.max(held);
        self.room.is_reclaimable |= held < before;
        if self.room.held_most - held >= HELD_BYTES_RECLAIMED {
            // The front frees more soon: the end of this turn is early enough.
            self.upkeep_at = 0;
        }
    }

    /// Returns the front's unused memory to the system.
    pub(super) fn reclaim(&mut self) -> Result<(), Fault> {
        if self.room.is_reclaimable {
            self.room.is_reclaimable = self.front.reclaim()?;
            self.room.held_most = self.front.held_bytes();
        }
        Ok(())
    }

    /// Lets a connection wait for room, if its status asks for it.
    #[cold]
    pub(super) fn wait_for_room(&mut self, index: usize) -> Result<(), Fault> {
        let connection = &mut self.connections[index];
        let wanted = self.front.wanted(connection.guest)?;
        if wanted > 0 && !connection.is(ConnectionFlag::Waiting) {
            connection.set(ConnectionFlag::Waiting, true);
            self.room.waiting += 1;
            self.shared.budget.wait(self.index, index, wanted.into());
        }
        Ok(())
    }

    /// Ends the wait of a connection that is closed.
    #[cold]
    pub(super) fn leave_room_queue(&mut self, index: usize) {
        self.room.waiting -= 1;
        self.shared.budget.leave(self.index, index);
    }

    /// Looks for connections to end, while requests of this worker wait.
    pub(super) fn search_room(&self) {
        if self.room.waiting > 0 {
            self.shared.budget.search();
        }
    }

    /// Acts on a message about the budget.
    pub(super) fn on_budget_order(&mut self, order: BudgetOrder) -> Result<(), Fault> {
        match order {
            BudgetOrder::Admit { connection, bytes } => {
                let admitted = self.admit(connection);
                self.shared.budget.admitted(bytes);
                admitted
            }
            BudgetOrder::Report { round } => {
                let holder = self.front.largest_holder(self.now)?;
                self.publish_room();
                self.shared.budget.report(round, self.index, holder.map_or(0, |(_, weight)| weight));
                Ok(())
            }
            BudgetOrder::Shed => {
                let holder = self.front.largest_holder(self.now)?;
                let ended = holder.map_or(Ok(()), |(guest, _)| self.shed(guest));
                self.shared.budget.search();
                ended
            }
        }
    }

    fn admit(&mut self, index: usize) -> Result<(), Fault> {
        let Some(connection) = self.connections.get_mut(index) else { return Ok(()) };
        if !connection.is(ConnectionFlag::Waiting) {
            return Ok(());
        }
        connection.set(ConnectionFlag::Waiting, false);
        connection.set(ConnectionFlag::More, true);
        connection.entry.touch(self.now);
        self.room.waiting -= 1;
        self.front.admit(connection.guest, self.now)?;
        self.publish_held(self.front.held_bytes());
        self.queue(index);
        Ok(())
    }

    /// Ends a connection that holds much for long. An upload is answered with an error.
    fn shed(&mut self, guest: u32) -> Result<(), Fault> {
        let Some((index, _)) = self.connections.iter().find(|(_, connection)| connection.guest == guest) else {
            return Ok(());
        };
        self.shared.budget.ended.fetch_add(1, Ordering::Relaxed);
        let connection = &self.connections[index];
        tracing::warn!("{} ended: others need the memory that it holds", connection.entry.peer);
        let status: FrontStatus = self.front.shed(guest)?;
        self.publish_counts()?;
        self.publish_held(self.front.held_bytes());
        if status.output() { self.flush(index) } else { self.close_because(index, Reason::Error) }
    }

    /// The front is gone, and with it what it held.
    pub(super) fn forget_room(&mut self) {
        self.shared.budget.forget_worker(self.index, self.room.published.into());
        self.room = RoomState::default();
    }
}
