//! The targets for eight server threads on cores of their own.

use super::samples::{OURS, Sample, Samples};
use crate::load::findings::digits;
use crate::load::workload::Operation;

/// Server threads at which the targets apply.
const THREADS: u32 = 8;

/// A target, with its bound for each work in the order of [`Operation::ALL`].
struct Target {
    name: &'static str,
    bound: Bound,
    measured: fn(&Samples, &Sample) -> Option<f64>,
}

#[derive(Clone, Copy)]
enum Bound {
    AtLeast([f64; 6]),
    AtMost([f64; 6]),
}

const TARGETS: [Target; 5] = [
    Target {
        name: "rate to that of one thread, at least",
        bound: Bound::AtLeast([7.0; 6]),
        measured: |samples, ours| samples.rate_to_one(ours),
    },
    Target {
        name: "rate to memcached's, at least",
        bound: Bound::AtLeast([1.25, 1.7, 1.9, 2.3, 8.0, 1.3]),
        measured: |samples, ours| samples.to_memcached(ours, |numbers| numbers.rate),
    },
    Target {
        name: "rate to the fastest other server's, at least",
        bound: Bound::AtLeast([1.0; 6]),
        measured: |samples, ours| samples.rate_to_fastest(ours),
    },
    Target {
        name: "server CPU to that of one thread, at most",
        bound: Bound::AtMost([1.15; 6]),
        measured: |samples, ours| samples.cpu_to_one(ours),
    },
    Target {
        name: "p99.9 to memcached's, at most",
        bound: Bound::AtMost([1.0; 6]),
        measured: |samples, ours| samples.to_memcached(ours, |numbers| numbers.p999_us),
    },
];

impl Bound {
    fn value(self, at: usize) -> f64 {
        match self {
            Self::AtLeast(bounds) | Self::AtMost(bounds) => bounds[at],
        }
    }

    fn is_met(self, at: usize, measured: f64) -> bool {
        match self {
            Self::AtLeast(bounds) => measured >= bounds[at],
            Self::AtMost(bounds) => measured <= bounds[at],
        }
    }
}

/// The table of targets: head, then a row for each. `None` if nothing was measured at which they apply.
pub fn rows(samples: &Samples) -> Option<Vec<Vec<String>>> {
    let operations = samples.operations();
    let ours = |operation| samples.find(OURS, operation, THREADS).filter(|sample| !sample.is_shared);
    operations.iter().find_map(|&operation| ours(operation))?;
    let mut rows = vec![vec![format!("target for -t {THREADS}")]];
    rows[0].extend(operations.iter().map(|operation| operation.name().to_owned()));
    for target in &TARGETS {
        let mut row = vec![target.name.to_owned()];
        for (at, operation) in Operation::ALL.into_iter().enumerate().filter(|(_, one)| operations.contains(one)) {
            let measured = ours(operation).and_then(|sample| (target.measured)(samples, sample));
            row.push(measured.map_or("-".into(), |measured| shown(target.bound, at, measured)));
        }
        rows.push(row);
    }
    Some(rows)
}

fn shown(bound: Bound, at: usize, measured: f64) -> String {
    let verdict = if bound.is_met(at, measured) { "met" } else { "missed" };
    format!("{}: {} ({verdict})", bound.value(at), digits(measured))
}

#[cfg(test)]
mod tests {
    use super::super::samples::THEIRS;
    use super::super::samples::tests::sample;
    use super::*;

    fn samples() -> Samples {
        let both = |threads, ours, theirs| {
            Operation::ALL.into_iter().flat_map(move |operation| {
                [(OURS, ours, 1.1), (THEIRS, theirs, 2.0)]
                    .map(|(server, rate, cpu)| sample(server, operation, threads, rate, cpu))
            })
        };
        Samples(both(1, 100.0, 100.0).chain(both(8, 700.0, 500.0)).collect())
    }

    #[test]
    fn a_target_is_met_or_missed_by_the_bound_of_its_work() {
        let rows = rows(&samples()).unwrap();
        assert_eq!(rows[0][1..3], ["get", "get-x16"]);
        assert_eq!(rows[1][1], "7: 7.00 (met)");
        assert_eq!(rows[2][1..3], ["1.25: 1.40 (met)", "1.7: 1.40 (missed)"]);
        assert_eq!(rows[4][1], "1.15: 1.00 (met)");
        assert_eq!(rows[5][1], "1: 1.00 (met)");
        assert!(rows.iter().all(|row| row.len() == 7));
    }

    #[test]
    fn targets_need_eight_threads_on_cores_of_their_own() {
        let mut samples = samples();
        samples.0.iter_mut().for_each(|sample| sample.is_shared = true);
        assert_eq!(rows(&samples), None);
        samples.0.retain(|sample| sample.cell.threads == 1);
        assert_eq!(rows(&samples), None);
    }

    #[test]
    fn without_one_thread_or_memcached_there_is_no_ratio() {
        let mut samples = samples();
        samples.0.retain(|sample| sample.server == OURS && sample.cell.threads == 8);
        let rows = rows(&samples).unwrap();
        assert!(rows[1..].iter().all(|row| row[1] == "-"), "{rows:?}");
    }
}
