//! The list of users: lines of `name:password` or `name:SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`, the form
//! of PostgreSQL. A name may have several lines with plain passwords, and each of them is valid. Of its hashed passwords
//! only the first counts. SCRAM uses the first line of a name only, because it announces one salt.
//!
//! For SASL the lines are read as memcached and Cyrus SASL write them ([`ListForm::Sasl`]).

use super::{
    Problem, Secrets,
    crypto::{Derivation, HASH_BYTES, Hash, hmac, key_of, sha256},
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
    /// The hash of the name without its realm; `name` if it has none.
    short_name: Hash,
    credential: Credential,
}

#[derive(Clone)]
pub(super) enum Credential {
    /// A plain password, without empty fields behind it; `whole`: the hash of all of the line's rest.
    Password { bytes: Vec<u8>, hash: Hash, whole: Hash },
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

/// StoredKey and ServerKey of a salted password.
pub(super) fn keys_of(salted: &Hash) -> (Hash, Hash) {
    (sha256(&hmac(salted, &[b"Client Key"])), hmac(salted, &[b"Server Key"]))
}

/// The forms of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListForm {
    /// Names and passwords are what stands there (`-Y`).
    Plain,
    /// A name may have a realm, without which clients log in as well (`user@host`: Cyrus SASL asks for it). Behind a
    /// password may be empty fields (`password:::`), as in the files of memcached's own tests (`-S`).
    Sasl,
}

/// A check of a name and a password under way. It makes the same number of iterations for every name.
pub struct PasswordCheck {
    /// A plain password is the one.
    passes: Choice,
    /// There is a hashed password of that name.
    found: Choice,
    /// The StoredKey of that hashed password.
    stored_key: Hash,
    /// `None`: the list has no hashed password.
    derivation: Option<Derivation>,
}

impl PasswordCheck {
    /// Continues with at most `iterations` iterations. The verdict after the last one.
    pub fn advance(&mut self, iterations: u32) -> Option<bool> {
        let Some(derivation) = &mut self.derivation else { return Some(bool::from(self.passes)) };
        let (stored_key, _) = keys_of(&derivation.advance(iterations)?);
        Some(bool::from(self.passes | self.found & stored_key.ct_eq(&self.stored_key)))
    }
}

/// The challenge of SCRAM for a name.
pub(super) struct Challenge {
    pub(super) salt: Vec<u8>,
    pub(super) iterations: u32,
    credential: Credential,
    pub(super) exists: Choice,
}

impl Users {
    /// Reads a list.
    ///
    /// # Errors
    /// The first invalid line, or the first line above the limit.
    pub fn parse(list: &[u8], secrets: &Secrets) -> Result<Self, Problem> {
        Self::parse_form(list, ListForm::Plain, secrets)
    }

    /// Reads a list of that form.
    ///
    /// # Errors
    /// Those of [`Users::parse`].
    pub fn parse_form(list: &[u8], form: ListForm, secrets: &Secrets) -> Result<Self, Problem> {
        let keys = Keys { common: key_of(&secrets.common), own: key_of(&secrets.own) };
        let mut users = Self { keys, ..Self::default() };
        for (line, number) in list.split(|&byte| byte == b'\n').zip(1..) {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                continue;
            }
            let user = users.user(line, form).map_err(|reason| Problem { line: number, reason })?;
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

    fn user(&self, line: &[u8], form: ListForm) -> Result<User, &'static str> {
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
            None => {
                let bytes = if form == ListForm::Sasl { without_fields(secret) } else { secret };
                Credential::Password { bytes: bytes.to_vec(), hash: self.hash(bytes), whole: self.hash(secret) }
            }
        };
        let short_name = if form == ListForm::Sasl { without_realm(name) } else { name };
        Ok(User { name: self.hash(name), short_name: self.hash(short_name), credential })
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

    /// Begins to check a name and a password.
    pub fn begin_check(&self, name: &[u8], password: &[u8]) -> PasswordCheck {
        let (name, hash) = (self.hash(name), self.hash(password));
        let (mut passes, mut named) = (Choice::from(0), Named::default());
        for (user, number) in self.users.iter().zip(0u32..) {
            match &user.credential {
                Credential::Password { hash: expected, whole, .. } => {
                    let is_it = user.name.ct_eq(&name) | user.short_name.ct_eq(&name);
                    passes |= is_it & (expected.ct_eq(&hash) | whole.ct_eq(&hash));
                }
                Credential::Verifier(_) => named.look_at(user, number, &name),
            }
        }
        let (mut stored_key, mut derivation) = (Hash::default(), None);
        if self.check_iterations > 0 {
            let decoy = Verifier { iterations: self.check_iterations, ..Verifier::default() };
            let verifier = match self.users.get(named.at as usize).map(|user| &user.credential) {
                Some(Credential::Verifier(verifier)) => verifier,
                _ => &decoy,
            };
            let padding = self.check_iterations - verifier.iterations;
            derivation = Some(Derivation::new(password, &verifier.salt, verifier.iterations, padding));
            stored_key = verifier.stored_key;
        }
        PasswordCheck { passes, found: named.exists, stored_key, derivation }
    }

    /// Whether there is a user with that name and password: a check in one go.
    pub fn check(&self, name: &[u8], password: &[u8]) -> bool {
        self.begin_check(name, password).advance(u32::MAX) == Some(true)
    }

    /// The challenge for a client with that name.
    pub(super) fn challenge(&self, name: &[u8]) -> Challenge {
        let (hash, mut named) = (self.hash(name), Named::default());
        self.users.iter().zip(0u32..).for_each(|(user, number)| named.look_at(user, number, &hash));
        let Named { exists, at, .. } = named;
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

    /// Begins to make the keys that check the proof of a client. A hashed password has them, and takes as long as a plain
    /// one.
    pub(super) fn begin_keys(&self, challenge: &Challenge) -> Option<Derivation> {
        match &challenge.credential {
            Credential::Password { bytes, .. } => {
                Some(Derivation::new(bytes, &challenge.salt, challenge.iterations, 0))
            }
            Credential::Verifier(_) if self.proof_iterations == 0 => None,
            Credential::Verifier(_) => {
                Some(Derivation::new(&self.keys.own, &self.keys.common, self.proof_iterations, 0))
            }
        }
    }

    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }
}

impl Challenge {
    /// StoredKey and ServerKey; `salted`: the result of [`Users::begin_keys`].
    pub(super) fn keys(&self, salted: Option<Hash>) -> (Hash, Hash) {
        match &self.credential {
            Credential::Password { .. } => keys_of(&salted.unwrap_or_default()),
            Credential::Verifier(verifier) => (verifier.stored_key, verifier.server_key),
        }
    }
}

/// The search for the one user of a name: the first line with exactly that name, else the first with a realm behind it.
struct Named {
    exists: Choice,
    is_exact: Choice,
    at: u32,
}

impl Default for Named {
    fn default() -> Self {
        Self { exists: Choice::from(0), is_exact: Choice::from(0), at: 0 }
    }
}

impl Named {
    /// Takes the same time for every user.
    fn look_at(&mut self, user: &User, number: u32, name: &Hash) {
        let (exact, short) = (user.name.ct_eq(name), user.short_name.ct_eq(name));
        self.at.conditional_assign(&number, exact & !self.is_exact | short & !self.exists);
        self.is_exact |= exact;
        self.exists |= exact | short;
    }
}

/// The name before its realm.
fn without_realm(name: &[u8]) -> &[u8] {
    match name.iter().rposition(|&byte| byte == b'@') {
        None | Some(0) => name,
        Some(at) => &name[..at],
    }
}

/// The password before empty fields; all of it if it has nothing else.
fn without_fields(secret: &[u8]) -> &[u8] {
    let end = secret.iter().rposition(|&byte| byte != b':').map_or(secret.len(), |last| last + 1);
    &secret[..end]
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
        let salt = b"0123456789abcdef";
        let salted = Derivation::new(password.as_bytes(), salt, iterations, 0).advance(u32::MAX).unwrap();
        let (stored_key, server_key) = keys_of(&salted);
        let encode = |bytes: &[u8]| Base64::encode_string(bytes);
        format!("{name}:SCRAM-SHA-256${iterations}:{}${}:{}", encode(salt), encode(&stored_key), encode(&server_key))
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
    fn names_with_realms_and_passwords_with_empty_fields() {
        let list = format!(
            "ann@one:secret\nann:second\nbob@a@b:word\n@host:x\ntestuser:testpass:::::::\ncol:::\n{}\n{}\n",
            hashed("eve@one", "hashed", 50),
            hashed("eve", "exact", 60)
        );
        let sasl = Users::parse_form(list.as_bytes(), ListForm::Sasl, &SECRETS).unwrap_or_else(|why| panic!("{why:?}"));
        let passing = [
            ("ann@one", "secret"),
            ("ann", "secret"),
            ("ann", "second"),
            ("bob@a", "word"),
            ("bob@a@b", "word"),
            ("@host", "x"),
            ("testuser", "testpass"),
            ("testuser", "testpass:::::::"),
            ("col", "::"),
            ("eve@one", "hashed"),
            ("eve", "exact"),
        ];
        for (name, password) in passing {
            assert!(sasl.check(name.as_bytes(), password.as_bytes()), "{name} {password}");
        }
        for (name, password) in [
            ("ann@one", "second"),
            ("ann@two", "secret"),
            ("bob", "word"),
            ("", "x"),
            ("testuser", "testpass:"),
            ("testuser", "test"),
            ("col", ""),
            // Of hashed passwords the line with exactly that name counts.
            ("eve", "hashed"),
        ] {
            assert!(!sasl.check(name.as_bytes(), password.as_bytes()), "{name} {password}");
        }
        let plain = users(&list);
        for (name, password) in passing {
            let is_whole = !matches!((name, password), ("ann", "secret") | ("bob@a", _) | ("testuser", "testpass"));
            assert_eq!(plain.check(name.as_bytes(), password.as_bytes()), is_whole, "{name} {password}");
        }
    }

    #[test]
    fn a_check_in_slices_takes_the_same_number_for_every_name() {
        let list = format!("bob:plain\n{}\n{}\n", hashed("ann", "secret", 50), hashed("eve", "other", 120));
        let users = users(&list);
        for (name, password, passes) in [
            ("ann", "secret", true),
            ("ann", "x", false),
            ("eve", "other", true),
            ("bob", "plain", true),
            ("me", "x", false),
        ] {
            let mut check = users.begin_check(name.as_bytes(), password.as_bytes());
            let slices = core::iter::from_fn(|| Some(check.advance(10))).take_while(Option::is_none).count();
            assert_eq!((slices, check.advance(0)), (11, Some(passes)), "{name}");
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
