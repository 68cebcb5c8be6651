//! A connection that owns its keys: it pipelines random requests and checks every answer against its model.

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

/// Keys of a connection; the last ones hold numbers.
const KEYS: usize = 250;
const KEYS_OF_NUMBERS: usize = 25;
const PIPELINE_MAX: usize = 32;
/// A pipeline ends when it or its answers are this long, so that neither side has to read while it writes.
const PIPELINE_BYTES: usize = 32 * 1024;
const PAYLOAD_BYTES_MAX: usize = 200_000;
/// One pipeline in so many is followed by a new connection.
const RECONNECT_ONCE_IN: u32 = 300;

/// See the module.
pub struct Client<'s> {
    shared: &'s Shared,
    address: SocketAddr,
    stream: BufReader<TcpStream>,
    number: u64,
    random: SmallRng,
    keys: Vec<Option<Known>>,
    version: u64,
    out: Vec<u8>,
    /// What the answers to this pipeline will take, about.
    answer_bytes: usize,
    asked: VecDeque<Asked>,
    /// Keys that were stored without an answer.
    unconfirmed: Vec<usize>,
}

/// A store, as it was asked for.
#[derive(Debug)]
struct Wish {
    key: usize,
    value: Vec<u8>,
    flags: u32,
    deadline: Deadline,
}

/// A request on its way.
#[derive(Debug)]
enum Asked {
    Get { keys: Vec<usize>, uniques: bool, touch: Option<Deadline> },
    Store { verb: &'static str, wish: Wish, silent: bool },
    Compare { wish: Wish, unique: u64 },
    Extend { key: usize, piece: Vec<u8>, at_end: bool },
    Delete { key: usize },
    Arithmetic { key: usize, delta: u64, up: bool },
    Touch { key: usize, deadline: Deadline },
}

impl<'s> Client<'s> {
    /// A connection of its own.
    ///
    /// # Errors
    /// If the server does not accept it.
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
            answer_bytes: 0,
            asked: VecDeque::new(),
            unconfirmed: Vec::new(),
        })
    }

    /// Pipelines until it is told to stop; then reads every key once more.
    ///
    /// # Errors
    /// The first wrong answer.
    pub fn run(&mut self) -> Result<(), String> {
        while !self.shared.stopping.load(Ordering::Relaxed) {
            for _ in 0..self.random.random_range(1..=PIPELINE_MAX) {
                self.ask();
                if self.out.len() + self.answer_bytes > PIPELINE_BYTES {
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
            self.ask_get(vec![key], false, None);
            self.exchange()?;
        }
        Ok(())
    }

    /// Sends the pipeline, and takes its answers.
    fn exchange(&mut self) -> Result<(), String> {
        // The last one has an answer, so that everything before it was done when it is here.
        if self.unconfirmed_at_the_end() {
            self.ask_get(vec![0], false, None);
        }
        let sent = Sent {
            server_time_s: self.shared.server_time_s.load(Ordering::Acquire),
            flush: *self.shared.flush.lock().map_err(|_| "another client panicked")?,
            at: Instant::now(),
        };
        let out = std::mem::take(&mut self.out);
        self.stream.get_mut().write_all(&out).map_err(|error| format!("send: {error}"))?;
        while let Some(asked) = self.asked.pop_front() {
            let described = format!("{asked:?}");
            self.take(asked, &sent).map_err(|error| {
                let shown: String = described.chars().take(200).collect();
                format!("{error}; asked for {shown}")
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
        self.answer_bytes = 0;
        Ok(())
    }

    fn unconfirmed_at_the_end(&self) -> bool {
        matches!(self.asked.back(), Some(Asked::Store { silent: true, .. }))
    }

    /// A random request.
    fn ask(&mut self) {
        let key = self.key();
        if key >= KEYS - KEYS_OF_NUMBERS && self.random.random_ratio(1, 2) {
            return self.ask_arithmetic(key);
        }
        match self.random.random_range(0..40) {
            0..12 => self.ask_get(vec![key], false, None),
            12..14 => {
                let keys = (0..self.random.random_range(2..12)).map(|_| self.key()).collect();
                self.ask_get(keys, false, None);
            }
            14..16 => self.ask_get(vec![key], true, None),
            16 => {
                let deadline = self.deadline();
                self.ask_get(vec![key], false, Some(deadline));
            }
            17..27 => self.ask_store("set", key),
            27 => self.ask_store("add", key),
            28 => self.ask_store("replace", key),
            29..33 => self.ask_compare(key),
            33..35 if key < KEYS - KEYS_OF_NUMBERS => self.ask_extend(key),
            35..38 => {
                self.add(format_args!("delete {}\r\n", self.name(key)));
                self.asked.push_back(Asked::Delete { key });
            }
            _ => {
                let deadline = self.deadline();
                self.add(format_args!("touch {} {}\r\n", self.name(key), exptime(deadline)));
                self.asked.push_back(Asked::Touch { key, deadline });
            }
        }
    }

    fn ask_get(&mut self, keys: Vec<usize>, uniques: bool, touch: Option<Deadline>) {
        let names: Vec<String> = keys.iter().map(|key| self.name(*key)).collect();
        let names = names.join(" ");
        match touch {
            Some(deadline) => self.add(format_args!("gat {} {names}\r\n", exptime(deadline))),
            None => self.add(format_args!("{} {names}\r\n", if uniques { "gets" } else { "get" })),
        }
        let known = keys.iter().filter_map(|key| self.keys[*key].as_ref()).map(|known| known.value.len() + 50);
        self.answer_bytes += known.sum::<usize>();
        self.asked.push_back(Asked::Get { keys, uniques, touch });
    }

    fn ask_store(&mut self, verb: &'static str, key: usize) {
        let wish = self.wish(key);
        let silent = verb == "set" && self.random.random_ratio(1, 5);
        let head = format!("{verb} {} {} {} {}", self.name(key), wish.flags, exptime(wish.deadline), wish.value.len());
        self.add(format_args!("{head}{}\r\n", if silent { " noreply" } else { "" }));
        self.add_block(&wish.value);
        self.asked.push_back(Asked::Store { verb, wish, silent });
    }

    /// With the unique that a `gets` brought, if there was one; it may be an old one by the time it arrives.
    fn ask_compare(&mut self, key: usize) {
        let Some(unique) = self.keys[key].as_ref().and_then(|known| known.unique) else {
            return self.ask_get(vec![key], true, None);
        };
        let wish = self.wish(key);
        let head = format!("cas {} {} {} {}", self.name(key), wish.flags, exptime(wish.deadline), wish.value.len());
        self.add(format_args!("{head} {unique}\r\n"));
        self.add_block(&wish.value);
        self.asked.push_back(Asked::Compare { wish, unique });
    }

    fn ask_extend(&mut self, key: usize) {
        // What has grown long enough begins anew.
        if self.keys[key].as_ref().is_some_and(|known| known.value.len() > PAYLOAD_BYTES_MAX) {
            return self.ask_store("set", key);
        }
        let at_end = self.random.random_ratio(1, 2);
        let piece = self.value(key);
        let verb = if at_end { "append" } else { "prepend" };
        self.add(format_args!("{verb} {} 0 0 {}\r\n", self.name(key), piece.len()));
        self.add_block(&piece);
        self.asked.push_back(Asked::Extend { key, piece, at_end });
    }

    fn ask_arithmetic(&mut self, key: usize) {
        let up = self.random.random_ratio(2, 3);
        let delta = if self.random.random_ratio(1, 10) { u64::MAX / 3 } else { self.random.random_range(0..1000) };
        self.add(format_args!("{} {} {delta}\r\n", if up { "incr" } else { "decr" }, self.name(key)));
        self.asked.push_back(Asked::Arithmetic { key, delta, up });
    }

    fn add(&mut self, text: std::fmt::Arguments<'_>) {
        self.out.write_fmt(text).expect("a vector takes everything");
    }

    fn add_block(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
        self.out.extend_from_slice(b"\r\n");
    }

    /// Low numbers are popular.
    fn key(&mut self) -> usize {
        let one = self.random.random_range(0..KEYS);
        // Some of the keys of numbers among them.
        (one * self.random.random_range(1..=KEYS) / KEYS + self.number as usize) % KEYS
    }

    /// Short and long ones, always the same for a number.
    fn name(&self, key: usize) -> String {
        let padding = if key.is_multiple_of(13) { 200 } else { key % 7 };
        format!("c{}-{key}{:x<padding$}", self.number, "")
    }

    fn wish(&mut self, key: usize) -> Wish {
        let flags = if self.random.random_ratio(1, 2) { 0 } else { self.random.random() };
        let deadline = self.deadline();
        Wish { key, value: self.value(key), flags, deadline }
    }

    /// Mostly small, sometimes large; a number where numbers belong.
    fn value(&mut self, key: usize) -> Vec<u8> {
        self.version += 1;
        if key >= KEYS - KEYS_OF_NUMBERS {
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

    /// Takes the answer to one request.
    fn take(&mut self, asked: Asked, sent: &Sent) -> Result<(), String> {
        match asked {
            Asked::Get { keys, uniques, touch } => self.take_values(&keys, uniques, touch, sent),
            Asked::Store { wish, silent: true, .. } => {
                self.unconfirmed.push(wish.key);
                // Not known to be done before the next answer: no flush that is asked for until then is later.
                self.keep(wish, Instant::now() + super::PATIENCE);
                Ok(())
            }
            Asked::Store { verb, wish, .. } => self.take_store(verb, wish, sent),
            Asked::Compare { wish, unique } => self.take_compare(wish, unique, sent),
            Asked::Extend { key, piece, at_end } => {
                let line = self.line()?;
                let found = self.found(key, &line, "STORED", "NOT_STORED", sent)?;
                if let Some(known) = found {
                    let parts = if at_end { [&known.value[..], &piece] } else { [&piece[..], &known.value] };
                    known.value = parts.concat();
                    known.unique = None;
                }
                Ok(())
            }
            Asked::Delete { key } => {
                let line = self.line()?;
                self.found(key, &line, "DELETED", "NOT_FOUND", sent)?;
                self.keys[key] = None;
                Ok(())
            }
            Asked::Touch { key, deadline } => {
                let line = self.line()?;
                if let Some(known) = self.found(key, &line, "TOUCHED", "NOT_FOUND", sent)? {
                    known.deadline = deadline;
                }
                Ok(())
            }
            Asked::Arithmetic { key, delta, up } => self.take_number(key, delta, up, sent),
        }
    }

    fn take_store(&mut self, verb: &str, wish: Wish, sent: &Sent) -> Result<(), String> {
        let line = self.line()?;
        let key = wish.key;
        match (verb, line.as_str()) {
            ("set", "STORED") => {}
            ("add", "STORED") => self.note_miss(key, sent),
            // It is there, and stays as it is.
            ("add", _) => return self.found(key, &line, "NOT_STORED", "STORED", sent).map(drop),
            ("replace", _) => {
                if self.found(key, &line, "STORED", "NOT_STORED", sent)?.is_none() {
                    return Ok(());
                }
            }
            _ => return Err(format!("{verb} {} was answered {line:?}", self.name(key))),
        }
        self.keep(wish, Instant::now());
        Ok(())
    }

    fn take_compare(&mut self, wish: Wish, unique: u64, sent: &Sent) -> Result<(), String> {
        let line = self.line()?;
        let key = wish.key;
        let is_current = self.keys[key].as_ref().is_some_and(|known| known.unique == Some(unique));
        // A value that was written since then has another unique: both answers say that it is there.
        let there = if is_current { "STORED" } else { "EXISTS" };
        if self.found(key, &line, there, "NOT_FOUND", sent)?.is_some() && is_current {
            self.keep(wish, Instant::now());
        }
        Ok(())
    }

    fn take_number(&mut self, key: usize, delta: u64, up: bool, sent: &Sent) -> Result<(), String> {
        let line = self.line()?;
        let number = |value: &[u8]| std::str::from_utf8(value).ok()?.trim_end().parse::<u64>().ok();
        let before = self.keys[key].as_ref().and_then(|known| number(&known.value)).unwrap_or(0);
        let after = if up { before.wrapping_add(delta) } else { before.saturating_sub(delta) };
        if let Some(known) = self.found(key, &line, &after.to_string(), "NOT_FOUND", sent)? {
            // A shorter number leaves blanks behind itself.
            known.value = format!("{after:<width$}", width = known.value.len()).into_bytes();
            known.unique = None;
        }
        Ok(())
    }

    fn take_values(
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
                _ => return Err(format!("{line:?} is no answer to get")),
            };
            let (Ok(flags), Ok(bytes), true) = (flags, bytes, words[0] == "VALUE") else {
                return Err(format!("{line:?} is no answer to get"));
            };
            let mut block = vec![0; bytes + 2];
            self.stream.read_exact(&mut block).map_err(|error| format!("receive {line:?}: {error}"))?;
            let value = block.strip_suffix(b"\r\n").ok_or_else(|| format!("{line:?} does not end"))?;
            // What was asked for before it was not found.
            let key = loop {
                let key = keys.next().ok_or_else(|| format!("nobody asked for {name}, or not here"))?;
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

    /// What a read tells beside the value.
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

    /// For answers that say whether the key was there: what is known of it, or a noted miss.
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

    fn keep(&mut self, wish: Wish, answered: Instant) {
        let Wish { key, value, flags, deadline } = wish;
        self.keys[key] = Some(Known { value, flags, deadline, answered, unique: None });
    }

    /// A line of an answer.
    fn line(&mut self) -> Result<String, String> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line).map_err(|error| format!("receive: {error}"))?;
        let text = line.strip_suffix(b"\r\n").ok_or_else(|| format!("\"{}\" ends", line.escape_ascii()))?;
        Ok(String::from_utf8_lossy(text).into_owned())
    }
}

/// What the protocol calls a deadline.
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
