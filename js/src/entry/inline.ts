// Node, Deno, Bun, browsers: the engine is text in a script, so every bundler includes it.

import { Cache as AnyCache } from '../cache.js';
import type { CacheOptions } from '../options.js';
import { storeEngine } from 'engine-data/store';
import { inlined } from './compile.js';

const host = { module: /* @__PURE__ */ inlined(storeEngine), maxSize: 64 * 1024 * 1024 };

/** See {@link AnyCache}. */
export class Cache extends AnyCache {
  constructor(options: CacheOptions = {}) {
    super(options, host);
  }
}

export type * from '../types.js';
