//! TLS for servers and clients: a certificate for one run, and a client session over a non-blocking socket.

use std::io::{ErrorKind, Read as _, Write};
use std::path::Path;
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use tempfile::TempDir;

use crate::outcome::{Outcome, ResultExt as _};

/// The only suite that clients offer, so that all servers do the same work.
const SUITE: rustls::SupportedCipherSuite = ring::cipher_suite::TLS13_AES_256_GCM_SHA384;
/// The suite in reports.
pub const SUITE_NAME: &str = "TLS 1.3, AES-256-GCM, ECDSA P-256, no resumption";

const NAME: &str = "localhost";
const CHAIN_FILE: &str = "chain.pem";
const KEY_FILE: &str = "key.pem";

/// A self-signed certificate in files that are deleted with this value.
#[derive(Debug)]
pub struct Certificate {
    folder: TempDir,
    der: CertificateDer<'static>,
}

impl Certificate {
    /// Creates certificate and key.
    pub fn new() -> Outcome<Self> {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed([NAME.to_owned()]).context("a certificate")?;
        let folder = TempDir::new().context("a folder for a certificate")?;
        let put = |name: &str, text: String| std::fs::write(folder.path().join(name), text).context(name);
        put(CHAIN_FILE, cert.pem())?;
        put(KEY_FILE, signing_key.serialize_pem())?;
        Ok(Self { folder, der: cert.der().clone() })
    }

    /// memcached's flags for a server with this certificate.
    pub fn flags(&self) -> [String; 3] {
        let path = |name: &str| Path::new(self.folder.path()).join(name).display().to_string();
        let options = format!("ssl_chain_cert={},ssl_key={}", path(CHAIN_FILE), path(KEY_FILE));
        ["-Z".into(), "-o".into(), options]
    }

    /// A client configuration that trusts only this certificate.
    pub fn client(&self) -> Outcome<Arc<ClientConfig>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).context("the certificate")?;
        let provider = rustls::crypto::CryptoProvider { cipher_suites: vec![SUITE], ..ring::default_provider() };
        let builder = ClientConfig::builder_with_provider(Arc::new(provider));
        let builder = builder.with_protocol_versions(&[&rustls::version::TLS13]).context("TLS 1.3")?;
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.resumption = Resumption::disabled();
        Ok(Arc::new(config))
    }
}

/// The TLS state of a connection.
#[derive(Debug)]
pub struct Session(Box<ClientConnection>);

impl Session {
    /// Performs the handshake over a stream that is still blocking.
    pub fn open(config: &Arc<ClientConfig>, stream: &mut std::net::TcpStream) -> Outcome<Self> {
        let name = ServerName::try_from(NAME).context("a server's name")?;
        let mut session = ClientConnection::new(Arc::clone(config), name).context("TLS")?;
        while session.is_handshaking() || session.wants_write() {
            session.complete_io(stream).context("the handshake")?;
        }
        Ok(Self(Box::new(session)))
    }

    /// Encrypts and sends a part of `plain`; returns how many bytes were consumed.
    ///
    /// # Errors
    /// `WouldBlock` if the socket accepts nothing now.
    pub fn send(&mut self, plain: &[u8], stream: &mut impl Write) -> std::io::Result<usize> {
        self.push(stream)?;
        let taken = self.0.writer().write(plain)?;
        match self.push(stream) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(taken),
        }
    }

    /// Sends encrypted bytes that are still buffered.
    ///
    /// # Errors
    /// `WouldBlock` if bytes remain buffered.
    pub fn push(&mut self, stream: &mut impl Write) -> std::io::Result<()> {
        while self.0.wants_write() {
            self.0.write_tls(stream)?;
        }
        Ok(())
    }

    /// Decrypts received bytes and passes the plain text to `each`.
    pub fn receive(&mut self, mut arrived: &[u8], mut each: impl FnMut(&[u8]) -> Outcome<()>) -> Outcome<()> {
        let mut plain = [0; 16 << 10];
        while !arrived.is_empty() {
            self.0.read_tls(&mut arrived).context("TLS")?;
            let mut left = self.0.process_new_packets().context("TLS")?.plaintext_bytes_to_read();
            while left > 0 {
                let bytes = self.0.reader().read(&mut plain).context("TLS")?;
                each(&plain[..bytes])?;
                left -= bytes;
            }
        }
        Ok(())
    }
}
