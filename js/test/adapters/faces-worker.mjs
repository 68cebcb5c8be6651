// A worker that performs steps on the KV namespace and the cache of its runtime, or on ours beside them.

import { Cache } from 'wasmcached';
import { ResponseCache } from 'wasmcached/cache-api';
import { KvNamespace } from 'wasmcached/kv';
import { performCache, performKv } from './faces.mjs';

const MIB = 1024 * 1024;

export default {
  async fetch(request, env) {
    const { kind, name, steps } = await request.json();
    const memory = new Cache({ maxSize: 16 * MIB });
    const subjects = {
      kv: () => env.KV,
      'our kv': () => new KvNamespace(memory),
      cache: () => caches.open(name),
      'our cache': () => new ResponseCache(memory),
    };
    const subject = await subjects[kind]();
    const outcomes = [];
    for (const step of steps) {
      outcomes.push(await (kind.endsWith('kv') ? performKv(subject, step) : performCache(subject, step)));
    }
    return Response.json(outcomes);
  },
};
