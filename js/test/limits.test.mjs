// Limits: bytes, entries, sizes of entries; and the callback for entries that left.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Cache } from 'wasmcached';

const MIB = 1024 * 1024;

suite('options', () => {
  test('ranges are checked at once', () => {
    for (const maxSize of [65_535, 2047 * MIB + 1, NaN, -1, Infinity]) {
      assert.throws(() => new Cache({ maxSize }), { name: 'RangeError', message: /maxSize is .*; give 65536 to 2146435072/ });
    }
    for (const maxItems of [0, -1, NaN]) assert.throws(() => new Cache({ maxItems }), RangeError);
    for (const maxEntrySize of [1023, 33 * MIB]) assert.throws(() => new Cache({ maxEntrySize }), RangeError);
    for (const name of ['maxSize', 'maxItems', 'maxEntrySize', 'ttl']) assert.throws(() => new Cache({ [name]: '1' }), TypeError);
    for (const options of [{ clock: 1 }, { onEvict: 1 }, null, 5]) assert.throws(() => new Cache(options), TypeError);
    assert.equal(new Cache({ maxItems: Infinity }).set('a', '1').size, 1);
  });

  test('the largest budget works', () => {
    assert.equal(new Cache({ maxSize: 2047 * MIB, maxEntrySize: 1000 * MIB }).set('a', '1').getText('a'), '1');
  });

  test('an option that there is not is refused, with the one that was meant', () => {
    const meant = { max: 'maxItems', maxAge: 'ttl', stdTTL: 'ttl', dispose: 'onEvict', maxsize: 'maxSize', maxBytes: 'maxSize' };
    for (const [name, right] of Object.entries(meant)) {
      assert.throws(() => new Cache({ [name]: 1 }), { name: 'TypeError', message: new RegExp(`\`${name}\`; use \`${right}\``) });
    }
    assert.throws(() => new Cache({ nonsense: 1 }), /the options are maxSize, maxItems/);
    assert.throws(() => new Cache({ protocol: {} }), /wasmcached\/protocol/);
  });
});

suite('size', () => {
  test('a value that is too large is refused and takes the old one along', () => {
    const cache = new Cache({ maxSize: MIB, maxEntrySize: 10_000 });
    const most = 10_000 - 59 - 1;
    cache.set('a', 'x'.repeat(most));
    assert.equal(cache.getText('a').length, most);
    for (const value of ['x'.repeat(most + 1), new Uint8Array(most + 1), new Uint8Array(50_000), 'é'.repeat(5000)]) {
      cache.set('a', 'old').set('b', 'other');
      assert.throws(() => cache.set('a', value), { name: 'RangeError', message: /maxEntrySize \(10000 bytes/ });
      assert.equal(cache.has('a'), false);
      assert.equal(cache.getText('b'), 'other');
      assert.throws(() => cache.add('b', value), RangeError);
      assert.throws(() => cache.setMany([['c', value]]), RangeError);
    }
  });

  test('without evictions a full cache refuses', () => {
    const cache = new Cache({ maxSize: MIB, evictions: false });
    const fill = () => {
      for (let i = 0; i < 3000; i++) cache.set(`k${i}`, 'x'.repeat(1000));
    };
    assert.throws(fill, { name: 'Error', message: /the cache is full \(1048576 bytes\): it may not evict/ });
    assert.equal(cache.stats().evictions, 0);
    assert.equal(cache.has('k0'), true);
  });
});

suite('maxItems', () => {
  for (const most of [1, 2, 10, 1000]) {
    test(`never more than ${most}, and as many as possible`, () => {
      const cache = new Cache({ maxItems: most });
      for (let i = 0; i < 3 * most + 5; i++) {
        cache.set(`k${i}`, 'x'.repeat(i % 50));
        assert.equal(cache.size, Math.min(i + 1, most));
      }
      assert.equal(cache.has(`k${3 * most + 4}`), true, 'the newest stays');
      cache.setMany(Array.from({ length: 7 }, (_, i) => [`m${i}`, '1']));
      assert.equal(cache.size, Math.min(most, 3 * most + 12));
      cache.add('new', '1');
      assert.equal(cache.size, Math.min(most, 3 * most + 13));
    });
  }

  test('what is used stays', () => {
    const cache = new Cache({ maxItems: 100 });
    for (let i = 0; i < 2000; i++) {
      cache.set(`k${i}`, '1');
      cache.set('hot', '1');
      for (let j = 0; j < 3; j++) cache.get('hot');
    }
    assert.equal(cache.has('hot'), true);
  });
});

suite('onEvict', () => {
  test('tells each entry that left by itself once, with its value', () => {
    const left = new Map();
    let now = 0;
    const onEvict = (key, value, reason) => {
      assert.equal(left.has(key), false, `${key} twice`);
      left.set(key, [new TextDecoder().decode(value), reason]);
    };
    const cache = new Cache({ maxSize: MIB, clock: () => now, onEvict });
    const long = 'l'.repeat(300);
    for (let i = 0; i < 3000; i++) cache.set(i % 10 === 0 ? long + i : `k${i}`, `${i} ${'x'.repeat(700)}`);
    for (const [key, [value, reason]] of left) {
      assert.equal(value, `${key.match(/\d+$/)[0]} ${'x'.repeat(700)}`);
      assert.equal(reason, 'evict');
      assert.equal(cache.has(key), false);
    }
    assert.equal(left.size, cache.stats().evictions);
    assert.equal(left.size + cache.size, 3000);
    left.clear();
    cache.set('short', 'lived', { ttl: 100 });
    now += 200;
    cache.get('short');
    assert.deepEqual(left.get('short'), ['lived', 'expire']);
  });

  test('is not told of what the program does', () => {
    const cache = new Cache({ onEvict: () => assert.fail() });
    cache.set('a', '1').set('a', '2').delete('a');
    cache.set('b', '1').clear();
    assert.throws(() => cache.set('c', '1').set('c', 'x'.repeat(2 * MIB)), RangeError);
  });

  test('may use the cache', () => {
    const spilled = new Map();
    const cache = new Cache({ maxItems: 5, onEvict: (key, value) => { spilled.set(key, value); cache.get('k'); cache.set('last', key); } });
    for (let i = 0; i < 50; i++) cache.set(`k${i}`, '1');
    assert.ok(cache.size <= 5);
    assert.ok(spilled.size >= 20);
  });

  test('its errors reach the caller, and the cache goes on', () => {
    const cache = new Cache({ maxItems: 1, onEvict: () => { throw new Error('mine'); } });
    cache.set('a', '1');
    assert.throws(() => cache.set('b', '1'), /mine/);
    assert.equal(cache.getText('b'), '1');
  });
});

suite('maxItems', () => {
  for (const maxItems of [1, 2, 3]) {
    test(`of ${maxItems}: the entry that was stored last is there`, () => {
      const cache = new Cache({ maxItems });
      for (let i = 0; i < 200; i++) {
        const key = `${'k'.repeat(i % 4 === 0 ? 300 : 3)}${i % 50}`;
        assert.equal(cache.set(key, `${i}`).getText(key), `${i}`);
        assert.ok(cache.size <= maxItems);
        if (i % 2 === 0) cache.get(`kkk${(i * 7) % 50}`);
      }
      assert.equal(cache.size, maxItems);
    });
  }
});

suite('long keys', () => {
  // In front of the value of a long key lies the length of the key; that of 0x2031 bytes reads as `1 `.
  for (const length of [251, 0x2031, 65_536]) {
    test(`of ${length} bytes count, and keep values that cannot grow`, () => {
      const cache = new Cache();
      const key = 'k'.repeat(length);
      cache.set(key, '41', { flags: 5 });
      assert.equal(cache.incr(key), 42);
      assert.equal(cache.decr(key, 40), 2);
      assert.equal(cache.getText(key).trim(), '2');
      cache.set(key, 'x'.repeat(600_000));
      assert.throws(() => cache.incr(key), /number/);
      for (const grow of ['append', 'prepend']) {
        assert.throws(() => cache[grow](key, 'x'.repeat(600_000)), { name: 'RangeError', message: /larger than maxEntrySize/ });
        assert.equal(cache.get(key).length, 600_000);
      }
    });
  }
});

test('a short value that would grow too large stays, and the error says so', () => {
  const cache = new Cache({ maxSize: MIB, maxEntrySize: 10_000 });
  cache.set('a', 'x'.repeat(9000));
  for (const grow of ['append', 'prepend']) {
    assert.throws(() => cache[grow]('a', 'x'.repeat(5000)), { name: 'RangeError', message: /larger than maxEntrySize/ });
    assert.equal(cache[grow]('none', 'x'), false);
  }
  assert.equal(cache.getText('a'), 'x'.repeat(9000));
});

test('keys of 64 KiB work in namespaces, and as bytes with any first byte', () => {
  const cache = new Cache();
  const space = cache.namespace('n');
  for (const length of [65_530, 65_531, 65_532, 65_536]) {
    const key = 'k'.repeat(length);
    assert.equal(space.set(key, `${length}`).getText(key), `${length}`);
    for (const first of [0x00, 0xfe, 0xff]) {
      const bytes = new Uint8Array(length).fill(1);
      bytes[0] = first;
      assert.equal(cache.set(bytes, `${first}`).getText(bytes), `${first}`);
    }
  }
  assert.equal([...space.keys()].length, 4);
  const copy = new Cache();
  assert.deepEqual(copy.load(cache.dump()), { loaded: 16, skipped: 0 });
});

test('what is no object of options is refused', () => {
  for (const options of [[], new Map([['maxSize', MIB]]), new Date(), { toString: 1 }, { constructor: 1 }]) {
    assert.throws(() => new Cache(options), TypeError);
  }
  assert.throws(() => new Cache({ Max: 10 }), /use `maxItems`/);
  assert.throws(() => new Cache({ protocol: {} }), /import \{ Protocol \}/);
  assert.throws(() => new Cache({ module: {} }), { name: 'TypeError', message: /module is a WebAssembly.Module/ });
});
