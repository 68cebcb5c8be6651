//! Executes commands and counts them.

use super::{
    Hit, Store,
    index::{FETCHED, USED},
    item::{ENCODED_KEY, Item, STALE, TAKEN},
    number,
    write::{Attributes, Content, NoRoom},
};
use crate::{
    clock::{Expiry, Seconds},
    command::{ArithmeticOptions, Command, Direction, Operation, StoreMode, StoreOptions, Touched},
    limits::{self, item_overhead_bytes},
    reply::Reply,
};
use core::num::NonZeroU64;

impl Store {
    /// Executes one command at `now`.
    #[inline]
    pub fn execute<'s>(&'s mut self, command: &Command<'_>, now: Seconds) -> Reply<'s> {
        self.apply_due_flush(now);
        match command.operation {
            Operation::Get { touch: None } => self.read(command, now),
            _ => self.execute_other(command, now),
        }
    }

    /// Executes any command. It is a function of its own because a function with many parts spends its time on its own
    /// variables.
    #[inline(never)]
    fn execute_other<'s>(&'s mut self, command: &Command<'_>, now: Seconds) -> Reply<'s> {
        let key = (command.hash, command.key);
        match command.operation {
            Operation::Get { touch: None } => self.read(command, now),
            Operation::Get { touch: Some(expiry) } => self.read_and_touch(key, expiry, now),
            Operation::Fetch(fetch) => self.fetch(key, &fetch, now),
            Operation::Inspect => self.inspect(key, now),
            Operation::Store { mode, flags, expiry, compare, options, value } => {
                let request = StoreRequest { mode, flags, expiry, compare, options, value };
                self.store(key, &request, now)
            }
            Operation::RefuseLarge { unlink } => self.refuse_large(key, unlink, now),
            Operation::RefuseData => {
                self.counters.totals.cmd_set += 1;
                self.counters.totals.store_bad_data += 1;
                Reply::BadData
            }
            Operation::Delete => self.delete(key, now),
            Operation::Discard(discard) => self.discard(key, &discard, now),
            Operation::Arithmetic { direction, delta, options } => {
                self.arithmetic(key, direction, delta, &options, now)
            }
            Operation::Touch { expiry, touched } => self.touch(key, expiry, touched, now),
            Operation::Piece { cursor, position, length } => self.piece(cursor, position, length, now),
        }
    }

    /// Reads an item. It has few parameters: WebAssembly's compiler passes the fifth and further ones in memory.
    #[inline(never)]
    fn read<'s>(&'s mut self, command: &Command<'_>, now: Seconds) -> Reply<'s> {
        self.counters.totals.cmd_get += 1;
        let Some(hit) = self.lookup_inlined(command.hash, command.key, now) else {
            self.counters.totals.get_misses += 1;
            return Reply::Missing;
        };
        self.counters.totals.get_hits += 1;
        self.counters.class(hit.item.total_bytes()).get_hits += 1;
        self.record_use(hit, now);
        self.found(&hit.item, now)
    }

    fn read_and_touch(&mut self, key: Key<'_>, expiry: Expiry, now: Seconds) -> Reply<'_> {
        self.counters.totals.cmd_touch += 1;
        match self.lookup_and_touch(key, expiry, now) {
            // Without room for the expiry, the item is read all the same.
            Some((item, _)) => self.found(&item, now),
            None => Reply::Missing,
        }
    }

    fn touch(&mut self, key: Key<'_>, expiry: Expiry, touched: Touched, now: Seconds) -> Reply<'_> {
        if touched == Touched::Nothing {
            return self.change_expiry(key, expiry, now);
        }
        self.counters.totals.cmd_touch += 1;
        let Some((item, _)) = self.lookup_and_touch(key, expiry, now) else { return Reply::Missing };
        match touched {
            Touched::Value => self.found(&item, now),
            _ => Reply::Found(self.attributes(&item)),
        }
    }

    pub(super) fn change_expiry(&mut self, key: Key<'_>, expiry: Expiry, now: Seconds) -> Reply<'_> {
        self.counters.totals.cmd_touch += 1;
        match self.lookup_and_touch(key, expiry, now) {
            Some((_, true)) => Reply::Touched,
            Some((_, false)) => Reply::OutOfMemory,
            None => Reply::Missing,
        }
    }

    /// Changes the expiry of the item, in place if its header has a word for it, else by writing the item again. Returns
    /// the item and whether there was room for that.
    fn lookup_and_touch(&mut self, key: Key<'_>, expiry: Expiry, now: Seconds) -> Option<(Item, bool)> {
        let Some(hit) = self.lookup(key.0, key.1, now) else {
            self.counters.totals.touch_misses += 1;
            return None;
        };
        self.record_use(hit, now);
        self.counters.totals.touch_hits += 1;
        self.counters.class(hit.item.total_bytes()).touch_hits += 1;
        let unique = hit.item.unique(&self.pool);
        match self.amend(key, hit, expiry, unique, now) {
            Ok(hit) => Some((hit.item, true)),
            Err(NoRoom) => self.lookup(key.0, key.1, now).map(|hit| (hit.item, false)),
        }
    }

    pub(super) fn refuse_large(&mut self, key: Key<'_>, unlink: bool, now: Seconds) -> Reply<'_> {
        self.counters.totals.store_too_large += 1;
        let present = if unlink { self.lookup(key.0, key.1, now) } else { None };
        if let Some(hit) = present {
            self.remove(key.0, hit);
        }
        Reply::TooLarge
    }

    pub(super) fn delete(&mut self, key: Key<'_>, now: Seconds) -> Reply<'_> {
        let Some(hit) = self.lookup(key.0, key.1, now) else {
            self.counters.totals.delete_misses += 1;
            return Reply::Missing;
        };
        self.counters.totals.delete_hits += 1;
        self.counters.class(hit.item.total_bytes()).delete_hits += 1;
        self.record_deletion(&hit.item, false);
        self.remove(key.0, hit);
        Reply::Deleted
    }

    pub(super) fn store(&mut self, key: Key<'_>, request: &StoreRequest<'_>, now: Seconds) -> Reply<'_> {
        let present = self.lookup(key.0, key.1, now);
        if self.is_too_large(key.1.len(), request.value.len(), request.flags) {
            return self.refuse(key.0, request, present, Reply::TooLarge);
        }
        self.counters.totals.cmd_set += 1;
        let outcome = match self.check_conditions(request, present, now) {
            Ok(outcome) => outcome,
            Err(reply) => return reply,
        };
        let old = present.map(|hit| hit.item);
        let bytes = key.1.len() + request.value.len() + item_overhead_bytes(self.config.cas);
        let class_bytes = old.map_or(bytes as u32, |item| item.total_bytes());
        self.counters.class(class_bytes).cmd_set += 1;
        let (content, kept) = match (request.mode, old) {
            (StoreMode::Append, Some(old)) => (Content::Around(&[], request.value), Some(old)),
            (StoreMode::Prepend, Some(old)) => (Content::Around(request.value, &[]), Some(old)),
            _ => (Content::Bytes(request.value), None),
        };
        let unique = self.unique_for(request.options.unique.map(NonZeroU64::get));
        let mut attributes = Attributes { flags: request.flags, expiry: request.expiry, unique };
        let mut marks = if request.options.encoded_key { ENCODED_KEY } else { 0 };
        if let Some(old) = kept {
            let header = old.header(&self.pool);
            if self.is_too_large(key.1.len(), old.value_bytes as usize + request.value.len(), header.flags) {
                return Reply::NotStored;
            }
            attributes = Attributes { flags: header.flags, expiry: header.expiry, unique };
            marks = 0;
        }
        if let StoreOutcome::Stale(old) = outcome {
            attributes.expiry = old.expiry(&self.pool);
            marks |= STALE | old.marks() & TAKEN;
        }
        match self.write(key, present, attributes, content, now) {
            Ok(mut item) => {
                if marks != 0 {
                    item.set_marks(&mut self.pool, marks);
                }
                Reply::Stored { cas: unique, value_bytes: item.value_bytes }
            }
            Err(NoRoom) => {
                self.counters.out_of_memory(bytes as u32);
                if kept.is_none() {
                    // memcached reserves the memory before it counts the command.
                    self.counters.totals.cmd_set -= 1;
                    self.counters.class(class_bytes).cmd_set -= 1;
                }
                let present = self.lookup(key.0, key.1, now);
                self.refuse(key.0, request, present, Reply::OutOfMemory)
            }
        }
    }

    /// Checks the conditions of a store. The error is the reply if they do not hold.
    fn check_conditions(
        &mut self,
        request: &StoreRequest<'_>,
        present: Option<Hit>,
        now: Seconds,
    ) -> Result<StoreOutcome, Reply<'static>> {
        let grows = matches!(request.mode, StoreMode::Append | StoreMode::Prepend);
        match (present, request.mode) {
            (Some(hit), StoreMode::Add) => {
                self.index.mark(&mut self.pool, hit.slot, USED);
                hit.item.note_access(&mut self.pool, now);
                self.note_use(&hit.item);
                return Err(Reply::NotStored);
            }
            (None, _) if grows && request.options.create => return Ok(StoreOutcome::Stored),
            (None, StoreMode::Replace | StoreMode::Append | StoreMode::Prepend) => return Err(Reply::NotStored),
            _ => {}
        }
        let Some(compare) = request.compare else { return Ok(StoreOutcome::Stored) };
        let Some(hit) = present else {
            self.counters.totals.cas_misses += 1;
            return Err(Reply::Missing);
        };
        let unique = hit.item.unique(&self.pool);
        if grows {
            // Here the comparison is not counted, and it holds always if items have no uniques.
            let is_met = unique == compare || !self.config.cas;
            self.counters.totals.other_badval += u64::from(!is_met);
            return if is_met { Ok(StoreOutcome::Stored) } else { Err(Reply::Exists) };
        }
        // No item has the unique 0.
        let comparable = self.config.cas && compare != 0;
        let matches = comparable && unique == compare;
        let stale = comparable && request.options.stale && compare < unique;
        let hits = u64::from(matches || stale);
        self.counters.totals.cas_hits += hits;
        self.counters.totals.cas_badval += 1 - hits;
        let class = self.counters.class(hit.item.total_bytes());
        class.cas_hits += hits;
        class.cas_badval += 1 - hits;
        match (matches, stale) {
            (true, _) => Ok(StoreOutcome::Stored),
            (false, true) => Ok(StoreOutcome::Stale(hit.item)),
            (false, false) => Err(Reply::Exists),
        }
    }

    /// Refuses a store. A plain set removes the present item, as in memcached.
    fn refuse(
        &mut self,
        hash: u64,
        request: &StoreRequest<'_>,
        present: Option<Hit>,
        reply: Reply<'static>,
    ) -> Reply<'static> {
        self.counters.totals.store_too_large += u64::from(matches!(reply, Reply::TooLarge));
        if let Some(hit) = present
            && request.mode == StoreMode::Set
            && request.compare.is_none()
        {
            self.remove(hash, hit);
        }
        reply
    }

    pub(super) fn arithmetic(
        &mut self,
        key: Key<'_>,
        direction: Direction,
        delta: u64,
        options: &ArithmeticOptions,
        now: Seconds,
    ) -> Reply<'_> {
        let Some(hit) = self.lookup(key.0, key.1, now) else {
            if let Some((value, expiry)) = options.initial {
                return self.create_number(key, value, expiry, options.unique, now);
            }
            let counters = &mut self.counters.totals;
            match direction {
                Direction::Increment => counters.incr_misses += 1,
                Direction::Decrement => counters.decr_misses += 1,
            }
            return Reply::Missing;
        };
        let differs = options.compare.is_some_and(|compare| compare.get() != hit.item.unique(&self.pool));
        if differs && hit.item.value_bytes > 0 {
            self.counters.totals.other_badval += 1;
            return Reply::Exists;
        }
        let Some(old) = self.number_in(&hit.item) else {
            self.counters.totals.non_numeric += 1;
            return Reply::NonNumeric;
        };
        let class = self.counters.class(hit.item.total_bytes());
        let value = match direction {
            Direction::Increment => {
                class.incr_hits += 1;
                self.counters.totals.incr_hits += 1;
                old.wrapping_add(delta)
            }
            Direction::Decrement => {
                class.decr_hits += 1;
                self.counters.totals.decr_hits += 1;
                old.saturating_sub(delta)
            }
        };
        self.write_number(key, hit, value, options, now)
    }

    fn create_number(
        &mut self,
        key: Key<'_>,
        value: u64,
        expiry: Expiry,
        unique: Option<u64>,
        now: Seconds,
    ) -> Reply<'_> {
        let mut digits = [0; number::DIGITS_MAX];
        let digits = number::format(value, &mut digits);
        let cas = self.unique_for(unique);
        let attributes = Attributes { flags: 0, expiry, unique: cas };
        match self.write(key, None, attributes, Content::Bytes(digits), now) {
            Ok(_) => Reply::Number { value, cas, expiry: Expiry::NEVER, created: true },
            Err(_) => {
                self.counters.out_of_memory((key.1.len() + item_overhead_bytes(self.config.cas)) as u32);
                Reply::OutOfMemory
            }
        }
    }

    /// The number at the start of the item's value. A blank ends it, and anything may follow the blank.
    fn number_in(&self, item: &Item) -> Option<u64> {
        if item.value_bytes as usize > limits::NUMBER_VALUE_BYTES_MAX {
            return None;
        }
        let length = (item.value_bytes as usize).min(number::TEXT_BYTES_MAX);
        let mut text = [0; number::TEXT_BYTES_MAX];
        let text = &mut text[..length];
        let mut cursor = self.pool.cursor(item.location, item.inline_bytes());
        let mut copied = 0;
        while copied < length {
            let (at, bytes) = self.pool.advance(&mut cursor, length - copied);
            text[copied..copied + bytes].copy_from_slice(self.pool.slice(at, bytes));
            copied += bytes;
        }
        number::parse(text, length == item.value_bytes as usize)
    }

    /// Writes a number over the old one. Blanks pad a shorter number; a longer number makes a new item.
    fn write_number(
        &mut self,
        key: Key<'_>,
        hit: Hit,
        value: u64,
        options: &ArithmeticOptions,
        now: Seconds,
    ) -> Reply<'_> {
        let mut digits = [0; number::DIGITS_MAX];
        let digits = number::format(value, &mut digits);
        let length = digits.len().max(hit.item.value_bytes as usize);
        let mut short = [b' '; number::TEXT_BYTES_MAX];
        let mut long = alloc::vec::Vec::new();
        if length > short.len() {
            long.resize(length, b' ');
        }
        let text = if long.is_empty() { &mut short[..length] } else { &mut long[..] };
        text[..digits.len()].copy_from_slice(digits);
        let is_new = length > hit.item.value_bytes as usize;
        let header = hit.item.header(&self.pool);
        let cas = self.unique_for(options.unique);
        let expiry = options.touch.unwrap_or(header.expiry);
        let attributes = Attributes { flags: header.flags, expiry, unique: cas };
        let retained = self.retained_state(hit);
        let total_items = self.counters.totals.total_items;
        match self.write(key, Some(hit), attributes, Content::Bytes(text), now) {
            Ok(item) => {
                if !is_new {
                    self.counters.totals.total_items = total_items;
                    self.restore(key.0, hit, item, retained);
                    item.note_access(&mut self.pool, now);
                }
                Reply::Number { value, cas, expiry: header.expiry, created: false }
            }
            Err(_) => {
                self.counters.out_of_memory(hit.item.total_bytes());
                Reply::OutOfMemory
            }
        }
    }

    /// Records a use in the bucket line, which is in the cache already, and in the item only if its time of access is
    /// old.
    #[inline]
    pub(super) fn record_use(&mut self, hit: Hit, now: Seconds) {
        self.index.mark(&mut self.pool, hit.slot, USED | FETCHED);
        hit.item.note_access(&mut self.pool, now);
        self.note_use(&hit.item);
    }

    fn is_too_large(&self, key_bytes: usize, value_bytes: usize, flags: u32) -> bool {
        let bytes = limits::item_bytes(key_bytes, value_bytes, flags, self.config.cas);
        bytes > self.config.item_bytes_max as usize || bytes as u64 > self.item_total_bytes_max()
    }

    /// The unique of a new version: the client's choice or the next one.
    pub(super) fn unique_for(&mut self, chosen: Option<u64>) -> u64 {
        if !self.config.cas {
            return 0;
        }
        chosen.unwrap_or_else(|| {
            self.unique += self.unique_step;
            self.unique
        })
    }
}

/// A key and its hash.
pub(super) type Key<'a> = (u64, &'a [u8]);

/// The fields of [`Operation::Store`].
pub(super) struct StoreRequest<'a> {
    pub(super) mode: StoreMode,
    pub(super) flags: u32,
    pub(super) expiry: Expiry,
    pub(super) compare: Option<u64>,
    pub(super) options: StoreOptions,
    pub(super) value: &'a [u8],
}

/// How a request whose conditions hold is stored.
enum StoreOutcome {
    /// As a new version.
    Stored,
    /// As a stale version of this item.
    Stale(Item),
}
