//! Values of names of `-o` without effect. They are checked as in memcached, with its messages, so that mistakes are found;
//! `stats settings` shows them.

use crate::exit::{self, ExitError};
use std::ops::RangeInclusive;
use wasmcached_core::settings::Setting;

/// Checks the value; returns the lines of `stats settings` that show it.
pub(super) type Check = fn(Option<&str>) -> Checked;
type Checked = Result<Vec<(Setting, String)>, ExitError>;

/// Any number of 32 bits.
const U32: RangeInclusive<i64> = 0..=u32::MAX as i64;

pub(super) fn hash_power(value: Option<&str>) -> Checked {
    let power = value.filter(|text| !text.is_empty()).ok_or_else(|| missing_number("hashpower"))?;
    let power = whole("hashpower", Some(power), "hashpower: not a number", i64::MIN..=i64::MAX)?;
    match power {
        ..12 => reject(format!("Initial hashtable multiplier of {power} is too low")),
        33.. => reject(format!(
            "Initial hashtable multiplier of {power} is too high\n\
            Choose a value based on \"STAT hash_power_level\" from a running instance"
        )),
        _ => shown(Setting::HashPowerInit, power),
    }
}

/// `stats settings` shows the hash of this server instead.
pub(super) fn hash_algorithm(value: Option<&str>) -> Checked {
    match value {
        None => reject(missing("hash_algorithm")),
        Some("jenkins" | "murmur3" | "xxh3") => Ok(Vec::new()),
        Some(_) => reject("Unknown hash_algorithm option (jenkins, murmur3, xxh3)"),
    }
}

pub(super) fn slab_reassign(_: Option<&str>) -> Checked {
    shown(Setting::SlabReassign, "yes")
}

pub(super) fn no_slab_reassign(_: Option<&str>) -> Checked {
    shown(Setting::SlabReassign, "no")
}

pub(super) fn slab_automove(value: Option<&str>) -> Checked {
    let level = whole("slab_automove", value.or(Some("1")), "slab_automove must be between 0 and 2", 0..=2)?;
    shown(Setting::SlabAutomove, level)
}

pub(super) fn no_slab_automove(_: Option<&str>) -> Checked {
    shown(Setting::SlabAutomove, "0")
}

pub(super) fn slab_automove_ratio(value: Option<&str>) -> Checked {
    let ratio = fraction("slab_automove_ratio", value, "slab_automove_ratio must be > 0 and < 1")?;
    match ratio {
        ratio if ratio > 0.0 && ratio <= 1.0 => shown(Setting::SlabAutomoveRatio, format!("{ratio:.2}")),
        _ => reject("slab_automove_ratio must be > 0 and < 1"),
    }
}

pub(super) fn slab_automove_window(value: Option<&str>) -> Checked {
    let message = "slab_automove_window must be > 2 and < 1800";
    shown(Setting::SlabAutomoveWindow, whole("slab_automove_window", value, message, 3..=1799)?)
}

pub(super) fn slab_automove_freeratio(value: Option<&str>) -> Checked {
    fraction("slab_automove_freeratio", value, &unparsed("slab_automove_freeratio"))?;
    Ok(Vec::new())
}

pub(super) fn slab_sizes(value: Option<&str>) -> Checked {
    let mut last = 0;
    for text in value.ok_or_else(|| flag_error(missing("slab_sizes")))?.split('-') {
        let out_of_range = format!("slab size {text} is out of valid range");
        let size = whole("slab_sizes", Some(text), &out_of_range, 1..=i64::from(u32::MAX)).map_err(as_usage)?;
        if size <= last {
            let message = format!("slab size {size} cannot be lower than or equal to a previous class size");
            return Err(ExitError::new(exit::USAGE, message));
        }
        last = size;
    }
    Ok(Vec::new())
}

pub(super) fn slab_chunk_max(value: Option<&str>) -> Checked {
    let kib = whole("slab_chunk_max", value, &unparsed("slab_chunk_max"), U32)?;
    match kib {
        0 => reject("slab_chunk_max must be >= 0"),
        1..=1024 => shown(Setting::SlabChunkMax, kib * 1024),
        _ => reject("slab_chunk_max must be specified in kilobytes."),
    }
}

pub(super) fn no_chunked_items(_: Option<&str>) -> Checked {
    shown(Setting::SlabChunkMax, 1024 * 1024)
}

pub(super) fn tail_repair_time(value: Option<&str>) -> Checked {
    let value = value.ok_or_else(|| missing_number("tail_repair_time"))?;
    let message = "Cannot set tail_repair_time to less than 10 seconds";
    shown(Setting::TailRepairTime, whole("tail_repair_time", Some(value), message, 10..=i64::from(i32::MAX))?)
}

pub(super) fn lru_crawler_sleep(value: Option<&str>) -> Checked {
    let value = value.ok_or_else(|| flag_error("Missing lru_crawler_sleep value"))?;
    let message = "LRU crawler sleep must be between 0 and 1 second";
    shown(Setting::LruCrawlerSleep, whole("lru_crawler_sleep", Some(value), message, 0..=1_000_000)?)
}

pub(super) fn lru_crawler_tocrawl(value: Option<&str>) -> Checked {
    let value = value.ok_or_else(|| flag_error("Missing lru_crawler_tocrawl value"))?;
    let message = "lru_crawler_tocrawl takes a numeric 32bit value";
    shown(Setting::LruCrawlerTocrawl, whole("lru_crawler_tocrawl", Some(value), message, U32)?)
}

pub(super) fn hot_lru_pct(value: Option<&str>) -> Checked {
    shown(Setting::HotLruPct, whole("hot_lru_pct", value, "hot_lru_pct must be > 1 and < 80", 1..=79)?)
}

pub(super) fn warm_lru_pct(value: Option<&str>) -> Checked {
    shown(Setting::WarmLruPct, whole("warm_lru_pct", value, "warm_lru_pct must be > 1 and < 80", 1..=79)?)
}

pub(super) fn hot_max_factor(value: Option<&str>) -> Checked {
    shown(Setting::HotMaxFactor, factor("hot_max_factor", value)?)
}

pub(super) fn warm_max_factor(value: Option<&str>) -> Checked {
    shown(Setting::WarmMaxFactor, factor("warm_max_factor", value)?)
}

pub(super) fn temporary_ttl(value: Option<&str>) -> Checked {
    let seconds = whole("temporary_ttl", value, "temporary_ttl: not a number of seconds", U32)?;
    Ok(vec![(Setting::TempLru, "yes".to_owned()), (Setting::TemporaryTtl, seconds.to_string())])
}

pub(super) fn read_buf_mem_limit(value: Option<&str>) -> Checked {
    let mebibytes = whole("read_buf_mem_limit", value, &unparsed("read_buf_mem_limit"), U32)?;
    shown(Setting::ReadBufMemLimit, mebibytes << 20)
}

pub(super) fn sock_cookie_id(value: Option<&str>) -> Checked {
    whole("sock_cookie_id", value, &unparsed("sock_cookie_id"), U32).map(|_| Vec::new())
}

pub(super) fn ext_path(value: Option<&str>) -> Checked {
    let Some(value) = value else { return reject("missing argument to ext_path, ie: ext_path=/d/file:5G") };
    let size = value.rsplit_once(':').map_or("", |(_, size)| size);
    let (digits, unit) = size.split_at(size.len().saturating_sub(1));
    let is_size = digits.parse::<u32>().is_ok() && matches!(unit.to_ascii_lowercase().as_str(), "m" | "g" | "t" | "p");
    if is_size {
        return Ok(Vec::new());
    }
    reject(
        "must supply size to ext_path, ie: ext_path=/f/e:64m (M|G|T|P supported)\n\
        failed to parse ext_path argument",
    )
}

/// Checks that concern several names.
///
/// # Errors
/// Names that contradict each other.
pub(super) fn check_together(given: &[(Setting, String)]) -> Result<(), ExitError> {
    let value = |wanted| given.iter().rev().find(|(setting, _)| *setting == wanted).map(|(_, value)| value.as_str());
    let percent = |setting, default| value(setting).and_then(|text| text.parse().ok()).unwrap_or(default);
    if percent(Setting::HotLruPct, 20) + percent(Setting::WarmLruPct, 40) > 80 {
        let message = "hot_lru_pct + warm_lru_pct cannot be more than 80% combined";
        return Err(ExitError::new(exit::USAGE, message));
    }
    if value(Setting::TempLru) == Some("yes") && value(Setting::LruMaintainerThread) == Some("no") {
        return Err(ExitError::new(exit::USAGE, "temporary_ttl requires lru_maintainer to be enabled"));
    }
    Ok(())
}

macro_rules! unshown_numbers {
    ($($name:ident)*) => {
        $(pub(super) fn $name(value: Option<&str>) -> Checked {
            let name = stringify!($name);
            whole(name, value, &unparsed(name), U32).map(|_| Vec::new())
        })*
    };
}

unshown_numbers! {
    ext_page_size ext_wbuf_size ext_threads ext_io_depth ext_item_size ext_item_age ext_low_ttl ext_recache_rate ext_compact_under
    ext_drop_under ext_max_sleep
}

pub(super) fn ext_max_frag(value: Option<&str>) -> Checked {
    fraction("ext_max_frag", value, &unparsed("ext_max_frag")).map(|_| Vec::new())
}

fn flag_error(message: impl Into<String>) -> ExitError {
    ExitError::new(exit::FLAG, message)
}

fn reject<T>(message: impl Into<String>) -> Result<T, ExitError> {
    Err(flag_error(message))
}

fn as_usage(error: ExitError) -> ExitError {
    ExitError { code: exit::USAGE, ..error }
}

fn missing(name: &str) -> String {
    format!("Missing {name} argument")
}

fn missing_number(name: &str) -> ExitError {
    flag_error(format!("Missing numeric argument for {name}"))
}

fn unparsed(name: &str) -> String {
    format!("could not parse argument to {name}")
}

fn shown(setting: Setting, value: impl ToString) -> Checked {
    Ok(vec![(setting, value.to_string())])
}

/// A whole number of `range`; else `message`.
fn whole(name: &str, value: Option<&str>, message: &str, range: RangeInclusive<i64>) -> Result<i64, ExitError> {
    let text = value.ok_or_else(|| flag_error(missing(name)))?;
    text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| flag_error(message))
}

/// A number that may have a fraction; else `message`.
fn fraction(name: &str, value: Option<&str>, message: &str) -> Result<f64, ExitError> {
    let text = value.ok_or_else(|| flag_error(missing(name)))?;
    text.parse().ok().filter(|number: &f64| number.is_finite()).ok_or_else(|| flag_error(message))
}

fn factor(name: &str, value: Option<&str>) -> Result<String, ExitError> {
    let message = format!("{name} must be > 0");
    match fraction(name, value, &message)? {
        number if number > 0.0 => Ok(format!("{number:.2}")),
        _ => reject(message),
    }
}
