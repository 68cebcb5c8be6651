// What adapters need of a cache, as a structure: a `Cache`, one of its namespaces, or a double of it in a test.

/** The methods of a cache or of a namespace that adapters call. */
export interface Backing {
  get(key: string): Uint8Array | undefined;
  getText(key: string): string | undefined;
  has(key: string): boolean;
  set(key: string, value: string | Uint8Array, options?: { ttl?: number }): unknown;
  delete(key: string): boolean;
  keys(): Iterable<string | Uint8Array>;
  clear(): void;
}

/** A cache that can be divided: its namespaces have keys of their own and are cleared alone. */
export interface Divisible extends Backing {
  namespace(name: string): Backing;
}

const MISUSE = 'give the adapter a cache: new Cache({ maxSize: 64 * 1024 * 1024 }), or one of its namespaces';

/** Returns the cache if it is one. */
export function backing<T extends Backing>(cache: T): T {
  if (typeof cache !== 'object' || cache === null || typeof cache.getText !== 'function') throw new TypeError(MISUSE);
  return cache;
}

/** The keys that are text. Keys of bytes were not stored by an adapter. */
export function* textKeys(cache: Backing): Generator<string> {
  for (const key of cache.keys()) if (typeof key === 'string') yield key;
}

/** Milliseconds to live until the time `end`, or `undefined` if it has come. */
export function remaining(end: number): number | undefined {
  const ttl = Math.ceil(end - Date.now());
  return ttl > 0 ? ttl : undefined;
}
