// Keyv's own test suite on both majors of Keyv, and what the suite does not ask.

import * as suite from '@keyv/test-suite';
import Keyv5 from 'keyv';
import Keyv6 from 'keyv6';
import * as test from 'vitest';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Cache } from 'wasmcached';
import { Keyv5Store, KeyvStore } from 'wasmcached/keyv';

const MIB = 1024 * 1024;

// The suite knows Keyv 5. Keyv 6 differs in three places, in which its cases are replaced below.
const DIFFERENT_IN_6 = new Set([
  // Keyv 6 answers an array with an array.
  '.deleteMany([keys]) with nonexistent keys resolves to false',
  // Keyv 6 resolves to false and emits an error where Keyv 5 threw.
  'value can not be symbol',
  // Keyv 6 takes `serialization` in place of `serialize` and `deserialize`.
  'value can be BigInt using other serializer/deserializer',
]);

/** A Keyv on a cache, and the errors that it emits. */
function connect(Keyv, Store, options, cache) {
  const keyv = new Keyv({ store: new Store(cache), ...options });
  const errors = [];
  keyv.on('error', (error) => errors.push(error));
  return { keyv, cache, errors };
}

for (const [name, Keyv, Store] of [
  ['Keyv 5', Keyv5, Keyv5Store],
  ['Keyv 6', Keyv6, KeyvStore],
]) {
  describe(`${name}, its suite`, () => {
    const cache = new Cache({ maxSize: MIB });
    const store = () => new Store(cache);
    const without = (title, body) =>
      name === 'Keyv 6' && DIFFERENT_IN_6.has(title) ? it.skip(title, body) : it(title, body);
    const api = { ...test, it: without };
    suite.default(api, Keyv, store);
    suite.keyvIteratorTests(api, Keyv, store);
  });

  describe(name, () => {
    afterEach(() => void vi.useRealTimers());

    const make = (options, cache = new Cache({ maxSize: MIB })) => connect(Keyv, Store, options, cache);

    it('sets, gets, looks for and deletes many', async () => {
      const { keyv } = make({ namespace: 'many' });
      const entries = [
        { key: 'a', value: 1 },
        { key: 'b', value: { c: 2 } },
        { key: 'd', value: 'text', ttl: 60_000 },
      ];
      expect(await keyv.setMany(entries)).toEqual([true, true, true]);
      expect(await keyv.getMany(['a', 'nothing', 'b', 'd'])).toEqual([1, undefined, { c: 2 }, 'text']);
      expect(await keyv.hasMany(['a', 'nothing', 'd'])).toEqual([true, false, true]);
      const deleted = await keyv.deleteMany(['a', 'nothing']);
      expect(deleted).toEqual(name === 'Keyv 6' ? [true, false] : true);
      expect(await keyv.getMany(['a', 'b'])).toEqual([undefined, { c: 2 }]);
    });

    it('clears one namespace only, and iterates over one only', async () => {
      const cache = new Cache({ maxSize: MIB });
      const { keyv: one } = make({ namespace: 'one' }, cache);
      const { keyv: two } = make({ namespace: 'two' }, cache);
      const { keyv: inner } = make({ namespace: 'one:inner' }, cache);
      for (const keyv of [one, two, inner]) await keyv.set('k', keyv.namespace);
      expect([await one.get('k'), await two.get('k'), await inner.get('k')]).toEqual(['one', 'two', 'one:inner']);
      const found = [];
      for await (const entry of two.iterator()) found.push(entry);
      expect(found).toEqual([['k', 'two']]);
      await two.clear();
      expect([await one.get('k'), await two.get('k'), await inner.get('k')]).toEqual(['one', undefined, 'one:inner']);
    });

    it('keeps a value for its time to live', async () => {
      vi.useFakeTimers({ toFake: ['Date'] });
      const { keyv, cache } = make({ namespace: 'time', ttl: 5000 });
      await keyv.set('default', 1);
      await keyv.set('own', 2, 20_000);
      await keyv.setMany([{ key: 'many', value: 3, ttl: 20_000 }]);
      expect(cache.namespace('time').getRemainingTTL(name === 'Keyv 6' ? 'own' : 'time:own')).toBeGreaterThan(19_000);
      vi.advanceTimersByTime(5100);
      expect(await keyv.getMany(['default', 'own', 'many'])).toEqual([undefined, 2, 3]);
      vi.advanceTimersByTime(15_000);
      expect(await keyv.hasMany(['own', 'many'])).toEqual([false, false]);
    });

  });

  describe(`${name}, keys and sizes`, () => {
    const make = (options) => connect(Keyv, Store, options, new Cache({ maxSize: MIB }));

    it('takes keys of any text up to 64 KiB', async () => {
      const { keyv, errors } = make({ namespace: 'keys' });
      const keys = [
        'x'.repeat(300),
        'x'.repeat(301),
        'a\r\nb c',
        '__proto__',
        'ключ😀',
        ':',
        'a:b:c',
        'y'.repeat(60_000),
      ];
      for (const [index, key] of keys.entries()) expect(await keyv.set(key, index)).toBe(true);
      expect(await keyv.getMany(keys)).toEqual(keys.map((_, index) => index));
      const found = [];
      for await (const [key] of keyv.iterator()) found.push(key);
      expect(found.sort()).toEqual([...keys].sort());
      expect(errors).toEqual([]);
    });

    it('reports a value that is too large as an error, not as stored', async () => {
      const { keyv, errors } = make({});
      expect(await keyv.set('large', 'x'.repeat(2 * MIB))).toBe(false);
      expect(errors.map(({ name }) => name)).toEqual(['RangeError']);
      expect(await keyv.get('large')).toBe(undefined);
      const entries = [
        { key: 'large', value: 'x'.repeat(2 * MIB) },
        { key: 'small', value: 1 },
      ];
      expect(await keyv.setMany(entries)).toEqual([false, true]);
    });
  });
}

describe('Keyv 5', () => {
  it('shares a store between namespaces', async () => {
    const store = new Keyv5Store(new Cache({ maxSize: MIB }));
    const one = new Keyv5({ store, namespace: 'one' });
    await one.set('k', 1);
    const two = new Keyv5({ store, namespace: 'two' });
    await two.set('k', 2);
    expect([await one.get('k'), await two.get('k')]).toEqual([1, 2]);
  });

  it('clears one namespace without key prefixes', async () => {
    const cache = new Cache({ maxSize: MIB });
    const make = (namespace) => new Keyv5({ store: new Keyv5Store(cache), namespace, useKeyPrefix: false });
    const [one, two] = [make('one'), make('two')];
    await one.set('k', 1);
    await two.set('k', 2);
    await two.clear();
    expect([await one.get('k'), await two.get('k')]).toEqual([1, undefined]);
  });

  it('is refused by the store for Keyv 6 in words', () => {
    expect(() => new Keyv5({ store: new KeyvStore(new Cache()) })).toThrow(/KeyvStore is for Keyv 6; give Keyv 5/);
  });
});

describe('Keyv 6', () => {
  it('answers what the suite expects of Keyv 5 in its own way', async () => {
    const keyv = new Keyv6({ store: new KeyvStore(new Cache({ maxSize: MIB })) });
    const errors = [];
    keyv.on('error', (error) => errors.push(error));
    expect(await keyv.delete(['a', 'b'])).toEqual([false, false]);
    expect(await keyv.set('symbol', Symbol('s'))).toBe(false);
    expect(errors).toEqual(['symbol cannot be serialized']);
    await keyv.set('big', { value: 9223372036854775807n });
    expect(await keyv.get('big')).toEqual({ value: 9223372036854775807n });
  });

  it('finds in the store what its contract asks for', async () => {
    const store = new KeyvStore(new Cache({ maxSize: MIB }));
    const all = async () => {
      const found = [];
      for await (const entry of store.iterator()) found.push(entry);
      return found.sort();
    };
    expect([store.namespace, await store.get('k'), await store.has('k'), await store.delete('k')]).toEqual([
      undefined,
      undefined,
      false,
      false,
    ]);
    expect([
      await store.getMany([]),
      await store.hasMany([]),
      await store.deleteMany([]),
      await store.setMany([]),
    ]).toEqual([[], [], [], []]);
    expect(await store.set('k', 'v')).toBe(true);
    expect(await store.set('past', 'v')).toBe(true);
    // A value that has ended already is accepted, and replaces what was there.
    expect(await store.set('past', 'v', Date.now() - 1)).toBe(true);
    expect(
      await store.setMany([
        { key: 'l', value: 'w', expires: Date.now() + 150 },
        { key: 'm', value: 'x' },
      ]),
    ).toEqual([true, true]);
    expect(await store.getMany(['k', 'l', 'm', 'past'])).toEqual(['v', 'w', 'x', undefined]);
    await new Promise((done) => setTimeout(done, 250));
    expect(await store.hasMany(['k', 'l', 'm'])).toEqual([true, false, true]);
    expect(await all()).toEqual([
      ['k', 'v'],
      ['m', 'x'],
    ]);
    store.namespace = 'other';
    expect([await store.has('k'), await all()]).toEqual([false, []]);
    await store.set('n', 'y');
    expect(await all()).toEqual([['n', 'y']]);
    await store.clear();
    store.namespace = undefined;
    expect(await store.deleteMany(['k', 'n', 'm'])).toEqual([true, false, true]);
  });

  it('uses the store itself, without a bridge', () => {
    const store = new KeyvStore(new Cache());
    expect(new Keyv6({ store }).store).toBe(store);
  });

  it('takes the store for Keyv 5 through its bridge', async () => {
    const keyv = new Keyv6({ store: new Keyv5Store(new Cache({ maxSize: MIB })), namespace: 'bridged' });
    await keyv.set('k', 1, 60_000);
    const found = [];
    for await (const entry of keyv.iterator()) found.push(entry);
    expect(found).toEqual([['k', 1]]);
    await keyv.clear();
    expect(await keyv.get('k')).toBe(undefined);
  });

  it('says what to do when serialization is off', async () => {
    const keyv = new Keyv6({ store: new KeyvStore(new Cache()), serialization: false });
    const errors = [];
    keyv.on('error', (error) => errors.push(error.message));
    expect(await keyv.set('k', 1)).toBe(false);
    expect(errors).toEqual([expect.stringContaining('leave the serialization of Keyv on')]);
  });
});
