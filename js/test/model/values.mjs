// Random keys and values, in all forms that callers may use.

import { bytesOf } from './reference.mjs';

/** Larger than any entry of the caches under test. */
export const TOO_LARGE_BYTES = 150_000;
export const ENTRY_BYTES_MAX = 100_000;

const WORDS = ['a', 'b', 'user:1', 'user:2', 'user:22', 'é', 'ключ', '\u{1f600}', '\ufeffbom', '__proto__', 'a b\r\n\0', '0', 'x'.repeat(24), 'y'.repeat(25)];
const LONG = ['l'.repeat(245), 'l'.repeat(246), 'l'.repeat(250), 'l'.repeat(251), 'l'.repeat(1000), 'é'.repeat(126), 'user:' + 'm'.repeat(300)];
const BYTES = [[255], [254], [254, 0, 0, 0, 0], [254, 1, 0, 0, 0, 97], [0xc3, 0x28], [0xed, 0xa0, 0x80], [0], [117, 115, 101, 114, 58, 255]];
/** All keys. */
export const KEYS = [...WORDS, ...LONG, ...BYTES.map((bytes) => new Uint8Array(bytes)), new Uint8Array(300).fill(255), new Uint8Array(251).fill(254)];
const PREFIXES = ['', 'user:', 'user:2', 'l', 'l'.repeat(250), 'é', 'none', new Uint8Array([254]), new Uint8Array([255]), new Uint8Array([117, 115])];

export const keyOf = (random) => random.of(KEYS);
export const prefixOf = (random) => random.of(PREFIXES);
export const keysOf = (random) => Array.from({ length: random.below(6) }, () => keyOf(random));

/** The key as another value that means the same. */
export function formOf(random, cache, key) {
  const form = random.below(8);
  if (form === 0) return cache.key(key);
  return form < 4 ? inBytes(random, bytesOf(key)) : key;
}

/** The value as text where it can be, or as bytes. */
export function valueForm(random, value) {
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(value);
  const isText = bytesOf(text).every((byte, i) => byte === value[i]) && bytesOf(text).length === value.length;
  return isText && random.once(2) ? text : inBytes(random, value);
}

function inBytes(random, bytes) {
  const shifted = new Uint8Array(bytes.length + 3);
  shifted.set(bytes, 3);
  const forms = [
    () => bytes.slice(),
    () => bytes.slice().buffer,
    () => shifted.subarray(3),
    () => new DataView(shifted.buffer, 3),
    () => (bytes.length % 2 === 0 ? new Uint16Array(bytes.slice().buffer) : bytes.slice()),
  ];
  return random.of(forms)();
}

/** Bytes of a value: often a number, mostly short. Bytes that are no number do not begin with a digit or a blank. */
export function valueOf(random) {
  if (random.once(4)) return bytesOf(String(random.once(4) ? 2n ** 64n - BigInt(1 + random.below(3)) : random.below(300)));
  if (random.once(4)) return bytesOf(JSON.stringify(random.of([null, { a: [1] }, 'é', [], true])));
  const length = random.once(40) ? random.of([4095, 4096, 4097, 20_000, 66_000]) : random.below(150);
  return Uint8Array.from({ length }, () => 128 + random.below(128));
}

/** Options of operations that store. */
export function optionsOf(random) {
  const options = {};
  if (random.once(2)) options.ttl = random.of([0, 1, 50, 120, 1000, 5000, 40 * 24 * 3_600_000]);
  if (random.once(3)) options.flags = random.of([0, 1, 2 ** 32 - 1]);
  return random.once(4) ? undefined : options;
}
