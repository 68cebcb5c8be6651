//! Walks over the items of a segment, and what a walk does to each: it stays, moves or is removed.

use super::{
    Hit, Store,
    index::{Entry, FETCHED, USED},
    item::Item,
    log::{End, Log},
    order::Course,
    segment::{List, Part, SegmentId},
};
use crate::{
    boundary::event::{Event, Kinds},
    clock::{Expiry, Seconds},
    statistics::class_of,
};

/// Items whose index lines are read together.
const BATCH_ITEMS: usize = 16;
/// A batch ends after this many bytes, but has at least one item.
pub(super) const BATCH_BYTES: u32 = 2048;

/// The treatment of live items in a walk. Expired and flushed items are removed in every mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Used items are reinserted, the others evicted.
    Evict,
    /// All items move together with those of other segments.
    Compact,
    /// All items stay.
    Expire,
}

/// A segment that is being walked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Victim {
    pub(super) segment: SegmentId,
    /// Sequence number of the segment, to notice that it was freed meanwhile.
    pub(super) sequence: u64,
    pub(super) offset: u32,
    pub(super) mode: Mode,
}

impl Store {
    /// The walk over all items of a segment.
    pub(super) fn victim(&self, segment: SegmentId, mode: Mode) -> Victim {
        let entry = self.pool.segment(segment);
        Victim { segment, sequence: entry.sequence(), offset: entry.head.bytes(), mode }
    }

    /// Walks over the next batch of a victim: at least one item, and none that begins after `end` otherwise. Returns the
    /// number of bytes and the rest of the victim.
    pub(super) fn walk(&mut self, victim: Victim, end: u32, now: Seconds) -> (u32, Option<Victim>) {
        let mut batch = [(None, 0); BATCH_ITEMS];
        let (mut offset, mut walked, mut count) = (victim.offset, 0, 0);
        let filled = self.pool.segment(victim.segment).filled.bytes();
        while offset < filled && (offset < end || walked == 0) && count < BATCH_ITEMS && walked < BATCH_BYTES {
            let item = Item::parse_any(&self.pool, self.pool.location(victim.segment, offset));
            offset += item.total_bytes();
            walked += item.total_bytes();
            if item.is_dead() {
                continue;
            }
            if victim.mode == Mode::Expire {
                self.counters.swept(&item);
                if !self.is_gone(&item, now) {
                    let expiry = item.expiry(&self.pool).0;
                    Log::note_expiry(&mut self.pool, item.location, expiry);
                    continue;
                }
            }
            batch[count] = (Some(item), self.index.hash(item.key(&self.pool)));
            count += 1;
        }
        let lines = batch[..count].iter().map(|&(_, hash)| self.pool.word(self.index.bucket(&self.pool, hash)));
        core::hint::black_box(lines.fold(0, |folded, word| folded ^ word));
        if victim.mode == Mode::Evict {
            self.earn_credit(walked);
        }
        for &(item, hash) in &batch[..count] {
            let Some(item) = item else { continue };
            let slot = self.index.slot_of(&self.pool, hash, item.location);
            if !self.reclaim_item(hash, Hit { slot, item }, victim.mode, now) {
                return (walked, None);
            }
        }
        (walked, (offset < filled).then_some(Victim { offset, ..victim }))
    }

    /// Whether the item is expired or flushed.
    pub(super) fn is_gone(&self, item: &Item, now: Seconds) -> bool {
        item.expiry(&self.pool).has_passed(now) || self.is_flushed(item)
    }

    /// Treats one live item as `mode` says. False if it should move and there is no room.
    pub(super) fn reclaim_item(&mut self, hash: u64, hit: Hit, mode: Mode, now: Seconds) -> bool {
        let entry = self.index.entry(&self.pool, hit.slot);
        let (used, fetched) = (entry.has(USED), entry.has(FETCHED));
        let expiry = hit.item.expiry(&self.pool);
        if self.is_gone(&hit.item, now) {
            let by_sweep = mode == Mode::Expire;
            self.counters.reclaimed(&hit.item, by_sweep, !fetched && expiry.has_passed(now));
            self.note_departure(&hit.item, false);
            self.reclaim.note_move();
            self.remove(hash, hit);
            return true;
        }
        let total = u64::from(hit.item.total_bytes());
        match mode {
            Mode::Expire => true,
            Mode::Compact => {
                let end = self.compaction_end(&hit.item, now);
                let moved = self.relocate(hit, end, false);
                self.counters.totals.slab_reassign_rescues += u64::from(moved);
                moved
            }
            Mode::Evict => {
                let is_pinned = self.evictor.is_pinned(hit.item.location);
                let course = match is_pinned {
                    true if self.evictor.moves_pinned() => Course::Moves(End::of(List::of(Part::Main, expiry, now))),
                    true => Course::Stays,
                    false => self.course(&hit.item, used, expiry, now),
                };
                if let Course::Moves(end) = course
                    && self.relocate(hit, end, true)
                {
                    self.evictor.spend_credit(total);
                    return true;
                }
                if is_pinned || matches!(course, Course::Stays) {
                    self.evictor.note_passed();
                    return true;
                }
                if self.evictor.stops() {
                    return false;
                }
                let idle_s = now.saturating_sub(hit.item.access(&self.pool));
                self.counters.evicted(&hit.item, expiry != Expiry::NEVER, used, fetched, idle_s);
                if self.events.wants(Kinds::EVICTIONS) {
                    let item = &hit.item;
                    let (class, bytes) = (class_of(item.total_bytes() as usize) as u32, item.value_bytes);
                    let key = item.key(&self.pool);
                    self.events.record(&Event::Evicted { key, fetched, expiry, now, idle_s, class, bytes });
                }
                self.note_departure(&hit.item, true);
                self.reclaim.note_move();
                let part = self.part_of(&hit.item);
                self.remove(hash, hit);
                if !self.orders_by_use() {
                    self.ghosts.remember(&self.index, &mut self.pool, hash, part);
                }
                true
            }
        }
    }

    /// The part of the log that holds the item.
    #[inline]
    pub(super) fn part_of(&self, item: &Item) -> Part {
        self.pool.segment(self.pool.segment_of(item.location)).list.part()
    }

    /// Moves an item to `end`, as unused if eviction `reinserts` it. False if there is no segment for it.
    fn relocate(&mut self, hit: Hit, end: End, reinserts: bool) -> bool {
        let Hit { slot, item } = hit;
        if self.log.segments_needed(&self.pool, end, &item) > self.pool.available() {
            return false;
        }
        if end == End::MERGE {
            // A merge target has the sequence number of another segment, which a freed one may have had too.
            self.drop_freed_fronts();
            self.leave_front(self.pool.segment_of(item.location));
        }
        let total = item.total_bytes();
        let pool = &mut self.pool;
        if end == End::MERGE {
            self.log.set_merge_age(pool, &item);
        }
        let location = self.log.append(pool, end, &item);
        let mut from = pool.cursor(item.location, 0);
        let mut to = pool.cursor(location, 0);
        pool.copy(&mut from, &mut to, total);
        let expiry = item.expiry(pool).0;
        Log::note_expiry(pool, location, expiry);
        let marks = self.index.entry(pool, slot).0 & (USED | FETCHED);
        self.index.set(pool, slot, Entry::new(location, if reinserts { marks & !USED } else { marks }));
        if reinserts {
            self.counters.reinserted(&item);
        }
        self.reclaim.note_move();
        self.evictor.note_move(item.location, location);
        let used = self.pool.used();
        self.log.kill(&mut self.pool, &item);
        if !reinserts {
            self.counters.totals.slabs_moved += u64::from(used - self.pool.used());
        }
        self.complete_flush();
        true
    }
}
