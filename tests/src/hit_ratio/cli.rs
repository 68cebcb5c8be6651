//! The command line of the comparison: `cargo xtask bench hit-ratio`.

use std::path::PathBuf;
use std::thread;
use std::time::Instant;

use clap::Args;

use super::compare::compare;
use super::load::Load;
use super::{report, synthetic, trace};
use crate::load::Outcome;

/// How much smaller the loads are with `--quick`.
const QUICK_SCALE: f64 = 0.2;
const TRACE_REQUESTS_MAX: f64 = 1e9;
const TRACE_REQUESTS_QUICK: f64 = 2e5;

/// Which loads, and how.
#[derive(Debug, Args)]
pub struct HitRatio {
    /// Loads of a fifth of the size
    #[arg(long)]
    quick: bool,
    /// Only these loads
    #[arg(long, value_delimiter = ',', value_name = "NAMES", value_parser = parse_name)]
    loads: Vec<String>,
    /// A trace to replay, too: lines of `time_s,key,bytes`, compressed with zstd if it is called .zst
    #[arg(long, env = "WASMCACHED_TRACE", value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Threads for what runs in process [default: as many as there are processors]
    #[arg(long, value_name = "NUMBER")]
    threads: Option<usize>,
}

/// Runs it; progress goes to standard error, tables to standard output.
pub fn run(arguments: &HitRatio) -> Outcome<()> {
    let threads = arguments.threads.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from)).max(1);
    let mut results = Vec::new();
    for name in [trace::NAME].into_iter().chain(synthetic::NAMES) {
        if !arguments.loads.is_empty() && !arguments.loads.iter().any(|chosen| chosen == name) {
            continue;
        }
        let started = Instant::now();
        let Some(load) = arguments.load(name)? else { continue };
        eprintln!("{name} …");
        let result = compare(&load, threads)?;
        eprintln!("{name}: {:.1} s", started.elapsed().as_secs_f64());
        print!("{}", report::text_load(&result));
        results.push(result);
    }
    print!("{}", report::text_summary(&results));
    Ok(())
}

impl HitRatio {
    fn load(&self, name: &'static str) -> Outcome<Option<Load>> {
        if name != trace::NAME {
            return Ok(synthetic::load(name, if self.quick { QUICK_SCALE } else { 1.0 }));
        }
        let Some(path) = &self.trace else {
            eprintln!("trace: skipped, since there is none: --trace FILE names one");
            return Ok(None);
        };
        trace::load(path, if self.quick { TRACE_REQUESTS_QUICK } else { TRACE_REQUESTS_MAX } as usize).map(Some)
    }
}

fn parse_name(name: &str) -> Outcome<String> {
    let known = [trace::NAME].into_iter().chain(synthetic::NAMES);
    if known.clone().any(|known| known == name) {
        return Ok(name.to_owned());
    }
    Err(format!("one of {}", known.collect::<Vec<_>>().join(", ")))
}
