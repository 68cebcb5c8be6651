// The model test in other runtimes: each takes a bundled script and returns its answer.

import { execFile } from 'node:child_process';
import { cpSync, existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { Miniflare } from 'miniflare';
import { KINDS } from './run.mjs';

const LIMIT_MS = 30 * 60_000;
/** Operations of a piece, which has a seed of its own: browsers end pages that do not answer, and requests have limits. */
const PIECE_OPERATIONS = 10_000;
const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const script = fileURLToPath(new URL('script.mjs', import.meta.url));

/** Bundles a script around `answer`, and returns its path. */
async function bundled(folder, name, contents, flags = {}) {
  const outfile = join(folder, name);
  const stdin = { contents: `import { answer } from ${JSON.stringify(script)};\n${contents}`, resolveDir: folder };
  await build({ stdin, outfile, bundle: true, format: 'esm', logLevel: 'warning', ...flags });
  return outfile;
}

/** Asks for pieces, of a seed and a number of operations, until there is a difference or all are done. */
async function inPieces(seed, operations, ask) {
  for (let done = 0; done < operations; done += PIECE_OPERATIONS) {
    const piece = Math.min(PIECE_OPERATIONS, operations - done);
    const text = await ask(seed + done / PIECE_OPERATIONS, piece);
    if (text !== answerOf(piece)) return text;
  }
  return answerOf(operations);
}

async function workerd(folder, seed, operations) {
  const contents = `export default { fetch: async ({ url }) => new Response(await answer(...url.split('?')[1].split(',').map(Number))) };`;
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
    const ask = async (...piece) => (await miniflare.dispatchFetch(`http://worker/?${piece}`)).text();
    return await inPieces(seed, operations, ask);
  } finally {
    await miniflare.dispose();
  }
}

async function bun(folder, seed, operations) {
  const { tool } = await import('../../matrix/tools.mjs');
  const program = join(await tool('bun'), 'node_modules/.bin/bun');
  const path = await bundled(folder, 'bun.mjs', 'console.log(await answer(...process.argv.slice(2).map(Number)));');
  const ask = async (...piece) => (await promisify(execFile)(program, [path, ...piece.map(String)], { timeout: LIMIT_MS })).stdout.trim();
  return inPieces(seed, operations, ask);
}

async function chromium(folder, seed, operations) {
  const [{ served }, { tool }] = await Promise.all([import('../../matrix/browser.mjs'), import('../../matrix/tools.mjs')]);
  const program = CHROMIUM.find(existsSync);
  if (program === undefined) throw new Error(`Chromium is not installed: there is none of ${CHROMIUM.join(', ')}`);
  const { resolve } = createRequire(join(await tool('browsers'), 'package.json'));
  const { launch } = await import(pathToFileURL(resolve('puppeteer-core')));
  const path = await bundled(folder, 'page.mjs', 'globalThis.answer = answer;');
  const files = { 'index.html': '<!doctype html><script type="module" src="page.mjs"></script>', 'page.mjs': readFileSync(path) };
  const browser = await launch({ executablePath: program, headless: true, args: ['--no-sandbox', '--disable-gpu'], protocolTimeout: LIMIT_MS });
  try {
    return await served((name) => files[name], async (url) => {
      const page = await browser.newPage();
      await page.goto(url, { timeout: LIMIT_MS });
      await page.waitForFunction('globalThis.answer !== undefined', { timeout: LIMIT_MS });
      return inPieces(seed, operations, (...piece) => page.evaluate(`answer(${piece})`));
    });
  } finally {
    await browser.close();
  }
}

/** The answer of a run without a difference: each kind of cache had so many operations. */
export const answerOf = (operations) => `ok: ${Object.keys(KINDS).length * operations} operations`;

/** Each runtime: a function of a folder, a seed and a number of operations. */
export const RUNTIMES = { workerd, bun, chromium };
