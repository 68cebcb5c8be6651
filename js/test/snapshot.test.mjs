// Snapshots.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Cache } from 'wasmcached';

const MIB = 1024 * 1024;
const text = (value) => new TextDecoder().decode(value);
const contents = (cache) => new Map([...cache.entries()].map(([key, value]) => [String(key), text(value)]));

/** Entries of every kind: short and long keys, bytes, flags, large values, namespaces. */
function furnished() {
  const cache = new Cache();
  for (let i = 0; i < 3000; i++) cache.set(`key ${i}`, `value ${i}`, { flags: i });
  cache.set('l'.repeat(300), 'long').set('é'.repeat(20_000), 'longer').set(new Uint8Array([255, 0]), 'bytes').set(new Uint8Array([254, 1, 2, 3, 4, 5]), 'like a tag');
  cache.set('large', 'x'.repeat(900_000)).set('empty', '');
  const space = cache.namespace('n').set('a', 'in n').set('l'.repeat(300), 'long in n').set(new Uint8Array([254]), 'tag in n');
  space.namespace('\ud800 "m"').set('a', 'in m');
  return cache;
}

function assertFurnished(cache) {
  assert.deepEqual(contents(cache), contents(furnished()));
  assert.equal(cache.gets('key 2999').flags, 2999);
  const space = cache.namespace('n');
  assert.deepEqual(contents(space), contents(furnished().namespace('n')));
  assert.equal(space.namespace('\ud800 "m"').getText('a'), 'in m');
}

suite('a snapshot', () => {
  test('holds everything', () => {
    const copy = new Cache();
    const { loaded, skipped } = copy.load(furnished().dump());
    assert.deepEqual([loaded, skipped], [3010, 0]);
    assertFurnished(copy);
  });

  test('is the same bytes wherever it is loaded from', () => {
    const snapshot = furnished().dump();
    const moved = new Uint8Array(snapshot.length + 3);
    moved.set(snapshot, 3);
    const copy = new Cache();
    copy.load(moved.subarray(3));
    assertFurnished(copy);
    const exact = new Cache();
    exact.load(snapshot.buffer);
    assertFurnished(exact);
  });

  test('of an empty cache is one', () => {
    const cache = new Cache();
    assert.deepEqual(new Cache().load(cache.dump()), { loaded: 0, skipped: 0 });
    assert.deepEqual(cache.namespace('n').load(cache.namespace('n').dump()), { loaded: 0, skipped: 0 });
  });

  test('adds to what is there', () => {
    const cache = new Cache().set('a', 'old').set('b', 'stays');
    cache.load(new Cache().set('a', 'new').dump());
    assert.deepEqual(contents(cache), new Map([['a', 'new'], ['b', 'stays']]));
  });

  test('of a namespace can be loaded into another, and into a cache', () => {
    const snapshot = furnished().namespace('n').dump();
    const cache = new Cache();
    assert.deepEqual(cache.namespace('o').load(snapshot), { loaded: 4, skipped: 0 });
    assert.deepEqual(contents(cache.namespace('o')), contents(furnished().namespace('n')));
    assert.equal(cache.namespace('o').namespace('\ud800 "m"').getText('a'), 'in m');
    assert.equal(cache.size, 0);
    cache.load(snapshot);
    assert.deepEqual(contents(cache), contents(furnished().namespace('n')));
    const whole = new Cache();
    whole.namespace('p').load(furnished().dump());
    assert.deepEqual(contents(whole.namespace('p')), contents(furnished()));
    assert.deepEqual(contents(whole.namespace('p').namespace('n')), contents(furnished().namespace('n')));
  });

  test('has nothing of cleared namespaces', () => {
    const cache = new Cache();
    cache.namespace('n').set('secret', 'secret');
    cache.namespace('n').clear();
    cache.set('a', '1').namespace('n').set('b', '2');
    assert.equal(Buffer.from(cache.dump()).includes('secret'), false);
    assert.deepEqual(new Cache().load(cache.dump()), { loaded: 2, skipped: 0 });
  });

  test('keeps times to live, which go on meanwhile', (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: 1_700_000_000_000 });
    const cache = new Cache().set('short', '1', { ttl: 1000 }).set('long', '1', { ttl: 100_000 }).set('ever', '1');
    t.mock.timers.tick(333);
    cache.set('later', '1', { ttl: 40_000 });
    const snapshot = cache.dump();
    t.mock.timers.tick(30_000);
    const copy = new Cache({ ttl: 5 });
    assert.deepEqual(copy.load(snapshot), { loaded: 3, skipped: 1 });
    assert.equal(copy.has('short'), false);
    assert.equal(copy.getRemainingTTL('ever'), Infinity);
    for (const [key, remaining] of [['long', 69_667], ['later', 10_000]]) {
      const found = copy.getRemainingTTL(key);
      // Each of the two caches rounds up to 50 ms.
      assert.ok(found >= remaining && found < remaining + 100, `${key} lives ${found} ms, not ${remaining}`);
    }
    t.mock.timers.tick(70_000);
    assert.deepEqual([...copy.keys()], ['ever']);
  });

  test('does not depend on the clocks of the caches', () => {
    const cache = new Cache({ clock: () => 5 }).set('k', '1', { ttl: 60_000 });
    const copy = new Cache({ clock: () => 10 ** 12 });
    copy.load(cache.dump());
    const found = copy.getRemainingTTL('k');
    assert.ok(found > 50_000 && found <= 60_100, `${found} ms`);
  });

  test('larger than the cache keeps it within its budget', () => {
    const cache = new Cache({ maxSize: 32 * MIB });
    for (let i = 0; i < 20_000; i++) cache.set(`k${i}`, 'x'.repeat(1000));
    const small = new Cache({ maxSize: MIB });
    assert.deepEqual(small.load(cache.dump()), { loaded: 20_000, skipped: 0 });
    assert.ok(small.stats().usedBytes <= MIB);
    assert.ok(small.size > 500);
    const few = new Cache({ maxItems: 100 });
    few.load(cache.dump());
    assert.equal(few.size, 100);
    const strict = new Cache({ maxSize: MIB, evictions: false });
    const { loaded, skipped } = strict.load(cache.dump());
    assert.deepEqual([loaded + skipped, strict.size], [20_000, loaded]);
    assert.ok(loaded > 500);
  });

  test('skips entries that are too large, and no others', () => {
    const cache = new Cache();
    for (let i = 0; i < 1000; i++) cache.set(`k${i}`, 'x'.repeat(i % 10 === 0 ? 5000 : 10));
    const copy = new Cache({ maxEntrySize: 2048 });
    assert.deepEqual(copy.load(cache.dump()), { loaded: 900, skipped: 100 });
    assert.equal(copy.size, 900);
    assert.equal(copy.has('k11'), true);
  });

  test('tells onEvict of what it evicts', () => {
    let evicted = 0;
    const cache = new Cache();
    for (let i = 0; i < 1000; i++) cache.set(`k${i}`, '1');
    const copy = new Cache({ maxItems: 10, onEvict: () => evicted++ });
    copy.load(cache.dump());
    assert.equal(evicted, 990);
  });
});

suite('in pieces', () => {
  async function* pieces(bytes, size) {
    for (let at = 0; at < bytes.length; at += size) {
      const piece = bytes.slice(at, at + size);
      yield piece;
      // The writer may use its buffer again.
      piece.fill(0);
    }
  }

  test('they are bounded, and loaded whatever their cut', async () => {
    const chunks = [...furnished().dumpChunks()];
    assert.ok(chunks.length > 4);
    const whole = Buffer.concat(chunks);
    for (const size of [7, 4096, 100_000, whole.length]) {
      const copy = new Cache();
      assert.deepEqual(await copy.loadChunks(pieces(new Uint8Array(size === 7 ? new Cache().set('a', '1').dump() : whole), size)), { loaded: size === 7 ? 1 : 3010, skipped: 0 });
      if (size !== 7) assertFurnished(copy);
    }
    const direct = new Cache();
    await direct.loadChunks(furnished().dumpChunks());
    assertFurnished(direct);
    const streamed = new Cache();
    await streamed.loadChunks(new Response(whole).body);
    assertFurnished(streamed);
  });

  test('an entry that stays is in one of them, whatever happens meanwhile', () => {
    const cache = new Cache();
    for (let i = 0; i < 20_000; i++) cache.set(`stay${i}`, String(i));
    const chunks = [];
    let i = 0;
    for (const chunk of cache.dumpChunks()) {
      chunks.push(chunk);
      for (const end = i + 500; i < end; i++) cache.set(`new${i}`, 'x'.repeat(i % 300)).delete(`new${i - 100}`);
    }
    const copy = new Cache();
    copy.load(Buffer.concat(chunks));
    for (let j = 0; j < 20_000; j++) assert.equal(copy.getText(`stay${j}`), String(j));
  });

  test('namespaces may be made, cleared and changed meanwhile', () => {
    const act = {
      'the first is made': ({ cache }) => cache.namespace('n').setMany(Array.from({ length: 50 }, (_, i) => [`x${i}`, 'y'])),
      'one is cleared': ({ cache }) => cache.namespace('old').clear(),
      'one is cleared and made again': ({ cache }) => (cache.namespace('old').clear(), cache.namespace('old').set('new', '1')),
      'one in it is cleared': ({ cache }) => cache.namespace('old').namespace('inner').clear(),
      'entries are changed': ({ cache }) => cache.namespace('old').set('k1', 'other').delete('k2'),
      'one is made in another': ({ cache }) => cache.namespace('old').namespace('made').set('a', 'x'.repeat(100_000)),
      'the cache is cleared': ({ cache }) => (cache.clear(), cache.set('a', '1')),
    };
    for (const [name, change] of Object.entries(act)) {
      for (const hasOld of [false, true]) {
        for (const of of [(cache) => cache, (cache) => cache.namespace('old')]) {
          for (const after of [1, 2, 3]) {
            const cache = new Cache();
            for (let i = 0; i < 5000; i++) cache.set(`k${i}`, 'v');
            const old = cache.namespace('old');
            if (hasOld) for (let i = 0; i < 3000; i++) old.set(`k${i}`, 'v').namespace('inner').set(`k${i}`, 'v');
            const chunks = [];
            for (const chunk of of(cache).dumpChunks()) if (chunks.push(chunk) === after) change({ cache });
            const copy = new Cache();
            copy.load(Buffer.concat(chunks));
            if (name === 'the cache is cleared' || of(cache) !== cache) continue;
            assert.equal(copy.size, 5000, name);
            const stays = cache.namespace('old').namespace('inner');
            if (name !== 'one in it is cleared' && stays.size > 0) assert.equal(copy.namespace('old').namespace('inner').size, stays.size, name);
          }
        }
      }
    }
  });

  test('a large value in small pieces is not joined anew with each of them', async () => {
    const value = new Uint8Array(40_000_000).fill(7);
    const options = { maxSize: 256 * 1024 * 1024, maxEntrySize: 100_000_000 };
    const snapshot = new Cache(options).set('large', value).set('small', '1').dump();
    const copy = new Cache(options);
    assert.deepEqual(await copy.loadChunks(pieces(snapshot, 1000)), { loaded: 2, skipped: 0 });
    assert.equal(Buffer.compare(copy.get('large'), value), 0);
  });

  test('those before a damaged one are loaded', async () => {
    const whole = furnished().dump();
    whole[whole.length - 30] ^= 1;
    const copy = new Cache();
    await assert.rejects(copy.loadChunks(pieces(whole, 5000)), /is damaged at byte \d+.*what came before it was loaded \(entries: \d+\)/s);
    assert.ok(copy.size > 100);
  });
});

suite('what is no snapshot', () => {
  test('is refused with the reason', async () => {
    const cache = new Cache();
    const snapshot = new Cache().set('a', '1').dump();
    const version = snapshot.slice();
    version[8] = 9;
    const cases = [
      ['text', /bytes, not text/],
      [new Uint8Array([1, 2, 3]), /this is no snapshot/],
      [new TextEncoder().encode('{"a": 1, "b": 2}'), /this is no snapshot/],
      [version, /version 9, this package reads 1/],
      [new Uint8Array(0), /it ends here/],
      [snapshot.subarray(0, 10), /damaged at byte 10: it ends here/],
      [snapshot.subarray(0, -1), /it ends here, and the rest is missing; (nothing was loaded|what came before it was loaded)/],
      [Buffer.concat([snapshot, Buffer.from([0])]), /bytes behind its end/],
      [Buffer.concat([snapshot, snapshot]), /bytes behind its end/],
      [5, /a snapshot is .*not a number/],
    ];
    for (const [bytes, expected] of cases) {
      assert.throws(() => cache.load(bytes), expected);
      assert.equal(cache.size, 0);
      await assert.rejects(new Cache().loadChunks([bytes]), expected);
    }
  });

  test('any changed or missing byte is noticed, and nothing is loaded', () => {
    const source = new Cache().set('a', '1', { ttl: 1000 }).set('l'.repeat(300), '2');
    source.namespace('n').set('b', '3');
    const snapshot = source.dump();
    const cache = new Cache();
    for (let i = 0; i < snapshot.length; i++) {
      const damaged = snapshot.slice();
      damaged[i] ^= 1 << i % 8;
      assert.throws(() => cache.load(damaged), `byte ${i}`);
      assert.throws(() => cache.load(snapshot.subarray(0, i)), `${i} bytes`);
    }
    assert.deepEqual([cache.size, cache.namespace('n').size], [0, 0]);
  });

  test('frames with a right checksum and a wrong content are refused', async () => {
    const { crc32 } = await import('node:zlib');
    if (crc32 === undefined) return;
    const snapshot = new Cache().set('a', '1').dump();
    const entries = [...new Cache().set('a', '1').dumpChunks()].slice(0, 2).reduce((sum, { length }) => sum + length, 0);
    const length = new DataView(snapshot.buffer).getUint32(entries + 4, true);
    for (let at = entries + 8; at < entries + 12 + length; at++) {
      for (const value of [0, 1, 254, 255]) {
        const damaged = snapshot.slice();
        damaged[at] = value;
        new DataView(damaged.buffer).setUint32(entries, crc32(damaged.subarray(entries + 4, entries + 12 + length)), true);
        try {
          new Cache().load(damaged);
        } catch (error) {
          assert.match(error.message, /damaged|half of|a key/);
        }
      }
    }
  });
});
