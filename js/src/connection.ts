// A connection that speaks memcached's protocol with a cache in this process.

import { type Guest, isBytes } from './guest.js';
import { utf8 } from './text.js';

/** Opened by `Cache.connect`. */
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
  }

  /** `true` after `quit`, a fatal protocol error, {@link Connection.close}, or the end of the cache. */
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
  execute(input: string | Uint8Array): Uint8Array<ArrayBuffer> {
    if (this.isClosed) throw new Error('the connection is closed; open another one with cache.connect()');
    if (typeof input !== 'string' && !isBytes(input)) {
      throw new TypeError(`execute takes a string or a Uint8Array, not ${input === null ? 'null' : typeof input}`);
    }
    const bytes = typeof input === 'string' ? utf8().encode(input) : input;
    const { output, closed } = this.#guest.exchange(this.#number, bytes, this.#now());
    this.#isClosed = closed;
    return output;
  }

  /** Closes the connection and discards an incomplete request. */
  close(): void {
    if (!this.isClosed) this.#guest.close(this.#number);
    this.#isClosed = true;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
