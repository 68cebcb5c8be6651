// The numbers of namespaces. A cleared namespace loses its number; entries of that number are removed piece by piece.

import { ROOT, SPACE_BYTES, SPACE_TAG } from './keys.js';
import { parseRecords } from './records.js';
import type { Store } from './store.js';

/** Entries that one piece of the removal looks at. */
const PIECE_ENTRIES = 64;
/** Calls between two pieces. */
const CALLS_PER_PIECE = 16;
/** The prefix of all keys in namespaces. */
const TAG = new Uint8Array([SPACE_TAG]);
/** The number of a namespace that never stored anything. No entry has it. */
const NOTHING = 0xffff_ffff;

/** See the first lines of this file. */
export class Spaces {
  readonly #numbers = new Map<string, number>();
  /** The names of the namespaces directly in each one, as far as they or those in them have numbers. */
  readonly #inner = new Map<string, Set<string>>();
  /** Cleared numbers whose entries the walk over the store, which is on its way, removes. */
  #leaving = new Set<number>();
  /** Numbers that were cleared since the walk began: the next one removes their entries. */
  #waiting = new Set<number>();
  #cursor = 0;
  #last = ROOT;
  #calls = 0;

  /** Whether there is or was a namespace with entries. */
  get isUsed(): boolean {
    return this.#last !== ROOT;
  }

  /** The number of a namespace, to look for its entries. */
  numberOf(name: string): number {
    return this.#numbers.get(name) ?? NOTHING;
  }

  /** The number of a namespace, to store entries. */
  numberFor(name: string): number {
    let number = this.#numbers.get(name);
    if (number === undefined) {
      this.#numbers.set(name, (number = ++this.#last));
      let parent = '';
      for (const own of pathOf(name) ?? []) {
        const inner = this.#inner.get(parent);
        if (inner === undefined) this.#inner.set(parent, new Set([own]));
        else inner.add(own);
        parent = own;
      }
    }
    return number;
  }

  /** The numbers of a namespace and of those in it, and the rest of each name. */
  numbersIn(parent: string): Map<number, string> {
    const found = new Map<number, string>();
    for (const name of this.#namesIn(parent)) {
      const number = this.#numbers.get(name);
      if (number !== undefined) found.set(number, name.slice(parent.length));
    }
    return found;
  }

  /** The name of a namespace and the names of those in it. */
  #namesIn(parent: string): string[] {
    const names = [parent];
    // The list grows meanwhile.
    for (const name of names) for (const inner of this.#inner.get(name) ?? []) names.push(inner);
    return names;
  }

  /** Takes the numbers of a namespace and of those in it away. */
  clear(parent: string): void {
    for (const name of this.#namesIn(parent)) {
      const number = this.#numbers.get(name);
      if (number !== undefined) this.#waiting.add(number);
      this.#numbers.delete(name);
      this.#inner.delete(name);
    }
    this.#inner.get(pathOf(parent)?.at(-2) ?? '')?.delete(parent);
  }

  /** Whether entries of this number are no longer there for anybody. */
  isCleared(number: number): boolean {
    return this.#leaving.has(number) || this.#waiting.has(number);
  }

  /** All entries are gone: nothing is left to be removed. */
  forget(): void {
    this.#numbers.clear();
    this.#inner.clear();
    this.#leaving.clear();
    this.#waiting.clear();
  }

  /** Removes a piece of what is left of cleared namespaces, once in a while. */
  maintain(store: Store): void {
    if (this.#hasCleared && ++this.#calls % CALLS_PER_PIECE === 0) this.#removePiece(store);
  }

  /** Removes all that is left of cleared namespaces. */
  finish(store: Store): void {
    while (this.#hasCleared) this.#removePiece(store);
  }

  get #hasCleared(): boolean {
    return this.#leaving.size > 0 || this.#waiting.size > 0;
  }

  #removePiece(store: Store): void {
    if (this.#leaving.size === 0) {
      [this.#leaving, this.#waiting] = [this.#waiting, this.#leaving];
      this.#cursor = 0;
    }
    const page = store.scan(this.#cursor, TAG, PIECE_ENTRIES, false);
    for (const { space, key } of parseRecords(page.records, page.count, false)) if (this.#leaving.has(space)) store.delete(space, key);
    if (page.cursor === undefined) this.#leaving.clear();
    else this.#cursor = page.cursor;
  }
}

/** The bytes in front of the keys of a namespace. */
export function prefixOf(space: number): Uint8Array {
  const prefix = new Uint8Array(SPACE_BYTES);
  prefix[0] = SPACE_TAG;
  new DataView(prefix.buffer).setUint32(1, space, true);
  return prefix;
}

/** The names of the namespaces in which one is, the outermost first, and its own; `undefined` if this is no name of one. */
export function pathOf(name: string): string[] | undefined {
  const path: string[] = [];
  for (let at = 0; at < name.length; ) {
    const [head, length] = /^(\d{1,15}):/.exec(name.slice(at, at + 16)) ?? [];
    if (head === undefined || at + head.length + Number(length) > name.length) return undefined;
    at += head.length + Number(length);
    path.push(name.slice(0, at));
  }
  return path;
}
