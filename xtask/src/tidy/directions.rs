//! The rooms of the house, and which of them a room may import.

use super::{
    Finding,
    modules::{CRATES, Modules},
    rust::Named,
    tree::Tree,
};

pub(super) const REMEDY: &str = "move what is imported to a lower room, or pass it as an argument; a new file at the \
    root of a crate belongs to a room of the tables in xtask/src/tidy/directions.rs";

/// Modules that belong together. Among themselves they may import each other.
struct Room {
    name: &'static str,
    /// The top-level modules in it.
    modules: &'static [&'static str],
    /// Rooms that it may import besides.
    uses: &'static [&'static str],
}

const fn room(name: &'static str, modules: &'static [&'static str], uses: &'static [&'static str]) -> Room {
    Room { name, modules, uses }
}

/// The engine: from bounds and bytes up to the whole.
const CORE: [Room; 11] = [
    room("ground", &["limits", "clock", "decimal", "hash", "wire", "settings", "fault"], &[]),
    room("nouns", &["command", "reply"], &["ground"]),
    room("boundary", &["boundary"], &["ground", "nouns"]),
    room("statistics", &["statistics"], &["ground", "nouns", "boundary"]),
    room("authentication", &["authentication"], &["ground"]),
    room("protocol", &["protocol"], &["ground", "nouns", "boundary", "statistics", "authentication"]),
    room("store", &["store"], &["ground", "nouns", "boundary", "statistics"]),
    room("front", &["front"], &["ground", "nouns", "boundary", "statistics", "authentication", "protocol"]),
    room("shard", &["shard"], &["ground", "nouns", "boundary", "statistics", "store"]),
    room("stripes", &["stripes"], &["ground", "nouns", "boundary", "statistics", "store", "shard"]),
    room("engine", &["engine"], &["ground", "nouns", "boundary", "statistics", "front", "shard"]),
];

/// The server: from values up to what may be started.
const HOST: [Room; 9] = [
    room("ground", &["exit", "limits", "clock", "console", "entropy", "reload", "counters"], &[]),
    room("options", &["options"], &["ground"]),
    room("system", &["system"], &["ground", "options"]),
    room("guest", &["guest"], &["ground", "options", "system"]),
    room("network", &["network"], &["ground", "options", "system", "guest"]),
    room(
        "workers' mail",
        &["users", "http_token", "watching", "inbox", "budget"],
        &["ground", "options", "system", "guest", "network"],
    ),
    room("stores", &["stores"], &["ground", "options", "system", "guest", "network", "workers' mail"]),
    room("server", &["server"], &["ground", "options", "system", "guest", "network", "workers' mail", "stores"]),
    room(
        "programs",
        &["service", "ping"],
        &["ground", "options", "system", "guest", "network", "workers' mail", "stores", "server"],
    ),
];

/// Modules of the core that the server may name: what crosses the boundary, never what makes sense of it.
const CORE_FOR_HOST: [&str; 9] =
    ["boundary", "clock", "command::Eviction", "hash", "limits", "settings", "statistics", "wire", "protocol::health"];

/// The packages, and which of them each may build on. Tests of a package may use any.
const PACKAGES: [(&str, &[&str]); 7] = [
    ("core", &[]),
    ("wasm", &["wasmcached-core"]),
    ("host", &["wasmcached-core"]),
    ("interleavings", &[]),
    ("tests", &["wasmcached-core", "wasmcached-wasm"]),
    ("bench", &["wasmcached-core", "wasmcached-wasm", "wasmcached-tests"]),
    ("xtask", &[]),
];

/// Checks rooms, the host's view of the core, and packages.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = rooms(tree, CRATES[0].0, &CORE);
    findings.extend(rooms(tree, CRATES[2].0, &HOST));
    findings.extend(host_to_core(tree));
    findings.extend(packages(tree));
    findings
}

fn rooms(tree: &Tree, folder: &str, rooms: &[Room]) -> Vec<Finding> {
    let modules = Modules::of(tree, folder);
    let room_of = |path: &str| {
        let top = path[folder.len()..].split('/').next().unwrap_or_default().trim_end_matches(".rs").to_owned();
        rooms.iter().find(|room| room.modules.contains(&top.as_str()))
    };
    // The root declares all rooms.
    let is_root = |path: &str| matches!(&path[folder.len()..], "lib.rs" | "main.rs");
    let mut findings = Vec::new();
    for (_, file) in modules.files().filter(|(_, file)| !is_root(&file.path)) {
        if room_of(&file.path).is_none() {
            findings.push(Finding::of(&file.path, "belongs to no room"));
        }
    }
    for import in modules.imports() {
        if is_root(&import.from) || is_root(&import.to) {
            continue;
        }
        let (Some(from), Some(to)) = (room_of(&import.from), room_of(&import.to)) else { continue };
        if from.name != to.name && !from.uses.contains(&to.name) {
            let message = format!("`{}` may not import `{}` ({})", from.name, to.name, import.to);
            findings.push(Finding::at(&import.from, import.line, message));
        }
    }
    findings
}

fn host_to_core(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (_, file) in Modules::of(tree, CRATES[2].0).files() {
        for named in file.source().into_iter().flat_map(|source| &source.named) {
            if is_of_core(named) && !named.in_test && !is_for_host(&named.words[1..]) {
                let message = format!("the host may not name `{}`", named.words.join("::"));
                findings.push(Finding::at(&file.path, named.line, message));
            }
        }
    }
    findings
}

fn is_of_core(named: &Named) -> bool {
    named.words.first().is_some_and(|first| first == CRATES[0].1)
}

fn is_for_host(words: &[String]) -> bool {
    // A value at the root, such as the version, is everybody's.
    words.len() == 1 || CORE_FOR_HOST.iter().any(|path| words.join("::").starts_with(path))
}

fn packages(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (folder, allowed) in PACKAGES {
        let Some(manifest) = tree.file(&format!("{folder}/Cargo.toml")) else { continue };
        let mut in_dependencies = false;
        for (index, line) in manifest.text.lines().enumerate() {
            if let Some(section) = line.strip_prefix('[') {
                in_dependencies = section.contains("dependencies]") && !section.contains("dev-");
            }
            let name = line.split([' ', '=', '.']).next().unwrap_or_default();
            if in_dependencies && is_own(name) && !allowed.contains(&name) {
                findings.push(Finding::at(&manifest.path, index + 1, format!("`{folder}` may not depend on `{name}`")));
            }
        }
    }
    findings
}

fn is_own(package: &str) -> bool {
    package == "wasmcached" || package == "xtask" || package.starts_with("wasmcached-")
}

#[cfg(test)]
mod tests {
    use super::{CORE, HOST, Room, check};
    use crate::tidy::messages;

    #[test]
    fn an_import_from_a_higher_room_is_found() {
        let found = messages(
            check,
            &[
                ("core/src/store/mod.rs", "use crate::limits::L;\nuse crate::protocol::text::T;"),
                ("core/src/protocol/text/mod.rs", "fn f(_: crate::store::Store) {}"),
                ("core/src/limits.rs", ""),
            ],
        );
        let up = "core/src/protocol/text/mod.rs:1: `protocol` may not import `store` (core/src/store/mod.rs)";
        let across = "core/src/store/mod.rs:2: `store` may not import `protocol` (core/src/protocol/text/mod.rs)";
        assert_eq!(found, [up, across]);
    }

    #[test]
    fn a_file_without_a_room_is_found() {
        assert_eq!(messages(check, &[("host/src/helpers.rs", "")]), ["host/src/helpers.rs: belongs to no room"]);
    }

    #[test]
    fn the_root_may_import_everything_and_rooms_their_own() {
        let found = messages(
            check,
            &[
                ("host/src/main.rs", "mod server; use server::serve; use crate::limits::L;"),
                ("host/src/limits.rs", "use crate::clock::C;"),
                ("host/src/clock.rs", ""),
                ("host/src/server/mod.rs", "use crate::limits::L;"),
            ],
        );
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn the_host_may_not_name_what_makes_sense_of_bytes() {
        let found = messages(
            check,
            &[(
                "host/src/ping.rs",
                "use wasmcached_core::{boundary::config::Config, protocol::health::Answer, VERSION};\nuse wasmcached_core::protocol::text::T;",
            )],
        );
        assert_eq!(found, ["host/src/ping.rs:2: the host may not name `wasmcached_core::protocol::text::T`"]);
    }

    #[test]
    fn a_package_may_not_depend_on_a_higher_one() {
        let manifest = "[package]\nname = \"wasmcached-core\"\n[dependencies]\nmemchr = \"2\"\nwasmcached-wasm.workspace = true\n\
            [dev-dependencies]\nwasmcached-tests.workspace = true\n";
        let found = messages(check, &[("core/Cargo.toml", manifest)]);
        assert_eq!(found, ["core/Cargo.toml:5: `core` may not depend on `wasmcached-wasm`"]);
    }

    #[test]
    fn rooms_use_rooms_before_them() {
        let is_ordered = |rooms: &[Room]| {
            rooms.iter().enumerate().all(|(place, room)| {
                room.uses.iter().all(|used| rooms[..place].iter().any(|before| before.name == *used))
            })
        };
        assert!(is_ordered(&CORE) && is_ordered(&HOST));
    }
}
