//! `bench scale` from its flags to its page, on a server that answers with constants: a tiny cell, in about a second.

#![cfg(target_os = "linux")]

use std::fs;
use std::process::Command;

const BENCH: &str = env!("CARGO_BIN_EXE_bench");

#[test]
fn a_tiny_cell_is_measured_and_its_page_written() {
    let folder = tempfile::tempdir().unwrap();
    let reference = folder.path().join("reference");
    fs::create_dir(&reference).unwrap();
    let output = Command::new(BENCH)
        .args(["scale", "--rival", BENCH, "--rival-arguments", "floor PORT 100 1", "--servers", "bench"])
        .args(["--threads", "1", "--operations", "get,set-x8", "--keys", "1", "--connections", "4"])
        .args(["--rounds", "2", "--seconds", "0.2", "--check-every", "0"])
        .arg(format!("--write-docs={}", reference.display()))
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for work in ["get", "set-x8"] {
        let is_row = |line: &&str| line.split_whitespace().next() == Some(work);
        let row: Vec<&str> = printed.lines().find(is_row).unwrap().split_whitespace().collect();
        assert_eq!(row[2], "bench");
        assert!(row[3].parse::<f64>().unwrap() > 0.0, "{printed}");
        assert_eq!(row[10..12].iter().filter(|latency| latency.parse::<f64>().unwrap() > 0.0).count(), 2, "{printed}");
    }
    let page = fs::read_to_string(reference.join("many-cores.md")).unwrap();
    assert!(page.starts_with("# Many cores\n") && page.contains("| bench |"), "{page}");
    assert!(page.contains("bench (floor)") && page.contains("--write-docs=PATH"), "{page}");
    for picture in ["rate", "cpu"] {
        let svg = fs::read_to_string(folder.path().join(format!("images/many-cores-{picture}.svg"))).unwrap();
        assert_eq!(svg.matches("<circle").count(), 2);
    }
}

#[test]
fn a_server_that_does_not_start_is_named() {
    let output = Command::new(BENCH)
        .args(["scale", "--rival", "/bin/false", "--servers", "false", "--threads", "1", "--operations", "get"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("bench: false (/bin/false): ended at once"), "{error}");
}
