//! The differences that have a reason: those of `docs/reference/compatibility.md`, and those of Debian's older
//! memcached.

use super::{
    compare::{Difference, NO_OP},
    generate::Script,
};

/// A difference that may be met.
#[derive(Debug)]
pub struct Known {
    /// Whether it is of packets; else it is of lines.
    binary: bool,
    /// What it is.
    pub reason: &'static str,
    /// Whether this is it: the smallest script, and the two answers.
    is_it: fn(&Case<'_>) -> bool,
}

struct Case<'a> {
    /// The requests of the smallest script.
    requests: Vec<&'a [u8]>,
    /// The last of them.
    request: &'a [u8],
    ours: &'a [u8],
    theirs: &'a [u8],
    /// See [`Difference`].
    says_more: bool,
    /// See [`Difference`].
    shares_uniques: bool,
}

/// See the module.
pub const KNOWN: &[Known] = &[
    Known {
        binary: false,
        reason: "a refused store is answered before its data block has come, not after",
        is_it: |case| {
            let (kept, more) = case.ours.split_at_checked(case.theirs.len()).unwrap_or_default();
            is_store(case.request)
                && kept == case.theirs
                && (more.starts_with(b"CLIENT") || more.starts_with(b"SERVER"))
        },
    },
    Known {
        binary: false,
        reason: "answers that were not sent when the client ends in the middle of a data block are lost there",
        is_it: |case| {
            let is_at_work = |answer: &[u8]| answer.ends_with(b"MN\r\n");
            case.says_more && !is_at_work(case.ours) && !is_at_work(case.theirs)
        },
    },
    Known {
        binary: true,
        reason: "answers that were not sent when the client ends in the middle of a packet are lost there",
        is_it: |case| case.says_more && !case.ours.ends_with(&NO_OP) && !case.theirs.ends_with(&NO_OP),
    },
    Known {
        binary: true,
        reason: "an opcode that nobody knows, with a body: it is skipped once",
        is_it: |case| {
            let is_unknown = |opcode: u8| matches!(opcode, 0x1b | 0x1f | 0x20..=0x22 | 0x25..);
            case.requests
                .iter()
                .filter_map(|request| header(request))
                .any(|header| is_unknown(header[1]) && body_bytes(header) > 0)
        },
    },
    Known {
        binary: true,
        reason: "touch, gat and stat with a value behind the key are refused",
        is_it: |case| {
            let is_surplus = |header: &[u8; 24]| {
                let used = u32::from(header[4]) + u32::from(u16::from_be_bytes([header[2], header[3]]));
                matches!(header[1], 0x10 | 0x1c..=0x1e | 0x23 | 0x24) && body_bytes(header) > used
            };
            case.requests.iter().filter_map(|request| header(request)).any(is_surplus)
        },
    },
    Known {
        binary: true,
        reason: "a value of blanks is no number, whatever lies behind it in memory",
        is_it: |case| contains(case.ours, b"Non-numeric") && !contains(case.theirs, b"Non-numeric"),
    },
    Known {
        binary: false,
        reason: "a line over 2048 bytes closes here as there, but depends on its packets, and answers before it are lost there",
        is_it: |case| {
            let is_longer = |request: &&[u8]| request.split(|&byte| byte == b'\n').any(|line| line.len() > 2048);
            (case.says_more || case.theirs.starts_with(case.ours)) && case.requests.iter().any(is_longer)
        },
    },
    Known {
        binary: false,
        reason: "answers before a refused retrieval are lost there",
        is_it: |case| {
            matches!(first_word(case.request.trim_ascii_start()), b"get" | b"gets" | b"gat" | b"gats")
                && case.ours.ends_with(case.theirs)
        },
    },
    Known {
        binary: false,
        reason: "a number is looked for in its own word, not in what follows blanks",
        is_it: |case| {
            is_store(case.request) && words(case.request).any(|word| !word.is_empty() && word.trim_ascii().is_empty())
        },
    },
    Known {
        binary: false,
        reason: "a value of blanks is no number, whatever lies behind it in memory",
        is_it: |case| {
            let stores_blanks = |request: &&[u8]| {
                let data = request.iter().position(|&byte| byte == b'\n').map(|end| &request[end..]);
                is_blank_packet(request) || is_store(request) && data.is_some_and(is_blank)
            };
            let is_arithmetic = |request: &&[u8]| matches!(first_word(request), b"incr" | b"decr" | b"ma");
            case.requests.iter().any(is_arithmetic) && case.requests.iter().any(stores_blanks)
        },
    },
    Known {
        binary: false,
        reason: "`T`, `E` of an `ma` that makes a number longer belong to the new item",
        is_it: |case| {
            let has = |request: &&[u8]| {
                first_word(request) == b"ma"
                    && words(request).any(|word| word.starts_with(b"T") || word.starts_with(b"E"))
            };
            case.requests.iter().any(has)
        },
    },
    Known {
        binary: false,
        reason: "`mn`, and the end of a packet, make new beginnings for `watch` and `lru_crawler metadump`",
        is_it: |case| {
            let text = b"cannot pipeline".as_slice();
            contains(case.ours, text) != contains(case.theirs, text)
        },
    },
    Known { binary: false, reason: "two items have one unique there", is_it: |case| case.shares_uniques },
    Known {
        binary: false,
        reason: "statistics are each server's own",
        is_it: |case| case.ours.starts_with(b"STAT ") && case.theirs.starts_with(b"STAT "),
    },
    Known {
        binary: false,
        reason: "`extstore` is not there",
        is_it: |case| words(case.request).any(|word| word == b"extstore"),
    },
    Known {
        binary: false,
        reason: "a space before an administrative command is refused as before any other",
        is_it: |case| case.request.starts_with(b" ") && case.ours.starts_with(b"ERROR"),
    },
    Known {
        binary: false,
        reason: "`t` after `T-1` or `N-1` is 0, not a number just under 2^32",
        is_it: |case| contains(case.theirs, b" t42949") && contains(case.ours, b" t0"),
    },
    Known {
        binary: false,
        reason: "a number that is being read by a pipelined get is changed in place",
        is_it: |case| {
            let is_arithmetic = |request: &&[u8]| matches!(first_word(request), b"incr" | b"decr" | b"ma");
            case.requests.iter().any(is_arithmetic)
                && case
                    .requests
                    .iter()
                    .any(|request| matches!(first_word(request), b"get" | b"gets" | b"gat" | b"gats" | b"mg"))
        },
    },
    Known {
        binary: false,
        reason: "`me <base64> b` decodes the key",
        is_it: |case| {
            let decodes = |line: &[u8]| first_word(line) == b"me" && words(line).any(|word| word.starts_with(b"b"));
            case.request.split(|&byte| byte == b'\n').any(decodes)
        },
    },
    Known {
        binary: false,
        reason: "a NUL does not end a number",
        is_it: |case| words(case.request).any(|word| word.contains(&0) && word.iter().any(u8::is_ascii_digit)),
    },
    Known {
        binary: false,
        reason: "an opaque that is too long is refused before anything is done",
        is_it: |case| {
            case.requests.iter().any(|request| words(request).any(|word| word.starts_with(b"O") && word.len() > 32))
        },
    },
    Known {
        binary: false,
        reason: "a sign without digits, or before zeros, makes no number",
        is_it: |case| {
            words(case.request).any(|word| {
                let number =
                    word.strip_prefix(b"T").or(word.strip_prefix(b"N")).or(word.strip_prefix(b"R")).unwrap_or(word);
                number.strip_prefix(b"-").is_some_and(|digits| digits.iter().all(|&digit| digit == b'0'))
            })
        },
    },
    Known {
        binary: false,
        reason: "a number from 2^63 on is one, even where a `-` lies behind it in memory (1.6.18)",
        is_it: leaves_huge_number,
    },
    Known {
        binary: true,
        reason: "a number from 2^63 on is one, even where a `-` lies behind it in memory (1.6.18)",
        is_it: leaves_huge_number,
    },
];

/// Whether theirs refuses to change a number from 2^63 on, or shows that it has not changed it.
fn leaves_huge_number(case: &Case<'_>) -> bool {
    let is_arithmetic = |request: &&[u8]| {
        matches!(first_word(request), b"incr" | b"decr" | b"ma")
            || header(request).is_some_and(|header| matches!(header[1], 0x05 | 0x06 | 0x15 | 0x16))
    };
    let refuses = |answer| contains(answer, b"non-numeric") || contains(answer, b"Non-numeric");
    let is_left = |request: &&[u8]| {
        let words = request.split(|byte| !byte.is_ascii_digit());
        let is_huge = |word: &&[u8]| {
            std::str::from_utf8(word).ok().and_then(|word| word.parse::<u64>().ok()).is_some_and(|n| n >> 63 != 0)
        };
        words.filter(is_huge).any(|word| refuses(case.theirs) || contains(case.theirs, word))
    };
    !refuses(case.ours) && case.requests.iter().any(is_arithmetic) && case.requests.iter().any(is_left)
}

/// Whether there is nothing but what C takes for white space.
fn is_blank(text: &[u8]) -> bool {
    text.iter().all(|byte| matches!(byte, b' ' | b'\t'..=b'\r'))
}

/// Whether a packet ends in a value of blanks.
fn is_blank_packet(packet: &[u8]) -> bool {
    let Some((header, body)) = packet.split_first_chunk::<24>() else { return false };
    let value_at = usize::from(header[4]) + usize::from(u16::from_be_bytes([header[2], header[3]]));
    header[0] == 0x80 && body.get(value_at..).is_some_and(|value| !value.is_empty() && is_blank(value))
}

fn header(packet: &[u8]) -> Option<&[u8; 24]> {
    packet.first_chunk()
}

fn body_bytes(header: &[u8; 24]) -> u32 {
    u32::from_be_bytes([header[8], header[9], header[10], header[11]])
}

fn words(request: &[u8]) -> impl Iterator<Item = &[u8]> {
    let line = request.split(|&byte| byte == b'\n').next().unwrap_or_default();
    line.strip_suffix(b"\r").unwrap_or(line).split(|&byte| byte == b' ')
}

fn first_word(request: &[u8]) -> &[u8] {
    words(request).next().unwrap_or_default()
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn is_store(request: &[u8]) -> bool {
    matches!(first_word(request), b"set" | b"add" | b"replace" | b"append" | b"prepend" | b"cas" | b"ms")
}

/// The number of the known difference that this one is.
pub(super) fn find(script: &Script, difference: &Difference) -> Option<usize> {
    let request = script.connections.last()?.requests.last()?;
    let requests =
        script.connections.iter().flat_map(|connection| connection.requests.iter().map(Vec::as_slice)).collect();
    let case = Case {
        requests,
        request,
        ours: &difference.ours,
        theirs: &difference.theirs,
        says_more: difference.says_more,
        shares_uniques: difference.shares_uniques,
    };
    let binary = script.connections.last()?.is_read_as_packets() && !difference.afterwards;
    KNOWN.iter().position(|known| known.binary == binary && (known.is_it)(&case))
}
