//! `-Z` and the `ssl_` names of `-o`.

use super::{Options, value, yes_no};
use crate::exit::{self, ExitError};
use std::path::PathBuf;
use wasmcached_core::settings::Setting;

/// How connections to an address are protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Security {
    /// Not at all.
    #[default]
    Plain,
    /// TLS; `ssl_verify_mode` decides about client certificates.
    Tls,
    /// TLS without client certificates (`btls:`).
    TlsBasic,
    /// TLS with required client certificates (`mtls:`).
    TlsMutual,
}

/// Whether clients show a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Verify {
    /// No certificate is requested.
    #[default]
    None,
    /// A valid certificate, or none.
    Request,
    /// A valid certificate is required.
    Require,
}

/// Format of the private key's file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum KeyFormat {
    /// Text.
    #[default]
    Pem,
    /// Bytes.
    Der,
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct TlsOptions {
    /// `-Z`.
    pub(crate) enabled: bool,
    pub(crate) chain: PathBuf,
    /// `None`: in the chain's file.
    pub(crate) key: Option<PathBuf>,
    pub(crate) key_format: KeyFormat,
    pub(crate) verify: Verify,
    /// As the user wrote it: 0 to 3.
    verify_mode: u32,
    /// The authorities of client certificates.
    pub(crate) authorities: Option<PathBuf>,
    /// OpenSSL's names of TLS 1.2 suites, separated by colons.
    pub(crate) ciphers: Option<String>,
    /// Whether clients may resume sessions.
    pub(crate) resumption: bool,
    /// Whether TLS 1.2 is rejected.
    pub(crate) only_1_3: bool,
    /// Output that is encrypted at once, in KiB.
    pub(crate) batch_kib: u32,
}

/// memcached's default, and the longest record of TLS.
const BATCH_KIB_DEFAULT: u32 = 16;
/// A larger batch only adds memory to connections that do not read.
const BATCH_KIB_MAX: u32 = 1024;

impl Default for TlsOptions {
    fn default() -> Self {
        Self {
            enabled: false,
            chain: PathBuf::new(),
            key: None,
            key_format: KeyFormat::Pem,
            verify: Verify::None,
            verify_mode: 0,
            authorities: None,
            ciphers: None,
            resumption: false,
            only_1_3: false,
            batch_kib: BATCH_KIB_DEFAULT,
        }
    }
}

/// Checks that concern several flags.
pub(super) fn check(options: &mut Options) -> Result<(), ExitError> {
    let usage = |message: String| Err(ExitError::new(exit::USAGE, message));
    let tls = &options.tls;
    if !tls.enabled {
        let encrypted = options.listen.iter().find(|l| l.security.is_some_and(|s| s != Security::Plain));
        return match encrypted {
            Some(address) => usage(format!("-l {}: btls: and mtls: need -Z and a certificate", address.host)),
            None => Ok(()),
        };
    }
    let mutual = options.listen.iter().any(|l| l.security == Some(Security::TlsMutual));
    if tls.authorities.is_none() && (tls.verify == Verify::Require || mutual) {
        return usage(
            "no client's certificate can be checked without -o ssl_ca_cert=FILE, which mtls: and ssl_verify_mode=2 need"
                .to_owned(),
        );
    }
    if tls.authorities.is_none() && tls.verify == Verify::Request {
        options.tls.verify = Verify::None;
        options.warn("-o ssl_verify_mode=1 does nothing: without ssl_ca_cert no client's certificate could be checked");
    }
    Ok(())
}

/// The lines of `stats settings`; none without `-Z`.
pub(super) fn settings(options: &Options) -> Vec<(Setting, String)> {
    let tls = &options.tls;
    if !tls.enabled {
        return Vec::new();
    }
    let path = |path: &PathBuf| path.display().to_string();
    vec![
        (Setting::SslEnabled, yes_no(true)),
        (Setting::SslChainCert, path(&tls.chain)),
        (Setting::SslKey, path(tls.key.as_ref().unwrap_or(&tls.chain))),
        (Setting::SslVerifyMode, tls.verify_mode.to_string()),
        (Setting::SslKeyFormat, if tls.key_format == KeyFormat::Pem { "1" } else { "2" }.to_owned()),
        (Setting::SslCiphers, tls.ciphers.clone().unwrap_or_else(|| "NULL".to_owned())),
        (Setting::SslCaCert, tls.authorities.as_ref().map_or_else(|| "NULL".to_owned(), path)),
        (Setting::SslWbufSize, (tls.batch_kib << 10).to_string()),
        (Setting::SslSessionCache, yes_no(tls.resumption)),
        (Setting::SslKernelTls, yes_no(false)),
        (Setting::SslMinVersion, if tls.only_1_3 { "tlsv1.3" } else { "tlsv1.2" }.to_owned()),
    ]
}

/// `ssl_chain_cert`.
pub(super) fn chain(options: &mut Options, path: &str) -> Result<(), ExitError> {
    options.tls.chain = file(path, "ssl_chain_cert")?;
    Ok(())
}

/// `ssl_key`.
pub(super) fn key(options: &mut Options, path: &str) -> Result<(), ExitError> {
    options.tls.key = Some(file(path, "ssl_key")?);
    Ok(())
}

/// `ssl_ca_cert`.
pub(super) fn authorities(options: &mut Options, path: &str) -> Result<(), ExitError> {
    options.tls.authorities = Some(file(path, "ssl_ca_cert")?);
    Ok(())
}

/// `ssl_keyformat`: memcached's help has names, its parser OpenSSL's numbers; both are accepted.
pub(super) fn key_format(options: &mut Options, word: &str) -> Result<(), ExitError> {
    options.tls.key_format = match word {
        "1" | "PEM" | "pem" => KeyFormat::Pem,
        "2" | "DER" | "der" => KeyFormat::Der,
        _ => return Err(ExitError::new(exit::FLAG, "ssl_keyformat must be PEM or DER")),
    };
    Ok(())
}

/// `ssl_verify_mode`. Mode 3 differs from 2 only in renegotiations, which rustls does not have.
pub(super) fn verify_mode(options: &mut Options, number: &str) -> Result<(), ExitError> {
    let mode: u32 =
        number.parse().map_err(|_| ExitError::new(exit::FLAG, "could not parse argument to ssl_verify_mode"))?;
    options.tls.verify = match mode {
        0 => Verify::None,
        1 => Verify::Request,
        2 | 3 => Verify::Require,
        _ => return Err(ExitError::new(exit::FLAG, "Invalid ssl_verify_mode. Use help to see valid options.")),
    };
    options.tls.verify_mode = mode;
    Ok(())
}

/// `ssl_ciphers`.
pub(super) fn ciphers(options: &mut Options, list: &str) -> Result<(), ExitError> {
    if list.is_empty() {
        return Err(ExitError::new(exit::FLAG, "Missing argument for ssl_ciphers"));
    }
    options.tls.ciphers = Some(list.to_owned());
    Ok(())
}

/// `ssl_wbuf_size`.
pub(super) fn batch_kib(options: &mut Options, number: &str) -> Result<(), ExitError> {
    let kib: u32 = value::number(number, "ssl_wbuf_size")?;
    if !(1..=BATCH_KIB_MAX).contains(&kib) {
        return Err(ExitError::new(exit::FLAG, format!("ssl_wbuf_size must be from 1 to {BATCH_KIB_MAX}")));
    }
    options.tls.batch_kib = kib;
    Ok(())
}

/// `ssl_min_version`: memcached's numbers, or the names that it shows.
pub(super) fn min_version(options: &mut Options, word: &str) -> Result<(), ExitError> {
    options.tls.only_1_3 = match word {
        "0" | "1" | "tlsv1.0" | "tlsv1.1" => {
            options.warn("-o ssl_min_version: TLS 1.0 and 1.1 are insecure and not supported; the minimum is 1.2");
            false
        }
        "2" | "tlsv1.2" => false,
        "3" | "tlsv1.3" => true,
        _ => return Err(ExitError::new(exit::FLAG, "Invalid ssl_min_version. Use help to see valid options.")),
    };
    Ok(())
}

fn file(path: &str, name: &str) -> Result<PathBuf, ExitError> {
    if path.is_empty() {
        return Err(ExitError::new(exit::FLAG, format!("Missing argument for {name}")));
    }
    Ok(path.into())
}
