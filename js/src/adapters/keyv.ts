// Storage adapters for Keyv: `KeyvStore` speaks the contract of Keyv 6, `Keyv5Store` that of Keyv 5, which cache-manager 7
// and cacheable 2 bring. They differ in units: Keyv 6 hands over the time at which an entry ends, Keyv 5 its duration.

import { backing, remaining, textKeys, type Backing, type Divisible } from './backing.js';

/** An entry of {@link KeyvStore.setMany}; `expires` is in milliseconds since 1970. */
export interface KeyvStoreEntry {
  key: string;
  value: unknown;
  expires?: number | undefined;
}

/** An entry of {@link Keyv5Store.setMany}; `ttl` is in milliseconds. */
export interface Keyv5StoreEntry {
  key: string;
  value: unknown;
  ttl?: number | undefined;
}

const METHODS = [
  'get',
  'getMany',
  'has',
  'hasMany',
  'set',
  'setMany',
  'delete',
  'deleteMany',
  'clear',
  'iterator',
] as const;

/** Storage for Keyv 6: `new Keyv({ store: new KeyvStore(cache), namespace: 'users' })`. */
export class KeyvStore {
  /** The namespace of the Keyv that uses this store; Keyv sets it. */
  namespace: string | undefined;
  readonly #cache: Backing | Divisible;

  constructor(cache: Backing | Divisible) {
    this.#cache = backing(cache);
  }

  /** Keyv 6 asks for this: the store takes the time at which an entry ends. */
  get capabilities(): object {
    const methods: Record<string, object> = { disconnect: { exists: false, methodType: 'none' } };
    for (const name of METHODS) methods[name] = { exists: true, methodType: name === 'iterator' ? 'sync' : 'async' };
    return { compatible: true, store: 'keyvStorage', expires: true, methods };
  }

  /** Keyv 5 asks for this. It would hand over durations where times are expected. */
  get opts(): never {
    throw new TypeError('KeyvStore is for Keyv 6; give Keyv 5, cache-manager and cacheable a Keyv5Store');
  }

  async get(key: string): Promise<any> {
    return this.#scope().getText(key);
  }

  async getMany(keys: string[]): Promise<any[]> {
    const scope = this.#scope();
    return keys.map((key) => scope.getText(key));
  }

  async has(key: string): Promise<boolean> {
    return this.#scope().has(key);
  }

  async hasMany(keys: string[]): Promise<boolean[]> {
    const scope = this.#scope();
    return keys.map((key) => scope.has(key));
  }

  async set(key: string, value: unknown, expires?: number): Promise<boolean> {
    return store(this.#scope(), key, value, expires);
  }

  async setMany(entries: KeyvStoreEntry[]): Promise<boolean[]> {
    const scope = this.#scope();
    return entries.map(({ key, value, expires }) => attempt(() => store(scope, key, value, expires)));
  }

  async delete(key: string): Promise<boolean> {
    return this.#scope().delete(key);
  }

  async deleteMany(keys: string[]): Promise<boolean[]> {
    const scope = this.#scope();
    return keys.map((key) => scope.delete(key));
  }

  /** Removes the entries of the namespace, or all entries if there is none. */
  async clear(): Promise<void> {
    this.#scope().clear();
  }

  async *iterator(): AsyncGenerator<any[], void> {
    yield* entries(this.#scope());
  }

  #scope(): Backing {
    return division(this.#cache, this.namespace);
  }
}

/** Storage for Keyv 5, and for cache-manager and cacheable: `new Keyv({ store: new Keyv5Store(cache) })`. */
export class Keyv5Store {
  /** Keyv 5 offers `iterator()` only for stores whose dialect is in a list of its own, so the store names one of them. */
  opts: Record<string, unknown> = { dialect: 'redis', url: '' };
  readonly #cache: Backing | Divisible;
  readonly #known = new Set<string>();
  #namespace: string | undefined;

  constructor(cache: Backing | Divisible) {
    this.#cache = backing(cache);
  }

  /** The namespace of the Keyv that uses this store; Keyv sets it. Several may share a store. */
  get namespace(): string | undefined {
    return this.#namespace;
  }

  set namespace(name: string | undefined) {
    this.#namespace = name;
    if (name !== undefined && name !== '') this.#known.add(name);
  }

  async get(key: string): Promise<any> {
    return this.#scope(key).getText(key);
  }

  async getMany(keys: string[]): Promise<any[]> {
    return keys.map((key) => this.#scope(key).getText(key));
  }

  async has(key: string): Promise<boolean> {
    return this.#scope(key).has(key);
  }

  async hasMany(keys: string[]): Promise<boolean[]> {
    return keys.map((key) => this.#scope(key).has(key));
  }

  async set(key: string, value: unknown, ttl?: number): Promise<boolean> {
    return keep(this.#scope(key), key, value, ttl);
  }

  async setMany(entries: Keyv5StoreEntry[]): Promise<any> {
    return entries.map(({ key, value, ttl }) => attempt(() => keep(this.#scope(key), key, value, ttl)));
  }

  async delete(key: string): Promise<boolean> {
    return this.#scope(key).delete(key);
  }

  /** Whether at least one of the keys had an entry. */
  async deleteMany(keys: string[]): Promise<boolean> {
    let isDeleted = false;
    for (const key of keys) isDeleted = this.#scope(key).delete(key) || isDeleted;
    return isDeleted;
  }

  /** Removes the entries of the namespace, or all entries if there is none. */
  async clear(): Promise<void> {
    const name = this.#namespace;
    const home = this.#home(name);
    const scope = division(this.#cache, home);
    if (home === name) scope.clear();
    else scope.clear(`${name}:`);
  }

  async *iterator(namespace: string | undefined = this.#namespace): AsyncGenerator<any[], void> {
    const home = this.#home(namespace);
    yield* entries(division(this.#cache, home), home === namespace ? '' : `${namespace}:`);
  }

  /**
   * The part of the cache that has the key. Keyv 5 writes `namespace:key`, and keeps the bare key with
   * `useKeyPrefix: false`.
   */
  #scope(key: string): Backing {
    for (const name of this.#known) {
      if (key.startsWith(`${name}:`)) return division(this.#cache, this.#home(name));
    }
    return division(this.#cache, this.#namespace);
  }

  /** The namespace whose part has the entries of `name`: `a` for `a:b`, as `a:b:c` may belong to either. */
  #home(name: string | undefined): string | undefined {
    let home = name;
    for (const other of this.#known) {
      if (home !== undefined && home.startsWith(`${other}:`)) home = other;
    }
    return home;
  }
}

function division(cache: Backing | Divisible, name: string | undefined): Backing {
  if (name === undefined || name === '') return cache;
  if ('namespace' in cache && typeof cache.namespace === 'function') return cache.namespace(name);
  throw new TypeError(`the store has no namespaces, so "${name}" cannot be one; give the adapter the cache itself`);
}

/** Stores a value that ends at a time. One that has ended already is removed. */
function store(scope: Backing, key: string, value: unknown, expires: number | undefined): boolean {
  if (expires === undefined || expires === null) return keep(scope, key, value, undefined);
  const ttl = remaining(expires);
  if (ttl !== undefined) return keep(scope, key, value, ttl);
  scope.delete(key);
  return true;
}

function keep(scope: Backing, key: string, value: unknown, ttl: number | undefined): boolean {
  if (typeof value !== 'string') {
    throw new TypeError(
      `Keyv handed over ${value === null ? 'null' : `a value of type ${typeof value}`}; ` +
        'this store keeps text, so leave the serialization of Keyv on',
    );
  }
  scope.set(key, value, typeof ttl === 'number' && ttl > 0 ? { ttl } : { ttl: 0 });
  return true;
}

/** One entry that is too large does not fail the others of its batch. */
function attempt(action: () => boolean): boolean {
  try {
    return action();
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

function* entries(scope: Backing, prefix = ''): Generator<[string, string]> {
  for (const key of textKeys(scope, prefix)) {
    const value = scope.getText(key);
    if (value !== undefined) yield [key, value];
  }
}
