//! rustdoc over the workspace: pages of every item, private ones too, without a warning, and the examples in comments.

use crate::{
    machine,
    runners::Report,
    step::{Outcome, run as run_command, step},
};

/// Builds the pages, which checks every link, and runs the examples; each is one test.
pub(crate) fn check(report: &mut Report) -> Outcome {
    let pages = step("rustdoc", || {
        let mut command = machine::cargo();
        command.args(["doc", "--workspace", "--no-deps", "--document-private-items"]);
        // The pages show private items, so links to them are no fault.
        run_command(command.env("RUSTDOCFLAGS", "--deny warnings --allow rustdoc::private_intra_doc_links"))
    });
    report.count("rustdoc without warnings", pages.is_ok());
    let examples = step("examples in comments", || {
        run_command(machine::cargo().args(["test", "--workspace", "--doc", "--quiet"]))
    });
    report.count("examples in comments", examples.is_ok());
    pages.and(examples)
}
