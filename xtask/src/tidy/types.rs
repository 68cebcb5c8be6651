//! One name of a type, one meaning in the product: a reader who has met the name knows the type.

use super::{Finding, modules::Modules, tree::Tree};
use std::collections::BTreeMap;

pub(super) const REMEDY: &str = "say in the name what tells the types apart; two sides of one thing may share it by the \
    table in xtask/src/tidy/types.rs";

/// The crates of the product.
const FOLDERS: [&str; 3] = ["core/src/", "host/src/", "wasm/src/"];

/// Names that belong to two sides of one thing, and what it is.
const SHARED: [(&str, &str); 6] = [
    ("Connection", "a socket of the host, and its conversation in the front"),
    ("Front", "the front, and the host's handle of it"),
    ("Shard", "the shard, and the host's handle of it"),
    ("Desk", "the desk of a thread, the guest's buffers for it, and the host's handle of it"),
    ("Run", "commands for a shard, and their place in guest memory"),
    ("Guest", "a guest of the host, and the guest's side of it"),
];

/// A file that stands in for others where a feature is off: it has the same names.
const STAND_INS: [&str; 1] = ["core/src/authentication/refusal.rs"];

/// Finds the second and every further type of a name.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut first: BTreeMap<&str, &str> = BTreeMap::new();
    let mut findings = Vec::new();
    for folder in FOLDERS {
        for (_, file) in Modules::of(tree, folder).files().filter(|(_, file)| !STAND_INS.contains(&file.path.as_str()))
        {
            let types = file.source().into_iter().flat_map(|source| &source.types).filter(|item| !item.in_test);
            for item in types.filter(|item| SHARED.iter().all(|(name, _)| *name != item.name)) {
                let other = first.entry(&item.name).or_insert(&file.path);
                // One file may have a type twice, for two operating systems.
                if *other != file.path {
                    let message = format!("`{}` is a type of {other} as well", item.name);
                    findings.push(Finding::at(&file.path, item.line, message));
                }
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::tree::Tree;

    #[test]
    fn a_name_with_two_meanings_is_found() {
        let tree = Tree::of(&[
            ("core/src/a.rs", "pub struct Style; struct Own; pub struct Front;"),
            ("core/src/b.rs", "pub struct Other;\npub(crate) enum Style {}"),
            ("host/src/c.rs", "struct Style; pub struct Front; #[cfg(test)] mod tests { pub struct Other; }"),
            ("host/src/d.rs", "#[cfg(unix)] pub struct Own; #[cfg(windows)] pub struct Own;"),
        ]);
        let found: Vec<String> = check(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["core/src/b.rs:2: `Style` is a type of core/src/a.rs as well"]);
    }
}
