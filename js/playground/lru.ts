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

/** An item between its neighbours in the order of use. */
interface Entry {
  readonly key: string;
  item: LruItem;
  bytes: number;
  older: Entry;
  younger: Entry;
}

/**
 * A `Map` with a list in the order of use. The order of the `Map` itself would do, but to find its first key a browser walks
 * over all that were removed before it.
 */
export class ExactLru {
  readonly maxBytes: number;
  readonly #entries = new Map<string, Entry>();
  /** Closes the list to a ring: its younger neighbour is the oldest item. */
  readonly #end: Entry = ring();
  #bytes = 0;
  #evictions = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** Number of items. */
  get items(): number {
    return this.#entries.size;
  }

  /** Items that were removed to make room. */
  get evictions(): number {
    return this.#evictions;
  }

  /** The item of the key, which becomes the most recently used one. An expired one is removed. */
  use(key: string, now: number): LruItem | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.item.expiresAt !== 0 && entry.item.expiresAt <= now) {
      this.#remove(entry);
      return undefined;
    }
    unlink(entry);
    this.#link(entry);
    return entry.item;
  }

  /** Stores an item and evicts the least recently used ones. */
  set(key: string, item: LruItem): void {
    this.delete(key);
    const entry: Entry = { ...ring(), key, item, bytes: itemBytes(item.size) };
    this.#entries.set(key, entry);
    this.#link(entry);
    this.#bytes += entry.bytes;
    while (this.#bytes > this.maxBytes) {
      this.#remove(this.#end.younger);
      this.#evictions++;
    }
  }

  /** Removes an item. */
  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry !== undefined) this.#remove(entry);
  }

  /** Removes all items. */
  clear(): void {
    for (const entry of [...this.#entries.values()]) this.#remove(entry);
  }

  #remove(entry: Entry): void {
    this.#entries.delete(entry.key);
    this.#bytes -= entry.bytes;
    unlink(entry);
  }

  /** Makes the entry the youngest. */
  #link(entry: Entry): void {
    const end = this.#end;
    entry.older = end.older;
    entry.younger = end;
    end.older.younger = entry;
    end.older = entry;
  }
}

function unlink(entry: Entry): void {
  entry.older.younger = entry.younger;
  entry.younger.older = entry.older;
}

/** An entry alone. */
function ring(): Entry {
  const entry = { key: '', item: { size: { keyBytes: 0, valueBytes: 0 }, expiresAt: 0 }, bytes: 0 } as unknown as Entry;
  entry.older = entry;
  entry.younger = entry;
  return entry;
}
