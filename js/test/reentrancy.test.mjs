// Functions that the cache calls, and that call the cache: they see and leave it whole, and every call ends.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Cache } from 'wasmcached';

const MIB = 1024 * 1024;
const text = (bytes) => Buffer.from(bytes).toString();
const never = () => new Promise(() => {});

suite('use', () => {
  test('its view may be stored, whatever the engine does meanwhile', () => {
    for (const [length, maxSize] of [[10, MIB], [5000, MIB], [400_000, 8 * MIB], [900_000, 64 * MIB]]) {
      const value = Uint8Array.from({ length }, (_, i) => i * 7);
      for (const key of ['short', 'l'.repeat(1000)]) {
        const cache = new Cache({ maxSize });
        cache.set(key, value);
        cache.use(key, (view) => cache.set('copy', view));
        cache.use(key, (view) => cache.setMany([['many', view]]));
        for (const copy of ['copy', 'many', key]) assert.deepEqual(cache.get(copy), value, `${length} ${copy}`);
        cache.use(key, (view) => cache.as({ encode: () => view, decode: (bytes) => bytes }).set('encoded', 1));
        assert.deepEqual(cache.get('encoded'), value);
        if (length > 300_000) continue;
        cache.use(key, (view) => assert.equal(cache.append(key, view), true));
        cache.use('copy', (view) => assert.equal(cache.prepend('copy', view), true));
        for (const twice of [key, 'copy']) assert.deepEqual(cache.get(twice), new Uint8Array([...value, ...value]));
      }
    }
  });

  test('may be nested, and may throw', () => {
    const cache = new Cache().set('a', 'A').set('b', 'B');
    assert.equal(cache.use('a', (a) => text(a) + cache.use('b', (b) => text(b) + cache.use('a', text))), 'ABA');
    const mine = new Error('mine');
    assert.throws(() => cache.use('a', () => cache.use('b', () => { throw mine; })), mine);
    assert.equal(cache.use('a', () => cache.use('none', text)), undefined);
    cache.use('a', (view) => cache.set('c', view));
    assert.equal(cache.getText('c'), 'A');
  });

  test('its view may be a key', () => {
    let now = 0;
    const cache = new Cache({ clock: () => now });
    for (const key of ['target', 't'.repeat(300)]) {
      for (let round = 0; round < 20; round++) {
        cache.set('pointer', key, { ttl: 60_000 }).set(key, '5', { ttl: 60_000 });
        for (let i = 0; i < 50; i++) cache.set(`other${i}`, 'x'.repeat(50), { ttl: 100 });
        now += 1500;
        const at = (work) => cache.use('pointer', work);
        assert.equal(at((view) => cache.getText(view)), '5');
        assert.equal(at((view) => cache.incr(view)), 6);
        assert.equal(at((view) => cache.touch(view, { ttl: 50_000 })), true);
        assert.deepEqual(at((view) => cache.getMany([view, key])).map(text), ['6', '6']);
        assert.equal(at((view) => cache.set(view, '7').getText(key)), '7');
        assert.equal(at((view) => cache.setMany([[view, view]]).getText(key)), key);
        assert.deepEqual(at((view) => cache.scan({ prefix: view })).keys, [key]);
        assert.equal(at((view) => (round % 2 === 0 ? cache.delete(view) : cache.deleteMany([view]) === 1)), true);
        assert.equal(cache.has(key), false);
        assert.equal(cache.getText('pointer'), key);
      }
    }
  });

  test('may empty the cache', () => {
    const cache = new Cache().set('a', 'A');
    assert.equal(cache.use('a', () => (cache.clear(), cache.set('a', 'new').getText('a'))), 'new');
    assert.equal(cache.use('a', () => cache.delete('a')), true);
    assert.equal(cache.size, 0);
  });
});

suite('onEvict', () => {
  /** A cache of ten entries whose callback is `work`. */
  const small = (work) => {
    const cache = new Cache({ maxItems: 10, onEvict: (...left) => work(cache, ...left) });
    return cache;
  };
  const fill = (cache, count = 100) => {
    for (let i = 0; i < count; i++) cache.set(`k${i}`, `${i}`);
  };

  test('may call every method, and ends', () => {
    const works = {
      set: (cache, key) => cache.set(`again ${key}`.slice(0, 20), 'v'),
      setMany: (cache) => cache.setMany([['m1', 'v'], ['m2', 'v']]),
      delete: (cache, key) => cache.delete(key),
      clear: (cache) => cache.clear(),
      clearPrefix: (cache) => cache.clear('k'),
      forEach: (cache) => cache.forEach(() => cache.set('x', 'v')),
      dumpAndLoad: (cache) => cache.load(cache.dump()),
      namespace: (cache, key) => cache.namespace('n').set(key, 'v').clear(),
      stats: (cache) => cache.stats(),
      incr: (cache) => cache.incr('n', { initial: 1 }),
    };
    for (const [name, work] of Object.entries(works)) {
      let calls = 0;
      const cache = small((own, key) => {
        calls++;
        work(own, key);
      });
      fill(cache);
      assert.ok(calls > 0 && calls < 1000, `${name}: ${calls} calls`);
      assert.ok(cache.size <= 10, name);
      for (const [key, value] of cache) assert.ok(['v', '1', '2', '3', key.slice(1)].includes(text(value)) || name === 'incr', `${name}: ${key}=${text(value)}`);
    }
  });

  test('an error reaches the caller, whose work is done, and nobody else goes untold', () => {
    const left = [];
    let isBad = true;
    const cache = small((_, key) => {
      left.push(key);
      if (isBad) throw new Error(`no ${key}`);
    });
    fill(cache, 10);
    assert.throws(() => cache.setMany(Array.from({ length: 8 }, (_, i) => [`new${i}`, 'v'])), { message: /^no k\d+$/ });
    assert.equal(left.length, 8);
    isBad = false;
    fill(cache, 50);
    assert.equal(new Set([...left, ...cache.keys()]).size, 58);
    assert.equal(cache.size, 10);
  });
});

suite('walks', () => {
  test('end, whatever the function does', () => {
    const works = {
      delete: (cache, key) => cache.delete(key),
      deleteOthers: (cache, key) => [...cache.keys()].forEach((other) => other !== key && cache.delete(other)),
      replace: (cache, key) => cache.set(key, 'new'),
      clear: (cache) => cache.clear(),
      clearPrefix: (cache) => cache.clear('k1'),
      nested: (cache) => assert.equal([...cache.keys()].length, 300),
      load: (cache) => cache.load(cache.dump()),
      scan: (cache) => cache.scan({ count: 5 }),
      namespace: (cache, key) => cache.namespace(key).set('x', 'v').clear(),
    };
    for (const [name, work] of Object.entries(works)) {
      for (const of of ['cache', 'namespace', 'view']) {
        const root = new Cache({ maxSize: 4 * MIB });
        const at = of === 'cache' ? root : of === 'namespace' ? root.namespace('n') : root.as('text');
        for (let i = 0; i < 300; i++) at.set(`k${i}`, 'v');
        if (of !== 'cache' && ['load', 'namespace'].includes(name)) continue;
        const seen = [];
        at.forEach((_, key) => {
          if (seen.length < 300) work(at, key);
          seen.push(key);
        });
        assert.equal(new Set(seen).size, seen.length, `${name} of ${of}: an entry twice`);
        assert.ok(['clear', 'deleteOthers', 'clearPrefix'].includes(name) ? seen.length >= 1 : seen.length === 300, `${name} of ${of}: ${seen.length}`);
      }
    }
  });

  test('a namespace may be cleared between two pages of a scan, and the cache with it', () => {
    const cache = new Cache({ maxSize: 16 * MIB });
    for (const clear of [(space) => space.clear(), () => cache.clear(), (space) => space.clear('k'), () => {}]) {
      const space = cache.namespace('n');
      for (let i = 0; i < 5000; i++) space.set(`k${i}`, 'v');
      let [cursor, pages] = [space.scan({ count: 10 }).cursor, 1];
      for (let round = 0; cursor !== undefined; round++) {
        if (round % 50 === 0) {
          clear(space);
          for (let i = 0; i < 20; i++) space.set(`new${round}-${i}`, 'v');
        }
        ({ cursor } = space.scan({ cursor, count: 10 }));
        assert.ok(pages++ < 20_000, 'the scan does not end');
      }
      cache.clear();
    }
  });

  test('codecs may call the cache', () => {
    const cache = new Cache();
    const counting = cache.as({ stringify: (value) => (cache.incr('writes', { initial: 1 }), value), parse: (value) => (cache.incr('reads', { initial: 1 }), value) });
    for (let i = 0; i < 50; i++) counting.set(`k${i}`, `${i}`);
    assert.equal([...counting.entries('k')].length, 50);
    assert.deepEqual(['writes', 'reads'].map((key) => cache.getText(key)), ['50', '50']);
    counting.setMany([['a', '1'], ['b', '2']]);
    assert.deepEqual(counting.getMany(['a', 'b']), ['1', '2']);
  });

  test('iterables may call the cache', async () => {
    const cache = new Cache().set('a', 'A').set('b', 'B');
    function* keys() {
      yield 'a';
      cache.set('c', 'x'.repeat(70_000)).delete('b');
      yield 'b';
      yield 'c';
    }
    assert.deepEqual(cache.getMany(keys()).map((value) => value?.length), [1, undefined, 70_000]);
    assert.equal(cache.deleteMany(keys()), 2);
    const source = new Cache().set('one', '1').namespace('n').set('two', '2');
    async function* chunks() {
      for (const chunk of source.dumpChunks()) {
        cache.clear();
        yield chunk;
      }
    }
    assert.deepEqual(await cache.loadChunks(chunks()), { loaded: 1, skipped: 0 });
  });
});

suite('loaders', () => {
  test('may change what they load', async () => {
    const works = {
      set: (cache) => cache.set('k', 'own'),
      delete: (cache) => cache.delete('k'),
      clear: (cache) => cache.clear(),
      clearPrefix: (cache) => cache.clear('k'),
      add: (cache) => cache.add('k', 'own'),
      load: (cache) => cache.load(new Cache().set('other', 'v').dump()),
    };
    for (const [name, work] of Object.entries(works)) {
      for (const isLate of [false, true]) {
        const cache = new Cache();
        const status = {};
        const value = await cache.fetch('k', { status }, async () => {
          if (isLate) await undefined;
          work(cache);
          return 'loaded';
        });
        assert.equal(text(value), 'loaded', name);
        assert.equal(status.fetchUpdated, false, name);
        assert.equal(cache.getText('k'), ['set', 'add'].includes(name) ? 'own' : undefined, name);
      }
    }
  });

  test('that wait for themselves are refused', async () => {
    const cache = new Cache();
    const error = /the loader of this key calls fetch for the same key and would wait for itself; let it load the value/;
    await assert.rejects(cache.fetch('k', () => cache.fetch('k', () => 'v')), error);
    await assert.rejects(cache.fetch('a', () => cache.fetch('b', () => cache.fetch('a', () => 'v'))), error);
    await assert.rejects(cache.as('json').fetch('k', () => cache.fetch(Buffer.from('k'), () => '1')), error);
    assert.equal(text(await cache.fetch('a', () => cache.fetch('b', () => 'v'))), 'v');
    assert.equal(text(await cache.namespace('n').fetch('k', () => cache.fetch('k', () => 'w'))), 'w');
  });

  test('that wait for themselves later end with their signal', async () => {
    const cache = new Cache();
    const controller = new AbortController();
    const waiting = cache.fetch('k', { signal: controller.signal }, async () => {
      await undefined;
      return cache.fetch('k', () => 'v');
    });
    await undefined;
    controller.abort(new Error('enough'));
    await assert.rejects(waiting, /enough/);
  });

  test('that fail in every way give their error to all, and leave nothing behind', async () => {
    const cache = new Cache();
    const mine = new Error('mine');
    const thenable = (work) => ({ then: work });
    const failing = [
      () => { throw mine; },
      async () => { throw mine; },
      () => Promise.reject(mine),
      () => thenable((_, reject) => reject(mine)),
      () => thenable(() => { throw mine; }),
      () => ({ get then() { throw mine; } }),
    ];
    for (const loader of failing) {
      const results = await Promise.allSettled([cache.fetch('k', loader), cache.fetch('k', loader), cache.as('json').fetch('k', loader)]);
      for (const { reason } of results) assert.equal(reason, mine);
      assert.equal(cache.has('k'), false);
    }
    for (const reason of [undefined, null, 'text', 5]) await assert.rejects(cache.fetch('k', () => Promise.reject(reason)), (thrown) => thrown === reason);
    for (const loaded of [5, {}, null, true]) await assert.rejects(cache.fetch('k', () => loaded), { name: 'TypeError', message: /a loaded value is text/ });
    assert.equal(text(await cache.fetch('k', () => thenable((resolve) => resolve('v')))), 'v');
  });

  test('that never settle end with the signals of those who wait', async () => {
    const cache = new Cache();
    const controllers = Array.from({ length: 3 }, () => new AbortController());
    let own;
    const loader = ({ signal }) => ((own = signal), never());
    const waiting = controllers.map(({ signal }) => cache.fetch('k', { signal }, loader));
    for (const [i, controller] of controllers.entries()) {
      assert.equal(own.aborted, false);
      controller.abort(new Error(`caller ${i}`));
      await assert.rejects(waiting[i], { message: `caller ${i}` });
    }
    assert.equal(own.aborted, true);
    await assert.rejects(cache.fetch('k', { signal: AbortSignal.abort(new Error('before')) }, loader), { message: 'before' });
    await assert.rejects(cache.fetch('k', { signal: AbortSignal.timeout(5) }, loader), { name: 'TimeoutError' });
    // A new call does not wait for the one that was given up.
    assert.equal(text(await cache.fetch('k', () => 'v')), 'v');
  });
});

suite('recursion', () => {
  test('that ends the stack inside a call leaves no wrong value', () => {
    const cache = new Cache({ maxSize: 4 * MIB });
    let [wrong, traps] = [0, 0];
    const check = (key) => {
      const value = cache.getText(key);
      if (value !== undefined && !value.startsWith(`${key}.`)) wrong++;
    };
    const dive = (depth) => {
      const key = `k${depth % 500}`;
      try {
        if (depth % 3 === 0) cache.set(key, `${key}.`.repeat(1 + (depth % 90)));
        else if (depth % 3 === 1) check(key);
        else cache.delete(`${key}x`);
      } catch (error) {
        // Here the stack ends, at another place each time.
        if (error.name === 'RuntimeError') traps++;
      }
      return dive(depth + 1) + 1;
    };
    const under = (frames) => {
      if (frames > 0) return under(frames - 1);
      try {
        return dive(0);
      } catch {
        return undefined;
      }
    };
    for (let round = 0; round < 60; round++) {
      under(round);
      for (let i = 0; i < 500; i++) check(`k${i}`);
      assert.equal(cache.set('after', 'v').getText('after'), 'v');
    }
    assert.deepEqual({ wrong, traps }, { wrong: 0, traps: 0 });
  });
});
