// Cloudflare Workers: the bundler provides a compiled module, because workers must not compile at run time.

import { Cache as AnyCache, type CacheOptions } from './cache.js';
import module from './engine.wasm';

/** See {@link AnyCache}. */
export class Cache extends AnyCache {
  constructor(options: CacheOptions = {}) {
    super(options, { module: () => module, maxSize: 32 * 1024 * 1024 });
  }
}

export type * from './types.js';
