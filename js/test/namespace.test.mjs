// Namespaces.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Cache } from 'wasmcached';

suite('namespaces', () => {
  test('have keys of their own', () => {
    const cache = new Cache().set('a', 'cache');
    const [users, posts] = [cache.namespace('users').set('a', 'users'), cache.namespace('posts').set('a', 'posts')];
    assert.deepEqual([cache, users, posts].map((one) => one.getText('a')), ['cache', 'users', 'posts']);
    assert.deepEqual([cache, users, posts].map((one) => [one.size, ...one.keys()]), [[1, 'a'], [1, 'a'], [1, 'a']]);
    assert.equal(cache.namespace('users').getText('a'), 'users');
    assert.equal(users.delete('a'), true);
    assert.deepEqual([cache, users, posts].map((one) => one.has('a')), [true, false, true]);
  });

  test('every operation stays in its namespace', () => {
    const cache = new Cache();
    const [one, other] = [cache.namespace('one'), cache.namespace('other')];
    const long = 'l'.repeat(400);
    for (const space of [one, other]) {
      space.setMany([['a', '1'], [long, 'long']]);
      assert.equal(space.add('a', '2'), false);
      assert.equal(space.incr('a', 5), 6);
      assert.equal(space.append(long, '+'), true);
      assert.deepEqual(space.getMany(['a', long, 'none']).map((value) => value?.length), [1, 5, undefined]);
      assert.deepEqual(new Set(space.keys()), new Set(['a', long]));
      assert.deepEqual(space.scan({ prefix: 'l' }).keys, [long]);
      space.touch('a', { ttl: 100_000 });
    }
    assert.equal(one.deleteMany(['a', long]), 2);
    assert.equal(other.size, 2);
    assert.equal(cache.size, 0);
  });

  test('names are any text, nested or not', () => {
    const cache = new Cache();
    const spaces = ['', 'a', 'ab', '1:a', 'é', '\0', 'a:1'].map((name) => cache.namespace(name));
    spaces.push(cache.namespace('a').namespace('b'), cache.namespace('').namespace('ab'), cache.namespace('a').namespace(''));
    for (const [i, space] of spaces.entries()) space.set('k', String(i));
    for (const [i, space] of spaces.entries()) assert.equal(space.getText('k'), String(i));
    assert.throws(() => cache.namespace(5), TypeError);
  });

  test('clear empties one and those in it', () => {
    const cache = new Cache().set('k', '1');
    const [parent, other] = [cache.namespace('parent').set('k', '1'), cache.namespace('other').set('k', '1')];
    const child = parent.namespace('child').set('k', '1');
    parent.clear();
    assert.deepEqual([parent, child].map((one) => [one.has('k'), one.size, [...one.keys()].length]), [[false, 0, 0], [false, 0, 0]]);
    assert.deepEqual([cache, other].map((one) => one.getText('k')), ['1', '1']);
    child.set('k', '2');
    assert.equal(child.getText('k'), '2');
  });

  test('clear by a prefix is within one', () => {
    const cache = new Cache().set('x1', '1');
    const space = cache.namespace('n').set('x1', '1').set('x2', '1').set('y', '1');
    space.clear('x');
    assert.deepEqual([...space.keys()], ['y']);
    assert.equal(cache.has('x1'), true);
  });

  test('what was in a cleared one is removed by and by, and never seen', () => {
    const left = [];
    const cache = new Cache({ maxSize: 8 * 1024 * 1024, onEvict: (key) => left.push(key) });
    const space = cache.namespace('n');
    for (let i = 0; i < 20_000; i++) space.set(`k${i}`, 'x'.repeat(100));
    space.clear();
    assert.equal(cache.size, 0);
    for (let i = 0; i < 30_000; i++) cache.set(`new${i}`, '');
    assert.equal(cache.size, 30_000);
    assert.equal(cache.stats().items, 30_000);
    assert.deepEqual(left, []);
  });

  test('clear of the cache empties all', () => {
    const cache = new Cache();
    const space = cache.namespace('n').set('a', '1');
    cache.clear();
    assert.equal(space.has('a'), false);
    assert.equal(space.set('a', '2').getText('a'), '2');
  });
});

suite('namespaces with a time to live of their own', () => {
  test('apply it to what is stored through them', async () => {
    let now = 1_000_000;
    const cache = new Cache({ ttl: 100_000, clock: () => now });
    const space = cache.namespace('n', { ttl: 1000 });
    space.set('set', '1').setMany([['many', '1']]).set('own', '1', { ttl: 5000 }).set('ever', '1', { ttl: 0 });
    space.add('add', '1');
    await space.fetch('fetch', () => '1');
    space.namespace('inner').set('k', '1');
    space.namespace('other', { ttl: 3000 }).set('k', '1');
    cache.namespace('n').set('plain', '1');
    cache.set('root', '1').namespace('n').touch('add');
    const left = ['set', 'many', 'add', 'fetch', 'own', 'ever', 'plain'].map((key) => space.getRemainingTTL(key));
    assert.deepEqual(left, [1000, 1000, 100_000, 1000, 5000, Infinity, 100_000]);
    assert.equal(space.namespace('inner').getRemainingTTL('k'), 1000);
    assert.equal(space.namespace('other').getRemainingTTL('k'), 3000);
    space.touch('add');
    assert.equal(space.getRemainingTTL('add'), 1000);
    now += 1000;
    assert.deepEqual([...space.keys()].sort(), ['ever', 'own', 'plain']);
  });

  test('refuse what is no duration', () => {
    const cache = new Cache();
    assert.throws(() => cache.namespace('n', { ttl: -1 }), RangeError);
    assert.throws(() => cache.namespace('n', { ttl: 'x' }), TypeError);
  });
});

suite('many namespaces', () => {
  test('that are cleared are removed by few walks', () => {
    const cache = new Cache();
    const spaces = Array.from({ length: 3000 }, (_, i) => cache.namespace(`tenant ${i}`));
    for (const space of spaces) space.set('a', '1').set('b', '1');
    cache.namespace('stays').set('a', '1');
    for (const space of spaces) space.clear();
    assert.equal(cache.stats().items, 1);
    assert.equal(cache.namespace('stays').getText('a'), '1');
  });

  test('may be cleared while others are being removed', () => {
    const cache = new Cache();
    const stays = cache.namespace('stays').set('a', '1');
    for (let round = 0; round < 50; round++) {
      const space = cache.namespace(`n${round % 7}`);
      for (let i = 0; i < 200; i++) space.set(`k${i}`, '1');
      if (round % 2 === 0) space.clear();
      if (round % 2 === 0) assert.equal(space.size, 0);
    }
    assert.equal(stays.size, 1);
    for (let i = 0; i < 7; i++) cache.namespace(`n${i}`).clear();
    assert.equal(cache.stats().items, 1);
  });
});

/** The entries that the engine has, those of cleared namespaces among them. */
const stored = (cache) => cache.core.store.items;

/** A cache that may not evict, with a namespace that fills it. */
function full() {
  const cache = new Cache({ maxSize: 1 << 20, evictions: false }).set('n', '9');
  const space = cache.namespace('full');
  assert.throws(() => {
    for (let i = 0; ; i++) space.set(`k${i}`, 'x'.repeat(100));
  }, /the cache is full/);
  assert.ok(space.size > 1000);
  return { cache, space };
}

suite('the room of a cleared namespace in a cache that may not evict', () => {
  const value = 'y'.repeat(200);
  const writes = {
    set: (one) => one.set('q', value),
    'set of a long key': (one) => one.set('q'.repeat(1000), value),
    add: (one) => assert.equal(one.add('q', value), true),
    setMany: (one) => one.setMany(Array.from({ length: 2000 }, (_, i) => [`q${i}`, value])),
    'incr that makes one': (one) => assert.equal(one.incr('q', { initial: 7 }), 7),
    load: (one) => assert.deepEqual(one.load(new Cache().set('a', value).set('b', value).dump()), { loaded: 2, skipped: 0 }),
  };
  for (const [name, write] of Object.entries(writes)) {
    test(`is there for ${name} at once`, () => {
      for (const of of [({ cache }) => cache, ({ space }) => space, ({ cache }) => cache.namespace('other')]) {
        const made = full();
        made.space.clear();
        write(of(made));
        assert.ok(of(made).size > 0);
      }
    });
  }

  test('is there for cas, replace and append of an entry that is there', () => {
    const { cache, space } = full();
    const { cas } = cache.gets('n');
    space.clear();
    assert.equal(cache.cas('n', '9'.repeat(900), cas), 'stored');
    const { cache: one, space: other } = full();
    other.clear();
    assert.equal(one.replace('n', '9'.repeat(900)), true);
    const { cache: two, space: another } = full();
    another.clear();
    assert.equal(two.append('n', '9'.repeat(900)), true);
    assert.deepEqual([cache, one, two].map((each) => each.get('n').length), [900, 900, 901]);
  });

  test('is none while nothing was cleared', () => {
    const { cache } = full();
    assert.throws(() => cache.setMany(Array.from({ length: 100 }, (_, i) => [`q${i}`, value])), /the cache is full/);
  });
});

suite('what cleared namespaces leave', () => {
  /** A cache with a large namespace that was cleared, and one that stays. */
  const cleared = (entries) => {
    const cache = new Cache().set('root', '1').set(new Uint8Array([0xfe, 0, 0, 0, 0, 1]), '1');
    cache.namespace('stays').set('a', '1');
    const space = cache.namespace('n');
    for (let i = 0; i < entries; i += 1000) space.setMany(Array.from({ length: 1000 }, (_, j) => [`k${i + j}`, 'v']));
    space.namespace('inner').set('a', '1');
    space.clear();
    return cache;
  };
  const assertStays = (cache) => {
    assert.deepEqual([cache.size, cache.namespace('stays').size, cache.namespace('n').size], [2, 1, 0]);
    assert.equal(cache.namespace('n').namespace('inner').has('a'), false);
  };

  test('goes while the cache is only read', () => {
    const cache = cleared(10_000);
    for (let i = 0; i < 10_000; i++) cache.getText('root');
    assert.equal(stored(cache), 3);
    assertStays(cache);
  });

  test('goes while namespaces are written', () => {
    const cache = cleared(10_000);
    for (let i = 0; i < 10_000; i++) cache.namespace('stays').set('a', '1');
    assert.equal(stored(cache), 3);
    assertStays(cache);
  });

  test('goes a bounded piece with each stats(), which counts what waits', () => {
    const cache = cleared(100_000);
    const counts = [];
    do {
      const before = stored(cache);
      counts.push(cache.stats().items);
      assert.ok(before - stored(cache) < 20_000);
    } while (counts.at(-1) > 3 && counts.length < 100);
    assert.ok(counts.length > 3 && counts.length < 50, String(counts));
    assert.equal(counts.at(-1), 3);
    assertStays(cache);
  });

  test('goes with long keys and others mixed', () => {
    const cache = new Cache();
    const [space, other] = [cache.namespace('n'), cache.namespace('o')];
    for (let i = 0; i < 500; i++) for (const one of [space, other]) one.set(`k${i}`, 'v').set(`${i}`.padEnd(2000, 'l'), 'v').set('é'.repeat(i + 1), 'v');
    space.clear();
    while (cache.stats().items > other.size) assert.equal(other.size, 1500);
    assert.equal(stored(cache), 1500);
    assert.equal(other.getMany([...other.keys()]).every((value) => value?.length === 1), true);
  });
});

suite('names', () => {
  test('without entries are forgotten, those with entries are not', () => {
    const cache = new Cache({ maxSize: 1 << 20 });
    const kept = cache.namespace('kept').namespace('inner');
    const idle = cache.namespace('idle').set('a', '1');
    for (let i = 0; i < 100_000; i++) {
      cache.namespace(`tenant ${i}`).set('k', 'v').delete('k');
      if (i % 1000 === 0) assert.equal(kept.add('a', '1'), i === 0);
    }
    assert.equal(idle.getText('a'), '1');
    // A dump begins with the names.
    assert.ok(cache.dump().length < 300_000, `${cache.dump().length}`);
    for (const space of [kept, cache.namespace('tenant 7')]) assert.equal(space.set('b', '2').getText('b'), '2');
    assert.equal(kept.getText('a'), '1');
  });

  test('of evicted namespaces are forgotten, and onEvict is told of every entry', () => {
    const left = new Set();
    const cache = new Cache({ maxItems: 100, onEvict: (key) => left.add(key) });
    for (let i = 0; i < 20_000; i++) cache.namespace(`tenant ${i}`).set(`k${i}`, 'v');
    for (let i = 0; i < 20_000; i++) assert.notEqual(cache.namespace(`tenant ${i}`).has(`k${i}`), left.has(`k${i}`), `k${i}`);
  });

  test('stay while a value is loaded for them', async () => {
    const cache = new Cache({ maxSize: 1 << 20 });
    const space = cache.namespace('slow');
    let end;
    const loaded = space.fetch('k', () => new Promise((resolve) => (end = resolve)));
    for (let i = 0; i < 50_000; i++) cache.namespace(`tenant ${i}`).set('k', 'v').delete('k');
    end('value');
    await loaded;
    assert.equal(space.getText('k'), 'value');
  });

  test('that are cleared again and again, nested, leave nothing', () => {
    const cache = new Cache();
    const stays = cache.namespace('outer').namespace('stays').set('a', '1');
    for (let i = 0; i < 20_000; i++) {
      const outer = cache.namespace('outer').namespace(`n${i % 50}`);
      outer.namespace(`inner ${i}`).namespace('deep').set('a', String(i));
      outer.set('a', '1');
      if (i % 3 === 0) outer.clear();
      assert.equal(outer.namespace(`inner ${i}`).namespace('deep').has('a'), i % 3 !== 0);
    }
    assert.equal(stays.getText('a'), '1');
    for (let i = 0; i < 50; i++) cache.namespace('outer').namespace(`n${i}`).clear();
    while (cache.stats().items > 1);
    for (let i = 0; i < 1000; i++) cache.has('none');
    assert.ok(cache.dump().length < 2000, `${cache.dump().length}`);
    assert.equal(stays.getText('a'), '1');
    cache.namespace('outer').clear();
    assert.equal(stays.size, 0);
  });
});
