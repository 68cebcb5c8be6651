//! Holds the module for many threads to its section of `docs/internals/boundary.md`.

use crate::{
    guest::functions,
    verbs::{self, Described},
};
use std::path::{Path, PathBuf};
use wasmtime::{Engine, ExternType, Module, Mutability};

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
    if module.get_export("memory").and_then(|export| export.memory().cloned()).is_none() {
        return Err("it does not export its memory".to_owned());
    }
    let stack = module.get_export("__stack_pointer").and_then(|export| export.global().cloned());
    if !stack.is_some_and(|stack| stack.content().is_i32() && stack.mutability() == Mutability::Var) {
        return Err("it does not export the pointer to its stack".to_owned());
    }
    verbs::check(Described::Shared, &functions(&module))
}
