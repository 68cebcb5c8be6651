// The part of a cache that adapters need, as a structure: a `Cache`, one of its namespaces, or a double in a test.

/** The methods of a cache or of a namespace that adapters call. */
export interface Backing {
  get(key: string): Uint8Array | undefined;
  getText(key: string): string | undefined;
  has(key: string): boolean;
  set(key: string, value: string | Uint8Array, options?: { ttl?: number }): unknown;
  delete(key: string): boolean;
  keys(prefix?: string): Iterable<string | Uint8Array>;
  clear(prefix?: string): void;
}

/** The type of the instances of a global class, or `any` in a project whose libraries do not declare it. */
export type Global<Name extends string> = typeof globalThis extends { [K in Name]: { prototype: infer T } } ? T : any;

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

/** The keys that are text and begin with `prefix`. Keys of bytes were not stored by an adapter. */
export function textKeys(cache: Backing, prefix = ''): string[] {
  return [...cache.keys(prefix)].filter((key) => typeof key === 'string');
}

/** Milliseconds to live until the time `end`, or `undefined` if it has come. */
export function remaining(end: number): number | undefined {
  const ttl = Math.ceil(end - Date.now());
  return ttl > 0 ? ttl : undefined;
}
