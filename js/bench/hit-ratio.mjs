// Hit ratio for the same resident memory: Zipf's law over a million keys, read-through. Of lru-cache as many entries as its
// resident bytes an entry allow, of this package `maxSize`.

import { contestant, OURS } from './contestant.mjs';
import { ExactLru, itemBytes } from './exact-lru.mjs';
import { inProcess, residentBytes } from './processes.mjs';
import { KEY_BYTES, KEYS as FORMS, value, VALUE_BYTES, zipf } from './workload.mjs';

const MIB = 1024 * 1024;
const KEYS = 1_000_000;
const REQUESTS = 2_000_000;
/** The part of the requests that fills the cache before hits are counted. */
const WARM_UP = 0.25;
const CASES = [
  { mib: 32, exponent: 0.8 },
  { mib: 64, exponent: 0.8 },
  { mib: 32, exponent: 0.99 },
  { mib: 64, exponent: 0.99 },
];

/** In a process of its own: hits of the counted requests, and resident bytes of the full cache. */
export async function replay({ name, kind, exponent, bytes, count, keys = 'built' }) {
  const key = FORMS[keys];
  const requests = zipf(KEYS, exponent, REQUESTS);
  if (name === 'exact LRU') return { hitRatio: exactHitRatio(requests, bytes) };
  const cache = await contestant(name, kind, { count, bytes });
  const before = await residentBytes();
  const first = Math.floor(REQUESTS * WARM_UP);
  let hits = 0;
  for (let i = 0; i < REQUESTS; i++) {
    const wanted = key(requests[i]);
    if (cache.get(wanted) === undefined) cache.set(wanted, value(kind, requests[i]));
    else if (i >= first) hits++;
  }
  const held = (await residentBytes()) - before;
  // The cache lives until here.
  cache.get(key(0));
  return { hitRatio: hits / (REQUESTS - first), held };
}

/**
 * All cases; `rss` are lru-cache's resident bytes an entry of bytes and of strings, by form of the keys. Flat keys, which
 * are the best case of lru-cache, are tried in the first case.
 */
export async function measureHitRatio(progress, rss) {
  const rows = [];
  for (const { mib, exponent } of CASES) {
    const row = { mib, exponent, budget: mib * MIB };
    progress(`hit ratio: ${mib} MiB, Zipf ${exponent}`);
    const run = (options) => inProcess('hits', { exponent, bytes: row.budget, ...options });
    const lru = async (kind, keys) => {
      const count = Math.floor(row.budget / rss[keys][kind]);
      return { count, ...(await run({ name: 'lru-cache', kind, count, keys })) };
    };
    for (const kind of ['bytes', 'strings']) {
      row[`lru ${kind}`] = await lru(kind, 'built');
      if (rows.length === 0) row[`lru ${kind}, flat keys`] = await lru(kind, 'flat');
    }
    row.exact = await run({ name: 'exact LRU' });
    row.ours = await run({ name: OURS, kind: 'bytes' });
    rows.push(row);
  }
  return { rss, rows };
}

/** The bars: the first case beside lru-cache, and every case beside an exact LRU. */
export function hitRatioBars({ rows }) {
  const [first] = rows;
  const worst = Math.min(...rows.map((row) => row.ours.hitRatio / row.exact.hitRatio));
  return [
    { name: 'hit ratio to lru-cache, bytes', value: first.ours.hitRatio / first['lru bytes'].hitRatio, least: 1.6 },
    { name: 'hit ratio to lru-cache, strings', value: first.ours.hitRatio / first['lru strings'].hitRatio, least: 1.3 },
    { name: 'hit ratio to an exact LRU, the lowest', value: worst, least: 1 },
  ];
}

function exactHitRatio(requests, bytes) {
  const lru = new ExactLru(bytes);
  const weight = itemBytes(KEY_BYTES, VALUE_BYTES);
  const first = Math.floor(requests.length * WARM_UP);
  let hits = 0;
  for (let i = 0; i < requests.length; i++) if (lru.request(requests[i], weight) && i >= first) hits++;
  return hits / (requests.length - first);
}
