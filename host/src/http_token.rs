//! The token that clients of HTTP send: a file that every front gets as it is. Only guests judge it.

use crate::{
    exit::{self, ExitError},
    guest::{Fault, Front, GuestModule, MemoryLayout},
    inbox::Inbox,
    limits::HTTP_TOKEN_FILE_BYTES_MAX,
    options::{HugePages, Options},
    system::pid_file,
    users::{checker, read_secret, send_secret},
};
use parking_lot::Mutex;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use wasmcached_core::boundary::config::Config;

/// See the module.
#[derive(Debug)]
pub(crate) struct HttpToken {
    path: PathBuf,
    token: Mutex<Arc<[u8]>>,
}

impl HttpToken {
    /// Reads and checks the token that the options name; `None` without one.
    ///
    /// # Errors
    /// One line for the user.
    pub(crate) fn find(options: &Options, layout: MemoryLayout) -> Result<Option<Arc<Self>>, ExitError> {
        let failure = |message: String| ExitError::new(exit::FLAG, message);
        let Some(path) = options.http_token.as_ref().filter(|_| !options.http.is_empty()) else { return Ok(None) };
        // A daemon leaves the folder in which it was started.
        let path = pid_file::fixed_path(path);
        let token = read(&path).map_err(failure)?;
        let found = Self { path, token: Mutex::new(token) };
        let module = GuestModule::load(layout, HugePages::Never).map_err(failure)?;
        let checked = checker(&module, &Config::default()).and_then(|mut front| found.hand_to(&mut front));
        checked.map_err(|fault| failure(fault.message))?.map_err(failure)?;
        Ok(Some(Arc::new(found)))
    }

    /// Gives the token to a front. The inner error is the front's verdict that it is none.
    pub(crate) fn hand_to(&self, front: &mut Front) -> Result<Result<(), String>, Fault> {
        let token = Arc::clone(&self.token.lock());
        Ok(front.http_token(&token)?.map_err(|problem| self.describe(&problem)))
    }

    /// Reads the file again and sends the new token to all workers, once a front of `config` has accepted it.
    ///
    /// # Errors
    /// One line for the log.
    pub(crate) fn reload(
        self: &Arc<Self>,
        module: &GuestModule,
        config: &Config,
        inboxes: &[Inbox],
    ) -> Result<(), String> {
        let token = read(&self.path)?;
        let checked = checker(module, config).and_then(|mut front| front.http_token(&token));
        checked.map_err(|fault| fault.message)?.map_err(|problem| self.describe(&problem))?;
        *self.token.lock() = token;
        send_secret(self, inboxes, Self::hand_to);
        Ok(())
    }

    fn describe(&self, problem: &str) -> String {
        format!("http_token [{}]: {problem}", self.path.display())
    }
}

fn read(path: &Path) -> Result<Arc<[u8]>, String> {
    let failure = |reason: String| format!("Could not read http_token [{}]: {reason}", path.display());
    let bytes = read_secret(path, HTTP_TOKEN_FILE_BYTES_MAX).map_err(|error| failure(error.to_string()))?;
    // Without a token, everybody would be served.
    if bytes.trim_ascii().is_empty() {
        return Err(failure("it is empty".to_owned()));
    }
    Ok(bytes.into())
}
