//! How much memory the guests reserve, under the limits that the system puts on this process.
//!
//! Without a limit, each guest reserves all that it can address, and each store all that `cache_memlimit` could give it
//! later: reservations are free. A limit of address space selects the module whose accesses are checked, and a limit of
//! writable memory smaller stores. If that is not enough, the server does not start: it names the limit and what it needs.

use crate::{
    exit::{self, ExitError},
    guest::{MEMORY_GUARD_BYTES, MEMORY_RESERVATION_BYTES, MemoryLayout, beside_store_bytes},
    limits::{COMPACT_FRONT_BYTES, COMPACT_GROWTH_BYTES, HOST_BYTES, THREAD_BYTES},
    options::Options,
    stores::Stores,
    system::{
        memory,
        memory_limits::{MemoryLimit, MemoryLimits},
    },
};
use wasmcached_core::{
    boundary::config::{Authentication, Role, StoreConfig},
    limits,
};

/// Threads besides the workers: main, ticks, upkeep.
const OTHER_THREADS: u64 = 3;

/// The reservations of the guests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MemoryPlan {
    pub(super) layout: MemoryLayout,
    /// How far the memory of a shard may be raised later.
    pub(super) capacity_bytes: u64,
    /// One line for the user, where a limit makes the server slower.
    pub(super) notice: Option<String>,
}

impl MemoryPlan {
    /// The plan for these options.
    ///
    /// # Errors
    /// A limit is too low for them.
    pub(super) fn choose(options: &Options) -> Result<Self, ExitError> {
        let memory_limits = MemoryLimits::read();
        if memory_limits.address_space.is_some() {
            memory::use_one_arena();
        }
        Demand::of(options).plan(&memory_limits).map_err(|message| ExitError::new(exit::SYSTEM, message))
    }
}

/// The guests that the options ask for.
#[derive(Clone, Copy, Debug)]
struct Demand {
    workers: u64,
    /// Guests with connections: one a worker, and one that checks the list of users or the token.
    fronts: u64,
    /// Guests with a store.
    shards: u64,
    /// The workers' guests are those with a store.
    is_solo: bool,
    shard_bytes: u64,
    item_bytes_max: u64,
    /// The budget of what connections hold: any front may hold all of it.
    buffers_bytes: u64,
}

impl Demand {
    fn of(options: &Options) -> Self {
        let (workers, shards) = (options.threads as u64, u64::from(options.shard_count()));
        let StoreConfig { memory_bytes, item_bytes_max, .. } = options.guest.store;
        let checks_secrets = options.authentication() != Authentication::None || options.http_token.is_some();
        Self {
            workers,
            fronts: workers + u64::from(checks_secrets),
            shards,
            is_solo: Stores::role_of_workers(options) == Role::Solo,
            shard_bytes: memory_bytes.div_ceil(shards),
            item_bytes_max: item_bytes_max.into(),
            buffers_bytes: limits::buffers_bytes_max(memory_bytes, item_bytes_max),
        }
    }

    fn plan(&self, system: &MemoryLimits) -> Result<MemoryPlan, String> {
        let [full, .., least] = self.capacities();
        let fits = |limit: Option<&MemoryLimit>, need: u64| limit.is_none_or(|limit| need <= limit.left_bytes());
        let reserved = self.address_bytes(MemoryLayout::Reserved, full);
        let layout = match fits(system.address_space.as_ref(), reserved) {
            true => MemoryLayout::Reserved,
            false => MemoryLayout::Compact { growth_bytes: self.growth_bytes() },
        };
        let fitting = self.capacities().into_iter().find(|&capacity| {
            fits(system.address_space.as_ref(), self.address_bytes(layout, capacity))
                && system.writable.iter().all(|limit| fits(Some(limit), self.writable_bytes(capacity)))
                && fits(system.piece.as_ref(), capacity)
        });
        let Some(capacity_bytes) = fitting else { return Err(self.refusal(system, layout, least)) };
        let notice = system.address_space.filter(|_| layout != MemoryLayout::Reserved).map(|limit| {
            let enough = kib(limit.used_bytes + reserved);
            format!("memory: {limit}, so guests check each access, which is slower; {enough} KiB would be enough")
        });
        Ok(MemoryPlan { layout, capacity_bytes, notice })
    }

    /// How far the memory of a shard may be raised later, in the order of preference. Unix reserves address space at no
    /// cost; Windows commits memory for all of it, used or not.
    fn capacities(&self) -> [u64; 3] {
        let least = self.shard_bytes + 1;
        let full = if cfg!(windows) { (2 * self.shard_bytes).max(256 << 20) } else { limits::SHARD_BYTES_MAX };
        [full, 2 * self.shard_bytes, least].map(|bytes| bytes.min(limits::SHARD_BYTES_MAX).max(least))
    }

    fn address_bytes(&self, layout: MemoryLayout, capacity: u64) -> u64 {
        let memories = match layout {
            MemoryLayout::Reserved => self.guests() * (MEMORY_RESERVATION_BYTES + 2 * MEMORY_GUARD_BYTES),
            MemoryLayout::Compact { .. } => self.memory_bytes(capacity) + self.moved_bytes(),
        };
        memories + self.host_bytes()
    }

    fn writable_bytes(&self, capacity: u64) -> u64 {
        self.memory_bytes(capacity) + self.host_bytes()
    }

    fn guests(&self) -> u64 {
        self.fronts + if self.is_solo { 0 } else { self.shards }
    }

    /// Memory of all guests.
    fn memory_bytes(&self, capacity: u64) -> u64 {
        // A desk for each worker and for the upkeep.
        let desks = self.workers as u32 + 1;
        let beside =
            beside_store_bytes(self.shard_bytes, self.item_bytes_max as u32, self.shards as u32, desks) * self.shards;
        let apart = if self.is_solo { 0 } else { self.connections_bytes() + beside };
        let growth = self.guests() * self.growth_bytes() + apart;
        self.fronts * COMPACT_FRONT_BYTES + self.shards * capacity + growth
    }

    /// The old place of a memory that moves, which is needed for a moment: that of a front when its connections hold much,
    /// and that of a store when it is made.
    fn moved_bytes(&self) -> u64 {
        COMPACT_FRONT_BYTES + self.buffers_bytes.max(self.growth_bytes())
    }

    /// Growth for which the memory of a full store does not have to move: its buffers, and what connections hold, if they
    /// are in the same guest.
    fn growth_bytes(&self) -> u64 {
        let buffers = 4 * (self.item_bytes_max + limits::REPLY_BYTES_HIGH as u64);
        COMPACT_GROWTH_BYTES + buffers + if self.is_solo { self.connections_bytes() } else { 0 }
    }

    /// Memory for what all connections hold: twice the budget, since what is freed between two buffers may be too short for
    /// the next one.
    fn connections_bytes(&self) -> u64 {
        2 * self.buffers_bytes
    }

    fn host_bytes(&self) -> u64 {
        HOST_BYTES + (self.workers + OTHER_THREADS) * THREAD_BYTES
    }

    /// One line for the user: the limit that is too low, and the remedy.
    fn refusal(&self, system: &MemoryLimits, layout: MemoryLayout, least: u64) -> String {
        let needs = [(self.address_bytes(layout, least), system.address_space.as_slice())]
            .into_iter()
            .chain([(self.writable_bytes(least), &*system.writable), (least, system.piece.as_slice())]);
        let broken = needs
            .flat_map(|(need, limits)| limits.iter().map(move |limit| (need, limit)))
            .find(|(need, limit)| *need > limit.left_bytes());
        let Some((need, limit)) = broken else { return "failed to start: not enough memory".to_owned() };
        let (mib, workers) = ((self.shard_bytes * self.shards) >> 20, self.workers);
        let enough = kib(limit.used_bytes + need);
        format!("{limit}, and {mib} MB with -t {workers} need {enough} KiB: raise it, or lower -m or -t")
    }
}

/// Rounded up to MiB, and some more: the use of this process is not the same at each start.
fn kib(bytes: u64) -> u64 {
    (bytes.div_ceil(1 << 20) + 1) << 10
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::memory_limits::MemoryLimitKind;

    const DEMAND: Demand = Demand {
        workers: 4,
        fronts: 4,
        shards: 2,
        is_solo: false,
        shard_bytes: 32 << 20,
        item_bytes_max: 1 << 20,
        buffers_bytes: 16 << 20,
    };

    /// With items of 1 MiB and replies of 256 KiB.
    const COMPACT: MemoryLayout = MemoryLayout::Compact { growth_bytes: 13 << 20 };

    fn limit(kind: MemoryLimitKind, mib: u64) -> MemoryLimit {
        MemoryLimit { kind, bytes: mib << 20, used_bytes: 10 << 20 }
    }

    fn address_space(mib: u64) -> MemoryLimits {
        MemoryLimits { address_space: Some(limit(MemoryLimitKind::AddressSpace, mib)), ..MemoryLimits::default() }
    }

    fn writable(mib: u64) -> MemoryLimits {
        MemoryLimits { writable: vec![limit(MemoryLimitKind::Commitment, mib)], ..MemoryLimits::default() }
    }

    fn outcome(demand: Demand, system: &MemoryLimits) -> Result<(MemoryLayout, u64), String> {
        demand.plan(system).map(|plan| (plan.layout, plan.capacity_bytes >> 20))
    }

    /// The number of KiB that a sentence asks for.
    fn wanted(text: &str) -> u64 {
        let before = text.split(" KiB").nth(1).unwrap();
        before.rsplit(' ').next().unwrap().parse::<u64>().unwrap() >> 10
    }

    #[test]
    fn without_limits_everything_is_reserved() {
        let plan = DEMAND.plan(&MemoryLimits::default()).unwrap();
        let capacity = DEMAND.capacities()[0];
        assert_eq!(plan, MemoryPlan { layout: MemoryLayout::Reserved, capacity_bytes: capacity, notice: None });
        assert_eq!(outcome(DEMAND, &address_space(100 << 10)), Ok((MemoryLayout::Reserved, capacity >> 20)));
    }

    #[cfg(not(windows))]
    #[test]
    fn a_limit_of_address_space_selects_smaller_reservations() {
        let full = limits::SHARD_BYTES_MAX >> 20;
        assert_eq!(outcome(DEMAND, &address_space(20 << 10)), Ok((COMPACT, full)));
        assert_eq!(outcome(DEMAND, &address_space(2000)), Ok((COMPACT, 64)));
        let refusal = outcome(DEMAND, &address_space(100)).unwrap_err();
        assert!(refusal.contains("(ulimit -v) is 102400 KiB, and 64 MB with -t 4 need "), "{refusal}");
        let least = wanted(&refusal);
        assert_eq!(outcome(DEMAND, &address_space(least)), Ok((COMPACT, 32)));
        assert!(outcome(DEMAND, &address_space(least - 2)).is_err());
        let plan = DEMAND.plan(&address_space(least + 20)).unwrap();
        assert_eq!((plan.layout, plan.capacity_bytes), (COMPACT, (32 << 20) + 1));
        let notice = plan.notice.unwrap();
        assert!(notice.contains(&format!("(ulimit -v) is {} KiB", (least + 20) << 10)), "{notice}");
        let enough = wanted(&notice);
        assert_eq!(outcome(DEMAND, &address_space(enough)), Ok((MemoryLayout::Reserved, full)));
        assert_eq!(outcome(DEMAND, &address_space(enough - 2)), Ok((COMPACT, full)));
    }

    #[cfg(not(windows))]
    #[test]
    fn a_limit_of_writable_memory_selects_smaller_stores() {
        let full = limits::SHARD_BYTES_MAX >> 20;
        assert_eq!(outcome(DEMAND, &writable(10 << 10)), Ok((MemoryLayout::Reserved, full)));
        assert_eq!(outcome(DEMAND, &writable(2000)), Ok((MemoryLayout::Reserved, 64)));
        let refusal = outcome(DEMAND, &writable(50)).unwrap_err();
        assert!(refusal.contains("vm.overcommit_memory=2") && refusal.contains("51200 KiB"), "{refusal}");
        assert_eq!(outcome(DEMAND, &writable(wanted(&refusal))), Ok((MemoryLayout::Reserved, 32)));
        // A machine with 1 GiB gives no piece of 2 GiB.
        let small = MemoryLimits { piece: Some(limit(MemoryLimitKind::Piece, 1024)), ..MemoryLimits::default() };
        assert_eq!(outcome(DEMAND, &small), Ok((MemoryLayout::Reserved, 64)));
    }

    #[test]
    fn a_solo_guest_is_one_guest() {
        let solo = Demand { workers: 1, fronts: 1, shards: 1, is_solo: true, ..DEMAND };
        let apart = Demand { is_solo: false, ..solo };
        let bytes = |demand: Demand| demand.address_bytes(MemoryLayout::Reserved, 1 << 30);
        assert_eq!(bytes(apart) - bytes(solo), MEMORY_RESERVATION_BYTES + 2 * MEMORY_GUARD_BYTES);
    }
}
