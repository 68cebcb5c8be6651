//! `ssl_ciphers`: OpenSSL's names of the suites of rustls.

use rustls::{CipherSuite, SupportedCipherSuite, SupportedProtocolVersion, crypto::ring, version};

/// OpenSSL's names of TLS 1.2's suites. Those of 1.3 are always offered, as in OpenSSL.
const NAMES: [(&str, CipherSuite); 6] = [
    ("ECDHE-ECDSA-AES256-GCM-SHA384", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    ("ECDHE-ECDSA-AES128-GCM-SHA256", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    ("ECDHE-ECDSA-CHACHA20-POLY1305", CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
    ("ECDHE-RSA-AES256-GCM-SHA384", CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
    ("ECDHE-RSA-AES128-GCM-SHA256", CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
    ("ECDHE-RSA-CHACHA20-POLY1305", CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
];
/// Words that select all strong suites, which are all of rustls's.
const ALL: [&str; 6] = ["DEFAULT", "ALL", "HIGH", "ECDHE", "EECDH", "kECDHE"];

/// The suites to offer, best first. Unknown names of the list are ignored, as in OpenSSL.
///
/// # Errors
/// memcached's message, if no suite of TLS 1.2 is left.
pub(super) fn choose(list: Option<&str>) -> Result<Vec<SupportedCipherSuite>, String> {
    let Some(list) = list else { return Ok(ring::DEFAULT_CIPHER_SUITES.to_vec()) };
    let mut chosen: Vec<_> = of(&version::TLS13).collect();
    let always = chosen.len();
    for word in list.split([':', ' ', ';']).filter(|word| !word.is_empty()) {
        let named = NAMES.iter().find(|(name, _)| *name == word).map(|(_, suite)| *suite);
        let wanted = |suite: &SupportedCipherSuite| ALL.contains(&word) || named == Some(suite.suite());
        for suite in of(&version::TLS12).filter(wanted) {
            if !chosen.iter().any(|known| known.suite() == suite.suite()) {
                chosen.push(suite);
            }
        }
    }
    if chosen.len() == always {
        return Err(format!("Error setting the provided cipher(s): {list}"));
    }
    Ok(chosen)
}

fn of(version: &'static SupportedProtocolVersion) -> impl Iterator<Item = SupportedCipherSuite> {
    ring::ALL_CIPHER_SUITES.iter().copied().filter(move |suite| suite.version() == version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openssls_names_are_understood() {
        assert!(NAMES.iter().all(|(name, _)| choose(Some(name)).is_ok_and(|chosen| chosen.len() == 4)));
        let one = choose(Some("NO-SUCH:ECDHE-RSA-AES128-GCM-SHA256:!aNULL")).unwrap();
        assert_eq!(one[3].suite(), CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256);
        assert_eq!(choose(Some("HIGH:!aNULL")).unwrap().len(), 9);
        assert_eq!(choose(None).unwrap().len(), 9);
        assert!(choose(Some("FOO")).unwrap_err().ends_with(": FOO"));
    }
}
