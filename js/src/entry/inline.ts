// Node, Deno, Bun, browsers: the engine is text in a script, so every bundler includes it.

<<<<<<< HEAD
import { Cache as AnyCache } from '../cache.js';
import type { CacheOptions } from '../options.js';
import { storeEngine } from 'engine-data/store';
import { inlined } from './modules.js';
=======
import { Cache as AnyCache, type CacheOptions } from '../cache.js';
import { protocolEngine } from 'engine-data/protocol';
import { inlined } from './compile.js';
>>>>>>> w-npm-protocol

const host = { module: /* @__PURE__ */ inlined(storeEngine), maxSize: 64 * 1024 * 1024 };

/** See {@link AnyCache}. */
export class Cache extends AnyCache {
  constructor(options: CacheOptions = {}) {
    super(options, host);
  }
}

export type * from '../types.js';
