//! The transcripts against Debian's memcached: it is the oracle, so this tests the transcripts themselves.

use libtest_mimic::{Arguments, Failed, Trial};
use wasmcached_tests::{
    replay::Split,
    server::{ServerFactory, memcached_program},
    suite,
    target::Kind,
};

fn main() {
    let arguments = Arguments::from_args();
    let Some(program) = memcached_program() else {
        eprintln!("memcached is not installed: the oracle cannot be asked (apt-get install memcached)");
        std::process::exit(101);
    };
    let factory = Box::leak(Box::new(ServerFactory { program, kind: Kind::Memcached, flags: Vec::new() }));
    let tests = suite::tests(factory, &[Split::Whole, Split::Bytes, Split::Random(1)]).unwrap_or_else(|message| {
        eprintln!("{message}");
        std::process::exit(101);
    });
    let trials = tests
        .into_iter()
        .map(|test| {
            let is_skipped = test.skipped.is_some();
            let name = match test.skipped {
                Some(reason) => format!("{} (skipped: {reason})", test.name),
                None => test.name,
            };
            Trial::test(name, || (test.run)().map_err(Failed::from)).with_ignored_flag(is_skipped)
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit();
}
