// wasmcached and the other libraries behind the same two functions, `set` and `get`.

import { LIBRARIES } from './libraries/libraries.mjs';

/** The name of this package among the libraries. */
export const OURS = 'wasmcached';

/** Names of all, this package last. */
export const NAMES = [...Object.keys(LIBRARIES), OURS];

/** An empty cache by name: for `count` entries, or, of this package, for `bytes`. */
export async function contestant(name, kind, { count, bytes }) {
  if (name !== OURS) return LIBRARIES[name](count);
  const { Cache } = await import('wasmcached');
  const cache = new Cache({ maxSize: bytes });
  const get = kind === 'bytes' ? (key) => cache.get(key) : (key) => cache.getText(key);
  return { set: (key, value) => cache.set(key, value), get };
}
