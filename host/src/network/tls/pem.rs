//! Certificates and keys in files, read as OpenSSL reads them: what a block of text holds is decided by its content, not
//! by its label, and text around the blocks is ignored. Every error says what to do.

use super::x509;
use crate::exit::reason;
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject, SectionKind},
};
use std::{fs, path::Path};

/// The mark of UTF-8 that some editors put at the beginning of a file.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// The first byte of a file in DER: a sequence.
const DER_SEQUENCE: u8 = 0x30;
/// Labels of certificates that OpenSSL knows besides `CERTIFICATE`. The second kind has more behind the certificate.
const OTHER_CERTIFICATES: [&str; 2] = ["X509 CERTIFICATE", "TRUSTED CERTIFICATE"];

/// All certificates of a file.
///
/// # Errors
/// The problem, without the name of the file.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let bytes = fs::read(path).map_err(|error| reason(&error))?;
    let text = normalised(&bytes);
    let mut certificates = Vec::new();
    for section in sections(&text) {
        if let (SectionKind::Certificate, der) = section? {
            let length = x509::element_bytes(&der).unwrap_or(der.len());
            certificates.push(CertificateDer::from(der[..length].to_vec()));
        }
    }
    if !certificates.is_empty() {
        return Ok(certificates);
    }
    Err(if bytes.is_empty() {
        "it is empty: there is no certificate in it".to_owned()
    } else if bytes[0] == DER_SEQUENCE {
        "it is in DER; openssl x509 -inform der -in FILE -out NEW makes PEM of it".to_owned()
    } else if has(&text, "PRIVATE KEY-----") {
        "there is no certificate in it, but a private key: perhaps the names of two files are swapped".to_owned()
    } else {
        "there is no certificate in it".to_owned()
    })
}

/// The first private key of a file of text.
///
/// # Errors
/// As for [`certificates`].
pub(super) fn key(bytes: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    let text = normalised(bytes);
    if has(&text, "-----BEGIN ENCRYPTED PRIVATE KEY-----") || has(&text, "\nProc-Type: 4,ENCRYPTED") {
        return Err("it is encrypted, and a server has nobody to ask for the passphrase; \
            openssl pkey -in FILE -out NEW decrypts it"
            .to_owned());
    }
    for section in sections(&text) {
        let (kind, der) = section?;
        if matches!(kind, SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey) {
            return key_of(der);
        }
    }
    Err(if bytes.is_empty() {
        "it is empty: there is no private key in it".to_owned()
    } else if bytes[0] == DER_SEQUENCE {
        "it is in DER: add -o ssl_keyformat=DER".to_owned()
    } else if has(&text, "CERTIFICATE-----") {
        "there is a certificate in it, but no private key; name its file with -o ssl_key=FILE".to_owned()
    } else {
        "there is no private key in it; name its file with -o ssl_key=FILE".to_owned()
    })
}

/// The private key of a file in DER.
///
/// # Errors
/// As for [`certificates`].
pub(super) fn key_of(der: Vec<u8>) -> Result<PrivateKeyDer<'static>, String> {
    if der.is_empty() {
        return Err("it is empty: there is no private key in it".to_owned());
    }
    if has(&der, "-----BEGIN ") {
        return Err("it is in PEM: leave out ssl_keyformat".to_owned());
    }
    let length = x509::element_bytes(&der).unwrap_or(der.len());
    PrivateKeyDer::try_from(der[..length].to_vec())
        .map_err(|_| "there is no private key in it: neither PKCS#8 nor PKCS#1 nor SEC1".to_owned())
}

fn sections(text: &[u8]) -> impl Iterator<Item = Result<(SectionKind, Vec<u8>), String>> {
    <(SectionKind, Vec<u8>)>::pem_slice_iter(text).map(|section| section.map_err(|error| described(&error)))
}

fn described(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a block has no end: it is cut off".to_owned(),
        pem::Error::IllegalSectionStart { .. } => "the first line of a block is malformed".to_owned(),
        pem::Error::Base64Decode(_) => "a block is not in base64".to_owned(),
        error => error.to_string(),
    }
}

/// The text without its mark and without blanks at the ends of its lines, with the labels that the parser knows.
fn normalised(bytes: &[u8]) -> Vec<u8> {
    let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let mut normalised = Vec::with_capacity(text.len());
    for line in text.split(|&byte| byte == b'\n') {
        let line = line.trim_ascii_end();
        let is_other =
            |word: &str| OTHER_CERTIFICATES.iter().any(|label| line == format!("-----{word} {label}-----").as_bytes());
        normalised.extend_from_slice(match line {
            _ if !line.starts_with(b"-----") => line,
            _ if is_other("BEGIN") => b"-----BEGIN CERTIFICATE-----",
            _ if is_other("END") => b"-----END CERTIFICATE-----",
            _ => line,
        });
        normalised.push(b'\n');
    }
    normalised
}

fn has(text: &[u8], words: &str) -> bool {
    text.windows(words.len()).any(|window| window == words.as_bytes())
}
