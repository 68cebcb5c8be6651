//! The cost of refused logins, by the addresses of clients. Everything has a fixed size: addresses without a login share a
//! table in which they cannot displace each other, and only a login makes an address a known one.

use crate::{clock::Seconds, limits};
use alloc::{vec, vec::Vec};

/// The price of a check: a guess against a list in clear is no work, and still has a price.
fn price(iterations: u32) -> u32 {
    iterations.max(limits::LOGIN_PRICE_MIN)
}

/// The payment for a check, to be given back after a login that passes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    pub(super) address: u64,
    iterations: u32,
    is_known: bool,
    paid_at: Seconds,
}

/// The debt of an address.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    spent: u32,
    updated_at: Seconds,
    /// Number of the last check for the address.
    served: u32,
}

/// The iterations of one second that known addresses, or all others, have spent together.
#[derive(Clone, Copy, Debug, Default)]
struct Share {
    second: Seconds,
    iterations: u32,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    address: u64,
    /// Number of its last login.
    login: u32,
    account: Account,
}

/// See the module.
#[derive(Default)]
pub(super) struct Addresses {
    /// Accounts of addresses without a login, by the low bits of the address. Addresses are hashes under a secret of the
    /// host: nobody can choose whom to share an account with.
    strangers: Vec<Account>,
    /// Addresses with a login. A new one replaces the one whose last login is oldest.
    known: Vec<Known>,
    /// Of strangers, and of known addresses.
    shares: [Share; 2],
    checks: u32,
    logins: u32,
}

impl Addresses {
    /// Whether a client of that address has logged in.
    pub(super) fn is_known(&self, address: u64) -> bool {
        self.known.iter().any(|known| known.address == address)
    }

    /// Number of the last check for the address; 0: there was none.
    pub(super) fn served(&self, address: u64) -> u32 {
        self.account(address).served
    }

    /// Whether the address has enough left in this second.
    pub(super) fn can_pay(&self, address: u64, iterations: u32, now: Seconds) -> bool {
        let share = self.shares[usize::from(self.is_known(address))].spent(now);
        self.account(address).spent(now).saturating_add(price(iterations)) <= limits::LOGIN_ADDRESS_PRICE_MAX
            && share.saturating_add(iterations) <= limits::LOGIN_ITERATIONS_PER_SECOND_MAX
    }

    /// Pays for a check before it begins: one that is abandoned has its price too.
    pub(super) fn pay(&mut self, address: u64, iterations: u32, now: Seconds) -> Ticket {
        self.checks = self.checks.wrapping_add(1);
        let (served, is_known) = (self.checks, self.is_known(address));
        let account = self.account_mut(address);
        let spent = account.spent(now).saturating_add(price(iterations));
        *account = Account { spent, updated_at: now, served };
        let share = &mut self.shares[usize::from(is_known)];
        *share = Share { second: now, iterations: share.spent(now).saturating_add(iterations) };
        Ticket { address, iterations, is_known, paid_at: now }
    }

    /// Returns the price of a login that has passed; its address is known from now on.
    pub(super) fn pass(&mut self, ticket: Ticket) {
        self.refund(ticket);
        self.logins = self.logins.wrapping_add(1);
        let Ticket { address, .. } = ticket;
        if let Some(known) = self.known.iter_mut().find(|known| known.address == address) {
            known.login = self.logins;
            return;
        }
        let known = Known { address, login: self.logins, account: self.account(address) };
        if self.known.len() < limits::LOGIN_KNOWN_ADDRESSES_MAX {
            self.known.push(known);
        } else if let Some(oldest) = self.known.iter_mut().min_by_key(|known| known.login) {
            *oldest = known;
        }
    }

    /// Returns the price of a check.
    pub(super) fn refund(&mut self, ticket: Ticket) {
        let Ticket { address, iterations, is_known, paid_at } = ticket;
        if self.is_known(address) == is_known {
            let account = self.account_mut(address);
            account.spent = account.spent.saturating_sub(price(iterations));
        }
        let share = &mut self.shares[usize::from(is_known)];
        if share.second == paid_at {
            share.iterations = share.iterations.saturating_sub(iterations);
        }
    }

    fn place(address: u64) -> usize {
        (address % limits::LOGIN_STRANGERS as u64) as usize
    }

    fn account(&self, address: u64) -> Account {
        match self.known.iter().find(|known| known.address == address) {
            Some(known) => known.account,
            None => self.strangers.get(Self::place(address)).copied().unwrap_or_default(),
        }
    }

    fn account_mut(&mut self, address: u64) -> &mut Account {
        if self.strangers.is_empty() {
            self.strangers = vec![Account::default(); limits::LOGIN_STRANGERS];
        }
        match self.known.iter_mut().find(|known| known.address == address) {
            Some(known) => &mut known.account,
            None => &mut self.strangers[Self::place(address)],
        }
    }
}

impl Account {
    /// The debt that time has not yet made up for.
    fn spent(&self, now: Seconds) -> u32 {
        // A clock that was set back must not lock an address out until it has caught up.
        let Some(seconds) = now.checked_sub(self.updated_at) else { return 0 };
        self.spent.saturating_sub(limits::LOGIN_ADDRESS_PRICE_PER_SECOND.saturating_mul(seconds))
    }
}

impl Share {
    fn spent(&self, now: Seconds) -> u32 {
        if self.second == now { self.iterations } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLEAR: u32 = 0;
    const HASHED: u32 = limits::SCRAM_ITERATIONS_MAX;
    const GUESSES_AT_ONCE: u32 = limits::LOGIN_ADDRESS_PRICE_MAX / limits::LOGIN_PRICE_MIN;
    const GUESSES_PER_SECOND: u32 = limits::LOGIN_ADDRESS_PRICE_PER_SECOND / limits::LOGIN_PRICE_MIN;

    /// Number of checks that an address can pay for in this second.
    fn guess(addresses: &mut Addresses, address: u64, iterations: u32, now: Seconds) -> u32 {
        let mut count = 0;
        while addresses.can_pay(address, iterations, now) {
            addresses.pay(address, iterations, now);
            count += 1;
        }
        count
    }

    #[test]
    fn guesses_of_an_address_are_slow_after_the_first() {
        let mut addresses = Addresses::default();
        assert_eq!(guess(&mut addresses, 7, CLEAR, 100), GUESSES_AT_ONCE);
        assert_eq!(guess(&mut addresses, 7, CLEAR, 100), 0);
        assert_eq!(guess(&mut addresses, 8, CLEAR, 100), GUESSES_AT_ONCE);
        for second in 101..110 {
            assert_eq!(guess(&mut addresses, 7, CLEAR, second), GUESSES_PER_SECOND);
        }
        // A clock that is set back locks nobody out.
        assert_eq!(guess(&mut addresses, 8, CLEAR, 50), GUESSES_AT_ONCE);
        assert_eq!(guess(&mut addresses, 8, CLEAR, 51), GUESSES_PER_SECOND);
    }

    #[test]
    fn logins_that_pass_are_free() {
        let mut addresses = Addresses::default();
        for _ in 0..1000 {
            assert!(addresses.can_pay(7, HASHED, 100));
            let ticket = addresses.pay(7, HASHED, 100);
            addresses.pass(ticket);
        }
        assert_eq!((addresses.known.len(), addresses.account(7).spent), (1, 0));
    }

    #[test]
    fn strangers_cannot_spend_the_share_of_known_addresses() {
        let mut addresses = Addresses::default();
        let ticket = addresses.pay(1, HASHED, 100);
        addresses.pass(ticket);
        let spent: u32 = (2..1000).map(|address| guess(&mut addresses, address, HASHED, 101)).sum();
        assert_eq!(spent, limits::LOGIN_ITERATIONS_PER_SECOND_MAX / HASHED);
        assert!(!addresses.can_pay(5000, HASHED, 101));
        assert!(addresses.can_pay(1, HASHED, 101));
        // Nor make the server forget one.
        for address in 2..100_000 {
            addresses.pay(address, HASHED, 102);
        }
        assert!(addresses.is_known(1) && addresses.can_pay(1, HASHED, 102));
    }

    #[test]
    fn tables_have_a_fixed_size() {
        let mut addresses = Addresses::default();
        for address in 0..2 * limits::LOGIN_KNOWN_ADDRESSES_MAX as u64 {
            let ticket = addresses.pay(address, CLEAR, 100);
            addresses.pass(ticket);
        }
        assert_eq!(addresses.known.len(), limits::LOGIN_KNOWN_ADDRESSES_MAX);
        assert_eq!(addresses.strangers.len(), limits::LOGIN_STRANGERS);
        // The oldest logins were replaced.
        assert!(!addresses.is_known(0) && addresses.is_known(limits::LOGIN_KNOWN_ADDRESSES_MAX as u64));
    }
}
