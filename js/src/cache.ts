// The cache as JavaScript programs use it, with the names of lru-cache for concepts that both have.

import { Connection } from './connection.js';
import type { EngineModule } from './entry/modules.js';
import { Guest, SetOutcome, Switch } from './guest.js';
import { parseStatistics, summarize, type CacheStatistics } from './statistics.js';

/** The type of keys and values. */
export type Text = string | Uint8Array;

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
  protocol?: ProtocolOptions;
  /** An engine compiled by the caller (`wasmcached/protocol.wasm`), for runtimes that load modules themselves. */
  module?: EngineModule;
}

/** Options of memcached that affect only clients of the protocol. */
export interface ProtocolOptions {
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

/**
 * A cache of bytes with an exact budget. A new cache has no memory: the first use instantiates the engine. A cache can
 * therefore be a global of a module, where edge workers allow no randomness.
 */
export class Cache {
  /** The budget in bytes. */
  readonly maxSize: number;
  /** Largest entry in bytes. */
  readonly maxEntrySize: number;
  /** Default time to live in milliseconds; 0: none. */
  readonly ttl: number;
  readonly #clock: () => number;
  readonly #module: () => EngineModule;
  readonly #switches: number;
  #guest: Guest | undefined;
  #main: Connection | undefined;
  #isDisposed = false;

  /** @internal */
  constructor(options: CacheOptions, host: Host) {
    if (typeof options !== 'object' || options === null) {
      throw new TypeError(`new Cache takes an object like { maxSize: ${64 * MIB} }`);
    }
    const { maxSize = host.maxSize, ttl = 0, clock = Date.now, module } = options;
    this.maxSize = size('maxSize', maxSize, MAX_SIZE_MIN, MAX_SIZE_MAX);
    const entrySize = options.maxEntrySize ?? Math.min(MIB, Math.floor(this.maxSize / 2));
    this.maxEntrySize = size('maxEntrySize', entrySize, ENTRY_SIZE_MIN, Math.floor(this.maxSize / 2));
    this.ttl = duration(ttl);
    if (typeof clock !== 'function') throw new TypeError('clock is a function that returns milliseconds, like Date.now');
    this.#clock = clock;
    this.#module = module === undefined ? host.module : () => module;
    this.#switches = switches(options);
  }

  /** A copy of the value, or `undefined`. */
  get(key: Text): Uint8Array<ArrayBuffer> | undefined {
    return this.#live().get(key, this.#now());
  }

  /** The value as text (UTF-8), or `undefined`. */
  getText(key: Text): string | undefined {
    return this.#live().getText(key, this.#now());
  }

  /** Whether the key has a value. Counts as a use of the entry. */
  has(key: Text): boolean {
    return this.#live().has(key, this.#now());
  }

  /**
   * Stores a copy of the value. Throws a `RangeError` if the entry is larger than `maxEntrySize`; the old value, which
   * would be stale, is removed.
   */
  set(key: Text, value: Text, options?: SetOptions): this {
    const outcome = this.#live().set(key, value, this.#end(options?.ttl), this.#now());
    if (outcome === SetOutcome.stored) return this;
    if (outcome === SetOutcome.tooLarge) {
      throw new RangeError(
        `the entry is larger than maxEntrySize (${this.maxEntrySize} bytes with 59 of bookkeeping); ` +
          'raise maxEntrySize, or split the value',
      );
    }
    throw new Error(`the cache is full (${this.maxSize} bytes) and may not evict; raise maxSize, or allow evictions`);
  }

  /** Removes an entry; returns whether there was one. */
  delete(key: Text): boolean {
    return this.#live().delete(key, this.#now());
  }

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
  stats(): CacheStatistics {
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
  }

  /** Frees the memory; any further use throws. An unreachable cache is garbage-collected without this call. */
  dispose(): void {
    this.#isDisposed = true;
    this.#drop();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  get [Symbol.toStringTag](): string {
    return 'Cache';
  }

  #drop(): void {
    this.#main = undefined;
    this.#guest?.retire();
    this.#guest = undefined;
  }

  #live(): Guest {
    const guest = this.#guest;
    return guest !== undefined && !guest.isRetired ? guest : this.#start();
  }

  #start(): Guest {
    if (this.#isDisposed) throw new Error('the cache is disposed; make a new one');
    const options = { memoryBytes: this.maxSize, itemBytesMax: this.maxEntrySize, switches: this.#switches };
    this.#main = undefined;
    this.#guest = new Guest(this.#module() as WebAssembly.Module, options, this.#now());
    return this.#guest;
  }

  #now(): number {
    const seconds = this.#clock() / 1000;
    return seconds > 0 ? Math.min(Math.floor(seconds), SECONDS_MAX) : 0;
  }

  /** The Unix second at which an entry expires, rounded up: an entry never lives shorter than `ttl`. */
  #end(ttl: number | undefined): number {
    const milliseconds = ttl === undefined ? this.ttl : duration(ttl);
    if (milliseconds === 0) return 0;
    return Math.min(Math.ceil((this.#clock() + milliseconds) / 1000), SECONDS_MAX);
  }
}

function size(name: string, value: number, least: number, most: number): number {
  if (typeof value !== 'number') throw new TypeError(`${name} is a number of bytes, not a ${typeof value}`);
  if (!(value >= least && value <= most)) {
    throw new RangeError(`${name} is ${value}; give ${least} to ${most} bytes`);
  }
  return Math.floor(value);
}

function duration(ttl: number): number {
  if (typeof ttl !== 'number') throw new TypeError(`ttl is a number of milliseconds, not a ${typeof ttl}`);
  if (!(ttl >= 0)) throw new RangeError(`ttl is ${ttl}; give milliseconds, or 0 for no end`);
  return ttl === Infinity ? 0 : ttl;
}

function switches(options: CacheOptions): number {
  const { flush = true, shutdown = false, prefixDelimiter = '' } = options.protocol ?? {};
  const delimiter = prefixDelimiter === '' ? 0 : prefixDelimiter.charCodeAt(0);
  if (prefixDelimiter.length > 1 || delimiter > 127) {
    throw new RangeError('protocol.prefixDelimiter is one ASCII character, like ":"');
  }
  return (
    (options.evictions === false ? Switch.noEvictions : 0) |
    (options.cas === false ? Switch.noCas : 0) |
    (flush ? 0 : Switch.noFlush) |
    (shutdown ? Switch.shutdown : 0) |
    (delimiter << Switch.prefixShift)
  );
}
