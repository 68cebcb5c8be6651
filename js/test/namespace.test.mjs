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
