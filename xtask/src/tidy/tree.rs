//! The files of a repository, each read and parsed once for all rules.

use super::{Finding, rust::Source};
use crate::step::Outcome;
use std::{collections::BTreeMap, fs, path::Path, process::Command};

/// Ends of the names of files that are read. Of other files only the path counts.
const TEXTS: [&str; 15] = [
    ".rs", ".toml", ".md", ".ts", ".mjs", ".py", ".rb", ".pl", ".php", ".go", ".java", ".sh", ".txt", ".service", "run",
];

/// A file of the repository.
pub(super) struct File {
    /// From the root, with `/`.
    pub(super) path: String,
    /// Its text; empty if no rule reads it.
    pub(super) text: String,
    /// The parsed Rust source, or the line and message of the parser's error.
    source: Option<Result<Source, (usize, String)>>,
}

impl File {
    fn new(path: String, text: String) -> Self {
        let source = path.ends_with(".rs").then(|| Source::parse(&text));
        Self { path, text, source }
    }

    /// The parsed source of a Rust file.
    pub(super) fn source(&self) -> Option<&Source> {
        self.source.as_ref()?.as_ref().ok()
    }
}

/// A repository.
pub(super) struct Tree {
    files: BTreeMap<String, File>,
}

impl Tree {
    /// Reads the files that git tracks, and new files that it does not ignore.
    pub(super) fn read(root: &Path) -> Outcome<Self> {
        let mut git = Command::new("git");
        git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root);
        let output = git.output().map_err(|error| format!("git: {error}"))?;
        if !output.status.success() {
            return Err(format!("git: {}", String::from_utf8_lossy(&output.stderr).trim()));
        }
        let mut files = BTreeMap::new();
        for path in String::from_utf8_lossy(&output.stdout).split('\0').filter(|path| !path.is_empty()) {
            let file = root.join(path);
            // Deleted, but still tracked.
            if !file.is_file() {
                continue;
            }
            let text = if TEXTS.iter().any(|end| path.ends_with(end)) {
                fs::read(&file).map_err(|error| format!("{path}: {error}"))?
            } else {
                Vec::new()
            };
            let text = String::from_utf8_lossy(&text).into_owned();
            files.insert(path.to_owned(), File::new(path.to_owned(), text));
        }
        Ok(Self { files })
    }

    /// A tree for tests.
    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let file =
            |(path, text): &(&str, &str)| ((*path).to_owned(), File::new((*path).to_owned(), (*text).to_owned()));
        Self { files: files.iter().map(file).collect() }
    }

    /// All files, by path.
    pub(super) fn files(&self) -> impl Iterator<Item = &File> {
        self.files.values()
    }

    /// The files below a folder whose names have this end.
    pub(super) fn below<'a>(&'a self, folder: &'a str, end: &'a str) -> impl Iterator<Item = &'a File> {
        self.files().filter(move |file| file.path.starts_with(folder) && file.path.ends_with(end))
    }

    /// A file.
    pub(super) fn file(&self, path: &str) -> Option<&File> {
        self.files.get(path)
    }

    /// Whether there is a folder of that name.
    pub(super) fn has_folder(&self, path: &str) -> bool {
        let start = format!("{}/", path.trim_end_matches('/'));
        self.files.range(start.clone()..).next().is_some_and(|(path, _)| path.starts_with(&start))
    }

    /// Rust sources that cannot be parsed: no other rule sees them.
    pub(super) fn unreadable(&self) -> Vec<Finding> {
        let broken = |file: &File| {
            let (line, message) = file.source.as_ref()?.as_ref().err()?;
            Some(Finding::at(&file.path, *line, message.as_str()))
        };
        self.files().filter_map(broken).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Tree;

    #[test]
    fn folders_are_known_by_what_lies_in_them() {
        let tree = Tree::of(&[("docs/guide/tls.md", ""), ("docs2/a.md", "")]);
        assert!(tree.has_folder("docs") && tree.has_folder("docs/guide/") && !tree.has_folder("docs/gui"));
        assert_eq!(tree.below("docs/", ".md").count(), 1);
        assert!(tree.file("docs2/a.md").is_some() && tree.file("docs2").is_none());
    }
}
