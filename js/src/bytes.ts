// Bytes and text as callers pass them: of this or another realm, so no test is by `instanceof`.

import { utf8 } from './text.js';

/** Text, or bytes in any of the forms that JavaScript has for them. */
export type BytesLike = string | ArrayBuffer | ArrayBufferView;

/** The bytes of the input, not copied if it is no text. `name` is that of the argument in errors. */
export function bytesOf(input: BytesLike, name: string): Uint8Array {
  if (typeof input === 'string') {
    if (hasLoneSurrogate(input)) {
      throw new TypeError(`${name} has half of a surrogate pair, which UTF-8 cannot express; use well-formed text or bytes`);
    }
    return utf8().encode(input);
  }
  if (ArrayBuffer.isView(input)) {
    // A view costs as much as all else that is done with a small value. Bytes of another realm get one.
    return input instanceof Uint8Array ? input : new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
  }
  const tag = Object.prototype.toString.call(input);
  if (tag === '[object ArrayBuffer]' || tag === '[object SharedArrayBuffer]') return new Uint8Array(input);
  throw new TypeError(`${name} is text, a typed array, a DataView or an ArrayBuffer, not ${describe(input)}`);
}

/** A short name for a value in an error. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value !== 'object' && typeof value !== 'function') return `a ${typeof value}`;
  return Object.prototype.toString.call(value).slice(8, -1);
}

/** Whether the text has half of a surrogate pair alone. */
export function hasLoneSurrogate(text: string): boolean {
  const { isWellFormed } = String.prototype as { isWellFormed?: () => boolean };
  return isWellFormed === undefined ? /\p{Surrogate}/u.test(text) : !isWellFormed.call(text);
}
