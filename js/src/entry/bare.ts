// Any other runtime: the package brings no engine, so the program provides one before the first use.

import { Cache as AnyCache } from '../cache.js';
import type { CacheOptions } from '../options.js';
import { Slot } from './compile.js';
import type { EngineBytes, EngineModule, EngineResponse } from './modules.js';

export type * from '../types.js';
export type { EngineBytes, EngineModule, EngineResponse };

/** The argument of {@link init}. */
export type EngineSource = EngineModule | EngineBytes | EngineResponse;

const slot = /* @__PURE__ */ new Slot('store.wasm');
const host = { module: slot.module, maxSize: 64 * 1024 * 1024 };

/** Provides the engine (`wasmcached/store.wasm`): a compiled module, bytes, or a response of `fetch`. */
export const init = (source: EngineSource | Promise<EngineSource>): Promise<void> => slot.init(source);

/** Provides the engine synchronously: a compiled module, or bytes. */
export const initSync = (source: EngineModule | EngineBytes): void => slot.initSync(source);

/** See {@link AnyCache}. Needs {@link init} or {@link initSync} first, or the option `module`. */
export class Cache extends AnyCache {
  constructor(options: CacheOptions = {}) {
    super(options, host);
  }
}
