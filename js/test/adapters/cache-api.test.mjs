// The Cache API face beside the real ones: the cache of workerd, which honours lifetimes, and undici's, which follows the
// standard. A step that both answer alike must have the same answer here; where they differ, the list says whom we follow.

import { createServer } from 'node:http';
import * as undici from 'undici';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Cache } from 'wasmcached';
import { ResponseCache, ResponseCaches } from 'wasmcached/cache-api';
import { performCache } from './faces.mjs';
import { startWorkers } from './workers.mjs';

const MIB = 1024 * 1024;
const URL_ = 'http://host.test/path';
const fresh = (headers = {}, body = 'body', init = {}) => [
  body,
  { ...init, headers: { 'cache-control': 'max-age=60', ...headers } },
];
const en = [URL_, { headers: { 'accept-language': 'en' } }];
const de = [URL_, { headers: { 'accept-language': 'de' } }];

/** Conversations with an empty cache. A step is followed by whom it follows where the two differ. */
const CONVERSATIONS = {
  'stores and finds': [
    [['match', URL_]],
    [['put', URL_, fresh()]],
    [['match', URL_]],
    [['match', `${URL_}#hash`]],
    [['match', `${URL_}?q`]],
    [['match', 'http://host.test/other']],
    [['match', 'https://host.test/path']],
    [['match', [URL_, { headers: { a: 'b' } }]]],
    [['put', URL_, fresh({ 'x-a': '1', 'content-type': 'text/html' }, 'new', { status: 404 })]],
    [['match', URL_]],
    [['delete', URL_]],
    [['delete', URL_]],
    [['match', URL_]],
  ],
  'bodies and statuses': [
    [['put', URL_, fresh({}, '')]],
    [['match', URL_]],
    [['put', URL_, fresh({}, { $bytes: [0, 255, 10] })]],
    [['match', URL_]],
    [['put', URL_, fresh({}, { $stream: 'streamed' })]],
    [['match', URL_]],
    [['put', URL_, fresh({}, 'x', { status: 203, statusText: 'Other' })], 'standard'],
    [['match', URL_], 'standard'],
    [['put', URL_, fresh({}, null, { status: 204 })]],
    [['match', URL_], 'standard'],
    [['put', URL_, fresh({ location: '/x' }, null, { status: 301 })]],
    [['match', URL_]],
    [['put', URL_, fresh({}, 'x', { status: 500 })], 'standard'],
    [['match', URL_], 'standard'],
  ],
  methods: [
    [['put', [URL_, { method: 'POST', body: 'x' }], fresh()]],
    [['put', [URL_, { method: 'HEAD' }], fresh()]],
    [['put', URL_, fresh()]],
    [['match', [URL_, { method: 'POST', body: 'x' }]]],
    [['match', [URL_, { method: 'PUT', body: 'x' }], { ignoreMethod: true }]],
    [['delete', [URL_, { method: 'POST', body: 'x' }]]],
    [['match', URL_]],
    [['delete', [URL_, { method: 'POST', body: 'x' }], { ignoreMethod: true }]],
    [['match', URL_]],
  ],
  'refuses what cannot be matched': [
    [
      [
        'put',
        URL_,
        ['part', { status: 206, headers: { 'content-range': 'bytes 0-3/9', 'cache-control': 'max-age=60' } }],
      ],
    ],
    [['put', URL_, fresh({ vary: '*' })]],
    [['put', URL_, fresh({ vary: 'a, *' })]],
    [['match', URL_]],
    [['put', 'ftp://host.test/', fresh()], 'standard'],
  ],
  'a part of the URL': [
    [['put', `${URL_}?a=1`, fresh({}, 'one')]],
    [['match', URL_]],
    [['match', `${URL_}?a=2`]],
    [['match', `${URL_}?a=2`, { ignoreSearch: true }], 'standard'],
    [['match', URL_, { ignoreSearch: true }], 'standard'],
    [['match', 'http://host.test/', { ignoreSearch: true }], 'standard'],
    [['delete', URL_, { ignoreSearch: true }], 'standard'],
    [['match', `${URL_}?a=1`], 'standard'],
  ],
  Vary: [
    [['put', en, fresh({ vary: 'Accept-Language' }, 'english')]],
    [['match', en]],
    [['match', de], 'standard'],
    [['match', URL_], 'standard'],
    [['match', de, { ignoreVary: true }], 'standard'],
    [['put', de, fresh({ vary: 'accept-language' }, 'deutsch')]],
    [['match', en], 'standard'],
    [['match', de]],
    [['delete', en], 'standard'],
    [['match', en], 'standard'],
    [['match', de], 'standard'],
    [['put', en, fresh({}, 'for all')]],
    [['match', en]],
  ],
  lifetimes: [
    [['put', URL_, ['x', { headers: { 'cache-control': 'no-store' } }]], 'workers'],
    [['match', URL_], 'workers'],
    [['put', URL_, ['x', { headers: { 'cache-control': 'private, max-age=60' } }]], 'workers'],
    [['match', URL_], 'workers'],
    [['put', URL_, ['x', { headers: { 'cache-control': 'no-cache' } }]], 'workers'],
    [['match', URL_], 'workers'],
    [['put', URL_, ['x', { headers: { 'cache-control': 'max-age=0' } }]], 'workers'],
    [['match', URL_], 'workers'],
    [['put', URL_, ['x', { headers: { 'cache-control': 's-maxage=0, max-age=60' } }]], 'workers'],
    [['match', URL_], 'workers'],
    [['put', URL_, ['x', { headers: { 'cache-control': 'public, S-MaxAge=60, max-age=0' } }]], 'workers'],
    [['put', URL_, ['x', { headers: { 'cache-control': 'public, s-maxage="60", max-age=0' } }]], 'workers'],
    [['match', URL_], 'workers'],
    [['put', URL_, ['x', { headers: { expires: 'Thu, 01 Jan 1970 00:00:00 GMT' } }]], 'workers'],
    [['match', URL_], 'workers'],
    [['put', URL_, ['x', { headers: { expires: '0' } }]], 'workers'],
    [['match', URL_], 'workers'],
    [['put', URL_, ['x', { headers: { expires: 'Fri, 01 Jan 2100 00:00:00 GMT' } }]]],
    [['match', URL_]],
    [['put', URL_, ['x', { headers: { expires: 'Thu, 01 Jan 1970 00:00:00 GMT', 'cache-control': 'max-age=60' } }]]],
    [['match', URL_]],
    [['put', URL_, ['x', { headers: { age: '100', 'cache-control': 'max-age=60' } }]], 'workers'],
    [['match', URL_], 'workers'],
    [['delete', URL_], 'workers'],
    [['put', URL_, ['x', {}]], 'standard'],
    [['match', URL_], 'standard'],
  ],
  cookies: [
    [['put', URL_, fresh({ 'set-cookie': 'a=b' })], 'workers'],
    [['match', URL_], 'workers'],
  ],
};

afterEach(() => void vi.useRealTimers());

describe('the same steps elsewhere', () => {
  let workers;
  beforeAll(async () => void (workers = await startWorkers()));
  afterAll(() => workers.stop());

  it.each(Object.keys(CONVERSATIONS))('%s', async (name) => {
    const conversation = CONVERSATIONS[name];
    const steps = conversation.map(([step]) => step);
    const [theirs, there] = [await workers.perform('cache', steps, name), await workers.perform('our cache', steps)];
    const standardCache = await undici.caches.open(name);
    const ours = new ResponseCache(new Cache({ maxSize: MIB }));
    for (const [index, [step, followed]] of conversation.entries()) {
      const worker = comparable(theirs[index]);
      const standard = comparable(await performCache(standardCache, step, undici));
      const our = comparable(await performCache(ours, step));
      if (followed === undefined) expect([step, worker]).toEqual([step, standard]);
      const expected = followed === 'workers' ? worker : standard;
      expect([step, our]).toEqual([step, expected]);
      expect([step, comparable(there[index])]).toEqual([step, expected]);
    }
  });

  /** Each runtime has texts of its own for errors; their class is the standard's. */
  const comparable = ({ value, error }) => JSON.parse(JSON.stringify(error === undefined ? { value } : { error }));
});

describe('a cache', () => {
  it('lists requests and responses', async () => {
    const cache = new ResponseCache(new Cache({ maxSize: MIB }));
    for (const asked of [en, de])
      await cache.put(
        new Request(...asked),
        new Response(asked[1].headers['accept-language'], { headers: { vary: 'accept-language' } }),
      );
    await cache.put(`${URL_}?a=1`, new Response('search'));
    await cache.put('https://other.test/', new Response('other'));
    const urls = async (...parameters) => (await cache.keys(...parameters)).map(({ url }) => url).sort();
    expect(await urls()).toEqual([URL_, URL_, `${URL_}?a=1`, 'https://other.test/'].sort());
    expect(await urls(URL_)).toEqual([]);
    expect(await urls(URL_, { ignoreVary: true })).toEqual([URL_, URL_]);
    expect(await urls(URL_, { ignoreVary: true, ignoreSearch: true })).toEqual([URL_, URL_, `${URL_}?a=1`]);
    const [first] = await cache.keys(new Request(...de));
    expect(first.headers.get('accept-language')).toBe('de');
    const texts = async (...parameters) =>
      Promise.all((await cache.matchAll(...parameters)).map((response) => response.text()));
    expect((await texts()).sort()).toEqual(['de', 'en', 'other', 'search']);
    expect(await texts(URL_, { ignoreVary: true })).toEqual(['en', 'de']);
    expect(await cache.delete(URL_, { ignoreVary: true, ignoreSearch: true })).toBe(true);
    expect(await urls()).toEqual(['https://other.test/']);
  });

  it('removes what it cannot replace', async () => {
    const cache = new ResponseCache(new Cache({ maxSize: MIB }));
    await cache.put(URL_, new Response('old'));
    await cache.put(URL_, new Response('new', { headers: { 'cache-control': 'no-store' } }));
    expect(await cache.match(URL_)).toBe(undefined);
  });

  it('ends responses after their lifetime', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const cache = new ResponseCache(new Cache({ maxSize: MIB }));
    const date = new Date().toUTCString();
    const expires = new Date(Date.now() + 30_000).toUTCString();
    await cache.put('http://a.test/', new Response('a', { headers: { 'cache-control': 's-maxage=10, max-age=100' } }));
    await cache.put('http://b.test/', new Response('b', { headers: { date, expires } }));
    await cache.put('http://c.test/', new Response('c', { headers: { age: '50', 'cache-control': 'max-age=60' } }));
    const found = async () =>
      (await cache.keys())
        .map(({ url }) => new URL(url).host[0])
        .sort()
        .join('');
    expect(await found()).toBe('abc');
    vi.advanceTimersByTime(10_100);
    expect(await found()).toBe('b');
    vi.advanceTimersByTime(20_000);
    expect(await found()).toBe('');
  });

  it('keeps a response without its cookie if it says so, as Cloudflare does', async () => {
    const cache = new ResponseCache(new Cache({ maxSize: MIB }));
    const headers = { 'set-cookie': 'a=b', 'cache-control': 'private=Set-Cookie, max-age=60', 'x-kept': '1' };
    await cache.put(URL_, new Response('body', { headers, status: 203, statusText: 'Other' }));
    const found = await cache.match(URL_);
    expect([found.status, found.statusText, await found.text()]).toEqual([203, 'Other', 'body']);
    expect([found.headers.get('set-cookie'), found.headers.get('x-kept')]).toEqual([null, '1']);
  });
});

describe('the limits', () => {
  it('keeps at most 64 variants of a URL', async () => {
    const cache = new ResponseCache(new Cache({ maxSize: MIB }));
    const ask = (index) => new Request(URL_, { headers: { 'user-agent': `agent ${index}` } });
    for (let index = 0; index < 70; index++)
      await cache.put(ask(index), new Response(`${index}`, { headers: { vary: 'user-agent' } }));
    expect((await cache.keys()).length).toBe(64);
    expect([await cache.match(ask(5)), await (await cache.match(ask(69))).text()]).toEqual([undefined, '69']);
  });

  it('gives each match a body of its own, and refuses a used one', async () => {
    const cache = new ResponseCache(new Cache({ maxSize: MIB }));
    const response = new Response('body');
    await cache.put(URL_, response);
    expect(response.bodyUsed).toBe(true);
    await expect(cache.put(URL_, response)).rejects.toThrow(/put a clone/);
    await expect(cache.put(URL_, Response.error())).rejects.toThrow(TypeError);
    for (const _ of [1, 2]) expect(await (await cache.match(URL_)).text()).toBe('body');
  });

  it('fetches and stores', async () => {
    const server = createServer((request, response) => {
      if (request.url === '/missing') response.statusCode = 404;
      if (request.url === '/star') response.setHeader('vary', '*');
      response.end(request.url);
    });
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    try {
      const base = `http://127.0.0.1:${server.address().port}`;
      const cache = new ResponseCache(new Cache({ maxSize: MIB }));
      await cache.addAll([`${base}/a`, `${base}/b`]);
      expect(await (await cache.match(`${base}/b`)).text()).toBe('/b');
      await expect(cache.addAll([`${base}/c`, `${base}/missing`])).rejects.toThrow(/missing answered 404/);
      await expect(cache.add(`${base}/star`)).rejects.toThrow(/Vary: \*/);
      expect((await cache.keys()).length).toBe(2);
    } finally {
      server.close();
    }
  });

  it('opens, lists and deletes caches by name', async () => {
    const caches = new ResponseCaches(new Cache({ maxSize: MIB }));
    const [one, two] = [await caches.open('one'), await caches.open('two')];
    await one.put(URL_, new Response('one'));
    await two.put(URL_, new Response('two'));
    await caches.default.put(URL_, new Response('default'));
    expect(await caches.open('one')).toBe(one);
    expect(await caches.keys()).toEqual(['one', 'two']);
    expect(await caches.has('three')).toBe(false);
    expect(await (await caches.match(URL_)).text()).toBe('one');
    expect(await (await caches.match(URL_, { cacheName: 'two' })).text()).toBe('two');
    expect(await caches.match(URL_, { cacheName: 'three' })).toBe(undefined);
    expect([await caches.delete('one'), await caches.delete('one')]).toEqual([true, false]);
    expect(await (await caches.open('one')).match(URL_)).toBe(undefined);
    expect(await (await caches.default.match(URL_)).text()).toBe('default');
  });
});
