//! Files of certificates and keys as OpenSSL makes and takes them. `openssl` makes them, and is the client.

use crate::{
    certificates::Authority,
    common::{Folder, Server, run},
};
use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
};

/// A folder of files.
struct Files {
    name: &'static str,
    folder: Folder,
}

impl Files {
    fn new(name: &'static str) -> Self {
        Self { name, folder: Folder::new(name) }
    }

    fn path(&self, name: &str) -> String {
        self.folder.0.join(name).display().to_string()
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Runs `openssl` in the folder; returns what it prints.
    fn openssl(&self, arguments: &str) -> String {
        let mut command = Command::new("openssl");
        command.args(arguments.split_whitespace()).current_dir(&self.folder.0).stdin(Stdio::null());
        let output = command.output().expect("openssl is installed");
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// An RSA key, an ECDSA key and an Ed25519 key, each with a certificate.
    fn make_pairs(&self) {
        self.openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.key");
        self.openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ec.key");
        self.openssl("genpkey -algorithm ED25519 -out ed.key");
        for name in ["rsa", "ec", "ed"] {
            self.openssl(&format!("req -x509 -key {name}.key -subj /CN=localhost -days 2 -out {name}.pem"));
        }
    }

    fn flags(&self, chain: &str, key: &str) -> String {
        format!("-Z -o ssl_chain_cert={},ssl_key={}", self.path(chain), self.path(key))
    }

    /// A server with these files serves `openssl s_client`.
    fn serve(&self, flags: &str) {
        let server = Server::start(&format!("{}-server", self.name), &format!("{flags} -t 1"));
        let mut command = Command::new("openssl");
        command.args(["s_client", "-quiet", "-connect", &server.address.to_string()]);
        let mut client = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        client.stdin.take().unwrap().write_all(b"version\r\nquit\r\n").unwrap();
        let output = client.wait_with_output().unwrap();
        let answer = String::from_utf8_lossy(&output.stdout);
        assert_eq!(answer, "VERSION 1.6.45\r\n", "{flags}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// A server does not start with these files, and says why.
    fn is_refused(&self, flags: &str, expected: &str) {
        let output = run(&format!("{flags} -p -1"));
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.contains(expected), "{flags}: {errors} instead of {expected}");
        assert_eq!(output.status.code(), Some(64), "{flags}: {errors}");
    }
}

fn relabelled(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(&format!("-----BEGIN {from}-----")), "{text}");
    text.replace(&format!("BEGIN {from}-----"), &format!("BEGIN {to}-----"))
        .replace(&format!("END {from}-----"), &format!("END {to}-----"))
}

#[test]
fn a_certificate_of_version_1_is_served() {
    let files = Files::new("tls-version-1");
    files.make_pairs();
    for name in ["rsa", "ec"] {
        files.openssl(&format!("req -new -key {name}.key -subj /CN=localhost -out {name}.csr"));
        files.openssl(&format!("x509 -req -in {name}.csr -signkey {name}.key -days 2 -out old.pem"));
        let shown = files.openssl("x509 -in old.pem -noout -text");
        assert!(shown.contains("Version: 1 (0x0)"), "{shown}");
        files.serve(&files.flags("old.pem", &format!("{name}.key")));
    }
    files.is_refused(
        &files.flags("old.pem", "rsa.key"),
        &format!(
            "Error loading the key: {} : it does not belong to the first certificate of {}",
            files.path("rsa.key"),
            files.path("old.pem")
        ),
    );
}

#[test]
fn the_content_of_a_key_counts_and_not_its_label() {
    let files = Files::new("tls-labels");
    files.make_pairs();
    files.openssl("rsa -in rsa.key -traditional -out rsa-1.key");
    files.openssl("ec -in ec.key -out ec-1.key");
    let labels = ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"];
    for (name, key, label) in [
        ("rsa", "rsa.key", labels[0]),
        ("rsa", "rsa-1.key", labels[1]),
        ("ec", "ec.key", labels[0]),
        ("ec", "ec-1.key", labels[2]),
        ("ed", "ed.key", labels[0]),
    ] {
        for other in labels {
            files.put("labelled.key", relabelled(&files.text(key), label, other));
            files.serve(&files.flags(&format!("{name}.pem"), "labelled.key"));
        }
    }
}

#[test]
fn text_around_the_blocks_is_ignored() {
    let files = Files::new("tls-text");
    files.make_pairs();
    let parameters = files.openssl("ecparam -name prime256v1 -genkey");
    assert!(parameters.starts_with("-----BEGIN EC PARAMETERS-----"), "{parameters}");
    files.put("parameters.key", &parameters);
    files.openssl("req -x509 -key parameters.key -subj /CN=localhost -days 2 -out parameters.pem");
    files.serve(&files.flags("parameters.pem", "parameters.key"));

    let (chain, key) = (files.text("ec.pem"), files.text("ec.key"));
    let shown = files.openssl("x509 -in ec.pem -text");
    let spaced = |text: &str| text.replace('\n', "  \n");
    let trusted = files.openssl("x509 -in ec.pem -trustout -addtrust serverAuth");
    assert!(trusted.contains("BEGIN TRUSTED CERTIFICATE"), "{trusted}");
    for (chain, key) in [
        (chain.replace('\n', "\r\n"), key.replace('\n', "\r\n")),
        (format!("\u{feff}{chain}"), format!("\u{feff}{key}")),
        (format!("{chain}garbage\n\0\u{1}"), format!("{key}garbage")),
        (format!("Bag Attributes\n  friendlyName: a\n{shown}{}", files.text("rsa.pem")), format!("text\n{key}")),
        (spaced(&chain), spaced(&key)),
        (relabelled(&chain, "CERTIFICATE", "X509 CERTIFICATE"), key.clone()),
        (trusted, key.clone()),
        (chain.trim_end().to_owned(), key.trim_end().to_owned()),
        // Both in both files.
        (format!("{key}{chain}"), format!("{chain}{key}")),
    ] {
        files.put("chain.pem", chain);
        files.put("chain.key", key);
        files.serve(&files.flags("chain.pem", "chain.key"));
    }
    files.put("both.pem", format!("{chain}{key}"));
    files.serve(&format!("-Z -o ssl_chain_cert={}", files.path("both.pem")));
    files.openssl("pkey -in ec.key -outform DER -out ec.der");
    files.serve(&format!("{},ssl_keyformat=DER", files.flags("ec.pem", "ec.der")));
}

#[test]
fn an_expired_certificate_is_served() {
    let files = Files::new("tls-expired");
    let (chain, key) = Authority::new().expired("localhost");
    files.put("old.pem", chain);
    files.put("old.key", key);
    files.serve(&files.flags("old.pem", "old.key"));
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_the_remedy() {
    let files = Files::new("tls-remedies");
    files.make_pairs();
    files.openssl("pkcs8 -topk8 -in ec.key -passout pass:secret -out encrypted.key");
    files.openssl("rsa -in rsa.key -traditional -aes128 -passout pass:secret -out encrypted-1.key");
    files.openssl("x509 -in ec.pem -outform DER -out ec.crt");
    files.openssl("pkey -in ec.key -outform DER -out ec.der");
    files.openssl("pkey -in ec.key -pubout -out public.key");
    files.openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out short.key");
    files.put("empty", "");
    files.put("cut.pem", files.text("ec.pem").replace("-----END CERTIFICATE-----", ""));
    files.put("wrong.pem", relabelled(&files.text("ec.key"), "PRIVATE KEY", "CERTIFICATE"));
    files.put("wrong.key", relabelled(&files.text("ec.pem"), "CERTIFICATE", "PRIVATE KEY"));
    fs::create_dir(files.path("folder")).unwrap();
    let chain = |name: &str, why: &str| {
        let expected = format!("Error loading the certificate chain: {} : {why}", files.path(name));
        files.is_refused(&files.flags(name, "ec.key"), &expected);
    };
    let key = |name: &str, more: &str, why: &str| {
        let expected = format!("Error loading the key: {} : {why}", files.path(name));
        files.is_refused(&format!("{}{more}", files.flags("ec.pem", name)), &expected);
    };
    chain("none", "No such file or directory");
    chain("folder", "Is a directory");
    chain("empty", "it is empty");
    chain("ec.key", "there is no certificate in it, but a private key: perhaps the names of two files are swapped");
    chain("ec.crt", "it is in DER; openssl x509 -inform der");
    chain("cut.pem", "a block has no end: it is cut off");
    chain("wrong.pem", "its first certificate is malformed");
    key("none", "", "No such file or directory");
    key("folder", "", "Is a directory");
    key("empty", "", "it is empty");
    key("ec.pem", "", "there is a certificate in it, but no private key");
    key("public.key", "", "there is no private key in it");
    key("encrypted.key", "", "it is encrypted, and a server has nobody to ask for the passphrase; openssl pkey");
    key("encrypted-1.key", "", "it is encrypted, and a server has nobody to ask for the passphrase; openssl pkey");
    key("ec.der", "", "it is in DER: add -o ssl_keyformat=DER");
    key("ec.key", ",ssl_keyformat=DER", "it is in PEM: leave out ssl_keyformat");
    key("empty", ",ssl_keyformat=DER", "it is empty");
    key("wrong.key", "", "there is no private key in it: neither PKCS#8 nor PKCS#1 nor SEC1");
    key("short.key", "", "its kind is not supported; RSA (2048 bits or more)");
    key("rsa.key", "", "it does not belong to the first certificate of");
    let with_authority = |name: &str, why: &str| {
        let expected = format!("Error loading the CA certificate: {} : {why}", files.path(name));
        let flags = format!("{},ssl_ca_cert={}", files.flags("ec.pem", "ec.key"), files.path(name));
        files.is_refused(&flags, &expected);
    };
    with_authority("none", "No such file or directory");
    with_authority("ec.key", "there is no certificate in it");
    with_authority("wrong.pem", "");
    if !nix::unistd::geteuid().is_root() {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(files.path("ec.der"), fs::Permissions::from_mode(0o000)).unwrap();
        key("ec.der", "", "Permission denied");
    }
}
