// Typed views.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import v8 from 'node:v8';
import { Cache } from 'wasmcached';

suite('as', () => {
  test('json keeps what JSON can express', () => {
    const cache = new Cache();
    const json = cache.as('json');
    for (const value of [null, 0, '', 'é\0', true, [], [1, [2]], { a: { b: null } }]) {
      assert.deepEqual(json.set('k', value).get('k'), value);
      assert.deepEqual([json.peek('k'), json.gets('k').value, json.getMany(['k', 'none'])], [value, value, [value, undefined]]);
      assert.equal(cache.getText('k'), JSON.stringify(value));
    }
    assert.equal(json.get('none'), undefined);
  });

  test('v8 keeps what can be cloned', () => {
    const view = new Cache().as('v8');
    const values = [null, 1n, new Map([['a', new Set([1])]]), new Date(5), /x/g, new Uint8Array([1, 2]), [undefined], NaN, -0];
    for (const value of values) assert.deepEqual(view.set('k', value).get('k'), value);
    const bytes = view.set('k', new Uint8Array(1000).fill(1)).get('k');
    structuredClone(bytes, { transfer: [bytes.buffer] });
    assert.equal(view.get('k').length, 1000);
  });

  test('text keeps text', () => {
    const view = new Cache().as('text');
    assert.equal(view.set('k', 'é').get('k'), 'é');
    assert.throws(() => view.set('k', 5), /text: it is a number, no string/);
  });

  test('codecs of others work', () => {
    const cache = new Cache();
    assert.deepEqual(cache.as(JSON).set('k', [1]).get('k'), [1]);
    const { serialize: encode, deserialize: decode } = v8;
    assert.deepEqual(cache.as({ encode, decode }).set('k', 5n).get('k'), 5n);
    const upper = { stringify: (value) => value.toUpperCase(), parse: (text) => text.toLowerCase() };
    assert.equal(cache.as(upper).set('k', 'é').get('k'), 'é');
    assert.equal(cache.getText('k'), 'É');
  });

  test('what is no codec is refused', () => {
    const cache = new Cache();
    for (const codec of [undefined, null, 'xml', {}, { encode() {} }]) assert.throws(() => cache.as(codec), /as takes 'json'/);
  });

  test('without node:v8 the error says what to do', () => {
    const own = process.getBuiltinModule;
    process.getBuiltinModule = undefined;
    try {
      assert.throws(() => new Cache().as('v8'), /as\(\{ encode: serialize, decode: deserialize \}\)/);
    } finally {
      process.getBuiltinModule = own;
    }
  });
});

suite('values that a codec cannot keep', () => {
  test('are refused, and leave the old value', () => {
    const cache = new Cache();
    const json = cache.as('json').set('k', 'old');
    const circular = {};
    circular.self = circular;
    const cases = [
      [undefined, /delete the key, or use null/],
      [1n, /BigInt/],
      [{ a: 1n }, /BigInt/],
      [() => 1, /JSON has no function/],
      [Symbol('s'), /JSON has no symbol/],
      [Promise.resolve(1), /await it first/],
      [circular, /circular/i],
      ['\ud800', undefined],
    ];
    for (const [value, expected] of cases) {
      if (expected === undefined) assert.equal(json.set('other', value).get('other'), value);
      else {
        assert.throws(() => json.set('k', value), (error) => error instanceof TypeError && expected.test(error.message) && /choose another codec/.test(error.message));
        assert.throws(() => json.setMany([['k', 1], ['l', value]]), TypeError);
        assert.throws(() => json.add('l', value), TypeError);
        assert.throws(() => json.replace('k', value), TypeError);
      }
    }
    assert.equal(json.get('k'), 'old');
    assert.equal(json.has('l'), false);
    const view = cache.as('v8');
    for (const value of [undefined, () => 1, Symbol('s')]) assert.throws(() => view.set('k', value), /cannot be stored as a structured clone/);
    assert.throws(() => cache.as({ encode: () => 5, decode: (bytes) => bytes }).set('k', 1), /an encoded value is text/);
    assert.throws(() => cache.as({ stringify: () => 5, parse: (text) => text }).set('k', 1), /return a string/);
  });

  test('stored bytes of another form are named', () => {
    const cache = new Cache().set('k', '{');
    assert.throws(() => cache.as('json').get('k'), /the stored value is not JSON.*read it with the codec/s);
    assert.throws(() => [...cache.as('json').values()], /not JSON/);
    assert.throws(() => cache.as('v8').get('k'), /not a structured clone/);
    assert.equal(cache.as('text').get('k'), '{');
  });
});

suite('the other methods', () => {
  test('have the same entries', () => {
    const cache = new Cache();
    const json = cache.as('json');
    json.setMany([['a', 1], ['b', [2]]], { ttl: 100_000 });
    assert.equal(json.add('a', 5), false);
    assert.equal(json.add('c', 3), true);
    assert.equal(json.replace('d', 5), false);
    assert.equal(json.replace('c', 4), true);
    assert.equal(json.size, 3);
    assert.ok(json.getRemainingTTL('b') > 90_000);
    const { cas } = json.gets('c');
    assert.deepEqual([json.cas('c', 5, cas), json.cas('c', 6, cas), json.cas('none', 6, cas)], ['stored', 'exists', 'missing']);
    assert.deepEqual(new Map(json.entries()), new Map([['a', 1], ['b', [2]], ['c', 5]]));
    assert.deepEqual(new Map(json), new Map(json.entries()));
    assert.deepEqual([...json.values('b')], [[2]]);
    assert.deepEqual([...json.keys('b'), ...json.scan({ prefix: 'c' }).keys], ['b', 'c']);
    const visited = [];
    json.forEach((value, key, view) => visited.push([key, value, view === json]));
    assert.equal(visited.length, 3);
    assert.ok(visited.every(([, , same]) => same));
    assert.deepEqual(json.getAndTouch('a', { ttl: 1000 }), 1);
    assert.equal(json.touch('none'), false);
    assert.equal(json.getAndTouch('none'), undefined);
    assert.ok(json.getRemainingTTL('a') <= 1050);
    assert.equal(json.get(json.key('a')), 1);
    assert.deepEqual([json.delete('a'), json.has('a'), json.deleteMany(['b', 'none'])], [true, false, 1]);
    json.clear();
    assert.equal(cache.size, 0);
  });

  test('namespaces keep the codec', () => {
    const cache = new Cache();
    const users = cache.as('json').namespace('users', { ttl: 5000 }).set('k', { n: 1 });
    assert.deepEqual(cache.namespace('users').as('json').get('k'), { n: 1 });
    assert.ok(users.getRemainingTTL('k') <= 5050);
    users.namespace('inner').set('k', 2);
    assert.equal(cache.namespace('users').namespace('inner').getText('k'), '2');
    users.clear();
    assert.equal(users.namespace('inner').size, 0);
  });

  test('fetch gives each caller a value of its own', async () => {
    const json = new Cache().as('json');
    let calls = 0;
    const loader = async () => ({ at: new Date(0), calls: ++calls });
    const [first, second] = await Promise.all([json.fetch('k', { ttl: 1000 }, loader), json.fetch('k', loader)]);
    assert.deepEqual(first, { at: '1970-01-01T00:00:00.000Z', calls: 1 });
    assert.deepEqual(second, first);
    assert.notEqual(second, first);
    assert.deepEqual(await json.fetch('k', loader), first);
    assert.equal(await json.fetch('null', async () => null), null);
    assert.equal(json.get('null'), null);
    assert.equal(await json.fetch('none', async () => undefined), undefined);
    await assert.rejects(json.fetch('big', async () => 1n), /BigInt/);
    assert.equal(await json.fetch('stale', { forceRefresh: true }, ({ staleValue }) => staleValue ?? 'none'), 'none');
    assert.equal(await json.fetch('stale', { forceRefresh: true }, ({ staleValue }) => `${staleValue}, again`), 'none, again');
  });
});
