//! The client examples of this repository.

use crate::{
    interpreters::{folder, python},
    process,
    servers::Servers,
    site::{Report, Site},
};
use std::{path::PathBuf, process::Command};

/// Runs the example of the README and checks the printed counts.
pub(crate) fn cache_aside(site: &Site) -> Result<Report, String> {
    let servers = Servers::start(site, 1)?;
    let database = servers.folder().join("example.sqlite");
    let mut command = Command::new(python()?);
    command.arg(folder().join("../examples/cache_aside/cache_aside.py"));
    command.arg("--server").arg(servers.addresses().concat()).arg("--database").arg(&database);
    let text = process::succeed(&mut command)?;
    if !std::fs::read(&database).is_ok_and(|bytes| bytes.starts_with(b"SQLite format 3\0")) {
        return Err("the database is not a file of SQLite".into());
    }
    match text.lines().last() {
        Some("hits 3, misses 4, wrong answers 0") => {
            let passed = vec!["hits, misses and no wrong answer".to_owned()];
            Ok(Report { version: env!("CARGO_PKG_VERSION").to_owned(), passed, failed_alike: Vec::new() })
        }
        _ => Err(format!("unexpected output:\n{text}")),
    }
}

/// The most lines that an embedder needs: the example is an argument of the README.
const EMBED_LINES_MAX: usize = 39;

/// The example that embeds the module without a server, with the lines that it prints.
pub(crate) fn embed_python() -> Result<(), String> {
    let module = std::env::var_os("WASMCACHED_GUEST")
        .map_or_else(|| folder().join("../target/guest/wasmcached.wasm"), PathBuf::from);
    let script = folder().join("../examples/embed_python/embed.py");
    let lines = std::fs::read_to_string(&script).map_err(|error| error.to_string())?.lines().count();
    if lines > EMBED_LINES_MAX {
        return Err(format!("{} has {lines} lines, {EMBED_LINES_MAX} are the limit", script.display()));
    }
    let text = process::succeed(Command::new(python()?).arg(script).arg(module))?.replace("\r\n", "\n");
    let stored = text.starts_with("STORED\nVALUE greeting 0 5\nhello\nEND\nOK\nSTAT pid 0\n");
    let counted = ["STAT cmd_get 1", "STAT cmd_set 1", "STAT get_hits 1", "STAT curr_items 1", "END"];
    if stored && counted.iter().all(|line| text.lines().any(|other| other == *line)) {
        return Ok(());
    }
    Err(format!("unexpected output:\n{text}"))
}
