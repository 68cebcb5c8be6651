// The adapters where the upstreams' types want them.

import { createCache, type Cache as Manager } from 'cache-manager';
import { Cacheable } from 'cacheable';
import Keyv5, { type KeyvStoreAdapter } from 'keyv';
import Keyv6, { type KeyvStorageAdapter } from 'keyv6';
import { createStorage, type Driver } from 'unstorage';
import { Cache } from 'wasmcached';
import { ResponseCaches, ResponseCache } from 'wasmcached/cache-api';
import { CacheManager5Store, Keyv5Store } from 'wasmcached/cache-manager';
import { KeyvStore } from 'wasmcached/keyv';
import { KvNamespace } from 'wasmcached/kv';
import driver from 'wasmcached/unstorage';

const cache = new Cache({ maxSize: 1 << 20 });
export const five = new Keyv5({ store: new Keyv5Store(cache) });
export const six = new Keyv6({ store: new KeyvStore(cache), namespace: 'a' });
export const manager: Manager = createCache({ stores: [five] });
export const cacheable = new Cacheable({ primary: five });
export const d: Driver = driver({ maxSize: 1 << 20, ttl: 5 });
export const d2: Driver = driver({ cache: cache.namespace('x') });
export const storage = createStorage({ driver: d });
export const old = new CacheManager5Store(cache.namespace('old'));
export const a5: Omit<KeyvStoreAdapter, 'on'> = new Keyv5Store(cache);
export const a6: Pick<KeyvStorageAdapter, 'namespace' | 'get' | 'getMany' | 'set' | 'setMany' | 'has' | 'hasMany' | 'delete' | 'deleteMany' | 'clear' | 'iterator'> = new KeyvStore(cache);
export const c: globalThis.Cache = new ResponseCache(cache);
export const real: CacheStorage = new ResponseCaches(cache);
export async function f() { const r: Response | undefined = await new ResponseCache(cache).match('x'); return r; }
