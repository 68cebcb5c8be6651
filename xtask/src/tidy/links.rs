//! Links in documents lead somewhere, and paths in backticks exist. No network is asked.

use super::{
    Finding, comments,
    tree::{File, Tree},
};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use std::collections::BTreeMap;

pub(super) const REMEDY: &str = "name the file where it is now; the anchor of a heading is its text in small letters \
    with `-` for spaces";

/// Folders that a build makes.
const MADE: [&str; 4] = ["target/", "js/dist/", "js/src/generated/", "node_modules/"];
/// Documents about the past: their paths may be gone.
const PAST: [&str; 1] = ["CHANGELOG.md"];
/// Ends of the names of sources and documents.
const ENDS: [&str; 9] = [".rs", ".ts", ".mjs", ".toml", ".md", ".py", ".txt", ".svg", ".service"];

/// The links, the names in backticks and the anchors of a document.
#[derive(Default)]
struct Page {
    links: Vec<(String, usize)>,
    paths: Vec<(String, usize)>,
    anchors: Vec<String>,
}

impl Page {
    fn read(text: &str) -> Self {
        let mut page = Self::default();
        let mut heading: Option<String> = None;
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
            let line = 1 + text[..range.start].matches('\n').count();
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.links.push((dest_url.into_string(), line));
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    let anchor = anchor(&heading.take().unwrap_or_default());
                    let count = seen.entry(anchor.clone()).or_default();
                    page.anchors.push(if *count == 0 { anchor } else { format!("{anchor}-{count}") });
                    *count += 1;
                }
                Event::Text(text) => heading.iter_mut().for_each(|heading| heading.push_str(&text)),
                Event::Code(code) => {
                    heading.iter_mut().for_each(|heading| heading.push_str(&code));
                    page.paths.push((code.into_string(), line));
                }
                Event::Html(html) | Event::InlineHtml(html) => {
                    let names = html.split("id=\"").skip(1).chain(html.split("name=\"").skip(1));
                    page.anchors.extend(names.filter_map(|name| name.split('"').next()).map(str::to_owned));
                }
                _ => {}
            }
        }
        page
    }
}

/// Finds links that lead nowhere, and paths in backticks without a file: in documents, and in the comments of sources.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let pages: BTreeMap<&str, Page> =
        tree.below("", ".md").map(|file| (file.path.as_str(), Page::read(&file.text))).collect();
    let mut findings = Vec::new();
    for (path, page) in &pages {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (link, line) in &page.links {
            findings.extend(dead(tree, &pages, path, folder, link).map(|message| Finding::at(path, *line, message)));
        }
        for (name, line) in page.paths.iter().filter(|_| !PAST.contains(path)) {
            findings.extend(missing(tree, folder, name).map(|message| Finding::at(path, *line, message)));
        }
    }
    for file in tree.files().filter(|file| !file.path.ends_with(".md")) {
        findings.extend(missing_in_comments(tree, file));
    }
    findings
}

fn dead(tree: &Tree, pages: &BTreeMap<&str, Page>, page: &str, folder: &str, link: &str) -> Option<String> {
    let is_elsewhere = ["http://", "https://", "mailto:"].iter().any(|scheme| link.starts_with(scheme));
    if is_elsewhere {
        return None;
    }
    let (target, anchor) = link.split_once('#').map_or((link, None), |(target, anchor)| (target, Some(anchor)));
    let target = if target.is_empty() { page.to_owned() } else { join(folder, target) };
    if tree.file(&target).is_none() && !tree.has_folder(&target) {
        return Some(format!("the link `{link}` leads nowhere"));
    }
    let anchor = anchor.filter(|_| target.ends_with(".md"))?;
    let is_there = pages.get(target.as_str()).is_some_and(|page| page.anchors.iter().any(|name| name == anchor));
    (!is_there).then(|| format!("the link `{link}` leads to no heading of {target}"))
}

fn missing_in_comments(tree: &Tree, file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    for comment in comments::of(&file.path, &file.text) {
        for name in comment.text.split('`').skip(1).step_by(2) {
            findings.extend(missing(tree, folder, name).map(|message| Finding::at(&file.path, comment.line, message)));
        }
    }
    findings
}

/// Says so if a name in backticks looks like a path of this repository and is none.
fn missing(tree: &Tree, folder: &str, name: &str) -> Option<String> {
    let name = name.split(':').next().unwrap_or(name).trim_start_matches("./");
    let is_plain = name.chars().all(|letter| letter.is_ascii_alphanumeric() || "/._-".contains(letter));
    let (first, rest) = name.split_once('/')?;
    let looks_like_file = ENDS.iter().any(|end| name.ends_with(end)) || name.ends_with('/');
    if !is_plain || first.is_empty() || MADE.iter().any(|made| format!("{name}/").starts_with(made)) {
        return None;
    }
    // Other paths count if they begin with a folder of this repository.
    if !looks_like_file && (rest.is_empty() || !tree.has_folder(first)) {
        return None;
    }
    let end = format!("/{}", name.trim_end_matches('/'));
    let is_there = [join(folder, name), join("", name)].iter().any(|path| tree.file(path).is_some() || tree.has_folder(path))
        // A short form such as `front/pending.rs`.
        || tree.files().any(|file| file.path.ends_with(&end) || file.path.contains(&format!("{end}/")));
    (!is_there).then(|| format!("there is no `{name}`"))
}

/// A path below a folder, `.` and `..` resolved.
pub(super) fn join(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

/// The anchor of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[cfg(test)]
mod tests {
    use super::{anchor, check, join};
    use crate::tidy::messages;

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let found = messages(
            check,
            &[
                (
                    "README.md",
                    "[a](docs/a.md) [b](docs/b.md)\n\n[c](docs) ![d](docs/d.svg) [e](https://example.org/x)\n",
                ),
                ("docs/a.md", "[up](../README.md)"),
            ],
        );
        assert_eq!(
            found,
            ["README.md:1: the link `docs/b.md` leads nowhere", "README.md:3: the link `docs/d.svg` leads nowhere",]
        );
    }

    #[test]
    fn a_link_to_no_heading_is_found() {
        let found = messages(
            check,
            &[
                (
                    "docs/a.md",
                    "# One `two`, three\n\n# Same\n\n# Same\n\n[a](#one-two-three) [b](#same-1) [c](b.md#gone)\n",
                ),
                ("docs/b.md", "<a name=\"here\"></a>\n\n[d](#here) [e](a.md#same-2)\n"),
            ],
        );
        assert_eq!(
            found,
            [
                "docs/a.md:7: the link `b.md#gone` leads to no heading of docs/b.md",
                "docs/b.md:3: the link `a.md#same-2` leads to no heading of docs/a.md",
            ]
        );
    }

    #[test]
    fn a_path_without_a_file_is_found_in_documents_and_comments() {
        let text =
            "`core/src/a.rs` `core/src/b.rs` `src/a.rs` `a/b` `/etc/x.toml` `target/x.rs` `core/src/` `core/lib/`\n";
        let source = format!("// {text}const A: &str = \"`core/src/c.rs`\";\n");
        let found = messages(check, &[("core/src/a.rs", &source), ("docs/a.md", text), ("CHANGELOG.md", text)]);
        let expected =
            |path: &str| ["core/src/b.rs", "core/lib/"].map(|name| format!("{path}:1: there is no `{name}`"));
        assert_eq!(found, [expected("docs/a.md"), expected("core/src/a.rs")].concat());
    }

    #[test]
    fn paths_are_resolved_and_headings_become_anchors() {
        assert_eq!(join("docs/guide", "../a.md"), "docs/a.md");
        assert_eq!(join("", "./a/./b"), "a/b");
        assert_eq!(anchor("Config: the `record`, 2nd part"), "config-the-record-2nd-part");
    }
}
