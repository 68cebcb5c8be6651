//! Limits on the length of files and functions, and on the files of a root.

use super::{
    Finding, javascript,
    tree::{File, Tree},
};

pub(super) const REMEDY: &str = "split the file by what its parts own, the function by its steps";

/// Lines of the longest file.
const FILE_LINES_MAX: usize = 600;
/// Lines of the longest function, from its signature to its closing brace.
const FUNCTION_LINES_MAX: usize = 80;
/// Half of the files have no more lines.
const MEDIAN_LINES_MAX: usize = 200;
/// Where the median is taken: everywhere, and in the two crates of the product.
const MEDIANS: [&str; 3] = ["", "core/src/", "host/src/"];
/// Files directly in a folder.
const FILES_MAX: [(&str, usize); 1] = [("host/src/", 14)];
/// Ends of the names of sources.
const ENDS: [&str; 3] = [".rs", ".ts", ".mjs"];

/// Finds files and functions that are too long, and roots with too many files.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in sources(tree, "") {
        let lines = file.text.lines().count();
        if lines > FILE_LINES_MAX {
            findings.push(Finding::of(&file.path, format!("{lines} lines, {FILE_LINES_MAX} are the limit")));
        }
        for (name, line, lines) in functions(file).into_iter().filter(|(_, _, lines)| *lines > FUNCTION_LINES_MAX) {
            let message = format!("`{name}` has {lines} lines, {FUNCTION_LINES_MAX} are the limit");
            findings.push(Finding::at(&file.path, line, message));
        }
    }
    for folder in MEDIANS {
        let mut lines: Vec<usize> = sources(tree, folder).map(|file| file.text.lines().count()).collect();
        lines.sort_unstable();
        if let Some(&median) = lines.get(lines.len() / 2).filter(|median| **median > MEDIAN_LINES_MAX) {
            findings.push(Finding::of(
                folder,
                format!("the median file has {median} lines, {MEDIAN_LINES_MAX} are the limit"),
            ));
        }
    }
    for (folder, files_max) in FILES_MAX {
        let files = sources(tree, folder).filter(|file| !file.path[folder.len()..].contains('/')).count();
        if files > files_max {
            findings.push(Finding::of(folder, format!("{files} files at the root, {files_max} are the limit")));
        }
    }
    findings
}

fn sources<'a>(tree: &'a Tree, folder: &'a str) -> impl Iterator<Item = &'a File> {
    tree.below(folder, "").filter(|file| ENDS.iter().any(|end| file.path.ends_with(end)))
}

/// Name, line and length of each function.
fn functions(file: &File) -> Vec<(String, usize, usize)> {
    match file.source() {
        Some(source) => source.functions.iter().map(|f| (f.name.clone(), f.line, f.lines)).collect(),
        None => javascript::functions(&file.text)
            .into_iter()
            .map(|(line, lines)| (file.text.lines().nth(line - 1).unwrap_or_default().trim().to_owned(), line, lines))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::{FILE_LINES_MAX, FUNCTION_LINES_MAX, MEDIAN_LINES_MAX, check};
    use crate::tidy::messages;

    #[test]
    fn a_long_function_is_found_in_any_language() {
        let body = "\n".repeat(FUNCTION_LINES_MAX - 1);
        let found = messages(
            check,
            &[
                ("core/src/a.rs", &format!("fn long() {{{body}\n}}\nfn short() {{{body}}}")),
                ("js/src/b.ts", &format!("function long() {{\n{body}}}\n")),
            ],
        );
        let limit = "has 81 lines, 80 are the limit";
        assert_eq!(
            found,
            [format!("core/src/a.rs:1: `long` {limit}"), format!("js/src/b.ts:1: `function long() {{` {limit}")]
        );
    }

    #[test]
    fn a_long_file_and_long_files_are_found() {
        let found = messages(
            check,
            &[
                ("xtask/src/a.rs", &"\n".repeat(FILE_LINES_MAX + 1)),
                ("xtask/src/b.rs", &"\n".repeat(MEDIAN_LINES_MAX)),
                ("xtask/src/c.rs", &"\n".repeat(MEDIAN_LINES_MAX)),
            ],
        );
        assert_eq!(found, ["xtask/src/a.rs: 601 lines, 600 are the limit"]);
        let found = messages(check, &[("host/src/a/b.rs", &"\n".repeat(MEDIAN_LINES_MAX + 1))]);
        assert_eq!(
            found.last().map(String::as_str),
            Some("host/src/: the median file has 201 lines, 200 are the limit")
        );
    }

    #[test]
    fn a_crowded_root_is_found() {
        let names: Vec<String> = (0..15).map(|n| format!("host/src/a{n}.rs")).collect();
        let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
        assert_eq!(messages(check, &files), ["host/src/: 15 files at the root, 14 are the limit"]);
        assert_eq!(messages(check, &files[1..]), Vec::<String>::new());
    }
}
