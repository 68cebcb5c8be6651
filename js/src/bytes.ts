// Bytes and text as callers pass them: of this or another realm, so no test is by `instanceof`.

import { utf8 } from './text.js';

/** Text, or bytes in any of the forms that JavaScript has for them. */
export type BytesLike = string | ArrayBuffer | ArrayBufferView;

/** Forms that an argument may have, by its name in errors, and advice for other ones. */
const FORMS: Readonly<Record<string, string>> = {
  'a key': "text, bytes or a handle of cache.key(), not %; use String(key) for numbers",
  'a value': "text or bytes, not %; use cache.as('json') for other values",
  'a snapshot': 'bytes, not %; pass what dump() returned',
  'a buffer for a value': 'a typed array, a DataView or an ArrayBuffer, not %',
};
const ALL_FORMS = 'text, a typed array, a DataView or an ArrayBuffer, not %';

/** The bytes of the input, not copied if it is no text. `name` is that of the argument in errors. */
export function bytesOf(input: BytesLike, name: string): Uint8Array {
  // A view costs as much as all else that is done with a small value. An array whose buffer is gone has no bytes.
  return ArrayBuffer.isView(input) && input instanceof Uint8Array && input.length > 0 ? input : otherBytes(input, name);
}

function otherBytes(input: BytesLike, name: string): Uint8Array {
  if (typeof input === 'string') {
    refuseIllFormed(input, name);
    return utf8().encode(input);
  }
  const bytes = viewOf(input, name);
  if (bytes === undefined) throw new TypeError(`${name} is ${(FORMS[name] ?? ALL_FORMS).replace('%', describe(input))}`);
  return bytes;
}

/** The bytes of an input that is neither text nor an array of this realm with bytes; `undefined` if it has none. */
function viewOf(input: ArrayBuffer | ArrayBufferView, name: string): Uint8Array | undefined {
  const tag = Object.prototype.toString.call(input);
  try {
    if (ArrayBuffer.isView(input)) {
      // An array whose buffer is gone looks like an empty one, but refuses to be searched.
      if (tag !== '[object DataView]') Uint8Array.prototype.indexOf.call(input, 0);
      return new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
    }
    if (tag !== '[object ArrayBuffer]' && tag !== '[object SharedArrayBuffer]') return undefined;
    const bytes = new Uint8Array(input);
    // An object that only says that it is a buffer is copied like a list.
    return bytes.buffer === input ? bytes : undefined;
  } catch (error) {
    throw new TypeError(`the buffer of ${name} is no longer there: it was transferred or made smaller; pass a copy of the bytes`, { cause: error });
  }
}

/** A short name for a value in an error. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value !== 'object' && typeof value !== 'function') return `a ${typeof value}`;
  return Object.prototype.toString.call(value).slice(8, -1);
}

/** Throws if the text has half of a surrogate pair alone. */
export function refuseIllFormed(text: string, name: string): void {
  if (!hasLoneSurrogate(text)) return;
  throw new TypeError(`${name} has half of a surrogate pair, which UTF-8 cannot express; use well-formed text or bytes`);
}

function hasLoneSurrogate(text: string): boolean {
  const { isWellFormed } = String.prototype as { isWellFormed?: () => boolean };
  return isWellFormed === undefined ? /\p{Surrogate}/u.test(text) : !isWellFormed.call(text);
}

/** A value in an error, shortened. */
export const shown = (value: unknown): string => (typeof value === 'object' ? describe(value) : String(value).slice(0, 40));
