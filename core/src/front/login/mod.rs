//! Logins of connections: their messages, their limits and their outcome. `authentication` checks users.

mod addresses;
mod gate;

pub(super) use gate::Wait;

use super::{ConnectionId, Front, collect::LoginPart, state::State};
use crate::{
    authentication::{
        Exchange, ListForm, MECHANISMS, PasswordCheck, Problem, Proof, ScramStep, Secrets, Users, split_plain,
    },
    boundary::config::Authentication,
    clock::Seconds,
    limits,
    protocol::{
        binary::{self, PacketStatus, PacketVerb},
        text::words,
    },
};
use alloc::{boxed::Box, vec::Vec};
use gate::{Applicant, Gate, Permit};

/// The login attempts of one connection.
#[derive(Default)]
pub(super) struct Logins {
    failures: u32,
    progress: Progress,
    /// The check under way. The message that asks for it is not consumed before its end.
    check: Option<Check>,
    /// When the message that waits for its check is to be looked at again.
    pub(super) waits: Option<Wait>,
    /// Number of the list of users under which `progress` and `check` began.
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

/// A check under way.
enum Check {
    Password(Box<PasswordCheck>),
    Proof(Box<Proof>),
}

/// The outcome of a message.
enum LoginOutcome {
    LoggedIn,
    Continue(Vec<u8>),
    Refused,
    /// None yet.
    Waiting(Wait),
}

/// All logins of one front.
#[derive(Default)]
pub(super) struct FrontLogins {
    users: Users,
    /// Number of the current list: a login that began under one list does not end under another.
    list: u32,
    tries: u32,
    refusals: u32,
    /// Conversations begun, for their nonces.
    conversations: u64,
    gate: Gate,
}

impl Front {
    /// Replaces the list of users. Connections that are logged in stay so. On an error the previous list stays.
    ///
    /// # Errors
    /// The first wrong line, and the reason.
    pub fn set_users(&mut self, list: &[u8]) -> Result<(), Problem> {
        let seed = self.config.store.seed;
        let secrets = Secrets { common: [seed.0, seed.1], own: self.config.entropy };
        let is_sasl = self.config.authentication == Authentication::Sasl;
        let form = if is_sasl { ListForm::Sasl } else { ListForm::Plain };
        self.logins.users = Users::parse_form(list, form, &secrets)?;
        self.logins.list = self.logins.list.wrapping_add(1);
        self.logins.gate.restart();
        Ok(())
    }

    /// Numbers of attempted and of refused logins.
    pub fn logins(&self) -> (u32, u32) {
        (self.logins.tries, self.logins.refusals)
    }

    /// Sets the host's number for the address of a client, by which failed logins are limited. Clients without one share
    /// the number 0.
    pub fn set_peer(&mut self, id: ConnectionId, number: u64) {
        if let Some(connection) = self.connections.get_mut(id.0 as usize) {
            connection.peer = number;
        }
    }

    /// Answers a part of a login of the connection at hand; `false`: it waits, and its input stays.
    pub(super) fn log_in(&mut self, login: LoginPart) -> bool {
        let number = self.inbound.connection;
        let Some(connection) = self.connections.get_mut(number) else { return true };
        let mut logins = connection.logins.take().unwrap_or_default();
        let applicant = Applicant { connection: number, address: connection.peer, can_wait: self.output.is_empty() };
        let input = self.inbound.bytes(&self.connections);
        let mut attempt =
            Attempt { logins: &mut logins, front: &mut self.logins, applicant, now: self.context.time.now };
        let (outcome, state) = match login {
            LoginPart::Text { user, password } => {
                let outcome = attempt.make(|attempt| attempt.check(user.of(input), password.of(input)));
                let passes = matches!(outcome, LoginOutcome::LoggedIn);
                if !matches!(outcome, LoginOutcome::Waiting(_)) {
                    self.output.extend_from_slice(if passes { words::STORED } else { words::LOGIN_FAILED });
                }
                (outcome, if passes { State::Requests } else { State::Locked })
            }
            LoginPart::Packet(login) => {
                let outcome = attempt.packet(&login, login.mechanism.of(input), login.message.of(input));
                let (status, message) = match &outcome {
                    LoginOutcome::LoggedIn => (PacketStatus::Success, &b"Authenticated"[..]),
                    LoginOutcome::Continue(message) if login.format.verb == PacketVerb::SaslList => {
                        (PacketStatus::Success, message.as_slice())
                    }
                    LoginOutcome::Continue(message) => (PacketStatus::AuthContinue, message.as_slice()),
                    _ => (PacketStatus::AuthError, PacketStatus::AuthError.text()),
                };
                if !matches!(outcome, LoginOutcome::Waiting(_)) {
                    binary::login(&mut self.output, login.format, status, message);
                }
                let locked = !matches!(outcome, LoginOutcome::LoggedIn);
                (outcome, State::Packets { locked })
            }
        };
        let closes = logins.failures >= limits::LOGIN_FAILURES_MAX;
        logins.waits = match outcome {
            LoginOutcome::Waiting(wait) => Some(wait),
            _ => None,
        };
        let waits = logins.waits.is_some();
        if let Some(connection) = self.connections.get_mut(number) {
            connection.logins = Some(logins);
            if !waits {
                connection.state = if closes { State::Closing } else { state };
            }
        }
        !waits
    }

    /// Forgets the logins of a connection that ends.
    pub(super) fn forget_logins(&mut self, connection: usize) {
        self.logins.gate.forget(connection);
    }
}

/// A message of a login, and what it may change.
struct Attempt<'a> {
    logins: &'a mut Logins,
    front: &'a mut FrontLogins,
    applicant: Applicant,
    now: Seconds,
}

impl Attempt<'_> {
    /// Lets `take` look at a message, and counts the outcome.
    fn make(&mut self, take: impl FnOnce(&mut Self) -> LoginOutcome) -> LoginOutcome {
        if self.logins.list != self.front.list {
            (self.logins.list, self.logins.progress, self.logins.check) = (self.front.list, Progress::Nothing, None);
        }
        let outcome = take(self);
        match outcome {
            LoginOutcome::Continue(_) | LoginOutcome::Waiting(_) => return outcome,
            LoginOutcome::LoggedIn => self.logins.failures = 0,
            LoginOutcome::Refused => {
                self.front.refusals = self.front.refusals.wrapping_add(1);
                self.logins.failures += 1;
            }
        }
        self.front.tries = self.front.tries.wrapping_add(1);
        self.logins.progress = Progress::Nothing;
        outcome
    }

    /// Takes a packet.
    fn packet(&mut self, login: &binary::PacketLogin, mechanism: &[u8], message: &[u8]) -> LoginOutcome {
        match login.format.verb {
            // The question for mechanisms begins a new login.
            PacketVerb::SaslList => {
                self.logins.progress = Progress::Nothing;
                LoginOutcome::Continue(MECHANISMS.to_vec())
            }
            PacketVerb::SaslStep => self.make(|attempt| attempt.take_message(message)),
            _ => self.make(|attempt| {
                attempt.logins.progress = Progress::of(mechanism);
                if message.is_empty() && !matches!(attempt.logins.progress, Progress::Nothing) {
                    return LoginOutcome::Continue(Vec::new());
                }
                attempt.take_message(message)
            }),
        }
    }

    /// Takes the next message of a login.
    fn take_message(&mut self, message: &[u8]) -> LoginOutcome {
        match &self.logins.progress {
            Progress::Nothing => LoginOutcome::Refused,
            Progress::Plain => match split_plain(message) {
                Some((name, password)) => self.check(name, password),
                None => LoginOutcome::Refused,
            },
            Progress::Scram => {
                self.front.conversations += 1;
                match Exchange::begin(&self.front.users, message, self.front.conversations) {
                    Some((exchange, answer)) => {
                        self.logins.progress = Progress::Challenged(exchange);
                        LoginOutcome::Continue(answer)
                    }
                    None => LoginOutcome::Refused,
                }
            }
            Progress::Challenged(_) => self.prove(message),
            Progress::Proven if message.is_empty() => LoginOutcome::LoggedIn,
            Progress::Proven => LoginOutcome::Refused,
        }
    }

    /// Begins or continues the check of a name and its password.
    fn check(&mut self, name: &[u8], password: &[u8]) -> LoginOutcome {
        let ticket = match self.front.gate.apply(self.applicant, self.front.users.check_iterations(), self.now) {
            Permit::Now(ticket) => ticket,
            Permit::Wait(wait) => return LoginOutcome::Waiting(wait),
            Permit::Never => return LoginOutcome::Refused,
        };
        let mut check = match self.logins.check.take() {
            Some(Check::Password(check)) => check,
            _ => Box::new(self.front.users.begin_check(name, password)),
        };
        let Some(passes) = check.advance(limits::LOGIN_ITERATIONS_PER_TURN_MAX) else {
            self.logins.check = Some(Check::Password(check));
            return LoginOutcome::Waiting(Wait::Turn);
        };
        self.front.gate.finish(self.applicant.connection, ticket, passes);
        if passes { LoginOutcome::LoggedIn } else { LoginOutcome::Refused }
    }

    /// Begins or continues the check of a client's proof.
    fn prove(&mut self, message: &[u8]) -> LoginOutcome {
        let Progress::Challenged(exchange) = &self.logins.progress else { return LoginOutcome::Refused };
        let mut proof = match self.logins.check.take() {
            Some(Check::Proof(proof)) => proof,
            _ => match exchange.begin_proof(&self.front.users, message) {
                Some(proof) => Box::new(proof),
                None => return LoginOutcome::Refused,
            },
        };
        let ticket = match self.front.gate.apply(self.applicant, self.front.users.proof_iterations(), self.now) {
            Permit::Now(ticket) => ticket,
            Permit::Wait(wait) => {
                self.logins.check = Some(Check::Proof(proof));
                return LoginOutcome::Waiting(wait);
            }
            Permit::Never => return LoginOutcome::Refused,
        };
        let Some(step) = proof.advance(exchange, limits::LOGIN_ITERATIONS_PER_TURN_MAX) else {
            self.logins.check = Some(Check::Proof(proof));
            return LoginOutcome::Waiting(Wait::Turn);
        };
        let passes = matches!(step, ScramStep::Continue(_));
        self.front.gate.finish(self.applicant.connection, ticket, passes);
        match step {
            ScramStep::Continue(answer) => {
                self.logins.progress = Progress::Proven;
                LoginOutcome::Continue(answer)
            }
            ScramStep::Refused => LoginOutcome::Refused,
        }
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
