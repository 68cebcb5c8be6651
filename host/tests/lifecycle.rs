//! Start, stop, and failures to start.

mod common;

use common::{Server, run};
use std::{net::TcpListener, time::Instant};

#[test]
fn it_serves_at_once_and_prints_its_address() {
    let started = Instant::now();
    let server = Server::start("at-once", "");
    assert_eq!(server.client().set("a", "1"), "STORED");
    println!("from the start of the process to the first answer: {:?}", started.elapsed());
    server.wait_for_log("only this machine is served; -l 0.0.0.0 opens it");
    assert!(server.log().contains(&format!("listening on tcp:{}", server.address)), "{}", server.log());
}

#[test]
fn every_number_of_threads_and_shards_serves() {
    for flags in ["-t 1", "-t 1 -o no_solo", "-t 2 -o shards=1", "-t 3 -o shards=5", "-m 6144 -t 2"] {
        let server = Server::start("division", flags);
        let mut clients: Vec<_> = (0..4).map(|_| server.client()).collect();
        for index in 0..200 {
            let key = format!("key{index}");
            assert_eq!(clients[index % 4].set(&key, &key), "STORED", "{flags}");
            assert_eq!(clients[(index + 1) % 4].get(&key), Some(key), "{flags}");
        }
        let keys: Vec<_> = (0..200).map(|index| format!("key{index}")).collect();
        clients[0].send(format!("get {}\r\n", keys.join(" ")));
        for key in &keys {
            assert_eq!(clients[0].line(), format!("VALUE {key} 0 {}", key.len()), "{flags}");
            assert_eq!(clients[0].line(), *key, "{flags}");
        }
        assert_eq!(clients[0].line(), "END", "{flags}");
        assert_eq!(clients[1].statistic("curr_items"), "200", "{flags}");
        assert_eq!(clients[1].statistic("curr_connections"), "4", "{flags}");
    }
}

#[test]
fn a_port_in_use_is_explained_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let output = run(&format!("-p {port}"));
    assert_eq!(output.status.code(), Some(71));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains(&format!("failed to listen on TCP port {port}: ")), "{text}");
    let output = run(&format!("-l 127.0.0.1:{port}"));
    assert_eq!(output.status.code(), Some(71));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains(&format!("failed to listen on TCP address 127.0.0.1:{port}: ")), "{text}");
}

#[test]
fn addresses_of_other_machines_are_explained() {
    for address in ["192.0.2.1:0x", "192.0.2.1:1", "no.such.host.invalid"] {
        let output = run(&format!("-l {address}"));
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(64 | 71)), "{address}: {text}");
        assert!(text.lines().count() <= 2 && !text.contains("os error"), "{address}: {text}");
    }
}

#[test]
fn several_addresses_are_served() {
    let server = Server::start("several", "-l 127.0.0.1,127.0.0.1 -l localhost");
    assert_eq!(server.client().ask("version"), "VERSION 1.6.45");
    let listeners = server.client().table("stats conns").into_iter().filter(|(_, v)| v == "conn_listening").count();
    assert!(listeners >= 3, "{listeners}");
}

#[test]
fn version_and_help_need_no_engine() {
    for flags in ["-V", "--version", "-h", "-i", "--generate man", "--generate bash"] {
        let output = run(flags);
        assert!(output.status.success() && !output.stdout.is_empty() && output.stderr.is_empty(), "{flags}");
    }
    assert_eq!(run("--no-such-flag").status.code(), Some(1));
}

#[test]
fn clients_may_stop_it_only_if_allowed() {
    let server = Server::start("not-allowed", "");
    assert_eq!(server.client().ask("shutdown"), "SERVER_ERROR: shutdown not enabled");
    assert_eq!(server.client().ask("version"), "VERSION 1.6.45");
    for command in ["shutdown", "shutdown graceful"] {
        let server = Server::start("allowed", "-A");
        let mut client = server.client();
        client.send(format!("{command}\r\n"));
        assert!(client.is_closed());
        assert!(server.wait().success(), "{command}");
    }
}

#[cfg(unix)]
mod unix {
    use super::{
        common::{Client, Folder, port_in, program, wait_for},
        *,
    };
    use nix::sys::signal::Signal;
    use std::{
        io::{Read, Write},
        os::unix::{fs::PermissionsExt, net::UnixStream},
        process::{Command, Stdio},
    };

    #[test]
    fn signals_stop_it_with_success() {
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGUSR1] {
            for flags in ["-t 1", "-t 4"] {
                let server = Server::start("signals", flags);
                let mut idle = server.client();
                assert_eq!(idle.ask("version"), "VERSION 1.6.45");
                server.signal(signal);
                assert!(idle.is_closed());
                assert!(server.wait().success(), "{signal} {flags}");
            }
        }
    }

    #[test]
    fn a_hangup_changes_nothing() {
        let server = Server::start("hangup", "-v");
        assert_eq!(server.client().ask("version"), "VERSION 1.6.45");
        server.signal(Signal::SIGHUP);
        server.wait_for_log("SIGHUP: there is nothing to read again");
        assert_eq!(server.client().ask("version"), "VERSION 1.6.45");
    }

    #[test]
    fn replies_in_flight_are_finished() {
        let server = Server::start("in-flight", "-t 2");
        let mut client = server.client();
        let value = "x".repeat(1_000_000);
        assert_eq!(client.set("big", &value), "STORED");
        // More than the sockets take: the server is still sending when the stop arrives.
        client.send("get big big big big big big big big\r\n".repeat(4));
        assert!(client.line().starts_with("VALUE big"));
        server.signal(Signal::SIGTERM);
        let received = client.rest().len();
        assert!(received > 32 * value.len(), "{received}");
        assert!(server.wait().success());
    }

    #[test]
    fn a_unix_socket_replaces_tcp() {
        let folder = Folder::new("socket");
        let path = folder.0.join("socket");
        // A socket that a crashed server left.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let start = || {
            let mut command = Command::new(program());
            command.arg("-s").arg(&path).args(["-a", "750", "-p", "1"]).stderr(Stdio::null()).spawn().unwrap()
        };
        let mut child = start();
        let mut stream = wait_for("the socket", || UnixStream::connect(&path).ok());
        stream.write_all(b"set a 0 0 1\r\n1\r\nstats conns\r\nquit\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("STORED\r\n") && text.contains(&format!("unix:{}", path.display())), "{text}");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o750);
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
        assert!(child.wait().unwrap().success());
        assert!(!path.exists());
        let output = run("-s /no/such/folder/socket");
        assert_eq!(output.status.code(), Some(71));
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains("failed to listen on UNIX socket /no/such/folder/socket: "), "{text}");
    }

    #[test]
    fn a_daemon_writes_its_process_id() {
        let folder = Folder::new("daemon");
        let (ports, pids) = (folder.0.join("ports"), folder.0.join("pid"));
        let status = Command::new(program())
            .args(["-d", "-p", "-1", "-P"])
            .arg(&pids)
            .env("MEMCACHED_PORT_FILENAME", &ports)
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
        let port = port_in(&std::fs::read_to_string(&ports).unwrap());
        let mut client = Client::connect(([127, 0, 0, 1], port).into());
        let pid: i32 = client.statistic("pid").parse().unwrap();
        assert_eq!(std::fs::read_to_string(&pids).unwrap(), format!("{pid}\n"));
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGTERM).unwrap();
        assert!(client.is_closed());
        wait_for("the id's removal", || (!pids.exists()).then_some(()));
    }

    #[test]
    fn the_id_of_a_running_process_is_reported_and_replaced() {
        let folder = Folder::new("stale");
        let pids = folder.0.join("pid");
        let flag = format!("-P {}", pids.display());
        for (left_behind, warned) in [(std::process::id().to_string(), true), (String::from("x"), false)] {
            std::fs::write(&pids, &left_behind).unwrap();
            let server = Server::start("stale-server", &flag);
            assert_eq!(server.client().ask("version"), "VERSION 1.6.45");
            assert_eq!(std::fs::read_to_string(&pids).unwrap(), format!("{}\n", server.pid()));
            let warning =
                format!("WARNING: The pid file contained the following (running) pid: {}", std::process::id());
            assert_eq!(server.log().contains(&warning), warned, "{}", server.log());
            server.signal(Signal::SIGTERM);
            assert!(server.wait().success());
            assert!(!pids.exists());
        }
        // The file of another server stays.
        let server = Server::start("replaced", &flag);
        assert_eq!(server.client().ask("version"), "VERSION 1.6.45");
        std::fs::write(&pids, "1\n").unwrap();
        server.signal(Signal::SIGTERM);
        assert!(server.wait().success());
        assert_eq!(std::fs::read_to_string(&pids).unwrap(), "1\n");
    }

    /// Neither a FIFO without a writer nor a huge file delays the start, and what is no file stays where it is.
    #[cfg(target_os = "linux")]
    #[test]
    fn an_old_pid_file_of_any_kind_is_read_in_bounded_time_and_memory() {
        let folder = Folder::new("strange-pids");
        let (fifo, huge) = (folder.0.join("fifo"), folder.0.join("huge"));
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let server = Server::start("fifo-pid", &format!("-P {}", fifo.display()));
        assert_eq!(server.client().ask("version"), "VERSION 1.6.45");
        server.wait_for_log(&format!(
            "Could not open the pid file {} for writing: it is no regular file",
            fifo.display()
        ));
        assert!(std::os::unix::fs::FileTypeExt::is_fifo(&std::fs::symlink_metadata(&fifo).unwrap().file_type()));
        server.signal(Signal::SIGTERM);
        assert!(server.wait().success());
        // A gigabyte, most of it a hole, after the id of this process.
        std::fs::write(&huge, format!("{}\n", std::process::id())).unwrap();
        std::fs::File::options().write(true).open(&huge).unwrap().set_len(1 << 30).unwrap();
        let server = Server::start("huge-pid", &format!("-P {}", huge.display()));
        assert_eq!(server.client().ask("version"), "VERSION 1.6.45");
        let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap().trim().trim_end_matches(" kB");
        assert!(peak.parse::<u64>().unwrap() < 512 * 1024, "{peak} KiB");
        let running = format!("WARNING: The pid file contained the following (running) pid: {}", std::process::id());
        server.wait_for_log(&running);
        assert_eq!(std::fs::read_to_string(&huge).unwrap(), format!("{}\n", server.pid()));
    }

    #[test]
    fn it_serves_without_a_file_for_its_id() {
        let server = Server::start("no-pid", "-P /no/such/folder/pid");
        assert_eq!(server.client().ask("version"), "VERSION 1.6.45");
        server.wait_for_log("Could not open the pid file /no/such/folder/pid.tmp for writing: ");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_limit_of_core_files_is_lifted() {
        use nix::sys::resource::{Resource, getrlimit};
        let (_, hard) = getrlimit(Resource::RLIMIT_CORE).unwrap();
        let limit = |server: &Server| {
            let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.pid())).unwrap();
            limits.lines().find(|line| line.starts_with("Max core file size")).unwrap().to_owned()
        };
        if hard == 0 && !nix::unistd::Uid::effective().is_root() {
            let output = run("-p -1 -r");
            assert_eq!(output.status.code(), Some(71));
            assert!(String::from_utf8_lossy(&output.stderr).contains("failed to ensure corefile creation"));
            return;
        }
        let server = Server::start("cores", "-r");
        let words: Vec<_> = limit(&server).split_whitespace().map(str::to_owned).collect();
        assert!(words[4] == words[5] && words[4] != "0", "{words:?}");
    }

    /// The server locks the memory that it uses, of all that it reserves, or warns that it cannot; it serves either way.
    #[cfg(target_os = "linux")]
    #[test]
    fn memory_is_locked_or_the_reason_reported() {
        let server = Server::start("locked", "-k -t 2 -m 1024");
        let value = "x".repeat(100_000);
        for index in 0..200 {
            assert_eq!(server.client().set(&format!("key{index}"), &value), "STORED");
        }
        let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
        let locked = status.lines().find_map(|line| line.strip_prefix("VmLck:")).unwrap().trim().to_owned();
        let refused = server.log().contains("warning: -k invalid, mlockall() failed: ");
        assert_eq!(locked == "0 kB", refused, "{locked}: {}", server.log());
        // Locked or not, only used memory is resident.
        assert!(server.resident_kib() < 400 * 1024, "{} KiB", server.resident_kib());
    }

    #[test]
    fn root_becomes_another_user() {
        if !nix::unistd::Uid::effective().is_root() {
            // For other users -u has no effect.
            let server = Server::start("unknown-user", "-u no-such-user-at-all");
            assert_eq!(server.client().ask("version"), "VERSION 1.6.45");
            return;
        }
        let output = run("-p -1 -u no-such-user-at-all");
        assert_eq!(output.status.code(), Some(67));
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains("can't find the user no-such-user-at-all to switch to"), "{text}");
        let server = Server::start("other-user", "-u nobody");
        assert_eq!(server.client().ask("version"), "VERSION 1.6.45");
        let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
        let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
        let ids: Vec<_> = status.lines().find(|line| line.starts_with("Uid:")).unwrap().split_whitespace().collect();
        assert!(ids[1..].iter().all(|id| *id == nobody.uid.to_string()), "{ids:?}");
        let groups = status.lines().find_map(|line| line.strip_prefix("Groups:")).unwrap().trim();
        assert_eq!(groups, nobody.gid.to_string());
    }
}
