//! The verbs of a guest with connections.

use super::{
    ConnectionKind, EventBatch, Fault, FrontStatus, Guest, GuestModule, RecordedEvents, Run, RunOutcome, UpkeepVerbs,
    Verb, Word, range, word_at,
};
use crate::limits::{MESSAGE_BYTES_MAX, RUNS_MAX};
use std::ops::Range;
use wasmcached_core::{
    boundary::{
        config::{Config, Role},
        event::Kinds,
        host::Target,
    },
    statistics::Refusals,
};

/// A guest with connections: a front, or a solo.
pub(crate) struct Front {
    pub(super) guest: Guest,
    verbs: FrontVerbs,
    login: LoginVerbs,
    upkeep: UpkeepVerbs,
    /// The window of all connections without a partial request; requested once.
    plain_window: Option<Range<usize>>,
    /// Place of the counts of refusals.
    refusals: Range<usize>,
}

impl Front {
    /// Makes a guest of the role in `config`.
    pub(crate) fn create(module: &GuestModule, config: &Config, now: u32) -> Result<Self, Fault> {
        debug_assert_ne!(config.role, Role::Shard);
        let mut guest = Guest::create(module, config, now)?;
        let verbs = FrontVerbs {
            open: guest.verb("open")?,
            input: guest.verb("input")?,
            advance: guest.verb("advance")?,
            resume: guest.verb("resume")?,
            output: guest.verb("output")?,
            consume: guest.verb("consume")?,
            close: guest.verb("close")?,
            reply: guest.verb("reply")?,
            label: guest.verb("label")?,
            deliver: guest.verb("deliver")?,
            reserve: guest.verb("reserve")?,
        };
        let login =
            LoginVerbs { reserve: guest.verb("reserve")?, users: guest.verb("users")?, logins: guest.verb("logins")? };
        let upkeep = guest.upkeep_verbs()?;
        let at = guest.word(Word::Refusals as usize) as usize;
        let count = guest.word(Word::Refusals as usize + 1).min(Refusals::COUNT as u32);
        let refusals = at..at + 4 * count as usize;
        Ok(Self { guest, verbs, login, upkeep, plain_window: None, refusals })
    }

    /// Opens a connection; returns its number.
    pub(crate) fn open(&mut self, kind: ConnectionKind) -> Result<u32, Fault> {
        let number = match kind {
            ConnectionKind::Client => 0,
            ConnectionKind::Rejected => 1,
            ConnectionKind::Datagrams => 2,
            ConnectionKind::UnverifiedDatagrams => 3,
            ConnectionKind::Bound(binding) => 4 + binding as u32,
        };
        self.guest.call(&self.verbs.open, number)
    }

    /// The buffer to receive into, never empty. `partial` is that of the connection's last status.
    #[inline]
    pub(crate) fn window(&mut self, connection: u32, partial: bool) -> Result<&mut [u8], Fault> {
        let window = match &self.plain_window {
            Some(window) if !partial => window.clone(),
            _ => {
                self.guest.call(&self.verbs.input, connection)?;
                let window = self.guest.named(Word::Window);
                if window.is_empty() {
                    return Err(Fault::new("the guest gave an empty window"));
                }
                if !partial {
                    self.plain_window = Some(window.clone());
                }
                window
            }
        };
        self.guest.bytes_mut(window)
    }

    /// Processes the input that was received into the window.
    #[inline]
    pub(crate) fn advance(&mut self, connection: u32, received: usize, now: u32) -> Result<FrontStatus, Fault> {
        self.guest.call(&self.verbs.advance, (connection, received as u32, now)).map(FrontStatus)
    }

    /// Continues after the runs were executed.
    pub(crate) fn resume(&mut self, now: u32) -> Result<FrontStatus, Fault> {
        self.guest.call(&self.verbs.resume, now).map(FrontStatus)
    }

    /// The output to send after the last `advance`, `resume`, `consume` or [`Front::load_output`].
    #[inline]
    pub(crate) fn output(&self) -> Result<&[u8], Fault> {
        self.guest.bytes(self.guest.named(Word::Output))
    }

    /// Makes [`Front::output`] that of `connection`.
    pub(crate) fn load_output(&mut self, connection: u32) -> Result<(), Fault> {
        self.guest.call(&self.verbs.output, connection)
    }

    /// Reports the first `bytes` of the output as sent.
    pub(crate) fn consume(&mut self, connection: u32, bytes: usize) -> Result<FrontStatus, Fault> {
        self.guest.call(&self.verbs.consume, (connection, bytes as u32)).map(FrontStatus)
    }

    /// Closes a connection.
    pub(crate) fn close(&mut self, connection: u32) -> Result<(), Fault> {
        self.guest.call(&self.verbs.close, connection)
    }

    /// Number of turns that ended at the limit of requests, since the guest was made.
    pub(crate) fn yields(&self) -> u32 {
        self.guest.word(Word::Yields as usize)
    }

    /// The counts of what the guest refused since it was made; each wraps around. A kind that the guest does not know is 0.
    #[inline]
    pub(crate) fn refusals(&self) -> Result<[u32; Refusals::COUNT], Fault> {
        let counts = self.guest.bytes(self.refusals.clone())?;
        Ok(std::array::from_fn(|kind| word_at(counts, kind)))
    }

    /// Number of runs to execute.
    pub(crate) fn runs_count(&self) -> Result<u32, Fault> {
        let count = self.guest.word(Word::Runs as usize + 1);
        if count > RUNS_MAX { Err(Fault::new(format!("the guest made {count} runs"))) } else { Ok(count) }
    }

    /// A run, by its index.
    pub(crate) fn run(&self, index: u32) -> Result<Run, Fault> {
        let at = self.guest.word(Word::Runs as usize) as usize + index as usize * 16;
        let record = self.guest.bytes(at..at + 16)?;
        let field = |index: usize| word_at(record, index);
        Ok(Run { target: Target(field(0)), commands_at: field(1), commands_bytes: field(2), count: field(3) })
    }

    /// The commands of a run.
    pub(crate) fn commands(&self, run: Run) -> Result<&[u8], Fault> {
        self.guest.bytes(range(run.commands_at, run.commands_bytes))
    }

    /// Ends a run; returns the buffer for its replies.
    pub(crate) fn reply(&mut self, run: u32, outcome: RunOutcome, bytes: usize) -> Result<&mut [u8], Fault> {
        let executed = match outcome {
            RunOutcome::Executed(count) => count,
            RunOutcome::Lost => u32::MAX,
        };
        let at = self.guest.call(&self.verbs.reply, (run, executed, bytes as u32))?;
        self.guest.bytes_mut(range(at, bytes as u32))
    }

    /// Puts a list of users in force. The inner error is one line for the user: the list is malformed, the old one stays.
    pub(crate) fn users(&mut self, list: &[u8]) -> Result<Result<(), String>, Fault> {
        let bytes = list.len() as u32;
        let at = self.guest.call(&self.login.reserve, bytes)?;
        self.guest.bytes_mut(range(at, bytes))?.copy_from_slice(list);
        let line = self.guest.call(&self.login.users, bytes)?;
        if line == 0 {
            return Ok(Ok(()));
        }
        let reason = self.guest.bytes(self.guest.named(Word::Message))?;
        let reason = String::from_utf8_lossy(&reason[..reason.len().min(MESSAGE_BYTES_MAX)]);
        Ok(Err(format!("line {line}: {reason}")))
    }

    /// Numbers of logins and of failed logins since the guest was made.
    pub(crate) fn logins(&mut self) -> Result<(u32, u32), Fault> {
        let logins = self.guest.call(&self.login.logins, ())?;
        Ok((logins as u32, (logins >> 32) as u32))
    }

    /// Tells the guest the descriptor of a connection, by which statistics name it.
    pub(crate) fn label(&mut self, connection: u32, descriptor: u32) -> Result<(), Fault> {
        self.guest.call(&self.verbs.label, (connection, descriptor))
    }

    /// See [`super::Shard::watch`].
    pub(crate) fn watch(&mut self, kinds: Kinds) -> Result<(), Fault> {
        self.guest.call(&self.upkeep.watch, kinds.0)
    }

    /// See [`super::Shard::events`].
    pub(crate) fn events(&mut self) -> Result<Option<RecordedEvents<'_>>, Fault> {
        self.guest.events(&self.upkeep)
    }

    /// Delivers events to watching connections; returns the numbers of lines to send and of lines without room.
    pub(crate) fn deliver(&mut self, batch: &EventBatch) -> Result<(u32, u32), Fault> {
        let bytes = batch.records.len() as u32;
        let at = self.guest.call(&self.verbs.reserve, bytes)?;
        self.guest.bytes_mut(range(at, bytes))?.copy_from_slice(&batch.records);
        let seconds = u32::try_from(batch.at.as_secs()).unwrap_or(u32::MAX);
        let arguments = (bytes, batch.number, seconds, batch.at.subsec_micros());
        let lines = self.guest.call(&self.verbs.deliver, arguments)?;
        Ok(((lines >> 32) as u32, lines as u32))
    }

    /// Solo: see [`super::Shard::sweep`].
    pub(crate) fn sweep(&mut self, now: u32, steps: u32) -> Result<bool, Fault> {
        self.guest.sweep(&self.upkeep, now, steps)
    }

    /// Solo: see [`super::Shard::limit`].
    pub(crate) fn limit(&mut self, bytes: u64) -> Result<bool, Fault> {
        self.guest.call(&self.upkeep.limit, bytes).map(|done| done != 0)
    }
}

struct FrontVerbs {
    open: Verb<u32, u32>,
    input: Verb<u32, ()>,
    advance: Verb<(u32, u32, u32), u32>,
    resume: Verb<u32, u32>,
    output: Verb<u32, ()>,
    consume: Verb<(u32, u32), u32>,
    close: Verb<u32, ()>,
    reply: Verb<(u32, u32, u32), u32>,
    label: Verb<(u32, u32), ()>,
    deliver: Verb<(u32, u64, u32, u32), u64>,
    reserve: Verb<u32, u32>,
}

struct LoginVerbs {
    reserve: Verb<u32, u32>,
    users: Verb<u32, u32>,
    logins: Verb<(), u64>,
}
