// A typed view of a cache or a namespace: the same entries, with values that a codec makes of their bytes.

import { functionOf, pairsOf } from './arguments.js';
import { bytesOf, type BytesLike } from './bytes.js';
import type { CheckedCodec } from './codec.js';
import type { Collection, ScanOptions, ScanResult } from './collection.js';
import type { EntryInfo } from './entries.js';
import { fetchArguments, type FetchOptions, type Loader } from './fetch.js';
import type { Key, KeyHandle } from './keys.js';
import type { NamespaceOptions } from './namespace.js';
import type { SetOptions } from './options.js';

/** An entry of a view with everything that is known of it. */
export interface ViewEntryInfo<V> extends Omit<EntryInfo, 'value'> {
  value: V;
}

/** See the first lines of this file. Each method is that of the cache with this name. */
export class CacheView<V> {
  readonly #entries: Collection;
  readonly #codec: CheckedCodec<V>;

  /** @internal */
  constructor(entries: Collection, codec: CheckedCodec<V>) {
    this.#entries = entries;
    this.#codec = codec;
  }

  /** The value, or `undefined`. */
  get(key: Key): V | undefined {
    const { parse } = this.#codec;
    if (parse === undefined) return this.#decoded(this.#entries.get(key));
    const text = this.#entries.getText(key);
    return text === undefined ? undefined : parse(text);
  }

  /** As {@link CacheView.get}, but not a use of the entry. */
  peek(key: Key): V | undefined {
    return this.#decoded(this.#entries.peek(key));
  }

  /** Value, flags, unique and time to live of an entry. */
  gets(key: Key): ViewEntryInfo<V> | undefined {
    const found = this.#entries.gets(key);
    return found === undefined ? undefined : { ...found, value: this.#codec.decode(found.value) };
  }

  /** The values of several keys, in their order. */
  getMany(keys: Iterable<Key>): (V | undefined)[] {
    return this.#entries.getMany(keys).map((value) => this.#decoded(value));
  }

  /** Stores a value. */
  set(key: Key, value: V, options?: SetOptions): this {
    this.#entries.set(key, this.#codec.encode(value), options);
    return this;
  }

  /** Stores several values; none if one of them cannot be encoded. */
  setMany(entries: Iterable<readonly [Key, V]>, options?: SetOptions): this {
    this.#entries.setMany(pairsOf('setMany', entries).map(([key, value]) => [key, this.#codec.encode(value)] as const), options);
    return this;
  }

  /** Stores the value if the key has none; returns whether it was stored. */
  add(key: Key, value: V, options?: SetOptions): boolean {
    return this.#entries.add(key, this.#codec.encode(value), options);
  }

  /** Stores the value if the key has one; returns whether it was stored. */
  replace(key: Key, value: V, options?: SetOptions): boolean {
    return this.#entries.replace(key, this.#codec.encode(value), options);
  }

  /** Stores the value if the entry was not written since {@link CacheView.gets} returned this `cas`. */
  cas(key: Key, value: V, cas: bigint, options?: SetOptions): 'stored' | 'exists' | 'missing' {
    return this.#entries.cas(key, this.#codec.encode(value), cas, options);
  }

  /** The value; on a miss, that which `loader` loads. See {@link Entries.fetch}. */
  fetch(key: Key, loader: Loader<V>): Promise<V | undefined>;
  fetch(key: Key, options: FetchOptions, loader: Loader<V>): Promise<V | undefined>;
  async fetch(key: Key, ...rest: [Loader<V>] | [FetchOptions, Loader<V>]): Promise<V | undefined> {
    const { encode, decode } = this.#codec;
    return this.#entries.fetchAs<V, V>(
      { get: (at) => this.get(at), encode: (value) => bytesOf(encode(value), 'a loaded value').slice(), decode },
      key,
      ...fetchArguments(rest),
    );
  }

  /** Whether the key has a value. Counts as a use of the entry. */
  has(key: Key): boolean {
    return this.#entries.has(key);
  }

  /** Removes an entry; returns whether there was one. */
  delete(key: Key): boolean {
    return this.#entries.delete(key);
  }

  /** Removes several entries; returns how many there were. */
  deleteMany(keys: Iterable<Key>): number {
    return this.#entries.deleteMany(keys);
  }

  /** Gives an entry a new time to live without reading it; returns whether there is one. */
  touch(key: Key, options?: { ttl?: number | undefined }): boolean {
    return this.#entries.touch(key, options);
  }

  /** {@link CacheView.touch} and {@link CacheView.get}. */
  getAndTouch(key: Key, options?: { ttl?: number | undefined }): V | undefined {
    return this.touch(key, options) ? this.get(key) : undefined;
  }

  /** Milliseconds that an entry has to live; `Infinity` if it does not expire, 0 if there is none. */
  getRemainingTTL(key: Key): number {
    return this.#entries.getRemainingTTL(key);
  }

  /** A key whose bytes are made once. */
  key(key: Key): KeyHandle {
    return this.#entries.key(key);
  }

  /** Number of entries. */
  get size(): number {
    return this.#entries.size;
  }

  /** A page of keys. */
  scan(options?: ScanOptions): ScanResult {
    return this.#entries.scan(options);
  }

  /** The keys. */
  keys(prefix?: BytesLike): Generator<string | Uint8Array, void, undefined> {
    return this.#entries.keys(prefix);
  }

  /** The values. */
  values(prefix?: BytesLike): Generator<V, void, undefined> {
    return mapped(this.#entries.values(prefix), (value) => this.#codec.decode(value));
  }

  /** The entries. */
  entries(prefix?: BytesLike): Generator<[string | Uint8Array, V], void, undefined> {
    return mapped(this.#entries.entries(prefix), ([key, value]) => [key, this.#codec.decode(value)]);
  }

  [Symbol.iterator](): Generator<[string | Uint8Array, V], void, undefined> {
    return this.entries();
  }

  /** Calls `work` with each value and key. */
  forEach(work: (value: V, key: string | Uint8Array, view: this) => void): void {
    functionOf('forEach', work, 'a value and a key');
    for (const [key, value] of this.entries()) work(value, key, this);
  }

  /** Removes all entries, or those whose keys begin with `prefix`. */
  clear(prefix?: BytesLike): void {
    this.#entries.clear(prefix);
  }

  /** A namespace, with the same codec. */
  namespace(name: string, options?: NamespaceOptions): CacheView<V> {
    return new CacheView(this.#entries.namespace(name, options), this.#codec);
  }

  get [Symbol.toStringTag](): string {
    return 'CacheView';
  }

  #decoded(value: Uint8Array | undefined): V | undefined {
    return value === undefined ? undefined : this.#codec.decode(value);
  }
}

/** The results of `work`, while the walk goes on. */
function* mapped<T, U>(walk: Iterable<T>, work: (item: T) => U): Generator<U, void, undefined> {
  for (const item of walk) yield work(item);
}
