//! The results of a run: one sample for each server in each cell, and ratios between them.

use crate::load::cell::Cell;
use crate::load::summary::Numbers;
use crate::load::workload::Operation;

/// The server that the report is about.
pub const OURS: &str = "wasmcached";
/// The server that it rebuilds.
pub const THEIRS: &str = "memcached";

/// One server in one cell.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The server.
    pub server: String,
    /// The cell.
    pub cell: Cell,
    /// Whether server and load shared cores.
    pub is_shared: bool,
    /// Medians of the rounds.
    pub median: Numbers,
    rounds: Vec<Numbers>,
}

impl Sample {
    /// Summarises the rounds of one server in one cell.
    pub fn new(server: &str, cell: Cell, is_shared: bool, rounds: Vec<Numbers>) -> Self {
        Self { server: server.into(), cell, is_shared, median: Numbers::medians(&rounds), rounds }
    }

    /// Keys a second, read or written.
    pub fn keys_per_second(&self) -> f64 {
        self.median.rate * f64::from(self.cell.operation.keys_per_request())
    }

    /// Server CPU a key in the round with the least and in the round with the most, microseconds.
    pub fn cpu_us_key_spread(&self) -> [f64; 2] {
        let rounds = || self.rounds.iter().map(|round| round.cpu_us_key);
        [rounds().fold(f64::INFINITY, f64::min), rounds().fold(0.0, f64::max)]
    }
}

/// All samples of a run.
#[derive(Clone, Debug, Default)]
pub struct Samples(pub Vec<Sample>);

/// Results of a run.
#[derive(Debug, Default)]
pub struct ScaleFindings {
    /// Machine, versions, command and method, one per line.
    pub circumstances: Vec<(&'static str, String)>,
    /// The numbers.
    pub samples: Samples,
}

impl Samples {
    /// The sample of a server with so many threads.
    pub fn find(&self, server: &str, operation: Operation, threads: u32) -> Option<&Sample> {
        let is_it = |sample: &&Sample| {
            sample.server == server && sample.cell.operation == operation && sample.cell.threads == threads
        };
        self.0.iter().find(is_it)
    }

    /// Names of the servers, in the order of the run.
    pub fn servers(&self) -> Vec<&str> {
        let mut servers = Vec::new();
        for sample in &self.0 {
            if !servers.contains(&sample.server.as_str()) {
                servers.push(sample.server.as_str());
            }
        }
        servers
    }

    /// Numbers of threads, ascending.
    pub fn threads(&self) -> Vec<u32> {
        let mut threads: Vec<u32> = self.0.iter().map(|sample| sample.cell.threads).collect();
        threads.sort_unstable();
        threads.dedup();
        threads
    }

    /// The works that were measured.
    pub fn operations(&self) -> Vec<Operation> {
        let is_there = |one: &Operation| self.0.iter().any(|sample| sample.cell.operation == *one);
        Operation::ALL.into_iter().filter(is_there).collect()
    }

    /// The rate as a multiple of the same server's with one thread. `None` if only one of the two shared its cores with the
    /// load: such rates have different limits.
    pub fn rate_to_one(&self, sample: &Sample) -> Option<f64> {
        let one = self.one(sample).filter(|one| one.is_shared == sample.is_shared)?;
        Some(sample.median.rate / one.median.rate)
    }

    /// Server CPU a key as a multiple of the same server's with one thread.
    pub fn cpu_to_one(&self, sample: &Sample) -> Option<f64> {
        Some(sample.median.cpu_us_key / self.one(sample)?.median.cpu_us_key)
    }

    /// A number as a multiple of that of memcached with as many threads. `None` for memcached itself.
    pub fn to_memcached(&self, sample: &Sample, field: fn(&Numbers) -> f64) -> Option<f64> {
        let theirs = self.find(THEIRS, sample.cell.operation, sample.cell.threads)?;
        (sample.server != THEIRS).then(|| field(&sample.median) / field(&theirs.median))
    }

    /// The rate as a multiple of that of the fastest other server with as many threads.
    pub fn rate_to_fastest(&self, sample: &Sample) -> Option<f64> {
        let others = self.0.iter().filter(|other| {
            other.server != sample.server
                && (other.cell.operation, other.cell.threads) == (sample.cell.operation, sample.cell.threads)
        });
        let fastest = others.map(|other| other.median.rate).max_by(f64::total_cmp)?;
        Some(sample.median.rate / fastest)
    }

    fn one(&self, sample: &Sample) -> Option<&Sample> {
        self.find(&sample.server, sample.cell.operation, 1)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A sample with a rate and processor time.
    pub(crate) fn sample(server: &str, operation: Operation, threads: u32, rate: f64, cpu_us_key: f64) -> Sample {
        let cell = Cell { threads, connections: 200, ..Cell::base(operation) };
        let numbers = Numbers { rate, cpu_us_key, p99_us: 50.0, p999_us: 100.0, ..Numbers::default() };
        Sample::new(server, cell, false, vec![numbers])
    }

    #[test]
    fn ratios_compare_like_with_like() {
        let get = |server, threads, rate, cpu| sample(server, Operation::Get, threads, rate, cpu);
        let samples = Samples(vec![
            get(OURS, 1, 100.0, 2.0),
            get(THEIRS, 1, 50.0, 4.0),
            get(OURS, 8, 600.0, 3.0),
            get(THEIRS, 8, 300.0, 6.0),
            get("rival", 8, 800.0, 1.0),
        ]);
        let ours = samples.find(OURS, Operation::Get, 8).unwrap();
        assert_eq!(samples.rate_to_one(ours), Some(6.0));
        assert_eq!(samples.cpu_to_one(ours), Some(1.5));
        assert_eq!(samples.to_memcached(ours, |numbers| numbers.rate), Some(2.0));
        assert_eq!(samples.rate_to_fastest(ours), Some(0.75));
        let rival = samples.find("rival", Operation::Get, 8).unwrap();
        assert_eq!((samples.rate_to_one(rival), samples.cpu_to_one(rival)), (None, None));
        let theirs = samples.find(THEIRS, Operation::Get, 8).unwrap();
        assert_eq!(samples.to_memcached(theirs, |numbers| numbers.rate), None);
        assert_eq!((samples.servers(), samples.threads()), (vec![OURS, THEIRS, "rival"], vec![1, 8]));
    }

    #[test]
    fn a_rate_on_shared_cores_is_not_a_multiple_of_one_on_a_core_of_its_own() {
        let mut samples = Samples(vec![
            sample(OURS, Operation::Set, 1, 100.0, 2.0),
            Sample { is_shared: true, ..sample(OURS, Operation::Set, 2, 90.0, 3.0) },
        ]);
        assert_eq!(samples.rate_to_one(&samples.0[1]), None);
        assert_eq!(samples.cpu_to_one(&samples.0[1]), Some(1.5));
        samples.0[0].is_shared = true;
        assert_eq!(samples.rate_to_one(&samples.0[1]), Some(0.9));
    }

    #[test]
    fn a_multi_get_counts_each_key() {
        assert_eq!(sample(OURS, Operation::GetMany, 1, 1000.0, 1.0).keys_per_second(), 50_000.0);
    }

    #[test]
    fn the_spread_is_that_of_the_rounds() {
        let rounds = [2.0, 1.5, 4.0].map(|cpu_us_key| Numbers { cpu_us_key, ..Numbers::default() });
        let sample = Sample::new(OURS, Cell::base(Operation::Get), false, rounds.into());
        assert_eq!((sample.median.cpu_us_key, sample.cpu_us_key_spread()), (2.0, [1.5, 4.0]));
    }
}
