//! Every source opens with a comment that says what the file owns.

use super::{Finding, tree::Tree};

pub(super) const REMEDY: &str = "open the file with what it owns and what it refuses, in a line or two";

/// Finds Rust sources without `//!` and scripts without a comment at their top.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    // Declarations own nothing.
    let scripts =
        tree.below("js/", ".ts").filter(|file| !file.path.ends_with(".d.ts")).chain(tree.below("js/", ".mjs"));
    let silent_script = scripts
        .filter(|file| !file.text.starts_with("//") && !file.text.starts_with("/*") && !file.text.starts_with("#!"));
    let silent_source = tree.below("", ".rs").filter(|file| !file.text.starts_with("//!"));
    let missing = |path: &str| Finding::at(path, 1, "the file does not say what it is for");
    silent_source.chain(silent_script).map(|file| missing(&file.path)).collect()
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::tree::Tree;

    #[test]
    fn a_source_without_a_head_is_found() {
        let tree = Tree::of(&[
            ("core/src/a.rs", "//! Bounds.\n"),
            ("core/src/b.rs", "use crate::a;\n"),
            ("js/src/c.ts", "// Cache.\n"),
            ("js/src/d.ts", "export {};\n"),
        ]);
        let found: Vec<String> = check(&tree).into_iter().map(|finding| finding.path).collect();
        assert_eq!(found, ["core/src/b.rs", "js/src/d.ts"]);
    }
}
