// An app of Next.js, built and started, whose caches are ours: pages of both routers, a route handler with bytes,
// `fetch`, and 'use cache'. The app is installed from the packed package.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));

suite('an app of Next.js', { timeout: 600_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'wasmcached-next-'));
  const logFile = join(folder, 'handler.log');
  const counts = {};
  let origin;
  let server;
  let base;

  before(async () => {
    installApp(folder);
    origin = createServer((request, response) => {
      counts[request.url] = (counts[request.url] ?? 0) + 1;
      response.end(`${request.url} ${counts[request.url]}`);
    });
    await new Promise((done) => origin.listen(0, '127.0.0.1', done));
    const env = {
      ...process.env,
      ORIGIN: `http://127.0.0.1:${origin.address().port}`,
      NEXT_TELEMETRY_DISABLED: '1',
      NODE_ENV: 'production',
    };
    const next = join(folder, 'node_modules/next/dist/bin/next');
    execFileSync(process.execPath, [next, 'build'], { cwd: folder, env, stdio: ['ignore', 'ignore', 'inherit'] });
    writeFileSync(logFile, '');
    server = spawn(process.execPath, [next, 'start', '--port', '0', '--hostname', '127.0.0.1'], {
      cwd: folder,
      env: { ...env, HANDLER_LOG: logFile },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    base = await address(server);
  });

  after(async () => {
    server?.kill();
    origin?.close();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  const page = async (path, id) => {
    const response = await fetch(base + path);
    assert.equal(response.status, 200, path);
    return new RegExp(`<p id="${id}">([^<]*)</p>`).exec(await response.text())?.[1] ?? '(missing)';
  };
  const revalidate = async (path) => assert.equal((await fetch(base + path)).status, 200);
  const logged = (pattern) =>
    readFileSync(logFile, 'utf8')
      .split('\n')
      .filter((line) => pattern.test(line)).length;

  /** Asks until the answer is another one, as a stale answer is served while a new one is made. */
  async function changed(ask, old) {
    for (let attempt = 0; attempt < 50; attempt++) {
      const answer = await ask();
      if (answer !== old) return answer;
      await new Promise((done) => setTimeout(done, 100));
    }
    return assert.fail(`still ${old}`);
  }

  for (const [name, path, id, revalidation, kind] of [
    ['a page of the app router', '/', 'made', '/api/revalidate?tag=page', 'APP_PAGE'],
    ['a page of the pages router', '/isr', 'isr', '/api/revalidate-page?path=/isr', 'PAGES'],
  ]) {
    test(`${name} is kept, and made anew when it is revalidated`, async () => {
      const first = await page(path, id);
      assert.match(first, / é😀$/);
      assert.deepEqual([await page(path, id), await page(path, id)], [first, first]);
      await revalidate(revalidation);
      const second = await changed(() => page(path, id), first);
      assert.equal(await page(path, id), second);
      // Pages of the build are not asked for: the first request misses.
      for (const event of ['miss', 'set', 'hit']) assert.ok(logged(new RegExp(`^${kind} ${event}`)) > 0, `${kind} ${event}`);
    });
  }

  test('a route handler keeps its bytes', async () => {
    const ask = async () => {
      const response = await fetch(`${base}/bytes`);
      const bytes = new Uint8Array(await response.arrayBuffer());
      assert.deepEqual(
        bytes,
        Uint8Array.from({ length: 256 }, (_, index) => index),
      );
      assert.equal(response.headers.get('content-type'), 'application/octet-stream');
      return response.headers.get('x-made');
    };
    const first = await ask();
    assert.deepEqual([await ask(), await ask()], [first, first]);
    await revalidate('/api/revalidate?tag=bytes');
    const second = await changed(ask, first);
    assert.equal(await ask(), second);
    assert.ok(logged(/^APP_ROUTE hit/) > 0);
  });

  test('fetch and use cache ask the origin once, and again for their own tag', async () => {
    const ask = () => page('/data', 'data');
    assert.deepEqual([await ask(), await ask()], ['/fetch 1; /use-cache 1', '/fetch 1; /use-cache 1']);
    await revalidate('/api/revalidate?tag=fetch');
    assert.deepEqual([await ask(), await ask()], ['/fetch 2; /use-cache 1', '/fetch 2; /use-cache 1']);
    await revalidate('/api/revalidate?tag=data');
    assert.deepEqual([await ask(), await ask()], ['/fetch 2; /use-cache 2', '/fetch 2; /use-cache 2']);
    assert.ok(logged(/^FETCH hit/) > 0 && logged(/^USE_CACHE hit/) > 0);
  });

  test('a stale tag is served once more while its entry is made', async () => {
    const ask = () => page('/data', 'data');
    const old = await ask();
    await revalidate('/api/revalidate?tag=data&profile=max');
    assert.equal(await ask(), old);
    assert.equal(await changed(ask, old), '/fetch 2; /use-cache 3');
  });
});

/** Copies the app, and installs the packed package beside the packages of this folder. */
function installApp(folder) {
  cpSync(here('app'), folder, { recursive: true });
  const modules = join(folder, 'node_modules');
  cpSync(here('node_modules'), modules, {
    recursive: true,
    filter: (path) => !path.endsWith('node_modules/wasmcached'),
  });
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const [{ filename }] = JSON.parse(
    execFileSync(npm, ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
      cwd: process.env.WASMCACHED_PACKAGE ?? here('../..'),
    }),
  );
  execFileSync('tar', ['-xzf', filename], { cwd: folder });
  cpSync(join(folder, 'package'), join(modules, 'wasmcached'), { recursive: true });
}

/** Waits for the line with the address. */
function address(server) {
  return new Promise((done, fail) => {
    let text = '';
    server.stdout.on('data', (chunk) => {
      text += chunk;
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(text);
      if (found !== null && /Ready/.test(text)) done(found[0]);
    });
    server.on('exit', (code) => fail(new Error(`next start ended with ${code}: ${text}`)));
  });
}
