//! The statistics of a server and how they are shown. Each is one row of `table.rs` or, for size classes, `classes.rs`.

#[macro_use]
mod row;

mod classes;
mod prefixes;
mod sizes;
mod table;

pub use classes::{CLASSES, Class, ClassCounters, Classes, ITEM_STATISTICS, SLAB_STATISTICS, class_bytes, class_of};
pub use prefixes::{PrefixCounts, PrefixRef, Prefixes};
pub use row::{CounterField, Kind, Origin, Statistic, StatisticValue, Unit};
pub use sizes::{SIZE_STEP_BYTES, Sizes};
pub use table::{Counters, HostStatistics, Numbers, STATISTICS};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{boundary::config::Config, settings::Setting, wire::Reader};
    use alloc::{collections::BTreeSet, string::ToString, vec::Vec};

    fn check_rows<Numbers>(rows: &[Statistic<Numbers>]) {
        let mut names = BTreeSet::new();
        for row in rows {
            assert!(names.insert(row.name), "{} is there twice", row.name);
            assert!(row.help.ends_with('.') && row.help.len() > 1, "{} has no help text", row.name);
        }
    }

    #[test]
    fn rows_have_one_name_and_a_help_text() {
        check_rows(STATISTICS);
        check_rows(ITEM_STATISTICS);
        check_rows(SLAB_STATISTICS);
    }

    /// A page of metrics reads the table in this way.
    #[test]
    fn every_statistic_can_be_read_by_iteration() {
        let numbers = Numbers {
            store: Counters { cmd_get: 3, ..Counters::default() },
            host: HostStatistics { rusage_user: 2_000_001, ..HostStatistics::default() },
            time: 7,
        };
        let value = |name| {
            let row = STATISTICS.iter().find(|row| row.name == name).unwrap();
            (row.kind, row.unit, row.source, row.value(&numbers).to_string())
        };
        assert_eq!(value("cmd_get"), (Kind::Counter, Unit::None, Origin::Store, "3".into()));
        assert_eq!(value("rusage_user"), (Kind::Lifetime, Unit::CpuSeconds, Origin::Host, "2.000001".into()));
        assert_eq!(value("time"), (Kind::Gauge, Unit::Seconds, Origin::Computed, "7".into()));
        assert_eq!(value("version"), (Kind::Text, Unit::None, Origin::Constant, "1.6.45".into()));
        let count = |source| STATISTICS.iter().filter(|row| row.source == source).count();
        assert_eq!((count(Origin::Store), count(Origin::Host)), (Counters::COUNT, HostStatistics::COUNT));
    }

    #[test]
    fn rows_are_shown_where_the_configuration_has_their_subject() {
        let shown = |settings: &[(Setting, &str)]| {
            let settings = settings.iter().map(|&(setting, value)| (setting, value.into())).collect();
            let config = Config { settings, ..Config::default() };
            let rows = STATISTICS.iter().filter(|row| row.source == Origin::Host && (row.is_shown)(&config));
            rows.count()
        };
        let least = shown(&[]);
        assert_eq!(shown(&[(Setting::IdleTimeout, "0")]), least);
        assert_eq!(shown(&[(Setting::IdleTimeout, "9")]), least + 1);
        assert_eq!(shown(&[(Setting::SslSessionCache, "yes")]), least);
        assert_eq!(shown(&[(Setting::SslEnabled, "yes"), (Setting::SslSessionCache, "no")]), least + 3);
        assert_eq!(shown(&[(Setting::SslEnabled, "yes"), (Setting::SslSessionCache, "yes")]), least + 4);
    }

    #[test]
    fn reset_leaves_gauges() {
        let mut counters = Counters { cmd_get: 3, curr_items: 2, ..Counters::default() };
        counters.reset();
        assert_eq!(counters, Counters { curr_items: 2, ..Counters::default() });
        let mut class = ClassCounters { number: 2, evicted: 1, evicted_time: 9, ..ClassCounters::default() };
        class.reset();
        assert_eq!(class, ClassCounters { number: 2, ..ClassCounters::default() });
    }

    #[test]
    fn a_baseline_resets_what_a_reset_resets() {
        let before = HostStatistics { bytes_read: 5, threads: 4, shard_traps: 1, ..HostStatistics::default() };
        let now = HostStatistics { bytes_read: 7, ..before };
        assert_eq!(now.since(&before), HostStatistics { bytes_read: 2, ..before });
        let mut reset = before;
        reset.reset();
        assert_eq!(before.since(&before), reset);
    }

    #[test]
    fn shards_are_merged_by_kind() {
        let first = Counters { cmd_get: 1, curr_items: 2, cmd_flush: 3, ..Counters::default() };
        let second = Counters { cmd_get: 10, curr_items: 20, cmd_flush: 3, ..Counters::default() };
        let mut records = Vec::new();
        first.encode_to(&mut records);
        second.encode_to(&mut records);
        let merged = Counters { cmd_get: 11, curr_items: 22, cmd_flush: 3, ..Counters::default() };
        assert_eq!(Counters::decode_merged(&records), merged);
        assert_eq!(Counters::decode_merged(&[]), Counters::default());
        let class = |number, age| {
            let store = ClassCounters { number, age, ..ClassCounters::default() };
            Class { number: 5, store }
        };
        let mut records = Vec::new();
        Classes([class(1, 30)].into()).encode(&mut records);
        Classes([class(2, 20)].into()).encode(&mut records);
        assert_eq!(Classes::decode_merged(&records).0, [class(3, 30)]);
    }

    #[test]
    fn records_are_read_by_position() {
        let mut record = Vec::new();
        HostStatistics { pid: 9, ..HostStatistics::default() }.encode_to(&mut record);
        assert_eq!(
            HostStatistics::FIELDS[0],
            CounterField { name: "pid", unit: Unit::None, help: "Process id of the server." }
        );
        assert_eq!(record.len(), 4 + 8 * HostStatistics::COUNT);
        assert_eq!(record[4..12], 9u64.to_le_bytes());
        assert_eq!(HostStatistics::decode_from(&mut Reader(&record)).unwrap().pid, 9);
    }
}
