// One instance of the WebAssembly engine. No other file touches the instance's memory.
//
// No view on that memory leaves this file: any call may grow the memory, which detaches the views.

import { instantiate, type InitOutput } from './generated/engine.js';
import { explained } from './runtime-errors.js';
import { utf8 } from './text.js';

/** Longest key, in bytes. */
export const KEY_BYTES_MAX = 250;

/** The arguments that create an instance. */
export interface GuestOptions {
  /** Limit in bytes for items and index together. */
  readonly memoryBytes: number;
  /** Largest item, with the bytes that memcached counts. */
  readonly itemBytesMax: number;
  /** Bits of {@link Switch}; the byte above them is the delimiter of key prefixes. */
  readonly switches: number;
}

/** Bits of {@link GuestOptions.switches}. */
export const Switch = { noEvictions: 1, noCas: 2, noFlush: 4, shutdown: 8, prefixShift: 8 } as const;

/** Results of {@link Guest.set}. */
export const SetOutcome = { stored: 0, tooLarge: 1, outOfMemory: 2 } as const;

/** The result of {@link Guest.exchange}. */
export interface Exchange {
  readonly output: Uint8Array<ArrayBuffer>;
  /** The engine has closed the connection. */
  readonly closed: boolean;
}

/** Bits of a status (`docs/internals/boundary.md`). */
const STATUS_OUTPUT = 1;
const STATUS_MORE = 2;
const STATUS_CLOSE = 4;

/** Words of the mailbox. */
const VALUE_AT = 0;
const WINDOW_AT = 1;
const WINDOW_BYTES = 2;
const OUTPUT_AT = 3;
const OUTPUT_BYTES = 4;

/** A larger window is freed after use. */
const WINDOW_BYTES_KEPT = 64 * 1024;

/** Whether the value is a `Uint8Array`, of this or another realm. */
export function isBytes(value: unknown): value is Uint8Array {
  return ArrayBuffer.isView(value) && Object.prototype.toString.call(value) === '[object Uint8Array]';
}

/** See the first lines of this file. */
export class Guest {
  readonly #exports: InitOutput;
  readonly #solo: number;
  readonly #mailbox: number;
  readonly #itemBytesMax: number;
  // Hot functions have fields of their own: a property of `exports` costs a lookup in each call.
  readonly #get: InitOutput['solo_get'];
  readonly #set: InitOutput['solo_set'];
  #bytes!: Uint8Array<ArrayBuffer>;
  #words!: Uint32Array<ArrayBuffer>;
  #windowAt = 0;
  #windowBytes = 0;
  #isRetired = false;
  /** Older edge runtimes have no registry: a forgotten connection stays open there. */
  readonly #forgotten =
    typeof FinalizationRegistry === 'undefined'
      ? undefined
      : new FinalizationRegistry<number>((number) => this.#closeForgotten(number));

  /** Throws a `RangeError` if the runtime does not grant the memory. */
  constructor(module: WebAssembly.Module, options: GuestOptions, now: number) {
    const { memoryBytes, itemBytesMax, switches } = options;
    const [a, b, c, d] = explained(() => crypto.getRandomValues(new Uint32Array(4)));
    this.#exports = explained(() => instantiate(module));
    this.#solo = this.#exports.solo_create(memoryBytes, itemBytesMax, switches, a, b, c, d, now);
    if (this.#solo === 0) {
      throw new RangeError(
        `no memory for ${memoryBytes} bytes: this runtime does not grant so much; use a smaller maxSize`,
      );
    }
    this.#itemBytesMax = itemBytesMax;
    this.#get = this.#exports.solo_get;
    this.#set = this.#exports.solo_set;
    this.#mailbox = this.#exports.solo_mailbox(this.#solo) >>> 2;
    this.#refreshViews();
    this.#reserve(WINDOW_BYTES_KEPT);
  }

  /** The instance failed in a call, or its cache has dropped it: it must not be used again. */
  get isRetired(): boolean {
    return this.#isRetired;
  }

  /** Marks the instance as unusable, which its open connections then report as closed. */
  retire(): void {
    this.#isRetired = true;
  }

  /** Bytes of linear memory. The system provides most of them only when they are first written. */
  get memoryBytes(): number {
    return this.#exports.memory.buffer.byteLength;
  }

  /** A copy of the key's value. */
  get(key: string | Uint8Array, now: number): Uint8Array<ArrayBuffer> | undefined {
    const length = this.#find(key, now);
    if (length < 0) return undefined;
    const at = this.#words[this.#mailbox + VALUE_AT];
    return this.#bytes.slice(at, at + length);
  }

  /** The key's value as text. */
  getText(key: string | Uint8Array, now: number): string | undefined {
    const length = this.#find(key, now);
    if (length < 0) return undefined;
    const at = this.#words[this.#mailbox + VALUE_AT];
    return utf8().decode(this.#bytes.subarray(at, at + length));
  }

  /** Whether the key has a value. */
  has(key: string | Uint8Array, now: number): boolean {
    return this.#find(key, now) >= 0;
  }

  /** Stores a value; returns a {@link SetOutcome}. */
  set(key: string | Uint8Array, value: string | Uint8Array, expiresAt: number, now: number): number {
    if (typeof value === 'string') {
      // A UTF-16 code unit takes at most three bytes of UTF-8.
      if (value.length * 3 > WINDOW_BYTES_KEPT - KEY_BYTES_MAX) value = this.#encode(value);
    } else if (!isBytes(value)) {
      throw new TypeError(`a value is a string or a Uint8Array, not ${describe(value)}; JSON.stringify it first`);
    }
    if (value.length > this.#itemBytesMax) return this.#refuse(key, now);
    if (typeof value !== 'string') this.#reserve(KEY_BYTES_MAX + value.length);
    const keyBytes = this.#putKey(key);
    const valueBytes = this.#putValue(value, this.#windowAt + keyBytes);
    try {
      return this.#set(this.#solo, keyBytes, valueBytes, 0, expiresAt, now);
    } catch (error) {
      throw this.#fail(error);
    }
  }

  /** Removes the key; returns whether it had a value. */
  delete(key: string | Uint8Array, now: number): boolean {
    const keyBytes = this.#putKey(key);
    return this.#call(() => this.#exports.solo_delete(this.#solo, keyBytes, now)) === 1;
  }

  /** Gives the key a new expiry; returns whether it had a value. */
  touch(key: string | Uint8Array, expiresAt: number, now: number): boolean {
    const keyBytes = this.#putKey(key);
    return this.#call(() => this.#exports.solo_touch(this.#solo, keyBytes, expiresAt, now)) === 1;
  }

  /** Opens a connection and returns its number. An internal one is neither counted nor limited. */
  open(now: number, isInternal = false): number {
    if (isInternal) return this.#call(() => this.#exports.solo_open_internal(this.#solo));
    const connection = this.#call(() => this.#exports.solo_open(this.#solo, now)) | 0;
    if (connection < 0) {
      throw new Error('1024 connections are open, the limit of one engine; close some with connection.close()');
    }
    return connection;
  }

  /** Closes the connection `number` when `owner` is garbage-collected. */
  track(owner: object, number: number): void {
    this.#forgotten?.register(owner, number, owner);
  }

  /** Ends {@link Guest.track}. A number is used again, so this is called before the connection closes. */
  untrack(owner: object): void {
    this.#forgotten?.unregister(owner);
  }

  /** Closes a connection. */
  close(connection: number): void {
    this.#call(() => this.#exports.solo_close(this.#solo, connection));
  }

  #closeForgotten(connection: number): void {
    try {
      if (!this.#isRetired) this.close(connection);
    } catch {
      // The engine failed and is replaced. Nobody called, so nobody could catch the error.
    }
  }

  /** Whether the rest of a request has no room. */
  waits(connection: number, now: number): boolean {
    return this.#call(() => this.#exports.solo_waits(this.#solo, connection, now)) === 1;
  }

  /** Passes `input` to a connection and returns its output. */
  exchange(connection: number, input: Uint8Array, now: number): Exchange {
    return this.#call(() => this.#exchange(connection, input, now));
  }

  #exchange(connection: number, input: Uint8Array, now: number): Exchange {
    const output: Uint8Array<ArrayBuffer>[] = [];
    let taken = 0;
    while (taken < input.length) {
      this.#exports.solo_input(this.#solo, connection);
      this.#refreshViews();
      const piece = input.subarray(taken, taken + this.#words[this.#mailbox + WINDOW_BYTES]);
      this.#bytes.set(piece, this.#words[this.#mailbox + WINDOW_AT]);
      taken += piece.length;
      if (this.#advance(connection, piece.length, now, output)) {
        this.#exports.solo_close(this.#solo, connection);
        return { output: join(output), closed: true };
      }
    }
    return { output: join(output), closed: false };
  }

  /** Advances the connection until it is idle; returns whether it closes. */
  #advance(connection: number, received: number, now: number, output: Uint8Array<ArrayBuffer>[]): boolean {
    for (;;) {
      const status = this.#exports.solo_advance(this.#solo, connection, received, now);
      this.#refreshViews();
      if (status & STATUS_OUTPUT) {
        const at = this.#words[this.#mailbox + OUTPUT_AT];
        const length = this.#words[this.#mailbox + OUTPUT_BYTES];
        output.push(this.#bytes.slice(at, at + length));
        this.#exports.solo_consume(this.#solo, connection, length);
      }
      if (status & STATUS_CLOSE) return true;
      if (!(status & STATUS_MORE)) return false;
      received = 0;
    }
  }

  /** The length of the key's value, or a negative number if there is none. The mailbox holds the value's address. */
  #find(key: string | Uint8Array, now: number): number {
    const keyBytes = this.#putKey(key);
    let length;
    try {
      length = this.#get(this.#solo, keyBytes, now) | 0;
    } catch (error) {
      throw this.#fail(error);
    }
    this.#refreshViews();
    return length;
  }

  #refuse(key: string | Uint8Array, now: number): number {
    const keyBytes = this.#putKey(key);
    this.#call(() => this.#exports.solo_refuse(this.#solo, keyBytes, now));
    return SetOutcome.tooLarge;
  }

  /** Makes new views if the memory has grown: growth detaches the old ones, whose length is then 0. */
  #refreshViews(): void {
    if (this.#bytes === undefined || this.#bytes.length === 0) {
      this.#bytes = new Uint8Array(this.#exports.memory.buffer as ArrayBuffer);
      this.#words = new Uint32Array(this.#exports.memory.buffer as ArrayBuffer);
    }
  }

  /** Provides a window of at least `bytes` bytes; frees an unusually large one. */
  #reserve(bytes: number): void {
    if (bytes <= this.#windowBytes && this.#windowBytes <= WINDOW_BYTES_KEPT) return;
    const wanted = Math.max(bytes, WINDOW_BYTES_KEPT);
    if (wanted === this.#windowBytes) return;
    this.#windowAt = this.#call(() => this.#exports.solo_window(this.#solo, wanted)) >>> 0;
    this.#windowBytes = wanted;
    this.#refreshViews();
  }

  /** Writes the key at the start of the window; returns its length. */
  #putKey(key: string | Uint8Array): number {
    const bytes = this.#bytes;
    const at = this.#windowAt;
    if (typeof key === 'string') {
      const length = key.length;
      if (length === 0 || length > KEY_BYTES_MAX) throw wrongLength(length);
      // For short ASCII keys several times faster than `encodeInto` in most runtimes.
      for (let i = 0; i < length; i++) {
        const code = key.charCodeAt(i);
        if (code > 127) return this.#putKey(this.#encodeKey(key));
        bytes[at + i] = code;
      }
      return length;
    }
    if (!isBytes(key)) throw new TypeError(`a key is a string or a Uint8Array, not ${describe(key)}`);
    if (key.length === 0 || key.length > KEY_BYTES_MAX) throw wrongLength(key.length);
    bytes.set(key, at);
    return key.length;
  }

  /** Refuses text that is not well-formed: two such keys could encode to the same bytes and share one value. */
  #encodeKey(key: string): Uint8Array {
    const bytes = utf8().encode(key);
    if (utf8().decode(bytes) !== key) {
      throw new TypeError('a key has half of a surrogate pair; use well-formed text or a Uint8Array');
    }
    return bytes;
  }

  /** Writes a value that fits into the window; returns its length. */
  #putValue(value: string | Uint8Array, at: number): number {
    if (typeof value !== 'string') {
      this.#bytes.set(value, at);
      return value.length;
    }
    return utf8().encodeInto(value, this.#bytes.subarray(at, this.#windowAt + this.#windowBytes)).written;
  }

  #encode(value: string): Uint8Array {
    // A text with too many code units has too many bytes as well, so it is not encoded.
    return value.length > this.#itemBytesMax ? new Uint8Array(this.#itemBytesMax + 1) : utf8().encode(value);
  }

  #call<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw this.#fail(error);
    }
  }

  #fail(error: unknown): Error {
    this.retire();
    const text = error instanceof Error ? error.message : String(error);
    return new Error(`the engine failed and is replaced by an empty one: ${text}`, { cause: error });
  }
}

function join(pieces: Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  if (pieces.length === 1) return pieces[0];
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

function wrongLength(length: number): RangeError {
  if (length === 0) return new RangeError('a key is empty; use at least one byte');
  return new RangeError(`a key has ${length} bytes, ${KEY_BYTES_MAX} are the limit; use a hash of it as the key`);
}

function describe(value: unknown): string {
  if (value === null) return 'null';
  return typeof value === 'object' ? (value.constructor?.name ?? 'an object') : typeof value;
}
