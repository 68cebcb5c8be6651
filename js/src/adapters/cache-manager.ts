// Stores for cache-manager: version 6 and later take Keyv stores, version 5 takes its own kind.

import { backing, textKeys, type Backing } from './backing.js';

export { Keyv5Store } from './keyv.js';

/** A store for cache-manager 5, `createCache(new CacheManager5Store(cache))`, and for `KeyvAdapter` of version 7. */
export class CacheManager5Store {
  readonly name = 'wasmcached';
  readonly #cache: Backing & { getRemainingTTL(key: string): number };

  constructor(cache: Backing & { getRemainingTTL(key: string): number }) {
    this.#cache = backing(cache);
  }

  async get<T>(key: string): Promise<T | undefined> {
    const text = this.#cache.getText(key);
    return text === undefined ? undefined : JSON.parse(text);
  }

  /** `ttl` is in milliseconds. */
  async set(key: string, value: unknown, ttl?: number): Promise<void> {
    const text = JSON.stringify(value);
    if (text === undefined)
      throw new TypeError(`a value of type ${typeof value} has no JSON; give null, or delete the key`);
    this.#cache.set(key, text, ttl === undefined ? undefined : { ttl });
  }

  async del(key: string): Promise<void> {
    this.#cache.delete(key);
  }

  async reset(): Promise<void> {
    this.#cache.clear();
  }

  async mget(...keys: string[]): Promise<unknown[]> {
    return Promise.all(keys.map((key) => this.get(key)));
  }

  async mset(entries: [string, unknown][], ttl?: number): Promise<void> {
    for (const [key, value] of entries) await this.set(key, value, ttl);
  }

  async mdel(...keys: string[]): Promise<void> {
    for (const key of keys) this.#cache.delete(key);
  }

  async keys(): Promise<string[]> {
    return textKeys(this.#cache);
  }

  /** Milliseconds to live: 0 without an entry, `Infinity` for an entry without end. */
  async ttl(key: string): Promise<number> {
    return this.#cache.getRemainingTTL(key);
  }
}
