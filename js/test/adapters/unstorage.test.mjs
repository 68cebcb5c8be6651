// The driver in unstorage. Each step runs on unstorage's own memory driver, too, and both must answer alike.

import { createStorage, prefixStorage, restoreSnapshot, snapshot } from 'unstorage';
import memory from 'unstorage/drivers/memory';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Cache } from 'wasmcached';
import driver from 'wasmcached/unstorage';

const MIB = 1024 * 1024;
let ours;
let theirs;

beforeEach(() => {
  ours = createStorage({ driver: driver({ maxSize: MIB }) });
  theirs = createStorage({ driver: memory() });
});

afterEach(async () => {
  vi.useRealTimers();
  await ours.dispose();
});

/** Runs a step on both storages; returns what they answered, which is the same. */
async function both(step) {
  const [our, their] = await Promise.all([ours, theirs].map((storage) => outcome(() => step(storage))));
  expect(our).toEqual(their);
  return our;
}

async function outcome(step) {
  try {
    return { value: await step() };
  } catch (error) {
    return { error: error.message };
  }
}

const sorted = async (keys) => (await keys).sort();

it('starts empty', async () => {
  expect(await both((s) => s.hasItem('a:b'))).toEqual({ value: false });
  expect(await both((s) => s.getItem('a:b'))).toEqual({ value: null });
  expect(await both((s) => s.getItemRaw('a:b'))).toEqual({ value: null });
  expect(await both((s) => s.getKeys())).toEqual({ value: [] });
  expect(await both((s) => s.removeItem('a:b'))).toEqual({ value: undefined });
});

it('keeps what JSON keeps', async () => {
  const values = [
    'text',
    '',
    '5',
    0,
    1.5,
    true,
    false,
    null,
    { a: [1, { b: 'c' }] },
    [],
    new (class {
      toJSON() {
        return { made: 1 };
      }
    })(),
  ];
  for (const value of values) {
    await both((s) => s.setItem('value', value));
    await both((s) => s.getItem('value'));
    await both((s) => s.hasItem('value'));
  }
  await both((s) => s.setItem('value', new (class Test {})()));
  await both((s) => s.setItem('value', undefined));
  expect(await both((s) => s.hasItem('value'))).toEqual({ value: false });
});

it('keeps raw bytes of every kind', async () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
  for (const value of [
    bytes,
    bytes.buffer,
    Buffer.from(bytes),
    new DataView(bytes.buffer),
    new Uint16Array(bytes.buffer),
  ]) {
    await ours.setItemRaw('raw.bin', value);
    expect(new Uint8Array(await ours.getItemRaw('raw.bin'))).toEqual(bytes);
  }
  await ours.setItemRaw('raw.bin', bytes.subarray(10, 20));
  expect(await ours.getItemRaw('raw.bin')).toEqual(bytes.slice(10, 20));
  await ours.setItemRaw('text', 'text');
  expect(await ours.getItem('text')).toBe('text');
  await expect(ours.setItemRaw('object', { a: 1 })).rejects.toThrow(/setItem stores objects as JSON/);
});

it('lists keys by base and depth', async () => {
  for (const key of ['a', 'b:c', 'b:d:e', 'b:d:f', 'bc', 'x?q=1', '/y/z.json']) await both((s) => s.setItem(key, 1));
  for (const base of [undefined, '', 'b', 'b:', 'b:d', 'nothing', 'y']) {
    for (const maxDepth of [undefined, 0, 1, 2, 3]) {
      await both((s) => sorted(s.getKeys(base, maxDepth === undefined ? {} : { maxDepth })));
    }
  }
  expect(await both((s) => sorted(s.getKeys('b')))).toEqual({ value: ['b:c', 'b:d:e', 'b:d:f'] });
  expect(await both((s) => sorted(prefixStorage(s, 'b').getKeys()))).toEqual({ value: ['c', 'd:e', 'd:f'] });
});

it('clears a base, and everything', async () => {
  for (const key of ['a', 'b:c', 'b:d', 'bc']) await both((s) => s.setItem(key, 1));
  await both((s) => s.clear('b'));
  await both((s) => sorted(s.getKeys()));
  // unstorage clears mounted drivers only as a whole; others may call the driver with a base.
  ours.getMount('').driver.clear('b:');
  expect((await ours.getKeys()).sort()).toEqual(['a', 'bc']);
  await both((s) => s.clear());
  await both((s) => s.clear());
  expect(await both((s) => s.getKeys())).toEqual({ value: [] });
});

it('reads and writes many', async () => {
  const items = [
    { key: 't:1', value: 'one' },
    { key: 't:2', value: { two: 2 } },
    { key: 't:3?q=1', value: 3 },
  ];
  await both((s) => s.setItems(items));
  expect(await both((s) => s.getItems(['t:1', { key: 't:2' }, 't:3?q=2', 't:4']))).toEqual({
    value: [
      { key: 't:1', value: 'one' },
      { key: 't:2', value: { two: 2 } },
      { key: 't:3', value: 3 },
      { key: 't:4', value: null },
    ],
  });
});

it('keeps metadata beside an item, and knows size and time to live', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  await ours.setItem('m', 'text', { ttl: 60 });
  await ours.setMeta('m', { owner: 'me' });
  expect(await ours.getMeta('m')).toEqual({ size: 4, ttl: 60, owner: 'me' });
  await ours.setItem('n', 'more');
  expect(await ours.getMeta('n')).toEqual({ size: 4 });
  expect(await ours.getMeta('nothing')).toEqual({});
  await ours.removeItem('m', { removeMeta: true });
  expect(await ours.getKeys()).toEqual(['n']);
});

it('ends items after seconds, by item, by batch and by default', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  const storage = createStorage({ driver: driver({ maxSize: MIB, ttl: 10 }) });
  await storage.setItem('default', 1);
  await storage.setItem('own', 2, { ttl: 30 });
  await storage.setItem('never', 3, { ttl: 0 });
  await storage.setItemRaw('raw', new Uint8Array([1]), { ttl: 30 });
  await storage.setItems(
    [
      { key: 'batch', value: 4 },
      { key: 'single', value: 5, options: { ttl: 5 } },
    ],
    { ttl: 30 },
  );
  vi.advanceTimersByTime(10_100);
  expect((await storage.getKeys()).sort()).toEqual(['batch', 'never', 'own', 'raw']);
  vi.advanceTimersByTime(20_000);
  expect(await storage.getKeys()).toEqual(['never']);
});

it('reports changes to watchers', async () => {
  const events = [];
  const unwatch = await ours.watch((event, key) => events.push([event, key]));
  await ours.setItem('w:1', 1);
  await ours.setItemRaw('w:2', 'x');
  await ours.removeItem('w:1');
  await unwatch();
  await ours.setItem('w:3', 1);
  expect(events).toEqual([
    ['update', 'w:1'],
    ['update', 'w:2'],
    ['remove', 'w:1'],
  ]);
});

it('restores snapshots and takes mounts', async () => {
  await both((s) => restoreSnapshot(s, { a: 'x', 'b:c': 'y' }, 'restored'));
  await both((s) => snapshot(s, 'restored'));
  const root = createStorage();
  root.mount('cache', driver({ maxSize: MIB }));
  await root.setItem('cache:k', 1);
  await root.setItem('other', 2);
  expect((await root.getKeys()).sort()).toEqual(['cache:k', 'other']);
  await root.clear('cache');
  expect(await root.getKeys()).toEqual(['other']);
});

it('takes the options of a mount of Nitro, and refuses those that it does not know', async () => {
  const storage = createStorage({ driver: driver({ driver: 'wasmcached/unstorage', maxSize: MIB, ttl: 5 }) });
  await storage.setItem('k', 1);
  expect(await storage.getItem('k')).toBe(1);
  expect(() => driver({ driver: 'wasmcached/unstorage', max: 5 })).toThrow(/no option `max`; use `maxItems`/);
});

it('shares a cache, and leaves it alone when it is disposed', async () => {
  const cache = new Cache({ maxSize: MIB });
  const storage = createStorage({ driver: driver({ cache: cache.namespace('shared') }) });
  cache.set('k', 'outside');
  await storage.setItem('k', 'inside');
  expect(await storage.getKeys()).toEqual(['k']);
  await storage.clear();
  await storage.dispose();
  expect(cache.getText('k')).toBe('outside');
});
