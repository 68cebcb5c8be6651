//! Times the loops of the store inside a guest; `cargo xtask bench store` shows them beside the native ones.
//!
//! The guest is the shipped one with exports for the loops, compiled as the product compiles it. The cost of a call into
//! the guest is subtracted, because this program is not optimised.

#[path = "../../core/examples/store_loops/mod.rs"]
mod store_loops;
#[path = "../src/bin/store/timing.rs"]
mod timing;

#[path = "../../host/build/processor.rs"]
mod processor;
#[path = "../../host/src/guest/settings.rs"]
mod settings;

use std::{env, process::ExitCode, time::Instant};
use store_loops::Workload;
use wasmtime::{Engine, Error, Instance, Module, Result, Store, TypedFunc};

/// The guest's exports.
struct Guest {
    store: Store<()>,
    create: TypedFunc<(u32, u64), u32>,
    turn_to: TypedFunc<u32, ()>,
    fill: TypedFunc<(), ()>,
    prepare: TypedFunc<(), ()>,
    run: TypedFunc<u32, u64>,
    items: TypedFunc<(), u64>,
}

fn main() -> ExitCode {
    match Guest::new() {
        Ok(mut guest) => {
            timing::measure(&mut guest);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("store_guest: {error:#}");
            ExitCode::FAILURE
        }
    }
}

impl Guest {
    fn new() -> Result<Self> {
        let mut config = settings::engine_config(settings::MemoryLayout::Reserved);
        processor::choose(&mut config, &variable("WASMCACHED_BENCH_TARGET")?)?;
        let engine = Engine::new(&config)?;
        let module = Module::from_file(&engine, variable("WASMCACHED_BENCH_GUEST")?)?;
        let mut store = Store::new(&engine, ());
        // The epoch never advances, so the loops are not interrupted; they check it nevertheless, as in the product.
        store.set_epoch_deadline(1);
        let instance = Instance::new(&mut store, &module, &[])?;
        Ok(Self {
            create: instance.get_typed_func(&mut store, "bench_create")?,
            turn_to: instance.get_typed_func(&mut store, "bench_turn_to")?,
            fill: instance.get_typed_func(&mut store, "bench_fill")?,
            prepare: instance.get_typed_func(&mut store, "bench_prepare")?,
            run: instance.get_typed_func(&mut store, "bench_run")?,
            items: instance.get_typed_func(&mut store, "bench_items")?,
            store,
        })
    }
}

impl timing::Bench for Guest {
    fn create(&mut self, work: Workload, items: u64) -> bool {
        self.create.call(&mut self.store, (place(work), items)).expect("no trap") == 1
    }

    fn turn_to(&mut self, work: Workload) {
        self.turn_to.call(&mut self.store, place(work)).expect("no trap");
    }

    fn fill(&mut self) {
        self.fill.call(&mut self.store, ()).expect("no trap");
    }

    fn prepare(&mut self) {
        self.prepare.call(&mut self.store, ()).expect("no trap");
    }

    fn run(&mut self, batch: usize) -> u64 {
        self.run.call(&mut self.store, batch as u32).expect("no trap")
    }

    fn items(&mut self) -> u64 {
        self.items.call(&mut self.store, ()).expect("no trap")
    }

    /// Times a call that returns at once, because there is no store yet.
    fn call_ns(&mut self) -> f64 {
        let ns = timing::median_ns(10_000, || {
            let start = Instant::now();
            assert_eq!(self.run(1), u64::MAX);
            start.elapsed()
        });
        eprintln!("an empty call into the guest takes {ns:.0} ns, which is subtracted");
        ns
    }
}

/// Reads a variable that `cargo xtask bench store` sets.
fn variable(name: &str) -> Result<String> {
    env::var(name).map_err(|_| Error::msg(format!("{name} is not set: `cargo xtask bench store` calls this")))
}

fn place(work: Workload) -> u32 {
    Workload::ALL.iter().position(|other| *other == work).map_or(u32::MAX, |place| place as u32)
}
