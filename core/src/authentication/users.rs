//! The list of users: lines of `name:password` or `name:SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`, the form
//! of PostgreSQL. A name may have several lines with plain passwords, and each of them is valid. Of its hashed passwords
//! only the first counts. SCRAM uses the first line of a name only, because it announces one salt.

use super::{
    Problem, Secrets,
    crypto::{HASH_BYTES, Hash, hmac, key_of, salted, sha256},
};
use crate::limits;
use alloc::vec::Vec;
use base64ct::{Base64, Encoding};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

/// Iterations for users with a plain password (the minimum of RFC 7677).
const ITERATIONS: u32 = 4096;
/// Size of the salts for users without a salt in the list.
const SALT_BYTES: usize = 16;

/// See the module. An empty list refuses every login.
#[derive(Default)]
pub struct Users {
    users: Vec<User>,
    keys: Keys,
    /// Iterations of a password check, the same for every name.
    check_iterations: u32,
    /// Iterations of the last step of SCRAM.
    proof_iterations: u32,
    /// Iterations that SCRAM announces for unknown names: those of the first user.
    first_iterations: u32,
}

/// Keys derived from the secrets.
#[derive(Clone, Copy, Default)]
pub(super) struct Keys {
    pub(super) common: Hash,
    pub(super) own: Hash,
}

struct User {
    /// The hash of the name. Names are compared by hashes, because all have the same length.
    name: Hash,
    credential: Credential,
}

#[derive(Clone)]
pub(super) enum Credential {
    /// A plain password.
    Password { bytes: Vec<u8>, hash: Hash },
    /// A hashed password: it can check a password but cannot log in.
    Verifier(Verifier),
}

#[derive(Clone, Default)]
pub(super) struct Verifier {
    pub(super) iterations: u32,
    pub(super) salt: Vec<u8>,
    pub(super) stored_key: Hash,
    pub(super) server_key: Hash,
}

impl Verifier {
    pub(super) fn of(password: &[u8], salt: Vec<u8>, iterations: u32) -> Self {
        let salted = salted(password, &salt, iterations);
        let stored_key = sha256(&hmac(&salted, &[b"Client Key"]));
        Self { iterations, salt, stored_key, server_key: hmac(&salted, &[b"Server Key"]) }
    }
}

/// The challenge of SCRAM for a name.
pub(super) struct Challenge {
    pub(super) salt: Vec<u8>,
    pub(super) iterations: u32,
    pub(super) credential: Credential,
    pub(super) exists: Choice,
}

impl Users {
    /// Reads a list.
    ///
    /// # Errors
    /// The first invalid line, or the first line above the limit.
    pub fn parse(list: &[u8], secrets: &Secrets) -> Result<Self, Problem> {
        let keys = Keys { common: key_of(&secrets.common), own: key_of(&secrets.own) };
        let mut users = Self { keys, ..Self::default() };
        for (line, number) in list.split(|&byte| byte == b'\n').zip(1..) {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                continue;
            }
            let user = users.user(line).map_err(|reason| Problem { line: number, reason })?;
            users.users.push(user);
            if users.users.len() > limits::USERS_MAX {
                return Err(Problem { line: number, reason: "there are too many users" });
            }
        }
        if users.users.is_empty() {
            return Err(Problem { line: 1, reason: "there is no user" });
        }
        users.set_iterations();
        Ok(users)
    }

    fn user(&self, line: &[u8]) -> Result<User, &'static str> {
        let colon = line.iter().position(|&byte| byte == b':').ok_or("it should be \"user:password\"")?;
        let (name, secret) = (&line[..colon], &line[colon + 1..]);
        if name.is_empty() || secret.is_empty() {
            return Err("user or password is empty");
        }
        if name.len() > limits::USER_NAME_BYTES_MAX || secret.len() > limits::PASSWORD_BYTES_MAX {
            return Err("user or password is too long");
        }
        let credential = match secret.strip_prefix(b"SCRAM-SHA-256$") {
            Some(verifier) => Credential::Verifier(verifier_of(verifier)?),
            None => Credential::Password { bytes: secret.to_vec(), hash: self.hash(secret) },
        };
        Ok(User { name: self.hash(name), credential })
    }

    /// Sets the iterations that every check takes.
    fn set_iterations(&mut self) {
        let iterations = |user: &User| match &user.credential {
            Credential::Password { .. } => 0,
            Credential::Verifier(verifier) => verifier.iterations,
        };
        self.check_iterations = self.users.iter().map(iterations).max().unwrap_or(0);
        let derives = |user: &User| matches!(user.credential, Credential::Password { .. });
        self.proof_iterations = if self.users.iter().any(derives) { ITERATIONS } else { 0 };
        self.first_iterations = self.users.first().map_or(0, iterations);
        if self.first_iterations == 0 {
            self.first_iterations = ITERATIONS;
        }
    }

    /// A hash under a secret key, so that the position of a difference tells nothing about the input.
    fn hash(&self, bytes: &[u8]) -> Hash {
        hmac(&self.keys.own, &[b"compare", bytes])
    }

    /// Iterations that [`Users::check`] takes, the same for every name.
    pub fn check_iterations(&self) -> u32 {
        self.check_iterations
    }

    /// Iterations that the check of a SCRAM proof takes.
    pub fn proof_iterations(&self) -> u32 {
        self.proof_iterations
    }

    /// Whether there is a user with that name and password.
    pub fn check(&self, name: &[u8], password: &[u8]) -> bool {
        let (name, hash) = (self.hash(name), self.hash(password));
        let (mut passes, mut found, mut at) = (Choice::from(0), Choice::from(0), 0u32);
        for (user, number) in self.users.iter().zip(0u32..) {
            let is_it = user.name.ct_eq(&name);
            match &user.credential {
                Credential::Password { hash: expected, .. } => passes |= is_it & expected.ct_eq(&hash),
                Credential::Verifier(_) => {
                    at.conditional_assign(&number, is_it & !found);
                    found |= is_it;
                }
            }
        }
        if self.check_iterations > 0 {
            let decoy = Verifier { iterations: self.check_iterations, ..Verifier::default() };
            let verifier = match self.users.get(at as usize).map(|user| &user.credential) {
                Some(Credential::Verifier(verifier)) => verifier,
                _ => &decoy,
            };
            let made = Verifier::of(password, verifier.salt.clone(), verifier.iterations);
            self.do_equal_work(self.check_iterations - verifier.iterations);
            passes |= found & made.stored_key.ct_eq(&verifier.stored_key);
        }
        bool::from(passes)
    }

    /// The challenge for a client with that name.
    pub(super) fn challenge(&self, name: &[u8]) -> Challenge {
        let hash = self.hash(name);
        let (mut exists, mut at) = (Choice::from(0), 0u32);
        for (user, number) in self.users.iter().zip(0u32..) {
            let is_it = user.name.ct_eq(&hash);
            at.conditional_assign(&number, is_it & !exists);
            exists |= is_it;
        }
        let salt = hmac(&self.keys.common, &[b"salt", name])[..SALT_BYTES].to_vec();
        let known = self.users.get(at as usize).filter(|_| bool::from(exists));
        let (salt, iterations, credential) = match known.map(|user| user.credential.clone()) {
            Some(Credential::Verifier(verifier)) => {
                (verifier.salt.clone(), verifier.iterations, Credential::Verifier(verifier))
            }
            Some(password) => (salt, ITERATIONS, password),
            None => (salt, self.first_iterations, Credential::Verifier(Verifier::default())),
        };
        Challenge { salt, iterations, credential, exists }
    }

    /// The keys that check the proof of a client.
    pub(super) fn verifier(&self, challenge: &Challenge) -> Verifier {
        match &challenge.credential {
            Credential::Password { bytes, .. } => Verifier::of(bytes, challenge.salt.clone(), challenge.iterations),
            Credential::Verifier(verifier) => {
                self.do_equal_work(self.proof_iterations);
                verifier.clone()
            }
        }
    }

    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Does the work of a check with that number of iterations.
    fn do_equal_work(&self, iterations: u32) {
        if iterations > 0 {
            core::hint::black_box(salted(&self.keys.own, &self.keys.common, iterations));
        }
    }
}

/// `<iterations>:<salt>$<StoredKey>:<ServerKey>`, the last three in base64.
fn verifier_of(text: &[u8]) -> Result<Verifier, &'static str> {
    const REASON: &str = "it should be \"user:SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey\"";
    let text = core::str::from_utf8(text).map_err(|_| REASON)?;
    let (parameters, keys) = text.split_once('$').ok_or(REASON)?;
    let (iterations, salt) = parameters.split_once(':').ok_or(REASON)?;
    let (stored_key, server_key) = keys.split_once(':').ok_or(REASON)?;
    let iterations: u32 = iterations.parse().map_err(|_| REASON)?;
    if iterations == 0 || iterations > limits::SCRAM_ITERATIONS_MAX {
        return Err("there are too many iterations, or none");
    }
    let salt = Base64::decode_vec(salt).map_err(|_| REASON)?;
    if salt.is_empty() {
        return Err(REASON);
    }
    let key = |text: &str| {
        let mut key = [0; HASH_BYTES];
        let length = Base64::decode(text, &mut key).map_err(|_| REASON)?.len();
        if length == HASH_BYTES { Ok(key) } else { Err(REASON) }
    };
    Ok(Verifier { iterations, salt, stored_key: key(stored_key)?, server_key: key(server_key)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::String};

    const SECRETS: Secrets = Secrets { common: [1, 2], own: [3, 4, 5, 6] };

    /// A line with a hashed password, in the form of PostgreSQL.
    fn hashed(name: &str, password: &str, iterations: u32) -> String {
        let verifier = Verifier::of(password.as_bytes(), b"0123456789abcdef".to_vec(), iterations);
        let encode = |bytes: &[u8]| Base64::encode_string(bytes);
        let (salt, stored) = (encode(&verifier.salt), encode(&verifier.stored_key));
        format!("{name}:SCRAM-SHA-256${iterations}:{salt}${stored}:{}", encode(&verifier.server_key))
    }

    fn users(list: &str) -> Users {
        Users::parse(list.as_bytes(), &SECRETS).unwrap_or_else(|problem| panic!("{problem:?}"))
    }

    #[test]
    fn passwords_are_checked() {
        let list = format!("user:password\r\n\n{}\nbob:a:b c\nbob:second\n", hashed("ann", "secret", 50));
        let users = users(&list);
        for (name, password) in [("user", "password"), ("ann", "secret"), ("bob", "a:b c"), ("bob", "second")] {
            assert!(users.check(name.as_bytes(), password.as_bytes()), "{name}");
        }
        for (name, password) in [
            ("user", "passwor"),
            ("user", "password\0"),
            ("user", ""),
            ("", "password"),
            ("use", "password"),
            ("ann", "password"),
            ("ann", ""),
            ("bob", "a"),
            ("nobody", "secret"),
        ] {
            assert!(!users.check(name.as_bytes(), password.as_bytes()), "{name}");
        }
    }

    #[test]
    fn an_empty_list_refuses_every_login() {
        assert!(!Users::default().check(b"", b""));
        assert!(!Users::default().check(b"user", b"password"));
        // The key of the decoy is public, so it must not log in.
        let users = users(&hashed("ann", "secret", 50));
        assert!(!users.check(b"nobody", b"secret"));
    }

    /// A hash of another implementation (Python's hashlib).
    #[test]
    fn a_hash_of_another_implementation() {
        let line = "foo:SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
        assert!(users(line).check(b"foo", b"pencil"));
        assert!(!users(line).check(b"foo", b"Pencil"));
    }

    #[test]
    fn bad_lines_are_named() {
        let good = hashed("a", "b", 7);
        let problems = [
            ("", 1),
            ("user", 1),
            ("a:b\nuser\n", 2),
            ("a:b\n\n:b", 3),
            ("a:b\nb:", 2),
            (&good.replace("$7:", "$0:"), 1),
            (&good.replace("$7:", "$9999999:"), 1),
            (&good.replace("$7:", "$x:"), 1),
            (&good[..good.len() - 1], 1),
            ("a:SCRAM-SHA-256$", 1),
        ];
        for (list, line) in problems {
            let problem = Users::parse(list.as_bytes(), &SECRETS).err().unwrap_or_else(|| panic!("{list:?}"));
            assert_eq!(problem.line, line, "{list:?}");
        }
        let long = [b'x'; 2000];
        assert!(Users::parse(&[&long[..], b":y"].concat(), &SECRETS).is_err());
        assert!(Users::parse(&[b"y:", &long[..]].concat(), &SECRETS).is_err());
        let many = "a:b\n".repeat(limits::USERS_MAX);
        assert!(Users::parse(many.as_bytes(), &SECRETS).is_ok());
        assert!(Users::parse(format!("{many}a:b").as_bytes(), &SECRETS).is_err());
    }
}
