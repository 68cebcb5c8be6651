// Hit ratio on a trace: lines of `time_s,key,bytes`, compressed with zstd if the name ends in .zst. Each key is read, and
// stored after a miss, by this package and by an exact LRU of the same bytes.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import zlib from 'node:zlib';
import { Cache } from 'wasmcached';

import { ExactLru, itemBytes } from './exact-lru.mjs';
import { KEY_BYTES } from './workload.mjs';

const OUTPUT_BYTES_MAX = 1024 * 1024 * 1024;
/** Sizes of the cache, in parts of what all items of the trace need. */
const PARTS = [0.01, 0.03, 0.1, 0.2, 0.4];

/** Replays the trace in caches of several sizes. */
export function measureTrace(progress, path) {
  progress(`trace: ${path}`);
  const { keys, sizes } = read(path);
  const footprint = sizes.reduce((sum, size) => sum + (size >= 0 ? itemBytes(KEY_BYTES, size) : 0), 0);
  const names = Array.from(sizes, (_, number) => String(number).padStart(KEY_BYTES, '0'));
  const largest = new Uint8Array(sizes.reduce((most, size) => Math.max(most, size), 0)).fill(120);
  const rows = PARTS.map((part) => {
    const budget = Math.floor(footprint * part);
    const hits = { ours: replay(new Cache({ maxSize: budget }), keys, names, sizes, largest), exact: 0 };
    const lru = new ExactLru(budget);
    for (const number of keys) if (lru.request(number, itemBytes(KEY_BYTES, sizes[number]))) hits.exact++;
    return { part, budget, ours: hits.ours / keys.length, exact: hits.exact / keys.length };
  });
  return { trace: basename(path), requests: keys.length, footprint, rows };
}

/** The bar: never below the exact LRU. */
export function traceBars({ rows }) {
  const worst = Math.min(...rows.map((row) => row.ours / row.exact));
  return [{ name: 'hit ratio to an exact LRU on the trace, the lowest', value: worst, least: 1 }];
}

function replay(cache, keys, names, sizes, largest) {
  let hits = 0;
  for (const number of keys) {
    if (cache.has(names[number])) hits++;
    else store(cache, names[number], largest.subarray(0, sizes[number]));
  }
  cache.dispose();
  return hits;
}

/** An entry above `maxEntrySize` is not stored, as in the exact LRU one above its capacity. */
function store(cache, name, bytes) {
  try {
    cache.set(name, bytes);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
}

/** Keys in order, and the size of each key's value: the smallest of its requests. */
function read(path) {
  const lines = text(path).split('\n');
  const [keys, sizes] = [[], []];
  for (const line of lines) {
    const fields = line.split(',').map(Number);
    // The header, and the end.
    if (fields.length < 3 || fields.some(Number.isNaN)) continue;
    const [, number, bytes] = fields;
    sizes[number] = Math.min(sizes[number] ?? bytes, bytes);
    keys.push(number);
  }
  if (keys.length === 0) throw new Error(`${path} has no line of time_s,key,bytes`);
  return { keys, sizes: Array.from(sizes, (size) => size ?? -1) };
}

function text(path) {
  if (!path.endsWith('.zst')) return readFileSync(path, 'utf8');
  // Node 20 has no zstd.
  if (zlib.zstdDecompressSync !== undefined) return zlib.zstdDecompressSync(readFileSync(path)).toString();
  return execFileSync('zstd', ['-dc', path], { encoding: 'utf8', maxBuffer: OUTPUT_BYTES_MAX });
}
