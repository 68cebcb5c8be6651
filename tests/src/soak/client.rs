//! A connection with its own keys: it pipelines random requests and checks every reply against its model.

use super::{
    Counts, Shared, connect,
    model::{Deadline, Gone, Known, Sent, check_found},
    value::record,
};
use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};
use std::{
    collections::VecDeque,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// Keys of a connection, of which the last hold numbers.
const KEYS: usize = 250;
const NUMBER_KEYS: usize = 25;
const PIPELINE_MAX: usize = 32;
/// A pipeline ends at this length of requests and replies, so that neither side must read while it writes.
const PIPELINE_BYTES: usize = 32 * 1024;
const PAYLOAD_BYTES_MAX: usize = 200_000;
/// One pipeline in so many is followed by a reconnect.
const RECONNECT_ONCE_IN: u32 = 300;

/// A client with a model of its keys.
pub struct Client<'s> {
    shared: &'s Shared,
    address: SocketAddr,
    stream: BufReader<TcpStream>,
    number: u64,
    random: SmallRng,
    keys: Vec<Option<Known>>,
    version: u64,
    out: Vec<u8>,
    /// Estimated length of the replies to this pipeline.
    reply_bytes: usize,
    pending: VecDeque<Pending>,
    /// Keys that were stored with noreply.
    unconfirmed: Vec<usize>,
}

/// The item of a storage request.
#[derive(Debug)]
struct NewItem {
    key: usize,
    value: Vec<u8>,
    flags: u32,
    deadline: Deadline,
}

/// A request that awaits its reply.
#[derive(Debug)]
enum Pending {
    Get { keys: Vec<usize>, uniques: bool, touch: Option<Deadline> },
    Store { verb: &'static str, item: NewItem, silent: bool },
    Compare { item: NewItem, unique: u64 },
    Extend { key: usize, piece: Vec<u8>, at_end: bool },
    Delete { key: usize },
    Arithmetic { key: usize, delta: u64, up: bool },
    Touch { key: usize, deadline: Deadline },
}

impl<'s> Client<'s> {
    /// Connects.
    ///
    /// # Errors
    /// If the server does not accept the connection.
    pub fn connect(address: SocketAddr, number: u64, seed: u64, shared: &'s Shared) -> Result<Self, String> {
        Ok(Self {
            shared,
            address,
            stream: connect(address)?,
            number,
            random: SmallRng::seed_from_u64(seed ^ (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            keys: vec![None; KEYS],
            version: 0,
            out: Vec::new(),
            reply_bytes: 0,
            pending: VecDeque::new(),
            unconfirmed: Vec::new(),
        })
    }

    /// Sends pipelines until the run stops, then reads every key once more.
    ///
    /// # Errors
    /// The first wrong reply.
    pub fn run(&mut self) -> Result<(), String> {
        while !self.shared.stopping.load(Ordering::Relaxed) {
            for _ in 0..self.random.random_range(1..=PIPELINE_MAX) {
                self.queue();
                if self.out.len() + self.reply_bytes > PIPELINE_BYTES {
                    break;
                }
            }
            self.exchange()?;
            if self.random.random_ratio(1, RECONNECT_ONCE_IN) {
                self.stream = connect(self.address)?;
                count(&self.shared.counts.reconnects);
            }
        }
        for key in 0..KEYS {
            self.queue_get(vec![key], false, None);
            self.exchange()?;
        }
        Ok(())
    }

    /// Sends the pipeline and checks its replies.
    fn exchange(&mut self) -> Result<(), String> {
        // The last request has a reply, so that all requests are executed when it arrives.
        if self.ends_with_noreply() {
            self.queue_get(vec![0], false, None);
        }
        let sent = Sent {
            server_time_s: self.shared.server_time_s.load(Ordering::Acquire),
            flush: *self.shared.flush.lock().map_err(|_| "another client panicked")?,
            at: Instant::now(),
        };
        let out = std::mem::take(&mut self.out);
        self.stream.get_mut().write_all(&out).map_err(|error| format!("send: {error}"))?;
        while let Some(pending) = self.pending.pop_front() {
            let described = format!("{pending:?}");
            self.check(pending, &sent).map_err(|error| {
                let shown: String = described.chars().take(200).collect();
                format!("{error}; the request was {shown}")
            })?;
            count(&self.shared.counts.requests);
        }
        let now = Instant::now();
        for key in self.unconfirmed.drain(..) {
            if let Some(known) = &mut self.keys[key] {
                known.answered = known.answered.min(now);
            }
        }
        self.out = out;
        self.out.clear();
        self.reply_bytes = 0;
        Ok(())
    }

    fn ends_with_noreply(&self) -> bool {
        matches!(self.pending.back(), Some(Pending::Store { silent: true, .. }))
    }

    /// Queues a random request.
    fn queue(&mut self) {
        let key = self.key();
        if key >= KEYS - NUMBER_KEYS && self.random.random_ratio(1, 2) {
            return self.queue_arithmetic(key);
        }
        match self.random.random_range(0..40) {
            0..12 => self.queue_get(vec![key], false, None),
            12..14 => {
                let keys = (0..self.random.random_range(2..12)).map(|_| self.key()).collect();
                self.queue_get(keys, false, None);
            }
            14..16 => self.queue_get(vec![key], true, None),
            16 => {
                let deadline = self.deadline();
                self.queue_get(vec![key], false, Some(deadline));
            }
            17..27 => self.queue_store("set", key),
            27 => self.queue_store("add", key),
            28 => self.queue_store("replace", key),
            29..33 => self.queue_compare(key),
            33..35 if key < KEYS - NUMBER_KEYS => self.queue_extend(key),
            35..38 => {
                self.add(format_args!("delete {}\r\n", self.name(key)));
                self.pending.push_back(Pending::Delete { key });
            }
            _ => {
                let deadline = self.deadline();
                self.add(format_args!("touch {} {}\r\n", self.name(key), exptime(deadline)));
                self.pending.push_back(Pending::Touch { key, deadline });
            }
        }
    }

    fn queue_get(&mut self, keys: Vec<usize>, uniques: bool, touch: Option<Deadline>) {
        let names: Vec<String> = keys.iter().map(|key| self.name(*key)).collect();
        let names = names.join(" ");
        match touch {
            Some(deadline) => self.add(format_args!("gat {} {names}\r\n", exptime(deadline))),
            None => self.add(format_args!("{} {names}\r\n", if uniques { "gets" } else { "get" })),
        }
        let known = keys.iter().filter_map(|key| self.keys[*key].as_ref()).map(|known| known.value.len() + 50);
        self.reply_bytes += known.sum::<usize>();
        self.pending.push_back(Pending::Get { keys, uniques, touch });
    }

    fn queue_store(&mut self, verb: &'static str, key: usize) {
        let item = self.new_item(key);
        let silent = verb == "set" && self.random.random_ratio(1, 5);
        let head = format!("{verb} {} {} {} {}", self.name(key), item.flags, exptime(item.deadline), item.value.len());
        self.add(format_args!("{head}{}\r\n", if silent { " noreply" } else { "" }));
        self.add_block(&item.value);
        self.pending.push_back(Pending::Store { verb, item, silent });
    }

    /// Queues a `cas` with the unique of an earlier `gets`, which may be outdated by then; without one, a `gets`.
    fn queue_compare(&mut self, key: usize) {
        let Some(unique) = self.keys[key].as_ref().and_then(|known| known.unique) else {
            return self.queue_get(vec![key], true, None);
        };
        let item = self.new_item(key);
        let head = format!("cas {} {} {} {}", self.name(key), item.flags, exptime(item.deadline), item.value.len());
        self.add(format_args!("{head} {unique}\r\n"));
        self.add_block(&item.value);
        self.pending.push_back(Pending::Compare { item, unique });
    }

    fn queue_extend(&mut self, key: usize) {
        // A value of full size is replaced.
        if self.keys[key].as_ref().is_some_and(|known| known.value.len() > PAYLOAD_BYTES_MAX) {
            return self.queue_store("set", key);
        }
        let at_end = self.random.random_ratio(1, 2);
        let piece = self.value(key);
        let verb = if at_end { "append" } else { "prepend" };
        self.add(format_args!("{verb} {} 0 0 {}\r\n", self.name(key), piece.len()));
        self.add_block(&piece);
        self.pending.push_back(Pending::Extend { key, piece, at_end });
    }

    fn queue_arithmetic(&mut self, key: usize) {
        let up = self.random.random_ratio(2, 3);
        let delta = if self.random.random_ratio(1, 10) { u64::MAX / 3 } else { self.random.random_range(0..1000) };
        self.add(format_args!("{} {} {delta}\r\n", if up { "incr" } else { "decr" }, self.name(key)));
        self.pending.push_back(Pending::Arithmetic { key, delta, up });
    }

    fn add(&mut self, text: std::fmt::Arguments<'_>) {
        self.out.write_fmt(text).expect("a vector takes everything");
    }

    fn add_block(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
        self.out.extend_from_slice(b"\r\n");
    }

    /// Chooses a key, low numbers more often.
    fn key(&mut self) -> usize {
        let one = self.random.random_range(0..KEYS);
        // The rotation makes number keys popular for some connections.
        (one * self.random.random_range(1..=KEYS) / KEYS + self.number as usize) % KEYS
    }

    /// Name of a key, short or long, constant per number.
    fn name(&self, key: usize) -> String {
        let padding = if key.is_multiple_of(13) { 200 } else { key % 7 };
        format!("c{}-{key}{:x<padding$}", self.number, "")
    }

    fn new_item(&mut self, key: usize) -> NewItem {
        let flags = if self.random.random_ratio(1, 2) { 0 } else { self.random.random() };
        let deadline = self.deadline();
        NewItem { key, value: self.value(key), flags, deadline }
    }

    /// A value, mostly small, sometimes large; a number for a number key.
    fn value(&mut self, key: usize) -> Vec<u8> {
        self.version += 1;
        if key >= KEYS - NUMBER_KEYS {
            return self.random.random_range(0..u64::MAX >> (self.version % 60)).to_string().into_bytes();
        }
        let bytes = match self.random.random_range(0..100) {
            0..75 => self.random.random_range(0..300),
            75..97 => self.random.random_range(300..5000),
            _ => self.random.random_range(5000..PAYLOAD_BYTES_MAX),
        };
        record(&self.name(key), self.version, bytes)
    }

    fn deadline(&mut self) -> Deadline {
        let seconds = self.random.random_range(1..=3);
        match self.random.random_range(0..10) {
            0 | 1 => Deadline::ServerTime(self.shared.server_time_s.load(Ordering::Acquire) + seconds),
            2 => Deadline::Relative(Duration::from_secs(u64::from(seconds))),
            _ => Deadline::Never,
        }
    }

    /// Checks the reply to one request.
    fn check(&mut self, pending: Pending, sent: &Sent) -> Result<(), String> {
        match pending {
            Pending::Get { keys, uniques, touch } => self.check_values(&keys, uniques, touch, sent),
            Pending::Store { item, silent: true, .. } => {
                self.unconfirmed.push(item.key);
                // Execution is certain only with the next reply, so no flush before that counts as later.
                self.keep(item, Instant::now() + super::PATIENCE);
                Ok(())
            }
            Pending::Store { verb, item, .. } => self.check_store(verb, item, sent),
            Pending::Compare { item, unique } => self.check_compare(item, unique, sent),
            Pending::Extend { key, piece, at_end } => {
                let line = self.line()?;
                let found = self.found(key, &line, "STORED", "NOT_STORED", sent)?;
                if let Some(known) = found {
                    let parts = if at_end { [&known.value[..], &piece] } else { [&piece[..], &known.value] };
                    known.value = parts.concat();
                    known.unique = None;
                }
                Ok(())
            }
            Pending::Delete { key } => {
                let line = self.line()?;
                self.found(key, &line, "DELETED", "NOT_FOUND", sent)?;
                self.keys[key] = None;
                Ok(())
            }
            Pending::Touch { key, deadline } => {
                let line = self.line()?;
                if let Some(known) = self.found(key, &line, "TOUCHED", "NOT_FOUND", sent)? {
                    known.deadline = deadline;
                }
                Ok(())
            }
            Pending::Arithmetic { key, delta, up } => self.check_number(key, delta, up, sent),
        }
    }

    fn check_store(&mut self, verb: &str, item: NewItem, sent: &Sent) -> Result<(), String> {
        let line = self.line()?;
        let key = item.key;
        match (verb, line.as_str()) {
            ("set", "STORED") => {}
            ("add", "STORED") => self.note_miss(key, sent),
            // The item exists and is unchanged.
            ("add", _) => return self.found(key, &line, "NOT_STORED", "STORED", sent).map(drop),
            ("replace", _) => {
                if self.found(key, &line, "STORED", "NOT_STORED", sent)?.is_none() {
                    return Ok(());
                }
            }
            _ => return Err(format!("{verb} {} got the reply {line:?}", self.name(key))),
        }
        self.keep(item, Instant::now());
        Ok(())
    }

    fn check_compare(&mut self, item: NewItem, unique: u64, sent: &Sent) -> Result<(), String> {
        let line = self.line()?;
        let key = item.key;
        let is_current = self.keys[key].as_ref().is_some_and(|known| known.unique == Some(unique));
        // A value written since then has another unique: both replies mean that the item exists.
        let there = if is_current { "STORED" } else { "EXISTS" };
        if self.found(key, &line, there, "NOT_FOUND", sent)?.is_some() && is_current {
            self.keep(item, Instant::now());
        }
        Ok(())
    }

    fn check_number(&mut self, key: usize, delta: u64, up: bool, sent: &Sent) -> Result<(), String> {
        let line = self.line()?;
        let number = |value: &[u8]| std::str::from_utf8(value).ok()?.trim_end().parse::<u64>().ok();
        let before = self.keys[key].as_ref().and_then(|known| number(&known.value)).unwrap_or(0);
        let after = if up { before.wrapping_add(delta) } else { before.saturating_sub(delta) };
        if let Some(known) = self.found(key, &line, &after.to_string(), "NOT_FOUND", sent)? {
            // A shorter number is padded with blanks.
            known.value = format!("{after:<width$}", width = known.value.len()).into_bytes();
            known.unique = None;
        }
        Ok(())
    }

    fn check_values(
        &mut self,
        keys: &[usize],
        uniques: bool,
        touch: Option<Deadline>,
        sent: &Sent,
    ) -> Result<(), String> {
        let mut keys = keys.iter().copied();
        loop {
            let line = self.line()?;
            if line == "END" {
                keys.for_each(|key| self.note_miss(key, sent));
                return Ok(());
            }
            let words: Vec<&str> = line.split(' ').collect();
            let (name, flags, bytes, unique) = match (&words[..], uniques) {
                ([_, name, flags, bytes], false) => (*name, flags.parse(), bytes.parse::<usize>(), None),
                ([_, name, flags, bytes, unique], true) => {
                    let unique = unique.parse().map_err(|error| format!("{line:?}: {error}"))?;
                    (*name, flags.parse(), bytes.parse(), Some(unique))
                }
                _ => return Err(format!("{line:?} is no reply to a get")),
            };
            let (Ok(flags), Ok(bytes), true) = (flags, bytes, words[0] == "VALUE") else {
                return Err(format!("{line:?} is no reply to a get"));
            };
            let mut block = vec![0; bytes + 2];
            self.stream.read_exact(&mut block).map_err(|error| format!("receive {line:?}: {error}"))?;
            let value = block.strip_suffix(b"\r\n").ok_or_else(|| format!("{line:?} does not end"))?;
            // Keys before the found one are misses.
            let key = loop {
                let key = keys.next().ok_or_else(|| format!("{name} was not requested, or is out of order"))?;
                if self.name(key) == name {
                    break key;
                }
                self.note_miss(key, sent);
            };
            check_found(self.keys[key].as_ref(), name, flags, value, sent)?;
            count(&self.shared.counts.hits);
            self.note_read(key, unique, touch)?;
        }
    }

    /// Checks the unique of a read, and notes a new deadline.
    fn note_read(&mut self, key: usize, unique: Option<u64>, touch: Option<Deadline>) -> Result<(), String> {
        let name = self.name(key);
        let Some(known) = &mut self.keys[key] else { return Ok(()) };
        if let (Some(before), Some(now)) = (known.unique, unique)
            && before != now
        {
            return Err(format!("{name} was not written, but its unique went from {before} to {now}"));
        }
        known.unique = unique.or(known.unique);
        if let Some(deadline) = touch {
            known.deadline = deadline;
            known.answered = Instant::now();
        }
        Ok(())
    }

    /// Checks a reply that tells whether the key exists; returns the model of an existing key and counts a miss otherwise.
    fn found(
        &mut self,
        key: usize,
        line: &str,
        there: &str,
        missing: &str,
        sent: &Sent,
    ) -> Result<Option<&mut Known>, String> {
        if line == missing {
            self.note_miss(key, sent);
            return Ok(None);
        }
        let name = self.name(key);
        if line != there {
            return Err(format!("{name}: {line:?} instead of {there:?} or {missing:?}"));
        }
        let known = self.keys[key].as_mut().ok_or_else(|| format!("{name} holds nothing, but {line:?}"))?;
        if let Some(gone) = known.is_gone(sent) {
            return Err(format!("{name} was {gone:?}, but {line:?} ({:?})", known.deadline));
        }
        known.answered = Instant::now();
        Ok(Some(known))
    }

    fn note_miss(&mut self, key: usize, sent: &Sent) {
        let Counts { misses, lost, expired, flushed, .. } = &self.shared.counts;
        count(misses);
        if let Some(known) = self.keys[key].take() {
            match known.is_gone(sent) {
                None => count(lost),
                Some(Gone::Expired) => count(expired),
                Some(Gone::Flushed) => count(flushed),
            }
        }
    }

    fn keep(&mut self, item: NewItem, answered: Instant) {
        let NewItem { key, value, flags, deadline } = item;
        self.keys[key] = Some(Known { value, flags, deadline, answered, unique: None });
    }

    /// Reads a line.
    fn line(&mut self) -> Result<String, String> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line).map_err(|error| format!("receive: {error}"))?;
        let text = line.strip_suffix(b"\r\n").ok_or_else(|| format!("\"{}\" ends", line.escape_ascii()))?;
        Ok(String::from_utf8_lossy(text).into_owned())
    }
}

/// The exptime of a deadline.
fn exptime(deadline: Deadline) -> u64 {
    match deadline {
        Deadline::Never => 0,
        Deadline::ServerTime(time_s) => u64::from(time_s),
        Deadline::Relative(time) => time.as_secs(),
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
