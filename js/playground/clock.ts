// The time of the cache. While a load runs, time is counted in requests, so that a run is the same on every machine.

/** Requests of a load that take one second of the cache's time. */
export const REQUESTS_PER_SECOND = 10_000;

/** See the first line. */
export class Clock {
  #base = Date.now();
  #since = performance.now();
  #requests = 0;
  #isCounting = false;

  /** Milliseconds since 1970. Never goes back. */
  now(): number {
    const passed = this.#isCounting ? (this.#requests * 1000) / REQUESTS_PER_SECOND : performance.now() - this.#since;
    return this.#base + passed;
  }

  /** Whole seconds since 1970, in which memcached counts. */
  seconds(): number {
    return Math.floor(this.now() / 1000);
  }

  /** Counts requests from now on, beginning with a whole second. */
  beginCounting(): void {
    if (this.#isCounting) return;
    this.#base = Math.ceil(this.now() / 1000) * 1000;
    this.#requests = 0;
    this.#isCounting = true;
  }

  /** Counts one request of a load. */
  count(): void {
    this.#requests++;
  }

  /** Goes on with the time of the machine. */
  endCounting(): void {
    if (!this.#isCounting) return;
    this.#base = this.now();
    this.#since = performance.now();
    this.#isCounting = false;
  }
}
