// The options of a cache, and their checks.

import { describe, shown } from './bytes.js';
import { isModule, type EngineModule } from './entry/modules.js';

/** Why an entry left the cache by itself. */
export type EvictionReason = 'evict' | 'expire';

/** Options of `new Cache`. */
export interface CacheOptions {
  /**
   * The budget in bytes: keys, values, their bookkeeping and the index together stay under it. 64 KiB to 2047 MiB.
   * Default 64 MiB; 32 MiB in edge workers, which grant 128 MiB to everything.
   */
  maxSize?: number | undefined;
  /** Most entries at a time; default: as many as `maxSize` has room for. */
  maxItems?: number | undefined;
  /** Largest entry in bytes, key and 59 bytes of bookkeeping included. Default 1 MiB, or half of a smaller `maxSize`. */
  maxEntrySize?: number | undefined;
  /** Default time to live in milliseconds. 0, the default: entries live until they are evicted. */
  ttl?: number | undefined;
  /** The time in milliseconds; default `() => Date.now()`. */
  clock?: (() => number) | undefined;
  /** `false`: a full cache refuses new entries instead of evicting old ones. */
  evictions?: boolean | undefined;
  /** `false`: entries have no unique for `cas`. Saves 8 bytes an entry. */
  cas?: boolean | undefined;
  /**
   * Called after an entry was evicted or found to be expired, with a copy of what it held. It may use the cache; entries that leave
   * meanwhile are reported by the next call. An error that it throws is thrown by the method that was called, whose work is done.
   */
  onEvict?: ((key: string | Uint8Array<ArrayBuffer>, value: Uint8Array<ArrayBuffer>, reason: EvictionReason) => void) | undefined;
  /** An engine compiled by the caller (`wasmcached/store.wasm`), for runtimes that load modules themselves. */
  module?: EngineModule | undefined;
}

/** Options of operations that store. */
export interface SetOptions {
  /** Time to live in milliseconds, exact to 50. 0: the entry lives until it is evicted. Default: the cache's. */
  ttl?: number | undefined;
  /** A number of 32 bits that belongs to the entry. */
  flags?: number | undefined;
}

/** The options with defaults, checked. */
export interface CheckedOptions {
  readonly maxSize: number;
  readonly maxItems: number;
  readonly maxEntrySize: number;
  readonly ttl: number;
  readonly clock: () => number;
  readonly evictions: boolean;
  readonly cas: boolean;
  readonly onEvict: CacheOptions['onEvict'];
  readonly module: EngineModule | undefined;
}

const MIB = 1024 * 1024;
const MAX_SIZE_MIN = 64 * 1024;
/** One pool of the store is below 2 GiB. */
const MAX_SIZE_MAX = 2047 * MIB;
const ENTRY_SIZE_MIN = 1024;
const ITEMS_MAX = 0xffff_fffe;
const FLAGS_MAX = 0xffff_ffff;

/** Each option, and the names that other caches have for it. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  maxSize: ['maxBytes', 'sizeLimit', 'size', 'memory', 'capacity'],
  maxItems: ['max', 'maxEntries', 'maxKeys', 'limit', 'lruSize'],
  maxEntrySize: ['maxItemSize', 'maxValueSize', 'sizeCalculation'],
  ttl: ['maxAge', 'stdTTL', 'maxTTL', 'expires', 'expiration', 'expirationTtl', 'lifetime', 'EX', 'PX'],
  clock: ['now', 'perf'],
  evictions: ['evict'],
  cas: [],
  onEvict: ['dispose', 'disposeAfter', 'onEviction', 'onDispose'],
  module: ['wasm', 'wasmModule'],
};

/** Checks the options of a cache. */
export function checkOptions(options: CacheOptions, maxSizeDefault: number): CheckedOptions {
  if (Object.prototype.toString.call(options) !== '[object Object]') {
    throw new TypeError(`new Cache takes an object like { maxSize: ${64 * MIB} }`);
  }
  refuseUnknown(options);
  const { maxSize = maxSizeDefault, maxItems = ITEMS_MAX, ttl = 0, clock = () => Date.now(), onEvict, module } = options;
  const size = number('maxSize', maxSize, MAX_SIZE_MIN, MAX_SIZE_MAX, 'bytes');
  const entrySize = options.maxEntrySize ?? Math.min(MIB, Math.floor(size / 2));
  if (typeof clock !== 'function') throw new TypeError('clock is a function that returns milliseconds, like Date.now');
  if (module !== undefined && !isModule(module)) {
    throw new TypeError(`module is a WebAssembly.Module, compiled from wasmcached/store.wasm, not ${describe(module)}`);
  }
  if (onEvict !== undefined && typeof onEvict !== 'function') {
    throw new TypeError('onEvict is a function of a key, a value and a reason');
  }
  return {
    maxSize: size,
    maxItems: number('maxItems', maxItems, 1, ITEMS_MAX, 'entries'),
    maxEntrySize: number('maxEntrySize', entrySize, ENTRY_SIZE_MIN, Math.floor(size / 2), 'bytes'),
    ttl: duration(ttl),
    clock,
    evictions: isSet('evictions', options.evictions),
    cas: isSet('cas', options.cas),
    onEvict,
    module,
  };
}

/** A time to live in milliseconds; 0 is none. */
export function duration(ttl: number): number {
  if (typeof ttl !== 'number') throw new TypeError(`ttl is a number of milliseconds, not ${describe(ttl)}`);
  if (!(ttl >= 0)) throw new RangeError(`ttl is ${ttl}; give milliseconds, or 0 for no end`);
  return ttl === Infinity ? 0 : ttl;
}

/** A number of 32 bits that belongs to an entry. */
export function checkedFlags(flags: number | undefined): number {
  if (flags === undefined) return 0;
  if (Number.isInteger(flags) && flags >= 0 && flags <= FLAGS_MAX) return flags;
  throw new RangeError(`flags are ${shown(flags)}; give a number of 32 bits, 0 to ${FLAGS_MAX}`);
}

function number(name: string, value: number, least: number, most: number, unit: string): number {
  if (typeof value !== 'number') throw new TypeError(`${name} is a number of ${unit}, not ${describe(value)}`);
  if (value === Infinity && name === 'maxItems') return most;
  if (!(value >= least && value <= most)) throw new RangeError(`${name} is ${value}; give ${least} to ${most} ${unit}`);
  return Math.floor(value);
}

/** A switch that is on unless it is `false`. */
function isSet(name: string, value: boolean | undefined): boolean {
  if (value !== undefined && typeof value !== 'boolean') throw new TypeError(`${name} is true or false, not ${describe(value)}`);
  return value !== false;
}

/** The options of a method, which has only these: an unknown one is refused, because it would be ignored in silence. */
export function optionsOf<O extends object>(options: O | undefined, names: readonly (keyof O & string)[]): O | undefined {
  if (options === undefined) return undefined;
  let isEmpty = true;
  if (typeof options === 'object') {
    for (const name in options) {
      isEmpty = false;
      if ((names as readonly string[]).includes(name) || options[name] === undefined) continue;
      const meant = names.find((known) => isAlias(known, name));
      const advice = meant === undefined ? `the options are ${names.join(', ')}` : `use \`${meant}\``;
      throw new TypeError(`there is no option \`${name}\` here; ${advice}`);
    }
  }
  // A map or a date is an object without names.
  if (isEmpty && Object.prototype.toString.call(options) !== '[object Object]') {
    throw new TypeError(`options are an object like { ${names[0]} }, not ${describe(options)}`);
  }
  return options;
}

/** Whether other caches, or other letters, call the option so. */
function isAlias(known: string, name: string): boolean {
  return [known, ...(NAMES[known] ?? [])].some((alias) => alias.toLowerCase() === name.toLowerCase());
}

function refuseUnknown(options: object): void {
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(NAMES, name)) continue;
    if (name === 'protocol') throw new TypeError("there is no option `protocol`; import { Protocol } from 'wasmcached/protocol'");
    const meant = Object.keys(NAMES).find((known) => isAlias(known, name));
    const advice = meant === undefined ? `the options are ${Object.keys(NAMES).join(', ')}` : `use \`${meant}\``;
    throw new TypeError(`there is no option \`${name}\`; ${advice}`);
  }
}
