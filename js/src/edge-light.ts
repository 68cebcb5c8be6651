// Vercel Edge and Next.js: their bundler turns `?module` into a compiled module.

import { Cache as AnyCache, type CacheOptions } from './cache.js';
import module from './engine.wasm?module';

/** See {@link AnyCache}. */
export class Cache extends AnyCache {
  constructor(options: CacheOptions = {}) {
    super(options, { module: () => module, maxSize: 32 * 1024 * 1024 });
  }
}

export type * from './types.js';
