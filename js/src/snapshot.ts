// Snapshots: all entries as bytes, which another cache on another machine can load.
//
// A snapshot is a head (8 bytes, version) and frames. A frame is its checksum, its length, its kind, and its content. Numbers are
// little-endian.
// - names: the numbers of namespaces with their names, as JSON.
// - entries: the time of tick 0 in milliseconds since 1970 (64-bit float), and records as the engine lists them. A record is the
//   lengths of key and value, flags, the tick at which it expires (0: never), the stored key, and the value.
// - end: the number of entries (64-bit float).

import { crc32 } from './checksum.js';
import { TICK_MS, type Core } from './core.js';
import { Mode, Outcome } from './engine.js';
import { KEY_BYTES_MAX, ROOT, SPACE_BYTES, SPACE_TAG } from './keys.js';
import { RECORD_HEAD_BYTES } from './records.js';
import { rawPages } from './scan.js';
import { pathOf, prefixOf, type Spaces } from './spaces.js';
import { ROW_BYTES } from './store.js';
import { utf8 } from './text.js';

/** The result of {@link Loading}. */
export interface LoadResult {
  /** Entries that were stored. */
  loaded: number;
  /** Entries that were not: they had expired, or are too large for this cache, or it is full and may not evict. */
  skipped: number;
}

const MAGIC = 'WMCACHE\x1a';
const VERSION = 1;
const HEAD_BYTES = 12;
const FRAME_HEAD_BYTES = 12;
const Kind = { names: 1, entries: 2, end: 3 } as const;
/** Bytes in front of the records of a frame. */
const TIME_BYTES = 8;

/** Writes a snapshot of a namespace and those in it, or of the whole cache. */
export class Dump {
  readonly #core: Core;
  readonly #spaces: Spaces;
  readonly #own: string;

  constructor(core: Core, spaces: Spaces, own: string) {
    this.#core = core;
    this.#spaces = spaces;
    this.#own = own;
  }

  *chunks(): Generator<Uint8Array, void, undefined> {
    const { store } = this.#core;
    yield head();
    const names = this.#spaces.numbersIn(this.#own);
    if (this.#own === '') names.set(ROOT, '');
    yield frame(Kind.names, utf8().encode(JSON.stringify([...names])));
    let entries = 0;
    for (const { records, count } of rawPages(store, this.#prefix(names), true)) {
      // The first namespace may be made meanwhile.
      const takesAll = this.#own === '' && !this.#spaces.isUsed;
      const wanted = takesAll ? [records] : this.#select(records, names);
      entries += takesAll ? count : wanted.length;
      if (wanted.length > 0) yield frame(Kind.entries, double(Date.now() - this.#core.age), ...wanted);
    }
    yield frame(Kind.end, double(entries));
  }

  /** The common beginning of the stored keys of these namespaces. */
  #prefix(names: ReadonlyMap<number, string>): Uint8Array {
    if (this.#own === '') return new Uint8Array(0);
    const [first = ROOT] = names.keys();
    return names.size === 1 ? prefixOf(first) : new Uint8Array([SPACE_TAG]);
  }

  /** The records of entries in these namespaces. */
  #select(records: Uint8Array, names: ReadonlyMap<number, string>): Uint8Array[] {
    return [...recordsOf(records, 0)]
      .filter(({ space }) => names.has(space) && !this.#spaces.isCleared(space))
      .map(({ begin, end }) => records.subarray(begin, end));
  }
}

/** Reads a snapshot into a namespace, or into the whole cache. */
export class Loading {
  readonly result: LoadResult = { loaded: 0, skipped: 0 };
  readonly #core: Core;
  readonly #spaces: Spaces;
  readonly #own: string;
  /** Bytes that are no whole frame yet, as they came. They are joined once there are enough of them. */
  #parts: Uint8Array[] = [];
  #partBytes = 0;
  #enoughBytes = 0;
  /** Bytes that are being read. */
  #rest: Uint8Array = new Uint8Array(0);
  /** Bytes in front of them. */
  #at = 0;
  #names = new Map<number, string>();
  /** Entries of the frames. */
  #entries = 0;
  #isEnded = false;

  constructor(core: Core, spaces: Spaces, own: string) {
    this.#core = core;
    this.#spaces = spaces;
    this.#own = own;
  }

  /** The contents of the frames of entries that are complete with these bytes, checked one after the other. */
  *frames(bytes: Uint8Array): Generator<Uint8Array, void, undefined> {
    this.#partBytes += bytes.length;
    if (this.#partBytes < this.#enoughBytes) return void this.#parts.push(bytes.slice());
    this.#rest = this.#parts.length === 0 ? bytes : joined([...this.#parts, bytes]);
    const isReady = this.#at > 0 || this.#readHead();
    for (let content = isReady ? this.#next() : undefined; content !== undefined; content = this.#next()) {
      if (content.length > 0) yield content;
    }
    // The rest may be bytes of the caller's, who may use them for something else.
    this.#parts = [this.#rest.slice()];
    this.#partBytes = this.#rest.length;
    this.#enoughBytes = this.#at > 0 && this.#rest.length >= FRAME_HEAD_BYTES ? FRAME_HEAD_BYTES + word(this.#rest, 4) : 0;
  }

  /** Throws if the snapshot is not complete. */
  end(): void {
    if (!this.#isEnded) throw this.#damaged(this.#at + this.#partBytes, 'it ends here, and the rest is missing');
  }

  /** Stores the entries of a frame. */
  load(content: Uint8Array): void {
    const [origin, now] = [float(content), Date.now()];
    const remaining = (expires: number): number => (expires === 0 ? Infinity : origin + expires * TICK_MS - now);
    const records = [...recordsOf(content, TIME_BYTES)];
    const live = records.filter(({ expires }) => remaining(expires) > 0);
    const rows = this.#rows(content, live, (expires) => this.#core.expiryOf(remaining(expires)));
    const { store } = this.#core;
    let stored = store.setRows(rows, live.length);
    // The entries that cleared namespaces left are removed first, and then the rest has room.
    if (stored < live.length && !this.#core.options.evictions) this.#spaces.finish(store);
    for (const record of live.slice(stored)) {
      const [key, value] = [content.subarray(record.keyAt, record.valueAt), content.subarray(record.valueAt, record.end)];
      const expires = this.#core.expiryOf(remaining(record.expires));
      if (store.store(this.#numberFor(record), key, value, Mode.set, record.flags, expires) === Outcome.done) stored++;
    }
    this.result.loaded += stored;
    this.result.skipped += records.length - stored;
  }

  /** The records in the form in which the store takes many. */
  #rows(content: Uint8Array, records: readonly SnapshotRecord[], expiryOf: (expires: number) => number): Uint8Array {
    const rows = new Uint8Array(content.length + SPACE_BYTES * records.length);
    const view = new DataView(rows.buffer);
    let at = 0;
    for (const record of records) {
      const { keyAt, valueAt, end, flags, expires } = record;
      const number = this.#numberFor(record);
      const tag = number !== ROOT || content[keyAt]! >= SPACE_TAG ? SPACE_BYTES : 0;
      view.setUint32(at, end - valueAt, true);
      view.setUint32(at + 4, flags, true);
      view.setUint32(at + 8, expires === 0 ? 0 : expiryOf(expires), true);
      view.setUint32(at + 12, valueAt - keyAt + tag, true);
      at += ROW_BYTES;
      if (tag > 0) {
        rows[at] = SPACE_TAG;
        view.setUint32(at + 1, number, true);
        at += tag;
      }
      rows.set(content.subarray(keyAt, end), at);
      at += end - keyAt;
    }
    return rows.subarray(0, at);
  }

  /** The number of the namespace for an entry in this cache. */
  #numberFor({ space }: SnapshotRecord): number {
    const name = this.#own + this.#names.get(space)!;
    return name === '' ? ROOT : this.#spaces.numberFor(name);
  }

  #readHead(): boolean {
    const bytes = this.#rest;
    for (let i = 0; i < Math.min(MAGIC.length, bytes.length); i++) {
      if (bytes[i] !== MAGIC.charCodeAt(i)) throw new TypeError('this is no snapshot of a cache; pass what dump() returned');
    }
    if (bytes.length < HEAD_BYTES) return false;
    const version = word(bytes, MAGIC.length);
    if (version !== VERSION) {
      throw new RangeError(`the snapshot has version ${version}, this package reads ${VERSION}; load it with the package that wrote it`);
    }
    this.#advance(HEAD_BYTES);
    return true;
  }

  /** The content of the next frame of entries, empty for other frames; `undefined` if the frame is not complete. */
  #next(): Uint8Array | undefined {
    const rest = this.#rest;
    if (rest.length === 0) return undefined;
    if (this.#isEnded) throw this.#damaged(this.#at, 'there are bytes behind its end');
    if (rest.length < FRAME_HEAD_BYTES || rest.length - FRAME_HEAD_BYTES < word(rest, 4)) return undefined;
    const end = FRAME_HEAD_BYTES + word(rest, 4);
    if (crc32(rest.subarray(4, end)) !== word(rest, 0)) throw this.#damaged(this.#at, 'the checksum is another');
    const [kind, content] = [word(rest, 8), rest.subarray(FRAME_HEAD_BYTES, end)];
    if (kind === Kind.names) this.#names = this.#namesOf(content);
    else if (kind === Kind.entries) this.#check(content);
    else if (kind === Kind.end) this.#finish(content);
    else throw this.#damaged(this.#at, `there is no frame of kind ${kind}`);
    this.#advance(end);
    return kind === Kind.entries ? content : new Uint8Array(0);
  }

  #advance(bytes: number): void {
    this.#at += bytes;
    this.#rest = this.#rest.subarray(bytes);
  }

  #namesOf(content: Uint8Array): Map<number, string> {
    try {
      const names = new Map(JSON.parse(utf8().decode(content)) as [number, string][]);
      if ([...names.values()].every((name) => pathOf(name) !== undefined)) return names;
      throw new TypeError('not all of them are names');
    } catch {
      throw this.#damaged(this.#at, 'the names of namespaces are not readable');
    }
  }

  /** Throws if not every record is whole and of a namespace with a name. */
  #check(content: Uint8Array): void {
    let end = TIME_BYTES;
    for (const record of recordsOf(content, TIME_BYTES)) {
      end = record.end;
      const isKey = record.valueAt > record.keyAt && record.valueAt <= record.keyAt + KEY_BYTES_MAX;
      if (end > content.length || !isKey || typeof this.#names.get(record.space) !== 'string') {
        throw this.#damaged(this.#at, 'an entry is not whole');
      }
      this.#entries++;
    }
    if (end !== content.length) throw this.#damaged(this.#at, 'an entry is not whole');
  }

  #finish(content: Uint8Array): void {
    this.#isEnded = true;
    if (content.length !== 8 || float(content) !== this.#entries) throw this.#damaged(this.#at, 'entries are missing');
  }

  #damaged(at: number, problem: string): Error {
    const { loaded } = this.result;
    const done = loaded === 0 ? 'nothing was loaded' : `what came before it was loaded (entries: ${loaded})`;
    return new Error(`the snapshot is damaged at byte ${at}: ${problem}; ${done}; take another copy of it`);
  }
}

interface SnapshotRecord {
  readonly space: number;
  readonly begin: number;
  /** The end of the value. May lie behind the end of damaged records. */
  readonly end: number;
  /** Where the key begins, without what is in front of it in namespaces. */
  readonly keyAt: number;
  /** Where the key ends. */
  readonly valueAt: number;
  readonly flags: number;
  readonly expires: number;
}

function* recordsOf(bytes: Uint8Array, from: number): Generator<SnapshotRecord, void, undefined> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let begin = from; begin + RECORD_HEAD_BYTES < bytes.length; ) {
    const storedAt = begin + RECORD_HEAD_BYTES;
    const valueAt = storedAt + view.getUint32(begin, true);
    const end = valueAt + view.getUint32(begin + 4, true);
    const [flags, expires] = [view.getUint32(begin + 8, true), view.getUint32(begin + 12, true)];
    const tag = bytes[storedAt] === SPACE_TAG ? SPACE_BYTES : 0;
    const space = tag > 0 && storedAt + tag <= bytes.length ? view.getUint32(storedAt + 1, true) : ROOT;
    yield { space, begin, end, keyAt: storedAt + tag, valueAt, flags, expires };
    begin = end;
  }
}

function head(): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES);
  for (let i = 0; i < MAGIC.length; i++) bytes[i] = MAGIC.charCodeAt(i);
  new DataView(bytes.buffer).setUint32(MAGIC.length, VERSION, true);
  return bytes;
}

function frame(kind: number, ...parts: Uint8Array[]): Uint8Array {
  const bytes = joined([new Uint8Array(FRAME_HEAD_BYTES), ...parts]);
  const view = new DataView(bytes.buffer);
  view.setUint32(4, bytes.length - FRAME_HEAD_BYTES, true);
  view.setUint32(8, kind, true);
  view.setUint32(0, crc32(bytes.subarray(4)), true);
  return bytes;
}

/** The bytes of all parts. */
export function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function double(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value, true);
  return bytes;
}

const float = (bytes: Uint8Array): number => new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0, true);
const word = (bytes: Uint8Array, at: number): number => new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
