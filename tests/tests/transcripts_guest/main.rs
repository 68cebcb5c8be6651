//! The transcripts against the shipped module under wasmtime, and checks of the module's imports and exports.

mod guest;
mod largest;
mod shared;
mod verbs;

use guest::GuestFactory;
use libtest_mimic::{Arguments, Failed, Trial};
use verbs::Described;
use wasmcached_tests::{replay::Split, suite};

fn main() {
    let arguments = Arguments::from_args();
    let (solo, sharded) = GuestFactory::load().unwrap_or_else(|message| {
        eprintln!("{message}");
        std::process::exit(101);
    });
    let (solo, sharded): (&'static GuestFactory, &'static GuestFactory) =
        (Box::leak(Box::new(solo)), Box::leak(Box::new(sharded)));
    let splits = [Split::Whole, Split::Bytes, Split::Random(1)];
    let imports = Trial::test("the guest imports nothing", || match solo.imports().as_slice() {
        [] => Ok(()),
        imports => Err(format!("the guest imports {imports:?}").into()),
    });
    let verbs = Trial::test("the guest exports the verbs of the page", || {
        verbs::check(Described::SingleThreaded, &solo.functions()).map_err(Failed::from)
    });
    let shared =
        Trial::test("the guest for many threads imports its memory and exports the verbs of its section", || {
            shared::check().map_err(Failed::from)
        });
    let largest = Trial::test("the largest answers of many shards", || largest::check(sharded).map_err(Failed::from));
    suite::run(
        &arguments,
        vec![imports, verbs, shared, largest],
        &[("solo", solo, &splits), ("three shards", sharded, &splits)],
    );
}
