//! Commands and broadcasts as records.

use crate::{
    clock::Expiry,
    command::{
        ArithmeticOptions, Broadcast, Command, Create, Direction, Discard, Eviction, Extent, Fetch, Operation, Renew,
        StoreMode, StoreOptions, Touched, Tuning, Walk,
    },
    reply::ValueCursor,
    settings::Setting,
    wire::{Reader, Writer},
};
use alloc::vec::Vec;
use core::num::NonZeroU64;

/// An element of a run for a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order<'a> {
    /// An operation on one key.
    Command(Command<'a>),
    /// A read that was executed before, whose reply was not used. It is counted already.
    RepeatedRead(Command<'a>),
    /// An operation on the whole store.
    Broadcast(Broadcast),
    /// A limit on the replies to the commands that follow. It has no reply.
    Limit(ReplyLimit),
    /// A reader needs the rest of a long value no longer: the hash of its key, and its place. It has no reply.
    Leave(u64, ValueCursor),
}

/// Bounds of the replies to a run, smaller or larger than usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyLimit {
    /// Bytes of a value beyond which a reply has its beginning only.
    pub piece_bytes: u32,
    /// Bytes of all replies beyond which the batch ends.
    pub reply_bytes: u32,
}

const BROADCAST: u8 = 0x80;
/// The number of a [`ReplyLimit`] among broadcasts.
const LIMIT: u8 = 0x7f;
/// The number among broadcasts that stands before a read that is sent again.
const REPEATED_READ: u8 = 0x7e;
/// The number among broadcasts of [`Order::Leave`].
const LEAVE: u8 = 0x7d;

/// Where the key and the value of a command are in the tail of its run: the bytes of the client's input that the host copies
/// behind the orders. `None`: they follow the order itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Places {
    /// Of the key.
    pub key: Option<u32>,
    /// Of the value.
    pub value: Option<u32>,
}

/// The place of a key or value that follows its order.
const HERE: u32 = u32::MAX;

/// Appends a command with its key and value.
pub fn encode_command(out: &mut Vec<u8>, command: &Command<'_>) {
    encode_placed(out, command, Places::default());
}

/// Appends a plain read whose key is in the tail. It is all of its head.
#[inline]
pub fn encode_read(out: &mut Vec<u8>, hash: u64, key_at: u32, key_bytes: usize) {
    let head = u128::from(key_bytes as u8) << 16 | u128::from(key_at) << 32 | u128::from(hash) << 64;
    out.extend_from_slice(&head.to_le_bytes());
}

/// A plain `set`, with places and lengths of its key and value in the tail.
pub struct SetInTail {
    /// Of the key.
    pub hash: u64,
    /// The key.
    pub key: (u32, u32),
    /// The value.
    pub value: (u32, u32),
    /// The client's flags.
    pub flags: u32,
    /// When the item expires.
    pub expiry: Expiry,
}

/// Appends a plain `set`.
#[inline(always)]
pub fn encode_set(out: &mut Vec<u8>, set: &SetInTail) {
    let (key_at, key_bytes) = set.key;
    let head = 1 | u128::from(key_bytes as u8) << 16 | u128::from(key_at) << 32 | u128::from(set.hash) << 64;
    let numbers = u64::from(set.flags) | u64::from(set.expiry.0) << 32;
    let value = u64::from(set.value.0) | u64::from(set.value.1) << 32;
    out.reserve(HEAD_BYTES + BODY_BYTES);
    out.extend_from_slice(&head.to_le_bytes());
    for word in [numbers, 0, value] {
        out.extend_from_slice(&word.to_le_bytes());
    }
}

/// Appends a command. The head: tag, mode, key length, switches, place of the key, hash. All but plain reads have a body: two
/// numbers, a long one, place and length of the value; and three more long numbers if the command has any.
pub fn encode_placed(out: &mut Vec<u8>, command: &Command<'_>, places: Places) {
    let r = record_of(command);
    r.emit(out, command, places);
}

#[inline]
fn record_of<'a>(command: &Command<'a>) -> Record<'a> {
    let mut r = Record::default();
    match command.operation {
        Operation::Get { touch: None } => {}
        Operation::Get { touch: Some(expiry) } => r = Record { mode: 1, first: expiry.0, ..r },
        Operation::Store { mode, flags, expiry, compare, options, value } => {
            let tag = if compare.is_some() { 2 } else { 1 };
            let number = compare.unwrap_or(0);
            r = Record { tag, mode: mode as u8, first: flags, second: expiry.0, number, value, ..r };
            r.switch(0, options.stale);
            r.switch(1, options.create);
            r.switch(2, options.encoded_key);
            r.long(0, options.unique.map(NonZeroU64::get));
        }
        Operation::RefuseLarge { unlink } => r = Record { tag: 3, mode: u8::from(unlink), ..r },
        Operation::Delete => r.tag = 4,
        Operation::Arithmetic { direction, delta, options } => {
            r = Record { tag: 5, mode: direction as u8, number: delta, ..r };
            r.touch(options.touch);
            r.long(0, options.unique);
            r.long(1, options.compare.map(NonZeroU64::get));
            if let Some((value, expiry)) = options.initial {
                r.second = expiry.0;
                r.long(2, Some(value));
            }
        }
        Operation::Touch { expiry, touched } => r = Record { tag: 6, mode: touched as u8, first: expiry.0, ..r },
        Operation::RefuseData => r.tag = 7,
        Operation::Fetch(fetch) => r.fetch(&fetch),
        Operation::Inspect => r.tag = 9,
        Operation::Discard(Discard { compare, empty, stale, touch, unique, difference_is_miss }) => {
            r = Record { tag: 10, second: empty.unwrap_or(0), ..r };
            r.touch(touch);
            r.switch(0, stale);
            r.switch(1, empty.is_some());
            r.switch(2, difference_is_miss);
            r.long(0, unique);
            r.long(1, compare);
        }
        Operation::Piece { cursor, position, length } => {
            r = Record { tag: 11, first: position, second: length, number: cursor.sequence.get(), ..r };
            r.long(0, Some(place_of(cursor)));
        }
    }
    r
}

/// Appends a read that was executed before, whose reply was not used.
#[cold]
pub fn encode_repeated_read(out: &mut Vec<u8>, command: &Command<'_>, places: Places) {
    out.push(BROADCAST | REPEATED_READ);
    encode_placed(out, command, places);
}

/// Bytes of the head of a command.
pub(super) const HEAD_BYTES: usize = 16;
/// The bits of a head that are 0 in one of a plain read: tag, mode, switches.
const READ_MARKS: u64 = 0xff00_ffff;
/// Bytes of the body of all commands but plain reads.
const BODY_BYTES: usize = 24;
const LONGS: usize = 3;

/// Switch: `first` is a new expiry.
const TOUCH: u8 = 3;
/// The first of the switches that say which long numbers the command has.
const LONG: u8 = 5;

/// The fields of an encoded command beside its key.
#[derive(Default)]
struct Record<'a> {
    tag: u8,
    mode: u8,
    switches: u8,
    first: u32,
    second: u32,
    number: u64,
    longs: [u64; LONGS],
    value: &'a [u8],
}

impl<'a> Record<'a> {
    fn switch(&mut self, bit: u8, on: bool) {
        self.switches |= u8::from(on) << bit;
    }

    fn is_on(&self, bit: u8) -> bool {
        self.switches >> bit & 1 != 0
    }

    fn long(&mut self, which: u8, value: Option<u64>) {
        if let Some(value) = value {
            self.switch(LONG + which, true);
            self.longs[usize::from(which)] = value;
        }
    }

    fn long_of(&self, which: u8) -> Option<u64> {
        self.is_on(LONG + which).then_some(self.longs[usize::from(which)])
    }

    fn touch(&mut self, expiry: Option<Expiry>) {
        self.switch(TOUCH, expiry.is_some());
        self.first = expiry.unwrap_or_default().0;
    }

    fn touch_of(&self) -> Option<Expiry> {
        self.is_on(TOUCH).then_some(Expiry(self.first))
    }

    /// A fetch has more switches than fit into `switches`; the rest is in `mode`.
    fn fetch(&mut self, fetch: &Fetch) {
        self.tag = 8;
        for (bit, on) in [fetch.value, fetch.is_use, fetch.asks_use, fetch.tentative].into_iter().enumerate() {
            self.mode |= u8::from(on) << bit;
        }
        self.touch(fetch.touch);
        self.long(0, fetch.unless);
        if let Some(create) = fetch.create {
            self.switch(0, true);
            self.second = create.expiry.0;
            self.long(1, create.unique);
        }
        match fetch.renew {
            Renew::No => {}
            Renew::Before(expiry) => {
                self.switch(1, true);
                self.number = u64::from(expiry.0);
            }
            Renew::Now => self.switch(2, true),
        }
    }

    fn fetch_of(&self) -> Fetch {
        let on = |bit: u8| self.mode >> bit & 1 != 0;
        Fetch {
            value: on(0),
            is_use: on(1),
            asks_use: on(2),
            tentative: on(3),
            unless: self.long_of(0),
            touch: self.touch_of(),
            create: self.is_on(0).then(|| Create { expiry: Expiry(self.second), unique: self.long_of(1) }),
            renew: match (self.is_on(1), self.is_on(2)) {
                (true, _) => Renew::Before(Expiry(self.number as u32)),
                (false, true) => Renew::Now,
                (false, false) => Renew::No,
            },
        }
    }

    /// A plain read has a head and nothing else.
    fn has_body(&self) -> bool {
        self.tag != 0 || self.mode != 0
    }

    /// Each field is stored as it will be loaded: a processor waits when it loads more than was stored at once.
    #[inline]
    fn emit(&self, out: &mut Vec<u8>, command: &Command<'_>, places: Places) {
        out.reserve(HEAD_BYTES + BODY_BYTES + 8 * LONGS + command.key.len());
        let key_at = places.key.unwrap_or(HERE);
        let marks = [self.tag, self.mode, command.key.len() as u8, self.switches];
        let head = u128::from(u32::from_le_bytes(marks)) | u128::from(key_at) << 32 | u128::from(command.hash) << 64;
        out.extend_from_slice(&head.to_le_bytes());
        if self.has_body() {
            let numbers = u64::from(self.first) | u64::from(self.second) << 32;
            let value = u64::from(places.value.unwrap_or(HERE)) | (self.value.len() as u64) << 32;
            for word in [numbers, self.number, value] {
                out.extend_from_slice(&word.to_le_bytes());
            }
        }
        if self.switches >> LONG != 0 {
            self.longs.iter().for_each(|long| out.extend_from_slice(&long.to_le_bytes()));
        }
        if places.key.is_none() {
            out.extend_from_slice(command.key);
        }
        if places.value.is_none() {
            out.extend_from_slice(self.value);
        }
    }
}

/// Appends a broadcast.
pub fn encode_broadcast(out: &mut Vec<u8>, broadcast: Broadcast) {
    let (tag, argument) = match broadcast {
        Broadcast::Flush { at } => (0, at),
        Broadcast::Counters => (1, 0),
        Broadcast::Classes => (2, 0),
        Broadcast::Sizes(extent) => (3, extent.room),
        Broadcast::ResetCounters => (4, 0),
        Broadcast::CountPrefixes(enabled) => (5, enabled.into()),
        Broadcast::RefuseFlush => (6, 0),
        Broadcast::Evict(eviction) => (7, eviction as u32),
        Broadcast::Crawl => (8, 0),
        Broadcast::BeginWalk => (9, 0),
        Broadcast::Walk(_) => (10, 0),
        Broadcast::Tune(tuning) => (11, tuning.iter().count() as u32),
        Broadcast::Tuned => (12, 0),
        Broadcast::Prefixes(extent) => (13, extent.room),
    };
    let mut w = Writer(out);
    w.u8(BROADCAST | tag);
    w.u32(argument);
    match broadcast {
        Broadcast::Walk(Walk { cursor, classes, room }) => {
            w.u64(cursor);
            w.u64(classes);
            w.u32(room);
        }
        Broadcast::Sizes(extent) | Broadcast::Prefixes(extent) => w.u64(extent.from),
        Broadcast::Tune(tuning) => encode_tuning(out, &tuning),
        _ => {}
    }
}

/// Appends a limit on replies.
pub fn encode_limit(out: &mut Vec<u8>, limit: ReplyLimit) {
    let mut w = Writer(out);
    w.u8(BROADCAST | LIMIT);
    w.u32(limit.piece_bytes);
    w.u32(limit.reply_bytes);
}

/// Appends that a reader needs the rest of a long value no longer.
pub fn encode_leave(out: &mut Vec<u8>, hash: u64, cursor: ValueCursor) {
    let mut w = Writer(out);
    w.u8(BROADCAST | LEAVE);
    w.u64(hash);
    w.u64(place_of(cursor));
    w.u64(cursor.sequence.get());
}

fn place_of(cursor: ValueCursor) -> u64 {
    u64::from(cursor.hold) << 32 | u64::from(cursor.offset)
}

fn cursor_of(place: u64, sequence: u64) -> Option<ValueCursor> {
    let sequence = NonZeroU64::new(sequence)?;
    Some(ValueCursor { hold: (place >> 32) as u32, offset: place as u32, sequence })
}

/// Appends the number and value of each setting.
pub fn encode_tuning(out: &mut Vec<u8>, tuning: &Tuning) {
    let mut w = Writer(out);
    for (setting, value) in tuning.iter() {
        w.u8(setting as u8);
        w.u64(value);
    }
}

/// Takes a setting from the front of `r`; `None` at the end or if it is invalid.
pub fn decode_tuned(r: &mut Reader<'_>) -> Option<(Setting, u64)> {
    let setting = *Setting::ALL.get(usize::from(r.u8()?))?;
    Some((setting, r.u64()?))
}

/// Takes one order from the front of `r`. Keys and values may be in `tail`.
#[inline]
pub fn decode_order<'a>(r: &mut Reader<'a>, tail: &'a [u8]) -> Option<Order<'a>> {
    let &tag = r.0.first()?;
    if tag & BROADCAST != 0 {
        return decode_rare(r, tail);
    }
    decode_command(r, tail).map(Order::Command)
}

/// Takes a plain read of a key in `tail` from the front of `r`. `None`: something else stands there.
#[inline]
pub fn decode_read<'a>(r: &mut Reader<'a>, tail: &'a [u8]) -> Option<Command<'a>> {
    let (head, rest) = r.0.split_first_chunk::<HEAD_BYTES>()?;
    let head = u128::from_le_bytes(*head);
    let (marks, hash) = (head as u64, (head >> 64) as u64);
    if marks & READ_MARKS != 0 {
        return None;
    }
    let key = piece(tail, (marks >> 32) as u32, u32::from((marks >> 16) as u8))?;
    r.0 = rest;
    Some(Command { hash, key, operation: Operation::Get { touch: None } })
}

/// Takes one order from the front of `r`, of which only the hash of the key is needed, if it is a command.
#[inline]
pub fn decode_hash(r: &mut Reader<'_>) -> Option<Option<u64>> {
    let (head, rest) = r.0.split_first_chunk::<HEAD_BYTES>()?;
    let head = u128::from_le_bytes(*head);
    if head as u64 & READ_MARKS == 0 && (head >> 32) as u32 != HERE {
        r.0 = rest;
        return Some(Some((head >> 64) as u64));
    }
    decode_other_hash(r)
}

#[inline(never)]
fn decode_other_hash(r: &mut Reader<'_>) -> Option<Option<u64>> {
    let &tag = r.0.first()?;
    if tag == BROADCAST | REPEATED_READ {
        r.u8()?;
    } else if tag & BROADCAST != 0 {
        return decode_rare(r, &[]).map(|_| None);
    }
    let word = |at: usize| Some(u32::from_le_bytes(*r.0.get(at..)?.first_chunk()?));
    let [tag, mode, key_bytes, switches] = word(0)?.to_le_bytes();
    let hash = u64::from(word(8)?) | u64::from(word(12)?) << 32;
    let mut bytes = HEAD_BYTES;
    if word(4)? == HERE {
        bytes += usize::from(key_bytes);
    }
    if (tag, mode) != (0, 0) {
        let (value_at, value_bytes) = (word(HEAD_BYTES + 16)?, word(HEAD_BYTES + 20)?);
        bytes += BODY_BYTES + if value_at == HERE { value_bytes as usize } else { 0 };
    }
    if switches >> LONG != 0 {
        bytes += 8 * LONGS;
    }
    r.take(bytes)?;
    Some(Some(hash))
}

/// The bytes at a place in the tail.
#[inline]
fn piece(tail: &[u8], at: u32, bytes: u32) -> Option<&[u8]> {
    tail.get(at as usize..(at as usize).checked_add(bytes as usize)?)
}

#[inline]
fn decode_command<'a>(r: &mut Reader<'a>, tail: &'a [u8]) -> Option<Command<'a>> {
    let (head, rest) = r.0.split_first_chunk::<HEAD_BYTES>()?;
    let head = u128::from_le_bytes(*head);
    r.0 = rest;
    let [tag, mode, key_bytes, switches] = (head as u32).to_le_bytes();
    let (key_at, hash) = ((head >> 32) as u32, (head >> 64) as u64);
    let mut record = Record { tag, mode, switches, ..Record::default() };
    let (mut value_at, mut value_bytes) = (HERE, 0);
    if record.has_body() {
        let (numbers, number, value) = (r.u64()?, r.u64()?, r.u64()?);
        (record.first, record.second, record.number) = (numbers as u32, (numbers >> 32) as u32, number);
        (value_at, value_bytes) = (value as u32, (value >> 32) as u32);
    }
    if switches >> LONG != 0 {
        record.longs = [r.u64()?, r.u64()?, r.u64()?];
    }
    let mut bytes = |at, bytes: u32| if at == HERE { r.take(bytes as usize) } else { piece(tail, at, bytes) };
    let key = bytes(key_at, key_bytes.into())?;
    record.value = bytes(value_at, value_bytes)?;
    Some(Command { hash, key, operation: operation_of(&record)? })
}

#[inline]
fn operation_of<'a>(r: &Record<'a>) -> Option<Operation<'a>> {
    Some(match r.tag {
        0 => Operation::Get { touch: (r.mode != 0).then_some(Expiry(r.first)) },
        1 | 2 => Operation::Store {
            mode: match r.mode {
                0 => StoreMode::Set,
                1 => StoreMode::Add,
                2 => StoreMode::Replace,
                3 => StoreMode::Append,
                4 => StoreMode::Prepend,
                _ => return None,
            },
            flags: r.first,
            expiry: Expiry(r.second),
            compare: (r.tag == 2).then_some(r.number),
            options: StoreOptions {
                unique: r.long_of(0).and_then(NonZeroU64::new),
                stale: r.is_on(0),
                create: r.is_on(1),
                encoded_key: r.is_on(2),
            },
            value: r.value,
        },
        3 => Operation::RefuseLarge { unlink: r.mode != 0 },
        4 => Operation::Delete,
        5 => Operation::Arithmetic {
            direction: if r.mode == 0 { Direction::Increment } else { Direction::Decrement },
            delta: r.number,
            options: ArithmeticOptions {
                compare: r.long_of(1).and_then(NonZeroU64::new),
                unique: r.long_of(0),
                touch: r.touch_of(),
                initial: r.long_of(2).map(|value| (value, Expiry(r.second))),
            },
        },
        6 => Operation::Touch {
            expiry: Expiry(r.first),
            touched: match r.mode {
                0 => Touched::Nothing,
                1 => Touched::Attributes,
                2 => Touched::Value,
                _ => return None,
            },
        },
        7 => Operation::RefuseData,
        8 => Operation::Fetch(r.fetch_of()),
        9 => Operation::Inspect,
        10 => Operation::Discard(Discard {
            compare: r.long_of(1),
            empty: r.is_on(1).then_some(r.second),
            stale: r.is_on(0),
            touch: r.touch_of(),
            unique: r.long_of(0),
            difference_is_miss: r.is_on(2),
        }),
        11 => {
            let cursor = cursor_of(r.long_of(0)?, r.number)?;
            Operation::Piece { cursor, position: r.first, length: r.second }
        }
        _ => return None,
    })
}

/// An order that does not begin as a command.
#[inline(never)]
fn decode_rare<'a>(r: &mut Reader<'a>, tail: &'a [u8]) -> Option<Order<'a>> {
    let tag = r.0.first()? & !BROADCAST;
    if !matches!(tag, LIMIT | REPEATED_READ | LEAVE) {
        return decode_broadcast(r).map(Order::Broadcast);
    }
    r.u8()?;
    match tag {
        REPEATED_READ => decode_command(r, tail).map(Order::RepeatedRead),
        LEAVE => {
            let hash = r.u64()?;
            Some(Order::Leave(hash, cursor_of(r.u64()?, r.u64()?)?))
        }
        _ => Some(Order::Limit(ReplyLimit { piece_bytes: r.u32()?, reply_bytes: r.u32()? })),
    }
}

fn decode_broadcast(r: &mut Reader<'_>) -> Option<Broadcast> {
    let tag = r.u8()? & !BROADCAST;
    let argument = r.u32()?;
    Some(match tag {
        0 => Broadcast::Flush { at: argument },
        1 => Broadcast::Counters,
        2 => Broadcast::Classes,
        3 => Broadcast::Sizes(Extent { room: argument, from: r.u64()? }),
        4 => Broadcast::ResetCounters,
        5 => Broadcast::CountPrefixes(argument != 0),
        6 => Broadcast::RefuseFlush,
        7 => Broadcast::Evict(Eviction::decode(argument)?),
        8 => Broadcast::Crawl,
        9 => Broadcast::BeginWalk,
        10 => Broadcast::Walk(Walk { cursor: r.u64()?, classes: r.u64()?, room: r.u32()? }),
        11 => {
            let mut tuning = Tuning::default();
            for slot in tuning.0.iter_mut().take(argument as usize) {
                *slot = Some(decode_tuned(r)?);
            }
            Broadcast::Tune(tuning)
        }
        12 => Broadcast::Tuned,
        13 => Broadcast::Prefixes(Extent { room: argument, from: r.u64()? }),
        _ => return None,
    })
}
