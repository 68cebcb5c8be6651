// Stores under conditions, uniques, flags and counters, as memcached has them.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Cache } from 'wasmcached';

const LONG = 'k'.repeat(300);

for (const key of ['a', LONG, new Uint8Array([0xff, 1])]) {
  suite(`a key of ${key.length} ${typeof key === 'string' ? 'characters' : 'bytes'}`, () => {
    test('add, replace', () => {
      const cache = new Cache();
      assert.equal(cache.replace(key, '0'), false);
      assert.equal(cache.add(key, '1'), true);
      assert.equal(cache.add(key, '2'), false);
      assert.equal(cache.getText(key), '1');
      assert.equal(cache.replace(key, '3'), true);
      assert.equal(cache.getText(key), '3');
      assert.equal(cache.size, 1);
    });

    test('append and prepend keep flags and time to live', () => {
      let now = 0;
      const cache = new Cache({ clock: () => now });
      assert.equal(cache.append(key, 'x'), false);
      assert.equal(cache.prepend(key, 'x'), false);
      cache.set(key, 'b', { flags: 5, ttl: 1000 });
      assert.equal(cache.append(key, 'c'), true);
      assert.equal(cache.prepend(key, 'a'), true);
      const { value, flags, ttl } = cache.gets(key);
      assert.equal(new TextDecoder().decode(value), 'abc');
      assert.deepEqual([flags, ttl], [5, 1000]);
      now = 1000;
      assert.equal(cache.append(key, 'd'), false);
      assert.equal(cache.has(key), false);
    });

    test('cas stores if nobody has written since', () => {
      const cache = new Cache();
      assert.equal(cache.cas(key, '1', 1n), 'missing');
      const { cas } = cache.set(key, '1').gets(key);
      assert.equal(cache.cas(key, '2', cas), 'stored');
      assert.equal(cache.cas(key, '3', cas), 'exists');
      assert.equal(cache.getText(key), '2');
    });

    test('counters', () => {
      const cache = new Cache();
      assert.equal(cache.incr(key), undefined);
      assert.equal(cache.incr(key, { initial: 7 }), 7);
      assert.equal(cache.incr(key), 8);
      assert.equal(cache.incr(key, 10), 18);
      assert.equal(cache.incr(key, { by: 2n }), 20);
      assert.equal(cache.decr(key, 5), 15);
      assert.equal(cache.decr(key, 100), 0);
      cache.set(key, String(2n ** 64n - 1n));
      assert.equal(cache.incr(key, 0), 2n ** 64n - 1n);
      assert.equal(cache.incr(key, 2), 1);
      cache.set(key, 'text');
      assert.throws(() => cache.incr(key), /not a decimal number/);
      for (const by of [-1, 1.5, NaN, 2n ** 64n, -1n]) assert.throws(() => cache.incr(key, by), RangeError);
    });
  });
}

test('flags are numbers of 32 bits', () => {
  const cache = new Cache();
  for (const flags of [0, 1, 0xffff_ffff]) assert.equal(cache.set('a', '1', { flags }).gets('a').flags, flags);
  for (const flags of [-1, 1.5, 2 ** 32, NaN, '1']) assert.throws(() => cache.set('a', '1', { flags }), RangeError);
});

test('without uniques there is no cas', () => {
  const cache = new Cache({ cas: false }).set('a', '1');
  assert.equal(cache.gets('a').cas, 0n);
  // The answer `exists` would let a program read and try again for ever.
  assert.throws(() => cache.cas('a', '2', 0n), /this cache was made with `cas: false`, so no cas can match/);
  assert.equal(cache.getText('a'), '1');
});
