//! No circle of imports between files. A module and the modules that it declares may name each other.

use super::{
    Finding, javascript,
    modules::{CRATES, Import, Modules, are_parent_and_child},
    tree::Tree,
};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const REMEDY: &str = "move what both files need into a file below both of them, or pass it as an argument";

/// Finds the circles of each crate, and of the npm package.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (folder, _) in CRATES {
        findings.extend(circles(&Modules::of(tree, folder).imports()));
    }
    findings.extend(circles(&javascript::imports(tree)));
    findings
}

fn circles(imports: &BTreeSet<Import>) -> Vec<Finding> {
    let mut next: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for import in imports.iter().filter(|import| !are_parent_and_child(&import.from, &import.to)) {
        next.entry(&import.from).or_default().insert(&import.to);
    }
    let mut reported = BTreeSet::new();
    let mut findings = Vec::new();
    for &start in next.keys() {
        let Some(circle) = shortest_circle(start, &next) else { continue };
        let mut members = circle.clone();
        members.sort_unstable();
        if reported.insert(members) {
            let line = imports.iter().find(|import| import.from == start && import.to == circle[1 % circle.len()]);
            let names = circle.iter().chain(&circle[..1]).copied().collect::<Vec<_>>().join(" -> ");
            findings.push(Finding::at(start, line.map_or(1, |import| import.line), format!("a circle: {names}")));
        }
    }
    findings
}

/// The shortest way from a file back to itself.
fn shortest_circle<'a>(start: &'a str, next: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> Option<Vec<&'a str>> {
    let mut before: BTreeMap<&str, &str> = BTreeMap::new();
    let mut reached = vec![start];
    while !reached.is_empty() {
        let mut further = Vec::new();
        for &from in &reached {
            for &to in next.get(from).into_iter().flatten() {
                if to == start {
                    let mut circle = vec![from];
                    while let Some(&earlier) = before.get(circle[circle.len() - 1]) {
                        circle.push(earlier);
                    }
                    circle.reverse();
                    return Some(circle);
                }
                if !before.contains_key(to) {
                    before.insert(to, from);
                    further.push(to);
                }
            }
        }
        reached = further;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::messages;

    #[test]
    fn a_circle_of_three_files_is_found_once() {
        let found = messages(
            check,
            &[
                ("host/src/main.rs", "mod a; mod b; mod c;"),
                ("host/src/a.rs", "\nuse crate::b::B;"),
                ("host/src/b.rs", "use crate::c::C;"),
                ("host/src/c.rs", "use crate::a::A;"),
            ],
        );
        let circle = "host/src/a.rs -> host/src/b.rs -> host/src/c.rs -> host/src/a.rs";
        assert_eq!(found, [format!("host/src/a.rs:2: a circle: {circle}")]);
    }

    #[test]
    fn a_module_and_its_children_may_name_each_other() {
        let found = messages(
            check,
            &[
                ("core/src/a/mod.rs", "mod b; mod c; use b::B; use self::c::C;"),
                ("core/src/a/b.rs", "use super::A;"),
                ("core/src/a/c.rs", "use super::b::B; use super::A;"),
            ],
        );
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn children_may_not_import_each_other_in_a_circle() {
        let found =
            messages(check, &[("core/src/a/b.rs", "use super::c::C;"), ("core/src/a/c.rs", "use super::b::B;")]);
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn scripts_are_checked_as_well() {
        let found = messages(
            check,
            &[("js/src/a.ts", "import { b } from './b.js';"), ("js/src/b.ts", "export * from \"./a.js\";")],
        );
        assert_eq!(found.len(), 1);
    }
}
