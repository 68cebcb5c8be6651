// `fetch`: loading on a miss.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Cache } from 'wasmcached';

const text = (value) => (value === undefined ? undefined : new TextDecoder().decode(value));

/** Waits until all that is ready has run. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A loader whose calls end when the test says so. */
function slow() {
  const calls = [];
  const loader = (context) => new Promise((resolve, reject) => calls.push({ ...context, resolve, reject }));
  return { loader, calls };
}

/** A cache with a clock that only the test moves. */
function clocked(options) {
  let now = 1_000_000;
  const cache = new Cache({ clock: () => now, ...options });
  return { cache, pass: (milliseconds) => (now += milliseconds) };
}

suite('a miss', () => {
  test('loads and stores', async () => {
    const cache = new Cache();
    const status = {};
    const loaded = await cache.fetch('k', { ttl: 10_000, flags: 7, status }, ({ key }) => `value of ${key}`);
    assert.equal(text(loaded), 'value of k');
    assert.deepEqual(status, { fetch: 'miss', fetchUpdated: true });
    const { value, flags, ttl } = cache.gets('k');
    assert.deepEqual([text(value), flags, ttl > 9_000 && ttl <= 10_050], ['value of k', 7, true]);
    assert.equal(text(await cache.fetch('k', { status }, () => assert.fail('was loaded again'))), 'value of k');
    assert.equal(status.fetch, 'hit');
  });

  test('needs no options', async () => {
    const cache = new Cache();
    assert.equal(text(await cache.fetch('k', async () => new Uint8Array([97]))), 'a');
    assert.equal(cache.getText('k'), 'a');
  });

  test('loads once for all callers of a key, whatever its form', async () => {
    const cache = new Cache();
    const { loader, calls } = slow();
    const keys = ['é', new TextEncoder().encode('é'), cache.key('é'), new TextEncoder().encode('é').buffer];
    const waiting = keys.map((key) => cache.fetch(key, loader));
    const other = cache.fetch(new Uint8Array([0xe9]), loader);
    const inside = cache.namespace('n').fetch('é', loader);
    assert.equal(calls.length, 3);
    for (const [i, call] of calls.entries()) call.resolve(`v${i}`);
    const values = await Promise.all(waiting);
    assert.deepEqual(values.map(text), ['v0', 'v0', 'v0', 'v0']);
    assert.deepEqual([text(await other), text(await inside)], ['v1', 'v2']);
    values[0].fill(0);
    assert.deepEqual([text(values[1]), cache.getText('é')], ['v0', 'v0']);
  });

  test('a loader without a value stores nothing', async () => {
    const cache = new Cache();
    const status = {};
    assert.equal(await cache.fetch('k', { status }, async () => undefined), undefined);
    assert.deepEqual([cache.has('k'), status.fetchUpdated], [false, false]);
  });

  test('an error reaches everybody and is not stored', async () => {
    const cache = new Cache();
    const { loader, calls } = slow();
    const status = {};
    const waiting = [cache.fetch('k', { status }, loader), cache.fetch('k', loader)];
    calls[0].reject(new Error('down'));
    for (const one of waiting) await assert.rejects(one, /down/);
    assert.equal(status.fetchError.message, 'down');
    assert.equal(text(await cache.fetch('k', () => 'up')), 'up');
    await assert.rejects(cache.fetch('l', () => { throw new TypeError('at once'); }), /at once/);
  });

  test('the loader may choose the time to live', async () => {
    const { cache, pass } = clocked();
    await cache.fetch('k', { ttl: 100_000 }, ({ options }) => {
      options.ttl = 1000;
      return 'token';
    });
    pass(1100);
    assert.equal(cache.has('k'), false);
  });

  test('a value that the cache cannot hold is returned', async () => {
    const cache = new Cache({ maxSize: 1024 * 1024, maxEntrySize: 2048 });
    const status = {};
    const value = await cache.fetch('k', { status }, () => 'x'.repeat(5000));
    assert.deepEqual([value.length, cache.has('k'), status.fetchUpdated], [5000, false, false]);
  });

  test('wrong arguments reject', async () => {
    const cache = new Cache();
    await assert.rejects(cache.fetch('k', {}), /a function that loads/);
    await assert.rejects(cache.fetch('', () => 'v'), /empty/);
    await assert.rejects(cache.fetch('k', { stale: -1 }, () => 'v'), RangeError);
    await assert.rejects(cache.fetch('k', { ttl: -1 }, () => 'v'), RangeError);
    await assert.rejects(cache.fetch('k', () => 5), /a loaded value is text/);
    assert.equal(cache.size, 0);
  });
});

suite('stale', () => {
  test('one caller reloads in the background, and all have the old value meanwhile', async () => {
    const { cache, pass } = clocked();
    const options = { ttl: 1000, stale: 5000 };
    await cache.fetch('k', options, () => 'old');
    assert.equal(cache.getRemainingTTL('k'), 6000);
    pass(900);
    assert.equal(text(await cache.fetch('k', options, () => assert.fail('is fresh'))), 'old');
    pass(200);
    const { loader, calls } = slow();
    const status = {};
    const values = await Promise.all([cache.fetch('k', { ...options, status }, loader), cache.fetch('k', options, loader)]);
    assert.deepEqual(values.map(text), ['old', 'old']);
    assert.deepEqual([calls.length, status.fetch, text(calls[0].staleValue)], [1, 'stale', 'old']);
    calls[0].resolve('new');
    await settled();
    assert.equal(status.fetchUpdated, true);
    assert.equal(text(await cache.fetch('k', options, () => assert.fail('is fresh'))), 'new');
    assert.equal(cache.getRemainingTTL('k'), 6000);
  });

  test('a failed reload leaves the old value to the end of the window', async () => {
    const { cache, pass } = clocked();
    const options = { ttl: 1000, stale: 1000 };
    await cache.fetch('k', options, () => 'old');
    pass(1500);
    const status = {};
    assert.equal(text(await cache.fetch('k', { ...options, status }, () => Promise.reject(new Error('down')))), 'old');
    await settled();
    assert.equal(status.fetchError.message, 'down');
    assert.equal(text(await cache.fetch('k', options, () => Promise.reject(new Error('down')))), 'old');
    await settled();
    pass(600);
    await assert.rejects(cache.fetch('k', options, () => Promise.reject(new Error('down'))), /down/);
  });

  test('a reload that finds nothing removes the old value', async () => {
    const { cache, pass } = clocked();
    const options = { ttl: 1000, stale: 1000 };
    await cache.fetch('k', options, () => 'old');
    pass(1500);
    await cache.fetch('k', options, () => undefined);
    await settled();
    assert.equal(cache.has('k'), false);
  });

  test('without a time to live nothing is stale', async () => {
    const { cache, pass } = clocked();
    await cache.fetch('k', { stale: 1000 }, () => 'v');
    pass(10 ** 9);
    assert.equal(text(await cache.fetch('k', { stale: 1000 }, () => assert.fail('is fresh'))), 'v');
    const ttl = clocked({ ttl: 500 });
    await ttl.cache.namespace('n', { ttl: 700 }).fetch('k', { stale: 1000 }, () => 'v');
    assert.equal(ttl.cache.namespace('n').getRemainingTTL('k'), 1700);
  });

  test('forceRefresh waits for a new value', async () => {
    const cache = new Cache().set('k', 'old');
    const status = {};
    assert.equal(text(await cache.fetch('k', { forceRefresh: true, status }, ({ staleValue }) => `${text(staleValue)}, new`)), 'old, new');
    assert.equal(status.fetch, 'refresh');
    await assert.rejects(cache.fetch('k', { forceRefresh: true }, () => Promise.reject(new Error('down'))), /down/);
    assert.equal(cache.getText('k'), 'old, new');
  });
});

suite('changes during a flight win', () => {
  const changes = {
    set: (cache) => cache.set('k', 'newer'),
    setMany: (cache) => cache.setMany([['k', 'newer']]),
    add: (cache) => cache.add('k', 'newer'),
    delete: (cache) => cache.delete('k'),
    deleteMany: (cache) => cache.deleteMany(['x', new TextEncoder().encode('k')]),
    'clear by prefix': (cache) => cache.clear('k'),
    'clear by a prefix of bytes': (cache) => cache.clear(new TextEncoder().encode('k')),
    clear: (cache) => cache.clear(),
    load: (cache) => cache.load(new Cache().set('k', 'newer').dump()),
  };
  for (const [name, change] of Object.entries(changes)) {
    for (const where of ['cache', 'namespace']) {
      test(`${name} in a ${where}`, async () => {
        const root = new Cache();
        const cache = where === 'cache' ? root : root.namespace('n');
        const { loader, calls } = slow();
        const status = {};
        const first = cache.fetch('k', { status }, loader);
        change(cache);
        const after = cache.getText('k');
        const second = after === undefined ? cache.fetch('k', loader) : undefined;
        calls[0].resolve('outdated');
        assert.equal(text(await first), 'outdated');
        assert.deepEqual([cache.getText('k'), status.fetchUpdated], [after, false]);
        if (second === undefined) return;
        calls[1].resolve('current');
        assert.deepEqual([text(await second), cache.getText('k')], ['current', 'current']);
      });
    }
  }

  test('a cleared cache forgets flights in its namespaces, too', async () => {
    const cache = new Cache();
    const { loader, calls } = slow();
    const waiting = cache.namespace('n').namespace('m').fetch('k', loader);
    cache.namespace('n').clear();
    calls[0].resolve('outdated');
    assert.equal(text(await waiting), 'outdated');
    assert.equal(cache.namespace('n').namespace('m').has('k'), false);
  });

  test('what changes nothing does not', async () => {
    const cache = new Cache();
    const { loader, calls } = slow();
    const waiting = cache.fetch('k', loader);
    assert.deepEqual([cache.replace('k', 'x'), cache.append('k', 'x'), cache.incr('k'), cache.touch('k')], [false, false, undefined, false]);
    cache.delete('other');
    cache.clear('other');
    cache.namespace('n').set('k', 'x');
    calls[0].resolve('loaded');
    await waiting;
    assert.equal(cache.getText('k'), 'loaded');
  });

  test('the key may be reused by its owner', async () => {
    const cache = new Cache();
    const key = new TextEncoder().encode('k1');
    const { loader, calls } = slow();
    const waiting = cache.fetch(key, loader);
    key.fill(0x7a);
    calls[0].resolve('v');
    await waiting;
    assert.deepEqual([cache.getText('k1'), cache.size], ['v', 1]);
  });
});

suite('signals', () => {
  test('one caller can leave', async () => {
    const cache = new Cache();
    const { loader, calls } = slow();
    const leaving = new AbortController();
    const [first, second] = [cache.fetch('k', { signal: leaving.signal }, loader), cache.fetch('k', loader)];
    leaving.abort(new Error('left'));
    await assert.rejects(first, /left/);
    assert.equal(calls[0].signal.aborted, false);
    calls[0].resolve('v');
    assert.equal(text(await second), 'v');
    assert.equal(cache.getText('k'), 'v');
  });

  test('the loader ends when nobody waits any more', async () => {
    const cache = new Cache();
    const { loader, calls } = slow();
    const leaving = [new AbortController(), new AbortController()];
    const waiting = leaving.map(({ signal }) => cache.fetch('k', { signal }, loader));
    leaving[0].abort(new Error('left 0'));
    assert.equal(calls[0].signal.aborted, false);
    leaving[1].abort(new Error('left 1'));
    assert.deepEqual([calls[0].signal.aborted, calls[0].signal.reason.message], [true, 'left 1']);
    for (const [i, one] of waiting.entries()) await assert.rejects(one, new RegExp(`left ${i}`));
    const again = cache.fetch('k', loader);
    calls[0].resolve('outdated');
    await settled();
    assert.equal(cache.has('k'), false);
    calls[1].resolve('v');
    assert.equal(text(await again), 'v');
  });

  test('a reload in the background goes on', async () => {
    const { cache, pass } = clocked();
    const options = { ttl: 1000, stale: 1000 };
    await cache.fetch('k', options, () => 'old');
    pass(1500);
    const { loader, calls } = slow();
    const leaving = new AbortController();
    await cache.fetch('k', { ...options, signal: leaving.signal }, loader);
    const forced = cache.fetch('k', { forceRefresh: true, signal: leaving.signal }, loader);
    leaving.abort(new Error('left'));
    await assert.rejects(forced, /left/);
    assert.deepEqual([calls.length, calls[0].signal.aborted], [1, false]);
    calls[0].resolve('new');
    await settled();
    assert.equal(cache.getText('k'), 'new');
  });

  test('a signal that has ended already loads nothing', async () => {
    const cache = new Cache();
    await assert.rejects(cache.fetch('k', { signal: AbortSignal.abort(new Error('ended')) }, () => assert.fail('was called')), /ended/);
  });

  test('a listener stays no longer than the wait', async () => {
    const signal = new AbortController().signal;
    const counts = { addEventListener: 0, removeEventListener: 0 };
    for (const name of Object.keys(counts)) {
      const own = signal[name].bind(signal);
      signal[name] = (...rest) => (counts[name]++, own(...rest));
    }
    const cache = new Cache();
    await cache.fetch('k', { signal }, () => 'v');
    await assert.rejects(cache.fetch('l', { signal }, () => Promise.reject(new Error('down'))));
    assert.deepEqual(counts, { addEventListener: 2, removeEventListener: 2 });
  });
});

suite('dispose', () => {
  test('rejects who waits and who comes', async () => {
    const cache = new Cache();
    const { loader, calls } = slow();
    const waiting = [cache.fetch('k', loader), cache.fetch('k', { signal: new AbortController().signal }, loader)];
    cache.dispose();
    for (const one of waiting) await assert.rejects(one, /disposed/);
    assert.equal(calls[0].signal.aborted, true);
    calls[0].resolve('late');
    await assert.rejects(cache.fetch('k', () => 'v'), /disposed/);
  });
});
