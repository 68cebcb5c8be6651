// The loops whose time is taken. Each library has loops of its own, so that no call site sees two classes. A loop runs from
// one number of a request to another and returns how often it failed, which must be never. Runs in browsers, too.

import { rounds } from './measure.mjs';
import { key, uniform, value } from './workload.mjs';

/** Operations of a call of a loop: few enough that the loop becomes hot as a function, as those of programs do. */
const STEP = 1024;
const BATCH = 64;
/** Values that a `set` loop stores in turn: storing the object that is there already would be no work for lru-cache. */
const VALUES = 64;
const MIB = 1024 * 1024;

/** Times of one setting: `count` entries of `kind` ('bytes' or 'strings'), `steps` times 1024 operations of each sort a round. */
export function measure({ Cache, LRUCache }, { count, kind, steps, rounds: number }) {
  const context = prepare({ Cache, LRUCache }, { count, kind, steps });
  const loops = { ...lruLoops(context), ...mapLoops(context), ...cacheLoops(context) };
  const operations = Object.fromEntries(Object.entries(loops).map(([name, loop]) => [name, stepped(name, loop, steps, context.window)]));
  return rounds(operations, { count: steps * STEP, rounds: number });
}

function prepare({ Cache, LRUCache }, { count, kind, steps }) {
  const cache = new Cache({ maxSize: Math.max(64 * MIB, count * 256) });
  const lru = new LRUCache({ max: count });
  const map = new Map();
  const keys = [];
  for (let i = 0; i < count; i++) {
    keys.push(key(i));
    cache.set(keys[i], value(kind, i));
    lru.set(keys[i], value(kind, i));
    // A Map beside a million entries would only cost memory.
    if (count <= 10_000) map.set(keys[i], lru.get(keys[i]));
  }
  const length = STEP * Math.max(steps * 8, Math.ceil(count / STEP));
  const numbers = uniform(count, length);
  const chosen = Array.from(numbers, (n) => keys[n]);
  const values = Array.from({ length: VALUES }, (_, i) => value(kind, i));
  return { cache, lru, map, kind, numbers, chosen, values, keys, window: windows(length, steps * STEP) };
}

/** Each loop begins behind the last one, so that none finds the keys of its neighbour in the processor's cache. */
function windows(length, operations) {
  let start = 0;
  return () => {
    const from = start;
    start = start + 2 * operations > length ? 0 : start + operations;
    return from;
  };
}

function stepped(name, loop, steps, window) {
  return () => {
    let failed = 0;
    for (let from = window(), end = from + steps * STEP; from < end; from += STEP) failed += loop(from, from + STEP);
    if (failed > 0) throw new Error(`${name}: ${failed} operations found no entry, so the loop did not measure hits`);
  };
}

function lruLoops({ lru, kind, numbers, chosen, values }) {
  const loops = {
    'lru-cache get': (from, to) => {
      let missed = 0;
      for (let i = from; i < to; i++) if (lru.get(chosen[i]) === undefined) missed++;
      return missed;
    },
    'lru-cache set': (from, to) => {
      for (let i = from; i < to; i++) lru.set(chosen[i], values[i % VALUES]);
      return 0;
    },
    'lru-cache get, key built': (from, to) => {
      let missed = 0;
      for (let i = from; i < to; i++) if (lru.get(key(numbers[i])) === undefined) missed++;
      return missed;
    },
  };
  if (kind === 'strings') return loops;
  return {
    ...loops,
    'lru-cache set, copied': (from, to) => {
      for (let i = from; i < to; i++) lru.set(chosen[i], values[i % VALUES].slice());
      return 0;
    },
  };
}

function mapLoops({ map, chosen, values }) {
  if (map.size === 0) return {};
  return {
    'Map get': (from, to) => {
      let missed = 0;
      for (let i = from; i < to; i++) if (map.get(chosen[i]) === undefined) missed++;
      return missed;
    },
    'Map set': (from, to) => {
      for (let i = from; i < to; i++) map.set(chosen[i], values[i % VALUES]);
      return 0;
    },
  };
}

function cacheLoops(context) {
  const { cache, kind, chosen, values } = context;
  return {
    has: (from, to) => {
      let missed = 0;
      for (let i = from; i < to; i++) if (!cache.has(chosen[i])) missed++;
      return missed;
    },
    set: (from, to) => {
      for (let i = from; i < to; i++) cache.set(chosen[i], values[i % VALUES]);
      return 0;
    },
    ...(kind === 'bytes' ? { ...bytesLoops(context), ...batchLoops(context), ...handleLoops(context) } : textLoops(context)),
  };
}

function bytesLoops({ cache, numbers, chosen }) {
  const buffer = new Uint8Array(256);
  const read = (view) => view[50];
  return {
    get: (from, to) => {
      let missed = 0;
      for (let i = from; i < to; i++) if (cache.get(chosen[i]) === undefined) missed++;
      return missed;
    },
    'get, key built': (from, to) => {
      let missed = 0;
      for (let i = from; i < to; i++) if (cache.get(key(numbers[i])) === undefined) missed++;
      return missed;
    },
    use: (from, to) => {
      let missed = 0;
      for (let i = from; i < to; i++) if (cache.use(chosen[i], read) === undefined) missed++;
      return missed;
    },
    getInto: (from, to) => {
      let missed = 0;
      for (let i = from; i < to; i++) if (cache.getInto(chosen[i], buffer) === undefined) missed++;
      return missed;
    },
  };
}

function textLoops({ cache, numbers, chosen }) {
  return {
    getText: (from, to) => {
      let missed = 0;
      for (let i = from; i < to; i++) if (cache.getText(chosen[i]) === undefined) missed++;
      return missed;
    },
    'getText, key built': (from, to) => {
      let missed = 0;
      for (let i = from; i < to; i++) if (cache.getText(key(numbers[i])) === undefined) missed++;
      return missed;
    },
  };
}

function batchLoops({ cache, chosen }) {
  const batches = Array.from({ length: chosen.length / BATCH }, (_, i) => chosen.slice(i * BATCH, (i + 1) * BATCH));
  return {
    'getMany of 64': (from, to) => {
      let missed = 0;
      for (let batch = from / BATCH; batch < to / BATCH; batch++) {
        const found = cache.getMany(batches[batch]);
        for (let i = 0; i < BATCH; i++) if (found[i] === undefined) missed++;
      }
      return missed;
    },
  };
}

function handleLoops({ cache, numbers, keys }) {
  if (keys.length > 10_000) return {};
  const handles = keys.map((one) => cache.key(one));
  const chosen = Array.from(numbers, (n) => handles[n]);
  return {
    'has, by handle': (from, to) => {
      let missed = 0;
      for (let i = from; i < to; i++) if (!cache.has(chosen[i])) missed++;
      return missed;
    },
    'get, by handle': (from, to) => {
      let missed = 0;
      for (let i = from; i < to; i++) if (cache.get(chosen[i]) === undefined) missed++;
      return missed;
    },
  };
}
