// A handler for `cacheHandlers` of Next.js 16, which keeps the results of functions and components with 'use cache'.

import type { CacheOptions } from 'wasmcached';
import type { Global } from './backing.js';
import { nextCache, nextTags, type NextDurations } from './next-shared.js';

/** An entry as Next.js hands it over; `stale`, `expire` and `revalidate` are in seconds, `timestamp` in milliseconds. */
export interface NextUseCacheEntry {
  value: Global<'ReadableStream'>;
  tags: string[];
  stale: number;
  timestamp: number;
  expire: number;
  revalidate: number;
}

/** The interface of the values of `cacheHandlers`. */
export interface NextUseCacheHandler {
  get(key: string, softTags: string[]): Promise<NextUseCacheEntry | undefined>;
  set(key: string, pending: Promise<NextUseCacheEntry>): Promise<void>;
  refreshTags(): Promise<void>;
  getExpiration(tags: string[]): Promise<number>;
  updateTags(tags: string[], durations?: NextDurations): Promise<void>;
}

const HEAD_BYTES = 4;

/** Makes a handler with a cache of its own; `name` tells it from others in the same process. */
export function nextUseCacheHandler(options: CacheOptions = {}, name = 'default'): NextUseCacheHandler {
  const pendingSets = new Map<string, Promise<void>>();
  const cache = () => nextCache(`use-cache:${name}`, options);

  return {
    async get(key) {
      await pendingSets.get(key);
      const stored = attempt(() => cache().get(key));
      if (stored === undefined) return undefined;
      const entry = unpack(stored);
      if (nextTags().isExpired(entry.tags, entry.timestamp)) return undefined;
      // A negative time makes Next.js serve the entry once more and replace it.
      return nextTags().isStale(entry.tags, entry.timestamp) ? { ...entry, revalidate: -1 } : entry;
    },

    async set(key, pending) {
      const done = keep(key, pending).finally(() => {
        if (pendingSets.get(key) === done) pendingSets.delete(key);
      });
      pendingSets.set(key, done);
      await done;
    },

    /** The record of tags belongs to this process, so nothing is to be fetched. */
    async refreshTags() {},

    async getExpiration(tags) {
      return nextTags().expiration(tags);
    },

    async updateTags(tags, durations) {
      nextTags().update(tags, durations);
    },
  };

  /** A stream that fails leaves no entry, and neither does one that is too large. */
  async function keep(key: string, pending: Promise<NextUseCacheEntry>): Promise<void> {
    let entry: NextUseCacheEntry;
    let value: Uint8Array;
    try {
      entry = await pending;
      value = new Uint8Array(await new Response(entry.value).arrayBuffer());
    } catch {
      return;
    }
    // Next.js makes such an entry anew for each request.
    if (entry.expire === 0) return;
    const ttl = Number.isFinite(entry.expire) ? entry.timestamp + entry.expire * 1000 - Date.now() : 0;
    if (ttl >= 0) attempt(() => cache().set(key, pack(entry, value), { ttl: Math.ceil(ttl) }));
  }
}

export default nextUseCacheHandler();

function pack({ tags, stale, timestamp, expire, revalidate }: NextUseCacheEntry, value: Uint8Array): Uint8Array {
  // JSON has no Infinity, which means "never" here.
  const text = JSON.stringify([tags, String(stale), timestamp, String(expire), String(revalidate)]);
  const header = new TextEncoder().encode(text);
  const packed = new Uint8Array(HEAD_BYTES + header.length + value.length);
  new DataView(packed.buffer).setUint32(0, header.length);
  packed.set(header, HEAD_BYTES);
  packed.set(value, HEAD_BYTES + header.length);
  return packed;
}

function unpack(packed: Uint8Array): NextUseCacheEntry {
  const end = HEAD_BYTES + new DataView(packed.buffer, packed.byteOffset).getUint32(0);
  const [tags, stale, timestamp, expire, revalidate] = JSON.parse(
    new TextDecoder().decode(packed.subarray(HEAD_BYTES, end)),
  );
  // A copy of its own, because the reader of the stream may transfer the buffer.
  const bytes = packed.slice(end);
  const value = new ReadableStream<Uint8Array>({
    start(controller) {
      if (bytes.length > 0) controller.enqueue(bytes);
      controller.close();
    },
  });
  return { value, tags, stale: Number(stale), timestamp, expire: Number(expire), revalidate: Number(revalidate) };
}

function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
