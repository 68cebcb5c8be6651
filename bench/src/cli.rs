//! The command line of the benchmarks.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::hit_ratio::cli::HitRatio;
use crate::load::cli::SideBySide;
use crate::load::floor;
use crate::outcome::Outcome;
use crate::scale::cli::Scale;
use crate::server::become_program;
use crate::{hit_ratio, load, scale};

const TEACHING: &str = "\
Two servers are started with the same flags and filled with the same keys. Each cell is then measured on both in turn, \
round after round, each second round in reverse order; medians are printed, and the median of the rounds' ratios.

Look at `us/req` first: the server's CPU time per request, all threads, user and system, as the scheduler accounts it. \
Other work on the machine disturbs it least (--noise measures how much). The rate of a closed loop and all latencies \
suffer more. `busy` is the share of one core that the server used; where it is far from \
100 %, the client or the machine was the limit, and the rate says little.

Latency (p50, p99, p99.9) counts from the moment a request was written to the moment its reply was whole; in an open \
loop from the moment it was due, so a stall is counted for every request that it delayed. `RSS` is the server's resident \
memory at the end of a run. `miss` is the share of keys asked for that were not there: the data fits in these cells, so \
anything but zero means that a server evicted early and had less to do.

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

/// wasmcached and memcached side by side: rate, CPU per request, latency, memory.
#[derive(Debug, Parser)]
#[command(name = "bench", bin_name = "cargo xtask bench --", after_help = TEACHING)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true, max_term_width = 120)]
struct Arguments {
    #[command(subcommand)]
    inner: Option<Inner>,
    #[command(flatten)]
    side_by_side: SideBySide,
}

/// Other benchmarks, and how this one starts servers.
#[derive(Debug, Subcommand)]
enum Inner {
    /// Miss ratios: exact LRU, this store and memcached on the same requests
    HitRatio(HitRatio),
    /// Many cores: servers with 1, 2, 4 and 8 threads, beside their own one thread and beside each other
    Scale(Scale),
    /// Replace this process by a server on some cores, which ends with the benchmark
    #[command(hide = true)]
    Launch {
        #[arg(long, value_delimiter = ',')]
        cores: Vec<usize>,
        #[arg(last = true)]
        program: Vec<String>,
    },
    /// Serve constant replies
    #[command(hide = true)]
    Floor { port: u16, value_bytes: usize, keys_per_get: u32 },
}

/// Runs the command line; messages go to standard error, the report to standard output.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result: Outcome<()> = match &arguments.inner {
        Some(Inner::Launch { cores, program }) => become_program(cores, program),
        Some(Inner::Floor { port, value_bytes, keys_per_get }) => floor::serve(*port, *value_bytes, *keys_per_get),
        Some(Inner::HitRatio(arguments)) => hit_ratio::cli::run(arguments),
        Some(Inner::Scale(arguments)) => scale::cli::run(arguments),
        None => load::cli::run(&arguments.side_by_side),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("bench: {message}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }
}
