// The operations on the entries of given keys, which a cache and its namespaces have.

import { functionOf, listOf, pairsOf } from './arguments.js';
import { bytesOf, describe, shown, type BytesLike } from './bytes.js';
import type { Core } from './core.js';
import { Mode, Outcome } from './engine.js';
import { fetchArguments, type FetchedOptions, type FetchForm, type FetchOptions, type FetchSource, type Loader } from './fetch.js';
import { KeyHandle, nameOf, ROOT, type Key } from './keys.js';
import { checkedFlags, duration, optionsOf, type SetOptions } from './options.js';
import type { Spaces } from './spaces.js';

/** An entry with everything that is known of it. */
export interface EntryInfo {
  value: Uint8Array<ArrayBuffer>;
  /** The number that was stored with it. */
  flags: number;
  /** Changes whenever the entry is written; for {@link Entries.cas}. 0n without the option `cas`. */
  cas: bigint;
  /** Milliseconds to live; `Infinity` if it does not expire. */
  ttl: number;
}

/** Options of {@link Entries.incr} and {@link Entries.decr}. */
export interface CountOptions {
  /** How much to add or to subtract; default 1. */
  by?: number | bigint | undefined;
  /** The number to store if there is no entry. Without it, nothing happens then. */
  initial?: number | bigint | undefined;
  /** Time to live of an entry that is made, in milliseconds. */
  ttl?: number | undefined;
}

/** The largest number of 64 bits: of a counter, and of what gets() returns. */
const WORD_MAX = 2n ** 64n - 1n;

/** See the first lines of this file. */
export abstract class Entries {
  /** @internal */
  protected readonly core: Core;
  /** @internal */
  protected readonly spaces: Spaces;
  /** The name among the namespaces of the cache; empty for the cache itself. */
  readonly #name: string;
  /** Default time to live; that of the cache if it is undefined. */
  readonly #ttl: number | undefined;
  readonly #hasCallback: boolean;

  /** @internal */
  constructor(core: Core, spaces: Spaces, name: string, ttl: number | undefined) {
    core.check();
    this.core = core;
    this.spaces = spaces;
    this.#name = name;
    this.#ttl = ttl === undefined ? undefined : duration(ttl);
    this.#hasCallback = core.options.onEvict !== undefined;
  }

  /** A copy of the value, or `undefined`. Small copies share buffers: `slice()` one before you transfer its buffer. */
  get(key: Key): Uint8Array<ArrayBuffer> | undefined {
    return this.#read(this.core.store.get(this.#space, key));
  }

  /** The value as text (UTF-8), or `undefined`. */
  getText(key: Key): string | undefined {
    return this.#read(this.core.store.getText(this.#space, key));
  }

  /** Whether the key has a value. Counts as a use of the entry. */
  has(key: Key): boolean {
    return this.#read(this.core.store.has(this.#space, key));
  }

  /** As {@link Entries.get}, but not a use of the entry. */
  peek(key: Key): Uint8Array<ArrayBuffer> | undefined {
    return this.#read(this.core.store.read(this.#space, key, false)?.value);
  }

  /** Value, flags, unique and time to live of an entry; a use of it. */
  gets(key: Key): EntryInfo | undefined {
    const found = this.#read(this.core.store.read(this.#space, key, true));
    if (found === undefined) return undefined;
    const { value, flags, unique, expires } = found;
    return { value, flags, cas: unique, ttl: this.core.remaining(expires) };
  }

  /** Copies the value into a buffer, without making anything; returns its length. Throws if the buffer is too small. */
  getInto(key: Key, into: ArrayBuffer | ArrayBufferView): number | undefined {
    if (typeof into === 'string') throw new TypeError('getInto takes a buffer for the value, not text; getText returns text');
    return this.#read(this.core.store.getInto(this.#space, key, bytesOf(into, 'a buffer for a value')));
  }

  /**
   * Calls `work` with the value where it lies, without a copy, and returns its result. The view is valid until `work` returns or
   * calls the cache; writing to it would damage the cache.
   */
  use<T>(key: Key, work: (view: Uint8Array) => T): T | undefined {
    return this.core.store.use(this.#space, key, functionOf('use', work, 'the value'));
  }

  /** The values of several keys, in their order. */
  getMany(keys: Iterable<Key>): (Uint8Array<ArrayBuffer> | undefined)[] {
    return this.#read(this.core.store.getMany(this.#space, listOf('getMany', keys)));
  }

  /** A key whose bytes are made once, for keys that are used again and again. */
  key(key: Key): KeyHandle {
    this.core.check();
    return new KeyHandle(key);
  }

  /**
   * Stores a copy of the value. Throws a `RangeError` if the entry is larger than `maxEntrySize`; the old value, which
   * would be stale, is removed.
   */
  set(key: Key, value: BytesLike, options?: SetOptions): this {
    this.#check(this.#store(key, value, Mode.set, options));
    return this;
  }

  /** Stores several values. If one is refused, those in front of it are stored, and those behind it are not. */
  setMany(entries: Iterable<readonly [Key, BytesLike]>, options?: SetOptions): this {
    const { store } = this.core;
    // The store keeps them in its window meanwhile, which code of the iterable could use.
    const pairs = pairsOf('setMany', entries);
    for (const [key] of pairs) this.#outdate(key);
    const [flags, expires] = [checkedFlags(optionsOf(options, ['ttl', 'flags'])?.flags), this.#expiryOf(options)];
    let outcome = store.setMany(this.#spaceToStore, pairs, flags, expires);
    if (this.#makesRoom(outcome)) outcome = store.setMany(this.#spaceToStore, pairs, flags, expires);
    this.after();
    this.#check(outcome);
    return this;
  }

  /** Stores the value if the key has none; returns whether it was stored. */
  add(key: Key, value: BytesLike, options?: SetOptions): boolean {
    return this.#isStored(this.#store(key, value, Mode.add, options));
  }

  /** Stores the value if the key has one; returns whether it was stored. */
  replace(key: Key, value: BytesLike, options?: SetOptions): boolean {
    return this.#isStored(this.#store(key, value, Mode.replace, options));
  }

  /** Adds bytes at the end of a value, which keeps its time to live; returns whether there is one. */
  append(key: Key, value: BytesLike): boolean {
    return this.#hasGrown(key, this.#store(key, value, Mode.append));
  }

  /** Adds bytes at the start of a value, which keeps its time to live; returns whether there is one. */
  prepend(key: Key, value: BytesLike): boolean {
    return this.#hasGrown(key, this.#store(key, value, Mode.prepend));
  }

  /** Stores the value if the entry was not written since {@link Entries.gets} returned this `cas`. */
  cas(key: Key, value: BytesLike, cas: bigint, options?: SetOptions): 'stored' | 'exists' | 'missing' {
    if (!this.core.options.cas) throw new Error('this cache was made with `cas: false`, so no cas can match; make it without that option');
    if (typeof cas !== 'bigint') throw new TypeError(`cas is the bigint that gets() returned, not ${describe(cas)}`);
    if (cas < 0n || cas > WORD_MAX) throw new RangeError(`cas is ${shown(cas)}; pass the one that gets() returned`);
    const outcome = this.#store(key, value, Mode.set, options, cas);
    if (outcome === Outcome.exists) return 'exists';
    if (outcome === Outcome.missing || outcome === Outcome.notStored) return 'missing';
    this.#check(outcome);
    return 'stored';
  }

  /**
   * The value; on a miss, that which `loader` loads, and which is then stored. Callers of the same key at the same time share one
   * call of the loader; its error reaches all of them and is not stored. With `stale`, an entry lives `ttl` + `stale`: in its last
   * `stale` milliseconds each caller gets the old value at once, and one of them loads a new one in the background.
   */
  fetch(key: Key, loader: Loader<Uint8Array, BytesLike>): Promise<Uint8Array | undefined>;
  fetch(key: Key, options: FetchOptions, loader: Loader<Uint8Array, BytesLike>): Promise<Uint8Array | undefined>;
  async fetch(
    key: Key,
    ...rest: [Loader<Uint8Array, BytesLike>] | [FetchOptions, Loader<Uint8Array, BytesLike>]
  ): Promise<Uint8Array | undefined> {
    return this.fetchAs<Uint8Array, BytesLike>(
      { get: (at) => this.get(at), encode: (loaded) => bytesOf(loaded, 'a loaded value').slice(), decode: (bytes) => bytes.slice() },
      key,
      ...fetchArguments(rest),
    );
  }

  /** @internal */
  fetchAs<V, L>(form: FetchForm<V, L>, key: Key, options: FetchOptions, loader: Loader<V, L>): Promise<V | undefined> {
    // A namespace has a number from now on, so that its being cleared meanwhile shows.
    void this.#spaceToStore;
    const source: FetchSource<V, L> = {
      ...form,
      idOf: (at) => this.#idOf(at),
      getRemainingTTL: (at) => this.getRemainingTTL(at),
      store: (at, bytes, fetched) => this.#storeFetched(at, bytes, fetched),
      delete: (at) => this.delete(at),
    };
    return this.core.flights.fetch(source, key, options, loader);
  }

  /** Adds to a decimal number of 64 bits, which wraps at its end. Returns the sum: a bigint if it is no safe integer. */
  incr(key: Key, options: CountOptions | number | bigint = {}): number | bigint | undefined {
    return this.#count(key, options, false);
  }

  /** Subtracts from a decimal number, down to zero. Returns the rest. */
  decr(key: Key, options: CountOptions | number | bigint = {}): number | bigint | undefined {
    return this.#count(key, options, true);
  }

  /** Removes an entry; returns whether there was one. */
  delete(key: Key): boolean {
    this.#outdate(key);
    const isDeleted = this.core.store.delete(this.#space, key);
    this.after();
    return isDeleted;
  }

  /** Removes several entries; returns how many there were. */
  deleteMany(keys: Iterable<Key>): number {
    const all = listOf('deleteMany', keys);
    for (const key of all) this.#outdate(key);
    const deleted = this.core.store.deleteMany(this.#space, all);
    this.after();
    return deleted;
  }

  /** Gives an entry a new time to live (default: the cache's) without reading it; returns whether there is one. */
  touch(key: Key, options?: { ttl?: number | undefined }): boolean {
    const isTouched = this.core.store.touch(this.#space, key, this.#expiryOf(optionsOf(options, ['ttl'])));
    this.after();
    return isTouched;
  }

  /** {@link Entries.touch} and {@link Entries.get}. */
  getAndTouch(key: Key, options?: { ttl?: number | undefined }): Uint8Array<ArrayBuffer> | undefined {
    return this.touch(key, options) ? this.get(key) : undefined;
  }

  /** Milliseconds that an entry has to live; `Infinity` if it does not expire, 0 if there is none. */
  getRemainingTTL(key: Key): number {
    const expires = this.#read(this.core.store.expiryOf(this.#space, key));
    return expires === undefined ? 0 : this.core.remaining(expires);
  }

  /** @internal */
  protected get spaceName(): string {
    return this.#name;
  }

  /** @internal */
  protected get defaultTtl(): number | undefined {
    return this.#ttl;
  }

  /** @internal The number of the namespace, to look for entries. */
  protected get space(): number {
    return this.#space;
  }

  get #space(): number {
    return this.#name === '' ? ROOT : this.spaces.numberOf(this.#name);
  }

  get #spaceToStore(): number {
    return this.#name === '' ? ROOT : this.spaces.numberFor(this.#name);
  }

  #expiryOf(options: { ttl?: number | undefined } | undefined): number {
    return this.core.expiryOf(options?.ttl === undefined ? this.#ttl : options.ttl);
  }

  #store(key: Key, value: BytesLike, mode: number, options?: SetOptions, unique?: bigint): number {
    const { core } = this;
    const expires = mode === Mode.append || mode === Mode.prepend ? 0 : this.#expiryOf(options);
    const flags = checkedFlags(optionsOf(options, ['ttl', 'flags'])?.flags);
    let outcome = core.store.store(this.#spaceToStore, key, value, mode, flags, expires, unique);
    if (this.#makesRoom(outcome)) outcome = core.store.store(this.#spaceToStore, key, value, mode, flags, expires, unique);
    if (outcome === Outcome.done || outcome === Outcome.tooLarge) this.#outdate(key);
    this.after();
    return outcome;
  }

  /** Removes what cleared namespaces left, if an entry had no room; returns whether it is worth another try. */
  #makesRoom(outcome: number): boolean {
    if (outcome !== Outcome.outOfMemory || !this.spaces.isBehind) return false;
    this.spaces.finish(this.core.store);
    return true;
  }

  /** The engine answers as memcached does: what would grow too large is not stored, as if it were not there. */
  #hasGrown(key: Key, outcome: number): boolean {
    const isThere = outcome === Outcome.notStored && this.core.store.expiryOf(this.#space, key) !== undefined;
    return this.#isStored(isThere ? Outcome.tooLarge : outcome);
  }

  #storeFetched(key: Key, bytes: Uint8Array, { ttl, stale = 0, flags }: FetchedOptions): boolean {
    const life = duration(ttl === undefined ? (this.#ttl ?? this.core.options.ttl) : ttl);
    const outcome = this.#store(key, bytes, Mode.set, { ttl: life === 0 ? 0 : life + duration(stale), flags });
    return outcome === Outcome.done;
  }

  #idOf(key: Key): string {
    return `${this.#space}:${nameOf(key)}`;
  }

  /** The entry is newer from now on than a value that is being loaded for it. */
  #outdate(key: Key): void {
    const { flights } = this.core;
    if (flights.areSome) flights.outdate(this.#idOf(key));
  }

  #isStored(outcome: number): boolean {
    if (outcome === Outcome.notStored || outcome === Outcome.missing) return false;
    this.#check(outcome);
    return true;
  }

  #count(key: Key, options: CountOptions | number | bigint, subtracts: boolean): number | bigint | undefined {
    const isNumber = typeof options === 'number' || typeof options === 'bigint';
    const { by = 1, initial, ttl }: CountOptions = isNumber ? { by: options } : optionsOf(options, ['by', 'initial', 'ttl'])!;
    const first = initial === undefined ? undefined : counter('initial', initial);
    if (ttl !== undefined) duration(ttl);
    const { store } = this.core;
    let result = store.add(this.#space, key, counter('by', by), subtracts);
    if (typeof result === 'number' && this.#makesRoom(result)) result = store.add(this.#space, key, counter('by', by), subtracts);
    if (typeof result === 'bigint') this.#outdate(key);
    this.after();
    if (typeof result === 'bigint') return safe(result);
    if (result === Outcome.nonNumeric) {
      throw new TypeError('the entry is not a decimal number of 64 bits; set it to one, like "0", before it counts');
    }
    if (result !== Outcome.missing) this.#check(result);
    if (first === undefined) return undefined;
    this.#check(this.#store(key, String(first), Mode.set, { ttl }));
    return safe(first);
  }

  #check(outcome: number): void {
    if (outcome === Outcome.done) return;
    const { maxEntrySize, maxSize, evictions } = this.core.options;
    if (outcome === Outcome.tooLarge) {
      throw new RangeError(
        `the entry is larger than maxEntrySize (${maxEntrySize} bytes with 59 of bookkeeping); raise maxEntrySize, or split the value`,
      );
    }
    const advice = evictions ? 'raise maxSize' : 'it may not evict; raise maxSize, or allow evictions';
    throw new Error(`the cache is full (${maxSize} bytes): ${advice}`);
  }

  /** Must follow a read: an entry that had expired was perhaps removed. */
  #read<T>(result: T): T {
    if (this.#hasCallback) this.core.report(this.spaces);
    if (this.spaces.isBehind) this.spaces.maintain(this.core);
    return result;
  }

  /** @internal Must follow a change. */
  protected after(): void {
    if (this.#hasCallback) this.core.report(this.spaces);
    if (this.spaces.isBehind) this.spaces.maintain(this.core);
  }
}

function counter(name: string, value: number | bigint): bigint {
  const isInteger = typeof value === 'bigint' || Number.isInteger(value);
  const exact = isInteger ? BigInt(value) : -1n;
  if (exact >= 0n && exact <= WORD_MAX) return exact;
  throw new RangeError(`${name} is ${shown(value)}; give an integer from 0 to 2^64 - 1`);
}

function safe(value: bigint): number | bigint {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}
