//! Holds the module for many threads to its section of `docs/internals/boundary.md`.

use crate::{
    guest::functions,
    verbs::{self, Described},
};
use std::path::{Path, PathBuf};
use wasmtime::{Engine, ExternType, Module};

/// Compares what the module imports and exports with the page.
///
/// # Errors
/// What differs.
pub(crate) fn check() -> Result<(), String> {
    let path = std::env::var_os("WASMCACHED_SHARED_GUEST").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/guest/wasmcached-shared.wasm"),
        PathBuf::from,
    );
    if !path.is_file() {
        return Err(format!("{} is missing: run `cargo xtask build`", path.display()));
    }
    let module =
        Module::from_file(&Engine::default(), &path).map_err(|error| format!("{}: {error:#}", path.display()))?;
    let imports = module.imports().map(|import| {
        let kind = match import.ty() {
            ExternType::Memory(memory) if memory.is_shared() => format!("shared, {:?} pages", memory.maximum()),
            other => format!("{other:?}"),
        };
        format!("{}.{}: {kind}", import.module(), import.name())
    });
    let imports: Vec<String> = imports.collect();
    if imports != ["env.memory: shared, Some(65535) pages"] {
        return Err(format!("it imports {imports:?}"));
    }
    let others = module.exports().filter(|export| export.ty().func().is_none());
    let others: Vec<String> = others.map(|export| export.name().to_owned()).collect();
    if others != ["memory", "__stack_pointer"] {
        return Err(format!("besides its verbs it exports {others:?}"));
    }
    verbs::check(Described::Shared, &functions(&module))
}
