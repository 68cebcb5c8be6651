// Listings: keys, values, entries, scans, and what is cleared by prefix.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Cache } from 'wasmcached';

const text = (value) => new TextDecoder().decode(value);

suite('listings', () => {
  test('show every entry once', () => {
    const cache = new Cache();
    const expected = new Map();
    for (let i = 0; i < 5000; i++) expected.set(i % 50 === 0 ? `${'l'.repeat(260)}${i}` : `k${i}`, `value ${i}`);
    for (const [key, value] of expected) cache.set(key, value);
    const seen = [...cache.entries()].map(([key, value]) => [key, text(value)]);
    assert.equal(seen.length, expected.size);
    assert.deepEqual(new Map(seen), expected);
    assert.deepEqual(new Set(cache.keys()), new Set(expected.keys()));
    assert.deepEqual([...cache.values()].map(text).sort(), [...expected.values()].sort());
    const visited = new Map();
    cache.forEach((value, key, self) => visited.set(key, [text(value), self === cache]));
    assert.equal(visited.size, expected.size);
    assert.deepEqual([...cache].length, expected.size);
  });

  test('show large values, of long keys too', () => {
    const cache = new Cache({ maxSize: 128 * 1024 * 1024 });
    for (let i = 0; i < 60; i++) cache.set(i % 2 === 0 ? `${'l'.repeat(300)}${i}` : `k${i}`, new Uint8Array(900_000).fill(i), { flags: i, ttl: i % 3 === 0 ? 60_000 : 0 });
    const seen = new Map(cache.entries());
    assert.equal(seen.size, 60);
    for (const [key, value] of seen) {
      const i = Number(/\d+$/.exec(key)[0]);
      assert.ok(value.length === 900_000 && value.every((byte) => byte === i), key);
    }
    const copy = new Cache({ maxSize: 128 * 1024 * 1024 });
    assert.deepEqual(copy.load(cache.dump()), { loaded: 60, skipped: 0 });
    for (const [key, value] of copy.entries()) assert.ok(Buffer.from(value).equals(seen.get(key)));
    assert.deepEqual([copy.gets('k7').flags, copy.gets('k7').ttl ?? copy.getRemainingTTL('k7')], [7, Infinity]);
  });

  test('an entry that stays is seen exactly once, whatever else happens', () => {
    const cache = new Cache({ maxSize: 64 * 1024 * 1024 });
    for (let i = 0; i < 20_000; i++) cache.set(`stay${i}`, '1');
    const seen = new Map();
    let i = 0;
    for (const key of cache.keys()) {
      seen.set(key, (seen.get(key) ?? 0) + 1);
      if (i++ % 2 === 0) cache.set(`new${i}`, 'x'.repeat(i % 200));
      if (i % 3 === 0) cache.delete(`new${i - 30}`);
      if (i % 5 === 0) cache.set(`stay${i % 20_000}`, 'x'.repeat(i % 100));
    }
    for (let j = 0; j < 20_000; j++) assert.equal(seen.get(`stay${j}`), 1, `stay${j}`);
    assert.ok([...seen.values()].every((count) => count === 1));
  });

  test('are no use of the entries', () => {
    const cache = new Cache();
    for (let i = 0; i < 100; i++) cache.set(`k${i}`, '1');
    assert.equal([...cache.entries()].length, 100);
    assert.deepEqual([cache.stats().hits, cache.stats().misses], [0, 0]);
  });

  test('can be ended', () => {
    const cache = new Cache().set('a', '1').set('b', '1');
    for (const _ of cache.keys()) break;
    const walk = cache.keys();
    walk.next();
    cache.clear();
    assert.deepEqual([...walk].length <= 1, true);
  });

  test('keys of bytes that are no text are bytes', () => {
    const cache = new Cache();
    const keys = [new Uint8Array([255]), new Uint8Array([0xc3, 0x28]), new Uint8Array([0xed, 0xa0, 0x80])];
    for (const key of keys) cache.set(key, '1');
    cache.set('\ufeffbom', '1').set('�', '1');
    const listed = [...cache.keys()];
    assert.equal(listed.filter((key) => typeof key === 'string').length, 2);
    for (const key of listed) assert.equal(cache.has(key), true);
  });
});

suite('prefixes', () => {
  test('a listing and clear can be of those with a prefix', () => {
    const cache = new Cache();
    const long = 'user:' + 'l'.repeat(300);
    for (const key of ['user:1', 'user:2', 'use', 'other', long, 'üser:1']) cache.set(key, key);
    assert.deepEqual(new Set(cache.keys('user:')), new Set(['user:1', 'user:2', long]));
    assert.deepEqual(new Set(cache.keys('ü')), new Set(['üser:1']));
    assert.deepEqual([...cache.values('user:2')].map(text), ['user:2']);
    cache.clear('user:');
    assert.deepEqual(new Set(cache.keys()), new Set(['use', 'other', 'üser:1']));
    cache.clear('');
    assert.equal(cache.size, 0);
  });
});

suite('scan', () => {
  test('pages are bounded, and together show everything', () => {
    const cache = new Cache();
    for (let i = 0; i < 30_000; i++) cache.set(`k${i}`, '');
    for (const count of [1, 10, 1000, 100_000]) {
      const seen = [];
      let [cursor, pages] = [undefined, 0];
      do {
        const page = cache.scan({ cursor, count, prefix: 'k1' });
        // A page ends with its bucket, which may have some more.
        assert.ok(page.keys.length <= Math.min(count, 4096) + 64, `${page.keys.length} keys in a page of ${count}`);
        seen.push(...page.keys);
        cursor = page.cursor;
        pages++;
      } while (cursor !== undefined);
      assert.equal(seen.length, 11_111);
      assert.equal(new Set(seen).size, seen.length);
      assert.ok(pages >= 7, `${pages} pages`);
    }
  });

  test('a cursor of nonsense is an error', () => {
    const cache = new Cache().set('a', '1');
    for (const cursor of [-1, 1.5, NaN, 2 ** 33, '1']) assert.throws(() => cache.scan({ cursor }), /cursor/);
    for (const count of [0, -1, NaN, '5']) assert.throws(() => cache.scan({ count }), /count/);
  });
});

suite('a walk', () => {
  test('shows entries as they are, and none that left', () => {
    const cache = new Cache();
    for (let i = 0; i < 2000; i++) cache.set(`k${i}`, 'old');
    const seen = new Map();
    for (const [key, value] of cache.entries()) {
      if (seen.size === 0) {
        for (let i = 0; i < 2000; i++) if (i % 2 === 0) cache.delete(`k${i}`);
        for (let i = 0; i < 2000; i++) cache.replace(`k${i}`, 'new');
      } else assert.equal(text(value), 'new');
      seen.set(key, text(value));
    }
    assert.ok(seen.size === 1000 || seen.size === 1001);
  });

  test('does not show what has expired meanwhile', () => {
    let now = 0;
    const cache = new Cache({ clock: () => now });
    for (let i = 0; i < 100; i++) cache.set(`k${i}`, '1', { ttl: 100 });
    const walk = cache.keys();
    walk.next();
    now += 200;
    assert.deepEqual([...walk], []);
  });

  test('ends when its namespace is cleared', () => {
    const space = new Cache().namespace('n');
    for (let i = 0; i < 3000; i++) space.set(`k${i}`, '1');
    const walk = space.keys();
    walk.next();
    space.clear();
    space.set('new', '1');
    assert.deepEqual([...walk], []);
  });

  test('by a prefix of bytes that no text has', () => {
    const cache = new Cache();
    for (const key of [[255, 1], [255, 2], [254, 0, 0, 0, 0, 1], [97]]) cache.set(new Uint8Array(key), '1');
    cache.namespace('n').set(new Uint8Array([255, 3]), '1');
    const sorted = (prefix) => [...cache.keys(new Uint8Array(prefix))].map(String).sort();
    assert.deepEqual(sorted([255]), ['255,1', '255,2']);
    assert.deepEqual(sorted([254]), ['254,0,0,0,0,1']);
    assert.deepEqual(cache.scan({ prefix: new Uint8Array([255, 2]) }).keys.map(String), ['255,2']);
    cache.clear(new Uint8Array([255]));
    assert.equal(cache.size, 2);
    assert.equal(cache.namespace('n').size, 1);
  });

  test('may be of large values: a page has few of them', () => {
    const cache = new Cache({ maxSize: 128 * 1024 * 1024 });
    for (let i = 0; i < 60; i++) cache.set(`k${i}`, new Uint8Array(1_000_000).fill(i));
    const before = cache.stats().memoryBytes;
    let bytes = 0;
    for (const value of cache.values()) bytes += value.length;
    assert.equal(bytes, 60_000_000);
    // A page ends with its bucket, and its buffer is copied as it grows.
    assert.ok(cache.stats().memoryBytes - before < 40 * 1024 * 1024, `${cache.stats().memoryBytes - before} bytes more`);
  });
});

suite('many', () => {
  test('setMany takes an iterable that uses the cache', () => {
    const cache = new Cache().set('a', 'first');
    function* entries() {
      yield ['b', cache.getText('a')];
      cache.set('c', 'x'.repeat(200));
      yield ['d', cache.getText('b') ?? 'not yet'];
    }
    cache.setMany(entries());
    assert.deepEqual(['b', 'd'].map((key) => cache.getText(key)), ['first', 'not yet']);
  });

  test('a value larger than the window may stand among others', () => {
    const cache = new Cache();
    const large = 'x'.repeat(100_000);
    cache.setMany([['a', '1'], ['b', large], ['c', '2'], ['d', large], ['e', '3']]);
    assert.deepEqual(cache.getMany(['a', 'b', 'c', 'd', 'e']).map((value) => value?.length), [1, 100_000, 1, 100_000, 1]);
  });
});
