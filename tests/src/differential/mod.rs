//! Random conversations, valid and broken, with this server and with memcached: what they answer is compared, and what
//! they hold afterwards as well.
//!
//! Owns: worlds (keys of their own, a few connections, one after the other), the comparison, the search for the smallest
//! conversation that still differs, and the list of known differences. Refuses: statistics, whose numbers differ by
//! nature, and anything that depends on when a second ends (a difference counts only if it can be repeated).

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

/// How often a difference must show itself again.
const REPEATS: usize = 3;
/// Differences that are shown before the run gives up.
const UNEXPLAINED_MAX: usize = 10;
const REPORT_EVERY: Duration = Duration::from_secs(30);

/// `-I` of both servers, small so that the border is met often.
const ITEM_BYTES_MAX: usize = 8192;

/// What to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How long, in all.
    pub duration: Duration,
    /// The run is its seed, but for the clocks of the servers.
    pub seed: u64,
    /// Further flags of this server.
    pub flags: Vec<String>,
}

/// What happened.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Worlds that were gone through.
    pub worlds: u64,
    /// Requests that were sent to each of the two.
    pub requests: u64,
    /// How often each of [`KNOWN`] was met.
    pub known: Vec<u64>,
    /// Differences that did not show again, as those of clocks do.
    pub unrepeatable: u64,
    /// Each with its smallest conversation.
    pub unexplained: Vec<String>,
}

/// Compares `ours` with `theirs` for as long as the plan says.
///
/// # Errors
/// If a server does not start or does not answer any more.
pub fn compare(ours: &Path, theirs: &Path, plan: &Plan) -> Result<Outcome, String> {
    let common = ["-I", "8k", "-m", "256", "-c", "4096"].map(str::to_owned);
    let flags: Vec<String> = common.iter().chain(&plan.flags).cloned().collect();
    let mut pair = Pair {
        ours: Side::new(Server::start(ours, &flags)?)?,
        theirs: Side::new(start_memcached(theirs, &common)?)?,
        worlds: 0,
    };
    let mut outcome = Outcome { known: vec![0; KNOWN.len()], ..Outcome::default() };
    let (begin, mut reported) = (Instant::now(), Instant::now());
    let mut random = Random::new(plan.seed);
    let is_old = pair.theirs.is_old;
    if is_old {
        eprintln!("this memcached has other meta commands, flushes and refusals than today's: they are left out");
    }
    while begin.elapsed() < plan.duration && outcome.unexplained.len() < UNEXPLAINED_MAX {
        let script = Script::generate(&mut random, is_old);
        outcome.worlds += 1;
        outcome.requests += script.requests() as u64;
        if pair.play(&script)?.is_some() {
            judge(&mut pair, script, &mut outcome)?;
        }
        if reported.elapsed() > REPORT_EVERY {
            reported = Instant::now();
            eprintln!("{} s: {outcome}", begin.elapsed().as_secs());
        }
    }
    Ok(outcome)
}

/// The largest chunk must fit in `-I`; older versions want it in bytes, newer ones in kilobytes.
fn start_memcached(program: &Path, flags: &[String]) -> Result<Server, String> {
    let start = |chunk: &str| Server::start(program, &[flags, &["-o".to_owned(), chunk.to_owned()]].concat());
    start(&format!("slab_chunk_max={ITEM_BYTES_MAX}"))
        .or_else(|_| start(&format!("slab_chunk_max={}", ITEM_BYTES_MAX >> 10)))
}

/// Repeats a conversation that differed, makes it as small as it can be, and looks whether the rest is known.
fn judge(pair: &mut Pair, script: Script, outcome: &mut Outcome) -> Result<(), String> {
    let mut script = script;
    for _ in 0..REPEATS {
        if pair.play(&script)?.is_none() {
            outcome.unrepeatable += 1;
            return Ok(());
        }
    }
    while let Some(smaller) = smaller(pair, &script)? {
        script = smaller;
    }
    let Some(difference) = pair.play(&script)? else {
        outcome.unrepeatable += 1;
        return Ok(());
    };
    match known::find(&script, &difference) {
        Some(index) => outcome.known[index] += 1,
        None => {
            let text = format!("{script}{difference}");
            eprintln!("{text}");
            outcome.unexplained.push(text);
        }
    }
    Ok(())
}

/// A script with one part less that still differs.
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
    /// Plays a script in a world of its own: the first difference.
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
            let ours = self.ours.look(&keys, !self.theirs.is_old)?;
            let theirs = self.theirs.look(&keys, !self.theirs.is_old)?;
            if let Some(difference) =
                compare::replies(binary, (&mut self.ours.names, &ours), (&mut self.theirs.names, &theirs))
            {
                return Ok(Some(Difference { afterwards: true, ..difference }));
            }
        }
        Ok(None)
    }
}

impl std::fmt::Display for Outcome {
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
