// A cache's engine and its clock, which all its namespaces share.

import type { EngineModule } from './entry/modules.js';
import { Switch } from './engine.js';
import { Flights } from './fetch.js';
import { duration, type CheckedOptions } from './options.js';
import { explained } from './runtime-errors.js';
import { Store } from './store.js';
import type { Spaces } from './spaces.js';

/** The values that the entry file of a runtime provides. */
export interface Host {
  /** The compiled engine; called when the first entry is stored or looked for. */
  module: () => EngineModule;
  /** Default of `maxSize`. */
  maxSize: number;
}

/** Milliseconds of a tick, the unit of time in the engine. */
export const TICK_MS = 50;
const TICKS_MAX = 0xffff_ffff;

/** See the first lines of this file. A new one has no memory: the first use instantiates the engine. */
export class Core {
  readonly options: CheckedOptions;
  readonly flights = new Flights();
  readonly #host: Host;
  /** The time of tick 0. It moves with a clock that is set back, so that ticks never go back. */
  #origin = 0;
  /** The clock when it was last read. */
  #last = 0;
  #store: Store | undefined;
  #isDisposed = false;
  #isReporting = false;

  constructor(options: CheckedOptions, host: Host) {
    this.options = options;
    this.#host = host;
  }

  /** The store, which is made at the first use and after the engine has failed. */
  get store(): Store {
    const store = this.#store;
    return store !== undefined && !store.isRetired ? store : this.#start();
  }

  /** The store, if there is one. Throws if the cache is disposed. */
  get started(): Store | undefined {
    this.check();
    return this.living;
  }

  /** The store, if there is one. */
  get living(): Store | undefined {
    return this.#store?.isRetired === false ? this.#store : undefined;
  }

  /** Throws if the cache is disposed. */
  check(): void {
    if (this.#isDisposed) throw disposed();
  }

  #start(): Store {
    this.check();
    const { maxSize, maxItems, maxEntrySize, evictions, cas, onEvict, module } = this.options;
    const switches =
      (evictions ? 0 : Switch.noEvictions) | (cas ? 0 : Switch.noCas) | (onEvict === undefined ? 0 : Switch.departures);
    this.#last = -Infinity;
    this.#origin = this.#milliseconds();
    const now = (): number => this.ticks();
    this.#store = explained(() => {
      const compiled = (module ?? this.#host.module()) as WebAssembly.Module;
      return new Store(compiled, { memoryBytes: maxSize, itemBytesMax: maxEntrySize, itemsMax: maxItems, switches, now });
    });
    return this.#store;
  }

  /** Drops the engine and all entries. */
  drop(): void {
    this.#store?.retire();
    this.#store = undefined;
  }

  /** Makes any further use an error. */
  dispose(): void {
    this.#isDisposed = true;
    this.drop();
    this.flights.abort(disposed());
  }

  /** The time in ticks. */
  ticks(): number {
    const ticks = this.age / TICK_MS;
    return ticks > 0 ? Math.min(Math.floor(ticks), TICKS_MAX) : 0;
  }

  /** The tick at which an entry expires, rounded up: an entry never lives shorter than `ttl`. 0: never. */
  expiryOf(ttl: number | undefined): number {
    const milliseconds = ttl === undefined ? this.options.ttl : duration(ttl);
    if (milliseconds === 0) return 0;
    // The origin is that of the store.
    void this.store;
    const tick = Math.max(Math.ceil((this.age + milliseconds) / TICK_MS), 1);
    // Beyond the last tick, more than six years away, there is no end.
    return tick <= TICKS_MAX ? tick : 0;
  }

  /** Milliseconds since tick 0. */
  get age(): number {
    const now = this.#milliseconds();
    return now - this.#origin;
  }

  /** Milliseconds until a tick; `Infinity` if it is 0. */
  remaining(expires: number): number {
    return expires === 0 ? Infinity : Math.max(expires * TICK_MS - this.age, 0);
  }

  #milliseconds(): number {
    const read = this.options.clock();
    const now = Number.isFinite(read) ? read : Math.max(this.#last, 0);
    if (now < this.#last) this.#origin -= this.#last - now;
    this.#last = now;
    return now;
  }

  /** Tells `onEvict` which entries left, after a call that may have removed some. */
  report(spaces: Spaces): void {
    const { onEvict } = this.options;
    const { living } = this;
    if (onEvict === undefined || this.#isReporting || living === undefined) return;
    const departed = living.departures();
    const errors: unknown[] = [];
    this.#isReporting = true;
    // The next call reports entries that leave while the callback runs: a callback that stores would go on for ever.
    for (const { space, key, value, reason } of departed) {
      try {
        if (!spaces.isCleared(space)) onEvict(key, value, reason);
      } catch (error) {
        // The others left as well, and nobody tells of them later.
        errors.push(error);
      }
    }
    this.#isReporting = false;
    if (errors.length > 0) throw errors[0];
  }
}

function disposed(): Error {
  return new Error('the cache is disposed; make a new one');
}
