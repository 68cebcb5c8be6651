// Vercel Edge and Next.js: their bundler turns `?module` into a compiled module.

import { Cache as AnyCache, type CacheOptions } from '../cache.js';
import protocol from '../protocol.wasm?module';
import { imported } from './modules.js';

const host = { module: /* @__PURE__ */ imported(protocol, 'edge-light'), maxSize: 32 * 1024 * 1024 };

/** See {@link AnyCache}. */
export class Cache extends AnyCache {
  constructor(options: CacheOptions = {}) {
    super(options, host);
  }
}

export type * from '../types.js';
