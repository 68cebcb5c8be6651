//! The servers of a suite, and how a script learns where they are.

use crate::suite::{Over, Site};
use std::process::Command;
use wasmcached_tests::server::Server;

/// Servers that live as long as the handle.
#[derive(Debug)]
pub(crate) struct Servers {
    servers: Vec<Server>,
}

impl Servers {
    /// Starts `count` of them.
    ///
    /// # Errors
    /// If one does not run.
    pub(crate) fn start(site: &Site, count: usize) -> Result<Self, String> {
        let servers = (0..count).map(|_| Server::start(&site.program, &flags(site.over))).collect::<Result<_, _>>()?;
        Ok(Self { servers })
    }

    /// Where they are, as clients want it.
    pub(crate) fn addresses(&self) -> Vec<String> {
        self.servers.iter().map(|server| server.address.to_string()).collect()
    }

    /// Tells a script where they are.
    pub(crate) fn describe(&self, command: &mut Command) {
        let addresses = self.addresses();
        if let [first, further @ ..] = addresses.as_slice() {
            command.env("SERVER", first).env("FURTHER", further.join(","));
        }
    }
}

fn flags(over: Over) -> Vec<String> {
    match over {
        Over::Text => Vec::new(),
    }
}
