//! Comments that are read once: a sentence begins with its subject, and names the component.

use super::{Finding, comments, tree::Tree};

pub(super) const REMEDY: &str = "begin the sentence with its subject, name the component, one clause a sentence: not \
    \"What it says now nobody hears.\" but \"While a connection watches, its input is discarded.\"";

/// Phrases, in small letters, and what to say instead.
const PHRASES: [(&str, &str); 10] = [
    ("how-manieth", "the number by its name: sequence number, index"),
    ("goes on as", "what continues"),
    ("is told", "which component calls which"),
    ("are told", "which component calls which"),
    ("comes to", "what happens"),
    ("whoever", "the component"),
    ("has lost its mind", "what is wrong with it"),
    ("goodbye", "which message closes the connection"),
    ("gives way", "which component yields to which"),
    ("brought forth", "what is returned"),
];

/// Words that begin no sentence: what follows is a clause where a noun belongs.
const STARTS: [&str; 5] = ["What", "Who", "Whoever", "Whatever", "Whose"];

/// Finds phrases, and sentences that begin with a clause, in the comments of sources.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files() {
        // A sentence may reach over lines.
        let mut is_open = false;
        for comment in comments::of(&file.path, &file.text) {
            let small = comment.text.to_lowercase();
            for (phrase, instead) in PHRASES.iter().filter(|(phrase, _)| has_words(&small, phrase)) {
                findings.push(Finding::at(&file.path, comment.line, format!("\"{phrase}\": say {instead}")));
            }
            if let Some(start) = start_without_subject(&comment.text, is_open) {
                findings.push(Finding::at(&file.path, comment.line, format!("a sentence begins with \"{start}\"")));
            }
            is_open = !comment.text.is_empty() && !comment.text.ends_with(['.', ':', '?', '`']);
        }
    }
    findings
}

fn has_words(text: &str, words: &str) -> bool {
    let is_letter = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
    text.match_indices(words).any(|(at, _)| {
        !is_letter(text[..at].chars().next_back()) && !is_letter(text[at + words.len()..].chars().next())
    })
}

/// The word that begins a sentence of a line and should not. Questions may begin so.
fn start_without_subject(text: &str, is_open: bool) -> Option<&'static str> {
    let sentences = text.split_inclusive(". ").enumerate().filter(|(place, _)| *place > 0 || !is_open);
    let mut starts = sentences.filter(|(_, sentence)| !sentence.trim_end().ends_with('?'));
    starts.find_map(|(_, sentence)| {
        let first = sentence.split(|letter: char| !letter.is_alphanumeric()).next()?;
        STARTS.iter().find(|start| **start == first).copied()
    })
}

#[cfg(test)]
mod tests {
    use super::{check, start_without_subject};
    use crate::tidy::messages;

    #[test]
    fn a_phrase_is_found_in_comments_of_any_language() {
        let text = "// The worker is told.\nlet a = \"is told\"; // is toldx\n";
        let found = messages(check, &[("xtask/Cargo.toml", "# It is told.\n"), ("core/src/b.rs", text)]);
        let message = "\"is told\": say which component calls which";
        assert_eq!(found, [format!("core/src/b.rs:1: {message}"), format!("xtask/Cargo.toml:1: {message}")]);
    }

    #[test]
    fn a_sentence_begins_with_its_subject() {
        assert_eq!(start_without_subject("What it says now.", false), Some("What"));
        assert_eq!(start_without_subject("First. Who asks waits.", true), Some("Who"));
        assert_eq!(start_without_subject("What it says, in the middle of a sentence", true), None);
        assert_eq!(start_without_subject("What is a run?", false), None);
        assert_eq!(start_without_subject("Whatnot.", false), None);
    }

    #[test]
    fn a_sentence_over_two_lines_is_one() {
        assert_eq!(messages(check, &[("xtask/a.rs", "// The bytes of\n// What, a file.\n")]), Vec::<String>::new());
        let found = messages(check, &[("xtask/a.rs", "// The bytes.\n// What a file holds.\n")]);
        assert_eq!(found, ["xtask/a.rs:2: a sentence begins with \"What\""]);
    }
}
