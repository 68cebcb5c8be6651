// Keys, values and requests of all measurements: 20-byte keys, 100-byte values.

import { generator } from './measure.mjs';

/** Bytes of a key. */
export const KEY_BYTES = 20;
/** Bytes of a value. */
export const VALUE_BYTES = 100;

const FIRST = 1_000_000;

/** The key with a number below nine million, as programs build keys. */
export const key = (number) => `user:profile:${FIRST + number}`;

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

const decoder = new TextDecoder('latin1');
const letters = new Uint8Array(1 << 16);

function text(number, bytes) {
  letters.fill(97 + (number % 26), 0, bytes);
  return decoder.decode(letters.subarray(0, bytes));
}
