// The KV face beside a real namespace of Workers KV in workerd: the same steps, the same outcomes, errors included.

import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Cache } from 'wasmcached';
import { KvNamespace } from 'wasmcached/kv';
import { performKv } from './faces.mjs';
import { startWorkers } from './workers.mjs';

const MIB = 1024 * 1024;
const LONG = { $repeat: ['k', 513] };
const MANY = Array.from({ length: 101 }, (_, index) => `k${index}`);
const soon = () => Math.floor(Date.now() / 1000) + 3600;
const sorts = ['z', 'a', 'é', 'ｚ', '😀', 'aa', 'a b', 'Z', '~', '\u00ff', '\ue000', '0'];

/** Each list is a conversation with an empty namespace. */
const CONVERSATIONS = {
  keys: [
    ['get', ''],
    ['get', '.'],
    ['get', '..'],
    ['get', LONG],
    ['get', { $repeat: ['é', 257] }],
    ['get', 'none'],
    ['put', '', 'x'],
    ['put', '.', 'x'],
    ['put', LONG, 'x'],
    ['put', { $repeat: ['k', 512] }, 'x'],
    ['get', { $repeat: ['k', 512] }],
    ['delete', ''],
    ['delete', '..'],
    ['delete', LONG],
    ['put', 5, 'number'],
    ['get', 5],
    ['get', '5'],
    ['put', 'k\u0000\r\n y', '1'],
    ['get', 'k\u0000\r\n y'],
    ['put', '😀', 'e'],
    ['get', '😀'],
    ['put', 'half\ud83d', 'e'],
    ['get', 'half\ud83d'],
    ['delete', 'half\ud83d'],
  ],
  'types of values': [
    ['put', 'text', 'text'],
    ['put', 'bytes', { $bytes: [1, 2, 255] }],
    ['put', 'buffer', { $buffer: [4, 5] }],
    ['put', 'stream', { $stream: 'streamed' }],
    ['put', 'number', 5],
    ['put', 'object', { x: 1 }],
    ['put', 'null', null],
    ['put', 'empty', ''],
    ['put', 'json', '{"x":[1]}'],
    ['put', 'bom', '\ufeffx'],
    ...['text', 'bytes', 'buffer', 'stream', 'number', 'object', 'null', 'empty', 'json', 'bom', 'none'].flatMap(
      (key) => [
        ['get', key],
        ['get', key, 'text'],
        ['get', key, 'json'],
        ['get', key, 'arrayBuffer'],
        ['get', key, 'stream'],
        ['get', key, { type: 'arrayBuffer' }],
        ['getWithMetadata', key, 'json'],
        ['getWithMetadata', key, { type: 'stream' }],
      ],
    ),
    ['get', 'none', 'wrong'],
    ['get', 'text', 'wrong'],
    ['get', 'text', { cacheTtl: 30 }],
    ['get', 'text', { cacheTtl: 29 }],
    ['get', 'text', { cacheTtl: { $nan: 1 } }],
  ],
  'lifetimes and metadata': [
    ['put', 'm', '1', { metadata: { owner: 'me', list: [1] }, expirationTtl: 60 }],
    ['getWithMetadata', 'm'],
    ['getWithMetadata', 'm', 'json'],
    ['put', 'm', '2'],
    ['getWithMetadata', 'm'],
    ['getWithMetadata', 'none'],
    ['put', 'm', '3', { metadata: null }],
    ['getWithMetadata', 'm'],
    ['put', 'm', '4', { metadata: 7 }],
    ['getWithMetadata', 'm'],
    ['put', 'm', '4', { metadata: 0 }],
    ['getWithMetadata', 'm'],
    ['put', 'm', '4', { metadata: '' }],
    ['getWithMetadata', 'm'],
    ['put', 'x', '1', { metadata: { $repeat: ['m', 1022] } }],
    ['put', 'x', '1', { metadata: { $repeat: ['m', 1023] } }],
    ...[59, 60.7, 0, -1, 'abc', { $nan: 1 }].map((expirationTtl) => ['put', 'x', '1', { expirationTtl }]),
    ...[1, soon(), Math.floor(Date.now() / 1000) + 30, 0].map((expiration) => ['put', 'x', '1', { expiration }]),
    ['put', 'x', '1', { expiration: 1, expirationTtl: 60 }],
    ['put', 'y', '1', { expiration: 2_000_000_000 }],
    ['list', { prefix: 'y' }],
  ],
  'many keys': [
    ['put', 'a', 'text'],
    ['put', 'b', '{"x":1}', { metadata: { m: 1 } }],
    ['get', ['a', 'b', 'none', 'a']],
    ['get', ['b'], 'json'],
    ['get', ['a', 'b'], 'json'],
    ['get', ['b', 'none'], { type: 'json' }],
    ['get', []],
    ['get', MANY],
    ['get', MANY.slice(1)],
    ['get', ['a'], 'arrayBuffer'],
    ['get', ['a'], 'stream'],
    ['get', ['']],
    ['get', ['.']],
    ['get', ['a', LONG]],
    ['get', ['a'], { type: 'text', cacheTtl: 5 }],
    ['getWithMetadata', ['a', 'b', 'none']],
    ['getWithMetadata', ['b'], 'json'],
  ],
  lists: [
    ['list'],
    ...sorts.map((key, index) => ['put', key, '1', index % 3 === 0 ? { metadata: index } : {}]),
    ['list'],
    ['list', {}],
    ['list', { prefix: 'a' }],
    ['list', { prefix: '' }],
    ['list', { prefix: null, cursor: null }],
    ['list', { prefix: 'none' }],
    ['list', { prefix: LONG }],
    ['list', { limit: 1000 }],
    ['list', { limit: 1001 }],
    ['list', { limit: 0 }],
    ['list', { limit: -1 }],
    ['list', { limit: { $nan: 1 } }],
    ['list', { limit: '3' }],
    ['list', { limit: 2.5 }],
    ['list', { limit: 12 }],
    ['list', { limit: 2, cursor: 'YQ==' }],
    ['list', { limit: 2, cursor: '' }],
    ['list', { prefix: 'a', limit: 1 }],
    ['list', { prefix: 'a', limit: 1, cursor: 'YQ==' }],
    ['list', { prefix: 'a', limit: 1, cursor: 'YWE=' }],
    ['delete', 'a'],
    ['delete', 'a'],
    ['list', { prefix: 'a' }],
  ],
};

describe('KV', () => {
  let workers;
  beforeAll(async () => void (workers = await startWorkers()));
  afterAll(() => workers.stop());
  afterEach(() => void vi.useRealTimers());

  it.each(Object.keys(CONVERSATIONS))('%s', async (name) => {
    const steps = CONVERSATIONS[name];
    const ours = new KvNamespace(new Cache({ maxSize: 64 * MIB, maxEntrySize: 26 * MIB }));
    const clean = await workers.perform('kv', [['list']]);
    await workers.perform(
      'kv',
      clean[0].value.keys.map((key) => ['delete', key.name]),
    );
    const [theirs, there] = [await workers.perform('kv', steps), await workers.perform('our kv', steps)];
    for (const [index, step] of steps.entries()) {
      const our = JSON.parse(JSON.stringify(await performKv(ours, step)));
      expect([step, seconds(our)]).toEqual([step, seconds(theirs[index])]);
      expect([step, seconds(there[index])]).toEqual([step, seconds(theirs[index])]);
    }
  });

  /** Two clocks may stand on both sides of a second. */
  const seconds = (outcome) =>
    JSON.parse(JSON.stringify(outcome).replace(/("expiration":|expiration of )\d{10}/g, '$10'));

  it('limits values to 25 MiB, or to what the cache takes', async () => {
    const large = ['put', 'large', { $repeat: ['x', 25 * MIB + 1] }];
    const ours = new KvNamespace(new Cache({ maxSize: 64 * MIB, maxEntrySize: 26 * MIB }));
    expect([await performKv(ours, large)]).toEqual(await workers.perform('kv', [large]));
    const small = new KvNamespace(new Cache({ maxSize: MIB, maxEntrySize: 4096 }));
    await expect(small.put('k', 'x'.repeat(5000))).rejects.toThrow(
      /^KV PUT failed: 413 Value length of 5000: .*maxEntrySize/,
    );
  });

  it('refuses text that has no UTF-8, which the real one changes', async () => {
    await expect(new KvNamespace(new Cache()).put('k', 'half\ud83d')).rejects.toThrow(/half a surrogate pair/);
  });

  it('walks through pages with the cursor', async () => {
    const ours = new KvNamespace(new Cache({ maxSize: 8 * MIB }));
    const names = Array.from({ length: 2500 }, (_, index) => `p:${String(index).padStart(5, '0')}`);
    for (const name of [...names].reverse()) await ours.put(name, '1');
    await ours.put('other', '1');
    const pages = [];
    let cursor;
    do {
      const page = await ours.list({ prefix: 'p:', cursor });
      pages.push(page.keys.length);
      expect(page.keys.map(({ name }) => name)).toEqual(names.slice((pages.length - 1) * 1000, pages.length * 1000));
      cursor = page.cursor;
    } while (cursor !== undefined);
    expect(pages).toEqual([1000, 1000, 500]);
  });

  it('ends values at the second', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1_800_000_000_000 });
    const ours = new KvNamespace(new Cache({ maxSize: MIB }));
    await ours.put('ttl', '1', { expirationTtl: 60 });
    await ours.put('at', '2', { expiration: 1_800_000_090 });
    vi.setSystemTime(1_800_000_059_999);
    expect(await ours.get('ttl')).toBe('1');
    vi.setSystemTime(1_800_000_060_000);
    expect(await ours.get('ttl')).toBe(null);
    expect((await ours.list()).keys).toEqual([{ name: 'at', expiration: 1_800_000_090 }]);
    vi.setSystemTime(1_800_000_090_000);
    expect(await ours.list()).toEqual({ keys: [], list_complete: true, cacheStatus: null });
  });
});
