// Records that the store engine lists: entries of a scan, and entries that left.

import { isAscii, keyOf, ROOT, SPACE_BYTES, SPACE_TAG, spaceOf } from './keys.js';
import { asciiReader } from './memory.js';
import type { EvictionReason } from './options.js';

/** An entry of a scan. */
export interface ScannedEntry {
  readonly space: number;
  readonly key: string | Uint8Array<ArrayBuffer>;
  /** The value, if it was asked for. */
  readonly value: Uint8Array<ArrayBuffer> | undefined;
  readonly valueBytes: number;
  readonly flags: number;
  /** The tick at which it expires; 0 is never. */
  readonly expires: number;
}

/** An entry that was evicted or had expired. */
export interface Departed {
  readonly space: number;
  readonly key: string | Uint8Array<ArrayBuffer>;
  readonly value: Uint8Array<ArrayBuffer>;
  readonly reason: EvictionReason;
}

/** The first byte of the name of a long key, whose value begins with the key. */
const LONG_KEY_TAG = 0xff;

/** Bytes in front of the key in a record of a scan: lengths of key and value, flags, expiry. */
export const RECORD_HEAD_BYTES = 16;

/** The record of an entry with its value. */
export function recordOf(stored: Uint8Array, value: Uint8Array, flags: number, expires: number): Uint8Array<ArrayBuffer> {
  const record = new Uint8Array(RECORD_HEAD_BYTES + stored.length + value.length);
  const view = new DataView(record.buffer);
  [stored.length, value.length, flags, expires].forEach((word, number) => view.setUint32(4 * number, word, true));
  record.set(stored, RECORD_HEAD_BYTES);
  record.set(value, RECORD_HEAD_BYTES + stored.length);
  return record;
}

/** The stored keys of records without values. */
export function* storedKeys(records: Uint8Array<ArrayBuffer>): Generator<Uint8Array<ArrayBuffer>, void, undefined> {
  const view = new DataView(records.buffer, records.byteOffset);
  for (let at = 0; at < records.length; ) {
    const end = at + RECORD_HEAD_BYTES + view.getUint32(at, true);
    yield records.subarray(at + RECORD_HEAD_BYTES, end);
    at = end;
  }
}

/** Lengths of key and value, flags, expiry; the key, and perhaps the value. */
export function parseRecords(records: Uint8Array<ArrayBuffer>, count: number, withValues: boolean): ScannedEntry[] {
  const view = new DataView(records.buffer, records.byteOffset);
  const ascii = asciiReader(records);
  const entries: ScannedEntry[] = [];
  for (let at = 0; entries.length < count; ) {
    const [keyBytes, valueBytes] = [view.getUint32(at, true), view.getUint32(at + 4, true)];
    const [flags, expires] = [view.getUint32(at + 8, true), view.getUint32(at + 12, true)];
    at += RECORD_HEAD_BYTES;
    const keyAt = at;
    at += keyBytes;
    const value = withValues ? records.slice(at, at + valueBytes) : undefined;
    at += withValues ? valueBytes : 0;
    const tagBytes = records[keyAt] === SPACE_TAG ? SPACE_BYTES : 0;
    const space = tagBytes === 0 ? ROOT : view.getUint32(keyAt + 1, true);
    const [from, to] = [keyAt + tagBytes, keyAt + keyBytes];
    const key = isAscii(records, from, to) ? ascii(from, to) : keyOf(records.subarray(keyAt, to));
    entries.push({ space, key, value, valueBytes, flags, expires });
  }
  return entries;
}

/** The reason, lengths of key and value, flags; the key, and the value. */
export function parseDepartures(records: Uint8Array<ArrayBuffer>): Departed[] {
  const view = new DataView(records.buffer, records.byteOffset);
  const entries: Departed[] = [];
  for (let at = 0; at < records.length; ) {
    const reason = records[at] === 0 ? 'evict' : 'expire';
    const [nameBytes, bytes] = [view.getUint32(at + 1, true), view.getUint32(at + 5, true)];
    at += 13;
    let stored = records.subarray(at, at + nameBytes);
    at += nameBytes;
    let value = records.subarray(at, at + bytes);
    at += bytes;
    if (stored[0] === LONG_KEY_TAG) {
      const keyBytes = new DataView(value.buffer, value.byteOffset).getUint32(0, true);
      stored = value.subarray(4, 4 + keyBytes);
      value = value.subarray(4 + keyBytes);
    }
    entries.push({ space: spaceOf(stored), key: keyOf(stored), value: value.slice(), reason });
  }
  return entries;
}
