//! The transcripts against the product over TCP, with one worker and with four workers and many shards; and over a Unix
//! socket and TLS, there with whole input only.

use libtest_mimic::Arguments;
use wasmcached_tests::{
    replay::Split,
    server::{ServerFactory, wasmcached_program},
    suite,
    target::Kind,
    transport::{Transport, TransportFactory},
};

fn main() {
    let mut arguments = Arguments::from_args();
    // The tests sleep most of the time.
    arguments.test_threads.get_or_insert(8);
    let program = wasmcached_program().unwrap_or_else(|message| {
        eprintln!("{message}");
        std::process::exit(101);
    });
    let with = |threads: &str| -> &'static ServerFactory {
        let flags = vec!["-t".to_owned(), threads.to_owned()];
        Box::leak(Box::new(ServerFactory { program: program.clone(), kind: Kind::Server, flags }))
    };
    let splits = [Split::Whole, Split::Bytes, Split::Random(1)];
    let over = |transport| -> &'static TransportFactory {
        Box::leak(Box::new(TransportFactory { program: program.clone(), transport }))
    };
    let mut variants: Vec<suite::Variant<'_>> =
        vec![("one worker", with("1"), &splits), ("four workers", with("4"), &splits)];
    #[cfg(unix)]
    variants.push(("unix socket", over(Transport::Unix), &splits[..1]));
    variants.push(("tls", over(Transport::Tls), &splits[..1]));
    suite::run(&arguments, Vec::new(), &variants);
}
