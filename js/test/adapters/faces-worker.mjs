// A worker that performs steps on the KV namespace and the cache of its runtime.

import { performCache, performKv } from './faces.mjs';

export default {
  async fetch(request, env) {
    const { kind, name, steps } = await request.json();
    const cache = kind === 'cache' ? await caches.open(name) : undefined;
    const outcomes = [];
    for (const step of steps)
      outcomes.push(await (kind === 'kv' ? performKv(env.KV, step) : performCache(cache, step)));
    return Response.json(outcomes);
  },
};
