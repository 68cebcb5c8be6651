//! One file of the npm package touches the memory of each engine: every view on it is empty after a call that grew the memory.

use super::{Finding, modules::Import, tree::Tree};
use std::collections::BTreeSet;

pub(super) const REMEDY: &str = "have the class that owns the instance copy the bytes, and call that";

/// The folder of the sources.
const FOLDER: &str = "js/src/";
/// The property that leads to the bytes.
const BYTES: &str = "memory.buffer";

/// The files that own the memory of the cache's engine and of the decoder of engines. The other engine has one owner as well.
const OWNERS: [&str; 2] = ["js/src/memory.ts", "js/src/entry/decoder.ts"];

/// Finds every file but these three that names the bytes of the memory.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut owner = None;
    let mut findings = Vec::new();
    for file in tree.below(FOLDER, ".ts").filter(|file| !OWNERS.contains(&&*file.path)) {
        let Some(line) = file.text.lines().position(|line| line.contains(BYTES)) else { continue };
        match owner {
            None => owner = Some(&file.path),
            Some(owner) => {
                let message = format!("touches guest memory, which `{owner}` does already");
                findings.push(Finding::at(&file.path, line + 1, message));
            }
        }
    }
    findings
}

/// The imports between the package's files.
pub(super) fn imports(tree: &Tree) -> BTreeSet<Import> {
    let mut imports = BTreeSet::new();
    for file in tree.below(FOLDER, ".ts") {
        for (index, line) in file.text.lines().enumerate() {
            let Some(name) = imported(line) else { continue };
            let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let to = super::links::join(folder, &name.replace(".js", ".ts"));
            if tree.file(&to).is_some() {
                imports.insert(Import { from: file.path.clone(), to, line: index + 1 });
            }
        }
    }
    imports
}

/// The relative path that a line of a script imports.
fn imported(line: &str) -> Option<&str> {
    let line = line.trim();
    let (_, behind) = line.split_once("from ").filter(|_| line.starts_with(['i', 'e', '}']))?;
    let name = behind.trim_start_matches(['\'', '"']).split(['\'', '"']).next()?;
    // Types leave nothing behind when the script is compiled.
    (name.starts_with('.') && !line.starts_with("import type")).then_some(name)
}

/// Functions of a script: where each begins, and how many lines it has. Formatted sources close a body at the indentation
/// of the line that opened it.
pub(super) fn functions(text: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let indentation = |line: &str| line.len() - line.trim_start().len();
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate().filter(|(_, line)| opens_function(line)) {
        let own = indentation(line);
        let end =
            lines[index + 1..].iter().position(|line| indentation(line) == own && line.trim_start().starts_with('}'));
        found.extend(end.map(|end| (index + 1, end + 2)));
    }
    found
}

fn opens_function(line: &str) -> bool {
    let line = line.trim();
    let Some(head) = line.strip_suffix('{').map(str::trim_end) else { return false };
    // A suite of tests is a list, like a module.
    if head.starts_with("suite(") {
        return false;
    }
    if head.ends_with("=>") || head.contains("function") {
        return true;
    }
    let first = head.split([' ', '(']).next().unwrap_or_default();
    let is_statement = ["if", "for", "while", "switch", "catch", "return", "}", "else", "do", "try"].contains(&first);
    head.contains('(') && head.contains(')') && !is_statement
}

#[cfg(test)]
mod tests {
    use super::{check, functions, imports};
    use crate::tidy::tree::Tree;

    #[test]
    fn a_second_file_that_touches_memory_is_found() {
        let tree = Tree::of(&[
            ("js/src/cache.ts", "a;\nnew Uint8Array(this.exports.memory.buffer);"),
            ("js/src/guest.ts", "x(memory.buffer);"),
            ("js/src/other.ts", "memory.length;"),
            ("js/test/a.mjs", "memory.buffer"),
        ]);
        let found: Vec<String> = check(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["js/src/guest.ts:1: touches guest memory, which `js/src/cache.ts` does already"]);
    }

    #[test]
    fn imports_of_scripts_lead_to_files() {
        let text = "import { a } from './b.js';\nimport type { T } from './t.js';\nimport x from 'node:fs';\n";
        let tree = Tree::of(&[("js/src/a.ts", text), ("js/src/b.ts", ""), ("js/src/t.ts", "")]);
        let found: Vec<String> = imports(&tree).into_iter().map(|import| import.to).collect();
        assert_eq!(found, ["js/src/b.ts"]);
    }

    #[test]
    fn functions_of_scripts_are_measured() {
        let text = "export function a(x) {\n  if (x) {\n  }\n}\nclass B {\n  get c() {\n    return 1;\n  }\n}\nconst d = () => {\n};\n";
        assert_eq!(functions(text), [(1, 4), (6, 3), (10, 2)]);
    }
}
