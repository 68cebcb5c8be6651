//! Runs the Windows program under Wine: start, set, get, stop.

use crate::{
    machine,
    runners::{Report, Suite},
    step::{Outcome, run as run_command},
};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// For the start of the program: Wine sets up a new prefix slowly.
const START_TIMEOUT: Duration = Duration::from_secs(180);
/// For each step after the start.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A test, its request and the expected reply.
const EXCHANGES: [(&str, &str, &str); 5] = [
    ("a value is stored", "set key 5 0 5\r\nvalue\r\n", "STORED\r\n"),
    ("a value is found", "get key\r\n", "VALUE key 5 5\r\nvalue\r\nEND\r\n"),
    ("a number is counted", "set n 0 0 1\r\n1\r\nincr n 41\r\n", "STORED\r\n42\r\n"),
    ("pipelined requests are answered in order", "get a\r\nget key\r\n", "END\r\nVALUE key 5 5\r\nvalue\r\nEND\r\n"),
    ("a value is deleted", "delete key\r\nget key\r\n", "DELETED\r\nEND\r\n"),
];

/// Runs the program and counts each exchange, the large value and the stop as a test.
pub(crate) fn check(program: &Path, report: &mut Report) -> Outcome {
    let mut suite = Suite::new("Windows, under Wine");
    if let Err(message) = session(program, &mut suite) {
        suite.verdict("start", Err(message));
    }
    suite.close(report)
}

fn session(program: &Path, suite: &mut Suite) -> Outcome {
    let wine = machine::find_program("wine64").or_else(|| machine::find_program("wine"));
    let wine = wine.or_else(|| Some(PathBuf::from("/usr/lib/wine/wine64")).filter(|path| path.is_file()));
    let wine = wine.ok_or("wine64 is installed, but neither in the search path nor in /usr/lib/wine")?;
    let prefix = program.with_file_name("wine-prefix");
    let port = free_port()?;
    let mut command = Command::new(&wine);
    command.arg(program).args(["-A", "-p", &port.to_string()]).stdin(Stdio::null());
    command
        .env("WINEPREFIX", &prefix)
        .env("WINEDEBUG", "-all")
        .env("WINEDLLOVERRIDES", "mscoree,mshtml=")
        .env_remove("DISPLAY");
    let mut server = command.spawn().map_err(|error| format!("{}: {error}", wine.display()))?;
    let outcome = serve(&mut server, port, suite);
    if outcome.is_err() {
        // Wine's own stop below ends the other processes of this prefix.
        let _ = server.kill();
    }
    let stop = wine.with_file_name("wineserver");
    let stop = if stop.is_file() { stop } else { PathBuf::from("/usr/lib/wine/wineserver64") };
    let _ = run_command(Command::new(stop).arg("-k").env("WINEPREFIX", &prefix));
    let _ = server.wait();
    outcome
}

fn serve(server: &mut Child, port: u16, suite: &mut Suite) -> Outcome {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut stream = connect(server, address)?;
    suite.verdict("the program starts and accepts", Ok(()));
    for (name, request, reply) in EXCHANGES {
        suite.verdict(name, exchange(&mut stream, request.as_bytes(), reply.as_bytes()));
    }
    suite.verdict("a large value comes back whole", large_value(&mut stream));
    suite.verdict("the program stops on request", stop(server, &mut stream));
    Ok(())
}

fn connect(server: &mut Child, address: SocketAddr) -> Outcome<TcpStream> {
    let start = Instant::now();
    loop {
        if let Some(status) = server.try_wait().map_err(|error| error.to_string())? {
            return Err(format!("the program ended with {status} instead of serving"));
        }
        match TcpStream::connect_timeout(&address, Duration::from_secs(1)) {
            Ok(stream) => {
                let bounded =
                    stream.set_read_timeout(Some(TIMEOUT)).and_then(|()| stream.set_write_timeout(Some(TIMEOUT)));
                return bounded.map(|()| stream).map_err(|error| error.to_string());
            }
            Err(error) if start.elapsed() > START_TIMEOUT => {
                return Err(format!("nothing listens at {address}: {error}"));
            }
            Err(_) => thread::sleep(Duration::from_millis(100)),
        }
    }
}

fn exchange(stream: &mut TcpStream, request: &[u8], wanted: &[u8]) -> Outcome {
    stream.write_all(request).map_err(|error| error.to_string())?;
    let mut reply = vec![0; wanted.len()];
    stream.read_exact(&mut reply).map_err(|error| format!("no whole reply: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
    if reply == wanted { Ok(()) } else { Err(format!("wanted {:?}, got {:?}", text(wanted), text(&reply))) }
}

fn large_value(stream: &mut TcpStream) -> Outcome {
    let value: Vec<u8> = (0..1_000_000_u32).map(|index| (index % 251) as u8).collect();
    let set = [b"set large 0 0 1000000\r\n", &value[..], b"\r\n"].concat();
    exchange(stream, &set, b"STORED\r\n")?;
    exchange(stream, b"get large\r\n", &[b"VALUE large 0 1000000\r\n", &value[..], b"\r\nEND\r\n"].concat())
}

fn stop(server: &mut Child, stream: &mut TcpStream) -> Outcome {
    stream.write_all(b"shutdown\r\n").map_err(|error| error.to_string())?;
    let start = Instant::now();
    while start.elapsed() < TIMEOUT {
        match server.try_wait().map_err(|error| error.to_string())? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(format!("ended with {status}")),
            None => thread::sleep(Duration::from_millis(50)),
        }
    }
    Err("still runs".to_owned())
}

fn free_port() -> Outcome<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    listener.map(|address| address.port()).map_err(|error| format!("no free port: {error}"))
}
