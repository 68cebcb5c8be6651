// The adapters: each in the newest release of its upstream, by `import` and `require`; the faces of Workers in workerd, too.

import { readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { served } from '../browser.mjs';
import { output, start, stop, until } from '../process.mjs';
import { project } from '../project.mjs';
import { pathOfNode, tool, version } from '../tools.mjs';
import { answerOfBundle } from '../worker.mjs';

const ANSWER = 'the adapter answers';

/** A program of a body, as ES module and as CommonJS; the body returns what it found and what was to be found. */
const program = (imports, body) => {
  const main = `(async () => {\n${body}\n})().then(([found, wanted]) => {
  if (JSON.stringify(found) !== JSON.stringify(wanted)) throw new Error(JSON.stringify(found));
  console.log('${ANSWER}');
});\n`;
  const load = (line) => Object.entries(imports).map(line).join('');
  return {
    'main.mjs': load(([from, names]) => `import ${names} from '${from}';\n`) + main,
    'main.cjs': load(([from, names]) => `const ${names.replace(/ as /g, ': ')} = require('${from}');\n`) + main,
  };
};

const KEYV = `const store = new Keyv({ store: new Store(new Cache()), namespace: 'users' });
await store.set('ada', { name: 'Ada' }, 60_000);
await store.set('bob', 1);
await store.delete('bob');
return [[await store.get('ada'), await store.has('bob')], [{ name: 'Ada' }, false]];`;

const row = (id, upstream, title, imports, body) => ({
  id,
  title,
  parts: ['import', 'require'],
  isQuick: true,
  tools: ['adapters'],
  version: () => version('adapters', upstream),
  async run({ part }) {
    const folder = await project(id, 'adapters', program({ wasmcached: '{ Cache }', ...imports }, body));
    const env = { PATH: await pathOfNode() };
    const main = (file) => () => output('node', ['--no-warnings', file], { cwd: folder, env });
    await part('import', main('main.mjs'), ANSWER);
    await part('require', main('main.cjs'), ANSWER);
  },
});

const upstreams = [
  row('keyv', 'keyv', 'Keyv', { keyv: '{ Keyv }', 'wasmcached/keyv': '{ KeyvStore as Store }' }, KEYV),
  row('keyv5', 'keyv5', 'Keyv', { keyv5: '{ Keyv }', 'wasmcached/keyv': '{ Keyv5Store as Store }' }, KEYV),
  row(
    'cache-manager',
    'cache-manager',
    'cache-manager',
    { 'cache-manager': '{ createCache }', keyv5: '{ Keyv }', 'wasmcached/cache-manager': '{ Keyv5Store }' },
    `const manager = createCache({ stores: [new Keyv({ store: new Keyv5Store(new Cache()) })], ttl: 60_000 });
const made = await manager.wrap('answer', async () => ({ value: 42 }));
return [[made, await manager.get('answer')], [{ value: 42 }, { value: 42 }]];`,
  ),
  row(
    'cacheable',
    'cacheable',
    'cacheable',
    { cacheable: '{ Cacheable }', keyv5: '{ Keyv }', 'wasmcached/cache-manager': '{ Keyv5Store }' },
    `const cacheable = new Cacheable({ primary: new Keyv({ store: new Keyv5Store(new Cache()) }) });
await cacheable.set('a', [1, null, 'x'], '1m');
return [[await cacheable.get('a'), await cacheable.has('b')], [[1, null, 'x'], false]];`,
  ),
];

const unstorage = row(
  'unstorage',
  'unstorage',
  'unstorage',
  { unstorage: '{ createStorage }', 'wasmcached/unstorage': '{ default as driver }' },
  `const storage = createStorage({ driver: driver({ cache: new Cache() }) });
await storage.setItem('user:1', { name: 'Ada' }, { ttl: 60 });
return [[await storage.getItem('user:1'), await storage.getKeys('user')], [{ name: 'Ada' }, ['user:1']]];`,
);

/** A face of Workers: in Node, and bundled for workerd. */
const face = (id, title, imports, body) => ({
  id,
  title,
  parts: ['import', 'require', 'in workerd'],
  isQuick: true,
  tools: ['miniflare'],
  version: async () => '',
  async run({ part }) {
    const files = program({ wasmcached: '{ Cache }', ...imports }, body);
    const worker = files['main.mjs'].replace(/\(async \(\) => \{\n([^]*)\n\}\)\(\)[^]*/, (_, inner) => `export default { async fetch() {
const work = async () => {\n${inner}\n};
const [found, wanted] = await work();
return new Response(JSON.stringify(found) === JSON.stringify(wanted) ? '${ANSWER}' : JSON.stringify(found));
} };\n`);
    const folder = await project(id, undefined, { ...files, 'worker.mjs': worker });
    const main = (file) => () => output(process.execPath, ['--no-warnings', file], { cwd: folder });
    await part('import', main('main.mjs'), ANSWER);
    await part('require', main('main.cjs'), ANSWER);
    await part('in workerd', () => answerOfBundle(folder, 'worker.mjs'), ANSWER);
  },
});

const faces = [
  face(
    'kv',
    'Workers KV',
    { 'wasmcached/kv': '{ KvNamespace }' },
    `const kv = new KvNamespace(new Cache());
await kv.put('user:1', '{"name":"Ada"}', { expirationTtl: 60, metadata: { from: 'form' } });
const { keys } = await kv.list({ prefix: 'user:' });
return [[await kv.get('user:1', 'json'), keys.map(({ name }) => name)], [{ name: 'Ada' }, ['user:1']]];`,
  ),
  face(
    'cache-api',
    'Cache API',
    { 'wasmcached/cache-api': '{ ResponseCaches }' },
    `const pages = await new ResponseCaches(new Cache()).open('pages');
await pages.put('https://example.com/', new Response('hello', { headers: { 'cache-control': 'max-age=60' } }));
return [[await (await pages.match('https://example.com/')).text(), await pages.match('https://example.com/b')], ['hello', undefined]];`,
  ),
];

const APP = fileURLToPath(new URL('../../test/next/app', import.meta.url));

/** The app of the tests with Next.js, whose handlers are ours and write what they are asked for. */
const next = {
  id: 'next-handlers',
  title: 'Next.js',
  parts: ['cacheHandler', "cacheHandlers ('use cache')"],
  tools: ['next'],
  version: () => version('next'),
  async run({ part }) {
    const home = await tool('next');
    const names = readdirSync(APP, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const paths = names.map((entry) => join(entry.parentPath, entry.name));
    const files = Object.fromEntries(paths.map((path) => [relative(APP, path), readFileSync(path, 'utf8')]));
    // The packages lie in a folder above.
    const root = JSON.stringify(home);
    files['next.config.mjs'] = files['next.config.mjs'].replace("{ root: path('.') }", `{ root: ${root} }, outputFileTracingRoot: ${root}`);
    const folder = await project('next-handlers', 'next', files);
    let asked = 0;
    await served((path) => `/${path} ${++asked}`, async (origin) => {
      const log = join(folder, 'handler.log');
      const env = { PATH: await pathOfNode(), NEXT_TELEMETRY_DISABLED: '1', NODE_ENV: 'production', ORIGIN: origin.slice(0, -1) };
      const cli = join(home, 'node_modules/next/dist/bin/next');
      await output('node', [cli, 'build'], { cwd: folder, env, ms: 240_000 });
      const running = start('node', [cli, 'start', '-H', '127.0.0.1', '-p', '0'], { cwd: folder, env: { ...env, HANDLER_LOG: log } });
      const [, url] = await until(running, /(http:\/\/127\.0\.0\.1:\d+)/);
      const twice = (path, id, hit) => async () => {
        const [first, second] = [await textOf(url + path, id), await textOf(url + path, id)];
        if (first !== second) throw new Error(`${path} answers ${first}, then ${second}`);
        if (!hit.test(readFileSync(log, 'utf8'))) throw new Error(`the handler had no ${hit} for ${path}`);
        return ANSWER;
      };
      await part('cacheHandler', twice('/', 'made', /^APP_PAGE hit/m), ANSWER);
      await part("cacheHandlers ('use cache')", twice('/data', 'data', /^USE_CACHE hit/m), ANSWER);
      await stop(running);
    });
  },
};

/** The text of an element of a page. */
async function textOf(url, id) {
  const page = await (await fetch(url, { signal: AbortSignal.timeout(60_000) })).text();
  const found = new RegExp(`<p id="${id}">([^<]*)</p>`).exec(page);
  if (found === null) throw new Error(`${url} has no ${id}: ${page.slice(0, 500)}`);
  return found[1];
}

export const rows = [...upstreams, unstorage, ...faces, next];
