//! The command line of the benchmark.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant, SystemTime};

use clap::{Args, Parser, Subcommand};

use super::bench::{Method, Pair};
use super::cell::{Cell, short_count};
use super::dataset::Popularity;
use super::driver::Pace;
use super::environment::{self, Placement, Preference};
use super::protocol::Protocol;
use super::report::{self, Findings};
use super::server::{Program, become_program};
use super::workload::Operation;
use super::{Doing as _, Outcome, documentation, floor, memory, plan, tls};
use crate::hit_ratio;

const TEACHING: &str = "\
Two servers are started with the same flags and filled with the same keys. Each cell is then measured on both in turn, \
round after round, each second round in reverse order; medians are printed, and the median of the rounds' ratios.

Look at `us/req` first: the time the server spent on a processor for one request, all its threads, user and system, out \
of the scheduler's own account. Other work on the machine disturbs it least (--noise tells how much). The rate of a \
closed loop and all latencies suffer more. `busy` is the share of one core that the server used; where it is far from \
100 %, the client or the machine was the limit, and the rate says little.

Latency (p50, p99, p99.9) counts from the moment a request was written to the moment its reply was whole; in an open \
loop from the moment it was due, so a stall is counted for every request that it delayed. `RSS` is the server's resident \
memory at the end of a run. `miss` is the share of keys asked for that were not there: in these cells the data fits, so \
anything but zero means that a server gave up data early and had less to do.

Server and client get cores of their own where the machine has enough. Every reply is checked for kind, length and \
number of items, one in --check-every for keys and values byte by byte; the first wrong answer ends the benchmark.

Examples:
  cargo xtask bench -- --quick                     about three minutes: what has a bar
  cargo xtask bench                                about nine: each value of each dimension
  cargo xtask bench -- --protocols meta,binary     the other protocols, each beside our own text
  cargo xtask bench -- --only tls                  over TLS, on both servers with -Z
  cargo xtask bench -- --list                      what that would measure
  cargo xtask bench -- --full --only get-x16       one operation everywhere
  cargo xtask bench -- --connections 1000 --floor  one dimension, beside a bare loop
  cargo xtask bench -- --quick --rate 20000        latency at a fixed rate
  cargo xtask bench -- --quick --noise             how far ratios can be trusted";

/// wasmcached and memcached side by side: rate, CPU a request, latency, memory.
#[derive(Debug, Parser)]
#[command(name = "bench", bin_name = "cargo xtask bench --", after_help = TEACHING)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true, max_term_width = 120)]
struct Arguments {
    #[command(subcommand)]
    inner: Option<Inner>,
    /// Print the cells that would be measured, and stop
    #[arg(long)]
    list: bool,
    /// Write the report into docs/reference/benchmarks.md and its picture
    #[arg(long, conflicts_with = "noise")]
    write_docs: bool,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    measure: Measure,
}

/// Other benchmarks, and how this one starts servers.
#[derive(Debug, Subcommand)]
enum Inner {
    /// Miss ratios: exact LRU, this store and memcached on the same requests
    HitRatio(hit_ratio::cli::HitRatio),
    /// Become a server on some cores, and die with the benchmark
    #[command(hide = true)]
    Launch {
        #[arg(long, value_delimiter = ',')]
        cores: Vec<usize>,
        #[arg(last = true)]
        program: Vec<String>,
    },
    /// Serve constants
    #[command(hide = true)]
    Floor { port: u16, value_bytes: usize, keys_a_get: u32 },
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Which cells")]
struct Choice {
    /// Only the cells that have a bar
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// The whole cross product: about forty minutes
    #[arg(long)]
    full: bool,
    /// Only cells whose name contains this text (see --list); may be repeated, one must match
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
    /// Only these operations
    #[arg(long, value_delimiter = ',', value_parser = parse_operation, value_name = "NAMES")]
    operations: Vec<Operation>,
    /// Only these protocols (text, meta, binary)
    #[arg(long, value_delimiter = ',', value_parser = parse_protocol, value_name = "NAMES")]
    protocols: Vec<Protocol>,
    /// Only these numbers of keys (100k, 1M)
    #[arg(long, value_delimiter = ',', value_parser = parse_count, value_name = "NUMBERS")]
    keys: Vec<u32>,
    /// Only these value sizes in bytes (30, 100, 1k, 100k)
    #[arg(long, value_delimiter = ',', value_parser = parse_count, value_name = "NUMBERS")]
    values: Vec<u32>,
    /// Only these numbers of connections
    #[arg(long, value_delimiter = ',', value_parser = parse_count, value_name = "NUMBERS")]
    connections: Vec<u32>,
    /// Only these numbers of server threads
    #[arg(long, value_delimiter = ',', value_parser = parse_count, value_name = "NUMBERS")]
    threads: Vec<u32>,
    /// Turn every chosen cell into an open loop of this many requests a second
    #[arg(long, value_name = "PER_SECOND")]
    rate: Option<f64>,
    /// Turn every chosen cell to Zipf-distributed keys with this exponent
    #[arg(long, value_name = "EXPONENT")]
    zipf: Option<f64>,
    /// Leave out the memory measurements
    #[arg(long)]
    no_memory: bool,
    /// Only the memory measurements
    #[arg(long, conflicts_with = "no_memory")]
    memory_only: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "How they are measured")]
struct Measure {
    /// Rounds a cell
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Counted seconds of a run
    #[arg(long, default_value_t = 0.6, value_parser = parse_seconds)]
    seconds: f64,
    /// Seconds before counting starts
    #[arg(long, default_value_t = 0.15, value_parser = parse_seconds)]
    warmup: f64,
    /// Threads of the load generator
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    client_threads: u32,
    /// Check one reply in so many byte by byte; 0: none
    #[arg(long, default_value_t = 61, value_name = "N")]
    check_every: u32,
    /// Measure a bare event loop that answers from a constant, too
    #[arg(long)]
    floor: bool,
    /// Run servers and client before everything else on the machine (needs root): less noise where others work too
    #[arg(long)]
    preferred: bool,
    /// Measure memcached against itself
    #[arg(long)]
    noise: bool,
    /// Our server [default: target/release/wasmcached of this repository]
    #[arg(long, env = "WASMCACHED_BIN", value_name = "PATH")]
    ours: Option<PathBuf>,
    /// The server to compare with
    #[arg(long, env = "MEMCACHED_BIN", default_value = "memcached", value_name = "PATH")]
    theirs: PathBuf,
    /// Further flags for our server, separated by blanks
    #[arg(long, value_name = "FLAGS", allow_hyphen_values = true)]
    ours_flags: Option<String>,
    /// Further flags for the other server
    #[arg(long, value_name = "FLAGS", allow_hyphen_values = true)]
    theirs_flags: Option<String>,
}

/// Runs the command line; messages go to standard error, the report to standard output.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match &arguments.inner {
        Some(Inner::Launch { cores, program }) => become_program(cores, program),
        Some(Inner::Floor { port, value_bytes, keys_a_get }) => floor::serve(*port, *value_bytes, *keys_a_get),
        Some(Inner::HitRatio(arguments)) => hit_ratio::cli::run(arguments),
        None => benchmark(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("bench: {message}");
            ExitCode::FAILURE
        }
    }
}

fn benchmark(arguments: &Arguments) -> Outcome<()> {
    let mut cells = arguments.choice.cells();
    if cells.is_empty() && !arguments.choice.memory_only {
        return Err("no cell matches; `--list` and `--list --full` show what there is".into());
    }
    if arguments.list {
        cells.iter().for_each(|cell| println!("{cell}"));
        return Ok(());
    }
    let started = Instant::now();
    let method = arguments.measure.method()?;
    environment::raise_file_limit()?;
    let _preference = if arguments.measure.preferred { Some(Preference::take()?) } else { None };
    let mut findings = Findings {
        ours: method.ours.label.clone(),
        theirs: method.theirs.label.clone(),
        is_noise: arguments.measure.noise,
        circumstances: circumstances(&method)?,
        ..Findings::default()
    };
    if cells.iter().any(|cell| cell.encrypted) {
        findings.circumstances.push(("TLS".into(), leave_out_tls(&method, &mut cells)?));
    }
    findings.circumstances.iter().for_each(|(name, value)| eprintln!("{name}: {value}"));
    if !arguments.choice.memory_only {
        findings.cells = measure_cells(&method, &cells)?;
    }
    if !arguments.choice.no_memory {
        measure_memory(&method, &mut findings)?;
    }
    let load = format!("{:.1} when it ended ({:.0} s)", environment::load_average(), started.elapsed().as_secs_f64());
    findings.circumstances.push(("load average of the machine".into(), load));
    println!("\n{}", report::text_summary(&findings));
    if arguments.write_docs {
        documentation::write(&repository().join("docs/reference"), &findings)?;
        eprintln!("wrote docs/reference/benchmarks.md");
    }
    Ok(())
}

fn measure_cells(method: &Method, cells: &[Cell]) -> Outcome<Vec<super::summary::CellResult>> {
    let mut results = Vec::new();
    println!("{}", report::text_head());
    for group in grouped(cells) {
        let first = group[0];
        eprintln!("filling {} keys of {} bytes, -t {} …", short_count(first.keys), first.value_bytes, first.threads);
        let pair = Pair::start(method, &first)?;
        eprintln!("{}", pair.describe());
        for cell in group {
            eprintln!("[{}/{}] {cell} …", results.len() + 1, cells.len());
            let result = pair.measure(&cell)?;
            print!("{}", report::text_cell(&result, &method.ours.label, &method.theirs.label));
            results.push(result);
        }
    }
    Ok(results)
}

/// Leaves TLS out where one of the servers was built without it; says how TLS is measured, or why not.
fn leave_out_tls(method: &Method, cells: &mut Vec<Cell>) -> Outcome<String> {
    for program in [&method.ours, &method.theirs] {
        if !program.has_tls()? {
            cells.retain(|cell| !cell.encrypted);
            return Ok(format!("not measured, for {} was built without", program.label));
        }
    }
    Ok(format!("{} by rustls in the client", tls::SUITE_NAME))
}

/// Cells that can share running servers, together, in the order of their first.
fn grouped(cells: &[Cell]) -> Vec<Vec<Cell>> {
    let mut groups: Vec<Vec<Cell>> = Vec::new();
    for cell in cells {
        match groups.iter_mut().find(|group| group.iter().any(|other| other.group() == cell.group())) {
            Some(group) => group.push(*cell),
            None => groups.push(vec![*cell]),
        }
    }
    groups
}

fn measure_memory(method: &Method, findings: &mut Findings) -> Outcome<()> {
    for threads in [1, 4] {
        for program in [&method.ours, &method.theirs] {
            eprintln!("memory: {} -m {} -t {threads}, until it is full …", program.label, memory::LIMIT_MIB);
            findings.full.push(memory::full_cache(program, threads, &method.cores)?);
        }
    }
    for program in [&method.ours, &method.theirs] {
        eprintln!("memory: {}, idle connections …", program.label);
        findings.idle.push(memory::idle_connections(program, &method.cores)?);
    }
    Ok(())
}

fn circumstances(method: &Method) -> Outcome<Vec<(String, String)>> {
    let flags: Vec<String> = std::env::args().skip(1).collect();
    let command = ["cargo xtask bench --".to_owned(), flags.join(" ")].join(" ");
    let version = |program: &Program| environment::version(&program.path.to_string_lossy());
    let commit = commit().map_or(String::new(), |commit| format!(" (commit {commit})"));
    let Method { rounds, warmup, duration, client_threads, check_every, .. } = method;
    let placements =
        [1, 2].map(|threads| format!("-t {threads}: {}", Placement::new(&method.cores, threads).describe()));
    Ok([
        ("date", humantime::format_rfc3339_seconds(SystemTime::now()).to_string()),
        ("command", format!("`{}`", command.trim_end_matches(" --").trim_end())),
        ("machine", environment::machine()),
        ("servers", format!("{}{commit} and {}", version(&method.ours)?, version(&method.theirs)?)),
        (
            "method",
            format!(
                "{rounds} rounds of {} s after {} s of warm-up, in turn on both servers; medians; {client_threads} client \
                 thread(s) over loopback; one reply in {check_every} checked byte by byte, all others by shape",
                duration.as_secs_f64(),
                warmup.as_secs_f64()
            ),
        ),
        ("cores", placements.join("; ")),
        ("load average at the start", format!("{:.1}", environment::load_average())),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into())
}

impl Choice {
    fn cells(&self) -> Vec<Cell> {
        let cells = match self {
            Self { quick: true, .. } => plan::quick(),
            Self { full: true, .. } => plan::full(),
            _ => plan::standard(),
        };
        let mut chosen: Vec<Cell> = Vec::new();
        for mut cell in cells {
            cell.pace = self.rate.map_or(cell.pace, Pace::Open);
            cell.popularity = self.zipf.map_or(cell.popularity, Popularity::Zipf);
            if self.has(&cell) && !chosen.contains(&cell) {
                chosen.push(cell);
            }
        }
        chosen
    }

    fn has(&self, cell: &Cell) -> bool {
        fn allows<T: PartialEq>(list: &[T], value: &T) -> bool {
            list.is_empty() || list.contains(value)
        }
        let name = cell.to_string();
        allows(&self.operations, &cell.operation)
            && allows(&self.protocols, &cell.protocol)
            && allows(&self.keys, &cell.keys)
            && allows(&self.values, &(cell.value_bytes as u32))
            && allows(&self.connections, &cell.connections)
            && allows(&self.threads, &cell.threads)
            && (self.only.is_empty() || self.only.iter().any(|text| name.contains(text)))
    }
}

impl Measure {
    fn method(&self) -> Outcome<Method> {
        let flags = |flags: &Option<String>| -> Vec<String> {
            flags.iter().flat_map(|flags| flags.split_whitespace().map(str::to_owned)).collect()
        };
        let program = |label: &str, path: PathBuf, extra: Vec<String>| Program { label: label.into(), path, extra };
        let theirs = program("memcached", found(&self.theirs, "apt-get install memcached")?, flags(&self.theirs_flags));
        let (ours, theirs) = if self.noise {
            (
                Program { label: "memcached-a".into(), ..theirs.clone() },
                Program { label: "memcached-b".into(), ..theirs },
            )
        } else {
            let path = self.ours.clone().unwrap_or_else(|| repository().join("target/release/wasmcached"));
            (program("wasmcached", found(&path, "cargo xtask build")?, flags(&self.ours_flags)), theirs)
        };
        Ok(Method {
            ours,
            theirs,
            floor: self.floor,
            cores: environment::cores()?,
            rounds: self.rounds,
            warmup: Duration::from_secs_f64(self.warmup),
            duration: Duration::from_secs_f64(self.seconds),
            client_threads: self.client_threads,
            check_every: self.check_every,
        })
    }
}

/// The program at `path`, or in `PATH` where it is a bare name.
pub(crate) fn found(path: &Path, remedy: &str) -> Outcome<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let bare = path.components().count() == 1;
    let candidates = std::env::split_paths(&folders).filter(|_| bare).map(|folder| folder.join(path));
    let mut candidates = candidates.chain((!bare).then(|| path.to_owned()));
    candidates.find(|path| path.is_file()).ok_or_else(|| format!("no {}; try: {remedy}", path.display()))
}

pub(crate) fn repository() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_owned()
}

pub(crate) fn commit() -> Option<String> {
    let output = Command::new("git").args(["rev-parse", "--short", "HEAD"]).current_dir(repository()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn parse_operation(name: &str) -> Outcome<Operation> {
    let names = Operation::ALL.map(Operation::name).join(", ");
    Operation::ALL.into_iter().find(|operation| operation.name() == name).ok_or(format!("one of {names}"))
}

fn parse_protocol(name: &str) -> Outcome<Protocol> {
    let names = Protocol::ALL.map(Protocol::name).join(", ");
    Protocol::ALL.into_iter().find(|protocol| protocol.name() == name).ok_or(format!("one of {names}"))
}

fn parse_count(text: &str) -> Outcome<u32> {
    let (digits, unit) = match text.strip_suffix(['k', 'M']) {
        Some(digits) if text.ends_with('k') => (digits, 1000),
        Some(digits) => (digits, 1_000_000),
        None => (text, 1),
    };
    digits.parse::<u32>().doing(text)?.checked_mul(unit).ok_or_else(|| format!("{text} is too much"))
}

fn parse_seconds(text: &str) -> Outcome<f64> {
    let seconds: f64 = text.parse().doing(text)?;
    if (0.05..=600.0).contains(&seconds) { Ok(seconds) } else { Err("between 0.05 and 600".into()) }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn filters_choose_among_the_cells() {
        let chosen = |flags: &str| {
            let flags = flags.split_whitespace();
            Arguments::try_parse_from(["bench"].into_iter().chain(flags)).unwrap().choice.cells()
        };
        assert_eq!(chosen("--quick"), plan::quick());
        assert!(chosen("--full --values 100k").iter().all(|cell| cell.value_bytes == 100_000));
        assert_eq!(chosen("--full --operations set --keys 1M --values 100 --connections 200 --threads 2").len(), 1);
        assert!(chosen("--quick --rate 10").iter().all(|cell| cell.pace == Pace::Open(10.0)));
        assert_eq!(chosen("--protocols meta,binary"), plan::protocols());
        assert_eq!(chosen("--only tls"), plan::encrypted());
        assert!(chosen("--only nothing").is_empty());
    }

    #[test]
    fn cells_with_the_same_data_are_measured_together() {
        let cells = plan::standard();
        let groups = grouped(&cells);
        assert_eq!(groups.iter().map(Vec::len).sum::<usize>(), cells.len());
        assert!(groups.len() < cells.len() / 3);
    }
}
