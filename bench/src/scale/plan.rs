//! Which numbers of threads are measured, and on which cores servers and load run.

use std::time::Duration;

use crate::environment::Placement;
use crate::load::cell::Cell;
use crate::load::workload::Operation;

/// Numbers of server threads, where the machine has the cores.
pub const THREADS: [u32; 4] = [1, 2, 4, 8];

/// Time to start and fill one server.
const FILL: Duration = Duration::from_secs(3);

/// Time to connect the clients of one run.
const CONNECT: Duration = Duration::from_millis(20);

/// A number of server threads, and the cores of servers and load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// The servers' `-t`.
    pub threads: u32,
    /// Cores of servers and load.
    pub placement: Placement,
}

impl Stage {
    /// Threads of the load: one on each of its cores.
    pub fn load_threads(&self) -> u32 {
        self.placement.client.len() as u32
    }
}

/// Stages with `asked` numbers of threads; without any, those of [`THREADS`] for which the machine has cores.
///
/// A request costs its client about what it costs the server. Servers therefore get cores of their own only where as many
/// are left for the load, and the load gets the same cores in each such stage. In other stages both share all cores.
pub fn stages(cores: &[usize], asked: &[u32]) -> Vec<Stage> {
    let has = |threads: u32, cores_each: usize| threads as usize * cores_each <= cores.len();
    let mut numbers = if asked.is_empty() { THREADS.to_vec() } else { asked.to_vec() };
    numbers.retain(|&threads| !asked.is_empty() || has(threads, 1));
    numbers.sort_unstable();
    numbers.dedup();
    let apart = numbers.iter().copied().filter(|&threads| has(threads, 2)).max().unwrap_or(0) as usize;
    let placement = |threads: u32| match has(threads, 2) {
        true => Placement { server: cores[..threads as usize].into(), client: cores[apart..].into() },
        false => Placement { server: cores.into(), client: cores.into() },
    };
    numbers.into_iter().map(|threads| Stage { threads, placement: placement(threads) }).collect()
}

/// The cores of each stage and the limits of this machine, in a line for the report.
pub fn describe(stages: &[Stage], cores: &[usize]) -> String {
    let mut parts: Vec<String> =
        stages.iter().map(|stage| format!("-t {}: {}", stage.threads, stage.placement.describe())).collect();
    let numbers = |list: Vec<u32>| list.iter().map(|threads| format!("-t {threads}")).collect::<Vec<_>>().join(", ");
    let shared = stages.iter().filter(|stage| stage.placement.is_shared()).map(|stage| stage.threads).collect();
    let missing = THREADS.into_iter().filter(|&threads| threads as usize > cores.len());
    let missing = missing.filter(|threads| stages.iter().all(|stage| stage.threads != *threads)).collect();
    if !Vec::is_empty(&shared) {
        parts.push(format!("too few cores to keep {} and the load apart", numbers(shared)));
    }
    if !Vec::is_empty(&missing) {
        parts.push(format!("not measured for lack of cores: {}", numbers(missing)));
    }
    parts.join("; ")
}

/// The cells of a stage.
pub fn cells(stage: &Stage, operations: &[Operation], keys: u32, connections: u32) -> Vec<Cell> {
    let chosen = Operation::ALL.into_iter().filter(|one| operations.is_empty() || operations.contains(one));
    chosen.map(|operation| Cell { keys, connections, threads: stage.threads, ..Cell::base(operation) }).collect()
}

/// Time for `cells` cells in `stages` stages, each on `servers` servers.
pub fn estimate(stages: usize, cells: usize, servers: usize, rounds: u32, of_run: Duration) -> Duration {
    FILL * (stages * servers) as u32 + (of_run + CONNECT) * rounds * (cells * servers) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(cores: usize, asked: &[u32]) -> Vec<(u32, usize, usize, bool)> {
        let cores: Vec<usize> = (0..cores).collect();
        let of = |stage: &Stage| {
            let Placement { server, client } = &stage.placement;
            (stage.threads, server.len(), client.len(), stage.placement.is_shared())
        };
        stages(&cores, asked).iter().map(of).collect()
    }

    #[test]
    fn servers_and_load_are_apart_where_each_has_enough_cores() {
        assert_eq!(shown(16, &[]), [(1, 1, 8, false), (2, 2, 8, false), (4, 4, 8, false), (8, 8, 8, false)]);
        assert_eq!(shown(24, &[]).last(), Some(&(8, 8, 16, false)));
        assert_eq!(shown(8, &[]), [(1, 1, 4, false), (2, 2, 4, false), (4, 4, 4, false), (8, 8, 8, true)]);
    }

    #[test]
    fn a_small_machine_shares_its_cores_and_leaves_out_what_it_cannot_show() {
        assert_eq!(shown(2, &[]), [(1, 1, 1, false), (2, 2, 2, true)]);
        assert_eq!(shown(1, &[]), [(1, 1, 1, true)]);
        let cores = [0, 1];
        assert_eq!(
            describe(&stages(&cores, &[]), &cores),
            "-t 1: server on cores [0], client on [1]; -t 2: server and client share cores [0, 1]; \
             too few cores to keep -t 2 and the load apart; not measured for lack of cores: -t 4, -t 8"
        );
    }

    #[test]
    fn numbers_that_were_asked_for_are_measured_whatever_the_cores() {
        assert_eq!(shown(2, &[8, 1, 8]), [(1, 1, 1, false), (8, 2, 2, true)]);
        assert!(!describe(&stages(&[0, 1], &[1, 8]), &[0, 1]).contains("-t 8, "));
    }

    #[test]
    fn cores_keep_their_numbers() {
        let stages = stages(&[3, 5, 7, 9], &[]);
        assert_eq!(stages[0].placement, Placement { server: vec![3], client: vec![7, 9] });
        assert_eq!(stages[1].placement, Placement { server: vec![3, 5], client: vec![7, 9] });
        assert_eq!((stages[0].load_threads(), stages[2].load_threads()), (2, 4));
    }

    #[test]
    fn each_work_is_a_cell_unless_some_were_chosen() {
        let stage = &stages(&[0, 1], &[])[1];
        let names: Vec<String> = cells(stage, &[], 1_000_000, 200).iter().map(ToString::to_string).collect();
        assert_eq!(names.len(), 6);
        assert_eq!(names[1], "get-x16 1Mx100B c200 t2");
        assert_eq!(cells(stage, &[Operation::Set], 1000, 10)[0].to_string(), "set 1kx100B c10 t2");
    }
}
