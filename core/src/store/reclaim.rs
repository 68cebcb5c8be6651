//! Makes room: removes expired and flushed items, compacts segments with dead bytes (see [`super::compact`]), and at last
//! evicts the oldest items (see [`super::evict`]).
//!
//! Work is spread: while room is short, each append walks over [`PACE`] times its bytes, in batches of a few items whose
//! index lines are read first.

use super::{
    Store,
    compact::{Merge, WASTE_DENOMINATOR, WASTE_DENOMINATOR_DESPERATE},
    item::Item,
    log::End,
    segment::{SegmentId, SegmentKind},
    victim::{BATCH_BYTES, Mode, Victim},
};
use crate::clock::Seconds;

/// Bytes walked for each byte appended while room is short.
pub(super) const PACE: u64 = 4;
/// Times the pace when no segment beyond the reserve is free, so that it catches up before a command has to wait.
const URGENCY: u64 = 4;
/// Part of the bytes that a walk for expired items pays for: it reads headers and moves nothing.
const EXPIRE_DENOMINATOR: u32 = 8;
/// Batches after which a command that waits for a segment evicts used items too, at the pace of [`PACE`]. One that needs more
/// segments walks over [`Store::pace`] times its bytes first.
const WAIT_REINSERT_BATCHES: u32 = 8;
/// Entries of the segment table that one search for a victim reads.
const SCAN_SEGMENTS: u32 = 64;
/// Entries of the segment table that one step of the sweep reads.
const SWEEP_SCAN_SEGMENTS: u32 = 4096;
/// Free segments beyond the reserve at which paid walks begin.
const AHEAD_SEGMENTS: u32 = 2;
/// Fraction of the pool that is free when items begin to move to the places of their last uses. Until nothing is free, all
/// of them can move.
const RENEWAL_DENOMINATOR: u32 = 16;
/// Further free segments where the order of use is exact, besides one for each bucket that may be opened soon.
const AHEAD_BUCKETS_MIN: u32 = 1;
/// Batches of a waiting command for each item and each segment, at most.
const WAIT_ROUNDS_MAX: u32 = 4;
/// Segments that a waiting command compacts at most, besides [`PACE`] times the bytes of its item.
const WAIT_COMPACT_SEGMENTS: u64 = 4;
/// Largest fraction of the pool that is reserved for reinserting large items.
pub(super) const RESERVE_DENOMINATOR: u32 = 16;

/// The state of reclaiming between two bounded pieces of work.
pub(super) struct Reclaim {
    victim: Option<Victim>,
    /// Bytes that appends still have to walk over.
    debt: u64,
    /// Counts moved and removed items, so that the holder of a location notices a change.
    moves: u64,
    /// Bytes that may be compacted before eviction (or a refusal) is next. Moving items that span segments leaves dead
    /// bytes in the neighbours, so compaction alone may make no progress.
    compact_left: u64,
    /// Bytes that are evicted before the next search for expired items and dead bytes.
    evict_left: u32,
    pub(super) merge: Merge,
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
    /// Nothing to do yet.
    pub(super) fn new() -> Self {
        Self {
            victim: None,
            debt: 0,
            moves: 0,
            compact_left: 0,
            evict_left: 0,
            merge: Merge::NONE,
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

    /// Counts a moved or removed item.
    pub(super) fn note_move(&mut self) {
        self.moves += 1;
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
        self.pool.expire_holds(now);
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
        if self.places_matter() {
            self.recheck_places();
            self.renew_places(u64::from(steps - walked) * u64::from(self.pool.segment_bytes()), now);
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

    /// Makes sure that `item` can be appended at `end`. Reclaims in proportion to its size. False if there is no room.
    pub(super) fn make_room(&mut self, end: End, item: &Item, now: Seconds) -> bool {
        let total = item.total_bytes();
        self.note_size(total);
        if self.pool.limit() > self.target {
            self.lower_limit(1);
        }
        let missing = self.segments_kept_free().saturating_sub(self.pool.available());
        if missing > 0 {
            let urgency = if missing == 1 { 1 } else { URGENCY };
            self.pay(u64::from(total) * self.pace() * urgency, now);
        }
        if self.places_matter() {
            self.renew_places(u64::from(total) * self.pace(), now);
        }
        self.reclaim.compact_left =
            u64::from(total) * self.pace() + WAIT_COMPACT_SEGMENTS * u64::from(self.pool.segment_bytes());
        let has_room = self.wait_for_room(end, item, now);
        self.evictor.set_reinserts(true);
        self.pool.set_sparing(true);
        has_room
    }

    fn wait_for_room(&mut self, end: End, item: &Item, now: Seconds) -> bool {
        let segment_batches = self.pool.segment_bytes().div_ceil(BATCH_BYTES);
        let pace = self.pace() as u32;
        for batch in 0..self.wait_batches_max() {
            let needed = self.log.segments_needed(&self.pool, end, item);
            if needed == 0 || self.pool.available() >= needed + self.segments_reserved() {
                return true;
            }
            let batches =
                if needed == 1 { WAIT_REINSERT_BATCHES * pace / PACE as u32 } else { needed * pace * segment_batches };
            self.evictor.set_reinserts(batch < batches);
            if !self.direct_reclaim(now) {
                break;
            }
        }
        let needed = self.log.segments_needed(&self.pool, end, item);
        // Compaction always needs a last free segment.
        needed == 0 || self.pool.available() > needed
    }

    /// Batches after which a waiting command gives up: far more than it takes to walk over the whole log.
    fn wait_batches_max(&self) -> u32 {
        self.index.items().saturating_add(self.pool.segments()).saturating_mul(WAIT_ROUNDS_MAX)
    }

    /// Makes sure that `needed` segments can be taken, without a limit of work.
    pub(super) fn make_segments(&mut self, needed: u32, now: Seconds) -> bool {
        for _ in 0..self.wait_batches_max() {
            if self.pool.available() >= needed || !self.direct_reclaim(now) {
                break;
            }
        }
        self.pool.available() >= needed
    }

    /// Segments that only reinserting may take.
    pub(super) fn segments_reserved(&self) -> u32 {
        self.reclaim.largest[0].max(self.reclaim.largest[1])
    }

    /// Free segments below which reclaiming begins.
    pub(super) fn segments_kept_free(&self) -> u32 {
        let kept = self.segments_reserved() + AHEAD_SEGMENTS;
        if !self.orders_by_use() {
            return kept;
        }
        kept + self.buckets_max().saturating_sub(self.log.open_buckets()).max(AHEAD_BUCKETS_MIN)
    }

    /// Whether items will soon be evicted in the order of use.
    #[inline]
    fn places_matter(&self) -> bool {
        self.orders_by_use()
            && self.config.evictions
            && self.pool.available() < self.segments_kept_free() + self.target / RENEWAL_DENOMINATOR
    }

    /// The items that begin in a segment, in order.
    pub(super) fn items_of(&self, id: SegmentId) -> impl Iterator<Item = Item> + '_ {
        let segment = self.pool.segment(id);
        let mut offset = segment.head.bytes();
        core::iter::from_fn(move || {
            (offset < segment.filled.bytes()).then(|| {
                let item = Item::parse_any(&self.pool, self.pool.location(id, offset));
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
        // At last, values that are gone leave their room to those that are stored, although clients still read them.
        let more = self.reclaim_batch(now).is_some() || self.pool.set_sparing(false) || self.pool.drop_oldest_hold();
        self.counters.totals.direct_reclaims += self.counters.totals.evictions - evictions;
        more
    }

    /// Lowers the limit of the pool towards the target by free segments, at most `most` of them.
    fn lower_limit(&mut self, most: u32) {
        let above = self.pool.limit().saturating_sub(self.target);
        let spare = self.pool.available().saturating_sub(self.segments_kept_free().saturating_sub(1));
        self.pool.set_limit(self.pool.limit() - above.min(spare).min(most));
    }

    /// Walks over the next items of the victim, or evicts. Returns the number of bytes, `None` if there is nothing to
    /// reclaim.
    fn reclaim_batch(&mut self, now: Seconds) -> Option<u32> {
        let current = self.reclaim.victim.filter(|&victim| self.is_current(victim) && self.may_walk(victim.mode));
        let is_evicting = current.is_none() && self.reclaim.evict_left > 0;
        let Some(victim) = (if is_evicting { None } else { current.or_else(|| self.choose_victim(now)) }) else {
            return self.evict_some(now);
        };
        self.reclaim.victim = Some(victim);
        let (walked, next) = self.walk(victim, u32::MAX, now);
        self.reclaim.victim = next;
        if next.is_none() {
            self.finish(victim, now);
        }
        if victim.mode == Mode::Compact {
            self.reclaim.compact_left = self.reclaim.compact_left.saturating_sub(u64::from(walked.max(BATCH_BYTES)));
        }
        Some(if victim.mode == Mode::Expire { walked.div_ceil(EXPIRE_DENOMINATOR) } else { walked })
    }

    /// Evicts a batch. A search for expired items and dead bytes follows after the bytes of a segment.
    fn evict_some(&mut self, now: Seconds) -> Option<u32> {
        self.reclaim.victim = None;
        if !self.config.evictions {
            return None;
        }
        let chooses = self.reclaim.evict_left == 0;
        if chooses {
            self.reclaim.evict_left = self.pool.segment_bytes();
        }
        let walked = self.evict_batch(chooses, now);
        let done = walked.map_or(u32::MAX, |walked| walked.max(1));
        self.reclaim.evict_left = self.reclaim.evict_left.saturating_sub(done);
        walked
    }

    /// Ends the walk over a victim. A segment that lost enough by expiry is compacted at once.
    fn finish(&mut self, victim: Victim, now: Seconds) {
        if victim.mode == Mode::Compact {
            self.reclaim.victim = self.next_of_merge(now);
        }
        if victim.mode != Mode::Expire {
            self.reclaim.skip_expire = false;
            return;
        }
        self.reclaim.skip_expire = true;
        if self.is_current(victim) {
            let waste = self.waste(victim.segment).unwrap_or(0);
            if waste >= self.pool.segment_bytes() / WASTE_DENOMINATOR && self.may_walk(Mode::Compact) {
                self.reclaim.victim = self.compaction_of(victim.segment, now);
            }
        } else {
            self.reclaim.skip_expire = false;
        }
    }

    /// Whether the segment still holds the items that the walk has not visited.
    pub(super) fn is_in_log(&self, victim: Victim) -> bool {
        self.pool.segment(victim.segment).sequence() == victim.sequence
    }

    /// Whether the walk may go on.
    pub(super) fn is_current(&self, victim: Victim) -> bool {
        self.is_in_log(victim) && !self.log.is_open(&self.pool, victim.segment)
    }

    fn may_walk(&self, mode: Mode) -> bool {
        mode != Mode::Compact || self.reclaim.compact_left > 0
    }

    /// Chooses a segment with expired items, else one with many dead bytes.
    fn choose_victim(&mut self, now: Seconds) -> Option<Victim> {
        let desperate = !self.config.evictions;
        let segments = self.pool.segments();
        let scan = if desperate { segments } else { segments.min(SCAN_SEGMENTS) };
        let denominator = if desperate { WASTE_DENOMINATOR_DESPERATE } else { WASTE_DENOMINATOR };
        let mut best = (self.pool.segment_bytes() / denominator, SegmentId::NONE);
        for _ in 0..scan {
            let id = SegmentId(self.reclaim.scan_at % segments);
            self.reclaim.scan_at = id.0 + 1;
            let segment = self.pool.segment(id);
            if segment.kind != SegmentKind::Log || self.log.is_open(&self.pool, id) {
                continue;
            }
            if self.is_due(id, now) && !self.reclaim.skip_expire {
                self.pool.segment_mut(id).expires_first = Seconds::MAX;
                return Some(self.victim(id, Mode::Expire));
            }
            if let Some(waste) = self.waste(id)
                && waste > best.0
            {
                best = (waste, id);
            }
        }
        self.reclaim.skip_expire = false;
        if best.1 == SegmentId::NONE || !self.may_walk(Mode::Compact) {
            return None;
        }
        self.compaction_of(best.1, now)
    }

    /// Whether the segment has expired or flushed items.
    fn is_due(&self, id: SegmentId, now: Seconds) -> bool {
        let segment = self.pool.segment(id);
        let flushed = self.flushed.is_some_and(|flushed| segment.sequence() <= flushed);
        segment.kind == SegmentKind::Log && segment.live.bytes() > 0 && (segment.expires_first <= now || flushed)
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
            next = self.walk(victim, u32::MAX, now).1;
        }
    }
}

impl Store {
    /// Whether a walk visits the segment when an item in it expires. For [`super::check`].
    pub(super) fn expires_in_time(&self, id: SegmentId, expiry: Seconds) -> bool {
        let walking = self.reclaim.victim.is_some_and(|victim| victim.segment == id && self.is_current(victim));
        walking || self.pool.segment(id).expires_first <= expiry
    }
}
