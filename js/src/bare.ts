// Any other runtime: the package brings no engine, so the program provides one before the first use.

import { Cache as AnyCache, type CacheOptions } from './cache.js';

export type * from './types.js';

/** The argument of {@link init}. */
export type Source = WebAssembly.Module | BufferSource | Response;

let given: WebAssembly.Module | undefined;

/** Provides the engine (`wasmcached/engine.wasm`): a compiled module, bytes, or a response of `fetch`. */
export async function init(source: Source | Promise<Source>): Promise<void> {
  const arrived = await source;
  if (typeof Response === 'function' && arrived instanceof Response) {
    if (!arrived.ok) throw new Error(`the engine could not be fetched: ${arrived.status} ${arrived.url}`);
    given = await WebAssembly.compile(await arrived.arrayBuffer());
  } else {
    given = arrived instanceof WebAssembly.Module ? arrived : await WebAssembly.compile(arrived as BufferSource);
  }
}

/** Provides the engine synchronously: a compiled module, or bytes. */
export function initSync(source: WebAssembly.Module | BufferSource): void {
  given = source instanceof WebAssembly.Module ? source : new WebAssembly.Module(source);
}

/** See {@link AnyCache}. Needs {@link init} or {@link initSync} first, or the option `module`. */
export class Cache extends AnyCache {
  constructor(options: CacheOptions = {}) {
    super(options, { module: theModule, maxSize: 64 * 1024 * 1024 });
  }
}

function theModule(): WebAssembly.Module {
  if (given === undefined) {
    throw new Error('wasmcached/bare has no engine yet; await init(fetch(url of wasmcached/engine.wasm)) first');
  }
  return given;
}
