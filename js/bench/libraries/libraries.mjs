// The caches that are measured beside wasmcached, each behind `set` and `get`. They have a package.json of their own, so
// that nobody who builds the package installs them.

/** An empty cache for `count` entries by name; only the library that is named is loaded. */
export const LIBRARIES = {
  Map: async () => {
    const map = new Map();
    return { set: (key, value) => map.set(key, value), get: (key) => map.get(key) };
  },
  'lru-cache': async (count) => {
    const { LRUCache } = await import('lru-cache');
    return direct(new LRUCache({ max: count }));
  },
  'lru-cache, maxSize': async (count) => {
    const { LRUCache } = await import('lru-cache');
    return direct(new LRUCache({ maxSize: count, sizeCalculation: () => 1 }));
  },
  'quick-lru': async (count) => {
    const { default: QuickLRU } = await import('quick-lru');
    return direct(new QuickLRU({ maxSize: count }));
  },
  'tiny-lru': async (count) => {
    const { lru } = await import('tiny-lru');
    return direct(lru(count));
  },
  'lru.min': async (count) => {
    const { createLRU } = await import('lru.min');
    return direct(createLRU({ max: count }));
  },
  'mnemonist LRUMap': async (count) => {
    const { LRUMap } = await import('mnemonist');
    return direct(new LRUMap(count));
  },
  '@isaacs/ttlcache': async (count) => {
    const { TTLCache } = await import('@isaacs/ttlcache');
    return direct(new TTLCache({ max: count, ttl: 3_600_000 }));
  },
  'toad-cache': async (count) => {
    const { LruMap } = await import('toad-cache');
    return direct(new LruMap(count));
  },
  'cacheable CacheableMemory': async (count) => {
    const { CacheableMemory } = await import('cacheable');
    return direct(new CacheableMemory({ lruSize: count, useClone: false }));
  },
};

/** lru-cache, for loops that call it without a function between. */
export async function lruCache() {
  return (await import('lru-cache')).LRUCache;
}

function direct(cache) {
  return { set: (key, value) => cache.set(key, value), get: (key) => cache.get(key) };
}
