// The parts of the playground that need no page.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { ExactLru, Load, Session, completions, explain, itemBytes, parse, similar } from '../../../target/playground/parts.mjs';
import { naiveHits } from './naive.mjs';

const KIB = 1024;
const LOAD = { requests: 6_000, keys: 2_000, skew: 0.8, values: 'mixed', writes: 0.1, scans: 0.1, ttl: 0 };

/** Runs the load in the session of the page. */
function run(settings, maxSize = 256 * KIB, policy = 's3fifo') {
  const session = new Session(maxSize, policy);
  session.begin(settings);
  while (session.advance(500));
  return session;
}

suite('load', () => {
  test('keys come as often as Zipf says', () => {
    const load = new Load({ ...LOAD, keys: 1_000, writes: 0, scans: 0, skew: 1 }, 7);
    const counts = new Map();
    for (let i = 0; i < 200_000; i++) {
      load.next();
      counts.set(load.key, (counts.get(load.key) ?? 0) + 1);
    }
    const harmonic = Array.from({ length: 1_000 }, (_, i) => 1 / (i + 1)).reduce((sum, part) => sum + part);
    for (const rank of [1, 2, 10, 50]) {
      const wanted = 200_000 / (rank * harmonic);
      const deviation = Math.abs(counts.get(`item:${rank - 1}`) - wanted) / Math.sqrt(wanted);
      assert.ok(deviation < 4, `rank ${rank}: ${counts.get(`item:${rank - 1}`)} for ${wanted}`);
    }
  });

  test('writes, one-hit reads and sizes are those of the settings', () => {
    const load = new Load({ ...LOAD, writes: 0.25, scans: 0.4 }, 3);
    const seen = { writes: 0, scans: new Set(), sizes: new Map() };
    for (let i = 0; i < 20_000; i++) {
      load.next();
      if (load.isWrite) seen.writes++;
      if (load.key.startsWith('scan:')) seen.scans.add(load.key);
      assert.equal(seen.sizes.get(load.key) ?? load.valueBytes, load.valueBytes);
      seen.sizes.set(load.key, load.valueBytes);
    }
    const sizes = [...seen.sizes.values()];
    assert.ok(Math.abs(seen.writes - 5_000) < 250 && Math.abs(seen.scans.size - 8_000) < 300);
    assert.ok(Math.min(...sizes) >= 16 && Math.min(...sizes) < 20 && Math.max(...sizes) < 4_096 && Math.max(...sizes) > 4_000);
  });
});

suite('exact LRU', () => {
  for (const ttl of [0, 1]) {
    test(`has the hits of a naive one, with a time to live of ${ttl} s`, () => {
      // A second of the cache has 10,000 requests.
      const settings = { ...LOAD, requests: ttl === 0 ? 6_000 : 25_000, keys: ttl === 0 ? 2_000 : 300, ttl };
      const naive = naiveHits(new Load(settings, 1), 256 * KIB);
      const { series, lru } = run(settings);
      assert.deepEqual({ reads: series.total.reads, hits: series.total.lru, items: lru.items }, naive);
    });
  }

  test('charges the bytes that the engine needs', () => {
    const { engine } = new Session(1024 * KIB, 's3fifo');
    const sizes = [[1, 0, 0, 0], [7, 100, 0, 0], [20, 100, 5, 0], [20, 99, 0, 60], [30, 5000, 7, 60]];
    for (const [keyBytes, valueBytes, flags, ttl] of sizes) {
      const before = Number(engine.statistics().bytes);
      const key = 'k'.repeat(keyBytes);
      engine.send(`set ${key} ${flags} ${ttl} ${valueBytes}\r\n${'v'.repeat(valueBytes)}\r\n`);
      const grown = Number(engine.statistics().bytes) - before;
      assert.equal(itemBytes({ keyBytes, valueBytes, flags, expires: ttl !== 0 }) - 64 / 7, grown);
      engine.send(`delete ${key}\r\n`);
    }
  });

  test('keeps its budget and its order', () => {
    const lru = new ExactLru(3 * itemBytes({ keyBytes: 1, valueBytes: 1 }));
    for (const key of ['a', 'b', 'c']) lru.set(key, { size: { keyBytes: 1, valueBytes: 1 }, expiresAt: 0 });
    lru.use('a', 0);
    lru.set('d', { size: { keyBytes: 1, valueBytes: 1 }, expiresAt: 0 });
    assert.deepEqual(['a', 'b', 'c', 'd'].map((key) => lru.use(key, 0) !== undefined), [true, false, true, true]);
    assert.deepEqual([lru.items, lru.evictions], [3, 1]);
  });
});

suite('session', () => {
  test('counts the hits that the engine counts', () => {
    const { series, engine } = run(LOAD);
    const { get_hits, get_misses } = engine.statistics();
    assert.deepEqual([series.total.ours, series.total.reads], [Number(get_hits), Number(get_hits) + Number(get_misses)]);
  });

  test('repeats typed commands in the LRU', () => {
    const { session, send } = typed();
    send('set a 0 0 1\\r\\nx', 'get a b', 'add a 0 0 1\\r\\ny', 'add c 0 0 1\\r\\ny', 'append c 0 0 2\\r\\nzz', 'mg c v', 'delete a', 'get a');
    send('ms m 2 T60\\r\\nhi', 'touch m 0', 'gat 5 m', 'incr a 1', 'md m', 'mg m', 'set gone 0 -1 1\\r\\nx', 'get gone', 'foo');
    assert.deepEqual(session.series.total, { reads: 7, ours: 3, lru: 3 });
    assert.equal(session.lru.items, 1);
    send('flush_all', 'get c');
    assert.deepEqual([session.series.total.lru, session.lru.items], [3, 0]);
  });

  test('shows each byte of the memory in the map', () => {
    const { engine } = run(LOAD);
    const { segmentBytes, words } = engine.map();
    const live = words.reduce((sum, word) => sum + ((word >>> 14) & 0x3fff) * 8, 0);
    // The map counts in units of eight bytes.
    assert.ok(Math.abs(live - Number(engine.statistics().bytes)) <= words.length * 8);
    assert.ok(words.length * segmentBytes <= 256 * KIB && words.length * segmentBytes > 240 * KIB);
    assert.deepEqual([...new Set(words.map((word) => word >>> 28))].sort().slice(-3), [1, 2, 3]);
  });

  test('changes the policy and keeps the items', () => {
    const session = run(LOAD);
    const items = session.engine.statistics().curr_items;
    session.engine.setPolicy('lru');
    assert.deepEqual([session.engine.policy, session.engine.statistics().curr_items], ['lru', items]);
  });

  /** A session, and a function that types. */
  function typed() {
    const session = new Session(1024 * KIB, 's3fifo');
    const send = (...lines) => lines.flatMap(parse).forEach((request) => session.execute(request));
    return { session, send };
  }
});

suite('terminal', () => {
  test('completes commands, their words and keys', () => {
    assert.deepEqual(completions('ge', []), ['get', 'gets']);
    assert.deepEqual(completions('stats s', []), ['stats slabs', 'stats settings', 'stats sizes']);
    assert.deepEqual(completions('get u', ['user:1', 'other']), ['get user:1']);
    assert.deepEqual(completions('get a u', ['user:1']), ['get a user:1']);
    assert.deepEqual(completions('set user:1 ', ['user:1']), []);
    assert.deepEqual(completions('', ['user:1']), []);
  });

  test('knows slips of the fingers', () => {
    assert.deepEqual(['gte', 'GET', 'stat', 'delet', 'xyzzy', 'q'].map(similar), ['get', 'get', 'stats', 'delete', undefined, undefined]);
  });

  test('takes data from further lines', () => {
    const requests = parse('set a 0 0 4\\r\\na\\r\\nb\\r\\nget a').map(({ words, data }) => [words.join(' '), data]);
    assert.deepEqual(requests, [['set a 0 0 4', 'a\r\nb'], ['get a', undefined]]);
    assert.equal(parse('set a 0 0 5')[0].data, undefined);
  });

  test('explains refusals', () => {
    const explained = (text, reply) => explain(parse(text)[0], reply);
    assert.equal(explained('gte a', 'ERROR\r\n'), 'memcached has no command “gte”. Did you mean get?');
    assert.equal(
      explained('set a 0 0 3\\r\\nhello', 'CLIENT_ERROR bad data chunk\r\n'),
      'The data has 5 bytes, but the command announced 3. Nothing was stored.',
    );
    assert.equal(explained('set a', 'CLIENT_ERROR bad command line format\r\n'), 'Write: set <key> <flags> <exptime> <bytes>');
    assert.equal(explained('get a', 'END\r\n'), 'A miss: the key has no value.');
    assert.equal(explained('get a', 'VALUE a 0 1\r\nx\r\nEND\r\n'), undefined);
  });
});
