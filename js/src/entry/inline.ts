// Node, Deno, Bun, browsers: the engine is text in a script, so every bundler includes it.

import { Cache as AnyCache, type CacheOptions } from '../cache.js';
import { protocolEngine } from 'engine-data/protocol';
import { inlined } from './compile.js';

const host = { module: /* @__PURE__ */ inlined(protocolEngine), maxSize: 64 * 1024 * 1024 };

/** See {@link AnyCache}. */
export class Cache extends AnyCache {
  constructor(options: CacheOptions = {}) {
    super(options, host);
  }
}

export type * from '../types.js';
