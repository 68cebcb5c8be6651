// Keys, values and requests of all measurements: 20-byte keys, 100-byte values.

import { generator } from './measure.mjs';

const decoder = new TextDecoder('latin1');

/** Bytes of a key. */
export const KEY_BYTES = 20;
/** Bytes of a value. */
export const VALUE_BYTES = 100;

const flat = new Uint8Array(KEY_BYTES);
flat.set([117, 115, 101, 114, 58]);

/**
 * The key with a number, as programs build keys: V8 keeps the string beside its parts, 120 bytes for these 20. This is the
 * key of all measurements unless they say otherwise.
 */
export const key = (number) => `user:${String(number).padStart(15, '0')}`;

/** The same key as one flat string of 40 bytes, as it comes from a socket: the least that V8 needs for it. */
export function flatKey(number) {
  let rest = number;
  for (let at = KEY_BYTES - 1; at >= 5; at--) {
    flat[at] = 48 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
  return decoder.decode(flat);
}

/** Both by name. */
export const KEYS = { built: key, flat: flatKey };

/** A value of its own for each number: `bytes` as Uint8Array, `strings` as text, flat as one that came from a socket. */
export function value(kind, number, bytes = VALUE_BYTES) {
  return kind === 'bytes' ? new Uint8Array(bytes).fill(97 + (number % 26)) : text(number, bytes);
}

/** Numbers below `count`, each as likely. */
export function uniform(count, length, seed = 7) {
  const random = generator(seed);
  return Int32Array.from({ length }, () => Math.floor(random() * count));
}

/** Numbers below `count` by Zipf's law with this exponent, the smallest the most frequent. */
export function zipf(count, exponent, length, seed = 7) {
  const upTo = new Float64Array(count);
  let sum = 0;
  for (let rank = 0; rank < count; rank++) upTo[rank] = sum += (rank + 1) ** -exponent;
  const random = generator(seed);
  return Int32Array.from({ length }, () => firstAbove(upTo, random() * sum));
}

function firstAbove(upTo, wanted) {
  let [low, high] = [0, upTo.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (upTo[middle] > wanted) high = middle;
    else low = middle + 1;
  }
  return low;
}

const letters = new Uint8Array(1 << 16);

function text(number, bytes) {
  letters.fill(97 + (number % 26), 0, bytes);
  return decoder.decode(letters.subarray(0, bytes));
}
