//! `wasmcached-bindgen IN.wasm OUT-FOLDER`: runs wasm-bindgen's generator, for its `web` output.

use std::{env, process::ExitCode};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let [input, folder] = &arguments[..] else {
        eprintln!("usage: wasmcached-bindgen IN.wasm OUT-FOLDER");
        return ExitCode::FAILURE;
    };
    let mut bindgen = Bindgen::new();
    let made = bindgen.input_path(input).out_name("engine").web(true).and_then(|bindgen| {
        bindgen.typescript(true).omit_default_module_path(true).remove_producers_section(true).generate(folder)
    });
    match made {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("wasm-bindgen: {error:#}");
            ExitCode::FAILURE
        }
    }
}
