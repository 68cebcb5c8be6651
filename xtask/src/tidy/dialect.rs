//! The field's words instead of our own: names that were replaced, and phrases that need a second reading.

use super::{
    Finding, comments,
    tree::{File, Tree},
};

pub(super) const REMEDY: &str = "take the word of the field; in comments the subject comes first, the component by its \
    name, one clause a sentence";

/// A name that was replaced.
struct Replaced {
    /// The identifier.
    name: &'static str,
    /// What to say.
    instead: &'static str,
    /// Where the name still has its ordinary meaning: beginnings of paths.
    allowed: &'static [&'static str],
}

const fn name(name: &'static str, instead: &'static str) -> Replaced {
    Replaced { name, instead, allowed: &[] }
}

const NAMES: [Replaced; 32] = [
    name("Refusal", "StartError or ExitError"),
    name("Given", "Arguments"),
    name("Said", "ArgumentValue"),
    name("Inert", "NoOp"),
    name("Tally", "StoreCounters"),
    name("carried_over", "reinserted"),
    name("brought", "replies_of"),
    name("Wish", "StoreRequest"),
    name("Fate", "StoreOutcome"),
    name("judge", "check_conditions"),
    name("was_worth_it", "refund"),
    name("Reception", "AcceptLoop"),
    name("Door", "ListenerState"),
    name("Outlet", "WorkerHandle"),
    name("introduce", "open_in"),
    name("Letter", "EventBatch"),
    name("Post", "EventQueue"),
    name("Bell", "PendingSignals"),
    name("Asker", "RequestOrigin"),
    name("told_as", "watched_as"),
    name("settle", "apply_status"),
    name("adopt", "store_status"),
    name("survive", "replace_front"),
    name("tend", "maintain"),
    name("surplus", "reclaimable"),
    name("stretch", "bucket_range"),
    name("Style", "a format of its own name, such as ReplyFormat"),
    name("CARRY_CREDIT", "REINSERT_…"),
    name("answer_carried", "a name with `runs`"),
    Replaced { name: "Work", instead: "HashBudget", allowed: &["bench/", "core/examples/"] },
    name("doors_closed", "the state of the listeners"),
    name("reception_waker", "the waker of the accept loop"),
];

/// Phrases of comments, in small letters, and what is wrong with them.
const PHRASES: [(&str, &str); 12] = [
    ("how-manieth", "name the number: its sequence number, its index"),
    ("goes on as", "say what continues"),
    ("is told", "say who calls what"),
    ("are told", "say who calls what"),
    ("comes to", "say what happens"),
    ("whoever", "name the component"),
    ("nobody", "name the component, and say what it does not do"),
    ("has lost its mind", "say what is wrong with it"),
    ("goodbye", "say which message closes the connection"),
    ("give way", "say who yields to whom"),
    ("brings forth", "say what it returns"),
    ("brought forth", "say what it returns"),
];

/// Words that begin no sentence: what follows is a subject in disguise.
const STARTS: [&str; 5] = ["What", "Who", "Whoever", "Whatever", "Whose"];

/// Finds replaced names in sources, phrases and sentences without a subject in comments.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files().filter(|file| file.path != "xtask/src/tidy/dialect.rs") {
        names(file, &mut findings);
        prose(file, &mut findings);
    }
    findings
}

fn names(file: &File, findings: &mut Vec<Finding>) {
    for (word, line) in file.source().into_iter().flat_map(|source| &source.identifiers) {
        let replaced = NAMES.iter().find(|replaced| replaced.name == word);
        if let Some(Replaced { instead, allowed, .. }) = replaced
            && !allowed.iter().any(|start| file.path.starts_with(start))
        {
            findings.push(Finding::at(&file.path, *line, format!("`{word}`: say {instead}")));
        }
    }
}

fn prose(file: &File, findings: &mut Vec<Finding>) {
    let mut is_open = false;
    for comment in comments::of(&file.path, &file.text) {
        let small = comment.text.to_lowercase();
        for (phrase, remedy) in PHRASES.iter().filter(|(phrase, _)| has_words(&small, phrase)) {
            findings.push(Finding::at(&file.path, comment.line, format!("\"{phrase}\": {remedy}")));
        }
        if let Some(start) = start_without_subject(&comment.text, is_open) {
            findings.push(Finding::at(&file.path, comment.line, format!("a sentence begins with \"{start}\"")));
        }
        is_open = !comment.text.is_empty() && !comment.text.ends_with(['.', ':', '?', '`']);
    }
}

fn has_words(text: &str, words: &str) -> bool {
    let is_letter = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
    text.match_indices(words).any(|(at, _)| {
        !is_letter(text[..at].chars().next_back()) && !is_letter(text[at + words.len()..].chars().next())
    })
}

/// The word that begins a sentence of a line and should not; questions may begin so.
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
    use super::{NAMES, check, start_without_subject};
    use crate::tidy::tree::Tree;

    fn messages(files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::of(files)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_replaced_name_is_found_wherever_it_is_code() {
        let found = messages(&[("host/src/a.rs", "struct Tally;\nfn f() { m!(Tally); g(\"Tally\"); }\n")]);
        assert_eq!(
            found,
            ["host/src/a.rs:1: `Tally`: say StoreCounters", "host/src/a.rs:2: `Tally`: say StoreCounters"]
        );
    }

    #[test]
    fn a_phrase_is_found_in_comments_of_any_language() {
        let found = messages(&[("a.toml", "# The worker is told.\n"), ("b.rs", "// is toldx\nlet a = \"is told\";\n")]);
        assert_eq!(found, ["a.toml:1: \"is told\": say who calls what"]);
    }

    #[test]
    fn a_sentence_needs_a_subject() {
        assert_eq!(start_without_subject("What it says now.", false), Some("What"));
        assert_eq!(start_without_subject("First. Who asks waits.", true), Some("Who"));
        assert_eq!(start_without_subject("What it says, in the middle of a sentence", true), None);
        assert_eq!(start_without_subject("What is a run?", false), None);
        assert_eq!(start_without_subject("Whatnot.", false), None);
    }

    #[test]
    fn a_name_is_replaced_once() {
        let count = |name: &str| NAMES.iter().filter(|replaced| replaced.name == name).count();
        assert!(NAMES.iter().all(|replaced| count(replaced.name) == 1));
    }
}
