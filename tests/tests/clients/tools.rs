//! libmemcached's conformance test and its command-line tools.

use crate::{
    process::{self, Done},
    servers::Servers,
    site::{Protocol, Report, Site},
};
use std::{collections::BTreeMap, process::Command};

/// Failures of `memccapable` with memcached 1.6.45 and this server: it expects surplus arguments to be refused.
const CAPABLE_FAILURES: [&str; 2] = ["ascii delete", "ascii delete noreply"];
/// Tests of each protocol.
const CAPABLE_TESTS: usize = 27;
/// Width of the test names in the output.
const CAPABLE_NAME_COLUMNS: usize = 40;

/// Tools without a flag for the protocol.
const TEXT_ONLY: [&str; 2] = ["memcdump", "memcping"];

/// Runs the conformance test and compares each result.
pub(crate) fn capable(site: &Site) -> Result<Report, String> {
    let servers = Servers::start(site, 1)?;
    let address = servers.addresses().concat();
    let (host, port) = address.split_once(':').ok_or("not IPv4")?;
    let mut command = Command::new("memccapable");
    let is_binary = site.channel.protocol == Protocol::Binary;
    command.args(["-h", host, "-p", port, if is_binary { "-b" } else { "-a" }]);
    let text = process::run(&mut command)?.stdout;
    let results = capable_results(&text);
    let names = |passed: bool| -> Vec<String> {
        results.iter().filter(|(_, result)| **result == passed).map(|(name, _)| name.clone()).collect()
    };
    let (passed, failed) = (names(true), names(false));
    // Debian's 1.6.18 still refuses surplus arguments of delete, 1.6.45 does not.
    let expected: &[&str] = if site.is_oracle || is_binary { &[] } else { &CAPABLE_FAILURES };
    if results.len() == CAPABLE_TESTS && failed == expected {
        Ok(Report { version: version_of("memccat")?, passed, failed_alike: failed })
    } else {
        Err(format!("{} tests, failures {failed:?}, expected {expected:?}:\n{text}", results.len()))
    }
}

/// Parses lines of names in columns of 40 characters. The word for failure goes to another stream, so the next name
/// follows directly.
fn capable_results(text: &str) -> BTreeMap<String, bool> {
    let mut results = BTreeMap::new();
    for line in text.lines() {
        let mut rest = line;
        while let Some((name, result)) = rest.split_at_checked(CAPABLE_NAME_COLUMNS) {
            results.insert(name.trim_end().to_owned(), result == "[pass]");
            rest = result;
        }
    }
    results
}

/// Runs all other tools, one after another.
pub(crate) fn all(site: &Site) -> Result<Report, String> {
    // memcdump lists only the last LRU segment of memcached, which holds every item without segments.
    let servers = Servers::start_with(site, 1, if site.is_oracle { &["-o", "no_modern"] } else { &[] })?;
    let mut tools = Tools { site, servers, passed: Vec::new() };
    tools.items()?;
    tools.statistics()?;
    tools.load()?;
    Ok(Report { version: version_of("memccat")?, passed: tools.passed, failed_alike: Vec::new() })
}

/// The tools with one server.
struct Tools<'a> {
    site: &'a Site,
    servers: Servers,
    passed: Vec<String>,
}

impl Tools<'_> {
    fn items(&mut self) -> Result<(), String> {
        std::fs::write(self.servers.folder().join("one"), "first\n").map_err(|error| error.to_string())?;
        std::fs::write(self.servers.folder().join("two"), [b'x'; 100_000]).map_err(|error| error.to_string())?;
        self.expect("memcping", &[], true, "")?;
        self.expect("memccp", &["--flags=7", "--expire=1000", "one", "two"], true, "")?;
        self.expect("memccp", &["--add", "one"], false, "")?;
        self.expect("memccp", &["--replace", "one"], true, "")?;
        self.expect("memccp", &["--flags=7", "one"], true, "")?;
        self.expect("memccat", &["one"], true, "first")?;
        self.expect("memccat", &["--flags", "one"], true, "7")?;
        self.expect("memccat", &["missing"], false, "")?;
        self.expect("memccat", &["--file=copy", "two"], true, "")?;
        let copy = std::fs::read(self.servers.folder().join("copy")).map_err(|error| error.to_string())?;
        if copy != [b'x'; 100_000] {
            return Err(format!("memccat wrote {} bytes", copy.len()));
        }
        self.expect("memcexist", &["one"], true, "")?;
        self.expect("memcexist", &["missing"], false, "")?;
        self.expect("memctouch", &["--expire=100", "one"], true, "")?;
        self.expect("memctouch", &["missing"], false, "")?;
        self.expect("memcdump", &[], true, "one\n")?;
        self.expect("memcdump", &[], true, "two\n")?;
        self.expect("memcrm", &["one"], true, "")?;
        self.expect("memcrm", &["one"], false, "")?;
        self.expect("memcexist", &["one"], false, "")?;
        self.expect("memcflush", &[], true, "")?;
        self.expect("memcexist", &["two"], false, "")
    }

    fn statistics(&mut self) -> Result<(), String> {
        self.expect("memcstat", &[], true, "limit_maxbytes: 67108864")?;
        self.expect("memcstat", &["--args=settings"], true, "cas_enabled: yes")?;
        self.expect("memcstat", &["--server-version"], true, "1.6.")?;
        self.expect("memcstat", &["--analyze"], true, "Number of Servers Analyzed         : 1")
    }

    /// Runs the load generators with small numbers.
    fn load(&mut self) -> Result<(), String> {
        for test in ["set", "get", "mget"] {
            let test = format!("--test={test}");
            self.expect("memcslap", &["--concurrency=4", "--execute-number=200", &test], true, "Time total:")?;
        }
        let server = self.servers.addresses().concat();
        // memcaslap reads every tenth value back and compares it.
        let mut arguments = vec!["-s", &server, "-x", "5000", "-T", "1", "-c", "8", "-v", "0.1"];
        if self.site.channel.protocol == Protocol::Binary {
            arguments.push("-B");
        }
        let done = self.run("memcaslap", &arguments)?;
        let text = done.text();
        let has = |line: &str| text.lines().any(|other| other == line);
        let is_right = has("verify_misses: 0") && has("verify_failed: 0") && has("get_misses: 0");
        if !done.status.success() || !is_right {
            return Err(format!("memcaslap, {}:\n{text}", done.status));
        }
        self.passed.push("memcaslap".to_owned());
        Ok(())
    }

    /// Checks the exit status of a tool, and that its output contains `part`.
    fn expect(&mut self, tool: &str, arguments: &[&str], succeeds: bool, part: &str) -> Result<(), String> {
        let server = format!("--servers={}", self.servers.addresses().concat());
        let mut all = vec![server.as_str()];
        if self.site.channel.protocol == Protocol::Binary && !TEXT_ONLY.contains(&tool) {
            all.push("--binary");
        }
        all.extend(arguments);
        let done = self.run(tool, &all)?;
        if done.status.success() != succeeds || !done.text().contains(part) {
            return Err(format!("{tool} {arguments:?}, {}:\n{}", done.status, done.text()));
        }
        let name = [&[tool], arguments].concat().join(" ");
        self.passed.push(name);
        Ok(())
    }

    fn run(&self, tool: &str, arguments: &[&str]) -> Result<Done, String> {
        process::run(Command::new(tool).args(arguments).current_dir(self.servers.folder()))
    }
}

/// The last word of a tool's version: `memcat v1.1 (libmemcached v1.1.4)`.
fn version_of(tool: &str) -> Result<String, String> {
    let done = process::run(Command::new(tool).arg("--version"))?;
    let text = done.text();
    let version = text.split_whitespace().last().unwrap_or_default().trim_matches(['v', ')']);
    Ok(version.to_owned())
}
