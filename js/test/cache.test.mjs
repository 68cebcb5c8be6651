// The cache as a program uses it.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { runInNewContext } from 'node:vm';
import { Cache } from 'wasmcached';

const MIB = 1024 * 1024;
const bytes = (...values) => Uint8Array.from(values);
const text = (output) => new TextDecoder().decode(output);

suite('values', () => {
  test('text and bytes are the same thing', () => {
    const cache = new Cache();
    assert.equal(cache.set('a', 'héllo'), cache);
    assert.equal(cache.getText('a'), 'héllo');
    assert.deepEqual(cache.get(new TextEncoder().encode('a')), new TextEncoder().encode('héllo'));
    cache.set(bytes(0, 255, 32, 10), bytes(0, 1, 255));
    assert.deepEqual(cache.get(bytes(0, 255, 32, 10)), bytes(0, 1, 255));
    cache.set('é', '1');
    assert.equal(cache.getText(new TextEncoder().encode('é')), '1');
  });

  test('absent keys are undefined', () => {
    const cache = new Cache();
    assert.equal(cache.get('a'), undefined);
    assert.equal(cache.getText('a'), undefined);
    assert.equal(cache.has('a'), false);
    assert.equal(cache.delete('a'), false);
    assert.equal(cache.touch('a'), false);
  });

  test('set replaces, delete and clear remove', () => {
    const cache = new Cache();
    cache.set('a', '1').set('a', '22').set('b', '');
    assert.equal(cache.getText('a'), '22');
    assert.deepEqual(cache.get('b'), bytes());
    assert.equal(cache.has('b'), true);
    assert.equal(cache.delete('a'), true);
    assert.equal(cache.has('a'), false);
    cache.clear();
    assert.equal(cache.has('b'), false);
    assert.equal(cache.stats().items, 0);
    cache.set('b', 'again');
    assert.equal(cache.getText('b'), 'again');
  });

  test('what get returns is the caller’s own', () => {
    const cache = new Cache();
    cache.set('a', 'abc');
    const first = cache.get('a');
    first.fill(0);
    cache.set('b', 'x'.repeat(900_000));
    assert.equal(cache.getText('a'), 'abc');
    assert.equal(first.buffer.byteLength, 3);
  });

  test('every length of value, in any order', () => {
    const cache = new Cache({ maxSize: 32 * MIB });
    const lengths = [0, 1, 3, 100, 21_700, 21_800, 65_285, 65_286, 65_287, 65_536, 200_000, 1_000_000, 5];
    const value = (length) => Uint8Array.from({ length }, (_, i) => (i * 31 + length) & 255);
    for (const length of lengths) cache.set(`k${length}`, value(length));
    for (const length of lengths.toReversed()) assert.deepEqual(cache.get(`k${length}`), value(length));
    for (const length of lengths) {
      const string = 'aé€😀'.repeat(Math.ceil(length / 10)).slice(0, length / 10);
      cache.set('s', string.toWellFormed());
      assert.equal(cache.getText('s'), string.toWellFormed());
    }
  });

  test('bytes of another realm are bytes', () => {
    const cache = new Cache();
    cache.set(runInNewContext('new Uint8Array([97])'), runInNewContext('new Uint8Array([1, 2])'));
    assert.deepEqual(cache.get('a'), bytes(1, 2));
  });
});

suite('keys', () => {
  test('keys have 1 to 250 bytes', () => {
    const cache = new Cache();
    cache.set('k'.repeat(250), '1').set(new Uint8Array(250), '2').set('é'.repeat(125), '3');
    assert.equal(cache.getText('k'.repeat(250)), '1');
    assert.equal(cache.getText(new Uint8Array(250)), '2');
    assert.equal(cache.getText('é'.repeat(125)), '3');
    for (const key of ['', 'k'.repeat(251), 'é'.repeat(126), new Uint8Array(), new Uint8Array(251)]) {
      for (const use of ['get', 'getText', 'has', 'delete', 'touch']) assert.throws(() => cache[use](key), RangeError);
      assert.throws(() => cache.set(key, 'x'), RangeError);
    }
    assert.throws(() => cache.get('k'.repeat(300)), /300 bytes, 250 are the limit; use a hash/);
    assert.equal(cache.stats().items, 3);
  });

  test('half a surrogate pair is no key', () => {
    const cache = new Cache();
    assert.throws(() => cache.set('\ud800', '1'), /surrogate/);
    cache.set('😀', '1');
    assert.equal(cache.getText('😀'), '1');
  });

  test('wrong types say what would be right', () => {
    const cache = new Cache();
    for (const key of [1, null, undefined, {}, [97], new ArrayBuffer(1), new Uint16Array(1), Symbol('a')]) {
      assert.throws(() => cache.get(key), { name: 'TypeError', message: /string or a Uint8Array/ });
      assert.throws(() => cache.set(key, 'x'), TypeError);
      assert.throws(() => cache.set('a', key), { name: 'TypeError', message: /JSON.stringify/ });
      assert.throws(() => cache.execute(key), TypeError);
    }
    assert.equal(cache.stats().items, 0);
  });
});

suite('size', () => {
  test('a value that is too large is refused and takes the old one along', () => {
    const cache = new Cache({ maxSize: MIB, maxEntrySize: 10_000 });
    const most = 10_000 - 59 - 1;
    cache.set('a', 'x'.repeat(most));
    assert.equal(cache.getText('a').length, most);
    for (const value of ['x'.repeat(most + 1), new Uint8Array(most + 1), new Uint8Array(50_000), 'é'.repeat(5000)]) {
      cache.set('a', 'old').set('b', 'other');
      assert.throws(() => cache.set('a', value), { name: 'RangeError', message: /maxEntrySize \(10000 bytes/ });
      assert.equal(cache.has('a'), false);
      assert.equal(cache.getText('b'), 'other');
    }
    assert.throws(() => cache.set('a', 'x'.repeat(500 * MIB)), RangeError);
    assert.equal(cache.statistics().store_too_large, '5');
  });

  test('a full cache forgets what was not used', () => {
    const cache = new Cache({ maxSize: MIB });
    cache.set('kept', 'k');
    for (let i = 0; i < 20_000; i++) {
      cache.set(`key${i}`, 'x'.repeat(200));
      if (i % 500 === 0) assert.equal(cache.getText('kept'), 'k', `after ${i}`);
    }
    const { items, size, maxSize, indexSize, evictions } = cache.stats();
    assert.equal(maxSize, MIB);
    assert.ok(size + indexSize <= MIB, `${size} + ${indexSize}`);
    assert.ok(size > MIB / 2, String(size));
    assert.equal(cache.has('key0'), false);
    assert.equal(cache.getText('key19999'), 'x'.repeat(200));
    assert.ok(evictions > 10_000 && items + evictions === 20_001, `${items} + ${evictions}`);
  });

  test('without evictions a full cache refuses', () => {
    const cache = new Cache({ maxSize: MIB, evictions: false });
    const fill = () => {
      for (let i = 0; i < 20_000; i++) cache.set(`key${i}`, 'x'.repeat(200));
    };
    assert.throws(fill, /full \(1048576 bytes\) and may not evict/);
    assert.equal(cache.getText('key0'), 'x'.repeat(200));
    assert.equal(cache.stats().evictions, 0);
  });

  test('options are checked when the cache is made', () => {
    for (const maxSize of [0, -1, 1000, NaN, Infinity, 5e9]) assert.throws(() => new Cache({ maxSize }), RangeError);
    for (const maxEntrySize of [0, NaN, 40 * MIB]) assert.throws(() => new Cache({ maxEntrySize }), RangeError);
    for (const ttl of [-1, NaN]) assert.throws(() => new Cache({ ttl }), RangeError);
    for (const wrong of [{ maxSize: '1' }, { ttl: '1' }, { clock: 1 }]) assert.throws(() => new Cache(wrong), TypeError);
    assert.throws(() => new Cache(null), TypeError);
    assert.throws(() => new Cache(100), TypeError);
    assert.throws(() => new Cache({ protocol: { prefixDelimiter: '::' } }), RangeError);
    const { maxSize, maxEntrySize, ttl } = new Cache();
    assert.deepEqual({ maxSize, maxEntrySize, ttl }, { maxSize: 64 * MIB, maxEntrySize: MIB, ttl: 0 });
    assert.equal(new Cache({ maxSize: 64 * 1024 }).set('a', '1').getText('a'), '1');
  });
});

suite('time', () => {
  const START = 1_800_000_000_400;

  test('entries end, in whole seconds and never too early', () => {
    let now = START;
    const cache = new Cache({ clock: () => now });
    cache.set('a', '1', { ttl: 1000 }).set('b', '1', { ttl: 1 }).set('c', '1').set('d', '1', { ttl: Infinity });
    for (; now < START + 1000; now += 100) assert.equal(cache.has('a'), true, String(now - START));
    now = START + 1600;
    assert.equal(cache.has('a'), false);
    assert.equal(cache.get('b'), undefined);
    now += 400 * 24 * 3600 * 1000;
    assert.deepEqual([cache.has('c'), cache.has('d')], [true, true]);
    assert.equal(cache.stats().items, 2);
  });

  test('times of the protocol are never too short', () => {
    let now = START + 500;
    const cache = new Cache({ clock: () => now });
    assert.equal(text(cache.execute('set a 0 1 1\r\n1\r\n')), 'STORED\r\n');
    now += 999;
    assert.equal(text(cache.execute('mg a t v\r\n')), 'VA 1 t1\r\n1\r\n');
    now += 1001;
    assert.equal(text(cache.execute('get a\r\n')), 'END\r\n');
  });

  test('the cache’s own ttl, and touch', () => {
    let now = START;
    const cache = new Cache({ ttl: 10_000, clock: () => now });
    cache.set('a', '1').set('b', '1', { ttl: 0 }).set('c', '1');
    now += 9000;
    assert.equal(cache.touch('c'), true);
    assert.equal(cache.touch('b', { ttl: 1000 }), true);
    now += 2000;
    assert.deepEqual(['a', 'b', 'c'].map((key) => cache.has(key)), [false, false, true]);
    assert.throws(() => cache.set('a', '1', { ttl: -1 }), RangeError);
    assert.throws(() => cache.touch('c', { ttl: '1' }), TypeError);
  });

  test('more than thirty days are relative as well', () => {
    let now = START;
    const cache = new Cache({ clock: () => now });
    cache.set('a', '1', { ttl: 40 * 24 * 3600 * 1000 });
    now += 39 * 24 * 3600 * 1000;
    assert.equal(cache.has('a'), true);
    now += 25 * 3600 * 1000;
    assert.equal(cache.has('a'), false);
  });

  test('expired entries make room although nobody asks for them', () => {
    let now = START;
    const cache = new Cache({ maxSize: 4 * MIB, clock: () => now });
    for (let i = 0; i < 5000; i++) cache.set(`short${i}`, 'x'.repeat(200), { ttl: 1000 });
    assert.equal(cache.stats().items, 5000);
    for (let i = 0; i < 60; i++) {
      now += 1000;
      cache.has('other');
    }
    const { items, evictions } = cache.stats();
    assert.deepEqual({ items, evictions }, { items: 0, evictions: 0 });
  });
});

suite('protocol', () => {
  test('reads and writes the same entries', () => {
    const cache = new Cache();
    cache.set('a', 'hello');
    assert.equal(text(cache.execute('get a\r\n')), 'VALUE a 0 5\r\nhello\r\nEND\r\n');
    assert.equal(text(cache.execute(new TextEncoder().encode('set b 7 0 2\r\nhi\r\n'))), 'STORED\r\n');
    assert.equal(cache.getText('b'), 'hi');
    assert.equal(text(cache.execute('')), '');
  });

  test('a request may be cut anywhere', () => {
    const cache = new Cache();
    const answers = [...'set a 0 0 5\r\nhello\r\nget a\r\n'].map((one) => text(cache.execute(one)));
    assert.equal(answers.join(''), 'STORED\r\nVALUE a 0 5\r\nhello\r\nEND\r\n');
  });

  test('much at once', () => {
    const cache = new Cache();
    const value = 'x'.repeat(500_000);
    assert.equal(text(cache.execute(`set a 0 0 ${value.length}\r\n${value}\r\n`)), 'STORED\r\n');
    const answer = text(cache.execute('get a\r\n'.repeat(20)));
    assert.equal(answer, `VALUE a 0 500000\r\n${value}\r\nEND\r\n`.repeat(20));
  });

  test('connections are independent', () => {
    const cache = new Cache();
    const [one, other] = [cache.connect(), cache.connect()];
    one.execute('set a 0 0 5\r\nhel');
    assert.equal(text(other.execute('get a\r\n')), 'END\r\n');
    assert.equal(text(one.execute('lo\r\n')), 'STORED\r\n');
    assert.equal(text(cache.execute('get a\r\n')), 'VALUE a 0 5\r\nhello\r\nEND\r\n');
    assert.equal(cache.statistics().curr_connections, '3');
    one.close();
    one.close();
    assert.equal(one.isClosed, true);
    assert.throws(() => one.execute('version\r\n'), /closed; open another/);
    assert.equal(cache.statistics().curr_connections, '2');
  });

  test('a request without room waits, and a whole one is answered', () => {
    const cache = new Cache();
    const head = 'set a 0 0 1000000\r\n';
    const halves = Array.from({ length: 20 }, () => cache.connect());
    for (const half of halves) assert.equal(text(half.execute(`${head}half`)), '');
    const waiting = halves.filter((half) => half.isWaiting);
    // Three quarters of 16 MiB are for requests that are as long as these.
    assert.equal(waiting.length, 8);
    assert.equal(text(cache.execute(`${head}${'x'.repeat(1_000_000)}\r\n`)), 'STORED\r\n');
    halves[0].close();
    assert.equal(waiting[0].isWaiting, false);
    assert.equal(text(waiting[0].execute(`${'x'.repeat(999_996)}\r\n`)), 'STORED\r\n');
    assert.equal(waiting[1].isWaiting, false);
    assert.equal(waiting[2].isWaiting, true);
    // A caller that sends on loses nothing.
    assert.equal(text(waiting[2].execute(`${'x'.repeat(999_996)}\r\n`)), 'STORED\r\n');
    for (const half of halves) half.close();
    assert.equal(waiting[3].isWaiting, false);
  });

  test('quit closes; execute goes on with a new connection', () => {
    const cache = new Cache();
    const connection = cache.connect();
    assert.equal(text(connection.execute('quit\r\nversion\r\n')), '');
    assert.equal(connection.isClosed, true);
    assert.equal(text(cache.execute('quit\r\n')), '');
    assert.match(text(cache.execute('version\r\n')), /^VERSION \S+\r\n$/);
  });

  test('connections have a limit', () => {
    const cache = new Cache();
    const all = Array.from({ length: 1024 }, () => cache.connect());
    assert.throws(() => cache.connect(), /1024 connections/);
    assert.equal(cache.stats().items, 0);
    assert.equal(cache.statistics().curr_connections, '1024');
    all[0].close();
    assert.equal(cache.statistics().rejected_connections, '1');
  });

  test('statistics', () => {
    const cache = new Cache();
    cache.set('a', '1').get('a');
    cache.get('b');
    const { items, hits, misses, sets, maxSize } = cache.stats();
    assert.deepEqual({ items, hits, misses, sets, maxSize }, { items: 1, hits: 1, misses: 1, sets: 1, maxSize: 64 * MIB });
    assert.equal(cache.statistics('settings').item_size_max, String(MIB));
    assert.equal(cache.statistics().pid, '0');
  });
});

suite('the end', () => {
  test('a disposed cache refuses', () => {
    const cache = new Cache();
    const connection = cache.set('a', '1').connect();
    cache.dispose();
    cache.dispose();
    for (const use of [() => cache.get('a'), () => cache.set('a', '1'), () => cache.stats(), () => cache.execute('')]) {
      assert.throws(use, /disposed; make a new one/);
    }
    assert.throws(() => connection.execute('version\r\n'), /closed/);
    assert.equal(typeof cache[Symbol.dispose], 'function');
  });

  test('clear closes connections', () => {
    const cache = new Cache();
    const connection = cache.connect();
    cache.clear();
    assert.equal(connection.isClosed, true);
    connection.close();
    assert.match(text(cache.execute('version\r\n')), /^VERSION/);
  });

  test('caches do not know each other', () => {
    const caches = Array.from({ length: 50 }, (_, i) => new Cache({ maxSize: MIB }).set('a', String(i)));
    assert.deepEqual(caches.map((cache) => cache.getText('a')), caches.map((_, i) => String(i)));
  });
});
