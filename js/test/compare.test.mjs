// The table of the README beside lru-cache: each test shows what both do.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { LRUCache } from 'lru-cache';
import { Cache } from 'wasmcached';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
/** The text of a section of the README, up to the next of its rank. */
const section = (title) => new RegExp(`^## ${title}$(.*?)^## `, 'ms').exec(readme)[1];
/** Words that stand as code in a text, also as calls. */
const code = (text) => new Set([...text.matchAll(/`([^`]+)`/g)].flatMap(([, words]) => words.match(/\w+/g) ?? []));

/** The public methods and properties of a class. */
function members(Type, internal) {
  const names = new Set();
  for (let at = Type.prototype; at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const name of Reflect.ownKeys(at)) if (typeof name === 'string' && name !== 'constructor' && !internal.includes(name)) names.add(name);
  }
  return [...names];
}

test('the table has every method of both', () => {
  const named = code(section('Beside lru-cache, Keyv and a Map'));
  const internal = ['after', 'clearAll', 'defaultTtl', 'fetchAs', 'space', 'spaceName'];
  const missing = (Type) => members(Type, internal).filter((name) => !named.has(name));
  assert.deepEqual(missing(Cache), []);
  assert.deepEqual(missing(LRUCache), []);
  const keyv = ['get', 'getMany', 'set', 'setMany', 'delete', 'deleteMany', 'has', 'hasMany', 'clear', 'iterator', 'disconnect'];
  assert.deepEqual(keyv.filter((name) => !named.has(name)), []);
  const described = code(section('`Cache`'));
  assert.deepEqual(members(Cache, internal).filter((name) => !described.has(name)), []);
});

const bytes = (...numbers) => new Uint8Array(numbers);

test('get returns a copy here, the object there', () => {
  const [cache, lru, value] = [new Cache(), new LRUCache({ max: 2 }), bytes(1, 2)];
  cache.set('k', value);
  lru.set('k', value);
  value[0] = 9;
  assert.deepEqual(cache.get('k'), bytes(1, 2));
  assert.notEqual(cache.get('k'), cache.get('k'));
  assert.equal(lru.get('k'), value);
});

test('use and getInto copy nothing, or into a buffer', () => {
  const cache = new Cache();
  cache.set('k', bytes(1, 2, 3));
  assert.equal(cache.use('k', (view) => view[2]), 3);
  const into = new Uint8Array(8);
  assert.equal(cache.getInto('k', into), 3);
  assert.deepEqual(into.subarray(0, 3), bytes(1, 2, 3));
});

test('size counts expired entries until they are found', async () => {
  const [cache, lru] = [new Cache(), new LRUCache({ max: 2 })];
  for (const one of [cache, lru]) one.set('k', 'v', { ttl: 1 });
  await new Promise((resolve) => setTimeout(resolve, 120));
  assert.deepEqual([cache.size, lru.size], [1, 1]);
  assert.deepEqual([cache.get('k'), lru.get('k')], [undefined, undefined]);
  assert.deepEqual([cache.size, lru.size], [0, 0]);
});

test('getRemainingTTL is alike', () => {
  const [cache, lru] = [new Cache(), new LRUCache({ max: 2 })];
  for (const one of [cache, lru]) {
    one.set('k', 'v');
    assert.equal(one.getRemainingTTL('k'), Infinity);
    assert.equal(one.getRemainingTTL('nobody'), 0);
    one.set('k', 'v', { ttl: 60_000 });
    assert.ok(one.getRemainingTTL('k') > 59_000 && one.getRemainingTTL('k') <= 60_050);
  }
});

test('has is no use of an entry there, and is one here', () => {
  const lru = new LRUCache({ max: 2 });
  lru.set('old', 1).set('new', 2);
  lru.has('old');
  lru.set('newest', 3);
  assert.equal(lru.has('old'), false);
  // The oldest of many entries stays if it is asked for, and goes if it is only looked at.
  const stays = (look) => {
    const cache = new Cache({ maxSize: 1 << 20 });
    cache.set('old', 'v');
    for (let i = 0; i < 50_000; i++) {
      cache.set(`k${i}`, 'x'.repeat(100));
      look(cache);
    }
    return cache.peek('old') !== undefined;
  };
  assert.equal(stays((cache) => cache.has('old')), true);
  assert.equal(stays((cache) => cache.peek('old')), false);
});

test('iteration has every entry once', () => {
  const cache = new Cache();
  const names = Array.from({ length: 100 }, (_, i) => `k${i}`);
  for (const name of names) cache.set(name, name);
  assert.deepEqual([...cache.keys()].sort(), [...names].sort());
  assert.deepEqual([...new Map(cache.entries()).keys()].sort(), [...names].sort());
  const lru = new LRUCache({ max: 3 });
  lru.set('a', 1).set('b', 2);
  assert.deepEqual([...lru.keys()], ['b', 'a']);
});

test('evictions are told with key, value and reason', () => {
  const told = [];
  const cache = new Cache({ maxItems: 2, onEvict: (...all) => told.push(all) });
  for (const name of ['a', 'b', 'c']) cache.set(name, name);
  assert.equal(cache.size, 2);
  assert.equal(told.length, 1);
  const [key, value, reason] = told[0];
  assert.deepEqual([new TextDecoder().decode(value), reason], [key, 'evict']);
});

test('other values than text and bytes are refused', () => {
  const cache = new Cache();
  for (const value of [{}, 1, true, null, undefined, () => {}, Promise.resolve()]) {
    assert.throws(() => cache.set('k', value), TypeError);
  }
});
