// Starts workerd with the worker of faces-worker.mjs.

import { fileURLToPath } from 'node:url';
import { Miniflare } from 'miniflare';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));

/** Returns a function that performs steps in workerd, and one that ends it. */
export async function startWorkers() {
  const miniflare = new Miniflare({
    modules: ['faces-worker.mjs', 'faces.mjs'].map((name) => ({ type: 'ESModule', path: path(name) })),
    modulesRoot: path('.'),
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
  return { perform, stop: () => miniflare.dispose() };
}
