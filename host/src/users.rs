//! The list of users: a file that every front gets as it is. Only guests parse its lines.

use crate::{
    exit::{self, ExitError},
    guest::{Fault, Front, GuestModule, MemoryLayout},
    inbox::Inbox,
    options::{HugePages, Options},
    system::pid_file,
};
use parking_lot::Mutex;
use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};
use wasmcached_core::{
    boundary::config::{Authentication, Config, Role},
    limits,
};

/// Names the file of users of `-S`.
const PATH_VARIABLE: &str = "MEMCACHED_SASL_PWDB";

/// See the module.
#[derive(Debug)]
pub(crate) struct UserList {
    path: PathBuf,
    list: Mutex<Arc<[u8]>>,
}

impl UserList {
    /// Reads and checks the list that the command line and the environment name; `None` without authentication.
    ///
    /// # Errors
    /// One line for the user.
    pub(crate) fn find(options: &Options, layout: MemoryLayout) -> Result<Option<Arc<Self>>, ExitError> {
        let failure = |message: String| ExitError::new(exit::FLAG, message);
        let path = match options.authentication() {
            Authentication::None => return Ok(None),
            Authentication::Text => options.auth_file.clone(),
            Authentication::Sasl => std::env::var_os(PATH_VARIABLE).map(PathBuf::from),
        };
        let path = path.ok_or_else(|| failure(format!("-S: {PATH_VARIABLE} has to name the file of users")))?;
        // A daemon leaves the folder in which it was started.
        let path = pid_file::fixed_path(&path);
        let list = read(&path).map_err(failure)?;
        let users = Self { path, list: Mutex::new(list) };
        let module = GuestModule::load(layout, HugePages::Never).map_err(failure)?;
        let checked = checker(&module, &Config::default()).and_then(|mut front| users.hand_to(&mut front));
        checked.map_err(|fault| failure(fault.message))?.map_err(failure)?;
        Ok(Some(Arc::new(users)))
    }

    /// Gives the list to a front. The inner error is the front's verdict that the list is malformed.
    pub(crate) fn hand_to(&self, front: &mut Front) -> Result<Result<(), String>, Fault> {
        let list = Arc::clone(&self.list.lock());
        let result = front.users(&list)?;
        Ok(result.map_err(|problem| self.describe(&problem)))
    }

    /// Reads the file again and sends the new list to all workers, once a front of `config` has accepted it.
    ///
    /// # Errors
    /// One line for the log.
    pub(crate) fn reload(
        self: &Arc<Self>,
        module: &GuestModule,
        config: &Config,
        inboxes: &[Inbox],
    ) -> Result<(), String> {
        let list = read(&self.path)?;
        let checked =
            checker(module, config).and_then(|mut front| front.users(&list)).map_err(|fault| fault.message)?;
        checked.map_err(|problem| self.describe(&problem))?;
        *self.list.lock() = list;
        for (worker, inbox) in inboxes.iter().enumerate() {
            let users = Arc::clone(self);
            inbox.run(move |front| {
                if let Err(problem) = users.hand_to(front)? {
                    tracing::error!("worker {worker}: {problem}; the old contents stay in force");
                }
                Ok(())
            });
        }
        Ok(())
    }

    fn describe(&self, problem: &str) -> String {
        format!("Authfile [{}] has a malformed entry: {problem}", self.path.display())
    }
}

/// A front without clients, which only parses lists.
fn checker(module: &GuestModule, config: &Config) -> Result<Front, Fault> {
    Front::create(module, &Config { role: Role::Front, ..config.clone() }, 0)
}

fn read(path: &Path) -> Result<Arc<[u8]>, String> {
    let failure = |reason: String| format!("Could not open authfile [{}] for reading, error {reason}", path.display());
    let file = File::open(path).map_err(|error| failure(error.to_string()))?;
    let mut bytes = Vec::new();
    file.take(limits::USERS_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| failure(error.to_string()))?;
    if bytes.len() > limits::USERS_BYTES_MAX {
        return Err(failure(format!("it is longer than {} bytes", limits::USERS_BYTES_MAX)));
    }
    Ok(bytes.into())
}
