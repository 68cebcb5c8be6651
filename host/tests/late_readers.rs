//! Clients that read long values slowly, while the values leave the store: their replies are whole, and nothing is held
//! for clients that have read everything or are gone.

mod common;

use common::{Client, Server, wait_for};
use std::io::Read;

/// More than the system takes of what a client does not read.
const VALUE_BYTES: usize = 6_000_000;
/// With all of the values in one of two shards, they take less than half of it.
const READERS: usize = 5;
const FLAGS: [&str; 3] = ["-m 128 -I 8m -t 1", "-m 128 -I 8m -t 4", "-m 128 -I 8m -t 2 -o shards=2"];

fn value(number: usize) -> String {
    let line = format!("{number:010} of a long value that is read slowly");
    let mut value = line.repeat(VALUE_BYTES / line.len() + 1);
    value.truncate(VALUE_BYTES);
    value
}

/// Clients that have received the beginning of a value each.
fn readers(server: &Server, writer: &mut Client) -> Vec<Client> {
    (0..READERS).for_each(|number| assert_eq!(writer.set(&format!("k{number}"), &value(number)), "STORED"));
    let begin = |number: usize| {
        let mut reader = Client::connect_with_buffer(server.address, 16 * 1024);
        assert_eq!(reader.ask(&format!("get k{number}")), format!("VALUE k{number} 0 {VALUE_BYTES}"));
        reader
    };
    (0..READERS).map(begin).collect()
}

fn replace_all(writer: &mut Client) {
    for number in 0..READERS {
        if number % 2 == 0 {
            assert_eq!(writer.ask(&format!("delete k{number}")), "DELETED");
        } else {
            assert_eq!(writer.set(&format!("k{number}"), "new"), "STORED");
        }
    }
    let filler = "f".repeat(500_000);
    // More than twice the memory.
    (0..520).for_each(|number| assert_eq!(writer.set(&format!("f{number}"), &filler), "STORED"));
}

fn held_bytes(writer: &mut Client) -> usize {
    writer.statistic("held_value_bytes").parse().unwrap()
}

/// A server, a client that has replaced or deleted all values, and the clients that still read them.
fn late_readers(name: &str, flags: &str) -> (Server, Client, Vec<Client>) {
    let server = Server::start(name, flags);
    let mut writer = Client::connect(server.address);
    let readers = readers(&server, &mut writer);
    replace_all(&mut writer);
    let held = held_bytes(&mut writer);
    assert!(held > READERS * VALUE_BYTES * 9 / 10, "{flags}: {held}");
    (server, writer, readers)
}

#[test]
fn late_readers_get_values_that_are_gone() {
    for flags in FLAGS {
        let (_server, mut writer, readers) = late_readers("late-readers", flags);
        for (number, mut reader) in readers.into_iter().enumerate() {
            let mut received = vec![0; VALUE_BYTES];
            reader.0.read_exact(&mut received).unwrap();
            assert!(received == value(number).as_bytes(), "{flags}: {number}");
            assert_eq!([reader.line(), reader.line()], ["", "END"]);
            // The connection goes on.
            assert_eq!(reader.ask("get nothing"), "END");
        }
        wait_for("nothing is held", || (held_bytes(&mut writer) == 0).then_some(()));
        for name in ["values_lost", "replies_cut", "evicted_active"] {
            assert_eq!(writer.statistic(name), "0", "{flags}: {name}");
        }
    }
}

#[test]
fn clients_that_are_gone_hold_nothing() {
    for flags in FLAGS {
        let (_server, mut writer, readers) = late_readers("gone-readers", flags);
        drop(readers);
        wait_for("nothing is held", || (held_bytes(&mut writer) == 0).then_some(()));
        assert_eq!(writer.statistic("values_lost"), "0", "{flags}");
    }
}
