//! The command line of the comparison with memcached under load.

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use clap::Args;

use super::bench::{Method, Pair};
use super::cell::{Cell, short_count};
use super::dataset::Popularity;
use super::driver::Pace;
use super::findings::Findings;
use super::protocol::Protocol;
use super::report;
use super::workload::Operation;
use super::{documentation, memory, plan};
use crate::environment::{self, Placement, Preference};
use crate::outcome::{Outcome, ResultExt as _};
use crate::repository::{self, find_program};
use crate::server::Program;
use crate::tls;

/// Both servers side by side: which cells, and how they are measured.
#[derive(Debug, Args)]
pub struct SideBySide {
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
    /// Turn every chosen cell into an open loop of this many requests per second
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
    /// Rounds per cell
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Measured seconds of a run
    #[arg(long, default_value_t = 0.6, value_parser = parse_seconds)]
    seconds: f64,
    /// Warm-up seconds of a run
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
    /// Give servers and client priority over everything else on the machine (needs root), for less noise
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

/// Measures, and prints the report to standard output; progress goes to standard error.
pub fn run(arguments: &SideBySide) -> Outcome<()> {
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
        documentation::write(&repository::root().join("docs/reference"), &findings)?;
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

/// Removes TLS cells if a server was built without TLS; describes how TLS is measured, or why it is not.
fn leave_out_tls(method: &Method, cells: &mut Vec<Cell>) -> Outcome<String> {
    for program in [&method.ours, &method.theirs] {
        if !program.has_tls()? {
            cells.retain(|cell| !cell.encrypted);
            return Ok(format!("not measured: {} was built without", program.label));
        }
    }
    Ok(format!("{} by rustls in the client", tls::SUITE_NAME))
}

/// Groups cells that share running servers, in the order of their first cell.
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
    let commit = repository::commit().map_or(String::new(), |commit| format!(" (commit {commit})"));
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
        let theirs =
            program("memcached", find_program(&self.theirs, "apt-get install memcached")?, flags(&self.theirs_flags));
        let (ours, theirs) = if self.noise {
            (
                Program { label: "memcached-a".into(), ..theirs.clone() },
                Program { label: "memcached-b".into(), ..theirs },
            )
        } else {
            let path = self.ours.clone().unwrap_or_else(|| repository::root().join("target/release/wasmcached"));
            (program("wasmcached", find_program(&path, "cargo xtask build")?, flags(&self.ours_flags)), theirs)
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

pub(crate) fn parse_operation(name: &str) -> Outcome<Operation> {
    let names = Operation::ALL.map(Operation::name).join(", ");
    Operation::ALL.into_iter().find(|operation| operation.name() == name).ok_or(format!("one of {names}"))
}

fn parse_protocol(name: &str) -> Outcome<Protocol> {
    let names = Protocol::ALL.map(Protocol::name).join(", ");
    Protocol::ALL.into_iter().find(|protocol| protocol.name() == name).ok_or(format!("one of {names}"))
}

pub(crate) fn parse_count(text: &str) -> Outcome<u32> {
    let (digits, unit) = match text.strip_suffix(['k', 'M']) {
        Some(digits) if text.ends_with('k') => (digits, 1000),
        Some(digits) => (digits, 1_000_000),
        None => (text, 1),
    };
    digits.parse::<u32>().context(text)?.checked_mul(unit).ok_or_else(|| format!("{text} is too much"))
}

pub(crate) fn parse_seconds(text: &str) -> Outcome<f64> {
    let seconds: f64 = text.parse().context(text)?;
    if (0.05..=600.0).contains(&seconds) { Ok(seconds) } else { Err("between 0.05 and 600".into()) }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        arguments: SideBySide,
    }

    #[test]
    fn filters_choose_among_the_cells() {
        let chosen = |flags: &str| {
            let flags = flags.split_whitespace();
            Line::try_parse_from(["bench"].into_iter().chain(flags)).unwrap().arguments.choice.cells()
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
