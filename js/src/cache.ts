// The cache as JavaScript programs use it, with the names of lru-cache for concepts that both have.

import { Collection } from './collection.js';
import { Core, type Host } from './core.js';
import { Namespace, ttlOf, type NamespaceOptions } from './namespace.js';
import { checkOptions, type CacheOptions } from './options.js';
import { Spaces } from './spaces.js';

export type { Host };

/** The most important numbers of a cache. */
export interface CacheStatistics {
  /** Entries, among them expired ones, and those of cleared namespaces, that were not removed yet. */
  items: number;
  /** Reads that found an entry. */
  hits: number;
  /** Reads that found none. */
  misses: number;
  /** Entries that were stored. */
  sets: number;
  /** Entries that were evicted. */
  evictions: number;
  /** Entries that had expired when they were removed. */
  expirations: number;
  /** Bytes of entries, their bookkeeping and the index. */
  usedBytes: number;
  /** Bytes of the engine's memory. The system provides most of them only when they are first written. */
  memoryBytes: number;
}

/** Pieces of the removal of cleared namespaces that precede the counts: a few milliseconds. */
const STATISTICS_PIECES = 10;

const NO_STATISTICS: CacheStatistics = {
  items: 0,
  hits: 0,
  misses: 0,
  sets: 0,
  evictions: 0,
  expirations: 0,
  usedBytes: 0,
  memoryBytes: 0,
};

/**
 * A cache of bytes with an exact budget. A new cache has no memory: the first use instantiates the engine. A cache can
 * therefore be a global of a module, where edge workers allow no randomness.
 */
export class Cache extends Collection {
  constructor(options: CacheOptions, host: Host) {
    super(new Core(checkOptions(options, host.maxSize), host), new Spaces(), '', undefined);
  }

  /** The budget in bytes. */
  get maxSize(): number {
    return this.core.options.maxSize;
  }

  /** Most entries at a time. */
  get maxItems(): number {
    return this.core.options.maxItems;
  }

  /** Largest entry in bytes. */
  get maxEntrySize(): number {
    return this.core.options.maxEntrySize;
  }

  /** Default time to live in milliseconds; 0: none. */
  get ttl(): number {
    return this.core.options.ttl;
  }

  /** A part of the cache with keys of its own, which is cleared at once. */
  namespace(name: string, options: NamespaceOptions = {}): Namespace {
    return new Namespace(this.core, this.spaces, '', name, ttlOf(options));
  }

  /** The most important statistics as numbers, since the cache was made or cleared. */
  stats(): CacheStatistics {
    const { started } = this.core;
    if (started === undefined) return { ...NO_STATISTICS };
    this.spaces.finish(started, STATISTICS_PIECES);
    return { ...started.summary(), memoryBytes: started.memoryBytes };
  }

  /** Frees the memory; any further use throws. An unreachable cache is garbage-collected without this call. */
  dispose(): void {
    this.core.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  get [Symbol.toStringTag](): string {
    return 'Cache';
  }

  /** Frees the memory and resets statistics. */
  protected override clearAll(): void {
    this.core.check();
    this.core.drop();
    this.core.flights.outdateAll(() => true);
    this.spaces.forget();
  }
}
