//! The command line of `cargo xtask bench scale`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use clap::Args;

use super::contestant::Contestant;
use super::documentation;
use super::measure::{Field, ScaleMethod};
use super::plan::{self, Stage};
use super::report;
use super::samples::{OURS, Samples, ScaleFindings, THEIRS};
use crate::environment::{self, Preference};
use crate::load::cell::{Cell, short_count};
use crate::load::cli::{parse_count, parse_operation, parse_seconds};
use crate::load::workload::Operation;
use crate::outcome::Outcome;
use crate::repository::{self, find_program};
use crate::server::Program;

const TEACHING: &str = "\
All servers of a stage (a number of threads) are started, filled with the same keys, and measured in turn on the same \
cores, round after round, each second round in reverse order. Medians are printed. Nothing of two runs can be compared, \
everything within one can.

Servers get cores of their own where as many are left for the load, the first ones, and the load gets the same cores in \
all of these stages: sixteen cores show up to eight threads. `taskset -c` chooses other cores. Where there are fewer, \
server and load share all cores, and the row is marked with `*`: its rates are limited by the load, but it still shows \
what a key costs the server's processors. Stages with more threads than cores are left out unless --threads names them.

`to -t 1` compares a server with its own one thread, `to memcached` with memcached at as many threads. `CPU us/key` is \
the processor time of all threads of the server, user and system: other work on the machine disturbs it least. Where \
`cores busy` is well below the number of threads, the load or the machine was the limit, and the rate says little. \
Latency counts from the moment a request was written to the moment its reply was whole.

Another server needs no flags of memcached: --rival-arguments has PORT and THREADS where it takes them.

Examples:
  cargo xtask bench scale --quick                   all cells in under five minutes
  cargo xtask bench scale --write-docs              thoroughly, into docs/reference/many-cores.md
  cargo xtask bench scale --list                    what that would measure, and how long it takes
  cargo xtask bench scale --quick --threads 1,8 --operations get-x16,set-x8
  cargo xtask bench scale --quick --servers wasmcached --ours-flags '-o no_solo'
  cargo xtask bench scale --rival ./pogocache --rival-arguments '-p PORT -t THREADS'
  cargo xtask bench scale --quick --threads 1,2,8   on two cores: what more threads than cores cost

On a machine without this repository: copy target/release/bench and the servers, and run `bench scale` with the same \
flags, --ours PATH, --theirs PATH and --write-docs=FOLDER.";

/// Server threads, cells and servers, and how they are measured.
#[derive(Debug, Args)]
#[command(after_help = TEACHING)]
pub struct Scale {
    /// Three rounds of half a second: all cells in under five minutes
    #[arg(long, conflicts_with_all = ["rounds", "seconds"])]
    quick: bool,
    /// Print the cells that would be measured and the time that they take, and stop
    #[arg(long)]
    list: bool,
    /// Write the report into many-cores.md of this folder, and its pictures [default: docs/reference]
    #[arg(long, value_name = "FOLDER", num_args = 0..=1, require_equals = true)]
    write_docs: Option<Option<PathBuf>>,
    /// Numbers of server threads [default: those of 1, 2, 4 and 8 for which the machine has cores]
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=1024), value_name = "NUMBERS")]
    threads: Vec<u32>,
    /// Only these operations
    #[arg(long, value_delimiter = ',', value_parser = parse_operation, value_name = "NAMES")]
    operations: Vec<Operation>,
    /// Only these servers, by their names in the report
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    servers: Vec<String>,
    /// Keys of 100 bytes each
    #[arg(long, default_value = "1M", value_parser = parse_count, value_name = "NUMBER")]
    keys: u32,
    /// Connections of the load
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..), value_name = "NUMBER")]
    connections: u32,
    /// Rounds per cell [default: 5]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
    /// Measured seconds of a run [default: 1]
    #[arg(long, value_parser = parse_seconds)]
    seconds: Option<f64>,
    /// Check one reply in so many byte by byte; 0: none
    #[arg(long, default_value_t = 61, value_name = "N")]
    check_every: u32,
    /// Give servers and load priority over everything else on the machine (needs root), for less noise
    #[arg(long)]
    preferred: bool,
    #[command(flatten)]
    programs: Programs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Servers")]
struct Programs {
    /// Our server [default: target/release/wasmcached of this repository]
    #[arg(long, env = "WASMCACHED_BIN", value_name = "PATH")]
    ours: Option<PathBuf>,
    /// memcached
    #[arg(long, env = "MEMCACHED_BIN", default_value = "memcached", value_name = "PATH")]
    theirs: PathBuf,
    /// Another server that speaks the text protocol
    #[arg(long, value_name = "PATH")]
    rival: Option<PathBuf>,
    /// Further flags for our server, separated by blanks
    #[arg(long, value_name = "FLAGS", allow_hyphen_values = true)]
    ours_flags: Option<String>,
    /// Further flags for memcached
    #[arg(long, value_name = "FLAGS", allow_hyphen_values = true)]
    theirs_flags: Option<String>,
    /// All arguments of the other server, with PORT and THREADS in them
    #[arg(long, default_value = "-p PORT -t THREADS", value_name = "ARGUMENTS", allow_hyphen_values = true)]
    rival_arguments: String,
}

/// Counted time of a run.
const DURATION_S: f64 = 1.0;
/// The same with `--quick`.
const DURATION_QUICK_S: f64 = 0.5;
const WARMUP: Duration = Duration::from_millis(150);
const ROUNDS: u32 = 5;
const ROUNDS_QUICK: u32 = 3;

/// Measures, and prints the report to standard output; progress goes to standard error.
pub fn run(arguments: &Scale) -> Outcome<()> {
    let cores = environment::cores()?;
    let stages = plan::stages(&cores, &arguments.threads);
    let cells: Vec<(Stage, Vec<Cell>)> = stages.iter().map(|stage| (stage.clone(), arguments.cells(stage))).collect();
    let method = arguments.method()?;
    if arguments.list {
        cells.iter().flat_map(|(_, cells)| cells).for_each(|cell| println!("{cell}"));
        println!("{}; about {}", plan::describe(&stages, &cores), shown(method.estimate(&cells)));
        return Ok(());
    }
    let started = Instant::now();
    environment::raise_file_limit()?;
    let _preference = if arguments.preferred { Some(Preference::take()?) } else { None };
    let mut findings =
        ScaleFindings { circumstances: arguments.circumstances(&method, &stages, &cores)?, ..Default::default() };
    findings.circumstances.iter().for_each(|(name, value)| eprintln!("{name}: {value}"));
    println!("{}", report::text_head());
    measure(&method, &cells, &mut findings.samples)?;
    let load = format!("{:.1} when it ended ({} s)", environment::load_average(), started.elapsed().as_secs());
    findings.circumstances.push(("load average of the machine", load));
    println!("\n{}", report::text_summary(&findings.samples));
    if let Some(folder) = &arguments.write_docs {
        let folder = folder.clone().unwrap_or_else(|| repository::root().join("docs/reference"));
        documentation::write(&folder, &findings)?;
        eprintln!("wrote many-cores.md");
    }
    Ok(())
}

fn measure(method: &ScaleMethod, stages: &[(Stage, Vec<Cell>)], samples: &mut Samples) -> Outcome<()> {
    let all: usize = stages.iter().map(|(_, cells)| cells.len()).sum();
    let mut done = 0;
    for (at, (stage, cells)) in stages.iter().enumerate() {
        let Some(first) = cells.first() else { continue };
        eprintln!("about {} left", shown(method.estimate(&stages[at..])));
        let field = Field::start(method, stage, first)?;
        for cell in cells {
            done += 1;
            eprintln!("[{done}/{all}] {cell} …");
            let measured = samples.0.len();
            samples.0.extend(field.measure(cell)?);
            samples.0[measured..].iter().for_each(|sample| println!("{}", report::text_line(samples, sample)));
        }
    }
    Ok(())
}

/// Whole seconds.
fn shown(time: Duration) -> String {
    humantime::format_duration(Duration::from_secs(time.as_secs())).to_string()
}

impl ScaleMethod {
    fn estimate(&self, stages: &[(Stage, Vec<Cell>)]) -> Duration {
        let cells = stages.iter().map(|(_, cells)| cells.len()).sum();
        plan::estimate(stages.len(), cells, self.contestants.len(), self.rounds, self.warmup + self.duration)
    }
}

impl Scale {
    fn cells(&self, stage: &Stage) -> Vec<Cell> {
        plan::cells(stage, &self.operations, self.keys, self.connections)
    }

    fn method(&self) -> Outcome<ScaleMethod> {
        let (rounds, seconds) = if self.quick { (ROUNDS_QUICK, DURATION_QUICK_S) } else { (ROUNDS, DURATION_S) };
        Ok(ScaleMethod {
            contestants: self.programs.contestants(&self.servers)?,
            rounds: self.rounds.unwrap_or(rounds),
            warmup: WARMUP,
            duration: Duration::from_secs_f64(self.seconds.unwrap_or(seconds)),
            check_every: self.check_every,
        })
    }

    fn circumstances(
        &self,
        method: &ScaleMethod,
        stages: &[Stage],
        cores: &[usize],
    ) -> Outcome<Vec<(&'static str, String)>> {
        let commit = repository::commit().map_or(String::new(), |commit| format!(" (commit {commit})"));
        let version = |contestant: &Contestant| {
            let is_of_commit = contestant.label() == OURS;
            contestant.version(cores).map(|version| if is_of_commit { version + &commit } else { version })
        };
        let servers: Vec<String> = method.contestants.iter().map(version).collect::<Outcome<_>>()?;
        let ScaleMethod { rounds, warmup, duration, check_every, .. } = method;
        let siblings = environment::siblings(cores);
        let mut list = vec![
            ("date", humantime::format_rfc3339_seconds(SystemTime::now()).to_string()),
            ("command", format!("`{}`", command(std::env::args().skip(1)))),
            ("machine", environment::machine()),
            ("servers", servers.join(", ")),
            (
                "method",
                format!(
                    "{rounds} rounds of {} s after {} s of warm-up, in turn on all servers; {} keys of 100 bytes, \
                     {} connections over loopback, a load thread on each core of the load; one reply in {check_every} \
                     checked byte by byte, all others by shape",
                    duration.as_secs_f64(),
                    warmup.as_secs_f64(),
                    short_count(self.keys),
                    self.connections,
                ),
            ),
            ("cores", plan::describe(stages, cores)),
            ("load average at the start", disturbance(environment::load_average())),
        ];
        if !siblings.is_empty() {
            list.push(("hardware threads of one core", siblings.join("; ")));
        }
        Ok(list)
    }
}

/// The load average before the benchmark, and its consequence.
fn disturbance(load: f64) -> String {
    let consequence = if load < 1.0 { "" } else { ": other work on the machine took part of its cores" };
    format!("{load:.1}{consequence}")
}

/// The command, without the paths of this machine.
fn command(arguments: impl Iterator<Item = String>) -> String {
    let shown = |argument: String| match argument.split_once('=') {
        Some((flag, value)) if value.contains('/') => format!("{flag}=PATH"),
        None if argument.starts_with(['/', '.']) => "PATH".to_owned(),
        _ if argument.contains(' ') => format!("'{argument}'"),
        _ => argument,
    };
    ["cargo xtask bench".to_owned()].into_iter().chain(arguments.map(shown)).collect::<Vec<_>>().join(" ")
}

impl Programs {
    /// The chosen servers; all without a choice.
    fn contestants(&self, chosen: &[String]) -> Outcome<Vec<Contestant>> {
        let rival = self.rival.as_ref().map(|path| (label(path), path));
        let rival_name = rival.as_ref().map(|(label, _)| label.as_str());
        let names: Vec<&str> = [OURS, THEIRS].into_iter().chain(rival_name).collect();
        if let Some(unknown) = chosen.iter().find(|name| !names.contains(&name.as_str())) {
            return Err(format!("no server is called `{unknown}`; there are {}", names.join(", ")));
        }
        let has = |name: &str| chosen.is_empty() || chosen.iter().any(|one| one == name);
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let memcached = |label: &str, path, flags: &Option<String>| {
            Contestant::Memcached(Program {
                label: label.into(),
                path,
                extra: words(flags.as_deref().unwrap_or_default()),
            })
        };
        let mut contestants = Vec::new();
        if has(OURS) {
            let path = self.ours.clone().unwrap_or_else(|| repository::root().join("target/release/wasmcached"));
            contestants.push(memcached(OURS, find_program(&path, "cargo xtask build")?, &self.ours_flags));
        }
        if has(THEIRS) {
            let remedy = "apt-get install memcached, or --servers without it";
            contestants.push(memcached(THEIRS, find_program(&self.theirs, remedy)?, &self.theirs_flags));
        }
        if let Some((label, path)) = rival.filter(|(label, _)| has(label)) {
            let path = find_program(path, "a path")?;
            contestants.push(Contestant::Other { label, path, arguments: words(&self.rival_arguments) });
        }
        Ok(contestants)
    }
}

/// The name of another server in reports: that of its file, which may be another version of one of ours.
fn label(path: &Path) -> String {
    match path.file_name().map(|name| name.to_string_lossy().into_owned()) {
        Some(name) if name == OURS || name == THEIRS => format!("{name}-2"),
        Some(name) => name,
        None => "rival".into(),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Scale,
    }

    fn parsed(flags: &str) -> Result<Scale, clap::Error> {
        Line::try_parse_from(["bench"].into_iter().chain(flags.split_whitespace())).map(|line| line.arguments)
    }

    #[test]
    fn all_cells_of_a_quick_run_take_less_than_five_minutes() {
        // Any program that exists will do: none is started.
        let program = std::env::current_exe().unwrap();
        let of = |flags: &str, cores: usize| {
            let scale = Scale {
                programs: Programs {
                    ours: Some(program.clone()),
                    theirs: program.clone(),
                    rival: Some(program.clone()),
                    ..parsed("").unwrap().programs
                },
                ..parsed(flags).unwrap()
            };
            let cores: Vec<usize> = (0..cores).collect();
            let stages = plan::stages(&cores, &scale.threads);
            let cells: Vec<_> = stages.iter().map(|stage| (stage.clone(), scale.cells(stage))).collect();
            let method = scale.method().unwrap();
            assert_eq!(method.contestants.len(), 3);
            (cells.iter().map(|(_, cells)| cells.len()).sum::<usize>(), method.estimate(&cells).as_secs())
        };
        let (cells, quick_s) = of("--quick", 16);
        assert_eq!(cells, 24);
        assert!((60..300).contains(&quick_s), "{quick_s}");
        assert!(of("", 16).1 < 600);
        assert_eq!(of("--quick --threads 1,8 --operations get,set", 16).0, 4);
        assert_eq!(of("", 2).0, 12);
    }

    #[test]
    fn servers_are_chosen_by_name() {
        let program = std::env::current_exe().unwrap().display().to_string();
        let names = |flags: &str| {
            let scale = parsed(&format!("--ours {program} --theirs {program} {flags}")).unwrap();
            let contestants = scale.programs.contestants(&scale.servers)?;
            Outcome::Ok(contestants.iter().map(|contestant| contestant.label().to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(names("").unwrap(), [OURS, THEIRS]);
        assert_eq!(names("--servers wasmcached").unwrap(), [OURS]);
        assert_eq!(names("--rival /bin/sh").unwrap(), [OURS, THEIRS, "sh"]);
        assert_eq!(names("--rival /bin/sh --servers sh").unwrap(), ["sh"]);
        assert_eq!(label(Path::new("/opt/old/memcached")), "memcached-2");
        let error = names("--servers memcache").unwrap_err();
        assert_eq!(error, "no server is called `memcache`; there are wasmcached, memcached");
        assert!(names("--rival /nothing/here").is_err());
    }

    #[test]
    fn the_page_goes_where_it_was_asked_for() {
        assert_eq!(parsed("").unwrap().write_docs, None);
        assert_eq!(parsed("--write-docs --quick").unwrap().write_docs, Some(None));
        assert_eq!(parsed("--write-docs=out").unwrap().write_docs, Some(Some("out".into())));
    }

    #[test]
    fn wrong_numbers_are_refused() {
        for flags in
            ["--threads 0", "--connections 0", "--rounds 0", "--seconds 0", "--quick --rounds 9", "--operations x"]
        {
            assert!(parsed(flags).is_err(), "{flags}");
        }
    }

    #[test]
    fn other_work_is_named() {
        assert_eq!(disturbance(0.4), "0.4");
        assert_eq!(disturbance(3.0), "3.0: other work on the machine took part of its cores");
    }

    #[test]
    fn the_command_in_the_report_has_no_paths() {
        let arguments = ["scale", "--ours", "/a/b", "--theirs=./c", "--rival-arguments", "-p PORT", "--write-docs"];
        assert_eq!(
            command(arguments.map(str::to_owned).into_iter()),
            "cargo xtask bench scale --ours PATH --theirs=PATH --rival-arguments '-p PORT' --write-docs"
        );
    }
}
