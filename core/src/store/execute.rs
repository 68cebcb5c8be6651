//! What each command does, and what it counts.

use super::{
    Hit, Store,
    index::{FETCHED, USED},
    item::Item,
    log::Log,
    number,
    write::{Attributes, Content, WriteError},
};
use crate::{
    clock::{Expiry, Seconds},
    command::{Command, Direction, Operation, StoreMode},
    limits::item_overhead_bytes,
    reply::{Found, Reply, Value},
};

impl Store {
    /// Executes one command at `now`.
    pub fn execute<'s>(&'s mut self, command: &Command<'_>, now: Seconds) -> Reply<'s> {
        self.enter(now);
        let key = (command.hash, command.key);
        match command.operation {
            Operation::Get { touch: None } => self.read(key, now),
            Operation::Get { touch: Some(expiry) } => self.read_and_touch(key, expiry, now),
            Operation::Store { mode, flags, expiry, compare, value } => {
                let wish = Wish { mode, flags, expiry, compare, value };
                self.store(key, &wish, now)
            }
            Operation::RefuseLarge { unlink } => self.refuse_large(key, unlink, now),
            Operation::RefuseData => {
                self.tally.counters.cmd_set += 1;
                Reply::BadData
            }
            Operation::Delete => self.delete(key, now),
            Operation::Arithmetic { direction, delta } => self.arithmetic(key, direction, delta, now),
            Operation::Touch { expiry } => self.touch(key, expiry, now),
        }
    }

    #[inline]
    fn read(&mut self, key: Key<'_>, now: Seconds) -> Reply<'_> {
        self.tally.counters.cmd_get += 1;
        let Some(hit) = self.lookup(key.0, key.1, now) else {
            self.tally.counters.get_misses += 1;
            return Reply::Missing;
        };
        self.tally.counters.get_hits += 1;
        self.tally.class(hit.item.total_bytes()).get_hits += 1;
        self.note_use(hit, now);
        Reply::Found(self.found(&hit.item))
    }

    fn read_and_touch(&mut self, key: Key<'_>, expiry: Expiry, now: Seconds) -> Reply<'_> {
        self.tally.counters.cmd_touch += 1;
        match self.lookup_and_touch(key, expiry, now) {
            Ok(item) => {
                self.tally.counters.get_hits += 1;
                Reply::Found(self.found(&item))
            }
            Err(reply) => reply,
        }
    }

    fn touch(&mut self, key: Key<'_>, expiry: Expiry, now: Seconds) -> Reply<'_> {
        self.tally.counters.cmd_touch += 1;
        match self.lookup_and_touch(key, expiry, now) {
            Ok(_) => Reply::Touched,
            Err(reply) => reply,
        }
    }

    /// Gives the item a new expiry: in place if its header has a word for one, else by writing it again.
    fn lookup_and_touch(&mut self, key: Key<'_>, expiry: Expiry, now: Seconds) -> Result<Item, Reply<'static>> {
        let Some(hit) = self.lookup(key.0, key.1, now) else {
            self.tally.counters.touch_misses += 1;
            return Err(Reply::Missing);
        };
        self.note_use(hit, now);
        self.tally.counters.touch_hits += 1;
        self.tally.class(hit.item.total_bytes()).touch_hits += 1;
        if hit.item.set_expiry(&mut self.pool, expiry) {
            Log::note_expiry(&mut self.pool, hit.item.location, expiry.0);
            return Ok(hit.item);
        }
        let header = hit.item.header(&self.pool);
        let attributes = Attributes { flags: header.flags, expiry, unique: header.unique };
        let total_items = self.tally.counters.total_items;
        match self.write(key, Some(hit), attributes, Content::Around(&[], &[]), now) {
            Ok(item) => {
                self.tally.counters.total_items = total_items;
                let slot = self.index.slot_of(&self.pool, key.0, item.location);
                self.index.mark(&mut self.pool, slot, USED | FETCHED);
                Ok(item)
            }
            Err(WriteError::Gone) => Err(Reply::Missing),
            Err(WriteError::NoRoom) => {
                self.tally.out_of_memory(hit.item.total_bytes());
                Err(Reply::OutOfMemory)
            }
        }
    }

    fn refuse_large(&mut self, key: Key<'_>, unlink: bool, now: Seconds) -> Reply<'_> {
        self.tally.counters.store_too_large += 1;
        let present = if unlink { self.lookup(key.0, key.1, now) } else { None };
        if let Some(hit) = present {
            self.remove(key.0, hit);
        }
        Reply::TooLarge
    }

    fn delete(&mut self, key: Key<'_>, now: Seconds) -> Reply<'_> {
        let Some(hit) = self.lookup(key.0, key.1, now) else {
            self.tally.counters.delete_misses += 1;
            return Reply::Missing;
        };
        self.tally.counters.delete_hits += 1;
        self.tally.class(hit.item.total_bytes()).delete_hits += 1;
        self.remove(key.0, hit);
        Reply::Deleted
    }

    fn store(&mut self, key: Key<'_>, wish: &Wish<'_>, now: Seconds) -> Reply<'_> {
        let present = self.lookup(key.0, key.1, now);
        if self.is_too_large(key.1.len(), wish.value.len()) {
            return self.refuse(key.0, wish, present, Reply::TooLarge);
        }
        self.tally.counters.cmd_set += 1;
        if let Some(reply) = self.condition_fails(wish, present, now) {
            return reply;
        }
        let old = present.map(|hit| hit.item);
        let bytes = key.1.len() + wish.value.len() + item_overhead_bytes(self.config.cas);
        self.tally.class(old.map_or(bytes as u32, |item| item.total_bytes())).cmd_set += 1;
        let (content, kept) = match (wish.mode, old) {
            (StoreMode::Append, Some(old)) => (Content::Around(&[], wish.value), Some(old)),
            (StoreMode::Prepend, Some(old)) => (Content::Around(wish.value, &[]), Some(old)),
            _ => (Content::Bytes(wish.value), None),
        };
        let unique = self.next_unique();
        let mut attributes = Attributes { flags: wish.flags, expiry: wish.expiry, unique };
        if let Some(old) = kept {
            if self.is_too_large(key.1.len(), old.value_bytes as usize + wish.value.len()) {
                return Reply::NotStored;
            }
            let header = old.header(&self.pool);
            attributes = Attributes { flags: header.flags, expiry: header.expiry, unique };
        }
        match self.write(key, present, attributes, content, now) {
            Ok(_) => Reply::Stored { cas: unique },
            Err(WriteError::Gone) => Reply::NotStored,
            Err(WriteError::NoRoom) => {
                self.tally.out_of_memory(bytes as u32);
                let present = self.lookup(key.0, key.1, now);
                self.refuse(key.0, wish, present, Reply::OutOfMemory)
            }
        }
    }

    /// The reply if the condition under which to store does not hold.
    fn condition_fails(&mut self, wish: &Wish<'_>, present: Option<Hit>, now: Seconds) -> Option<Reply<'static>> {
        match (present, wish.mode) {
            (Some(hit), StoreMode::Add) => {
                self.note_use(hit, now);
                return Some(Reply::NotStored);
            }
            (None, StoreMode::Replace | StoreMode::Append | StoreMode::Prepend) => return Some(Reply::NotStored),
            _ => {}
        }
        let compare = wish.compare?;
        let Some(hit) = present else {
            self.tally.counters.cas_misses += 1;
            return Some(Reply::Missing);
        };
        let matches = self.config.cas && hit.item.unique(&self.pool) == compare;
        self.tally.counters.cas_hits += u64::from(matches);
        self.tally.counters.cas_badval += u64::from(!matches);
        let class = self.tally.class(hit.item.total_bytes());
        class.cas_hits += u64::from(matches);
        class.cas_badval += u64::from(!matches);
        (!matches).then_some(Reply::Exists)
    }

    /// A store that cannot be: a plain set takes the stale item with it, as memcached's does.
    fn refuse(&mut self, hash: u64, wish: &Wish<'_>, present: Option<Hit>, reply: Reply<'static>) -> Reply<'static> {
        self.tally.counters.store_too_large += u64::from(matches!(reply, Reply::TooLarge));
        if let Some(hit) = present
            && wish.mode == StoreMode::Set
            && wish.compare.is_none()
        {
            self.remove(hash, hit);
        }
        reply
    }

    fn arithmetic(&mut self, key: Key<'_>, direction: Direction, delta: u64, now: Seconds) -> Reply<'_> {
        let Some(hit) = self.lookup(key.0, key.1, now) else {
            let counters = &mut self.tally.counters;
            match direction {
                Direction::Increment => counters.incr_misses += 1,
                Direction::Decrement => counters.decr_misses += 1,
            }
            return Reply::Missing;
        };
        let Some(old) = self.number_in(&hit.item) else { return Reply::NonNumeric };
        let class = self.tally.class(hit.item.total_bytes());
        let value = match direction {
            Direction::Increment => {
                class.incr_hits += 1;
                self.tally.counters.incr_hits += 1;
                old.wrapping_add(delta)
            }
            Direction::Decrement => {
                class.decr_hits += 1;
                self.tally.counters.decr_hits += 1;
                old.saturating_sub(delta)
            }
        };
        self.write_number(key, hit, value, now)
    }

    /// The number that the item's value is.
    fn number_in(&self, item: &Item) -> Option<u64> {
        let length = item.value_bytes as usize;
        let mut text = [0; number::TEXT_BYTES_MAX];
        let text = text.get_mut(..length)?;
        let mut cursor = self.pool.cursor(item.location, item.inline_bytes());
        let mut copied = 0;
        while copied < length {
            let (at, bytes) = self.pool.advance(&mut cursor, length - copied);
            text[copied..copied + bytes].copy_from_slice(self.pool.slice(at, bytes));
            copied += bytes;
        }
        number::parse(text)
    }

    /// Writes a number over the old one, with blanks behind it where it is shorter; a longer one is a new item.
    fn write_number(&mut self, key: Key<'_>, hit: Hit, value: u64, now: Seconds) -> Reply<'_> {
        let mut digits = [0; number::DIGITS_MAX];
        let digits = number::format(value, &mut digits);
        let mut text = [b' '; number::TEXT_BYTES_MAX];
        text[..digits.len()].copy_from_slice(digits);
        let length = digits.len().max(hit.item.value_bytes as usize);
        let in_place = length > digits.len() || length == hit.item.value_bytes as usize;
        let header = hit.item.header(&self.pool);
        let cas = self.next_unique();
        let attributes = Attributes { flags: header.flags, expiry: header.expiry, unique: cas };
        let total_items = self.tally.counters.total_items;
        match self.write(key, Some(hit), attributes, Content::Bytes(&text[..length]), now) {
            Ok(_) => {
                if in_place {
                    self.tally.counters.total_items = total_items;
                }
                Reply::Number { value, cas }
            }
            Err(_) => {
                self.tally.out_of_memory(hit.item.total_bytes());
                Reply::OutOfMemory
            }
        }
    }

    /// A hit writes into the bucket line it already holds, and into the item only if its time of access is old.
    #[inline]
    fn note_use(&mut self, hit: Hit, now: Seconds) {
        self.index.mark(&mut self.pool, hit.slot, USED | FETCHED);
        hit.item.note_access(&mut self.pool, now);
    }

    #[inline]
    fn found(&self, item: &Item) -> Found<'_> {
        Found { flags: item.flags(&self.pool), cas: item.unique(&self.pool), value: self.value(item) }
    }

    #[inline]
    fn value(&self, item: &Item) -> Value<'_> {
        let (length, inline) = (item.value_bytes as usize, item.inline_bytes());
        let at = item.location.byte() + inline as usize;
        let here = (self.pool.segment_bytes() - self.pool.offset_of(item.location) - inline) as usize;
        if length <= here {
            return Value::whole(self.pool.slice(at, length));
        }
        let next = self.pool.segment(self.pool.segment_of(item.location)).next;
        Value::scattered(length, self.pool.slice(at, here), self, next.0)
    }

    fn is_too_large(&self, key_bytes: usize, value_bytes: usize) -> bool {
        let bytes = key_bytes + value_bytes + item_overhead_bytes(self.config.cas);
        bytes > self.config.item_bytes_max as usize || bytes as u64 > self.item_total_bytes_max()
    }

    fn next_unique(&mut self) -> u64 {
        if self.config.cas {
            self.unique += 1;
        }
        self.unique
    }
}

/// A key and its hash.
type Key<'a> = (u64, &'a [u8]);

/// The fields of [`Operation::Store`].
struct Wish<'a> {
    mode: StoreMode,
    flags: u32,
    expiry: Expiry,
    compare: Option<u64>,
    value: &'a [u8],
}
