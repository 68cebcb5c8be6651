//! Names and order of the statistics, compared with real memcached. Differences are listed here with their reasons; a
//! listed difference that no longer exists fails.

use libtest_mimic::{Arguments, Trial};
use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    path::Path,
};
use wasmcached_tests::server::{Server, memcached_program, wasmcached_program};

/// Lines of 1.6.45 that Debian's 1.6.18 lacks.
const NEWER: &[(&str, &[&str])] = &[
    ("", &["slab_reassign_busy_nomem", "slab_reassign_last_busy_status"]),
    ("settings", &["client_flags_size"]),
    ("items", &[]),
    ("slabs", &[]),
    ("conns", &[]),
];

/// Lines that 1.6.45 no longer has.
const OLDER: &[&str] = &["slab_reassign_evictions_nomem"];

/// Lines of memcached about flash storage and TLS, which Debian compiles in.
fn is_of_other_builds(name: &str) -> bool {
    ["ext_", "extstore_", "ssl_"].iter().any(|start| name.starts_with(start))
        || name.contains("extstore")
        || name == "slab_automove_freeratio"
}

fn main() {
    let arguments = Arguments::from_args();
    let Some(memcached) = memcached_program() else {
        eprintln!("memcached is not installed: there is nothing to compare with");
        std::process::exit(101);
    };
    let product = wasmcached_program();
    let trials = NEWER.iter().map(|&(of, newer)| {
        let (memcached, product) = (memcached.clone(), product.clone());
        Trial::test(format!("stats {of}"), move || Ok(compare(&memcached, &product?, of, newer)?))
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}

fn compare(memcached: &Path, product: &Path, of: &str, newer: &[&str]) -> Result<(), String> {
    let theirs = names(memcached, of)?;
    let ours = names(product, of)?;
    let theirs: Vec<String> =
        theirs.into_iter().filter(|name| !is_of_other_builds(name) && !OLDER.contains(&&**name)).collect();
    for name in newer {
        if theirs.iter().any(|their| their == name) || !ours.iter().any(|our| our == name) {
            return Err(format!("{name} is wrongly listed as newer"));
        }
    }
    let common: Vec<String> = ours.iter().filter(|name| !newer.contains(&&***name)).cloned().collect();
    // Own statistics follow after the last of memcached.
    let Some(further) = common.strip_prefix(&theirs[..]) else {
        let at =
            common.iter().zip(&theirs).position(|(our, their)| our != their).unwrap_or(common.len().min(theirs.len()));
        return Err(format!("line {at} is {:?}, memcached has {:?}", common.get(at), theirs.get(at)));
    };
    if of.is_empty() || further.is_empty() { Ok(()) } else { Err(format!("{further:?} are ours alone")) }
}

/// Names of the statistics of a server with one item, without numbers of classes and descriptors.
fn names(program: &Path, of: &str) -> Result<Vec<String>, String> {
    let server = Server::start(program, &[])?;
    let ask = || -> std::io::Result<Vec<String>> {
        let mut stream = TcpStream::connect(server.address)?;
        write!(stream, "set a 0 0 1\r\n1\r\nstats {of}\r\n")?;
        let lines = BufReader::new(stream).lines().skip(1).map_while(Result::ok);
        Ok(lines.take_while(|line| line != "END").collect())
    };
    let lines = ask().map_err(|error| error.to_string())?;
    let name = |line: &String| {
        let name = line.split(' ').nth(1).unwrap_or_default();
        let parts = name.split(':').filter(|part| !part.bytes().all(|byte| byte.is_ascii_digit()));
        parts.collect::<Vec<_>>().join(":")
    };
    if lines.is_empty() { Err("no statistics".to_owned()) } else { Ok(lines.iter().map(name).collect()) }
}
