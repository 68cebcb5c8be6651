//! The invariants of the store. For tests: the check walks all memory.

use super::{
    Store,
    item::Item,
    segment::{List, Location, SegmentId, SegmentKind},
};

impl Store {
    /// Walks everything.
    ///
    /// # Panics
    /// If a byte of the pool has no owner or two, if a slot leads to no item or an item to no slot, or if live bytes or
    /// statistics are wrong.
    pub fn check(&self) {
        let (items, bytes) = self.check_structure();
        let counters = self.counters();
        assert_eq!((counters.bytes, counters.curr_items), (bytes, items));
        let sum = counters.bytes + counters.hash_bytes + counters.pool_free_bytes + counters.pool_dead_bytes;
        assert!(self.pool.limit() > self.target || sum == counters.pool_bytes, "every byte is accounted for");
        let classes = self.classes(0);
        assert_eq!(classes.0.iter().map(|class| class.store.number).sum::<u64>(), items);
        assert_eq!(classes.0.iter().map(|class| class.store.mem_requested).sum::<u64>(), bytes);
    }

    /// Walks everything but the counters. Returns the numbers of items and of their bytes.
    pub(crate) fn check_structure(&self) -> (u64, u64) {
        let pool = &self.pool;
        let (mut free, mut index, mut log, mut held) = (0, 0, 0, 0);
        for id in (0..pool.segments()).map(SegmentId) {
            match pool.segment(id).kind {
                SegmentKind::Free => free += 1,
                SegmentKind::Index => index += 1,
                SegmentKind::Log => log += 1,
                SegmentKind::Held => held += 1,
            }
        }
        assert_eq!(index, self.index.segments());
        assert_eq!(index + log + held, pool.used());
        pool.check_holds();
        assert!(pool.used() <= pool.limit() + pool.lent() && pool.used() <= pool.capacity());
        assert!(self.target <= pool.limit() && pool.limit() <= pool.capacity());
        let (lists, present) = pool.free_lists();
        let [kept, absent, leaving] = lists.map(|first| {
            let (mut id, mut listed) = (first, 0);
            while id != SegmentId::NONE {
                assert_eq!(pool.segment(id).kind, SegmentKind::Free);
                listed += 1;
                id = if id == lists[2] { SegmentId::NONE } else { pool.segment(id).next };
            }
            listed
        });
        assert_eq!((kept + absent + leaving, present), (free, pool.used() + kept));
        let (mut segments, mut items, mut bytes) = (0, 0, 0);
        for list in self.log.lists() {
            let (list_segments, list_items, list_bytes) = self.check_list(list);
            segments += list_segments;
            items += list_items;
            bytes += list_bytes;
        }
        assert_eq!(segments, log);
        let has_open = |list: &List| self.log.open_segment(*list) != SegmentId::NONE;
        assert_eq!(List::buckets().filter(has_open).count() as u32, self.log.open_buckets());
        self.uses.check(self.log.sequence());
        let mut entries = 0;
        self.index.check(pool, |_, entry, _| {
            entries += 1;
            assert!(!Item::parse_any(pool, entry.location()).is_dead(), "a slot leads to a live item");
        });
        assert_eq!((entries, items), (items, u64::from(self.index.items())));
        (items, bytes)
    }

    /// Walks a list of the log from its oldest segment. Returns segments, live items and their bytes.
    fn check_list(&self, list: List) -> (u32, u64, u64) {
        let pool = &self.pool;
        let (mut segments, mut items, mut bytes) = (0, 0, 0u64);
        let (mut previous, mut sequence) = (SegmentId::NONE, 0);
        let mut id = self.log.oldest(list);
        while id != SegmentId::NONE {
            let segment = *pool.segment(id);
            assert_eq!((segment.kind, segment.list, segment.previous), (SegmentKind::Log, list, previous));
            assert!(segment.sequence() >= sequence, "a list is in the order of age");
            assert!(segment.filled.bytes() <= pool.segment_bytes());
            assert!(segment.live.bytes() > 0 || self.log.is_open(pool, id), "a segment without a live byte is freed");
            let mut live = 0;
            if segment.owner != Location::NONE {
                live = segment.head.bytes();
                assert!(!Item::parse_any(pool, segment.owner).is_dead(), "an owner lives");
            }
            for item in self.items_of(id) {
                let rest = pool.segment_bytes() - pool.offset_of(item.location);
                assert!(item.inline_bytes() <= rest, "header and key are in one segment");
                if item.is_dead() {
                    continue;
                }
                items += 1;
                bytes += u64::from(item.total_bytes());
                live += item.total_bytes().min(rest);
                let hash = self.index.hash(item.key(pool));
                self.index.slot_of(pool, hash, item.location);
                let expiry = item.expiry(pool).0;
                let walked = self.is_flushed(&item);
                assert!(expiry == 0 || walked || self.expires_in_time(id, expiry), "the sweep comes in time");
                self.check_continuation(&item, item.total_bytes().saturating_sub(rest));
            }
            assert_eq!(segment.live.bytes(), live, "live bytes of a segment");
            segments += 1;
            (previous, sequence) = (id, segment.sequence());
            id = segment.next;
        }
        assert_eq!((previous, segments), (self.log.newest(list), self.log.segments(list)));
        (segments, items, bytes)
    }

    /// Checks the segments in which a live item continues with its last `rest` bytes.
    fn check_continuation(&self, item: &Item, mut rest: u32) {
        let mut id = self.pool.segment_of(item.location);
        while rest > 0 {
            id = self.pool.segment(id).continued;
            let segment = self.pool.segment(id);
            assert_eq!((segment.owner, segment.head.bytes()), (item.location, rest.min(self.pool.segment_bytes())));
            rest -= segment.head.bytes();
        }
    }
}
