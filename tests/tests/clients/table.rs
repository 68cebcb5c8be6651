//! The table of clients in `docs/reference/compatibility.md`: one row a suite, as the run says it. Versions are what was
//! installed when the table was written; what was exercised and the result are held to it.

use crate::{
    interpreters::folder,
    suite::{Report, Suite},
};
use std::{collections::BTreeMap, path::PathBuf};

/// Seen from the root of the repository.
const DOCUMENT: &str = "docs/reference/compatibility.md";
const HEADING: &str = "## Clients";
const INTRODUCTION: &str = "
Each ran against this server and against memcached, in the tests. This table is written by them:
`CLIENTS_TABLE=write cargo test -p wasmcached-tests --test clients`.
";
const HEAD: &str = "| client | version | protocol | what was exercised | result |\n|---|---|---|---|---|\n";
const COLUMNS: usize = 5;

/// Whether the run writes the table instead of comparing with it.
pub(crate) fn is_written() -> bool {
    std::env::var_os("CLIENTS_TABLE").is_some_and(|value| value == "write")
}

/// Rows by client and protocol, without the column of versions' meaning.
#[derive(Debug)]
pub(crate) struct Table {
    rows: BTreeMap<(String, String), [String; COLUMNS]>,
}

impl Table {
    /// The table as the document has it; none is an empty one.
    pub(crate) fn read() -> Self {
        let text = std::fs::read_to_string(document()).unwrap_or_default();
        let mut rows = BTreeMap::new();
        for line in section(&text).1.lines() {
            let cells: Vec<String> = line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
            if let Ok(row) = <[String; COLUMNS]>::try_from(cells)
                && row[0] != "client"
            {
                rows.insert((row[0].clone(), row[2].clone()), row);
            }
        }
        Self { rows }
    }

    /// Enters what a suite did, or compares it with what the document says.
    ///
    /// # Errors
    /// If the document says something else.
    pub(crate) fn enter(&mut self, suite: &Suite, report: &Report) -> Result<(), String> {
        let row = row(suite, report);
        let old = self.rows.insert(name(suite), row.clone());
        if is_written() || old.as_ref().is_some_and(|old| old[3..] == row[3..]) {
            return Ok(());
        }
        Err(format!("this run: {row:?}\n{DOCUMENT}: {old:?}\nto write it: CLIENTS_TABLE=write"))
    }

    /// Whether the document has these suites and no others.
    ///
    /// # Errors
    /// Names the difference.
    pub(crate) fn check_names(&self, suites: &[Suite]) -> Result<(), String> {
        let wanted: std::collections::BTreeSet<_> = suites.iter().map(name).collect();
        let found: std::collections::BTreeSet<_> = self.rows.keys().cloned().collect();
        let difference: Vec<_> = wanted.symmetric_difference(&found).collect();
        if difference.is_empty() { Ok(()) } else { Err(format!("either here or there: {difference:?}")) }
    }

    /// Writes the document's section anew.
    ///
    /// # Errors
    /// If a suite has no row, or the file cannot be written.
    pub(crate) fn write(&self, suites: &[Suite]) -> Result<(), String> {
        let text = std::fs::read_to_string(document()).map_err(|error| error.to_string())?;
        let (before, _, after) = section(&text);
        let mut table = format!("{HEADING}\n{INTRODUCTION}\n{HEAD}");
        for suite in suites {
            let row = self.rows.get(&name(suite)).ok_or_else(|| format!("{:?} has not run", name(suite)))?;
            table.push_str(&format!("| {} |\n", row.join(" | ")));
        }
        let before = before.trim_end();
        let after = if after.is_empty() { String::new() } else { format!("\n{after}") };
        std::fs::write(document(), format!("{before}\n\n{table}{after}")).map_err(|error| error.to_string())
    }
}

fn name(suite: &Suite) -> (String, String) {
    (suite.client.to_owned(), suite.over.name())
}

fn row(suite: &Suite, report: &Report) -> [String; COLUMNS] {
    let passed = report.passed.len();
    let total = passed + report.failed_alike.len();
    let result = match report.failed_alike.join(", ").as_str() {
        "" => format!("{passed} of {total}"),
        failed => format!("{passed} of {total}, as memcached 1.6.45: {failed}"),
    };
    let cell = |text: &str| text.replace('|', "/");
    let mut names = report.passed.clone();
    names.dedup();
    [suite.client, &report.version, &suite.over.name(), &names.join(", "), &result].map(cell)
}

fn document() -> PathBuf {
    folder().join("..").join(DOCUMENT)
}

/// The document before the section, the section, and what is behind it.
fn section(text: &str) -> (&str, &str, &str) {
    let Some(start) = text.find(HEADING) else { return (text, "", "") };
    let (before, rest) = text.split_at(start);
    let end = rest[HEADING.len()..].find("\n## ").map_or(rest.len(), |at| HEADING.len() + at + 1);
    (before, &rest[..end], &rest[end..])
}
