//! Pages of `docs/reference/` in which a benchmark writes the part between two markers, and their pictures.

use std::fs;
use std::path::Path;

use crate::outcome::{Outcome, ResultExt as _};

/// A page with a generated part.
pub(crate) struct Page {
    /// File name.
    pub(crate) name: &'static str,
    /// Heading of a new page.
    pub(crate) title: &'static str,
    /// The command that generates the part, named in the markers.
    pub(crate) command: &'static str,
}

impl Page {
    /// Replaces the generated part of the page in `folder`, and pictures (path and content). Creates a missing page.
    pub(crate) fn write(&self, folder: &Path, generated: &str, pictures: &[(&str, String)]) -> Outcome<()> {
        let page = folder.join(self.name);
        let text = if page.exists() { fs::read_to_string(&page).context(self.name)? } else { self.first() };
        let text = self.replaced(&text, generated)?;
        for (path, content) in pictures {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap_or(folder)).context("the folder for pictures")?;
            fs::write(&path, content).context(&path.display().to_string())?;
        }
        fs::write(&page, text).context(self.name)
    }

    fn replaced(&self, text: &str, generated: &str) -> Outcome<String> {
        let [begin, end] = self.markers();
        let (before, rest) = text.split_once(&begin).ok_or_else(|| format!("{} lacks the line {begin}", self.name))?;
        let (_, after) = rest.split_once(&end).ok_or_else(|| format!("{} lacks the line {end}", self.name))?;
        Ok([before, &begin, generated, &end, after].concat())
    }

    fn first(&self) -> String {
        let [begin, end] = self.markers();
        format!("# {}\n\n{begin}{end}", self.title)
    }

    fn markers(&self) -> [String; 2] {
        ["begin", "end"].map(|which| format!("<!-- {which} of what `{}` writes -->\n", self.command))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: Page = Page { name: "page.md", title: "A page", command: "cargo xtask bench" };

    #[test]
    fn only_the_part_between_the_markers_changes() {
        let [begin, end] = PAGE.markers();
        let page = format!("head\n{begin}old\n{end}tail\n");
        assert_eq!(PAGE.replaced(&page, "new\n").unwrap(), format!("head\n{begin}new\n{end}tail\n"));
        assert!(PAGE.replaced("no markers", "new").is_err());
        assert!(PAGE.replaced(&PAGE.first(), "").is_ok());
    }
}
