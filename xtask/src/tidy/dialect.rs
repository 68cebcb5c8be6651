//! Words of the field instead of our own: names that were replaced.

use super::{Finding, tree::Tree};

pub(super) const REMEDY: &str = "take the word of the field; a name that has its ordinary meaning in a folder is allowed \
    there by the table in xtask/src/tidy/dialect.rs";

/// A name that was replaced.
struct Replaced {
    /// The identifier.
    name: &'static str,
    /// The word that replaced it.
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
    Replaced { name: "surplus", instead: "reclaimable", allowed: &["host/src/options/"] },
    name("stretch", "bucket_range"),
    name("Style", "a format of its own name, such as ReplyFormat"),
    name("CARRY_CREDIT", "REINSERT_…"),
    name("answer_carried", "a name with `runs`"),
    Replaced { name: "Work", instead: "HashBudget", allowed: &["bench/", "core/examples/"] },
    name("doors_closed", "the state of the listeners"),
    name("reception_waker", "the waker of the accept loop"),
];

/// Finds replaced names in Rust sources, wherever they are code.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.below("", ".rs") {
        for (word, line) in file.source().into_iter().flat_map(|source| &source.identifiers) {
            let replaced = NAMES.iter().find(|replaced| replaced.name == word);
            let is_allowed = |replaced: &&Replaced| replaced.allowed.iter().any(|start| file.path.starts_with(start));
            if let Some(Replaced { instead, .. }) = replaced.filter(|replaced| !is_allowed(replaced)) {
                findings.push(Finding::at(&file.path, *line, format!("`{word}`: say {instead}")));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{NAMES, check};
    use crate::tidy::messages;

    #[test]
    fn a_replaced_name_is_found_wherever_it_is_code() {
        let found = messages(check, &[("host/src/a.rs", "struct Tally;\nfn f() { m!(Tally); g(\"Tally\"); }\n")]);
        assert_eq!(
            found,
            ["host/src/a.rs:1: `Tally`: say StoreCounters", "host/src/a.rs:2: `Tally`: say StoreCounters"]
        );
    }

    #[test]
    fn a_name_is_allowed_where_it_has_its_ordinary_meaning() {
        assert_eq!(messages(check, &[("bench/src/a.rs", "struct Work;")]), Vec::<String>::new());
        assert_eq!(messages(check, &[("core/src/a.rs", "struct Work;")]), ["core/src/a.rs:1: `Work`: say HashBudget"]);
    }

    #[test]
    fn a_name_is_replaced_once() {
        let count = |name: &str| NAMES.iter().filter(|replaced| replaced.name == name).count();
        assert!(NAMES.iter().all(|replaced| count(replaced.name) == 1));
    }
}
