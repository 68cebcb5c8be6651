//! The server's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), without channel binding. Names and passwords are not
//! normalised.

use super::{
    Users,
    crypto::{Derivation, HASH_BYTES, Hash, hmac, sha256},
    users::Challenge,
};
use crate::limits;
use alloc::{format, string::String, vec::Vec};
use base64ct::{Base64, Encoding};
use subtle::ConstantTimeEq;

/// Random bytes of the server's part of the nonce.
const NONCE_BYTES: usize = 18;

/// An exchange after its first message.
pub struct Exchange {
    challenge: Challenge,
    /// `c=`: the header of the client's first message.
    header: String,
    /// The client's first message without its header, and the server's answer.
    messages: String,
    nonce: String,
}

/// The reply to a client's message.
pub enum ScramStep {
    /// The next message of the server.
    Continue(Vec<u8>),
    /// The proof is wrong, or the message is invalid.
    Refused,
}

impl Exchange {
    /// Takes a client's first message. `count` must be unique in a guest: the nonce derives from it.
    pub fn begin(users: &Users, message: &[u8], count: u64) -> Option<(Self, Vec<u8>)> {
        let ours = hmac(&users.keys().own, &[b"nonce", &count.to_le_bytes()]);
        Self::begin_with(users, message, &Base64::encode_string(&ours[..NONCE_BYTES]))
    }

    /// The same with a given server's part of the nonce.
    fn begin_with(users: &Users, message: &[u8], ours: &str) -> Option<(Self, Vec<u8>)> {
        if message.len() > limits::SCRAM_MESSAGE_BYTES_MAX {
            return None;
        }
        let message = core::str::from_utf8(message).ok()?;
        // `y`: the client supports channel binding and knows that the server does not.
        let rest = message.strip_prefix("n,").or_else(|| message.strip_prefix("y,"))?;
        let (acting, bare) = rest.split_once(',')?;
        let header = &message[..message.len() - bare.len()];
        let mut attributes = bare.split(',');
        let name = unescape(attributes.next()?.strip_prefix("n=")?)?;
        let theirs = attributes.next()?.strip_prefix("r=")?;
        let is_printable = theirs.bytes().all(|byte| byte.is_ascii_graphic());
        if name.is_empty() || theirs.is_empty() || theirs.len() > limits::SCRAM_NONCE_BYTES_MAX || !is_printable {
            return None;
        }
        if !acting.is_empty() && unescape(acting.strip_prefix("a=")?)? != name {
            return None;
        }
        let nonce = format!("{theirs}{ours}");
        let challenge = users.challenge(name.as_bytes());
        let answer = format!("r={nonce},s={},i={}", Base64::encode_string(&challenge.salt), challenge.iterations);
        let exchange = Self { challenge, header: header.into(), messages: format!("{bare},{answer}"), nonce };
        Some((exchange, answer.into_bytes()))
    }

    /// Takes the client's last message, with its proof; `None`: it is invalid. The check of the proof is to be continued.
    pub fn begin_proof(&self, users: &Users, message: &[u8]) -> Option<Proof> {
        let message = core::str::from_utf8(message).ok()?;
        let (unproven, proof) = message.rsplit_once(",p=")?;
        let mut attributes = unproven.split(',');
        let header = attributes.next()?.strip_prefix("c=")?;
        let nonce = attributes.next()?.strip_prefix("r=")?;
        if Base64::decode_vec(header).ok()? != self.header.as_bytes() || nonce != self.nonce {
            return None;
        }
        let mut key = [0; HASH_BYTES];
        if Base64::decode(proof, &mut key).ok()?.len() != HASH_BYTES {
            return None;
        }
        Some(Proof { key, derivation: users.begin_keys(&self.challenge), unproven: unproven.into() })
    }

    /// [`Exchange::begin_proof`] and its check in one go. The reply has the server's proof.
    pub fn finish(&self, users: &Users, message: &[u8]) -> ScramStep {
        let proof = self.begin_proof(users, message);
        proof.and_then(|mut proof| proof.advance(self, u32::MAX)).unwrap_or(ScramStep::Refused)
    }
}

/// The check of a client's proof under way.
pub struct Proof {
    /// The client's proof.
    key: Hash,
    derivation: Option<Derivation>,
    /// The client's last message without its proof.
    unproven: String,
}

impl Proof {
    /// Continues with at most `iterations` iterations. The verdict after the last one; `exchange` is the one that the
    /// proof belongs to.
    pub fn advance(&mut self, exchange: &Exchange, iterations: u32) -> Option<ScramStep> {
        let salted = match &mut self.derivation {
            Some(derivation) => Some(derivation.advance(iterations)?),
            None => None,
        };
        let (stored_key, server_key) = exchange.challenge.keys(salted);
        let messages: [&[u8]; 3] = [exchange.messages.as_bytes(), b",", self.unproven.as_bytes()];
        let signature = hmac(&stored_key, &messages);
        let mut key = self.key;
        key.iter_mut().zip(signature).for_each(|(byte, other)| *byte ^= other);
        let passes = sha256(&key).ct_eq(&stored_key) & exchange.challenge.exists;
        let ours = hmac(&server_key, &messages);
        Some(if bool::from(passes) {
            ScramStep::Continue(format!("v={}", Base64::encode_string(&ours)).into_bytes())
        } else {
            ScramStep::Refused
        })
    }
}

/// Decodes a name of SCRAM: `=2C` is a comma, `=3D` an equals sign. Both are invalid without the escape.
fn unescape(text: &str) -> Option<String> {
    let mut name = String::with_capacity(text.len());
    let mut parts = text.split('=');
    name.push_str(parts.next()?);
    for part in parts {
        let (byte, rest) = match (part.strip_prefix("2C"), part.strip_prefix("3D")) {
            (Some(rest), _) => (',', rest),
            (_, Some(rest)) => ('=', rest),
            _ => return None,
        };
        name.push(byte);
        name.push_str(rest);
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::{super::Secrets, *};

    fn salted(password: &[u8], salt: &[u8], iterations: u32) -> Hash {
        Derivation::new(password, salt, iterations, 0).advance(u32::MAX).unwrap()
    }

    const SECRETS: Secrets = Secrets { common: [1, 2], own: [3, 4, 5, 6] };

    /// A whole exchange with a client that has a password.
    fn log_in(users: &Users, first: &str, header: &str, password: &str, count: u64) -> Option<bool> {
        let (exchange, answer) = Exchange::begin(users, format!("{header}{first}").as_bytes(), count)?;
        let answer = String::from_utf8(answer).unwrap();
        let mut attributes = answer.split(',').map(|attribute| &attribute[2..]);
        let (nonce, salt) = (attributes.next()?, Base64::decode_vec(attributes.next()?).unwrap());
        let iterations = attributes.next()?.parse().unwrap();
        let unproven = format!("c={},r={nonce}", Base64::encode_string(header.as_bytes()));
        let messages = format!("{first},{answer},{unproven}");
        let key = hmac(&salted(password.as_bytes(), &salt, iterations), &[b"Client Key"]);
        let signature = hmac(&sha256(&key), &[messages.as_bytes()]);
        let proof: Vec<u8> = key.iter().zip(signature).map(|(byte, other)| byte ^ other).collect();
        let last = format!("{unproven},p={}", Base64::encode_string(&proof));
        let server_key = hmac(&salted(password.as_bytes(), &salt, iterations), &[b"Server Key"]);
        let expected = format!("v={}", Base64::encode_string(&hmac(&server_key, &[messages.as_bytes()])));
        Some(match exchange.finish(users, last.as_bytes()) {
            ScramStep::Continue(ours) => {
                assert_eq!(ours, expected.as_bytes());
                true
            }
            ScramStep::Refused => false,
        })
    }

    /// The password "pencil" with the salt of RFC 7677, hashed by another implementation (Python's hashlib).
    const HASHED: &str = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

    /// RFC 7677, section 3.
    #[test]
    fn the_exchange_of_the_standard() {
        let list = format!("user:{HASHED}\n");
        let users = Users::parse(list.as_bytes(), &SECRETS).unwrap_or_else(|problem| panic!("{problem:?}"));
        let first = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
        let last = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
            p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        let (exchange, answer) = Exchange::begin_with(&users, first, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0").unwrap();
        let challenge = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        assert_eq!(answer, challenge.as_bytes());
        let ScramStep::Continue(proof) = exchange.finish(&users, last.as_bytes()) else {
            panic!("the proof was refused")
        };
        assert_eq!(proof, b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        // The proof with another byte is wrong, and the proof is wrong in another exchange.
        let at = last.len() - 10;
        let other = [&last[..at], "x", &last[at + 1..]].concat();
        assert!(matches!(exchange.finish(&users, other.as_bytes()), ScramStep::Refused));
        let (exchange, _) = Exchange::begin_with(&users, first, "another").unwrap();
        assert!(matches!(exchange.finish(&users, last.as_bytes()), ScramStep::Refused));
    }

    #[test]
    fn logins_need_the_password() {
        let list = format!("user:pencil\na=b,c:pencil\nfoo:{HASHED}\n");
        let users = Users::parse(list.as_bytes(), &SECRETS).unwrap_or_else(|problem| panic!("{problem:?}"));
        for (name, header) in
            [("user", "n,,"), ("user", "y,,"), ("user", "n,a=user,"), ("foo", "n,,"), ("a=3Db=2Cc", "n,,")]
        {
            let first = format!("n={name},r=fyko");
            assert_eq!(log_in(&users, &first, header, "pencil", 1), Some(true), "{name} {header}");
            assert_eq!(log_in(&users, &first, header, "Pencil", 2), Some(false), "{name} {header}");
        }
        assert_eq!(log_in(&users, "n=nobody,r=fyko", "n,,", "pencil", 3), Some(false));
        assert_eq!(log_in(&users, "n=nobody,r=fyko", "n,,", "", 4), Some(false));
    }

    #[test]
    fn unknown_names_get_the_challenges_of_users() {
        let parse = |own| {
            let secrets = Secrets { own, ..SECRETS };
            Users::parse(b"user:pencil\n", &secrets).unwrap_or_else(|problem| panic!("{problem:?}"))
        };
        let (here, there) = (parse([3, 4, 5, 6]), parse([7, 8, 9, 10]));
        let salt_and_more = |users: &Users, name: &str, count| {
            let (_, answer) = Exchange::begin(users, format!("n,,n={name},r=x").as_bytes(), count).unwrap();
            let answer = String::from_utf8(answer).unwrap();
            let (nonce, rest) = answer.split_once(',').unwrap();
            (String::from(nonce), String::from(rest))
        };
        // Salts are the same in every attempt and every front; nonces differ.
        for name in ["user", "nobody"] {
            let (first, second, third) =
                (salt_and_more(&here, name, 1), salt_and_more(&here, name, 2), salt_and_more(&there, name, 1));
            assert_eq!((&first.1, &first.1), (&second.1, &third.1));
            assert!(first.1.ends_with(",i=4096"));
            assert!(first.0 != second.0 && first.0 != third.0);
        }
    }

    #[test]
    fn invalid_messages_are_refused() {
        let users = Users::parse(b"user:pencil\n", &SECRETS).unwrap_or_else(|problem| panic!("{problem:?}"));
        for first in [
            "",
            "n",
            "n,",
            "n,,",
            "n,,n=user",
            "n,,n=,r=x",
            "n,,n=user,r=",
            "n,,r=x,n=user",
            "n,,m=x,n=user,r=x",
            "p=tls-unique,,n=user,r=x",
            "n,a=bob,n=user,r=x",
            "n,bob,n=user,r=x",
            "n,,n=us=er,r=x",
            "n,,n=user,r=a\u{7f}",
        ] {
            assert!(Exchange::begin(&users, first.as_bytes(), 1).is_none(), "{first:?}");
        }
        assert!(Exchange::begin(&users, b"n,,n=\xff,r=x", 1).is_none());
        let long = format!("n,,n=user,r=x,{}", "x".repeat(limits::SCRAM_MESSAGE_BYTES_MAX));
        assert!(Exchange::begin(&users, long.as_bytes(), 1).is_none());
        let (exchange, answer) = Exchange::begin(&users, b"n,,n=user,r=x", 1).unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let nonce = &answer[2..answer.find(',').unwrap()];
        let proof = Base64::encode_string(&[0; HASH_BYTES]);
        for last in [
            String::new(),
            format!("c=biws,r={nonce}"),
            format!("c=biws,r={nonce},p="),
            format!("c=biws,r={nonce},p={}", &proof[..20]),
            format!("c=biws,r={nonce}x,p={proof}"),
            format!("c=eSws,r={nonce},p={proof}"),
            format!("r={nonce},c=biws,p={proof}"),
            format!("c=biws,r={nonce},p={proof}"),
        ] {
            assert!(matches!(exchange.finish(&users, last.as_bytes()), ScramStep::Refused), "{last:?}");
        }
    }
}
