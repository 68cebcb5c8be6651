//! Every limit of the engine, with its unit in its name and its reason beside it.

use crate::clock::Seconds;

/// Longest key (memcached's `KEY_MAX_LENGTH`).
pub const KEY_BYTES_MAX: usize = 250;

/// A command line without an end longer than this closes the connection, unless it begins `get ` or `gets `.
pub const LINE_BYTES_MAX: usize = 2048;

/// A line of `get` or `gets` longer than this is answered in parts while it still arrives, so that the number of
/// keys is unlimited and the memory is not.
pub const RETRIEVAL_LINE_BYTES_MAX: usize = 64 * 1024;

/// Longest text of a 32-bit number, sign and leading zeros included, that memcached's own parser reads.
pub const NUMBER_32_BYTES_MAX: usize = 11;

/// Longest text of a 64-bit number, sign and leading zeros included, that memcached's own parser reads.
pub const NUMBER_64_BYTES_MAX: usize = 22;

/// Longest data block that a line can announce (memcached: `INT_MAX - 2`).
pub const DATA_BYTES_MAX: u32 = i32::MAX as u32 - 2;

/// Most tokens of a meta command, its name and key among them (memcached's `MFLAG_MAX_OPT_LENGTH`).
pub const META_TOKENS_MAX: usize = 20;

/// Longest opaque token of a meta command, with its letter (memcached's `MFLAG_MAX_OPAQUE_LENGTH`).
pub const META_OPAQUE_BYTES_MAX: usize = 32;

/// Longest name of a SASL mechanism (memcached's `MAX_SASL_MECH_LEN`).
pub const SASL_MECHANISM_BYTES_MAX: usize = 32;

/// Longest message of a login: user and password, or a message of SCRAM, with room to spare.
pub const SASL_MESSAGE_BYTES_MAX: usize = 4096;

/// Most users of a list: a login looks at all of them, so that none is found sooner than another.
pub const USERS_MAX: usize = 4096;

/// Longest list of users that a host should hand over.
pub const USERS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Longest name of a user.
pub const USER_NAME_BYTES_MAX: usize = 255;

/// Longest password, or hash of one.
pub const PASSWORD_BYTES_MAX: usize = 1024;

/// Most iterations of a hashed password: a check takes about a tenth of a second of a worker, in slices.
pub const SCRAM_ITERATIONS_MAX: u32 = 100_000;

/// Longest nonce of a SCRAM client.
pub const SCRAM_NONCE_BYTES_MAX: usize = 256;

/// Longest first message of a SCRAM client: it is kept until the proof comes.
pub const SCRAM_MESSAGE_BYTES_MAX: usize = 2048;

/// Refused logins after which a connection is closed.
pub const LOGIN_FAILURES_MAX: u32 = 5;

/// Iterations of a hashed check in one turn, a millisecond or two: the other connections have their turns in between.
pub const LOGIN_ITERATIONS_PER_TURN_MAX: u32 = 2000;

/// Least price of a refused login, in iterations: a guess against a list in clear makes none, and must be slow too.
pub const LOGIN_PRICE_MIN: u32 = 10_000;

/// Prices that an address may owe for refused logins. Further logins of it wait. So 50 guesses pass at once, or 5 against
/// a password with 100,000 iterations.
pub const LOGIN_ADDRESS_PRICE_MAX: u32 = 5 * SCRAM_ITERATIONS_MAX;

/// Prices that an address makes up for in a second: 10 guesses, or 1 against a password with 100,000 iterations.
pub const LOGIN_ADDRESS_PRICE_PER_SECOND: u32 = SCRAM_ITERATIONS_MAX;

/// Iterations a second that refused logins of all addresses with an earlier login may take together on one front, and
/// those of all others. So a worker keeps most of its time for clients that are logged in, even under attack from many
/// addresses.
pub const LOGIN_ITERATIONS_PER_SECOND_MAX: u32 = 4 * SCRAM_ITERATIONS_MAX;

/// Accounts of addresses without a login; two addresses share one by chance. 64 KiB a front.
pub const LOGIN_STRANGERS: usize = 4096;

/// Addresses with a login that a front remembers.
pub const LOGIN_KNOWN_ADDRESSES_MAX: usize = 1024;

/// Logins of one address that wait once it owes too much. Further ones are refused unchecked, so that an address cannot
/// have all of the server's connections wait.
pub const LOGINS_WAITING_PER_ADDRESS_MAX: usize = 64;

/// Logins that wait in order on one front. Further ones join the queue when it has room.
pub const LOGINS_WAITING_MAX: usize = 1024;

/// Those of them that addresses without a login may take.
pub const LOGINS_WAITING_STRANGERS_MAX: usize = LOGINS_WAITING_MAX / 4 * 3;

/// Longest token of a login over text (memcached's limit).
pub const LOGIN_TOKEN_BYTES_MAX: usize = 16_384;

/// Shortest line of a login over text, its end included (memcached closes the connection on a shorter one).
pub const LOGIN_LINE_BYTES_MIN: usize = 7;

/// Longest head of a request of HTTP, its lines and their ends: more than browsers and proxies send.
pub const HTTP_HEAD_BYTES_MAX: usize = 8192;

/// Shortest token of HTTP: 16 random bytes of any kind cannot be guessed.
pub const HTTP_TOKEN_BYTES_MIN: usize = 16;

/// Longest token of HTTP, so that a head has room for it.
pub const HTTP_TOKEN_BYTES_MAX: usize = 1024;

/// The window into which every connection of a front reads.
pub const WINDOW_BYTES: usize = 64 * 1024;

/// A request from which on a connection is expected to send more like it: they are received into lent buffers.
pub const LONG_REQUEST_BYTES: usize = WINDOW_BYTES / 2;

/// Reads without a long request after which a connection is no longer expected to send one.
pub const LONG_REQUEST_PATIENCE: u8 = 8;

/// Longest request for which a buffer is lent: of a longer one, the beginning in the window is a small part.
pub const LENT_BUFFER_BYTES_MAX: usize = 1024 * 1024 + WINDOW_BYTES;

/// Sizes of lent buffers are multiples of this, so that requests of similar lengths use the same ones.
pub const LENT_BUFFER_STEP_BYTES: usize = 64 * 1024;

/// Lent buffers of so many bytes together wait for the next long requests; more are freed.
pub const SPARE_BUFFERS_BYTES_MAX: usize = LENT_BUFFER_BYTES_MAX + LENT_BUFFER_STEP_BYTES;

/// Output beyond which a connection stops parsing until the client has read.
pub const OUTPUT_BYTES_HIGH: usize = 64 * 1024;

/// Capacity of a front's output buffer at the start.
pub const OUTPUT_BYTES_KEPT: usize = 2 * OUTPUT_BYTES_HIGH;

/// A front's output buffer larger than this is given back after use.
pub const OUTPUT_BYTES_KEPT_MAX: usize = 1024 * 1024;

/// Longest datagram that is sent, header included (memcached's `UDP_MAX_PAYLOAD_SIZE`): every network passes it whole.
pub const DATAGRAM_BYTES_MAX: usize = 1400;

/// Bytes of the header of a datagram.
pub const DATAGRAM_HEADER_BYTES: usize = 8;

/// Most bytes of the answer to one datagram, besides one item of the largest size. One request can name a thousand keys
/// of large items.
pub const DATAGRAM_REPLY_EXTRA_BYTES: usize = 64 * 1024;

/// A peer whose address is not verified gets at most this many times the bytes that it sent (QUIC: RFC 9000, 8.1).
pub const DATAGRAM_AMPLIFICATION_DEFAULT: u32 = 3;

/// Memory of a stripe. Threads that use the same stripe at the same time wait for each other, so there should be many; a
/// store this small still holds as many items for its memory as a large one.
pub const STRIPE_BYTES: u64 = 8 << 20;

/// Largest items that a stripe has room for.
pub const STRIPE_ITEMS_MIN: u64 = 8;

/// Bytes of orders, and of replies, that a desk in a shard keeps room for between two runs: as much as most runs have. There is
/// a desk for each thread in each shard.
pub const DESK_BYTES_KEPT_MAX: usize = 64 * 1024;

/// The memory beyond that of its stores that a shard of stripes lends to those in which clients read values that are gone:
/// one in so many bytes. Such values may take half of a stripe, and that is room for four of the largest items.
pub const LOANS_DIVISOR: u64 = 4;

/// The most of it, of all shards together. Stripes of larger stores have room of their own.
pub const LOANS_BYTES_MAX: u64 = 32 << 20;

/// Stripes of all shards of a server that are enough: of eight threads that are in a stripe for a third of their time, one in
/// thirty meets another there. Each stripe writes to segments of its own, so more of them fit worse into caches.
pub const STRIPES_ENOUGH: u32 = 64;

/// Stripes of each of many shards.
pub const STRIPES_OF_SHARD_ENOUGH: u32 = 8;

/// How many stripes a shard of so much memory has, one of `shards`: as many as have [`STRIPE_BYTES`] each, if items fit
/// into them, but no more than threads need.
pub fn stripe_count(memory_bytes: u64, item_bytes_max: u32, shards: u32) -> u32 {
    let bytes = STRIPE_BYTES.max(u64::from(item_bytes_max) * STRIPE_ITEMS_MIN);
    let enough = (STRIPES_ENOUGH / shards.max(1)).max(STRIPES_OF_SHARD_ENOUGH);
    (memory_bytes / bytes).clamp(1, enough.into()) as u32
}

/// Tries to get the lock of a stripe before a call returns early: more than a command takes on another core. If the thread
/// with the lock does not run, further tries would only keep a core from it.
pub const LOCK_TRIES_MAX: u32 = 200;

/// Most commands that one batch carries.
pub const BATCH_COMMANDS_MAX: usize = 64;

/// A buffer for the orders or the replies of a run that is larger than this is given back after use.
pub const RUN_BYTES_KEPT_MAX: usize = 1024 * 1024;

/// Commands of a turn after which the connection yields, whatever `-R` says: the keys of a retrieval and quiet reads
/// count as no requests, and without hits they fill no output. A read of the window can hold 32 thousand of them.
pub const TURN_COMMANDS_MAX: u32 = 1024;

/// Replies beyond which a shard stops executing a batch; the front sends the rest again.
pub const REPLY_BYTES_HIGH: usize = 256 * 1024;

/// Bytes of a value beyond which a reply sends it in pieces. Each piece is read from the store when the one before it is
/// sent, so no front holds a large value.
pub const PIECE_BYTES: usize = 256 * 1024;

/// A value from which on a reply takes a path of its own: it may be sent in pieces, or be borrowed.
pub const LONG_VALUE_BYTES: usize = 4 * 1024;

/// A value of so many bytes is not copied into the output of a host that sends slices. Fewer are copied faster than they
/// are described.
pub const BORROWED_BYTES_MIN: usize = 16 * 1024;

/// Most slices that the output of one turn borrows, so that a host sends them with one system call.
pub const BORROWED_SLICES_MAX: usize = 64;

/// A value of so many bytes is not copied into the orders of its run: the host takes it from the input of its client.
pub const TAIL_BYTES_MIN: usize = 16 * 1024;

/// Time after a piece for which the rest of its value stays readable, although it is overwritten, deleted or evicted. A
/// reader says when it needs a value no longer; this is for readers that are lost with their front.
pub const HOLD_S: Seconds = 300;

/// Readers of long values that left, and whose shards were not told yet, beyond which a front forgets that: 1.5 MiB. A
/// turn of any connection tells the shards.
pub const LEAVING_READERS_MAX: usize = 64 * 1024;

/// The part of the pool that remains for what is stored, however slowly clients read: one in so many segments. Half is
/// enough for the largest item, and for a cache that goes on. Bytes of values that are gone take the rest at most, while
/// clients still read them.
pub const HELD_REST_DIVISOR: u32 = 2;

/// Least budget of what connections hold.
pub const BUFFERS_BYTES_MIN: u64 = 16 * 1024 * 1024;

/// Largest budget of what connections hold, unless one and a half of the largest items need more: the memory of one front,
/// which may hold all of it, has 4 GiB.
pub const BUFFERS_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// The budget of what the connections of a server hold together: a quarter of its memory, less the largest item, which is
/// there a second time while a shard stores it. At least one and a half of the largest items, so that an upload has room
/// beside what is left to small requests.
pub const fn buffers_bytes_max(memory_bytes: u64, item_bytes_max: u32) -> u64 {
    let share = (memory_bytes / 4).saturating_sub(item_bytes_max as u64);
    let share = if share < BUFFERS_BYTES_MAX { share } else { BUFFERS_BYTES_MAX };
    let least = if share < BUFFERS_BYTES_MIN { BUFFERS_BYTES_MIN } else { share };
    let items = item_bytes_max as u64 * 3 / 2;
    if least < items { items } else { least }
}

/// The part of the budget that large requests leave to small ones: one in so many bytes. While less than this part is
/// left, connections are under pressure: they read in short pieces.
pub const BUFFERS_RESERVE_DIVISOR: u64 = 4;

/// The part of the budget beyond which connections answer in short pieces: one in so many bytes. Clients that do not read
/// must leave room for the requests of others.
pub const BUFFERS_RELAXED_DIVISOR: u64 = 3;

/// A request up to this length is small: it may use the whole budget.
pub const SMALL_REQUEST_BYTES: usize = 16 * 1024;

/// The window under pressure. It bounds what a connection holds of a request that has no room yet, and such bytes are
/// not counted: connections that wait must not take the room for which they wait.
pub const WINDOW_BYTES_SHORT: usize = 2 * 1024;

/// [`OUTPUT_BYTES_HIGH`], [`PIECE_BYTES`] and [`REPLY_BYTES_HIGH`] under pressure.
pub const OUTPUT_BYTES_HIGH_SHORT: usize = 4 * 1024;

/// Most space that a connection's own buffer offers to a read: what is cleared for a read stays in the caches until the
/// read has filled it.
pub const READ_BYTES_MAX: usize = 256 * 1024;

/// An upload without a byte for longer than this ends if another request has no room. A client that sends one has its
/// bytes at hand.
pub const STALLED_UPLOAD_S_MIN: u32 = 1;

/// Unread replies without progress for so long end if a request has no room. A client may be busy with earlier replies.
pub const STALLED_REPLY_S_MIN: u32 = 30;

/// Bytes that memcached adds to key and value when it compares an item with `-I`: header 48, NUL 1, line end 2 and,
/// unless CAS is disabled, unique 8. Our own header is smaller, but the limit that clients see is the same.
pub const fn item_overhead_bytes(cas: bool) -> usize {
    48 + 1 + 2 + if cas { 8 } else { 0 }
}

/// Bytes that memcached adds for client flags; an item without flags has none.
pub const fn flags_overhead_bytes(flags: u32) -> usize {
    if flags == 0 { 0 } else { 4 }
}

/// Bytes of an item as memcached compares them with `-I`.
pub const fn item_bytes(key_bytes: usize, value_bytes: usize, flags: u32, cas: bool) -> usize {
    let overhead = item_overhead_bytes(cas) + flags_overhead_bytes(flags);
    key_bytes.saturating_add(value_bytes).saturating_add(overhead)
}

/// Largest value that may be a number: memcached counts in items of one chunk, and its largest chunk is 512 KiB.
pub const NUMBER_VALUE_BYTES_MAX: usize = 512 * 1024;

/// Part of a shard's memory that the prefixes of `stats detail` may take: one in so many. Clients choose prefixes, and
/// their memory is taken from the items. With `-m 64` all shards together have 2 MiB, thousands of prefixes.
pub const PREFIX_MEMORY_DENOMINATOR: u64 = 32;

/// Memory of a prefix besides its name: counts, its part of half-filled nodes of a tree, the allocator's overhead.
pub const PREFIX_ROW_BYTES: usize = 128;

/// Records of one piece of an answer in pieces, of all shards together. A shard's lock is held for one piece, about as
/// long as for a batch of large commands, and then the turn of the connection ends.
pub const DUMP_PIECE_BYTES: u32 = 16 * 1024;

/// The same for a piece that should be the whole answer, because a packet cannot be continued in another. It fits into
/// one carry.
pub const DUMP_PACKET_BYTES: u32 = 128 * 1024;

/// Items that one piece of a walk looks at, whether it shows them or not: as many as a batch has commands, so that a walk
/// holds a shard no longer than a batch does.
pub const WALK_ITEMS_MAX: u32 = 64;

/// Buckets of the index that one piece of a walk looks at: most are empty in an index that has grown and lost its items.
pub const WALK_BUCKETS_MAX: u32 = 64;

/// Buckets and items that one [`crate::store::Store::visit`] looks at, but for the rest of the last bucket: a tenth of a
/// millisecond.
pub const VISIT_STEPS_MAX: u32 = 4096;

/// Items at the old end of each list that are searched for the age of the oldest of each size class.
pub const AGE_ITEMS_MAX: usize = 256;

/// Segments that a crawl which a client asks for walks over at once; the sweeps do the others.
pub const CRAWL_SEGMENTS_MAX: u32 = 4;

/// Sockets of one piece of the list of connections.
pub const CONNECTIONS_PIECE_MAX: usize = 128;

/// Least bytes of an item's header.
pub const ITEM_HEADER_BYTES: usize = 12;

/// Largest number of watching connections of a server (memcached's `WATCHER_LIMIT`).
pub const WATCHERS_MAX: usize = 20;

/// Smallest `-I`.
pub const ITEM_BYTES_MAX_MIN: u32 = 1024;
/// Default `-I`.
pub const ITEM_BYTES_MAX_DEFAULT: u32 = 1024 * 1024;
/// Largest `-I`.
pub const ITEM_BYTES_MAX_MAX: u32 = 1024 * 1024 * 1024;

/// Largest pool of one shard: the pool is one allocation, and Rust has none above `isize::MAX`, 2 GiB in a guest.
pub const SHARD_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024 - 64 * 1024 * 1024;
/// Smallest pool of one shard.
pub const SHARD_BYTES_MIN: u64 = 64 * 1024;

/// Most shards of a server.
pub const SHARDS_MAX: u32 = 256;

const _: () = assert!(LINE_BYTES_MAX < WINDOW_BYTES);
const _: () = assert!(HTTP_HEAD_BYTES_MAX < SMALL_REQUEST_BYTES && HTTP_TOKEN_BYTES_MAX < HTTP_HEAD_BYTES_MAX / 2);
const _: () = assert!(WINDOW_BYTES_SHORT < SMALL_REQUEST_BYTES && SMALL_REQUEST_BYTES < WINDOW_BYTES);
const _: () = assert!(OUTPUT_BYTES_HIGH_SHORT < OUTPUT_BYTES_HIGH);
const _: () = assert!((SMALL_REQUEST_BYTES as u64) < BUFFERS_BYTES_MIN / BUFFERS_RESERVE_DIVISOR);
// Numbers of bytes cross the boundary in 32 bits.
const _: () = assert!(buffers_bytes_max(u64::MAX, ITEM_BYTES_MAX_MAX) <= u32::MAX as u64);
const _: () = assert!(3 * USER_NAME_BYTES_MAX + SCRAM_NONCE_BYTES_MAX < SCRAM_MESSAGE_BYTES_MAX);
const _: () = assert!(SCRAM_ITERATIONS_MAX <= LOGIN_ITERATIONS_PER_SECOND_MAX);
const _: () = assert!(SCRAM_ITERATIONS_MAX <= LOGIN_ADDRESS_PRICE_MAX && LOGIN_PRICE_MIN <= LOGIN_ADDRESS_PRICE_MAX);
const _: () = assert!(LOGIN_ADDRESS_PRICE_PER_SECOND < LOGIN_ITERATIONS_PER_SECOND_MAX);
const _: () = assert!(SCRAM_MESSAGE_BYTES_MAX <= SASL_MESSAGE_BYTES_MAX);
const _: () = assert!(RETRIEVAL_LINE_BYTES_MAX <= WINDOW_BYTES);
const _: () = assert!(OUTPUT_BYTES_HIGH <= REPLY_BYTES_HIGH);
const _: () = assert!(DUMP_PACKET_BYTES as usize <= REPLY_BYTES_HIGH);
const _: () = assert!(TURN_COMMANDS_MAX as usize >= BATCH_COMMANDS_MAX);
const _: () = assert!(LONG_VALUE_BYTES <= OUTPUT_BYTES_HIGH_SHORT && LONG_VALUE_BYTES <= BORROWED_BYTES_MIN);
const _: () = assert!((ITEM_BYTES_MAX_MAX as u64) < SHARD_BYTES_MAX);
const _: () = assert!(SHARD_BYTES_MAX < i32::MAX as u64);
