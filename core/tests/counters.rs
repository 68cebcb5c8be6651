//! Statistics count what was answered, once, however often it was executed.

mod common;

use common::{
    START,
    host::{Cuts, Server},
    random::{Random, for_each_seed},
};
use std::cell::Cell;
use wasmcached_core::{
    boundary::config::Config,
    command::Broadcast,
    statistics::{Classes, Counters},
};

/// The sums of all shards.
fn counters(server: &mut Server) -> Counters {
    let mut sum = Counters::default();
    server.each_shard().for_each(|shard| sum.merge(&shard.store().counters()));
    sum
}

/// Stores twenty keys, then reads present, absent and stale ones in every way.
fn reads(random: &mut Random) -> Vec<u8> {
    let mut stream = Vec::new();
    for key in 0..20 {
        stream.extend(format!("set k{key} 0 0 300\r\n{:300}\r\n", key).as_bytes());
    }
    for _ in 0..30 {
        let keys = (0..random.within(0..30)).map(|_| format!(" k{}", random.within(0..25))).collect::<String>();
        stream.extend(
            match random.within(0..5) {
                0 => format!("get k1{keys}\r\n"),
                1 => format!("gets k1{keys}\r\nbogus\r\n"),
                2 => keys.split_terminator(' ').skip(1).map(|key| format!("mg {key} v q\r\n")).collect(),
                3 => format!(
                    "md k{} I\r\nget k1{keys}\r\n{}",
                    random.within(0..20),
                    "mg k3 v\r\nmg k4 v\r\nget k5\r\n".repeat(3)
                ),
                _ => format!("get k2{keys}\r\nset k{} 0 0 3\r\nabc\r\n", random.within(0..20)),
            }
            .as_bytes(),
        );
    }
    stream
}

/// A shard that has no room for a reply stops, and the reads of other shards behind it are executed again.
#[test]
fn a_read_counts_once_however_often_it_is_executed() {
    let repeated = Cell::new(0);
    for_each_seed(10, |seed| {
        let stream = reads(&mut Random::new(seed));
        for requests_per_event in [1, 20, 1000] {
            let config = Config { requests_per_event, ..common::config() };
            let count = |shards, room| {
                let mut server = Server::new(&config, shards, START);
                server.room = room;
                server.replay(&stream, Cuts::Random, seed);
                let Counters { cmd_get, get_hits, get_misses, .. } = counters(&mut server);
                let mut classes = Vec::new();
                server.each_shard().for_each(|shard| shard.broadcast(Broadcast::Classes, START, &mut classes));
                let hits_of_classes = Classes::decode_merged(&classes).0.iter().map(|class| class.store.get_hits).sum();
                ((cmd_get, get_hits, get_misses, hits_of_classes), server.cut_short)
            };
            let (expected, _) = count(0, usize::MAX);
            assert!(expected.1 > 100 && expected.2 > 20 && u64::eq(&expected.1, &expected.3), "{expected:?}");
            for shards in [1, 2, 5] {
                for room in [0, 100, 700, 2000, usize::MAX] {
                    let (counted, cut_short) = count(shards, room);
                    repeated.set(repeated.get() + cut_short);
                    assert_eq!(counted, expected, "seed {seed}, {shards} shards, room {room}, -R {requests_per_event}");
                }
            }
        }
    });
    assert!(repeated.get() > 1000, "{} carries were cut short", repeated.get());
}
