//! The needs of the parts: packages, guests, programs. Nothing is set up for parts that do not run.

use crate::{
    build, cross, guests, packages,
    step::{Outcome, step},
};
use std::{panic::resume_unwind, path::PathBuf, thread};

/// A set of needs.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Needs {
    /// Packages of the system: memcached, its clients, valgrind.
    pub(super) system: bool,
    /// Python with the clients' packages.
    pub(super) python: bool,
    /// Node with the packages of `js/` and of the clients.
    pub(super) node: bool,
    /// Browsers.
    pub(super) browsers: bool,
    /// Compilers and emulators for other systems.
    pub(super) other_systems: bool,
    /// The WebAssembly guests.
    pub(super) guests: bool,
    /// The server as it is shipped.
    pub(super) server: bool,
    /// The server whose guest traps and hangs on demand.
    pub(super) faulty_server: bool,
}

impl Needs {
    pub(super) const NOTHING: Self = Self {
        system: false,
        python: false,
        node: false,
        browsers: false,
        other_systems: false,
        guests: false,
        server: false,
        faulty_server: false,
    };
    pub(super) const GUESTS: Self = Self { guests: true, ..Self::NOTHING };
    pub(super) const SERVER: Self = Self { server: true, ..Self::GUESTS };

    /// The needs of all of them.
    pub(super) fn union(all: impl Iterator<Item = Self>) -> Self {
        all.fold(Self::NOTHING, |sum, other| Self {
            system: sum.system || other.system,
            python: sum.python || other.python,
            node: sum.node || other.node,
            browsers: sum.browsers || other.browsers,
            other_systems: sum.other_systems || other.other_systems,
            guests: sum.guests || other.guests,
            server: sum.server || other.server,
            faulty_server: sum.faulty_server || other.faulty_server,
        })
    }
}

/// Results of the set-up.
#[derive(Default)]
pub(super) struct Tools {
    /// The interpreter.
    pub(super) python: Option<PathBuf>,
    /// The folder of the interpreter.
    pub(super) node: Option<PathBuf>,
    /// Whether the server was built.
    pub(super) server: bool,
    /// Whether the server with fault injection was built.
    pub(super) faulty_server: bool,
}

/// Sets up these needs. `beside` runs when the guests are built, beside the builds of the server: the last part of those
/// keeps one processor busy only, and packages wait for the network.
pub(super) fn set_up<T>(needs: Needs, beside: impl FnOnce() -> T) -> Outcome<(Tools, T)> {
    thread::scope(|scope| {
        let packages = scope.spawn(|| packages(needs));
        if needs.guests {
            guests::build(&guests::SERVER_AND_FAULTS)?;
            guests::build(&guests::CACHE)?;
        }
        let programs = scope.spawn(|| programs(needs));
        let value = beside();
        programs.join().unwrap_or_else(|panic| resume_unwind(panic))?;
        let tools = packages.join().unwrap_or_else(|panic| resume_unwind(panic))?;
        Ok((tools, value))
    })
}

/// Installs packages, each after those that it builds on.
fn packages(needs: Needs) -> Outcome<Tools> {
    let mut tools = Tools { server: needs.server, faulty_server: needs.faulty_server, ..Tools::default() };
    if needs.system {
        step("packages of the system", packages::system_packages)?;
    }
    if needs.other_systems {
        step("packages for other systems", cross::packages)?;
    }
    if needs.browsers {
        step("browsers", packages::browsers)?;
    }
    if needs.python {
        tools.python = Some(step("packages of Python", packages::python)?);
    }
    if needs.node {
        tools.node = Some(step("packages of Node", packages::node)?);
    }
    Ok(tools)
}

/// Builds the server.
fn programs(needs: Needs) -> Outcome {
    if needs.faulty_server {
        build::build_fault_injection()?;
    }
    if needs.server {
        build::build(&[])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Needs;

    #[test]
    fn the_union_is_what_any_of_them_needs() {
        let python = Needs { python: true, ..Needs::NOTHING };
        let both = Needs::union([Needs::GUESTS, python].into_iter());
        assert_eq!(both, Needs { python: true, guests: true, ..Needs::NOTHING });
        assert_eq!(Needs::union(std::iter::empty()), Needs::NOTHING);
    }
}
