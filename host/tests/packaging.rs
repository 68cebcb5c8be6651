//! The files for service managers and containers: the program accepts the flags in each of them.

mod common;

use common::program;
use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// The path of the configuration file in those files, and its source here.
const CONFIGURATIONS: [(&str, &str); 3] = [
    ("systemd/wasmcached.service", "wasmcached.toml"),
    ("macos/wasmcached.plist", "wasmcached.toml"),
    ("docker/Dockerfile", "docker/wasmcached.toml"),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn configuration(of: &str) -> String {
    let (_, name) = CONFIGURATIONS.iter().find(|(file, _)| *file == of).unwrap();
    folder().join(name).to_str().unwrap().to_owned()
}

/// The program's output for these flags, with the configuration file of this repository.
fn resulting(of: &str, flags: &[&str]) -> String {
    let file = configuration(of);
    let flags = flags.iter().map(|flag| if flag.ends_with("wasmcached.toml") { file.as_str() } else { flag });
    let output: Output = Command::new(program()).args(flags).arg("--print-config").output().unwrap();
    assert!(output.status.success(), "{of}: {}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("\nlisten = "), "{of} does not come to read its configuration file");
    printed
}

/// The lines of a unit file: section, key, value.
fn directives(text: &str) -> Vec<(String, String, String)> {
    let mut section = String::new();
    let mut found = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            Some(name) => section = name.to_owned(),
            None => {
                let (key, value) = line.split_once('=').unwrap_or_else(|| panic!("{line}"));
                found.push((section.clone(), key.to_owned(), value.to_owned()));
            }
        }
    }
    found
}

fn directive<'a>(all: &'a [(String, String, String)], section: &str, key: &str) -> &'a str {
    let found = all.iter().find(|(in_section, name, _)| in_section == section && name == key);
    &found.unwrap_or_else(|| panic!("[{section}] {key}")).2
}

#[test]
fn the_unit_has_valid_flags() {
    const UNIT: &str = "systemd/wasmcached.service";
    let unit = directives(&read(UNIT));
    let words: Vec<_> = directive(&unit, "Service", "ExecStart").split(' ').collect();
    let (Some(&"/usr/bin/wasmcached"), Some(&"$WASMCACHED_OPTIONS")) = (words.first(), words.last()) else {
        panic!("{words:?}")
    };
    resulting(UNIT, &words[1..words.len() - 1]);
    assert_eq!(directive(&unit, "Service", "Type"), "notify");
    assert!(directive(&unit, "Service", "ExecReload").contains("-HUP $MAINPID"));
    // The examples in the file of defaults are flags, too, and win over the configuration file.
    let defaults = read("debian/wasmcached.default");
    assert_eq!(directive(&unit, "Service", "EnvironmentFile"), "-/etc/default/wasmcached");
    let examples: Vec<_> =
        defaults.lines().filter_map(|line| line.trim_start_matches('#').strip_prefix("WASMCACHED_OPTIONS=")).collect();
    assert_eq!(examples.len(), 2);
    for example in examples {
        let mut flags = words[1..words.len() - 1].to_vec();
        flags.extend(example.trim_matches('"').split_whitespace());
        let printed = resulting(UNIT, &flags);
        assert_eq!(example.contains("-m 1024"), printed.contains("\nmemory-limit = 1024\n"), "{printed}");
    }
}

#[test]
fn the_socket_unit_has_the_default_address() {
    let socket = directives(&read("systemd/wasmcached.socket"));
    let stream = directive(&socket, "Socket", "ListenStream");
    let printed = resulting("systemd/wasmcached.service", &["--config", "/etc/wasmcached.toml"]);
    let (host, port) = stream.rsplit_once(':').unwrap();
    assert!(printed.contains(&format!("\nlisten = [\"{host}\"]\n")) && printed.contains(&format!("\nport = {port}\n")));
}

#[test]
fn the_daemon_has_valid_flags() {
    const PLIST: &str = "macos/wasmcached.plist";
    let text = read(PLIST);
    let (_, rest) = text.split_once("<key>ProgramArguments</key>").unwrap();
    let (array, _) = rest.split_once("</array>").unwrap();
    let words: Vec<_> = array.split("<string>").skip(1).map(|part| part.split_once("</string>").unwrap().0).collect();
    assert_eq!(words[0], "/usr/local/bin/wasmcached");
    resulting(PLIST, &words[1..]);
    for tag in ["plist", "dict", "array", "key", "string", "integer"] {
        let count = |tag: &str| text.matches(tag).count();
        assert_eq!(count(&format!("<{tag}>")) + count(&format!("<{tag} ")), count(&format!("</{tag}>")), "{tag}");
    }
}

#[test]
fn the_image_has_valid_flags() {
    const IMAGE: &str = "docker/Dockerfile";
    let text = read(IMAGE);
    let words = |instruction: &str| -> Vec<String> {
        let line =
            text.lines().find_map(|line| line.split_once(instruction)).unwrap_or_else(|| panic!("{instruction}")).1;
        let inner = line.trim().trim_start_matches('[').trim_end_matches(']');
        inner.split(", ").map(|word| word.trim_matches('"').to_owned()).collect()
    };
    let (entry, check) = (words("ENTRYPOINT "), words(" CMD "));
    assert_eq!((entry[0].as_str(), check[0].as_str()), ("/wasmcached", "/wasmcached"));
    let entry: Vec<_> = entry[1..].iter().map(String::as_str).collect();
    assert!(resulting(IMAGE, &entry).contains("\nlisten = [\"0.0.0.0\"]\n"));
    assert!(resulting(IMAGE, &[&entry[..], &["-l", "127.0.0.1"]].concat()).contains("\nlisten = [\"127.0.0.1\"]\n"));
    // The health check is the entry with one more flag; here it finds no server.
    assert_eq!(check[1..check.len() - 1], entry);
    assert_eq!(check.last().unwrap(), "--ping");
    let (_kept, address) = common::vacant_address();
    let free = address.port().to_string();
    let file = configuration(IMAGE);
    let output = Command::new(program()).args(["--config", &file, "--ping", "-p", &free]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with(&format!("127.0.0.1:{free} does not answer: ")));
}

#[test]
fn the_script_for_windows_has_valid_flags() {
    let text = read("windows/install-service.ps1");
    let help = Command::new(program()).arg("--help").output().unwrap().stdout;
    let help = String::from_utf8(help).unwrap();
    for flag in ["--service", "--print-config"] {
        assert!(text.contains(flag) && help.contains(flag), "{flag}");
    }
    if cfg!(not(windows)) {
        let output = Command::new(program()).arg("--service").output().unwrap();
        assert_eq!(output.status.code(), Some(64));
        assert!(String::from_utf8_lossy(&output.stderr).starts_with("--service: only Windows has such services"));
    }
}

#[test]
fn the_list_is_complete() {
    let list = read("README.md");
    let mut folders = vec![folder()];
    while let Some(path) = folders.pop() {
        for entry in std::fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder()).unwrap().to_str().unwrap().replace('\\', "/");
                assert!(name == "README.md" || list.contains(&format!("`{name}`")), "{name}");
            }
        }
    }
}
