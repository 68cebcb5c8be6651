//! The programs of memcached's package that read statistics.

use crate::{
    process,
    servers::Servers,
    site::{Report, Site},
};
use std::{
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::Command,
};

/// Folders of memcached's scripts.
const SCRIPT_FOLDERS: [&str; 2] = ["/usr/share/memcached/scripts", "/usr/bin"];
/// Run time of damemtop, which shows changes between samples a second apart.
const DAMEMTOP_SECONDS: &str = "4";

/// Runs memcached-tool in each mode.
pub(crate) fn memcached_tool(site: &Site) -> Result<Report, String> {
    let servers = Servers::start(site, 1)?;
    let address = servers.addresses().concat();
    store(&address)?;
    let output = |mode: &str| process::succeed(Command::new(script("memcached-tool")?).args([&address, mode]));

    let display = output("display")?;
    let count: u32 =
        display.lines().skip(1).filter_map(|line| line.split_whitespace().nth(4)?.parse::<u32>().ok()).sum();
    if !display.contains("Item_Size") || count != 2 {
        return Err(format!("display does not show two items:\n{display}"));
    }
    let stats = output("stats")?;
    expect_row(&stats, "curr_items", "2")?;
    expect_row(&stats, "cmd_set", "2")?;
    expect_row(&output("settings")?, "item_size_max", "1048576")?;
    expect_row(&output("sizes")?, "sizes_status", "disabled")?;
    let dump = output("dump")?.replace('\r', "");
    if !dump.contains("add tool-a 0 0 1\n1") || !dump.contains("add tool-b 5 ") {
        return Err(format!("dump does not show the items:\n{dump}"));
    }
    let passed = ["display", "stats", "settings", "sizes", "dump"].map(str::to_owned).to_vec();
    Ok(Report { version: package_version("memcached")?, passed, failed_alike: Vec::new() })
}

/// Checks the table that `damemtop` shows on a terminal, which `script` provides.
pub(crate) fn damemtop(site: &Site) -> Result<Report, String> {
    const COLUMNS: [&str; 7] =
        ["hostname", "all_version", "all_fill_rate", "all_cmd_set", "all_curr_items", "all_active_slabs", "hit_rate"];
    let servers = Servers::start(site, 3)?;
    let addresses = servers.addresses();
    let home = servers.folder();
    let list =
        |items: &[&str], indent: &str| items.iter().map(|item| format!("{indent}- {item}\n")).collect::<String>();
    let names: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let settings = format!(
        "delay: 1\nmode: t\nno_clear: 1\ntop_mode:\n  sort_column: hostname\n  sort_order: asc\n  columns:\n{}servers:\n{}",
        list(&COLUMNS, "    "),
        list(&names, "  ")
    );
    std::fs::create_dir_all(home.join(".damemtop")).map_err(|error| error.to_string())?;
    std::fs::write(home.join(".damemtop/damemtop.yaml"), settings).map_err(|error| error.to_string())?;
    for address in &addresses {
        store(address)?;
    }
    // In its own process group damemtop would be stopped when it reads from the terminal.
    let timeout = format!("timeout --foreground --signal INT {DAMEMTOP_SECONDS}");
    let shown = format!("stty rows 40 cols 200; {timeout} {}", script("damemtop")?);
    let mut command = Command::new("script");
    command.args(["--quiet", "--command", &shown, "/dev/null"]);
    command.env("HOME", home).env("TERM", "xterm").env("SHELL", "/bin/sh");
    let text = process::run(&mut command)?.text();
    for address in &addresses {
        let rows = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        // Version, share of memory, sets, items, and a number of slab classes that depends on the server.
        let is_row = |row: &Vec<&str>| {
            row.len() == COLUMNS.len()
                && row[0] == address
                && row[1].starts_with("1.6.")
                && row[2] != "NA"
                && row[3..5] == ["2", "2"]
                && row[5].parse::<u32>().is_ok()
        };
        if !rows.into_iter().any(|row| is_row(&row)) {
            return Err(format!("no row for {address}:\n{text}"));
        }
    }
    let passed = COLUMNS.map(str::to_owned).to_vec();
    Ok(Report { version: package_version("memcached")?, passed, failed_alike: Vec::new() })
}

/// Version of a Debian package without its revision.
pub(crate) fn package_version(package: &str) -> Result<String, String> {
    let mut command = Command::new("dpkg-query");
    let text = process::succeed(command.args(["-W", "-f=${Version}", package]))?;
    let version = text.trim().split_once(':').map_or(text.trim(), |(_, version)| version);
    Ok(version.split(['-', '+']).next().unwrap_or_default().to_owned())
}

/// Stores two items, one of them with flags and a time to live.
pub(crate) fn store(address: &str) -> Result<(), String> {
    let mut client = TcpStream::connect(address).map_err(|error| error.to_string())?;
    let request = [b"set tool-a 0 0 1\r\n1\r\nset tool-b 5 1000 100\r\n".as_slice(), &[b'x'; 100], b"\r\n"].concat();
    let wanted = b"STORED\r\nSTORED\r\n";
    let mut answer = [0; 16];
    client.write_all(&request).and_then(|()| client.read_exact(&mut answer)).map_err(|error| error.to_string())?;
    if &answer == wanted { Ok(()) } else { Err(format!("answer {:?}", String::from_utf8_lossy(&answer))) }
}

fn script(name: &str) -> Result<String, String> {
    let mut places = SCRIPT_FOLDERS.iter().map(|folder| format!("{folder}/{name}"));
    places.find(|place| Path::new(place).is_file()).ok_or_else(|| format!("{name} is not installed"))
}

/// Checks a line `name value` of the tool's tables.
fn expect_row(text: &str, name: &str, value: &str) -> Result<(), String> {
    let row =
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).find(|row| row.first() == Some(&name));
    match row {
        Some(row) if row[1..] == [value] => Ok(()),
        row => Err(format!("{name} is {row:?}, expected {value}")),
    }
}
