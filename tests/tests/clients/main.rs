//! Real clients against the product, and against memcached to test the tests: each suite of `suite::SUITES` starts its own
//! servers and exercises a client completely.
//!
//! The results with the product are the table in `docs/reference/clients.md`: a suite fails if its row differs, and
//! `CLIENTS_TABLE=write` rewrites the table.
//!
//! `PYTHON` and `NODE` name interpreters with the packages of `clients/python/requirements.txt` and
//! `clients/node/package.json`; without `PYTHON` an environment is created below `target/`.

mod collectd;
mod credentials;
mod examples;
mod interpreters;
mod monitoring;
mod process;
mod servers;
mod site;
mod statistics;
mod suite;
mod table;
mod tools;

use libtest_mimic::{Arguments, Failed, Trial};
use site::Site;
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};
use suite::SUITES;
use table::Table;
use wasmcached_tests::server::{memcached_program, wasmcached_program};

/// Suites that run at the same time.
const THREADS: usize = 6;

fn main() {
    let mut arguments = Arguments::from_args();
    // The suites mostly wait for items to expire.
    arguments.test_threads.get_or_insert(THREADS);
    let Some(memcached) = memcached_program() else {
        eprintln!("memcached is not installed: the client tests run against it too");
        std::process::exit(101);
    };
    let table = Arc::new(Mutex::new(Table::read()));
    let mut trials = trials("memcached", &Ok(memcached), &table);
    trials.extend(self::trials("wasmcached", &wasmcached_program(), &table));
    if !table::is_written() {
        let table = Arc::clone(&table);
        trials.push(Trial::test("the table of clients names these suites", move || {
            table.lock().map_err(|error| error.to_string())?.check_names(&SUITES).map_err(Failed::from)
        }));
    }
    trials.push(Trial::test("Python embeds the engine", || examples::embed_python().map_err(Failed::from)));
    trials.extend(monitoring::trials(&wasmcached_program()));
    let conclusion = libtest_mimic::run(&arguments, trials);
    if table::is_written()
        && let Err(message) = table.lock().map_err(|error| error.to_string()).and_then(|table| table.write(&SUITES))
    {
        eprintln!("{message}");
        std::process::exit(101);
    }
    conclusion.exit();
}

/// Whether Debian packages are available.
fn is_debian() -> bool {
    Path::new("/usr/bin/dpkg-query").exists()
}

/// Every suite against one program. A missing program fails each suite with the reason.
fn trials(name: &'static str, program: &Result<PathBuf, String>, table: &Arc<Mutex<Table>>) -> Vec<Trial> {
    let is_oracle = name == "memcached";
    let trial = |suite: &'static suite::Suite| {
        let (program, table) = (program.clone(), Arc::clone(table));
        Trial::test(format!("{name}: {} over {}", suite.client, suite.channel.name()), move || {
            let site = Site { program: program?, is_oracle, channel: suite.channel };
            let report = suite.run(&site)?;
            if !is_oracle {
                table.lock().map_err(|error| error.to_string())?.enter(suite, &report)?;
            }
            Ok(())
        })
    };
    SUITES.iter().map(|suite| trial(suite).with_ignored_flag(suite.wants_debian() && !is_debian())).collect()
}
