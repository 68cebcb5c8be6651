//! Collects from the input what is to be answered next.

use super::{
    barrier::{Barrier, ControlFormat},
    pending::{Pending, ReplyFormat, Task},
    state::State,
};
#[cfg(feature = "http")]
use crate::protocol::{control::Control, http};
use crate::{
    command::Operation,
    hash::Seed,
    limits,
    protocol::{
        Context, Span, Verdict, binary, meta,
        text::{self, Retrieve, TextRequest, words},
        token,
    },
};
use alloc::vec::Vec;
use core::ops::ControlFlow;

/// A part of a login, as a parser found it.
#[derive(Clone, Copy, Debug)]
pub(super) enum LoginPart {
    /// The one command of the text protocol.
    Text { user: Span, password: Span },
    /// A packet of SASL.
    Packet(binary::PacketLogin),
}

/// The result of [`collect`] besides pending answers. Valid only if there are none.
pub(super) struct Collected {
    /// End of the consumed input.
    pub(super) cursor: usize,
    pub(super) state: State,
    /// See [`super::connection::Connection::needed`].
    pub(super) needed: usize,
    pub(super) barrier: Option<Barrier>,
    /// A part of a login. Like a barrier, it stands alone.
    pub(super) login: Option<LoginPart>,
}

/// Parses from `cursor` on until the input or the batch is full, or a barrier stands at its beginning.
///
/// Rare cases have functions of their own, here and below: a function of a guest begins by clearing the variables of
/// all its parts, so frequent parts must not share a function with rare ones.
#[inline(never)]
pub(super) fn collect(
    pending: &mut Vec<Pending>,
    decoded: &mut Vec<u8>,
    input: &[u8],
    (cursor, state): (usize, State),
    context: &Context,
    seed: Seed,
    requests_left: &mut u32,
) -> Collected {
    let found = Collected { cursor, state, needed: 0, barrier: None, login: None };
    let mut c = Collector { pending, decoded, input, context, seed, requests_left, found };
    while c.pending.len() < limits::BATCH_COMMANDS_MAX && c.advance().is_continue() {}
    c.found
}

struct Collector<'a> {
    pending: &'a mut Vec<Pending>,
    decoded: &'a mut Vec<u8>,
    input: &'a [u8],
    context: &'a Context,
    seed: Seed,
    requests_left: &'a mut u32,
    found: Collected,
}

const CONTINUE: ControlFlow<()> = ControlFlow::Continue(());
const BREAK: ControlFlow<()> = ControlFlow::Break(());

impl Collector<'_> {
    #[inline]
    fn unparsed(&self) -> &[u8] {
        self.input.get(self.found.cursor..).unwrap_or_default()
    }

    /// Takes the next request or part of one from the input; breaks if there is none to take now.
    #[inline]
    fn advance(&mut self) -> ControlFlow<()> {
        match self.found.state {
            State::Keys { remaining: 1.., .. } => self.key(),
            State::Requests => self.line(),
            State::Packets { locked } => self.packet(locked),
            _ => self.advance_elsewhere(),
        }
    }

    #[inline(never)]
    fn advance_elsewhere(&mut self) -> ControlFlow<()> {
        let rest = self.unparsed();
        match self.found.state {
            // `advance` takes the last two.
            State::Closing | State::Requests | State::Packets { .. } => return BREAK,
            State::Skip(left) => {
                let left = left - self.skip(left);
                self.found.state = skip(left);
                // Skipped input is consumed although no answer is pending.
                return if left > 0 { BREAK } else { CONTINUE };
            }
            State::SkipBody { left, locked } => {
                let left = left - self.skip(left);
                self.found.state = skip_body(left, locked);
                return if left > 0 { BREAK } else { CONTINUE };
            }
            _ if rest.is_empty() => return BREAK,
            State::Fresh => {
                let is_binary = rest.first() == Some(&binary::MAGIC_REQUEST);
                self.found.state = if is_binary { State::Packets { locked: false } } else { State::Requests };
            }
            State::Locked => return self.locked(),
            #[cfg(feature = "http")]
            State::Http => return self.http(),
            State::Keys { cas, touch, .. } => {
                let verdict = text::continue_retrieval(rest, cas, touch);
                return self.verdict(verdict);
            }
        }
        CONTINUE
    }

    /// Skips up to `left` bytes and returns how many it skipped.
    fn skip(&mut self, left: u64) -> u64 {
        let skipped = left.min(self.unparsed().len() as u64);
        self.found.cursor += skipped as usize;
        skipped
    }

    #[inline]
    fn push(&mut self, key: Span, value: Span, task: Task) {
        let hash = match task {
            Task::Answer(_) | Task::RefusalText(_) | Task::Packet(..) => 0,
            Task::Command(_, format) => {
                let key = key.of(format.key_source(self.input, self.decoded));
                #[cfg(feature = "fault-injection")]
                crate::fault::inject(key, b"front");
                self.seed.hash(key)
            }
        };
        let Collected { cursor, state, .. } = self.found;
        self.pending.push(Pending { end: cursor as u32, after: state, key, value, hash, task });
    }

    #[inline(never)]
    fn push_answer(&mut self, text: &'static [u8]) {
        self.push(Span::default(), Span::default(), Task::Answer(text));
    }

    #[inline(never)]
    fn push_refusal(&mut self, text: &'static [u8]) {
        self.push(Span::default(), Span::default(), Task::RefusalText(text));
    }

    /// A fixed text, which may be a refusal.
    #[inline(never)]
    fn push_text(&mut self, text: &'static [u8]) {
        if words::refuses(text) { self.push_refusal(text) } else { self.push_answer(text) }
    }

    /// A request in a line: a meta command, or one of the text protocol.
    #[inline]
    fn line(&mut self) -> ControlFlow<()> {
        let rest = self.unparsed();
        if rest.is_empty() || *self.requests_left == 0 {
            return BREAK;
        }
        if meta::recognizes(rest) {
            return self.plain_meta_get().unwrap_or_else(|| self.meta());
        }
        self.single_get().unwrap_or_else(|| self.text())
    }

    /// A request of the text protocol.
    #[inline(never)]
    fn text(&mut self) -> ControlFlow<()> {
        let verdict = text::parse(self.unparsed(), self.context);
        self.verdict(verdict)
    }

    fn verdict(&mut self, verdict: Verdict<TextRequest>) -> ControlFlow<()> {
        let (request, consumed) = match verdict {
            Verdict::Complete { request, consumed } => (request, consumed),
            Verdict::Incomplete { needed } => return self.incomplete(needed),
            Verdict::Close => return self.refuse_and_close(),
        };
        if self.found.state == State::Requests {
            if matches!(request, TextRequest::Control { .. }) && !self.pending.is_empty() {
                return BREAK;
            }
            *self.requests_left -= 1;
        }
        let start = self.found.cursor;
        match request {
            TextRequest::Retrieve(Retrieve { cas, touch, keys, whole }) => {
                let ending = if whole { consumed - keys.start as usize - keys.bytes() } else { 0 };
                self.found.cursor = start + keys.start as usize;
                self.found.state = State::Keys { cas, touch, remaining: keys.length, ending: ending as u8 };
                if keys.length == 0 {
                    // The line's end came after its last key.
                    self.finish_line();
                }
            }
            TextRequest::Command(request) => {
                self.found.cursor = start + consumed;
                self.found.state = skip(request.swallow);
                let format = if request.format.noreply { ReplyFormat::Silent } else { ReplyFormat::Status };
                let (key, value) = (request.key.shifted(start), request.value.shifted(start));
                self.push(key, value, Task::Command(request.operation, format));
            }
            TextRequest::Answer { text, swallow } => {
                self.found.cursor = start + consumed;
                self.found.state = skip(swallow);
                self.push_text(text);
            }
            TextRequest::Quit => return self.close(),
            TextRequest::Control { control, noreply } => {
                self.found.cursor = start + consumed;
                let format = if noreply { ControlFormat::Silent } else { ControlFormat::Text };
                self.found.barrier = Some(Barrier::new(control, format));
                return BREAK;
            }
        }
        CONTINUE
    }

    /// The usual form of `get`; `None` if it is another request.
    #[inline]
    fn single_get(&mut self) -> Option<ControlFlow<()>> {
        let start = self.found.cursor;
        let text::SingleGet { key, consumed } = text::parse_single_get(self.unparsed())?;
        self.found.cursor = start + consumed;
        *self.requests_left -= 1;
        let format = ReplyFormat::Found { cas: false, last: true };
        self.push(key.shifted(start), Span::default(), Task::Command(Operation::Get { touch: None }, format));
        Some(CONTINUE)
    }

    /// The usual form of `mg`; `None` if it is another request.
    #[inline]
    fn plain_meta_get(&mut self) -> Option<ControlFlow<()>> {
        let start = self.found.cursor;
        let meta::PlainGet { key, operation, format, consumed } = meta::parse_plain_get(self.unparsed())?;
        self.found.cursor = start + consumed;
        *self.requests_left -= requests(format.quiet, &operation);
        let format = meta::MetaFormat { flags: format.flags.shifted(start), ..format };
        self.push(key.shifted(start), Span::default(), Task::Command(operation, ReplyFormat::Meta(format)));
        Some(CONTINUE)
    }

    /// A meta command.
    #[inline(never)]
    fn meta(&mut self) -> ControlFlow<()> {
        let start = self.found.cursor;
        match meta::parse(self.unparsed(), self.context) {
            Verdict::Incomplete { needed } => return self.incomplete(needed),
            Verdict::Close => return self.refuse_and_close(),
            Verdict::Complete { request: meta::MetaRequest::Answer { text, swallow }, consumed } => {
                self.found.cursor = start + consumed;
                self.found.state = skip(swallow);
                *self.requests_left -= 1;
                self.push_text(text);
            }
            Verdict::Complete { request: meta::MetaRequest::Command(request), consumed } => {
                self.found.cursor = start + consumed;
                self.found.state = skip(request.swallow);
                *self.requests_left -= requests(request.format.quiet, &request.operation);
                let mut key = request.key.shifted(start);
                if request.format.encoded_key {
                    let before = self.decoded.len();
                    // The parser has checked that it is a key.
                    let _ = meta::decode_key(key.of(self.input), self.decoded);
                    key = Span::new(before, self.decoded.len());
                }
                let format = meta::MetaFormat { flags: request.format.flags.shifted(start), ..request.format };
                self.push(
                    key,
                    request.value.shifted(start),
                    Task::Command(request.operation, ReplyFormat::Meta(format)),
                );
            }
        }
        CONTINUE
    }

    /// A packet of the binary protocol.
    #[inline(never)]
    fn packet(&mut self, locked: bool) -> ControlFlow<()> {
        let start = self.found.cursor;
        let rest = self.unparsed();
        if rest.is_empty() || *self.requests_left == 0 {
            return BREAK;
        }
        match binary::parse(rest, self.context, locked) {
            Verdict::Incomplete { needed } => return self.incomplete(needed),
            Verdict::Close => return self.refuse_and_close(),
            Verdict::Complete { request: binary::PacketRequest::Quit, .. } => return self.close(),
            Verdict::Complete { request: binary::PacketRequest::Command(request), consumed } => {
                self.found.cursor = start + consumed;
                self.found.state = skip_body(request.swallow, locked);
                *self.requests_left -= requests(request.format.quiet, &request.operation);
                let (key, value) = (request.key.shifted(start), request.value.shifted(start));
                self.push(key, value, Task::Command(request.operation, ReplyFormat::Packet(request.format)));
            }
            Verdict::Complete {
                request: binary::PacketRequest::Answer { format, status, swallow, closes },
                consumed,
            } => {
                self.found.cursor = if closes { self.input.len() } else { start + consumed };
                self.found.state = if closes { State::Closing } else { skip_body(swallow, locked) };
                *self.requests_left -= 1;
                self.push(Span::default(), Span::default(), Task::Packet(format, status));
            }
            Verdict::Complete { request: binary::PacketRequest::Control { control, format }, consumed } => {
                if self.stands_alone(consumed) {
                    self.found.barrier = Some(Barrier::new(control, ControlFormat::Packets(format)));
                }
                return BREAK;
            }
            Verdict::Complete { request: binary::PacketRequest::Login(login), consumed } => {
                if self.stands_alone(consumed) {
                    let (mechanism, message) = (login.mechanism.shifted(start), login.message.shifted(start));
                    self.found.login = Some(LoginPart::Packet(binary::PacketLogin { mechanism, message, ..login }));
                }
                return BREAK;
            }
        }
        CONTINUE
    }

    /// A command before a login by text.
    fn locked(&mut self) -> ControlFlow<()> {
        if *self.requests_left == 0 {
            return BREAK;
        }
        let start = self.found.cursor;
        match text::parse_login(self.unparsed()) {
            Verdict::Incomplete { needed } => self.incomplete(needed),
            Verdict::Close => self.refuse_and_close(),
            Verdict::Complete { request: text::TextLogin::Refused(text), consumed } => {
                self.found.cursor = start + consumed;
                *self.requests_left -= 1;
                self.push_refusal(text);
                CONTINUE
            }
            Verdict::Complete { request: text::TextLogin::Attempt { user, password }, consumed } => {
                if self.stands_alone(consumed) {
                    self.found.login =
                        Some(LoginPart::Text { user: user.shifted(start), password: password.shifted(start) });
                }
                BREAK
            }
        }
    }

    /// A request of HTTP: each stands alone.
    #[cfg(feature = "http")]
    fn http(&mut self) -> ControlFlow<()> {
        if *self.requests_left == 0 {
            return BREAK;
        }
        let start = self.found.cursor;
        match http::parse(self.unparsed()) {
            Verdict::Incomplete { needed } => self.incomplete(needed),
            Verdict::Close => self.refuse_and_close(),
            Verdict::Complete { request, consumed } => {
                if self.stands_alone(consumed) {
                    let request = http::HttpRequest { token: request.token.shifted(start), ..request };
                    self.found.barrier = Some(Barrier::new(Control::Http(request), ControlFormat::Text));
                }
                BREAK
            }
        }
    }

    /// Consumes a request that must stand alone, unless answers are pending before it.
    fn stands_alone(&mut self, consumed: usize) -> bool {
        let is_alone = self.pending.is_empty();
        if is_alone {
            *self.requests_left -= 1;
            self.found.cursor += consumed;
        }
        is_alone
    }

    fn incomplete(&mut self, needed: usize) -> ControlFlow<()> {
        self.found.needed = needed;
        BREAK
    }

    /// An empty pending answer holds the state, so that everything before it is answered first.
    fn close(&mut self) -> ControlFlow<()> {
        self.close_with(Task::Answer(b""))
    }

    /// The connection closes because of its input, without an answer.
    fn refuse_and_close(&mut self) -> ControlFlow<()> {
        self.close_with(Task::RefusalText(b""))
    }

    fn close_with(&mut self, last: Task) -> ControlFlow<()> {
        self.found.state = State::Closing;
        self.found.cursor = self.input.len();
        self.push(Span::default(), Span::default(), last);
        BREAK
    }

    /// The next key of a retrieval becomes a command; the state holds the rest of the line.
    #[inline]
    fn key(&mut self) -> ControlFlow<()> {
        let Collected { cursor, state: State::Keys { cas, touch, remaining, ending }, .. } = self.found else {
            return BREAK;
        };
        let line = self.input.get(cursor..cursor + remaining as usize).unwrap_or_default();
        let (start, end, after) = token::first(line);
        self.found.cursor += after;
        self.found.state = State::Keys { cas, touch, remaining: remaining - after as u32, ending };
        let last = after == line.len() && ending > 0;
        if last {
            self.found.cursor += usize::from(ending);
            self.found.state = State::Requests;
        }
        if end > start {
            let key = Span::new(cursor + start, cursor + end);
            let operation = Operation::Get { touch };
            self.push(key, Span::default(), Task::Command(operation, ReplyFormat::Found { cas, last }));
        } else if last {
            self.push_answer(words::END);
        }
        CONTINUE
    }

    fn finish_line(&mut self) {
        if let State::Keys { ending: ending @ 1.., .. } = self.found.state {
            self.found.cursor += usize::from(ending);
            self.found.state = State::Requests;
            self.push_answer(words::END);
        }
    }
}

/// The number of requests that a command counts as. A quiet read counts as a further key of a retrieval does: not at
/// all. The answers to many of them are sent together, bounded by the commands of a turn.
fn requests(quiet: bool, operation: &Operation<'_>) -> u32 {
    u32::from(!(quiet && operation.is_read()))
}

fn skip_body(swallow: u64, locked: bool) -> State {
    if swallow > 0 { State::SkipBody { left: swallow, locked } } else { State::Packets { locked } }
}

fn skip(swallow: u64) -> State {
    if swallow > 0 { State::Skip(swallow) } else { State::Requests }
}
