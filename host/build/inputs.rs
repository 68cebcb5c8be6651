//! The fingerprint of the guest's sources. A guest whose stamp differs from it is stale.

use siphasher::sip128::{Hasher128, SipHasher13};
use std::{
    collections::BTreeSet,
    fs,
    hash::Hasher,
    io,
    path::{Path, PathBuf},
};

/// Folders of the repository that hold the guest's sources.
pub(crate) const SOURCE_FOLDERS: [&str; 2] = ["core", "wasm"];
/// The guest's package in the lock file.
const GUEST_PACKAGE: &str = "wasmcached-wasm";

/// The fingerprint of the sources below `root` with `flags`.
///
/// # Errors
/// A source cannot be read.
pub(crate) fn fingerprint(root: &Path, flags: &[String]) -> io::Result<String> {
    let mut hasher = SipHasher13::new();
    let mut add = |name: &str, bytes: &[u8]| {
        hasher.write(name.as_bytes());
        hasher.write_u64(bytes.len() as u64);
        hasher.write(bytes);
    };
    for flag in flags {
        add("flag", flag.as_bytes());
    }
    for file in source_files(root)? {
        let name = file.strip_prefix(root).unwrap_or(&file).to_string_lossy().replace('\\', "/");
        add(&name, &fs::read(&file)?);
    }
    add("Cargo.toml", &fs::read(root.join("Cargo.toml"))?);
    add("Cargo.lock", locked_closure(&fs::read_to_string(root.join("Cargo.lock"))?, GUEST_PACKAGE).as_bytes());
    Ok(format!("{:032x}", hasher.finish128().as_u128()))
}

/// Every source file of the guest, in a fixed order.
fn source_files(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> = SOURCE_FOLDERS.iter().map(|folder| root.join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let (kind, path) = entry.map(|entry| (entry.file_type(), entry.path()))?;
            if kind?.is_dir() {
                if !matches!(path.file_name().and_then(|name| name.to_str()), Some("target" | "tests" | "benches")) {
                    folders.push(path);
                }
            } else if matches!(path.extension().and_then(|name| name.to_str()), Some("rs" | "toml")) {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// The entries of a lock file on which `package` depends, so that dependencies of other packages leave the guest fresh.
fn locked_closure(lock: &str, package: &str) -> String {
    let entries: Vec<&str> = lock.split("[[package]]").skip(1).map(str::trim).collect();
    let name_of =
        |entry: &str| entry.lines().find_map(|line| line.strip_prefix("name = ")).map(unquote).map(str::to_owned);
    let mut needed = BTreeSet::from([package.to_owned()]);
    loop {
        let found: BTreeSet<String> = entries
            .iter()
            .filter(|entry| name_of(entry).is_some_and(|name| needed.contains(&name)))
            .flat_map(|entry| entry.lines().filter_map(|line| line.strip_prefix(" \"")))
            .filter_map(|line| line.trim_end_matches([',', '"']).split(' ').next())
            .map(str::to_owned)
            .collect();
        let known = needed.len();
        needed.extend(found);
        if needed.len() == known {
            break;
        }
    }
    let kept = entries.iter().filter(|entry| name_of(entry).is_some_and(|name| needed.contains(&name)));
    kept.copied().collect::<Vec<_>>().join("\n")
}

fn unquote(text: &str) -> &str {
    text.trim().trim_matches('"')
}

#[cfg(test)]
mod tests {
    use super::{fingerprint, locked_closure};
    use std::{fs, path::Path};

    const LOCK: &str = r#"version = 4

[[package]]
name = "guest"
version = "1.0.0"
dependencies = [
 "used 1.0.0",
]

[[package]]
name = "other"
version = "1.0.0"
dependencies = [
 "guest",
 "unused",
]

[[package]]
name = "unused"
version = "1.0.0"

[[package]]
name = "used"
version = "1.0.0"
dependencies = [
 "deep",
]

[[package]]
name = "deep"
version = "1.0.0"
"#;

    #[test]
    fn only_what_the_guest_needs_of_the_lock_file_counts() {
        let closure = locked_closure(LOCK, "guest");
        for name in ["guest", "used", "deep"] {
            assert!(closure.contains(&format!("name = \"{name}\"")), "{closure}");
        }
        assert!(!closure.contains("other") && !closure.contains("unused"), "{closure}");
        assert_eq!(
            locked_closure(
                &LOCK.replace("name = \"unused\"\nversion = \"1", "name = \"unused\"\nversion = \"2"),
                "guest"
            ),
            closure
        );
        assert_ne!(
            locked_closure(&LOCK.replace("name = \"deep\"\nversion = \"1", "name = \"deep\"\nversion = \"2"), "guest"),
            closure
        );
    }

    #[test]
    fn every_input_changes_the_fingerprint() {
        let root = std::env::temp_dir().join(format!("wasmcached-inputs-{}", std::process::id()));
        let files =
            ["core/src/lib.rs", "core/Cargo.toml", "wasm/src/lib.rs", "wasm/Cargo.toml", "Cargo.toml", "Cargo.lock"];
        for file in files {
            let path = root.join(file);
            fs::create_dir_all(path.parent().unwrap_or(Path::new(""))).expect("a folder");
            fs::write(path, format!("{file}\n")).expect("a file");
        }
        fs::write(root.join("Cargo.lock"), LOCK.replace("guest", "wasmcached-wasm")).expect("a file");
        let print = |flags: &[&str]| {
            let flags: Vec<String> = flags.iter().map(ToString::to_string).collect();
            fingerprint(&root, &flags).expect("readable sources")
        };
        let mut seen = vec![print(&[]), print(&["a"]), print(&["a", "b"]), print(&["ab"])];
        for file in files {
            let path = root.join(file);
            let text = fs::read_to_string(&path).expect("a file");
            fs::write(&path, text.replace("1.0.0", "1.0.1") + "# changed\n").expect("a file");
            seen.push(print(&[]));
        }
        fs::write(root.join("core/src/new.rs"), "").expect("a file");
        seen.push(print(&[]));
        fs::create_dir_all(root.join("core/tests")).expect("a folder");
        fs::write(root.join("core/tests/test.rs"), "").expect("a file");
        assert_eq!(seen.last(), Some(&print(&[])), "a test is no input");
        let count = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), count);
        fs::remove_dir_all(&root).expect("our own folder");
    }
}
