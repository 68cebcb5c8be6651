// The numbers of namespaces. A cleared namespace gets a new number; entries of the old one are removed piece by piece.

import { ROOT, SPACE_BYTES, SPACE_TAG } from './keys.js';
import type { Store } from './store.js';

/** Entries that one piece of the removal looks for. */
const PIECE_ENTRIES = 64;
/** Calls between two pieces. */
const CALLS_PER_PIECE = 16;

/** See the first lines of this file. */
export class Spaces {
  readonly #numbers = new Map<string, number>();
  /** The numbers of cleared namespaces, each with the cursor of its removal. */
  readonly #cleared = new Map<number, number>();
  #last = ROOT;
  #calls = 0;

  /** Whether there is or was a namespace. */
  get isUsed(): boolean {
    return this.#last !== ROOT;
  }

  /** The number of a namespace. */
  numberOf(name: string): number {
    let number = this.#numbers.get(name);
    if (number === undefined) this.#numbers.set(name, (number = ++this.#last));
    return number;
  }

  /** Gives the namespaces for which `is` holds new numbers. */
  clear(is: (name: string) => boolean): void {
    for (const [name, number] of this.#numbers) {
      if (!is(name)) continue;
      this.#cleared.set(number, 0);
      this.#numbers.set(name, ++this.#last);
    }
  }

  /** Whether entries of this number are no longer there for anybody. */
  isCleared(number: number): boolean {
    return this.#cleared.has(number);
  }

  /** All entries are gone: nothing is left to be removed. */
  forget(): void {
    this.#cleared.clear();
  }

  /** Removes a piece of what is left of cleared namespaces, once in a while. */
  maintain(store: Store): void {
    if (this.#cleared.size > 0 && ++this.#calls % CALLS_PER_PIECE === 0) this.#removePiece(store);
  }

  /** Removes all that is left of cleared namespaces. */
  finish(store: Store): void {
    while (this.#cleared.size > 0) this.#removePiece(store);
  }

  #removePiece(store: Store): void {
    const [number, cursor] = [...this.#cleared][0]!;
    const page = store.scan(cursor, prefixOf(number), PIECE_ENTRIES, false);
    for (const { key } of page.entries) store.delete(number, key);
    if (page.cursor === undefined) this.#cleared.delete(number);
    else this.#cleared.set(number, page.cursor);
  }
}

/** The bytes in front of the keys of a namespace. */
export function prefixOf(space: number): Uint8Array {
  const prefix = new Uint8Array(SPACE_BYTES);
  prefix[0] = SPACE_TAG;
  new DataView(prefix.buffer).setUint32(1, space, true);
  return prefix;
}
