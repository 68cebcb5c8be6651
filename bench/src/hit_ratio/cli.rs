//! The command line of `cargo xtask bench hit-ratio`.

use std::path::PathBuf;
use std::thread;
use std::time::{Instant, SystemTime};

use clap::Args;

use super::compare::compare;
use super::documentation::{self, Findings};
use super::load::Load;
use super::{capacity, report, synthetic, trace};
use crate::environment;
use crate::outcome::Outcome;
use crate::repository::{self, find_program};
use crate::server::Program;

const TEACHING: &str = "\
Each load is replayed through each cache: get a key, and after a miss set it. `size` is a share of the load's \
footprint, the memory of all its keys in this store; `exact LRU` and the stores have exactly so many bytes, \
the store's index and bookkeeping included; so has the `exact S3-FIFO`. `to LRU` is the store's miss ratio as a multiple of the exact LRU's.

memcached gets the nearest `-m`, but holds at least a page of 1 MiB for each size class: `held` is its real memory, \
pages and hash table. So `store in as much` is this store once more, in as many bytes as memcached held, and \
`to memcached` compares these two. memcached's threads follow the wall clock, so its numbers differ a little between \
runs; all others repeat exactly. Loads with expiry need a simulated clock and run without memcached.

Columns in `bytes` are miss ratios counted in bytes of values instead of requests. `!` marks what misses its bar.

Examples:
  cargo xtask bench hit-ratio --quick --no-memcached       the store and the exact caches, small loads
  cargo xtask bench hit-ratio --loads zipf-0.9,scan        two loads
  cargo xtask bench hit-ratio --trace FILE --write-docs    everything, into docs/reference
  cargo xtask bench hit-ratio --held                       how many items fit";

/// Which loads are replayed, and how.
#[derive(Debug, Args)]
#[command(after_help = TEACHING)]
pub struct HitRatio {
    /// Loads of a fifth of the size
    #[arg(long)]
    quick: bool,
    /// Only these loads
    #[arg(long, value_delimiter = ',', value_name = "NAMES", value_parser = parse_name)]
    loads: Vec<String>,
    /// Also replay a trace: lines of `time_s,key,bytes`, compressed with zstd if its name ends in .zst
    #[arg(long, env = "WASMCACHED_TRACE", value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Only the exact caches and this store
    #[arg(long)]
    no_memcached: bool,
    /// The memcached to compare with
    #[arg(long, env = "MEMCACHED_BIN", default_value = "memcached", value_name = "PATH")]
    theirs: PathBuf,
    /// Parallel replays [default: one per processor]
    #[arg(long, value_name = "NUMBER")]
    threads: Option<usize>,
    /// Only count how many items fit in -m 64
    #[arg(long)]
    held: bool,
    /// Write the results into docs/reference/miss-ratios.md, with its picture
    #[arg(long, conflicts_with_all = ["quick", "loads", "no_memcached", "held"])]
    write_docs: bool,
}

/// Runs it; progress goes to standard error, tables to standard output.
pub fn run(arguments: &HitRatio) -> Outcome<()> {
    let memcached = arguments.memcached()?;
    let mut findings = Findings::default();
    if !arguments.held {
        arguments.replay(memcached.as_ref(), &mut findings)?;
        println!();
        report::summary(&findings.results).iter().for_each(|line| println!("{line}"));
    }
    if arguments.held || arguments.write_docs {
        findings.capacities = capacity::measure(memcached.as_ref())?;
        print!("{}", report::text_capacity(&findings.capacities));
    }
    if arguments.write_docs {
        findings.circumstances = arguments.circumstances(memcached.as_ref())?;
        documentation::write(&repository::root().join("docs/reference"), &findings)?;
        eprintln!("wrote docs/reference/miss-ratios.md");
    }
    Ok(())
}

fn names() -> impl Iterator<Item = &'static str> + Clone {
    [trace::NAME].into_iter().chain(synthetic::NAMES)
}

fn parse_name(name: &str) -> Outcome<String> {
    if names().any(|known| known == name) {
        return Ok(name.to_owned());
    }
    Err(format!("one of {}", names().collect::<Vec<_>>().join(", ")))
}

impl HitRatio {
    fn replay(&self, memcached: Option<&Program>, findings: &mut Findings) -> Outcome<()> {
        let processors = || thread::available_parallelism().map_or(1, usize::from);
        let threads = self.threads.unwrap_or_else(processors).max(1);
        for name in names().filter(|name| self.loads.is_empty() || self.loads.iter().any(|chosen| chosen == name)) {
            let started = Instant::now();
            let Some(load) = self.load(name)? else { continue };
            eprintln!("{name} …");
            let result = compare(&load, threads, memcached)?;
            eprintln!("{name}: {:.1} s", started.elapsed().as_secs_f64());
            print!("{}", report::text_load(&result));
            findings.results.push(result);
        }
        Ok(())
    }

    fn load(&self, name: &'static str) -> Outcome<Option<Load>> {
        let scale = if self.quick { QUICK_SCALE } else { 1.0 };
        if name != trace::NAME {
            return Ok(synthetic::load(name, scale));
        }
        let Some(path) = &self.trace else {
            eprintln!("trace: skipped: --trace FILE names one");
            return Ok(None);
        };
        trace::load(path, if self.quick { TRACE_REQUESTS_QUICK } else { usize::MAX }).map(Some)
    }

    fn memcached(&self) -> Outcome<Option<Program>> {
        if self.no_memcached {
            return Ok(None);
        }
        let path = find_program(&self.theirs, "apt-get install memcached, or --no-memcached")?;
        Ok(Some(Program { label: "memcached".into(), path, extra: Vec::new() }))
    }

    fn circumstances(&self, memcached: Option<&Program>) -> Outcome<Vec<(&'static str, String)>> {
        let theirs = memcached.map(|program| environment::version(&program.path.to_string_lossy())).transpose()?;
        let commit = repository::commit().map_or(String::new(), |commit| format!(" (commit {commit})"));
        let ours = format!("wasmcached {}{commit}", env!("CARGO_PKG_VERSION"));
        let trace = if self.trace.is_some() { " --trace FILE" } else { "" };
        Ok(vec![
            ("date", humantime::format_rfc3339_seconds(SystemTime::now()).to_string()),
            ("command", format!("`cargo xtask bench hit-ratio{trace} --write-docs`")),
            ("versions", [Some(ours), theirs].into_iter().flatten().collect::<Vec<_>>().join(", ")),
            ("machine", environment::machine()),
        ])
    }
}

/// Size of the loads with `--quick`.
const QUICK_SCALE: f64 = 0.2;
const TRACE_REQUESTS_QUICK: usize = 200_000;
