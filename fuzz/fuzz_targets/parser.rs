//! The laws of the parsers on any bytes: total, progress, prefix, limits.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wasmcached_core::{
    limits,
    protocol::{
        Context, Verdict, binary, meta,
        text::{continue_retrieval, parse},
    },
};

const CONTEXT: Context = Context::permissive(2048, 1_800_000_000);

fuzz_target!(|input: &[u8]| {
    if let Verdict::Complete { consumed, .. } = continue_retrieval(input, false, None) {
        assert!((1..=input.len()).contains(&consumed));
    }
    holds(input, |input| parse(input, &CONTEXT));
    for locked in [false, true] {
        packet_holds(input, |input| binary::parse(input, &CONTEXT, locked));
    }
    if meta::recognizes(input) {
        holds(input, |input| if meta::recognizes(input) { meta::parse(input, &CONTEXT) } else { wait(input) });
    }
});

/// The verdict on a prefix that is too short to show its protocol.
fn wait<T>(input: &[u8]) -> Verdict<T> {
    Verdict::Incomplete { needed: input.len() + 1 }
}

fn holds<T: PartialEq + std::fmt::Debug>(input: &[u8], parse: impl Fn(&[u8]) -> Verdict<T>) {
    let verdict = parse(input);
    match verdict {
        Verdict::Incomplete { needed } => {
            assert!(needed > input.len());
            assert!(needed <= input.len().max(limits::RETRIEVAL_LINE_BYTES_MAX) + CONTEXT.item_bytes_max as usize);
        }
        Verdict::Close => {}
        Verdict::Complete { consumed, .. } => {
            assert!((1..=input.len()).contains(&consumed));
            assert_eq!(parse(&input[..consumed]), verdict);
            let line = input.iter().position(|&byte| byte == b'\n').map_or(input.len(), |newline| newline + 1);
            if line > limits::LINE_BYTES_MAX {
                return;
            }
            for length in [0, line - 1, line, consumed - 1].into_iter().filter(|&length| length < consumed) {
                match parse(&input[..length]) {
                    Verdict::Incomplete { needed } => assert!(needed > length && needed <= consumed),
                    other => panic!("{length} of {consumed}: {other:?}"),
                }
            }
        }
    }
}

/// A packet is incomplete until all of it that is looked at has arrived, and nothing behind it changes that.
fn packet_holds(input: &[u8], parse: impl Fn(&[u8]) -> Verdict<binary::PacketRequest>) {
    let verdict = parse(input);
    match verdict {
        Verdict::Incomplete { needed } => {
            assert!(needed > input.len());
            assert!(needed <= 24 + 255 + 65_535 + limits::SASL_MESSAGE_BYTES_MAX.max(CONTEXT.item_bytes_max as usize));
        }
        Verdict::Close => {}
        Verdict::Complete { consumed, .. } => {
            assert!((binary::HEADER_BYTES..=input.len()).contains(&consumed));
            assert_eq!(parse(&input[..consumed]), verdict);
            for length in 0..consumed {
                match parse(&input[..length]) {
                    Verdict::Incomplete { needed } => assert!(needed > length && needed <= consumed),
                    other => panic!("{length} of {consumed}: {other:?}"),
                }
            }
        }
    }
}
