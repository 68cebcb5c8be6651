// The options of `Protocol` and their checks. Every text among them reaches clients, so each is checked.

import { describe } from './bytes.js';
import { isModule, type EngineModule } from './entry/modules.js';
import { Switch } from './guest.js';

/** Options of `Protocol`. */
export interface ProtocolOptions {
  /**
   * The budget in bytes: keys, values, their bookkeeping and the index together stay under it. 64 KiB to 2047 MiB.
   * Default 64 MiB; 32 MiB in edge workers, which grant 128 MiB to everything.
   */
  maxSize?: number | undefined;
  /** Largest entry in bytes, key and 59 bytes of bookkeeping included. Default 1 MiB, or half of a smaller `maxSize`. */
  maxEntrySize?: number | undefined;
  /** `false`: a full store refuses new entries instead of evicting (memcached's `-M`). */
  evictions?: boolean | undefined;
  /** `false`: entries have no CAS unique, so `gets` and `cas` do not work (`-C`). Saves 8 bytes an entry. */
  cas?: boolean | undefined;
  /** `false`: `flush_all` is refused (`-F`). */
  flush?: boolean | undefined;
  /** `true`: `shutdown` closes the connection instead of being refused (`-A`). */
  shutdown?: boolean | undefined;
  /** One printable ASCII character that ends a key prefix: statistics are counted by prefix (`-D`). */
  prefixDelimiter?: string | undefined;
  /** The time in milliseconds since 1970; default `Date.now`, looked up at each call. */
  clock?: (() => number) | undefined;
  /** An engine compiled by the caller (`wasmcached/protocol.wasm`), for runtimes that load modules themselves. */
  module?: EngineModule | undefined;
}

/** The result of {@link checkProtocolOptions}. */
export interface CheckedOptions {
  readonly maxSize: number;
  readonly maxEntrySize: number;
  /** Bits of {@link Switch} and the delimiter of key prefixes above them. */
  readonly switches: number;
  readonly clock: () => number;
  readonly module: EngineModule | undefined;
}

const MIB = 1024 * 1024;
const MAX_SIZE_MIN = 64 * 1024;
/** One pool is below 2 GiB (decision 0009). */
const MAX_SIZE_MAX = 2047 * MIB;
const ENTRY_SIZE_MIN = 1024;

const NAMES = [
  'maxSize', 'maxEntrySize', 'evictions', 'cas', 'flush', 'shutdown', 'prefixDelimiter', 'clock', 'module',
];

/** Names of other caches and of memcached, and what to give instead. */
const INSTEAD: Record<string, string> = {
  max: 'maxSize, in bytes',
  maxItems: 'maxSize, in bytes',
  maxBytes: 'maxSize',
  memory: 'maxSize, in bytes',
  memoryLimit: 'maxSize, in bytes',
  maxItemSize: 'maxEntrySize',
  itemSizeMax: 'maxEntrySize',
  ttl: 'an expiry in each request (`set key 0 60 5`)',
  protocol: 'its options themselves: { flush, shutdown, prefixDelimiter }',
};

/** Checks every option and fills in the defaults. Throws a `TypeError` or `RangeError` that names the option. */
export function checkProtocolOptions(options: ProtocolOptions, defaultMaxSize: number): CheckedOptions {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`new Protocol takes an object like { maxSize: ${64 * MIB} }, not ${describe(options)}`);
  }
  refuseUnknown(options);
  const { clock = () => Date.now(), module } = options;
  if (typeof clock !== 'function') throw new TypeError('clock is a function that returns milliseconds, like Date.now');
  if (module !== undefined && !isModule(module)) {
    throw new TypeError(`module is a compiled WebAssembly.Module, not ${describe(module)}; compile bytes with WebAssembly.compile`);
  }
  const maxSize = size('maxSize', options.maxSize ?? defaultMaxSize, MAX_SIZE_MIN, MAX_SIZE_MAX);
  const half = Math.floor(maxSize / 2);
  const maxEntrySize = size('maxEntrySize', options.maxEntrySize ?? Math.min(MIB, half), ENTRY_SIZE_MIN, half);
  return { maxSize, maxEntrySize, switches: switches(options), clock, module };
}

function refuseUnknown(options: object): void {
  const unknown = Object.keys(options).find((name) => !NAMES.includes(name));
  if (unknown === undefined) return;
  const instead = Object.hasOwn(INSTEAD, unknown) ? INSTEAD[unknown] : NAMES.find((name) => same(name, unknown));
  const advice = instead === undefined ? `the options are ${NAMES.join(', ')}` : `give ${instead}`;
  throw new TypeError(`Protocol has no option ${JSON.stringify(unknown)}; ${advice}`);
}

/** Whether two names differ only in case and separators. */
function same(one: string, other: string): boolean {
  const plain = (name: string): string => name.toLowerCase().replace(/[^a-z]/g, '');
  return plain(one) === plain(other);
}

function size(name: string, value: number, least: number, most: number): number {
  if (typeof value !== 'number') throw new TypeError(`${name} is a number of bytes, not ${describe(value)}`);
  if (!(value >= least && value <= most)) throw new RangeError(`${name} is ${value}; give ${least} to ${most} bytes`);
  return Math.floor(value);
}

function isOn(options: ProtocolOptions, name: 'evictions' | 'cas' | 'flush' | 'shutdown', byDefault: boolean): boolean {
  const value = options[name] ?? byDefault;
  if (typeof value !== 'boolean') throw new TypeError(`${name} is true or false, not ${describe(value)}`);
  return value;
}

function switches(options: ProtocolOptions): number {
  const { prefixDelimiter } = options;
  if (prefixDelimiter !== undefined && !(typeof prefixDelimiter === 'string' && /^[!-~]$/.test(prefixDelimiter))) {
    throw new RangeError('prefixDelimiter is one printable ASCII character, like ":"');
  }
  return (
    (isOn(options, 'evictions', true) ? 0 : Switch.noEvictions) |
    (isOn(options, 'cas', true) ? 0 : Switch.noCas) |
    (isOn(options, 'flush', true) ? 0 : Switch.noFlush) |
    (isOn(options, 'shutdown', false) ? Switch.shutdown : 0) |
    ((prefixDelimiter?.charCodeAt(0) ?? 0) << Switch.prefixShift)
  );
}
