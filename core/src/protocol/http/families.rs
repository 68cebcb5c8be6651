//! Names of families. Those of Prometheus' memcached_exporter, so that dashboards and alerts for memcached work
//! unchanged; every other statistic has its own name behind `wasmcached_`. A new row of the tables of
//! [`crate::statistics`] needs nothing here.

use super::samples::{Family, FamilyName, FamilyType, unit_name};
use crate::statistics::{Kind, Origin, Statistic, Unit};

/// Statistics with an established name: the statistic, and the name behind `memcached_`.
const SERVER_NAMES: [(&str, &str); 29] = [
    ("uptime", "uptime_seconds"),
    ("time", "time_seconds"),
    ("rusage_user", "process_user_cpu_seconds"),
    ("rusage_system", "process_system_cpu_seconds"),
    ("max_connections", "max_connections"),
    ("curr_connections", "current_connections"),
    ("total_connections", "connections"),
    ("rejected_connections", "connections_rejected"),
    ("conn_yields", "connections_yielded"),
    ("listen_disabled_num", "connections_listener_disabled"),
    ("accepting_conns", "accepting_conns"),
    ("bytes_read", "read_bytes"),
    ("bytes_written", "written_bytes"),
    ("bytes", "current_bytes"),
    ("limit_maxbytes", "limit_bytes"),
    ("curr_items", "current_items"),
    ("total_items", "items"),
    ("evictions", "items_evicted"),
    ("reclaimed", "items_reclaimed"),
    ("store_too_large", "item_too_large"),
    ("store_no_memory", "item_no_memory"),
    ("direct_reclaims", "direct_reclaims"),
    ("lru_crawler_starts", "lru_crawler_starts"),
    ("crawler_reclaimed", "lru_crawler_reclaimed"),
    ("crawler_items_checked", "lru_crawler_items_checked"),
    ("moves_to_cold", "lru_crawler_moves_to_cold"),
    ("moves_to_warm", "lru_crawler_moves_to_warm"),
    ("moves_within_lru", "lru_crawler_moves_within_lru"),
    ("round_robin_fallback", "round_robin_fallback"),
];

/// Statistics that are samples of `memcached_commands`, or sums of them.
const IN_COMMANDS: [&str; 17] = [
    "cmd_get",
    "cmd_set",
    "cmd_flush",
    "cmd_touch",
    "get_hits",
    "get_misses",
    "delete_misses",
    "delete_hits",
    "incr_misses",
    "incr_hits",
    "decr_misses",
    "decr_hits",
    "cas_misses",
    "cas_hits",
    "cas_badval",
    "touch_hits",
    "touch_misses",
];

/// Statistics of a size class with an established name behind `memcached_slab_`.
const CLASS_NAMES: [(&str, &str); 27] = [
    ("number", "current_items"),
    ("number_hot", "hot_items"),
    ("number_warm", "warm_items"),
    ("number_cold", "cold_items"),
    ("age_hot", "hot_age_seconds"),
    ("age_warm", "warm_age_seconds"),
    ("age", "items_age_seconds"),
    ("mem_requested", "mem_requested_bytes"),
    ("evicted", "items_evicted"),
    ("evicted_nonzero", "items_evicted_nonzero"),
    ("evicted_time", "items_evicted_time_seconds"),
    ("evicted_unfetched", "items_evicted_unfetched"),
    ("expired_unfetched", "items_expired_unfetched"),
    ("outofmemory", "items_outofmemory"),
    ("tailrepairs", "items_tailrepairs"),
    ("reclaimed", "items_reclaimed"),
    ("crawler_reclaimed", "items_crawler_reclaimed"),
    ("moves_to_cold", "items_moves_to_cold"),
    ("moves_to_warm", "items_moves_to_warm"),
    ("moves_within_lru", "items_moves_within_lru"),
    ("chunk_size", "chunk_size_bytes"),
    ("chunks_per_page", "chunks_per_page"),
    ("total_pages", "current_pages"),
    ("total_chunks", "current_chunks"),
    ("used_chunks", "chunks_used"),
    ("free_chunks", "chunks_free"),
    ("free_chunks_end", "chunks_free_end"),
];

/// Counters whose established name lacks the suffix that OpenMetrics asks for.
const WITHOUT_SUFFIX: [&str; 3] = ["items_moves_to_cold", "items_moves_to_warm", "items_moves_within_lru"];

/// Statistics of a size class that are samples of `memcached_slab_commands` or `memcached_slab_lru_hits`.
const IN_CLASS_COMMANDS: [&str; 12] = [
    "get_hits",
    "cmd_set",
    "delete_hits",
    "incr_hits",
    "decr_hits",
    "cas_hits",
    "cas_badval",
    "touch_hits",
    "hits_to_hot",
    "hits_to_warm",
    "hits_to_cold",
    "hits_to_temp",
];

/// Names of our own in place of those of the statistics: one says another unit, two end as histograms do.
const OWN_STEMS: [(&str, &str); 3] = [
    ("time_in_listen_disabled_us", "listen_disabled"),
    ("response_obj_count", "response_objs"),
    ("read_buf_count", "read_bufs"),
];

/// The family of a statistic of the server. `None`: other families show it, it is a text, or it never changes, as the size
/// of a pointer.
pub(super) fn server_family<Numbers>(row: &Statistic<Numbers>) -> Option<Family> {
    if row.kind == Kind::Text || row.unit == Unit::Bits || IN_COMMANDS.contains(&row.name) {
        return None;
    }
    family(row, &SERVER_NAMES, "memcached_", "wasmcached_")
}

/// The same for a statistic of a size class.
pub(super) fn class_family<Numbers>(row: &Statistic<Numbers>) -> Option<Family> {
    if IN_CLASS_COMMANDS.contains(&row.name) {
        return None;
    }
    family(row, &CLASS_NAMES, "memcached_slab_", "wasmcached_slab_items_")
}

fn family<Numbers>(
    row: &Statistic<Numbers>,
    names: &[(&str, &'static str)],
    known_prefix: &'static str,
    own_prefix: &'static str,
) -> Option<Family> {
    let (help, unit) = (row.help, unit_name(row.unit));
    let known = names.iter().find(|(name, _)| *name == row.name);
    if let Some(&(_, stem)) = known {
        let is_unknown = WITHOUT_SUFFIX.contains(&stem);
        let family_type = if is_unknown { FamilyType::Unknown } else { row.kind.into() };
        let name = FamilyName { prefix: known_prefix, stem, unit: "" };
        return Some(Family { name, family_type, unit, help });
    }
    if row.source == Origin::Constant {
        return None;
    }
    let stem = OWN_STEMS.iter().find(|(name, _)| *name == row.name).map_or(row.name, |&(_, stem)| stem);
    let suffix = match row.unit {
        Unit::None | Unit::Bits => "",
        _ if stem.ends_with(unit) => "",
        Unit::Bytes => "_bytes",
        Unit::Seconds | Unit::Microseconds | Unit::CpuSeconds => "_seconds",
    };
    let name = FamilyName { prefix: own_prefix, stem, unit: suffix };
    Some(Family { name, family_type: row.kind.into(), unit, help })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::{ITEM_STATISTICS, SLAB_STATISTICS, STATISTICS};
    use alloc::{collections::BTreeSet, string::ToString};

    #[test]
    fn names_are_of_statistics_that_exist() {
        let is_row = |name: &str| STATISTICS.iter().any(|row| row.name == name);
        let named = SERVER_NAMES.iter().chain(&OWN_STEMS).map(|(name, _)| *name);
        named.chain(IN_COMMANDS).for_each(|name| assert!(is_row(name), "{name}"));
        let is_row = |name: &str| ITEM_STATISTICS.iter().chain(SLAB_STATISTICS).any(|row| row.name == name);
        let named = CLASS_NAMES.iter().map(|(name, _)| *name);
        named.chain(IN_CLASS_COMMANDS).for_each(|name| assert!(is_row(name), "{name}"));
    }

    #[test]
    fn families_have_names_of_their_own_that_end_with_their_unit() {
        let of_classes = ITEM_STATISTICS.iter().chain(SLAB_STATISTICS).filter_map(class_family);
        let mut names = BTreeSet::new();
        for family in STATISTICS.iter().filter_map(server_family).chain(of_classes) {
            let name = family.name.to_string();
            assert!(name.ends_with(family.unit) && !name.ends_with("_total"), "{name}");
            assert!(names.insert(name.clone()), "{name} is there twice");
        }
        for name in ["wasmcached_listen_disabled_seconds", "wasmcached_shard_traps", "wasmcached_pool_bytes"] {
            assert!(names.contains(name), "{name}");
        }
    }
}
