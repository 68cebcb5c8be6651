//! The settings that `stats settings` shows.

use crate::decimal;
use alloc::string::String;

macro_rules! settings {
    ($($variant:ident $name:literal $default:literal,)*) => {
        /// A line of `stats settings`. The host fills in what it knows; the rest shows memcached's default.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        #[allow(missing_docs, reason = "the wire name is the documentation")]
        pub enum Setting { $($variant,)* }

        impl Setting {
            /// Every setting in memcached's order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name on the wire.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The setting of that number (its place in [`Setting::ALL`]).
            pub fn of(number: u8) -> Option<Self> {
                Self::ALL.get(usize::from(number)).copied()
            }

            /// The value that is shown if the host sets none; empty: no line.
            pub fn default_value(self) -> &'static str {
                match self { $(Self::$variant => $default,)* }
            }
        }
    };
}

impl Setting {
    /// The form in which a value that a command changed is shown.
    pub fn shown(self, value: u64) -> String {
        match self {
            Self::LruCrawler | Self::LruSegmented | Self::DetailEnabled | Self::TempLru => {
                if value == 0 { "no" } else { "yes" }.into()
            }
            Self::SlabAutomoveRatio | Self::HotMaxFactor | Self::WarmMaxFactor => decimal::show(f64::from_bits(value)),
            _ => alloc::format!("{value}"),
        }
    }
}

settings! {
    MaxBytes "maxbytes" "67108864",
    MaxConnections "maxconns" "1024",
    TcpPort "tcpport" "11211",
    UdpPort "udpport" "0",
    Inter "inter" "NULL",
    Verbosity "verbosity" "0",
    Oldest "oldest" "0",
    Evictions "evictions" "on",
    DomainSocket "domain_socket" "NULL",
    Umask "umask" "700",
    ShutdownCommand "shutdown_command" "no",
    GrowthFactor "growth_factor" "1.25",
    ChunkSize "chunk_size" "48",
    NumThreads "num_threads" "4",
    NumThreadsPerUdp "num_threads_per_udp" "4",
    StatKeyPrefix "stat_key_prefix" ":",
    DetailEnabled "detail_enabled" "no",
    RequestsPerEvent "reqs_per_event" "20",
    CasEnabled "cas_enabled" "yes",
    TcpBacklog "tcp_backlog" "1024",
    BindingProtocol "binding_protocol" "auto-negotiate",
    AuthEnabledSasl "auth_enabled_sasl" "no",
    AuthEnabledAscii "auth_enabled_ascii" "no",
    ItemSizeMax "item_size_max" "1048576",
    MaxConnectionsFast "maxconns_fast" "yes",
    HashPowerInit "hashpower_init" "0",
    SlabReassign "slab_reassign" "yes",
    SlabAutomove "slab_automove" "1",
    SlabAutomoveRatio "slab_automove_ratio" "0.80",
    SlabAutomoveWindow "slab_automove_window" "10",
    SlabChunkMax "slab_chunk_max" "524288",
    LruCrawler "lru_crawler" "yes",
    LruCrawlerSleep "lru_crawler_sleep" "100",
    LruCrawlerTocrawl "lru_crawler_tocrawl" "0",
    TailRepairTime "tail_repair_time" "0",
    FlushEnabled "flush_enabled" "yes",
    DumpEnabled "dump_enabled" "yes",
    HashAlgorithm "hash_algorithm" "siphash13",
    LruMaintainerThread "lru_maintainer_thread" "yes",
    LruSegmented "lru_segmented" "yes",
    HotLruPct "hot_lru_pct" "20",
    WarmLruPct "warm_lru_pct" "40",
    HotMaxFactor "hot_max_factor" "0.20",
    WarmMaxFactor "warm_max_factor" "2.00",
    TempLru "temp_lru" "no",
    TemporaryTtl "temporary_ttl" "61",
    IdleTimeout "idle_timeout" "0",
    WatcherLogbufSize "watcher_logbuf_size" "262144",
    WorkerLogbufSize "worker_logbuf_size" "65536",
    ReadBufMemLimit "read_buf_mem_limit" "0",
    TrackSizes "track_sizes" "no",
    InlineAsciiResponse "inline_ascii_response" "no",
    SslEnabled "ssl_enabled" "",
    SslChainCert "ssl_chain_cert" "",
    SslKey "ssl_key" "",
    SslVerifyMode "ssl_verify_mode" "",
    SslKeyFormat "ssl_keyformat" "",
    SslCiphers "ssl_ciphers" "",
    SslCaCert "ssl_ca_cert" "",
    SslWbufSize "ssl_wbuf_size" "",
    SslSessionCache "ssl_session_cache" "",
    SslKernelTls "ssl_kernel_tls" "",
    SslMinVersion "ssl_min_version" "",
    NumNapiIds "num_napi_ids" "(null)",
    MemoryFile "memory_file" "(null)",
    ClientFlagsSize "client_flags_size" "4",
}
