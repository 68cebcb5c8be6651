// An exact LRU of keys with a budget in bytes: the order of a Map is the order of use.

/** Counts what is in it; holds no values. */
export class ExactLru {
  #bytes = 0;
  #capacity;
  #weights = new Map();

  constructor(capacity) {
    this.#capacity = capacity;
  }

  /** Whether the key is there; it becomes the most recently used one, and is stored if it was not there. */
  request(key, bytes) {
    const known = this.#weights.get(key);
    if (known !== undefined) {
      this.#weights.delete(key);
      this.#weights.set(key, known);
      return true;
    }
    if (bytes > this.#capacity) return false;
    this.#weights.set(key, bytes);
    this.#bytes += bytes;
    for (const [oldest, weight] of this.#weights) {
      if (this.#bytes <= this.#capacity) break;
      this.#weights.delete(oldest);
      this.#bytes -= weight;
    }
    return false;
  }
}

const HEADER_BYTES = 12;
const WORD_BYTES = 4;
/** Values of this size and more take a further header word; the larger ones another. */
const LONG_BYTES = [4096, 1 << 16];
/** An index bucket of 64 bytes holds seven items on average. */
const INDEX_BYTES = 64 / 7;

/** Bytes of an item in this store, its share of the index included: the weight of `bench/src/hit_ratio/weight.rs`. */
export function itemBytes(keyBytes, valueBytes) {
  const words = LONG_BYTES.filter((least) => valueBytes >= least).length;
  const bytes = HEADER_BYTES + WORD_BYTES * words + keyBytes + valueBytes;
  return Math.ceil(bytes / WORD_BYTES) * WORD_BYTES + INDEX_BYTES;
}
