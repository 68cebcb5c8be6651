// A session: the engine and the exact LRU beside it, which see the same requests, and the counts of their hits.

import { Clock } from './clock.js';
import { Engine, type Policy } from './engine.js';
import { Load, type LoadSettings } from './load.js';
import { ExactLru } from './lru.js';
import { mirror } from './mirror.js';
import { wire, type Request } from './request.js';
import { HitSeries } from './series.js';

/** A text from which values are cut. */
const FILLER = 'the quick brown fox jumps over the lazy dog and back again. '.repeat(128);

/** See the first line. */
export class Session {
  readonly engine: Engine;
  readonly lru: ExactLru;
  readonly series = new HitSeries();
  readonly #clock = new Clock();
  #load: Load | undefined;
  #loads = 0;
  #done = 0;

  constructor(maxSize: number, policy: Policy) {
    this.engine = new Engine(maxSize, policy, () => this.#clock.now());
    this.lru = new ExactLru(maxSize);
  }

  /** Executes a whole typed request in both caches; returns the engine's reply. */
  execute(request: Request): string {
    const reply = this.engine.send(wire(request));
    mirror(request, reply, { lru: this.lru, series: this.series, now: this.#clock.seconds() });
    return reply;
  }

  /** The load that runs or is paused. */
  get load(): LoadSettings | undefined {
    return this.#load?.settings;
  }

  /** Requests of the load that were made. */
  get done(): number {
    return this.#done;
  }

  /** Begins a load. */
  begin(settings: LoadSettings): void {
    this.#load = new Load(settings, ++this.#loads);
    this.#done = 0;
  }

  /** Makes up to `count` requests of the load; returns whether there are more. */
  advance(count: number): boolean {
    const load = this.#load;
    if (load === undefined) return false;
    this.#clock.beginCounting();
    const end = Math.min(this.#done + count, load.settings.requests);
    for (; this.#done < end; this.#done++) {
      load.next();
      this.#request(load);
      this.#clock.count();
    }
    if (this.#done < load.settings.requests) return true;
    this.end();
    return false;
  }

  /** Lets the time of the machine go on. */
  pause(): void {
    this.#clock.endCounting();
  }

  /** Ends the load. */
  end(): void {
    this.#load = undefined;
    this.pause();
  }

  /** Frees the memory. */
  dispose(): void {
    this.engine.dispose();
  }

  /** A program reads a key, and stores it after a miss; or it writes. */
  #request(load: Load): void {
    const { key, valueBytes } = load;
    const now = this.#clock.seconds();
    const isHit = !load.isWrite && this.engine.find(key);
    const isLruHit = !load.isWrite && this.lru.use(key, now) !== undefined;
    if (!load.isWrite) this.series.add(isHit, isLruHit);
    const { ttl } = load.settings;
    if (!isHit) this.engine.store(key, FILLER.slice(0, valueBytes), ttl);
    if (!isLruHit) {
      const size = { keyBytes: key.length, valueBytes, expires: ttl !== 0 };
      this.lru.set(key, { size, expiresAt: ttl === 0 ? 0 : now + ttl });
    }
  }
}
