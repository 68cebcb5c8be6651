// Stands in for the package's glue: the same, but it remembers the instance, because the exports for the map of the memory
// belong to the playground's engine only.

import { instantiate as instantiateEngine, type InitOutput } from './generated/engine.js';

/** An instance and the address of the cache in it. */
export interface Instantiated {
  readonly exports: InitOutput;
  readonly cache: number;
}

let latest: Instantiated | undefined;

/** The instance that the package made last. */
export function instantiated(): Instantiated {
  if (latest === undefined) throw new Error('the engine has no instance yet');
  return latest;
}

/** As the package's own `instantiate`. */
export function instantiate(module: WebAssembly.Module): InitOutput {
  const exports = instantiateEngine(module);
  const create: InitOutput['solo_create'] = (...options) => {
    const cache = exports.solo_create(...options);
    latest = { exports, cache };
    return cache;
  };
  return { ...exports, solo_create: create };
}
