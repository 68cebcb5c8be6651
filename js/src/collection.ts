// A cache or a namespace as a collection: listings, typed views, snapshots, clearing. Operations on the entries of given keys are
// in entries.ts.

import { functionOf } from './arguments.js';
import { bytesOf, describe, shown, type BytesLike } from './bytes.js';
import { codecOf, type BytesCodec, type Codec, type TextCodec } from './codec.js';
import { SCAN_END } from './engine.js';
import { Entries } from './entries.js';
import { bytesOfName } from './keys.js';
import type { Namespace, NamespaceOptions } from './namespace.js';
import { optionsOf } from './options.js';
import { parseRecords } from './records.js';
import { countOf, pages, prefixBytes, type Listed } from './scan.js';
import { Dump, joined, Loading, type LoadResult } from './snapshot.js';
import type { Store } from './store.js';
import { CacheView } from './view.js';

/** Options of {@link Collection.scan}. */
export interface ScanOptions {
  /** Only keys that begin with it. */
  prefix?: BytesLike;
  /** Keys of a page; default 1000. */
  count?: number;
  /** That of the page before. */
  cursor?: number | undefined;
}

/** A page of {@link Collection.scan}. */
export interface ScanResult {
  /** The keys of the page: at most `count` and those in the same bucket, sometimes none. */
  keys: (string | Uint8Array<ArrayBuffer>)[];
  /** The cursor for the next page; `undefined` after the last. */
  cursor: number | undefined;
}

/** The engine takes a number of 32 bits. */
const COUNT_MAX = 0xffff_ffff;

/** See the first lines of this file. */
export abstract class Collection extends Entries {
  /**
   * The same entries with values of another type: `json`, `text`, `v8` (what `structuredClone` can copy, with `node:v8`), or by a
   * codec of yours: `{ encode, decode }`, or `{ stringify, parse }` as superjson and devalue have it.
   */
  as(codec: 'text'): CacheView<string>;
  as<V = unknown>(codec: 'json' | 'v8'): CacheView<V>;
  as<V>(codec: BytesCodec<V> | TextCodec<V>): CacheView<V>;
  as<V>(codec: Codec<V>): CacheView<V> {
    this.core.check();
    return new CacheView<V>(this, codecOf(codec));
  }

  /** Number of entries, expired ones that were not removed yet among them. With namespaces it is counted, which takes time. */
  get size(): number {
    const { started } = this.core;
    if (started === undefined) return 0;
    if (this.spaceName === '' && !this.spaces.isUsed) return started.items;
    return countOf(started, this.space);
  }

  /** A page of keys that begin with `prefix`. Each call takes a bounded time; it is no use of the entries. */
  scan(options: ScanOptions = {}): ScanResult {
    const { prefix = '', count = 1000, cursor = 0 } = optionsOf(options, ['prefix', 'count', 'cursor'])!;
    if (!Number.isInteger(cursor) || cursor < 0 || cursor > SCAN_END) {
      throw new RangeError(`cursor is ${shown(cursor)}; pass that of the page before, or none`);
    }
    if (!Number.isInteger(count) || count < 1) throw new RangeError(`count is ${shown(count)}; give a number of keys, from 1 on`);
    const space = this.space;
    const page = this.core.store.scan(cursor, prefixBytes(space, prefix), Math.min(count, COUNT_MAX), false);
    const entries = parseRecords(page.records, page.count, false).filter((entry) => entry.space === space);
    return { keys: entries.map(({ key }) => key), cursor: page.cursor };
  }

  /**
   * The keys. An entry that exists all the while appears once, whatever is stored meanwhile; what was deleted meanwhile does not
   * appear. It is no use of the entries.
   */
  keys(prefix: BytesLike = ''): Generator<string | Uint8Array<ArrayBuffer>, void, undefined> {
    return this.#listed(prefix, false, ({ key }) => key);
  }

  /** The values; see {@link Collection.keys}. */
  values(prefix: BytesLike = ''): Generator<Uint8Array<ArrayBuffer>, void, undefined> {
    return this.#listed(prefix, true, ({ value }) => value!);
  }

  /** The entries; see {@link Collection.keys}. */
  entries(prefix: BytesLike = ''): Generator<[string | Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>], void, undefined> {
    return this.#listed(prefix, true, ({ key, value }) => [key, value!]);
  }

  [Symbol.iterator](): Generator<[string | Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>], void, undefined> {
    return this.entries();
  }

  /** Calls `work` with each value and key. */
  forEach(work: (value: Uint8Array<ArrayBuffer>, key: string | Uint8Array<ArrayBuffer>, cache: this) => void): void {
    functionOf('forEach', work, 'a value and a key');
    for (const [key, value] of this.entries()) work(value, key, this);
  }

  /** Removes all entries, or those whose keys begin with `prefix`. */
  clear(prefix?: BytesLike): void {
    if (prefix === undefined) return this.clearAll();
    this.#outdatePrefix(prefix);
    for (const page of pages(this.core.store, this.space, prefix, false)) {
      for (const { key } of page) this.core.store.delete(this.space, key);
    }
  }

  /** A part with keys of its own, which is cleared at once. */
  abstract namespace(name: string, options?: NamespaceOptions): Namespace;

  /** All entries and those of the namespaces in it as one snapshot, for {@link Collection.load}. */
  dump(): Uint8Array {
    return joined([...this.dumpChunks()]);
  }

  /** {@link Collection.dump} in pieces, for large caches: an entry that exists all the while is in one of them. */
  dumpChunks(): Generator<Uint8Array, void, undefined> {
    this.core.check();
    return this.#chunks();
  }

  *#chunks(): Generator<Uint8Array, void, undefined> {
    for (const chunk of new Dump(this.core, this.spaces, this.spaceName).chunks()) {
      yield chunk;
      this.core.check();
    }
  }

  /**
   * Adds the entries of a snapshot to those that are there. Times to live go on while nobody has loaded it. A damaged snapshot is
   * refused as a whole.
   */
  load(snapshot: ArrayBuffer | ArrayBufferView): LoadResult {
    this.core.check();
    const loading = new Loading(this.core, this.spaces, this.spaceName);
    const frames = [...loading.frames(snapshotBytes(snapshot))];
    loading.end();
    for (const frame of frames) this.#loadFrame(loading, frame);
    return loading.result;
  }

  /** {@link Collection.load} of pieces of any length. The pieces before a damaged one are loaded. */
  async loadChunks(
    chunks: Iterable<ArrayBuffer | ArrayBufferView> | AsyncIterable<ArrayBuffer | ArrayBufferView>,
  ): Promise<LoadResult> {
    this.core.check();
    const loading = new Loading(this.core, this.spaces, this.spaceName);
    for await (const chunk of chunksOf(chunks)) {
      for (const frame of loading.frames(snapshotBytes(chunk))) this.#loadFrame(loading, frame);
    }
    this.core.check();
    loading.end();
    return loading.result;
  }

  /** @internal */
  protected abstract clearAll(): void;

  #listed<T>(prefix: BytesLike, withValues: boolean, part: (entry: Listed) => T): Generator<T, void, undefined> {
    this.core.check();
    // The walk begins later: bytes of the caller's may be something else by then.
    return this.#walk(bytesOf(prefix, 'a prefix').slice(), withValues, part);
  }

  /** Parts of the entries as they are when they are listed: a page may be older. */
  *#walk<T>(prefix: Uint8Array, withValues: boolean, part: (entry: Listed) => T): Generator<T, void, undefined> {
    const { started } = this.core;
    if (started === undefined) return;
    const space = this.space;
    for (const page of pages(started, space, prefix, withValues)) {
      const { changes } = started;
      for (const listed of page) {
        if (started.isRetired || space !== this.space) return;
        const current = started.changes === changes && listed.expires === 0 ? listed : this.#current(started, listed);
        if (current === undefined) continue;
        yield part(current);
        this.core.check();
      }
    }
  }

  #current(store: Store, listed: Listed): Listed | undefined {
    const value = store.read(listed.space, listed.key, false)?.value;
    return value === undefined ? undefined : { ...listed, value };
  }

  #loadFrame(loading: Loading, frame: Uint8Array): void {
    this.core.flights.outdateAll(() => true);
    loading.load(frame);
    this.after();
  }

  #outdatePrefix(prefix: BytesLike): void {
    const [head, bytes] = [`${this.space}:`, bytesOf(prefix, 'a prefix')];
    this.core.flights.outdateAll((id) => {
      if (!id.startsWith(head)) return false;
      const key = bytesOfName(id.slice(head.length));
      return bytes.every((byte, i) => byte === key[i]);
    });
  }
}

function snapshotBytes(snapshot: ArrayBuffer | ArrayBufferView): Uint8Array {
  if (typeof snapshot === 'string') throw new TypeError('a snapshot is bytes, not text; read the file without an encoding');
  return bytesOf(snapshot, 'a snapshot');
}

/** The pieces of a snapshot. */
function chunksOf<T>(chunks: Iterable<T> | AsyncIterable<T>): Iterable<T> | AsyncIterable<T> {
  const given = chunks as { [Symbol.iterator]?: unknown; [Symbol.asyncIterator]?: unknown } | undefined | null;
  const isIterable = typeof given?.[Symbol.asyncIterator] === 'function' || typeof given?.[Symbol.iterator] === 'function';
  if (isIterable && !ArrayBuffer.isView(chunks) && typeof chunks !== 'string') return chunks;
  throw new TypeError(`loadChunks takes an iterable of bytes, like a stream of a file, not ${describe(chunks)}; load takes all bytes at once`);
}
