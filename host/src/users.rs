//! The list of users: a file, handed to every front as it is. What its lines mean, only the guests know.

use crate::{
    exit::{self, ExitError},
    guest::{Engine, Fault, Front},
    options::{HugePages, Options},
    system::pid_file,
};
use parking_lot::Mutex;
use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
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
    version: AtomicU32,
}

impl UserList {
    /// The list that the command line and the environment name, read and tried; `None`: nobody has to log in.
    ///
    /// # Errors
    /// One line for the user.
    pub(crate) fn find(options: &Options) -> Result<Option<Self>, ExitError> {
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
        let users = Self { path, list: Mutex::new(list), version: AtomicU32::new(0) };
        let engine = Engine::load(HugePages::Never).map_err(failure)?;
        let tried = tester(&engine, &Config::default()).and_then(|mut front| users.hand_to(&mut front));
        tried.map_err(|fault| failure(fault.message))?.map_err(failure)?;
        Ok(Some(users))
    }

    /// Hands the list to a front, which says whether it is one.
    pub(crate) fn hand_to(&self, front: &mut Front) -> Result<Result<(), String>, Fault> {
        let list = Arc::clone(&self.list.lock());
        let taken = front.users(&list)?;
        Ok(taken.map_err(|problem| self.describe(&problem)))
    }

    /// Reads the file again. It is in force when a front of `config` has taken it for a list.
    ///
    /// # Errors
    /// One line for the log.
    pub(crate) fn reload(&self, engine: &Engine, config: &Config) -> Result<(), String> {
        let list = read(&self.path)?;
        let taken = tester(engine, config).and_then(|mut front| front.users(&list)).map_err(|fault| fault.message)?;
        taken.map_err(|problem| self.describe(&problem))?;
        *self.list.lock() = list;
        self.version.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// Changes whenever the list does.
    #[inline]
    pub(crate) fn version(&self) -> u32 {
        self.version.load(Ordering::Acquire)
    }

    fn describe(&self, problem: &str) -> String {
        format!("Authfile [{}] has a malformed entry: {problem}", self.path.display())
    }
}

/// A front that serves nobody.
fn tester(engine: &Engine, config: &Config) -> Result<Front, Fault> {
    Front::create(engine, &Config { role: Role::Front, ..config.clone() }, 0)
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
