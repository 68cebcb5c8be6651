//! Everything that is run by hand or by CI: `cargo xtask` lists it.

#[path = "../../host/build/mod.rs"]
mod guest_build;

fn main() {}
