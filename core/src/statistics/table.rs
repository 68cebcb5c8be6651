//! Every line of `stats`, in its order. A row is the only place that names a statistic: the structs [`Counters`] and
//! [`HostStatistics`], reset, merge, the records that cross the boundary and the lines of `stats` derive from it.
//!
//! ```text
//! /// The meaning, in one sentence.
//! kind name unit source;
//! ```
//!
//! To add a statistic, add a row here, and count it: `store[n]` makes a field of [`Counters`], which the store counts
//! (`self.counters.totals.name += 1`), and `host[n]` a field of [`HostStatistics`], which the host measures. `n` is the
//! next free position in the record. `computed` and `constant` rows need nothing else. `if` names the condition under
//! which the line is shown.

use super::row::{Kind, Statistic, Unit};
use crate::{boundary::config::Config, limits, settings::Setting, wire::Reader};
use alloc::vec::Vec;

/// The numbers that the values of statistics come from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Numbers {
    /// Those of all shards together.
    pub store: Counters,
    /// Those of the host.
    pub host: HostStatistics,
    /// Unix time, in seconds.
    pub time: i64,
}

macro_rules! statistics {
    ($(
        #[doc = $help:literal]
        $kind:ident $name:ident $unit:ident
        $(store[$store:literal])? $(host[$host:literal])? $(computed($computed:expr))? $(constant($constant:expr))?
        $(if $is_shown:ident)?;
    )*) => {
        numbers! {
            /// The numbers of one store.
            Counters { $($(#[doc = $help] $kind $name $unit [$store])?)* }
        }

        numbers! {
            /// The numbers of the host.
            HostStatistics { $($(#[doc = $help] $kind $name $unit [$host])?)* }
        }

        /// Every statistic of a server, in memcached's order.
        pub const STATISTICS: &[Statistic<Numbers>] = &[$(
            Statistic::new(
                (stringify!($name), Kind::$kind, Unit::$unit, $help.trim_ascii()),
                source!(
                    Numbers,
                    $name
                    $(store $store)? $(host $host)?
                    $(computed $computed)? $(constant $constant)?
                ),
            )$(.shown_if($is_shown))?,
        )*];
    };
}

statistics! {
    /// Process id of the server.
    Gauge pid None host[0];
    /// Time since the server started.
    Gauge uptime Seconds host[1];
    /// Unix time of the server.
    Gauge time Seconds computed(|numbers| numbers.time.max(0).cast_unsigned());
    /// Version of memcached whose behaviour the server has.
    Text version None constant("1.6.45");
    /// Version of the server.
    Text libevent None constant(concat!("wasmcached-", env!("CARGO_PKG_VERSION")));
    /// Size of a pointer of the host.
    Gauge pointer_size Bits host[2];
    /// CPU time of the process in user mode.
    Lifetime rusage_user CpuSeconds host[3];
    /// CPU time of the process in the kernel.
    Lifetime rusage_system CpuSeconds host[4];
    /// Most client connections at a time (`-c`).
    Gauge max_connections None host[5];
    /// Open client connections.
    Gauge curr_connections None host[6];
    /// Client connections that were accepted.
    Counter total_connections None host[7];
    /// Client connections that were refused because of `-c`.
    Counter rejected_connections None host[8];
    /// Allocated connection structures.
    Gauge connection_structures None host[9];
    /// Connections ended with unread replies because others needed the memory.
    Counter response_obj_oom None host[39];
    /// Output buffers: one for each worker.
    Gauge response_obj_count None computed(|numbers| numbers.host.threads);
    /// Size of the output buffers.
    Gauge response_obj_bytes Bytes computed(|numbers| numbers.host.threads * limits::OUTPUT_BYTES_KEPT as u64);
    /// Input windows: one for each worker.
    Gauge read_buf_count None computed(|numbers| numbers.host.threads);
    /// Size of the input windows.
    Gauge read_buf_bytes Bytes computed(|numbers| numbers.host.threads * limits::WINDOW_BYTES as u64);
    /// Size of the input windows that are not in use.
    Gauge read_buf_bytes_free Bytes constant(0);
    /// Connections ended with unfinished requests because others needed the memory.
    Counter read_buf_oom None host[40];
    /// File descriptors reserved for other purposes than connections.
    Gauge reserved_fds None host[10];
    /// Keys requested by get commands.
    Counter cmd_get None store[0];
    /// Storage commands.
    Counter cmd_set None store[1];
    /// `flush_all` commands.
    Broadcasts cmd_flush None store[2];
    /// touch and gat commands.
    Counter cmd_touch None store[3];
    /// Meta debug commands.
    Counter cmd_meta None store[4];
    /// Reads that found the key.
    Counter get_hits None store[5];
    /// Reads that did not find the key.
    Counter get_misses None store[6];
    /// Lookups that found an expired item.
    Counter get_expired None store[7];
    /// Lookups that found a flushed item.
    Counter get_flushed None store[8];
    /// Deletes of absent keys.
    Counter delete_misses None store[9];
    /// Deletes of present keys.
    Counter delete_hits None store[10];
    /// incr commands on absent keys.
    Counter incr_misses None store[11];
    /// incr commands on present keys.
    Counter incr_hits None store[12];
    /// decr commands on absent keys.
    Counter decr_misses None store[13];
    /// decr commands on present keys.
    Counter decr_hits None store[14];
    /// cas commands on absent keys.
    Counter cas_misses None store[15];
    /// cas commands that stored.
    Counter cas_hits None store[16];
    /// cas commands whose unique differed.
    Counter cas_badval None store[17];
    /// touch and gat commands on present keys.
    Counter touch_hits None store[18];
    /// touch and gat commands on absent keys.
    Counter touch_misses None store[19];
    /// Items refused because of their size.
    Counter store_too_large None store[20];
    /// Items refused for want of memory.
    Counter store_no_memory None store[21];
    /// Logins that were tried.
    Counter auth_cmds None host[11];
    /// Logins that were refused.
    Counter auth_errors None host[12];
    /// Connections closed because they were idle.
    Counter idle_kicks None host[13] if has_idle_timeout;
    /// Bytes received from clients.
    Counter bytes_read Bytes host[14];
    /// Bytes sent to clients.
    Counter bytes_written Bytes host[15];
    /// Memory limit of all shards together.
    Gauge limit_maxbytes Bytes host[16];
    /// 1 while the listeners accept connections, else 0.
    Gauge accepting_conns None host[17];
    /// How often the listeners were paused.
    Counter listen_disabled_num None host[18];
    /// How long the listeners were paused.
    Counter time_in_listen_disabled_us Microseconds host[19];
    /// Worker threads.
    Gauge threads None host[20];
    /// How often a connection gave way to others.
    Counter conn_yields None host[21];
    /// Logarithm of the number of index buckets.
    Gauge hash_power_level None computed(|numbers| numbers.store.index_buckets.max(1).ilog2().into());
    /// Bytes of the pool taken by the index.
    Gauge hash_bytes Bytes store[22];
    /// 1 while the index moves to a larger table: it grows bucket by bucket instead.
    Gauge hash_is_expanding None constant(0);
    /// Items moved by compaction.
    Counter slab_reassign_rescues None store[23];
    /// Chunks moved from a page: there are none.
    Counter slab_reassign_chunk_rescues None constant(0);
    /// Items evicted by a page move: there are none.
    Counter slab_reassign_inline_reclaim None constant(0);
    /// Items that blocked a page move: there are none.
    Counter slab_reassign_busy_items None constant(0);
    /// Items deleted because they blocked a page move: there are none.
    Counter slab_reassign_busy_deletes None constant(0);
    /// Page moves that found no memory: there are none.
    Counter slab_reassign_busy_nomem None constant(0);
    /// Why the last page move was blocked.
    Text slab_reassign_last_busy_status None constant("none");
    /// 1 while a page is moved.
    Gauge slab_reassign_running None constant(0);
    /// Segments freed by compaction.
    Counter slabs_moved None store[24];
    /// 1 while a crawl that a client asked for runs.
    Gauge lru_crawler_running None constant(0);
    /// Walks over all items that clients asked for, expiry and listings alike.
    Broadcasts lru_crawler_starts None store[25];
    /// Runs of memcached's LRU maintainer.
    Counter lru_maintainer_juggles None constant(0);
    /// Allocations that failed.
    Counter malloc_fails None constant(0);
    /// Events that guests had no room for.
    Counter log_worker_dropped None host[22];
    /// Events that guests recorded.
    Counter log_worker_written None host[23];
    /// Lines that watching connections had no room for.
    Counter log_watcher_skipped None host[24];
    /// Lines sent to watching connections.
    Counter log_watcher_sent None host[25];
    /// Connections that watch.
    Gauge log_watchers None host[26];
    /// TLS sessions that were negotiated anew, not resumed.
    Counter ssl_new_sessions None host[27] if has_tls_sessions;
    /// Connections whose TLS handshake failed.
    Counter ssl_handshake_errors None host[28] if has_tls;
    /// Connections that violated the TLS protocol after the handshake.
    Counter ssl_proto_errors None host[29] if has_tls;
    /// Time since the certificates were read.
    Gauge time_since_server_cert_refresh Seconds host[30] if has_tls;
    /// Connections with an unexpected NAPI id.
    Counter unexpected_napi_ids None constant(0);
    /// Connections assigned to a worker without regard to their NAPI id.
    Counter round_robin_fallback None constant(0);
    /// Bytes of the items in the index: header, key and value.
    Gauge bytes Bytes store[26];
    /// Items in the index.
    Gauge curr_items None store[27];
    /// Items that were stored.
    Counter total_items None store[28];
    /// Pages that belong to no size class.
    Gauge slab_global_page_pool None constant(0);
    /// Expired items that were reclaimed without ever being read.
    Counter expired_unfetched None store[29];
    /// Evicted items that were never read.
    Counter evicted_unfetched None store[30];
    /// Evicted items that had been used since they were written or last reinserted.
    Counter evicted_active None store[31];
    /// Live items removed for room.
    Counter evictions None store[32];
    /// Expired and flushed items whose memory a store used again.
    Counter reclaimed None store[33];
    /// Expired and flushed items removed by the sweep.
    Counter crawler_reclaimed None store[34];
    /// Items that the sweep looked at.
    Counter crawler_items_checked None store[35];
    /// Items found locked at the end of the LRU: there are none.
    Counter lrutail_reflocked None constant(0);
    /// Items moved to memcached's cold LRU: there are none.
    Counter moves_to_cold None constant(0);
    /// Items moved to memcached's warm LRU: there are none.
    Counter moves_to_warm None constant(0);
    /// Used items reinserted at the end of the log instead of being evicted.
    Counter moves_within_lru None store[36];
    /// Evictions while a store waited for room.
    Counter direct_reclaims None store[37];
    /// LRU updates that memcached's queue had no room for: there are none.
    Counter lru_bumps_dropped None constant(0);

    // Not in memcached.

    /// Limit of the pools of all shards.
    Gauge pool_bytes Bytes store[38];
    /// Bytes of free segments, of the unwritten ends of open segments, and of unused buckets.
    Gauge pool_free_bytes Bytes store[39];
    /// Bytes in segments that belong to removed items and to bookkeeping.
    Gauge pool_dead_bytes Bytes store[40];
    /// Bytes of the pools that are kept for clients that still read a value which is no longer stored.
    Gauge held_value_bytes Bytes store[42];
    /// Replies that ended early, and their connections with them, because a client read the value too late.
    Counter values_lost None store[43];
    /// Memory of the prefixes of `stats detail`, which the pools give up.
    Gauge prefix_bytes Bytes store[44];
    /// Commands whose prefix `stats detail` had no memory for.
    Counter prefixes_not_counted None store[45];
    /// Shards replaced after a trap.
    Lifetime shard_traps None host[31];
    /// Fronts replaced after a trap.
    Lifetime front_traps None host[32];
    /// Shards and fronts interrupted because a call did not return in time.
    Lifetime guest_interrupts None host[33];
    /// Bytes that unfinished requests and unread replies hold.
    Gauge buffers_bytes Bytes host[35];
    /// Limit of `buffers_bytes`.
    Gauge buffers_limit_bytes Bytes host[36];
    /// Connections whose request waits for room in `buffers_bytes`.
    Gauge buffers_waiting_connections None host[37];
    /// Connections that were ended because they held much for long while others waited.
    Counter buffers_ended_connections None host[38];
    /// Requests that were refused: malformed, unknown or not allowed.
    Counter request_errors None host[41];
    /// Requests that were answered with an error because a shard was lost meanwhile.
    Counter requests_lost None host[42];
    /// Connections that ended before their last request was whole and answered.
    Counter requests_cut None host[43];
    /// Connections that ended before all of their replies were sent.
    Counter replies_cut None host[44];
    /// Connections that an error of their socket ended.
    Counter connection_errors None host[45];
    /// Datagrams that were no request, or whose answer was not allowed.
    Counter datagrams_refused None host[46];
    /// Datagrams of answers that the network refused.
    Counter datagrams_lost None host[47];
    /// Stores whose data block did not end where it was announced.
    Counter store_bad_data None store[46];
    /// incr and decr commands on values that are no numbers.
    Counter non_numeric None store[47];
    /// Commands other than cas and set whose unique differed: append, prepend, delete, incr, decr.
    Counter other_badval None store[48];

    // Not in `stats`.

    /// Buckets of the index.
    Gauge index_buckets None store[41] if never;
    /// Log level (`-v`).
    Gauge verbosity None host[34] if never;
}

fn never(_: &Config) -> bool {
    false
}

fn has_idle_timeout(config: &Config) -> bool {
    config.setting(Setting::IdleTimeout) != Setting::IdleTimeout.default_value()
}

fn has_tls(config: &Config) -> bool {
    !config.setting(Setting::SslEnabled).is_empty()
}

fn has_tls_sessions(config: &Config) -> bool {
    has_tls(config) && config.setting(Setting::SslSessionCache) == "yes"
}

impl Counters {
    /// Merges the concatenated records of all shards.
    pub fn decode_merged(records: &[u8]) -> Self {
        let mut r = Reader(records);
        let mut merged = Self::decode_from(&mut r).unwrap_or_default();
        while let Some(counters) = Self::decode_from(&mut r) {
            merged.merge(&counters);
        }
        merged
    }

    /// Divides the pool into bytes that are taken, free and dead. Before, the free ones are those of all segments that are
    /// free or begun.
    pub(crate) fn divide_pool(&mut self) {
        let taken = self.bytes + self.hash_bytes;
        self.pool_free_bytes = self.pool_free_bytes.min(self.pool_bytes.saturating_sub(taken));
        self.pool_dead_bytes = self.pool_bytes.saturating_sub(taken + self.pool_free_bytes);
    }
}

impl HostStatistics {
    /// The record alone.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.encode_to(&mut bytes);
        bytes
    }

    /// Reads what [`HostStatistics::encode`] wrote. Without a record every number is zero.
    pub fn decode(bytes: &[u8]) -> Self {
        Self::decode_from(&mut Reader(bytes)).unwrap_or_default()
    }
}
