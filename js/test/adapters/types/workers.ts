// The faces where a Worker's types want the real things.

import { Cache } from 'wasmcached';
import { ResponseCache, ResponseCaches } from 'wasmcached/cache-api';
import { KvNamespace } from 'wasmcached/kv';

export const kv: KVNamespace = new KvNamespace(new Cache());
export const responses: globalThis.Cache = new ResponseCache(new Cache());
export const storage: CacheStorage = new ResponseCaches(new Cache());
