//! Runs cells: fills both servers with the same data and measures them in turn, round after round.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::cell::Cell;
use super::dataset::Dataset;
use super::driver::{self, Run};
use super::fill::fill;
use super::protocol::Protocol;
use super::summary::{CellResult, Numbers};
use crate::environment::Placement;
use crate::outcome::{Outcome, ResultExt as _};
use crate::server::{Program, Server, Settings, launch};
use crate::tls::Certificate;

/// Subcommand of the benchmark that serves the floor.
pub const FLOOR: &str = "floor";

const IDLE_WAIT_MAX: Duration = Duration::from_secs(15);
const IDLE_POLL_INTERVAL: Duration = Duration::from_millis(250);

/// How cells are measured.
#[derive(Clone, Debug)]
pub struct Method {
    /// The server that the report is about.
    pub ours: Program,
    /// The server it is compared with.
    pub theirs: Program,
    /// Whether the floor is measured too: only for servers with one thread, in plain text.
    pub floor: bool,
    /// Cores of this machine.
    pub cores: Vec<usize>,
    /// Rounds per cell.
    pub rounds: u32,
    /// Uncounted time of each run.
    pub warmup: Duration,
    /// Counted time of each run.
    pub duration: Duration,
    /// Client threads.
    pub client_threads: u32,
    /// One reply in so many is checked in full.
    pub check_every: u32,
}

/// Both servers, with the same data.
pub struct Pair<'m> {
    method: &'m Method,
    memory_mib: u64,
    dataset: Dataset,
    placement: Placement,
    certificate: Option<Certificate>,
    ours: Server,
    theirs: Server,
}

impl<'m> Pair<'m> {
    /// Starts and fills both servers for the group of `cell`.
    pub fn start(method: &'m Method, cell: &Cell) -> Outcome<Self> {
        let dataset = Dataset::new(cell.keys, cell.value_bytes);
        let placement = Placement::new(&method.cores, cell.threads);
        let certificate = cell.encrypted.then(Certificate::new).transpose()?;
        let settings = Settings {
            threads: cell.threads,
            memory_mib: memory_mib(cell, &dataset),
            connections: 2000,
            certificate: certificate.as_ref(),
        };
        let start = |program: &Program| {
            let server = program.start(settings, &placement.server)?;
            fill(server.address, &dataset, 0..dataset.keys).map_err(|error| format!("{}: {error}", program.label))?;
            wait_until_idle(&server)?;
            Ok::<_, String>(server)
        };
        let (ours, theirs) = (start(&method.ours)?, start(&method.theirs)?);
        Ok(Self { method, memory_mib: settings.memory_mib, dataset, placement, certificate, ours, theirs })
    }

    /// Memory limit and cores, which are those of all cells of this pair.
    pub fn describe(&self) -> String {
        format!("-m {}; {}", self.memory_mib, self.placement.describe())
    }

    /// Measures one cell: every round visits every server, each second round in reverse order. For a cell in another
    /// protocol than text, each round also measures the same work in text on our server.
    pub fn measure(&self, cell: &Cell) -> Outcome<CellResult> {
        let floor = self.start_floor(cell)?;
        let (mut ours, mut theirs, mut floors, mut text) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for round in 0..self.method.rounds {
            let mut visits = vec![
                Visit { numbers: &mut ours, server: &self.ours, label: &self.method.ours.label, cell: *cell },
                Visit { numbers: &mut theirs, server: &self.theirs, label: &self.method.theirs.label, cell: *cell },
            ];
            if cell.protocol != Protocol::Text {
                let label = &self.method.ours.label;
                visits.push(Visit { numbers: &mut text, server: &self.ours, label, cell: cell.in_text() });
            }
            let floor = floor.as_ref();
            visits.extend(floor.map(|server| Visit { numbers: &mut floors, server, label: FLOOR, cell: *cell }));
            if round % 2 == 1 {
                visits.reverse();
            }
            for visit in visits {
                let numbers = self.visit(&visit)?;
                visit.numbers.push(numbers);
            }
        }
        Ok(CellResult::new(*cell, &ours, &theirs, &floors).beside_text(&ours, &text))
    }

    fn visit(&self, visit: &Visit<'_>) -> Outcome<Numbers> {
        let Visit { server, label, cell, .. } = visit;
        // The floor has a single value, so its replies are counted and not compared.
        let check_every = if *label == FLOOR { 0 } else { self.method.check_every };
        let counted = driver::run(&self.run(cell, server, check_every)?, || server.usage());
        let counted = counted.map_err(|error| format!("{label}, {cell}: {error}"))?;
        if counted.requests == 0 {
            return Err(format!("{label}, {cell}: no request was answered in time"));
        }
        Ok(Numbers::of(&counted))
    }

    fn run<'s>(&'s self, cell: &Cell, server: &Server, check_every: u32) -> Outcome<Run<'s>> {
        let tls = self.certificate.as_ref().map(Certificate::client).transpose()?;
        Ok(Run {
            address: server.tls_address.unwrap_or(server.address),
            tls,
            dataset: &self.dataset,
            protocol: cell.protocol,
            operation: cell.operation,
            popularity: cell.popularity,
            connections: cell.connections,
            threads: self.method.client_threads,
            cores: self.placement.client.clone(),
            pace: cell.pace,
            warmup: self.method.warmup,
            duration: self.method.duration,
            check_every,
        })
    }

    fn start_floor(&self, cell: &Cell) -> Outcome<Option<Server>> {
        if !self.method.floor || cell.threads > 1 || cell.encrypted || cell.protocol != Protocol::Text {
            return Ok(None);
        }
        let program = std::env::current_exe().context("this program's path")?;
        let numbers = [cell.value_bytes as u32, cell.operation.keys_per_request()].map(|number| number.to_string());
        let arguments = |port: u16| [FLOOR.to_owned(), port.to_string()].into_iter().chain(numbers).collect();
        launch(Path::new(&program), &self.placement.server, arguments).map(Some)
    }
}

/// The measurement of one server in a round.
struct Visit<'v> {
    numbers: &'v mut Vec<Numbers>,
    server: &'v Server,
    label: &'v str,
    cell: Cell,
}

fn memory_mib(cell: &Cell, dataset: &Dataset) -> u64 {
    if cell.scarce { (dataset.payload_bytes() / 4).div_ceil(1 << 20) } else { dataset.memory_mib() }
}

/// Waits until a filled server is idle: a thread of memcached grows the hash table for seconds more, which is no cost of
/// the measured requests. A server that stays busy is measured as it is.
pub fn wait_until_idle(server: &Server) -> Outcome<()> {
    let started = Instant::now();
    let mut before = server.usage()?.cpu_ns;
    while started.elapsed() < IDLE_WAIT_MAX {
        thread::sleep(IDLE_POLL_INTERVAL);
        let now = server.usage()?.cpu_ns;
        if u128::from(now - before) < IDLE_POLL_INTERVAL.as_nanos() / 50 {
            break;
        }
        before = now;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr, TcpListener};

    use super::super::dataset::Popularity;
    use super::super::driver::Pace;
    use super::super::floor;
    use super::super::workload::Operation;
    use super::*;

    /// Serves the floor in a thread that outlives the test.
    fn floor_address(value_bytes: usize, keys_per_get: u32) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        thread::spawn(move || floor::serve(address.port(), value_bytes, keys_per_get));
        while std::net::TcpStream::connect(address).is_err() {
            thread::sleep(Duration::from_millis(5));
        }
        address
    }

    fn run_of(dataset: &Dataset, operation: Operation, pace: Pace, check_every: u32) -> Outcome<driver::Counted<()>> {
        let run = Run {
            address: floor_address(dataset.value_bytes, operation.keys_per_request()),
            tls: None,
            dataset,
            protocol: Protocol::Text,
            operation,
            popularity: Popularity::Uniform,
            connections: 5,
            threads: 2,
            cores: crate::environment::cores()?,
            pace,
            warmup: Duration::from_millis(50),
            duration: Duration::from_millis(200),
            check_every,
        };
        driver::run(&run, || Ok(()))
    }

    #[test]
    fn every_operation_is_counted_key_by_key() {
        for operation in Operation::ALL {
            let dataset = Dataset::new(1, 3000);
            let counted = run_of(&dataset, operation, Pace::Closed, 1).unwrap();
            assert!(counted.requests > 0, "{operation:?}");
            assert_eq!(counted.keys, counted.requests * u64::from(operation.keys_per_request()), "{operation:?}");
            assert_eq!(counted.misses, 0);
        }
    }

    #[test]
    fn the_floor_tells_pipelined_gets_and_sets_apart() {
        let dataset = Dataset::new(1, 3000);
        assert!(run_of(&dataset, Operation::Mixed, Pace::Open(20_000.0), 1).unwrap().requests > 0);
    }

    #[test]
    fn an_open_loop_sends_on_schedule_and_not_as_fast_as_it_can() {
        let dataset = Dataset::new(1, 10);
        let counted = run_of(&dataset, Operation::Get, Pace::Open(1000.0), 1).unwrap();
        // A closed loop would count many thousands in this time; the schedule has two hundred.
        assert!((1..2000).contains(&counted.requests), "{}", counted.requests);
    }

    #[test]
    fn a_wrong_reply_ends_the_run() {
        // Two keys and one constant: the second key gets the value of the first.
        let dataset = Dataset::new(2, 10);
        let error = run_of(&dataset, Operation::Get, Pace::Closed, 1).map(|counted| counted.requests).unwrap_err();
        assert!(error.contains("key:"), "{error}");
    }
}
