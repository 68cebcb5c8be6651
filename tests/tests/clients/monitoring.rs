//! Pages over HTTP in the programs that read them: Prometheus' Python parsers, Debian's Prometheus, and the files of
//! `packaging/monitoring/`.

use crate::{
    interpreters::{folder, python},
    is_debian,
    process::{self, Running},
    statistics::store,
};
use libtest_mimic::{Failed, Trial};
use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use wasmcached_tests::server::{Server, free_port};

/// Longest wait for what Prometheus has scraped.
const WAIT: Duration = Duration::from_secs(60);
/// The token of the server that Prometheus scrapes.
const TOKEN: &str = "a-token-of-the-tests-0123";
/// Ports that may be taken meanwhile.
const ATTEMPTS: usize = 5;

/// All trials; `program`: the product.
pub(crate) fn trials(program: &Result<PathBuf, String>) -> Vec<Trial> {
    let trial = |name: &'static str, run: fn(&Path) -> Result<(), String>| {
        let program = program.clone();
        Trial::test(name, move || run(&program?).map_err(Failed::from))
    };
    vec![
        trial("Prometheus' parsers read the pages", parsers),
        trial("Prometheus scrapes the server", scrape).with_ignored_flag(!is_debian()),
        trial("promtool checks the metrics, the alerts and their tests", promtool).with_ignored_flag(!is_debian()),
        trial("alerts and dashboard name metrics that exist", names),
    ]
}

/// Starts a server with pages, and these flags. Returns it with the address of the pages.
fn start(program: &Path, flags: &[String]) -> Result<(Server, String), String> {
    let mut problem = String::new();
    for _ in 0..ATTEMPTS {
        let port = free_port()?;
        let own = ["-o".to_owned(), format!("http_port={port}")];
        match Server::start(program, &[&own, flags].concat()) {
            Ok(server) => return Ok((server, format!("127.0.0.1:{port}"))),
            Err(message) => problem = message,
        }
    }
    Err(problem)
}

fn parsers(program: &Path) -> Result<(), String> {
    const TESTS: usize = 6;
    let (server, pages) = start(program, &[])?;
    let mut command = Command::new(python()?);
    command.arg(folder().join("clients/python/prometheus_pages.py"));
    command.env("SERVER", server.address.to_string()).env("PAGES", pages);
    let text = process::succeed(&mut command)?;
    let passed = text.lines().filter(|line| line.starts_with("passed ")).count();
    if passed == TESTS { Ok(()) } else { Err(format!("{passed} of {TESTS} tests passed:\n{text}")) }
}

/// Prometheus asks with the token, and evaluates the alerts over what it has scraped.
fn scrape(program: &Path) -> Result<(), String> {
    let home = Home::new("prometheus")?;
    let token = home.put("token", TOKEN)?;
    let (server, pages) = start(program, &["-o".to_owned(), format!("http_token={}", token.display())])?;
    store(&server.address.to_string())?;
    let page = get(&pages, "/metrics", "")?;
    if !page.starts_with("HTTP/1.1 401 ") {
        return Err(format!("without the token:\n{page}"));
    }
    let alerts = folder().join("../packaging/monitoring/alerts.yml");
    let settings = format!(
        "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: ['{}']\nscrape_configs:\n  \
         - job_name: wasmcached\n    authorization: {{ credentials_file: '{}' }}\n    \
         static_configs: [{{ targets: ['{pages}'] }}]\n",
        alerts.display(),
        token.display()
    );
    let settings = home.put("prometheus.yml", &settings)?;
    let api = format!("127.0.0.1:{}", free_port()?);
    let mut command = Command::new("prometheus");
    command.arg(format!("--config.file={}", settings.display()));
    command.arg(format!("--storage.tsdb.path={}", home.0.join("data").display()));
    command.arg(format!("--web.listen-address={api}"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let _prometheus = Running(command.spawn().map_err(|error| format!("prometheus: {error}"))?);
    let query = |text: &str| get(&api, &format!("/api/v1/query?query={text}"), "");
    for (text, value) in [
        ("up{job=\"wasmcached\"}", "1"),
        ("memcached_up", "1"),
        ("memcached_current_items", "2"),
        ("memcached_commands_total{command=\"set\"}", "2"),
        ("sum(memcached_slab_current_items)", "2"),
        ("count(wasmcached_build_info)", "1"),
        ("scrape_samples_scraped>bool(200)", "1"),
        ("count(ALERTS)or(vector(0))", "0"),
    ] {
        let wanted = format!(",\"{value}\"]}}");
        wait_for(&format!("{text} = {value}"), || query(&escaped(text)), |answer| answer.contains(&wanted))?;
    }
    let rules = || get(&api, "/api/v1/rules", "");
    wait_for("evaluated rules", rules, |answer| {
        answer.contains("\"health\":\"ok\"") && !answer.contains("\"health\":\"unknown\"")
    })?;
    let rules = rules()?;
    if rules.contains("\"health\":\"err\"") { Err(format!("a rule fails:\n{rules}")) } else { Ok(()) }
}

fn promtool(program: &Path) -> Result<(), String> {
    let monitoring = folder().join("../packaging/monitoring");
    let run =
        |arguments: [&str; 3]| process::succeed(Command::new("promtool").current_dir(&monitoring).args(arguments));
    run(["check", "rules", "alerts.yml"])?;
    run(["test", "rules", "alerts_test.yml"])?;
    let (server, pages) = start(program, &[])?;
    store(&server.address.to_string())?;
    let page = get(&pages, "/metrics", "Accept: text/plain\r\n")?;
    let (_, text) = page.split_once("\r\n\r\n").ok_or("no head")?;
    let mut command = Command::new("promtool");
    let mut child = command
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("promtool: {error}"))?;
    let written = child.stdin.take().map(|mut stdin| stdin.write_all(text.as_bytes()));
    written.ok_or("no standard input")?.map_err(|error| error.to_string())?;
    let done = child.wait_with_output().map_err(|error| error.to_string())?;
    // Besides errors promtool prints advice about names; those of memcached_exporter are as they are.
    let advice = String::from_utf8_lossy(&done.stderr);
    let unknown: Vec<_> = advice.lines().filter(|line| !line.starts_with("memcached_")).collect();
    if matches!(done.status.code(), Some(0 | 3)) && unknown.is_empty() {
        return Ok(());
    }
    Err(format!("promtool check metrics: {}\n{}", done.status, unknown.join("\n")))
}

/// Every metric in the alerts and in the dashboard is on the page.
fn names(program: &Path) -> Result<(), String> {
    let (server, pages) = start(program, &[])?;
    store(&server.address.to_string())?;
    let page = get(&pages, "/metrics", "Accept: text/plain\r\n")?;
    let word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let metrics = |text: &str| -> BTreeSet<String> {
        let words = text.split(|character| !word(character));
        let is_metric = |name: &&str| name.starts_with("memcached_") || name.starts_with("wasmcached_");
        words.filter(is_metric).filter(|name| *name != "memcached_exporter").map(str::to_owned).collect()
    };
    let known = metrics(&page);
    for file in ["alerts.yml", "dashboard.json"] {
        let text = fs::read_to_string(folder().join("../packaging/monitoring").join(file));
        let named = metrics(&text.map_err(|error| format!("{file}: {error}"))?);
        let missing: Vec<_> = named.difference(&known).collect();
        if named.len() < 10 || !missing.is_empty() {
            return Err(format!("{file} names {} metrics; not on the page: {missing:?}", named.len()));
        }
    }
    Ok(())
}

/// Asks until the answer is good.
fn wait_for(
    what: &str,
    ask: impl Fn() -> Result<String, String>,
    is_good: impl Fn(&str) -> bool,
) -> Result<(), String> {
    let deadline = Instant::now() + WAIT;
    loop {
        let answer = ask();
        if answer.as_ref().is_ok_and(|answer| is_good(answer)) {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("no {what}: {answer:?}"));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The answer to a request over HTTP/1.0, with its head.
fn get(address: &str, path: &str, fields: &str) -> Result<String, String> {
    let mut stream = TcpStream::connect(address).map_err(|error| error.to_string())?;
    let mut text = String::new();
    stream
        .write_all(format!("GET {path} HTTP/1.0\r\n{fields}\r\n").as_bytes())
        .and_then(|()| stream.read_to_string(&mut text))
        .map_err(|error| error.to_string())?;
    Ok(text)
}

/// A query as part of an address.
fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// A folder that is removed on drop.
struct Home(PathBuf);

impl Home {
    fn new(name: &str) -> Result<Self, String> {
        let path = std::env::temp_dir().join(format!("wasmcached-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path))
    }

    fn put(&self, name: &str, text: &str) -> Result<PathBuf, String> {
        let path = self.0.join(name);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
