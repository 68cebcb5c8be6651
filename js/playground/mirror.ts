// Repeats what a typed request did with the engine's items in the LRU beside it, and counts the reads of both.

import { bytesOf } from './engine.js';
import type { ExactLru } from './lru.js';
import { keysOf, type Request } from './request.js';
import type { HitSeries } from './series.js';

/** A longer expiry is a time since 1970, memcached says. */
const RELATIVE_SECONDS_MAX = 60 * 60 * 24 * 30;

/** Places that a request changes. */
export interface Mirrored {
  readonly lru: ExactLru;
  readonly series: HitSeries;
  /** The second in which the request was executed. */
  readonly now: number;
}

/** Repeats the request, which the engine answered with `reply`. */
export function mirror(request: Request, reply: string, { lru, series, now }: Mirrored): void {
  const [key] = keysOf(request);
  const { words } = request;
  switch (request.name) {
    case 'get':
    case 'gets':
    case 'gat':
    case 'gats': {
      if (/^(ERROR|CLIENT_ERROR|SERVER_ERROR)/.test(reply)) return;
      const found = new Set([...reply.matchAll(/^VALUE (\S+) /gm)].map((match) => match[1]));
      for (const name of keysOf(request)) {
        if (request.name.startsWith('gat')) touch(lru, name, words[1], now);
        series.add(found.has(name), lru.use(name, now) !== undefined);
      }
      return;
    }
    case 'mg':
      if (/^(HD|VA|EN)/.test(reply)) series.add(!reply.startsWith('EN'), lru.use(key, now) !== undefined);
      return;
    case 'set':
    case 'add':
    case 'replace':
    case 'append':
    case 'prepend':
    case 'cas':
      if (reply.startsWith('STORED') || (reply === '' && words.at(-1) === 'noreply')) store(request, lru, now);
      return;
    case 'ms':
      if (reply.startsWith('HD')) store(request, lru, now);
      return;
    case 'delete':
    case 'md':
      if (/^(DELETED|HD)/.test(reply)) lru.delete(key);
      return;
    case 'incr':
    case 'decr':
      lru.use(key, now);
      return;
    case 'touch':
      touch(lru, key, words[2], now);
      return;
    case 'flush_all':
      if (reply.startsWith('OK') && words.length === 1) lru.clear();
  }
}

function store(request: Request, lru: ExactLru, now: number): void {
  const { words } = request;
  const [key] = keysOf(request);
  const isMeta = request.name === 'ms';
  const flag = (letter: string): string | undefined => words.slice(3).find((word) => word.startsWith(letter))?.slice(1);
  const exptime = isMeta ? flag('T') : words[3];
  const joins = request.name.endsWith('pend') || /^[AP]/i.test(isMeta ? (flag('M') ?? '') : '');
  const before = joins ? lru.use(key, now) : undefined;
  if (joins && before === undefined) return;
  const expiresAt = before?.expiresAt ?? end(exptime, now);
  const valueBytes = (request.dataBytes ?? 0) + (before?.size.valueBytes ?? 0);
  const flags = Number((isMeta ? flag('F') : words[2]) ?? 0);
  lru.set(key, { size: { keyBytes: bytesOf(key), valueBytes, flags, expires: expiresAt !== 0 }, expiresAt });
}

function touch(lru: ExactLru, key: string, exptime: string | undefined, now: number): void {
  const item = lru.use(key, now);
  if (item === undefined) return;
  const expiresAt = end(exptime, now);
  lru.set(key, { size: { ...item.size, expires: expiresAt !== 0 }, expiresAt });
}

/** The second at which an item with that exptime expires; 0: never. */
function end(exptime: string | undefined, now: number): number {
  const seconds = Number(exptime ?? 0);
  if (seconds < 0) return 1;
  return seconds === 0 || seconds > RELATIVE_SECONDS_MAX ? seconds : now + seconds;
}
