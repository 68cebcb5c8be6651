// The generated load: which key comes next, how large its value is, and whether it is read or written. A load is its
// settings and a seed.

/** Sizes of values by name. */
export const VALUES = { small: [100, 100], medium: [1024, 1024], mixed: [16, 4096] } as const;

/** The settings of a load. */
export interface LoadSettings {
  /** Number of requests. */
  readonly requests: number;
  /** Number of keys. */
  readonly keys: number;
  /** Exponent of Zipf's law: the key of rank r is asked for in proportion to 1 / r^skew. */
  readonly skew: number;
  /** Sizes of values. A key always has the same size. */
  readonly values: keyof typeof VALUES;
  /** Part of the requests that write, 0 to 1. */
  readonly writes: number;
  /** Part of the requests that read a key which never comes again, 0 to 1. */
  readonly scans: number;
  /** Time to live in seconds; 0: none. */
  readonly ttl: number;
}

/** See the first lines. The fields describe the request that {@link Load.next} chose. */
export class Load {
  readonly settings: LoadSettings;
  key = '';
  valueBytes = 0;
  isWrite = false;
  readonly #seed: number;
  readonly #cumulated: Float64Array;
  #state: number;
  #scanned = 0;

  constructor(settings: LoadSettings, seed: number) {
    this.settings = settings;
    this.#seed = seed;
    this.#state = seed;
    this.#cumulated = zipf(settings.keys, settings.skew);
  }

  /** Chooses the next request. */
  next(): void {
    const kind = this.#random();
    this.isWrite = kind < this.settings.writes;
    if (!this.isWrite && kind >= 1 - this.settings.scans) {
      this.key = `scan:${this.#seed}:${this.#scanned++}`;
      this.valueBytes = sizeOf(this.#scanned, this.settings.values);
      return;
    }
    const rank = search(this.#cumulated, this.#random());
    this.key = `item:${rank}`;
    this.valueBytes = sizeOf(rank, this.settings.values);
  }

  /** A number from 0 to below 1 (mulberry32). */
  #random(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let word = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word;
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32;
  }
}

/** For each rank, the probability of a key up to it. */
function zipf(keys: number, skew: number): Float64Array {
  const cumulated = new Float64Array(keys);
  let sum = 0;
  for (let rank = 0; rank < keys; rank++) {
    sum += (rank + 1) ** -skew;
    cumulated[rank] = sum;
  }
  return cumulated.map((value) => value / sum);
}

/** The first rank whose cumulated probability is above `value`. */
function search(cumulated: Float64Array, value: number): number {
  let low = 0;
  let high = cumulated.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (cumulated[middle] > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The size of a key's value: as many values lie between 16 and 32 bytes as between 2 and 4 KiB. */
function sizeOf(number: number, values: keyof typeof VALUES): number {
  const [least, most] = VALUES[values];
  if (least === most) return least;
  const fraction = (Math.imul(number + 1, 0x9e3779b1) >>> 0) / 2 ** 32;
  return Math.floor(least * (most / least) ** fraction);
}
