//! Differences with a known reason: those of the compatibility page, and those of Debian's older memcached.

use super::{
    compare::{Difference, NO_OP},
    generate::Script,
};

/// A known difference.
#[derive(Debug)]
pub struct Known {
    /// Whether it concerns packets; otherwise lines.
    binary: bool,
    /// Reason.
    pub reason: &'static str,
    /// Whether the smallest script and the two replies show this difference.
    applies: fn(&Case<'_>) -> bool,
}

struct Case<'a> {
    /// The requests of the smallest script.
    requests: Vec<&'a [u8]>,
    /// The last request.
    request: &'a [u8],
    ours: &'a [u8],
    theirs: &'a [u8],
    /// See [`Difference`].
    is_longer: bool,
    /// See [`Difference`].
    shares_uniques: bool,
}

/// The known differences.
pub const KNOWN: &[Known] = &[
    Known {
        binary: false,
        reason: "a refused store is answered before its data block arrives, not after",
        applies: |case| {
            let (kept, more) = case.ours.split_at_checked(case.theirs.len()).unwrap_or_default();
            is_store(case.request)
                && kept == case.theirs
                && (more.starts_with(b"CLIENT") || more.starts_with(b"SERVER"))
        },
    },
    Known {
        binary: false,
        reason: "memcached drops unsent replies when the client closes inside a data block",
        applies: |case| {
            let is_at_work = |answer: &[u8]| answer.ends_with(b"MN\r\n");
            case.is_longer && !is_at_work(case.ours) && !is_at_work(case.theirs)
        },
    },
    Known {
        binary: true,
        reason: "memcached drops unsent replies when the client closes inside a packet",
        applies: |case| case.is_longer && !case.ours.ends_with(&NO_OP) && !case.theirs.ends_with(&NO_OP),
    },
    Known {
        binary: true,
        reason: "the body of an unknown opcode is skipped once",
        applies: |case| {
            let is_unknown = |opcode: u8| matches!(opcode, 0x1b | 0x1f | 0x20..=0x22 | 0x25..);
            case.requests
                .iter()
                .filter_map(|request| header(request))
                .any(|header| is_unknown(header[1]) && body_bytes(header) > 0)
        },
    },
    Known {
        binary: true,
        reason: "touch, gat and stat with a value are refused",
        applies: |case| {
            let is_surplus = |header: &[u8; 24]| {
                let used = u32::from(header[4]) + u32::from(u16::from_be_bytes([header[2], header[3]]));
                matches!(header[1], 0x10 | 0x1c..=0x1e | 0x23 | 0x24) && body_bytes(header) > used
            };
            case.requests.iter().filter_map(|request| header(request)).any(is_surplus)
        },
    },
    Known {
        binary: true,
        reason: "a value of blanks is no number; memcached reads on in memory",
        applies: |case| contains(case.ours, b"Non-numeric") && !contains(case.theirs, b"Non-numeric"),
    },
    Known {
        binary: false,
        reason: "a line over 2048 bytes closes the connection; memcached's limit depends on its reads and drops earlier replies",
        applies: |case| {
            let is_longer = |request: &&[u8]| request.split(|&byte| byte == b'\n').any(|line| line.len() > 2048);
            (case.is_longer || case.theirs.starts_with(case.ours)) && case.requests.iter().any(is_longer)
        },
    },
    Known {
        binary: false,
        reason: "memcached drops replies before a refused retrieval",
        applies: |case| {
            matches!(first_word(case.request.trim_ascii_start()), b"get" | b"gets" | b"gat" | b"gats")
                && case.ours.ends_with(case.theirs)
        },
    },
    Known {
        binary: false,
        reason: "a number is parsed from its own word; memcached skips blanks",
        applies: |case| {
            is_store(case.request) && words(case.request).any(|word| !word.is_empty() && word.trim_ascii().is_empty())
        },
    },
    Known {
        binary: false,
        reason: "a value of blanks is no number; memcached reads on in memory",
        applies: |case| {
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
        reason: "`T`, `E` of an `ma` that lengthens a number apply to the new item",
        applies: |case| {
            let has = |request: &&[u8]| {
                first_word(request) == b"ma"
                    && words(request).any(|word| word.starts_with(b"T") || word.starts_with(b"E"))
            };
            case.requests.iter().any(has)
        },
    },
    Known {
        binary: false,
        reason: "`watch` and `lru_crawler metadump` are allowed after `mn` and after a read",
        applies: |case| {
            let text = b"cannot pipeline".as_slice();
            contains(case.ours, text) != contains(case.theirs, text)
        },
    },
    Known { binary: false, reason: "two items share a unique in memcached", applies: |case| case.shares_uniques },
    Known {
        binary: false,
        reason: "statistics differ by nature",
        applies: |case| case.ours.starts_with(b"STAT ") && case.theirs.starts_with(b"STAT "),
    },
    Known {
        binary: false,
        reason: "`extstore` is not supported",
        applies: |case| words(case.request).any(|word| word == b"extstore"),
    },
    Known {
        binary: false,
        reason: "a leading space is refused before administrative commands too",
        applies: |case| case.request.starts_with(b" ") && case.ours.starts_with(b"ERROR"),
    },
    Known {
        binary: false,
        reason: "`t` after `T-1` or `N-1` is 0, not a number just under 2^32",
        applies: |case| contains(case.theirs, b" t42949") && contains(case.ours, b" t0"),
    },
    Known {
        binary: false,
        reason: "memcached changes a number in place while a pipelined get sends it",
        applies: |case| {
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
        applies: |case| {
            let decodes = |line: &[u8]| first_word(line) == b"me" && words(line).any(|word| word.starts_with(b"b"));
            case.request.split(|&byte| byte == b'\n').any(decodes)
        },
    },
    Known {
        binary: false,
        reason: "a NUL does not end a number",
        applies: |case| words(case.request).any(|word| word.contains(&0) && word.iter().any(u8::is_ascii_digit)),
    },
    Known {
        binary: false,
        reason: "an opaque that is too long is refused before the command is executed",
        applies: |case| {
            case.requests.iter().any(|request| words(request).any(|word| word.starts_with(b"O") && word.len() > 32))
        },
    },
    Known {
        binary: false,
        reason: "a sign without digits, or before zeros, is no number",
        applies: |case| {
            words(case.request).any(|word| {
                let number =
                    word.strip_prefix(b"T").or(word.strip_prefix(b"N")).or(word.strip_prefix(b"R")).unwrap_or(word);
                number.strip_prefix(b"-").is_some_and(|digits| digits.iter().all(|&digit| digit == b'0'))
            })
        },
    },
    Known {
        binary: false,
        reason: "a number from 2^63 on is valid; memcached 1.6.18 finds a `-` behind it in memory",
        applies: leaves_huge_number,
    },
    Known {
        binary: true,
        reason: "a number from 2^63 on is valid; memcached 1.6.18 finds a `-` behind it in memory",
        applies: leaves_huge_number,
    },
];

/// Whether memcached refuses to change a number from 2^63 on, or returns it unchanged.
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
    // The initial number of a packet, behind its delta.
    let begins_huge = |request: &&[u8]| {
        let first = header(request).and(request.get(32));
        is_arithmetic(request) && first.is_some_and(|first| first >> 7 != 0) && refuses(case.theirs)
    };
    !refuses(case.ours)
        && case.requests.iter().any(is_arithmetic)
        && case.requests.iter().any(|request| is_left(request) || begins_huge(request))
}

/// Whether all bytes are white space in C.
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

/// Index of the known difference that explains this one.
pub(super) fn find(script: &Script, difference: &Difference) -> Option<usize> {
    let request = script.connections.last()?.requests.last()?;
    let requests =
        script.connections.iter().flat_map(|connection| connection.requests.iter().map(Vec::as_slice)).collect();
    let case = Case {
        requests,
        request,
        ours: &difference.ours,
        theirs: &difference.theirs,
        is_longer: difference.is_longer,
        shares_uniques: difference.shares_uniques,
    };
    let binary = script.connections.last()?.is_read_as_packets() && !difference.afterwards;
    KNOWN.iter().position(|known| known.binary == binary && (known.applies)(&case))
}
