//! Logins of connections: their messages, their limits and their outcome. `authentication` checks users.

use super::{Front, collect::LoginPart, state::State};
use crate::{
    authentication::{Exchange, MECHANISMS, Problem, ScramStep, Secrets, Users, split_plain},
    clock::Seconds,
    limits,
    protocol::{
        binary::{self, PacketStatus, PacketVerb},
        text::words,
    },
};
use alloc::vec::Vec;

/// The login attempts of one connection.
#[derive(Default)]
pub(super) struct Logins {
    failures: u32,
    failed_at: Option<Seconds>,
    progress: Progress,
    /// Number of the list of users under which `progress` began.
    list: u32,
}

/// The state of a login that takes several packets.
#[derive(Default)]
enum Progress {
    /// None has begun.
    #[default]
    Nothing,
    /// PLAIN, before the message.
    Plain,
    /// SCRAM, before the first message.
    Scram,
    /// SCRAM, before the proof.
    Challenged(Exchange),
    /// SCRAM, before the client's acknowledgement of the server's proof.
    Proven,
}

/// The outcome of a message.
enum LoginOutcome {
    LoggedIn,
    Continue(Vec<u8>),
    Refused,
}

/// All logins of one front.
#[derive(Default)]
pub(super) struct Gate {
    users: Users,
    /// Number of the current list: a login that began under one list does not end under another.
    list: u32,
    tries: u32,
    refusals: u32,
    /// Conversations begun, for their nonces.
    conversations: u64,
    budget: HashBudget,
}

/// Limits the iterations that refused logins take.
#[derive(Default)]
struct HashBudget {
    /// All checks so far.
    checks: u32,
    second: Seconds,
    /// Iterations of the refused logins of that second.
    iterations: u32,
}

impl Front {
    /// Replaces the list of users. Connections that are logged in stay so. On an error the previous list stays.
    ///
    /// # Errors
    /// The first wrong line, and the reason.
    pub fn set_users(&mut self, list: &[u8]) -> Result<(), Problem> {
        let seed = self.config.store.seed;
        let secrets = Secrets { common: [seed.0, seed.1], own: self.config.entropy };
        self.gate.users = Users::parse(list, &secrets)?;
        self.gate.list = self.gate.list.wrapping_add(1);
        Ok(())
    }

    /// Numbers of attempted and of refused logins.
    pub fn logins(&self) -> (u32, u32) {
        (self.gate.tries, self.gate.refusals)
    }

    /// Answers a part of a login of the connection at hand.
    pub(super) fn log_in(&mut self, login: LoginPart) {
        let Some(connection) = self.connections.get_mut(self.inbound.connection) else { return };
        let mut logins = connection.logins.take().unwrap_or_default();
        let input = self.inbound.bytes(&self.connections);
        let now = self.context.time.now;
        let checks_before = self.gate.budget.checks;
        let state = match login {
            LoginPart::Text { user, password } => {
                let passes =
                    logins.attempt(&mut self.gate, now, |gate, _| gate.check(user.of(input), password.of(input), now));
                let passes = matches!(passes, LoginOutcome::LoggedIn);
                self.output.extend_from_slice(if passes { words::STORED } else { words::LOGIN_FAILED });
                if passes { State::Requests } else { State::Locked }
            }
            LoginPart::Packet(login) if login.format.verb == PacketVerb::SaslList => {
                // The question for mechanisms begins a new login.
                logins.progress = Progress::Nothing;
                binary::login(&mut self.output, login.format, PacketStatus::Success, MECHANISMS);
                State::Packets { locked: true }
            }
            LoginPart::Packet(login) => {
                let outcome = logins.attempt(&mut self.gate, now, |gate, progress| {
                    let message = login.message.of(input);
                    if login.format.verb == PacketVerb::SaslStep {
                        gate.take_message(progress, message, now)
                    } else {
                        *progress = Progress::of(login.mechanism.of(input));
                        if message.is_empty() && !matches!(progress, Progress::Nothing) {
                            return LoginOutcome::Continue(Vec::new());
                        }
                        gate.take_message(progress, message, now)
                    }
                });
                let (status, message) = match &outcome {
                    LoginOutcome::LoggedIn => (PacketStatus::Success, &b"Authenticated"[..]),
                    LoginOutcome::Continue(message) => (PacketStatus::AuthContinue, message.as_slice()),
                    LoginOutcome::Refused => (PacketStatus::AuthError, PacketStatus::AuthError.text()),
                };
                binary::login(&mut self.output, login.format, status, message);
                State::Packets { locked: !matches!(outcome, LoginOutcome::LoggedIn) }
            }
        };
        if self.gate.budget.checks != checks_before {
            // A hashed check takes long, so it ends the turn of its connection.
            self.requests_left = 0;
        }
        let closes = logins.failures >= limits::LOGIN_FAILURES_MAX;
        if let Some(connection) = self.connections.get_mut(self.inbound.connection) {
            connection.logins = Some(logins);
            connection.state = if closes { State::Closing } else { state };
        }
    }
}

impl Logins {
    /// Lets `check` look at a message, unless the last failure was in the same second, and counts the outcome.
    fn attempt(
        &mut self,
        gate: &mut Gate,
        now: Seconds,
        check: impl FnOnce(&mut Gate, &mut Progress) -> LoginOutcome,
    ) -> LoginOutcome {
        if self.list != gate.list {
            (self.list, self.progress) = (gate.list, Progress::Nothing);
        }
        let outcome = if self.failed_at == Some(now) { LoginOutcome::Refused } else { check(gate, &mut self.progress) };
        match outcome {
            LoginOutcome::Continue(_) => return outcome,
            LoginOutcome::LoggedIn => self.failures = 0,
            LoginOutcome::Refused => {
                gate.refusals = gate.refusals.wrapping_add(1);
                self.failures += 1;
                self.failed_at = Some(now);
            }
        }
        gate.tries = gate.tries.wrapping_add(1);
        self.progress = Progress::Nothing;
        outcome
    }
}

impl Progress {
    /// The beginning of a mechanism.
    fn of(mechanism: &[u8]) -> Self {
        if mechanism.eq_ignore_ascii_case(b"PLAIN") {
            Self::Plain
        } else if mechanism.eq_ignore_ascii_case(b"SCRAM-SHA-256") {
            Self::Scram
        } else {
            Self::Nothing
        }
    }
}

impl Gate {
    /// Takes a name and its password.
    fn check(&mut self, name: &[u8], password: &[u8], now: Seconds) -> LoginOutcome {
        let iterations = self.users.check_iterations();
        if !self.budget.begin(iterations, now) || !self.users.check(name, password) {
            return LoginOutcome::Refused;
        }
        self.budget.refund(iterations);
        LoginOutcome::LoggedIn
    }

    /// Takes the next message of a login.
    fn take_message(&mut self, progress: &mut Progress, message: &[u8], now: Seconds) -> LoginOutcome {
        match core::mem::take(progress) {
            Progress::Nothing => LoginOutcome::Refused,
            Progress::Plain => match split_plain(message) {
                Some((name, password)) => self.check(name, password, now),
                None => LoginOutcome::Refused,
            },
            Progress::Scram => {
                self.conversations += 1;
                let Some((exchange, answer)) = Exchange::begin(&self.users, message, self.conversations) else {
                    return LoginOutcome::Refused;
                };
                *progress = Progress::Challenged(exchange);
                LoginOutcome::Continue(answer)
            }
            Progress::Challenged(exchange) => {
                let iterations = self.users.proof_iterations();
                if !self.budget.begin(iterations, now) {
                    return LoginOutcome::Refused;
                }
                match exchange.finish(&self.users, message) {
                    ScramStep::Continue(answer) => {
                        self.budget.refund(iterations);
                        *progress = Progress::Proven;
                        LoginOutcome::Continue(answer)
                    }
                    ScramStep::Refused => LoginOutcome::Refused,
                }
            }
            Progress::Proven if message.is_empty() => LoginOutcome::LoggedIn,
            Progress::Proven => LoginOutcome::Refused,
        }
    }
}

impl HashBudget {
    /// Takes the iterations of a check out of the budget; `false`: they exceed it.
    fn begin(&mut self, iterations: u32, now: Seconds) -> bool {
        if iterations == 0 {
            return true;
        }
        if self.second != now {
            (self.second, self.iterations) = (now, 0);
        }
        let sum = self.iterations.saturating_add(iterations);
        if sum > limits::LOGIN_ITERATIONS_PER_SECOND_MAX {
            return false;
        }
        (self.iterations, self.checks) = (sum, self.checks.wrapping_add(1));
        true
    }

    /// Returns the iterations of a login that was not refused.
    fn refund(&mut self, iterations: u32) {
        self.iterations = self.iterations.saturating_sub(iterations);
    }
}
