//! The client's side of SCRAM-SHA-256 (RFC 5802).

use ring::{digest, hmac, pbkdf2};
use std::num::NonZeroU32;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The client's last message, after its first one (without `n,,`) and the server's answer.
pub(crate) fn proof(first: &str, answer: &str, password: &str) -> String {
    let mut attributes = answer.split(',').map(|attribute| &attribute[2..]);
    let mut next = || attributes.next().unwrap();
    let (nonce, salt, iterations) = (next(), decode(next()), next());
    let unproven = format!("c=biws,r={nonce}");
    let mut salted = [0; 32];
    let iterations = NonZeroU32::new(iterations.parse().unwrap()).unwrap();
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, &salt, password.as_bytes(), &mut salted);
    let sign = |key: &[u8], message: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    let key = sign(&salted, b"Client Key");
    let stored = digest::digest(&digest::SHA256, key.as_ref());
    let signature = sign(stored.as_ref(), format!("{first},{answer},{unproven}").as_bytes());
    let proof: Vec<u8> = key.as_ref().iter().zip(signature.as_ref()).map(|(one, other)| one ^ other).collect();
    format!("{unproven},p={}", encode(&proof))
}

fn encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let number = (0..3).fold(0, |number, at| number << 8 | u32::from(chunk.get(at).copied().unwrap_or(0)));
        for at in 0..4 {
            let digit = ALPHABET[(number >> (18 - 6 * at)) as usize & 63] as char;
            text.push(if at <= chunk.len() { digit } else { '=' });
        }
    }
    text
}

fn decode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for chunk in text.trim_end_matches('=').as_bytes().chunks(4) {
        let value = |byte: u8| ALPHABET.iter().position(|&digit| digit == byte).unwrap() as u32;
        let number = (0..4).fold(0, |number, at| number << 6 | chunk.get(at).map_or(0, |&byte| value(byte)));
        bytes.extend_from_slice(&number.to_be_bytes()[1..chunk.len()]);
    }
    bytes
}
