// Several keys in one crossing.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cache } from 'wasmcached';

const MIB = 1024 * 1024;
const text = (value) => value && new TextDecoder().decode(value);

test('getMany gives values in the order of the keys', () => {
  const cache = new Cache();
  const long = 'l'.repeat(1000);
  cache.set('a', '1').set(long, '2').set('b', 'x'.repeat(300_000)).set(new Uint8Array([255]), '4').set('c', '');
  const values = cache.getMany(['b', 'none', long, 'a', new Uint8Array([255]), 'a', cache.key('c'), 'b']);
  assert.deepEqual(values.map(text), ['x'.repeat(300_000), undefined, '2', '1', '4', '1', '', 'x'.repeat(300_000)]);
  assert.deepEqual(cache.getMany([]), []);
  assert.deepEqual([cache.stats().hits, cache.stats().misses], [7, 1]);
});

for (const count of [1, 64, 255, 256, 257, 5000]) {
  test(`${count} keys`, () => {
    const cache = new Cache({ maxSize: 32 * MIB });
    const entries = Array.from({ length: count }, (_, i) => [`${'k'.repeat(i % 300)}${i}`, `value ${i}`]);
    assert.equal(cache.setMany(new Map(entries)), cache);
    assert.equal(cache.size, count);
    assert.deepEqual(cache.getMany(entries.map(([key]) => key)).map(text), entries.map(([, value]) => value));
    const some = entries.filter((_, i) => i % 3 === 0).map(([key]) => key);
    assert.equal(cache.deleteMany([...some, 'none']), some.length);
    assert.equal(cache.size, count - some.length);
  });
}

test('setMany takes values of every size, text and bytes', () => {
  const cache = new Cache({ maxSize: 64 * MIB });
  const lengths = [0, 10_000, 20_000, 30_000, 60_000, 70_000, 0, 900_000, 5];
  const entries = lengths.flatMap((length, i) => [[`t${i}`, 'é'.repeat(length / 2)], [`b${i}`, new Uint8Array(length).fill(i)]]);
  cache.setMany(entries, { ttl: 60_000, flags: 3 });
  for (const [key, value] of entries) {
    assert.deepEqual(cache.get(key), typeof value === 'string' ? new TextEncoder().encode(value) : value);
    assert.equal(cache.gets(key).flags, 3);
    assert.ok(cache.getRemainingTTL(key) <= 60_050);
  }
});

test('a wrong key or value stores nothing after it and says which', () => {
  const cache = new Cache();
  assert.throws(() => cache.setMany([['a', '1'], ['b', 5], ['c', '1']]), TypeError);
  assert.throws(() => cache.setMany([['', '1']]), RangeError);
  assert.throws(() => cache.getMany(['a', '']), RangeError);
  assert.throws(() => cache.deleteMany(['a', null]), TypeError);
  assert.equal(cache.has('c'), false);
});
