//! The modules of each crate, and the imports between its files.

use super::{
    rust::{Named, Source},
    tree::{File, Tree},
};
use std::collections::{BTreeMap, BTreeSet};

/// The crates whose inner order is checked: the folder of the sources, and the name in paths.
pub(super) const CRATES: [(&str, &str); 7] = [
    ("core/src/", "wasmcached_core"),
    ("wasm/src/", "wasmcached_wasm"),
    ("host/src/", "wasmcached"),
    ("tests/src/", "wasmcached_tests"),
    ("bench/src/", "wasmcached_bench"),
    ("xtask/src/", "xtask"),
    ("interleavings/src/", "wasmcached_interleavings"),
];

/// An import from one file by another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Import {
    /// The file that imports.
    pub(super) from: String,
    /// The file that is imported.
    pub(super) to: String,
    /// Where.
    pub(super) line: usize,
}

/// The modules of a crate.
pub(super) struct Modules<'a> {
    /// Files by the words of their modules; those of the root are none.
    files: BTreeMap<Vec<String>, &'a File>,
    /// Files that only tests compile.
    test_files: BTreeSet<&'a str>,
}

impl<'a> Modules<'a> {
    /// Those of the crate whose sources lie in the folder.
    pub(super) fn of(tree: &'a Tree, folder: &'a str) -> Self {
        let mut files = BTreeMap::new();
        for file in tree.below(folder, ".rs").filter(|file| !file.path[folder.len()..].starts_with("bin/")) {
            files.insert(module(&file.path[folder.len()..]), file);
        }
        let mut test_files = BTreeSet::new();
        for (words, file) in &files {
            for declared in file.source().into_iter().flat_map(|source| &source.modules).filter(|module| module.in_test)
            {
                let below = [words.as_slice(), std::slice::from_ref(&declared.name)].concat();
                let tests = files.iter().filter(|(words, _)| words.starts_with(&below));
                test_files.extend(tests.map(|(_, file)| file.path.as_str()));
            }
        }
        Self { files, test_files }
    }

    /// The files of the product, each with the words of its module.
    pub(super) fn files(&self) -> impl Iterator<Item = (&[String], &'a File)> {
        let product = self.files.iter().filter(|(_, file)| !self.test_files.contains(file.path.as_str()));
        product.map(|(words, file)| (words.as_slice(), *file))
    }

    /// Imports of the product between files of the crate, without those of a file by itself.
    pub(super) fn imports(&self) -> BTreeSet<Import> {
        let mut imports = BTreeSet::new();
        for (module, file) in self.files() {
            let Some(source) = file.source() else { continue };
            for named in source.named.iter().filter(|named| !named.in_test) {
                let Some(words) = absolute(module, named, source) else { continue };
                let Some(to) = self.file_of(&words).filter(|to| to.path != file.path) else { continue };
                imports.insert(Import { from: file.path.clone(), to: to.path.clone(), line: named.line });
            }
        }
        imports
    }

    /// The file of the longest part of a path that is a module.
    fn file_of(&self, words: &[String]) -> Option<&'a File> {
        (0..=words.len()).rev().find_map(|length| self.files.get(&words[..length]).copied())
    }
}

/// The words of the module in a file.
fn module(path: &str) -> Vec<String> {
    let path = path.trim_end_matches(".rs");
    let mut words: Vec<String> = path.split('/').map(str::to_owned).collect();
    if matches!(words.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        words.pop();
    }
    words
}

/// A path of the own crate from its root; none for other crates' paths.
fn absolute(module: &[String], named: &Named, source: &Source) -> Option<Vec<String>> {
    let mut words = named.words.as_slice();
    let alias;
    // A name that an import has brought into the file stands for the import's path.
    let (first, rest) = words.split_first()?;
    if named.inside.is_empty()
        && let Some((_, path)) = source.aliases.iter().find(|(name, path)| name == first && *path != named.words)
    {
        alias = [path.as_slice(), rest].concat();
        words = &alias;
    }
    let mut base = [module, &named.inside].concat();
    let (first, mut rest) = words.split_first()?;
    match first.as_str() {
        "crate" => base.clear(),
        "self" => {}
        "super" => {
            base.pop();
            while let Some((_, behind)) = rest.split_first().filter(|(first, _)| *first == "super") {
                base.pop();
                rest = behind;
            }
        }
        _ => return None,
    }
    base.extend_from_slice(rest);
    Some(base)
}

/// Whether one of two files is the module in which the other is declared.
pub(super) fn are_parent_and_child(one: &str, other: &str) -> bool {
    is_parent(one, other) || is_parent(other, one)
}

fn is_parent(parent: &str, child: &str) -> bool {
    let (parent, child) = (module(parent), module(child));
    // The root of a crate lies in `src`, like the modules that it declares.
    child.len() == parent.len() + 1 && child.starts_with(&parent)
}

#[cfg(test)]
mod tests {
    use super::{Import, Modules, are_parent_and_child};
    use crate::tidy::tree::Tree;

    fn imports(files: &[(&str, &str)]) -> Vec<(String, String)> {
        let tree = Tree::of(files);
        let short = |path: &str| path.trim_start_matches("core/src/").to_owned();
        let imports = Modules::of(&tree, "core/src/").imports();
        imports.iter().map(|Import { from, to, .. }| (short(from), short(to))).collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect()
    }

    #[test]
    fn paths_lead_to_files() {
        let found = imports(&[
            ("core/src/lib.rs", "mod a; mod b;"),
            ("core/src/a/mod.rs", "mod c; use self::c::C; use std::fmt;"),
            ("core/src/a/c.rs", "use super::A; use crate::b::{B, x::Y}; fn f() { super::super::b::f() }"),
            ("core/src/b.rs", "use crate::a::c; fn f() { c::g(); }"),
        ]);
        let expected = [("a/c.rs", "a/mod.rs"), ("a/c.rs", "b.rs"), ("a/mod.rs", "a/c.rs"), ("b.rs", "a/c.rs")];
        assert_eq!(found, pairs(&expected));
    }

    #[test]
    fn a_name_stands_for_the_path_of_its_import() {
        let found = imports(&[
            ("core/src/a.rs", "use crate::b; fn f() { b::c::g(); }"),
            ("core/src/b/mod.rs", ""),
            ("core/src/b/c.rs", ""),
        ]);
        assert_eq!(found, pairs(&[("a.rs", "b/c.rs"), ("a.rs", "b/mod.rs")]));
    }

    #[test]
    fn tests_import_what_they_like() {
        let found = imports(&[
            ("core/src/a.rs", "#[cfg(test)] mod tests { use crate::b::B; }"),
            ("core/src/b.rs", "#[cfg(test)] mod tests;"),
            ("core/src/b/tests.rs", "use crate::a::A;"),
        ]);
        assert_eq!(found, []);
    }

    #[test]
    fn families_are_known_by_their_folders() {
        assert!(are_parent_and_child("core/src/a/mod.rs", "core/src/a/b.rs"));
        assert!(are_parent_and_child("core/src/a/b.rs", "core/src/a/mod.rs"));
        assert!(are_parent_and_child("core/src/a/b/mod.rs", "core/src/a/mod.rs"));
        assert!(are_parent_and_child("core/src/lib.rs", "core/src/a.rs"));
        assert!(!are_parent_and_child("core/src/a/b.rs", "core/src/a/c.rs"));
        assert!(!are_parent_and_child("core/src/lib.rs", "core/src/a/c.rs"));
    }
}
