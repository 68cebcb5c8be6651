//! The little of X.509 that rustls does not read for us: the public key of a certificate of any version.

use std::ops::Range;

/// Tags of DER.
const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const EXPLICIT_0: u8 = 0xa0;
/// Elements between the serial number and the public key: signature, issuer, validity, subject.
const ELEMENTS_BEFORE_KEY: usize = 4;

/// The SubjectPublicKeyInfo of a certificate, as it is encoded; `None`: it is no certificate.
pub(super) fn public_key(certificate: &[u8]) -> Option<&[u8]> {
    let (certificate, _) = contents(certificate, SEQUENCE)?;
    let (mut fields, _) = contents(certificate, SEQUENCE)?;
    // A certificate of version 1 has no version.
    if let Some((_, rest)) = contents(fields, EXPLICIT_0) {
        fields = rest;
    }
    (_, fields) = contents(fields, INTEGER)?;
    for _ in 0..ELEMENTS_BEFORE_KEY {
        (_, fields) = contents(fields, SEQUENCE)?;
    }
    contents(fields, SEQUENCE)?;
    fields.get(..element_bytes(fields)?)
}

/// Length of the element at the beginning, with its head; `None`: it is cut or malformed.
pub(super) fn element_bytes(der: &[u8]) -> Option<usize> {
    Some(element(der)?.end)
}

/// Where the contents of the element at the beginning are; `None`: it is cut or malformed.
fn element(der: &[u8]) -> Option<Range<usize>> {
    let first = usize::from(*der.get(1)?);
    let (head, length) = match first.checked_sub(0x80) {
        None => (2, first),
        Some(bytes @ 1..=4) => {
            let number = der.get(2..2 + bytes)?;
            (
                2 + bytes,
                number.iter().try_fold(0usize, |length, &byte| length.checked_mul(256)?.checked_add(byte.into()))?,
            )
        }
        Some(_) => return None,
    };
    let end = head.checked_add(length)?;
    (end <= der.len()).then_some(head..end)
}

/// The contents of the element at the beginning, which has that tag, and what follows it.
fn contents(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    if *der.first()? != tag {
        return None;
    }
    let contents = element(der)?;
    Some((&der[contents.clone()], &der[contents.end..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, PublicKeyData};

    #[test]
    fn keys_of_certificates_of_both_versions() {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        let expected = key.subject_public_key_info();
        assert_eq!(public_key(certificate.der()), Some(&expected[..]));
        let (contents_of_it, _) = contents(certificate.der(), SEQUENCE).unwrap();
        let (fields, signature) = contents(contents_of_it, SEQUENCE).unwrap();
        let (_, without_version) = contents(fields, EXPLICIT_0).unwrap();
        let wrap = |parts: &[&[u8]]| {
            let contents = parts.concat();
            [&[SEQUENCE, 0x82][..], &(contents.len() as u16).to_be_bytes(), &contents].concat()
        };
        let first_version = wrap(&[&wrap(&[without_version]), signature]);
        assert_eq!(public_key(&first_version), Some(&expected[..]));
        // No cut and no changed byte lets it read beyond its end.
        for at in 0..first_version.len() {
            assert_eq!(public_key(&first_version[..at]), None);
            for byte in [0x00, 0x7f, 0x80, 0x84, 0xff] {
                let mut changed = first_version.clone();
                changed[at] = byte;
                let _ = public_key(&changed);
            }
        }
    }
}
