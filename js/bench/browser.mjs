// The hot operations in a browser: bundles a page, serves it, and waits for the result that the page posts.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { HOT, pairs } from './time.mjs';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'];
FLAGS.push('--disable-background-networking', '--disable-component-update', '--disable-sync');
const PAGE = '<!doctype html><meta charset="utf-8"><title>bench</title><script type="module" src="/page.js"></script>';
/** Isolated pages have a clock of 5 µs instead of 100. */
const HEADERS = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };
const PATIENCE_MS = 240_000;
const GET_MOST = 15;

/** Path of Chromium, or undefined: `CHROMIUM` names it, or it lies where packages put it. */
export function chromium() {
  return process.env.CHROMIUM ?? PLACES.find((place) => existsSync(place));
}

/** Times in Chromium, by wall clock. */
export async function measureChromium(progress, program) {
  progress('Chromium');
  const settings = ['bytes', 'strings'].map((kind) => ({ name: 'ten thousand', ...HOT, kind }));
  const script = await bundle();
  const { server, result } = serve({ '/': ['text/html', PAGE], '/page.js': ['text/javascript', script], '/settings': ['application/json', JSON.stringify(settings)] });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const profile = mkdtempSync(join(tmpdir(), 'wasmcached-bench-'));
  const url = `http://127.0.0.1:${server.address().port}/`;
  const browser = spawn(program, [...FLAGS, `--user-data-dir=${profile}`, url], { stdio: 'ignore' });
  const ended = once(browser, 'exit');
  let timer;
  try {
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error('the browser posted no result')), PATIENCE_MS);
    });
    const posted = await Promise.race([result, late, ended.then(() => { throw new Error(`${program} ended`); })]);
    if (posted.error !== undefined) throw new Error(posted.error);
    return { settings: posted };
  } finally {
    clearTimeout(timer);
    browser.kill();
    await ended.catch(() => {});
    server.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** The bar of Chromium. */
export function chromiumBars({ settings: [bytes] }) {
  const get = pairs(bytes).find((pair) => pair.ours === 'get');
  return [{ name: 'Chromium, ten thousand, bytes: get to lru-cache get', value: get.value, most: GET_MOST }];
}

async function bundle() {
  const { build } = await import('esbuild');
  const entryPoints = [fileURLToPath(new URL('browser-page.mjs', import.meta.url))];
  const { outputFiles } = await build({ entryPoints, bundle: true, format: 'esm', write: false, platform: 'browser' });
  return outputFiles[0].text;
}

function serve(files) {
  let resolve;
  const result = new Promise((done) => (resolve = done));
  const server = createServer(async (request, response) => {
    if (request.method === 'POST') {
      let body = '';
      for await (const bytes of request) body += bytes;
      response.end();
      resolve(JSON.parse(body));
      return;
    }
    const [type, content] = files[request.url] ?? ['text/plain', ''];
    response.writeHead(200, { 'content-type': type, ...HEADERS });
    response.end(content);
  });
  return { server, result };
}
