// The numbers of namespaces. A cleared namespace loses its number at once; a walk over the store, piece by piece, removes the
// entries of numbers that nobody has. It also finds the namespaces that have no entries left, whose names are forgotten.

import type { Core } from './core.js';
import { ROOT, SPACE_BYTES, SPACE_TAG } from './keys.js';
import type { Store } from './store.js';

/** Entries that one piece of the walk looks at, and names that it forgets. */
const PIECE_ENTRIES = 64;
/** The same for a caller who waits for the end. */
const LARGE_PIECE_ENTRIES = 1000;
/** Calls between two pieces. */
const CALLS_PER_PIECE = 16;
/** Names that are kept without looking whether they have entries. */
const NAMES_KEPT = 1024;
/** The prefix of all keys in namespaces. */
const TAG = new Uint8Array([SPACE_TAG]);
/** The number of a namespace that never stored anything. No entry has it. */
const NOTHING = 0xffff_ffff;

/** A namespace that has a number. */
interface Space {
  readonly name: string;
  readonly number: number;
  readonly parent: Space | undefined;
  /** Those directly in it. */
  inner: Set<Space> | undefined;
  /** It lost its number, and so did all in it. */
  isCleared: boolean;
  /** The last walk that found an entry, or during which it was used. */
  walk: number;
}

/** See the first lines of this file. */
export class Spaces {
  /** Whether entries of cleared namespaces are perhaps left, or names to be forgotten. */
  isBehind = false;
  readonly #byName = new Map<string, Space>();
  readonly #byNumber = new Map<number, Space>();
  /** Cleared ones that the maps still have. Those in them follow. */
  readonly #dropped: Space[] = [];
  /** The walk that is on its way, or was the last. */
  #walk = 0;
  /** Where it is; `undefined` if it has ended. */
  #cursor: number | undefined;
  /** Walks that have to begin yet. */
  #walksWanted = 0;
  /** More names than these make walks that look for names without entries. */
  #namesMax = NAMES_KEPT;
  #last = ROOT;
  #calls = 0;

  /** Whether there is or was a namespace with entries. */
  get isUsed(): boolean {
    return this.#last !== ROOT;
  }

  /** The number of a namespace, to look for its entries. */
  numberOf(name: string): number {
    return this.#find(name)?.number ?? NOTHING;
  }

  /** The number of a namespace, to store entries. */
  numberFor(name: string): number {
    return (this.#find(name) ?? this.#make(name)).number;
  }

  /** The numbers of a namespace and of those in it, and the rest of each name. */
  numbersIn(parent: string): Map<number, string> {
    const own = this.#find(parent);
    const spaces = parent !== '' ? (own === undefined ? [] : [own]) : [...this.#byNumber.values()].filter(isLiving);
    // The list grows meanwhile.
    if (parent !== '') for (const space of spaces) for (const inner of space.inner ?? []) spaces.push(inner);
    return new Map(spaces.map(({ number, name }) => [number, name.slice(parent.length)]));
  }

  /** Takes the numbers of a namespace and of those in it away. */
  clear(name: string): void {
    const space = this.#find(name);
    if (space === undefined) return;
    space.isCleared = true;
    space.parent?.inner?.delete(space);
    this.#dropped.push(space);
    this.#want(1);
  }

  /** Whether entries of this number are no longer there for anybody. */
  isCleared(number: number): boolean {
    const space = this.#byNumber.get(number);
    return space === undefined ? number !== ROOT : !isLiving(space);
  }

  /** All entries are gone: nothing is left to be removed. */
  forget(): void {
    this.#byName.clear();
    this.#byNumber.clear();
    this.#dropped.length = 0;
    this.#cursor = undefined;
    this.#walksWanted = 0;
    this.#namesMax = NAMES_KEPT;
    this.isBehind = false;
  }

  /** Goes a piece of the walk, once in a while. */
  maintain(core: Core): void {
    if (++this.#calls % CALLS_PER_PIECE !== 0) return;
    const { living } = core;
    if (living !== undefined && this.#goOn(living, PIECE_ENTRIES)) this.#endWalk(core.flights.spaces());
  }

  /** Removes what is left of cleared namespaces: all of it, or what so many pieces reach. */
  finish(store: Store, pieces = Infinity): void {
    for (let i = 0; this.isBehind && i < pieces; i++) if (this.#goOn(store, LARGE_PIECE_ENTRIES)) this.#endWalk();
  }

  /** The living namespace of a name, which is being used. */
  #find(name: string): Space | undefined {
    const space = this.#byName.get(name);
    if (space === undefined || !isLiving(space)) return undefined;
    space.walk = this.#walk;
    return space;
  }

  #make(name: string): Space {
    let parent: Space | undefined;
    for (const path of pathOf(name) ?? []) {
      let space = this.#find(path);
      if (space === undefined) {
        space = { name: path, number: ++this.#last, parent, inner: undefined, isCleared: false, walk: this.#walk };
        this.#byName.set(path, space);
        this.#byNumber.set(space.number, space);
        if (parent !== undefined) (parent.inner ??= new Set()).add(space);
      }
      parent = space;
    }
    if (this.#byName.size > this.#namesMax) {
      this.#namesMax = Infinity;
      // The first walk marks those that have entries.
      this.#want(2);
    }
    return parent!;
  }

  #want(walks: number): void {
    this.#walksWanted = Math.max(this.#walksWanted, walks);
    this.isBehind = true;
  }

  /** Goes a piece of the walk, and forgets a piece of names; returns whether the walk has come to its end. */
  #goOn(store: Store, entries: number): boolean {
    for (let i = 0; i < entries && this.#dropped.length > 0; i++) this.#drop(this.#dropped.pop()!);
    let isEnd = false;
    if (this.#cursor === undefined && this.#walksWanted > 0) {
      this.#walksWanted--;
      this.#walk++;
      this.#cursor = 0;
    }
    if (this.#cursor !== undefined) {
      const page = store.scan(this.#cursor, TAG, entries, false);
      store.removeListed(page.records, (number) => this.#leaves(number));
      this.#cursor = page.cursor;
      isEnd = page.cursor === undefined;
    }
    this.isBehind = this.#cursor !== undefined || this.#walksWanted > 0 || this.#dropped.length > 0;
    return isEnd;
  }

  /** Whether entries of this number have to go. Those that stay are noted. */
  #leaves(number: number): boolean {
    const space = this.#byNumber.get(number);
    // A key of bytes of the cache itself may have the tag as well.
    if (space === undefined || !isLiving(space)) return number !== ROOT;
    space.walk = this.#walk;
    return false;
  }

  /** Drops what the maps have of a cleared namespace. */
  #drop(space: Space): void {
    if (this.#byName.get(space.name) === space) this.#byName.delete(space.name);
    this.#byNumber.delete(space.number);
    for (const inner of space.inner ?? []) this.#dropped.push(inner);
  }

  /**
   * Forgets the names of namespaces without entries, if these walks were for that. `busy` has the numbers that are needed all the
   * same. One is forgotten after two walks: until then onEvict has been told of its last entry.
   */
  #endWalk(busy?: ReadonlySet<number>): void {
    if (this.#namesMax !== Infinity || this.#walksWanted > 0) return;
    if (busy !== undefined) {
      for (const space of this.#byNumber.values()) {
        if (space.walk >= this.#walk - 1 || (space.inner?.size ?? 0) > 0 || busy.has(space.number) || !isLiving(space)) continue;
        space.parent?.inner?.delete(space);
        this.#drop(space);
      }
    }
    this.#namesMax = Math.max(NAMES_KEPT, 2 * this.#byName.size);
  }
}

/** Whether neither it nor one that it is in was cleared. */
function isLiving(space: Space): boolean {
  for (let at: Space | undefined = space; at !== undefined; at = at.parent) if (at.isCleared) return false;
  return true;
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
