// Cloudflare Workers: the bundler provides a compiled module, because workers must not compile at run time.

import { Cache as AnyCache } from '../cache.js';
import type { CacheOptions } from '../options.js';
import store from '../store.wasm';
import { imported } from './modules.js';

const host = { module: /* @__PURE__ */ imported(store, 'workerd'), maxSize: 32 * 1024 * 1024 };

/** See {@link AnyCache}. */
export class Cache extends AnyCache {
  constructor(options: CacheOptions = {}) {
    super(options, host);
  }
}

export type * from '../types.js';
