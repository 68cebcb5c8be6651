// The handlers beside Next.js's own: the built-in handler of 'use cache' answers the same steps.

import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { suite, test } from 'node:test';
import NextHandler, { nextCacheHandler } from 'wasmcached/next';
import { nextUseCacheHandler } from 'wasmcached/next/use-cache';

const require = createRequire(import.meta.url);
const { createDefaultCacheHandler } = require('next/dist/server/lib/cache-handlers/default.js');
const MIB = 1024 * 1024;
const now = () => performance.timeOrigin + performance.now();

suite('use cache', () => {
  const stream = (...chunks) =>
    new ReadableStream({
      start(controller) {
        for (const chunk of chunks) controller.enqueue(new TextEncoder().encode(chunk));
        controller.close();
      },
    });
  const entry = (text, more = {}) => ({
    value: stream(...text),
    tags: ['a', 'b'],
    stale: 300,
    timestamp: now(),
    expire: 3600,
    revalidate: 900,
    ...more,
  });
  const read = async (found) => found && { ...found, value: await new Response(found.value).text() };
  let names = 0;
  const make = () => [createDefaultCacheHandler(MIB), nextUseCacheHandler({ maxSize: MIB }, `test ${names++}`)];

  /** Runs the steps on both; returns the answer, which is the same. */
  async function both(handlers, step) {
    const [theirs, ours] = [await step(handlers[0]), await step(handlers[1])];
    assert.deepEqual(ours, theirs);
    return ours;
  }

  test('keeps an entry and gives each reader a stream of its own', async () => {
    const handlers = make();
    const timestamp = now();
    assert.equal(await both(handlers, (handler) => handler.get('k', [])), undefined);
    await both(handlers, (handler) =>
      handler.set('k', Promise.resolve(entry(['one', ' ', 'é😀'], { timestamp, expire: Infinity }))),
    );
    for (const _ of [1, 2]) {
      const found = await both(handlers, async (handler) => read(await handler.get('k', [])));
      assert.deepEqual(found, {
        value: 'one é😀',
        tags: ['a', 'b'],
        stale: 300,
        timestamp,
        expire: Infinity,
        revalidate: 900,
      });
    }
    await both(handlers, (handler) => handler.set('empty', Promise.resolve(entry([], { timestamp }))));
    assert.equal((await both(handlers, async (handler) => read(await handler.get('empty', [])))).value, '');
  });

  test('a reader waits for an entry that is being made', async () => {
    for (const handler of make()) {
      let finish;
      const set = handler.set('k', new Promise((done) => (finish = done)));
      const get = handler.get('k', []);
      finish(entry(['late']));
      assert.equal((await read(await get)).value, 'late');
      await set;
    }
  });

  test('a stream that fails, a rejected entry and one without a life leave nothing', async () => {
    const failing = () => new ReadableStream({ start: (controller) => controller.error(new Error('broken')) });
    const handlers = make();
    await both(handlers, (handler) => handler.set('k', Promise.resolve(entry([], { value: failing() }))));
    await both(handlers, (handler) => handler.set('z', Promise.resolve(entry(['x'], { expire: 0 }))));
    assert.deepEqual(
      await both(handlers, async (handler) => [await handler.get('k', []), await handler.get('z', [])]),
      [undefined, undefined],
    );
    await handlers[1].set('r', Promise.reject(new Error('rejected')));
    assert.equal(await handlers[1].get('r', []), undefined);
  });

  test('tags expire at once, become stale, and expire later', async () => {
    const handlers = make();
    const [expired, stale] = [`expired ${names}`, `stale ${names}`];
    const timestamp = now() - 1;
    for (const [key, tags] of [
      ['e', [expired]],
      ['s', [stale]],
      ['n', []],
    ]) {
      await both(handlers, (handler) => handler.set(key, Promise.resolve(entry(['x'], { tags, timestamp }))));
    }
    assert.equal(await both(handlers, (handler) => handler.getExpiration([expired])), 0);
    for (const handler of handlers) {
      await handler.updateTags([expired]);
      await handler.updateTags([stale], { expire: 3600 });
    }
    // Next.js rounds the time, which may lie half a millisecond ahead.
    await new Promise((done) => setTimeout(done, 3));
    assert.equal(await both(handlers, (handler) => handler.get('e', [])), undefined);
    assert.equal((await both(handlers, async (handler) => read(await handler.get('s', [])))).revalidate, -1);
    assert.equal((await both(handlers, async (handler) => read(await handler.get('n', [])))).revalidate, 900);
    for (const handler of handlers)
      assert.ok(Math.abs((await handler.getExpiration([expired, 'other'])) - now()) < 5000);
    await both(handlers, (handler) =>
      handler.set('e', Promise.resolve(entry(['new'], { tags: [expired], timestamp: timestamp + 10_000 }))),
    );
    assert.equal((await both(handlers, async (handler) => read(await handler.get('e', [])))).value, 'new');
  });

  test('an entry that is too large is not kept, and nothing fails', async () => {
    const [, handler] = make();
    await handler.set('k', Promise.resolve(entry(['x'.repeat(MIB)])));
    assert.equal(await handler.get('k', []), undefined);
    await handler.set('k'.repeat(100_000), Promise.resolve(entry(['x'])));
    assert.equal(await handler.get('k'.repeat(100_000), []), undefined);
  });
});

test('the configuration in the README names files with the interfaces', async () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const [, code] = /^```js next\n(.*?)^```/ms.exec(readme);
  // The file must lie here for the package to be found.
  const file = new URL('readme.config.mjs', import.meta.url);
  writeFileSync(file, code);
  try {
    const { default: config } = await import(file);
    const { default: Handler } = await import(config.cacheHandler);
    for (const name of ['get', 'set', 'revalidateTag', 'resetRequestCache'])
      assert.equal(typeof new Handler({})[name], 'function');
    const { default: handler } = await import(config.cacheHandlers.default);
    for (const name of ['get', 'set', 'refreshTags', 'getExpiration', 'updateTags'])
      assert.equal(typeof handler[name], 'function');
  } finally {
    rmSync(file);
  }
});

suite('the incremental cache', () => {
  const Handler = nextCacheHandler({ maxSize: 4 * MIB });
  const long = 'é😀\u2028'.repeat(1000);
  const bytes = Buffer.from(Uint8Array.from({ length: 256 }, (_, index) => index));
  const values = {
    APP_PAGE: {
      kind: 'APP_PAGE',
      html: long,
      rscData: bytes,
      postponed: undefined,
      status: 200,
      headers: { 'x-next-cache-tags': 'p,q', 'set-cookie': ['a', 'b'] },
      segmentData: new Map([
        ['/_tree', bytes],
        ['/a', Buffer.from('')],
      ]),
    },
    PAGES: { kind: 'PAGES', html: '<p>short</p>', pageData: { a: [1, null, { b: 'é' }] }, headers: {}, status: 404 },
    APP_ROUTE: { kind: 'APP_ROUTE', body: bytes, status: 201, headers: { 'content-type': 'a/b' } },
    FETCH: {
      kind: 'FETCH',
      data: { headers: { a: 'b' }, body: bytes.toString('base64'), url: 'http://x/', status: 200 },
      revalidate: 60,
    },
    IMAGE: { kind: 'IMAGE', etag: 'e', upstreamEtag: 'u', buffer: bytes, extension: 'webp', revalidate: 60 },
    REDIRECT: { kind: 'REDIRECT', props: { pageProps: { __N_REDIRECT: '/x' } } },
    'not found': null,
  };

  for (const [kind, value] of Object.entries(values)) {
    test(`${kind} comes back as it was, with buffers and maps`, async () => {
      const cacheControl = { revalidate: 10, expire: 100 };
      await new Handler().set(`key ${kind}`, value, { cacheControl });
      const found = await new Handler().get(`key ${kind}`, { kind });
      assert.deepEqual(found.cacheControl, cacheControl);
      assert.ok(Math.abs(found.lastModified - Date.now()) < 10_000);
      assert.deepEqual(found.value, value === null ? null : clean(value));
      for (const field of ['rscData', 'body', 'buffer'])
        assert.equal(Buffer.isBuffer(found.value?.[field]), Buffer.isBuffer(value?.[field]));
    });
  }

  const clean = (value) => Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined));

  test('tags of a page, of a fetch and of its request make it a miss', async () => {
    const handler = new Handler();
    const fill = async () => {
      await handler.set('page', values.APP_PAGE, {});
      await handler.set('fetch', values.FETCH, { fetchCache: true, tags: ['stored'] });
      await new Promise((done) => setTimeout(done, 3));
    };
    const found = async () =>
      [
        await handler.get('page', { kind: 'APP_PAGE' }),
        await handler.get('fetch', { kind: 'FETCH', tags: ['asked'], softTags: ['soft'] }),
      ].map((record) => record !== null);
    await fill();
    assert.deepEqual(await found(), [true, true]);
    for (const [tag, expected] of [
      ['q', [false, true]],
      ['stored', [true, false]],
      ['asked', [true, false]],
      ['soft', [true, false]],
      ['none', [true, true]],
    ]) {
      await handler.revalidateTag(tag);
      assert.deepEqual(await found(), expected, tag);
      await new Promise((done) => setTimeout(done, 3));
      await fill();
    }
    await handler.revalidateTag(['p', 'stored'], { expire: 3600 });
    assert.deepEqual(await found(), [true, true]);
    assert.equal(await new Handler({ revalidatedTags: ['stored'] }).get('fetch', { kind: 'FETCH' }), null);
  });

  test('an entry ends with its cache control, and one that is too large is a miss', async (t) => {
    const handler = new Handler();
    handler.resetRequestCache();
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
    await handler.set('ends', values.PAGES, { cacheControl: { revalidate: 1, expire: 5 } });
    t.mock.timers.tick(4900);
    assert.notEqual(await handler.get('ends', {}), null);
    t.mock.timers.tick(200);
    assert.equal(await handler.get('ends', {}), null);
    await handler.set('large', { ...values.PAGES, html: 'x'.repeat(2 * MIB) }, {});
    assert.equal(await handler.get('large', {}), null);
    assert.equal(typeof new NextHandler({ maxMemoryCacheSize: 0 }).get, 'function');
  });
});
