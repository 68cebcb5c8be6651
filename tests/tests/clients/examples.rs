//! The examples of this repository that are clients.

use crate::{
    interpreters::{folder, python},
    process,
    servers::Servers,
    suite::{Report, Site},
};
use std::process::Command;

/// The example of the README, with the counts it prints.
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
