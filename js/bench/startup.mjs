// Start: import, first `set`, the thousandth cache, and the resident bytes of an empty cache. A process each; of eight the
// third best.

import { inProcess, residentBytes } from './processes.mjs';

const PROCESSES = 8;
const PLACE = 2;
const CACHES = 1000;

/** In a process of its own. */
export async function start({ many }) {
  const begin = performance.now();
  const { Cache } = await import('wasmcached');
  const imported = performance.now();
  new Cache().set('key', 'value');
  const set = performance.now();
  if (!many) return { import: imported - begin, set: set - imported };
  const before = await residentBytes();
  const caches = [];
  let last = 0;
  for (let i = 0; i < CACHES; i++) {
    const made = performance.now();
    const cache = new Cache();
    // The first use makes the instance.
    if (cache.has('key')) throw new Error('a new cache is not empty');
    last = performance.now() - made;
    caches.push(cache);
  }
  const bytes = ((await residentBytes()) - before) / CACHES;
  if (caches.some((cache) => cache.has('key'))) throw new Error('a new cache is not empty');
  return { thousandth: last, empty: bytes };
}

/** All numbers. */
export async function measureStartup(progress) {
  const results = [];
  for (let i = 0; i < PROCESSES; i++) {
    progress(`start: ${i + 1} of ${PROCESSES}`);
    results.push({ ...(await inProcess('start', { many: false })), ...(await inProcess('start', { many: true })) });
  }
  const place = (field) => results.map((result) => result[field]).sort((a, b) => a - b)[PLACE];
  return Object.fromEntries(['import', 'set', 'thousandth', 'empty'].map((field) => [field, place(field)]));
}

/** The bars of start. */
export function startupBars({ set, thousandth, empty }) {
  return [
    { name: 'first set after import', value: set, most: 6, unit: 'ms' },
    { name: 'the thousandth cache', value: thousandth, most: 2, unit: 'ms' },
    { name: 'an empty cache', value: empty / 1000, most: 100, unit: 'kB' },
  ];
}
