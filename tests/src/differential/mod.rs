//! Random conversations, valid and broken, with this server and with memcached. Replies are compared, and the stored items
//! afterwards.
//!
//! Owns: worlds (each with its own keys and a few connections, one after the other), the comparison, the search for the
//! smallest conversation that still differs, and the list of known differences. Refuses: statistics, whose numbers differ
//! by nature, and anything that depends on the end of a second (a difference counts only if it repeats).

mod compare;
mod generate;
mod known;
mod replies;
mod side;

#[path = "../../../core/tests/common/packets.rs"]
mod packets;
#[allow(dead_code, reason = "the engine's own tests use the rest")]
#[path = "../../../core/tests/common/random.rs"]
mod random;
#[allow(dead_code, reason = "the engine's own tests use the rest")]
#[path = "../../../core/tests/common/requests.rs"]
mod requests;

pub use known::KNOWN;

use crate::server::Server;
use compare::Difference;
use generate::Script;
use random::Random;
use side::Side;
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// How often a difference must repeat.
const REPEATS: usize = 3;
/// Unexplained differences that end the run.
const UNEXPLAINED_MAX: usize = 10;
const REPORT_EVERY: Duration = Duration::from_secs(30);

/// `-I` of both servers: small, so that items often exceed it.
const ITEM_BYTES_MAX: usize = 8192;

/// Parameters of a run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Total duration.
    pub duration: Duration,
    /// Seed, which repeats a run except for the clocks of the servers.
    pub seed: u64,
    /// Further flags of this server.
    pub flags: Vec<String>,
}

/// Counts of a run.
#[derive(Debug, Default)]
pub struct Summary {
    /// Worlds played.
    pub worlds: u64,
    /// Requests sent to each server.
    pub requests: u64,
    /// How often each of [`KNOWN`] occurred.
    pub known: Vec<u64>,
    /// Differences that did not repeat, such as those of clocks.
    pub unrepeatable: u64,
    /// Unexplained differences, each with its smallest conversation.
    pub unexplained: Vec<String>,
}

/// Compares `ours` with `theirs` for as long as the plan says.
///
/// # Errors
/// If a server does not start or stops answering.
pub fn compare(ours: &Path, theirs: &Path, plan: &Plan) -> Result<Summary, String> {
    let common = ["-I", "8k", "-m", "256", "-c", "4096"].map(str::to_owned);
    let flags: Vec<String> = common.iter().chain(&plan.flags).cloned().collect();
    let mut pair = Pair {
        ours: Side::new(Server::start(ours, &flags)?)?,
        theirs: Side::new(start_memcached(theirs, &common)?)?,
        worlds: 0,
    };
    let mut summary = Summary { known: vec![0; KNOWN.len()], ..Summary::default() };
    let (begin, mut reported) = (Instant::now(), Instant::now());
    let mut random = Random::new(plan.seed);
    let is_old = pair.theirs.is_old;
    if is_old {
        eprintln!("this memcached is older than 1.6.22: meta commands, flushes and invalid requests are left out");
    }
    while begin.elapsed() < plan.duration && summary.unexplained.len() < UNEXPLAINED_MAX {
        let script = Script::generate(&mut random, is_old);
        summary.worlds += 1;
        summary.requests += script.requests() as u64;
        if pair.play(&script)?.is_some() {
            classify(&mut pair, script, &mut summary)?;
        }
        if reported.elapsed() > REPORT_EVERY {
            reported = Instant::now();
            eprintln!("{} s: {summary}", begin.elapsed().as_secs());
        }
    }
    Ok(summary)
}

/// The largest chunk must fit in `-I`; older versions take it in bytes, newer ones in kilobytes.
fn start_memcached(program: &Path, flags: &[String]) -> Result<Server, String> {
    let start = |chunk: &str| Server::start(program, &[flags, &["-o".to_owned(), chunk.to_owned()]].concat());
    start(&format!("slab_chunk_max={ITEM_BYTES_MAX}"))
        .or_else(|_| start(&format!("slab_chunk_max={}", ITEM_BYTES_MAX >> 10)))
}

/// Repeats a conversation with a difference, reduces it, and looks for a known reason.
fn classify(pair: &mut Pair, script: Script, summary: &mut Summary) -> Result<(), String> {
    let mut script = script;
    for _ in 0..REPEATS {
        if pair.play(&script)?.is_none() {
            summary.unrepeatable += 1;
            return Ok(());
        }
    }
    while let Some(smaller) = smaller(pair, &script)? {
        script = smaller;
    }
    let Some(difference) = pair.play(&script)? else {
        summary.unrepeatable += 1;
        return Ok(());
    };
    match known::find(&script, &difference) {
        Some(index) => summary.known[index] += 1,
        None => {
            let text = format!("{script}{difference}");
            eprintln!("{text}");
            summary.unexplained.push(text);
        }
    }
    Ok(())
}

/// A smaller script that still differs.
fn smaller(pair: &mut Pair, script: &Script) -> Result<Option<Script>, String> {
    for candidate in script.smaller() {
        if pair.play(&candidate)?.is_some() && pair.play(&candidate)?.is_some() {
            return Ok(Some(candidate));
        }
    }
    Ok(None)
}

/// Both servers.
struct Pair {
    ours: Side,
    theirs: Side,
    worlds: u64,
}

impl Pair {
    /// Plays a script in a new world; returns the first difference.
    fn play(&mut self, script: &Script) -> Result<Option<Difference>, String> {
        self.worlds += 1;
        let keys = script.keys(self.worlds);
        self.ours.begin();
        self.theirs.begin();
        for connection in &script.connections {
            let binary = connection.is_read_as_packets();
            let ours = self.ours.converse(connection, &keys)?;
            let theirs = self.theirs.converse(connection, &keys)?;
            if let Some(difference) =
                compare::replies(binary, (&mut self.ours.names, &ours), (&mut self.theirs.names, &theirs))
            {
                return Ok(Some(difference));
            }
            let binary = false;
            let ours = self.ours.stored_items(&keys, !self.theirs.is_old)?;
            let theirs = self.theirs.stored_items(&keys, !self.theirs.is_old)?;
            if let Some(difference) =
                compare::replies(binary, (&mut self.ours.names, &ours), (&mut self.theirs.names, &theirs))
            {
                return Ok(Some(Difference { afterwards: true, ..difference }));
            }
        }
        Ok(None)
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} worlds, {} requests, {} known differences, {} that could not be repeated, {} unexplained",
            self.worlds,
            self.requests,
            self.known.iter().sum::<u64>(),
            self.unrepeatable,
            self.unexplained.len()
        )
    }
}
