// The state of the cache handlers for Next.js: their caches and the record of revalidated tags, one in a process, however
// often Next.js loads the modules.

import { Cache, type CacheOptions } from 'wasmcached';

/** When a tag was revalidated, in milliseconds since 1970. */
interface TagTimes {
  /** Older entries may be served once more while they are made anew. */
  stale?: number;
  /** Older entries are not served from this time on. */
  expired?: number;
}

/** How {@link NextTags.update} revalidates; `expire` is in seconds. */
export interface NextDurations {
  expire?: number;
}

const MIB = 1024 * 1024;
/** The size of Next.js's own cache in memory. */
export const NEXT_MAX_SIZE = 50 * MIB;
/** A tag costs about 200 bytes, so the record stays below 20 MB. */
const TAGS_MAX = 100_000;

/** The tags that were revalidated. */
export class NextTags {
  readonly #times = new Map<string, TagTimes>();
  /** Entries that are older count as expired: their tags may have been forgotten. */
  #floor = 0;

  update(tags: string[], durations: NextDurations | undefined): void {
    const now = nextNow();
    for (const tag of tags) {
      const times = { ...this.#times.get(tag) };
      if (durations === undefined) times.expired = now;
      else {
        times.stale = now;
        if (durations.expire !== undefined) times.expired = now + durations.expire * 1000;
      }
      this.#times.delete(tag);
      this.#times.set(tag, times);
    }
    while (this.#times.size > TAGS_MAX) this.#forgetOldest();
  }

  isExpired(tags: string[], timestamp: number): boolean {
    if (timestamp < this.#floor) return true;
    const now = nextNow();
    return tags.some((tag) => {
      const expired = this.#times.get(tag)?.expired;
      return expired !== undefined && expired <= now && expired > timestamp;
    });
  }

  isStale(tags: string[], timestamp: number): boolean {
    return tags.some((tag) => (this.#times.get(tag)?.stale ?? 0) > timestamp);
  }

  /** The latest time at which one of the tags expired; 0 if none did. */
  expiration(tags: string[]): number {
    return tags.reduce((latest, tag) => Math.max(latest, this.#times.get(tag)?.expired ?? 0), this.#floor);
  }

  #forgetOldest(): void {
    for (const [tag, { stale = 0, expired = 0 }] of this.#times) {
      this.#times.delete(tag);
      this.#floor = Math.max(this.#floor, stale, Math.min(expired, nextNow()));
      return;
    }
  }
}

/** Next.js's clock. It is finer than a millisecond, so a tag that is revalidated right after a store counts as later. */
export function nextNow(): number {
  return performance.timeOrigin + performance.now();
}

/** The caches and tags of this process. */
interface NextState {
  tags: NextTags;
  caches: Map<string, Cache>;
}

function state(): NextState {
  const holder = globalThis as { [name: symbol]: NextState | undefined };
  return (holder[Symbol.for('wasmcached.next')] ??= { tags: new NextTags(), caches: new Map() });
}

export function nextTags(): NextTags {
  return state().tags;
}

/** The cache of that name, which is made at the first call. */
export function nextCache(name: string, options: CacheOptions): Cache {
  const { caches } = state();
  let cache = caches.get(name);
  if (cache === undefined) {
    const { maxSize = NEXT_MAX_SIZE } = options;
    // One entry may be a large page: at most a quarter of the budget, where other caches allow 1 MiB.
    cache = new Cache({ ...options, maxSize, maxEntrySize: options.maxEntrySize ?? Math.floor(maxSize / 4) });
    caches.set(name, cache);
  }
  return cache;
}
