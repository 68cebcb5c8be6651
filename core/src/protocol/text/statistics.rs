//! The lines of `stats` and its groups. Names and values of statistics come from the tables of [`crate::statistics`].

use crate::{
    boundary::{
        config::Config,
        host::{ConnectionRecord, ConnectionState},
    },
    clock::Time,
    settings::Setting,
    statistics::{
        Classes, Counters, HostStatistics, ITEM_STATISTICS, Numbers, PrefixCounts, SLAB_STATISTICS, STATISTICS,
    },
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

/// `stats`.
pub fn answer_general(out: &mut Vec<u8>, config: &Config, counters: &Counters, host: &HostStatistics, time: &Time) {
    let numbers = Numbers { store: *counters, host: *host, time: time.unix(time.now) };
    let mut l = Lines(out);
    for statistic in STATISTICS.iter().filter(|statistic| (statistic.is_shown)(config)) {
        l.put(statistic.name, statistic.value(&numbers));
    }
    l.end();
}

/// `stats settings`.
pub fn answer_settings(out: &mut Vec<u8>, settings: &[(Setting, String)]) {
    let mut l = Lines(out);
    for setting in Setting::ALL {
        let configured = settings.iter().find(|(configured, _)| configured == setting);
        let value = configured.map_or(setting.default_value(), |(_, value)| value);
        if !value.is_empty() {
            l.put(setting.name(), value);
        }
    }
    l.end();
}

/// `stats items`: one block for each size class that holds something.
pub fn answer_classes(out: &mut Vec<u8>, classes: &Classes) {
    let mut l = Lines(out);
    for class in classes.0.iter().filter(|class| class.store.number > 0) {
        for statistic in ITEM_STATISTICS {
            l.put(format_args!("items:{}:{}", class.number, statistic.name), statistic.value(class));
        }
    }
    l.end();
}

/// `stats slabs`. A class that holds nothing any more is still shown: tools divide its counters.
pub fn answer_slabs(out: &mut Vec<u8>, classes: &Classes, counters: &Counters) {
    let mut l = Lines(out);
    for class in &classes.0 {
        for statistic in SLAB_STATISTICS {
            l.put(format_args!("{}:{}", class.number, statistic.name), statistic.value(class));
        }
    }
    l.put("active_slabs", classes.0.iter().filter(|class| class.store.number > 0).count());
    l.put("total_malloced", counters.pool_bytes.saturating_sub(counters.pool_free_bytes));
    l.end();
}

/// A line of `stats sizes`.
pub fn answer_size(out: &mut Vec<u8>, bytes: u64, count: u64) {
    Lines(out).put(bytes, count);
}

/// `stats sizes` of a server that does not track sizes.
pub fn answer_sizes_disabled(out: &mut Vec<u8>) {
    Lines(out).put("sizes_status", "disabled");
}

/// The lines of a connection in `stats conns`.
pub fn answer_connection(out: &mut Vec<u8>, record: &ConnectionRecord) {
    let mut l = Lines(out);
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

/// A line of `stats detail dump`.
pub fn answer_prefix(out: &mut Vec<u8>, prefix: &[u8], counts: &PrefixCounts) {
    out.extend_from_slice(b"PREFIX ");
    out.extend_from_slice(prefix);
    let PrefixCounts { gets, hits, sets, deletes } = counts;
    // Writing to a vector cannot fail.
    let _ = write!(Lines(out), " get {gets} hit {hits} set {sets} del {deletes}\r\n");
}
