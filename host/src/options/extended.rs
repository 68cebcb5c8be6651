//! The names of `-o`.

use super::{HugePages, ListenAddress, Options, ShownAs, compatibility, tls, value, yes_no};
use crate::exit::{self, ExitError};
use wasmcached_core::{boundary::config::Eviction, limits, settings::Setting};

/// A name of `-o`.
pub(super) struct Extended {
    pub(super) name: &'static str,
    pub(super) effect: Effect,
    /// The line of `stats settings` that shows it.
    pub(super) setting: Option<ShownAs>,
}

/// The effect of a name.
pub(super) enum Effect {
    /// Without a value; with a line of help.
    Switch(fn(&mut Options), &'static str),
    /// With a number; with its unit and a line of help.
    Number(fn(&mut Options, u32) -> Result<(), ExitError>, &'static str, &'static str),
    /// With a word; with the possible words and a line of help.
    Word(fn(&mut Options, &str) -> Result<(), ExitError>, &'static str, &'static str),
    /// None: accepted with a warning that gives this reason.
    NoOp(&'static str),
    /// The same, after memcached's check of the value.
    CheckedNoOp(compatibility::Check, &'static str),
    /// The server does not start, for this reason.
    Rejected(&'static str),
}
use Effect::{CheckedNoOp, NoOp, Number, Rejected, Switch, Word};

/// The help of a name for tests: none.
pub(super) const HIDDEN: &str = "";

const NO_SLABS: &str = "memory is a log of segments, there are no slabs";
const NO_LRU_PARTS: &str = "recency is not kept in lists that need tuning";
const OWN_SWEEP: &str = "expired items are swept out by the server's own clock";
const OWN_INDEX: &str = "the index grows by itself, under a keyed hash";
const NO_FLASH: &str = "there is no storage but memory";
const NO_PROXY: &str = "there is no proxy";
const OWN_BUFFERS: &str = "buffers are bounded by the engine";

/// The names, those with an effect first.
pub(super) const NAMES: &[Extended] = &[
    name("maxconns_fast", Switch(|o| o.reject_fast = true, "answer and close connections beyond -c (default)"))
        .shown(Setting::MaxConnectionsFast, |o| yes_no(o.reject_fast)),
    name("no_maxconns_fast", Switch(|o| o.reject_fast = false, "let them wait")),
    name(
        "idle_timeout",
        Number(
            |o, seconds| set(&mut o.idle_timeout_s, seconds),
            "SECONDS",
            "close connections that neither send nor take a byte for longer (default: 0, never)",
        ),
    )
    .shown(Setting::IdleTimeout, |o| o.idle_timeout_s.to_string()),
    name("shards", Number(shards, "NUM", "engines that share the memory (default: as many as -m needs)")),
    name("solo", Switch(|o| o.solo = true, "with one thread and one shard, use one engine (default)")),
    name("no_solo", Switch(|o| o.solo = false, "use two engines even then")),
    name("segment_size", Number(segment_kib, "KB", "unit of allocation and eviction (default: by -m)")),
    name("eviction", Word(eviction, "lru|s3fifo", "policy of eviction (default: s3fifo)"))
        .shown(Setting::LruSegmented, |o| yes_no(o.guest.store.eviction != Eviction::Lru)),
    name("lru_maintainer", Switch(|o| set_maintainer(o, true), "the same as eviction=s3fifo")),
    name("no_lru_maintainer", Switch(|o| set_maintainer(o, false), "the same as eviction=lru")),
    name(
        "no_modern",
        Switch(no_modern, "the defaults of memcached 1.4: no_maxconns_fast, no_lru_crawler, eviction=lru"),
    ),
    name("debugtime", Switch(|o| o.guest.permissions.debug_time = true, HIDDEN)),
    name("lru_crawler", Switch(|o| o.crawler = true, "remove expired items in the background (default)"))
        .shown(Setting::LruCrawler, |o| yes_no(o.crawler)),
    name("no_lru_crawler", Switch(|o| o.crawler = false, "remove them only on access or eviction")),
    name("track_sizes", Switch(|o| o.guest.track_sizes = true, "count items by size, for `stats sizes`"))
        .shown(Setting::TrackSizes, |o| yes_no(o.guest.track_sizes)),
    name(
        "watcher_logbuf_size",
        Number(
            |o, kib| kibibytes(&mut o.watcher_bytes, kib),
            "KB",
            "events that a watching client may leave unread (default: 256)",
        ),
    )
    .shown(Setting::WatcherLogbufSize, |o| o.watcher_bytes.to_string()),
    name(
        "worker_logbuf_size",
        Number(|o, kib| kibibytes(&mut o.events_bytes, kib), "KB", "events that an engine buffers (default: 64)"),
    )
    .shown(Setting::WorkerLogbufSize, |o| o.events_bytes.to_string()),
    name("no_huge_pages", Switch(|o| o.huge_pages = HugePages::Never, "use small pages only")),
    name(
        "http_port",
        Number(
            http_port,
            "NUM",
            "pages for monitoring over HTTP at this port of 127.0.0.1: /metrics, /stats.json, /healthz (default: 0, none)",
        ),
    ),
    name(
        "http_token",
        Word(
            http_token,
            "FILE",
            "clients of these statistics must send the token in this file: Authorization: Bearer; SIGHUP reads it again",
        ),
    ),
    name(
        "udp_amplification",
        Number(
            |o, times| set(&mut o.guest.udp_amplification, times),
            "NUM",
            "largest ratio of reply to request for UDP clients on other machines (default: 3; 0: no limit)",
        ),
    ),
    name("ssl_chain_cert", Word(tls::chain, "FILE", "with -Z: the server's certificate and its intermediates (PEM)")),
    name("ssl_key", Word(tls::key, "FILE", "the private key (default: in the same file)")),
    name("ssl_keyformat", Word(tls::key_format, "PEM|DER", "the format of that file (default: PEM)")),
    name(
        "ssl_verify_mode",
        Word(tls::verify_mode, "0|1|2|3", "client certificates: none, optional (1), or required (2, 3) (default: 0)"),
    ),
    name("ssl_ca_cert", Word(tls::authorities, "FILE", "authorities of client certificates (PEM)")),
    name("ssl_ciphers", Word(tls::ciphers, "LIST", "suites of TLS 1.2: OpenSSL's names, separated by colons")),
    name("ssl_min_version", Word(tls::min_version, "2|3", "the minimum is TLS 1.2 or 1.3 (default: 2)")),
    name("ssl_session_cache", Switch(|o| o.tls.resumption = true, "let clients resume sessions (default: off)")),
    name("ssl_wbuf_size", Word(tls::batch_kib, "KB", "output that is encrypted at once (default: 16)")),
    name("ssl_kernel_tls", NoOp("records are encrypted by the server itself")),
    name("hashpower", CheckedNoOp(compatibility::hash_power, OWN_INDEX)),
    name("no_hashexpand", NoOp(OWN_INDEX)),
    name("hash_algorithm", CheckedNoOp(compatibility::hash_algorithm, OWN_INDEX)),
    name("slab_reassign", CheckedNoOp(compatibility::slab_reassign, NO_SLABS)),
    name("no_slab_reassign", CheckedNoOp(compatibility::no_slab_reassign, NO_SLABS)),
    name("slab_automove", CheckedNoOp(compatibility::slab_automove, NO_SLABS)),
    name("no_slab_automove", CheckedNoOp(compatibility::no_slab_automove, NO_SLABS)),
    name("slab_automove_ratio", CheckedNoOp(compatibility::slab_automove_ratio, NO_SLABS)),
    name("slab_automove_window", CheckedNoOp(compatibility::slab_automove_window, NO_SLABS)),
    name("slab_automove_freeratio", CheckedNoOp(compatibility::slab_automove_freeratio, NO_SLABS)),
    name("slab_sizes", CheckedNoOp(compatibility::slab_sizes, NO_SLABS)),
    name("slab_chunk_max", CheckedNoOp(compatibility::slab_chunk_max, NO_SLABS)),
    name("no_chunked_items", CheckedNoOp(compatibility::no_chunked_items, NO_SLABS)),
    name("tail_repair_time", CheckedNoOp(compatibility::tail_repair_time, "no item can be left locked")),
    name("lru_crawler_sleep", CheckedNoOp(compatibility::lru_crawler_sleep, OWN_SWEEP)),
    name("lru_crawler_tocrawl", CheckedNoOp(compatibility::lru_crawler_tocrawl, OWN_SWEEP)),
    name("hot_lru_pct", CheckedNoOp(compatibility::hot_lru_pct, NO_LRU_PARTS)),
    name("warm_lru_pct", CheckedNoOp(compatibility::warm_lru_pct, NO_LRU_PARTS)),
    name("hot_max_factor", CheckedNoOp(compatibility::hot_max_factor, NO_LRU_PARTS)),
    name("warm_max_factor", CheckedNoOp(compatibility::warm_max_factor, NO_LRU_PARTS)),
    name("temporary_ttl", CheckedNoOp(compatibility::temporary_ttl, NO_LRU_PARTS)),
    name("inline_ascii_resp", NoOp("it does nothing in memcached either")),
    name("no_inline_ascii_resp", NoOp("it does nothing in memcached either")),
    name("modern", NoOp("it does nothing in memcached either")),
    name("resp_obj_mem_limit", NoOp("it does nothing in memcached either")),
    name("read_buf_mem_limit", CheckedNoOp(compatibility::read_buf_mem_limit, OWN_BUFFERS)),
    name("drop_privileges", NoOp("requests are interpreted in a sandbox anyway")),
    name("no_drop_privileges", NoOp("requests are interpreted in a sandbox anyway")),
    name("relaxed_privileges", NoOp("requests are interpreted in a sandbox anyway")),
    name("sock_cookie_id", CheckedNoOp(compatibility::sock_cookie_id, "sockets are not marked")),
    name("ext_path", CheckedNoOp(compatibility::ext_path, NO_FLASH)),
    name("ext_page_size", CheckedNoOp(compatibility::ext_page_size, NO_FLASH)),
    name("ext_wbuf_size", CheckedNoOp(compatibility::ext_wbuf_size, NO_FLASH)),
    name("ext_threads", CheckedNoOp(compatibility::ext_threads, NO_FLASH)),
    name("ext_io_depth", CheckedNoOp(compatibility::ext_io_depth, NO_FLASH)),
    name("ext_item_size", CheckedNoOp(compatibility::ext_item_size, NO_FLASH)),
    name("ext_item_age", CheckedNoOp(compatibility::ext_item_age, NO_FLASH)),
    name("ext_low_ttl", CheckedNoOp(compatibility::ext_low_ttl, NO_FLASH)),
    name("ext_drop_unread", NoOp(NO_FLASH)),
    name("ext_recache_rate", CheckedNoOp(compatibility::ext_recache_rate, NO_FLASH)),
    name("ext_compact_under", CheckedNoOp(compatibility::ext_compact_under, NO_FLASH)),
    name("ext_drop_under", CheckedNoOp(compatibility::ext_drop_under, NO_FLASH)),
    name("ext_max_frag", CheckedNoOp(compatibility::ext_max_frag, NO_FLASH)),
    name("ext_max_sleep", CheckedNoOp(compatibility::ext_max_sleep, NO_FLASH)),
    name("proxy_config", Rejected(NO_PROXY)),
    name("proxy_arg", Rejected(NO_PROXY)),
    name("proxy_uring", Rejected(NO_PROXY)),
    name("proxy_memprofile", Rejected(NO_PROXY)),
];

/// Applies the value of one `-o`.
pub(super) fn apply(options: &mut Options, list: &str) -> Result<(), ExitError> {
    list.split(',').filter(|item| !item.is_empty()).try_for_each(|item| apply_one(options, item))
}

fn apply_one(options: &mut Options, item: &str) -> Result<(), ExitError> {
    let (given, argument) = item.split_once('=').map_or((item, None), |(name, value)| (name, Some(value)));
    let Some(known) = NAMES.iter().find(|known| known.name == given) else {
        return Err(ExitError::new(exit::FLAG, unknown(item, given)));
    };
    match known.effect {
        Switch(action, _) => action(options),
        Number(action, _, _) => match argument {
            Some(text) if !text.is_empty() => action(options, value::number(text, given)?)?,
            _ => return Err(ExitError::new(exit::FLAG, format!("Missing numeric argument for {given}"))),
        },
        Word(action, _, _) => action(options, argument.unwrap_or(""))?,
        CheckedNoOp(check, reason) => {
            for (setting, shown) in check(argument)? {
                options.show_setting(setting, shown);
            }
            options.warn(&format!("-o {given} does nothing: {reason}"));
        }
        NoOp(reason) => options.warn(&format!("-o {given} does nothing: {reason}")),
        Rejected(reason) => options.reject(&format!("-o {given}: {reason}")),
    }
    Ok(())
}

/// memcached's message, with the closest name.
fn unknown(item: &str, given: &str) -> String {
    match nearest(given, NAMES.iter().map(|known| known.name)) {
        Some(nearest) => format!("Illegal suboption \"{item}\" (did you mean \"{nearest}\"?)"),
        None => format!("Illegal suboption \"{item}\""),
    }
}

/// The closest name, if one is close.
pub(super) fn nearest<'a>(given: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |name: &str| strsim::jaro_winkler(name, given);
    names.max_by(|a, b| likeness(a).total_cmp(&likeness(b))).filter(|name| likeness(name) > 0.8)
}

fn set(place: &mut u32, value: u32) -> Result<(), ExitError> {
    *place = value;
    Ok(())
}

fn eviction(options: &mut Options, word: &str) -> Result<(), ExitError> {
    options.guest.store.eviction = match word {
        "lru" => Eviction::Lru,
        "s3fifo" => Eviction::S3Fifo,
        _ => return Err(ExitError::new(exit::FLAG, "eviction must be lru or s3fifo")),
    };
    Ok(())
}

fn set_maintainer(options: &mut Options, on: bool) {
    options.guest.store.eviction = if on { Eviction::S3Fifo } else { Eviction::Lru };
    options.show_setting(Setting::LruMaintainerThread, if on { "yes" } else { "no" }.to_owned());
}

/// Sets the values of memcached's `no_modern`. Names that follow on the command line have their way.
fn no_modern(options: &mut Options) {
    options.reject_fast = false;
    options.crawler = false;
    set_maintainer(options, false);
    options.show_setting(Setting::SlabReassign, "no".to_owned());
    options.show_setting(Setting::SlabAutomove, "0".to_owned());
    if !options.without_effect.iter().any(|(setting, _)| *setting == Setting::SlabChunkMax) {
        options.show_setting(Setting::SlabChunkMax, (1024 * 1024).to_string());
    }
}

fn kibibytes(place: &mut u32, kib: u32) -> Result<(), ExitError> {
    let too_large = || ExitError::new(exit::FLAG, "a log buffer is smaller than 4 GiB");
    *place = kib.checked_mul(1024).ok_or_else(too_large)?;
    Ok(())
}

fn http_port(options: &mut Options, port: u32) -> Result<(), ExitError> {
    if port > 0 {
        options.http.push(ListenAddress::parse(&format!("proto[http]:127.0.0.1:{port}"))?);
    }
    Ok(())
}

fn http_token(options: &mut Options, path: &str) -> Result<(), ExitError> {
    if path.is_empty() {
        return Err(ExitError::new(exit::FLAG, "http_token needs a file: http_token=FILE"));
    }
    options.http_token = Some(path.into());
    Ok(())
}

fn shards(options: &mut Options, count: u32) -> Result<(), ExitError> {
    if count == 0 || count > limits::SHARDS_MAX {
        return Err(ExitError::new(exit::FLAG, format!("shards must be from 1 to {}", limits::SHARDS_MAX)));
    }
    options.shards = Some(count);
    Ok(())
}

fn segment_kib(options: &mut Options, kib: u32) -> Result<(), ExitError> {
    if !(4..=16 * 1024).contains(&kib) || !kib.is_power_of_two() {
        return Err(ExitError::new(exit::FLAG, "segment_size must be a power of two from 4 to 16384"));
    }
    options.guest.store.segment_bytes = kib * 1024;
    Ok(())
}

const fn name(name: &'static str, effect: Effect) -> Extended {
    Extended { name, effect, setting: None }
}

impl Extended {
    const fn shown(self, setting: Setting, value: fn(&Options) -> String) -> Self {
        Self { setting: Some((setting, value)), ..self }
    }
}
