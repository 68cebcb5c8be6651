// Reads and writes of a cache.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { runInNewContext } from 'node:vm';
import { Cache } from 'wasmcached';

const MIB = 1024 * 1024;
const bytes = (...values) => Uint8Array.from(values);
const encode = (text) => new TextEncoder().encode(text);

suite('values', () => {
  test('text and bytes are the same thing', () => {
    const cache = new Cache();
    assert.equal(cache.set('a', 'héllo'), cache);
    assert.equal(cache.getText('a'), 'héllo');
    assert.deepEqual(cache.get(encode('a')), encode('héllo'));
    cache.set(bytes(0, 255, 32, 10), bytes(0, 1, 255));
    assert.deepEqual(cache.get(bytes(0, 255, 32, 10)), bytes(0, 1, 255));
    cache.set('é', '1');
    assert.equal(cache.getText(encode('é')), '1');
  });

  test('absent keys are undefined', () => {
    const cache = new Cache();
    for (const use of ['get', 'getText', 'peek', 'gets', 'getAndTouch']) assert.equal(cache[use]('a'), undefined, use);
    assert.equal(cache.getInto('a', bytes(1)), undefined);
    assert.equal(cache.use('a', () => assert.fail()), undefined);
    for (const use of ['has', 'delete', 'touch']) assert.equal(cache[use]('a'), false, use);
    assert.equal(cache.getRemainingTTL('a'), 0);
    assert.equal(cache.size, 0);
  });

  test('set replaces, delete and clear remove', () => {
    const cache = new Cache();
    cache.set('a', '1').set('a', '22').set('b', '');
    assert.equal(cache.getText('a'), '22');
    assert.deepEqual(cache.get('b'), bytes());
    assert.equal(cache.has('b'), true);
    assert.equal(cache.size, 2);
    assert.equal(cache.delete('a'), true);
    assert.equal(cache.has('a'), false);
    cache.clear();
    assert.equal(cache.has('b'), false);
    assert.equal(cache.size, 0);
    cache.set('b', 'again');
    assert.equal(cache.getText('b'), 'again');
  });

  test('what get returns never changes', () => {
    const cache = new Cache({ maxSize: MIB });
    cache.set('a', 'abc').set('b', 'def');
    const [first, second] = [cache.get('a'), cache.get('b')];
    first.fill(0);
    for (let i = 0; i < 5000; i++) cache.set(`k${i}`, 'x'.repeat(1000));
    assert.deepEqual(second, encode('def'));
    assert.deepEqual(first, bytes(0, 0, 0));
    cache.set('a', 'abc');
    assert.equal(cache.getText('a'), 'abc');
  });

  test('a copy whose buffer was transferred disturbs no later one', () => {
    const cache = new Cache();
    cache.set('a', 'abc');
    const first = cache.get('a');
    structuredClone(first.buffer, { transfer: [first.buffer] });
    assert.equal(first.length, 0);
    for (let i = 0; i < 3; i++) assert.deepEqual(cache.get('a'), encode('abc'));
  });

  test('every length of value, in any order', () => {
    const cache = new Cache({ maxSize: 32 * MIB });
    const lengths = [0, 1, 3, 100, 4095, 4096, 4097, 10_922, 10_923, 21_700, 65_280, 65_286, 65_536, 200_000, 1_000_000, 5];
    const value = (length) => Uint8Array.from({ length }, (_, i) => (i * 31 + length) & 255);
    for (const length of lengths) cache.set(`k${length}`, value(length));
    for (const length of lengths.toReversed()) assert.deepEqual(cache.get(`k${length}`), value(length));
    for (const length of lengths) {
      const text = 'aé€😀'.repeat(Math.ceil(length / 10)).slice(0, length / 10).toWellFormed();
      cache.set('s', text);
      assert.equal(cache.getText('s'), text);
      assert.deepEqual(cache.get('s'), encode(text));
    }
  });

  test('a byte order mark belongs to the value', () => {
    assert.equal(new Cache().set('a', '\ufeffb').getText('a'), '\ufeffb');
  });

  test('every buffer is bytes, of this and of another realm', () => {
    const cache = new Cache();
    const buffer = bytes(9, 1, 2, 3, 4, 9).buffer;
    const forms = [new Uint8Array(buffer, 1, 4), new DataView(buffer, 1, 4), Buffer.from(bytes(1, 2, 3, 4))];
    forms.push(bytes(1, 2, 3, 4).buffer, new Uint16Array(bytes(1, 2, 3, 4).buffer), new Int8Array([1, 2, 3, 4]));
    const shared = new Uint8Array(new SharedArrayBuffer(4));
    shared.set([1, 2, 3, 4]);
    forms.push(shared, shared.buffer, new Uint8ClampedArray([1, 2, 3, 4]));
    forms.push(...runInNewContext('const b = new Uint8Array([1, 2, 3, 4]); [b, b.buffer, new DataView(b.buffer)]'));
    for (const form of forms) {
      cache.set('a', form).set(form, 'as a key');
      assert.deepEqual(cache.get('a'), bytes(1, 2, 3, 4));
      assert.equal(cache.getText(bytes(1, 2, 3, 4)), 'as a key');
      cache.delete(form);
    }
  });
});

suite('keys', () => {
  test('keys have 1 byte to 64 KiB', () => {
    const cache = new Cache({ maxSize: 8 * MIB });
    const keys = ['k', 'k'.repeat(24), 'k'.repeat(25), 'k'.repeat(250), 'k'.repeat(251), 'é'.repeat(125), 'é'.repeat(126)];
    keys.push('k'.repeat(65_536), 'é'.repeat(32_768), new Uint8Array(250), new Uint8Array(251), new Uint8Array(65_536));
    for (const [i, key] of keys.entries()) cache.set(key, `value ${i}`);
    for (const [i, key] of keys.entries()) assert.equal(cache.getText(key), `value ${i}`);
    assert.equal(cache.size, keys.length);
    assert.deepEqual(new Set([...cache.keys()].map(String)), new Set(keys.map((key) => String(asListed(key)))));
    for (const key of ['', 'k'.repeat(65_537), 'é'.repeat(32_769), bytes(), new Uint8Array(65_537)]) {
      for (const use of ['get', 'getText', 'has', 'delete', 'touch', 'peek']) assert.throws(() => cache[use](key), RangeError);
      assert.throws(() => cache.set(key, 'x'), RangeError);
    }
    assert.equal(cache.size, keys.length);
  });

  test('keys that begin like the cache’s own marks are keys', () => {
    const cache = new Cache();
    const marked = [bytes(0xfe), bytes(0xff), bytes(0xfe, 1, 0, 0, 0, 97), bytes(0xfe, 0, 0, 0, 0, 97)];
    marked.push(Uint8Array.from({ length: 17 }, () => 0xff), Uint8Array.from({ length: 300 }, () => 0xfe));
    const space = cache.namespace('n').set('a', 'in the namespace');
    for (const [i, key] of marked.entries()) cache.set(key, String(i));
    cache.set('a', 'in the cache');
    for (const [i, key] of marked.entries()) assert.equal(cache.getText(key), String(i));
    assert.equal(space.getText('a'), 'in the namespace');
    assert.deepEqual([...space.keys()], ['a']);
    assert.equal([...cache.keys()].length, marked.length + 1);
  });

  test('a handle is the key that it was made of', () => {
    const cache = new Cache();
    const handle = cache.key('é');
    cache.set(handle, '1');
    assert.equal(cache.getText('é'), '1');
    assert.equal(String(handle), 'é');
    const own = bytes(1, 2);
    const copied = cache.key(own);
    own[0] = 9;
    cache.set(copied, '2');
    assert.equal(cache.getText(bytes(1, 2)), '2');
    assert.throws(() => cache.key(''), RangeError);
  });

  test('half a surrogate pair is neither key nor value', () => {
    const cache = new Cache();
    for (const text of ['\ud800', `${'a'.repeat(40)}\udc00`, `${'x'.repeat(20_000)}\ud800`]) {
      assert.throws(() => cache.set(text, '1'), { name: 'TypeError', message: /a key has half of a surrogate pair/ });
      assert.throws(() => cache.get(text), TypeError);
      assert.throws(() => cache.set('a', text), { name: 'TypeError', message: /a value has half of a surrogate pair/ });
      assert.throws(() => cache.setMany([['a', text]]), TypeError);
    }
    assert.equal(cache.size, 0);
    cache.set('😀', '😀');
    assert.equal(cache.getText('😀'), '😀');
  });

  test('wrong types say what would be right', () => {
    const cache = new Cache();
    for (const wrong of [1, null, undefined, {}, [97], Symbol('a'), 1n, true, () => {}]) {
      assert.throws(() => cache.get(wrong), { name: 'TypeError', message: /a key is text/ });
      assert.throws(() => cache.set(wrong, 'x'), TypeError);
      assert.throws(() => cache.set('a', wrong), { name: 'TypeError', message: /a value is text/ });
    }
    assert.equal(cache.size, 0);
  });
});

/** A key as listings show it. */
function asListed(key) {
  return typeof key === 'string' ? key : new TextDecoder().decode(key);
}

suite('reads without copies', () => {
  test('use shows the value where it lies', () => {
    const cache = new Cache().set('a', 'abc');
    assert.equal(cache.use('a', (view) => view[1]), 98);
    assert.equal(cache.use('a', (view) => cache.use('a', (inner) => inner.length + view.length)), 6);
    assert.throws(() => cache.use('a', () => { throw new RangeError('mine'); }), /mine/);
    assert.equal(cache.getText('a'), 'abc');
  });

  test('getInto fills a buffer of the caller', () => {
    const cache = new Cache().set('a', 'abc');
    const into = new Uint8Array(5);
    assert.equal(cache.getInto('a', into), 3);
    assert.deepEqual(into, bytes(97, 98, 99, 0, 0));
    assert.throws(() => cache.getInto('a', new Uint8Array(2)), { name: 'RangeError', message: /3 bytes, the buffer only 2/ });
  });

  test('peek is no use: what is only peeked at goes first', () => {
    const cache = new Cache({ maxSize: MIB });
    const value = 'x'.repeat(1000);
    cache.set('used', value).set('peeked', value);
    for (let i = 0; i < 3000; i++) {
      cache.set(`k${i}`, value);
      cache.get('used');
      cache.peek('peeked');
    }
    assert.equal(cache.has('used'), true);
    assert.equal(cache.peek('peeked'), undefined);
  });
});

suite('life', () => {
  test('an unused cache takes no memory, and its statistics are zeros', () => {
    const cache = new Cache({ maxSize: 2047 * MIB });
    assert.deepEqual(Object.values(cache.stats()), [0, 0, 0, 0, 0, 0, 0, 0]);
    assert.deepEqual([...cache.keys()], []);
  });

  test('statistics count', () => {
    const cache = new Cache({ maxSize: MIB });
    for (let i = 0; i < 4000; i++) cache.set(`k${i}`, 'x'.repeat(1000));
    cache.get('k3999');
    cache.get('nobody');
    const { items, hits, misses, sets, evictions, usedBytes, memoryBytes } = cache.stats();
    assert.deepEqual([hits, misses, sets], [1, 1, 4000]);
    assert.equal(items + evictions, 4000);
    assert.equal(items, cache.size);
    assert.ok(usedBytes > 0.8 * MIB && usedBytes <= MIB, `${usedBytes}`);
    assert.ok(memoryBytes >= usedBytes);
  });

  test('caches have secrets of their own', () => {
    const order = () => {
      const cache = new Cache();
      for (let i = 0; i < 100; i++) cache.set(`k${i}`, '');
      return [...cache.keys()].join();
    };
    assert.notEqual(order(), order());
  });
});
