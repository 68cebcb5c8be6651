//! Measures the servers of one stage in turn, round after round.

use std::time::Duration;

use super::contestant::Contestant;
use super::plan::Stage;
use super::samples::Sample;
use crate::load::bench::wait_until_idle;
use crate::load::cell::Cell;
use crate::load::dataset::Dataset;
use crate::load::driver::{self, Run};
use crate::load::fill::fill;
use crate::load::summary::Numbers;
use crate::outcome::Outcome;
use crate::server::Server;

/// How cells are measured.
#[derive(Clone, Debug)]
pub struct ScaleMethod {
    /// The servers, ours first.
    pub contestants: Vec<Contestant>,
    /// Rounds per cell.
    pub rounds: u32,
    /// Uncounted time of each run.
    pub warmup: Duration,
    /// Counted time of each run.
    pub duration: Duration,
    /// One reply in so many is checked in full.
    pub check_every: u32,
}

/// The servers of a stage, with the same data.
pub struct Field<'m> {
    method: &'m ScaleMethod,
    stage: &'m Stage,
    dataset: Dataset,
    servers: Vec<Server>,
}

impl<'m> Field<'m> {
    /// Starts and fills all servers for the stage of `cell`.
    pub fn start(method: &'m ScaleMethod, stage: &'m Stage, cell: &Cell) -> Outcome<Self> {
        let dataset = Dataset::new(cell.keys, cell.value_bytes);
        let mut servers = Vec::new();
        for contestant in &method.contestants {
            let label = contestant.label();
            eprintln!("{label} -t {}: starts and is filled …", stage.threads);
            let server = contestant.start(stage.threads, cell.connections, &stage.placement.server)?;
            fill(server.address, &dataset, 0..dataset.keys).map_err(|error| format!("{label}: {error}"))?;
            wait_until_idle(&server)?;
            servers.push(server);
        }
        Ok(Self { method, stage, dataset, servers })
    }

    /// Measures one cell on all servers. Every round visits every server, each second round in reverse order.
    pub fn measure(&self, cell: &Cell) -> Outcome<Vec<Sample>> {
        let mut rounds = vec![Vec::new(); self.servers.len()];
        for round in 0..self.method.rounds {
            let mut order: Vec<usize> = (0..self.servers.len()).collect();
            if round % 2 == 1 {
                order.reverse();
            }
            for at in order {
                rounds[at].push(self.visit(at, cell)?);
            }
        }
        let is_shared = self.stage.placement.is_shared();
        let labels = self.method.contestants.iter().map(Contestant::label);
        Ok(labels.zip(rounds).map(|(label, rounds)| Sample::new(label, *cell, is_shared, rounds)).collect())
    }

    fn visit(&self, at: usize, cell: &Cell) -> Outcome<Numbers> {
        let server = &self.servers[at];
        let run = Run {
            address: server.address,
            tls: None,
            dataset: &self.dataset,
            protocol: cell.protocol,
            operation: cell.operation,
            popularity: cell.popularity,
            connections: cell.connections,
            threads: self.stage.load_threads(),
            cores: self.stage.placement.client.clone(),
            pace: cell.pace,
            warmup: self.method.warmup,
            duration: self.method.duration,
            check_every: self.method.check_every,
        };
        let label = self.method.contestants[at].label();
        let counted = driver::run(&run, || server.usage()).map_err(|error| format!("{label}, {cell}: {error}"))?;
        if counted.requests == 0 {
            return Err(format!("{label}, {cell}: no request was answered in time"));
        }
        Ok(Numbers::of(&counted))
    }
}
