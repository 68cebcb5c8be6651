//! Holds the tables of `docs/internals/boundary.md` to the records. `BOUNDARY_TABLES=write` writes the generated ones.

use std::{collections::BTreeMap, path::Path};
use wasmcached_core::{
    boundary::{
        ABI_VERSION,
        config::Config,
        event::{Event, Kinds, Reason, Transport},
        host::{ClockOrder, ConnectionRecord, ConnectionState, HostRequest, Refreshed, Target},
    },
    front::ConnectionStatus,
    settings::Setting,
    statistics::{HostStatistics, Unit},
    wire::Writer,
};

const PAGE: &str = "docs/internals/boundary.md";

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(PAGE);
    std::fs::read_to_string(path).unwrap().replace("\r\n", "\n")
}

/// The cells of the table whose first line begins with `head`, without that line and the one below it.
fn table(head: &str) -> Vec<Vec<String>> {
    let page = page();
    let lines = page.lines().skip_while(|line| !line.starts_with(head)).take_while(|line| line.starts_with('|'));
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    let rows: Vec<Vec<String>> = lines.skip(2).map(cells).collect();
    assert!(!rows.is_empty(), "{PAGE} has no table that begins with `{head}`");
    rows
}

/// The text between the marks of a generated table, replaced if the environment says so.
fn check_generated(name: &str, head: &str, rows: &[String]) {
    let (begin, end) = (format!("<!-- generated: {name} -->\n"), "<!-- end -->");
    let columns = head.matches('|').count() - 1;
    let wanted = format!("{head}\n|{}\n{}\n", "---|".repeat(columns), rows.join("\n"));
    let page = page();
    let (before, rest) = page.split_once(&begin).unwrap_or_else(|| panic!("{PAGE} has no mark `{begin}`"));
    let (found, after) = rest.split_once(end).unwrap_or_else(|| panic!("{PAGE} has no `{end}` after `{begin}`"));
    if found != wanted && std::env::var("BOUNDARY_TABLES").is_ok_and(|value| value == "write") {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(PAGE);
        // The other tests read the page at the same time.
        let temporary = path.with_extension("new");
        std::fs::write(&temporary, format!("{before}{begin}{wanted}{end}{after}")).unwrap();
        std::fs::rename(temporary, path).unwrap();
        return;
    }
    assert!(found == wanted, "{PAGE}: `BOUNDARY_TABLES=write` writes the table `{name}`, which should be:\n{wanted}");
}

/// A doc comment without the links of rustdoc.
fn plain(doc: &str) -> String {
    doc.trim().replace("[`", "`").replace("`]", "`")
}

/// One test, because each table is written into the same page.
#[test]
fn generated_tables_are_those_of_the_records() {
    let rows = Config::rows().into_iter().map(|row| {
        let bytes = row.bytes.map_or("varies".to_owned(), |bytes| bytes.to_string());
        let (number, name, type_name, default) = (row.number, row.name, row.type_name, row.default);
        format!("| {number} | `{name}` | {type_name} | {bytes} | {default} | {} |", plain(row.meaning))
    });
    let rows: Vec<_> = rows.collect();
    check_generated("configuration", "| number | name | type | bytes | default | meaning |", &rows);
    let settings = Setting::ALL.iter().map(|&setting| {
        let default = setting.default_value();
        let default = if default.is_empty() { "no line".to_owned() } else { format!("`{default}`") };
        format!("| {} | `{}` | {default} |", setting as u8, setting.name())
    });
    check_generated("settings", "| number | setting | default |", &settings.collect::<Vec<_>>());
    let fields = HostStatistics::FIELDS.iter().enumerate();
    let fields = fields.map(|(position, field)| {
        let unit = match field.unit {
            Unit::None => String::new(),
            // Seconds where they are shown, microseconds in the record.
            Unit::CpuSeconds => "microseconds".to_owned(),
            unit => format!("{unit:?}").to_lowercase(),
        };
        format!("| {position} | `{}` | {unit} | {} |", field.name, field.help)
    });
    check_generated("statistics", "| position | field | unit | meaning |", &fields.collect::<Vec<_>>());
}

#[test]
fn the_page_names_the_version() {
    assert!(page().contains(&format!("`abi_version()` returns {ABI_VERSION}.")));
}

#[test]
fn statuses_and_targets_have_the_numbers_of_the_page() {
    let statuses = [
        ("`OUTPUT`", ConnectionStatus::OUTPUT),
        ("`MORE`", ConnectionStatus::MORE),
        ("`CLOSE`", ConnectionStatus::CLOSE),
        ("`RUNS`", ConnectionStatus::RUNS),
        ("`PARTIAL`", ConnectionStatus::PARTIAL),
        ("`LATER`", ConnectionStatus::LATER),
        ("`WAITING`", ConnectionStatus::WAITING),
    ];
    let rows = table("| bit | name |");
    assert_eq!(rows.len(), statuses.len());
    for (row, (name, status)) in rows.iter().zip(statuses) {
        assert_eq!((row[0].parse(), row[1].as_str()), (Ok(status.0), name));
    }
    let targets = table("| target | meaning |");
    assert_eq!(targets.len(), 3);
    for (row, target) in targets[1..].iter().zip([Target::EVERY_SHARD, Target::HOST]) {
        assert_eq!(row[0], format!("`0x{:04X}_{:04X}`", target.0 >> 16, target.0 & 0xFFFF));
    }
}

#[test]
fn requests_have_the_numbers_of_the_page() {
    let requests = [
        HostRequest::Statistics,
        HostRequest::Connections { from: u64::MAX },
        HostRequest::ResetStatistics,
        HostRequest::Verbosity(2),
        HostRequest::MemoryLimit(u64::MAX),
        HostRequest::Shutdown { graceful: true },
        HostRequest::Watch(Kinds::STORES.0),
        HostRequest::Losses,
        HostRequest::RefreshCertificates,
        HostRequest::Clock(ClockOrder::Pause),
        HostRequest::Clock(ClockOrder::Resume),
        HostRequest::Clock(ClockOrder::Move(-2)),
    ];
    let rows = table("| number | request |");
    assert_eq!(rows.len(), requests.len());
    for (request, row) in requests.into_iter().zip(rows) {
        // A new request has no arm, so this test does not compile until the list above has it.
        let (name, argument) = match request {
            HostRequest::Statistics => ("Statistics", 0),
            HostRequest::Connections { from } => ("Connections", from),
            HostRequest::Losses => ("Losses", 0),
            HostRequest::ResetStatistics => ("ResetStatistics", 0),
            HostRequest::Verbosity(level) => ("Verbosity", u64::from(level)),
            HostRequest::MemoryLimit(bytes) => ("MemoryLimit", bytes),
            HostRequest::Shutdown { graceful } => ("Shutdown", u64::from(graceful)),
            HostRequest::Watch(kinds) => ("Watch", u64::from(kinds)),
            HostRequest::RefreshCertificates => ("RefreshCertificates", 0),
            HostRequest::Clock(ClockOrder::Pause) => ("Clock: pause", 0),
            HostRequest::Clock(ClockOrder::Resume) => ("Clock: resume", 0),
            HostRequest::Clock(ClockOrder::Move(seconds)) => ("Clock: move", seconds as u64),
        };
        assert_eq!(row[1], name);
        let mut bytes = Vec::new();
        request.encode(&mut bytes);
        let number: u32 = row[0].parse().unwrap();
        assert_eq!(bytes, [&number.to_le_bytes()[..], &argument.to_le_bytes()].concat(), "{name}");
        assert_eq!(HostRequest::decode(&bytes), Some(request));
    }
}

#[test]
fn answers_have_the_bytes_of_the_page() {
    assert_eq!(Refreshed::decode(&[]), Refreshed::Off);
    assert_eq!(Refreshed::decode(&[1]), Refreshed::Done);
    assert_eq!(Refreshed::decode(b"\0why"), Refreshed::Refused("why".to_owned()));
    let record = ConnectionRecord {
        descriptor: 7,
        state: ConnectionState::Parsing,
        idle_s: 3,
        address: "unix:/a".to_owned(),
        listen_address: "unix:/b".to_owned(),
    };
    let mut encoded = Vec::new();
    record.encode(&mut encoded);
    let types: Vec<String> = table("| type | field |").into_iter().map(|row| row[0].clone()).collect();
    let numbers = BTreeMap::from([(0, 7), (1, 4), (2, 3)]);
    let texts = BTreeMap::from([(3, "unix:/a"), (4, "unix:/b")]);
    let mut bytes = Vec::new();
    let mut w = Writer(&mut bytes);
    for (place, type_name) in types.iter().enumerate() {
        match type_name.as_str() {
            "u8" => w.u8(numbers[&place] as u8),
            "u32" => w.u32(numbers[&place]),
            "bytes" => w.bytes(texts[&place].as_bytes()),
            other => panic!("no such type: {other}"),
        }
    }
    assert_eq!(bytes, encoded);
    assert_eq!(HostStatistics::decode(&[]), HostStatistics::default(), "an empty answer is valid");
    let pid = [&1u32.to_le_bytes()[..], &9u64.to_le_bytes()].concat();
    assert_eq!(HostStatistics::decode(&pid), HostStatistics { pid: 9, ..HostStatistics::default() });
}

#[test]
fn events_of_the_host_have_the_bytes_of_the_page() {
    let (address, port, transport, descriptor) = (&b"::1"[..], 0x1234, Transport::Udp, 9);
    let events = [
        Event::Opened { address, port, transport, descriptor },
        Event::Closed { address, port, transport, descriptor, reason: Reason::Shutdown },
    ];
    let values = BTreeMap::from([
        ("transport", Transport::Udp as u32),
        ("reason", Reason::Shutdown as u32),
        ("port of the peer", port.into()),
        ("descriptor", descriptor),
    ]);
    for (column, event) in events.iter().enumerate() {
        let mut bytes = Vec::new();
        for row in table("| offset | type | Opened | Closed |") {
            let problem = format!("{row:?}");
            assert_eq!(row[0].parse(), Ok(bytes.len()), "{problem}");
            let cell = row[2 + column].as_str();
            let value = || cell.parse().ok().or_else(|| values.get(cell).copied()).expect(&problem);
            let mut w = Writer(&mut bytes);
            match row[1].as_str() {
                "u8" => w.u8(value() as u8),
                "u32" => w.u32(value()),
                "bytes" => w.bytes(address),
                _ => panic!("{problem}"),
            }
        }
        let mut encoded = Vec::new();
        event.encode(&mut encoded);
        assert_eq!(bytes, encoded);
    }
    for (row, kinds) in table("| bit | kind |").iter().zip([
        Kinds::FETCHES,
        Kinds::STORES,
        Kinds::EVICTIONS,
        Kinds::CONNECTIONS,
        Kinds::DELETIONS,
        Kinds::OTHER,
    ]) {
        assert_eq!(row[0].parse(), Ok(kinds.0));
    }
}
