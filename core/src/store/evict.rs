//! Eviction: removes the oldest items, and reinserts those that were used at the end of the main part.
//!
//! Each list is walked from its oldest item on, and the list whose next quarter of a segment is the oldest comes next. So
//! items leave a part in the order in which they entered it, however fast its lists grow.
//!
//! Eviction frees at least one of [`Store::pace`] bytes that it walks over, so that an append frees at least
//! its own bytes; used items beyond that are evicted.

use super::{
    Store,
    item::Item,
    reclaim::{PACE, RESERVE_DENOMINATOR},
    segment::{List, Location, Part, SegmentId},
    victim::{Mode, Victim},
};
use crate::clock::Seconds;

/// Times the work of an append where the order of use is exact: fewer used items are evicted.
const LRU_PACE: u64 = 4;
/// Segments that the saved-up credit for reinserting may reach, besides four times the segments of the largest recent item.
/// While credit is spent, nothing becomes free, and the free segments must last.
const CREDIT_SEGMENTS_MAX: u64 = 8;
/// Smallest fraction of the log for items on probation.
const PROBATION_DENOMINATOR_MAX: u32 = 12;
/// Largest fraction of the pool for items on probation.
const PROBATION_DENOMINATOR_MIN: u64 = 2;
/// Bytes by which the share of probation changes for a byte that was evicted too early. A lower rate notices a change
/// of the hot keys too late; a higher rate makes small pools follow chance.
const LEARNING_RATE: u64 = 4;
/// Segments whose live bytes an eviction counts where items are evicted one by one.
const SEGMENTS_PER_EVICTION: u32 = 8;
/// Fraction of a part in which items are young: written again, they keep their place.
const YOUNG_DENOMINATOR: u64 = 4;

/// The state of eviction between two batches.
pub(super) struct Evictor {
    /// The list that is walked, up to this age.
    run: Option<(List, u64)>,
    /// Where the walk over each list goes on.
    fronts: [Option<Victim>; List::COUNT],
    /// Bytes that may be reinserted.
    credit: u64,
    reinserts: bool,
    /// Whether items are only moved now: a walk stops at the first item that would be evicted.
    only_moves: bool,
    /// Whether a walk has one item.
    is_single: bool,
    /// Live bytes of each part when they were counted, for such walks.
    live_bytes: [u64; 2],
    /// Evictions until they are counted again.
    live_evictions: u32,
    /// A walk that only moves has stopped, so the item that is evicted next is known.
    is_clean: bool,
    /// Target size of probation.
    probation_bytes: u64,
    /// Items of each part that are older than this are not young any more.
    young_from: [u64; 2],
    /// The item that a command is about. It is not evicted to make room for the command.
    pinned: Location,
    /// It has moved to the end. It moves only once, so that walks make progress where it is alone.
    has_moved_pinned: bool,
    /// A walk has passed over an item that had to stay.
    has_passed: bool,
}

impl Evictor {
    /// With full credit, so that the first used items are reinserted like later ones, even if they are large.
    pub(super) fn new(pool_bytes: u64) -> Self {
        let credit = pool_bytes / u64::from(RESERVE_DENOMINATOR);
        Self {
            run: None,
            fronts: [None; List::COUNT],
            credit,
            reinserts: true,
            only_moves: false,
            is_single: false,
            live_bytes: [0; 2],
            live_evictions: 0,
            is_clean: false,
            probation_bytes: 0,
            young_from: [0; 2],
            pinned: Location::NONE,
            has_moved_pinned: false,
            has_passed: false,
        }
    }

    /// Protects the item at `location` from eviction until [`Evictor::unpin`].
    pub(super) fn pin(&mut self, location: Location) {
        self.pinned = location;
        self.has_moved_pinned = false;
    }

    /// Ends the protection. Walks that passed over the item begin again at the oldest item of their list.
    pub(super) fn unpin(&mut self) {
        self.pinned = Location::NONE;
        if core::mem::take(&mut self.has_passed) {
            self.fronts = [None; List::COUNT];
        }
    }

    /// Whether the item must stay.
    pub(super) fn is_pinned(&self, location: Location) -> bool {
        self.pinned == location
    }

    /// Whether a walk that meets the pinned item moves it. A walk with one item passes over it: no segment needs to become free.
    pub(super) fn moves_pinned(&self) -> bool {
        !self.has_moved_pinned && !self.is_single
    }

    /// Follows an item that has moved.
    pub(super) fn note_move(&mut self, from: Location, to: Location) {
        if self.pinned == from {
            self.pinned = to;
            self.has_moved_pinned = true;
        }
    }

    /// Whether `bytes` may be reinserted.
    pub(super) fn has_credit(&self, bytes: u64) -> bool {
        self.reinserts && self.credit >= bytes
    }

    /// Whether items are reinserted at all.
    pub(super) fn reinserts(&self) -> bool {
        self.reinserts
    }

    /// Sets whether used items are reinserted at all.
    pub(super) fn set_reinserts(&mut self, reinserts: bool) {
        self.reinserts = reinserts;
    }

    /// Whether items are only moved.
    pub(super) fn only_moves(&self) -> bool {
        self.only_moves
    }

    /// Notes that a walk has passed over an item.
    pub(super) fn note_passed(&mut self) {
        self.has_passed = true;
    }

    /// Whether the item that eviction meets stays where it is. That ends the walk.
    pub(super) fn stops(&mut self) -> bool {
        self.is_clean |= self.only_moves;
        self.only_moves
    }

    /// Counts `bytes` that were reinserted.
    pub(super) fn spend_credit(&mut self, bytes: u64) {
        self.credit = self.credit.saturating_sub(bytes);
    }
}

impl Store {
    /// Walks over the next batch of the oldest items. Returns the number of bytes; `None` if there is nothing to evict. The
    /// list that is walked is chosen again if `chooses`.
    pub(super) fn evict_batch(&mut self, chooses: bool, now: Seconds) -> Option<u32> {
        if chooses {
            self.evictor.run = None;
        }
        let (list, age_max, front) = self.next_of_run().or_else(|| self.begin_run())?;
        self.pass_held(list, front);
        // In a walk that may stop, an item at a time.
        let end = if self.evictor.only_moves || self.evictor.is_single {
            front.offset
        } else {
            self.end_of_age(front, age_max)
        };
        self.evictor.is_clean = false;
        let (walked, rest) = self.walk(front, end, now);
        if self.evictor.is_clean {
            return None;
        }
        self.evictor.fronts[list.0 as usize] = rest;
        if rest.is_none() && self.is_in_log(front) {
            // A segment that is still there is open or holds the pinned item.
            let is_open = self.log.is_open(&self.pool, front.segment);
            self.evictor.has_passed |= !is_open;
            let segment = self.pool.segment(front.segment);
            self.evictor.fronts[list.0 as usize] = Some(match segment.next {
                SegmentId::NONE => Victim { offset: segment.filled.bytes(), ..front },
                next => self.victim(next, Mode::Evict),
            });
        }
        Some(walked)
    }

    /// Walks over the next item in the order of eviction, and evicts it if it is its turn. False if there is none.
    pub(super) fn evict_next(&mut self, now: Seconds) -> bool {
        self.count_live_bytes();
        self.evictor.is_single = true;
        let is_walked = self.config.evictions && self.evict_batch(true, now).is_some();
        self.evictor.is_single = false;
        is_walked
    }

    /// Moves the items that eviction would meet but not evict, until it would evict one or after `bytes`. So the next
    /// eviction finds its item at once, however many were used since they were written.
    pub(super) fn renew_places(&mut self, bytes: u64, now: Seconds) {
        let mut left = bytes;
        self.evictor.only_moves = true;
        while left > 0 && !self.evictor.is_clean && self.pool.available() > 1 {
            let Some(walked) = self.evict_batch(false, now) else { break };
            left = left.saturating_sub(u64::from(walked.max(1)));
        }
        self.evictor.only_moves = false;
    }

    /// Forgets which item is evicted next: it may have been used.
    pub(super) fn recheck_places(&mut self) {
        self.evictor.is_clean = false;
    }

    /// Goes on in the list that was chosen last, while its next items are not younger than those of other lists.
    fn next_of_run(&self) -> Option<(List, u64, Victim)> {
        let (list, age_max) = self.evictor.run?;
        let (age, victim) = self.front(list)?;
        (age <= age_max && !self.log.is_open(&self.pool, victim.segment)).then_some((list, age_max, victim))
    }

    /// Chooses the list whose next quarter is the oldest, and remembers how far it may be walked.
    fn begin_run(&mut self) -> Option<(List, u64, Victim)> {
        if self.pool.take_unspared() {
            self.evictor.fronts = [None; List::COUNT];
        }
        let (list, age, mut age_max, front) = loop {
            let chosen = self.eviction_front()?;
            // Compaction appends no more items to a segment that eviction has begun to walk over.
            let is_merged = chosen.3.segment == self.log.merge_target();
            if is_merged {
                self.log.close_segment(&mut self.pool, chosen.3.segment);
            }
            if !self.begin_bucket(chosen.0) && !is_merged {
                break chosen;
            }
        };
        if self.orders_by_use() {
            self.uses.drop_before(age);
            age_max = age_max.min(self.uses.oldest_age_max());
        }
        let young = self.log.sequence().saturating_sub(age) / YOUNG_DENOMINATOR;
        self.evictor.young_from[list.part() as usize] = self.log.sequence() - young;
        self.evictor.run = Some((list, age_max));
        Some((list, age_max, front))
    }

    /// The offset in the segment of `front` at which the first quarter begins that is younger than `age_max`; at least the
    /// end of the present one.
    fn end_of_age(&self, front: Victim, age_max: u64) -> u32 {
        if age_max == u64::MAX || self.pool.segment(front.segment).list.is_bucket() {
            return u32::MAX;
        }
        let mut end = self.log.age_at(&self.pool, front.segment, front.offset).1;
        while end < self.pool.segment(front.segment).filled.bytes() {
            match self.log.age_at(&self.pool, front.segment, end) {
                (age, next) if age <= age_max => end = next,
                _ => break,
            }
        }
        end
    }

    /// Lets the walk over a segment begin again at the oldest item of the list, because items of the segment move to an
    /// older one.
    pub(super) fn leave_front(&mut self, id: SegmentId) {
        if self.is_front(id) {
            self.evictor.fronts[self.pool.segment(id).list.0 as usize] = None;
        }
    }

    /// Forgets where walks go on in segments that were freed meanwhile.
    pub(super) fn drop_freed_fronts(&mut self) {
        for list in self.log.lists() {
            let front = self.evictor.fronts[list.0 as usize];
            self.evictor.fronts[list.0 as usize] = front.filter(|&front| self.is_in_log(front));
        }
    }

    /// Whether the item entered its part so lately that it may keep its place when it is written again. An older one moves
    /// to the end, so that eviction never meets an item that is written all the time.
    #[inline]
    pub(super) fn is_young(&self, item: &Item) -> bool {
        let segment = self.pool.segment(self.pool.segment_of(item.location));
        !segment.list.is_bucket() && segment.opened >= self.evictor.young_from[segment.list.part() as usize]
    }

    /// Whether eviction is walking over the segment.
    pub(super) fn is_front(&self, id: SegmentId) -> bool {
        let front = self.evictor.fronts[self.pool.segment(id).list.0 as usize];
        front.is_some_and(|front| front.segment == id)
    }

    /// The list whose next quarter is the oldest, among those of the part that is above its target size; the age of that
    /// quarter, that of the next one in another list of the part, and the place of the first.
    fn eviction_front(&mut self) -> Option<(List, u64, u64, Victim)> {
        // After a change to exact recency, items on probation have no privilege.
        let in_order = self.orders_by_use();
        let from = if !in_order && self.is_probation_large() { Part::Probation } else { Part::Main };
        let mut oldest: Option<((bool, u64), List, Victim)> = None;
        let mut second = (true, u64::MAX);
        let mut has_closed = false;
        for list in self.log.lists() {
            let Some((age, victim)) = self.front(list) else { continue };
            self.pass_held(list, victim);
            has_closed |= !self.log.is_open(&self.pool, victim.segment);
            let rank = (!in_order && list.part() != from, age);
            match oldest {
                Some((least, ..)) if rank >= least => second = second.min(rank),
                _ => {
                    second = oldest.map_or(second, |(rank, ..)| rank);
                    oldest = Some((rank, list, victim));
                }
            }
        }
        let (rank, list, mut victim) = oldest?;
        if !has_closed && !self.evictor.is_single {
            // Only a closed segment becomes free.
            self.log.close_segment(&mut self.pool, victim.segment);
            victim.sequence = self.pool.segment(victim.segment).sequence();
        }
        Some((list, rank.1, if second.0 == rank.0 { second.1 } else { u64::MAX }, victim))
    }

    /// Lets the walk over `list` go on at `victim`. Held segments before it are passed over, and not looked at again.
    #[inline]
    fn pass_held(&mut self, list: List, victim: Victim) {
        if self.pool.holds.is_empty() {
            return;
        }
        let front = self.evictor.fronts[list.0 as usize].replace(victim);
        if front.map_or(self.log.oldest(list), |front| front.segment) != victim.segment {
            self.pool.holds.has_passed = true;
        }
    }

    /// Where eviction from `list` goes on, and the age of the items there.
    fn front(&self, list: List) -> Option<(u64, Victim)> {
        let front = self.evictor.fronts[list.0 as usize].filter(|&front| self.is_in_log(front));
        let mut victim = match front {
            Some(front) => front,
            None => match self.log.oldest(list) {
                SegmentId::NONE => return None,
                oldest => self.victim(oldest, Mode::Evict),
            },
        };
        // A segment in which the pinned item continues may have no other.
        loop {
            let segment = self.pool.segment(victim.segment);
            let is_spent = victim.offset >= segment.filled.bytes() || segment.live.bytes() == 0;
            if !is_spent && !self.pool.spares(victim.segment) {
                break;
            }
            match segment.next {
                SegmentId::NONE => return None,
                next => victim = self.victim(next, Mode::Evict),
            }
        }
        let age = match list.is_bucket() {
            true => self.uses.age_of(list.bucket()),
            false => self.log.age_at(&self.pool, victim.segment, victim.offset).0,
        };
        Some((age, victim))
    }

    /// Counts the live bytes of both parts, so often that each eviction pays for a few segments.
    fn count_live_bytes(&mut self) {
        if self.evictor.live_evictions > 0 {
            self.evictor.live_evictions -= 1;
            return;
        }
        let mut segments = 0;
        self.evictor.live_bytes = [0; 2];
        for list in self.log.lists() {
            let mut next = self.log.oldest(list);
            while next != SegmentId::NONE {
                let segment = self.pool.segment(next);
                self.evictor.live_bytes[list.part() as usize] += u64::from(segment.live.bytes());
                (next, segments) = (segment.next, segments + 1);
            }
        }
        self.evictor.live_evictions = segments / SEGMENTS_PER_EVICTION;
    }

    /// Whether probation is above its target size.
    fn is_probation_large(&self) -> bool {
        if self.evictor.is_single {
            // Where the number of items is the limit, most bytes of a segment may be dead.
            let [main, probation] = self.evictor.live_bytes;
            let all = main + probation;
            let least = all / u64::from(PROBATION_DENOMINATOR_MAX);
            let wanted = self.evictor.probation_bytes.clamp(least, all / PROBATION_DENOMINATOR_MIN);
            return probation > wanted;
        }
        let segments = |part| -> u32 {
            self.log.lists().filter(|list| list.part() == part).map(|list| self.log.segments(list)).sum()
        };
        let [main, probation] = [Part::Main, Part::Probation].map(segments);
        let least = (main + probation) / PROBATION_DENOMINATOR_MAX;
        let wanted = (self.evictor.probation_bytes >> self.pool.segment_bytes().ilog2()) as u32;
        probation > wanted.max(least).max(1)
    }

    /// Bytes walked for each byte appended while room is short. Of these bytes, at least one is freed.
    pub(super) fn pace(&self) -> u64 {
        if self.orders_by_use() { PACE * LRU_PACE } else { PACE }
    }

    /// Adds the credit for walking over `walked` bytes.
    pub(super) fn earn_credit(&mut self, walked: u32) {
        let segments = CREDIT_SEGMENTS_MAX + 4 * u64::from(self.segments_reserved());
        let walked = u64::from(walked);
        let credit = self.evictor.credit + walked - walked / self.pace();
        self.evictor.credit = credit.min(segments * u64::from(self.pool.segment_bytes()));
    }

    /// Makes `part` larger, because an item of `bytes` bytes was evicted from it too early.
    pub(super) fn learn(&mut self, part: Part, bytes: u32) {
        let most = u64::from(self.target) * u64::from(self.pool.segment_bytes()) / PROBATION_DENOMINATOR_MIN;
        let step = u64::from(bytes) * self.ghosts.weight(part) * LEARNING_RATE;
        let wanted = &mut self.evictor.probation_bytes;
        *wanted = match part {
            Part::Main => wanted.saturating_sub(step),
            Part::Probation => (*wanted + step).min(most),
        };
    }
}
