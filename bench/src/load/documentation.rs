//! Writes `docs/reference/benchmarks.md` and its picture.

use std::path::Path;

use super::findings::Findings;
use super::plot;
use super::report::markdown;
use crate::outcome::Outcome;
use crate::page::Page;

const PAGE: Page = Page { name: "benchmarks.md", title: "Benchmarks", command: "cargo xtask bench -- --write-docs" };
const PICTURE: &str = "../images/cpu-ratio.svg";

/// Replaces the generated part of the page in the folder `docs/reference`, and its picture.
pub fn write(folder: &Path, findings: &Findings) -> Outcome<()> {
    PAGE.write(folder, &markdown(findings, PICTURE), &[(PICTURE, plot::cpu_ratios(findings))])
}
