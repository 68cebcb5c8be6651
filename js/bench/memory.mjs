// Resident bytes and JavaScript heap of an entry, and the time of a full garbage collection, beside other libraries.

import { contestant, NAMES, OURS } from './contestant.mjs';
import { median } from './measure.mjs';
import { collect, inProcess, residentBytes } from './processes.mjs';
import { KEYS, value } from './workload.mjs';

const COLLECTIONS = 7;
/** Room for an entry of the measurement in this package: more than it needs, so that nothing is evicted. */
const ENTRY_BYTES_MAX = 256;

const FLAT = ', flat keys';

/** The two that are also measured with keys of the least memory that V8 can hold them in. */
export const FLAT_NAMES = ['lru-cache', OURS].map((name) => name + FLAT);

/** In a process of its own: fills a cache and measures. */
export async function fill({ name, kind, count, keys = 'built' }) {
  const key = KEYS[keys];
  const warm = await contestant(name, kind, { count: 1000, bytes: 1 << 20 });
  for (let i = 0; i < 2000; i++) warm.set(key(i), value(kind, i));
  const before = { rss: await residentBytes(), heap: heapBytes() };
  // Some libraries take memory for all entries at once.
  const cache = await contestant(name, kind, { count, bytes: count * ENTRY_BYTES_MAX });
  for (let i = 0; i < count; i++) cache.set(key(i), value(kind, i));
  const after = { rss: await residentBytes(), heap: heapBytes() };
  const gcMs = [];
  for (let i = 0; i < COLLECTIONS; i++) {
    const start = performance.now();
    collect();
    gcMs.push(performance.now() - start);
  }
  // The cache lives until here, and holds everything.
  for (let i = 0; i < count; i += 97) {
    if (cache.get(key(i)) === undefined) throw new Error(`${name} lost ${key(i)}`);
  }
  return { rss: (after.rss - before.rss) / count, heap: (after.heap - before.heap) / count, gcMs: median(gcMs) };
}

/** All libraries, one after the other; with `names` only those. */
export async function measureMemory(progress, { count = 1_000_000, names = [...NAMES, ...FLAT_NAMES] } = {}) {
  const rows = [];
  for (const name of names) {
    const row = { name };
    const keys = name.endsWith(FLAT) ? 'flat' : 'built';
    for (const kind of ['bytes', 'strings']) {
      progress(`memory: ${name}, ${kind}`);
      row[kind] = await inProcess('memory', { name: name.replace(FLAT, ''), kind, count, keys });
    }
    rows.push(row);
  }
  return { count, rows };
}

/** The bars of memory and garbage collection. */
export function memoryBars({ rows }) {
  const of = (name) => rows.find((row) => row.name === name);
  const [ours, theirs] = [of(OURS), of('lru-cache')];
  const quotient = (kind, field) => ours[kind][field] / theirs[kind][field];
  return [
    { name: 'memory of an entry, bytes', value: quotient('bytes', 'rss'), most: 0.3 },
    { name: 'memory of an entry, strings', value: quotient('strings', 'rss'), most: 0.55 },
    { name: 'full collection, bytes', value: quotient('bytes', 'gcMs'), most: 0.05 },
    { name: 'full collection, strings', value: quotient('strings', 'gcMs'), most: 0.05 },
  ];
}

/** Bytes that the collector has to look after: what V8 counts, without bodies outside its heap. */
function heapBytes() {
  return process.memoryUsage().heapUsed;
}
