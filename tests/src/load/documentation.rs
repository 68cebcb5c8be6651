//! Writes a report into `docs/benchmarks.md`, between two markers, and the picture beside it.

use std::fs;
use std::path::Path;

use super::report::{Findings, markdown};
use super::{Doing as _, Outcome, plot};

const BEGIN: &str = "<!-- begin of what `cargo xtask bench -- --write-docs` writes -->\n";
const END: &str = "<!-- end of what `cargo xtask bench -- --write-docs` writes -->\n";
const PAGE: &str = "benchmarks.md";
const PICTURE: &str = "images/cpu-ratio.svg";

/// Replaces the generated part of the page in the folder `docs`; a page that is not there is begun.
pub fn write(docs: &Path, findings: &Findings) -> Outcome<()> {
    let page = docs.join(PAGE);
    let text = if page.exists() { fs::read_to_string(&page).doing(PAGE)? } else { first_page() };
    let text = replaced(&text, &markdown(findings, PICTURE))?;
    fs::create_dir_all(docs.join("images")).doing("docs/images")?;
    fs::write(docs.join(PICTURE), plot::cpu_ratios(findings)).doing(PICTURE)?;
    fs::write(&page, text).doing(PAGE)
}

fn replaced(text: &str, generated: &str) -> Outcome<String> {
    let (before, rest) = text.split_once(BEGIN).ok_or_else(|| format!("{PAGE} has lost the line {BEGIN}"))?;
    let (_, after) = rest.split_once(END).ok_or_else(|| format!("{PAGE} has lost the line {END}"))?;
    Ok([before, BEGIN, generated, END, after].concat())
}

fn first_page() -> String {
    format!("# Benchmarks\n\n{BEGIN}{END}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_part_between_the_markers_changes() {
        let page = format!("head\n{BEGIN}old\n{END}tail\n");
        assert_eq!(replaced(&page, "new\n").unwrap(), format!("head\n{BEGIN}new\n{END}tail\n"));
        assert!(replaced("no markers", "new").is_err());
        assert!(replaced(&first_page(), "").is_ok());
    }
}
