//! Writes `docs/reference/miss-ratios.md` and its picture.

use std::path::Path;

use super::capacity::Capacity;
use super::compare::LoadResult;
use super::{plot, report};
use crate::outcome::Outcome;
use crate::page::Page;

const PAGE: Page =
    Page { name: "miss-ratios.md", title: "Miss ratios", command: "cargo xtask bench hit-ratio --write-docs" };
const PICTURE: &str = "../images/miss-ratio.svg";

/// Results of a run.
#[derive(Debug, Default)]
pub struct Findings {
    /// Versions, command and date, one per line.
    pub circumstances: Vec<(&'static str, String)>,
    /// Results by load.
    pub results: Vec<LoadResult>,
    /// How many items fit, by value size.
    pub capacities: Vec<Capacity>,
}

/// Replaces the generated part of the page in the folder `docs/reference`, and its picture.
pub fn write(folder: &Path, findings: &Findings) -> Outcome<()> {
    let picture = plot::curves(&findings.results)?;
    PAGE.write(folder, &markdown(findings), &[(PICTURE, picture)])
}

fn markdown(findings: &Findings) -> String {
    let lines = |lines: Vec<String>| lines.iter().map(|line| format!("- {line}\n")).collect::<String>();
    let circumstances = findings.circumstances.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let loads: String = findings.results.iter().map(report::markdown_load).collect();
    format!(
        "{}\n## The worst\n\n{}\n## The curves\n\n![Miss ratios over cache sizes]({PICTURE})\n\n\
         ## Items in `-m {}`\n\n{}\n## Each load\n\n{loads}",
        lines(circumstances),
        lines(report::summary(&findings.results)),
        super::capacity::LIMIT_MIB,
        report::markdown_capacity(&findings.capacities),
    )
}
