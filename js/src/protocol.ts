// memcached's protocol in this process: an engine of its own, with its own store.

import type { BytesLike } from './bytes.js';
import { Connection } from './connection.js';
import type { EngineModule } from './entry/modules.js';
import { Guest } from './guest.js';
import { checkProtocolOptions, type CheckedOptions, type ProtocolOptions } from './protocol-options.js';
import { explained } from './runtime-errors.js';
import { parseStatistics, statisticsRequest, summarize, type ProtocolStatistics, type StatisticsGroup } from './statistics.js';

export type { ProtocolOptions };

/** The values that the entry file of a runtime provides. */
export interface ProtocolHost {
  /** The compiled engine; called at the first use. */
  module: () => EngineModule;
  /** Default of {@link ProtocolOptions.maxSize}. */
  maxSize: number;
}

const SECONDS_MAX = 0xffff_ffff;

/**
 * memcached without a server: requests in, replies out, by the text, meta and binary protocols. Its store is its own; a
 * `Cache` has another one. A new object has no memory: the first use instantiates the engine, so it can be a global of a
 * module, where edge workers allow no randomness.
 */
export class Protocol {
  /** The budget in bytes. */
  readonly maxSize: number;
  /** Largest entry in bytes. */
  readonly maxEntrySize: number;
  readonly #options: CheckedOptions;
  readonly #module: () => EngineModule;
  #guest: Guest | undefined;
  #main: Connection | undefined;
  #isDisposed = false;

  /** @internal */
  constructor(options: ProtocolOptions, host: ProtocolHost) {
    this.#options = checkProtocolOptions(options, host.maxSize);
    this.maxSize = this.#options.maxSize;
    this.maxEntrySize = this.#options.maxEntrySize;
    const { module } = this.#options;
    this.#module = module === undefined ? host.module : () => module;
  }

  /**
   * Processes bytes of a client and returns the reply of a server. All calls share one connection, so a request may be split
   * between calls. After `quit` the next call opens a new connection.
   */
  execute(input: BytesLike): Uint8Array<ArrayBuffer> {
    this.#live();
    if (this.#main === undefined || this.#main.isClosed) this.#main = this.connect();
    return this.#main.execute(input);
  }

  /** Opens another connection, independent of {@link Protocol.execute}. At most 1024 are open at a time. */
  connect(): Connection {
    return new Connection(this.#live(), () => this.#now());
  }

  /** memcached's statistics by name: the general ones, or those of a group. */
  statistics(group?: StatisticsGroup): Record<string, string> {
    const request = statisticsRequest(group);
    const asking = new Connection(this.#live(), () => this.#now(), true);
    try {
      return parseStatistics(asking.execute(request));
    } finally {
      asking.close();
    }
  }

  /** The most important statistics as numbers. */
  stats(): ProtocolStatistics {
    return summarize(this.statistics(), this.#live().memoryBytes);
  }

  /** Removes all entries and frees the memory. Closes open connections and resets statistics. */
  clear(): void {
    if (this.#isDisposed) throw new Error(DISPOSED);
    this.#drop();
  }

  /** Frees the memory; any further use throws. An unreachable engine is garbage-collected without this call. */
  dispose(): void {
    this.#isDisposed = true;
    this.#drop();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  get [Symbol.toStringTag](): string {
    return 'Protocol';
  }

  #drop(): void {
    this.#main = undefined;
    this.#guest?.retire();
    this.#guest = undefined;
  }

  #live(): Guest {
    const guest = this.#guest;
    return guest !== undefined && !guest.isRetired ? guest : this.#start();
  }

  #start(): Guest {
    if (this.#isDisposed) throw new Error(DISPOSED);
    const { maxSize, maxEntrySize, switches } = this.#options;
    const options = { memoryBytes: maxSize, itemBytesMax: maxEntrySize, switches };
    this.#main = undefined;
    const module = explained(this.#module) as WebAssembly.Module;
    this.#guest = new Guest(module, options, this.#now());
    return this.#guest;
  }

  #now(): number {
    const seconds = this.#options.clock() / 1000;
    return seconds > 0 ? Math.min(Math.floor(seconds), SECONDS_MAX) : 0;
  }
}

const DISPOSED = 'the protocol is disposed; make a new one';
