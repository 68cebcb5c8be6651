//! The one file that knows wasmtime: guests, their verbs, their mailbox, their traps.
//!
//! The verbs are those of `docs/boundary.md`, with the same names. What a guest says is not trusted: an address that does
//! not lie in its memory is a [`Fault`], never a panic. A guest that faulted must be thrown away.

use crate::{
    engine_config::engine_config,
    machine::{self, Pages},
    options::HugePages,
    watching::{Letter, Recorded},
};
use std::{ops::Range, time::Duration};
use wasmcached_core::{
    config::{Binding, Config, Role},
    event::Kinds,
    host::Target,
    limits,
};
use wasmtime::{InstancePre, Linker, Memory, Store, StoreLimits, StoreLimitsBuilder, Trap, TypedFunc, UpdateDeadline};

/// The guest, compiled to machine code when this program was built.
const MODULE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/guest.cwasm"));
/// The verbs that this file speaks.
const ABI_VERSION: u32 = 1;
/// How often [`Engine::tick`] is to be called.
pub(crate) const TICK: Duration = Duration::from_secs(1);
/// A call that has not returned after the next tick is watched.
const CALL_TICKS_UNWATCHED: u64 = 1;
/// A watched call that uses more of the processor than this is interrupted: a guest that gets no time is not guilty.
const CALL_THREAD_TIME_MAX: Duration = Duration::from_millis(500);
/// No batch makes more runs than it has commands; beyond this, a guest has lost its mind.
const RUNS_MAX: u32 = 4096;
/// What a guest needs besides: tables, stack, the allocator's own.
const GUEST_BYTES: u64 = 128 << 20;
/// Pieces of memory that one piece of upkeep gives back at most.
const SURPLUS_PIECES_MAX: usize = 64;
/// No system that this runs on has smaller pages.
const PAGE_BYTES: usize = 4096;
/// Before the records of events: three words.
const EVENTS_HEAD_BYTES: u32 = 12;
/// Longest message that is taken from a trapped guest.
const MESSAGE_BYTES_MAX: usize = 4096;

/// Why a guest is unusable from now on.
#[derive(Debug)]
pub(crate) struct Fault {
    /// What the guest said, or what happened to it.
    pub(crate) message: String,
    /// It did not return and was interrupted.
    pub(crate) interrupted: bool,
}

impl Fault {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), interrupted: false }
    }
}

/// Makes guests, and interrupts those that do not return.
#[derive(Clone)]
pub(crate) struct Engine {
    engine: wasmtime::Engine,
    guest: InstancePre<Watch>,
    huge_pages: HugePages,
}

impl Engine {
    /// Loads the module that this program carries.
    ///
    /// # Errors
    /// One line for the user: this machine cannot run it.
    pub(crate) fn load(huge_pages: HugePages) -> Result<Self, String> {
        let described = |error: wasmtime::Error| format!("this machine cannot run the engine: {error:#}");
        let engine = wasmtime::Engine::new(&engine_config()).map_err(described)?;
        let module = machine::module(&engine, MODULE).map_err(described)?;
        let guest = Linker::new(&engine).instantiate_pre(&module).map_err(described)?;
        Ok(Self { engine, guest, huge_pages })
    }

    /// One [`TICK`] has passed.
    pub(crate) fn tick(&self) {
        self.engine.increment_epoch();
    }
}

/// What a front wants done next; see `docs/boundary.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status(u32);

impl Status {
    /// There is something to send, and nothing else is known.
    pub(crate) const OUTPUT: Self = Self(1);

    /// There is something to send.
    pub(crate) fn output(self) -> bool {
        self.0 & 1 != 0
    }

    /// There is more to do without reading.
    pub(crate) fn more(self) -> bool {
        self.0 & 2 != 0
    }

    /// To be closed when the output is sent.
    pub(crate) fn close(self) -> bool {
        self.0 & 4 != 0
    }

    /// Runs are to be carried.
    pub(crate) fn runs(self) -> bool {
        self.0 & 8 != 0
    }

    /// The next window depends on the connection.
    pub(crate) fn partial(self) -> bool {
        self.0 & 16 != 0
    }
}

/// What a connection is to a front.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ConnectionKind {
    /// A client that is served.
    Client,
    /// A client beyond the connection limit.
    Refused,
    /// Datagrams of peers that are who they say.
    Datagrams,
    /// Datagrams of others.
    UnverifiedDatagrams,
    /// A client whose listener was given protocols of its own.
    Bound(Binding),
}

/// Commands on their way to one target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) target: Target,
    pub(crate) commands_at: u32,
    pub(crate) commands_bytes: u32,
    pub(crate) count: u32,
}

/// How a run ended, for [`Front::reply`].
#[derive(Clone, Copy, Debug)]
pub(crate) enum Carried {
    /// So many commands were executed.
    Executed(u32),
    /// The target is gone.
    Lost,
}

/// A guest that has connections: a front, or a solo.
pub(crate) struct Front {
    guest: Guest,
    verbs: FrontVerbs,
    login: LoginVerbs,
    upkeep: UpkeepVerbs,
    /// Where connections without a part of a request receive; asked for once.
    plain_window: Option<Range<usize>>,
}

impl Front {
    /// Makes a guest of `config`'s role.
    pub(crate) fn create(engine: &Engine, config: &Config, now: u32) -> Result<Self, Fault> {
        debug_assert_ne!(config.role, Role::Shard);
        let mut guest = Guest::create(engine, config, now)?;
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
        Ok(Self { guest, verbs, login, upkeep, plain_window: None })
    }

    /// A new connection's number.
    pub(crate) fn open(&mut self, kind: ConnectionKind) -> Result<u32, Fault> {
        let number = match kind {
            ConnectionKind::Client => 0,
            ConnectionKind::Refused => 1,
            ConnectionKind::Datagrams => 2,
            ConnectionKind::UnverifiedDatagrams => 3,
            ConnectionKind::Bound(binding) => 4 + binding as u32,
        };
        self.guest.call(&self.verbs.open, number)
    }

    /// Where to receive, never empty. `partial` is what the connection's last status said.
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

    /// Works on what was received into the window.
    #[inline]
    pub(crate) fn advance(&mut self, connection: u32, received: usize, now: u32) -> Result<Status, Fault> {
        self.guest.call(&self.verbs.advance, (connection, received as u32, now)).map(Status)
    }

    /// Goes on when the runs were carried.
    pub(crate) fn resume(&mut self, now: u32) -> Result<Status, Fault> {
        self.guest.call(&self.verbs.resume, now).map(Status)
    }

    /// What the last `advance`, `resume`, `consume` or [`Front::load_output`] left to send.
    #[inline]
    pub(crate) fn output(&self) -> Result<&[u8], Fault> {
        self.guest.bytes(self.guest.named(Word::Output))
    }

    /// Makes [`Front::output`] that of `connection`.
    pub(crate) fn load_output(&mut self, connection: u32) -> Result<(), Fault> {
        self.guest.call(&self.verbs.output, connection)
    }

    /// The first `bytes` of the output were sent.
    pub(crate) fn consume(&mut self, connection: u32, bytes: usize) -> Result<Status, Fault> {
        self.guest.call(&self.verbs.consume, (connection, bytes as u32)).map(Status)
    }

    /// Forgets a connection.
    pub(crate) fn close(&mut self, connection: u32) -> Result<(), Fault> {
        self.guest.call(&self.verbs.close, connection)
    }

    /// How often connections gave way to others since the guest was made.
    pub(crate) fn yields(&self) -> u32 {
        self.guest.word(Word::Yields as usize)
    }

    /// How many runs there are to carry.
    pub(crate) fn runs_count(&self) -> Result<u32, Fault> {
        let count = self.guest.word(Word::Runs as usize + 1);
        if count > RUNS_MAX { Err(Fault::new(format!("the guest made {count} runs"))) } else { Ok(count) }
    }

    /// The run of that index.
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

    /// Room for the replies of a run.
    pub(crate) fn reply(&mut self, run: u32, carried: Carried, bytes: usize) -> Result<&mut [u8], Fault> {
        let executed = match carried {
            Carried::Executed(count) => count,
            Carried::Lost => u32::MAX,
        };
        let at = self.guest.call(&self.verbs.reply, (run, executed, bytes as u32))?;
        self.guest.bytes_mut(range(at, bytes as u32))
    }

    /// Puts a list of users in force. The inner error is one line for the user: the list is none, and the one before it stays.
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

    /// How many logins were tried since the guest was made, and how many of them refused.
    pub(crate) fn logins(&mut self) -> Result<(u32, u32), Fault> {
        let logins = self.guest.call(&self.login.logins, ())?;
        Ok((logins as u32, (logins >> 32) as u32))
    }

    /// Names a connection by the number that people know it by.
    pub(crate) fn label(&mut self, connection: u32, descriptor: u32) -> Result<(), Fault> {
        self.guest.call(&self.verbs.label, (connection, descriptor))
    }

    /// See [`Shard::watch`].
    pub(crate) fn watch(&mut self, kinds: Kinds) -> Result<(), Fault> {
        self.guest.call(&self.upkeep.watch, kinds.0)
    }

    /// See [`Shard::events`].
    pub(crate) fn events(&mut self) -> Result<Option<Recorded<'_>>, Fault> {
        self.guest.events(&self.upkeep)
    }

    /// Shows events to the connections that watch: how many lines will be sent, and how many had no room.
    pub(crate) fn deliver(&mut self, letter: &Letter) -> Result<(u32, u32), Fault> {
        let bytes = letter.records.len() as u32;
        let at = self.guest.call(&self.verbs.reserve, bytes)?;
        self.guest.bytes_mut(range(at, bytes))?.copy_from_slice(&letter.records);
        let seconds = u32::try_from(letter.at.as_secs()).unwrap_or(u32::MAX);
        let arguments = (bytes, letter.number, seconds, letter.at.subsec_micros());
        let lines = self.guest.call(&self.verbs.deliver, arguments)?;
        Ok(((lines >> 32) as u32, lines as u32))
    }

    /// Solo: see [`Shard::sweep`].
    pub(crate) fn sweep(&mut self, now: u32, steps: u32) -> Result<bool, Fault> {
        self.guest.sweep(&self.upkeep, now, steps)
    }

    /// Solo: see [`Shard::limit`].
    pub(crate) fn limit(&mut self, bytes: u64) -> Result<bool, Fault> {
        self.guest.call(&self.upkeep.limit, bytes).map(|done| done != 0)
    }
}

/// A guest that has a store and no connections.
pub(crate) struct Shard {
    guest: Guest,
    commands: TypedFunc<u32, u32>,
    execute: TypedFunc<(u32, u32, u32, u32), ()>,
    upkeep: UpkeepVerbs,
}

impl Shard {
    /// Makes an empty shard.
    pub(crate) fn create(engine: &Engine, config: &Config, now: u32) -> Result<Self, Fault> {
        debug_assert_eq!(config.role, Role::Shard);
        let mut guest = Guest::create(engine, config, now)?;
        let (commands, execute) = (guest.verb("commands")?, guest.verb("execute")?);
        let upkeep = guest.upkeep_verbs()?;
        Ok(Self { guest, commands, execute, upkeep })
    }

    /// Room for the commands of a run.
    pub(crate) fn commands(&mut self, bytes: usize) -> Result<&mut [u8], Fault> {
        let at = self.guest.call(&self.commands, bytes as u32)?;
        self.guest.bytes_mut(range(at, bytes as u32))
    }

    /// Executes the commands in that room, up to about `room` bytes of replies. Returns how many were executed.
    pub(crate) fn execute(&mut self, bytes: u32, count: u32, now: u32, room: u32) -> Result<u32, Fault> {
        self.guest.call(&self.execute, (bytes, count, now, room))?;
        Ok(self.guest.word(Word::Executed as usize))
    }

    /// The replies of the last [`Shard::execute`].
    pub(crate) fn replies(&self) -> Result<&[u8], Fault> {
        self.guest.bytes(self.guest.named(Word::Replies))
    }

    /// Bounded upkeep, which also gives memory back to the system; whether there is more to do at once.
    pub(crate) fn sweep(&mut self, now: u32, steps: u32) -> Result<bool, Fault> {
        self.guest.sweep(&self.upkeep, now, steps)
    }

    /// Changes the size of the pool; whether that could be done.
    pub(crate) fn limit(&mut self, bytes: u64) -> Result<bool, Fault> {
        self.guest.call(&self.upkeep.limit, bytes).map(|done| done != 0)
    }

    /// Records events of these kinds from now on.
    pub(crate) fn watch(&mut self, kinds: Kinds) -> Result<(), Fault> {
        self.guest.call(&self.upkeep.watch, kinds.0)
    }

    /// What was recorded since the last call.
    pub(crate) fn events(&mut self) -> Result<Option<Recorded<'_>>, Fault> {
        self.guest.events(&self.upkeep)
    }
}

/// The first word of each entry in the mailbox.
#[derive(Clone, Copy)]
enum Word {
    Window = 0,
    Output = 2,
    Runs = 4,
    Replies = 6,
    Executed = 8,
    Message = 9,
    Yields = 11,
    Surplus = 12,
}

const MAILBOX_BYTES: usize = 16 * 4;

struct FrontVerbs {
    open: TypedFunc<u32, u32>,
    input: TypedFunc<u32, ()>,
    advance: TypedFunc<(u32, u32, u32), u32>,
    resume: TypedFunc<u32, u32>,
    output: TypedFunc<u32, ()>,
    consume: TypedFunc<(u32, u32), u32>,
    close: TypedFunc<u32, ()>,
    reply: TypedFunc<(u32, u32, u32), u32>,
    label: TypedFunc<(u32, u32), ()>,
    deliver: TypedFunc<(u32, u64, u32, u32), u64>,
    reserve: TypedFunc<u32, u32>,
}

struct LoginVerbs {
    reserve: TypedFunc<u32, u32>,
    users: TypedFunc<u32, u32>,
    logins: TypedFunc<(), u64>,
}

struct UpkeepVerbs {
    sweep: TypedFunc<(u32, u32), u32>,
    limit: TypedFunc<u64, u32>,
    surplus: TypedFunc<(), u32>,
    watch: TypedFunc<u32, ()>,
    events: TypedFunc<(), u32>,
}

/// What is kept of a guest outside of it.
struct Watch {
    limits: StoreLimits,
    /// The thread's time when the call that runs became suspicious.
    suspicious_at: Option<Duration>,
}

impl Watch {
    /// Whether the call that runs may go on after another tick.
    fn may_go_on(&mut self) -> bool {
        let now = machine::thread_time();
        now.saturating_sub(*self.suspicious_at.get_or_insert(now)) < CALL_THREAD_TIME_MAX
    }
}

/// What every role has.
struct Guest {
    store: Store<Watch>,
    memory: Memory,
    instance: wasmtime::Instance,
    message: TypedFunc<(), u32>,
    /// Checked at creation to lie in memory, which never shrinks.
    mailbox_at: usize,
}

impl Guest {
    fn create(engine: &Engine, config: &Config, now: u32) -> Result<Self, Fault> {
        let described = |error: wasmtime::Error| Fault::new(format!("cannot make a guest: {error:#}"));
        let limits = StoreLimitsBuilder::new().memory_size(memory_bytes_max(config)).build();
        let mut store = Store::new(&engine.engine, Watch { limits, suspicious_at: None });
        store.limiter(|watch| &mut watch.limits);
        store.epoch_deadline_callback(|mut context| match context.data_mut().may_go_on() {
            true => Ok(UpdateDeadline::Continue(1)),
            false => Err(Trap::Interrupt.into()),
        });
        store.set_epoch_deadline(CALL_TICKS_UNWATCHED);
        let instance = engine.guest.instantiate(&mut store).map_err(described)?;
        let memory = instance.get_memory(&mut store, "memory").ok_or_else(|| Fault::new("the guest has no memory"))?;
        let message = instance.get_typed_func(&mut store, "message").map_err(described)?;
        let mut guest = Self { store, memory, instance, message, mailbox_at: 0 };
        let abi_version = guest.verb::<(), u32>("abi_version")?;
        let version = guest.call(&abi_version, ())?;
        if version != ABI_VERSION {
            return Err(Fault::new(format!("the guest speaks version {version} of the boundary, not {ABI_VERSION}")));
        }
        let record = config.encode();
        let (reserve, create) = (guest.verb::<u32, u32>("reserve")?, guest.verb::<(u32, u32), u32>("create")?);
        let at = guest.call(&reserve, record.len() as u32)?;
        guest.bytes_mut(range(at, record.len() as u32))?.copy_from_slice(&record);
        let mailbox = guest.call(&create, (record.len() as u32, now))?;
        if mailbox == 0 {
            return Err(Fault::new("the guest refused its configuration, or there is no memory for it"));
        }
        guest.mailbox_at = mailbox as usize;
        guest.bytes(guest.mailbox_at..guest.mailbox_at + MAILBOX_BYTES)?;
        if config.role != Role::Front {
            guest.choose_pages(engine.huge_pages, config.memory_bytes);
        }
        Ok(guest)
    }

    fn verb<P: wasmtime::WasmParams, R: wasmtime::WasmResults>(
        &mut self,
        name: &str,
    ) -> Result<TypedFunc<P, R>, Fault> {
        let described = |error: wasmtime::Error| Fault::new(format!("the guest's verb `{name}`: {error:#}"));
        self.instance.get_typed_func(&mut self.store, name).map_err(described)
    }

    fn upkeep_verbs(&mut self) -> Result<UpkeepVerbs, Fault> {
        Ok(UpkeepVerbs {
            sweep: self.verb("sweep")?,
            limit: self.verb("limit")?,
            surplus: self.verb("surplus")?,
            watch: self.verb("watch")?,
            events: self.verb("events")?,
        })
    }

    #[inline]
    fn call<P: wasmtime::WasmParams, R: wasmtime::WasmResults>(
        &mut self,
        verb: &TypedFunc<P, R>,
        arguments: P,
    ) -> Result<R, Fault> {
        self.store.set_epoch_deadline(CALL_TICKS_UNWATCHED);
        self.store.data_mut().suspicious_at = None;
        verb.call(&mut self.store, arguments).map_err(|error| self.fault(&error))
    }

    fn sweep(&mut self, verbs: &UpkeepVerbs, now: u32, steps: u32) -> Result<bool, Fault> {
        let more = self.call(&verbs.sweep, (now, steps))? != 0;
        for _ in 0..SURPLUS_PIECES_MAX {
            if self.call(&verbs.surplus, ())? == 0 {
                return Ok(more);
            }
            let bytes = self.bytes_mut(self.named(Word::Surplus))?;
            machine::advise(bytes, Pages::Absent);
        }
        Ok(true)
    }

    fn events(&mut self, verbs: &UpkeepVerbs) -> Result<Option<Recorded<'_>>, Fault> {
        let at = self.call(&verbs.events, ())?;
        if at == 0 {
            return Ok(None);
        }
        let head = self.bytes(range(at, EVENTS_HEAD_BYTES))?;
        let [bytes, count, dropped] = [0, 1, 2].map(|index| word_at(head, index));
        let first = at.checked_add(EVENTS_HEAD_BYTES).ok_or_else(out_of_memory)?;
        Ok(Some(Recorded { records: self.bytes(range(first, bytes))?, count, dropped }))
    }

    /// Asks for the pages that the store of a guest is to lie in, of which `memory_bytes` will be used.
    fn choose_pages(&mut self, wish: HugePages, memory_bytes: u64) {
        let pages = if wish == HugePages::Never { Pages::Small } else { Pages::Huge };
        let memory = self.memory.data_mut(&mut self.store);
        machine::advise(memory, pages);
        if wish == HugePages::Now {
            let used = memory.len().min(usize::try_from(memory_bytes).unwrap_or(usize::MAX));
            for byte in memory[..used].iter_mut().step_by(PAGE_BYTES) {
                // The same again, but the processor has to write it.
                *byte = std::hint::black_box(*byte);
            }
        }
    }

    /// What a failed call means, in the guest's own words if it left any.
    #[cold]
    fn fault(&mut self, error: &wasmtime::Error) -> Fault {
        let trap = error.downcast_ref::<Trap>();
        if trap == Some(&Trap::Interrupt) {
            return Fault { message: "it did not return in time".to_owned(), interrupted: true };
        }
        match (self.panic_message(), trap) {
            (Some(message), _) => Fault::new(message),
            (None, Some(trap)) => Fault::new(trap.to_string()),
            (None, None) => Fault::new(format!("{error:#}")),
        }
    }

    fn panic_message(&mut self) -> Option<String> {
        if self.mailbox_at == 0 {
            return None;
        }
        self.store.set_epoch_deadline(CALL_TICKS_UNWATCHED);
        if self.message.call(&mut self.store, ()).ok()? == 0 {
            return None;
        }
        let bytes = self.bytes(self.named(Word::Message)).ok()?;
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(MESSAGE_BYTES_MAX)]);
        // It goes into a log: one line, nothing that moves a terminal's cursor.
        Some(text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect())
    }

    #[inline]
    fn word(&self, index: usize) -> u32 {
        self.memory.data(&self.store).get(self.mailbox_at..).map_or(0, |mailbox| word_at(mailbox, index))
    }

    /// The range that two words of the mailbox name.
    #[inline]
    fn named(&self, word: Word) -> Range<usize> {
        let first = word as usize;
        range(self.word(first), self.word(first + 1))
    }

    #[inline]
    fn bytes(&self, range: Range<usize>) -> Result<&[u8], Fault> {
        self.memory.data(&self.store).get(range).ok_or_else(out_of_memory)
    }

    #[inline]
    fn bytes_mut(&mut self, range: Range<usize>) -> Result<&mut [u8], Fault> {
        self.memory.data_mut(&mut self.store).get_mut(range).ok_or_else(out_of_memory)
    }
}

/// What a guest's memory can grow to: twice what its parts may hold, because buffers move as they grow, and some more.
/// A guest that wants more than that has lost its way, and traps.
fn memory_bytes_max(config: &Config) -> usize {
    let item = u64::from(config.item_bytes_max);
    let connections =
        (limits::CONNECTION_BUFFERS_ITEMS_MAX as u64 * item).max(limits::CONNECTION_BUFFERS_BYTES_MIN as u64);
    let front = 2 * (connections + item);
    let shard = config.memory_bytes_capacity.max(config.memory_bytes) + 2 * (item + limits::REPLY_BYTES_HIGH as u64);
    let bytes = match config.role {
        Role::Front => front,
        Role::Shard => shard,
        Role::Solo => front + shard,
    };
    usize::try_from(bytes.saturating_add(GUEST_BYTES)).unwrap_or(usize::MAX)
}

#[cold]
fn out_of_memory() -> Fault {
    Fault::new("the guest named memory that it does not have")
}

#[inline]
fn range(at: u32, bytes: u32) -> Range<usize> {
    at as usize..at as usize + bytes as usize
}

/// Word `index` of little-endian words; 0 beyond the end.
#[inline]
fn word_at(bytes: &[u8], index: usize) -> u32 {
    match bytes.get(index * 4..).and_then(|bytes| bytes.first_chunk()) {
        Some(word) => u32::from_le_bytes(*word),
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_cannot_grow_beyond_its_maximum() {
        let engine = Engine::load(HugePages::AsUsed).unwrap();
        for role in [Role::Front, Role::Solo] {
            let config = Config { role, ..Config::default() };
            let mut front = Front::create(&engine, &config, 1).unwrap();
            let Guest { store, memory, .. } = &mut front.guest;
            let page = 64 * 1024;
            let left = (memory_bytes_max(&config) - memory.data_size(&*store)) as u64 / page;
            assert!(memory.grow(&mut *store, left + 1).is_err(), "{role:?}");
            assert!(memory.grow(&mut *store, left).is_ok(), "{role:?}");
        }
    }

    #[test]
    fn a_bad_configuration_is_a_fault_and_no_more() {
        let engine = Engine::load(HugePages::AsUsed).unwrap();
        let config = Config { role: Role::Shard, memory_bytes: 1, memory_bytes_capacity: 1, ..Config::default() };
        let fault = Shard::create(&engine, &config, 1).err().unwrap();
        assert!(fault.message.contains("refused its configuration") && !fault.interrupted, "{fault:?}");
    }

    #[test]
    fn what_a_guest_names_is_checked() {
        let engine = Engine::load(HugePages::AsUsed).unwrap();
        let front = Front::create(&engine, &Config::default(), 1).unwrap();
        let end = front.guest.memory.data_size(&front.guest.store);
        assert!(front.guest.bytes(end - 1..end).is_ok());
        assert!(front.guest.bytes(end - 1..end + 1).is_err());
        assert!(front.guest.bytes(range(u32::MAX, u32::MAX)).is_err());
        assert_eq!(word_at(&[1, 0, 0, 0, 2, 0, 0, 0, 9], 1), 2);
        assert_eq!(word_at(&[1, 0, 0, 0, 2, 0, 0, 0, 9], 2), 0);
    }
}
