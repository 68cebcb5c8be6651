// Walks over the entries of a cache or of a namespace, page by page.

import { bytesOf, type BytesLike } from './bytes.js';
import { ROOT, SPACE_TAG } from './keys.js';
import type { ScannedEntry } from './records.js';
import { prefixOf } from './spaces.js';
import type { Store } from './store.js';

/** An entry of a walk. */
export type Listed = ScannedEntry;

/** Entries of a page. */
const PAGE_ENTRIES = 1000;
/** A page with values is shorter. */
const PAGE_ENTRIES_WITH_VALUES = 64;

/** The beginning of the stored keys that begin with `prefix` in a namespace. */
export function prefixBytes(space: number, prefix: BytesLike): Uint8Array {
  const own = bytesOf(prefix, 'a prefix');
  if (space === ROOT && !(own[0]! >= SPACE_TAG)) return own;
  const head = prefixOf(space);
  const both = new Uint8Array(head.length + own.length);
  both.set(head);
  both.set(own, head.length);
  return both;
}

/** The entries of a namespace, in pages. */
export function* pages(
  store: Store,
  space: number,
  prefix: BytesLike,
  withValues: boolean,
): Generator<Listed[], void, undefined> {
  const count = withValues ? PAGE_ENTRIES_WITH_VALUES : PAGE_ENTRIES;
  const bytes = prefixBytes(space, prefix);
  for (let cursor: number | undefined = 0; cursor !== undefined && !store.isRetired; ) {
    const page = store.scan(cursor, bytes, count, withValues);
    yield page.entries.filter((entry) => entry.space === space);
    cursor = page.cursor;
  }
}
