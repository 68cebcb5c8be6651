//! Writes `docs/reference/many-cores.md` and its pictures.

use std::path::Path;

use super::samples::ScaleFindings;
use super::{plot, report};
use crate::outcome::Outcome;
use crate::page::Page;

const PAGE: Page = Page { name: "many-cores.md", title: "Many cores", command: "cargo xtask bench scale --write-docs" };
const PICTURES: [&str; 2] = ["../images/many-cores-rate.svg", "../images/many-cores-cpu.svg"];

/// Replaces the generated part of the page in `folder`, and its pictures.
pub fn write(folder: &Path, findings: &ScaleFindings) -> Outcome<()> {
    let rate = plot::by_threads(&findings.samples, "million keys a second, by server threads", |sample| {
        sample.keys_per_second() / 1e6
    })?;
    let cpu = plot::by_threads(&findings.samples, "server CPU microseconds a key, by server threads", |sample| {
        sample.median.cpu_us_key
    })?;
    let [of_rate, of_cpu] = PICTURES;
    PAGE.write(folder, &report::markdown(findings, PICTURES), &[(of_rate, rate), (of_cpu, cpu)])
}
