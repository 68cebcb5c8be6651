//! Replays a transcript against a target, with whole or split input, and names the line at which they differ.

use crate::{
    packet::{HEADER_BYTES, Packet, Received as ReceivedPacket, packet_bytes},
    target::{Factory, Kind, Received, Target},
    template::{Piece, Template},
    transcript::{Action, Case, Directive, Statistic, Transcript, Value},
};
use regex::bytes::Regex;
use std::{
    collections::HashMap,
    fmt::Write as _,
    time::{Duration, Instant},
};

/// How input is split before it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Adjacent `>` lines in one write.
    Whole,
    /// Each byte in a write of its own. Of long inputs only the first and last bytes; the middle goes in pieces.
    Bytes,
    /// Pieces of random lengths, from this seed.
    Random(u64),
}

/// Longest wait for an expected reply.
const ANSWER_WAIT: Duration = Duration::from_secs(30);
/// Time without a byte that counts as silence.
const SILENCE_WAIT: Duration = Duration::from_millis(60);
/// Bytes at the start of an input that [`Split::Bytes`] sends one by one.
const BYTEWISE_MAX: usize = 600;

/// Replays every case of the transcript that this kind of target can run.
///
/// # Errors
/// File, line, expected and received bytes.
pub fn replay(transcript: &Transcript, factory: &dyn Factory, split: Split) -> Result<(), String> {
    let mut flags = transcript.flags.clone();
    if factory.kind() == Kind::Memcached {
        flags.extend_from_slice(&transcript.oracle_flags);
    }
    let mut target: Option<Box<dyn Target>> = None;
    for case in &transcript.cases {
        if is_skipped(case, factory.kind()) || (split != Split::Whole && case.whole.is_some()) {
            continue;
        }
        if case.fresh {
            target = None;
        }
        let target = match &mut target {
            Some(target) => target,
            none => none.insert(factory.start(&flags)?),
        };
        let mut run = Run::new(target.as_mut(), factory.kind(), split);
        run.case(case).map_err(|(line, message)| {
            format!("{}.txt:{line} (case \"{}\", {split:?}): {message}", transcript.name, case.name)
        })?;
    }
    Ok(())
}

/// Whether this kind of target skips the case; the case has the reason.
pub fn is_skipped(case: &Case, kind: Kind) -> bool {
    (kind == Kind::Memcached && case.oracle_skip.is_some()) || (!kind.is_server() && case.server_only.is_some())
}

type Failure = (usize, String);

struct Connection {
    id: usize,
    inbox: Vec<u8>,
    is_closed: bool,
    /// First byte sent on this connection, which chooses the protocol.
    first_byte: Option<u8>,
}

struct Run<'a> {
    target: &'a mut dyn Target,
    kind: Kind,
    split: Split,
    random: u64,
    outgoing: Vec<u8>,
    connections: HashMap<String, Connection>,
    current: String,
    variables: HashMap<String, Vec<u8>>,
}

impl<'a> Run<'a> {
    fn new(target: &'a mut dyn Target, kind: Kind, split: Split) -> Self {
        let random = if let Split::Random(seed) = split { seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1 } else { 1 };
        Self {
            target,
            kind,
            split,
            random,
            outgoing: Vec::new(),
            connections: HashMap::new(),
            current: String::new(),
            variables: HashMap::new(),
        }
    }

    fn case(&mut self, case: &Case) -> Result<(), Failure> {
        self.open("first").map_err(|message| (case.line, message))?;
        self.directives(&case.directives)?;
        let last = case.directives.last().map_or(case.line, |directive| directive.line);
        self.flush().and_then(|()| self.check_connections()).map_err(|message| (last, message))?;
        for connection in std::mem::take(&mut self.connections).into_values() {
            self.target.close(connection.id);
        }
        Ok(())
    }

    fn directives(&mut self, directives: &[Directive]) -> Result<(), Failure> {
        for directive in directives {
            if let Action::Differs { ours, oracle, .. } = &directive.action {
                self.directives(if self.kind == Kind::Memcached { oracle } else { ours })?;
            } else {
                self.directive(&directive.action).map_err(|message| (directive.line, message))?;
            }
        }
        Ok(())
    }

    fn directive(&mut self, action: &Action) -> Result<(), String> {
        if let Action::Send(template) = action {
            let bytes = self.fill(template)?;
            self.outgoing.extend(bytes);
            return Ok(());
        }
        if let Action::SendPacket(packet) = action {
            let bytes = packet.bytes(&|template| self.fill(template))?;
            self.outgoing.extend(bytes);
            return Ok(());
        }
        self.flush()?;
        match action {
            Action::Send(_) | Action::SendPacket(_) | Action::Differs { .. } => Ok(()),
            Action::Expect(template) => {
                let expected = self.fill(template)?;
                self.expect(&expected)
            }
            Action::ExpectPacket(packet) => self.expect_packet(packet),
            Action::ExpectLine(pattern) => self.expect_line(pattern, b"\r\n"),
            Action::ExpectBareLine(pattern) => self.expect_line(pattern, b"\n"),
            Action::ExpectLines(pattern) => self.expect_lines(pattern),
            Action::ExpectClosed => self.expect_closed(),
            Action::ExpectSilence => self.expect_silence(),
            Action::Open(name) => self.open(name),
            Action::On(name) => {
                self.connections.get(name).ok_or_else(|| format!("no connection `{name}`"))?;
                self.current.clone_from(name);
                Ok(())
            }
            Action::Close | Action::Abandon => {
                if let Some(connection) = self.connections.remove(&self.current) {
                    self.target.close(connection.id);
                }
                Ok(())
            }
            Action::Time(seconds) => {
                self.target.pass(*seconds);
                Ok(())
            }
            Action::Sleep(milliseconds) => {
                std::thread::sleep(Duration::from_millis(*milliseconds));
                Ok(())
            }
            Action::Statistics { of, binary, complete, expected } => {
                let found = if *binary { self.packet_statistics(of)? } else { self.line_statistics(of)? };
                if !complete {
                    return compare_statistics(&found, expected);
                }
                // Debian's memcached lacks the rows of this server.
                let is_known =
                    |statistic: &&Statistic| self.kind != Kind::Memcached || found.contains_key(&statistic.name);
                let known: Vec<Statistic> = expected.iter().filter(is_known).cloned().collect();
                compare_statistics(&found, &known)?;
                no_other_counts(&found, expected)
            }
        }
    }

    fn open(&mut self, name: &str) -> Result<(), String> {
        let id = self.target.open()?;
        self.connections
            .insert(name.to_owned(), Connection { id, inbox: Vec::new(), is_closed: false, first_byte: None });
        name.clone_into(&mut self.current);
        Ok(())
    }

    fn fill(&self, template: &Template) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        for piece in &template.0 {
            match piece {
                Piece::Bytes(part) => bytes.extend_from_slice(part),
                Piece::Variable(name) => {
                    bytes.extend(self.variables.get(name).ok_or_else(|| format!("no variable `{name}`"))?);
                }
            }
        }
        Ok(bytes)
    }

    /// Sends the pending bytes, split as configured.
    fn flush(&mut self) -> Result<(), String> {
        let bytes = std::mem::take(&mut self.outgoing);
        if bytes.is_empty() {
            return Ok(());
        }
        let connection = self.connection()?;
        connection.first_byte = connection.first_byte.or(bytes.first().copied());
        let id = connection.id;
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let length = self.piece(bytes.len() - rest.len(), rest.len()).clamp(1, rest.len());
            self.target.send(id, &rest[..length])?;
            rest = &rest[length..];
        }
        Ok(())
    }

    /// Length of the next piece.
    fn piece(&mut self, sent: usize, left: usize) -> usize {
        match self.split {
            Split::Whole => left,
            Split::Bytes if sent < BYTEWISE_MAX || left <= 16 => 1,
            Split::Bytes => (left - 16).min(65_521),
            Split::Random(_) => {
                // xorshift64, so that a seed repeats a run.
                self.random ^= self.random << 13;
                self.random ^= self.random >> 7;
                self.random ^= self.random << 17;
                let widest = if left > 16 * 1024 { 64 * 1024 } else { 40 };
                1 + (self.random % widest) as usize
            }
        }
    }

    fn connection(&mut self) -> Result<&mut Connection, String> {
        self.connections.get_mut(&self.current).ok_or_else(|| format!("connection `{}` is closed", self.current))
    }

    /// Receives until `enough` is true; returns false if time ran out or the connection closed before.
    fn receive_until(&mut self, wait: Duration, enough: impl Fn(&[u8]) -> bool) -> Result<bool, String> {
        let deadline = Instant::now() + wait;
        let connection = self
            .connections
            .get_mut(&self.current)
            .ok_or_else(|| format!("connection `{}` is closed", self.current))?;
        while !enough(&connection.inbox) {
            let left = deadline.saturating_duration_since(Instant::now());
            if connection.is_closed || left.is_zero() {
                return Ok(false);
            }
            match self.target.receive(connection.id, &mut connection.inbox, left)? {
                Received::Bytes => {}
                Received::Closed => connection.is_closed = true,
                Received::Nothing if !self.target.is_asynchronous() => return Ok(false),
                Received::Nothing => {}
            }
        }
        Ok(true)
    }

    fn expect(&mut self, expected: &[u8]) -> Result<(), String> {
        self.receive_until(ANSWER_WAIT, |inbox| inbox.len() >= expected.len() || !expected.starts_with(inbox))?;
        let connection = self.connection()?;
        if connection.inbox.starts_with(expected) {
            connection.inbox.drain(..expected.len());
            return Ok(());
        }
        let end = if connection.is_closed { " and then closed" } else { "" };
        Err(format!("expected {}, got {}{end}", show(expected), show(&connection.inbox)))
    }

    /// Takes a line, checks its ending and removes it.
    fn take_line(&mut self, ending: &[u8]) -> Result<Vec<u8>, String> {
        let is_there = self.receive_until(ANSWER_WAIT, |inbox| inbox.contains(&b'\n'))?;
        let connection = self.connection()?;
        if !is_there {
            return Err(format!("expected a line, got {}", show(&connection.inbox)));
        }
        let at = connection.inbox.iter().position(|byte| *byte == b'\n').unwrap_or(0);
        let mut line: Vec<u8> = connection.inbox.drain(..=at).collect();
        if !line.ends_with(ending) {
            return Err(format!("the line {} does not end in {}", show(&line), show(ending)));
        }
        line.truncate(line.len() - ending.len());
        Ok(line)
    }

    fn expect_line(&mut self, pattern: &Regex, ending: &[u8]) -> Result<(), String> {
        let line = self.take_line(ending)?;
        let captures = pattern.captures(&line).ok_or_else(|| format!("{} does not match {pattern}", show(&line)))?;
        for name in pattern.capture_names().flatten() {
            if let Some(value) = captures.name(name) {
                self.variables.insert(name.to_owned(), value.as_bytes().to_vec());
            }
        }
        Ok(())
    }

    fn take_packet(&mut self) -> Result<Vec<u8>, String> {
        let is_there = self.receive_until(ANSWER_WAIT, |inbox| {
            // A wrong magic ends the wait at once.
            inbox.first().is_some_and(|&magic| magic != 0x81) || inbox.len() >= packet_bytes(inbox)
        })?;
        let connection = self.connection()?;
        if !is_there || connection.inbox.len() < HEADER_BYTES {
            return Err(format!("expected a packet, got {}", show(&connection.inbox)));
        }
        let length = packet_bytes(&connection.inbox).min(connection.inbox.len());
        Ok(connection.inbox.drain(..length).collect())
    }

    fn expect_packet(&mut self, expected: &Packet) -> Result<(), String> {
        let bytes = self.take_packet()?;
        let kept = expected.compare(&bytes, &|template| self.fill(template));
        let kept = kept.map_err(|wrong| format!("{wrong}, in {}", show(&bytes)))?;
        self.variables.extend(kept);
        Ok(())
    }

    /// Statistics by name, over the binary protocol.
    fn packet_statistics(&mut self, of: &str) -> Result<HashMap<String, String>, String> {
        let request = Packet::request(&if of.is_empty() { "stat".into() } else { format!("stat key={of}") })?;
        self.outgoing = request.bytes(&|template| self.fill(template))?;
        self.flush()?;
        let mut found = HashMap::new();
        loop {
            let bytes = self.take_packet()?;
            let packet = ReceivedPacket::read(&bytes)?;
            if packet.status != 0 || packet.opcode != 0x10 {
                return Err(format!("{} among statistics", show(&bytes)));
            }
            if packet.key.is_empty() {
                return Ok(found);
            }
            let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
            found.insert(text(packet.key), text(packet.value));
        }
    }

    fn expect_lines(&mut self, pattern: &Regex) -> Result<(), String> {
        self.expect_line(pattern, b"\r\n")?;
        loop {
            self.receive_until(ANSWER_WAIT, |inbox| inbox.contains(&b'\n'))?;
            let connection = self.connection()?;
            let Some(at) = connection.inbox.iter().position(|byte| *byte == b'\n') else { return Ok(()) };
            let line = &connection.inbox[..at];
            if !pattern.is_match(line.strip_suffix(b"\r").unwrap_or(line)) {
                return Ok(());
            }
            self.expect_line(pattern, b"\r\n")?;
        }
    }

    fn expect_closed(&mut self) -> Result<(), String> {
        self.receive_until(ANSWER_WAIT, |inbox| !inbox.is_empty())?;
        let connection = self.connection()?;
        if !connection.inbox.is_empty() {
            return Err(format!("expected the end of the connection, got {}", show(&connection.inbox)));
        }
        if !connection.is_closed {
            return Err("the connection is still open".into());
        }
        self.connections.remove(&self.current);
        Ok(())
    }

    fn expect_silence(&mut self) -> Result<(), String> {
        self.receive_until(SILENCE_WAIT, |inbox| !inbox.is_empty())?;
        let connection = self.connection()?;
        if !connection.inbox.is_empty() || connection.is_closed {
            let end = if connection.is_closed { " and the end of the connection" } else { "" };
            return Err(format!("expected silence, got {}{end}", show(&connection.inbox)));
        }
        Ok(())
    }

    fn line_statistics(&mut self, of: &str) -> Result<HashMap<String, String>, String> {
        self.outgoing = if of.is_empty() { b"stats\r\n".to_vec() } else { format!("stats {of}\r\n").into_bytes() };
        self.flush()?;
        let mut found = HashMap::new();
        loop {
            let line = String::from_utf8_lossy(&self.take_line(b"\r\n")?).into_owned();
            if line == "END" {
                return Ok(found);
            }
            let rest = line.strip_prefix("STAT ").ok_or_else(|| format!("`{line}` among statistics"))?;
            let (name, value) = rest.split_once(' ').unwrap_or((rest, ""));
            found.insert(name.to_owned(), value.to_owned());
        }
    }

    fn check_packets(&mut self) -> Result<(), String> {
        const OPAQUE: u32 = 0xfeed_beef;
        self.outgoing = Packet::request(&format!("version opaque={OPAQUE}"))?.bytes(&|template| self.fill(template))?;
        self.flush()?;
        let bytes = self.take_packet()?;
        let connection = self.connection()?;
        let packet = ReceivedPacket::read(&bytes)?;
        if (packet.opcode, packet.status, packet.opaque) != (0x0b, 0, OPAQUE) || !connection.inbox.is_empty() {
            return Err(format!("{} and {} instead of the version", show(&bytes), show(&connection.inbox)));
        }
        Ok(())
    }

    /// Checks at the end of a case that every connection still works and has no unread bytes.
    fn check_connections(&mut self) -> Result<(), String> {
        let names: Vec<String> = self.connections.keys().cloned().collect();
        for name in names {
            self.current.clone_from(&name);
            if self.connection()?.first_byte == Some(0x80) {
                self.check_packets().map_err(|message| format!("after the case, on `{name}`: {message}"))?;
                continue;
            }
            self.outgoing = b"version\r\n".to_vec();
            self.flush()?;
            let line = self.take_line(b"\r\n").map_err(|message| format!("after the case, on `{name}`: {message}"))?;
            let connection = self.connection()?;
            if !line.starts_with(b"VERSION ") || !connection.inbox.is_empty() {
                let (line, more) = (show(&line), show(&connection.inbox));
                return Err(format!("after the case, on `{name}`: {line} and {more} instead of the version"));
            }
        }
        Ok(())
    }
}

fn compare_statistics(found: &HashMap<String, String>, expected: &[Statistic]) -> Result<(), String> {
    let mut wrong = String::new();
    for statistic in expected {
        let value = found.get(&statistic.name).map(String::as_str);
        let is_right = match (&statistic.value, value) {
            (Value::Is(expected), Some(value)) => expected == value,
            (Value::Matches(pattern), Some(value)) => pattern.is_match(value.as_bytes()),
            (Value::Absent, None) => true,
            _ => false,
        };
        if !is_right {
            let _ = write!(wrong, "\n  line {}: {} is {value:?}", statistic.line, statistic.name);
            let _ = write!(wrong, ", expected {:?}", statistic.value);
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("statistics differ:{wrong}")) }
}

/// Statistics that count requests, answers, refusals and items. The runner in JavaScript has the same pattern.
const COUNTS: &str = r"^((cmd|get|delete|incr|decr|cas|touch|store|auth|requests?|replies|datagrams)_\w+|(curr|total)_items|evictions|\w+_oom|non_numeric|other_badval|(rejected|idle)_\w+|connection_errors|listen_disabled_num)$";

/// Every count that is not expected must be 0.
fn no_other_counts(found: &HashMap<String, String>, expected: &[Statistic]) -> Result<(), String> {
    let counts = Regex::new(COUNTS).map_err(|error| error.to_string())?;
    let is_expected = |name: &str| expected.iter().any(|statistic| statistic.name == name);
    let other = found
        .iter()
        .filter(|(name, value)| counts.is_match(name.as_bytes()) && !is_expected(name) && value.as_str() != "0");
    let mut other: Vec<String> = other.map(|(name, value)| format!("{name} is {value}")).collect();
    other.sort();
    if other.is_empty() { Ok(()) } else { Err(format!("unexpected counts: {}", other.join(", "))) }
}

/// Bytes as text with escapes, shortened in the middle.
fn show(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "nothing".into();
    }
    if bytes.len() > 600 {
        let (start, end) = (bytes[..300].escape_ascii(), bytes[bytes.len() - 200..].escape_ascii());
        return format!("\"{start}\" … \"{end}\" ({} bytes)", bytes.len());
    }
    format!("\"{}\"", bytes.escape_ascii())
}
