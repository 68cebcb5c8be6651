//! The verbs of a guest with connections.

use super::{
    CallBytes, ConnectionKind, EventBatch, Fault, FrontStatus, Guest, GuestModule, RecordedEvents, Run, RunOutcome,
    UpkeepVerbs, Verb, Word, range, word_at,
};
use crate::{
    clock::ClockRelation,
    limits::{MESSAGE_BYTES_MAX, OUTPUT_SLICES_MAX, RUNS_MAX},
};
use std::{io::IoSlice, ops::Range};
use wasmcached_core::{
    boundary::{
        config::{Config, Role},
        event::Kinds,
        host::Target,
    },
    limits,
    statistics::Refusals,
};

/// Bytes of the record of a run.
const RUN_BYTES: usize = 6 * 4;
/// Bytes of the record of a slice.
const SLICE_BYTES: usize = 2 * 4;

/// Room for the slices of the output of one turn.
pub(crate) struct OutputSlices<'g>(pub(crate) [IoSlice<'g>; OUTPUT_SLICES_MAX]);

impl Default for OutputSlices<'_> {
    fn default() -> Self {
        Self([IoSlice::new(&[]); OUTPUT_SLICES_MAX])
    }
}

/// A guest with connections: a front, or a solo.
pub(crate) struct Front {
    pub(super) guest: Guest,
    verbs: FrontVerbs,
    login: LoginVerbs,
    budget: BudgetVerbs,
    upkeep: UpkeepVerbs,
    /// As it was told to the guest.
    clock: ClockRelation,
    /// The window of all connections without one of their own; requested once.
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
            clock: guest.verb("clock")?,
        };
        let login = LoginVerbs {
            reserve: guest.verb("reserve")?,
            users: guest.verb("users")?,
            http_token: guest.verb("http_token")?,
            logins: guest.verb("logins")?,
            peer: guest.verb("peer")?,
        };
        let budget = BudgetVerbs {
            wanted: guest.verb("wanted")?,
            admit: guest.verb("admit")?,
            holder: guest.verb("holder")?,
            shed: guest.verb("shed")?,
        };
        let upkeep = guest.upkeep_verbs()?;
        let refusals = refusals(&guest)?;
        let clock = ClockRelation::default();
        Ok(Self { guest, verbs, login, budget, upkeep, clock, plain_window: None, refusals })
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

    /// The buffer to receive into, never empty. `own` is [`FrontStatus::own_window`] of the connection's last
    /// status; `is_pressed`: the window may be short.
    #[inline]
    pub(crate) fn window(&mut self, connection: u32, own: bool, is_pressed: bool) -> Result<&mut [u8], Fault> {
        let window = match &self.plain_window {
            Some(window) if !own && !is_pressed => window.clone(),
            _ => {
                self.guest.call(&self.verbs.input, connection)?;
                let window = self.guest.named(Word::Window);
                if window.is_empty() {
                    return Err(Fault::new("the guest gave an empty window"));
                }
                if !own && !is_pressed {
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
        let bytes = CallBytes(received as u64);
        self.guest.call_with(&self.verbs.advance, (connection, received as u32, now), bytes).map(FrontStatus)
    }

    /// Tells the guest what it must know of the clock besides the seconds, if that has changed.
    #[inline]
    pub(crate) fn set_clock(&mut self, clock: ClockRelation) -> Result<(), Fault> {
        if clock == self.clock {
            return Ok(());
        }
        self.clock = clock;
        self.guest.call(&self.verbs.clock, (clock.wall_ahead_s, clock.has_fraction.into()))
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

    /// Puts the output to send after a status with [`FrontStatus::slices`] into `slices`. Returns the number of slices
    /// and the number of all bytes.
    pub(crate) fn output_slices<'g>(&'g self, slices: &mut OutputSlices<'g>) -> Result<(usize, usize), Fault> {
        let (at, count) = (self.guest.word(Word::Slices as usize), self.guest.word(Word::Slices as usize + 1));
        if count as usize > slices.0.len() {
            return Err(Fault::new(format!("the guest made {count} slices")));
        }
        let records = self.guest.bytes(range(at, count * SLICE_BYTES as u32))?;
        let mut bytes = 0;
        for (slice, record) in slices.0.iter_mut().zip(records.chunks_exact(SLICE_BYTES)) {
            let place = range(word_at(record, 0), word_at(record, 1));
            bytes += place.len();
            *slice = IoSlice::new(self.guest.bytes(place)?);
        }
        Ok((count as usize, bytes))
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

    /// Bytes that the connections of this front hold.
    #[inline]
    pub(crate) fn held_bytes(&self) -> u32 {
        self.guest.word(Word::Held as usize)
    }

    /// Tells the guest what the connections of all other fronts hold.
    pub(crate) fn set_held_elsewhere(&mut self, bytes: u64) -> Result<(), Fault> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let at = self.guest.mailbox_at + Word::HeldElsewhere as usize * 4;
        self.guest.bytes_mut(at..at + 4)?.copy_from_slice(&bytes.to_le_bytes());
        Ok(())
    }

    /// The room that the waiting request of a connection needs; 0: it does not wait.
    pub(crate) fn wanted(&mut self, connection: u32) -> Result<u32, Fault> {
        self.guest.call(&self.budget.wanted, connection)
    }

    /// Gives the waiting request of a connection its room.
    pub(crate) fn admit(&mut self, connection: u32, now: u32) -> Result<(), Fault> {
        self.guest.call(&self.budget.admit, (connection, now))
    }

    /// The connection that has held most for longest without progress, and its weight; `None` if there is none. Before
    /// that, connections give back what they can read again.
    pub(crate) fn largest_holder(&mut self, now: u32) -> Result<Option<(u32, u32)>, Fault> {
        let holder = self.guest.call(&self.budget.holder, now)?;
        Ok((holder != 0).then_some((holder as u32, (holder >> 32) as u32)))
    }

    /// Ends a connection because others need its room.
    pub(crate) fn shed(&mut self, connection: u32) -> Result<FrontStatus, Fault> {
        self.guest.call(&self.budget.shed, connection).map(FrontStatus)
    }

    /// Returns unused memory to the system; true if there may be more.
    pub(crate) fn reclaim(&mut self) -> Result<bool, Fault> {
        self.guest.reclaim(&self.upkeep)
    }

    /// Number of runs to execute.
    pub(crate) fn runs_count(&self) -> Result<u32, Fault> {
        let count = self.guest.word(Word::Runs as usize + 1);
        if count > RUNS_MAX { Err(Fault::new(format!("the guest made {count} runs"))) } else { Ok(count) }
    }

    /// A run, by its index.
    pub(crate) fn run(&self, index: u32) -> Result<Run, Fault> {
        let at = self.guest.word(Word::Runs as usize) as usize + index as usize * RUN_BYTES;
        let record = self.guest.bytes(at..at + RUN_BYTES)?;
        let field = |index: usize| word_at(record, index);
        Ok(Run {
            target: Target(field(0)),
            commands_at: field(1),
            commands_bytes: field(2),
            count: field(3),
            tail_at: field(4),
            tail_bytes: field(5),
        })
    }

    /// The commands of a run.
    pub(crate) fn commands(&self, run: Run) -> Result<&[u8], Fault> {
        self.guest.bytes(range(run.commands_at, run.commands_bytes))
    }

    /// The bytes that follow the commands of a run.
    pub(crate) fn tail(&self, run: Run) -> Result<&[u8], Fault> {
        self.guest.bytes(range(run.tail_at, run.tail_bytes))
    }

    /// Ends a run; returns the buffer for its replies.
    pub(crate) fn reply(&mut self, run: u32, outcome: RunOutcome, bytes: usize) -> Result<&mut [u8], Fault> {
        let executed = match outcome {
            RunOutcome::Executed(count) => count,
            RunOutcome::Lost => u32::MAX,
        };
        let at = self.guest.call_with(&self.verbs.reply, (run, executed, bytes as u32), CallBytes(bytes as u64))?;
        self.guest.bytes_mut(range(at, bytes as u32))
    }

    /// Puts a list of users in force. The inner error is one line for the user: the list is malformed, the old one stays.
    pub(crate) fn users(&mut self, list: &[u8]) -> Result<Result<(), String>, Fault> {
        let bytes = self.reserve(list)?;
        match self.guest.call_with(&self.login.users, bytes, CallBytes(bytes.into()))? {
            0 => Ok(Ok(())),
            line => Ok(Err(format!("line {line}: {}", self.reason()?))),
        }
    }

    /// Puts a token in force. The inner error is one line for the user: it cannot be one, the old one stays.
    pub(crate) fn http_token(&mut self, token: &[u8]) -> Result<Result<(), String>, Fault> {
        let bytes = self.reserve(token)?;
        match self.guest.call_with(&self.login.http_token, bytes, CallBytes(bytes.into()))? {
            0 => Ok(Ok(())),
            _ => Ok(Err(self.reason()?)),
        }
    }

    /// Copies a secret into the scratch buffer. Returns its length.
    fn reserve(&mut self, secret: &[u8]) -> Result<u32, Fault> {
        let bytes = secret.len() as u32;
        let at = self.guest.call(&self.login.reserve, bytes)?;
        self.guest.bytes_mut(range(at, bytes))?.copy_from_slice(secret);
        Ok(bytes)
    }

    /// The guest's reason for refusing a secret.
    fn reason(&self) -> Result<String, Fault> {
        let reason = self.guest.bytes(self.guest.named(Word::Message))?;
        Ok(String::from_utf8_lossy(&reason[..reason.len().min(MESSAGE_BYTES_MAX)]).into_owned())
    }

    /// Numbers of logins and of failed logins since the guest was made.
    pub(crate) fn logins(&mut self) -> Result<(u32, u32), Fault> {
        let logins = self.guest.call(&self.login.logins, ())?;
        Ok((logins as u32, (logins >> 32) as u32))
    }

    /// Tells the guest the number of a client's address.
    pub(crate) fn peer(&mut self, connection: u32, number: u64) -> Result<(), Fault> {
        self.guest.call(&self.login.peer, (connection, number))
    }

    /// Tells the guest the descriptor of a connection, by which statistics name it.
    pub(crate) fn label(&mut self, connection: u32, descriptor: u32) -> Result<(), Fault> {
        self.guest.call(&self.verbs.label, (connection, descriptor))
    }

    /// Sets the kinds of events to record.
    pub(crate) fn watch(&mut self, kinds: Kinds) -> Result<(), Fault> {
        self.guest.call(&self.upkeep.watch, kinds.0)
    }

    /// Events since the last call.
    pub(crate) fn events(&mut self) -> Result<Option<RecordedEvents<'_>>, Fault> {
        self.guest.events(&self.upkeep)
    }

    /// Delivers events to watching connections; returns the numbers of lines to send and of lines without room.
    pub(crate) fn deliver(&mut self, batch: &EventBatch) -> Result<(u32, u32), Fault> {
        let bytes = batch.records.len() as u32;
        let at = self.guest.call(&self.verbs.reserve, bytes)?;
        self.guest.bytes_mut(range(at, bytes))?.copy_from_slice(&batch.records);
        let seconds = u32::try_from(batch.at.as_secs()).unwrap_or(u32::MAX);
        let events = CallBytes(u64::from(bytes) * limits::WATCHERS_MAX as u64);
        let arguments = (bytes, batch.number, seconds, batch.at.subsec_micros());
        let lines = self.guest.call_with(&self.verbs.deliver, arguments, events)?;
        Ok(((lines >> 32) as u32, lines as u32))
    }

    /// Solo: runs bounded upkeep, which also returns memory to the system; true if more is due.
    pub(crate) fn sweep(&mut self, now: u32, steps: u32) -> Result<bool, Fault> {
        self.guest.sweep(&self.upkeep, now, steps)
    }

    /// Solo: changes the size of the pool; false if that is impossible.
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
    clock: Verb<(i64, u32), ()>,
}

struct LoginVerbs {
    reserve: Verb<u32, u32>,
    users: Verb<u32, u32>,
    http_token: Verb<u32, u32>,
    logins: Verb<(), u64>,
    peer: Verb<(u32, u64), ()>,
}

struct BudgetVerbs {
    wanted: Verb<u32, u32>,
    admit: Verb<(u32, u32), ()>,
    holder: Verb<u32, u64>,
    shed: Verb<u32, u32>,
}

/// Place of the counts of refusals, behind their number; empty for a guest that does not know them.
fn refusals(guest: &Guest) -> Result<Range<usize>, Fault> {
    let at = guest.word(Word::Refusals as usize) as usize;
    let count = if at == 0 { 0 } else { word_at(guest.bytes(at..at + 4)?, 0).min(Refusals::COUNT as u32) };
    Ok(at + 4..at + 4 + 4 * count as usize)
}
