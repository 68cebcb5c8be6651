//! `cargo xtask test [PART …]`: sets up the needs of the parts, runs them, and closes with a true total.

mod needs;
mod parts;
mod targets;

use crate::{
    ahead,
    runners::Report,
    step::{Outcome, step},
};
use needs::Needs;
use parts::{PARTS, Part};
use std::time::Instant;
use targets::Executables;

/// `cargo xtask test`: every part that needs no name without arguments, else the parts that they name.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    if arguments.iter().any(|argument| matches!(argument.as_str(), "-h" | "--help" | "help")) {
        print!("{}", usage());
        return Ok(());
    }
    let chosen = choose(arguments)?;
    let wanted = Needs::union(chosen.iter().map(|part| part.needs));
    // One build for all parts: its features are those of the whole workspace, so nothing is compiled twice.
    let build = || arguments.is_empty().then(|| step("test programs", Executables::of_workspace));
    let (tools, executables) = needs::set_up(wanted, build)?;
    let _ahead = arguments.is_empty().then(ahead::start);
    let context = Context { tools, executables };
    let mut report = Report::default();
    let (mut failures, mut durations) = (Vec::new(), Vec::new());
    for part in chosen {
        let start = Instant::now();
        let failed_before = report.failed;
        if let Err(message) = step(part.name, || (part.run)(&context, &mut report)) {
            // A failure before the first test counts as one.
            report.failed += u64::from(report.failed == failed_before);
            failures.push(format!("{}: {message}", part.name));
        }
        durations.push(format!("{} {}", part.name, start.elapsed().as_secs()));
    }
    println!("\nseconds: {}", durations.join(", "));
    conclude(&report, &failures)
}

/// Shared by all parts.
pub(super) struct Context {
    tools: needs::Tools,
    /// The test programs of the whole workspace, if all parts run. A failed build fails the parts that need one.
    executables: Option<Outcome<Executables>>,
}

fn choose(names: &[String]) -> Outcome<Vec<&'static Part>> {
    if let Some(wrong) = names.iter().find(|name| PARTS.iter().all(|part| part.name != *name)) {
        return Err(format!("no part of the tests is called `{wrong}`\n\n{}", usage()));
    }
    let is_chosen = |part: &&Part| match names {
        [] => !part.is_by_name_only(),
        names => names.iter().any(|name| name == part.name),
    };
    Ok(PARTS.iter().filter(is_chosen).collect())
}

fn usage() -> String {
    let mut text = "usage: cargo xtask test [PART ...]\n\nWithout PART, every part in this order:\n\n".to_owned();
    let lines = |by_name_only| -> String {
        let parts = PARTS.iter().filter(|part| part.is_by_name_only() == by_name_only);
        parts.map(|part| format!("  {:<13} {}\n", part.name, part.summary)).collect()
    };
    text += &format!("{}\nOnly by name:\n\n{}", lines(false), lines(true));
    text
}

fn conclude(report: &Report, failures: &[String]) -> Outcome {
    println!();
    for summary in &report.summaries {
        println!("{summary}");
    }
    for detail in &report.details {
        println!("    {detail}");
    }
    for failure in failures {
        println!("failed: {failure}");
    }
    println!("{} passed, {} failed", report.passed, report.failed);
    if failures.is_empty() && report.failed == 0 { Ok(()) } else { Err("not everything passed".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::{PARTS, choose, usage};

    fn names(chosen: &[&str]) -> Result<Vec<&'static str>, String> {
        let names: Vec<String> = chosen.iter().map(|name| (*name).to_owned()).collect();
        choose(&names).map(|parts| parts.iter().map(|part| part.name).collect())
    }

    #[test]
    fn no_name_chooses_every_part_that_needs_none() {
        let chosen = names(&[]).expect("no name is wrong");
        let by_name_only = ["matrix"];
        assert_eq!(chosen.len(), PARTS.len() - by_name_only.len());
        for part in by_name_only {
            assert!(!chosen.contains(&part));
            assert_eq!(names(&[part]), Ok(vec![part]));
        }
    }

    #[test]
    fn parts_run_once_and_in_the_order_of_the_table() {
        assert_eq!(names(&["core", "format", "core"]), Ok(vec!["format", "core"]));
    }

    #[test]
    fn a_wrong_name_is_answered_with_all_names() {
        let message = names(&["core", "cores"]).expect_err("no such part");
        assert!(message.contains("`cores`") && message.contains(&usage()), "{message}");
    }

    #[test]
    fn every_part_is_listed() {
        assert!(PARTS.iter().all(|part| usage().contains(part.name)));
    }
}
