// Cloudflare Workers: the bundler provides a compiled module, because workers must not compile at run time.

import { Cache as AnyCache, type CacheOptions } from '../cache.js';
import protocol from '../protocol.wasm';
import { imported } from './modules.js';

const host = { module: /* @__PURE__ */ imported(protocol, 'workerd'), maxSize: 32 * 1024 * 1024 };

/** See {@link AnyCache}. */
export class Cache extends AnyCache {
  constructor(options: CacheOptions = {}) {
    super(options, host);
  }
}

export type * from '../types.js';
