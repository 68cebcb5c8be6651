// Runs random operations on a cache and on the reference, and compares every result. Knows no runtime.

import { fetching, LISTINGS, SNAPSHOTS, VIEWS } from './collections.mjs';
import { expect } from './expect.mjs';
import { READS, WRITES } from './operations.mjs';
import { random as randomOf } from './random.mjs';
import { nameOf, Reference } from './reference.mjs';
import { ENTRY_BYTES_MAX } from './values.mjs';

const MAX_SIZE = 48 * 1024 * 1024;
/** Namespaces, and their default times to live. */
const SPACES = { '': 0, a: 0, 'a/c': 0, b: 700 };

/** The operations with their weights. */
const weighted = (groups) => groups.flatMap(([weight, group]) => Object.entries(group).flatMap((named) => Array(weight).fill(named)));

const ALL = weighted([
  [8, READS],
  [10, WRITES],
  [1, LISTINGS],
  [4, VIEWS],
  [2, SNAPSHOTS],
  [10, { fetch: fetching }],
]);

/** Kinds of caches under test. */
export const KINDS = {
  /** With namespaces, and room for everything. */
  roomy: { options: { maxSize: MAX_SIZE }, spaces: Object.keys(SPACES) },
  /** Evicts all the time, and tells of it. */
  small: { options: { maxSize: MAX_SIZE, maxItems: 12 }, spaces: [''], tells: true },
};

class World {
  constructor(Cache, { options, spaces, tells }, random) {
    this.random = random;
    this.spaces = spaces;
    this.time = 1_000_000;
    this.departed = [];
    this.uniques = new Map();
    const clock = () => this.time;
    const onEvict = (...departed) => this.departed.push(departed);
    this.cache = new Cache({ maxEntrySize: ENTRY_BYTES_MAX, clock, ...options, ...(tells && { onEvict }) });
    this.isTold = tells === true;
    this.model = new Reference(clock);
    this.begin();
    this.choose();
  }

  /** Starts the engine, so that both count ticks from the same time on. */
  begin() {
    this.cache.has('start');
    this.model.begin();
    this.uniques.clear();
  }

  /** Chooses where the next operation works. */
  choose(path = this.random.of(this.spaces)) {
    this.path = path;
    this.ttl = SPACES[path];
    this.view = path === '' ? this.cache : path.split('/').reduce((at, name) => at.namespace(name, { ttl: this.ttl }), this.cache);
  }

  clear = () => {
    if (!this.random.once(this.path === '' ? 20 : 5)) return;
    this.view.clear();
    this.model.clear(this.path);
    if (this.path === '') this.begin();
  };

  /** Snapshots have the time of day, which is that of this world while `work` runs. */
  atItsTime(work) {
    const { now } = Date;
    Date.now = () => this.time;
    try {
      return work();
    } finally {
      Date.now = now;
    }
  }

  /** Follows what the cache told. */
  settle() {
    for (const [key, value, reason] of this.departed.splice(0)) this.model.depart(key, value, reason);
    this.model.replaced = [];
    if (!this.isTold) this.model.expired = [];
  }

  /** Waits until promises that are ready have called back. */
  async idle() {
    for (let i = 0; i < 20; i++) await undefined;
  }
}

/** Runs `operations` operations; throws an error that names the seed and the operation. Returns how many of each there were. */
export async function run(Cache, kind, seed, operations) {
  const random = randomOf(seed);
  const world = new World(Cache, KINDS[kind], random);
  const all = [...ALL, ['clear', world.clear]];
  const counts = {};
  for (let i = 0; i < operations; i++) {
    const [name, operation] = random.of(all);
    world.choose();
    if (random.once(4)) world.time += random.of([1, 10, 49, 50, 51, 300, 2000]);
    counts[name] = (counts[name] ?? 0) + 1;
    try {
      const working = operation(world);
      if (working !== undefined) await working;
      world.settle();
      if (i % 1000 === 999) compare(world);
    } catch (error) {
      const where = `operation ${i} (${name} in '${world.path}') of seed ${seed} with a ${kind} cache`;
      throw new Error(`${where}: ${error.message}`, { cause: error });
    }
  }
  compare(world);
  world.cache.dispose();
  return counts;
}

/** Compares all entries, and those of a copy made by a snapshot. */
function compare(world) {
  for (const path of world.spaces) {
    world.choose(path);
    LISTINGS.entries(world);
  }
  world.settle();
  const { usedBytes, items } = world.cache.stats();
  if (usedBytes > MAX_SIZE || items > (world.cache.maxItems ?? Infinity)) throw new Error(`${usedBytes} bytes, ${items} items`);
  const copy = new world.cache.constructor({ maxSize: MAX_SIZE, clock: () => world.time });
  world.atItsTime(() => copy.load(world.cache.dump()));
  for (const path of world.spaces) {
    const at = path === '' ? copy : path.split('/').reduce((space, name) => space.namespace(name), copy);
    const found = new Map([...at.entries()].map(([key, value]) => [nameOf(key), value]));
    for (const entry of world.model.live(path)) {
      expect(found.get(nameOf(entry.key)), entry.value);
      found.delete(nameOf(entry.key));
    }
    expect([...found.keys()], []);
  }
  copy.dispose();
}
