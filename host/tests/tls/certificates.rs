//! Certificates for one test.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::{fmt, fs, path::Path};

/// An authority that signs certificates.
pub(crate) struct Authority {
    pem: String,
    der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate that an authority signed, and its key.
pub(crate) struct Identity {
    pem: String,
    der: CertificateDer<'static>,
    key: KeyPair,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = parameters.self_signed(&key).unwrap();
        let (pem, der) = (certificate.pem(), certificate.der().clone());
        Self { pem, der, issuer: Issuer::new(parameters, key) }
    }

    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        self.der.clone()
    }

    pub(crate) fn identity(&self, name: &str) -> Identity {
        let key = KeyPair::generate().unwrap();
        let parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        Identity { pem: certificate.pem(), der: certificate.der().clone(), key }
    }

    /// A certificate of long ago, and its key, in PEM.
    #[allow(dead_code, reason = "only Linux has the test")]
    pub(crate) fn expired(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
        parameters.not_before = rcgen::date_time_ymd(2001, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(2002, 1, 1);
        (parameters.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// Writes a server's files, and a key of another certificate, into `folder`; returns the flags for the former.
    pub(crate) fn flags_in(&self, folder: &Path) -> String {
        let server = self.identity("localhost");
        let put = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        put("other.key", &KeyPair::generate().unwrap().serialize_pem());
        format!(
            "-Z -o ssl_chain_cert={},ssl_key={},ssl_ca_cert={}",
            put("server.pem", &server.pem),
            put("server.key", &server.key.serialize_pem()),
            put("authority.pem", &self.pem)
        )
    }
}

impl Identity {
    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        self.der.clone()
    }

    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(self.key.serialize_der().into())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a certificate")
    }
}
