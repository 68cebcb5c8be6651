// The cache as JavaScript programs use it, with the names of lru-cache for concepts that both have.

<<<<<<< HEAD
import { Core, type Host } from './core.js';
import { Entries } from './entries.js';
import { Namespace } from './namespace.js';
import { checkOptions, type CacheOptions } from './options.js';
import { Spaces } from './spaces.js';
=======
import { Connection } from './connection.js';
import type { EngineModule } from './entry/modules.js';
import { Guest, SetOutcome, Switch } from './guest.js';
import { parseStatistics, summarize, type ProtocolStatistics } from './statistics.js';
>>>>>>> w-npm-protocol

export type { Host };

<<<<<<< HEAD
/** The most important numbers of a cache. */
export interface CacheStatistics {
  /** Entries, expired ones that were not removed yet among them. */
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
=======
/** Options of {@link Cache}. */
export interface CacheOptions {
  /**
   * The budget in bytes: keys, values, their bookkeeping and the index together stay under it.
   * Default 64 MiB; 32 MiB in edge workers, which grant 128 MiB to everything.
   */
  maxSize?: number;
  /** Largest entry in bytes, key and 59 bytes of bookkeeping included. Default 1 MiB, or half of a smaller `maxSize`. */
  maxEntrySize?: number;
  /** Default time to live in milliseconds. 0, the default: entries live until they are evicted. */
  ttl?: number;
  /** The time in milliseconds since 1970; default `Date.now`. */
  clock?: () => number;
  /** `false`: a full cache refuses new entries instead of evicting the least recently used. */
  evictions?: boolean;
  /** `false`: entries have no CAS unique, so the protocol's `gets` and `cas` do not work. Saves 8 bytes an entry. */
  cas?: boolean;
  /** Options of the protocol. */
  protocol?: CacheProtocolOptions;
  /** An engine compiled by the caller (`wasmcached/protocol.wasm`), for runtimes that load modules themselves. */
  module?: EngineModule;
}

/** Options of memcached that affect only clients of the protocol. */
export interface CacheProtocolOptions {
  /** `false`: `flush_all` is refused (memcached's `-F`). */
  flush?: boolean;
  /** `true`: `shutdown` closes the connection instead of being refused (`-A`). */
  shutdown?: boolean;
  /** One character that ends a key prefix: statistics are counted by prefix (`-D`). */
  prefixDelimiter?: string;
}

/** Options of {@link Cache.set} and {@link Cache.touch}. */
export interface SetOptions {
  /** Time to live in milliseconds, rounded up to whole seconds. 0: the entry lives until it is evicted. */
  ttl?: number;
}

/** The values that the entry file of a runtime provides. */
export interface Host {
  /** The compiled engine; called when the first entry is stored or looked for. */
  module: () => EngineModule;
  /** Default of {@link CacheOptions.maxSize}. */
  maxSize: number;
}

const MIB = 1024 * 1024;
const MAX_SIZE_MIN = 64 * 1024;
const MAX_SIZE_MAX = 4096 * MIB - 128 * MIB;
const ENTRY_SIZE_MIN = 1024;
const SECONDS_MAX = 0xffff_ffff;
>>>>>>> w-npm-protocol

/**
 * A cache of bytes with an exact budget. A new cache has no memory: the first use instantiates the engine. A cache can
 * therefore be a global of a module, where edge workers allow no randomness.
 */
export class Cache extends Entries {
  constructor(options: CacheOptions, host: Host) {
    super(new Core(checkOptions(options, host.maxSize), host), new Spaces(), '');
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
  namespace(name: string): Namespace {
    return new Namespace(this.core, this.spaces, '', name);
  }

<<<<<<< HEAD
  /** The most important statistics as numbers, since the cache was made or cleared. */
  stats(): CacheStatistics {
    const { started } = this.core;
    if (started === undefined) return { ...NO_STATISTICS };
    this.spaces.finish(started);
    return { ...started.summary(), memoryBytes: started.memoryBytes };
=======
  /** Gives an entry a new time to live (default: the cache's) without reading it; returns whether there is one. */
  touch(key: Text, options?: SetOptions): boolean {
    return this.#live().touch(key, this.#end(options?.ttl), this.#now());
  }

  /** Removes all entries and frees the memory. Closes open connections and resets statistics. */
  clear(): void {
    this.#live();
    this.#drop();
  }

  /** The most important statistics as numbers. */
  stats(): ProtocolStatistics {
    return summarize(this.statistics(), this.#live().memoryBytes);
  }

  /** memcached's statistics by name: the general ones, or those of a group (`settings`, `items`, `slabs`). */
  statistics(group = ''): Record<string, string> {
    const asking = new Connection(this.#live(), () => this.#now(), true);
    try {
      return parseStatistics(asking.execute(group === '' ? 'stats\r\n' : `stats ${group}\r\n`));
    } finally {
      asking.close();
    }
  }

  /**
   * Processes bytes of memcached's protocol and returns the reply of a server. All calls share one connection, so a
   * request may be split between calls. After `quit` the next call opens a new connection.
   */
  execute(input: Text): Uint8Array<ArrayBuffer> {
    this.#live();
    if (this.#main === undefined || this.#main.isClosed) this.#main = this.connect();
    return this.#main.execute(input);
  }

  /** Opens another connection for the protocol, independent of {@link Cache.execute}. */
  connect(): Connection {
    return new Connection(this.#live(), () => this.#now());
>>>>>>> w-npm-protocol
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
    // A disposed cache says so.
    void this.core.store;
    this.core.drop();
    this.spaces.forget();
  }
}
