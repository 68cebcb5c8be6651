//! The commands of this repository, by hand and in CI. `cargo xtask` lists them.
//!
//! Owns the set-up of a machine and the order of builds and tests. Holds no product code.

mod ahead;
mod arm;
mod bench;
mod build;
mod cross;
mod dependencies;
mod documentation;
mod fuzz;
#[path = "../../host/build/mod.rs"]
mod guest_build;
mod guests;
mod instructions;
mod js;
mod lint;
mod machine;
mod macos;
mod packages;
mod races;
mod runners;
mod shipped;
mod step;
mod target;
mod test;
mod tidy;
mod trials;
mod windows;
mod wine;

use std::process::ExitCode;
use step::Outcome;

/// A command of this tool.
struct Command {
    name: &'static str,
    arguments: &'static str,
    summary: &'static str,
    run: fn(&[String]) -> Outcome,
}

const COMMANDS: [Command; 15] = [
    Command { name: "run", arguments: "[-- FLAGS]", summary: "build what is missing, then serve", run: build::run },
    Command {
        name: "test",
        arguments: "[PART ...]",
        summary: "set up and run every test, or parts of them",
        run: test::run,
    },
    Command {
        name: "tidy",
        arguments: "[FOLDER]",
        summary: "check imports, sizes, words and links of the repository",
        run: tidy::run,
    },
    Command { name: "build", arguments: "", summary: "build target/release/wasmcached", run: build::build },
    Command {
        name: "bench",
        arguments: "[scale | store | FLAGS]",
        summary: "benchmarks: beside memcached, on many cores (`scale`), the store alone",
        run: bench::run,
    },
    Command {
        name: "fuzz",
        arguments: "[keep] [TARGET] [SECONDS]",
        summary: "run the fuzzer; `keep` renews the corpus",
        run: fuzz::run,
    },
    Command {
        name: "instructions",
        arguments: "[--update]",
        summary: "compare counts of instructions with the file",
        run: instructions::run,
    },
    Command {
        name: "soak",
        arguments: "[SECONDS] [-- FLAGS]",
        summary: "check every answer while the server evicts",
        run: trials::soak,
    },
    Command {
        name: "differential",
        arguments: "[SECONDS] [-- FLAGS]",
        summary: "compare random conversations with memcached",
        run: trials::differential,
    },
    Command { name: "guest", arguments: "", summary: "build the WebAssembly guests only", run: guests::run },
    Command { name: "js", arguments: "", summary: "build the npm package in js/dist", run: js::run },
    Command {
        name: "playground",
        arguments: "",
        summary: "build the playground, target/playground/index.html",
        run: js::run_playground,
    },
    Command { name: "cross", arguments: "", summary: "check the other operating systems", run: cross::run },
    Command {
        name: ahead::NAME,
        arguments: "",
        summary: "build what later parts of the tests run, as `test` does beside the earlier ones",
        run: ahead::run,
    },
    Command { name: "setup", arguments: "", summary: "install what the tests need", run: packages::run },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else {
        print!("{}", usage());
        return ExitCode::SUCCESS;
    };
    if matches!(name.as_str(), "-h" | "--help" | "help") {
        print!("{}", usage());
        return ExitCode::SUCCESS;
    }
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        eprintln!("xtask: no command is called `{name}`\n\n{}", usage());
        return ExitCode::FAILURE;
    };
    let has_help_of_its_own = matches!(command.name, "test" | "bench");
    if matches!(rest, [argument] if argument == "-h" || argument == "--help") && !has_help_of_its_own {
        println!("usage: cargo xtask {} {}\n\n{}", command.name, command.arguments, command.summary);
        return ExitCode::SUCCESS;
    }
    match (command.run)(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask {name}: {message}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> String {
    let mut text = "usage: cargo xtask COMMAND\n\n".to_owned();
    for command in &COMMANDS {
        let call = format!("{} {}", command.name, command.arguments);
        text += &format!("  {call:<32} {}\n", command.summary);
    }
    text
}
