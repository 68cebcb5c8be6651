//! The row of a table of statistics, and the macros that make structs, records and lines of rows.

use crate::boundary::config::Config;
use core::fmt::{Display, Formatter, Result};

/// How a statistic behaves under `stats reset` and when the numbers of several shards are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Counts what happened since the last reset.
    Counter,
    /// Counts the commands that every shard executes, so merging keeps the number of one shard.
    Broadcasts,
    /// Counts what happened since the start: a reset leaves it.
    Lifetime,
    /// A state: a reset leaves it.
    Gauge,
    /// A duration since or before the last use: merging keeps the longest.
    Longest,
    /// A text.
    Text,
}

impl Kind {
    /// The number after `stats reset`.
    #[inline]
    pub const fn after_reset(self, number: u64) -> u64 {
        match self {
            Self::Counter | Self::Broadcasts | Self::Longest => 0,
            Self::Lifetime | Self::Gauge | Self::Text => number,
        }
    }

    /// The number of two shards together.
    #[inline]
    pub const fn merged(self, number: u64, other: u64) -> u64 {
        match self {
            Self::Counter | Self::Lifetime | Self::Gauge => number.wrapping_add(other),
            Self::Broadcasts | Self::Text => number,
            Self::Longest => {
                if number < other {
                    other
                } else {
                    number
                }
            }
        }
    }

    /// The number of two parts of one shard: each counts what the other does not.
    #[inline]
    pub const fn accumulated(self, number: u64, other: u64) -> u64 {
        match self {
            Self::Broadcasts => number.wrapping_add(other),
            _ => self.merged(number, other),
        }
    }

    /// The number since a reset at which it was `before`, for a source that keeps counting.
    #[inline]
    pub const fn since(self, number: u64, before: u64) -> u64 {
        match self {
            Self::Counter | Self::Broadcasts => number.wrapping_sub(before),
            Self::Lifetime | Self::Gauge | Self::Longest | Self::Text => number,
        }
    }
}

/// The unit of a statistic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A plain number, or a text.
    None,
    /// Bits.
    Bits,
    /// Bytes.
    Bytes,
    /// Seconds; a point in time is Unix time.
    Seconds,
    /// Microseconds.
    Microseconds,
    /// Microseconds in a record, seconds with six decimals where they are shown.
    CpuSeconds,
}

/// Where a statistic comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The stores count or measure it.
    Store,
    /// The host counts or measures it.
    Host,
    /// It follows from other numbers.
    Computed,
    /// It is the same always: memcached's value where this engine does not have the thing that is counted.
    Constant,
}

/// The value of a statistic, as `stats` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatisticValue {
    /// A number.
    Number(u64),
    /// Microseconds, shown as seconds with six decimals.
    CpuTime(u64),
    /// A text.
    Text(&'static str),
}

impl From<u64> for StatisticValue {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<&'static str> for StatisticValue {
    fn from(text: &'static str) -> Self {
        Self::Text(text)
    }
}

impl Display for StatisticValue {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::CpuTime(microseconds) => write!(f, "{}.{:06}", microseconds / 1_000_000, microseconds % 1_000_000),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// A row: one statistic, whose value is a function of `Numbers`.
#[derive(Clone, Copy, Debug)]
pub struct Statistic<Numbers> {
    /// The name on the wire.
    pub name: &'static str,
    /// See [`Kind`].
    pub kind: Kind,
    /// See [`Unit`].
    pub unit: Unit,
    /// The meaning, in a sentence.
    pub help: &'static str,
    /// See [`Origin`].
    pub source: Origin,
    /// Whether a server with this configuration shows it.
    pub is_shown: fn(&Config) -> bool,
    read: fn(&Numbers) -> StatisticValue,
}

impl<Numbers> Statistic<Numbers> {
    /// A row that is always shown.
    pub(super) const fn new(
        (name, kind, unit, help): (&'static str, Kind, Unit, &'static str),
        (source, read): (Origin, fn(&Numbers) -> StatisticValue),
    ) -> Self {
        Self { name, kind, unit, help, source, is_shown: |_| true, read }
    }

    /// The row, shown on a condition.
    pub(super) const fn shown_if(self, is_shown: fn(&Config) -> bool) -> Self {
        Self { is_shown, ..self }
    }

    /// The value.
    pub fn value(&self, numbers: &Numbers) -> StatisticValue {
        match ((self.read)(numbers), self.unit) {
            (StatisticValue::Number(microseconds), Unit::CpuSeconds) => StatisticValue::CpuTime(microseconds),
            (value, _) => value,
        }
    }
}

/// A number of a record that crosses the boundary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CounterField {
    /// The name of the statistic.
    pub name: &'static str,
    /// See [`Unit`].
    pub unit: Unit,
    /// See [`Statistic::help`].
    pub help: &'static str,
}

impl CounterField {
    pub(super) const NONE: Self = Self { name: "", unit: Unit::None, help: "" };
}

/// Whether the numbers of a record's fields are 0, 1, 2, … in any order.
pub(super) const fn is_numbering(numbers: &[usize]) -> bool {
    let mut wanted = 0;
    while wanted < numbers.len() {
        let mut at = 0;
        while at < numbers.len() && numbers[at] != wanted {
            at += 1;
        }
        if at == numbers.len() {
            return false;
        }
        wanted += 1;
    }
    true
}

/// Makes a struct of numbers from rows: its fields, reset, merge, and the record that crosses the boundary. The number
/// of a row is the position in the record. It never changes, so that ends of different versions understand each other.
macro_rules! numbers {
    ($(#[$meta:meta])* $struct:ident {
        $(#[doc = $help:literal] $kind:ident $name:ident $unit:ident [$number:literal])*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $struct { $(#[doc = $help] pub $name: u64,)* }

        const _: () = assert!($crate::statistics::row::is_numbering(&[$($number),*]), "a number is missing or doubled");

        impl $struct {
            /// How many numbers the record has.
            pub const COUNT: usize = [$($number),*].len();

            /// The fields of the record, in its order.
            pub const FIELDS: [$crate::statistics::CounterField; Self::COUNT] = {
                use $crate::statistics::{CounterField, Unit};
                let mut fields = [CounterField::NONE; Self::COUNT];
                $(fields[$number] = CounterField { name: stringify!($name), unit: Unit::$unit, help: $help.trim_ascii() };)*
                fields
            };

            /// `stats reset`.
            pub fn reset(&mut self) {
                $(self.$name = $crate::statistics::Kind::$kind.after_reset(self.$name);)*
            }

            /// The numbers since a reset at which they were `before`, for a source that keeps counting.
            #[must_use]
            pub fn since(&self, before: &Self) -> Self {
                Self { $($name: $crate::statistics::Kind::$kind.since(self.$name, before.$name),)* }
            }

            /// Adds the numbers of another shard.
            pub fn merge(&mut self, other: &Self) {
                $(self.$name = $crate::statistics::Kind::$kind.merged(self.$name, other.$name);)*
            }

            /// Adds the numbers of another part of the same shard.
            pub fn accumulate(&mut self, other: &Self) {
                $(self.$name = $crate::statistics::Kind::$kind.accumulated(self.$name, other.$name);)*
            }

            /// Appends the record.
            pub fn encode_to(&self, out: &mut alloc::vec::Vec<u8>) {
                let mut numbers = [0; Self::COUNT];
                $(numbers[$number] = self.$name;)*
                $crate::wire::Writer(out).counters(&numbers);
            }

            /// Takes a record from the front of `r`; `None` at the end. A number that the writer does not know is zero.
            pub fn decode_from(r: &mut $crate::wire::Reader<'_>) -> Option<Self> {
                let numbers: [u64; Self::COUNT] = r.counters()?;
                Some(Self { $($name: numbers[$number],)* })
            }
        }
    };
}

/// The source of a row, and the function that reads the value from `$numbers`.
macro_rules! source {
    ($numbers:ty, $name:ident store $number:literal) => {
        ($crate::statistics::Origin::Store, |numbers: &$numbers| {
            $crate::statistics::StatisticValue::Number(numbers.store.$name)
        })
    };
    ($numbers:ty, $name:ident host $number:literal) => {
        ($crate::statistics::Origin::Host, |numbers: &$numbers| {
            $crate::statistics::StatisticValue::Number(numbers.host.$name)
        })
    };
    ($numbers:ty, $name:ident computed $read:expr) => {
        ($crate::statistics::Origin::Computed, |numbers: &$numbers| {
            let read: fn(&$numbers) -> u64 = $read;
            $crate::statistics::StatisticValue::Number(read(numbers))
        })
    };
    ($numbers:ty, $name:ident constant $value:expr) => {
        ($crate::statistics::Origin::Constant, |_: &$numbers| $crate::statistics::StatisticValue::from($value))
    };
}
