//! The batch between a front and a shard: commands one way, replies the other, as little-endian records.
//!
//! Fronts and shards in different guests exchange these records; a solo engine passes the same
//! [commands](crate::command::Command) and [replies](crate::reply::Reply) by reference. Both ends are this crate in one
//! version; a damaged record decodes to `None`.

mod order;
mod reply;

pub use order::{
    Order, Places, ReplyLimit, SetInTail, decode_hash, decode_order, decode_read, decode_tuned, encode_broadcast,
    encode_command, encode_leave, encode_limit, encode_placed, encode_read, encode_repeated_read, encode_set,
    encode_tuning,
};
pub use reply::{decode_found, decode_reply, decode_stored, encode_reply};

#[cfg(test)]
mod tests {
    use super::{order::HEAD_BYTES, *};
    use crate::{
        clock::Expiry,
        command::{
            ArithmeticOptions, Broadcast, Command, Create, Direction, Discard, Extent, Fetch, Operation, Renew,
            StoreMode, StoreOptions, Touched, Tuning, Walk,
        },
        reply::{Fetched, Found, Reply, Value, ValueCursor},
        settings::Setting,
        wire::Reader,
    };
    use alloc::vec::Vec;
    use core::num::NonZeroU64;

    fn cursor() -> ValueCursor {
        ValueCursor { hold: 1, offset: u32::MAX, sequence: NonZeroU64::MAX }
    }

    fn operations() -> impl Iterator<Item = Operation<'static>> {
        let store = |compare| Operation::Store {
            mode: StoreMode::Prepend,
            flags: 7,
            expiry: Expiry(9),
            compare,
            options: StoreOptions { unique: NonZeroU64::new(6), stale: true, create: false, encoded_key: true },
            value: b"value",
        };
        let fetch = Fetch {
            value: true,
            unless: Some(u64::MAX),
            is_use: false,
            asks_use: true,
            touch: Some(Expiry(4)),
            create: Some(Create { expiry: Expiry(5), unique: Some(0) }),
            renew: Renew::Before(Expiry(u32::MAX)),
            tentative: true,
        };
        let plain = Fetch { unless: None, touch: None, create: None, renew: Renew::Now, ..fetch };
        [
            Operation::Get { touch: None },
            Operation::Get { touch: Some(Expiry::NEVER) },
            store(None),
            store(Some(u64::MAX)),
            Operation::RefuseLarge { unlink: true },
            Operation::RefuseData,
            Operation::Delete,
            Operation::Arithmetic {
                direction: Direction::Decrement,
                delta: u64::MAX,
                options: ArithmeticOptions::default(),
            },
            Operation::Arithmetic {
                direction: Direction::Increment,
                delta: 1,
                options: ArithmeticOptions {
                    compare: NonZeroU64::new(u64::MAX),
                    unique: Some(0),
                    touch: Some(Expiry::NEVER),
                    initial: Some((u64::MAX, Expiry(7))),
                },
            },
            Operation::Fetch(fetch),
            Operation::Fetch(plain),
            Operation::Fetch(Fetch {
                renew: Renew::No,
                create: Some(Create { expiry: Expiry::NEVER, unique: None }),
                ..plain
            }),
            Operation::Inspect,
            Operation::Discard(Discard::default()),
            Operation::Discard(Discard {
                compare: Some(0),
                empty: Some(u32::MAX),
                stale: true,
                touch: Some(Expiry(1)),
                unique: Some(u64::MAX),
                difference_is_miss: true,
            }),
            Operation::Touch { expiry: Expiry(3), touched: Touched::Nothing },
            Operation::Touch { expiry: Expiry(3), touched: Touched::Attributes },
            Operation::Touch { expiry: Expiry(3), touched: Touched::Value },
            Operation::Piece { cursor: cursor(), position: 4, length: u32::MAX },
        ]
        .into_iter()
    }

    #[test]
    fn orders_survive_the_boundary() {
        let mut bytes = Vec::new();
        for operation in operations() {
            encode_command(&mut bytes, &Command { hash: 1 << 63 | 5, key: b"key", operation });
        }
        let broadcasts = [
            Broadcast::Flush { at: 8 },
            Broadcast::CountPrefixes(true),
            Broadcast::Prefixes(Extent { from: u64::MAX - 1, room: 9 }),
            Broadcast::Sizes(Extent { from: 0, room: u32::MAX }),
            Broadcast::Walk(Walk { cursor: u64::MAX - 1, classes: 1 << 63, room: 9 }),
            Broadcast::Tune(Tuning([
                Some((Setting::LruCrawlerSleep, 7)),
                Some((Setting::SlabAutomoveRatio, u64::MAX)),
                None,
                None,
            ])),
            Broadcast::Tuned,
        ];
        broadcasts.iter().for_each(|&broadcast| encode_broadcast(&mut bytes, broadcast));
        let limit = ReplyLimit { piece_bytes: 3, reply_bytes: u32::MAX };
        encode_limit(&mut bytes, limit);
        encode_leave(&mut bytes, 7, cursor());
        let mut r = Reader(&bytes);
        for operation in operations() {
            let command = Command { hash: 1 << 63 | 5, key: b"key", operation };
            assert_eq!(decode_order(&mut r, &[]), Some(Order::Command(command)));
        }
        for broadcast in broadcasts {
            assert_eq!(decode_order(&mut r, &[]), Some(Order::Broadcast(broadcast)));
        }
        assert_eq!(decode_order(&mut r, &[]), Some(Order::Limit(limit)));
        assert_eq!(decode_order(&mut r, &[]), Some(Order::Leave(7, cursor())));
        assert_eq!(decode_order(&mut r, &[]), None);
        for cut in 0..40 {
            // The first is a plain read, whose head is 16 bytes, and the key.
            assert_eq!(decode_order(&mut Reader(&bytes[..cut]), &[]).is_some(), cut >= 19);
        }
    }

    #[test]
    fn keys_and_values_may_be_in_the_tail() {
        let tail = b"get key value\r\n";
        let placed = |operation: &Operation<'_>, key, value| {
            let mut bytes = Vec::new();
            let command = Command { hash: 7 << 60 | 3, key: b"key", operation: *operation };
            encode_placed(&mut bytes, &command, Places { key, value });
            bytes
        };
        for operation in operations() {
            let command = Command { hash: 7 << 60 | 3, key: b"key", operation };
            for (key, value) in [(Some(4), Some(8)), (Some(4), None), (None, Some(8)), (None, None)] {
                let mut bytes = placed(&operation, key, value);
                let mut r = Reader(&bytes);
                assert_eq!(decode_order(&mut r, tail), Some(Order::Command(command)), "{operation:?}");
                assert!(r.is_empty());
                bytes.extend([0; HEAD_BYTES]);
                let mut r = Reader(&bytes);
                assert_eq!((decode_hash(&mut r), r.0.len()), (Some(Some(command.hash)), HEAD_BYTES), "{operation:?}");
            }
            let cut = placed(&operation, Some(tail.len() as u32 - 2), None);
            assert_eq!(decode_order(&mut Reader(&cut), tail), None, "a key that ends behind the tail");
        }
    }

    #[test]
    fn a_plain_set_is_encoded_directly() {
        let (hash, key) = (1 << 63 | 9, b"key");
        let options = StoreOptions::default();
        let (flags, expiry) = (5, Expiry(u32::MAX - 1));
        let operation =
            Operation::Store { mode: StoreMode::Set, flags, expiry, compare: None, options, value: b"value" };
        let (mut bytes, mut placed) = (Vec::new(), Vec::new());
        encode_set(&mut bytes, &SetInTail { hash, key: (4, 3), value: (90, 5), flags, expiry });
        encode_placed(&mut placed, &Command { hash, key, operation }, Places { key: Some(4), value: Some(90) });
        assert_eq!(bytes, placed);
    }

    #[test]
    fn a_plain_read_has_a_form_of_its_own() {
        let (tail, read) = (b"get key", Operation::Get { touch: None });
        let command = Command { hash: 1 << 63, key: b"key", operation: read };
        let (mut bytes, mut placed) = (Vec::new(), Vec::new());
        encode_read(&mut bytes, command.hash, 4, 3);
        encode_placed(&mut placed, &command, Places { key: Some(4), value: None });
        assert_eq!(bytes, placed);
        assert_eq!(decode_read(&mut Reader(&bytes), tail), Some(command));
        assert_eq!(decode_read(&mut Reader(&bytes), &tail[..6]), None);
        for operation in operations().filter(|operation| *operation != read) {
            let mut bytes = Vec::new();
            encode_command(&mut bytes, &Command { operation, ..command });
            assert_eq!(decode_read(&mut Reader(&bytes), tail), None, "{operation:?}");
        }
    }

    #[test]
    fn replies_survive_the_boundary() {
        let item = Fetched {
            flags: 1,
            cas: 2,
            value: Some(Value::whole(b"value")),
            value_bytes: 5,
            item_bytes: 6,
            expiry: Expiry(7),
            idle_s: 8,
            fetched: true,
            created: false,
            encoded_key: true,
            stale: false,
            taken: true,
            won: false,
        };
        let replies = [
            Reply::Missing,
            Reply::Found(Found { flags: 1, cas: 2, value: Value::whole(b"v") }),
            Reply::Item(item),
            Reply::Item(Fetched { value: None, won: true, fetched: false, ..item }),
            Reply::Contended,
            Reply::Stored { cas: 3, value_bytes: 9 },
            Reply::Number { value: 4, cas: 5, expiry: Expiry(6), created: true },
            Reply::Lost,
            Reply::Found(Found { flags: 1, cas: 2, value: Value::beginning(7, b"v", cursor()) }),
            Reply::Item(Fetched { value: Some(Value::beginning(5, b"val", cursor())), ..item }),
            Reply::Piece(Value::whole(b"piece")),
        ];
        let mut bytes = Vec::new();
        replies.iter().for_each(|reply| encode_reply(&mut bytes, reply));
        let mut r = Reader(&bytes);
        for reply in replies {
            let before = r.clone();
            let decoded = decode_reply(&mut r).unwrap();
            assert_eq!(alloc::format!("{decoded:?}"), alloc::format!("{reply:?}"));
            let mut found = Reader(before.0);
            let is_whole = matches!(reply, Reply::Found(found) if found.value.unread().is_none());
            assert_eq!(decode_found(&mut found).is_some(), is_whole);
            assert_eq!(found.0.len(), if is_whole { r.0.len() } else { before.0.len() });
            let is_stored = matches!(reply, Reply::Stored { .. });
            assert_eq!(decode_stored(&mut Reader(before.0)).is_some(), is_stored);
        }
        assert!(decode_reply(&mut r).is_none());
    }
}
