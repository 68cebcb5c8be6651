//! Certificates and passwords: flags of the servers, and the environment of servers and clients.

use crate::{
    process,
    site::{Protocol, Site, Transport},
};
use std::{path::Path, process::Command};

const USER: &str = "tester";
const PASSWORD: &str = "correct-horse";

/// Flags and variables of the environment.
#[derive(Debug, Default)]
pub(crate) struct Credentials {
    /// Flags of the servers.
    pub(crate) flags: Vec<String>,
    /// Environment of the servers.
    pub(crate) of_servers: Vec<(String, String)>,
    /// Environment of the scripts.
    pub(crate) of_clients: Vec<(String, String)>,
}

/// Creates the files of the site's channel in `folder`.
///
/// # Errors
/// If a file cannot be created.
pub(crate) fn prepare(site: &Site, folder: &Path) -> Result<Credentials, String> {
    let mut credentials = Credentials::default();
    if site.channel.transport == Transport::Tls {
        credentials.certificate(folder)?;
    }
    if site.channel.login {
        match site.channel.protocol {
            Protocol::Binary if site.is_oracle => credentials.sasl_database(folder)?,
            Protocol::Binary => credentials.sasl_file(folder)?,
            Protocol::Text => credentials.text_file(folder)?,
        }
        credentials.of_clients.push(pair("SASL_USER", USER));
        credentials.of_clients.push(pair("SASL_PASSWORD", PASSWORD));
        // The wheel of pylibmc bundles a SASL library that looks for mechanisms in the wrong folder.
        credentials.of_clients.extend(mechanisms().map(|place| pair("SASL_PATH", &place)));
    }
    Ok(credentials)
}

impl Credentials {
    /// A self-signed certificate for the address of the servers.
    fn certificate(&mut self, folder: &Path) -> Result<(), String> {
        let (certificate, key) = (path(folder, "certificate.pem"), path(folder, "key.pem"));
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
        command.args(["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]);
        process::succeed(command.args(["-keyout", &key, "-out", &certificate]))?;
        self.flags.push("-Z".to_owned());
        self.flags.extend(["-o".to_owned(), format!("ssl_chain_cert={certificate},ssl_key={key}")]);
        self.of_clients.push(pair("TLS_CA", &certificate));
        Ok(())
    }

    /// The product reads a file of users.
    fn sasl_file(&mut self, folder: &Path) -> Result<(), String> {
        let file = path(folder, "users");
        write(&file, &format!("{USER}:{PASSWORD}\n"))?;
        self.flags.push("-S".to_owned());
        self.of_servers.push(pair("MEMCACHED_SASL_PWDB", &file));
        Ok(())
    }

    /// Debian's memcached uses the database of Cyrus SASL.
    fn sasl_database(&mut self, folder: &Path) -> Result<(), String> {
        let database = path(folder, "sasldb2");
        write(&path(folder, "memcached.conf"), &format!("mech_list: plain\nsasldb_path: {database}\nlog_level: 0\n"))?;
        write(&path(folder, "password"), PASSWORD)?;
        let command = format!("saslpasswd2 -p -c -a memcached -f '{database}' {USER} < '{}'", path(folder, "password"));
        process::succeed(Command::new("sh").args(["-c", &command]))?;
        self.flags.push("-S".to_owned());
        self.of_servers.push(pair("SASL_CONF_PATH", &folder.to_string_lossy()));
        Ok(())
    }

    /// The file of `-Y`.
    fn text_file(&mut self, folder: &Path) -> Result<(), String> {
        let file = path(folder, "users");
        write(&file, &format!("{USER}:{PASSWORD}\n"))?;
        self.flags.extend(["-Y".to_owned(), file]);
        Ok(())
    }
}

/// Debian's folder of Cyrus SASL mechanisms.
fn mechanisms() -> Option<String> {
    let mut places = std::fs::read_dir("/usr/lib").ok()?.filter_map(|entry| Some(entry.ok()?.path().join("sasl2")));
    places.find(|place| place.is_dir()).map(|place| place.to_string_lossy().into_owned())
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_string_lossy().into_owned()
}

fn write(file: &str, text: &str) -> Result<(), String> {
    std::fs::write(file, text).map_err(|error| format!("{file}: {error}"))
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}
