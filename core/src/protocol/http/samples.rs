//! The lines of `/metrics`: families and their samples, in either text.

use super::{MetricsText, encode::Text};
use crate::statistics::{Kind, StatisticValue, Unit};
use alloc::vec::Vec;
use core::fmt::{Display, Formatter, Result, Write};

/// The name of a family, without the suffix of its samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FamilyName {
    pub(super) prefix: &'static str,
    pub(super) stem: &'static str,
    /// The unit, if the stem does not end with it.
    pub(super) unit: &'static str,
}

impl Display for FamilyName {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}{}{}", self.prefix, self.stem, self.unit)
    }
}

/// How a family behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FamilyType {
    /// Its samples have the suffix `_total`.
    Counter,
    Gauge,
    /// Its one sample is 1 and has the suffix `_info`.
    Info,
    /// A counter whose established name has no suffix.
    Unknown,
}

impl From<Kind> for FamilyType {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Counter | Kind::Broadcasts | Kind::Lifetime => Self::Counter,
            Kind::Gauge | Kind::Longest | Kind::Text => Self::Gauge,
        }
    }
}

/// A family: name, type, meaning.
#[derive(Clone, Copy, Debug)]
pub(super) struct Family {
    pub(super) name: FamilyName,
    pub(super) family_type: FamilyType,
    /// The unit that OpenMetrics names.
    pub(super) unit: &'static str,
    pub(super) help: &'static str,
}

impl Family {
    /// A family with memcached's prefix.
    pub(super) const fn known(stem: &'static str, family_type: FamilyType, unit: Unit, help: &'static str) -> Self {
        let name = FamilyName { prefix: "memcached_", stem, unit: "" };
        Self { name, family_type, unit: unit_name(unit), help }
    }
}

/// The unit of a sample.
pub(super) const fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::None => "",
        Unit::Bits => "bits",
        Unit::Bytes => "bytes",
        Unit::Seconds | Unit::Microseconds | Unit::CpuSeconds => "seconds",
    }
}

/// The value of a statistic in the unit of its sample.
pub(super) fn sample_value(value: StatisticValue, unit: Unit) -> StatisticValue {
    match (value, unit) {
        (StatisticValue::Number(microseconds), Unit::Microseconds) => StatisticValue::CpuTime(microseconds),
        (value, _) => value,
    }
}

/// Writes families, one after the other.
pub(super) struct Samples<'a> {
    text: Text<'a>,
    format: MetricsText,
    family: Option<Family>,
}

impl<'a> Samples<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>, format: MetricsText) -> Self {
        Self { text: Text(out), format, family: None }
    }

    /// Begins a family.
    pub(super) fn begin(&mut self, family: Family) {
        let Family { name, family_type, unit, help } = family;
        self.family = Some(family);
        // Writing to a vector cannot fail.
        let _ = match self.format {
            MetricsText::OpenMetrics => {
                let type_name = match family_type {
                    FamilyType::Counter => "counter",
                    FamilyType::Gauge => "gauge",
                    FamilyType::Info => "info",
                    FamilyType::Unknown => "unknown",
                };
                let _ = writeln!(self.text, "# TYPE {name} {type_name}");
                if !unit.is_empty() {
                    let _ = writeln!(self.text, "# UNIT {name} {unit}");
                }
                writeln!(self.text, "# HELP {name} {}", Escaped(help))
            }
            MetricsText::Prometheus => {
                let (suffix, type_name) = match family_type {
                    FamilyType::Counter => ("_total", "counter"),
                    FamilyType::Gauge => ("", "gauge"),
                    FamilyType::Info => ("_info", "gauge"),
                    FamilyType::Unknown => ("", "untyped"),
                };
                let _ = writeln!(self.text, "# HELP {name}{suffix} {help}");
                writeln!(self.text, "# TYPE {name}{suffix} {type_name}")
            }
        };
    }

    /// Writes a sample of the family that was begun.
    pub(super) fn sample(&mut self, labels: &[(&str, &dyn Display)], value: impl Display) {
        let Some(Family { name, family_type, .. }) = self.family else { return };
        let suffix = match family_type {
            FamilyType::Counter => "_total",
            FamilyType::Info => "_info",
            FamilyType::Gauge | FamilyType::Unknown => "",
        };
        let _ = write!(self.text, "{name}{suffix}");
        for (number, (label, value)) in labels.iter().enumerate() {
            let _ = write!(self.text, "{}{label}=\"{value}\"", if number == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.text, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    /// Ends the page.
    pub(super) fn end(&mut self) {
        if self.format == MetricsText::OpenMetrics {
            let _ = self.text.write_str("# EOF\n");
        }
    }
}

/// A text in which OpenMetrics has no quotes.
struct Escaped(&'static str);

impl Display for Escaped {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for (number, part) in self.0.split('"').enumerate() {
            f.write_str(if number == 0 { "" } else { "\\\"" })?;
            f.write_str(part)?;
        }
        Ok(())
    }
}
