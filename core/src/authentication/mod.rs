//! Authentication of clients: the list of users, and the mechanisms PLAIN and SCRAM-SHA-256.
//!
//! Messages of clients are parsed in the guest. The host only passes the bytes of the list
//! ([`crate::front::Front::set_users`]).
//! Authentication is constant-time: a check takes the same work for every user and for unknown names, and comparisons
//! take constant time. A check with many iterations is made in slices. `front` limits the attempts.
//!
//! A build without the feature `authentication` has no cryptography and refuses every login.

#[cfg(feature = "authentication")]
mod crypto;
#[cfg(feature = "authentication")]
mod scram;
#[cfg(feature = "authentication")]
mod users;

#[cfg(feature = "authentication")]
pub use {
    scram::{Exchange, Proof, ScramStep},
    users::{ListForm, PasswordCheck, Users},
};

#[cfg(not(feature = "authentication"))]
mod refusal;
#[cfg(not(feature = "authentication"))]
pub use refusal::{Exchange, ListForm, PasswordCheck, Proof, ScramStep, Users};

/// The names of the mechanisms in the reply to a client.
pub const MECHANISMS: &[u8] = b"PLAIN SCRAM-SHA-256";

/// The secrets of one guest, from its [`crate::boundary::config::Config`].
#[derive(Clone, Copy, Debug)]
pub struct Secrets {
    /// The same in every front of a server. Salts derive from it, and any front may serve a client.
    pub common: [u64; 2],
    /// Different in every guest. Nonces derive from it.
    pub own: [u64; 4],
}

/// Why a list of users is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1.
    pub line: u32,
    /// The fault of the line.
    pub reason: &'static str,
}

/// Name and password of a PLAIN message: `[name] NUL name NUL password`. A client cannot act for another user.
pub fn split_plain(message: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut parts = message.split(|&byte| byte == 0);
    let (acting, name, password) = (parts.next()?, parts.next()?, parts.next()?);
    let is_one = parts.next().is_none() && (acting.is_empty() || acting == name);
    (is_one && !name.is_empty() && !password.is_empty()).then_some((name, password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_messages() {
        assert_eq!(split_plain(b"\0user\0password"), Some((&b"user"[..], &b"password"[..])));
        assert_eq!(split_plain(b"user\0user\0p w"), Some((&b"user"[..], &b"p w"[..])));
        for message in
            [&b""[..], b"user", b"\0user", b"\0user\0", b"\0\0password", b"bob\0user\0password", b"\0u\0p\0x"]
        {
            assert_eq!(split_plain(message), None);
        }
    }
}
