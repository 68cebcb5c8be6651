// The model test in other runtimes: each takes a bundled script and returns its answer.

import { execFile } from 'node:child_process';
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { Miniflare } from 'miniflare';

const LIMIT_MS = 30 * 60_000;
const script = fileURLToPath(new URL('script.mjs', import.meta.url));

/** Bundles a script around `answer`, and returns its path. */
async function bundled(folder, name, contents, flags = {}) {
  const outfile = join(folder, name);
  const stdin = { contents: `import { answer } from ${JSON.stringify(script)};\n${contents}`, resolveDir: folder };
  await build({ stdin, outfile, bundle: true, format: 'esm', logLevel: 'warning', ...flags });
  return outfile;
}

async function workerd(folder, seed, operations) {
  const contents = `export default { async fetch() { return new Response(await answer(${seed}, ${operations})); } };`;
  const conditions = ['workerd', 'worker', 'browser'];
  const path = await bundled(folder, 'worker.mjs', contents, { conditions, external: ['*.wasm'] });
  const engine = join(folder, 'store.wasm');
  cpSync(new URL('../../dist/store.wasm', import.meta.url), engine);
  const miniflare = new Miniflare({
    modules: [{ type: 'ESModule', path }, { type: 'CompiledWasm', path: engine }],
    modulesRoot: folder,
    compatibilityDate: '2026-01-01',
    cf: false,
    host: '127.0.0.1',
  });
  try {
    return await (await miniflare.dispatchFetch('http://worker/')).text();
  } finally {
    await miniflare.dispose();
  }
}

async function bun(folder, seed, operations) {
  const { tool } = await import('../../matrix/tools.mjs');
  const program = join(await tool('bun'), 'node_modules/.bin/bun');
  const path = await bundled(folder, 'bun.mjs', `console.log(await answer(${seed}, ${operations}));`);
  const { stdout } = await promisify(execFile)(program, [path], { timeout: LIMIT_MS });
  return stdout.trim();
}

async function chromium(folder, seed, operations) {
  const { served, textOf } = await import('../../matrix/browser.mjs');
  const path = await bundled(folder, 'page.mjs', `document.body.textContent = await answer(${seed}, ${operations});`);
  const files = { 'index.html': '<!doctype html><body>…<script type="module" src="page.mjs"></script>', 'page.mjs': readFileSync(path) };
  return served((name) => files[name], (url) => textOf('chrome', url));
}

/** Each runtime: a function of a folder, a seed and a number of operations. */
export const RUNTIMES = { workerd, bun, chromium };
