// Arguments that users may pass by mistake: every method does as documented, or throws an error that says what to do.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import vm from 'node:vm';
import { Cache } from 'wasmcached';

const foreign = (code) => vm.runInNewContext(code);
const transferred = (bytes) => (structuredClone(bytes.buffer, { transfer: [bytes.buffer] }), bytes);
const shrunk = (Type) => {
  const buffer = new ArrayBuffer(32, { maxByteLength: 64 });
  const view = new Type(buffer, 16, 1);
  buffer.resize(8);
  return view;
};
const hasResizable = typeof ArrayBuffer.prototype.resize === 'function';

/** Values that are no bytes. */
const OTHERS = {
  undefined: undefined,
  null: null,
  true: true,
  number: 5,
  NaN,
  'a bigint': 5n,
  'a symbol': Symbol('x'),
  'an object': {},
  'an object without a prototype': Object.create(null),
  'a list': ['a'],
  'a function': () => 1,
  'a date': new Date(),
  'a map': new Map([['a', 'b']]),
  'a boxed text': new String('a'),
  'a promise': Promise.resolve('x'),
  'an object of another realm': foreign('({ a: 1 })'),
  'a proxy of bytes': new Proxy(new Uint8Array(2), {}),
  'a proxy of a buffer': new Proxy(new ArrayBuffer(2), {}),
  'what says that it is a buffer': { [Symbol.toStringTag]: 'ArrayBuffer', byteLength: 2 },
};

/** Bytes that were there. */
const GONE = () => ({
  'a transferred array': transferred(new Uint8Array([1, 2])),
  'a transferred array of numbers': transferred(new Float64Array([1])),
  'a transferred view': transferred(new DataView(new ArrayBuffer(4))),
  'a transferred buffer': transferred(new Uint8Array([1])).buffer,
  ...(hasResizable && { 'a shrunk array': shrunk(Uint8Array), 'a shrunk array of numbers': shrunk(Float64Array), 'a shrunk view': shrunk(DataView) }),
});

/** Bytes in every form, each of the bytes 7 and 7. */
const FORMS = () => {
  const shared = new Uint8Array(new SharedArrayBuffer(2)).fill(7);
  const forms = {
    'an array': new Uint8Array([7, 7]),
    'a clamped array': new Uint8ClampedArray([7, 7]),
    'an array of numbers': new Uint16Array([0x0707]),
    'a view': new DataView(new Uint8Array([9, 7, 7, 9]).buffer, 1, 2),
    'a buffer': new Uint8Array([7, 7]).buffer,
    'an array of a shared buffer': shared,
    'a shared buffer': shared.buffer,
    'a Buffer': Buffer.from([7, 7]),
    'an array of another realm': foreign('new Uint8Array([7, 7])'),
    'a buffer of another realm': foreign('new Uint8Array([7, 7]).buffer'),
    'a view of another realm': foreign('new DataView(new Uint8Array([7, 7]).buffer)'),
  };
  if (hasResizable) {
    const buffer = new ArrayBuffer(1, { maxByteLength: 8 });
    const tracking = new Uint8Array(buffer);
    buffer.resize(2);
    forms['an array whose buffer has grown'] = tracking.fill(7);
  }
  return forms;
};

/** Each method that takes a key, with a working rest of its arguments. */
const BY_KEY = {
  get: [],
  getText: [],
  has: [],
  peek: [],
  gets: [],
  getInto: [new Uint8Array(100)],
  use: [() => 1],
  set: ['v'],
  add: ['v'],
  replace: ['v'],
  append: ['v'],
  prepend: ['v'],
  cas: ['v', 1n],
  fetch: [() => 'v'],
  incr: [],
  decr: [],
  delete: [],
  touch: [],
  getAndTouch: [],
  getRemainingTTL: [],
};
const BY_PREFIX = ['keys', 'values', 'entries', 'clear'];
const STORING = { set: [], add: [], replace: [], append: [], prepend: [], cas: [1n] };

/** A cache that must not change. */
function world() {
  const cache = new Cache({ maxSize: 1024 * 1024, onEvict: () => assert.fail('nothing leaves by itself') });
  cache.set('n', '5').set('k', 'kept');
  return cache;
}

const intact = (cache) => assert.deepEqual([...cache.entries()].map(([key, value]) => `${key}=${Buffer.from(value)}`).sort(), ['k=kept', 'n=5']);

async function refuses(work, error, context) {
  await assert.rejects(async () => {
    const result = await work();
    // Listings are walked when they are used.
    if (typeof result?.next === 'function') [...result];
  }, error, context);
}

suite('keys', () => {
  for (const [method, rest] of Object.entries(BY_KEY)) {
    test(method, async () => {
      const cache = world();
      for (const at of [cache, cache.namespace('n'), cache.as('json')]) {
        if (at[method] === undefined) continue;
        for (const [name, key] of Object.entries(OTHERS)) {
          const error = { name: 'TypeError', message: /^a key is text, bytes or a handle of cache\.key\(\), not .+; use String\(key\) for numbers$/ };
          await refuses(() => at[method](key, ...rest), error, `${method} of ${name}`);
        }
        for (const [name, key] of Object.entries(GONE())) {
          await refuses(() => at[method](key, ...rest), { name: 'TypeError', message: /^the buffer of a key is no longer there/ }, `${method} of ${name}`);
        }
        for (const key of ['', new Uint8Array(0), new ArrayBuffer(0)]) await refuses(() => at[method](key, ...rest), { name: 'RangeError', message: /a key is empty; use/ });
        for (const key of ['x'.repeat(65_537), 'é'.repeat(40_000), new Uint8Array(65_537)]) {
          await refuses(() => at[method](key, ...rest), { name: 'RangeError', message: /a key has \d+ bytes, 65536 are the limit; use a hash/ });
        }
        await refuses(() => at[method]('\ud800', ...rest), { name: 'TypeError', message: /a key has half of a surrogate pair/ });
      }
      intact(cache);
    });
  }

  test('in every form are the same key', () => {
    for (const [name, key] of Object.entries(FORMS())) {
      const cache = new Cache().set(key, 'found');
      const other = cache.namespace('other').set(key, 'other');
      for (const [found, same] of Object.entries(FORMS())) {
        assert.equal(cache.getText(same), 'found', `${name}, ${found}`);
        assert.deepEqual(other.getMany([same, cache.key(same), cache.key(cache.key(same))]).map((value) => String(Buffer.from(value))), Array(3).fill('other'));
      }
      assert.deepEqual([...cache.keys()], ['\x07\x07']);
    }
  });
});

suite('values', () => {
  for (const [method, rest] of Object.entries(STORING)) {
    test(method, () => {
      const cache = world();
      for (const [name, value] of Object.entries(OTHERS)) {
        const error = { name: 'TypeError', message: /^a value is text or bytes, not .+; use cache\.as\('json'\) for other values$/ };
        assert.throws(() => cache[method]('k', value, ...rest), error, name);
      }
      for (const [name, value] of Object.entries(GONE())) {
        assert.throws(() => cache[method]('k', value, ...rest), { name: 'TypeError', message: /^the buffer of a value is no longer there/ }, name);
      }
      for (const value of ['a\ud800', 'a\ud800'.repeat(50_000)]) assert.throws(() => cache[method]('k', value, ...rest), /a value has half of a surrogate pair/);
      intact(cache);
    });
  }

  test('in every form are the same bytes, also loaded and by a codec', async () => {
    for (const [name, value] of Object.entries(FORMS())) {
      const cache = new Cache().set('set', value).setMany([['many', value]]);
      cache.set('joined', '').append('joined', value);
      assert.deepEqual([...(await cache.fetch('loaded', () => value))], [7, 7], name);
      cache.as({ encode: () => value, decode: (bytes) => bytes }).set('encoded', 1);
      for (const key of ['set', 'many', 'joined', 'loaded', 'encoded']) assert.deepEqual([...cache.get(key)], [7, 7], `${name} ${key}`);
    }
  });

  test('getInto writes to every form', () => {
    const cache = new Cache().set('k', new Uint8Array([1, 2])).set('empty', '');
    for (const [name, into] of Object.entries(FORMS())) {
      assert.equal(cache.getInto('k', into), 2, name);
      const { buffer = into, byteOffset = 0, byteLength } = into;
      assert.deepEqual([...new Uint8Array(buffer, byteOffset, byteLength)], [1, 2], name);
    }
    assert.equal(cache.getInto('empty', new Uint8Array(0)), 0);
    for (const into of Object.values(OTHERS)) assert.throws(() => cache.getInto('k', into), { name: 'TypeError', message: /a buffer for a value is a typed array/ });
    for (const into of Object.values(GONE())) assert.throws(() => cache.getInto('k', into), /the buffer of a buffer for a value is no longer there|no longer there/);
    assert.throws(() => cache.getInto('k', 'text'), { name: 'TypeError', message: /getText returns text/ });
  });

  test('a copy of no bytes may be transferred', () => {
    const cache = new Cache().set('empty', '').set('k', 'v');
    for (let i = 0; i < 3; i++) transferred(cache.get('empty'));
    transferred(cache.get('k'));
    assert.deepEqual([cache.get('empty').length, cache.getText('k'), cache.get('k').length], [0, 'v', 1]);
  });
});

suite('prefixes', () => {
  test('of no bytes', async () => {
    const cache = world();
    for (const at of [cache, cache.namespace('n'), cache.as('json')]) {
      for (const method of BY_PREFIX) {
        for (const [name, prefix] of Object.entries(OTHERS)) {
          if (prefix !== undefined) await refuses(() => at[method](prefix), { name: 'TypeError', message: /^a prefix is text/ }, `${method} ${name}`);
        }
        for (const prefix of Object.values(GONE())) await refuses(() => at[method](prefix), /the buffer of a prefix is no longer there/);
        await refuses(() => at[method]('\udc00'), /a prefix has half of a surrogate pair/);
      }
      assert.throws(() => at.scan({ prefix: 5 }), /^TypeError: a prefix is text/);
    }
    intact(cache);
  });

  test('that change after the call', () => {
    const prefix = new Uint8Array([107]);
    const walk = world().keys(prefix);
    prefix.fill(110);
    assert.deepEqual([...walk], ['k']);
  });
});

suite('several', () => {
  test('keys are a list, and no text', async () => {
    const cache = world();
    for (const at of [cache, cache.namespace('n'), cache.as('json')]) {
      for (const method of ['getMany', 'deleteMany']) {
        for (const wrong of ['k', undefined, null, 5, {}, new Uint8Array([107]), new String('k'), () => {}, Promise.resolve(['k'])]) {
          assert.throws(() => at[method](wrong), { name: 'TypeError', message: /takes several keys, in an array or another iterable, not / });
        }
        for (const key of Object.values(OTHERS)) assert.throws(() => at[method](['k', key]), /a key is text/);
      }
    }
    intact(cache);
    assert.equal(cache.deleteMany(new Set(['k', 'n', 'none'])), 2);
  });

  test('entries are pairs', () => {
    const cache = world();
    for (const at of [cache, cache.as('json')]) {
      for (const wrong of ['k', undefined, null, 5, { k: 'v' }, new Uint8Array([1]), () => {}]) {
        assert.throws(() => at.setMany(wrong), { name: 'TypeError', message: /setMany takes pairs of keys and values, like Object\.entries\(values\), not / });
      }
      for (const wrong of ['ab', 5, null, {}, undefined, new Uint8Array(2)]) assert.throws(() => at.setMany([wrong]), /setMany takes pairs like \['key', 'value'\], not /);
    }
    intact(cache);
    assert.equal(cache.setMany(new Map([['map', '1']])).setMany(Object.entries({ object: '2' })).getText('object'), '2');
  });

  test('entries in front of one that is refused are stored, those behind it are not', () => {
    for (const many of [1, 5000]) {
      for (const [wrong, error] of [[['x', 5], TypeError], [['x', '\ud800'], TypeError], [['', 'v'], RangeError], [['x', new Uint8Array(2 ** 21)], RangeError]]) {
        const cache = new Cache({ maxSize: 16 * 1024 * 1024 });
        const entries = Array.from({ length: many }, (_, i) => [`k${i}`, 'v'.repeat(20)]);
        assert.throws(() => cache.setMany([...entries, wrong, ['behind', 'v']]), error);
        assert.deepEqual([cache.size, cache.has('behind'), cache.has('x')], [many, false, false]);
      }
    }
  });
});

suite('options', () => {
  const TAKING = {
    set: ['k', 'v'],
    setMany: [[['k', 'v']]],
    add: ['k', 'v'],
    replace: ['k', 'v'],
    cas: ['k', 'v', 1n],
    touch: ['k'],
    getAndTouch: ['k'],
    incr: ['n'],
    decr: ['n'],
    namespace: ['name'],
    scan: [],
  };

  for (const [method, rest] of Object.entries(TAKING)) {
    test(method, () => {
      const cache = world();
      for (const at of [cache, cache.namespace('n'), cache.as('json')]) {
        if (at[method] === undefined) continue;
        for (const wrong of [null, true, 'text', Symbol('x'), new Date(), new Map([['ttl', 5]]), [], () => {}, Promise.resolve()]) {
          assert.throws(() => at[method](...rest, wrong), { name: 'TypeError', message: /^options are an object like \{ \w+ \}, not / }, String(wrong?.constructor));
        }
        if (!['incr', 'decr'].includes(method)) assert.throws(() => at[method](...rest, 5), /^TypeError: options are an object like/);
        assert.throws(() => at[method](...rest, { nonsense: 1 }), { name: 'TypeError', message: /^there is no option `nonsense` here; the options are \w+/ });
        if (method === 'scan') continue;
        for (const name of ['maxAge', 'TTL', 'EX', 'expirationTtl']) assert.throws(() => at[method](...rest, { [name]: 5 }), /; use `ttl`$/);
        for (const ttl of [-1, NaN, -Infinity]) assert.throws(() => at[method](...rest, { ttl }), { name: 'RangeError', message: /ttl is .*; give milliseconds/ });
        for (const ttl of ['5', 5n, null, {}, true]) assert.throws(() => at[method](...rest, { ttl }), { name: 'TypeError', message: /ttl is a number of milliseconds, not / });
        const mine = new Error('mine');
        assert.throws(() => at[method](...rest, { get ttl() { throw mine; } }), mine);
      }
      intact(cache);
    });
  }

  test('that are not known, but undefined, and those of another realm', () => {
    const cache = new Cache();
    cache.set('k', 'v', { nonsense: undefined }).set('l', 'v', foreign('({ ttl: 5000 })')).set('m', 'v', Object.freeze({ ttl: 1e300 }));
    assert.deepEqual(['k', 'm'].map((key) => cache.getRemainingTTL(key) > 1e11), [true, true]);
    assert.ok(cache.getRemainingTTL('l') > 0 && cache.getRemainingTTL('l') <= 5050);
  });

  test('numbers', () => {
    const cache = world();
    for (const flags of [-1, 1.5, 2 ** 32, NaN, '1', 1n, null]) assert.throws(() => cache.set('k', 'v', { flags }), { name: 'RangeError', message: /flags are .*; give a number of 32 bits/ });
    for (const method of ['incr', 'decr']) {
      for (const by of [-1, 0.5, NaN, Infinity, 2n ** 64n, -1n]) {
        for (const options of [by, { by }, { initial: by }]) assert.throws(() => cache[method]('n', options), { name: 'RangeError', message: /give an integer from 0 to 2\^64 - 1/ });
      }
      for (const by of ['1', null, {}, Symbol('x')]) assert.throws(() => cache[method]('n', { by }), RangeError);
    }
    for (const cas of [undefined, null, 1, '1', {}]) assert.throws(() => cache.cas('k', 'v', cas), { name: 'TypeError', message: /cas is the bigint that gets\(\) returned, not / });
    for (const cas of [-1n, 2n ** 64n]) assert.throws(() => cache.cas('k', 'v', cas), RangeError);
    for (const count of [0, -1, 1.5, NaN, Infinity, '5', null, 5n]) assert.throws(() => cache.scan({ count }), /count is .*; give a number of keys, from 1 on/);
    for (const cursor of [-1, 0.5, NaN, 2 ** 32 + 1, '0', null, {}]) assert.throws(() => cache.scan({ cursor }), /cursor is .*; pass that of the page before, or none/);
    intact(cache);
  });

  test('a count of any size lists everything at once, or page by page', () => {
    const cache = new Cache();
    for (let i = 0; i < 3000; i++) cache.set(`k${i}`, '');
    for (const count of [1000, 2 ** 32 - 1, 2 ** 32, 2 ** 33, Number.MAX_SAFE_INTEGER, 1e300]) {
      const seen = [];
      let cursor;
      for (let pages = 0; pages === 0 || cursor !== undefined; pages++) {
        assert.ok(pages < 100, `a walk with a count of ${count} does not end`);
        const page = cache.scan({ count, cursor });
        seen.push(...page.keys);
        cursor = page.cursor;
      }
      assert.equal(new Set(seen).size, 3000, `${count}`);
    }
  });

  test('of a cache: switches', () => {
    for (const name of ['evictions', 'cas']) {
      for (const wrong of [0, 1, 'false', null, {}]) assert.throws(() => new Cache({ [name]: wrong }), { name: 'TypeError', message: new RegExp(`${name} is true or false, not`) });
    }
  });
});

suite('functions', () => {
  test('are functions', async () => {
    const cache = world();
    const view = cache.as('json');
    for (const wrong of [undefined, null, 5, 'text', {}, Promise.resolve()]) {
      assert.throws(() => cache.use('k', wrong), { name: 'TypeError', message: /use takes a function of the value, not / });
      for (const at of [cache, view, new Cache()]) assert.throws(() => at.forEach(wrong), { name: 'TypeError', message: /forEach takes a function of a value and a key, not / });
      for (const at of [cache, view]) {
        const error = { name: 'TypeError', message: /fetch takes a key, perhaps options, and last a function that loads the value, not / };
        await assert.rejects(at.fetch('k', wrong), error);
        await assert.rejects(at.fetch('k', {}, wrong), error);
        await assert.rejects(at.fetch('k', () => 'v', wrong ?? {}), error);
        await assert.rejects(at.fetch('k'), error);
      }
    }
    intact(cache);
    assert.equal(cache.use('k', foreign('(bytes) => bytes.length')), 4);
    assert.equal(String(Buffer.from(await cache.fetch('l', foreign('async () => "v"')))), 'v');
  });

  test('fetch checks its options, also where there is a value', async () => {
    const cache = world();
    const loader = () => assert.fail('the loader is not called');
    for (const wrong of [null, 5, 'text', []]) await assert.rejects(cache.fetch('k', wrong, loader), { name: 'TypeError', message: /options are an object/ });
    for (const name of ['allowStale', 'updateAgeOnGet', 'context']) await assert.rejects(cache.fetch('k', { [name]: true }, loader), /there is no option `\w+` here; the options are ttl, stale, signal/);
    for (const name of ['ttl', 'stale']) {
      for (const [value, type] of [[-1, RangeError], [NaN, RangeError], ['5', TypeError], [5n, TypeError], [null, TypeError]]) await assert.rejects(cache.fetch('k', { [name]: value }, loader), type);
    }
    await assert.rejects(cache.fetch('k', { flags: -1 }, loader), RangeError);
    for (const signal of [null, {}, new AbortController(), 5]) await assert.rejects(cache.fetch('k', { signal }, loader), { name: 'TypeError', message: /signal is an AbortSignal, as an AbortController has one, not / });
    for (const status of [null, 5, 'text']) await assert.rejects(cache.fetch('k', { status }, loader), { name: 'TypeError', message: /status is an object/ });
    intact(cache);
  });
});

suite('names, codecs, snapshots', () => {
  test('the name of a namespace is text', () => {
    const cache = world();
    for (const wrong of [undefined, null, 5, {}, Symbol('x'), new Uint8Array(1)]) assert.throws(() => cache.namespace(wrong), { name: 'TypeError', message: /the name of a namespace is text, not / });
    const names = ['\ud800', '\udfff', 'x'.repeat(100_000), '', '\0', '__proto__'];
    for (const [i, name] of names.entries()) cache.namespace(name).set('k', `${i}`);
    const copy = new Cache();
    copy.load(cache.dump());
    for (const [i, name] of names.entries()) assert.equal(copy.namespace(name).getText('k'), `${i}`);
  });

  test('codecs', () => {
    const cache = world();
    for (const wrong of [undefined, null, 5, 'xml', {}, { encode: 1, decode: 1 }, [], new Map()]) assert.throws(() => cache.as(wrong), { name: 'TypeError', message: /as takes 'json', 'text'/ });
    for (const encoded of [undefined, null, 5, {}, Promise.resolve('x')]) {
      assert.throws(() => cache.as({ encode: () => encoded, decode: String }).set('k', 1), { name: 'TypeError', message: /an encoded value is text/ });
    }
    intact(cache);
  });

  test('snapshots are bytes, and chunks a list of them', async () => {
    const cache = world();
    for (const wrong of [undefined, null, 5, {}, ['x'], Promise.resolve(new Uint8Array(1))]) assert.throws(() => cache.load(wrong), { name: 'TypeError', message: /a snapshot is bytes, not .*; pass what dump\(\) returned/ });
    for (const gone of Object.values(GONE())) assert.throws(() => cache.load(gone), /the buffer of a snapshot is no longer there/);
    for (const wrong of [undefined, null, 5, 'text', {}, new Uint8Array(5), new ArrayBuffer(5)]) {
      await assert.rejects(cache.loadChunks(wrong), { name: 'TypeError', message: /loadChunks takes an iterable of bytes/ });
    }
    for (const wrong of [[5], ['text'], [null]]) await assert.rejects(cache.loadChunks(wrong), { name: 'TypeError', message: /a snapshot is bytes/ });
    intact(cache);
  });
});
