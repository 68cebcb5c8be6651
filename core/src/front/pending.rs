//! What a look at the input finds: answers to give, in order, most of them after a command was executed.

use super::{
    barrier::{self, Barrier},
    connection::State,
    login::Login,
};
use crate::{
    clock::{Expiry, Seconds},
    command::{Command, Operation},
    hash::Seed,
    limits,
    protocol::{
        Context, Span, Verdict, binary, meta,
        text::{self, Request, Retrieve, words},
    },
    reply::Reply,
};
use alloc::vec::Vec;

/// One answer to give.
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    /// The input up to here is done with once this is answered.
    pub(super) end: u32,
    /// The connection's state then.
    pub(super) after: State,
    key: Span,
    value: Span,
    /// Of the key; 0 without a command.
    pub hash: u64,
    pub(super) task: Task,
}

/// How to come to the answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Task {
    /// It is known.
    Answer(&'static [u8]),
    /// It is a packet with this status.
    Packet(binary::Style, binary::Status),
    /// By a command.
    Command(Operation<'static>, Style),
}

/// What the encoder must know besides the reply. The store never sees it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Style {
    /// A key of a retrieval, perhaps its last.
    Found { cas: bool, last: bool },
    /// A status line.
    Status,
    /// `noreply`.
    Silent,
    /// The answer to a meta command.
    Meta(meta::Style),
    /// The answer to a packet.
    Binary(binary::Style),
}

impl Style {
    /// What the key's place is a place in: the bytes of the client, or the keys that came in base64.
    fn key_source<'i>(&self, bytes: &'i [u8], decoded: &'i [u8]) -> &'i [u8] {
        if matches!(self, Self::Meta(meta::Style { encoded_key: true, .. })) { decoded } else { bytes }
    }
}

/// What pending answers point into, and the time.
#[derive(Clone, Copy)]
pub(super) struct Input<'i> {
    /// What the client sent.
    pub(super) bytes: &'i [u8],
    /// Keys that it sent in base64.
    pub(super) decoded: &'i [u8],
    pub(super) now: Seconds,
}

impl Pending {
    pub(super) fn is_command(&self) -> bool {
        matches!(self.task, Task::Command(..))
    }

    #[inline]
    pub(super) fn command<'i>(&self, input: Input<'i>) -> Option<Command<'i>> {
        let Task::Command(operation, style) = &self.task else { return None };
        let operation = match *operation {
            Operation::Store { mode, flags, expiry, compare, options, .. } => {
                Operation::Store { mode, flags, expiry, compare, options, value: self.value.of(input.bytes) }
            }
            other => other,
        };
        Some(Command { hash: self.hash, key: self.key(style, input), operation })
    }

    #[inline]
    pub(super) fn key<'i>(&self, style: &Style, input: Input<'i>) -> &'i [u8] {
        self.key.of(style.key_source(input.bytes, input.decoded))
    }

    /// Of the value that the client sent.
    pub(super) fn value_bytes(&self) -> u32 {
        self.value.length
    }

    #[inline]
    pub(super) fn answer(&self, out: &mut Vec<u8>, input: Input<'_>, reply: Option<&Reply<'_>>) {
        match (&self.task, reply) {
            (Task::Answer(text), _) => out.extend_from_slice(text),
            (&Task::Packet(style, status), _) => binary::status(out, style, status),
            (Task::Command(_, Style::Found { cas, last }), reply) => {
                if let Some(Reply::Found(found)) = reply {
                    text::answer_found(out, self.key.of(input.bytes), found, *cas);
                }
                if *last {
                    out.extend_from_slice(words::END);
                }
            }
            (Task::Command(operation, Style::Status), Some(reply)) => {
                text::answer_status(out, reply, matches!(operation, Operation::Arithmetic { .. }));
            }
            (Task::Command(_, style @ Style::Meta(meta)), Some(reply)) => {
                let echo = meta::Echo {
                    verb: meta.verb,
                    encoded_key: meta.encoded_key,
                    quiet: meta.quiet,
                    single_letters: meta.single_letters,
                    flags: meta.flags.of(input.bytes),
                    key: self.key(style, input),
                    value_bytes: self.value.bytes(),
                    now: input.now,
                };
                meta::answer(out, &echo, reply);
            }
            (&Task::Command(_, Style::Binary(style)), Some(reply)) => {
                binary::answer(out, style, self.key.of(input.bytes), reply);
            }
            (Task::Command(_, Style::Silent | Style::Status | Style::Meta(_) | Style::Binary(_)), _) => {}
        }
    }
}

/// What [`collect`] found besides pending answers. Valid only if there are none.
pub(super) struct Collected {
    /// The input up to here is done with.
    pub(super) cursor: usize,
    pub(super) state: State,
    /// See [`super::connection::Connection::needed`].
    pub(super) needed: usize,
    pub(super) barrier: Option<Barrier>,
    /// A part of a login, which stands alone as well.
    pub(super) login: Option<Login>,
}

/// Parses from `cursor` on until the input or the batch is full, or a barrier stands at its beginning.
pub(super) fn collect(
    pending: &mut Vec<Pending>,
    decoded: &mut Vec<u8>,
    input: &[u8],
    (cursor, state): (usize, State),
    context: &Context,
    seed: Seed,
    requests_left: &mut u32,
) -> Collected {
    let mut c = Collector { pending, decoded, input, seed, cursor, state, needed: 0 };
    let (mut barrier, mut login) = (None, None);
    while c.pending.len() < limits::BATCH_COMMANDS_MAX {
        let rest = c.rest();
        let verdict = match c.state {
            State::Closing => break,
            State::Skip(left) => {
                let skipped = left.min(rest.len() as u64);
                c.cursor += skipped as usize;
                if skipped < left {
                    c.state = State::Skip(left - skipped);
                    // What was skipped need not be kept, though nothing pends on it.
                    break;
                }
                c.state = State::Requests;
                continue;
            }
            State::SkipBody { left, locked } => {
                let skipped = left.min(rest.len() as u64);
                c.cursor += skipped as usize;
                if skipped < left {
                    c.state = State::SkipBody { left: left - skipped, locked };
                    break;
                }
                c.state = State::Packets { locked };
                continue;
            }
            State::Keys { remaining: 1.., .. } => {
                c.key();
                continue;
            }
            _ if rest.is_empty() => break,
            State::Fresh => {
                let is_binary = rest.first() == Some(&binary::MAGIC_REQUEST);
                c.state = if is_binary { State::Packets { locked: false } } else { State::Requests };
                continue;
            }
            State::Packets { .. } | State::Locked if *requests_left == 0 => break,
            State::Packets { .. } | State::Locked => {
                match if let State::Packets { locked } = c.state { c.packet(context, locked) } else { c.locked() } {
                    Packet::Waits => break,
                    Packet::Taken { requests } => *requests_left -= requests,
                    Packet::Barrier(control, style, consumed) => {
                        if c.pending.is_empty() {
                            *requests_left -= 1;
                            c.cursor += consumed;
                            let style = barrier::Style::Binary(style);
                            barrier = Some(Barrier::new(control, style));
                        }
                        break;
                    }
                    Packet::Login(part, consumed) => {
                        if c.pending.is_empty() {
                            *requests_left -= 1;
                            c.cursor += consumed;
                            login = Some(part);
                        }
                        break;
                    }
                }
                continue;
            }
            State::Keys { cas, touch, .. } => text::continue_retrieval(rest, cas, touch),
            State::Requests if *requests_left == 0 => break,
            State::Requests if meta::speaks(rest) => {
                match c.meta(context) {
                    Some(requests) => *requests_left -= requests,
                    None => break,
                }
                continue;
            }
            State::Requests => text::parse(rest, context),
        };
        match verdict {
            Verdict::Incomplete { needed } => {
                c.needed = needed;
                break;
            }
            Verdict::Close => {
                c.close();
                break;
            }
            Verdict::Complete { request, consumed } => {
                if c.state == State::Requests {
                    if matches!(request, Request::Control { .. }) && !c.pending.is_empty() {
                        break;
                    }
                    *requests_left -= 1;
                }
                if let Request::Control { control, noreply } = request {
                    c.cursor += consumed;
                    let style = if noreply { barrier::Style::Silent } else { barrier::Style::Text };
                    barrier = Some(Barrier::new(control, style));
                    break;
                }
                c.request(request, consumed);
            }
        }
    }
    Collected { cursor: c.cursor, state: c.state, needed: c.needed, barrier, login }
}

struct Collector<'a> {
    pending: &'a mut Vec<Pending>,
    decoded: &'a mut Vec<u8>,
    input: &'a [u8],
    seed: Seed,
    cursor: usize,
    state: State,
    needed: usize,
}

impl Collector<'_> {
    fn rest(&self) -> &[u8] {
        self.input.get(self.cursor..).unwrap_or_default()
    }

    fn push(&mut self, key: Span, value: Span, task: Task) {
        let hash = match task {
            Task::Answer(_) | Task::Packet(..) => 0,
            Task::Command(_, style) => {
                let key = key.of(style.key_source(self.input, self.decoded));
                #[cfg(feature = "fault-injection")]
                crate::inject_fault(key, b"front");
                self.seed.hash(key)
            }
        };
        self.pending.push(Pending { end: self.cursor as u32, after: self.state, key, value, hash, task });
    }

    fn request(&mut self, request: Request, consumed: usize) {
        let start = self.cursor;
        match request {
            Request::Retrieve(Retrieve { cas, touch, keys, whole }) => {
                let ending = if whole { consumed - keys.start as usize - keys.bytes() } else { 0 };
                self.cursor = start + keys.start as usize;
                self.state = State::Keys { cas, touch, remaining: keys.length, ending: ending as u8 };
                if keys.length == 0 {
                    // A long line that ended after its last key was taken.
                    self.finish_line();
                }
            }
            Request::Command(request) => {
                self.cursor = start + consumed;
                self.state = skip(request.swallow);
                let style = if request.noreply { Style::Silent } else { Style::Status };
                let (key, value) = (request.key.shifted(start), request.value.shifted(start));
                self.push(key, value, Task::Command(request.operation, style));
            }
            Request::Answer { text, swallow } => {
                self.cursor = start + consumed;
                self.state = skip(swallow);
                self.push(Span::default(), Span::default(), Task::Answer(text));
            }
            Request::Quit => self.close(),
            Request::Control { .. } => {}
        }
    }

    /// A meta command, and as how many requests it counts; `None` if there is none.
    fn meta(&mut self, context: &Context) -> Option<u32> {
        let start = self.cursor;
        match meta::parse(self.rest(), context) {
            Verdict::Incomplete { needed } => {
                self.needed = needed;
                None
            }
            Verdict::Close => {
                self.close();
                None
            }
            Verdict::Complete { request: meta::Request::Answer { text, swallow }, consumed } => {
                self.cursor = start + consumed;
                self.state = skip(swallow);
                self.push(Span::default(), Span::default(), Task::Answer(text));
                Some(1)
            }
            Verdict::Complete { request: meta::Request::Command(request), consumed } => {
                self.cursor = start + consumed;
                self.state = skip(request.swallow);
                let mut key = request.key.shifted(start);
                if request.style.encoded_key {
                    let before = self.decoded.len();
                    // The parser has seen that it is a key.
                    let _ = meta::decode_key(key.of(self.input), self.decoded);
                    key = Span::new(before, self.decoded.len());
                }
                let style = meta::Style { flags: request.style.flags.shifted(start), ..request.style };
                self.push(key, request.value.shifted(start), Task::Command(request.operation, Style::Meta(style)));
                Some(requests(style.quiet, &request.operation))
            }
        }
    }

    /// A packet of the binary protocol.
    #[inline]
    fn packet(&mut self, context: &Context, locked: bool) -> Packet {
        let start = self.cursor;
        match binary::parse(self.rest(), context, locked) {
            Verdict::Incomplete { needed } => {
                self.needed = needed;
                return Packet::Waits;
            }
            Verdict::Close | Verdict::Complete { request: binary::Request::Quit, .. } => {
                self.close();
                return Packet::Waits;
            }
            Verdict::Complete { request: binary::Request::Command(request), consumed } => {
                self.cursor = start + consumed;
                self.state = skip_body(request.swallow, locked);
                let (key, value) = (request.key.shifted(start), request.value.shifted(start));
                self.push(key, value, Task::Command(request.operation, Style::Binary(request.style)));
                return Packet::Taken { requests: requests(request.style.quiet, &request.operation) };
            }
            Verdict::Complete { request: binary::Request::Answer { style, status, swallow, closes }, consumed } => {
                self.cursor = if closes { self.input.len() } else { start + consumed };
                self.state = if closes { State::Closing } else { skip_body(swallow, locked) };
                self.push(Span::default(), Span::default(), Task::Packet(style, status));
            }
            Verdict::Complete { request: binary::Request::Control { control, style }, consumed } => {
                return Packet::Barrier(control, style, consumed);
            }
            Verdict::Complete { request: binary::Request::Login(login), consumed } => {
                let (mechanism, message) = (login.mechanism.shifted(start), login.message.shifted(start));
                return Packet::Login(Login::Packet(binary::Login { mechanism, message, ..login }), consumed);
            }
        }
        Packet::Taken { requests: 1 }
    }

    /// A command before a login by text.
    fn locked(&mut self) -> Packet {
        let start = self.cursor;
        match text::parse_login(self.rest()) {
            Verdict::Incomplete { needed } => {
                self.needed = needed;
                Packet::Waits
            }
            Verdict::Close => {
                self.close();
                Packet::Waits
            }
            Verdict::Complete { request: text::Login::Refused(text), consumed } => {
                self.cursor = start + consumed;
                self.push(Span::default(), Span::default(), Task::Answer(text));
                Packet::Taken { requests: 1 }
            }
            Verdict::Complete { request: text::Login::Attempt { user, password }, consumed } => {
                Packet::Login(Login::Text { user: user.shifted(start), password: password.shifted(start) }, consumed)
            }
        }
    }

    /// Everything before it is answered first; a pending nothing carries the state.
    fn close(&mut self) {
        self.state = State::Closing;
        self.cursor = self.input.len();
        self.push(Span::default(), Span::default(), Task::Answer(b""));
    }

    /// The next key of a retrieval becomes a command; what remains of the line becomes the state.
    fn key(&mut self) {
        let State::Keys { cas, touch, remaining, ending } = self.state else { return };
        let line_end = self.cursor + remaining as usize;
        let line = self.input.get(self.cursor..line_end).unwrap_or_default();
        let blank = |bytes: &[u8]| bytes.iter().position(|&byte| byte != b' ').unwrap_or(bytes.len());
        let start = blank(line);
        let key = &line[start..];
        let key_bytes = memchr::memchr(b' ', key).unwrap_or(key.len());
        let after = start + key_bytes + blank(&key[key_bytes..]);
        let span = Span::new(self.cursor + start, self.cursor + start + key_bytes);
        self.cursor += after;
        self.state = State::Keys { cas, touch, remaining: remaining - after as u32, ending };
        let last = after == line.len() && ending > 0;
        if last {
            self.cursor += usize::from(ending);
            self.state = State::Requests;
        }
        if key_bytes > 0 {
            let operation = Operation::Get { touch };
            self.push(span, Span::default(), Task::Command(operation, Style::Found { cas, last }));
        } else if last {
            self.push(Span::default(), Span::default(), Task::Answer(words::END));
        }
    }

    fn finish_line(&mut self) {
        if let State::Keys { ending: ending @ 1.., .. } = self.state {
            self.cursor += usize::from(ending);
            self.state = State::Requests;
            self.push(Span::default(), Span::default(), Task::Answer(words::END));
        }
    }
}

/// What became of a packet, or of a command before a login.
enum Packet {
    /// It pends, and counts as so many requests.
    Taken { requests: u32 },
    /// There is none to take now.
    Waits,
    /// It stands alone, and is not taken yet.
    Barrier(text::Control, binary::Style, usize),
    /// The same.
    Login(Login, usize),
}

/// As how many requests a command counts. A quiet read counts as one more key of a retrieval does: not at all. The answers
/// to many are sent together then, and what a read from the socket can hold of them bounds them as well.
fn requests(quiet: bool, operation: &Operation<'_>) -> u32 {
    u32::from(!(quiet && operation.is_read()))
}

fn skip_body(swallow: u64, locked: bool) -> State {
    if swallow > 0 { State::SkipBody { left: swallow, locked } } else { State::Packets { locked } }
}

fn skip(swallow: u64) -> State {
    if swallow > 0 { State::Skip(swallow) } else { State::Requests }
}

/// Kept for readers of `Keys`: an expiry rides along with each key.
const _: () = assert!(size_of::<Option<Expiry>>() <= 8);
