// Times to live, on a clock of the test.

import assert from 'node:assert/strict';
import { mock, suite, test } from 'node:test';
import { Cache } from 'wasmcached';

/** A cache with a clock that the test sets. */
function timed(options = {}, start = 1_800_000_000_000) {
  const time = { now: start };
  return [new Cache({ clock: () => time.now, ...options }), time];
}

suite('time to live', () => {
  test('an entry ends within 50 ms after its time, and never before', () => {
    for (const ttl of [1, 10, 49, 50, 51, 100, 999, 1000, 60_000, 40 * 86_400_000]) {
      for (const start of [0, 7, 1_800_000_000_001]) {
        const [cache, time] = timed({}, start);
        cache.set('first', '1');
        time.now += 23;
        const end = time.now + ttl;
        cache.set('a', '1', { ttl });
        time.now = end - 1;
        assert.equal(cache.has('a'), true, `${ttl} ms from ${start}, too early`);
        time.now = end + 50;
        assert.equal(cache.has('a'), false, `${ttl} ms from ${start}, too late`);
        assert.equal(cache.get('a'), undefined);
        assert.equal(cache.has('first'), true);
      }
    }
  });

  test('every read and every change knows that an entry has ended', () => {
    const uses = {
      get: (cache) => cache.get('a') === undefined,
      getText: (cache) => cache.getText('a') === undefined,
      has: (cache) => !cache.has('a'),
      peek: (cache) => cache.peek('a') === undefined,
      gets: (cache) => cache.gets('a') === undefined,
      getMany: (cache) => cache.getMany(['a'])[0] === undefined,
      getInto: (cache) => cache.getInto('a', new Uint8Array(9)) === undefined,
      use: (cache) => cache.use('a', () => 1) === undefined,
      delete: (cache) => !cache.delete('a'),
      deleteMany: (cache) => cache.deleteMany(['a']) === 0,
      touch: (cache) => !cache.touch('a', { ttl: 1000 }),
      getAndTouch: (cache) => cache.getAndTouch('a') === undefined,
      getRemainingTTL: (cache) => cache.getRemainingTTL('a') === 0,
      add: (cache) => cache.add('a', '2'),
      replace: (cache) => !cache.replace('a', '2'),
      append: (cache) => !cache.append('a', '2'),
      incr: (cache) => cache.incr('a') === undefined,
      cas: (cache) => cache.cas('a', '2', 1n) === 'missing',
      keys: (cache) => [...cache.keys()].length === 0,
      entries: (cache) => [...cache.entries()].length === 0,
    };
    for (const [name, use] of Object.entries(uses)) {
      const [cache, time] = timed();
      cache.set('a', '1', { ttl: 1000 });
      time.now += 1050;
      assert.ok(use(cache), name);
    }
  });

  test('touch and getAndTouch give another', () => {
    const [cache, time] = timed();
    cache.set('a', '1', { ttl: 1000 }).set('b', '1');
    assert.equal(cache.touch('a', { ttl: 5000 }), true);
    assert.equal(new TextDecoder().decode(cache.getAndTouch('b', { ttl: 5000 })), '1');
    time.now += 4999;
    assert.deepEqual([cache.has('a'), cache.has('b')], [true, true]);
    assert.equal(cache.touch('a', { ttl: 0 }), true);
    time.now += 1_000_000;
    assert.deepEqual([cache.has('a'), cache.has('b')], [true, false]);
  });

  test('the cache’s own is the default', () => {
    const [cache, time] = timed({ ttl: 1000 });
    assert.equal(cache.ttl, 1000);
    cache.set('a', '1').set('b', '1', { ttl: 0 }).set('c', '1', { ttl: 2000 }).add('d', '1');
    cache.setMany([['e', '1']]);
    assert.deepEqual(['a', 'b', 'c'].map((key) => cache.getRemainingTTL(key)), [1000, Infinity, 2000]);
    time.now += 1050;
    assert.deepEqual(['a', 'b', 'c', 'd', 'e'].map((key) => cache.has(key)), [false, true, true, false, false]);
  });

  test('expired entries give their memory back to new ones', () => {
    const [cache, time] = timed({ maxSize: 1024 * 1024 });
    for (let i = 0; i < 900; i++) cache.set(`old${i}`, 'x'.repeat(1000), { ttl: 1000 });
    time.now += 2000;
    for (let i = 0; i < 900; i++) cache.set(`new${i}`, 'x'.repeat(1000), { ttl: 100_000 });
    assert.equal(cache.getMany(Array.from({ length: 900 }, (_, i) => `new${i}`)).filter(Boolean).length, 900);
    assert.equal(cache.stats().evictions, 0);
  });

  test('what is no duration is refused', () => {
    const cache = new Cache();
    for (const ttl of [-1, NaN]) assert.throws(() => cache.set('a', '1', { ttl }), RangeError);
    for (const ttl of ['1', null, {}]) assert.throws(() => cache.set('a', '1', { ttl }), TypeError);
    assert.equal(cache.set('a', '1', { ttl: Infinity }).getRemainingTTL('a'), Infinity);
  });
});

suite('clocks', () => {
  test('a clock that goes back, stands still or is no number keeps entries', () => {
    const [cache, time] = timed();
    cache.set('a', '1', { ttl: 1000 });
    for (const now of [time.now - 3_600_000, 0, -1, NaN, undefined, -Infinity]) {
      time.now = now;
      assert.equal(cache.has('a'), true, String(now));
    }
  });

  test('a clock that throws changes nothing', () => {
    let broken = false;
    const clock = () => {
      if (broken) throw new Error('no time');
      return 1000;
    };
    const cache = new Cache({ clock }).set('a', '1', { ttl: 1000 });
    broken = true;
    assert.throws(() => cache.get('a'), /no time/);
    assert.throws(() => cache.set('a', '2', { ttl: 5 }), /no time/);
    broken = false;
    assert.equal(cache.getText('a'), '1');
  });

  test('fake timers that come after the cache are believed', () => {
    const cache = new Cache().set('before', '1');
    mock.timers.enable({ apis: ['Date'], now: Date.now() });
    try {
      cache.set('a', '1', { ttl: 1000 });
      mock.timers.tick(999);
      assert.equal(cache.has('a'), true);
      mock.timers.tick(51);
      assert.equal(cache.has('a'), false);
    } finally {
      mock.timers.reset();
    }
  });

  test('entries that cannot expire cost no look at the clock', () => {
    let looks = 0;
    const cache = new Cache({ clock: () => ++looks });
    cache.set('a', '1');
    const before = looks;
    for (let i = 0; i < 1000; i++) cache.get('a');
    assert.equal(looks, before);
    for (let i = 0; i < 1000; i++) cache.set('a', '1');
    assert.ok(looks - before <= 4, `${looks - before} looks`);
  });
});

suite('a clock that is set back', () => {
  test('goes on from there: entries live as long as they would have', () => {
    let now = 10_000_000;
    const cache = new Cache({ clock: () => now });
    cache.set('old', '1', { ttl: 60_000 });
    now += 20_000;
    cache.get('old');
    now -= 3_600_000;
    assert.equal(cache.getRemainingTTL('old'), 40_000);
    cache.set('new', '1', { ttl: 10_000 });
    assert.equal(cache.getRemainingTTL('new'), 10_000);
    now += 10_050;
    assert.deepEqual([cache.has('new'), cache.has('old')], [false, true]);
    now += 30_000;
    assert.equal(cache.has('old'), false);
  });

  test('is what fake timers do that come after the first use', (context) => {
    const cache = new Cache();
    cache.set('a', '1');
    context.mock.timers.enable({ apis: ['Date'] });
    cache.set('k', 'v', { ttl: 10 });
    assert.equal(cache.has('k'), true);
    context.mock.timers.tick(5000);
    assert.equal(cache.has('k'), false);
    assert.equal(cache.getRemainingTTL('k'), 0);
    context.mock.timers.reset();
    assert.equal(cache.set('b', '1', { ttl: 60_000 }).has('b'), true);
  });
});

test('a time to live beyond the last tick has no end', () => {
  const cache = new Cache();
  for (const ttl of [10 * 365 * 86_400_000, 1e300]) {
    assert.equal(cache.set('k', 'v', { ttl }).getRemainingTTL('k'), Infinity);
  }
});
