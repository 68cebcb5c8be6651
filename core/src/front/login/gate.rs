//! The order of checks: which login is checked now, and which waits. A check with iterations has the *turn*: the front
//! makes one such check at a time, in slices. Addresses take it in turns, and so do those with an earlier login and those
//! without; a login whose address owes too much waits for a later second.

use super::addresses::{Addresses, Ticket};
use crate::{clock::Seconds, limits};
use alloc::vec::Vec;

/// A connection that asks for a check.
#[derive(Clone, Copy, Debug)]
pub(super) struct Applicant {
    pub(super) connection: usize,
    /// The host's number for the client's address.
    pub(super) address: u64,
    /// Whether it can wait: output of the connection goes first.
    pub(super) can_wait: bool,
}

/// When a login that waits is to be looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::front) enum Wait {
    /// After the other connections.
    Turn,
    /// In a later second.
    Second,
}

/// The answer to an applicant.
#[derive(Clone, Copy, Debug)]
pub(super) enum Permit {
    /// A slice of the check may be made now.
    Now(Ticket),
    Wait(Wait),
    /// Refused without a check.
    Never,
}

/// A login in the queue.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    connection: usize,
    address: u64,
    iterations: u32,
    is_known: bool,
    /// The host looks at it in a later second only, so it cannot have the turn before.
    is_paused: bool,
}

/// The check under way.
#[derive(Clone, Copy, Debug)]
struct Turn {
    connection: usize,
    ticket: Ticket,
}

/// See the module.
#[derive(Default)]
pub(super) struct Gate {
    addresses: Addresses,
    /// The oldest first.
    queue: Vec<Waiting>,
    turn: Option<Turn>,
    /// The class of the last turn.
    was_known: bool,
}

impl Gate {
    /// Asks for a check with that number of iterations, or for its next slice.
    pub(super) fn apply(&mut self, applicant: Applicant, iterations: u32, now: Seconds) -> Permit {
        let Applicant { connection, address, can_wait } = applicant;
        if let Some(turn) = self.turn.filter(|turn| turn.connection == connection) {
            return Permit::Now(turn.ticket);
        }
        let place = self.queue.iter().position(|waiting| waiting.connection == connection);
        let can_pay = self.addresses.can_pay(address, iterations, now);
        let place = match place {
            Some(place) => place,
            None => {
                let others = self.queue.iter().filter(|waiting| waiting.address == address).count();
                if can_pay && others == 0 && iterations == 0 {
                    return Permit::Now(self.addresses.pay(address, iterations, now));
                }
                if !can_pay && others >= limits::LOGINS_WAITING_PER_ADDRESS_MAX {
                    return Permit::Never;
                }
                if !can_wait {
                    return Permit::Wait(Wait::Turn);
                }
                let is_known = self.addresses.is_known(address);
                if !self.has_room(is_known) {
                    return Permit::Wait(Wait::Second);
                }
                self.queue.push(Waiting { connection, address, iterations, is_known, is_paused: false });
                if can_pay && others > 0 {
                    // It does not overtake those that have waited for this second.
                    return Permit::Wait(Wait::Turn);
                }
                self.queue.len() - 1
            }
        };
        self.queue[place].is_paused = !can_pay;
        if !can_pay {
            return Permit::Wait(Wait::Second);
        }
        if iterations == 0 {
            self.queue.remove(place);
            return Permit::Now(self.addresses.pay(address, iterations, now));
        }
        self.give_turn(now);
        match self.turn {
            Some(turn) if turn.connection == connection => Permit::Now(turn.ticket),
            _ => Permit::Wait(Wait::Turn),
        }
    }

    /// Ends a check.
    pub(super) fn finish(&mut self, connection: usize, ticket: Ticket, passes: bool) {
        if passes {
            self.addresses.pass(ticket);
        }
        self.turn = self.turn.filter(|turn| turn.connection != connection);
    }

    /// Forgets a connection that ends.
    pub(super) fn forget(&mut self, connection: usize) {
        self.turn = self.turn.filter(|turn| turn.connection != connection);
        self.queue.retain(|waiting| waiting.connection != connection);
    }

    /// Ends all checks: they begin again.
    pub(super) fn restart(&mut self) {
        if let Some(turn) = self.turn.take() {
            self.addresses.refund(turn.ticket);
        }
        self.queue.clear();
    }

    fn has_room(&self, is_known: bool) -> bool {
        let strangers = || self.queue.iter().filter(|waiting| !waiting.is_known).count();
        self.queue.len() < limits::LOGINS_WAITING_MAX
            && (is_known || strangers() < limits::LOGINS_WAITING_STRANGERS_MAX)
    }

    /// Gives the turn to the next login, if nobody has it.
    fn give_turn(&mut self, now: Seconds) {
        if self.turn.is_some() {
            return;
        }
        let candidates = self.queue.iter().enumerate().filter(|(_, waiting)| {
            !waiting.is_paused
                && waiting.iterations > 0
                && self.addresses.can_pay(waiting.address, waiting.iterations, now)
        });
        let next = candidates.min_by_key(|(place, waiting)| {
            (waiting.is_known == self.was_known, self.addresses.served(waiting.address), *place)
        });
        let Some((place, _)) = next else { return };
        let Waiting { connection, address, iterations, is_known, .. } = self.queue.remove(place);
        self.was_known = is_known;
        self.turn = Some(Turn { connection, ticket: self.addresses.pay(address, iterations, now) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Seconds = 1000;
    const ITERATIONS: u32 = 50_000;

    fn apply(gate: &mut Gate, connection: usize, address: u64, iterations: u32, now: Seconds) -> Permit {
        gate.apply(Applicant { connection, address, can_wait: true }, iterations, now)
    }

    fn waits(permit: Permit) -> Option<Wait> {
        match permit {
            Permit::Wait(wait) => Some(wait),
            Permit::Now(_) | Permit::Never => None,
        }
    }

    /// Lets the connections ask in turn until one has made its check; returns it.
    fn next(gate: &mut Gate, connections: &[(usize, u64)], passes: bool) -> usize {
        for _ in 0..2 {
            for &(connection, address) in connections {
                if let Permit::Now(ticket) = apply(gate, connection, address, ITERATIONS, NOW) {
                    gate.finish(connection, ticket, passes);
                    return connection;
                }
            }
        }
        panic!("nobody has the turn");
    }

    /// The order in which connections are served that join the queue while the check of another one is under way.
    fn order(gate: &mut Gate, mut waiting: Vec<(usize, u64)>, passes: bool) -> Vec<usize> {
        let Permit::Now(ticket) = apply(gate, 9, 9, ITERATIONS, NOW) else { panic!("nobody else was there") };
        for &(connection, address) in &waiting {
            assert_eq!(waits(apply(gate, connection, address, ITERATIONS, NOW)), Some(Wait::Turn));
        }
        gate.finish(9, ticket, passes);
        let mut order = Vec::new();
        while !waiting.is_empty() {
            let served = next(gate, &waiting, passes);
            waiting.retain(|&(connection, _)| connection != served);
            order.push(served);
        }
        order
    }

    #[test]
    fn one_check_at_a_time() {
        let mut gate = Gate::default();
        assert!(matches!(apply(&mut gate, 1, 10, ITERATIONS, NOW), Permit::Now(_)));
        assert_eq!(waits(apply(&mut gate, 2, 20, ITERATIONS, NOW)), Some(Wait::Turn));
        assert!(matches!(apply(&mut gate, 1, 10, ITERATIONS, NOW), Permit::Now(_)));
        // A check without iterations needs no turn.
        assert!(matches!(apply(&mut gate, 3, 30, 0, NOW), Permit::Now(_)));
        // A connection that ends gives its turn back.
        gate.forget(1);
        assert!(matches!(apply(&mut gate, 2, 20, ITERATIONS, NOW), Permit::Now(_)));
    }

    #[test]
    fn addresses_take_it_in_turns() {
        let mut gate = Gate::default();
        assert_eq!(next(&mut gate, &[(0, 7)], false), 0);
        let mut waiting: Vec<(usize, u64)> = (1..5).map(|connection| (connection, 7)).collect();
        waiting.push((5, 8));
        // Address 8 was never served; 7 was.
        assert_eq!(order(&mut gate, waiting, false), [5, 1, 2, 3, 4]);
    }

    #[test]
    fn known_addresses_have_every_second_turn() {
        let mut gate = Gate::default();
        assert_eq!(next(&mut gate, &[(0, 1)], true), 0);
        let mut waiting: Vec<(usize, u64)> = (10..14).map(|connection| (connection, connection as u64)).collect();
        waiting.extend([(1, 1), (2, 1)]);
        assert_eq!(order(&mut gate, waiting, true), [1, 10, 2, 11, 12, 13]);
    }

    #[test]
    fn logins_of_an_address_that_owes_wait_in_a_bounded_queue() {
        let mut gate = Gate::default();
        let at_once = limits::LOGIN_ADDRESS_PRICE_MAX / limits::LOGIN_PRICE_MIN;
        for _ in 0..at_once {
            let Permit::Now(ticket) = apply(&mut gate, 0, 7, 0, NOW) else { panic!("it was refused") };
            gate.finish(0, ticket, false);
        }
        for connection in 0..limits::LOGINS_WAITING_PER_ADDRESS_MAX {
            assert_eq!(waits(apply(&mut gate, connection, 7, 0, NOW)), Some(Wait::Second));
        }
        assert!(matches!(apply(&mut gate, 999, 7, 0, NOW), Permit::Never));
        assert!(matches!(apply(&mut gate, 1000, 8, 0, NOW), Permit::Now(_)));
        // A newcomer does not overtake them in the next second.
        assert_eq!(waits(apply(&mut gate, 1001, 7, 0, NOW + 1)), Some(Wait::Turn));
        assert!(matches!(apply(&mut gate, 0, 7, 0, NOW + 1), Permit::Now(_)));
    }

    #[test]
    fn the_queue_has_a_fixed_size_and_room_for_known_addresses() {
        let mut gate = Gate::default();
        assert_eq!(next(&mut gate, &[(0, 1)], true), 0);
        assert!(matches!(apply(&mut gate, 0, 2, ITERATIONS, NOW), Permit::Now(_)));
        for connection in 1..5000 {
            let address = 10 + connection as u64;
            assert!(waits(apply(&mut gate, connection, address, ITERATIONS, NOW)).is_some());
        }
        assert_eq!(gate.queue.len(), limits::LOGINS_WAITING_STRANGERS_MAX);
        for connection in 5000..6000 {
            assert!(waits(apply(&mut gate, connection, 1, ITERATIONS, NOW)).is_some());
        }
        assert_eq!(gate.queue.len(), limits::LOGINS_WAITING_MAX);
    }
}
