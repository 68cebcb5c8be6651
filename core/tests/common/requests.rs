//! Requests from a seed: valid ones of every command, and broken ones.

use super::{packets, random::Random};

/// The parts that requests may have.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    pub(crate) keys: Vec<Vec<u8>>,
    /// Most value bytes of a store that is meant to succeed.
    pub(crate) value_bytes_max: usize,
    pub(crate) item_bytes_max: usize,
    /// Refused requests as well.
    pub(crate) broken: bool,
    /// Requests that concern every key: flushes, statistics.
    pub(crate) global: bool,
    /// A connection may end itself.
    pub(crate) quits: bool,
    /// Meta commands as well.
    pub(crate) meta: bool,
    /// Packets, and nothing else.
    pub(crate) binary: bool,
}

impl Kind {
    /// Every kind of request on `keys`.
    pub(crate) fn all(keys: Vec<Vec<u8>>, item_bytes_max: usize) -> Self {
        Self {
            keys,
            value_bytes_max: 300,
            item_bytes_max,
            broken: true,
            global: true,
            quits: false,
            meta: false,
            binary: false,
        }
    }
}

/// Keys with every oddity that is legal, each beginning with `prefix`.
pub(crate) fn keys(prefix: &str, count: usize) -> Vec<Vec<u8>> {
    let mut keys: Vec<Vec<u8>> = vec![
        b"a".to_vec(),
        b"\0".to_vec(),
        b"\0\0".to_vec(),
        b"tab\tin".to_vec(),
        b"\xff\xfe\x80".to_vec(),
        b"cr\rin".to_vec(),
        b"noreply".to_vec(),
        vec![b'k'; 250 - prefix.len()],
        vec![0; 250 - prefix.len()],
        b"pre:fix".to_vec(),
        b"Zm9v".to_vec(),
    ];
    keys.truncate(count);
    (keys.len()..count).for_each(|number| keys.push(format!("key{number}").into_bytes()));
    keys.iter().map(|key| [prefix.as_bytes(), key].concat()).collect()
}

/// One request. `known` are uniques to compare with.
pub(crate) fn request(random: &mut Random, kind: &Kind, known: &dyn Fn(&[u8]) -> Option<u64>) -> Vec<u8> {
    if kind.binary {
        return packets::packet(random, kind, known);
    }
    if kind.quits && random.once_in(150) {
        return random.pick(&[&b"quit\r\n"[..], b"GET / HTTP/1.1\r\n", b"quit noreply\n"]).to_vec();
    }
    if kind.meta && random.once_in(2) {
        return meta(random, kind, known);
    }
    if kind.broken && random.once_in(5) {
        return broken(random, kind);
    }
    if kind.global && random.once_in(20) {
        return global(random);
    }
    let key = kind.keys[random.within(0..kind.keys.len())].clone();
    let noreply = if random.once_in(5) { " noreply" } else { "" };
    let end = if random.once_in(4) { "\n" } else { "\r\n" };
    let line = |word: &str, rest: &str| [word.as_bytes(), b" ", &key, rest.as_bytes(), end.as_bytes()].concat();
    match random.within(0..16) {
        0..4 => retrieve(random, kind, end),
        4..9 => {
            let word = random.pick(&["set", "set", "set", "add", "replace", "append", "prepend"]);
            store(random, kind, word, &key, "", noreply, end)
        }
        9..11 => {
            let unique = known(&key).filter(|_| !random.once_in(4)).unwrap_or(random.bits() | 1 << 63);
            store(random, kind, "cas", &key, &format!(" {unique}"), noreply, end)
        }
        11 => line("delete", noreply),
        12 => line("touch", &format!(" {}{noreply}", exptime(random))),
        13..15 => {
            let word = random.pick(&["incr", "decr"]);
            let delta = random.pick(&["0", "1", "9", "01", "1000", "18446744073709551615"]);
            line(word, &format!(" {delta}{noreply}"))
        }
        _ => [random.pick(&["version", "verbosity 1", "verbosity 0 noreply"]).as_bytes(), end.as_bytes()].concat(),
    }
}

fn exptime(random: &mut Random) -> &'static str {
    random.pick(&["0", "0", "0", "0", "1", "2", "5", "100", "-1", "2592000", "2592001", "1800000050"])
}

fn retrieve(random: &mut Random, kind: &Kind, end: &str) -> Vec<u8> {
    let word = random.pick(&["get", "get", "gets", "gets", "gat", "gats"]);
    let mut line = word.as_bytes().to_vec();
    if word.starts_with("gat") {
        line.push(b' ');
        line.extend_from_slice(exptime(random).as_bytes());
    }
    let count = if random.once_in(20) { random.within(1..200) } else { random.within(1..5) };
    for _ in 0..count {
        let key = &kind.keys[random.within(0..kind.keys.len())];
        // A line that does not begin `get ` must fit in 2048 bytes.
        if line.len() + key.len() > 1900 {
            break;
        }
        line.resize(line.len() + if random.once_in(6) { 3 } else { 1 }, b' ');
        line.extend_from_slice(key);
    }
    line.resize(line.len() + if random.once_in(6) { 2 } else { 0 }, b' ');
    [&line, end.as_bytes()].concat()
}

pub(super) fn value(random: &mut Random, kind: &Kind) -> Vec<u8> {
    match random.within(0..4) {
        0 => random.pick(&["", "0", "10", "99", "18446744073709551615", "12 ", "abc", "-1", "1x", "007"]).into(),
        1 => {
            let length = random.length(kind.value_bytes_max);
            b"\r\nEND\r\n".iter().cycle().take(length).copied().collect()
        }
        _ => {
            let (length, byte) = (random.length(kind.value_bytes_max), random.bits() as u8);
            (0..length).map(|at| byte.wrapping_add(at as u8)).collect()
        }
    }
}

fn store(random: &mut Random, kind: &Kind, word: &str, key: &[u8], unique: &str, noreply: &str, end: &str) -> Vec<u8> {
    let value = value(random, kind);
    let flags = random.pick(&["0", "0", "1", "4294967295", "4294967296", "18446744073709551615", "007"]);
    let rest = format!(" {flags} {} {}{unique}{noreply}{end}", exptime(random), value.len());
    [word.as_bytes(), b" ", key, rest.as_bytes(), &value, b"\r\n"].concat()
}

/// A meta command with any flags: most are valid, some are refused.
fn meta(random: &mut Random, kind: &Kind, known: &dyn Fn(&[u8]) -> Option<u64>) -> Vec<u8> {
    if random.once_in(30) {
        return random.pick(&["mn\r\n", "mn\n", "mn x\r\n", "mg\r\n", "ms\r\n", "ms k\r\n", "ms k S1\r\n"]).into();
    }
    let key = kind.keys[random.within(0..kind.keys.len())].clone();
    let word = random.pick(&["mg", "mg", "mg", "mg", "ms", "ms", "ms", "md", "ma", "me"]);
    let mut line = [word.as_bytes(), b" ", &key].concat();
    let value = value(random, kind);
    if word == "ms" {
        line.extend_from_slice(format!(" {}", value.len()).as_bytes());
    }
    let mut letters = match word {
        "mg" => b"bcfhklqstuvvvNRTCOE".to_vec(),
        "ms" => b"bcCEFIkOqsTMMN".to_vec(),
        "md" => b"bCEFIIkOqTx".to_vec(),
        _ => b"bCENJDTMOqtcvk".to_vec(),
    };
    for _ in 0..random.within(0..6) {
        let at = random.within(0..letters.len());
        // Seldom a flag comes twice, or is unknown.
        let letter = if random.once_in(60) { random.bits() as u8 } else { letters.swap_remove(at) };
        if letter == b'\n' || letters.is_empty() {
            break;
        }
        line.extend_from_slice(&[b' ', letter]);
        let known = || known(&key).unwrap_or(1).to_string();
        let argument = match letter {
            b'C' | b'E' if random.once_in(2) => known(),
            b'C' | b'E' | b'D' | b'J' => random.pick(&["0", "1", "7", "5000000000000", "18446744073709551615"]).into(),
            b'T' | b'N' | b'R' => exptime(random).into(),
            b'F' => random.pick(&["0", "7", "4294967295"]).into(),
            b'M' if word == "ms" => random.pick(&["S", "E", "A", "P", "R", "x"]).into(),
            b'M' => random.pick(&["I", "D", "+", "-", "i"]).into(),
            b'O' => {
                random.pick(&["", "abc", "1234567890123456789012345678901", "12345678901234567890123456789012"]).into()
            }
            _ => String::new(),
        };
        line.extend_from_slice(argument.as_bytes());
    }
    line.extend_from_slice(random.pick(&["\r\n", "\r\n", "\r\n", "\n"]).as_bytes());
    if word == "ms" {
        line.extend_from_slice(&value);
        line.extend_from_slice(b"\r\n");
    }
    line
}

fn global(random: &mut Random) -> Vec<u8> {
    random
        .pick(&[
            "flush_all\r\n",
            "flush_all noreply\r\n",
            "flush_all 0\r\n",
            "flush_all 3\r\n",
            "flush_all 100 noreply\r\n",
            "flush_all -1\r\n",
            "stats\r\n",
            "stats settings\n",
            "stats items\r\n",
            "stats slabs\r\n",
            "stats sizes\r\n",
            "stats conns\r\n",
            "cache_memlimit 64\r\n",
            "cache_memlimit 100 noreply\r\n",
        ])
        .into()
}

const BROKEN_LINES: [&str; 40] = [
    "\r\n",
    "\n",
    "a\r\n",
    "ab\n",
    "foo\r\n",
    "foo noreply\r\n",
    "SET a 0 0 1\r\n",
    " get a\r\n",
    "get\r\n",
    "get  \r\n",
    "gets\r\n",
    "gat\r\n",
    "gat 0\r\n",
    "gat abc a\r\n",
    "set\r\n",
    "set a\r\n",
    "set a 0 0\r\n",
    "set a 0 0 x noreply\r\n",
    "set a 0 0 -1\r\n",
    "set a 0 0 2147483646\r\n",
    "incr a\r\n",
    "incr a x\r\n",
    "decr a -1 noreply\r\n",
    "incr a 18446744073709551616\r\n",
    "touch a\r\n",
    "touch a b\r\n",
    "touch a noreply\r\n",
    "delete\r\n",
    "flush_all x\r\n",
    "verbosity\r\n",
    "verbosity x\r\n",
    "cache_memlimit\r\n",
    "cache_memlimit 1\r\n",
    "shutdown\r\n",
    "shutdown noreply\r\n",
    "stats foo\r\n",
    "stats noreply\r\n",
    "version x\r\n",
    "foo HTTP/1.1 x\r\n",
    "get HTTP/1.1\r\n",
];

/// A refused request, with the data that may follow it.
fn broken(random: &mut Random, kind: &Kind) -> Vec<u8> {
    let key = kind.keys[random.within(0..kind.keys.len())].clone();
    let long = vec![b'L'; 251];
    let word = random.pick(&["set", "add", "replace", "append", "prepend", "cas"]);
    let noreply = random.pick(&["", " noreply"]);
    let filler = |bytes: usize| vec![b'x'; bytes];
    match random.within(0..9) {
        0 => random.pick(&BROKEN_LINES).into(),
        1 => [b"get a ", long.as_slice(), b" b\r\n"].concat(),
        2 => [b"gats 0 ", long.as_slice(), b"\n"].concat(),
        3 => [random.pick(&["delete ", "touch ", "incr "]).as_bytes(), &long, b" 1", noreply.as_bytes(), b"\r\n"]
            .concat(),
        // A refused store with a known length: the data is skipped, with any end.
        4 => {
            let length = random.length(100);
            let rest = format!(" 0 0 {length} 18446744073709551615{noreply}\r\n");
            [word.as_bytes(), b" ", &long, rest.as_bytes(), &filler(length + 2)].concat()
        }
        5 => {
            let pairs = [("-1", "0"), ("x", "0"), ("0", "x"), ("0", "5x")];
            let (flags, exptime) = pairs[random.within(0..pairs.len())];
            let rest = format!(" {flags} {exptime} 3 18446744073709551615{noreply}\r\n???\r\n");
            [word.as_bytes(), b" ", &key, rest.as_bytes()].concat()
        }
        6 => {
            let length = kind.item_bytes_max - 59 - key.len() + 1 + random.length(3000);
            let rest = format!(" 0 0 {length} 18446744073709551615{noreply}\r\n");
            [word.as_bytes(), b" ", &key, rest.as_bytes(), &filler(length + 2)].concat()
        }
        // More data than announced: the rest is parsed as a command.
        7 => {
            let rest = format!(" 0 0 3 18446744073709551615{noreply}\r\nabcd\r\n");
            [word.as_bytes(), b" ", &key, rest.as_bytes()].concat()
        }
        // Exactly as much as fits.
        _ => {
            let length = kind.item_bytes_max - 59 - key.len();
            let rest = format!(" 0 0 {length} 18446744073709551615{noreply}\r\n");
            [word.as_bytes(), b" ", &key, rest.as_bytes(), &filler(length), b"\r\n"].concat()
        }
    }
}
