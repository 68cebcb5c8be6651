//! The transcripts against Debian's memcached, the oracle: this tests the transcripts themselves.

use libtest_mimic::Arguments;
use wasmcached_tests::{
    replay::Split,
    server::{ServerFactory, memcached_program},
    suite,
    target::Kind,
};

fn main() {
    let mut arguments = Arguments::from_args();
    // The tests sleep most of the time.
    arguments.test_threads.get_or_insert(8);
    let Some(program) = memcached_program() else {
        eprintln!("memcached is not installed: the transcripts need it as their oracle (apt-get install memcached)");
        std::process::exit(101);
    };
    let factory = Box::leak(Box::new(ServerFactory { program, kind: Kind::Memcached, flags: Vec::new() }));
    suite::run(&arguments, Vec::new(), &[("memcached", factory, &[Split::Whole, Split::Bytes, Split::Random(1)])]);
}
