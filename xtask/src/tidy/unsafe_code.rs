//! Unsafe code lies in a few named files, and nowhere else.

use super::{Finding, tree::Tree};

pub(super) const REMEDY: &str = "write it without unsafe code, or in one of the files of the table in \
    xtask/src/tidy/unsafe_code.rs; a new file there is a decision of its own";

/// The files with unsafe code, or with leave for that of a macro, and why.
const FILES: [(&str, &str); 13] = [
    ("wasm/src/abi.rs", "exports and their pointers"),
    ("wasm/src/allocator.rs", "the allocator of the guest"),
    ("wasm/src/bench.rs", "exports of the store's loops, never shipped"),
    ("wasm/src/cache/mod.rs", "exports of the cache for JavaScript"),
    ("wasm/src/compare.rs", "the comparison of bytes, where no C library has it"),
    ("wasm/src/shared.rs", "reads memory that other threads write, to have it in the cache"),
    ("host/src/system/memory.rs", "advice about pages"),
    ("host/src/system/sockets.rs", "asks the system for the length of a send queue"),
    ("host/src/guest/code.rs", "loads machine code that this build has compiled"),
    ("host/src/guest/shared_memory.rs", "the memory that instances on many threads share"),
    ("host/src/service.rs", "a macro's entry point of a Windows service"),
    ("tests/tests/lines.rs", "compares the memory of a guest that does not run"),
    ("host/build/processor.rs", "asks the processor what it can do"),
];

/// Attributes that the roots of the crates must have.
const DECLARATIONS: [(&str, &str); 2] =
    [("core/src/lib.rs", "forbid(unsafe_code)"), ("host/src/main.rs", "deny(unsafe_code)")];

/// Finds unsafe code elsewhere, names without any, and roots that allow it.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.below("", ".rs") {
        let lines = file.source().map(|source| source.unsafe_lines.as_slice()).unwrap_or_default();
        let is_named = FILES.iter().any(|(path, _)| *path == file.path);
        if let Some(&line) = lines.first().filter(|_| !is_named) {
            findings.push(Finding::at(&file.path, line, "unsafe code in a file that is not named"));
        } else if is_named && lines.is_empty() {
            findings.push(Finding::of(&file.path, "has no unsafe code any more: take it off the table"));
        }
    }
    for (path, declaration) in DECLARATIONS {
        let Some(source) = tree.file(path).and_then(super::tree::File::source) else { continue };
        if !source.attributes.iter().any(|attribute| attribute == declaration) {
            findings.push(Finding::at(path, 1, format!("does not say `#![{declaration}]`")));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{FILES, check};
    use crate::tidy::messages;

    #[test]
    fn unsafe_code_in_another_file_is_found() {
        let found =
            messages(check, &[("tests/src/a.rs", "\nfn f() { unsafe { g() } }"), (FILES[0].0, "unsafe fn f() {}")]);
        assert_eq!(found, ["tests/src/a.rs:2: unsafe code in a file that is not named"]);
    }

    #[test]
    fn a_name_without_unsafe_code_is_found() {
        let found = messages(check, &[(FILES[0].0, "fn f() {}")]);
        assert_eq!(found, ["wasm/src/abi.rs: has no unsafe code any more: take it off the table"]);
    }

    #[test]
    fn the_core_forbids_unsafe_code() {
        let found =
            messages(check, &[("core/src/lib.rs", "#![no_std]\n"), ("host/src/main.rs", "#![deny(unsafe_code)]\n")]);
        assert_eq!(found, ["core/src/lib.rs:1: does not say `#![forbid(unsafe_code)]`"]);
    }
}
