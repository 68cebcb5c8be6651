//! The transcripts as a list of test cases: one a file and way of splitting, so that each is named in the output.

use crate::{
    replay::{Split, is_skipped, replay},
    target::{Factory, Kind},
    transcript::{Transcript, parse},
};
use std::path::Path;

/// A test: its name, why it is skipped here (if it is), and what it does.
pub struct Test {
    /// `file` or `file (bytes)`.
    pub name: String,
    /// Why this target cannot run the file at all.
    pub skipped: Option<String>,
    /// Runs it.
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

/// Every transcript against this kind of target, split in each of the given ways.
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

/// Why the whole file cannot be run here, if so.
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
