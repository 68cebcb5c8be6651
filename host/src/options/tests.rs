//! Command lines and the options that they produce.

use super::*;
use wasmcached_core::boundary::config::Eviction;

fn parse(line: &str) -> Result<Invocation, ExitError> {
    Options::parse(std::iter::once("wasmcached").chain(line.split_whitespace()).map(OsString::from))
}

fn options(line: &str) -> Options {
    match parse(line) {
        Ok(Invocation::Serve(options)) => *options,
        other => panic!("{line}: {other:?}"),
    }
}

fn printed(line: &str) -> String {
    match parse(line) {
        Ok(Invocation::Print(text)) => String::from_utf8(text).unwrap(),
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn defaults_are_those_of_memcached() {
    let options = options("");
    assert_eq!((options.tcp_port, options.connections_max, options.threads), (TcpPort::Number(11211), 1024, 4));
    assert_eq!((options.guest.store.memory_bytes, options.guest.store.item_bytes_max), (64 << 20, 1 << 20));
    assert_eq!((options.backlog, options.guest.requests_per_event, options.unix_mask), (1024, 20, 0o700));
    assert!(
        options.guest.store.evictions
            && options.guest.store.cas
            && options.guest.permissions.flush
            && !options.guest.permissions.shutdown
            && options.reject_fast
    );
    assert!(options.warnings.is_empty() && options.listen.is_empty());
}

#[test]
fn every_spelling_of_a_flag_is_understood() {
    for line in ["-m 100", "-m100", "--memory-limit=100", "--memory-limit 100", "--memory-l=100", "-m 5 -m 100"] {
        assert_eq!(options(line).guest.store.memory_bytes, 100 << 20, "{line}");
    }
    for (line, verbosity) in [("-v", 1), ("-vv", 2), ("-v -vv", 3), ("--verbose", 1)] {
        assert_eq!(options(line).verbosity, verbosity, "{line}");
    }
    for (line, bytes) in [("-I 2048", 2048), ("-I 500k", 500 << 10), ("-I 5m", 5 << 20), ("-I 5M", 5 << 20)] {
        assert_eq!(options(line).guest.store.item_bytes_max, bytes, "{line}");
    }
    let all = options("-AMCF -R 7 -b 9 -t 2 -c 33 -D / -u nobody -P /tmp/p -d -U 0 -o idle_timeout=5,no_maxconns_fast");
    assert!(
        all.guest.permissions.shutdown
            && !all.guest.store.evictions
            && !all.guest.store.cas
            && !all.guest.permissions.flush
            && all.daemon
            && !all.reject_fast
    );
    assert_eq!((all.guest.requests_per_event, all.backlog, all.threads, all.connections_max), (7, 9, 2, 33));
    assert_eq!(
        ((all.guest.detail, all.guest.prefix_delimiter), all.idle_timeout_s, all.user.as_deref()),
        ((true, b'/'), 5, Some("nobody"))
    );
    assert_eq!(options("-p -1").tcp_port, TcpPort::Ephemeral);
    assert_eq!(options("-l 1.2.3.4,h:5 -l [::1]:7").listen.len(), 3);
    assert_eq!(options("-o shards=3 -o no_solo").shards, Some(3));
    let pages = ["-m 64", "-L", "-o no_huge_pages"].map(|line| options(line).huge_pages);
    assert_eq!(pages, [HugePages::AsUsed, HugePages::Now, HugePages::Never]);
    let eviction = ["-m 64", "-o eviction=lru", "-o eviction=s3fifo"].map(|line| options(line).guest.store.eviction);
    assert_eq!(eviction, [Eviction::S3Fifo, Eviction::Lru, Eviction::S3Fifo]);
}

#[test]
fn invalid_flags_are_rejected_with_a_reason() {
    let cases = [
        ("-p 70000", exit::USAGE, "ERROR: Invalid port number 70000."),
        ("-p abc", exit::USAGE, "ERROR: Invalid port number abc."),
        ("-o eviction=fifo", exit::FLAG, "eviction must be lru or s3fifo"),
        ("-o eviction", exit::FLAG, "eviction must be lru or s3fifo"),
        ("-U 70000", exit::USAGE, "ERROR: Invalid UDP port number 70000."),
        ("-U 5 -S", exit::USAGE, "ERROR: Cannot enable UDP while using binary SASL authentication."),
        ("-U -1 -Y file", exit::USAGE, "Cannot use UDP with ascii authentication enabled (-U 0 to disable)"),
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
        ("-I 10m -o shards=4", exit::USAGE, "half of what each of 4 shards has: use -o shards=3 or fewer"),
        ("-I 20m -o shards=4", exit::USAGE, "use -o shards=1"),
        ("-m 4000 -I 1024m", exit::USAGE, "-I is at most 682666k with this -m"),
        ("-m 2048 -I 1024m", exit::USAGE, "-I is at most 524288k with this -m"),
        ("-m 6144 -o shards=2", exit::USAGE, "too much for 2 shards"),
        ("-o shards=0", exit::FLAG, "shards must be from 1"),
        ("-o segment_size=5", exit::FLAG, "power of two"),
        ("-c 0", exit::FLAG, "Maximum connections must be greater than 0"),
        ("-t 0", exit::FLAG, "Number of threads must be greater than 0"),
        ("-R 0", exit::FLAG, "Number of requests per event must be greater than 0"),
        ("-f 1", exit::FLAG, "Factor must be greater than 1"),
        ("-n 0", exit::FLAG, "Chunk size must be greater than 0"),
        ("-a 999", exit::FLAG, "octal"),
        ("-N 0", exit::FLAG, "Maximum number of NAPI IDs must be greater than 0"),
        ("-B foo", exit::USAGE, "should be one of auto, binary, or ascii"),
        ("-S -B ascii", exit::USAGE, "ERROR: You cannot allow the ASCII protocol while using SASL."),
        ("-S -B auto", exit::USAGE, "ERROR: You cannot allow the ASCII protocol while using SASL."),
        ("-Y file -B binary", exit::USAGE, "ERROR: You cannot allow the BINARY protocol while using ascii"),
        ("-Y file -B auto", exit::USAGE, "ERROR: You cannot allow the BINARY protocol while using ascii"),
        ("-S -Y file -B ascii", exit::USAGE, "ERROR: You cannot allow the ASCII protocol while using SASL."),
        ("-S -Y file -B binary", exit::USAGE, "ERROR: You cannot allow the BINARY protocol while using ascii"),
        ("-S -Y file -U 5", exit::USAGE, "ERROR: Cannot enable UDP while using binary SASL authentication."),
        ("-e file", exit::USAGE, "not supported yet"),
        ("-o ssl_key=", exit::FLAG, "Missing argument for ssl_key"),
        ("-o foo", exit::FLAG, "Illegal suboption \"foo\""),
        ("-o idle_timout=3", exit::FLAG, "did you mean \"idle_timeout\"?"),
        ("-o idle_timeout", exit::FLAG, "Missing numeric argument for idle_timeout"),
        ("-o idle_timeout=x", exit::FLAG, "is not a number"),
        ("--thread-count=5", exit::FLAG, "'--threads'"),
        ("--prot 5x", exit::USAGE, "Invalid value for binding protocol"),
        ("-Q", exit::FLAG, "unexpected argument '-Q'"),
        ("-Q", exit::FLAG, "Illegal argument \"?\""),
        ("--disable", exit::FLAG, "Illegal argument \"?\""),
        ("-o foo=3", exit::FLAG, "Illegal suboption \"foo=3\""),
        ("-l h:99999", exit::USAGE, "ERROR: Invalid port number 99999."),
        ("-p", exit::FLAG, "a value is required"),
    ];
    check_errors(&cases);
    assert_eq!(parse_one("-D", "").unwrap_err().message, "No delimiter specified");
}

/// The texts and exit codes are those of 1.6.45.
#[test]
fn values_without_effect_are_checked() {
    let cases = [
        ("-o hashpower", exit::FLAG, "Missing numeric argument for hashpower"),
        ("-o hashpower=", exit::FLAG, "Missing numeric argument for hashpower"),
        ("-o hashpower=11", exit::FLAG, "Initial hashtable multiplier of 11 is too low"),
        ("-o hashpower=33", exit::FLAG, "Initial hashtable multiplier of 33 is too high"),
        ("-o hash_algorithm", exit::FLAG, "Missing hash_algorithm argument"),
        ("-o hash_algorithm=foo", exit::FLAG, "Unknown hash_algorithm option (jenkins, murmur3, xxh3)"),
        ("-o slab_automove=3", exit::FLAG, "slab_automove must be between 0 and 2"),
        ("-o slab_automove_ratio", exit::FLAG, "Missing slab_automove_ratio argument"),
        ("-o slab_automove_ratio=2", exit::FLAG, "slab_automove_ratio must be > 0 and < 1"),
        ("-o slab_automove_window=2", exit::FLAG, "slab_automove_window must be > 2 and < 1800"),
        ("-o slab_automove_freeratio=x", exit::FLAG, "could not parse argument to slab_automove_freeratio"),
        ("-o slab_sizes", exit::FLAG, "Missing slab_sizes argument"),
        ("-o slab_sizes=0", exit::USAGE, "slab size 0 is out of valid range"),
        ("-o slab_sizes=9-8", exit::USAGE, "slab size 8 cannot be lower than or equal to a previous class size"),
        ("-o slab_chunk_max", exit::FLAG, "Missing slab_chunk_max argument"),
        ("-o slab_chunk_max=0", exit::FLAG, "slab_chunk_max must be >= 0"),
        ("-o slab_chunk_max=2048", exit::FLAG, "slab_chunk_max must be specified in kilobytes."),
        ("-o tail_repair_time", exit::FLAG, "Missing numeric argument for tail_repair_time"),
        ("-o tail_repair_time=9", exit::FLAG, "Cannot set tail_repair_time to less than 10 seconds"),
        ("-o lru_crawler_sleep", exit::FLAG, "Missing lru_crawler_sleep value"),
        ("-o lru_crawler_sleep=1000001", exit::FLAG, "LRU crawler sleep must be between 0 and 1 second"),
        ("-o lru_crawler_tocrawl", exit::FLAG, "Missing lru_crawler_tocrawl value"),
        ("-o lru_crawler_tocrawl=-1", exit::FLAG, "lru_crawler_tocrawl takes a numeric 32bit value"),
        ("-o hot_lru_pct", exit::FLAG, "Missing hot_lru_pct argument"),
        ("-o hot_lru_pct=80", exit::FLAG, "hot_lru_pct must be > 1 and < 80"),
        ("-o warm_lru_pct=0", exit::FLAG, "warm_lru_pct must be > 1 and < 80"),
        ("-o hot_lru_pct=50", exit::USAGE, "hot_lru_pct + warm_lru_pct cannot be more than 80% combined"),
        ("-o hot_max_factor=0", exit::FLAG, "hot_max_factor must be > 0"),
        ("-o warm_max_factor", exit::FLAG, "Missing warm_max_factor argument"),
        ("-o temporary_ttl", exit::FLAG, "Missing temporary_ttl argument"),
        ("-o temporary_ttl=5,no_lru_maintainer", exit::USAGE, "temporary_ttl requires lru_maintainer to be enabled"),
        ("-o read_buf_mem_limit", exit::FLAG, "Missing read_buf_mem_limit argument"),
        ("-o sock_cookie_id", exit::FLAG, "Missing sock_cookie_id argument"),
        ("-o ext_path", exit::FLAG, "missing argument to ext_path, ie: ext_path=/d/file:5G"),
        ("-o ext_path=/x", exit::FLAG, "must supply size to ext_path, ie: ext_path=/f/e:64m (M|G|T|P supported)"),
        ("-o ext_threads", exit::FLAG, "Missing ext_threads argument"),
        ("-o ext_io_depth", exit::FLAG, "Missing ext_io_depth argument"),
        ("-o ext_io_depth=x", exit::FLAG, "could not parse argument to ext_io_depth"),
        ("-o no_modern,temporary_ttl=5", exit::USAGE, "temporary_ttl requires lru_maintainer to be enabled"),
        ("-o ext_item_age=x", exit::FLAG, "could not parse argument to ext_item_age"),
        ("-o ext_max_frag=x", exit::FLAG, "could not parse argument to ext_max_frag"),
    ];
    check_errors(&cases);
}

fn parse_one(flag: &str, value: &str) -> Result<Invocation, ExitError> {
    Options::parse(["wasmcached", flag, value].map(OsString::from))
}

fn check_errors(cases: &[(&str, u8, &str)]) {
    for (line, code, text) in cases {
        match parse(line) {
            Err(error) => {
                assert_eq!(error.code, *code, "{line}: {}", error.message);
                assert!(error.message.contains(text), "{line}: {}", error.message);
            }
            Ok(request) => panic!("{line}: {request:?}"),
        }
    }
}

#[test]
fn flags_without_effect_are_accepted_with_a_warning() {
    let lines = ["-f 1.1", "-n 10", "-N 2", "-o modern", "-o hashpower=20", "-o ext_path=/x:1G", "surplus"];
    for line in lines {
        let warnings = options(line).warnings;
        assert!(warnings.len() == 1 && warnings[0].contains(" does nothing"), "{line}: {warnings:?}");
    }
    for known in extended::NAMES {
        let values: &[&str] = match known.effect {
            extended::Effect::NoOp(_) => &[""],
            extended::Effect::CheckedNoOp(..) => &["", "=10", "=20", "=0.5", "=/x:1g", "=murmur3"],
            _ => continue,
        };
        let parsed = values.iter().find_map(|value| parse(&format!("-o {}{value}", known.name)).ok());
        let Some(Invocation::Serve(options)) = parsed else { panic!("{}", known.name) };
        let expected = format!("-o {} does nothing: ", known.name);
        assert!(options.warnings.len() == 1 && options.warnings[0].starts_with(&expected), "{:?}", options.warnings);
        assert!(!options.warnings[0].contains('\n'));
    }
    assert_eq!(options("-o slab_reassign,lru_crawler,,no_hashexpand -o maxconns_fast").warnings.len(), 2);
    assert_eq!(options("-D ab").warnings, ["-D: only the first character of \"ab\" counts"]);
    assert_eq!(options("-D ab").guest.prefix_delimiter, b'a');
    assert_eq!(options("-B ascii -B auto -U 0").warnings.len(), 0);
    assert_eq!(options("-B binary").binding(), Binding::Binary);
    assert_eq!(options("-S").binding(), Binding::Binary);
    assert_eq!(options("-Y file").binding(), Binding::Ascii);
    // As in memcached, whichever comes first.
    for both in ["-S -Y file", "-Y file -S"] {
        let both = options(both);
        assert_eq!((both.binding(), both.authentication()), (Binding::Ascii, Authentication::Text));
    }
    #[cfg(unix)]
    {
        let all = options("-s /x -p 5 -U 5 -l 127.0.0.1 -Z -o ssl_chain_cert=x").warnings;
        let letters: Vec<_> = all.iter().map(|warning| warning.split_once(" does nothing").unwrap().0).collect();
        assert_eq!(letters, ["-U", "-l", "-Z"]);
    }
    assert!(options("-t 100").warnings_of_memcached[0].starts_with("WARNING: Setting a high number"));
}

#[test]
fn shards_follow_memory() {
    for (line, shards) in [
        ("", 1),
        ("-t 8 -m 1984", 1),
        ("-t 8 -m 1985", 2),
        ("-t 1 -m 6144", 4),
        ("-t 4 -m 1024 -I 256m", 1),
        ("-t 4 -m 1024 -o shards=7", 7),
    ] {
        assert_eq!(options(line).shard_count(), shards, "{line}");
    }
}

#[test]
fn settings_show_the_options() {
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
    assert_eq!(shown(Setting::LruSegmented), "yes");
}

/// The values are those of 1.6.45.
#[test]
fn settings_show_values_without_effect() {
    let line = "-f 1.5 -n 8 -n 9 -N 2 -o hashpower=20,no_lru_crawler,slab_automove=0,slab_automove_ratio=.5,hot_lru_pct=30 \
        -o no_chunked_items,read_buf_mem_limit=4,temporary_ttl=5,no_slab_reassign,hot_max_factor=1,tail_repair_time=10";
    let expected = [
        (Setting::GrowthFactor, "1.50"),
        (Setting::ChunkSize, "9"),
        (Setting::NumNapiIds, "2"),
        (Setting::HashPowerInit, "20"),
        (Setting::LruCrawler, "no"),
        (Setting::SlabAutomove, "0"),
        (Setting::SlabAutomoveRatio, "0.50"),
        (Setting::HotLruPct, "30"),
        (Setting::SlabChunkMax, "1048576"),
        (Setting::ReadBufMemLimit, "4194304"),
        (Setting::TempLru, "yes"),
        (Setting::TemporaryTtl, "5"),
        (Setting::SlabReassign, "no"),
        (Setting::HotMaxFactor, "1.00"),
        (Setting::TailRepairTime, "10"),
    ];
    let settings = options(line).settings();
    for (setting, value) in expected {
        let found: Vec<_> = settings.iter().filter(|(candidate, _)| *candidate == setting).collect();
        assert!(found.len() == 1 && found[0].1 == value, "{}: {found:?}", setting.name());
    }
    let flat = options("-o no_lru_maintainer");
    assert_eq!((flat.guest.store.eviction, flat.warnings.len()), (Eviction::Lru, 0));
    let settings = flat.settings();
    assert!(settings.contains(&(Setting::LruMaintainerThread, "no".to_owned())));
    assert!(settings.contains(&(Setting::LruSegmented, "no".to_owned())));
}

#[test]
fn a_link_or_a_copy_may_have_the_name_of_memcached() {
    for (name, expected) in [
        ("memcached", true),
        ("/usr/bin/memcached", true),
        ("./memcached.exe", true),
        ("Memcached.EXE", true),
        ("wasmcached", false),
        ("memcached/wasmcached", false),
        ("memcached.real", false),
        ("memcached-debug", false),
        ("", false),
    ] {
        let printed = match Options::parse([name, "-V"].map(OsString::from)) {
            Ok(Invocation::Print(text)) => text,
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(printed == b"memcached 1.6.45\n", expected, "{name}");
    }
}

/// The effects and the values are those of 1.6.45, but for the hash.
#[test]
fn no_modern_brings_the_defaults_of_memcached_1_4() {
    const SETTINGS: [Setting; 7] = [
        Setting::MaxConnectionsFast,
        Setting::LruCrawler,
        Setting::LruMaintainerThread,
        Setting::LruSegmented,
        Setting::SlabReassign,
        Setting::SlabAutomove,
        Setting::SlabChunkMax,
    ];
    for (line, expected) in [
        ("-o modern", ["yes", "yes", "", "yes", "", "", ""]),
        ("-o no_modern", ["no", "no", "no", "no", "no", "0", "1048576"]),
        (
            "-o lru_maintainer,lru_crawler,maxconns_fast,slab_reassign,no_modern",
            ["no", "no", "no", "no", "no", "0", "1048576"],
        ),
        ("-o no_modern,lru_crawler,slab_automove=2", ["no", "yes", "no", "no", "no", "2", "1048576"]),
        (
            "-o no_modern -o maxconns_fast,lru_maintainer,slab_reassign",
            ["yes", "no", "yes", "yes", "yes", "0", "1048576"],
        ),
        ("-o slab_chunk_max=256,no_modern", ["no", "no", "no", "no", "no", "0", "262144"]),
        ("-o no_modern,slab_chunk_max=256", ["no", "no", "no", "no", "no", "0", "262144"]),
    ] {
        let options = options(line);
        let settings = options.settings();
        let shown = |setting| settings.iter().find(|(known, _)| *known == setting).map_or("", |(_, value)| value);
        assert_eq!(SETTINGS.map(shown), expected, "{line}");
        assert_eq!(options.reject_fast, expected[0] == "yes", "{line}");
        assert_eq!(options.crawler, expected[1] == "yes", "{line}");
        assert_eq!(options.guest.store.eviction == Eviction::Lru, expected[3] == "no", "{line}");
        assert!(
            !line.starts_with("-o no_modern") || options.warnings.iter().all(|text| text.contains("slab_")),
            "{line}"
        );
    }
}

/// Every name of 1.6.45: those of `memcached.c` and `storage.c`, with everything that the build can leave out.
#[test]
fn every_name_of_memcached_is_known() {
    let names = "maxconns_fast no_maxconns_fast hashpower no_hashexpand slab_reassign no_slab_reassign slab_automove \
        no_slab_automove slab_automove_ratio slab_automove_window slab_automove_freeratio slab_sizes slab_chunk_max \
        no_chunked_items tail_repair_time hash_algorithm lru_crawler no_lru_crawler lru_crawler_sleep lru_crawler_tocrawl \
        lru_maintainer no_lru_maintainer hot_lru_pct warm_lru_pct hot_max_factor warm_max_factor temporary_ttl \
        idle_timeout watcher_logbuf_size worker_logbuf_size track_sizes inline_ascii_resp no_inline_ascii_resp modern \
        no_modern drop_privileges no_drop_privileges relaxed_privileges resp_obj_mem_limit read_buf_mem_limit \
        sock_cookie_id ssl_chain_cert ssl_key ssl_verify_mode ssl_keyformat ssl_ciphers ssl_ca_cert ssl_wbuf_size \
        ssl_session_cache ssl_kernel_tls ssl_min_version proxy_config proxy_arg proxy_uring proxy_memprofile ext_page_size \
        ext_wbuf_size ext_threads ext_io_depth ext_path ext_item_size ext_item_age ext_low_ttl ext_recache_rate \
        ext_compact_under ext_drop_under ext_max_sleep ext_max_frag ext_drop_unread";
    for name in names.split_whitespace() {
        assert!(extended::NAMES.iter().any(|known| known.name == name), "{name}");
    }
}

/// Flags that this server adds must not make memcached's abbreviations ambiguous.
#[test]
fn every_abbreviation_of_memcached_is_understood() {
    let lettered: Vec<_> = table::FLAGS.iter().filter(|flag| flag.short.is_some()).map(|flag| flag.long).collect();
    for long in &lettered {
        for bytes in 1..=long.len() {
            let start = &long[..bytes];
            let candidates = lettered.iter().filter(|other| other.starts_with(start)).count();
            let unique = lettered.contains(&start) || candidates == 1;
            let mut command = parser::command();
            let known = command.try_get_matches_from_mut(["wasmcached", &format!("--{start}")]);
            let understood = known.err().is_none_or(|error| error.kind() == clap::error::ErrorKind::InvalidValue);
            assert_eq!(understood, unique, "--{start}");
        }
    }
}

#[test]
fn help_man_page_and_completions_derive_from_the_table() {
    let (help, man) = (printed("-h"), printed("--generate man"));
    for known in extended::NAMES {
        let hidden = matches!(known.effect, extended::Effect::Switch(_, extended::HIDDEN));
        assert_eq!(help.contains(known.name), !hidden, "{}", known.name);
    }
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
    parser::command().debug_assert();
    for (index, known) in extended::NAMES.iter().enumerate() {
        assert!(extended::NAMES[..index].iter().all(|other| other.name != known.name), "{}", known.name);
    }
}

#[test]
fn the_reference_of_flags_is_that_of_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/flags.md");
    let written = std::fs::read_to_string(path).unwrap_or_default().replace("\r\n", "\n");
    let command = "cargo run --package wasmcached -- --generate reference > docs/reference/flags.md";
    assert!(written == printed("--generate reference"), "docs/reference/flags.md is stale: {command}");
}

/// `docs/reference/compatibility.md` lists flags without effect and the reasons; `WASMCACHED_WRITE_DOCS=1` rewrites the list.
#[test]
fn flags_without_effect_are_documented() {
    const MARKS: [&str; 2] = ["<!-- without-effect -->\n", "<!-- /without-effect -->"];
    let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
    let mut add = |reason, name| match reasons.iter_mut().find(|(known, _)| *known == reason) {
        Some((_, names)) => names.push(name),
        None => reasons.push((reason, vec![name])),
    };
    for flag in table::FLAGS {
        if let (Some(reason), Some(short)) = (flag.help.strip_prefix("Does nothing: "), flag.short) {
            add(reason, format!("`-{short}`"));
        }
    }
    for known in extended::NAMES {
        if let extended::Effect::NoOp(reason) | extended::Effect::CheckedNoOp(_, reason) = known.effect {
            add(reason, format!("`{}`", known.name));
        }
    }
    let rows: String = reasons.iter().map(|(reason, names)| format!("| {} | {reason} |\n", names.join(" "))).collect();
    let table = format!("| flags and names of `-o` | why they mean nothing here |\n|---|---|\n{rows}");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/compatibility.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (before, rest) = page.split_once(MARKS[0]).unwrap();
    let (written, after) = rest.split_once(MARKS[1]).unwrap();
    if std::env::var_os("WASMCACHED_WRITE_DOCS").is_some() {
        std::fs::write(path, [before, MARKS[0], &table, MARKS[1], after].concat()).unwrap();
    } else {
        assert_eq!(written, table, "run this test with WASMCACHED_WRITE_DOCS=1");
    }
}
