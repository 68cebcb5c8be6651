//! Makes configurations of rustls from files. Everything is read and checked before any of it is used.

use super::{ciphers, pem, x509};
use crate::{
    exit::reason,
    options::{KeyFormat, Security, TlsOptions, Verify},
};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::CertificateDer,
    server::{NoServerSessionStorage, WebPkiClientVerifier, danger::ClientCertVerifier},
    sign::{CertifiedKey, SigningKey, SingleCertAndKey},
    version,
};
use std::{fs, path::Path, sync::Arc};

/// The configuration of each kind of connection.
#[derive(Clone)]
pub(super) struct Configurations {
    ordinary: Arc<ServerConfig>,
    basic: Arc<ServerConfig>,
    /// `None`: there are no authorities to check clients by.
    mutual: Option<Arc<ServerConfig>>,
}

impl Configurations {
    /// Reads the files.
    ///
    /// # Errors
    /// One line: the file and its problem.
    pub(super) fn read(options: &TlsOptions) -> Result<Self, String> {
        let files = Files::read(options)?;
        let ordinary = files.configuration(options, options.verify)?;
        // A resumed session must not skip a check: each kind has tickets of its own.
        let basic = files.configuration(options, Verify::None)?;
        let mutual = match files.authorities {
            Some(_) => Some(files.configuration(options, Verify::Require)?),
            None => None,
        };
        Ok(Self { ordinary, basic, mutual })
    }

    /// The configuration of that kind.
    pub(super) fn for_security(&self, security: Security) -> Arc<ServerConfig> {
        Arc::clone(match security {
            Security::TlsBasic => &self.basic,
            // The options are checked: where this kind is possible, there is one.
            Security::TlsMutual => self.mutual.as_ref().unwrap_or(&self.ordinary),
            Security::Plain | Security::Tls => &self.ordinary,
        })
    }
}

/// Contents of the files.
struct Files {
    certified: Arc<SingleCertAndKey>,
    authorities: Option<Arc<RootCertStore>>,
}

impl Files {
    fn read(options: &TlsOptions) -> Result<Self, String> {
        let authorities = match &options.authorities {
            Some(path) => Some(Arc::new(read_authorities(path)?)),
            None => None,
        };
        let (chain, key) = (read_chain(&options.chain)?, read_key(options)?);
        check_pair(&chain, &*key, options)?;
        Ok(Self { certified: Arc::new(CertifiedKey::new(chain, key).into()), authorities })
    }

    fn configuration(&self, options: &TlsOptions, verify: Verify) -> Result<Arc<ServerConfig>, String> {
        let provider =
            CryptoProvider { cipher_suites: ciphers::choose(options.ciphers.as_deref())?, ..ring::default_provider() };
        let versions: &[_] = if options.only_1_3 { &[&version::TLS13] } else { &[&version::TLS12, &version::TLS13] };
        let described = |error: rustls::Error| format!("TLS cannot be configured: {error}");
        let provider = Arc::new(provider);
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .map_err(described)?;
        let builder = match self.verifier(verify, provider)? {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let mut configuration = builder.with_cert_resolver(self.certified.clone());
        configuration.session_storage = Arc::new(NoServerSessionStorage {});
        if options.resumption {
            // Clients keep the sessions, in tickets. New keys invalidate all of them.
            configuration.ticketer = ring::Ticketer::new().map_err(described)?;
        } else {
            configuration.send_tls13_tickets = 0;
        }
        Ok(Arc::new(configuration))
    }

    fn verifier(
        &self,
        verify: Verify,
        provider: Arc<CryptoProvider>,
    ) -> Result<Option<Arc<dyn ClientCertVerifier>>, String> {
        let (Some(roots), Verify::Request | Verify::Require) = (&self.authorities, verify) else { return Ok(None) };
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), provider);
        let builder = if verify == Verify::Request { builder.allow_unauthenticated() } else { builder };
        builder.build().map(Some).map_err(|error| format!("Error loading the CA certificate: {error}"))
    }
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let failure = |why: String| format!("Error loading the certificate chain: {} : {why}", path.display());
    let chain = pem::certificates(path).map_err(failure)?;
    match chain.first().and_then(|first| x509::public_key(first)) {
        Some(_) => Ok(chain),
        None => Err(failure("its first certificate is malformed".to_owned())),
    }
}

fn read_authorities(path: &Path) -> Result<RootCertStore, String> {
    let failure = |why: String| format!("Error loading the CA certificate: {} : {why}", path.display());
    let mut roots = RootCertStore::empty();
    for certificate in pem::certificates(path).map_err(failure)? {
        roots.add(certificate).map_err(|error| failure(error.to_string()))?;
    }
    Ok(roots)
}

fn read_key(options: &TlsOptions) -> Result<Arc<dyn SigningKey>, String> {
    let path = options.key.as_ref().unwrap_or(&options.chain);
    let failure = |why: String| format!("Error loading the key: {} : {why}", path.display());
    let bytes = fs::read(path).map_err(|error| failure(reason(&error)))?;
    let key = match options.key_format {
        KeyFormat::Pem => pem::key(&bytes),
        KeyFormat::Der => pem::key_of(bytes),
    };
    ring::sign::any_supported_type(&key.map_err(failure)?).map_err(|_| {
        failure("its kind is not supported; RSA (2048 bits or more), ECDSA (P-256, P-384) and Ed25519 are".to_owned())
    })
}

/// Whether the key is that of the chain's first certificate. rustls's own check demands X.509 version 3 of a server's
/// certificate; clients like OpenSSL do not, and decide for themselves.
fn check_pair(chain: &[CertificateDer<'_>], key: &dyn SigningKey, options: &TlsOptions) -> Result<(), String> {
    let certified = chain.first().and_then(|first| x509::public_key(first));
    match (certified, key.public_key()) {
        (Some(certified), Some(key)) if certified != &key[..] => Err(format!(
            "Error loading the key: {} : it does not belong to the first certificate of {}",
            options.key.as_ref().unwrap_or(&options.chain).display(),
            options.chain.display()
        )),
        _ => Ok(()),
    }
}
