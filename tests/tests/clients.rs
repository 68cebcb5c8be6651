//! Real clients against the product, and against memcached to test the tests: pymemcache and pylibmc (Python),
//! `memccapable` and `memcached-tool` (Debian), and the cache-aside example.
//!
//! `PYTHON` names an interpreter that has the packages of `clients/requirements.txt`; without it an environment is made
//! below `target/`.

use libtest_mimic::{Arguments, Failed, Trial};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
};
use wasmcached_tests::server::{Server, memcached_program, wasmcached_program};

/// What `memccapable` finds wrong with memcached 1.6.45, and so with us: it wants surplus arguments refused.
const CAPABLE_FAILURES: [&str; 2] = ["ascii delete", "ascii delete noreply"];
/// How many tests `memccapable` has for each protocol.
const CAPABLE_TESTS: usize = 27;
/// The width of their names in its output.
const CAPABLE_NAME_COLUMNS: usize = 40;

fn main() {
    let arguments = Arguments::from_args();
    let Some(memcached) = memcached_program() else {
        eprintln!("memcached is not installed: it is what the tests of clients are tested against");
        std::process::exit(101);
    };
    let product = wasmcached_program();
    let mut trials = trials("memcached", Ok(memcached));
    trials.extend(self::trials("wasmcached", product));
    libtest_mimic::run(&arguments, trials).exit();
}

/// What a client does with a program.
type Run = Box<dyn Fn(&Path) -> Result<(), String> + Send>;

/// Every client against one program. A missing program fails each of them, with the reason.
fn trials(name: &'static str, program: Result<PathBuf, String>) -> Vec<Trial> {
    let is_oracle = name == "memcached";
    let mut trials = Vec::new();
    let mut add = |client: &str, run: Run| {
        let program = program.clone();
        trials.push(Trial::test(format!("{name}: {client}"), move || {
            program.as_deref().map_err(Clone::clone).and_then(run).map_err(Failed::from)
        }));
    };
    add("pymemcache", Box::new(|program| python_suite(program, "pymemcache_text.py")));
    add("pylibmc over text", Box::new(|program| python_suite(program, "pylibmc_text.py")));
    add("memccapable -a", {
        // Debian's 1.6.18 still refuses surplus arguments of delete, 1.6.45 does not.
        let failures: &[&str] = if is_oracle { &[] } else { &CAPABLE_FAILURES };
        Box::new(move |program| capable(program, "-a", failures))
    });
    add("memccapable -b", Box::new(|program| capable(program, "-b", &[])));
    add("memcached-tool", Box::new(move |program| tool(program, is_oracle)));
    add("example cache_aside", Box::new(cache_aside));
    trials
}

/// Runs one of the Python suites with three servers, for clients that spread keys.
fn python_suite(program: &Path, script: &str) -> Result<(), String> {
    let servers = [Server::start(program, &[])?, Server::start(program, &[])?, Server::start(program, &[])?];
    let further: Vec<String> = servers[1..].iter().map(|server| server.address.to_string()).collect();
    let mut command = Command::new(python()?);
    command.arg(folder().join("clients").join(script));
    command.env("SERVER", servers[0].address.to_string()).env("FURTHER", further.join(","));
    let text = succeed(command)?;
    let ran = text.lines().find_map(|line| line.strip_prefix("Ran ")?.split(' ').next()?.parse::<usize>().ok());
    match ran {
        Some(tests) if tests >= 20 && !text.contains("skipped") => Ok(()),
        _ => Err(format!("not all tests ran:\n{text}")),
    }
}

/// libmemcached's own conformance test: each of its results is compared.
fn capable(program: &Path, protocol: &str, expected: &[&str]) -> Result<(), String> {
    let server = Server::start(program, &[])?;
    let SocketAddr::V4(address) = server.address else { return Err("not IPv4".into()) };
    let mut command = Command::new("memccapable");
    command.args(["-h", &address.ip().to_string(), "-p", &address.port().to_string(), protocol]);
    let output = run(command)?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut results = BTreeMap::new();
    // Names fill a column of 40 characters; the word for failure goes elsewhere, so the next name follows at once.
    for line in text.lines() {
        let mut rest = line;
        while let Some((name, result)) = rest.split_at_checked(CAPABLE_NAME_COLUMNS) {
            results.insert(name.trim_end().to_owned(), result == "[pass]");
            rest = result;
        }
    }
    let failures: Vec<&str> = results.iter().filter(|(_, passed)| !**passed).map(|(test, _)| test.as_str()).collect();
    if results.len() == CAPABLE_TESTS && failures == expected {
        Ok(())
    } else {
        Err(format!("{} tests, failures {failures:?}, expected {expected:?}:\n{text}", results.len()))
    }
}

/// The statistics tool of the memcached package.
fn tool(program: &Path, is_oracle: bool) -> Result<(), String> {
    let server = Server::start(program, &[])?;
    let mut client = std::net::TcpStream::connect(server.address).map_err(|error| error.to_string())?;
    exchange(&mut client, b"set tool-a 0 0 1\r\n1\r\nset tool-b 5 1000 100\r\n", &[b'x'; 100], "STORED\r\nSTORED\r\n")?;

    let display = tool_output(&server, "display")?;
    let count: u32 =
        display.lines().skip(1).filter_map(|line| line.split_whitespace().nth(4)?.parse::<u32>().ok()).sum();
    if !display.contains("Item_Size") || count != 2 {
        return Err(format!("display does not show two items:\n{display}"));
    }
    let stats = tool_output(&server, "stats")?;
    expect_row(&stats, "curr_items", "2")?;
    expect_row(&stats, "cmd_set", "2")?;
    let settings = tool_output(&server, "settings")?;
    expect_row(&settings, "item_size_max", "1048576")?;
    let sizes = tool_output(&server, "sizes")?;
    expect_row(&sizes, "sizes_status", "disabled")?;
    // `dump` walks the cache with commands that belong to another part of the protocol.
    let can_dump = exchange(&mut client, b"stats cachedump 1 1", b"", "ERROR\r\n").is_err();
    if is_oracle || can_dump {
        let dump = tool_output(&server, "dump")?;
        let dump = dump.replace('\r', "");
        if !dump.contains("add tool-a 0 0 1\n1") || !dump.contains("add tool-b 5 ") {
            return Err(format!("dump does not show the items:\n{dump}"));
        }
    }
    Ok(())
}

fn tool_output(server: &Server, mode: &str) -> Result<String, String> {
    let places = ["/usr/share/memcached/scripts/memcached-tool", "/usr/bin/memcached-tool"];
    let tool = places.iter().find(|place| Path::new(place).is_file()).ok_or("memcached-tool is not installed")?;
    let mut command = Command::new(tool);
    command.args([&server.address.to_string(), mode]);
    succeed(command)
}

/// A line `name value` of the tool's tables.
fn expect_row(text: &str, name: &str, value: &str) -> Result<(), String> {
    let row =
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).find(|row| row.first() == Some(&name));
    match row {
        Some(row) if row[1..] == [value] => Ok(()),
        row => Err(format!("{name} is {row:?}, expected {value}")),
    }
}

fn exchange(stream: &mut std::net::TcpStream, command: &[u8], data: &[u8], answer: &str) -> Result<(), String> {
    use std::io::{Read, Write};
    let mut got = vec![0; answer.len()];
    let request = [command, data, b"\r\n"].concat();
    stream.write_all(&request).and_then(|()| stream.read_exact(&mut got)).map_err(|error| error.to_string())?;
    if got == answer.as_bytes() { Ok(()) } else { Err(format!("answer {:?}", String::from_utf8_lossy(&got))) }
}

/// The example of the README, with the counts it prints.
fn cache_aside(program: &Path) -> Result<(), String> {
    let server = Server::start(program, &[])?;
    let database = std::env::temp_dir().join(format!("wasmcached-example-{}.sqlite", server.address.port()));
    let _ = std::fs::remove_file(&database);
    let mut command = Command::new(python()?);
    command.arg(folder().join("../examples/cache_aside/cache_aside.py"));
    command.arg("--server").arg(server.address.to_string()).arg("--database").arg(&database);
    let text = succeed(command);
    let is_real = std::fs::read(&database).is_ok_and(|bytes| bytes.starts_with(b"SQLite format 3\0"));
    let _ = std::fs::remove_file(&database);
    let text = text?;
    if !is_real {
        return Err("the database is not a file of SQLite".into());
    }
    match text.lines().last() {
        Some("hits 3, misses 4, wrong answers 0") => Ok(()),
        _ => Err(format!("unexpected output:\n{text}")),
    }
}

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// An interpreter that has the clients.
fn python() -> Result<&'static Path, String> {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    PYTHON.get_or_init(prepare_python).as_deref().map_err(Clone::clone)
}

fn prepare_python() -> Result<PathBuf, String> {
    if let Some(python) = std::env::var_os("PYTHON") {
        return Ok(PathBuf::from(python));
    }
    let environment = folder().join("../target/venv");
    let python = environment.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let requirements = folder().join("clients/requirements.txt");
    let stamp = environment.join("requirements.installed");
    let wanted = std::fs::read(&requirements).map_err(|error| error.to_string())?;
    if !std::fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        let mut command = Command::new("python3");
        command.args(["-m", "venv", "--clear"]).arg(&environment);
        succeed(command)?;
        let mut command = Command::new(&python);
        command.args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(&requirements);
        succeed(command)?;
        std::fs::write(&stamp, wanted).map_err(|error| error.to_string())?;
    }
    Ok(python)
}

/// Runs to the end; what it printed, or why it failed.
fn succeed(command: Command) -> Result<String, String> {
    let output = run(command)?;
    let text = format!("{}{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    if output.status.success() { Ok(text) } else { Err(format!("{}:\n{text}", output.status)) }
}

fn run(mut command: Command) -> Result<Output, String> {
    command.output().map_err(|error| format!("{:?}: {error}", command.get_program()))
}
