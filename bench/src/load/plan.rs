//! Lists of cells: the bars alone, a default list with each value of each dimension, or the cross product.

use super::cell::Cell;
use super::dataset::Popularity;
use super::driver::Pace;
use super::protocol::Protocol;
use super::workload::Operation::{self, Get, GetMany, GetPipelined, Mixed, Set, SetPipelined};

/// Numbers of keys.
pub const KEYS: [u32; 2] = [100_000, 1_000_000];
/// Bytes per value.
pub const VALUE_BYTES: [usize; 4] = [30, 100, 1000, 100_000];
/// Connections.
pub const CONNECTIONS: [u32; 3] = [20, 200, 1000];
/// Server threads.
pub const THREADS: [u32; 2] = [1, 2];

/// Limit of keys and values together; the number of keys is lowered to stay under it.
pub const PAYLOAD_BYTES_MAX: u64 = 1200 << 20;
/// The largest values, whose cost is copying.
const LARGE_VALUE_BYTES: usize = VALUE_BYTES[3];
/// Their number.
const KEYS_OF_LARGE_VALUES: u32 = 5000;

/// Rate of the open-loop cells: about half of the capacity of one core.
pub const OPEN_RATE: f64 = 40_000.0;

/// A limit on the ratio of server CPU per request, wasmcached to memcached.
#[derive(Clone, Copy, Debug)]
pub struct Bar {
    /// Operation.
    pub operation: Operation,
    /// Value size; the rest is [`Cell::base`].
    pub value_bytes: usize,
    /// Highest ratio that meets the bar.
    pub ratio_max: f64,
}

impl Bar {
    /// The cell where it is measured.
    pub fn cell(&self) -> Cell {
        with_values(Cell::base(self.operation), self.value_bytes)
    }
}

/// The bars on CPU time.
pub const BARS: [Bar; 12] = [
    Bar { operation: Get, value_bytes: 100, ratio_max: 0.85 },
    Bar { operation: GetPipelined, value_bytes: 100, ratio_max: 0.55 },
    Bar { operation: GetMany, value_bytes: 100, ratio_max: 0.55 },
    Bar { operation: Set, value_bytes: 100, ratio_max: 0.9 },
    Bar { operation: SetPipelined, value_bytes: 100, ratio_max: 0.7 },
    Bar { operation: Get, value_bytes: 1000, ratio_max: 0.9 },
    Bar { operation: GetPipelined, value_bytes: 1000, ratio_max: 0.9 },
    Bar { operation: GetMany, value_bytes: 1000, ratio_max: 0.9 },
    Bar { operation: Set, value_bytes: 1000, ratio_max: 0.9 },
    Bar { operation: SetPipelined, value_bytes: 1000, ratio_max: 0.9 },
    Bar { operation: Get, value_bytes: LARGE_VALUE_BYTES, ratio_max: 1.0 },
    Bar { operation: Set, value_bytes: LARGE_VALUE_BYTES, ratio_max: 1.0 },
];

/// Bar on server CPU per request in the meta and binary protocols, relative to the same work in text.
pub const PROTOCOL_RATIO_MAX: f64 = 1.15;

/// Cells in protocols other than text.
pub fn protocols() -> Vec<Cell> {
    let of = |protocol| {
        let operations = [Get, GetPipelined, GetMany, Set, SetPipelined];
        operations.map(|operation| Cell { protocol, ..Cell::base(operation) })
    };
    [Protocol::Meta, Protocol::Binary].into_iter().flat_map(of).collect()
}

/// Cells over TLS.
pub fn encrypted() -> Vec<Cell> {
    let of_get = |value_bytes| with_values(Cell::base(Get), value_bytes);
    let cells = [Cell::base(Get), Cell::base(GetPipelined), of_get(1000), of_get(LARGE_VALUE_BYTES)];
    cells.map(|cell| Cell { encrypted: true, ..cell }).into()
}

/// Bar on the 99.9th percentile of the latency of evicting sets, relative to sets that do not evict.
pub const EVICTING_LATENCY_RATIO_MAX: f64 = 2.0;

/// Sets without and with evictions.
pub fn evicting_pair() -> [Cell; 2] {
    [false, true].map(|scarce| Cell { scarce, ..Cell::base(Set) })
}

fn with_values(cell: Cell, value_bytes: usize) -> Cell {
    // A tenth of the keys for values ten times as large.
    let keys = match value_bytes {
        LARGE_VALUE_BYTES.. => KEYS_OF_LARGE_VALUES,
        1000.. => cell.keys / 10,
        _ => cell.keys,
    };
    Cell { keys, value_bytes, ..cell }
}

/// The cells that have a bar.
pub fn quick() -> Vec<Cell> {
    BARS.iter().map(Bar::cell).chain([evicting_pair()[1]]).chain(protocols()).collect()
}

/// Each value of each dimension, with the operations that depend on it.
pub fn standard() -> Vec<Cell> {
    let mut cells: Vec<Cell> = Operation::ALL.into_iter().map(Cell::base).collect();
    let mut add = |operations: &[Operation], change: &dyn Fn(&mut Cell)| {
        cells.extend(operations.iter().map(|&operation| {
            let mut cell = Cell::base(operation);
            change(&mut cell);
            cell
        }));
    };
    for connections in [200, 1000] {
        add(&[Get, GetPipelined, Set, Mixed], &|cell| cell.connections = connections);
    }
    add(&[Get, GetMany], &|cell| cell.popularity = Popularity::Zipf(0.99));
    add(&[Get, Mixed], &|cell| cell.pace = Pace::Open(OPEN_RATE));
    add(&[Get, GetPipelined, GetMany, SetPipelined], &|cell| cell.keys = 100_000);
    add(&[Get, GetPipelined, GetMany, SetPipelined], &|cell| cell.value_bytes = 30);
    add(&[Get, GetPipelined, GetMany, Set, SetPipelined], &|cell| *cell = with_values(*cell, 1000));
    add(&[Set, SetPipelined], &|cell| cell.scarce = true);
    add(&[Get, Set], &|cell| *cell = with_values(*cell, LARGE_VALUE_BYTES));
    add(&[Get, GetPipelined, SetPipelined, Mixed], &|cell| (cell.connections, cell.threads) = (200, 2));
    cells.extend(protocols());
    cells.extend(encrypted());
    cells
}

/// The whole cross product in text; the other protocols and TLS as in [`standard`].
pub fn full() -> Vec<Cell> {
    let mut cells = Vec::new();
    for threads in THREADS {
        for value_bytes in VALUE_BYTES {
            let mut all_keys: Vec<u32> = KEYS.iter().map(|&keys| fitting(keys, value_bytes)).collect();
            all_keys.dedup();
            for keys in all_keys {
                for connections in CONNECTIONS {
                    cells.extend(Operation::ALL.into_iter().map(|operation| Cell {
                        keys,
                        value_bytes,
                        connections,
                        threads,
                        ..Cell::base(operation)
                    }));
                }
            }
        }
    }
    cells.extend(protocols());
    cells.extend(encrypted());
    cells
}

/// Limits the number of keys to the largest payload.
fn fitting(keys: u32, value_bytes: usize) -> u32 {
    if u64::from(keys) * value_bytes as u64 > PAYLOAD_BYTES_MAX { KEYS_OF_LARGE_VALUES } else { keys }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn values<T: Ord>(cells: &[Cell], of: impl Fn(&Cell) -> T) -> BTreeSet<T> {
        cells.iter().map(of).collect()
    }

    #[test]
    fn lists_meet_each_value_of_each_dimension() {
        for cells in [standard(), full()] {
            assert!(KEYS.iter().all(|keys| values(&cells, |cell| cell.keys).contains(keys)));
            assert_eq!(values(&cells, |cell| cell.value_bytes), VALUE_BYTES.into());
            assert_eq!(values(&cells, |cell| cell.connections), CONNECTIONS.into());
            assert_eq!(values(&cells, |cell| cell.threads), THREADS.into());
            assert_eq!(values(&cells, |cell| cell.operation), Operation::ALL.into());
            assert_eq!(values(&cells, |cell| cell.protocol), Protocol::ALL.into());
            assert_eq!(values(&cells, |cell| cell.encrypted), [false, true].into());
        }
    }

    #[test]
    fn no_cell_is_measured_twice() {
        for cells in [quick(), standard(), full()] {
            assert_eq!(values(&cells, ToString::to_string).len(), cells.len());
        }
    }

    #[test]
    fn data_fits() {
        assert!(full().iter().all(|cell| u64::from(cell.keys) * cell.value_bytes as u64 <= PAYLOAD_BYTES_MAX));
    }
}
