//! Texts that are printed instead of serving: help, version, licence, man page, reference, completions. None of them
//! touches the engine.

use super::{
    help::{GENERATE, SPEAKS, version},
    parser, reference,
};
use crate::exit::{self, ExitError};
use clap::ArgMatches;
use clap_complete::Shell;

/// The text that the command line asks for, if it does.
pub(super) fn requested(matches: &ArgMatches, called_memcached: bool) -> Result<Option<Vec<u8>>, ExitError> {
    if let Some(what) = matches.get_one::<String>(GENERATE) {
        return generate(what).map(Some);
    }
    // Scripts take the version from the first line, which is memcached's under its name.
    let first = if called_memcached { format!("{SPEAKS}\n") } else { String::new() };
    let text = if matches.get_flag("help") {
        let command = if called_memcached { parser::command().bin_name("memcached") } else { parser::command() };
        format!("{}\n{}", version(), command.clone().render_help())
    } else if matches.get_flag("version") {
        if called_memcached { String::new() } else { version() }
    } else if matches.get_flag("license") {
        license()
    } else {
        return Ok(None);
    };
    Ok(Some((first + &text).into_bytes()))
}

fn license() -> String {
    format!(
        "{}wasmcached may be used under the MIT licence or the Apache licence 2.0, at your choice:\n\
        https://opensource.org/license/mit, https://www.apache.org/licenses/LICENSE-2.0\n",
        version()
    )
}

fn generate(what: &str) -> Result<Vec<u8>, ExitError> {
    let mut command = parser::command().version(env!("CARGO_PKG_VERSION"));
    let mut bytes = Vec::new();
    let shell = match what {
        "bash" => Shell::Bash,
        "zsh" => Shell::Zsh,
        "fish" => Shell::Fish,
        "powershell" => Shell::PowerShell,
        "reference" => return Ok(reference::page().into_bytes()),
        _ => {
            let rendered = clap_mangen::Man::new(command).section("1").render(&mut bytes);
            rendered.map_err(|error| ExitError::new(exit::SYSTEM, error.to_string()))?;
            return Ok(bytes);
        }
    };
    clap_complete::generate(shell, &mut command, "wasmcached", &mut bytes);
    Ok(bytes)
}
