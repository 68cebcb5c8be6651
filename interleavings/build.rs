//! Makes copies of the checked sources for the model: with its locks and atomics in place of the real ones, and with faults
//! that a test can switch on. The copies have everything else of their originals, so a change of those is checked as well.

use std::{env, fs, path::Path};

/// The libraries whose types the model replaces.
const LIBRARIES: [(&str, &str); 5] = [
    ("std::sync::", "crate::sync::"),
    ("core::sync::", "crate::sync::"),
    ("core::hint::", "crate::sync::hint::"),
    ("parking_lot::", "crate::sync::parking_lot::"),
    ("spin::", "crate::sync::spin::"),
];

/// A checked source: its path, and the places in it where tests seed faults, each with the code that stands there in the
/// copy.
struct Checked {
    path: &'static str,
    faults: &'static [(&'static str, &'static str)],
}

const CHECKED: [Checked; 3] = [
    Checked {
        path: "wasm/src/lock.rs",
        faults: &[(
            "if POISONED.load(Ordering::Relaxed) != 0 {",
            "if !seeded!(PoisonIgnored) && (seeded!(TrapWithoutPoison) || POISONED.load(Ordering::Relaxed) != 0) {",
        )],
    },
    Checked {
        path: "core/src/stripes/loans.rs",
        faults: &[
            (
                "self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes)).is_ok()",
                "if seeded!(LoanTakenInTwoSteps) {
                    let rest = self.left.load(Ordering::Relaxed).checked_sub(bytes);
                    rest.map(|rest| self.left.store(rest, Ordering::Relaxed)).is_some()
                } else {
                    let rest = |left: u64| {
                        if seeded!(LoanTakenUnchecked) { Some(left.saturating_sub(bytes)) } else { left.checked_sub(bytes) }
                    };
                    self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, rest).is_ok()
                }",
            ),
            (
                "store.lend(right);",
                "if seeded!(LoanReturnedBeforeItIsGivenUp) && right < before {
                    self.left.fetch_add(before - right, Ordering::Relaxed);
                    return store.lend(right);
                }
                store.lend(right);",
            ),
            (
                "if right < before {\n            self.left",
                "if !seeded!(LoanNotReturned) && right < before {\n            self.left",
            ),
        ],
    },
    Checked {
        path: "host/src/stores/generations.rs",
        faults: &[
            (
                "Ok(done) if self.is_present(generation)",
                "Ok(done) if seeded!(AnswerNotCompared) || self.is_present(generation)",
            ),
            (
                "self.generation.load(Ordering::Acquire) == generation",
                "self.generation.load(if seeded!(GenerationRelaxed) { Ordering::Relaxed } else { Ordering::Acquire })
                    == generation",
            ),
            (
                "if !self.is_at(seat) {\n                return None;",
                "if !seeded!(PlanNotCompared) && !self.is_at(seat) {\n                return None;",
            ),
            (
                "// The desk in the old memory is given up first, so that this memory is free.\n        *place = None;",
                "if !seeded!(OldSeatKept) {\n            *place = None;\n        }",
            ),
            (
                "drop(state);\n        match memories.enter",
                "drop(state);
                let generation =
                    if seeded!(GenerationReadLate) { self.generation.load(Ordering::Acquire) } else { generation };
                match memories.enter",
            ),
            (
                "if !self.is_present(generation) {\n            return;",
                "if !seeded!(ReplacementNotCompared) && !self.is_present(generation) {\n            return;",
            ),
            (
                "self.generation.fetch_add(1, Ordering::Release);\n        memories.ask_to_leave();",
                "if seeded!(ToldBeforeTheCount) {
                    memories.ask_to_leave();
                    self.generation.fetch_add(1, Ordering::Release);
                } else {
                    self.generation.fetch_add(1, Ordering::Release);
                    memories.ask_to_leave();
                }",
            ),
            (
                "memories.wait_until(|| Arc::strong_count(&old) == 1);",
                "memories.wait_until(|| seeded!(NewBesideOld) || Arc::strong_count(&old) == 1);",
            ),
        ],
    },
];

fn main() {
    let root = Path::new(&variable("CARGO_MANIFEST_DIR")).join("..");
    for Checked { path, faults } in CHECKED {
        let source = root.join(path);
        println!("cargo::rerun-if-changed={}", source.display());
        let text = fs::read_to_string(&source).unwrap_or_else(|error| panic!("{path}: {error}"));
        let name = source.file_name().expect("a path of a file");
        fs::write(Path::new(&variable("OUT_DIR")).join(name), copy(path, &text, faults))
            .expect("the folder for output");
    }
}

fn variable(name: &str) -> String {
    env::var(name).expect("cargo sets it")
}

/// The copy of a source for the model.
fn copy(path: &str, text: &str, faults: &[(&str, &str)]) -> String {
    let (text, _tests) = text.split_once("#[cfg(test)]\nmod tests").unwrap_or((text, ""));
    // The documentation of the module is not at the start of the file that includes the copy.
    let lines = text.lines().filter(|line| !line.starts_with("//!"));
    let mut text = lines.fold(String::new(), |text, line| text + line + "\n");
    for (code, faulty) in faults {
        assert_eq!(text.matches(code).count(), 1, "{path} has another number of places for a fault than one: {code}");
        text = text.replace(code, faulty);
    }
    for (library, model) in LIBRARIES {
        text = text.replace(&format!("use {library}"), &format!("use {model}"));
        text = text.replace(&format!(" {library}"), &format!(" {model}"));
    }
    text
}
