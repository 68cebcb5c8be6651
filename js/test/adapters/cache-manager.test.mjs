// cache-manager and cacheable on a cache, compared with the stores that they bring.

import { Cacheable } from 'cacheable';
import { createCache, KeyvAdapter } from 'cache-manager';
import { createCache as createCache5, memoryStore } from 'cache-manager5';
import Keyv from 'keyv';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Cache } from 'wasmcached';
import { CacheManager5Store, Keyv5Store } from 'wasmcached/cache-manager';

const MIB = 1024 * 1024;
const cache = () => new Cache({ maxSize: MIB });

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }));
afterEach(() => void vi.useRealTimers());

// Each subject must answer like the first, which is the library's own store.
describe.each([
  ['its own store', () => createCache({ ttl: 10_000 })],
  ['Keyv5Store', () => createCache({ ttl: 10_000, stores: [new Keyv({ store: new Keyv5Store(cache()) })] })],
  [
    'KeyvAdapter',
    () => createCache({ ttl: 10_000, stores: [new Keyv({ store: new KeyvAdapter(new CacheManager5Store(cache())) })] }),
  ],
])('cache-manager 7 with %s', (_, make) => {
  it('stores, reads, deletes and clears', async () => {
    const manager = make();
    expect(await manager.set('a', { b: [1, null, 'x'] })).toEqual({ b: [1, null, 'x'] });
    expect(await manager.get('a')).toEqual({ b: [1, null, 'x'] });
    expect(await manager.get('nothing')).toBe(undefined);
    await manager.mset([
      { key: 'c', value: 0 },
      { key: 'd', value: false },
      { key: 'e', value: '' },
    ]);
    expect(await manager.mget(['a', 'c', 'nothing', 'd', 'e'])).toEqual([
      { b: [1, null, 'x'] },
      0,
      undefined,
      false,
      '',
    ]);
    expect(await manager.del('a')).toBe(true);
    expect(await manager.mdel(['c', 'nothing'])).toBe(true);
    expect(await manager.mget(['a', 'c', 'd'])).toEqual([undefined, undefined, false]);
    expect(await manager.clear()).toBe(true);
    expect(await manager.get('d')).toBe(undefined);
  });

  it('ends entries, and says when', async () => {
    const manager = make();
    await manager.set('default', 1);
    await manager.set('own', 2, 30_000);
    expect(await manager.ttl('own')).toBe(Date.now() + 30_000);
    vi.advanceTimersByTime(10_100);
    expect(await manager.mget(['default', 'own'])).toEqual([undefined, 2]);
    vi.advanceTimersByTime(20_000);
    expect(await manager.get('own')).toBe(undefined);
  });

  it('wraps a function once, and refreshes before the end', async () => {
    const manager = make();
    let count = 0;
    const load = () => manager.wrap('w', async () => ++count, { ttl: 10_000, refreshThreshold: 3000 });
    expect(await Promise.all([load(), load(), load()])).toEqual([1, 1, 1]);
    expect(await load()).toBe(1);
    const refreshed = new Promise((done) => manager.on('refresh', done));
    vi.advanceTimersByTime(8000);
    expect(await load()).toBe(1);
    await refreshed;
    expect(await load()).toBe(2);
  });
});

describe.each([
  ['its own store', () => createCache5(memoryStore({ max: 100, ttl: 10_000 }))],
  ['CacheManager5Store', () => createCache5(new CacheManager5Store(new Cache({ maxSize: MIB, ttl: 10_000 })))],
])('cache-manager 5 with %s', (_, make) => {
  it('has the whole interface of a store', async () => {
    const { store, wrap } = make();
    await store.set('a', { b: 1 });
    await store.mset(
      [
        ['c', 0],
        ['d', 'x'],
      ],
      30_000,
    );
    expect(await store.mget('a', 'nothing', 'c', 'd')).toEqual([{ b: 1 }, undefined, 0, 'x']);
    expect((await store.keys()).sort()).toEqual(['a', 'c', 'd']);
    expect(Math.abs((await store.ttl('d')) - 30_000)).toBeLessThanOrEqual(50);
    expect(await store.ttl('nothing')).toBe(0);
    await store.del('a');
    await store.mdel('c', 'nothing');
    expect(await store.keys()).toEqual(['d']);
    expect(await wrap('w', async () => 'made')).toBe('made');
    expect(await store.get('w')).toBe('made');
    await store.reset();
    expect(await store.keys()).toEqual([]);
  });

  it('refuses undefined', async () => {
    await expect(make().store.set('u', undefined)).rejects.toThrow();
  });
});

describe('cache-manager 5', () => {
  // The library's own store keeps the clock that it saw when it was loaded, so it cannot be asked.
  it('ends entries', async () => {
    const { store } = createCache5(new CacheManager5Store(new Cache({ maxSize: MIB, ttl: 10_000 })));
    await store.set('default', 1);
    await store.mset([['own', 2]], 30_000);
    vi.advanceTimersByTime(10_100);
    expect(await store.mget('default', 'own')).toEqual([undefined, 2]);
  });
});

describe.each([
  ['its own store', () => new Cacheable()],
  ['Keyv5Store as primary', () => new Cacheable({ primary: new Keyv({ store: new Keyv5Store(cache()) }) })],
  ['Keyv5Store as secondary', () => new Cacheable({ secondary: new Keyv({ store: new Keyv5Store(cache()) }) })],
])('cacheable with %s', (_, make) => {
  it('stores, reads, takes and deletes', async () => {
    const cacheable = make();
    await cacheable.set('a', { b: 1 });
    await cacheable.setMany([
      { key: 'c', value: 0 },
      { key: 'd', value: null },
      { key: 'e', value: 'x', ttl: '1h' },
    ]);
    expect(await cacheable.get('a')).toEqual({ b: 1 });
    expect(await cacheable.getMany(['a', 'nothing', 'c', 'e'])).toEqual([{ b: 1 }, undefined, 0, 'x']);
    expect(await cacheable.has('a')).toBe(true);
    expect(await cacheable.hasMany(['a', 'nothing'])).toEqual([true, false]);
    expect(await cacheable.take('a')).toEqual({ b: 1 });
    expect(await cacheable.get('a')).toBe(undefined);
    expect(await cacheable.delete('c')).toBe(true);
    await cacheable.clear();
    expect(await cacheable.get('e')).toBe(undefined);
  });

  it('ends entries', async () => {
    const cacheable = make();
    await cacheable.set('short', 1, 1000);
    await cacheable.set('long', 2, '10s');
    vi.advanceTimersByTime(1100);
    expect([await cacheable.get('short'), await cacheable.get('long')]).toEqual([undefined, 2]);
  });

  it('makes a value once', async () => {
    const cacheable = make();
    let count = 0;
    const make_ = () => cacheable.getOrSet('k', async () => ++count, { ttl: '1h' });
    expect([await make_(), await make_()]).toEqual([1, 1]);
  });
});
