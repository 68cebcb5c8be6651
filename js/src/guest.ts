// One instance of the WebAssembly engine. No other file touches the instance's memory.
//
// No view on that memory leaves this file: any call may grow the memory, which detaches the views.

import { instantiate, type InitOutput } from './generated/engine.js';
import { explained } from './runtime-errors.js';

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
const WINDOW_AT = 0;
const WINDOW_BYTES = 1;
const OUTPUT_AT = 2;
const OUTPUT_BYTES = 3;

/** See the first lines of this file. */
export class Guest {
  readonly #exports: InitOutput;
  readonly #solo: number;
  readonly #mailbox: number;
  #bytes!: Uint8Array<ArrayBuffer>;
  #words!: Uint32Array<ArrayBuffer>;
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
    this.#mailbox = this.#exports.solo_mailbox(this.#solo) >>> 2;
    this.#refreshViews();
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

  /** Makes new views if the memory has grown: growth detaches the old ones, whose length is then 0. */
  #refreshViews(): void {
    if (this.#bytes === undefined || this.#bytes.length === 0) {
      this.#bytes = new Uint8Array(this.#exports.memory.buffer as ArrayBuffer);
      this.#words = new Uint32Array(this.#exports.memory.buffer as ArrayBuffer);
    }
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
