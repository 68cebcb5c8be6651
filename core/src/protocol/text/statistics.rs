//! The words of `stats`: names, order and formats as memcached prints them, each typed once.

use crate::{
    boundary::{
        config::Config,
        host::{ConnectionRecord, ConnectionState, HostStatistics},
    },
    clock::Seconds,
    limits,
    settings::Setting,
    statistics::{Classes, Counters, PrefixCounts, Prefixes, Sizes, class_bytes},
    wire::Reader,
};
use alloc::{string::String, vec::Vec};
use core::fmt::{Display, Write};

/// Lines of `STAT <name> <value>`.
struct Lines<'a>(&'a mut Vec<u8>);

impl Write for Lines<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

impl Lines<'_> {
    fn put(&mut self, name: impl Display, value: impl Display) {
        // Writing to a vector cannot fail.
        let _ = write!(self, "STAT {name} {value}\r\n");
    }

    fn end(&mut self) {
        self.0.extend_from_slice(super::words::END);
    }
}

/// A CPU time as memcached prints it.
struct Microseconds(u64);

impl Display for Microseconds {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// `stats`. Lines whose value this engine cannot have show the constant that memcached shows when idle.
pub fn answer_general(out: &mut Vec<u8>, config: &Config, counters: &Counters, host: &HostStatistics, now: Seconds) {
    let c = counters;
    let mut l = Lines(out);
    l.put("pid", host.pid);
    l.put("uptime", host.uptime_s);
    l.put("time", now);
    l.put("version", "1.6.45");
    l.put("libevent", concat!("wasmcached-", env!("CARGO_PKG_VERSION")));
    l.put("pointer_size", host.pointer_size_bits);
    l.put("rusage_user", Microseconds(host.rusage_user_us));
    l.put("rusage_system", Microseconds(host.rusage_system_us));
    l.put("max_connections", host.max_connections);
    l.put("curr_connections", host.curr_connections);
    l.put("total_connections", host.total_connections);
    l.put("rejected_connections", host.rejected_connections);
    l.put("connection_structures", host.connection_structures);
    // One output and one window a worker, that all of its connections share.
    l.put("response_obj_oom", 0);
    l.put("response_obj_count", host.threads);
    l.put("response_obj_bytes", host.threads * limits::OUTPUT_BYTES_KEPT as u64);
    l.put("read_buf_count", host.threads);
    l.put("read_buf_bytes", host.threads * limits::WINDOW_BYTES as u64);
    l.put("read_buf_bytes_free", 0);
    l.put("read_buf_oom", 0);
    l.put("reserved_fds", host.reserved_fds);
    l.put("cmd_get", c.cmd_get);
    l.put("cmd_set", c.cmd_set);
    l.put("cmd_flush", c.cmd_flush);
    l.put("cmd_touch", c.cmd_touch);
    l.put("cmd_meta", c.cmd_meta);
    l.put("get_hits", c.get_hits);
    l.put("get_misses", c.get_misses);
    l.put("get_expired", c.get_expired);
    l.put("get_flushed", c.get_flushed);
    l.put("delete_misses", c.delete_misses);
    l.put("delete_hits", c.delete_hits);
    l.put("incr_misses", c.incr_misses);
    l.put("incr_hits", c.incr_hits);
    l.put("decr_misses", c.decr_misses);
    l.put("decr_hits", c.decr_hits);
    l.put("cas_misses", c.cas_misses);
    l.put("cas_hits", c.cas_hits);
    l.put("cas_badval", c.cas_badval);
    l.put("touch_hits", c.touch_hits);
    l.put("touch_misses", c.touch_misses);
    l.put("store_too_large", c.store_too_large);
    l.put("store_no_memory", c.store_no_memory);
    l.put("auth_cmds", host.logins);
    l.put("auth_errors", host.logins_refused);
    if config.settings.iter().any(|(setting, value)| *setting == Setting::IdleTimeout && value != "0") {
        l.put("idle_kicks", host.idle_kicks);
    }
    l.put("bytes_read", host.bytes_read);
    l.put("bytes_written", host.bytes_written);
    l.put("limit_maxbytes", host.limit_maxbytes);
    l.put("accepting_conns", host.accepting_conns);
    l.put("listen_disabled_num", host.listen_disabled_num);
    l.put("time_in_listen_disabled_us", host.time_in_listen_disabled_us);
    l.put("threads", host.threads);
    l.put("conn_yields", host.conn_yields);
    l.put("hash_power_level", c.index_buckets.max(1).ilog2());
    l.put("hash_bytes", c.hash_bytes);
    l.put("hash_is_expanding", 0);
    l.put("slab_reassign_rescues", c.slab_reassign_rescues);
    for name in [
        "slab_reassign_chunk_rescues",
        "slab_reassign_inline_reclaim",
        "slab_reassign_busy_items",
        "slab_reassign_busy_deletes",
        "slab_reassign_busy_nomem",
    ] {
        l.put(name, 0);
    }
    l.put("slab_reassign_last_busy_status", "none");
    l.put("slab_reassign_running", 0);
    l.put("slabs_moved", c.slabs_moved);
    l.put("lru_crawler_running", 0);
    l.put("lru_crawler_starts", c.lru_crawler_starts);
    l.put("lru_maintainer_juggles", 0);
    l.put("malloc_fails", 0);
    l.put("log_worker_dropped", host.events_dropped);
    l.put("log_worker_written", host.events_recorded);
    l.put("log_watcher_skipped", host.events_skipped);
    l.put("log_watcher_sent", host.events_sent);
    l.put("log_watchers", host.watchers);
    if is_told(config, Setting::SslEnabled) {
        if is_on(config, Setting::SslSessionCache) {
            l.put("ssl_new_sessions", host.tls_new_sessions);
        }
        l.put("ssl_handshake_errors", host.tls_handshake_errors);
        l.put("ssl_proto_errors", host.tls_protocol_errors);
        l.put("time_since_server_cert_refresh", host.tls_certificates_age_s);
    }
    l.put("unexpected_napi_ids", 0);
    l.put("round_robin_fallback", 0);
    l.put("bytes", c.bytes);
    l.put("curr_items", c.curr_items);
    l.put("total_items", c.total_items);
    l.put("slab_global_page_pool", 0);
    l.put("expired_unfetched", c.expired_unfetched);
    l.put("evicted_unfetched", c.evicted_unfetched);
    l.put("evicted_active", c.evicted_active);
    l.put("evictions", c.evictions);
    l.put("reclaimed", c.reclaimed);
    l.put("crawler_reclaimed", c.crawler_reclaimed);
    l.put("crawler_items_checked", c.crawler_items_checked);
    l.put("lrutail_reflocked", 0);
    l.put("moves_to_cold", 0);
    l.put("moves_to_warm", 0);
    l.put("moves_within_lru", c.moves_within_lru);
    l.put("direct_reclaims", c.direct_reclaims);
    l.put("lru_bumps_dropped", 0);
    // Ours, after memcached's.
    l.put("pool_bytes", c.pool_bytes);
    l.put("pool_free_bytes", c.pool_free_bytes);
    l.put("pool_dead_bytes", c.pool_dead_bytes);
    l.put("shard_traps", host.shard_traps);
    l.put("front_traps", host.front_traps);
    l.put("guest_interrupts", host.guest_interrupts);
    l.end();
}

fn is_told(config: &Config, setting: Setting) -> bool {
    config.settings.iter().any(|(told, _)| *told == setting)
}

fn is_on(config: &Config, setting: Setting) -> bool {
    config.settings.iter().any(|(told, value)| *told == setting && value == "yes")
}

/// `stats settings`.
pub fn answer_settings(out: &mut Vec<u8>, settings: &[(Setting, String)]) {
    let mut l = Lines(out);
    for setting in Setting::ALL {
        let told = settings.iter().find(|(told, _)| told == setting);
        let value = told.map_or(setting.default_value(), |(_, value)| value);
        if !value.is_empty() {
            l.put(setting.name(), value);
        }
    }
    l.end();
}

/// `stats items`: one block a size class that holds something. There is one queue, so hot and warm are empty.
pub fn answer_classes(out: &mut Vec<u8>, classes: &Classes) {
    let mut l = Lines(out);
    for (number, class) in &classes.0 {
        let c = &class.counters;
        if c.number == 0 {
            continue;
        }
        let mut put = |name: &str, value: u64| l.put(format_args!("items:{number}:{name}"), value);
        put("number", c.number);
        put("number_hot", 0);
        put("number_warm", 0);
        put("number_cold", c.number);
        put("age_hot", 0);
        put("age_warm", 0);
        put("age", u64::from(class.age_s));
        put("mem_requested", c.mem_requested);
        put("evicted", c.evicted);
        put("evicted_nonzero", c.evicted_nonzero);
        put("evicted_time", u64::from(class.evicted_time_s));
        put("outofmemory", c.outofmemory);
        put("tailrepairs", 0);
        put("reclaimed", c.reclaimed);
        put("expired_unfetched", c.expired_unfetched);
        put("evicted_unfetched", c.evicted_unfetched);
        put("evicted_active", c.evicted_active);
        put("crawler_reclaimed", c.crawler_reclaimed);
        put("crawler_items_checked", c.crawler_items_checked);
        put("lrutail_reflocked", 0);
        put("moves_to_cold", 0);
        put("moves_to_warm", 0);
        put("moves_within_lru", c.moves_within_lru);
        put("direct_reclaims", 0);
        put("hits_to_hot", 0);
        put("hits_to_warm", 0);
        put("hits_to_cold", c.get_hits);
        put("hits_to_temp", 0);
    }
    l.end();
}

/// `stats slabs`: the same classes as chunks. Nothing is allocated in chunks here, so all chunks are used and a page is
/// the MiB that tools expect.
pub fn answer_slabs(out: &mut Vec<u8>, classes: &Classes, counters: &Counters) {
    const PAGE_BYTES: u64 = 1024 * 1024;
    let mut l = Lines(out);
    let mut active = 0u64;
    for (number, class) in &classes.0 {
        let c = &class.counters;
        // One that holds nothing any more is still shown: its counters are what tools divide.
        active += u64::from(c.number > 0);
        let chunk_bytes = class_bytes(*number as usize) as u64;
        let chunks_per_page = (PAGE_BYTES / chunk_bytes).max(1);
        let mut put = |name: &str, value: u64| l.put(format_args!("{number}:{name}"), value);
        put("chunk_size", chunk_bytes);
        put("chunks_per_page", chunks_per_page);
        put("total_pages", c.number.div_ceil(chunks_per_page));
        put("total_chunks", c.number);
        put("used_chunks", c.number);
        put("free_chunks", 0);
        put("free_chunks_end", 0);
        put("get_hits", c.get_hits);
        put("cmd_set", c.cmd_set);
        put("delete_hits", c.delete_hits);
        put("incr_hits", c.incr_hits);
        put("decr_hits", c.decr_hits);
        put("cas_hits", c.cas_hits);
        put("cas_badval", c.cas_badval);
        put("touch_hits", c.touch_hits);
    }
    l.put("active_slabs", active);
    l.put("total_malloced", counters.pool_bytes.saturating_sub(counters.pool_free_bytes));
    l.end();
}

/// `stats sizes`; where they are not tracked, the answer of a server that does not track them.
pub fn answer_sizes(out: &mut Vec<u8>, sizes: &Sizes) {
    let mut l = Lines(out);
    match sizes.iter() {
        Some(sizes) => sizes.for_each(|(bytes, count)| l.put(bytes, count)),
        None => l.put("sizes_status", "disabled"),
    }
    l.end();
}

/// `stats conns` from [`ConnectionRecord`]s.
pub fn answer_connections(out: &mut Vec<u8>, records: &[u8]) {
    let mut l = Lines(out);
    let mut r = Reader(records);
    while let Some(record) = ConnectionRecord::decode(&mut r) {
        let state = match record.state {
            ConnectionState::Listening => "conn_listening",
            ConnectionState::Waiting | ConnectionState::Datagrams => "conn_read",
            ConnectionState::Reading => "conn_nread",
            ConnectionState::Writing => "conn_mwrite",
            ConnectionState::Parsing => "conn_parse_cmd",
            ConnectionState::Watching => "conn_watch",
        };
        let number = record.descriptor;
        if record.state == ConnectionState::Datagrams {
            l.put(format_args!("{number}:UDP"), "UDP");
        }
        l.put(format_args!("{number}:addr"), &record.address);
        if !matches!(record.state, ConnectionState::Listening | ConnectionState::Datagrams) {
            l.put(format_args!("{number}:listen_addr"), &record.listen_address);
        }
        l.put(format_args!("{number}:state"), state);
        l.put(format_args!("{number}:secs_since_last_cmd"), record.idle_s);
    }
    l.end();
}

/// `stats detail dump`.
pub fn answer_prefixes(out: &mut Vec<u8>, prefixes: &Prefixes) {
    for (prefix, counts) in prefixes.iter() {
        out.extend_from_slice(b"PREFIX ");
        out.extend_from_slice(prefix);
        let PrefixCounts { gets, hits, sets, deletes } = counts;
        let _ = write!(Lines(out), " get {gets} hit {hits} set {sets} del {deletes}\r\n");
    }
    out.extend_from_slice(super::words::END);
}
