//! The benchmarks: beside memcached, and of the store alone.

use crate::{
    build,
    guest_build::guest::Guest,
    guests, machine, packages,
    step::{Outcome, run as run_command, step},
};
use std::{
    collections::BTreeMap,
    process::{Command, Stdio},
};

/// `cargo xtask bench`: passes the other arguments to the benchmark.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let flags = arguments.strip_prefix(&["--".to_owned()]).unwrap_or(arguments);
    if let Some(("store", items)) = flags.split_first().map(|(name, rest)| (name.as_str(), rest)) {
        return store(items);
    }
    let is_help = flags.iter().any(|flag| flag == "-h" || flag == "--help");
    if !is_help {
        step("packages of the system", packages::system_packages)?;
        // Miss ratios need the store and memcached, not the server.
        if flags.first().is_none_or(|first| first != "hit-ratio") {
            build::build(&[])?;
        }
    }
    let mut command = machine::cargo();
    command.args(["run", "--release", "--package", "wasmcached-bench", "--bin", "bench", "--"]).args(flags);
    run_command(command.env("WASMCACHED_BIN", build::binary()))
}

/// `cargo xtask bench store [ITEMS...]`: the loops of the store natively and inside a guest.
fn store(items: &[String]) -> Outcome {
    if let Some(wrong) = items.iter().find(|items| items.parse::<u64>().is_err()) {
        return Err(format!("`{wrong}` is not a number of items"));
    }
    guests::build(&[Guest::Bench])?;
    // Without numbers the native program would also measure latency and capacity.
    let named =
        if items.is_empty() { ["10000", "1000000", "10000000"].map(str::to_owned).to_vec() } else { items.to_vec() };
    let triple = machine::host_triple(&machine::rustc_program()).ok_or("rustc does not say what it builds for")?;
    let native = step("natively", || {
        let mut command = machine::cargo();
        command.args(["run", "--quiet", "--release", "--package", "wasmcached-bench", "--bin", "store", "--"]);
        results(command.args(&named))
    })?;
    let guest = step("inside a guest", || {
        // Not optimised, because an optimised wasmtime takes minutes to compile; the loops run in the guest.
        let mut command = machine::cargo();
        command.args(["run", "--quiet", "--package", "wasmcached-bench", "--example", "store_guest", "--"]);
        command.env("WASMCACHED_BENCH_GUEST", guests::file(Guest::Bench)).env("WASMCACHED_BENCH_TARGET", triple);
        results(command.args(&named))
    })?;
    show(&native, &guest);
    Ok(())
}

/// Nanoseconds by work, items and operations per batch.
#[derive(Default)]
struct Results {
    order: Vec<[String; 3]>,
    ns: BTreeMap<[String; 3], f64>,
}

fn results(command: &mut Command) -> Outcome<Results> {
    let output = command.stderr(Stdio::inherit()).output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("the loops ended with {}", output.status));
    }
    let mut results = Results::default();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [work, items, batch, ns] = fields[..] else { return Err(format!("{line:?} is not a result")) };
        let name = [work, items, batch].map(str::to_owned);
        let ns = ns.parse().map_err(|error| format!("{line:?}: {error}"))?;
        results.order.push(name.clone());
        results.ns.insert(name, ns);
    }
    Ok(results)
}

fn show(native: &Results, guest: &Results) {
    println!("20-byte keys, 100-byte values; ns per operation, key and hash not included");
    println!("{:<18} {:>9} {:>6} {:>8} {:>8} {:>6}", "", "items", "batch", "native", "guest", "ratio");
    for name in &native.order {
        let [work, items, batch] = name;
        let ns = native.ns[name];
        match guest.ns.get(name) {
            Some(inside) => {
                println!("{work:<18} {items:>9} {batch:>6} {ns:8.1} {inside:8.1} {:6.2}", inside / ns);
            }
            None => println!("{work:<18} {items:>9} {batch:>6} {ns:8.1} {:>8}", "-"),
        }
    }
}
