//! Where room comes from: expired and flushed items, segments that are partly dead, and at last the oldest segment,
//! whose used items are carried over to the open one while the others are evicted.
//!
//! Work is spread: each append pays with a walk of [`PACE`] times its bytes, in batches of a few items whose index
//! lines are read first. Walking `PACE` bytes keeps at most [`REINSERT_NUMERATOR`]/[`REINSERT_DENOMINATOR`] of them, so
//! that it frees at least the byte that it was paid for; what is used beyond that is evicted.

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
/// How much of what eviction walks over it may carry.
const REINSERT_NUMERATOR: u64 = 3;
/// See [`REINSERT_NUMERATOR`].
const REINSERT_DENOMINATOR: u64 = 4;
/// The part of the pool that may be carried over beyond that at once: what was not needed before is saved up.
const CREDIT_DENOMINATOR: u64 = 8;
/// Items whose index lines are read together.
const BATCH_ITEMS: usize = 16;
/// A batch ends after this many bytes (but has at least one item).
const BATCH_BYTES: u32 = 2048;
/// Entries of the segment table that one search for a victim looks at.
const SCAN_SEGMENTS: u32 = 64;
/// A segment is worth compacting from this dead part on; it must leave `PACE` enough to gain.
const DEAD_DENOMINATOR: u32 = 4;
/// The same where nothing may be evicted.
const DEAD_DENOMINATOR_DESPERATE: u32 = 16;
/// Entries of the segment table that one step of the sweep looks at.
const SWEEP_SCAN_SEGMENTS: u32 = 4096;
/// Free segments beyond the reserve at which paid walks begin.
const AHEAD_SEGMENTS: u32 = 2;
/// Segments (and a few times the item's own bytes) that a waiting command compacts at most.
const WAIT_COMPACT_SEGMENTS: u64 = 16;
/// The least part of the log that new items get.
const PROBATION_DENOMINATOR_MAX: u32 = 10;
/// The largest.
const PROBATION_DENOMINATOR_MIN: u64 = 2;
/// Bytes by which the share of new items changes for a byte that was evicted too early: slower, and a jump of what is
/// hot is over before it was noticed; faster, and small pools follow every chance.
const LEARNING_RATE: u64 = 4;
/// The largest part of the pool that is reserved so that large items can be carried over.
const RESERVE_DENOMINATOR: u32 = 16;

/// What happens to the live items of a segment that is walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Used ones are carried over, others evicted.
    Evict,
    /// All are moved to the open segment.
    Compact,
    /// All stay. Like in the other modes, expired and flushed ones go.
    Expire,
}

/// A segment that is being walked.
#[derive(Clone, Copy, Debug)]
struct Victim {
    segment: SegmentId,
    /// To notice that it has been freed meanwhile.
    sequence: u64,
    offset: u32,
    mode: Mode,
}

/// What has to be remembered between two bounded pieces of reclaiming.
pub(super) struct Reclaim {
    victim: Option<Victim>,
    /// Bytes that appends have paid for and that were not walked yet.
    debt: u64,
    /// Bytes that may be carried over.
    credit: u64,
    /// How much of the log new items should have.
    probation_bytes: u64,
    /// Counts items that were moved or removed: whoever holds a location looks whether it changed.
    moves: u64,
    /// Bytes that may still be compacted before evicting (or giving up) comes next: moving items that span segments
    /// leaves dead parts in the neighbours, so compaction alone is no progress.
    compact_left: u64,
    scan_at: u32,
    /// The last walk for expired items gained little: evict or compact before the next.
    skip_expire: bool,
    sweep_at: u32,
    sweep_left: u32,
    /// Segments of the largest item that was appended since the log last went round, and the round before.
    largest: [u32; 2],
    round_bytes: u64,
}

impl Reclaim {
    /// For a pool of `pool_bytes`. It begins with all the credit it can have, so that the first items that were used
    /// are carried over like later ones, large ones too.
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

    /// Changes whenever an item may have moved or gone.
    pub(super) fn moves(&self) -> u64 {
        self.moves
    }

    /// There is something new to find everywhere.
    pub(super) fn restart_sweep(&mut self) {
        self.sweep_left = u32::MAX;
    }
}

impl Store {
    /// Expiry, and compaction while room is short: walks over at most `steps` segments. True if there is more to do
    /// at once.
    pub fn sweep(&mut self, now: Seconds, steps: u32) -> bool {
        self.apply_due_flush(now);
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

    /// Makes sure that `item` can be appended to `list`; pays for it with a piece of reclaiming. False if there is no room.
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
                // Without a last free segment nothing could ever be compacted again.
                return needed == 0 || self.pool.available() > needed;
            }
        }
    }

    /// Makes sure that `needed` segments can be taken, whatever it costs.
    pub(super) fn make_segments(&mut self, needed: u32, now: Seconds) -> bool {
        while self.pool.available() < needed {
            if !self.direct_reclaim(now) {
                return false;
            }
        }
        true
    }

    /// Segments that only carrying over may take.
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

    /// Remembers how large items are, for the reserve; forgets it two rounds of the log later.
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

    /// Walks as far as was paid for, or until room is no longer short.
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

    /// A batch for which a command has to wait.
    fn direct_reclaim(&mut self, now: Seconds) -> bool {
        let evictions = self.counters.totals.evictions;
        let more = self.reclaim_batch(now).is_some();
        self.counters.totals.direct_reclaims += self.counters.totals.evictions - evictions;
        more
    }

    /// Brings a lowered limit down by what is free.
    fn lower_limit(&mut self, most: u32) {
        let above = self.pool.limit().saturating_sub(self.target);
        let spare = self.pool.available().saturating_sub(self.segments_kept_free().saturating_sub(1));
        self.pool.set_limit(self.pool.limit() - above.min(spare).min(most));
    }

    /// Walks the next few items of the segment that is being reclaimed. Answers how many bytes, `None` if there is
    /// nothing to reclaim.
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
        // Looking for expired items moves nothing; whoever waits must not pay with it for an eviction.
        Some(if victim.mode == Mode::Expire { 0 } else { walked })
    }

    /// A victim was walked to its end: one that has lost enough by expiry is compacted at once.
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

    /// Something expired, something mostly dead, or the oldest.
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

    /// The oldest segment of the part that is to give way.
    fn eviction_victim(&self) -> Option<Victim> {
        let segments =
            |part| -> u32 { List::all().filter(|list| list.part() == part).map(|list| self.log.segments(list)).sum() };
        let [main, probation] = [Part::Main, Part::Probation].map(segments);
        let least = (main + probation) / PROBATION_DENOMINATOR_MAX;
        let wanted = (self.reclaim.probation_bytes >> self.pool.segment_bytes().ilog2()) as u32;
        let over = probation > wanted.max(least).max(1);
        // What is left of probation from before the policy was changed has no privilege.
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

    /// Begins to compact a segment. The item that continues in it, if any, moves first; `None` if it cannot.
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

    /// The rest of a walk that paused must not be hidden from the sweep: it walks the segment anew.
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

    /// Walks over a batch of items from where the victim stands. Answers the bytes, and where it stands then.
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

    pub(super) fn is_gone(&self, item: &Item, now: Seconds) -> bool {
        item.expiry(&self.pool).has_passed(now) || self.is_flushed(item)
    }

    /// Does with one live item what `mode` says; false if it can neither move nor stay.
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

    /// An item of `bytes` bytes is wanted again that was evicted from `part`: that should have been larger.
    pub(super) fn learn(&mut self, part: Part, bytes: u32) {
        let most = u64::from(self.target) * u64::from(self.pool.segment_bytes()) / PROBATION_DENOMINATOR_MIN;
        let step = u64::from(bytes) * self.ghosts.weight(part) * LEARNING_RATE;
        let wanted = &mut self.reclaim.probation_bytes;
        *wanted = match part {
            Part::Main => wanted.saturating_sub(step),
            Part::Probation => (*wanted + step).min(most),
        };
    }

    /// The part of the log that the item is in.
    #[inline]
    pub(super) fn part_of(&self, item: &Item) -> Part {
        self.pool.segment(self.pool.segment_of(item.location)).list.part()
    }

    /// Moves an item to the end of `part`; false if there is no segment for it.
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
    /// Whether a walk will come by when an item of the segment expires. For the check.
    pub(super) fn expires_in_time(&self, id: SegmentId, expiry: Seconds) -> bool {
        let walking = self.reclaim.victim.is_some_and(|victim| victim.segment == id && self.is_current(victim));
        walking || self.pool.segment(id).expires_first <= expiry
    }
}
