//! collectd, Debian's exporter, and the metrics of a server on its page for Prometheus.

use crate::{
    process::Running,
    servers::Servers,
    site::{Report, Site},
    statistics::{package_version, store},
};
use std::{
    io::{Read, Write},
    net::TcpStream,
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use wasmcached_tests::server::free_port;

/// Longest wait for the first metrics on the page.
const WAIT: Duration = Duration::from_secs(30);

/// Metrics of a server with two items: name, type, and the value if it is known.
const METRICS: [(&str, &str, Option<&str>); 12] = [
    ("memcached_items", "current", Some("2")),
    ("memcached_command_total", "set", Some("2")),
    ("memcached_command_total", "get", Some("0")),
    ("memcached_ops_total", "hits", Some("0")),
    ("memcached_ops_total", "misses", Some("0")),
    ("memcached_ops_total", "evictions", Some("0")),
    ("memcached_connections", "current", None),
    ("df_used", "cache", None),
    ("df_free", "cache", None),
    ("memcached_octets_rx_total", "", None),
    ("ps_cputime_user_total", "", None),
    ("uptime", "", None),
];

/// Runs collectd against a server and checks its page.
pub(crate) fn exporter(site: &Site) -> Result<Report, String> {
    let servers = Servers::start(site, 1)?;
    let address = servers.addresses().concat();
    store(&address)?;
    let page = free_port()?;
    let file = servers.folder().join("collectd.conf");
    let settings = settings(&servers.folder().to_string_lossy(), &address, page);
    std::fs::write(&file, settings).map_err(|error| error.to_string())?;
    let mut command = Command::new("/usr/sbin/collectd");
    command.arg("-f").arg("-C").arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let _collectd = Running(command.spawn().map_err(|error| format!("collectd: {error}"))?);

    let deadline = Instant::now() + WAIT;
    loop {
        let text = read(page).unwrap_or_default();
        let missing: Vec<_> = METRICS.iter().filter(|metric| !shows(&text, metric)).collect();
        if missing.is_empty() {
            let passed = METRICS.iter().map(|(name, kind, _)| format!("{name} {kind}").trim_end().to_owned()).collect();
            return Ok(Report { version: package_version("collectd-core")?, passed, failed_alike: Vec::new() });
        }
        if Instant::now() > deadline {
            return Err(format!("{missing:?} not in:\n{text}"));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn settings(folder: &str, address: &str, page: u16) -> String {
    let (host, port) = address.split_once(':').unwrap_or_default();
    format!(
        "Interval 1\nBaseDir \"{folder}\"\nPIDFile \"{folder}/collectd.pid\"\nTypesDB \"/usr/share/collectd/types.db\"\n\
         LoadPlugin memcached\nLoadPlugin write_prometheus\n\
         <Plugin memcached>\n<Instance \"one\">\nAddress \"{host}\"\nPort \"{port}\"\n</Instance>\n</Plugin>\n\
         <Plugin write_prometheus>\nHost \"127.0.0.1\"\nPort \"{page}\"\n</Plugin>\n"
    )
}

/// Whether a line `collectd_memcached_NAME{memcached="one",type="KIND",…} VALUE TIME` has the value, or any number.
fn shows(text: &str, (name, kind, value): &(&str, &str, Option<&str>)) -> bool {
    let start = format!("collectd_memcached_{name}{{memcached=\"one\"");
    let kind = if kind.is_empty() { String::new() } else { format!(",type=\"{kind}\"") };
    let found = text.lines().find_map(|line| {
        let (labels, values) = line.strip_prefix(&start)?.split_once("} ")?;
        labels.contains(&kind).then(|| values.split(' ').next().unwrap_or_default())
    });
    found.is_some_and(|found| value.map_or(found.parse::<f64>().is_ok_and(f64::is_finite), |value| found == value))
}

fn read(port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text).map(|_| text)
}
