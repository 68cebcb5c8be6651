//! The list of users: a file that every front gets as it is. Only guests parse its lines.

use crate::{
    exit::{self, ExitError},
    guest::{Fault, Front, GuestModule, MemoryLayout},
    inbox::Inbox,
    network::address::Address,
    options::{HugePages, Options},
    system::pid_file,
};
use parking_lot::Mutex;
use std::{
    fs::File,
    hash::{BuildHasher, RandomState},
    io::{self, Read},
    net::IpAddr,
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
    /// Hashes the addresses of clients.
    addresses: RandomState,
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
        let users = Self { path, list: Mutex::new(list), addresses: RandomState::new() };
        let module = GuestModule::load(layout, HugePages::Never).map_err(failure)?;
        let checked = checker(&module, &Config::default()).and_then(|mut front| users.hand_to(&mut front));
        checked.map_err(|fault| failure(fault.message))?.map_err(failure)?;
        Ok(Some(Arc::new(users)))
    }

    /// The number of a client's address, by which guests limit failed logins: a hash under a secret, the same in all
    /// workers. The addresses of an IPv6 network (/64) are one, because a client has all of them. The clients of Unix
    /// sockets have one together.
    pub(crate) fn number_of(&self, peer: &Address) -> u64 {
        let network = match peer {
            Address::Tcp(address) | Address::Udp(address) => match address.ip().to_canonical() {
                IpAddr::V4(address) => (4, u64::from(address.to_bits())),
                IpAddr::V6(address) => (6, (address.to_bits() >> 64) as u64),
            },
            #[cfg(unix)]
            Address::Unix(_) => (0, 0),
        };
        self.addresses.hash_one(network)
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
        send_secret(self, inboxes, Self::hand_to);
        Ok(())
    }

    fn describe(&self, problem: &str) -> String {
        format!("Authfile [{}] has a malformed entry: {problem}", self.path.display())
    }
}

/// A front without clients, which only judges secrets.
pub(crate) fn checker(module: &GuestModule, config: &Config) -> Result<Front, Fault> {
    Front::create(module, &Config { role: Role::Front, ..config.clone() }, 0)
}

/// The contents of a file; of a longer one than `bytes_max`, one byte more.
pub(crate) fn read_secret(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A front's verdict on a secret.
type Judged = Result<Result<(), String>, Fault>;

/// Lets every worker hand the secret to its front.
pub(crate) fn send_secret<Secret: Send + Sync + 'static>(
    secret: &Arc<Secret>,
    inboxes: &[Inbox],
    hand: fn(&Secret, &mut Front) -> Judged,
) {
    for (worker, inbox) in inboxes.iter().enumerate() {
        let secret = Arc::clone(secret);
        inbox.run(move |front| {
            if let Err(problem) = hand(&secret, front)? {
                tracing::error!("worker {worker}: {problem}; the old contents stay in force");
            }
            Ok(())
        });
    }
}

fn read(path: &Path) -> Result<Arc<[u8]>, String> {
    let failure = |reason: String| format!("Could not open authfile [{}] for reading, error {reason}", path.display());
    let bytes = read_secret(path, limits::USERS_BYTES_MAX).map_err(|error| failure(error.to_string()))?;
    if bytes.len() > limits::USERS_BYTES_MAX {
        return Err(failure(format!("it is longer than {} bytes", limits::USERS_BYTES_MAX)));
    }
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_numbers_by_network() {
        let users = UserList { path: PathBuf::new(), list: Mutex::new(Arc::default()), addresses: RandomState::new() };
        let number = |text: &str| users.number_of(&Address::Tcp(text.parse().unwrap()));
        for (one, other, are_one) in [
            ("127.0.0.1:1", "127.0.0.1:2", true),
            ("127.0.0.1:1", "127.0.0.2:1", false),
            ("[::ffff:127.0.0.1]:1", "127.0.0.1:1", true),
            ("[2001:db8::1]:1", "[2001:db8::ffff:1:2:3]:1", true),
            ("[2001:db8::1]:1", "[2001:db8:0:1::1]:1", false),
            ("[::1]:1", "0.0.0.0:1", false),
        ] {
            assert_eq!(number(one) == number(other), are_one, "{one} {other}");
        }
        #[cfg(unix)]
        {
            let unix = |path: &str| users.number_of(&Address::Unix(Path::new(path).into()));
            assert_eq!(unix("/a"), unix("/b"));
        }
    }
}
