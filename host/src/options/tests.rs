//! Command lines, and what becomes of them.

use super::*;

fn parse(line: &str) -> Result<Request, Refusal> {
    Options::parse(std::iter::once("wasmcached").chain(line.split_whitespace()).map(OsString::from))
}

fn options(line: &str) -> Options {
    match parse(line) {
        Ok(Request::Serve(options)) => *options,
        other => panic!("{line}: {other:?}"),
    }
}

fn printed(line: &str) -> String {
    match parse(line) {
        Ok(Request::Print(text)) => String::from_utf8(text).unwrap(),
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn defaults_are_those_of_memcached() {
    let options = options("");
    assert_eq!((options.tcp_port, options.connections_max, options.threads), (TcpPort::Number(11211), 1024, 4));
    assert_eq!((options.memory_bytes, options.item_bytes_max), (64 << 20, 1 << 20));
    assert_eq!((options.backlog, options.requests_per_event, options.unix_mask), (1024, 20, 0o700));
    assert!(options.evictions && options.cas && options.flush && !options.shutdown && options.refuse_fast);
    assert!(options.warnings.is_empty() && options.listen.is_empty());
}

#[test]
fn every_spelling_of_a_flag_is_understood() {
    for line in ["-m 100", "-m100", "--memory-limit=100", "--memory-limit 100", "--memory-l=100", "-m 5 -m 100"] {
        assert_eq!(options(line).memory_bytes, 100 << 20, "{line}");
    }
    for (line, verbosity) in [("-v", 1), ("-vv", 2), ("-v -vv", 3), ("--verbose", 1)] {
        assert_eq!(options(line).verbosity, verbosity, "{line}");
    }
    for (line, bytes) in [("-I 2048", 2048), ("-I 500k", 500 << 10), ("-I 5m", 5 << 20), ("-I 5M", 5 << 20)] {
        assert_eq!(options(line).item_bytes_max, bytes, "{line}");
    }
    let all = options("-AMCF -R 7 -b 9 -t 2 -c 33 -D / -u nobody -P /tmp/p -d -U 0 -o idle_timeout=5,no_maxconns_fast");
    assert!(all.shutdown && !all.evictions && !all.cas && !all.flush && all.daemon && !all.refuse_fast);
    assert_eq!((all.requests_per_event, all.backlog, all.threads, all.connections_max), (7, 9, 2, 33));
    assert_eq!((all.prefix_delimiter, all.idle_timeout_s, all.user.as_deref()), (Some(b'/'), 5, Some("nobody")));
    assert_eq!(options("-p -1").tcp_port, TcpPort::Ephemeral);
    assert_eq!(options("-l 1.2.3.4,h:5 -l [::1]:7").listen.len(), 3);
    assert_eq!(options("-o shards=3 -o no_solo").shards, Some(3));
    let pages = ["-m 64", "-L", "-o no_huge_pages"].map(|line| options(line).huge_pages);
    assert_eq!(pages, [HugePages::AsUsed, HugePages::Now, HugePages::Never]);
    let eviction = ["-m 64", "-o eviction=lru", "-o eviction=s3fifo"].map(|line| options(line).eviction);
    assert_eq!(eviction, [Eviction::S3Fifo, Eviction::Lru, Eviction::S3Fifo]);
}

#[test]
fn what_cannot_be_obeyed_is_refused_with_a_reason() {
    let cases = [
        ("-p 70000", exit::USAGE, "ERROR: Invalid port number 70000."),
        ("-p abc", exit::USAGE, "ERROR: Invalid port number abc."),
        ("-p 0", exit::USAGE, "nothing to listen on"),
        ("-o eviction=fifo", exit::FLAG, "eviction must be lru or s3fifo"),
        ("-o eviction", exit::FLAG, "eviction must be lru or s3fifo"),
        ("-U 11211", exit::USAGE, "UDP is not served yet"),
        ("-U x", exit::USAGE, "ERROR: Invalid UDP port number x."),
        ("-m abc", exit::FLAG, "\"abc\" is not a number"),
        ("-m -5", exit::FLAG, "\"-5\" is not a number"),
        ("-m 99999999", exit::FLAG, "is more than"),
        ("-m 1", exit::USAGE, "Cannot set item size limit higher than 1/2 of memory max."),
        ("-I 10", exit::USAGE, "Item max size cannot be less than 1024 bytes."),
        ("-I 2048m", exit::USAGE, "Cannot set item size limit higher than a gigabyte."),
        ("-I 5x", exit::FLAG, "is not a number"),
        ("-I k", exit::FLAG, "is not a number"),
        ("-I 40m", exit::USAGE, "Cannot set item size limit higher than 1/2 of memory max."),
        ("-I 10m -o shards=4", exit::USAGE, "use fewer shards"),
        ("-m 6144 -o shards=2", exit::USAGE, "too much for 2 shards"),
        ("-o shards=0", exit::FLAG, "shards must be from 1"),
        ("-o segment_size=5", exit::FLAG, "power of two"),
        ("-c 0", exit::FLAG, "Maximum connections must be greater than 0"),
        ("-t 0", exit::FLAG, "Number of threads must be greater than 0"),
        ("-R 0", exit::FLAG, "Number of requests per event must be greater than 0"),
        ("-f 1", exit::FLAG, "Factor must be greater than 1"),
        ("-n 0", exit::FLAG, "Chunk size must be greater than 0"),
        ("-a 999", exit::FLAG, "octal"),
        ("-D ab", exit::FLAG, "is not one character"),
        ("-B foo", exit::USAGE, "should be one of auto, binary, or ascii"),
        ("-S", exit::USAGE, "authentication is not there yet"),
        ("-Y file", exit::USAGE, "authentication is not there yet"),
        ("-Z", exit::USAGE, "TLS is not there yet"),
        ("-e file", exit::USAGE, "not there yet"),
        ("-o ssl_key=x", exit::USAGE, "TLS is not there yet"),
        ("-o foo", exit::FLAG, "Illegal suboption \"foo\""),
        ("-o idle_timout=3", exit::FLAG, "did you mean \"idle_timeout\"?"),
        ("-o idle_timeout", exit::FLAG, "Missing numeric argument for idle_timeout"),
        ("-o idle_timeout=x", exit::FLAG, "is not a number"),
        ("--thread-count=5", exit::FLAG, "'--threads'"),
        ("--prot 5x", exit::USAGE, "Invalid value for binding protocol"),
        ("-Q", exit::FLAG, "unexpected argument '-Q'"),
        ("surplus", exit::FLAG, "unexpected argument 'surplus'"),
        ("-l h:99999", exit::USAGE, "ERROR: Invalid port number 99999."),
        ("-p", exit::FLAG, "a value is required"),
    ];
    for (line, code, text) in cases {
        match parse(line) {
            Err(refusal) => {
                assert_eq!(refusal.code, code, "{line}: {}", refusal.message);
                assert!(refusal.message.contains(text), "{line}: {}", refusal.message);
            }
            Ok(request) => panic!("{line}: {request:?}"),
        }
    }
}

#[test]
fn what_means_nothing_is_accepted_with_one_line_each() {
    for line in ["-f 1.1", "-n 10", "-k", "-r", "-N 2", "-X", "-W", "-o modern", "-o hashpower=20", "-o ext_path=/x:1G"]
    {
        let warnings = options(line).warnings;
        assert!(warnings.len() == 1 && warnings[0].contains(" does nothing"), "{line}: {warnings:?}");
    }
    assert_eq!(options("-o slab_reassign,lru_crawler,,no_lru_maintainer -o maxconns_fast").warnings.len(), 3);
    assert_eq!(options("-B ascii -B auto -U 0").warnings.len(), 0);
    assert_eq!(options("-B binary").binding(), Binding::Binary);
    assert!(options("-t 100").warnings[0].starts_with("WARNING: Setting a high number"));
}

#[test]
fn shards_follow_memory_and_threads() {
    for (line, shards) in [
        ("", 1),
        ("-t 1 -m 1024", 1),
        ("-t 4 -m 1024", 4),
        ("-t 4 -m 128", 2),
        ("-t 1 -m 6144", 4),
        ("-t 4 -m 1024 -I 256m", 2),
        ("-t 4 -m 1024 -o shards=7", 7),
    ] {
        assert_eq!(options(line).shard_count(), shards, "{line}");
    }
}

#[test]
fn settings_show_what_was_chosen() {
    let settings = options("-m 100 -c 5 -l 1.2.3.4:9,localhost -D | -A -a 755 -o no_maxconns_fast").settings();
    let shown = |setting: Setting| {
        let found: Vec<_> = settings.iter().filter(|(candidate, _)| *candidate == setting).collect();
        assert_eq!(found.len(), 1, "{}", setting.name());
        found[0].1.as_str()
    };
    assert_eq!(shown(Setting::MaxBytes), "104857600");
    assert_eq!(shown(Setting::MaxConnections), "5");
    assert_eq!(shown(Setting::Inter), "1.2.3.4:9,localhost");
    assert_eq!(shown(Setting::StatKeyPrefix), "|");
    assert_eq!(shown(Setting::DetailEnabled), "yes");
    assert_eq!(shown(Setting::ShutdownCommand), "yes");
    assert_eq!(shown(Setting::Umask), "755");
    assert_eq!(shown(Setting::MaxConnectionsFast), "no");
    assert_eq!(shown(Setting::TcpPort), "11211");
}

#[test]
fn help_and_its_kin_derive_from_the_table() {
    let (help, man) = (printed("-h"), printed("--generate man"));
    for flag in table::FLAGS {
        assert!(help.contains(&format!("--{}", flag.long)), "{}", flag.long);
        assert!(man.contains(&flag.long.replace('-', "\\-")), "{}", flag.long);
    }
    assert!(help.contains("idle_timeout=SECONDS") && help.contains("Examples:"));
    assert!(printed("-V").starts_with("wasmcached ") && printed("-V").contains("memcached 1.6.45"));
    assert!(printed("-i").contains("Apache"));
    for shell in ["bash", "zsh", "fish", "powershell"] {
        assert!(printed(&format!("--generate {shell}")).contains("memory-limit"), "{shell}");
    }
}

#[test]
fn no_flag_is_listed_twice() {
    table::command().debug_assert();
    for (index, known) in extended::NAMES.iter().enumerate() {
        assert!(extended::NAMES[..index].iter().all(|other| other.name != known.name), "{}", known.name);
    }
}
