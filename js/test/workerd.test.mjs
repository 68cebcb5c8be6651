// The package in Cloudflare's runtime, through miniflare and without network: the `workerd` entry, bundled as by wrangler.

import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { Miniflare } from 'miniflare';
import { folder as transcripts } from './files.mjs';

const ENGINES = ['store.wasm', 'protocol.wasm'];
const names = readdirSync(transcripts).filter((name) => name.endsWith('.txt')).map((name) => name.slice(0, -4));

suite('workerd', () => {
  const folder = mkdtempSync(join(tmpdir(), 'wasmcached-workerd-'));
  let miniflare;

  before(async () => {
    await build({
      entryPoints: [fileURLToPath(new URL('worker.mjs', import.meta.url))],
      outfile: join(folder, 'worker.mjs'),
      bundle: true,
      format: 'esm',
      conditions: ['workerd', 'worker', 'browser'],
      external: ['*.wasm'],
      plugins: [{ name: 'transcripts', setup: provideTranscripts }],
    });
    for (const engine of ENGINES) cpSync(new URL(`../dist/${engine}`, import.meta.url), join(folder, engine));
    miniflare = new Miniflare({
      modules: [
        { type: 'ESModule', path: join(folder, 'worker.mjs') },
        ...ENGINES.map((engine) => ({ type: 'CompiledWasm', path: join(folder, engine) })),
      ],
      modulesRoot: folder,
      compatibilityDate: '2026-01-01',
      cf: false,
      host: '127.0.0.1',
    });
    await miniflare.ready;
  });

  after(async () => {
    await miniflare?.dispose();
    rmSync(folder, { recursive: true });
  });

  const ask = async (name) => (await miniflare.dispatchFetch(`http://worker/?${encodeURIComponent(name)}`)).json();

  test('knows every transcript', async () => assert.deepEqual((await ask('')).names.sort(), names.sort()));

  test('a cache at the top of a module lives between requests', async () => {
    const first = await ask('cache');
    assert.deepEqual(first, { count: 1, maxSize: 32 * 1024 * 1024, compiled: false });
    assert.equal((await ask('cache')).count, 2);
  });

  test('a protocol may be made at the top of a module, but its first use there says what to do', async () => {
    const { early, later } = await ask('early');
    assert.match(early, /no randomness at module level.*first inside a request handler/);
    assert.equal(later, 'none');
  });

  for (const name of names) {
    test(`transcript ${name}`, async (t) => {
      const { error, skipped, cases } = await ask(name);
      assert.equal(error, undefined);
      if (skipped !== undefined) return t.skip(skipped);
      assert.ok(cases > 0);
    });
  }
});

/** `import texts from 'transcripts'` inside the worker. */
function provideTranscripts(plugin) {
  plugin.onResolve({ filter: /^transcripts$/ }, () => ({ path: 'transcripts', namespace: 'transcripts' }));
  plugin.onLoad({ filter: /.*/, namespace: 'transcripts' }, () => {
    const texts = names.map((name) => [name, readFileSync(new URL(`${name}.txt`, transcripts), 'utf8')]);
    return { contents: JSON.stringify(Object.fromEntries(texts)), loader: 'json' };
  });
}
