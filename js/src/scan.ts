// Walks over the entries of a cache or of a namespace, page by page.

import { bytesOf, type BytesLike } from './bytes.js';
import { ROOT, SPACE_TAG, spaceOf } from './keys.js';
import { parseRecords, storedKeys, type ScannedEntry } from './records.js';
import { prefixOf } from './spaces.js';
import type { ScanPage, Store } from './store.js';

/** An entry of a walk. */
export type Listed = ScannedEntry;

/** Entries of a page, unless it gets long in bytes. */
const PAGE_ENTRIES = 1000;

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

/** Pages of the entries whose stored keys begin with `prefix`. An entry with a large value has a page of its own. */
export function* rawPages(
  store: Store,
  prefix: Uint8Array,
  withValues: boolean,
): Generator<Pick<ScanPage, 'records' | 'count'>, void, undefined> {
  for (let cursor: number | undefined = 0; cursor !== undefined && !store.isRetired; ) {
    const page = store.scan(cursor, prefix, PAGE_ENTRIES, withValues);
    if (page.count > 0) yield page;
    for (const key of storedKeys(page.large)) {
      const records = store.isRetired ? undefined : store.record(key);
      if (records !== undefined) yield { records, count: 1 };
    }
    cursor = page.cursor;
  }
}

/** The number of entries of a namespace. */
export function countOf(store: Store, space: number): number {
  let found = 0;
  for (const { records, count } of rawPages(store, prefixBytes(space, ''), false)) {
    if (space !== ROOT) found += count;
    else for (const key of storedKeys(records)) if (spaceOf(key) === ROOT) found++;
  }
  return found;
}

/** The entries of a namespace, in pages. */
export function* pages(
  store: Store,
  space: number,
  prefix: BytesLike,
  withValues: boolean,
): Generator<Listed[], void, undefined> {
  for (const { records, count } of rawPages(store, prefixBytes(space, prefix), withValues)) {
    yield parseRecords(records, count, withValues).filter((entry) => entry.space === space);
  }
}
