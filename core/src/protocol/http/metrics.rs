//! `/metrics`: every statistic, a family a row.

use super::{
    MetricsText, PageNumbers,
    families::{class_family, server_family},
    samples::{Family, FamilyName, FamilyType, Samples, sample_value},
};
use crate::{
    settings::Setting,
    statistics::{Class, Classes, ITEM_STATISTICS, Numbers, SLAB_STATISTICS, STATISTICS, StatisticValue, Unit},
};
use alloc::{string::String, vec::Vec};

/// Settings that the exporter shows: the setting, and the name behind `memcached_lru_crawler_`.
const SETTINGS: [(Setting, &str, &str); 8] = [
    (Setting::LruCrawler, "lru_crawler_enabled", "Whether expired items are removed in the background."),
    (Setting::LruCrawlerSleep, "lru_crawler_sleep", "Setting lru_crawler_sleep, without effect."),
    (Setting::LruCrawlerTocrawl, "lru_crawler_to_crawl", "Setting lru_crawler_tocrawl, without effect."),
    (Setting::LruMaintainerThread, "lru_crawler_maintainer_thread", "Setting lru_maintainer_thread."),
    (Setting::HotLruPct, "lru_crawler_hot_percent", "Setting hot_lru_pct, without effect."),
    (Setting::WarmLruPct, "lru_crawler_warm_percent", "Setting warm_lru_pct, without effect."),
    (Setting::HotMaxFactor, "lru_crawler_hot_max_factor", "Setting hot_max_factor, without effect."),
    (Setting::WarmMaxFactor, "lru_crawler_warm_max_factor", "Setting warm_max_factor, without effect."),
];

/// Rows before those of the statistics: up, version, build, commands, malloced.
const FIRST_ROWS: usize = 5;
const SETTING_ROW: usize = FIRST_ROWS + STATISTICS.len();
/// Rows that [`PageNumbers::Server`] fills.
pub const SERVER_ROWS: usize = SETTING_ROW + SETTINGS.len();
const SLAB_ROW: usize = SERVER_ROWS + ITEM_STATISTICS.len();
const CLASS_COMMAND_ROW: usize = SLAB_ROW + SLAB_STATISTICS.len();
const LRU_HITS_ROW: usize = CLASS_COMMAND_ROW + 1;
const END_ROW: usize = LRU_HITS_ROW + 1;
/// All rows.
pub const ROWS: usize = END_ROW + 1;

/// Writes the family of a row, if the row has one.
pub(super) fn write_row(out: &mut Vec<u8>, format: MetricsText, row: usize, numbers: &PageNumbers<'_>) {
    let mut samples = Samples::new(out, format);
    match *numbers {
        PageNumbers::Server { config, numbers, settings } => match row {
            ..FIRST_ROWS => first_row(&mut samples, row, numbers),
            FIRST_ROWS..SETTING_ROW => {
                let statistic = &STATISTICS[row - FIRST_ROWS];
                if (statistic.is_shown)(config)
                    && let Some(family) = server_family(statistic)
                {
                    samples.begin(family);
                    samples.sample(&[], sample_value(statistic.value(numbers), statistic.unit));
                }
            }
            _ => setting_row(&mut samples, row - SETTING_ROW, settings),
        },
        PageNumbers::Classes(classes) => match row {
            ..SLAB_ROW => class_row(&mut samples, &ITEM_STATISTICS[row - SERVER_ROWS], classes),
            SLAB_ROW..CLASS_COMMAND_ROW => class_row(&mut samples, &SLAB_STATISTICS[row - SLAB_ROW], classes),
            CLASS_COMMAND_ROW => class_commands(&mut samples, classes),
            LRU_HITS_ROW => lru_hits(&mut samples, classes),
            _ => samples.end(),
        },
    }
}

fn first_row(samples: &mut Samples<'_>, row: usize, numbers: &Numbers) {
    let named = |name| STATISTICS.iter().find(|row| row.name == name).map(|row| row.value(numbers));
    match row {
        0 => {
            samples.begin(Family::known("up", FamilyType::Gauge, Unit::None, "1: the server answers."));
            samples.sample(&[], 1);
        }
        1 => {
            let help = "Version of memcached whose behaviour the server has.";
            samples.begin(Family::known("version", FamilyType::Gauge, Unit::None, help));
            samples.sample(&[("version", &named("version").unwrap_or(StatisticValue::Text("")))], 1);
        }
        2 => {
            let name = FamilyName { prefix: "wasmcached_", stem: "build", unit: "" };
            let (family_type, help) = (FamilyType::Info, "Version of the server.");
            samples.begin(Family { name, family_type, unit: "", help });
            samples.sample(&[("version", &env!("CARGO_PKG_VERSION"))], 1);
        }
        3 => commands(samples, numbers),
        _ => {
            let help = "Bytes of the pools that are taken.";
            samples.begin(Family::known("malloced_bytes", FamilyType::Gauge, Unit::Bytes, help));
            samples.sample(&[], numbers.store.pool_bytes.saturating_sub(numbers.store.pool_free_bytes));
        }
    }
}

fn commands(samples: &mut Samples<'_>, numbers: &Numbers) {
    let store = &numbers.store;
    let help = "Commands by name and outcome.";
    samples.begin(Family::known("commands", FamilyType::Counter, Unit::None, help));
    // `cmd_set` counts cas commands, too.
    let cas = store.cas_misses.saturating_add(store.cas_hits).saturating_add(store.cas_badval);
    for (command, status, count) in [
        ("get", "hit", store.get_hits),
        ("get", "miss", store.get_misses),
        ("set", "hit", store.cmd_set.saturating_sub(cas)),
        ("delete", "hit", store.delete_hits),
        ("delete", "miss", store.delete_misses),
        ("incr", "hit", store.incr_hits),
        ("incr", "miss", store.incr_misses),
        ("decr", "hit", store.decr_hits),
        ("decr", "miss", store.decr_misses),
        ("cas", "hit", store.cas_hits),
        ("cas", "miss", store.cas_misses),
        ("cas", "badval", store.cas_badval),
        ("touch", "hit", store.touch_hits),
        ("touch", "miss", store.touch_misses),
        ("flush", "hit", store.cmd_flush),
    ] {
        samples.sample(&[("command", &command), ("status", &status)], count);
    }
}

fn setting_row(samples: &mut Samples<'_>, row: usize, settings: &[(Setting, String)]) {
    let (setting, name, help) = SETTINGS[row];
    let set = settings.iter().find(|(set, _)| *set == setting);
    let value = match set.map_or(setting.default_value(), |(_, value)| value) {
        "yes" => "1",
        "no" => "0",
        value => value,
    };
    samples.begin(Family::known(name, FamilyType::Gauge, Unit::None, help));
    samples.sample(&[], value);
}

fn class_row(samples: &mut Samples<'_>, statistic: &crate::statistics::Statistic<Class>, classes: &Classes) {
    let Some(family) = class_family(statistic) else { return };
    samples.begin(family);
    for class in &classes.0 {
        let value = sample_value(statistic.value(class), statistic.unit);
        samples.sample(&[("slab", &class.number)], value);
    }
}

fn class_commands(samples: &mut Samples<'_>, classes: &Classes) {
    let help = "Commands on items of a size class, by name and outcome.";
    samples.begin(Family::known("slab_commands", FamilyType::Counter, Unit::None, help));
    for Class { number, store } in &classes.0 {
        let cas = store.cas_hits.saturating_add(store.cas_badval);
        for (command, status, count) in [
            ("get", "hit", store.get_hits),
            ("set", "hit", store.cmd_set.saturating_sub(cas)),
            ("delete", "hit", store.delete_hits),
            ("incr", "hit", store.incr_hits),
            ("decr", "hit", store.decr_hits),
            ("cas", "hit", store.cas_hits),
            ("cas", "badval", store.cas_badval),
            ("touch", "hit", store.touch_hits),
        ] {
            samples.sample(&[("slab", number), ("command", &command), ("status", &status)], count);
        }
    }
}

fn lru_hits(samples: &mut Samples<'_>, classes: &Classes) {
    let help = "Reads that found an item of a size class: there is one queue, memcached's cold one.";
    samples.begin(Family::known("slab_lru_hits", FamilyType::Counter, Unit::None, help));
    for Class { number, store } in &classes.0 {
        for (lru, count) in [("hot", 0), ("warm", 0), ("cold", store.get_hits), ("temporary", 0)] {
            samples.sample(&[("slab", number), ("lru", &lru)], count);
        }
    }
}
