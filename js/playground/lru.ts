// The cache beside the engine: an exact LRU in plain JavaScript, with the same budget for the same items.

/** Bytes of an item's header in the engine: lengths, time of access, unique. */
const HEADER_BYTES = 12;
/** Bytes of the index for an item: at most seven items share a bucket of 64 bytes. */
const INDEX_BYTES = 64 / 7;
/** From this length on, the length of a value takes another word. */
const LONG_VALUE_BYTES = 65_536;

/** Properties of an item that determine its size. */
export interface ItemSize {
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly flags?: number;
  readonly expires?: boolean;
}

/** The bytes that the engine needs for an item, its share of the index included. */
export function itemBytes({ keyBytes, valueBytes, flags = 0, expires = false }: ItemSize): number {
  const words = (flags === 0 ? 0 : 4) + (expires ? 4 : 0) + (valueBytes < LONG_VALUE_BYTES ? 0 : 4);
  return Math.ceil((HEADER_BYTES + words + keyBytes + valueBytes) / 4) * 4 + INDEX_BYTES;
}

/** An item of the LRU: its size, and the second at which it expires (0: never). */
export interface LruItem {
  readonly size: ItemSize;
  readonly expiresAt: number;
}

/** A `Map` is in the order of insertion: an item that is used is inserted again. */
export class ExactLru {
  readonly maxBytes: number;
  readonly #items = new Map<string, LruItem>();
  #bytes = 0;
  #evictions = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** Number of items. */
  get items(): number {
    return this.#items.size;
  }

  /** Items that were removed to make room. */
  get evictions(): number {
    return this.#evictions;
  }

  /** The item of the key, which becomes the most recently used one. An expired one is removed. */
  use(key: string, now: number): LruItem | undefined {
    const item = this.#items.get(key);
    if (item === undefined) return undefined;
    if (item.expiresAt !== 0 && item.expiresAt <= now) {
      this.delete(key);
      return undefined;
    }
    this.#items.delete(key);
    this.#items.set(key, item);
    return item;
  }

  /** Stores an item and evicts the least recently used ones. */
  set(key: string, item: LruItem): void {
    this.delete(key);
    this.#items.set(key, item);
    this.#bytes += itemBytes(item.size);
    for (const oldest of this.#items.keys()) {
      if (this.#bytes <= this.maxBytes) return;
      this.delete(oldest);
      this.#evictions++;
    }
  }

  /** Removes an item. */
  delete(key: string): void {
    const item = this.#items.get(key);
    if (item === undefined) return;
    this.#items.delete(key);
    this.#bytes -= itemBytes(item.size);
  }

  /** Removes all items. */
  clear(): void {
    this.#items.clear();
    this.#bytes = 0;
  }
}
