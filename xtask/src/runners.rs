//! Runs test runners of several languages. Their output streams through; their summaries are collected and added up.

use crate::step::{Outcome, described};
use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

/// The sum of all runners.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// Tests that passed.
    pub(crate) passed: u64,
    /// Tests that failed.
    pub(crate) failed: u64,
    /// The runners' own summary lines.
    pub(crate) summaries: Vec<String>,
    /// Messages of tests that failed, repeated for a reader who has only the end of the output.
    pub(crate) details: Vec<String>,
    /// Lines of the current message that may still be collected.
    details_left: usize,
}

/// Reason that tests of Node give if something is missing on this machine. A total without them would look complete.
const NOT_AVAILABLE: &str = "# not available: ";

/// Longest collected message of a test that failed.
const DETAIL_LINES_MAX: usize = 40;

impl Report {
    /// Runs a test runner and adds what it reports.
    ///
    /// # Errors
    /// If the runner fails, or reports no test at all.
    pub(crate) fn run(&mut self, command: &mut Command) -> Outcome {
        let before = self.passed + self.failed;
        self.add(command)?;
        if self.passed + self.failed == before {
            return Err(format!("`{}` reported no tests", described(command)));
        }
        Ok(())
    }

    /// Runs a test runner, which may have no tests, and adds what it reports.
    ///
    /// # Errors
    /// If the runner fails.
    pub(crate) fn add(&mut self, command: &mut Command) -> Outcome {
        let name = described(command);
        let mut child = command.stdout(Stdio::piped()).spawn().map_err(|error| format!("`{name}`: {error}"))?;
        if let Some(stdout) = child.stdout.take() {
            for line in BufReader::new(stdout).split(b'\n') {
                let line = line.map_err(|error| format!("`{name}`: {error}"))?;
                let mut out = std::io::stdout().lock();
                out.write_all(&line).and_then(|()| out.write_all(b"\n")).map_err(|error| error.to_string())?;
                self.read(&String::from_utf8_lossy(&line));
            }
        }
        let status = child.wait().map_err(|error| format!("`{name}`: {error}"))?;
        if !status.success() {
            return Err(format!("`{name}` ended with {status}"));
        }
        Ok(())
    }

    /// Counts one test that has no runner.
    pub(crate) fn count(&mut self, name: &str, passed: bool) {
        self.passed += u64::from(passed);
        self.failed += u64::from(!passed);
        self.summaries.push(format!("{name}: {}", if passed { "passed" } else { "failed" }));
    }

    /// Runs a program that is one test and writes its failure to the error output.
    ///
    /// # Errors
    /// If the program fails.
    pub(crate) fn run_one(&mut self, test: &str, command: &mut Command) -> Outcome {
        let name = described(command);
        let outcome = (|| {
            let mut child = command.stderr(Stdio::piped()).spawn().map_err(|error| format!("`{name}`: {error}"))?;
            let mut last = VecDeque::new();
            if let Some(stderr) = child.stderr.take() {
                for line in BufReader::new(stderr).split(b'\n') {
                    let line = line.map_err(|error| format!("`{name}`: {error}"))?;
                    let line = String::from_utf8_lossy(&line).into_owned();
                    eprintln!("{line}");
                    last.push_back(line);
                    if last.len() > DETAIL_LINES_MAX {
                        last.pop_front();
                    }
                }
            }
            let status = child.wait().map_err(|error| format!("`{name}`: {error}"))?;
            if status.success() {
                return Ok(());
            }
            self.details.push(format!("{test}:"));
            self.details.extend(last);
            Err(format!("`{name}` ended with {status}"))
        })();
        self.count(test, outcome.is_ok());
        outcome
    }

    /// Adds a line to the summaries for tests that were not run.
    pub(crate) fn not_run(&mut self, what: &str) {
        println!("{what}");
        self.summaries.push(what.to_owned());
    }

    /// Reads a line of a runner's output: totals are added, messages of failures collected.
    pub(crate) fn read(&mut self, line: &str) {
        let plain = without_colours(line);
        let plain = plain.trim();
        self.read_details(plain);
        if plain.contains(NOT_AVAILABLE) || plain.starts_with("– ") {
            // The matrix of the npm package could not try something.
            self.summaries.push(plain.to_owned());
        }
        let Some((passed, failed)) = libtest(plain).or_else(|| node(plain)).or_else(|| vitest(plain)) else { return };
        self.passed += passed;
        self.failed += failed;
        self.summaries.push(plain.to_owned());
    }

    /// Rust's runner prints the message of a failure below the name of the test; Node's and Vitest's mark the names.
    fn read_details(&mut self, plain: &str) {
        if plain.starts_with("---- ") && plain.ends_with(" ----") {
            self.details_left = DETAIL_LINES_MAX;
        } else if plain == "failures:" || plain.starts_with("test result: ") {
            self.details_left = 0;
        }
        if self.details_left > 0 {
            self.details_left -= 1;
            self.details.push(plain.to_owned());
        } else if plain.starts_with("✖ ") || plain.starts_with("FAIL ") {
            self.details.push(plain.to_owned());
        }
    }
}

/// Tests of this tool itself, in the format of Rust's runner.
pub(crate) struct Suite {
    name: &'static str,
    passed: u64,
    /// The failed tests with their messages.
    failures: Vec<String>,
}

impl Suite {
    /// A suite without tests.
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, passed: 0, failures: Vec::new() }
    }

    /// Prints the result of a test and counts it.
    pub(crate) fn verdict(&mut self, test: &str, outcome: Outcome) {
        let word = if outcome.is_ok() { "ok" } else { "FAILED" };
        println!("test {}: {test} ... {word}", self.name);
        match outcome {
            Ok(()) => self.passed += 1,
            Err(message) => {
                println!("    {message}");
                self.failures.push(format!("{}: {test}: {message}", self.name));
            }
        }
    }

    /// Prints the summary and adds it to the report.
    ///
    /// # Errors
    /// If a test failed, or the suite has none.
    pub(crate) fn close(self, report: &mut Report) -> Outcome {
        let Self { name, passed, failures } = self;
        let failed = failures.len();
        let word = if failed == 0 { "ok" } else { "FAILED" };
        let line = format!("test result: {word}. {passed} passed; {failed} failed; {name}");
        println!("{line}");
        report.read(&line);
        report.details.extend(failures);
        match (passed, failed) {
            (0, 0) => Err(format!("{name}: no tests")),
            (_, 0) => Ok(()),
            _ => Err(format!("{failed} tests failed")),
        }
    }
}

/// `test result: ok. 3 passed; 0 failed; …`
fn libtest(line: &str) -> Option<(u64, u64)> {
    let rest = line.strip_prefix("test result: ")?;
    Some((before(rest, " passed")?, before(rest, " failed")?))
}

/// `ℹ pass 3` and `ℹ fail 0`, or the same after `#`.
fn node(line: &str) -> Option<(u64, u64)> {
    let rest = line.strip_prefix("ℹ ").or_else(|| line.strip_prefix("# "))?;
    if let Some(passed) = rest.strip_prefix("pass ") {
        return Some((passed.parse().ok()?, 0));
    }
    Some((0, rest.strip_prefix("fail ")?.parse().ok()?))
}

/// `Tests  1 failed | 3 passed (4)`
fn vitest(line: &str) -> Option<(u64, u64)> {
    let rest = line.strip_prefix("Tests ")?;
    let (passed, failed) = (before(rest, " passed"), before(rest, " failed"));
    (passed.is_some() || failed.is_some()).then(|| (passed.unwrap_or(0), failed.unwrap_or(0)))
}

/// The number right before a word.
fn before(text: &str, word: &str) -> Option<u64> {
    let (head, _) = text.split_once(word)?;
    head.rsplit(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

/// A line without the escape sequences that colour it.
fn without_colours(line: &str) -> String {
    let mut plain = String::new();
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        if letter == '\u{1b}' {
            letters.find(char::is_ascii_alphabetic);
        } else {
            plain.push(letter);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::{Report, Suite};

    #[test]
    fn summaries_of_all_runners_are_counted() {
        let mut report = Report::default();
        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s",
            "failures:",
            "---- one stdout ----",
            "expected 1",
            "failures:",
            "    one",
            "\u{1b}[34mℹ pass 4\u{1b}[39m",
            "# fail 5",
            "\u{1b}[2m      Tests \u{1b}[22m \u{1b}[1m\u{1b}[31m1 failed\u{1b}[39m | \u{1b}[32m10 passed\u{1b}[39m (11)",
            "test of pass 9",
        ] {
            report.read(line);
        }
        assert_eq!((report.passed, report.failed, report.summaries.len()), (19, 7, 5));
        assert_eq!(report.details, ["---- one stdout ----", "expected 1"]);
    }

    #[test]
    fn tests_that_are_not_available_are_named() {
        let mut report = Report::default();
        report.read("﹣ firefox (0.09ms) # not available: no firefox on this machine");
        report.read("﹣ other (0.01ms) # SKIP");
        assert_eq!(report.summaries, ["﹣ firefox (0.09ms) # not available: no firefox on this machine"]);
        assert_eq!((report.passed, report.failed), (0, 0));
    }

    #[test]
    fn own_tests_are_counted_like_those_of_a_runner() {
        let mut report = Report::default();
        let mut suite = Suite::new("one");
        suite.verdict("good", Ok(()));
        assert_eq!(suite.close(&mut report), Ok(()));
        let mut suite = Suite::new("two");
        suite.verdict("good", Ok(()));
        suite.verdict("bad", Err("reason".to_owned()));
        assert!(suite.close(&mut report).is_err());
        assert!(Suite::new("none").close(&mut report).is_err());
        assert_eq!((report.passed, report.failed, report.summaries.len()), (2, 1, 3));
        assert_eq!(report.details, ["two: bad: reason"]);
    }
}
