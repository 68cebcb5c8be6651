//! Holds the tables of verbs in `docs/internals/boundary.md` to the exports of the module.

use std::{collections::BTreeMap, path::Path};

const PAGE: &str = "docs/internals/boundary.md";

/// The section of the page about the other module.
const SHARED_SECTION: &str = "\n## The module for many threads\n";

/// The modules of the page.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Described {
    /// All of the page, except for one section.
    SingleThreaded,
    /// That section.
    Shared,
}

/// Compares the functions of the module, with their types, with the signatures of the page.
///
/// # Errors
/// The functions that differ.
pub(crate) fn check(described: Described, functions: &BTreeMap<String, String>) -> Result<(), String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(PAGE);
    let page = std::fs::read_to_string(path).map_err(|error| format!("{PAGE}: {error}"))?;
    let page = page.replace("\r\n", "\n");
    let (before, rest) = page.split_once(SHARED_SECTION).ok_or(format!("{PAGE} lacks{SHARED_SECTION}"))?;
    let (section, after) = rest.split_once("\n## ").ok_or(format!("{PAGE} ends with{SHARED_SECTION}"))?;
    let parts = if described == Described::Shared { [section, ""] } else { [before, after] };
    let cells = parts.into_iter().flat_map(str::lines).filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    let verbs: BTreeMap<String, String> = cells.filter_map(|(cell, _)| signature(cell)).collect();
    let differences = verbs.iter().filter(|(name, ty)| functions.get(*name) != Some(ty));
    let mut differences: Vec<_> = differences.map(|(name, ty)| format!("`{name}` has not the type `{ty}`")).collect();
    let unnamed = functions.keys().filter(|name| !verbs.contains_key(*name));
    differences.extend(unnamed.map(|name| format!("`{name}` is not on the page")));
    if differences.is_empty() { Ok(()) } else { Err(format!("{PAGE}: {}", differences.join(", "))) }
}

/// Name and type of `name(argument, argument: u64) -> result`; `None` for a cell that is no signature.
fn signature(cell: &str) -> Option<(String, String)> {
    let (name, rest) = cell.split_once('(')?;
    let (arguments, result) = rest.split_once(')')?;
    if arguments.contains('…') || result.contains('`') {
        return None;
    }
    let ty = |text: &str| if text.ends_with("64") { "i64" } else { "i32" };
    let arguments = arguments.split(", ").filter(|argument| !argument.is_empty());
    let parameters = arguments.map(|argument| format!("{} ", ty(argument))).collect::<String>();
    let results = if result.is_empty() { String::new() } else { format!(" {}", ty(result)) };
    Some((name.to_owned(), format!("{parameters}->{results}")))
}
