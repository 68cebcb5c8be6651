// One instance of the store engine. No other file calls it or touches its memory.
//
// No view on that memory leaves this file but for `use`: any call may grow the memory, which detaches the views.

import { bytesOf, refuseIllFormed, type BytesLike } from './bytes.js';
import { Mode, Outcome, SCAN_END, SEED_WORDS, Word, type EngineExports } from './engine.js';
import { HELD_BYTES_MAX, keyBytes, keyBytesMost, KEY_BYTES_MAX, KeyHandle, ROOT, SPACE_BYTES, SPACE_TAG, wrongLength, type Key } from './keys.js';
import { Views } from './memory.js';
import { halves, sumOf } from './number.js';
import { parseDepartures, RECORD_HEAD_BYTES, recordOf, type Departed } from './records.js';
import { explain, isTrap } from './runtime-errors.js';

/** The arguments that create an instance. */
export interface StoreOptions {
  readonly memoryBytes: number;
  readonly itemBytesMax: number;
  readonly itemsMax: number;
  /** Bits of {@link Switch}. */
  readonly switches: number;
  /** The time in ticks. */
  readonly now: () => number;
}

/** An entry, as far as its store knows it. */
export interface StoredEntry {
  readonly value: Uint8Array<ArrayBuffer>;
  readonly flags: number;
  readonly unique: bigint;
  /** The tick at which it expires; 0 is never. */
  readonly expires: number;
}

/** Counts of a store. */
export interface StoreSummary {
  items: number;
  usedBytes: number;
  hits: number;
  misses: number;
  sets: number;
  evictions: number;
  expirations: number;
}

/** A page of a scan. */
export interface ScanPage {
  /** The records of the entries; see {@link parseRecords}. */
  readonly records: Uint8Array<ArrayBuffer>;
  readonly count: number;
  /** Records without values, of further entries, whose values are too large for the page. */
  readonly large: Uint8Array<ArrayBuffer>;
  /** The cursor for the next page, or `undefined` after the last. */
  readonly cursor: number | undefined;
}

/** A value to store, ready to be written. */
type Value = string | Uint8Array;

/** A word in front of the window takes the length of a key. */
const WORD_BYTES = 4;
/** A larger window is freed after use. */
const WINDOW_BYTES_KEPT = 64 * 1024;
/** The first window is small, because the engine clears it: an empty cache would pay for what it may never need. */
const WINDOW_BYTES_FIRST = 4096 - WORD_BYTES;
/** Bytes in front of each key of `setMany`: the length of the value, flags, expiry, and the length of the key. */
export const ROW_BYTES = 16;
/** Keys of this length and more are written by the encoder: for shorter ones a loop is faster. */
const LOOP_LENGTH_MAX = 24;
/** Stores without a time to live between two looks at the clock. */
const STORES_PER_TICK = 256;
/** Keys that cross at a time in `getMany`. */
const MANY_KEYS = 256;
/** A key of more bytes is stored under its hash. */
const SHORT_KEY_BYTES_MAX = 250;
/** Longest value that the engine copies together with others. */
const PACKED_BYTES_MAX = 4096;
/** The length of the value of an entry that is not there. */
const MISSING = -1;

/** See the first lines of this file. `space` is the number of a namespace, 0 that of the cache itself. */
export class Store {
  readonly #exports: EngineExports;
  readonly #views: Views;
  readonly #mailbox: number;
  readonly #itemBytesMax: number;
  readonly #now: () => number;
  // Hot functions have fields of their own: a property of `exports` costs a lookup in each call.
  readonly #get: EngineExports['get'];
  readonly #set: EngineExports['set'];
  #windowAt = 0;
  #windowBytes = 0;
  #storesLeft = STORES_PER_TICK;
  /** An entry with a time to live was stored. */
  #canExpire = false;
  /** Reads that the engine counted as hits, and whose entry had expired. */
  #expiredHits = 0;
  #isRetired = false;
  /** `use` shows a part of the memory; true for longer after an error, which costs only time. */
  #isLent = false;
  #changes = 0;

  /** Throws a `RangeError` if the runtime does not grant the memory. */
  constructor(module: WebAssembly.Module, options: StoreOptions) {
    const { memoryBytes, itemBytesMax, itemsMax, switches, now } = options;
    const seeds = crypto.getRandomValues(new Uint32Array(SEED_WORDS));
    this.#exports = new WebAssembly.Instance(module).exports as unknown as EngineExports;
    this.#mailbox = this.#exports.mailbox() >>> 2;
    this.#views = new Views(this.#exports.memory);
    this.#views.words.set(seeds, this.#mailbox + Word.seeds);
    if (this.#exports.create(memoryBytes, itemBytesMax, itemsMax, switches) === 0) {
      throw new RangeError(`no cache of ${memoryBytes} bytes: this runtime does not grant so much memory; use a smaller maxSize`);
    }
    this.#itemBytesMax = itemBytesMax;
    this.#now = now;
    this.#get = this.#exports.get;
    this.#set = this.#exports.set;
    this.#views.refresh();
    this.#reserve(WINDOW_BYTES_FIRST);
  }

  /** The instance failed in a call, or its cache has dropped it: it must not be used again. */
  get isRetired(): boolean {
    return this.#isRetired;
  }

  /** Marks the instance as unusable. */
  retire(): void {
    this.#isRetired = true;
  }

  /** Grows with each call that may change an entry. */
  get changes(): number {
    return this.#changes;
  }

  /** Bytes of linear memory. The system provides most of them only when they are first written. */
  get memoryBytes(): number {
    return this.#views.size;
  }

  /** Number of entries, expired ones that were not removed yet among them. */
  get items(): number {
    return this.#exports.count() >>> 0;
  }

  /** A copy of the key's value. */
  get(space: number, key: Key): Uint8Array<ArrayBuffer> | undefined {
    const length = this.#find(space, key);
    return length < 0 ? undefined : this.#views.copy(this.#word(Word.valueAt), length);
  }

  /** The key's value as text. */
  getText(space: number, key: Key): string | undefined {
    const length = this.#find(space, key);
    return length < 0 ? undefined : this.#views.text(this.#word(Word.valueAt), length);
  }

  /** Whether the key has a value. */
  has(space: number, key: Key): boolean {
    return this.#find(space, key) >= 0;
  }

  /** Copies the key's value into `into`; returns its length. */
  getInto(space: number, key: Key, into: Uint8Array): number | undefined {
    const length = this.#find(space, key);
    if (length < 0) return undefined;
    if (length > into.length) {
      throw new RangeError(`the value has ${length} bytes, the buffer only ${into.length}; give a larger buffer`);
    }
    into.set(this.#views.view(this.#word(Word.valueAt), length));
    return length;
  }

  /** Calls `work` with a view of the key's value. */
  use<T>(space: number, key: Key, work: (view: Uint8Array) => T): T | undefined {
    const length = this.#find(space, key);
    if (length < 0) return undefined;
    const outer = this.#isLent;
    this.#isLent = true;
    const result = work(this.#views.view(this.#word(Word.valueAt), length));
    this.#isLent = outer;
    return result;
  }

  /** Everything that is known of a key; a use of the entry if `isUse`. */
  read(space: number, key: Key, isUse: boolean): StoredEntry | undefined {
    const length = this.#find(space, key, isUse ? this.#get : this.#exports.peek);
    if (length < 0) return undefined;
    const value = this.#views.copy(this.#word(Word.valueAt), length);
    return { value, flags: this.#word(Word.flags), unique: this.#wide(Word.unique), expires: this.#word(Word.expiry) };
  }

  /** The tick at which a key expires, 0 for never; `undefined` without an entry. */
  expiryOf(space: number, key: Key): number | undefined {
    return this.#find(space, key, this.#exports.peek) < 0 ? undefined : this.#word(Word.expiry);
  }

  /** Stores a value; an {@link Outcome}. `unique` stores only if the entry has that one. */
  store(space: number, key: Key, value: BytesLike, mode: number, flags: number, expires: number, unique?: bigint): number {
    const ready = this.#ready(value);
    this.#changes++;
    this.#canExpire ||= expires !== 0;
    if (ready.length > this.#itemBytesMax) return this.#refuse(space, key, mode);
    const keyLength = this.#putKey(space, key, ready.length * (typeof ready === 'string' ? 3 : 1));
    const valueLength = this.#putValue(ready, this.#windowAt + keyLength);
    // Key and value are in the window by now: upkeep may move the bytes that `use` shows.
    if (expires !== 0 || --this.#storesLeft <= 0 || (this.#canExpire && (mode !== Mode.set || unique !== undefined))) this.#tick();
    let outcome;
    try {
      if (unique === undefined) {
        outcome = this.#set(keyLength, valueLength, mode, flags, expires);
      } else {
        this.#setWide(Word.unique, unique);
        outcome = this.#exports.compare_and_set(keyLength, valueLength, mode, flags, expires);
      }
      this.#views.refresh();
    } catch (error) {
      this.#isRetired = true;
      throw this.#failure(error);
    }
    return outcome;
  }

  /** The unique of the last entry that was stored. */
  get lastUnique(): bigint {
    return this.#wide(Word.unique);
  }

  /** Removes the key; returns whether it had a value. */
  delete(space: number, key: Key): boolean {
    this.#changes++;
    return this.#change(space, key, this.#exports.remove) === Outcome.done;
  }

  /** Gives the key a new expiry; returns whether it had a value. */
  touch(space: number, key: Key, expires: number): boolean {
    this.#canExpire ||= expires !== 0;
    return this.#change(space, key, (length) => this.#exports.touch(length, expires)) === Outcome.done;
  }

  /** Adds to a number, or subtracts; the number, or an {@link Outcome} that says why not. */
  add(space: number, key: Key, delta: bigint, subtracts: boolean): bigint | number {
    this.#changes++;
    if (this.#putKey(space, key, 0) > SHORT_KEY_BYTES_MAX) return this.#addLong(space, key, delta, subtracts);
    const [low, high] = halves(delta);
    const add = (length: number): number => this.#exports.add(length, low, high, subtracts ? 1 : 0);
    const outcome = this.#change(space, key, add);
    return outcome === Outcome.done ? this.#wide(Word.number) : outcome;
  }

  /** The engine finds no number behind a long key, which lies in front of its value. */
  #addLong(space: number, key: Key, delta: bigint, subtracts: boolean): bigint | number {
    const found = this.read(space, key, true);
    if (found === undefined) return Outcome.missing;
    const sum = sumOf(found.value, delta, subtracts);
    if (sum === undefined) return Outcome.nonNumeric;
    // Blanks pad a shorter number, as memcached has it.
    const outcome = this.store(space, key, String(sum).padEnd(found.value.length), Mode.set, found.flags, found.expires);
    return outcome === Outcome.done ? sum : outcome;
  }

  /** The values of several keys, in one crossing for each 256 or each MiB. */
  getMany(space: number, keys: readonly Key[]): (Uint8Array<ArrayBuffer> | undefined)[] {
    const values: (Uint8Array<ArrayBuffer> | undefined)[] = [];
    while (values.length < keys.length) this.#getSome(space, keys, values);
    return values;
  }

  /** Reads keys from the first on that has no value yet. */
  #getSome(space: number, keys: readonly Key[], values: (Uint8Array<ArrayBuffer> | undefined)[]): void {
    const from = values.length;
    const end = Math.min(from + MANY_KEYS, keys.length);
    this.#putKeys(space, keys, from, end);
    const read = this.#call(() => this.#exports.get_many(end - from)) >>> 0;
    const { words } = this.#views;
    const rows = this.#word(Word.recordsAt) >>> 2;
    const packed = this.#views.pack(this.#word(Word.valueAt), this.#word(Word.recordsBytes));
    let now: number | undefined;
    for (let row = rows; row < rows + 4 * read; row += 4) {
      const [at, length, expires] = [words[row]!, words[row + 1]! | 0, words[row + 2]!];
      const isOver = length >= 0 && expires !== 0 && expires <= (now ??= this.#now());
      if (isOver) this.#expiredHits++;
      if (length < 0 || isOver) values.push(undefined);
      else values.push(length > PACKED_BYTES_MAX ? this.#views.copy(at, length) : packed.take(at, length));
    }
  }

  /** Stores several values, in one crossing for each window full; an {@link Outcome}, of the first that was not stored. */
  setMany(space: number, entries: Iterable<readonly [Key, BytesLike]>, flags: number, expires: number): number {
    this.#changes++;
    this.#canExpire ||= expires !== 0;
    // The window may grow, which takes away the bytes that `use` shows.
    const given = !this.#isLent ? entries : Array.from(entries, ([key, value]) => [new KeyHandle(key), this.#ready(value)] as const);
    this.#reserve(WINDOW_BYTES_KEPT - WORD_BYTES);
    let [at, count] = [this.#windowAt - WORD_BYTES, 0];
    const flush = (): number => {
      const wanted = count;
      [at, count] = [this.#windowAt - WORD_BYTES, 0];
      if (wanted === 0) return Outcome.done;
      this.#tick();
      const done = this.#call(() => this.#exports.set_many(wanted)) >>> 0;
      return done === wanted ? Outcome.done : this.#word(Word.number);
    };
    const put = (key: Key, value: BytesLike): number => {
      const ready = this.#ready(value);
      const bytes = keyBytesMost(key) + ready.length * (typeof ready === 'string' ? 3 : 1) + ROW_BYTES + WORD_BYTES;
      if (at + bytes > this.#windowAt + this.#windowBytes) {
        const outcome = flush();
        if (outcome !== Outcome.done) return outcome;
      }
      if (at + bytes > this.#windowAt + this.#windowBytes) {
        const outcome = this.store(space, key, value, Mode.set, flags, expires);
        // The window may have moved.
        at = this.#windowAt - WORD_BYTES;
        return outcome;
      }
      const keyLength = this.#writeKey(space, key, at + ROW_BYTES);
      const valueLength = this.#putValue(ready, at + ROW_BYTES + keyLength);
      this.#views.writeWord(at, valueLength);
      this.#views.writeWord(at + WORD_BYTES, flags);
      this.#views.writeWord(at + 2 * WORD_BYTES, expires);
      this.#views.writeWord(at + 3 * WORD_BYTES, keyLength);
      at += ROW_BYTES + keyLength + valueLength;
      count++;
      return Outcome.done;
    };
    try {
      for (const [key, value] of given) {
        const outcome = put(key, value);
        if (outcome !== Outcome.done) return outcome;
      }
    } catch (error) {
      // Those in front of one that is refused are stored.
      if (!this.#isRetired) flush();
      throw error;
    }
    return flush();
  }

  /**
   * Stores entries that lie one behind the other in the form of `set_many`; returns how many were stored. Those behind one that is
   * refused are not tried.
   */
  setRows(rows: Uint8Array, count: number): number {
    if (count === 0) return 0;
    this.#changes++;
    this.#canExpire = true;
    this.#tick();
    this.#reserve(rows.length);
    this.#views.bytes.set(rows, this.#windowAt - WORD_BYTES);
    return this.#call(() => this.#exports.set_many(count)) >>> 0;
  }

  /** Removes several keys, in one crossing for each 256; returns how many had a value. */
  deleteMany(space: number, keys: readonly Key[]): number {
    this.#changes++;
    let removed = 0;
    for (let from = 0; from < keys.length; from += MANY_KEYS) {
      const end = Math.min(from + MANY_KEYS, keys.length);
      this.#putKeys(space, keys, from, end);
      this.#tick();
      removed += this.#call(() => this.#exports.remove_many(end - from)) >>> 0;
    }
    return removed;
  }

  /** Removes the entries of a page, listed without values, whose namespaces' numbers `leaves` answers true to. */
  removeListed(records: Uint8Array<ArrayBuffer>, leaves: (space: number) => boolean): void {
    this.#changes++;
    this.#reserve(records.length);
    const [view, { bytes }] = [new DataView(records.buffer, records.byteOffset), this.#views];
    let [to, count] = [this.#windowAt - WORD_BYTES, 0];
    for (let at = 0, end = 0; at < records.length; at = end) {
      end = at + RECORD_HEAD_BYTES + view.getUint32(at, true);
      at += RECORD_HEAD_BYTES;
      if (!leaves(view.getUint32(at + 1, true))) continue;
      this.#views.writeWord(to, end - at);
      to += WORD_BYTES;
      // The keys are short: a loop is faster than to copy parts of arrays.
      while (at < end) bytes[to++] = records[at++]!;
      count++;
    }
    if (count > 0) this.#call(() => this.#exports.remove_many(count));
  }

  /** A page of the entries whose stored keys begin with `prefix`. Bounded: a page may have fewer entries, even none. */
  scan(cursor: number, prefix: Uint8Array, count: number, withValues: boolean): ScanPage {
    this.#reserve(prefix.length);
    this.#views.bytes.set(prefix, this.#windowAt);
    this.#tick();
    const [low, high] = [cursor >>> 0, Math.floor(cursor / SCAN_END)];
    const found = this.#call(() => this.#exports.scan(low, high, prefix.length, count, withValues ? 1 : 0)) >>> 0;
    const records = this.#views.copyOf(this.#word(Word.recordsAt), this.#word(Word.recordsBytes));
    const large = this.#views.copyOf(this.#word(Word.valueAt), this.#word(Word.valueBytes));
    const next = this.#word(Word.cursor) + this.#word(Word.cursor + 1) * SCAN_END;
    return { records, count: found, large, cursor: next >= SCAN_END ? undefined : next };
  }

  /** The record of an entry with its value, by the stored key; `undefined` if it is gone. No use of the entry. */
  record(stored: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
    this.#tick();
    this.#reserve(stored.length);
    this.#views.bytes.set(stored, this.#windowAt);
    const length = this.#call(() => this.#exports.peek(stored.length)) | 0;
    if (length < 0) return undefined;
    const value = this.#views.view(this.#word(Word.valueAt), length);
    return recordOf(stored, value, this.#word(Word.flags), this.#word(Word.expiry));
  }

  /** Entries that were evicted or found to be expired since the last call. */
  departures(): Departed[] {
    const bytes = this.#call(() => this.#exports.departures()) >>> 0;
    return bytes === 0 ? [] : parseDepartures(this.#views.copyOf(this.#word(Word.recordsAt), bytes));
  }

  /** The counts. */
  summary(): StoreSummary {
    this.#call(() => this.#exports.summarize());
    const count = (number: number): number => Number(this.#wide(Word.summary + 2 * number));
    const [hits, misses] = [count(2) - this.#expiredHits, count(3) + this.#expiredHits];
    return {
      items: count(0),
      usedBytes: count(1),
      hits,
      misses,
      sets: count(4),
      evictions: count(5),
      expirations: count(6),
    };
  }

  /** The length of the key's value, or a negative number if there is none. The mailbox holds what else is known. */
  #find(space: number, key: Key, find: (keyBytes: number) => number = this.#get): number {
    const keyLength = this.#putKey(space, key, 0);
    let length;
    try {
      length = find(keyLength) | 0;
      this.#views.refresh();
    } catch (error) {
      this.#isRetired = true;
      throw this.#failure(error);
    }
    return length >= 0 && this.#word(Word.expiry) !== 0 && this.#isOver() ? this.#expire(keyLength, find) : length;
  }

  /** Whether the entry that was found has expired. Only entries that can expire cost a look at the clock. */
  #isOver(): boolean {
    return this.#word(Word.expiry) <= this.#now();
  }

  /** Lets the engine remove the expired entry of the key in the window. */
  #expire(keyLength: number, find: (keyBytes: number) => number): number {
    if (find === this.#get) this.#expiredHits++;
    this.#tick();
    this.#call(() => this.#exports.peek(keyLength));
    return MISSING;
  }

  #tick(): void {
    this.#storesLeft = STORES_PER_TICK;
    this.#call(() => this.#exports.tick(this.#now()));
  }

  #change(space: number, key: Key, work: (keyLength: number) => number): number {
    const keyLength = this.#putKey(space, key, 0);
    // An expired entry is none, so the time matters once entries can expire.
    if (this.#canExpire) this.#tick();
    return this.#call(() => work(keyLength));
  }

  /** Removes the old value, which would be stale. */
  #refuse(space: number, key: Key, mode: number): number {
    if (mode === Mode.set) this.#change(space, key, (length) => (this.#exports.refuse(length), Outcome.done));
    return Outcome.tooLarge;
  }

  #word(number: number): number {
    return this.#views.words[this.#mailbox + number]!;
  }

  #wide(number: number): bigint {
    return BigInt(this.#word(number)) | (BigInt(this.#word(number + 1)) << 32n);
  }

  #setWide(number: number, value: bigint): void {
    [this.#views.words[this.#mailbox + number], this.#views.words[this.#mailbox + number + 1]] = halves(value);
  }

  /** Provides a window of at least `bytes` bytes; frees an unusually large one. */
  #reserve(bytes: number): void {
    if (bytes <= this.#windowBytes && this.#windowBytes <= WINDOW_BYTES_KEPT) return;
    const least = this.#windowBytes === 0 ? WINDOW_BYTES_FIRST : WINDOW_BYTES_KEPT - WORD_BYTES;
    const wanted = Math.max(bytes, least);
    if (wanted === this.#windowBytes) return;
    this.#windowAt = this.#call(() => this.#exports.window(wanted)) >>> 0;
    this.#windowBytes = this.#windowAt === 0 ? 0 : wanted;
    if (this.#windowAt === 0) {
      throw new RangeError(`no room for ${bytes} bytes on their way: this runtime does not grant so much memory; store smaller values`);
    }
  }

  /** Writes the key at the start of the window, which then has room for `more` bytes behind it; returns its length. */
  #putKey(space: number, key: Key, more: number): number {
    if (typeof key !== 'string') return this.#putOther(space, key, more);
    const most = 3 * key.length + SPACE_BYTES + more;
    if (most > this.#windowBytes || this.#windowBytes > WINDOW_BYTES_KEPT) this.#reserve(keyBytesMost(key) + more);
    return this.#writeKey(space, key, this.#windowAt);
  }

  /** As {@link Store.#putKey}, for a key that is no text. */
  #putOther(space: number, key: Exclude<Key, string>, more: number): number {
    if (key instanceof KeyHandle && space === ROOT && HELD_BYTES_MAX + more <= this.#windowBytes && this.#windowBytes <= WINDOW_BYTES_KEPT) {
      const length = key.write(this.#views.words, this.#windowAt >>> 2);
      if (length > 0) return length;
    }
    this.#reserve(keyBytesMost(key) + more);
    return this.#writeKey(space, key, this.#windowAt);
  }

  #writeKey(space: number, key: Key, at: number): number {
    const { bytes } = this.#views;
    if (typeof key !== 'string') {
      const own = keyBytes(key);
      const head = space !== ROOT || own[0]! >= SPACE_TAG ? this.#putSpace(space, at) : 0;
      bytes.set(own, at + head);
      return head + own.length;
    }
    const head = space === ROOT ? 0 : this.#putSpace(space, at);
    const { length } = key;
    if (length === 0 || length > KEY_BYTES_MAX) throw wrongLength(length);
    return head + (length <= LOOP_LENGTH_MAX && this.#views.writeAscii(key, at + head) ? length : this.#encodeKey(key, at + head));
  }

  #putSpace(space: number, at: number): number {
    this.#views.bytes[at] = SPACE_TAG;
    this.#views.writeWord(at + 1, space);
    return SPACE_BYTES;
  }

  /** Refuses text that is not well-formed: two such keys could encode to the same bytes and share one value. */
  #encodeKey(key: string, at: number): number {
    const written = this.#views.write(key, at, 3 * key.length);
    if (written > KEY_BYTES_MAX) throw wrongLength(written);
    if (written !== key.length) refuseIllFormed(key, 'a key');
    return written;
  }

  #putKeys(space: number, keys: readonly Key[], from: number, end: number): void {
    let bytes = 0;
    for (let i = from; i < end; i++) bytes += keyBytesMost(keys[i]!) + WORD_BYTES;
    this.#reserve(bytes);
    let at = this.#windowAt - WORD_BYTES;
    for (let i = from; i < end; i++) {
      const length = this.#writeKey(space, keys[i]!, at + WORD_BYTES);
      this.#views.writeWord(at, length);
      at += WORD_BYTES + length;
    }
  }

  /** A value whose bytes are known, or text short enough to be encoded in the window. */
  #ready(value: BytesLike): Value {
    if (typeof value !== 'string') {
      const bytes = bytesOf(value, 'a value');
      // The engine may move what `use` shows before it stores it.
      return this.#isLent && this.#views.holds(bytes) ? bytes.slice() : bytes;
    }
    if (3 * value.length <= WINDOW_BYTES_KEPT / 2) return value;
    // Text with too many code units has too many bytes as well.
    return value.length > this.#itemBytesMax ? new Uint8Array(this.#itemBytesMax + 1) : bytesOf(value, 'a value');
  }

  #putValue(value: Value, at: number): number {
    if (typeof value !== 'string') {
      this.#views.bytes.set(value, at);
      return value.length;
    }
    const written = this.#views.write(value, at, 3 * value.length);
    if (written !== value.length) refuseIllFormed(value, 'a value');
    return written;
  }

  #call<T>(work: () => T): T {
    try {
      const result = work();
      this.#views.refresh();
      return result;
    } catch (error) {
      this.#isRetired = true;
      throw this.#failure(error);
    }
  }

  /** The error to throw. The instance is retired already: where the stack ends, this call may fail as well. */
  #failure(error: unknown): unknown {
    // An error of a caller's function or of the runtime leaves the engine whole; a trap does not.
    this.#isRetired = isTrap(error);
    if (!this.#isRetired) return explain(error);
    return new Error(`the cache's engine failed and is replaced by an empty one: ${(error as Error).message}`, { cause: error });
  }
}
