// Cloudflare Workers: the bundler hands over a compiled module, since compiling at run time is not allowed.

import { Cache as AnyCache, type CacheOptions } from './cache.js';
import module from './engine.wasm';

/** See {@link AnyCache}. */
export class Cache extends AnyCache {
  constructor(options: CacheOptions = {}) {
    super(options, { module: () => module, maxSize: 32 * 1024 * 1024 });
  }
}

export type * from './types.js';
