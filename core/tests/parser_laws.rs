//! The laws of the parsers of text and meta commands, for valid requests of every command, for damaged ones and for any
//! bytes.
//!
//! *Total*: no input panics. *Progress*: a request takes at least a byte, and only bytes that are there. *Prefix*: each
//! proper prefix of a request is incomplete, and what follows a request changes nothing. *Limits*: the parser never
//! waits for more than a limit allows, nor for more than the request really takes. *Chunking* is a law of the whole
//! engine: see `engine_chunking.rs`.
//!
//! Two exceptions to *prefix* are meant: a line that is longer than `LINE_BYTES_MAX` closes the connection while it has
//! no end (whole, it is taken), and a retrieval longer than `RETRIEVAL_LINE_BYTES_MAX` is taken in parts.

mod common;

use common::{
    CONTEXT,
    requests::{self, Kind},
};
use proptest::{collection::vec, prelude::*, sample::Index};
use wasmcached_core::{
    limits,
    protocol::{
        Context, Span, Verdict, meta,
        text::{self, Retrieve, TextRequest, continue_retrieval},
    },
};

/// The request that either parser found.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Asked {
    Text(TextRequest),
    Meta(meta::MetaRequest),
}

/// The first word decides which parser it is.
fn parse(input: &[u8], context: &Context) -> Verdict<Asked> {
    if meta::recognizes(input) {
        map(meta::parse(input, context), Asked::Meta)
    } else {
        map(text::parse(input, context), Asked::Text)
    }
}

fn map<T>(verdict: Verdict<T>, into: impl Fn(T) -> Asked) -> Verdict<Asked> {
    match verdict {
        Verdict::Incomplete { needed } => Verdict::Incomplete { needed },
        Verdict::Complete { request, consumed } => Verdict::Complete { request: into(request), consumed },
        Verdict::Close => Verdict::Close,
    }
}

/// A request of any command, valid or refused, with all its bytes.
fn request() -> impl Strategy<Value = Vec<u8>> {
    any::<u64>().prop_map(|seed| {
        let keys = requests::keys("", 14);
        let kind = Kind { quits: true, meta: true, ..Kind::all(keys, CONTEXT.item_bytes_max as usize) };
        requests::request(&mut common::random::Random::new(seed), &kind, &|_| None)
    })
}

/// A request with some bytes changed.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![Just(b' '), Just(b'\n'), Just(b'\r'), Just(0u8), Just(b'9'), Just(b'-'), any::<u8>()];
    common::damaged(request(), byte)
}

/// Any bytes, most of them such as commands are made of.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let words: Vec<&'static [u8]> = vec![
        b"get",
        b"gets",
        b"gat",
        b"set",
        b"cas",
        b"append",
        b"incr",
        b"touch",
        b"stats",
        b"flush_all",
        b"shutdown",
        b"verbosity",
        b"cache_memlimit",
        b"noreply",
        b" ",
        b" ",
        b" ",
        b"\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"0",
        b"1",
        b"5",
        b"2147483645",
        b"2147483646",
        b"18446744073709551615",
        b"18446744073709551616",
        b"-1",
        b"k",
        b"\0",
        b"\xff",
        b"detail",
        b"on",
        b"HTTP/1.1",
        b"mg",
        b"ms",
        b"md",
        b"ma ",
        b"me",
        b"mn",
        b" b",
        b" Zm9v",
        b" T",
        b" q",
        b" M",
        b" O",
    ];
    prop_oneof![vec(proptest::sample::select(words), 0..30).prop_map(|words| words.concat()), vec(any::<u8>(), 0..200),]
}

fn anything() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![request(), damaged(), soup()]
}

/// Whether a verdict on `input` makes sense by itself.
fn holds(input: &[u8], verdict: &Verdict<Asked>) -> Result<(), TestCaseError> {
    match *verdict {
        Verdict::Close => {}
        Verdict::Incomplete { needed } => {
            prop_assert!(needed > input.len());
            // The parser waits for a line byte by byte, and for a data block up to the limit of an item.
            let most = input.len().max(limits::RETRIEVAL_LINE_BYTES_MAX) + CONTEXT.item_bytes_max as usize;
            prop_assert!(needed <= most, "waits for {needed}");
            if input.contains(&b'\n') {
                let line = input.iter().position(|&byte| byte == b'\n').unwrap_or(0) + 1;
                prop_assert!(needed - line <= CONTEXT.item_bytes_max as usize);
            } else {
                prop_assert_eq!(needed, input.len() + 1);
                prop_assert!(input.len() < limits::RETRIEVAL_LINE_BYTES_MAX);
            }
        }
        Verdict::Complete { request, consumed } => {
            prop_assert!(consumed > 0 && consumed <= input.len());
            let inside = |span: Span| span.start as usize + span.bytes() <= consumed;
            let request = match request {
                Asked::Text(request) => request,
                Asked::Meta(meta::MetaRequest::Answer { swallow, .. }) => {
                    prop_assert!(swallow <= i32::MAX as u64);
                    return Ok(());
                }
                Asked::Meta(meta::MetaRequest::Command(command)) => {
                    prop_assert!(inside(command.key) && inside(command.value) && inside(command.format.flags));
                    prop_assert!((1..=limits::KEY_BYTES_MAX).contains(&command.key.bytes()));
                    prop_assert!(command.value.bytes() <= CONTEXT.item_bytes_max as usize);
                    let mut decoded = Vec::new();
                    let is_key = meta::decode_key(command.key.of(input), &mut decoded).is_some();
                    prop_assert!(!command.format.encoded_key || is_key);
                    return Ok(());
                }
            };
            match request {
                TextRequest::Retrieve(Retrieve { keys, .. }) => prop_assert!(inside(keys)),
                TextRequest::Command(command) => {
                    prop_assert!(inside(command.key) && inside(command.value));
                    prop_assert!((1..=limits::KEY_BYTES_MAX).contains(&command.key.bytes()));
                    prop_assert!(!command.key.of(input).contains(&b' '));
                    prop_assert!(command.value.bytes() <= CONTEXT.item_bytes_max as usize);
                }
                TextRequest::Answer { swallow, .. } => prop_assert!(swallow <= i32::MAX as u64),
                TextRequest::Control { .. } | TextRequest::Quit => {}
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn total_progress_and_limits(input in anything()) {
        holds(&input, &parse(&input, &CONTEXT))?;
        if let Verdict::Complete { consumed, .. } = continue_retrieval(&input, true, None) {
            prop_assert!(consumed > 0 && consumed <= input.len());
        }
    }

    #[test]
    fn prefix(input in anything(), more in prop_oneof![soup(), request()], cut in any::<Index>()) {
        let verdict = parse(&input, &CONTEXT);
        let followed = [&input[..], &more].concat();
        if !matches!(verdict, Verdict::Incomplete { .. }) {
            prop_assert_eq!(parse(&followed, &CONTEXT), verdict);
        }
        let Verdict::Complete { consumed, .. } = verdict else { return Ok(()) };
        let line = input.iter().position(|&byte| byte == b'\n').expect("a whole line") + 1;
        if line > limits::LINE_BYTES_MAX {
            return Ok(());
        }
        // Every border, and one place between.
        let borders = [0, 1, line - 1, line.min(consumed - 1), consumed - 1, cut.index(consumed)];
        for length in borders.into_iter().filter(|&length| length < consumed) {
            match parse(&input[..length], &CONTEXT) {
                Verdict::Incomplete { needed } => {
                    prop_assert!(needed > length && needed <= consumed, "{} of {}: {}", length, consumed, needed);
                }
                other => prop_assert!(false, "{} of {} bytes: {:?}", length, consumed, other),
            }
        }
    }

    /// The parser of single gets finds the same retrieval as the parser of all requests.
    #[test]
    fn single_gets_are_retrievals(input in anything()) {
        if let Some(text::SingleGet { key, consumed }) = text::parse_single_get(&input) {
            let keys = Span { start: key.start - 1, length: key.length + 1 };
            let request = TextRequest::Retrieve(Retrieve { cas: false, touch: None, keys, whole: true });
            prop_assert_eq!(text::parse(&input, &CONTEXT), Verdict::Complete { request, consumed });
            prop_assert!(!key.of(&input).contains(&b' '));
        }
    }

    /// The parser waits for exactly the bytes that it needs. With these, it is incomplete at most once for each byte of
    /// the line, and once for the data.
    #[test]
    fn needed_is_truthful(input in request()) {
        let mut held = 0;
        let mut asked_for_data = 0;
        loop {
            match parse(&input[..held.min(input.len())], &CONTEXT) {
                Verdict::Incomplete { needed } if needed > input.len() => {
                    // Only if the generated line announces more data than follows.
                    prop_assert!(input[..held].contains(&b'\n'));
                    break;
                }
                Verdict::Incomplete { needed } => {
                    asked_for_data += usize::from(input[..held].contains(&b'\n'));
                    held = needed;
                }
                Verdict::Complete { consumed, .. } => {
                    prop_assert_eq!(consumed, held);
                    break;
                }
                Verdict::Close => break,
            }
        }
        prop_assert!(asked_for_data <= 1);
    }
}

/// Each proper prefix of each of many requests, without sampling.
#[test]
fn every_prefix_of_many_requests_is_incomplete() {
    common::random::for_each_seed(300, |seed| {
        let kind = Kind { value_bytes_max: 40, meta: true, ..Kind::all(requests::keys("", 9), 400) };
        let request = requests::request(&mut common::random::Random::new(seed), &kind, &|_| None);
        let context = Context { item_bytes_max: 400, ..CONTEXT };
        let Verdict::Complete { consumed, .. } = parse(&request, &context) else { return };
        for length in 0..consumed {
            let verdict = parse(&request[..length], &context);
            assert!(matches!(verdict, Verdict::Incomplete { .. }), "{length}: {verdict:?}");
        }
    });
}

#[test]
fn single_gets_are_recognized() {
    let taken = |line: &[u8]| {
        let text::SingleGet { key, consumed } = text::parse_single_get(line)?;
        assert_eq!(consumed, line.len());
        Some(key.of(line).to_vec())
    };
    let longest = [b'k'; limits::KEY_BYTES_MAX];
    for (key, end) in
        [(&b"a"[..], &b"\r\n"[..]), (b"a", b"\n"), (&longest, b"\r\n"), (&longest, b"\n"), (b"\xff", b"\n")]
    {
        assert_eq!(taken(&[b"get ", key, end].concat()).as_deref(), Some(key));
    }
    let too_long = [&b"get "[..], &longest, b"k\r\n"].concat();
    for line in
        [&b"get a"[..], b"get a\r", b"get  a\r\n", b"get a \r\n", b"get a b\r\n", b"get \r\n", b"gets a\r\n", &too_long]
    {
        assert_eq!(taken(line), None, "{line:?}");
    }
}

#[test]
fn lines_at_their_longest() {
    let line = |word: &[u8], bytes: usize| {
        let mut line = word.to_vec();
        line.resize(bytes, b'x');
        line
    };
    // The limit itself is still waited for; a byte more is not.
    let most = limits::LINE_BYTES_MAX;
    assert_eq!(parse(&line(b"set ", most), &CONTEXT), Verdict::Incomplete { needed: most + 1 });
    assert_eq!(parse(&line(b"set ", most + 1), &CONTEXT), Verdict::Close);
    assert_eq!(parse(&line(b"gat ", most + 1), &CONTEXT), Verdict::Close);
    assert_eq!(parse(&line(b"get ", most + 1), &CONTEXT), Verdict::Incomplete { needed: most + 2 });
    assert_eq!(parse(&line(b"gets ", most + 1), &CONTEXT), Verdict::Incomplete { needed: most + 2 });
    assert_eq!(parse(&line(b"gets", most + 1), &CONTEXT), Verdict::Close);
    // Whole, a longer line is a line.
    let whole = [line(b"foo ", 5000), b"\r\n".to_vec()].concat();
    assert!(matches!(parse(&whole, &CONTEXT), Verdict::Complete { consumed: 5002, .. }));
}

#[test]
fn a_long_retrieval_is_taken_key_by_key_whatever_its_cuts() {
    let keys: Vec<Vec<u8>> = (0..9000).map(|number| format!("key-{number}").into_bytes()).collect();
    let line = [b"gets ".to_vec(), keys.join(&b"  "[..]), b"\r\n".to_vec()].concat();
    for shown in [limits::RETRIEVAL_LINE_BYTES_MAX, limits::RETRIEVAL_LINE_BYTES_MAX + 1, 70_000, 80_001] {
        let mut taken = Vec::new();
        let mut collect = |bytes: &[u8]| {
            taken.extend(bytes.split(|&byte| byte == b' ').filter(|key| !key.is_empty()).map(<[u8]>::to_vec));
        };
        let Verdict::Complete { request: Asked::Text(TextRequest::Retrieve(first)), consumed } =
            parse(&line[..shown], &CONTEXT)
        else {
            panic!("not a retrieval")
        };
        assert!(!first.whole && first.cas);
        collect(first.keys.of(&line));
        let mut at = consumed;
        loop {
            let until = (at + shown % 977 + 12).min(line.len());
            let rest = &line[at..until];
            match continue_retrieval(rest, true, None) {
                Verdict::Complete { request: TextRequest::Retrieve(next), consumed } => {
                    collect(next.keys.of(rest));
                    at += consumed;
                    if next.whole {
                        break;
                    }
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(at, line.len());
        assert_eq!(taken, keys);
    }
}
