//! The table of `docs/reference/clients.md`: one row a suite. A run compares what was exercised and the result with the
//! row; the version is the one that was installed when the table was written.

use crate::{interpreters::folder, site::Report, suite::Suite};
use std::{collections::BTreeMap, path::PathBuf};

/// Path from the root of the repository.
const DOCUMENT: &str = "docs/reference/clients.md";
/// The table stands between these lines.
const MARKS: [&str; 2] = ["<!-- clients -->\n", "<!-- /clients -->\n"];
const HEAD: &str = "| client | version | protocol | what was exercised | result |\n|---|---|---|---|---|\n";
const COLUMNS: usize = 5;

/// Whether the run writes the table instead of comparing with it.
pub(crate) fn is_written() -> bool {
    std::env::var_os("CLIENTS_TABLE").is_some_and(|value| value == "write")
}

/// Rows by client and protocol.
#[derive(Debug)]
pub(crate) struct Table {
    rows: BTreeMap<(String, String), [String; COLUMNS]>,
}

impl Table {
    /// The table of the document; without a document, an empty one.
    pub(crate) fn read() -> Self {
        let text = std::fs::read_to_string(document()).unwrap_or_default();
        let mut rows = BTreeMap::new();
        for line in parts(&text).map_or("", |[_, table, _]| table).lines() {
            let cells: Vec<String> = line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
            if let Ok(row) = <[String; COLUMNS]>::try_from(cells)
                && row[0] != "client"
            {
                rows.insert((row[0].clone(), row[2].clone()), row);
            }
        }
        Self { rows }
    }

    /// Enters the report of a suite, and compares it with the document unless the table is to be written.
    ///
    /// # Errors
    /// If the document has another row.
    pub(crate) fn enter(&mut self, suite: &Suite, report: &Report) -> Result<(), String> {
        let row = row(suite, report);
        let old = self.rows.insert(name(suite), row.clone());
        if is_written() || old.as_ref().is_some_and(|old| old[3..] == row[3..]) {
            return Ok(());
        }
        Err(format!("this run: {row:?}\n{DOCUMENT}: {old:?}\nto write it: CLIENTS_TABLE=write"))
    }

    /// Checks that the document has exactly these suites.
    ///
    /// # Errors
    /// Names the differences.
    pub(crate) fn check_names(&self, suites: &[Suite]) -> Result<(), String> {
        let wanted: std::collections::BTreeSet<_> = suites.iter().map(name).collect();
        let found: std::collections::BTreeSet<_> = self.rows.keys().cloned().collect();
        let difference: Vec<_> = wanted.symmetric_difference(&found).collect();
        if difference.is_empty() {
            Ok(())
        } else {
            Err(format!("only in the list of suites or only in the table: {difference:?}"))
        }
    }

    /// Replaces the table in the document.
    ///
    /// # Errors
    /// If a suite has no row, or the document lacks the marks or cannot be written.
    pub(crate) fn write(&self, suites: &[Suite]) -> Result<(), String> {
        let text = std::fs::read_to_string(document()).map_err(|error| error.to_string())?;
        let [before, _, after] = parts(&text).ok_or_else(|| format!("{DOCUMENT} lacks the lines {MARKS:?}"))?;
        let mut table = HEAD.to_owned();
        for suite in suites {
            let row = self.rows.get(&name(suite)).ok_or_else(|| format!("{:?} has not run", name(suite)))?;
            table.push_str(&format!("| {} |\n", row.join(" | ")));
        }
        let page = [before, MARKS[0], &table, MARKS[1], after].concat();
        std::fs::write(document(), page).map_err(|error| error.to_string())
    }
}

fn name(suite: &Suite) -> (String, String) {
    (suite.client.to_owned(), suite.channel.name())
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
    [suite.client, &report.version, &suite.channel.name(), &names.join(", "), &result].map(cell)
}

fn document() -> PathBuf {
    folder().join("..").join(DOCUMENT)
}

/// The document before the table, the table, and the document after it.
fn parts(text: &str) -> Option<[&str; 3]> {
    let (before, rest) = text.split_once(MARKS[0])?;
    let (table, after) = rest.split_once(MARKS[1])?;
    Some([before, table, after])
}
