// A driver for unstorage, and so for Nitro and Nuxt: `createStorage({ driver: driver({ maxSize: 64 * 1024 * 1024 }) })`.

import { Cache, type CacheOptions } from 'wasmcached';
import { backing, textKeys, type Backing } from './backing.js';

/** Options of the driver: those of a cache of its own, or a cache that it shares. */
export interface UnstorageOptions extends Omit<CacheOptions, 'ttl'> {
  /** A cache, or one of its namespaces, to use in place of a new cache. */
  cache?: Backing & { getRemainingTTL(key: string): number };
  /** Default time to live in seconds, as in other drivers of unstorage. */
  ttl?: number;
  /** The name of the driver, which Nitro hands over with the options. */
  driver?: string;
}

/** Options of one operation. */
export interface UnstorageItemOptions {
  /** Time to live in seconds. */
  ttl?: number;
  [name: string]: unknown;
}

/** The driver of unstorage that {@link driver} returns. */
export interface UnstorageDriver {
  name: string;
  options: UnstorageOptions;
  flags: { maxDepth: boolean; ttl: boolean };
  getInstance: () => Backing;
  hasItem: (key: string) => boolean;
  getItem: (key: string) => string | null;
  getItems: (items: { key: string }[]) => { key: string; value: string | null }[];
  getItemRaw: (key: string) => Uint8Array | null;
  setItem: (key: string, value: string, options?: UnstorageItemOptions) => void;
  setItems: (
    items: { key: string; value: string; options?: UnstorageItemOptions }[],
    options?: UnstorageItemOptions,
  ) => void;
  setItemRaw: (key: string, value: unknown, options?: UnstorageItemOptions) => void;
  removeItem: (key: string) => void;
  getMeta: (key: string) => { ttl?: number; size: number } | null;
  getKeys: (base?: string, options?: { maxDepth?: number }) => string[];
  clear: (base?: string) => void;
  dispose: () => void;
}

/** Makes a driver. Without `cache` it has a cache of its own, which `dispose` frees. */
export default function driver(options: UnstorageOptions = {}): UnstorageDriver {
  const { cache: shared, ttl, driver: _name, ...rest } = options;
  const own = shared === undefined ? new Cache(rest) : undefined;
  const cache = shared === undefined ? own! : backing(shared);
  const life = (item?: UnstorageItemOptions) => ({ ttl: (item?.ttl ?? ttl ?? 0) * 1000 });
  const keys = (base = '', depth?: number) => {
    const isShallow = (key: string) => depth === undefined || key.split(':').length - 1 <= depth;
    return textKeys(cache, base).filter(isShallow);
  };
  return {
    name: 'wasmcached',
    options,
    flags: { maxDepth: true, ttl: true },
    getInstance: () => cache,
    hasItem: (key) => cache.has(key),
    getItem: (key) => cache.getText(key) ?? null,
    getItems: (items) => items.map(({ key }) => ({ key, value: cache.getText(key) ?? null })),
    getItemRaw: (key) => cache.get(key) ?? null,
    setItem: (key, value, item) => void cache.set(key, value, life(item)),
    setItems: (items, common) => {
      for (const { key, value, options: item } of items) cache.set(key, value, life({ ...common, ...item }));
    },
    setItemRaw: (key, value, item) => void cache.set(key, raw(value), life(item)),
    removeItem: (key) => void cache.delete(key),
    getMeta: (key) => {
      const size = cache.get(key)?.byteLength;
      if (size === undefined) return null;
      const left = cache.getRemainingTTL(key);
      return left === Infinity ? { size } : { ttl: Math.ceil(left / 1000), size };
    },
    getKeys: (base, { maxDepth } = {}) => keys(base, maxDepth),
    clear: (base) => (base === undefined || base === '' ? cache.clear() : cache.clear(base)),
    dispose: () => own?.dispose(),
  };
}

function raw(value: unknown): string | Uint8Array {
  if (typeof value === 'string') return value;
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  const kind = Object.prototype.toString.call(value);
  if (kind === '[object ArrayBuffer]' || kind === '[object SharedArrayBuffer]')
    return new Uint8Array(value as ArrayBuffer);
  throw new TypeError('setItemRaw takes text or bytes with this driver; setItem stores objects as JSON');
}
