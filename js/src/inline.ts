// Node, Deno, Bun, browsers: the engine is a part of the script, so every bundler includes it.

import { Cache as AnyCache, type CacheOptions } from './cache.js';
import { inlineModule } from './inline-module.js';

/** See {@link AnyCache}. */
export class Cache extends AnyCache {
  constructor(options: CacheOptions = {}) {
    super(options, { module: inlineModule, maxSize: 64 * 1024 * 1024 });
  }
}

export type * from './types.js';
