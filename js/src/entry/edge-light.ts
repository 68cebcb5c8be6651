// Vercel Edge and Next.js: their bundler turns `?module` into a compiled module.

import { Cache as AnyCache } from '../cache.js';
import type { CacheOptions } from '../options.js';
import store from '../store.wasm?module';
import { imported } from './modules.js';

const host = { module: /* @__PURE__ */ imported(store, 'edge-light'), maxSize: 32 * 1024 * 1024 };

/** See {@link AnyCache}. */
export class Cache extends AnyCache {
  constructor(options: CacheOptions = {}) {
    super(options, host);
  }
}

export type * from '../types.js';
