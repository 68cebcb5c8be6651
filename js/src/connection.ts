// A connection that speaks memcached's protocol with an engine in this process.

import { bytesOf, type BytesLike } from './bytes.js';
import { type Guest } from './guest.js';

/**
 * Opened by `Protocol.connect`. One engine has at most 1024. A connection that is garbage-collected without `close` is closed
 * then; a program that opens many closes them itself, because nobody knows when that is.
 */
export class Connection {
  readonly #guest: Guest;
  readonly #now: () => number;
  readonly #number: number;
  #isClosed = false;

  /** @internal */
  constructor(guest: Guest, now: () => number, isInternal = false) {
    this.#guest = guest;
    this.#now = now;
    this.#number = guest.open(now(), isInternal);
    guest.track(this, this.#number);
  }

  /** `true` after `quit`, a fatal protocol error, {@link Connection.close}, or the end of the engine. */
  get isClosed(): boolean {
    return this.#isClosed || this.#guest.isRetired;
  }

  /**
   * `true` while connections hold as much as they may, and the rest of this one's request has no room. A server then reads
   * no more from its client until this is `false`. Whole requests are answered in any case.
   */
  get isWaiting(): boolean {
    return !this.isClosed && this.#guest.waits(this.#number, this.#now());
  }

  /** Processes bytes of a client and returns the reply of a server. Keeps an incomplete request for the next call. */
  execute(input: BytesLike): Uint8Array<ArrayBuffer> {
    if (this.isClosed) throw new Error('the connection is closed; open another one with connect()');
    const { output, closed } = this.#guest.exchange(this.#number, bytesOf(input, 'the input'), this.#now());
    if (closed) this.#end();
    return output;
  }

  /** Closes the connection and discards an incomplete request. */
  close(): void {
    if (this.isClosed) return;
    this.#end();
    this.#guest.close(this.#number);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #end(): void {
    this.#isClosed = true;
    this.#guest.untrack(this);
  }
}
