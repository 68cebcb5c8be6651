//! memcached's classic text protocol, written naively from its description: one map, no limits on memory, a stream of
//! bytes in, pieces of replies out. It shares no code with the engine, which is compared with it.

use std::collections::BTreeMap;

/// A part of an expected reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Exactly these bytes.
    Text(Vec<u8>),
    /// The unique that stands for this version of the key's item.
    Unique { key: Vec<u8>, version: u64 },
    /// Lines of statistics, up to and with `END`.
    Statistics,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) flags: u32,
    /// Absolute; `None`: never.
    pub(crate) expires: Option<i64>,
    pub(crate) value: Vec<u8>,
    pub(crate) version: u64,
}

/// The part of the protocol that belongs to one connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Talk {
    buffer: Vec<u8>,
    swallow: usize,
    pub(crate) closed: bool,
}

/// The cache.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) items: BTreeMap<Vec<u8>, Item>,
    pub(crate) item_bytes_max: usize,
    pub(crate) now: i64,
    flush_at: Option<i64>,
    versions: u64,
    /// Uniques seen so far, by key and version.
    pub(crate) uniques: BTreeMap<(Vec<u8>, u64), u64>,
    pub(crate) counters: BTreeMap<&'static str, u64>,
}

/// A parsed command line.
enum Line {
    Done,
    NeedsData(usize),
}

impl Model {
    pub(crate) fn new(item_bytes_max: usize, now: u32) -> Self {
        Self { item_bytes_max, now: i64::from(now), ..Self::default() }
    }

    /// Executes everything that is whole after `bytes` arrived.
    pub(crate) fn feed(&mut self, talk: &mut Talk, bytes: &[u8], out: &mut Vec<Piece>) {
        talk.buffer.extend_from_slice(bytes);
        while !talk.closed {
            let skipped = talk.swallow.min(talk.buffer.len());
            talk.buffer.drain(..skipped);
            talk.swallow -= skipped;
            let Some(newline) = talk.buffer.iter().position(|&byte| byte == b'\n') else { return };
            let end = if newline > 0 && talk.buffer[newline - 1] == b'\r' { newline - 1 } else { newline };
            let line = talk.buffer[..end].to_vec();
            let after = talk.buffer[newline + 1..].to_vec();
            match self.line(talk, &line, newline + 1, &after, out) {
                Line::Done => {
                    talk.buffer.drain(..=newline);
                }
                Line::NeedsData(bytes) if after.len() < bytes => return,
                Line::NeedsData(bytes) => {
                    talk.buffer.drain(..newline + 1 + bytes);
                }
            }
        }
    }

    fn count(&mut self, counter: &'static str) {
        *self.counters.entry(counter).or_default() += 1;
    }

    fn line(&mut self, talk: &mut Talk, line: &[u8], bytes: usize, after: &[u8], out: &mut Vec<Piece>) -> Line {
        self.execute_due_flush();
        let mut say = |text: &str| out.push(Piece::Text(text.into()));
        if bytes < 4 {
            say("CLIENT_ERROR bad command line format\r\n");
            return Line::Done;
        }
        let mut tokens: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
        let first = tokens.remove(0);
        tokens.retain(|token| !token.is_empty());
        let noreply = tokens.last() == Some(&&b"noreply"[..]);
        let refuse = |text: &str, out: &mut Vec<Piece>| {
            if !noreply {
                out.push(Piece::Text(text.into()));
            }
            Line::Done
        };
        const FORMAT: &str = "CLIENT_ERROR bad command line format\r\n";
        match first {
            b"get" | b"gets" | b"gat" | b"gats" => {
                self.retrieve(first, &tokens, out);
                Line::Done
            }
            b"set" | b"add" | b"replace" | b"append" | b"prepend" | b"cas" => {
                self.store_line(talk, first, &tokens, after, out)
            }
            b"delete" if tokens.is_empty() => {
                say(FORMAT);
                Line::Done
            }
            b"incr" | b"decr" | b"touch" if tokens.len() < 2 => {
                say(FORMAT);
                Line::Done
            }
            b"delete" | b"incr" | b"decr" | b"touch" if tokens[0].len() > 250 => refuse(FORMAT, out),
            b"delete" => refuse(self.delete(tokens[0]), out),
            b"touch" => match exptime(tokens[1]) {
                None => refuse("CLIENT_ERROR invalid exptime argument\r\n", out),
                Some(seconds) => {
                    self.count("cmd_touch");
                    let found = self.touch(tokens[0], seconds).is_some();
                    refuse(if found { "TOUCHED\r\n" } else { "NOT_FOUND\r\n" }, out)
                }
            },
            b"incr" | b"decr" => match number(tokens[1]) {
                None => refuse("CLIENT_ERROR invalid numeric delta argument\r\n", out),
                Some(delta) => {
                    let reply = self.arithmetic(tokens[0], delta, first == b"incr");
                    refuse(&reply, out)
                }
            },
            b"flush_all" => self.flush(&tokens, noreply, out),
            b"verbosity" => match tokens.first().and_then(|level| number(level)) {
                Some(_) => refuse("OK\r\n", out),
                None => refuse(FORMAT, out),
            },
            b"cache_memlimit" => match tokens.first().and_then(|size| number(size)) {
                None => refuse("ERROR\r\n", out),
                Some(0..8) => refuse("MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m\r\n", out),
                Some(_) => refuse("OK\r\n", out),
            },
            b"version" => {
                say("VERSION 1.6.45\r\n");
                Line::Done
            }
            b"stats" => self.statistics(&tokens, out),
            b"shutdown" => refuse("SERVER_ERROR: shutdown not enabled\r\n", out),
            b"quit" => {
                talk.closed = true;
                Line::Done
            }
            _ if tokens.last().is_some_and(|token| token.starts_with(b"HTTP/")) => {
                talk.closed = true;
                Line::Done
            }
            _ => refuse("ERROR\r\n", out),
        }
    }

    fn execute_due_flush(&mut self) {
        if self.flush_at.is_some_and(|at| at <= self.now) {
            self.items.clear();
            self.flush_at = None;
        }
    }

    fn statistics(&mut self, tokens: &[&[u8]], out: &mut Vec<Piece>) -> Line {
        out.push(match tokens.first() {
            Some(&b"reset") => {
                self.counters.clear();
                Piece::Text("RESET\r\n".into())
            }
            Some(&(b"settings" | b"items" | b"slabs" | b"sizes" | b"conns")) | None => Piece::Statistics,
            _ => Piece::Text("ERROR\r\n".into()),
        });
        Line::Done
    }

    /// The live item; an expired one is forgotten.
    fn live(&mut self, key: &[u8]) -> Option<&mut Item> {
        if self.items.get(key)?.expires.is_some_and(|at| at <= self.now) {
            self.items.remove(key);
        }
        self.items.get_mut(key)
    }

    fn absolute(&self, seconds: i32) -> Option<i64> {
        match seconds {
            0 => None,
            ..0 => Some(0),
            1..=2_592_000 => Some(self.now + i64::from(seconds)),
            _ => Some(i64::from(seconds)),
        }
    }

    fn touch(&mut self, key: &[u8], seconds: i32) -> Option<Item> {
        let expires = self.absolute(seconds);
        let found = self.live(key).map(|item| {
            item.expires = expires;
            item.clone()
        });
        self.count(if found.is_some() { "touch_hits" } else { "touch_misses" });
        found
    }

    fn retrieve(&mut self, word: &[u8], tokens: &[&[u8]], out: &mut Vec<Piece>) {
        let mut say = |text: &str| out.push(Piece::Text(text.into()));
        let mut keys = tokens;
        let mut touch = None;
        if word.starts_with(b"gat") {
            if tokens.len() < 2 {
                return say("CLIENT_ERROR bad command line format\r\n");
            }
            touch = exptime(tokens[0]);
            if touch.is_none() {
                return say("CLIENT_ERROR invalid exptime argument\r\n");
            }
            keys = &tokens[1..];
        }
        if keys.is_empty() {
            return say("CLIENT_ERROR bad command line format\r\n");
        }
        if keys.iter().any(|key| key.len() > 250) {
            return say("CLIENT_ERROR bad command line format\r\n\r\n");
        }
        for &key in keys {
            let found = match touch {
                Some(seconds) => {
                    self.count("cmd_touch");
                    self.touch(key, seconds)
                }
                None => {
                    self.count("cmd_get");
                    let found = self.live(key).cloned();
                    if found.is_none() {
                        self.count("get_misses");
                    }
                    found
                }
            };
            let Some(item) = found else { continue };
            if touch.is_none() {
                self.count("get_hits");
            }
            let mut head = [b"VALUE ", key].concat();
            head.extend_from_slice(format!(" {} {}", item.flags, item.value.len()).as_bytes());
            if word.ends_with(b"s") {
                head.push(b' ');
                out.push(Piece::Text(head));
                out.push(Piece::Unique { key: key.to_vec(), version: item.version });
                head = Vec::new();
            }
            out.push(Piece::Text([&head, &b"\r\n"[..], &item.value, b"\r\n"].concat()));
        }
        out.push(Piece::Text(b"END\r\n".to_vec()));
    }

    fn store_line(
        &mut self,
        talk: &mut Talk,
        word: &[u8],
        tokens: &[&[u8]],
        after: &[u8],
        out: &mut Vec<Piece>,
    ) -> Line {
        let noreply = tokens.last() == Some(&&b"noreply"[..]);
        let length = tokens.get(3).and_then(|bytes| number(bytes)).filter(|&bytes| bytes <= i32::MAX as u64 - 2);
        let Some(length) = length else {
            out.push(Piece::Text(b"CLIENT_ERROR bad command line format\r\n".to_vec()));
            return Line::Done;
        };
        let length = length as usize;
        let mut refuse = |text: &str| {
            if !noreply {
                out.push(Piece::Text(text.into()));
            }
        };
        let key = tokens[0];
        let unique = if word == b"cas" { tokens.get(4).and_then(|unique| number(unique)) } else { Some(0) };
        let (Some(flags), Some(seconds), Some(unique), true) =
            (number(tokens[1]), exptime(tokens[2]), unique, key.len() <= 250)
        else {
            refuse("CLIENT_ERROR bad command line format\r\n");
            talk.swallow = length + 2;
            return Line::Done;
        };
        if !self.fits(key, length, flags as u32) {
            refuse("SERVER_ERROR object too large for cache\r\n");
            self.count("store_too_large");
            if word == b"set" {
                self.items.remove(key);
            }
            talk.swallow = length + 2;
            return Line::Done;
        }
        let Some(block) = after.get(..length + 2) else { return Line::NeedsData(length + 2) };
        if !block.ends_with(b"\r\n") {
            refuse("CLIENT_ERROR bad data chunk\r\n");
            self.count("cmd_set");
            return Line::NeedsData(length + 2);
        }
        let item = Item {
            flags: flags as u32,
            expires: self.absolute(seconds),
            value: block[..length].to_vec(),
            version: self.versions + 1,
        };
        let reply = self.store(word, key, item, unique);
        refuse(reply);
        Line::NeedsData(length + 2)
    }

    /// Header 48, unique 8, NUL 1, line end 2, client flags 4 if there are any.
    fn fits(&self, key: &[u8], value_bytes: usize, flags: u32) -> bool {
        key.len() + value_bytes + 59 + if flags == 0 { 0 } else { 4 } <= self.item_bytes_max
    }

    fn store(&mut self, word: &[u8], key: &[u8], mut item: Item, unique: u64) -> &'static str {
        self.count("cmd_set");
        let present = self.live(key).cloned();
        match (word, present) {
            (b"add", Some(_)) | (b"replace" | b"append" | b"prepend", None) => return "NOT_STORED\r\n",
            (b"cas", None) => {
                self.count("cas_misses");
                return "NOT_FOUND\r\n";
            }
            (b"cas", Some(present)) => {
                if self.uniques.get(&(key.to_vec(), present.version)) != Some(&unique) {
                    self.count("cas_badval");
                    return "EXISTS\r\n";
                }
                self.count("cas_hits");
            }
            (b"append" | b"prepend", Some(present)) => {
                let both = [&present.value, &item.value];
                let value = if word == b"append" {
                    both.map(|v| v.as_slice()).concat()
                } else {
                    [both[1].as_slice(), both[0]].concat()
                };
                if !self.fits(key, value.len(), present.flags) {
                    return "NOT_STORED\r\n";
                }
                item = Item { value, version: item.version, ..present };
            }
            _ => {}
        }
        self.versions += 1;
        self.items.insert(key.to_vec(), item);
        "STORED\r\n"
    }

    fn delete(&mut self, key: &[u8]) -> &'static str {
        if self.live(key).is_none() {
            self.count("delete_misses");
            return "NOT_FOUND\r\n";
        }
        self.count("delete_hits");
        self.items.remove(key);
        "DELETED\r\n"
    }

    fn arithmetic(&mut self, key: &[u8], delta: u64, up: bool) -> String {
        let version = self.versions + 1;
        let Some(item) = self.live(key) else {
            self.count(if up { "incr_misses" } else { "decr_misses" });
            return "NOT_FOUND\r\n".into();
        };
        let Some(old) = leading_number(&item.value) else {
            return "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n".into();
        };
        let new = if up { old.wrapping_add(delta) } else { old.saturating_sub(delta) };
        let mut value = new.to_string().into_bytes();
        value.resize(value.len().max(item.value.len()), b' ');
        item.value = value;
        item.version = version;
        self.versions = version;
        self.count(if up { "incr_hits" } else { "decr_hits" });
        format!("{new}\r\n")
    }

    fn flush(&mut self, tokens: &[&[u8]], noreply: bool, out: &mut Vec<Piece>) -> Line {
        self.count("cmd_flush");
        let seconds = if tokens.len() == usize::from(noreply) { Some(0) } else { exptime(tokens[0]) };
        let reply = match seconds {
            None => "CLIENT_ERROR invalid exptime argument\r\n",
            Some(seconds) => {
                self.flush_at = None;
                match self.absolute(seconds) {
                    Some(at) if at > self.now => self.flush_at = Some(at),
                    _ => self.items.clear(),
                }
                "OK\r\n"
            }
        };
        if !noreply {
            out.push(Piece::Text(reply.into()));
        }
        Line::Done
    }

    /// Compares `received` with `expected` and drains the matching front of both. Panics at a difference.
    pub(crate) fn expect(
        &mut self,
        expected: &mut std::collections::VecDeque<Piece>,
        received: &mut Vec<u8>,
        whole: bool,
    ) {
        while let Some(piece) = expected.front_mut() {
            match piece {
                Piece::Text(text) => {
                    let common = text.len().min(received.len());
                    assert!(
                        text[..common] == received[..common],
                        "expected {}, received {}",
                        shown(text),
                        shown(received)
                    );
                    received.drain(..common);
                    if common < text.len() {
                        text.drain(..common);
                        break;
                    }
                }
                Piece::Unique { key, version } => {
                    let Some(end) = received.iter().position(|&byte| byte == b'\r') else { break };
                    let unique = number(&received[..end]).expect("a unique is a number");
                    received.drain(..end);
                    let (key, version) = (std::mem::take(key), *version);
                    self.learn(key, version, unique);
                }
                Piece::Statistics => {
                    let Some(newline) = received.iter().position(|&byte| byte == b'\n') else { break };
                    let line: Vec<u8> = received.drain(..=newline).collect();
                    if line != b"END\r\n" {
                        assert!(line.starts_with(b"STAT "), "{}", shown(&line));
                        continue;
                    }
                }
            }
            expected.pop_front();
        }
        if whole || expected.is_empty() {
            assert!(expected.is_empty(), "never answered: {expected:?}");
            assert!(received.is_empty(), "unexpected: {}", shown(received));
        }
    }

    /// A version has one unique, and no other version of its key has the same.
    pub(crate) fn learn(&mut self, key: Vec<u8>, version: u64, unique: u64) {
        let of_key = self.uniques.range((key.clone(), 0)..=(key.clone(), u64::MAX));
        for ((_, seen), known) in of_key {
            assert_eq!(*seen == version, *known == unique, "key {key:?} version {version} unique {unique}");
        }
        self.uniques.insert((key, version), unique);
    }
}

/// The beginning of `bytes`, for a message.
pub(crate) fn shown(bytes: &[u8]) -> String {
    format!("{:?}{}", String::from_utf8_lossy(&bytes[..bytes.len().min(120)]), if bytes.len() > 120 { "…" } else { "" })
}

/// Decimal digits within 64 bits.
fn number(token: &[u8]) -> Option<u64> {
    if token.is_empty() || !token.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(token).ok()?.parse().ok()
}

/// As C's `strtoull` reads a NUL-terminated text: white space before, white space or the NUL ends it. A number that
/// does not end within 256 bytes is none here.
fn leading_number(value: &[u8]) -> Option<u64> {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let start = value.iter().position(|byte| !blank(byte))?;
    let text = value[start..].split(|byte| blank(byte) || *byte == 0).next()?;
    if value.len() > 256 && start + text.len() >= 256 {
        return None;
    }
    number(text.strip_prefix(b"+").unwrap_or(text))
}

fn exptime(token: &[u8]) -> Option<i32> {
    std::str::from_utf8(token).ok()?.parse().ok()
}
