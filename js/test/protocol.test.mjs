// The protocol as a program uses it.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mock, suite, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { createContext, runInContext, runInNewContext } from 'node:vm';
import { Protocol } from 'wasmcached/protocol';

const MIB = 1024 * 1024;
const text = (output) => new TextDecoder().decode(output);

suite('requests', () => {
  test('takes text and bytes', () => {
    const protocol = new Protocol();
    assert.equal(text(protocol.execute(new TextEncoder().encode('set b 7 0 2\r\nhi\r\n'))), 'STORED\r\n');
    assert.equal(text(protocol.execute('get b\r\n')), 'VALUE b 7 2\r\nhi\r\nEND\r\n');
    assert.equal(text(protocol.execute('')), '');
  });

  test('bytes in every form are bytes, also in those of another realm', () => {
    const protocol = new Protocol();
    const request = new TextEncoder().encode('mn\r\n');
    const odd = new Uint8Array(request.length + 3);
    odd.set(request, 3);
    const shared = new Uint8Array(new SharedArrayBuffer(request.length));
    shared.set(request);
    const forms = [request, request.buffer, odd.subarray(3), new DataView(odd.buffer, 3), Buffer.from(request)];
    forms.push(new Uint16Array(request.buffer), shared, shared.buffer);
    for (const code of ['bytes', 'bytes.buffer', 'new DataView(bytes.buffer)', 'new Uint16Array(bytes.buffer)']) {
      const foreign = runInNewContext(`const bytes = new Uint8Array([109, 110, 13, 10]); ${code}`);
      assert.ok(!(foreign instanceof Object));
      forms.push(foreign);
    }
    for (const form of forms) assert.equal(text(protocol.execute(form)), 'MN\r\n');
  });

  test('wrong input is refused, and half a surrogate pair among it', () => {
    const protocol = new Protocol();
    for (const input of [1, null, undefined, {}, [97], Symbol('a'), () => 'mn']) {
      assert.throws(() => protocol.execute(input), { name: 'TypeError', message: /text, a typed array, a DataView or an ArrayBuffer/ });
    }
    assert.throws(() => protocol.execute('set a 0 0 3\r\n\ud800\r\n'), { name: 'TypeError', message: /surrogate/ });
    assert.equal(text(protocol.execute('set a 0 0 4\r\n😀\r\n')), 'STORED\r\n');
  });

  test('a request may be cut anywhere', () => {
    const protocol = new Protocol();
    const answers = [...'set a 0 0 5\r\nhello\r\nget a\r\n'].map((one) => text(protocol.execute(one)));
    assert.equal(answers.join(''), 'STORED\r\nVALUE a 0 5\r\nhello\r\nEND\r\n');
  });

  test('much at once', () => {
    const protocol = new Protocol();
    const value = 'x'.repeat(500_000);
    assert.equal(text(protocol.execute(`set a 0 0 ${value.length}\r\n${value}\r\n`)), 'STORED\r\n');
    const answer = text(protocol.execute('get a\r\n'.repeat(20)));
    assert.equal(answer, `VALUE a 0 500000\r\n${value}\r\nEND\r\n`.repeat(20));
  });

  test('connections are independent', () => {
    const protocol = new Protocol();
    const [one, other] = [protocol.connect(), protocol.connect()];
    one.execute('set a 0 0 5\r\nhel');
    assert.equal(text(other.execute('get a\r\n')), 'END\r\n');
    assert.equal(text(one.execute('lo\r\n')), 'STORED\r\n');
    assert.equal(text(protocol.execute('get a\r\n')), 'VALUE a 0 5\r\nhello\r\nEND\r\n');
    assert.equal(protocol.statistics().curr_connections, '3');
    one.close();
    one.close();
    assert.equal(one.isClosed, true);
    assert.throws(() => one.execute('version\r\n'), /closed; open another/);
    assert.equal(protocol.statistics().curr_connections, '2');
  });

  test('a request without room waits, and a whole one is answered', () => {
    const protocol = new Protocol();
    const head = 'set a 0 0 1000000\r\n';
    const halves = Array.from({ length: 20 }, () => protocol.connect());
    for (const half of halves) assert.equal(text(half.execute(`${head}half`)), '');
    const waiting = halves.filter((half) => half.isWaiting);
    // Three quarters of 16 MiB are for requests that are as long as these.
    assert.equal(waiting.length, 8);
    assert.equal(text(protocol.execute(`${head}${'x'.repeat(1_000_000)}\r\n`)), 'STORED\r\n');
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
    const protocol = new Protocol();
    const connection = protocol.connect();
    assert.equal(text(connection.execute('quit\r\nversion\r\n')), '');
    assert.equal(connection.isClosed, true);
    assert.equal(text(protocol.execute('quit\r\n')), '');
    assert.match(text(protocol.execute('version\r\n')), /^VERSION \S+\r\n$/);
  });

  test('connections have a limit', () => {
    const protocol = new Protocol();
    const all = Array.from({ length: 1024 }, () => protocol.connect());
    assert.throws(() => protocol.connect(), /1024 connections/);
    assert.equal(protocol.stats().items, 0);
    assert.equal(protocol.statistics().curr_connections, '1024');
    all[0].close();
    assert.equal(protocol.statistics().rejected_connections, '1');
  });

});

suite('connections', () => {
  test('that are forgotten are closed', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc');
    const protocol = new Protocol();
    const kept = protocol.connect();
    const open = () => Number(protocol.statistics().curr_connections);
    for (let i = 0; i < 1023; i++) protocol.connect();
    assert.throws(() => protocol.connect(), /1024 connections are open/);
    for (let i = 0; i < 200 && open() > 1; i++) {
      collect();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.equal(open(), 1);
    assert.equal(text(kept.execute('mn\r\n')), 'MN\r\n');
  });

  test('whose number is used again are not closed by those before them', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc');
    const protocol = new Protocol();
    // Ended by the engine, by the program, and by the end of a scope.
    protocol.connect().execute('quit\r\n');
    protocol.connect().close();
    protocol.connect()[Symbol.dispose]();
    const later = [protocol.connect(), protocol.connect(), protocol.connect()];
    for (let i = 0; i < 20; i++) {
      collect();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.equal(protocol.statistics().curr_connections, '3');
    for (const connection of later) assert.equal(text(connection.execute('mn\r\n')), 'MN\r\n');
  });
});

suite('statistics', () => {
  test('as numbers and by name', () => {
    const protocol = new Protocol();
    protocol.execute('set a 0 0 1\r\n1\r\nget a\r\nget b\r\n');
    const { items, hits, misses, sets, maxSize } = protocol.stats();
    assert.deepEqual({ items, hits, misses, sets, maxSize }, { items: 1, hits: 1, misses: 1, sets: 1, maxSize: 64 * MIB });
    assert.equal(protocol.statistics('settings').item_size_max, String(MIB));
    assert.equal(protocol.statistics('items')['items:1:number'], '1');
    assert.equal(protocol.statistics('sizes').sizes_status, 'disabled');
    assert.equal(protocol.statistics('conns')['0:addr'], 'memory:0');
    assert.ok(Object.keys(protocol.statistics('slabs')).length > 0);
    assert.equal(protocol.statistics().pid, '0');
  });

  test('the name of a group is no request', () => {
    const protocol = new Protocol();
    protocol.execute('set a 0 0 1\r\n1\r\n');
    const names = ['settings\r\nflush_all', 'x\r\nset pwn 0 0 1\r\n1', 'items\nflush_all', 'detail on', 'reset', 'cachedump 1 9', ''];
    for (const name of [...names, 'toString', 'SETTINGS', ['settings'], 1, null, { toString: () => 'settings' }]) {
      assert.throws(() => protocol.statistics(name), { name: 'TypeError', message: /the groups are settings, items/ });
    }
    assert.equal(protocol.stats().items, 1);
    assert.equal(text(protocol.execute('get a pwn\r\n')), 'VALUE a 0 1\r\n1\r\nEND\r\n');
  });

  test('a key that looks like statistics is none', () => {
    const protocol = new Protocol({ prefixDelimiter: ':' });
    protocol.execute('set STAT:x 0 0 1\r\n1\r\nget STAT:x\r\n');
    assert.match(text(protocol.execute('stats detail dump\r\n')), /^PREFIX STAT get 1 hit 1 set 1 del 0\r\nEND\r\n$/);
    assert.equal(protocol.statistics('settings').stat_key_prefix, ':');
  });
});

suite('options', () => {
  test('are checked when the protocol is made', () => {
    for (const maxSize of [0, -1, 1000, NaN, Infinity, 2047 * MIB + 1, 2100 * MIB, 5e9]) {
      assert.throws(() => new Protocol({ maxSize }), { name: 'RangeError', message: /maxSize is .*give 65536 to 2146435072 bytes/ });
    }
    for (const maxEntrySize of [0, NaN, 40 * MIB]) assert.throws(() => new Protocol({ maxEntrySize }), RangeError);
    for (const wrong of [{ maxSize: '1' }, { clock: 1 }, { cas: 0 }, { evictions: 'no' }, { flush: null }, { module: {} }]) {
      if (wrong.flush !== null) assert.throws(() => new Protocol(wrong), TypeError, JSON.stringify(wrong));
    }
    for (const wrong of [null, 100, 'x', () => 1]) assert.throws(() => new Protocol(wrong), /takes an object like \{ maxSize/);
    for (const prefixDelimiter of ['::', '', '\r', '\n', '\0', ' ', 'é', 58]) {
      assert.throws(() => new Protocol({ prefixDelimiter }), { name: 'RangeError', message: /one printable ASCII character/ });
    }
    const { maxSize, maxEntrySize } = new Protocol();
    assert.deepEqual({ maxSize, maxEntrySize }, { maxSize: 64 * MIB, maxEntrySize: MIB });
  });

  test('of other names are refused by name', () => {
    for (const [name, advice] of Object.entries({
      max: /has no option "max"; give maxSize, in bytes/,
      maxsize: /give maxSize$/,
      max_entry_size: /give maxEntrySize$/,
      ttl: /give an expiry in each request/,
      protocol: /its options themselves/,
      colour: /"colour"; the options are maxSize, maxEntrySize/,
      constructor: /"constructor"; the options are/,
    })) {
      assert.throws(() => new Protocol({ [name]: 1 }), { name: 'TypeError', message: advice });
    }
    assert.equal(new Protocol({ maxSize: undefined, cas: undefined, clock: undefined }).maxSize, 64 * MIB);
  });

  test('of every documented size work', () => {
    for (const maxSize of [64 * 1024, MIB, 2047 * MIB]) {
      const protocol = new Protocol({ maxSize });
      assert.equal(text(protocol.execute('set a 0 0 1\r\n1\r\nget a\r\n')), 'STORED\r\nVALUE a 0 1\r\n1\r\nEND\r\n');
      assert.equal(protocol.stats().maxSize, maxSize);
      protocol.dispose();
    }
  });

  test('switch what memcached’s flags switch', () => {
    const ask = (options, request) => text(new Protocol(options).execute(request));
    assert.equal(ask({ flush: false }, 'flush_all\r\n'), 'CLIENT_ERROR flush_all not allowed\r\n');
    assert.equal(ask({}, 'shutdown\r\n'), 'SERVER_ERROR: shutdown not enabled\r\n');
    assert.match(ask({ cas: false }, 'set a 0 0 1\r\n1\r\ngets a\r\n'), /VALUE a 0 1 0\r\n/);
    const full = new Protocol({ maxSize: 64 * 1024, evictions: false });
    let answer;
    for (let i = 0; i < 5000 && answer !== 'SERVER_ERROR out of memory storing object\r\n'; i++) {
      answer = text(full.execute(`set k${i} 0 0 20\r\n${'x'.repeat(20)}\r\n`));
    }
    assert.equal(answer, 'SERVER_ERROR out of memory storing object\r\n');
  });
});

suite('globals', () => {
  test('the time is asked for at each call', () => {
    const protocol = new Protocol();
    mock.timers.enable({ apis: ['Date'], now: Date.now() });
    try {
      protocol.execute('set a 0 10 1\r\n1\r\n');
      mock.timers.tick(5000);
      assert.match(text(protocol.execute('get a\r\n')), /VALUE/);
      mock.timers.tick(7000);
      assert.equal(text(protocol.execute('get a\r\n')), 'END\r\n');
    } finally {
      mock.timers.reset();
    }
  });

  test('a replaced Date is the time', () => {
    const { Date: real } = globalThis;
    const protocol = new Protocol();
    const start = real.now();
    protocol.execute('set a 0 10 1\r\n1\r\n');
    try {
      globalThis.Date = class extends real {
        static now = () => start + 12_000;
      };
      assert.equal(text(protocol.execute('get a\r\n')), 'END\r\n');
    } finally {
      globalThis.Date = real;
    }
  });

  test('a clock may go back, and be no number', () => {
    let now = 1_800_000_000_400;
    const protocol = new Protocol({ clock: () => now });
    assert.equal(text(protocol.execute('set a 0 1 1\r\n1\r\n')), 'STORED\r\n');
    now += 999;
    assert.equal(text(protocol.execute('mg a t v\r\n')), 'VA 1 t1\r\n1\r\n');
    now += 1001;
    assert.equal(text(protocol.execute('get a\r\n')), 'END\r\n');
    for (const odd of [now - 3_600_000, NaN, -1, 0, Infinity]) {
      now = odd;
      assert.equal(text(protocol.execute('mn\r\n')), 'MN\r\n');
    }
  });

  test('an engine that another realm compiled works', () => {
    const wasm = readFileSync(new URL('../dist/protocol.wasm', import.meta.url));
    const module = runInContext('new WebAssembly.Module(bytes)', createContext({ bytes: wasm }));
    assert.equal(module instanceof WebAssembly.Module, false);
    assert.equal(text(new Protocol({ module }).execute('mn\r\n')), 'MN\r\n');
  });
});

suite('the end', () => {
  test('a disposed protocol refuses', () => {
    const protocol = new Protocol();
    const connection = protocol.connect();
    protocol.dispose();
    protocol.dispose();
    for (const use of ['execute', 'connect', 'stats', 'statistics', 'clear']) {
      assert.throws(() => protocol[use](), /disposed; make a new one/, use);
    }
    assert.throws(() => connection.execute('version\r\n'), /closed/);
    assert.equal(String(protocol), '[object Protocol]');
    assert.equal(typeof protocol[Symbol.dispose], 'function');
  });

  test('clear empties and closes connections', () => {
    const protocol = new Protocol();
    const connection = protocol.connect();
    connection.execute('set a 0 0 1\r\n1\r\n');
    protocol.clear();
    assert.equal(connection.isClosed, true);
    connection.close();
    assert.equal(text(protocol.execute('get a\r\n')), 'END\r\n');
    assert.equal(protocol.stats().items, 0);
  });

  test('protocols do not know each other', () => {
    const all = Array.from({ length: 20 }, () => new Protocol({ maxSize: MIB }));
    all.forEach((protocol, i) => protocol.execute(`set a 0 0 2\r\n${10 + i}\r\n`));
    const answers = all.map((protocol) => text(protocol.execute('get a\r\n')));
    assert.deepEqual(answers, all.map((_, i) => `VALUE a 0 2\r\n${10 + i}\r\nEND\r\n`));
  });
});
