//! `cargo xtask tidy`: the rules that keep the house in order. One file a rule, each with a table at its top.

mod circles;
mod comments;
mod dialect;
mod directions;
mod heads;
mod javascript;
mod links;
mod modules;
mod prose;
mod protocol_words;
mod rust;
mod sizes;
mod tree;
mod types;
mod unsafe_code;

use crate::{
    machine,
    runners::{Report, Suite},
    step::Outcome,
};
use std::{
    fmt,
    path::{Path, PathBuf},
};
use tree::Tree;

/// One place that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    /// The file, from the root.
    path: String,
    /// Counted from one; none for the whole file.
    line: Option<usize>,
    /// The fault.
    message: String,
}

impl Finding {
    fn at(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line: Some(line), message: message.into() }
    }

    fn of(path: &str, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line: None, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path, self.message),
            None => write!(f, "{}: {}", self.path, self.message),
        }
    }
}

/// A rule of the house.
struct Rule {
    /// The rule in words.
    name: &'static str,
    /// Advice where the rule is broken.
    remedy: &'static str,
    /// Finds every place that breaks it.
    check: fn(&Tree) -> Vec<Finding>,
}

const RULES: [Rule; 12] = [
    Rule { name: "every source can be read", remedy: "rustfmt says more", check: Tree::unreadable },
    Rule { name: "imports point one way", remedy: directions::REMEDY, check: directions::check },
    Rule { name: "no circle of imports", remedy: circles::REMEDY, check: circles::check },
    Rule { name: "files and functions stay small", remedy: sizes::REMEDY, check: sizes::check },
    Rule { name: "unsafe code stays where it is", remedy: unsafe_code::REMEDY, check: unsafe_code::check },
    Rule { name: "the host speaks no protocol", remedy: protocol_words::REMEDY, check: protocol_words::check },
    Rule { name: "one file touches guest memory in js/", remedy: javascript::REMEDY, check: javascript::check },
    Rule { name: "a source opens with what it owns", remedy: heads::REMEDY, check: heads::check },
    Rule { name: "names are the field's words", remedy: dialect::REMEDY, check: dialect::check },
    Rule { name: "one name of a type, one meaning", remedy: types::REMEDY, check: types::check },
    Rule { name: "comments are read once", remedy: prose::REMEDY, check: prose::check },
    Rule { name: "links and paths are alive", remedy: links::REMEDY, check: links::check },
];

/// `cargo xtask tidy [FOLDER]`: this repository, or another tree.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let root = match arguments {
        [] => machine::root(),
        [folder] => PathBuf::from(folder),
        _ => return Err(format!("takes one folder or nothing, but was given {arguments:?}")),
    };
    check(&root, &mut Report::default())
}

/// Checks every rule; each counts as a test.
pub(crate) fn check(root: &Path, report: &mut Report) -> Outcome {
    let tree = Tree::read(root)?;
    let mut suite = Suite::new("tidy");
    for rule in &RULES {
        suite.verdict(rule.name, verdict(rule, &tree));
    }
    suite.close(report)
}

fn verdict(rule: &Rule, tree: &Tree) -> Outcome {
    let findings = (rule.check)(tree);
    if findings.is_empty() {
        return Ok(());
    }
    let mut lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
    lines.push(format!("{} in all. What to do: {}", findings.len(), rule.remedy));
    Err(lines.join("\n    "))
}

/// The findings of a rule on a tree of these files, as lines, for the tests of the rules.
#[cfg(test)]
fn messages(check: fn(&Tree) -> Vec<Finding>, files: &[(&str, &str)]) -> Vec<String> {
    check(&Tree::of(files)).iter().map(Finding::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::{RULES, Rule, Tree, verdict};

    #[test]
    fn a_broken_rule_names_the_places_and_what_to_do() {
        let tree = Tree::of(&[("core/src/lib.rs", "fn broken( {")]);
        let rule = &RULES[0];
        let message = verdict(rule, &tree).expect_err("it cannot be read");
        assert!(message.starts_with("core/src/lib.rs:1: ") && message.ends_with(rule.remedy), "{message}");
        assert_eq!(verdict(rule, &Tree::of(&[])), Ok(()));
    }

    #[test]
    fn every_rule_fails_on_a_broken_tree() {
        let long = format!("function f() {{\n{}}}\n", "\n".repeat(80));
        let broken: [&[(&str, &str)]; RULES.len()] = [
            &[("core/src/lib.rs", "fn broken( {")],
            &[("core/src/limits.rs", "use crate::store::Store;"), ("core/src/store/mod.rs", "")],
            &[("core/src/clock.rs", "use crate::hash::H;"), ("core/src/hash.rs", "use crate::clock::C;")],
            &[("js/src/a.ts", &long)],
            &[("core/src/hash.rs", "fn f() { unsafe { g() } }")],
            &[("host/src/ping.rs", "const HIT: &[u8] = b\"VALUE key\";")],
            &[("js/src/b.ts", "memory.buffer"), ("js/src/a.ts", "memory.buffer")],
            &[("core/src/hash.rs", "use core::fmt;")],
            &[("core/src/hash.rs", "struct Tally;")],
            &[("core/src/hash.rs", "pub struct Step;"), ("core/src/clock.rs", "pub struct Step;")],
            &[("xtask/src/a.rs", "// What it says now nobody hears.")],
            &[("README.md", "[docs](docs/gone.md)")],
        ];
        for (rule, files) in RULES.iter().zip(broken) {
            let message = verdict(rule, &Tree::of(files)).expect_err(rule.name);
            assert!(message.contains(files[0].0) && message.contains(rule.remedy), "{}: {message}", rule.name);
            assert_eq!(verdict(rule, &Tree::of(&[])), Ok(()), "{}", rule.name);
        }
    }

    #[test]
    fn rules_have_names_of_their_own() {
        let count = |name: &str| RULES.iter().filter(|rule: &&Rule| rule.name == name).count();
        assert!(RULES.iter().all(|rule| count(rule.name) == 1 && !rule.remedy.is_empty()));
    }
}
