//! The host carries bytes and never makes any: no word of a protocol is in its literals.

use super::{Finding, modules::Modules, tree::Tree};

pub(super) const REMEDY: &str = "have the guest say it: what speaks a protocol lies in core/src/protocol";

/// Words of replies, wherever they stand in a literal.
const REPLIES: [&str; 14] = [
    "VALUE ",
    "STORED",
    "NOT_STORED",
    "EXISTS",
    "NOT_FOUND",
    "DELETED",
    "TOUCHED",
    "CLIENT_ERROR",
    "SERVER_ERROR",
    "BADCLASS",
    "END\r\n",
    "ERROR\r\n",
    "OK\r\n",
    "HTTP/1",
];

/// How requests and lines of replies begin.
const STARTS: [&str; 20] = [
    "mg ",
    "ms ",
    "md ",
    "ma ",
    "mn\r",
    "me ",
    "get ",
    "gets ",
    "gat ",
    "set ",
    "cas ",
    "incr ",
    "decr ",
    "touch ",
    "delete ",
    "stats\r",
    "version\r",
    "flush_all",
    "STAT ",
    "VERSION ",
];

/// Finds words of protocols in the literals of the host.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (_, file) in Modules::of(tree, "host/src/").files() {
        for literal in file.source().into_iter().flat_map(|source| &source.literals).filter(|literal| !literal.in_test)
        {
            if let Some(word) = protocol_word(&literal.text) {
                findings.push(Finding::at(&file.path, literal.line, format!("{word:?} is a word of a protocol")));
            }
        }
    }
    findings
}

fn protocol_word(text: &str) -> Option<&'static str> {
    let is_whole = |at: usize, word: &str| {
        let is_letter = |letter: Option<char>| letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
        let ends_open = word.ends_with(|letter: char| letter.is_alphanumeric());
        !(is_letter(text[..at].chars().next_back()) || ends_open && is_letter(text[at + word.len()..].chars().next()))
    };
    let reply = REPLIES.iter().find(|word| text.match_indices(**word).any(|(at, _)| is_whole(at, word)));
    reply.or_else(|| STARTS.iter().find(|word| text.starts_with(**word))).copied()
}

#[cfg(test)]
mod tests {
    use super::{check, protocol_word};
    use crate::tidy::tree::Tree;

    #[test]
    fn a_host_that_speaks_is_found() {
        let text = "fn f() { a(b\"VALUE k\"); }\nfn g() { write!(o, \"mg {k}\\r\\n\"); }\n#[cfg(test)] mod tests { const A: &str = \"END\\r\\n\"; }";
        let found: Vec<String> =
            check(&Tree::of(&[("host/src/server/mod.rs", text)])).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "host/src/server/mod.rs:1: \"VALUE \" is a word of a protocol",
                "host/src/server/mod.rs:2: \"mg \" is a word of a protocol",
            ]
        );
    }

    #[test]
    fn words_are_whole() {
        for text in ["after 3 ms ", "VALUES", "NO_VALUE", "ERROR: Invalid port number 1.", "append", "NAME[=VALUE]"] {
            assert_eq!(protocol_word(text), None, "{text}");
        }
        for text in ["STORED", "x NOT_FOUND\r\n", "HTTP/1.1 200", "gets a", "ERROR\r\n"] {
            assert!(protocol_word(text).is_some(), "{text}");
        }
    }
}
