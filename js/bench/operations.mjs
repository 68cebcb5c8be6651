// The loops whose time is taken. Each library has loops of its own, so that no call site sees two classes. A loop counts
// what it misses and fails if it missed anything. Runs in browsers, too.

import { rounds } from './measure.mjs';
import { key, uniform, value } from './workload.mjs';

const BATCH = 64;
/** Values that a `set` loop stores in turn: storing the object that is there already would be no work for lru-cache. */
const VALUES = 64;
const MIB = 1024 * 1024;

/** Times of one setting: `count` entries of `kind` ('bytes' or 'strings'), `operations` of each sort a round. */
export function measure({ Cache, LRUCache }, { count, kind, operations, rounds: number }) {
  const context = prepare({ Cache, LRUCache }, { count, kind, operations });
  const loops = { ...lruLoops(context), ...mapLoops(context), ...cacheLoops(context) };
  return rounds(loops, { count: operations, rounds: number });
}

function prepare({ Cache, LRUCache }, { count, kind, operations }) {
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
  const length = Math.max(operations * 16, count);
  const numbers = uniform(count, length);
  const chosen = Array.from(numbers, (n) => keys[n]);
  const values = Array.from({ length: VALUES }, (_, i) => value(kind, i));
  return { cache, lru, map, kind, operations, numbers, chosen, values, keys, window: windows(length, operations) };
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

function lruLoops({ lru, kind, operations, numbers, chosen, values, window }) {
  const loops = {
    'lru-cache get': () => {
      let missed = 0;
      for (let i = window(), end = i + operations; i < end; i++) if (lru.get(chosen[i]) === undefined) missed++;
      expectNone(missed);
    },
    'lru-cache set': () => {
      for (let i = window(), end = i + operations; i < end; i++) lru.set(chosen[i], values[i % VALUES]);
    },
    'lru-cache get, key built': () => {
      let missed = 0;
      for (let i = window(), end = i + operations; i < end; i++) if (lru.get(key(numbers[i])) === undefined) missed++;
      expectNone(missed);
    },
  };
  if (kind === 'strings') return loops;
  return {
    ...loops,
    'lru-cache set, copied': () => {
      for (let i = window(), end = i + operations; i < end; i++) lru.set(chosen[i], values[i % VALUES].slice());
    },
  };
}

function mapLoops({ map, operations, chosen, values, window }) {
  if (map.size === 0) return {};
  return {
    'Map get': () => {
      let missed = 0;
      for (let i = window(), end = i + operations; i < end; i++) if (map.get(chosen[i]) === undefined) missed++;
      expectNone(missed);
    },
    'Map set': () => {
      for (let i = window(), end = i + operations; i < end; i++) map.set(chosen[i], values[i % VALUES]);
    },
  };
}

function cacheLoops(context) {
  const { cache, kind, operations, chosen, values, window } = context;
  return {
    has: () => {
      let missed = 0;
      for (let i = window(), end = i + operations; i < end; i++) if (!cache.has(chosen[i])) missed++;
      expectNone(missed);
    },
    set: () => {
      for (let i = window(), end = i + operations; i < end; i++) cache.set(chosen[i], values[i % VALUES]);
    },
    ...(kind === 'bytes' ? bytesLoops(context) : textLoops(context)),
    ...(kind === 'bytes' && typeof cache.getMany === 'function' ? batchLoops(context) : {}),
    ...(kind === 'bytes' && typeof cache.key === 'function' ? handleLoops(context) : {}),
  };
}

function bytesLoops({ cache, operations, numbers, chosen, window }) {
  const loops = {
    get: () => {
      let missed = 0;
      for (let i = window(), end = i + operations; i < end; i++) if (cache.get(chosen[i]) === undefined) missed++;
      expectNone(missed);
    },
    'get, key built': () => {
      let missed = 0;
      for (let i = window(), end = i + operations; i < end; i++) if (cache.get(key(numbers[i])) === undefined) missed++;
      expectNone(missed);
    },
  };
  if (typeof cache.use !== 'function') return loops;
  const read = (view) => view[50];
  const buffer = new Uint8Array(256);
  return {
    ...loops,
    use: () => {
      let sum = 0;
      for (let i = window(), end = i + operations; i < end; i++) sum += cache.use(chosen[i], read);
      expectSome(sum);
    },
    getInto: () => {
      let missed = 0;
      for (let i = window(), end = i + operations; i < end; i++) {
        if (cache.getInto(chosen[i], buffer) === undefined) missed++;
      }
      expectNone(missed);
    },
  };
}

function textLoops({ cache, operations, numbers, chosen, window }) {
  return {
    getText: () => {
      let missed = 0;
      for (let i = window(), end = i + operations; i < end; i++) if (cache.getText(chosen[i]) === undefined) missed++;
      expectNone(missed);
    },
    'getText, key built': () => {
      let missed = 0;
      for (let i = window(), end = i + operations; i < end; i++) {
        if (cache.getText(key(numbers[i])) === undefined) missed++;
      }
      expectNone(missed);
    },
  };
}

function batchLoops({ cache, operations, chosen }) {
  const batches = [];
  for (let i = 0; i + BATCH <= operations; i += BATCH) batches.push(chosen.slice(i, i + BATCH));
  // The loop counts as `operations` gets, so the last, shorter batch belongs to it.
  if (operations % BATCH > 0) batches.push(chosen.slice(operations - (operations % BATCH), operations));
  return {
    'getMany of 64': () => {
      let missed = 0;
      for (const batch of batches) {
        const found = cache.getMany(batch);
        for (let i = 0; i < found.length; i++) if (found[i] === undefined) missed++;
      }
      expectNone(missed);
    },
  };
}

function handleLoops({ cache, operations, numbers, keys, window }) {
  if (keys.length > 10_000) return {};
  const handles = keys.map((one) => cache.key(one));
  const chosen = Array.from(numbers, (n) => handles[n]);
  return {
    'has, by handle': () => {
      let missed = 0;
      for (let i = window(), end = i + operations; i < end; i++) if (!cache.has(chosen[i])) missed++;
      expectNone(missed);
    },
    'get, by handle': () => {
      let missed = 0;
      for (let i = window(), end = i + operations; i < end; i++) if (cache.get(chosen[i]) === undefined) missed++;
      expectNone(missed);
    },
  };
}

function expectNone(missed) {
  if (missed > 0) throw new Error(`${missed} entries are missing: the loop did not measure hits`);
}

function expectSome(sum) {
  if (!(sum > 0)) throw new Error('the loop read no values');
}
