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
