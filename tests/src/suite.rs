//! The transcripts as test cases: one per file and split, so that the output names each.

use crate::{
    replay::{Split, is_skipped, replay},
    target::{Factory, Kind},
    transcript::{Transcript, parse},
};
use libtest_mimic::{Arguments, Failed, Trial};
use std::path::Path;

/// A test case.
pub struct Test {
    /// `file`, or `file` and the split.
    pub name: String,
    /// Why this target cannot run the file.
    pub skipped: Option<String>,
    /// Replays the file.
    pub run: Box<dyn FnOnce() -> Result<(), String> + Send>,
}

/// Reads every transcript of the repository, in the order of names.
///
/// # Errors
/// The first mistake in a file.
pub fn transcripts() -> Result<Vec<Transcript>, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts");
    let entries = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let text = std::fs::read_to_string(path).map_err(|error| format!("{name}.txt: {error}"))?;
            parse(&name, &text)
        })
        .collect()
}

/// A run of all transcripts: its name in the output, the factory of targets, the splits of input.
pub type Variant<'a> = (&'static str, &'static dyn Factory, &'a [Split]);

/// Runs these trials and every transcript in each variant, and exits with the result.
pub fn run(arguments: &Arguments, mut trials: Vec<Trial>, variants: &[Variant<'_>]) {
    for (variant, factory, splits) in variants {
        let tests = tests(*factory, splits).unwrap_or_else(|message| {
            eprintln!("{message}");
            std::process::exit(101);
        });
        trials.extend(tests.into_iter().map(|test| {
            let is_skipped = test.skipped.is_some();
            let reason = test.skipped.map_or(String::new(), |reason| format!(" (skipped: {reason})"));
            let name = format!("{variant}: {}{reason}", test.name);
            Trial::test(name, || (test.run)().map_err(Failed::from)).with_ignored_flag(is_skipped)
        }));
    }
    libtest_mimic::run(arguments, trials).exit();
}

/// Every transcript against this kind of target, with each split.
///
/// # Errors
/// The first mistake in a file.
pub fn tests(factory: &'static dyn Factory, splits: &[Split]) -> Result<Vec<Test>, String> {
    let mut tests = Vec::new();
    for transcript in transcripts()? {
        let transcript: &'static Transcript = Box::leak(Box::new(transcript));
        for &split in splits {
            let name = match split {
                Split::Whole => transcript.name.clone(),
                Split::Bytes => format!("{} (byte by byte)", transcript.name),
                Split::Random(seed) => format!("{} (random pieces, seed {seed})", transcript.name),
            };
            let skipped = skipped(transcript, factory);
            let run = Box::new(move || replay(transcript, factory, split));
            tests.push(Test { name, skipped, run });
        }
    }
    Ok(tests)
}

/// Why this target cannot run the file, if so.
fn skipped(transcript: &Transcript, factory: &dyn Factory) -> Option<String> {
    if let Some(reason) = &transcript.server_only
        && !factory.kind().is_server()
    {
        return Some(reason.clone());
    }
    if let Some(reason) = factory.refuses(&transcript.flags) {
        return Some(reason);
    }
    if transcript.cases.iter().all(|case| is_skipped(case, factory.kind())) {
        let case = transcript.cases.first()?;
        return if factory.kind() == Kind::Memcached { case.oracle_skip.clone() } else { case.server_only.clone() };
    }
    None
}
