// Loading on a miss: one flight a key, which all callers share, and stale values while a new one is loaded.
//
// A flight's result is stored only while the flight is current. A call that writes or deletes the key makes it outdated, so an old
// value never replaces a newer one; callers that wait for it still receive its result.

import { describe } from './bytes.js';
import { KeyHandle, keyBytes, type Key } from './keys.js';
import { checkedFlags, duration, optionsOf, type SetOptions } from './options.js';

/** The part of an `AbortSignal` that is used here. */
export interface Signal {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** The runtime's own `AbortSignal`, where its types are known. */
export type LoaderSignal = typeof globalThis extends { AbortController: new () => { readonly signal: infer Own } } ? Own : Signal;

/** The course of a call of `fetch`, in the words of lru-cache. */
export interface FetchStatus {
  /**
   * `hit`: there was a value. `stale`: there was one in its stale time, which is loaded anew. `inflight`: another call was loading it
   * already. `miss` and `refresh`: this call loads it, the latter because of `forceRefresh`.
   */
  fetch?: 'hit' | 'stale' | 'inflight' | 'miss' | 'refresh';
  /** Whether the loaded value was stored: not if it is too large, or if the key was written or deleted meanwhile. */
  fetchUpdated?: boolean;
  /** Why the loader failed, also in the background. */
  fetchError?: unknown;
}

/** Options of `fetch`. */
export interface FetchOptions extends SetOptions {
  /** Milliseconds after `ttl` in which the old value is returned at once while one call loads a new one. Default 0. */
  stale?: number | undefined;
  /** Ends the wait of this call. The loader's own signal ends when nobody waits any more. */
  signal?: Signal | undefined;
  /** `true`: loads even if there is a value. */
  forceRefresh?: boolean | undefined;
  /** Receives what happened. */
  status?: FetchStatus | undefined;
}

/** The argument of a loader. */
export interface LoaderContext<V> {
  /** The key as it was passed to `fetch`. */
  readonly key: Key;
  /** Ends when nobody waits for the value any more, or the cache is disposed of. */
  readonly signal: LoaderSignal;
  /** The value that is being replaced, if there is one. */
  readonly staleValue: V | undefined;
  /** How the value will be stored. The loader may change it, to a time to live that came with the value. */
  readonly options: { ttl?: number | undefined; stale?: number | undefined; flags?: number | undefined };
}

/** Loads the value of a key; `undefined`: there is none. */
export type Loader<V, L = V> = (context: LoaderContext<V>) => L | undefined | PromiseLike<L | undefined>;

/** The options of an entry that a loader may choose. */
export type FetchedOptions = LoaderContext<unknown>['options'];

/** The entries that a flight is for, in the form in which callers see them. */
export interface FetchSource<V, L> {
  /** Differs between all keys of a cache and its namespaces. */
  idOf(key: Key): string;
  get(key: Key): V | undefined;
  getRemainingTTL(key: Key): number;
  /** The bytes to store, which nobody else has. */
  encode(loaded: L): Uint8Array;
  /** A value of its own for each caller. */
  decode(bytes: Uint8Array): V;
  /** Stores the value; returns whether there is room for it. */
  store(key: Key, bytes: Uint8Array, options: FetchedOptions): boolean;
  delete(key: Key): void;
}

/** The parts of a {@link FetchSource} that depend on the form of the values. */
export type FetchForm<V, L> = Pick<FetchSource<V, L>, 'get' | 'encode' | 'decode'>;

/** Options and loader: the options may be missing. */
export function fetchArguments<V, L>(rest: [Loader<V, L>] | [FetchOptions, Loader<V, L>]): [FetchOptions, Loader<V, L>] {
  const [given, loader] = rest.length > 1 ? (rest as [FetchOptions, Loader<V, L>]) : [undefined, rest[0] as Loader<V, L>];
  if (typeof loader !== 'function') {
    throw new TypeError(`fetch takes a key, perhaps options, and last a function that loads the value, not ${describe(loader)}`);
  }
  const options = optionsOf(given, ['ttl', 'stale', 'signal', 'forceRefresh', 'status', 'flags']) ?? {};
  const { signal, status, ttl, stale, flags } = options;
  for (const time of [ttl, stale]) if (time !== undefined) duration(time);
  checkedFlags(flags);
  if (signal !== undefined && (typeof signal?.aborted !== 'boolean' || typeof signal.addEventListener !== 'function')) {
    throw new TypeError(`signal is an AbortSignal, as an AbortController has one, not ${describe(signal)}`);
  }
  if (status !== undefined && (typeof status !== 'object' || status === null)) {
    throw new TypeError(`status is an object that receives what happened, not ${describe(status)}`);
  }
  return [options, loader];
}

type Result = Uint8Array | undefined;

interface Flight {
  readonly id: string;
  readonly controller: AbortController;
  readonly result: Promise<Result>;
  readonly resolve: (result: Result) => void;
  readonly reject: (reason: unknown) => void;
  readonly status: FetchStatus;
  /** Callers that wait. A reload in the background counts as one more, so that nobody's leaving ends it. */
  waiting: number;
}

/** The flights of a cache and its namespaces. */
export class Flights {
  readonly #current = new Map<string, Flight>();
  /** All that have not landed, outdated ones among them. */
  readonly #all = new Set<Flight>();
  /** Those whose loaders are being called. */
  readonly #starting: Flight[] = [];

  /** Whether a flight may have to be told of a change. */
  get areSome(): boolean {
    return this.#current.size > 0;
  }

  /** See `Entries.fetch`. */
  fetch<V, L>(source: FetchSource<V, L>, key: Key, options: FetchOptions, loader: Loader<V, L>): Promise<V | undefined> {
    const { signal, forceRefresh = false, status = {} } = options;
    const { stale = 0 } = options;
    if (signal?.aborted === true) throw signal.reason;
    const found = source.get(key);
    const isStale = found !== undefined && stale > 0 && source.getRemainingTTL(key) <= stale;
    if (found !== undefined && !isStale && !forceRefresh) {
      status.fetch = 'hit';
      return Promise.resolve(found);
    }
    const running = this.#current.get(source.idOf(key));
    const servesStale = isStale && !forceRefresh;
    status.fetch = servesStale ? 'stale' : running !== undefined ? 'inflight' : found !== undefined ? 'refresh' : 'miss';
    if (!servesStale && running !== undefined && this.#starting.includes(running)) {
      throw new Error('the loader of this key calls fetch for the same key and would wait for itself; let it load the value');
    }
    const flight = running ?? this.#start(source, key, found, options, loader);
    if (!servesStale) return this.#wait(flight, source, signal);
    if (running === undefined) flight.waiting++;
    return Promise.resolve(found);
  }

  /** Makes the flight for a key outdated. */
  outdate(id: string): void {
    this.#current.delete(id);
  }

  /** Makes those flights outdated whose ids are so. */
  outdateAll(is: (id: string) => boolean): void {
    for (const id of this.#current.keys()) if (is(id)) this.#current.delete(id);
  }

  /** The numbers of the namespaces that values are being loaded for. */
  spaces(): Set<number> {
    return new Set(Array.from(this.#current.keys(), (id) => Number(id.slice(0, id.indexOf(':')))));
  }

  /** Ends all flights: all waiting callers get this error. */
  abort(error: Error): void {
    this.#current.clear();
    for (const flight of this.#all) end(flight, error);
  }

  #start<V, L>(source: FetchSource<V, L>, key: Key, staleValue: V | undefined, options: FetchOptions, loader: Loader<V, L>): Flight {
    let [resolve, reject]: [Flight['resolve'], Flight['reject']] = [() => {}, () => {}];
    const result = new Promise<Result>((...functions) => ([resolve, reject] = functions));
    // Without anybody who waits, an error is no unhandled one.
    result.catch(() => {});
    if (typeof AbortController === 'undefined') {
      throw new Error('this runtime has no AbortController, which fetch() needs for its loaders; define globalThis.AbortController');
    }
    const [controller, status] = [new AbortController(), options.status ?? {}];
    const flight: Flight = { id: source.idOf(key), controller, result, resolve, reject, status, waiting: 0 };
    this.#current.set(flight.id, flight);
    this.#all.add(flight);
    const { ttl, stale, flags } = options;
    const signal = controller.signal as unknown as LoaderSignal;
    this.#fly(flight, source, { key, signal, staleValue, options: { ttl, stale, flags } }, loader).then(resolve, reject);
    return flight;
  }

  async #fly<V, L>(flight: Flight, source: FetchSource<V, L>, context: LoaderContext<V>, loader: Loader<V, L>): Promise<Result> {
    const { key, staleValue, options } = context;
    try {
      // The caller may use the bytes of its key for something else.
      const own = typeof key === 'string' ? key : new KeyHandle(keyBytes(key));
      const loaded = await this.#called(flight, () => loader(context));
      const bytes = loaded === undefined ? undefined : source.encode(loaded);
      const isCurrent = this.#current.get(flight.id) === flight && source.idOf(own) === flight.id;
      flight.status.fetchUpdated = isCurrent && bytes !== undefined && source.store(own, bytes, options);
      if (isCurrent && bytes === undefined && staleValue !== undefined) source.delete(own);
      return bytes;
    } catch (error) {
      flight.status.fetchError = error;
      throw error;
    } finally {
      this.#all.delete(flight);
      this.#remove(flight);
    }
  }

  #called<T>(flight: Flight, load: () => T): T {
    this.#starting.push(flight);
    try {
      return load();
    } finally {
      this.#starting.pop();
    }
  }

  #wait<V, L>(flight: Flight, source: FetchSource<V, L>, signal: Signal | undefined): Promise<V | undefined> {
    flight.waiting++;
    const value = flight.result.then((bytes) => (bytes === undefined ? undefined : source.decode(bytes)));
    if (signal === undefined) return value;
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        reject(signal.reason);
        if (--flight.waiting > 0) return;
        this.#remove(flight);
        end(flight, signal.reason);
      };
      signal.addEventListener('abort', leave);
      value.finally(() => signal.removeEventListener('abort', leave)).then(resolve, reject);
    });
  }

  #remove(flight: Flight): void {
    if (this.#current.get(flight.id) === flight) this.#current.delete(flight.id);
  }
}

function end(flight: Flight, reason: unknown): void {
  flight.reject(reason);
  flight.controller.abort(reason);
}
