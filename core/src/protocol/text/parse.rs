//! From bytes to requests. Total: no input panics, and the lints below keep it so.

#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::arithmetic_side_effects)]

use super::{Retrieve, TextFormat, TextRequest, words};
use crate::{
    clock::Expiry,
    command::{ArithmeticOptions, Direction, Operation, StoreMode, StoreOptions, Touched},
    limits,
    protocol::{
        Context, KeyRequest, Span, Verdict,
        control::{Control, Detail, Flush, ServerControl, StatisticsGroup},
        token,
        token::Tokens,
    },
};

/// See [`parse_single_get`].
#[derive(Clone, Copy, Debug)]
pub struct SingleGet {
    /// Place of the key.
    pub key: Span,
    /// The line's bytes with its end.
    pub consumed: usize,
}

/// Parses the usual form of `get`: one key behind one space. [`parse`] gives the same request, but takes longer. `None`: the
/// line has another form, for `parse`.
#[inline]
pub fn parse_single_get(input: &[u8]) -> Option<SingleGet> {
    let [b'g', b'e', b't', b' ', rest @ ..] = input else { return None };
    let key_bytes = token::until_blank(rest.get(..=limits::KEY_BYTES_MAX).unwrap_or(rest));
    if key_bytes == 0 || key_bytes > limits::KEY_BYTES_MAX {
        return None;
    }
    let end_bytes = match rest.get(key_bytes..)? {
        [b'\r', b'\n', ..] => 2,
        [b'\n', ..] => 1,
        _ => return None,
    };
    let (start, end) = (4, key_bytes.saturating_add(4));
    Some(SingleGet { key: Span::new(start, end), consumed: end.saturating_add(end_bytes) })
}

/// Parses the first request of `input`.
#[inline(never)]
pub fn parse(input: &[u8], context: &Context) -> Verdict<TextRequest> {
    let Some(newline) = memchr::memchr(b'\n', input) else { return unfinished(input) };
    let consumed = newline.saturating_add(1);
    if consumed < 4 {
        return answer(words::BAD_FORMAT, consumed);
    }
    let before = input.get(..newline).unwrap_or_default();
    let line = before.strip_suffix(b"\r").unwrap_or(before);
    let word_end = line.iter().position(|&byte| byte == b' ').unwrap_or(line.len());
    let (word, arguments) = line.split_at_checked(word_end).unwrap_or_default();
    let l = TextLine { input, line, arguments, word_end, consumed, context };
    match word {
        b"get" => l.retrieve(false),
        b"gets" => l.retrieve(true),
        b"set" => l.store(StoreMode::Set, false),
        b"add" => l.store(StoreMode::Add, false),
        b"replace" => l.store(StoreMode::Replace, false),
        b"append" => l.store(StoreMode::Append, false),
        b"prepend" => l.store(StoreMode::Prepend, false),
        b"cas" => l.store(StoreMode::Set, true),
        _ => l.rarer(word),
    }
}

/// Continues a retrieval whose line was too long for one window: returns more keys, and whether the line ended.
pub fn continue_retrieval(input: &[u8], cas: bool, touch: Option<Expiry>) -> Verdict<TextRequest> {
    let (end, consumed, whole) = match memchr::memchr(b'\n', input) {
        Some(newline) => {
            let before = input.get(..newline).unwrap_or_default();
            (before.strip_suffix(b"\r").unwrap_or(before).len(), newline.saturating_add(1), true)
        }
        None => {
            // Only a key with a space behind it is surely whole.
            let end = memchr::memrchr(b' ', input).map_or(0, |space| space.saturating_add(1));
            let tail_bytes = input.len().saturating_sub(end);
            if tail_bytes > limits::KEY_BYTES_MAX.saturating_add(1) {
                return Verdict::Close;
            }
            if end == 0 {
                return Verdict::Incomplete { needed: input.len().saturating_add(1) };
            }
            (end, end, false)
        }
    };
    let keys = Span::new(0, end);
    if has_long_key(keys.of(input)) {
        // A part of the answer is sent already and a refusal cannot take it back, so the connection closes.
        return Verdict::Close;
    }
    Verdict::Complete { request: TextRequest::Retrieve(Retrieve { cas, touch, keys, whole }), consumed }
}

fn answer(text: &'static [u8], consumed: usize) -> Verdict<TextRequest> {
    Verdict::Complete { request: TextRequest::Answer { text, swallow: 0 }, consumed }
}

/// A refused store, which the shard of its key counts.
#[cold]
fn refused(
    consumed: usize,
    key: Span,
    operation: Operation<'static>,
    noreply: bool,
    swallow: u64,
) -> Verdict<TextRequest> {
    let request = KeyRequest { key, value: Span::default(), operation, format: TextFormat { noreply }, swallow };
    Verdict::Complete { request: TextRequest::Command(request), consumed }
}

/// No line end yet.
#[cold]
fn unfinished(input: &[u8]) -> Verdict<TextRequest> {
    let needed = input.len().saturating_add(1);
    if input.len() <= limits::LINE_BYTES_MAX {
        return Verdict::Incomplete { needed };
    }
    let (cas, head) = if input.starts_with(b"get ") {
        (false, 4)
    } else if input.starts_with(b"gets ") {
        (true, 5)
    } else {
        return Verdict::Close;
    };
    if input.len() < limits::RETRIEVAL_LINE_BYTES_MAX {
        return Verdict::Incomplete { needed };
    }
    match continue_retrieval(input.get(head..).unwrap_or_default(), cas, None) {
        Verdict::Complete { request: TextRequest::Retrieve(retrieve), consumed } => Verdict::Complete {
            request: TextRequest::Retrieve(Retrieve { keys: retrieve.keys.shifted(head), ..retrieve }),
            consumed: consumed.saturating_add(head),
        },
        Verdict::Incomplete { .. } => Verdict::Close,
        other => other,
    }
}

/// Jumps from space to space, each the last one that can end a key of legal length.
fn has_long_key(mut keys: &[u8]) -> bool {
    while let Some((window, _)) = keys.split_at_checked(limits::KEY_BYTES_MAX.saturating_add(1)) {
        let Some(space) = memchr::memrchr(b' ', window) else { return true };
        keys = keys.get(space.saturating_add(1)..).unwrap_or_default();
    }
    false
}

/// A whole line and its context.
pub(super) struct TextLine<'a> {
    input: &'a [u8],
    line: &'a [u8],
    /// The line after its first word.
    pub(super) arguments: &'a [u8],
    word_end: usize,
    /// The line's bytes with its end.
    consumed: usize,
    pub(super) context: &'a Context,
}

impl TextLine<'_> {
    /// All requests but retrievals and stores. It is a function of its own because a function with many parts spends
    /// its time on its own variables.
    #[inline(never)]
    fn rarer(&self, word: &[u8]) -> Verdict<TextRequest> {
        match word {
            b"delete" => self.delete(),
            b"incr" => self.arithmetic(Direction::Increment),
            b"decr" => self.arithmetic(Direction::Decrement),
            b"touch" => self.touch(),
            b"gat" => self.retrieve_and_touch(false),
            b"gats" => self.retrieve_and_touch(true),
            b"stats" => self.stats(),
            b"version" => self.answer(words::VERSION),
            b"flush_all" => self.flush(),
            b"cache_memlimit" => self.memory_limit(),
            b"lru" => self.lru(),
            b"lru_crawler" => self.crawler(),
            b"slabs" => self.slabs(),
            b"watch" => self.watch(),
            b"verbosity" => self.verbosity(),
            b"shutdown" => self.shutdown(),
            b"debugtime" if self.context.permissions.debug_time => self.debug_time(),
            b"refresh_certs" => self.control(Control::Server(ServerControl::RefreshCertificates)),
            b"quit" => Verdict::Complete { request: TextRequest::Quit, consumed: self.consumed },
            _ => self.unknown(),
        }
    }

    pub(super) fn answer(&self, text: &'static [u8]) -> Verdict<TextRequest> {
        answer(text, self.consumed)
    }

    /// `noreply` counts if it is the last token, even where another argument belongs.
    pub(super) fn noreply(&self) -> bool {
        token::last(self.arguments) == b"noreply"
    }

    pub(super) fn answer_unless_noreply(&self, text: &'static [u8]) -> Verdict<TextRequest> {
        self.answer(if self.noreply() { b"" } else { text })
    }

    fn command(&self, key: Span, operation: Operation<'static>) -> Verdict<TextRequest> {
        let request = KeyRequest {
            key: key.shifted(self.word_end),
            value: Span::default(),
            operation,
            format: TextFormat { noreply: self.noreply() },
            swallow: 0,
        };
        Verdict::Complete { request: TextRequest::Command(request), consumed: self.consumed }
    }

    pub(super) fn control(&self, control: Control) -> Verdict<TextRequest> {
        Verdict::Complete {
            request: TextRequest::Control { control, noreply: self.noreply() },
            consumed: self.consumed,
        }
    }

    /// A control that `noreply` does not silence.
    pub(super) fn control_with_answer(&self, control: Control) -> Verdict<TextRequest> {
        Verdict::Complete { request: TextRequest::Control { control, noreply: false }, consumed: self.consumed }
    }

    fn retrieve(&self, cas: bool) -> Verdict<TextRequest> {
        self.keys(self.word_end, cas, None)
    }

    fn retrieve_and_touch(&self, cas: bool) -> Verdict<TextRequest> {
        let mut tokens = Tokens::new(self.arguments);
        let (Some(exptime), Some(_)) = (tokens.next(), tokens.next()) else { return self.answer(words::BAD_FORMAT) };
        let Some(seconds) = token::digits_i32(exptime.of(self.arguments)) else {
            return self.answer(words::INVALID_EXPTIME);
        };
        let touch = Expiry::from_exptime(i64::from(seconds), &self.context.time);
        let exptime_end = exptime.shifted(self.word_end);
        self.keys((exptime_end.start as usize).saturating_add(exptime_end.bytes()), cas, Some(touch))
    }

    /// All keys of the line are checked before the first is executed: one bad key refuses all.
    fn keys(&self, start: usize, cas: bool, touch: Option<Expiry>) -> Verdict<TextRequest> {
        let keys = Span::new(start, self.line.len());
        let bytes = keys.of(self.line);
        if bytes.iter().all(|&byte| byte == b' ') {
            return self.answer(words::BAD_FORMAT);
        }
        if has_long_key(bytes) {
            return self.answer(words::BAD_FORMAT_RETRIEVAL);
        }
        let request = TextRequest::Retrieve(Retrieve { cas, touch, keys, whole: true });
        Verdict::Complete { request, consumed: self.consumed }
    }

    fn store(&self, mode: StoreMode, compare: bool) -> Verdict<TextRequest> {
        let mut tokens = Tokens::new(self.arguments);
        let Some(key) = tokens.next() else { return self.answer(words::BAD_FORMAT) };
        let [flags, exptime, bytes] = core::array::from_fn(|_| tokens.next_bytes());
        // Until the length is known there is no data block to skip: the bytes that follow are parsed as commands.
        let length = match token::digits_u32(bytes) {
            Some(length) if length <= limits::DATA_BYTES_MAX => length as usize,
            _ => return self.answer(words::BAD_FORMAT),
        };
        let noreply = self.noreply();
        let block_bytes = length.saturating_add(2);
        let unique = if compare { token::digits_u64(tokens.next_bytes()).map(Some) } else { Some(None) };
        let (Some(flags), Some(exptime), Some(compare), true) =
            (token::loose_u64(flags), token::loose_i32(exptime), unique, key.bytes() <= limits::KEY_BYTES_MAX)
        else {
            return self.refuse_store(noreply, block_bytes as u64);
        };
        let key = key.shifted(self.word_end);
        if self.context.is_too_large(key.bytes(), length, flags as u32) {
            let unlink = mode == StoreMode::Set && compare.is_none();
            let operation = Operation::RefuseLarge { unlink };
            return refused(self.consumed, key, operation, noreply, block_bytes as u64);
        }
        let end = self.consumed.saturating_add(block_bytes);
        let Some(block) = self.input.get(self.consumed..end) else { return Verdict::Incomplete { needed: end } };
        if !block.ends_with(b"\r\n") {
            return refused(end, key, Operation::RefuseData, noreply, 0);
        }
        let expiry = Expiry::from_exptime(i64::from(exptime), &self.context.time);
        // Flags are 32 bits; larger ones are cut, not refused.
        let options = StoreOptions::default();
        let operation = Operation::Store { mode, flags: flags as u32, expiry, compare, options, value: &[] };
        let value = Span::new(self.consumed, self.consumed.saturating_add(length));
        let request = KeyRequest { key, value, operation, format: TextFormat { noreply }, swallow: 0 };
        Verdict::Complete { request: TextRequest::Command(request), consumed: end }
    }

    #[cold]
    fn refuse_store(&self, noreply: bool, block_bytes: u64) -> Verdict<TextRequest> {
        let text: &[u8] = if noreply { b"" } else { words::BAD_FORMAT };
        Verdict::Complete { request: TextRequest::Answer { text, swallow: block_bytes }, consumed: self.consumed }
    }

    /// A key of legal length, or the answer to give instead. `arguments_min` counts the key.
    fn key(&self, arguments_min: usize) -> Result<Span, Verdict<TextRequest>> {
        let mut tokens = Tokens::new(self.arguments);
        let key = tokens.next().ok_or_else(|| self.answer(words::BAD_FORMAT))?;
        if tokens.count() < arguments_min.saturating_sub(1) {
            return Err(self.answer(words::BAD_FORMAT));
        }
        if key.bytes() > limits::KEY_BYTES_MAX {
            return Err(self.answer_unless_noreply(words::BAD_FORMAT));
        }
        Ok(key)
    }

    pub(super) fn argument(&self, number: usize) -> &[u8] {
        Tokens::new(self.arguments).nth(number).map_or(&[], |span| span.of(self.arguments))
    }

    fn delete(&self) -> Verdict<TextRequest> {
        match self.key(1) {
            Ok(key) => self.command(key, Operation::Delete),
            Err(refusal) => refusal,
        }
    }

    fn arithmetic(&self, direction: Direction) -> Verdict<TextRequest> {
        let key = match self.key(2) {
            Ok(key) => key,
            Err(refusal) => return refusal,
        };
        match token::digits_u64(self.argument(1)) {
            Some(delta) => {
                let options = ArithmeticOptions::default();
                self.command(key, Operation::Arithmetic { direction, delta, options })
            }
            None => self.answer_unless_noreply(words::INVALID_DELTA),
        }
    }

    fn touch(&self) -> Verdict<TextRequest> {
        let key = match self.key(2) {
            Ok(key) => key,
            Err(refusal) => return refusal,
        };
        match token::digits_i32(self.argument(1)) {
            Some(exptime) => {
                let expiry = Expiry::from_exptime(i64::from(exptime), &self.context.time);
                self.command(key, Operation::Touch { expiry, touched: Touched::Nothing })
            }
            None => self.answer_unless_noreply(words::INVALID_EXPTIME),
        }
    }

    fn flush(&self) -> Verdict<TextRequest> {
        if !self.context.permissions.flush {
            return self.control(Control::Flush(Flush::Refused(words::FLUSH_NOT_ALLOWED)));
        }
        let arguments = Tokens::new(self.arguments).count();
        if arguments == usize::from(self.noreply()) {
            return self.control(Control::Flush(Flush::At { exptime: 0 }));
        }
        match token::digits_i32(self.argument(0)) {
            Some(exptime) => self.control(Control::Flush(Flush::At { exptime: i64::from(exptime) })),
            None => self.control(Control::Flush(Flush::Refused(words::INVALID_EXPTIME))),
        }
    }

    /// A prefix names a group (`stats r` resets); items, slabs and sizes need the whole word.
    fn stats(&self) -> Verdict<TextRequest> {
        let mut tokens = Tokens::new(self.arguments);
        let group = match tokens.next_bytes() {
            b"" => StatisticsGroup::General,
            word if b"reset".starts_with(word) => StatisticsGroup::Reset,
            word if b"detail".starts_with(word) && !self.context.permissions.dump => {
                return self.answer(words::DETAIL_NOT_ALLOWED);
            }
            word if b"detail".starts_with(word) => match tokens.next_bytes() {
                b"" => return self.answer(words::DETAIL_USAGE),
                word if b"on".starts_with(word) => StatisticsGroup::Detail(Detail::On),
                word if b"off".starts_with(word) => StatisticsGroup::Detail(Detail::Off),
                word if b"dump".starts_with(word) => StatisticsGroup::Detail(Detail::Dump),
                _ => return self.answer(words::DETAIL_USAGE),
            },
            word if b"settings".starts_with(word) => StatisticsGroup::Settings,
            word if b"cachedump".starts_with(word) => return self.cachedump(),
            word if b"conns".starts_with(word) => StatisticsGroup::Connections,
            b"items" => StatisticsGroup::Items,
            b"slabs" => StatisticsGroup::Slabs,
            b"sizes" => StatisticsGroup::Sizes,
            _ => return self.answer(words::ERROR),
        };
        self.control_with_answer(Control::Statistics(group))
    }

    /// A browser's request line closes the connection; anything else is an error.
    fn unknown(&self) -> Verdict<TextRequest> {
        let last = token::last(self.line);
        if last.starts_with(b"HTTP/") && Tokens::new(self.line).nth(1).is_some() {
            return Verdict::Close;
        }
        let silent = last == b"noreply";
        self.answer(if silent { b"" } else { words::ERROR })
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::boundary::{config::Permissions, host::ClockOrder};

    const CONTEXT: Context = Context {
        sasl: false,
        permissions: Permissions { shutdown: false, debug_time: false, ..Permissions::ALL },
        ..Context::permissive(1 << 20, 1_800_000_000)
    };

    fn refusal(input: &[u8]) -> &'static [u8] {
        match parse(input, &CONTEXT) {
            Verdict::Complete { request: TextRequest::Answer { text, .. }, .. } => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_clock_obeys_only_where_it_is_allowed() {
        let allowed = Context { permissions: Permissions::ALL, ..CONTEXT };
        let order = |input: &[u8]| match parse(input, &allowed) {
            Verdict::Complete {
                request: TextRequest::Control { control: Control::Server(ServerControl::Clock(order)), .. },
                ..
            } => Some(order),
            Verdict::Complete { request: TextRequest::Answer { text: words::ERROR, .. }, .. } => None,
            other => panic!("{other:?}"),
        };
        assert_eq!(order(b"debugtime p\r\n"), Some(ClockOrder::Pause));
        assert_eq!(order(b"debugtime r\r\n"), Some(ClockOrder::Resume));
        assert_eq!(order(b"debugtime 100\r\n"), Some(ClockOrder::Move(100)));
        assert_eq!(order(b"debugtime -1\r\n"), Some(ClockOrder::Move(-1)));
        assert_eq!((order(b"debugtime\r\n"), order(b"debugtime x\r\n")), (None, None));
        assert_eq!(refusal(b"debugtime p\r\n"), words::ERROR);
    }

    #[test]
    fn a_store_waits_for_its_data_and_says_how_much() {
        let line = b"set a 5 0 3\r\n";
        assert_eq!(parse(line, &CONTEXT), Verdict::Incomplete { needed: line.len() + 5 });
        let Verdict::Complete { request: TextRequest::Command(request), consumed } =
            parse(b"set a 5 0 3\r\nabc\r\nget a", &CONTEXT)
        else {
            panic!("not a command")
        };
        assert_eq!((request.key, request.value, consumed), (Span::new(4, 5), Span::new(13, 16), 18));
        let operation = Operation::Store {
            mode: StoreMode::Set,
            flags: 5,
            expiry: Expiry::NEVER,
            compare: None,
            options: StoreOptions::default(),
            value: &[],
        };
        assert_eq!((request.operation, request.format.noreply), (operation, false));
    }

    #[test]
    fn refusals_are_memcacheds() {
        assert_eq!(refusal(b"\r\n"), words::BAD_FORMAT);
        assert_eq!(refusal(b"f\r\n"), words::BAD_FORMAT);
        assert_eq!(refusal(b"foo\r\n"), words::ERROR);
        assert_eq!(refusal(b" get a\r\n"), words::ERROR);
        assert_eq!(refusal(b"foo noreply\r\n"), b"");
        assert_eq!(refusal(b"get\r\n"), words::BAD_FORMAT);
        assert_eq!(refusal(b"get  \r\n"), words::BAD_FORMAT);
        assert_eq!(refusal(b"set a 0 0\r\n"), words::BAD_FORMAT);
        assert_eq!(refusal(b"set a 0 0 -1\r\n"), words::BAD_FORMAT);
        assert_eq!(refusal(b"incr a -1\r\n"), words::INVALID_DELTA);
        assert_eq!(refusal(b"touch a b\r\n"), words::INVALID_EXPTIME);
        assert_eq!(refusal(b"gat abc a\r\n"), words::INVALID_EXPTIME);
        assert_eq!(refusal(b"gat 100\r\n"), words::BAD_FORMAT);
        assert_eq!(refusal(b"shutdown\r\n"), words::SHUTDOWN_DISABLED);
        assert_eq!(refusal(b"stats foo\r\n"), words::ERROR);
        assert_eq!(refusal(b"cache_memlimit 1\r\n"), words::MEMLIMIT_TOO_SMALL);
        assert_eq!(parse(b"GET / HTTP/1.1\r\n", &CONTEXT), Verdict::Close);
    }

    #[test]
    fn a_bad_data_block_takes_what_was_announced() {
        let Verdict::Complete { request: TextRequest::Command(request), consumed } =
            parse(b"set a 0 0 3\r\nabcd\r\n", &CONTEXT)
        else {
            panic!("not a command")
        };
        assert_eq!((request.operation, consumed), (Operation::RefuseData, 18));
    }

    #[test]
    fn a_refused_store_with_a_length_swallows_its_data() {
        let line = [&b"set "[..], &[b'k'; 251], b" 0 0 3\r\n"].concat();
        let request = TextRequest::Answer { text: words::BAD_FORMAT, swallow: 5 };
        assert_eq!(parse(&line, &CONTEXT), Verdict::Complete { request, consumed: line.len() });
    }

    #[test]
    fn an_endless_line_closes_unless_it_retrieves() {
        assert_eq!(parse(&[b'x'; 2049], &CONTEXT), Verdict::Close);
        let mut line = b"get ".to_vec();
        line.resize(limits::RETRIEVAL_LINE_BYTES_MAX, b'k');
        assert_eq!(parse(&line, &CONTEXT), Verdict::Close);
        for space in (100..line.len()).step_by(100) {
            line[space] = b' ';
        }
        let Verdict::Complete { request: TextRequest::Retrieve(retrieve), consumed } = parse(&line, &CONTEXT) else {
            panic!("not a retrieval")
        };
        assert_eq!((retrieve.whole, consumed), (false, line.len() / 100 * 100 + 1));
    }
}
