// A disposed cache: every method of the cache and of what it made says so.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Cache } from 'wasmcached';

const REFUSES = { name: 'Error', message: 'the cache is disposed; make a new one' };
const SNAPSHOT = new Cache().dump();

/** Arguments with which each method works. */
const WORKING = {
  add: ['k', 'v'],
  append: ['k', 'v'],
  as: ['json'],
  cas: ['k', 'v', 1n],
  clear: [],
  decr: ['n'],
  delete: ['k'],
  deleteMany: [['k']],
  dump: [],
  dumpChunks: [],
  entries: [],
  fetch: ['k', () => 'v'],
  forEach: [() => {}],
  get: ['k'],
  getAndTouch: ['k'],
  getInto: ['k', new Uint8Array(9)],
  getMany: [['k']],
  getRemainingTTL: ['k'],
  getText: ['k'],
  gets: ['k'],
  has: ['k'],
  incr: ['n'],
  key: ['k'],
  keys: [],
  load: [SNAPSHOT],
  loadChunks: [[SNAPSHOT]],
  namespace: ['inner'],
  peek: ['k'],
  prepend: ['k', 'v'],
  replace: ['k', 'v'],
  scan: [],
  set: ['k', 'v'],
  setMany: [[['k', 'v']]],
  size: [],
  stats: [],
  touch: ['k'],
  use: ['k', () => {}],
  values: [],
  'Symbol(Symbol.iterator)': [],
};

/** Dispose itself, and what was known before. */
const STAY = ['constructor', 'dispose', Symbol.dispose, Symbol.toStringTag, 'maxSize', 'maxItems', 'maxEntrySize', 'ttl'];
/** Names that the declarations leave out. */
const INTERNAL = ['after', 'clearAll', 'defaultTtl', 'fetchAs', 'space', 'spaceName'];

/** All public methods and properties of an object that may refuse, as `[name, function of the object]`. */
function membersOf(object) {
  const members = new Map();
  for (let at = Object.getPrototypeOf(object); at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const key of Reflect.ownKeys(at)) {
      const name = String(key);
      if (STAY.includes(key) || INTERNAL.includes(key)) continue;
      assert.ok(name in WORKING, `${name} is new: give it arguments in this test`);
      const { get } = Object.getOwnPropertyDescriptor(at, key);
      members.set(name, get === undefined ? () => object[key](...WORKING[name]) : () => object[key]);
    }
  }
  return [...members];
}

/** A cache with entries, and everything that can be made of it. */
function world() {
  const cache = new Cache();
  const space = cache.namespace('space');
  for (const at of [cache, space]) at.set('k', '"v"').set('n', '5').set('m', '"w"');
  const json = { stringify: JSON.stringify, parse: JSON.parse };
  return { cache, space, nested: space.namespace('nested'), view: cache.as('json'), viewOfSpace: space.as(json), unused: new Cache() };
}

suite('disposed', () => {
  for (const name of Object.keys(world())) {
    test(`every method of ${name}`, async () => {
      const made = world();
      const members = membersOf(made[name]);
      assert.ok(members.length > 20, `${members.length} methods`);
      for (const [, work] of members) await work();
      for (const cache of [made.cache, made.unused]) {
        cache.dispose();
        cache[Symbol.dispose]();
      }
      for (const [method, work] of members) {
        if (['fetch', 'loadChunks'].includes(method)) await assert.rejects(work(), REFUSES, method);
        else assert.throws(work, REFUSES, method);
      }
    });
  }

  test('every walk that had begun, and every one that had not', () => {
    for (const method of ['keys', 'values', 'entries', 'dumpChunks', Symbol.iterator]) {
      for (const name of ['cache', 'space', 'view', 'viewOfSpace']) {
        const made = world();
        if (made[name][method] === undefined) continue;
        const [begun, waiting, ended, left] = Array.from({ length: 4 }, () => made[name][method]());
        assert.equal(begun.next().done, false);
        assert.ok([...ended].length > 0);
        left.return();
        made.cache.dispose();
        for (const walk of [begun, waiting]) assert.throws(() => walk.next(), REFUSES, `${name}.${String(method)}`);
        for (const walk of [ended, left]) assert.deepEqual(walk.next(), { value: undefined, done: true });
      }
    }
  });

  test('a cache that is disposed by a function which it calls', async () => {
    const evicting = (work) => {
      const cache = new Cache({ maxItems: 1, onEvict: () => cache.dispose() });
      cache.namespace('space').set('first', '1');
      return work(cache.set('k', 'v'));
    };
    assert.throws(() => evicting((cache) => cache.set('l', 'v').get('l')), REFUSES);
    const walked = world();
    assert.throws(() => walked.view.forEach(() => walked.cache.dispose()), REFUSES);
    const { cache } = world();
    assert.equal(cache.use('k', (bytes) => (cache.dispose(), bytes.length)), 3);
    const other = new Cache();
    await assert.rejects(other.fetch('k', () => (other.dispose(), 'v')), REFUSES);
    const chunks = new Cache();
    await assert.rejects(
      chunks.loadChunks((function* () {
        yield SNAPSHOT;
        chunks.dispose();
      })()),
      REFUSES,
    );
  });

  test('what describes it stays', () => {
    const cache = new Cache({ maxSize: 65_536, ttl: 5 });
    const space = cache.namespace('space');
    cache.dispose();
    assert.deepEqual([cache.maxSize, cache.ttl, cache.maxEntrySize, space.name, String(cache)], [65_536, 5, 32_768, 'space', '[object Cache]']);
  });
});
