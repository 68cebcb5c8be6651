// Checks of arguments that are functions and lists: of this or another realm, so no test is by `instanceof`.

import { describe } from './bytes.js';

/** The function that a method calls with what `of` names. */
export function functionOf<F extends (...given: never[]) => unknown>(method: string, work: F, of: string): F {
  if (typeof work !== 'function') throw new TypeError(`${method} takes a function of ${of}, not ${describe(work)}`);
  return work;
}

/** The items of an iterable. Text and bytes, whose items are letters and numbers, are no lists. */
export function listOf<T>(method: string, items: Iterable<T>): readonly T[] {
  if (Array.isArray(items)) return items as T[];
  if (!isList(items)) throw new TypeError(`${method} takes several keys, in an array or another iterable, not ${describe(items)}`);
  return [...items];
}

/** The pairs of an iterable of keys and values. */
export function pairsOf<K, V>(method: string, pairs: Iterable<readonly [K, V]>): (readonly [K, V])[] {
  if (!isList(pairs)) throw new TypeError(`${method} takes pairs of keys and values, like Object.entries(values), not ${describe(pairs)}`);
  return Array.from(pairs, (pair) => {
    if (!isList(pair)) throw new TypeError(`${method} takes pairs like ['key', 'value'], not ${describe(pair)}`);
    const [key, value] = pair;
    return [key, value] as const;
  });
}

function isList(items: unknown): boolean {
  if (typeof items !== 'object' || items === null || ArrayBuffer.isView(items)) return false;
  return typeof (items as { [Symbol.iterator]?: unknown })[Symbol.iterator] === 'function' && describe(items) !== 'String';
}
