// Starts workerd with the worker of faces-worker.mjs, bundled as by wrangler.

import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { Miniflare } from 'miniflare';

/** Returns a function that performs steps in workerd, and one that ends it. */
export async function startWorkers() {
  const folder = mkdtempSync(join(tmpdir(), 'wasmcached-faces-'));
  await build({
    entryPoints: [fileURLToPath(new URL('faces-worker.mjs', import.meta.url))],
    outfile: join(folder, 'worker.mjs'),
    bundle: true,
    format: 'esm',
    conditions: ['workerd', 'worker', 'browser'],
    external: ['*.wasm'],
  });
  cpSync(fileURLToPath(import.meta.resolve('wasmcached/store.wasm')), join(folder, 'store.wasm'));
  const miniflare = new Miniflare({
    modules: [
      { type: 'ESModule', path: join(folder, 'worker.mjs') },
      { type: 'CompiledWasm', path: join(folder, 'store.wasm') },
    ],
    modulesRoot: folder,
    kvNamespaces: ['KV'],
    compatibilityDate: '2026-01-01',
    cf: false,
    host: '127.0.0.1',
  });
  await miniflare.ready;
  const perform = async (kind, steps, name = '') => {
    const body = JSON.stringify({ kind, name, steps });
    return (await miniflare.dispatchFetch('http://worker/', { method: 'POST', body })).json();
  };
  const stop = async () => {
    await miniflare.dispose();
    rmSync(folder, { recursive: true, force: true });
  };
  return { perform, stop };
}
