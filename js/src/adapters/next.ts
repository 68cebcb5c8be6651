// A `cacheHandler` for Next.js: pages, route handlers, responses of `fetch`, optimised images.

import type { CacheOptions } from 'wasmcached';
import { packRecord, unpackRecord, type NextRecord } from './next-record.js';
import { nextCache, NEXT_MAX_SIZE, nextTags, type NextDurations } from './next-shared.js';

/** The argument of the constructor that Next.js calls. */
export interface NextHandlerContext {
  /** `cacheMaxMemorySize` of `next.config`; 0, which turns Next.js's own cache off, leaves the default of 50 MB. */
  maxMemoryCacheSize?: number;
  /** Tags that were revalidated by the request. */
  revalidatedTags?: string[];
}

/** The context of an entry that Next.js passes to `get` and `set`. */
export interface NextEntryContext {
  kind?: string;
  tags?: string[];
  softTags?: string[];
  cacheControl?: { revalidate?: number | false; expire?: number };
  [name: string]: unknown;
}

/** The class that Next.js makes an instance of for each request. */
export interface NextCacheHandlerClass {
  new (context?: NextHandlerContext): {
    get(key: string, context?: NextEntryContext): Promise<NextRecord | null>;
    set(key: string, value: NextRecord['value'], context?: NextEntryContext): Promise<void>;
    revalidateTag(tags: string | string[], durations?: NextDurations): Promise<void>;
    resetRequestCache(): void;
  };
}

const TAGS_HEADER = 'x-next-cache-tags';

/** Makes a cache handler with options of its own; all its instances share one cache. */
export function nextCacheHandler(options: CacheOptions = {}): NextCacheHandlerClass {
  return class NextCacheHandler {
    readonly #size: number;
    readonly #revalidated: string[];

    constructor({ maxMemoryCacheSize, revalidatedTags }: NextHandlerContext = {}) {
      this.#size = options.maxSize ?? (maxMemoryCacheSize || NEXT_MAX_SIZE);
      this.#revalidated = revalidatedTags ?? [];
    }

    async get(key: string, context: NextEntryContext = {}): Promise<NextRecord | null> {
      const packed = attempt(() => this.#cache().get(key));
      if (packed === undefined) return null;
      const record = unpackRecord(packed);
      const tags = tagsOf(record, context);
      const isRevalidated = tags.some((tag) => this.#revalidated.includes(tag));
      return isRevalidated || nextTags().isExpired(tags, record.lastModified) ? null : record;
    }

    async set(key: string, value: NextRecord['value'], context: NextEntryContext = {}): Promise<void> {
      const { tags, cacheControl } = context;
      const stored = value?.kind === 'FETCH' && tags !== undefined ? { ...value, tags } : value;
      const packed = packRecord({ lastModified: Date.now(), cacheControl, value: stored });
      const expire = cacheControl?.expire;
      attempt(() =>
        this.#cache().set(key, packed, { ttl: typeof expire === 'number' ? Math.max(expire, 1) * 1000 : 0 }),
      );
    }

    async revalidateTag(tags: string | string[], durations?: NextDurations): Promise<void> {
      nextTags().update(typeof tags === 'string' ? [tags] : tags, durations);
    }

    /** Nothing is kept for one request alone. */
    resetRequestCache(): void {}

    #cache() {
      return nextCache('incremental', { ...options, maxSize: this.#size });
    }
  };
}

export default nextCacheHandler();

function tagsOf({ value }: NextRecord, context: NextEntryContext): string[] {
  if (value === null) return [];
  if (value.kind === 'FETCH') {
    return [...((value.tags as string[]) ?? []), ...(context.tags ?? []), ...(context.softTags ?? [])];
  }
  const header = (value.headers as { [name: string]: unknown } | undefined)?.[TAGS_HEADER];
  return typeof header === 'string' ? header.split(',') : [];
}

/** An entry or a key that is too large is a miss, not a failed request. */
function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
