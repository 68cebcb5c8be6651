//! The laws of the parser of packets: total, progress, prefix, limits, as `parser_laws.rs` has them for lines. There is
//! no exception to *prefix* here: a packet is incomplete until all of it that is looked at has arrived.

mod common;

use common::{
    CONTEXT,
    requests::{self, Kind},
};
use proptest::{collection::vec, prelude::*, sample::Index};
use wasmcached_core::{
    limits,
    protocol::{
        Context, Span, Verdict,
        binary::{HEADER_BYTES, PacketRequest, PacketStatus, parse},
    },
};

fn packet() -> impl Strategy<Value = Vec<u8>> {
    any::<u64>().prop_map(|seed| {
        let keys = requests::keys("", 14);
        let kind = Kind { quits: true, binary: true, ..Kind::all(keys, CONTEXT.item_bytes_max as usize) };
        requests::request(&mut common::random::Random::new(seed), &kind, &|_| None)
    })
}

/// A packet with some bytes changed, most of them in the header.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    (packet(), vec((any::<Index>(), any::<u8>(), any::<bool>()), 1..4)).prop_map(|(mut bytes, changes)| {
        for (at, byte, in_header) in changes {
            let within = if in_header { bytes.len().min(HEADER_BYTES) } else { bytes.len() };
            bytes[at.index(within)] = byte;
        }
        bytes
    })
}

/// A header of small numbers with anything behind it.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    (any::<u8>(), 0..300u16, 0..24u8, 0..400u32, vec(any::<u8>(), 0..500)).prop_map(
        |(opcode, key, extras, body, rest)| {
            let mut bytes = vec![0x80, opcode % 0x28];
            bytes.extend(key.to_be_bytes());
            bytes.extend([extras, 0, 0, 0]);
            bytes.extend(body.to_be_bytes());
            bytes.extend([0; 12]);
            bytes.extend(rest);
            bytes
        },
    )
}

fn anything() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![packet(), damaged(), soup(), vec(any::<u8>(), 0..60)]
}

/// Whether a verdict on `input` makes sense by itself.
fn holds(input: &[u8], verdict: &Verdict<PacketRequest>) -> Result<(), TestCaseError> {
    match *verdict {
        Verdict::Close => prop_assert!(input.len() >= HEADER_BYTES),
        Verdict::Incomplete { needed } => {
            prop_assert!(needed > input.len());
            // The parser waits for extras of any length, but for keys and values only up to their limits.
            let head_bytes_max = HEADER_BYTES + usize::from(u8::MAX) + limits::KEY_BYTES_MAX;
            let value_bytes_max = (CONTEXT.item_bytes_max as usize).max(limits::SASL_MESSAGE_BYTES_MAX);
            prop_assert!(needed <= head_bytes_max + value_bytes_max);
            if needed > head_bytes_max {
                prop_assert!(input.len() >= HEADER_BYTES);
            }
        }
        Verdict::Complete { request, consumed } => {
            prop_assert!(consumed >= HEADER_BYTES && consumed <= input.len());
            let inside = |span: Span| span.start as usize + span.bytes() <= consumed;
            match request {
                PacketRequest::Command(command) => {
                    prop_assert!(inside(command.key) && inside(command.value));
                    prop_assert!((1..=limits::KEY_BYTES_MAX).contains(&command.key.bytes()));
                    prop_assert!(command.value.bytes() <= CONTEXT.item_bytes_max as usize);
                    prop_assert!(command.swallow <= u64::from(limits::ITEM_BYTES_MAX_MAX));
                }
                PacketRequest::Answer { swallow, status, closes, .. } => {
                    prop_assert!(swallow <= u64::from(limits::ITEM_BYTES_MAX_MAX));
                    prop_assert!(!closes || swallow == 0);
                    prop_assert!(status != PacketStatus::OutOfMemory);
                }
                PacketRequest::Login(login) => {
                    prop_assert!(inside(login.mechanism) && inside(login.message));
                    prop_assert!(login.mechanism.bytes() <= limits::SASL_MECHANISM_BYTES_MAX);
                    prop_assert!(login.message.bytes() <= limits::SASL_MESSAGE_BYTES_MAX);
                }
                PacketRequest::Control { .. } | PacketRequest::Quit => {}
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn total_progress_and_limits(input in anything(), locked in any::<bool>()) {
        holds(&input, &parse(&input, &CONTEXT, locked))?;
    }

    #[test]
    fn prefix(input in anything(), more in prop_oneof![soup(), packet()], cut in any::<Index>(), locked in any::<bool>()) {
        let verdict = parse(&input, &CONTEXT, locked);
        let followed = [&input[..], &more].concat();
        if !matches!(verdict, Verdict::Incomplete { .. }) {
            prop_assert_eq!(parse(&followed, &CONTEXT, locked), verdict);
        }
        let Verdict::Complete { consumed, .. } = verdict else { return Ok(()) };
        for length in [0, 1, HEADER_BYTES - 1, HEADER_BYTES, consumed - 1, cut.index(consumed)] {
            if length >= consumed {
                continue;
            }
            match parse(&input[..length], &CONTEXT, locked) {
                Verdict::Incomplete { needed } => {
                    prop_assert!(needed > length && needed <= consumed, "{} of {}: {}", length, consumed, needed);
                }
                other => prop_assert!(false, "{} of {} bytes: {:?}", length, consumed, other),
            }
        }
    }

    /// With exactly the needed bytes, a packet is incomplete at most three times: for header, extras and key, value.
    #[test]
    fn needed_is_truthful(input in packet()) {
        let (mut held, mut looks) = (0, 0);
        loop {
            looks += 1;
            match parse(&input[..held.min(input.len())], &CONTEXT, false) {
                Verdict::Incomplete { needed } if needed > input.len() => break,
                Verdict::Incomplete { needed } => held = needed,
                Verdict::Complete { consumed, .. } => {
                    prop_assert_eq!(consumed, held);
                    break;
                }
                Verdict::Close => break,
            }
        }
        prop_assert!(looks <= 4);
    }

    /// Before a login, no packet reaches the store or the server.
    #[test]
    fn locked_lets_nothing_through(input in anything()) {
        match parse(&input, &CONTEXT, true) {
            Verdict::Complete { request: PacketRequest::Command(_) | PacketRequest::Control { .. } | PacketRequest::Quit, .. } => {
                prop_assert!(false, "a packet was accepted before the login");
            }
            Verdict::Complete { request: PacketRequest::Answer { format, status, closes, .. }, .. } => {
                let is_public = matches!(format.opcode, 0x0b | 0x20..=0x22);
                prop_assert!(is_public || closes && status != PacketStatus::Success);
            }
            _ => {}
        }
    }
}

/// Each proper prefix of each of many packets, without sampling.
#[test]
fn every_prefix_of_many_packets_is_incomplete() {
    common::random::for_each_seed(400, |seed| {
        let kind = Kind { value_bytes_max: 40, binary: true, ..Kind::all(requests::keys("", 9), 400) };
        let packet = requests::request(&mut common::random::Random::new(seed), &kind, &|_| None);
        let context = Context { item_bytes_max: 400, ..CONTEXT };
        let Verdict::Complete { consumed, .. } = parse(&packet, &context, false) else { return };
        for length in 0..consumed {
            let verdict = parse(&packet[..length], &context, false);
            assert!(matches!(verdict, Verdict::Incomplete { .. }), "{length}: {verdict:?}");
        }
    });
}
