// Keys: the bytes under which the store keeps an entry, and back.
//
// A key of the cache itself is stored as it is. In a namespace the tag and the namespace's number stand in front of it. A key of
// bytes that begins like a tag belongs to number 0, so that no key can be mistaken for another.

import { bytesOf, type BytesLike } from './bytes.js';
import { utf8 } from './text.js';

/** Longest key in bytes. */
export const KEY_BYTES_MAX = 64 * 1024;
/** The first byte of a key in a namespace. The store uses the byte above for long keys. UTF-8 has neither. */
export const SPACE_TAG = 0xfe;
/** Bytes in front of a key in a namespace. */
export const SPACE_BYTES = 5;
/** The number of the cache itself, as a namespace. */
export const ROOT = 0;

/** Longest key that a handle holds in numbers. */
export const HELD_BYTES_MAX = 32;

/** A key whose bytes are made once: made by `cache.key(text)`, faster than text where one key is used again and again. */
export class KeyHandle {
  // A short key is held in numbers: they are written several times faster than an array of bytes is copied. They stand first,
  // beside the length, because each further cache line of a handle costs as much as all these writes.
  readonly #length: number;
  readonly #word0: number;
  readonly #word1: number;
  readonly #word2: number;
  readonly #word3: number;
  readonly #word4: number;
  readonly #word5: number;
  readonly #word6: number;
  readonly #word7: number;
  /** The bytes. They must not change. */
  readonly bytes: Uint8Array;

  constructor(key: Key) {
    const bytes = new Uint8Array(key instanceof KeyHandle ? key.bytes : bytesOf(key, 'a key'));
    if (bytes.length === 0 || bytes.length > KEY_BYTES_MAX) throw wrongLength(bytes.length);
    const held = new Int32Array(HELD_BYTES_MAX / 4);
    new Uint8Array(held.buffer).set(bytes.subarray(0, HELD_BYTES_MAX));
    this.#length = bytes.length <= HELD_BYTES_MAX && bytes[0]! < SPACE_TAG ? bytes.length : 0;
    this.#word0 = held[0]!;
    this.#word1 = held[1]!;
    this.#word2 = held[2]!;
    this.#word3 = held[3]!;
    this.#word4 = held[4]!;
    this.#word5 = held[5]!;
    this.#word6 = held[6]!;
    this.#word7 = held[7]!;
    this.bytes = bytes;
  }

  /**
   * Writes the key at a word of a memory that has room for 32 bytes, and something behind it. Returns its length; 0, and nothing
   * is written, if the key is long or begins like one of a namespace.
   */
  write(words: Uint32Array, at: number): number {
    const length = this.#length;
    if (length === 0) return 0;
    words[at] = this.#word0;
    words[at + 1] = this.#word1;
    words[at + 2] = this.#word2;
    words[at + 3] = this.#word3;
    if (length > 16) {
      words[at + 4] = this.#word4;
      words[at + 5] = this.#word5;
      words[at + 6] = this.#word6;
      words[at + 7] = this.#word7;
    }
    return length;
  }

  toString(): string {
    return utf8().decode(this.bytes);
  }
}

/** A key as callers pass it: text (UTF-8), bytes, or a handle. */
export type Key = BytesLike | KeyHandle;

/** The bytes of a key that is no text. */
export function keyBytes(key: Exclude<Key, string>): Uint8Array {
  if (key instanceof KeyHandle) return key.bytes;
  const bytes = bytesOf(key, 'a key');
  if (bytes.length === 0 || bytes.length > KEY_BYTES_MAX) throw wrongLength(bytes.length);
  return bytes;
}

/** Bytes that a stored key needs at most. */
export function keyBytesMost(key: Key): number {
  return SPACE_BYTES + (typeof key === 'string' ? 3 * Math.min(key.length, KEY_BYTES_MAX + 1) : keyBytes(key).length);
}

/** The number of the namespace of a stored key. */
export function spaceOf(stored: Uint8Array): number {
  if (stored[0] !== SPACE_TAG) return ROOT;
  return new DataView(stored.buffer, stored.byteOffset).getUint32(1, true);
}

/** The key as callers know it: text if it is UTF-8, else bytes. */
export function keyOf(stored: Uint8Array<ArrayBuffer>): string | Uint8Array<ArrayBuffer> {
  const bytes = stored[0] === SPACE_TAG ? stored.subarray(SPACE_BYTES) : stored;
  return textOf(bytes) ?? bytes.slice();
}

/** The first letter of the {@link nameOf} of a key that is no text. No well-formed text has it. */
const BYTES_TAG = '\udc00';

/** Text that differs for all keys: the key itself, if it is text. */
export function nameOf(key: Key): string {
  if (typeof key === 'string') return key;
  const bytes = keyBytes(key);
  return textOf(bytes) ?? BYTES_TAG + String(bytes);
}

/** The bytes of the key that has this {@link nameOf}. */
export function bytesOfName(name: string): Uint8Array {
  return name.startsWith(BYTES_TAG) ? Uint8Array.from(name.slice(1).split(','), Number) : utf8().encode(name);
}

/** The bytes as text, if they are UTF-8. */
function textOf(bytes: Uint8Array): string | undefined {
  const text = utf8().decode(bytes);
  // Bytes that are no UTF-8 are decoded to replacement characters, which encode to other bytes.
  return isAscii(bytes, 0, bytes.length) || same(utf8().encode(text), bytes) ? text : undefined;
}

/** Whether all of these bytes are ASCII. */
export function isAscii(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i]! >= 0x80) return false;
  return true;
}

function same(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, i) => byte === other[i]);
}

/** The error for a key of a length that none may have. */
export function wrongLength(length: number): RangeError {
  if (length === 0) return new RangeError('a key is empty; use at least one byte');
  return new RangeError(`a key has ${length} bytes, ${KEY_BYTES_MAX} are the limit; use a hash of it as the key`);
}
