//! Makes room: removes expired and flushed items, compacts segments with dead bytes, and at last evicts from the oldest
//! segment. Eviction reinserts used items at the end of the log and removes the others.
//!
//! Work is spread: while room is short, each append walks over [`PACE`] times its bytes, in batches of a few items whose
//! index lines are read first. A walk keeps at most [`REINSERT_NUMERATOR`]/[`REINSERT_DENOMINATOR`] of the bytes, so that
//! it frees at least the bytes of the append; used items beyond that are evicted.

use super::{
    Hit, Store,
    index::{Entry, FETCHED, USED},
    item::Item,
    log::Log,
    segment::{List, Location, Part, Segment, SegmentId, SegmentKind},
};
use crate::{
    boundary::event::{Event, Kinds},
    clock::{Expiry, Seconds},
    command::Eviction,
    statistics::class_of,
};

/// Bytes walked for each byte appended while room is short.
const PACE: u64 = 4;
/// Fraction of the bytes that an evicting walk may reinsert.
const REINSERT_NUMERATOR: u64 = 3;
/// See [`REINSERT_NUMERATOR`].
const REINSERT_DENOMINATOR: u64 = 4;
/// Fraction of the pool that the saved-up credit for reinserting may reach.
const CREDIT_DENOMINATOR: u64 = 8;
/// Items whose index lines are read together.
const BATCH_ITEMS: usize = 16;
/// A batch ends after this many bytes, but has at least one item.
const BATCH_BYTES: u32 = 2048;
/// Entries of the segment table that one search for a victim reads.
const SCAN_SEGMENTS: u32 = 64;
/// A segment is compacted if at least this fraction is dead. With less, a walk of `PACE` would free too little.
const DEAD_DENOMINATOR: u32 = 4;
/// The same fraction in a store without evictions.
const DEAD_DENOMINATOR_DESPERATE: u32 = 16;
/// Entries of the segment table that one step of the sweep reads.
const SWEEP_SCAN_SEGMENTS: u32 = 4096;
/// Free segments beyond the reserve at which paid walks begin.
const AHEAD_SEGMENTS: u32 = 2;
/// Segments that a waiting command compacts at most, besides [`PACE`] times the bytes of its item.
const WAIT_COMPACT_SEGMENTS: u64 = 16;
/// Smallest fraction of the log for items on probation.
const PROBATION_DENOMINATOR_MAX: u32 = 10;
/// Largest fraction of the pool for items on probation.
const PROBATION_DENOMINATOR_MIN: u64 = 2;
/// Bytes by which the share of probation changes for a byte that was evicted too early. A lower rate notices a change
/// of the hot keys too late; a higher rate makes small pools follow chance.
const LEARNING_RATE: u64 = 4;
/// Largest fraction of the pool that is reserved for reinserting large items.
const RESERVE_DENOMINATOR: u32 = 16;

/// The treatment of live items in a walk. Expired and flushed items are removed in every mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Used items are reinserted, the others evicted.
    Evict,
    /// All items are moved to the open segment.
    Compact,
    /// All items stay.
    Expire,
}

/// A segment that is being walked.
#[derive(Clone, Copy, Debug)]
struct Victim {
    segment: SegmentId,
    /// Sequence number of the segment, to notice that it was freed meanwhile.
    sequence: u64,
    offset: u32,
    mode: Mode,
}

/// The state of reclaiming between two bounded pieces of work.
pub(super) struct Reclaim {
    victim: Option<Victim>,
    /// Bytes that appends still have to walk over.
    debt: u64,
    /// Bytes that may be reinserted.
    credit: u64,
    /// Target size of probation.
    probation_bytes: u64,
    /// Counts moved and removed items, so that the holder of a location notices a change.
    moves: u64,
    /// Bytes that may be compacted before eviction (or a refusal) is next. Moving items that span segments leaves dead
    /// bytes in the neighbours, so compaction alone may make no progress.
    compact_left: u64,
    scan_at: u32,
    /// The last walk for expired items gained little: eviction or compaction is next.
    skip_expire: bool,
    sweep_at: u32,
    sweep_left: u32,
    /// Segments of the largest item that was appended in this round of the log and in the previous one.
    largest: [u32; 2],
    round_bytes: u64,
}

impl Reclaim {
    /// For a pool of `pool_bytes`. It starts with full credit, so that the first used items are reinserted like later
    /// ones, even if they are large.
    pub(super) fn new(pool_bytes: u64) -> Self {
        Self {
            victim: None,
            debt: 0,
            credit: pool_bytes / CREDIT_DENOMINATOR,
            probation_bytes: 0,
            moves: 0,
            compact_left: 0,
            scan_at: 0,
            skip_expire: false,
            sweep_at: 0,
            sweep_left: 0,
            largest: [1; 2],
            round_bytes: 0,
        }
    }

    /// A number that changes whenever an item was moved or removed.
    pub(super) fn moves(&self) -> u64 {
        self.moves
    }

    /// Makes the sweep visit all segments again.
    pub(super) fn restart_sweep(&mut self) {
        self.sweep_left = u32::MAX;
    }
}

impl Store {
    /// Removes expired items, and makes room while it is short. Walks over at most `steps` segments. True if there is
    /// more to do at once.
    pub fn sweep(&mut self, now: Seconds, steps: u32) -> bool {
        self.apply_due_flush(now);
        self.pool.holds.expire(now);
        self.drop_paused_expiry();
        let segments = self.pool.segments();
        let round = self.reclaim.sweep_left;
        self.reclaim.sweep_left = if round == 0 { segments } else { round.min(segments) };
        let (mut walked, mut scanned) = (0, 0);
        if !self.expires {
            self.reclaim.sweep_left = 0;
        }
        while self.reclaim.sweep_left > 0 && walked < steps && scanned / SWEEP_SCAN_SEGMENTS < steps {
            let id = SegmentId(self.reclaim.sweep_at % segments);
            self.reclaim.sweep_at = id.0 + 1;
            self.reclaim.sweep_left -= 1;
            scanned += 1;
            if self.is_due(id, now) {
                self.sweep_segment(id, now);
                walked += 1;
            }
        }
        if self.reclaim.sweep_left > 0 {
            return true;
        }
        self.reclaim.compact_left = u64::MAX;
        let mut budget = u64::from(steps - walked) * u64::from(self.pool.segment_bytes());
        while self.pool.available() < self.segments_kept_free() || self.pool.limit() > self.target {
            let Some(bytes) = (budget > 0).then(|| self.reclaim_batch(now)).flatten() else { break };
            budget = budget.saturating_sub(u64::from(bytes));
            self.lower_limit(u32::MAX);
        }
        self.pool.limit() > self.target && budget == 0
    }

    /// Makes sure that `item` can be appended to `list`. Reclaims in proportion to its size. False if there is no room.
    pub(super) fn make_room(&mut self, list: List, item: &Item, now: Seconds) -> bool {
        let total = item.total_bytes();
        self.note_size(total);
        if self.pool.limit() > self.target {
            self.lower_limit(1);
        }
        if self.pool.available() < self.segments_kept_free() {
            self.pay(u64::from(total) * PACE, now);
        }
        self.reclaim.compact_left =
            u64::from(total) * PACE + WAIT_COMPACT_SEGMENTS * u64::from(self.pool.segment_bytes());
        loop {
            let needed = self.log.segments_needed(&self.pool, list, item);
            if needed == 0 || self.pool.available() >= needed + self.segments_reserved() {
                return true;
            }
            if !self.direct_reclaim(now) {
                let needed = self.log.segments_needed(&self.pool, list, item);
                // Compaction always needs a last free segment.
                return needed == 0 || self.pool.available() > needed;
            }
        }
    }

    /// Makes sure that `needed` segments can be taken, without a limit of work.
    pub(super) fn make_segments(&mut self, needed: u32, now: Seconds) -> bool {
        while self.pool.available() < needed {
            if !self.direct_reclaim(now) {
                return false;
            }
        }
        true
    }

    /// Segments that only reinserting may take.
    pub(super) fn segments_reserved(&self) -> u32 {
        self.reclaim.largest[0].max(self.reclaim.largest[1])
    }

    /// Free segments below which reclaiming begins.
    pub(super) fn segments_kept_free(&self) -> u32 {
        self.segments_reserved() + AHEAD_SEGMENTS
    }

    /// The items that begin in a segment, in order.
    pub(super) fn items_of(&self, id: SegmentId) -> impl Iterator<Item = Item> + '_ {
        let segment = self.pool.segment(id);
        let mut offset = segment.head;
        core::iter::from_fn(move || {
            (offset < segment.filled).then(|| {
                let item = Item::parse(&self.pool, self.pool.location(id, offset));
                offset += item.total_bytes();
                item
            })
        })
    }

    /// Records the size of an item for the reserve. It counts for at most two rounds of the log.
    fn note_size(&mut self, total: u32) {
        let segments = total.div_ceil(self.pool.segment_bytes()).min((self.target / RESERVE_DENOMINATOR).max(1));
        let reclaim = &mut self.reclaim;
        reclaim.largest[0] = reclaim.largest[0].max(segments);
        reclaim.round_bytes += u64::from(total);
        if reclaim.round_bytes > u64::from(self.target) * u64::from(self.pool.segment_bytes()) {
            reclaim.round_bytes = 0;
            reclaim.largest = [1, reclaim.largest[0]];
        }
    }

    /// Walks over `bytes` and earlier debt, or until room is no longer short.
    fn pay(&mut self, bytes: u64, now: Seconds) {
        self.reclaim.debt += bytes;
        self.reclaim.compact_left = u64::MAX;
        while self.reclaim.debt >= u64::from(BATCH_BYTES) {
            let short = self.pool.available() < self.segments_kept_free();
            let Some(walked) = short.then(|| self.reclaim_batch(now)).flatten() else {
                self.reclaim.debt = 0;
                return;
            };
            self.reclaim.debt = self.reclaim.debt.saturating_sub(u64::from(walked));
        }
    }

    /// Reclaims a batch while a command waits. False if there is nothing to reclaim.
    fn direct_reclaim(&mut self, now: Seconds) -> bool {
        let evictions = self.counters.totals.evictions;
        let more = self.reclaim_batch(now).is_some();
        self.counters.totals.direct_reclaims += self.counters.totals.evictions - evictions;
        more
    }

    /// Lowers the limit of the pool towards the target by free segments, at most `most` of them.
    fn lower_limit(&mut self, most: u32) {
        let above = self.pool.limit().saturating_sub(self.target);
        let spare = self.pool.available().saturating_sub(self.segments_kept_free().saturating_sub(1));
        self.pool.set_limit(self.pool.limit() - above.min(spare).min(most));
    }

    /// Walks over the next items of the victim. Returns the number of bytes, `None` if there is nothing to reclaim.
    fn reclaim_batch(&mut self, now: Seconds) -> Option<u32> {
        let victim = match self.reclaim.victim {
            Some(victim) if self.is_current(victim) && self.may_walk(victim.mode) => victim,
            _ => self.choose_victim(now)?,
        };
        self.reclaim.victim = Some(victim);
        let (walked, next) = self.walk(victim, now);
        self.reclaim.victim = next;
        if next.is_none() {
            self.finish(victim, now);
        }
        if victim.mode == Mode::Compact {
            self.reclaim.compact_left = self.reclaim.compact_left.saturating_sub(u64::from(walked.max(BATCH_BYTES)));
        }
        // A walk for expired items moves nothing, so it does not reduce the debt.
        Some(if victim.mode == Mode::Expire { 0 } else { walked })
    }

    /// Ends the walk over a victim. A segment that lost enough by expiry is compacted at once.
    fn finish(&mut self, victim: Victim, now: Seconds) {
        if victim.mode != Mode::Expire {
            self.reclaim.skip_expire = false;
            return;
        }
        self.reclaim.skip_expire = true;
        if self.is_current(victim) {
            let dead = self.pool.segment(victim.segment).dead();
            if dead >= self.pool.segment_bytes() / DEAD_DENOMINATOR && self.may_walk(Mode::Compact) {
                self.reclaim.victim = self.compaction_of(victim.segment, now);
            }
        } else {
            self.reclaim.skip_expire = false;
        }
    }

    fn is_current(&self, victim: Victim) -> bool {
        self.pool.segment(victim.segment).sequence == victim.sequence && !self.log.is_open(victim.segment)
    }

    fn may_walk(&self, mode: Mode) -> bool {
        mode != Mode::Compact || self.reclaim.compact_left > 0
    }

    /// Chooses a segment with expired items, else one with many dead bytes, else the oldest.
    fn choose_victim(&mut self, now: Seconds) -> Option<Victim> {
        let desperate = !self.config.evictions;
        let segments = self.pool.segments();
        let scan = if desperate { segments } else { segments.min(SCAN_SEGMENTS) };
        let denominator = if desperate { DEAD_DENOMINATOR_DESPERATE } else { DEAD_DENOMINATOR };
        let mut best = (self.pool.segment_bytes() / denominator, SegmentId::NONE);
        for _ in 0..scan {
            let id = SegmentId(self.reclaim.scan_at % segments);
            self.reclaim.scan_at = id.0 + 1;
            let segment = self.pool.segment(id);
            if segment.kind != SegmentKind::Log || self.log.is_open(id) {
                continue;
            }
            if self.is_due(id, now) && !self.reclaim.skip_expire {
                self.pool.segment_mut(id).expires_first = Seconds::MAX;
                return Some(self.victim(id, Mode::Expire));
            }
            if segment.dead() > best.0 {
                best = (segment.dead(), id);
            }
        }
        self.reclaim.skip_expire = false;
        if best.1 != SegmentId::NONE
            && self.may_walk(Mode::Compact)
            && let Some(victim) = self.compaction_of(best.1, now)
        {
            return Some(victim);
        }
        self.config.evictions.then(|| self.eviction_victim()).flatten()
    }

    /// The oldest segment of the part that is above its target size.
    fn eviction_victim(&self) -> Option<Victim> {
        let segments =
            |part| -> u32 { List::all().filter(|list| list.part() == part).map(|list| self.log.segments(list)).sum() };
        let [main, probation] = [Part::Main, Part::Probation].map(segments);
        let least = (main + probation) / PROBATION_DENOMINATOR_MAX;
        let wanted = (self.reclaim.probation_bytes >> self.pool.segment_bytes().ilog2()) as u32;
        let over = probation > wanted.max(least).max(1);
        // After a change to exact recency, items on probation have no privilege.
        let in_order = self.config.eviction == Eviction::Lru;
        let oldest = List::all()
            .map(|list| (list.part() == Part::Probation, self.log.oldest(list)))
            .filter(|&(_, id)| id != SegmentId::NONE && !self.log.is_open(id))
            .min_by_key(|&(on_probation, id)| (!in_order && on_probation != over, self.pool.segment(id).sequence));
        oldest.map(|(_, id)| self.victim(id, Mode::Evict))
    }

    fn victim(&self, segment: SegmentId, mode: Mode) -> Victim {
        let &Segment { sequence, head, .. } = self.pool.segment(segment);
        Victim { segment, sequence, offset: head, mode }
    }

    /// Starts the compaction of a segment. An item that continues in it is moved first; `None` if that is impossible.
    fn compaction_of(&mut self, id: SegmentId, now: Seconds) -> Option<Victim> {
        let victim = self.victim(id, Mode::Compact);
        let owner = self.pool.segment(id).owner;
        if owner != Location::NONE {
            let item = Item::parse(&self.pool, owner);
            let hash = self.index.hash(item.key(&self.pool));
            let slot = self.index.slot_of(&self.pool, hash, owner);
            let small = item.total_bytes() <= 2 * self.pool.segment_bytes();
            let hit = Hit { slot, item };
            if !(small || self.is_gone(&item, now)) || !self.reclaim_item(hash, hit, Mode::Compact, now) {
                return None;
            }
        }
        self.is_current(victim).then_some(victim)
    }

    /// Whether the segment has expired or flushed items.
    fn is_due(&self, id: SegmentId, now: Seconds) -> bool {
        let segment = self.pool.segment(id);
        let flushed = self.flushed.is_some_and(|flushed| segment.sequence <= flushed);
        segment.kind == SegmentKind::Log && segment.live > 0 && (segment.expires_first <= now || flushed)
    }

    /// Ends a paused walk for expired items, so that the sweep walks over its segment from the start.
    fn drop_paused_expiry(&mut self) {
        if let Some(victim) = self.reclaim.victim
            && victim.mode == Mode::Expire
            && self.is_current(victim)
        {
            self.pool.segment_mut(victim.segment).expires_first = 0;
            self.reclaim.victim = None;
        }
    }

    fn sweep_segment(&mut self, id: SegmentId, now: Seconds) {
        self.pool.segment_mut(id).expires_first = Seconds::MAX;
        let mut next = Some(self.victim(id, Mode::Expire));
        while let Some(victim) = next {
            next = self.walk(victim, now).1;
        }
    }

    /// Walks over the next batch of a victim. Returns the number of bytes and the rest of the victim.
    fn walk(&mut self, victim: Victim, now: Seconds) -> (u32, Option<Victim>) {
        let mut batch = [(None, 0); BATCH_ITEMS];
        let (mut offset, mut walked, mut count) = (victim.offset, 0, 0);
        let filled = self.pool.segment(victim.segment).filled;
        while offset < filled && count < BATCH_ITEMS && walked < BATCH_BYTES {
            let item = Item::parse(&self.pool, self.pool.location(victim.segment, offset));
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
            let most = u64::from(self.target) * u64::from(self.pool.segment_bytes()) / CREDIT_DENOMINATOR;
            let credit = self.reclaim.credit + u64::from(walked) * REINSERT_NUMERATOR / REINSERT_DENOMINATOR;
            self.reclaim.credit = credit.min(most);
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
    fn reclaim_item(&mut self, hash: u64, hit: Hit, mode: Mode, now: Seconds) -> bool {
        let entry = self.index.entry(&self.pool, hit.slot);
        let (used, fetched) = (entry.has(USED), entry.has(FETCHED));
        let expiry = hit.item.expiry(&self.pool);
        if self.is_gone(&hit.item, now) {
            let by_sweep = mode == Mode::Expire;
            self.counters.reclaimed(&hit.item, by_sweep, !fetched && expiry.has_passed(now));
            self.reclaim.moves += 1;
            self.remove(hash, hit);
            return true;
        }
        let total = u64::from(hit.item.total_bytes());
        match mode {
            Mode::Expire => true,
            Mode::Compact => {
                let part = self.part_of(&hit.item);
                let moved = self.relocate(hit, part, false, now);
                self.counters.totals.slab_reassign_rescues += u64::from(moved);
                moved
            }
            Mode::Evict => {
                if used && self.reclaim.credit >= total && self.relocate(hit, Part::Main, true, now) {
                    self.reclaim.credit -= total;
                    return true;
                }
                let idle_s = now.saturating_sub(hit.item.access(&self.pool));
                self.counters.evicted(&hit.item, expiry != Expiry::NEVER, used, fetched, idle_s);
                if self.events.wants(Kinds::EVICTIONS) {
                    let item = &hit.item;
                    let (class, bytes) = (class_of(item.total_bytes() as usize) as u32, item.value_bytes);
                    let key = item.key(&self.pool);
                    self.events.record(&Event::Evicted { key, fetched, expiry, now, idle_s, class, bytes });
                }
                self.reclaim.moves += 1;
                let part = self.part_of(&hit.item);
                self.remove(hash, hit);
                if self.config.eviction != Eviction::Lru {
                    self.ghosts.remember(&self.index, &mut self.pool, hash, part);
                }
                true
            }
        }
    }

    /// Makes `part` larger, because an item of `bytes` bytes was evicted from it too early.
    pub(super) fn learn(&mut self, part: Part, bytes: u32) {
        let most = u64::from(self.target) * u64::from(self.pool.segment_bytes()) / PROBATION_DENOMINATOR_MIN;
        let step = u64::from(bytes) * self.ghosts.weight(part) * LEARNING_RATE;
        let wanted = &mut self.reclaim.probation_bytes;
        *wanted = match part {
            Part::Main => wanted.saturating_sub(step),
            Part::Probation => (*wanted + step).min(most),
        };
    }

    /// The part of the log that holds the item.
    #[inline]
    pub(super) fn part_of(&self, item: &Item) -> Part {
        self.pool.segment(self.pool.segment_of(item.location)).list.part()
    }

    /// Moves an item to the end of `part`, as unused if eviction `reinserts` it. False if there is no segment for it.
    fn relocate(&mut self, hit: Hit, part: Part, reinserts: bool, now: Seconds) -> bool {
        let Hit { slot, item } = hit;
        let list = List::of(part, item.expiry(&self.pool), now);
        if self.log.segments_needed(&self.pool, list, &item) > self.pool.available() {
            return false;
        }
        let total = item.total_bytes();
        let pool = &mut self.pool;
        let location = self.log.append(pool, list, &item);
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
        self.reclaim.moves += 1;
        let used = self.pool.used();
        self.log.kill(&mut self.pool, &item);
        if !reinserts {
            self.counters.totals.slabs_moved += u64::from(used - self.pool.used());
        }
        self.complete_flush();
        true
    }
}

impl Store {
    /// Whether a walk visits the segment when an item in it expires. For [`super::check`].
    pub(super) fn expires_in_time(&self, id: SegmentId, expiry: Seconds) -> bool {
        let walking = self.reclaim.victim.is_some_and(|victim| victim.segment == id && self.is_current(victim));
        walking || self.pool.segment(id).expires_first <= expiry
    }
}
