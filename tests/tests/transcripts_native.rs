//! The transcripts against the engine as a native library: solo, and as a front with three shards.

use libtest_mimic::Arguments;
use wasmcached_tests::{native::NativeFactory, replay::Split, suite};

fn main() {
    let arguments = Arguments::from_args();
    let splits = [Split::Whole, Split::Bytes, Split::Random(1), Split::Random(2), Split::Random(3)];
    suite::run(
        &arguments,
        Vec::new(),
        &[("solo", &NativeFactory { shards: 0 }, &splits), ("three shards", &NativeFactory { shards: 3 }, &splits)],
    );
}
